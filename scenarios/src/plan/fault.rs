//! Why a scenario cannot be planned.

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::set::UnknownProfile;

use super::PHONES_MAX;

/// Why a scenario cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// A profile that nobody knows.
    #[error("{place}fleet {fleet}: {fault}")]
    Profile {
        /// Where the scenario names it, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// Which profile, and the nearest known one.
        fault: UnknownProfile,
    },
    /// A layout that the profile's content does not have.
    #[error(
        "{place}fleet {fleet}: profile {profile} has no content layout \"{layout}\"{hint} \
         (it has {known})"
    )]
    Layout {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
        /// The layout asked for.
        layout: String,
        /// The nearest one there is, as a question.
        hint: String,
        /// The layouts there are.
        known: String,
    },
    /// A way of finding the server that the profile does not have.
    #[error(
        "{place}fleet {fleet}: phones of {profile} do not look for a server by \"{word}\" \
         (expected one of {known})"
    )]
    Source {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
        /// The way asked for.
        word: &'static str,
        /// The ways there are.
        known: String,
    },
    /// A fleet that asks for credentials where another fleet's files are.
    #[error(
        "{place}fleet {fleet}: 'auth' would also hold for the files of fleet {other} (give each a \
         root of its own)"
    )]
    AuthShared {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The other fleet's name.
        other: String,
    },
    /// A fleet with authentication whose phones have nothing to show.
    #[error(
        "{place}fleet {fleet}: phones of {profile} have no user name of their own (give 'user' \
         and 'password')"
    )]
    NoLogin {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
    },
    /// Encrypted files for phones that read none.
    #[error("{place}fleet {fleet}: phones of {profile} read no encrypted files")]
    NoSeal {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
    },
    /// A resource that no model of the fleet has.
    #[error("{place}fleet {fleet}: none of its models takes a resource of kind \"{kind}\"{known}")]
    NoResource {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The kind.
        kind: &'static str,
        /// The kinds that they take.
        known: String,
    },
    /// A resource with a suffix that phones refuse.
    #[error(
        "{place}fleet {fleet}: phones of {profile} refuse a {kind} with suffix \"{suffix}\" \
         (expected one of {known})"
    )]
    Suffix {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
        /// The kind.
        kind: &'static str,
        /// The suffix asked for.
        suffix: String,
        /// Those that they take.
        known: String,
    },
    /// MAC addresses that two fleets have.
    #[error(
        "{place}fleet {fleet}: phones of fleet {other} have {mac} or another of its MAC addresses \
         too"
    )]
    SharedMacs {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The other fleet's name.
        other: String,
        /// One of them.
        mac: Mac,
    },
    /// An expression over a stage that no phone of the run goes through.
    #[error("{place}no phone of this run has a stage \"{stage}\"{hint}")]
    Stage {
        /// Where the scenario names it, with `: ` at its end.
        place: String,
        /// The stage.
        stage: String,
        /// The nearest one there is, as a question.
        hint: String,
    },
    /// Connections that are to break where none is made.
    #[error(
        "{place}resets and stalls befall TCP connections, and {who} opens one (expected loss, \
         delay, jitter, duplicates, reordering or bandwidth; or files by http, https or ftp)"
    )]
    NoConnection {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// `no phone of fleet …`, or `no phone`.
        who: String,
    },
    /// Files to be filled up that hold no comments.
    #[error(
        "{place}fleet {fleet}: files of layout \"{layout}\" of {profile} cannot be filled up, as \
         their form has no comments"
    )]
    NoPadding {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
        /// The layout.
        layout: String,
    },
    /// More phones than MAC addresses.
    #[error("{phones} phones are more than the {PHONES_MAX} that fit one run")]
    TooMany {
        /// How many were asked for.
        phones: u64,
    },
    /// No phone at all.
    #[error("the scenario has no phone")]
    Empty,
}
