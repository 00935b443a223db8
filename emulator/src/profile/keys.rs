//! Which setting keys a model has, which values they take, and what they mean to the phone.

use std::borrow::Cow;

use super::Param;
use crate::event::LineReason;
use crate::names::{Name, Names};

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
    /// A key with at most one index range and at most one `*`, at its end:
    /// `account.{1-4}.enable`, `linekey.{1-9}.*`, `lang.*`. See `KeyPattern::parse`.
    pub pattern: String,
    /// What values are taken.
    pub value: ValueKind,
    /// What the phone does with it.
    pub meaning: Meaning,
}

/// What values a key takes; others are ignored and reported (FLY-30). The empty value is no value
/// but the wish to clear one (FLY-29), so every key takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueKind {
    /// Any text.
    Text,
    /// A whole number in this range; a leading `+` is allowed.
    Number(i64, i64),
    /// One of these words, exact case.
    Words(Vec<String>),
    /// A text of at most so many characters (FAN-39).
    Chars(u32),
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
    Ignore(LineReason),
}

/// A rule's pattern, taken apart: `prefix`, an index in `range` where there is one, `suffix`, and
/// anything at all where the pattern is `open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPattern<'a> {
    /// What a key begins with.
    pub prefix: &'a str,
    /// The smallest and the largest index.
    pub range: Option<(u32, u32)>,
    /// What follows the index; empty without a range.
    pub suffix: &'a str,
    /// The pattern ends in `*`.
    pub open: bool,
}

/// Why a text is no key pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct PatternFault {
    /// Byte in the pattern.
    pub at: usize,
    /// What is wrong and what was expected.
    pub what: Cow<'static, str>,
}

/// How a key fits a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Match,
    /// It would, were its index not outside the range.
    IndexBeyond,
    /// It does not.
    None,
}

/// What the rules say of the keys seen so far, one entry a name: a key's rule is sought once for
/// each profile, not once for each phone. Serves one `KeyRules` and one `Names` table only.
#[derive(Debug, Default)]
pub struct Verdicts {
    by_name: Vec<u16>,
}

/// What the rules say of a key, before its value is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// This rule decides.
    Rule(u16),
    /// No rule matches, and the key is kept all the same.
    Kept,
    UnknownKey,
    IndexBeyondModel,
}

impl KeyRules {
    /// More rules than this cannot be told apart.
    pub const RULES_MAX: usize = 60_000;

    /// Rules whose patterns are all good.
    ///
    /// # Errors
    /// The index of the first rule whose pattern cannot be read (or that is one too many), and
    /// what is wrong with it.
    pub fn new(rules: Vec<KeyRule>, keep_unknown: bool) -> Result<Self, (usize, String)> {
        if rules.len() > Self::RULES_MAX {
            let what = format!("more than {} key rules", Self::RULES_MAX);
            return Err((Self::RULES_MAX, what));
        }
        for (index, rule) in rules.iter().enumerate() {
            KeyPattern::parse(&rule.pattern).map_err(|fault| (index, fault.to_string()))?;
        }
        Ok(Self {
            rules,
            keep_unknown,
        })
    }

    /// Judges one setting. The first rule whose pattern matches the key decides; without one, a
    /// key that only its index keeps out is beyond the model (FLY-37), any other unknown (FLY-30).
    /// A pattern that cannot be read matches nothing.
    #[must_use]
    pub fn judge(&self, key: &str, value: &str) -> Judgement {
        self.judge_value(self.verdict(key), value)
    }

    fn verdict(&self, key: &str) -> Verdict {
        let mut beyond = false;
        for (index, rule) in self.rules.iter().enumerate().take(Self::RULES_MAX) {
            let fit = KeyPattern::parse(&rule.pattern).map_or(Fit::None, |known| known.fit(key));
            match (fit, u16::try_from(index)) {
                (Fit::Match, Ok(index)) => return Verdict::Rule(index),
                (Fit::IndexBeyond, _) => beyond = true,
                _ => {}
            }
        }
        if beyond {
            Verdict::IndexBeyondModel
        } else if self.keep_unknown {
            Verdict::Kept
        } else {
            Verdict::UnknownKey
        }
    }

    fn judge_value(&self, verdict: Verdict, value: &str) -> Judgement {
        let rule = match verdict {
            Verdict::Rule(index) => self.rules.get(usize::from(index)),
            Verdict::Kept => return Judgement::Keep(Meaning::Plain),
            Verdict::UnknownKey => None,
            Verdict::IndexBeyondModel => return Judgement::Ignore(LineReason::IndexBeyondModel),
        };
        match rule {
            Some(rule) if rule.value.takes(value) => Judgement::Keep(rule.meaning),
            Some(_) => Judgement::Ignore(LineReason::BadValue),
            None => Judgement::Ignore(LineReason::UnknownKey),
        }
    }
}

impl ValueKind {
    /// Whether a value is of this kind.
    #[must_use]
    pub fn takes(&self, value: &str) -> bool {
        if value.is_empty() {
            return true;
        }
        match self {
            Self::Text => true,
            Self::Number(least, most) => value
                .parse::<i64>()
                .is_ok_and(|number| (*least..=*most).contains(&number)),
            Self::Words(words) => words.iter().any(|word| word == value),
            Self::Chars(most) => value.chars().count() <= *most as usize,
        }
    }
}

impl<'a> KeyPattern<'a> {
    /// Reads a pattern: a key in which `{1-4}` stands for the indices 1 to 4 and a `*` at the end
    /// for anything.
    ///
    /// # Errors
    /// An empty pattern; a second range; a range without end, without numbers or upside down; a
    /// `*` before the end; a character that no key can hold (`=`, control, white space other than a
    /// blank within it).
    pub fn parse(pattern: &'a str) -> Result<Self, PatternFault> {
        let fault = |at, what| {
            let what = Cow::Borrowed(what);
            Err(PatternFault { at, what })
        };
        let (body, open) = match pattern.strip_suffix('*') {
            Some(body) => (body, true),
            None => (pattern, false),
        };
        if pattern.is_empty() {
            return fault(0, "empty key pattern");
        }
        if let Some(at) = body.find('*') {
            return fault(at, "`*` is allowed at the end of a key pattern only");
        }
        let foreign =
            |each: char| each == '=' || each.is_control() || each.is_whitespace() && each != ' ';
        let after = body.ends_with(' ') && !open;
        let after = after.then(|| body.len().saturating_sub(1));
        let before = body.starts_with(' ').then_some(0);
        if let Some(at) = body.find(foreign).or(before).or(after) {
            return fault(
                at,
                "`=`, control characters and blanks around it cannot be in a key",
            );
        }
        let Some((prefix, rest)) = body.split_once('{') else {
            return match body.find('}') {
                Some(at) => fault(at, "`}` without `{`"),
                None => Ok(Self {
                    prefix: body,
                    range: None,
                    suffix: "",
                    open,
                }),
            };
        };
        let at = prefix.len();
        let Some((range, suffix)) = rest.split_once('}') else {
            return fault(at, "`{` without `}`");
        };
        if let Some(second) = suffix.find(['{', '}']) {
            let second = at + range.len() + 2 + second;
            return fault(second, "a key pattern has at most one index range");
        }
        let bounds = range.split_once('-').and_then(|(least, most)| {
            let both = index(least).zip(index(most));
            both.filter(|(least, most)| least <= most)
        });
        match bounds {
            Some(bounds) => Ok(Self {
                prefix,
                range: Some(bounds),
                suffix,
                open,
            }),
            None => fault(at, "expected an index range such as `{1-4}`"),
        }
    }

    /// How a key fits.
    #[must_use]
    pub fn fit(&self, key: &str) -> Fit {
        let Some(rest) = key.strip_prefix(self.prefix) else {
            return Fit::None;
        };
        let Some((least, most)) = self.range else {
            return if self.open || rest.is_empty() {
                Fit::Match
            } else {
                Fit::None
            };
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (Some(number), Some(after)) = (rest.get(..digits), rest.get(digits..)) else {
            return Fit::None;
        };
        let Some(after) = after.strip_prefix(self.suffix) else {
            return Fit::None;
        };
        if number.is_empty() || !(self.open || after.is_empty()) {
            return Fit::None;
        }
        match index(number) {
            Some(number) if (least..=most).contains(&number) => Fit::Match,
            _ => Fit::IndexBeyond,
        }
    }
}

impl Verdicts {
    /// As `rules.judge` of the key's text, which `keys` holds.
    pub fn judge(&mut self, rules: &KeyRules, keys: &Names, key: Name, value: &str) -> Judgement {
        rules.judge_value(self.verdict(rules, keys, key), value)
    }

    fn verdict(&mut self, rules: &KeyRules, keys: &Names, key: Name) -> Verdict {
        let at = key.0 as usize;
        if let Some(known) = self
            .by_name
            .get(at)
            .and_then(|code| Verdict::decoded(*code))
        {
            return known;
        }
        let verdict = rules.verdict(keys.text(key));
        if at < keys.len() {
            if self.by_name.len() <= at {
                self.by_name.resize(keys.len(), Verdict::UNKNOWN_YET);
            }
            if let Some(code) = self.by_name.get_mut(at) {
                *code = verdict.encoded();
            }
        }
        verdict
    }
}

impl Verdict {
    const UNKNOWN_YET: u16 = u16::MAX;

    fn encoded(self) -> u16 {
        match self {
            Self::Rule(index) => index,
            Self::Kept => Self::UNKNOWN_YET - 1,
            Self::UnknownKey => Self::UNKNOWN_YET - 2,
            Self::IndexBeyondModel => Self::UNKNOWN_YET - 3,
        }
    }

    fn decoded(code: u16) -> Option<Self> {
        match Self::UNKNOWN_YET - code {
            0 => None,
            1 => Some(Self::Kept),
            2 => Some(Self::UnknownKey),
            3 => Some(Self::IndexBeyondModel),
            _ => Some(Self::Rule(code)),
        }
    }
}

/// An index as keys write it: digits, nothing else, no zero in front.
fn index(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    let padded = digits.len() > 1 && digits.starts_with('0');
    (plain && !padded).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
