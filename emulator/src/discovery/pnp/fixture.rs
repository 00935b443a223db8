//! A phone with a hand-built profile, stepped by hand: what the SIP tests share.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::{PnpClient, PnpServer};
use crate::event::EventKind;
use crate::format::FormatOptions;
use crate::identity::{Identity, Mac};
use crate::phone::io::{Channel, Connection, Effect, Outputs};
use crate::phone::turn::Turn;
use crate::profile::keys::KeyRules;
use crate::profile::template::Template;
use crate::profile::{
    Apply, Change, Classify, DhcpSpec, FirmwareChoice, FirmwareRule, FirmwareVersion, HttpSpec,
    PnpChoice, PnpSpec, Profile, SendCredentials, SipSpec, SourcesEnd, TftpSpec, Timers,
};
use crate::rng::Rng;
use crate::shelf::{Ports, Shelf};
use crate::time::Moment;

/// The phone of the document's trace.
pub(crate) const MAC: &str = "0021f222b01d";
/// The server of the trace, answering from a port of its own (FLY-46).
pub(crate) const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 50, 18), 7777);

/// The header fields of the SUBSCRIBE (FLY-44, FLY-55).
const SUBSCRIBE: [(&str, &str); 12] = [
    (
        "Via",
        "SIP/2.0/UDP {ip}:{port};branch=z9hG4bK-{branch};rport",
    ),
    ("From", "<sip:MAC{mac}@224.0.1.75>;tag={tag}"),
    ("To", "<sip:MAC{mac}@224.0.1.75>"),
    ("Call-ID", "{call_id}-{mac}@{ip}"),
    ("CSeq", "{cseq} SUBSCRIBE"),
    ("Contact", "<sip:MAC{mac}@{ip}:{port}>"),
    ("Max-Forwards", "70"),
    (
        "User-Agent",
        "{vendor} {model} {firmware} {mac:colon-upper}",
    ),
    ("Expires", "0"),
    (
        "Event",
        "ua-profile;profile-type=\"device\";vendor=\"{vendor}\";model=\"{model}\";version=\"{firmware}\"",
    ),
    ("Accept", "application/url"),
    ("Content-Length", "0"),
];

/// One phone, its shelf and what it did.
pub(crate) struct Rig {
    pub(crate) profile: Profile,
    pub(crate) identity: Identity,
    pub(crate) shelf: Shelf,
    pub(crate) rng: Rng,
    pub(crate) out: Outputs,
    pub(crate) now: Moment,
    pub(crate) address: Ipv4Addr,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let mut shelf = Shelf::new(Vec::new());
        shelf.ports = Ports {
            sip: 5060,
            pnp: 59_495,
            cwmp: 7_547,
        };
        Self {
            profile: profile(),
            identity: Identity {
                mac: Mac::parse(MAC).unwrap(),
                index: 0,
                run_seed: 1,
            },
            shelf,
            rng: Rng::new(1),
            out: Outputs::default(),
            now: Moment::from_millis(1_000),
            address: Ipv4Addr::new(192, 168, 50, 163),
        }
    }

    pub(crate) fn spec(&mut self) -> &mut PnpSpec {
        self.profile.pnp.as_mut().unwrap()
    }

    /// Does one step with fresh outputs.
    pub(crate) fn step<R>(&mut self, act: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        self.out.clear();
        act(&mut Turn {
            now: self.now,
            profile: &self.profile,
            identity: &self.identity,
            address: self.address,
            firmware: &self.profile.firmware,
            shelf: &mut self.shelf,
            rng: &mut self.rng,
            out: &mut self.out,
        })
    }

    pub(crate) fn wait(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    /// Starts a search; gives it with its SUBSCRIBE.
    pub(crate) fn search(&mut self) -> (PnpClient, String) {
        let client = self.step(|turn| start(turn, false)).unwrap();
        (client, self.sent().1)
    }

    /// The only datagram sent in the last step.
    pub(crate) fn sent(&self) -> (SocketAddrV4, String) {
        let (to, bytes) = self.sent_bytes();
        (to, String::from_utf8(bytes).unwrap())
    }

    /// The only datagram sent in the last step, as it stands.
    pub(crate) fn sent_bytes(&self) -> (SocketAddrV4, Vec<u8>) {
        let [Effect::Send { to, bytes, .. }] = &self.out.effects[..] else {
            panic!("not one datagram: {:?}", self.out.effects);
        };
        assert_eq!(
            bytes.len(),
            self.out.bytes.len(),
            "nothing else is left in the arena"
        );
        (*to, self.out.slice(bytes).to_vec())
    }

    pub(crate) fn channels(&self) -> Vec<Channel> {
        let channel_of = |effect: &Effect| match effect {
            Effect::Send { channel, .. } => *channel,
            other => panic!("not a datagram: {other:?}"),
        };
        self.out.effects.iter().map(channel_of).collect()
    }

    pub(crate) fn events(&self) -> Vec<EventKind> {
        self.out.events.iter().map(|event| event.kind).collect()
    }
}

fn template(source: &str) -> Template {
    Template::parse(source).unwrap()
}

fn pnp() -> PnpSpec {
    PnpSpec {
        group: Ipv4Addr::new(224, 0, 1, 75),
        port: 5060,
        own_port: true,
        request_uri: template("sip:MAC{mac}@224.0.1.75"),
        headers: SUBSCRIBE
            .iter()
            .map(|(name, value)| ((*name).to_owned(), template(value)))
            .collect(),
        attempts: 3,
        interval: Duration::from_secs(1),
        listen: Duration::from_secs(5),
        window: Duration::from_secs(5),
        choose: PnpChoice::First,
        accepts_late: false,
        url_ends_at_blank: false,
        clauses: Vec::new(),
    }
}

fn profile() -> Profile {
    Profile {
        name: "flyingvoice/fip13g".to_owned(),
        vendor: "Flyingvoice".to_owned(),
        model: "FIP13G".to_owned(),
        oem: "Flyingvoice".to_owned(),
        summary: String::new(),
        unverified: Vec::new(),
        ouis: Vec::new(),
        firmware: "V0.6.24".to_owned(),
        product: String::new(),
        serial: Template::default(),
        markers: Vec::new(),
        sections: None,
        params: Vec::new(),
        timers: Timers::default(),
        sources: Vec::new(),
        sources_end: SourcesEnd::FirstFile,
        sources_fixed: false,
        mdns: None,
        clock: None,
        dhcp: dhcp(),
        pnp: Some(pnp()),
        prompt: None,
        sip: SipSpec {
            resync_events: vec!["check-sync".to_owned(), "resync".to_owned()],
            reboot_parameter: "reboot".to_owned(),
            unknown_event_status: 489,
            clauses: Vec::new(),
        },
        tftp: TftpSpec {
            options: Vec::new(),
            retry: Duration::from_secs(3),
            retry_spread: Duration::ZERO,
            attempts: 3,
            leading_slash: false,
            refuse_zero_size: false,
            clauses: Vec::new(),
        },
        ftp: None,
        http: HttpSpec {
            headers: Vec::new(),
            user_agent: template("{vendor}/{model}"),
            keep_alive: true,
            timeout: Duration::from_secs(10),
            attempts: 1,
            credentials: SendCredentials::AfterChallenge,
            verify_certificate: false,
            client_certificate: None,
            clauses: Vec::new(),
        },
        classify: Classify::BySuffix,
        given: Vec::new(),
        fetches: Vec::new(),
        cipher: None,
        tasks: crate::profile::Tasks::default(),
        accounts: None,
        cwmp: None,
        change: Change::Digest,
        apply: Apply::AfterRun,
        format: FormatOptions::default(),
        keys: KeyRules::default(),
        firmware_rule: FirmwareRule {
            version: FirmwareVersion::FileName,
            choose: FirmwareChoice::Different,
            image_name: Template::default(),
            clauses: Vec::new(),
        },
        content: Vec::new(),
        steps: Vec::new(),
    }
}

fn dhcp() -> DhcpSpec {
    DhcpSpec {
        message_bytes: 0,
        options: Vec::new(),
        parameters: Vec::new(),
        parameters_with_67: Vec::new(),
        vendor_class: Template::default(),
        host_name: Template::default(),
        offer_window: Duration::ZERO,
        retry: Vec::new(),
        retry_spread: Duration::ZERO,
        pause: Duration::ZERO,
        constant_xid: false,
        xid_from_mac: false,
        run_at_renewal: false,
        broadcast: false,
        clauses: Vec::new(),
    }
}

/// Starts a search at the profile's group, or over connection 7.
pub(crate) fn start(turn: &mut Turn<'_>, stream: bool) -> Option<PnpClient> {
    let spec = turn.profile.pnp.as_ref();
    let address = spec.map_or(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5060), |spec| {
        SocketAddrV4::new(spec.group, spec.port)
    });
    PnpClient::start(turn, PnpServer { address, stream }, Connection(7))
}
