//! The combinations: a fleet each, and who serves it.

use crate::PHONES;

/// Who leases addresses and says where the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leases {
    Dnsmasq,
    Kea,
    Isc,
}

/// Who serves the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Files {
    TftpdHpa,
    Atftpd,
    Nginx,
    Vsftpd,
}

/// Who else takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    /// The time.
    Chrony,
    /// The registrar.
    Kamailio,
    /// Who answers the SUBSCRIBE by multicast.
    Sipp,
    /// Who answers by multicast DNS.
    Avahi,
}

/// One combination.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    profile: &'static str,
    /// `source`, and what belongs to it.
    source: &'static str,
    layout: &'static str,
    /// One setting or more of the phones' own.
    own: &'static str,
    pub(crate) leases: Leases,
    pub(crate) files: Files,
    pub(crate) others: &'static [Other],
}

const BVA8051: &str = "plug-n-dial/bva8051";
const FIP13G: &str = "flyingvoice/fip13g";
const MAXWELL: &str = "gigaset/maxwell-3";
const COMFORTEL: &str = "auerswald/comfortel-d-200";
const X6: &str = "fanvil/x6";

/// The accounts that kamailio knows the password of.
const BVA8051_ACCOUNT: &str = r#""sip_server" = "sip.example.org"
"sip_server_port" = "5060"
"local_sip_port" = "5060"
"sip_user" = "a{index}"
"sip_auth_user" = "{mac}"
"sip_password" = "hush""#;
const FIP13G_ACCOUNT: &str = r#""account.1.enable" = "1"
"account.1.user_name" = "u{index}"
"account.1.auth_name" = "{mac}"
"account.1.password" = "hush"
"account.1.sip_server_host" = "sip.example.org""#;

pub(crate) const ROWS: [Row; 12] = [
    Row {
        name: "dhcpd, tftpd-hpa, kamailio: option 66, checksums",
        profile: BVA8051,
        source: "dhcp",
        layout: "tree",
        own: BVA8051_ACCOUNT,
        leases: Leases::Isc,
        files: Files::TftpdHpa,
        others: &[Other::Kamailio],
    },
    Row {
        name: "Kea, atftpd: option 66, checksums",
        profile: BVA8051,
        source: "dhcp",
        layout: "tree",
        own: r#""sip_user" = "a{index}""#,
        leases: Leases::Kea,
        files: Files::Atftpd,
        others: &[],
    },
    Row {
        name: "Kea, tftpd-hpa, kamailio: option 66, both CFG files",
        profile: FIP13G,
        source: "dhcp",
        layout: "flat",
        own: FIP13G_ACCOUNT,
        leases: Leases::Kea,
        files: Files::TftpdHpa,
        others: &[Other::Kamailio],
    },
    Row {
        name: "dhcpd, atftpd: option 66, boot files with blanks in names",
        profile: FIP13G,
        source: "dhcp",
        layout: "boot",
        own: r#""account.1.label" = "Desk {index}""#,
        leases: Leases::Isc,
        files: Files::Atftpd,
        others: &[],
    },
    Row {
        name: "dnsmasq, nginx, SIPp: the file that a NOTIFY names",
        profile: FIP13G,
        source: "pnp",
        layout: "given",
        own: r#""account.1.label" = "Desk {index}""#,
        leases: Leases::Dnsmasq,
        files: Files::Nginx,
        others: &[Other::Sipp],
    },
    Row {
        name: "dhcpd, nginx: option 114, a catalogue",
        profile: MAXWELL,
        source: "dhcp-114",
        layout: "catalogue",
        own: r#""SIP.Account.0.DisplayName" = "Desk {index}""#,
        leases: Leases::Isc,
        files: Files::Nginx,
        others: &[],
    },
    Row {
        name: "dnsmasq, atftpd: option 66, one file",
        profile: MAXWELL,
        source: "dhcp",
        layout: "single",
        own: r#""SIP.Account.0.DisplayName" = "Desk {index}""#,
        leases: Leases::Dnsmasq,
        files: Files::Atftpd,
        others: &[],
    },
    Row {
        name: "Kea, nginx, chrony: option 43 with sub-options, references",
        profile: COMFORTEL,
        source: "dhcp-43",
        layout: "references",
        own: r#""users/user[@id='1']/username" = "r{index}""#,
        leases: Leases::Kea,
        files: Files::Nginx,
        others: &[Other::Chrony],
    },
    Row {
        name: "dhcpd, nginx, chrony: option 43 with sub-options, a backup",
        profile: COMFORTEL,
        source: "dhcp-43\"\nfile = \"<MACADR>.xml",
        layout: "backup",
        own: r#""users/user[@id='1']/username" = "r{index}""#,
        leases: Leases::Isc,
        files: Files::Nginx,
        others: &[Other::Chrony],
    },
    Row {
        name: "dnsmasq, tftpd-hpa: option 66, modules",
        profile: X6,
        source: "dhcp",
        layout: "modules",
        own: r#""sip.sip1 phone number" = "m{index}""#,
        leases: Leases::Dnsmasq,
        files: Files::TftpdHpa,
        others: &[],
    },
    Row {
        name: "Kea, vsftpd: an option of the site's own, modules",
        profile: X6,
        source: "dhcp-custom\"\noption = 175\nfile = \"$mac.cfg",
        layout: "modules",
        own: r#""sip.sip1 phone number" = "m{index}""#,
        leases: Leases::Kea,
        files: Files::Vsftpd,
        others: &[],
    },
    Row {
        name: "dhcpd, nginx, avahi: multicast DNS, modules in XML",
        profile: "fanvil/c600",
        source: "mdns",
        layout: "modules-xml",
        own: r#""sip.sip1 phone number" = "d{index}""#,
        leases: Leases::Isc,
        files: Files::Nginx,
        others: &[Other::Avahi],
    },
];

impl Row {
    pub(crate) fn vendor(&self) -> &'static str {
        self.profile.split('/').next().unwrap_or_default()
    }

    fn transport(&self) -> &'static str {
        match self.files {
            Files::TftpdHpa | Files::Atftpd => "tftp",
            Files::Nginx => "http",
            Files::Vsftpd => "ftp",
        }
    }

    /// The fleet.
    pub(crate) fn scenario(&self) -> String {
        format!(
            "name = \"segment\"\ntime_scale = 0.01\ndeadline_s = 45\n\
             [hosts]\n\"sip.example.org\" = \"subject\"\n\
             [load]\nshape = \"rate\"\nper_s = 20\n\
             [[fleet]]\nname = \"phones\"\nphones = {PHONES}\nsource = \"{}\"\n\
             transport = \"{}\"\nlayout = \"{}\"\n\
             [fleet.profiles]\n\"{}\" = 1\n[fleet.own]\n{}\n",
            self.source,
            self.transport(),
            self.layout,
            self.profile,
            self.own
        )
    }

    /// What is judged.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let mut kinds = vec!["dhcp", self.transport()];
        kinds.extend(self.others.iter().map(|other| match other {
            Other::Chrony => "ntp",
            Other::Kamailio | Other::Sipp => "sip",
            Other::Avahi => "mdns",
        }));
        let subject = |kind| format!("{kind}://{}", crate::SERVER);
        kinds.into_iter().map(subject).collect()
    }

    /// Every program that it takes, with its package.
    pub(crate) fn programs(&self) -> Vec<(&'static str, &'static str)> {
        let mut programs = vec![
            ("nft", "nftables"),
            match self.leases {
                Leases::Dnsmasq => ("dnsmasq", "dnsmasq-base"),
                Leases::Kea => ("kea-dhcp4", "kea-dhcp4-server"),
                Leases::Isc => ("dhcpd", "isc-dhcp-server"),
            },
            match self.files {
                Files::TftpdHpa => ("in.tftpd", "tftpd-hpa"),
                Files::Atftpd => ("atftpd", "atftpd"),
                Files::Nginx => ("nginx", "nginx-light"),
                Files::Vsftpd => ("vsftpd", "vsftpd"),
            },
        ];
        for other in self.others {
            programs.extend(match other {
                Other::Chrony => &[("chronyd", "chrony")][..],
                Other::Kamailio => &[("kamailio", "kamailio")],
                Other::Sipp => &[("sipp", "sip-tester"), ("socat", "socat")],
                Other::Avahi => &[("avahi-daemon", "avahi-daemon")],
            });
        }
        programs
    }
}
