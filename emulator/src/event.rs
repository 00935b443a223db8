//! The one vocabulary of what happens to a phone. The phone emits events; judge, measurements,
//! reports, live view and captures only consume them. A misbehaving server is an event.

mod cwmp;
mod fault;

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::names::Name;
use crate::profile::{Param, SourceId, StepId};
use crate::time::Moment;
pub use cwmp::{InformEvents, Rpc};
pub use fault::{Fault, LineReason, SectionFault, Tolerance};

/// Something that happened to one phone at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// When, on the run's clock.
    pub at: Moment,
    /// What.
    pub kind: EventKind,
}

/// Which file an event or a setting's provenance names. Rendered to text only when printed, so
/// that a phone holds no file names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum File {
    /// The file that a step of the profile names (its template filled with the phone's identity).
    Step(StepId),
    /// A file named by a document or a server, interned as it was requested.
    Named(Name),
}

/// Why a phone came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootCause {
    /// Power was applied.
    Power,
    /// A new firmware was installed.
    Firmware,
    /// Settings were applied that need a reboot.
    Settings,
    /// A check-sync with `reboot=true`.
    CheckSync,
    /// The user asked for it on the web page.
    User,
    /// Factory reset.
    FactoryReset,
    /// The auto-configuration server asked for it (TR-069 A.4.1.4).
    Acs,
}

/// What made the phone start (or want) a provisioning run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Boot, for the given cause.
    Boot(BootCause),
    /// The soft reboot after a new configuration.
    SoftReboot,
    /// The periodic timer.
    Period,
    /// The timer after a run that fetched nothing.
    ErrorRetry,
    /// The timer after a firmware upgrade that failed.
    UpgradeRetry,
    /// SIP NOTIFY check-sync.
    CheckSync,
    /// Save & Apply on the web page.
    SaveAndApply,
    /// "Start provisioning" in the phone's menu (AUE-19, GIG-55).
    Manual,
    /// The weekday and time set for it (AUE-21).
    Timetable,
    /// The lease was renewed and the option that names the server came again (FAN-66).
    Renewal,
    /// The period of PnP is over: SUBSCRIBE again (FAN-94).
    Subscription,
    /// A NOTIFY with a URL came outside any search (FAN-104).
    Notified,
    /// The auto-configuration server ordered a download (FAN-122).
    Download,
    /// The update interval of the static server is over (FAN-108, FAN-112).
    StaticInterval,
}

/// How a provisioning run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunResult {
    /// Everything asked for was fetched and applied, or was unchanged.
    Complete,
    /// Something was applied, something linked could not be had.
    Partial,
    /// No file could be fetched from any candidate.
    NothingFetched,
    /// No source is enabled or gave a candidate.
    NoCandidate,
    /// Broken off: the lease was lost, the phone rebooted or lost power.
    Aborted,
}

/// What the phone asks its user for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// The id in the file's name (FAN-57).
    FileId,
    /// User name and password for the server (FAN-52).
    Credentials,
}

/// A limit of `limits`. Lines, values, links and names over their limits are `LinesIgnored`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `CANDIDATES_MAX`
    Candidates,
    /// `REDIRECTS_MAX`
    Redirects,
    /// `LINKS_MAX` or `DOCUMENT_LINKS_MAX`
    Links,
    /// `LINK_DEPTH_MAX`
    LinkDepth,
    /// `FILE_BYTES_MAX` or `IMAGE_BYTES_MAX`
    FileBytes,
    /// `HEADERS_MAX` or `HEADER_BYTES_MAX`
    Headers,
    /// `URL_BYTES_MAX`
    UrlBytes,
    /// `SETTINGS_BYTES_MAX`: the oldest layers were dropped.
    SettingsBytes,
    /// `SECTIONS_MAX`, `OPERATIONS_MAX`, `TREE_NODES_MAX`, `TREE_BYTES_MAX` or `TREE_VISITS_MAX`
    SettingsTree,
    /// `TRANSFER_SECONDS_MAX`
    TransferSeconds,
    /// `REBOOTS_PER_HOUR_MAX`
    Reboots,
    /// `STRAYS_MAX` or `CONNECTION_REQUESTS_MAX`
    Strays,
    /// `PROMPTS_MAX`
    Prompts,
    /// `TYPED_BYTES_MAX`
    TypedBytes,
    /// `ACS_MESSAGES_MAX`, `ACS_SESSION_SECONDS_MAX`, `ACS_SCHEDULED_MAX` or
    /// `ACS_ORDERS_PER_HOUR_MAX`
    AcsSession,
    /// `SOAP_BYTES_MAX`
    SoapBytes,
    /// `PARAMETERS_MAX`
    Parameters,
    /// The profile's number of attempts at one exchange: a documented limit.
    Attempts,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EventKind {
    /// The phone comes up.
    Booting(BootCause),
    /// Services restart; lease and address are kept (PND-32).
    SoftRebooting,
    /// A request left for the first time. `bytes` is the UDP payload or the request's length.
    Sent {
        /// The ladder step.
        step: StepId,
        /// Its length.
        bytes: u32,
    },
    /// The same request left again after silence; `attempt` counts from 2.
    Retried {
        /// The ladder step.
        step: StepId,
        /// Which attempt this is.
        attempt: u8,
    },
    /// The step's answer is complete; `after` counts from the first `Sent`.
    Answered {
        /// The ladder step.
        step: StepId,
        /// Time since the first request.
        after: Duration,
    },
    /// The server says that the file is not there (TFTP ERROR 1, HTTP 404, 410, 403).
    Missing {
        /// The ladder step.
        step: StepId,
        /// The file.
        file: File,
    },
    /// Something unusable came; the phone goes on waiting or ends the step, as its profile says.
    Wrong {
        /// The ladder step.
        step: StepId,
        /// What was wrong.
        fault: Fault,
    },
    /// An answer that came after its step was over.
    Late {
        /// The ladder step that it belonged to.
        step: StepId,
    },
    /// The step was given up.
    GaveUp {
        /// The ladder step.
        step: StepId,
        /// The last cause.
        fault: Fault,
    },
    /// An address was leased (or its lease renewed).
    Leased {
        /// The address.
        address: Ipv4Addr,
        /// Lease time in seconds; `u32::MAX` is forever.
        seconds: u32,
        /// True when an existing lease was extended.
        renewed: bool,
    },
    /// DHCPNAK: the phone starts over.
    LeaseRefused,
    /// Another host uses the address that was leased: the phone declined it and starts over.
    AddressTaken(Ipv4Addr),
    /// The lease ran out.
    LeaseLost,
    /// The phone gives its lease back.
    LeaseReleased,
    /// A source gave a provisioning URL.
    Candidate {
        /// Which source.
        source: SourceId,
        /// The URL, without credentials.
        url: Name,
    },
    /// A source gave nothing.
    NoCandidate {
        /// Which source.
        source: SourceId,
    },
    /// A file arrived whole.
    Fetched {
        /// The ladder step.
        step: StepId,
        /// The file.
        file: File,
        /// Its length in bytes.
        bytes: u64,
        /// Its MD5.
        md5: [u8; 16],
    },
    /// The file is the one applied last: nothing to do.
    Unchanged {
        /// The file.
        file: File,
    },
    /// Settings of a file took effect.
    Applied {
        /// The file.
        file: File,
        /// How many settings it holds for this phone.
        settings: u32,
        /// How many of those had another value before.
        changed: u32,
    },
    /// Lines of a file that were not taken over.
    LinesIgnored {
        /// The file.
        file: File,
        /// Why.
        reason: LineReason,
        /// How many lines.
        count: u32,
        /// The first such line, from 1.
        first_line: u32,
    },
    /// A resource named by the settings was stored.
    ResourceStored {
        /// The file.
        file: File,
        /// Its length in bytes.
        bytes: u64,
    },
    /// A firmware image was verified and is being installed.
    FirmwareInstalling {
        /// The version it carries.
        version: Name,
        /// Bytes of all its parts.
        bytes: u64,
    },
    /// The phone runs another firmware version than before.
    FirmwareInstalled {
        /// The version it runs now.
        version: Name,
    },
    /// The firmware offered is the one that runs.
    FirmwareCurrent,
    /// The firmware was not installed.
    FirmwareRefused {
        /// Why.
        fault: Fault,
    },
    /// A trigger started a run.
    RunStarted(Trigger),
    /// A trigger came while a run was active and is remembered (FLY-109).
    TriggerDeferred(Trigger),
    /// A trigger was ignored because its switch is off.
    TriggerIgnored(Trigger),
    /// A run waits for its random delay, until the given moment.
    Delayed {
        /// The end of the delay.
        until: Moment,
    },
    /// HTTP asked for credentials and the phone answers.
    Challenged {
        /// The ladder step.
        step: StepId,
    },
    /// HTTP redirected the phone.
    Redirected {
        /// The ladder step.
        step: StepId,
        /// Where to, without credentials.
        url: Name,
    },
    /// A SIP request that is not for provisioning was answered with this status.
    SipAnswered {
        /// The status code sent.
        status: u16,
    },
    /// A run is over.
    RunEnded(RunResult),
    /// Nothing is pending but periodic timers.
    Settled,
    /// A bound of `limits` was reached.
    LimitReached {
        /// Which.
        limit: Limit,
        /// Its value.
        value: u64,
    },
    /// The phone lost power.
    PowerCut,
    /// The phone knows the time.
    TimeSet {
        /// Seconds since 1970-01-01 00:00 UTC.
        unix_s: u64,
    },
    /// A document was had and is not for this phone, or contradicts what announced it: as if it
    /// were absent.
    DocumentSkipped {
        /// The file.
        file: File,
        /// Why.
        fault: Fault,
    },
    /// A certificate was read and installed.
    CertificateInstalled {
        /// The file.
        file: File,
        /// A handset would have asked its user first (GIG-47).
        would_ask: bool,
    },
    /// A settings section took effect.
    SectionStored {
        /// The section.
        section: Name,
        /// Where the document's version of it differed from the phone's own.
        migrated_from: Option<Name>,
    },
    /// A settings section was refused; the phone's own stays as it was.
    SectionRefused {
        /// The section.
        section: Name,
        /// Why.
        fault: SectionFault,
        /// The line of the document, from 1.
        line: u32,
    },
    /// An operation on the settings tree was left out.
    OperationSkipped {
        /// The line of the document, from 1.
        line: u32,
        /// Why.
        fault: SectionFault,
    },
    /// An account is registered.
    Registered {
        /// The account, counted as the vendor counts.
        account: u8,
        /// For how long, in seconds.
        seconds: u32,
        /// An existing registration was refreshed.
        renewed: bool,
    },
    /// An account could not be registered.
    RegistrationFailed {
        /// The account, counted as the vendor counts.
        account: u8,
        /// Why.
        fault: Fault,
    },
    /// The phone asks its user for something on its display.
    Prompted(Prompt),
    /// The user answered.
    PromptAnswered(Prompt),
    /// The user gave it up, or nobody answered in time.
    PromptAbandoned(Prompt),
    /// What the phone's web page shows as the version of a file (FAN-30): its version text, or the
    /// digest of its bytes in hexadecimal.
    VersionShown {
        /// The file.
        file: File,
        /// What is shown.
        version: Name,
    },
    /// A document was read although it is not as its form demands.
    Tolerated {
        /// The file.
        file: File,
        /// What was tolerated.
        tolerance: Tolerance,
    },
    /// A task for a resource that the new configuration names begins (FAN-10, FAN-134).
    TaskStarted {
        /// The task's name in the profile.
        task: Name,
        /// The resource's URL, without credentials.
        url: Name,
    },
    /// A resource was refused: its kind, its name, or the model does not have it.
    ResourceRefused {
        /// The file.
        file: File,
        /// Why.
        fault: Fault,
    },
    /// A table was imported (FAN-135).
    Imported {
        /// The file.
        file: File,
        /// Rows that were taken over.
        rows: u32,
        /// Rows that were not.
        rejected: u32,
    },
    /// A session with the auto-configuration server begins.
    SessionStarted(InformEvents),
    /// The phone answered an RPC; with a CWMP fault code where it refused it.
    RpcAnswered {
        /// Which.
        rpc: Rpc,
        /// 9000 … 9019, or none.
        fault: Option<u16>,
    },
    /// The end of a download was told to the auto-configuration server; 0 is success.
    TransferReported {
        /// The CWMP fault code.
        fault: u16,
    },
    /// A session with the auto-configuration server is over.
    SessionEnded {
        /// It came to its end (204), rather than being broken off.
        complete: bool,
        /// The RPCs that the server called in it.
        rpcs: u16,
    },
    /// A connection request was answered with this HTTP status.
    ConnectionRequested {
        /// 200, 401, 403 or 503.
        status: u16,
    },
    /// A field asks for what this build does not speak (FAN-115: TLS 1.0).
    NotSpoken {
        /// The field.
        param: Param,
    },
    /// A check-sync from a host that may not send one (AUE-22).
    SenderRefused {
        /// The sender.
        address: Ipv4Addr,
    },
}
