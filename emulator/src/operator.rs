//! The user at a phone's display, as a script: what he types when the phone asks (FAN-52, FAN-57).

use std::time::Duration;

use crate::profile::template::{Template, Vars};

/// What the user of a phone knows and how long he takes. One value serves a whole fleet: the texts
/// are templates, so that `{mac}` and `{index}` give each phone its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operator {
    /// The id that he types for a file's name; empty = he knows none and gives up.
    pub file_id: Template,
    /// The user name for the server; empty = he knows none and gives up.
    pub user: Template,
    /// Its password.
    pub password: Template,
    /// From the question to the answer; a policy time.
    pub think: Duration,
}

/// What an operator types for one phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// The file id.
    FileId(String),
    /// User name and password.
    Credentials(String, String),
}

impl Operator {
    /// The file id for this phone; none where he knows none.
    pub(crate) fn file_id(&self, vars: &Vars<'_>) -> Option<Typed> {
        let text = self.file_id.text(vars);
        (!text.is_empty()).then_some(Typed::FileId(text))
    }

    /// The credentials for this phone; none where he knows none.
    pub(crate) fn credentials(&self, vars: &Vars<'_>) -> Option<Typed> {
        let user = self.user.text(vars);
        (!user.is_empty()).then(|| Typed::Credentials(user, self.password.text(vars)))
    }
}
