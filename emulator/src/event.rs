//! The one vocabulary of what happens to a phone. The phone emits events; judge, measurements,
//! reports, live view and captures only consume them. A misbehaving server is an event.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::names::Name;
use crate::profile::{Param, SourceId, StepId};
use crate::time::Moment;
use crate::wire::Malformed;

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

/// Why something received was not usable. The text of each is what a report prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes do not follow the protocol.
    Malformed(Malformed),
    /// A TFTP packet from a port that is not the transfer's.
    ForeignTid,
    /// A block number that is neither the next nor the last one.
    UnexpectedBlock {
        /// The number that was due (modulo 65,536).
        expected: u16,
        /// The number that came.
        got: u16,
    },
    /// An OACK value that the phone did not ask for or cannot accept.
    OptionRefused,
    /// A TFTP ERROR other than "file not found", with its code.
    TftpError(u16),
    /// An HTTP status that is neither success, redirect, challenge nor "not there".
    HttpStatus(u16),
    /// More redirects than the limit.
    RedirectLoop,
    /// A redirect or link whose target cannot be read or reached from here.
    BadTarget,
    /// A scheme that this phone (or this build) does not speak.
    Scheme,
    /// The host name is not in the run's host table.
    UnknownHost,
    /// Credentials were refused after they had been sent once.
    Unauthorized,
    /// A challenge of a kind the phone cannot answer.
    Challenge,
    /// The connection was refused.
    ConnectionRefused,
    /// The connection broke before the answer was complete.
    ConnectionBroken,
    /// TLS failed.
    Tls,
    /// The server says that the file is not there.
    NotThere,
    /// No answer in the time allowed.
    Silence,
    /// A file larger than the phone accepts.
    TooLarge,
    /// A body that is not of the format that its place demands.
    WrongFormat,
    /// Encrypted content for which the phone has no key.
    Encrypted,
    /// An MD5 that differs from the one announced.
    ChecksumMismatch,
    /// A firmware image that is empty or is not an image (an error page, a text).
    NotAnImage,
    /// A DHCP answer without what the phone needs (server identifier, address).
    Incomplete,
    /// A message that belongs to another transaction.
    ForeignTransaction,
    /// Our own side ran out of descriptors or addresses; never the server's fault.
    Local,
    /// XML that is not well-formed.
    BadXml,
    /// A document made for another product or another phone (GIG-25).
    ForeignDocument,
    /// A version that differs from the one announced for the file (GIG-41).
    VersionMismatch,
    /// A certificate that cannot be read.
    BadCertificate,
    /// A server whose clock is not set, or an answer to another request.
    NoTime,
    /// A SIP final answer other than success, challenge or a wish for a longer time.
    SipStatus(u16),
    /// A document of a kind that is not allowed here (AUE-02).
    KindRefused,
    /// A link back to a document of the same run (AUE-65).
    Cycle,
    /// An FTP reply other than success and "no such file" (550), with its code.
    FtpReply(u16),
    /// The FTP data connection could not be made or broke.
    FtpData,
    /// A file that does not come out as a configuration with the key that the phone has: another
    /// key, or none was used at all (FAN-44).
    WrongKey,
    /// Encrypted content that is cut: no whole blocks.
    BadCiphertext,
    /// A resource whose name has a suffix or base name that is refused (FAN-128 … FAN-133).
    NameRefused,
    /// Nobody answered what the phone asked on its display, or the user gave it up (FAN-52).
    Abandoned,
    /// A SOAP fault of the auto-configuration server, with its CWMP fault code.
    SoapFault(u16),
    /// XML that is no SOAP envelope with what this place of the session demands.
    BadSoap,
    /// An RPC without `cwmp:ID`, or an answer to another one.
    ForeignId,
    /// A session that the server does not end.
    EndlessSession,
}

/// Why a line of a document was not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineReason {
    /// Neither comment nor in the format's grammar.
    Grammar,
    /// A key that the profile does not know.
    UnknownKey,
    /// A value outside its type or range.
    BadValue,
    /// An index beyond what the model has (FLY-37).
    IndexBeyondModel,
    /// A link that is not of the kind allowed there (FLY-24).
    NotALink,
    /// Beyond the limit of lines, links or names.
    OverLimit,
    /// An option before the first module header, or under one that the profile does not know
    /// (FAN-32).
    NoModule,
}

/// What the phone asks its user for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// The id in the file's name (FAN-57).
    FileId,
    /// User name and password for the server (FAN-52).
    Credentials,
}

/// What a document lacks or has too much, and is read all the same (FAN-36, FAN-38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tolerance {
    /// The header is missing.
    NoHeader,
    /// The header has another length than the form demands (FAN-28).
    HeaderLength,
    /// The footer is missing (FAN-31).
    NoFooter,
    /// XML that is not well-formed was read by its marks alone.
    Damaged,
}

/// A remote procedure call that a phone answered (TR-069 Annex A).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rpc {
    /// GetRPCMethods
    GetRpcMethods,
    /// GetParameterValues
    GetParameterValues,
    /// SetParameterValues
    SetParameterValues,
    /// GetParameterNames
    GetParameterNames,
    /// GetParameterAttributes
    GetParameterAttributes,
    /// SetParameterAttributes
    SetParameterAttributes,
    /// AddObject
    AddObject,
    /// DeleteObject
    DeleteObject,
    /// Download
    Download,
    /// Reboot
    Reboot,
    /// FactoryReset
    FactoryReset,
    /// ScheduleInform
    ScheduleInform,
    /// One that the phone does not know.
    Unknown,
}

/// The events that an Inform reports (TR-069 §3.7.1.5), as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InformEvents(pub u16);

impl InformEvents {
    /// Every event code with its bit, in the order in which an Inform lists them.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::BOOTSTRAP, "0 BOOTSTRAP"),
        (Self::BOOT, "1 BOOT"),
        (Self::PERIODIC, "2 PERIODIC"),
        (Self::VALUE_CHANGE, "4 VALUE CHANGE"),
        (Self::CONNECTION_REQUEST, "6 CONNECTION REQUEST"),
        (Self::TRANSFER_COMPLETE, "7 TRANSFER COMPLETE"),
        (Self::M_REBOOT, "M Reboot"),
        (Self::M_DOWNLOAD, "M Download"),
        (Self::SCHEDULED, "3 SCHEDULED"),
        (Self::DIAGNOSTICS, "8 DIAGNOSTICS COMPLETE"),
    ];
    /// First contact with this ACS URL, or after a factory reset.
    pub const BOOTSTRAP: Self = Self(1);
    /// Power-up or reboot.
    pub const BOOT: Self = Self(1 << 1);
    /// The inform period is over.
    pub const PERIODIC: Self = Self(1 << 2);
    /// A parameter whose change is to be told changed.
    pub const VALUE_CHANGE: Self = Self(1 << 3);
    /// The ACS asked for the session.
    pub const CONNECTION_REQUEST: Self = Self(1 << 4);
    /// A download is over.
    pub const TRANSFER_COMPLETE: Self = Self(1 << 5);
    /// The reboot that the ACS ordered.
    pub const M_REBOOT: Self = Self(1 << 6);
    /// The download that the ACS ordered.
    pub const M_DOWNLOAD: Self = Self(1 << 7);
    /// A session asked for by ScheduleInform.
    pub const SCHEDULED: Self = Self(1 << 8);
    /// Diagnostics are over.
    pub const DIAGNOSTICS: Self = Self(1 << 9);

    /// Both sets.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is left to be told after a session that failed: all but the request that led to it
    /// (TR-069 §3.7.1.5).
    #[must_use]
    pub fn again(self) -> Self {
        Self(self.0 & !Self::CONNECTION_REQUEST.0)
    }

    /// Whether all of `other` is in it.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Why a settings section was not stored, or an operation not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SectionFault {
    /// The model has no such section or element.
    Unknown,
    /// An element that the section must have is missing.
    MissingChild,
    /// A value outside its type or range.
    BadValue,
    /// A version newer than the phone's own, or one that no migration starts from.
    Version,
    /// A path outside the subset of XPath that is understood.
    Path,
    /// A path that addresses nothing (AUE-77).
    NoMatch,
    /// A path that addresses an attribute (AUE-76).
    Attribute,
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
