//! A profile: what is known of one model and firmware, parsed, checked, immutable and shared.
//!
//! This file is the schema. `load` reads it from TOML, `template` holds the strings with holes,
//! `keys` the rules for setting keys. A fact that a profile cannot say needs a named behaviour
//! here, with its source; no code asks which vendor it serves.

pub mod accounts;
mod content;
pub mod cwmp;
mod discovery;
pub mod keys;
pub mod load;
mod param;
pub mod sections;
pub mod set;
pub mod template;
mod walk;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::format::sealed::Cipher;
use crate::format::{Format, FormatOptions};
use crate::phone::io::FtpMode;
use crate::transfer::http::AuthMethod;
use accounts::AccountsSpec;
pub use content::{
    CatalogueContent, CatalogueEntry, CertificateForm, ContentFile, ContentKind, ContentLink,
    ContentVersion, LinkForm, Scope,
};
use cwmp::CwmpSpec;
pub use discovery::{MdnsSpec, URL_OPTION, url_option};
use keys::KeyRules;
pub use param::{Param, ParamSpec};
use template::Template;
pub use walk::{
    Apply, Change, Classify, Fetch, FirmwareChoice, FirmwareRule, FirmwareVersion, Next, Task,
    TaskKind, Tasks,
};

/// A ladder step of a profile: the first ones are the same for all (`StepId::DISCOVER` …), then
/// one for each fetch of the walk, in the profile's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u8);

impl StepId {
    /// DHCPDISCOVER to DHCPOFFER.
    pub const DISCOVER: Self = Self(0);
    /// DHCPREQUEST to DHCPACK.
    pub const REQUEST: Self = Self(1);
    /// DHCPREQUEST in renewal or rebinding.
    pub const RENEW: Self = Self(2);
    /// SIP SUBSCRIBE to its 200 OK.
    pub const SUBSCRIBE: Self = Self(3);
    /// Waiting for the NOTIFY that carries the URL.
    pub const NOTIFY: Self = Self(4);
    /// The exact file that a candidate URL names.
    pub const GIVEN: Self = Self(5);
    /// A configuration file that a boot file includes.
    pub const INCLUDE: Self = Self(6);
    /// A resource that a setting names.
    pub const RESOURCE: Self = Self(7);
    /// A firmware image.
    pub const FIRMWARE: Self = Self(8);
    /// From power-on to settled.
    pub const SETTLED: Self = Self(9);
    /// SNTP request to its answer.
    pub const CLOCK: Self = Self(10);
    /// A request to the vendor's redirect service.
    pub const REDIRECT: Self = Self(11);
    /// SIP REGISTER.
    pub const REGISTER: Self = Self(12);
    /// A category's list of versions, named by a catalogue.
    pub const UPDATES: Self = Self(13);
    /// The settings file that a list of versions, a redirect step or a reference names.
    pub const LINKED: Self = Self(14);
    /// A certificate.
    pub const CERTIFICATE: Self = Self(15);
    /// A multicast DNS query to its answer.
    pub const MDNS: Self = Self(16);
    /// A question to the user, until it is answered.
    pub const PROMPT: Self = Self(17);
    /// An Inform to its response.
    pub const INFORM: Self = Self(18);
    /// Any later POST of a session with the auto-configuration server.
    pub const ACS: Self = Self(19);
    /// What the auto-configuration server ordered to be downloaded.
    pub const DOWNLOAD: Self = Self(20);
    /// The first fetch of the walk; the n-th has number `FIRST_FETCH + n`.
    pub const FIRST_FETCH: u8 = 21;

    /// The step of fetch `index`.
    #[must_use]
    pub fn fetch(index: usize) -> Self {
        Self(Self::FIRST_FETCH.saturating_add(u8::try_from(index).unwrap_or(u8::MAX)))
    }

    /// The index into `Profile::fetches`, if it is a fetch.
    #[must_use]
    pub fn fetch_index(self) -> Option<usize> {
        self.0.checked_sub(Self::FIRST_FETCH).map(usize::from)
    }
}

/// A source: its place in `Profile::sources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u8);

/// What a ladder step is called and which clauses it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// As printed: `DISCOVER`, `<mac>.boot`.
    pub label: String,
    /// Clause ids, `FLY-69`.
    pub clauses: Vec<String>,
}

/// Facts about one model with one firmware.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// `vendor/model`, the name users type.
    pub name: String,
    /// The vendor as printed by itself.
    pub vendor: String,
    /// The model as printed by the vendor.
    pub model: String,
    /// The maker's name in firmware paths; the vendor's where nothing else is said.
    pub oem: String,
    /// One line for lists.
    pub summary: String,
    /// What is not known for sure, one sentence each; shown by `explain` and in reports.
    pub unverified: Vec<String>,
    /// MAC prefixes.
    pub ouis: Vec<[u8; 3]>,
    /// The firmware version that a phone fresh from the box reports.
    pub firmware: String,
    /// What documents made for it call it (GIG-23); empty = not compared.
    pub product: String,
    /// The serial number.
    pub serial: Template,
    /// Text markers that the vendor's files and fields may hold, with what replaces them.
    pub markers: Vec<(String, Template)>,
    /// What the settings sections may hold, for a vendor whose documents are made of them.
    pub sections: Option<Arc<sections::Schema>>,
    /// The web page's fields with their defaults, indexed by `Param`.
    pub params: Vec<ParamSpec>,
    /// Durations of the vendor's policy; multiplied by the run's `time_scale`.
    pub timers: Timers,
    /// Where a provisioning URL can come from, in the order of trial.
    pub sources: Vec<Source>,
    /// When the search through the sources ends.
    pub sources_end: SourcesEnd,
    /// That order is for ever: `Param::SourceOrder` does not count (FAN-03).
    pub sources_fixed: bool,
    /// How the phone comes by the time, where its vendor demands a valid one.
    pub clock: Option<ClockSpec>,
    /// The DHCP client.
    pub dhcp: DhcpSpec,
    /// The SIP PnP client, where the vendor has one.
    pub pnp: Option<PnpSpec>,
    /// The multicast DNS client, where the vendor has one.
    pub mdns: Option<MdnsSpec>,
    /// What the phone asks its user, where it has a display for that.
    pub prompt: Option<PromptSpec>,
    /// What the SIP user agent does with NOTIFY.
    pub sip: SipSpec,
    /// The SIP accounts, where it is known which settings make them.
    pub accounts: Option<AccountsSpec>,
    /// How the phone speaks to an auto-configuration server, where the model can.
    pub cwmp: Option<CwmpSpec>,
    /// The TFTP client.
    pub tftp: TftpSpec,
    /// The FTP client, where the vendor has one.
    pub ftp: Option<FtpSpec>,
    /// The HTTP client.
    pub http: HttpSpec,
    /// What a candidate URL may be.
    pub classify: Classify,
    /// The format of a file that a candidate names exactly, by its suffix; the last entry has an
    /// empty suffix and serves for all others.
    pub given: Vec<(String, Format)>,
    /// The document walk.
    pub fetches: Vec<Fetch>,
    /// How its files are encrypted, where they can be (FAN-47).
    pub cipher: Option<Cipher>,
    /// The tasks that a changed configuration starts (FAN-10).
    pub tasks: Tasks,
    /// How a phone tells that a file is the one it applied last.
    pub change: Change,
    /// When settings are taken over.
    pub apply: Apply,
    /// How documents are read.
    pub format: FormatOptions,
    /// Which setting keys exist for this model and what they mean to the phone.
    pub keys: KeyRules,
    /// How firmware is found, judged and installed.
    pub firmware_rule: FirmwareRule,
    /// Which files a provisioning server holds for such phones.
    pub content: Vec<ContentFile>,
    /// All ladder steps, indexed by `StepId`.
    pub steps: Vec<Step>,
}

/// Vendor policy times; every one is multiplied by the run's `time_scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timers {
    /// From power to the first packet.
    pub boot: Duration,
    /// From a soft reboot to the next request.
    pub soft_reboot: Duration,
    /// Writing a firmware image to flash.
    pub install: Duration,
    /// Least pause between two files (FLY-72).
    pub between_files_min: Duration,
    /// Longest pause between two files.
    pub between_files_max: Duration,
}

/// When the search through the sources ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourcesEnd {
    /// With the first source whose walk fetched a file (FLY-94).
    FirstFile,
    /// With the first source that gave a URL, whatever became of it.
    FirstUrl,
}

/// One way of finding a provisioning server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name in events and reports.
    pub id: String,
    /// What it is.
    pub kind: SourceKind,
    /// Where its walk fetches nothing the whole run is over (FAN-111).
    pub ends_run: bool,
    /// The switches that must all be on.
    pub enabled_by: Vec<Param>,
    /// The name of the group of neighbours that are tried at the same time (AUE-09): the first
    /// answer wins, of two at the same moment that of the source which stands first (AUE-13).
    pub together: Option<String>,
    /// Which set of HTTP credentials and User-Agent its walk uses.
    pub account: Account,
    /// Clause ids.
    pub clauses: Vec<String>,
}

impl Source {
    /// Whether both are tried at the same time.
    #[must_use]
    pub fn is_together_with(&self, other: &Self) -> bool {
        self.together.is_some() && self.together == other.together
    }
}

/// What a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// SIP PnP by multicast.
    Pnp,
    /// A text option of the DHCP lease.
    Dhcp {
        /// The option code, 66 or a vendor's own.
        option: u8,
        /// A second option that holds the file name, when `Option67Enable` is on (FLY-80).
        file_option: Option<u8>,
        /// The source counts for nothing where this option was given for another source that is
        /// on (vendor-facts §3: 114 overrides 66).
        unless: Option<u8>,
    },
    /// The option of the DHCP lease that `Param::DhcpUrlOption` names; its text is the URL, in
    /// option 43 too (FAN-64, FAN-71, FAN-73).
    DhcpChosen,
    /// One URL out of options 43, 66, 67 and the BOOTP `file` field (AUE-25 … AUE-39).
    DhcpJoined,
    /// The vendor's redirect service at `Param::RedirectUrl` (GIG-03, AUE-40, AUE-41).
    Redirect(RedirectSpec),
    /// A URL out of a parameter.
    Fixed(Param),
    /// `Param::StaticScheme`, `StaticServer` and `StaticFile`, unless `StaticMode` says never
    /// (FAN-108, FAN-110, FAN-112).
    Static,
    /// A multicast DNS query (FAN-03).
    Mdns,
    /// What the auto-configuration server says in a session (FAN-03, FAN-113 … FAN-125).
    Acs,
}

/// How patient a phone is with its vendor's redirect service, and how it proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedirectSpec {
    /// Wait for connection and answer; a protocol time.
    pub timeout: Duration,
    /// Tries after silence or a broken connection, 1 or more.
    pub attempts: u8,
    /// Which challenges are answered with `RedirectUser` and `RedirectPassword`.
    pub auth: AuthMethod,
}

/// How a phone comes by the time: SNTP, from the servers of DHCP option 42, or from
/// `Param::NtpServer` where DHCP names none. No provisioning request leaves before the time is
/// known (AUE-05, AUE-06).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockSpec {
    /// Wait before the time is asked for again (AUE-07); a protocol time: never scaled. At least
    /// a second.
    pub retry: Duration,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// A set of web-page fields: the first or the second configuration profile (FLY-87).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// `UserAgent`, `AuthMethod`, `Username`, `Password`.
    First,
    /// Their `Second…` twins.
    Second,
}

/// The DHCP client's habits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpSpec {
    /// Messages are padded with zero bytes to this length: 548 for udhcp (FLY-62), 0 = no padding.
    pub message_bytes: usize,
    /// The order in which options are written; one that a message does not need is left out.
    pub options: Vec<DhcpOption>,
    /// Option 55, in the vendor's order; `URL_OPTION` stands for the code of the option that
    /// `Param::DhcpUrlOption` names, and for nothing where it names none (FAN-70).
    pub parameters: Vec<u8>,
    /// Added to option 55 when `Option67Enable` is on (FLY-79).
    pub parameters_with_67: Vec<u8>,
    /// Option 60; empty = not sent.
    pub vendor_class: Template,
    /// Option 12; empty = not sent.
    pub host_name: Template,
    /// How long offers are collected before one is chosen; zero = the first wins (FLY-64).
    /// A policy time.
    pub offer_window: Duration,
    /// Waits before the second, third … transmission; as many transmissions as entries.
    /// Protocol times: never scaled.
    pub retry: Vec<Duration>,
    /// A random spread added to or taken from each wait (RFC 2131 §4.1: one second).
    pub retry_spread: Duration,
    /// Pause before a new DISCOVER when nobody answered; a protocol time.
    pub pause: Duration,
    /// One transaction id from DISCOVER to ACK and for later renewals (FLY-63).
    pub constant_xid: bool,
    /// … and the same one in every boot, out of the MAC (FAN-80).
    pub xid_from_mac: bool,
    /// A renewal that brings an option with a provisioning server starts a run (FAN-66, FAN-85).
    pub run_at_renewal: bool,
    /// The broadcast flag.
    pub broadcast: bool,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// A DHCP option as a client writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhcpOption {
    /// 53
    MessageType,
    /// 61: type 1 and the MAC.
    ClientId,
    /// 60
    VendorClass,
    /// 57, with its value in bytes.
    MaxSize(u16),
    /// 50, where the message names an address.
    RequestedAddress,
    /// 54, where the message names a server.
    ServerId,
    /// 55
    Parameters,
    /// 12
    HostName,
}

/// The SIP PnP client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PnpSpec {
    /// Where SUBSCRIBE goes: 224.0.1.75.
    pub group: Ipv4Addr,
    /// The port there, 5060.
    pub port: u16,
    /// True: from an ephemeral port (FLY-44); false: from the SIP port.
    pub own_port: bool,
    /// The request URI.
    pub request_uri: Template,
    /// Header fields in order, exact case. `Content-Length` included.
    pub headers: Vec<(String, Template)>,
    /// How many SUBSCRIBEs are sent in all (FLY-56).
    pub attempts: u8,
    /// Wait between them; a protocol time.
    pub interval: Duration,
    /// Listening time after the last SUBSCRIBE without an answer; a policy time.
    pub listen: Duration,
    /// Listening time for further NOTIFYs after the first usable one (FLY-51); a policy time.
    pub window: Duration,
    /// Which NOTIFY counts when several came.
    pub choose: PnpChoice,
    /// A NOTIFY counts outside any search too, whoever sends it (FAN-104).
    pub accepts_late: bool,
    /// The URL of a body ends at its first blank (FAN-101).
    pub url_ends_at_blank: bool,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// Which of several NOTIFYs counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PnpChoice {
    /// The first usable one.
    First,
    /// The last usable one within the window.
    Last,
}

/// What a phone asks its user on its display, besides the id in a file name: for that it asks where
/// a URL has a marker for what is typed (FAN-57).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptSpec {
    /// Credentials that a server did not take are asked for (FAN-52).
    pub credentials: bool,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// What the SIP user agent does with requests from outside a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipSpec {
    /// Event packages that start a run (`check-sync`), lower case.
    pub resync_events: Vec<String>,
    /// The parameter that asks for a reboot (`reboot`), its value being `true` (FLY-100).
    pub reboot_parameter: String,
    /// The status for unknown events, 489 (FLY-103).
    pub unknown_event_status: u16,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// The TFTP client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TftpSpec {
    /// Options of the read request, in order; empty = plain RFC 1350.
    pub options: Vec<TftpOption>,
    /// Wait for an answer before the same packet is sent again; a protocol time.
    pub retry: Duration,
    /// Random addition to it, drawn from zero to this.
    pub retry_spread: Duration,
    /// Transmissions of one packet in all.
    pub attempts: u8,
    /// Whether the URL's leading `/` stays in the name (PND-07) or goes (WIRE-08).
    pub leading_slash: bool,
    /// An OACK with `tsize=0` is refused, so an empty file cannot be had that way (vendor-facts:
    /// libcurl); false = accepted.
    pub refuse_zero_size: bool,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// An option of a TFTP read request, with the value that the vendor sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TftpOption {
    /// `tsize`, always 0 in a read request (RFC 2349).
    Size,
    /// `blksize` in bytes, 8 to 65,464 (RFC 2348).
    BlockBytes(u16),
    /// `timeout` in seconds, 1 to 255 (RFC 2349).
    TimeoutS(u8),
}

/// The FTP client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtpSpec {
    /// Who opens data connections, unless the parameter `ftp_active` says otherwise.
    pub mode: FtpMode,
    /// Wait for the first bytes of the file, and for each further KiB of it; a protocol time.
    pub timeout: Duration,
    /// Tries of one file after silence, a broken connection or a refusal for the moment (4yz).
    pub attempts: u8,
    /// Wait between two tries; a protocol time.
    pub retry: Duration,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// The HTTP client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSpec {
    /// Header fields in order, exact case. One whose value comes out empty is left out; the
    /// variable `{authorization}` stands for the answer to a challenge.
    pub headers: Vec<(String, Template)>,
    /// Built-in User-Agent (FLY-92).
    pub user_agent: Template,
    /// Keep the connection for the next file of the same server.
    pub keep_alive: bool,
    /// Wait for connection and answer; a protocol time.
    pub timeout: Duration,
    /// Tries of one request after silence or a broken connection.
    pub attempts: u8,
    /// Whether credentials of a URL or parameter go with the first request.
    pub credentials: SendCredentials,
    /// Whether the server's certificate is verified (AUE-24). Off only for vendors known for it;
    /// reports then say so.
    pub verify_certificate: bool,
    /// The common name in the factory certificate that phones present in a TLS handshake, as the
    /// vendor writes it (the MAC); `None` = phones have no such certificate.
    pub client_certificate: Option<Template>,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// When credentials are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendCredentials {
    /// Only after a 401, and then once (FLY-90).
    AfterChallenge,
    /// Basic with the first request when the method is `basic`.
    Preemptive,
}
