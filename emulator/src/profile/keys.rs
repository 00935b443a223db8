//! Which setting keys a model has, which values they take, and what they mean to the phone.

use super::Param;

/// The key rules of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRules {
    /// The rules; the first whose pattern matches decides.
    pub rules: Vec<KeyRule>,
    /// Keys that no rule matches are kept (true) or ignored and reported (false, FLY-30).
    pub keep_unknown: bool,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRule {
    /// A key with at most one index range: `account.{1-4}.enable`, or a prefix ending in `*`.
    pub pattern: String,
    /// What values are taken.
    pub value: ValueKind,
    /// What the phone does with it.
    pub meaning: Meaning,
}

/// What values a key takes; others are ignored and reported (FLY-30).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueKind {
    /// Any text.
    Text,
    /// A whole number in this range; a leading `+` is allowed.
    Number(i64, i64),
    /// One of these words, exact case.
    Words(Vec<String>),
}

/// What a setting means to the phone, apart from being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing.
    Plain,
    /// A change needs a reboot (FLY-112, FLY-113).
    Reboot,
    /// The value is the URL of a resource to fetch (FLY-39).
    Resource,
    /// The value is a firmware URL (FLY-116).
    Firmware,
    /// The value sets an engine parameter.
    Bound(Param),
}

/// What the rules say of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Taken over, with this meaning.
    Keep(Meaning),
    /// Ignored, for this reason.
    Ignore(crate::event::LineReason),
}

impl KeyRules {
    /// Judges one setting.
    #[must_use]
    pub fn judge(&self, _key: &str, _value: &str) -> Judgement {
        Judgement::Keep(Meaning::Plain)
    }
}
