//! The document walk as a profile describes it: what a candidate is, the files in their order, when
//! settings count, the tasks for resources, and firmware.

use std::time::Duration;

use super::Param;
use super::template::Template;
use crate::format::Format;

/// What a candidate URL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classify {
    /// Ends in `/`, or no suffix in its last segment: a directory for the walk; otherwise exactly
    /// that file (FLY-78).
    BySuffix,
    /// Always the root of the walk (PND-29).
    Root,
    /// Always exactly that file; there is no walk (AUE-11).
    File,
    /// The name of one file of the walk, whose directory holds them all: what stands before the
    /// last `/` of the path, the query left out (FAN-54, FAN-60, FAN-61, FAN-103).
    Beside,
}

/// One file of the document walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Name in the profile; targets of `Next`.
    pub id: String,
    /// The candidate's own URL as it stands (GIG-06), and no name below it; left out where the
    /// URL has no path. It is a try: only what is fetched counts.
    pub as_given: bool,
    /// The file, relative to the candidate's directory.
    pub name: Template,
    /// The switches that must all be on; otherwise the file counts as missing (FAN-07).
    pub enabled_by: Vec<Param>,
    /// The candidate's own URL where it names a file, and `name` in its place where it does not
    /// (FAN-54 … FAN-58).
    pub name_from_url: bool,
    /// Asked for together with the next one, which both ways lead to: both are outstanding at
    /// once, this one counts first (FAN-14, FAN-87).
    pub beside_next: bool,
    /// Left out where a file of the same name was had or asked for before it in this walk
    /// (FAN-08).
    pub skip_same: bool,
    /// Which parameter holds its key; empty = not encrypted (FAN-45).
    pub key: Option<Param>,
    /// How the ladder prints it: `<mac>.boot`.
    pub label: String,
    /// What it is.
    pub format: Format,
    /// Requests in all while the answer is "not there".
    pub attempts: u8,
    /// Wait between those; a policy time.
    pub pause: Duration,
    /// Where the walk goes when the file was had and differs from the last one.
    pub found: Next,
    /// … when it is the one applied last (checksum: equals the loaded file's).
    pub unchanged: Next,
    /// … when it is not there or cannot be had.
    pub missing: Next,
    /// … when it is missing and the phone holds no configuration (PND-24).
    pub missing_empty: Next,
    /// … when it does not match the checksum fetched before (PND-23).
    pub mismatch: Next,
    /// Its MD5 must be the one of the checksum fetched before.
    pub verify: bool,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// Where a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// To the fetch of that index.
    Fetch(u8),
    /// The list ends here.
    End,
}

/// How a phone tells that a file is the one it applied last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// MD5 of the bytes, kept for each file (FLY-114).
    Digest,
    /// A checksum file compared with the MD5 of the configuration last loaded (PND-22).
    ChecksumFile,
    /// The version that a list announces for it, compared with the one stored with the settings
    /// (GIG-40).
    Version,
    /// No detection: everything is applied again.
    None,
}

/// When settings are taken over, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apply {
    /// After all downloads of the run; reboot if a key that needs it changed (FLY-110 … FLY-112).
    AfterRun,
    /// At once, then a soft reboot and the walk from its beginning (PND-10).
    SoftReboot,
}

/// How firmware is found and judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmwareRule {
    /// Where the offered version comes from.
    pub version: FirmwareVersion,
    /// Which listed version is installed.
    pub choose: FirmwareChoice,
    /// File name of an image as the vendor writes it; used by generated content.
    pub image_name: Template,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// Where the offered version comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirmwareVersion {
    /// A part of the image's file name: from the first `V` + digit to the next `_` (FLY-116).
    FileName,
    /// The version file's text (PND-26).
    VersionFile,
    /// The entry of a list of versions (GIG-27, GIG-28).
    Listed,
    /// The image's own bytes: another one than the one installed last is new (FAN-126). What the
    /// phone calls it is in the file name, else it is the MD5.
    Digest,
}

/// Which listed firmware version is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirmwareChoice {
    /// Any that is not the present one, newer or older (GIG-26, GIG-30).
    Different,
    /// None while `UpgradeEnable` is off, then only a newer one (vendor facts: firmware with an
    /// automatic check for updates).
    NewerWhenEnabled,
}

/// The tasks that a configuration starts when it changed (FAN-10, FAN-134).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tasks {
    /// From the configuration to the first of them (FAN-90); a policy time.
    pub pause: Duration,
    /// In the order in which they are started.
    pub list: Vec<Task>,
}

/// Fetching a resource that a setting names (FAN-126 … FAN-133).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Name in the profile and in events.
    pub id: String,
    /// The keys that may hold its URL; the first that does counts.
    pub settings: Vec<String>,
    /// What the URL leads to.
    pub holds: TaskKind,
    /// The suffixes that its name may have, without the dot, lower case; empty = any.
    pub suffixes: Vec<String>,
    /// What its name must be before the suffix, exact case; empty = anything.
    pub base_name: String,
    /// The model has no such thing: the setting is refused (FAN-12).
    pub refused: bool,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// What a task fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// A firmware image (FAN-126).
    Firmware,
    /// A phone book: XML, vCard or CSV, told apart by content (FAN-127).
    Phonebook,
    /// A certificate, a key, or another file of that place (FAN-128).
    Certificate,
    /// A BMP picture (FAN-130).
    Background,
    /// The compressed settings of a web page (FAN-131).
    Mmiset,
    /// A CSV table of dial rules (FAN-132).
    DialRules,
    /// A CSV table of who may enter (FAN-133, FAN-135).
    AccessList,
}

impl TaskKind {
    /// Every kind with the name that profiles use.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Firmware, "firmware"),
        (Self::Phonebook, "phonebook"),
        (Self::Certificate, "certificate"),
        (Self::Background, "background"),
        (Self::Mmiset, "mmiset"),
        (Self::DialRules, "dial-rules"),
        (Self::AccessList, "access-list"),
    ];
}
