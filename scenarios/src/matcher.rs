//! What a field of a message must be: the `with` of an expectation and of a mutant's edit.
//!
//! | written | fits when the value |
//! |---|---|
//! | `"text"`, `7`, `true` | is exactly that |
//! | `{ is = "text" }` | the same |
//! | `{ not = "text" }` | is something else |
//! | `{ starts = "text" }` `{ ends = "text" }` | begins with it; ends with it |
//! | `{ contains = "text" }` `{ lacks = "text" }` | has it somewhere; has it nowhere |
//! | `{ matches = "regex" }` | has a part that the expression matches; it has no holes |
//! | `{ min = 1, max = 9 }` | is a number within them |
//! | `{ any_of = ["a", "b"] }` | is one of them |
//! | `{ order = ["a", "b"] }` | has these words in this order; others may be between |
//! | `{ present = true }` `{ absent = true }` | is there; is not there |
//!
//! Several keys of one table must all fit. Texts are templates: `{mac}` and the other holes are
//! filled with the phone's, `{server}` with the server's address, `{root}` with the directory of
//! the phone's files on it. A field that is not there fits `absent = true` and nothing else: what
//! says something of a value needs one.

use std::fmt::Write as _;

use bootstorm_emulator::located::{Reader, Slot, Value};
use bootstorm_emulator::profile::template::{Template, TemplateFault, Vars};
use regex::{Regex, RegexBuilder};

use crate::wire::message::Message;

/// Bytes of a compiled regular expression.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// The largest number of `min` and `max`, either side of 0: what a text and a float both hold.
const NUMBER_MAX: f64 = 9_007_199_254_740_992.0;
/// The holes that the templates of profiles do not have.
const OWN_HOLES: [(Own, &str); 2] = [(Own::Server, "{server}"), (Own::Root, "{root}")];

/// What one value must be.
#[derive(Debug, Clone)]
pub struct Matcher {
    tests: Vec<Test>,
}

/// What the fields of a message must be, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct With {
    fields: Vec<(String, Matcher)>,
}

/// A text with holes: those of a profile's templates, `{server}` and `{root}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    first: Template,
    rest: Vec<(Own, Template)>,
}

/// A hole of patterns only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Server,
    Root,
}

/// What fills the holes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fill<'a> {
    /// The phone's words.
    pub vars: Vars<'a>,
    /// `{server}`: the server's address.
    pub server: &'a str,
    /// `{root}`: where the phone's files are on the server, without slashes at its ends.
    pub root: &'a str,
}

/// Why a message does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The field.
    pub field: String,
    /// What it should have been, in words: `is 'a.cfg'`.
    pub expected: String,
    /// What it was; `None` = it was not there.
    pub actual: Option<String>,
}

#[derive(Debug, Clone)]
enum Test {
    Is(Pattern),
    Not(Pattern),
    Starts(Pattern),
    Ends(Pattern),
    Contains(Pattern),
    Lacks(Pattern),
    Matches(Regex),
    Min(f64),
    Max(f64),
    AnyOf(Vec<Pattern>),
    Order(Vec<Pattern>),
    Present,
    Absent,
}

/// A test of a text, as a table names it.
type OfText = fn(Pattern) -> Test;

const OF_TEXT: [(&str, OfText); 6] = [
    ("is", Test::Is),
    ("not", Test::Not),
    ("starts", Test::Starts),
    ("ends", Test::Ends),
    ("contains", Test::Contains),
    ("lacks", Test::Lacks),
];

impl Pattern {
    /// Parses a text with holes.
    ///
    /// # Errors
    /// What is wrong with a hole, and where in the text.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let parsed = |at: usize, part: &str| {
            Template::parse(part).map_err(|fault| TemplateFault {
                at: at + fault.at,
                ..fault
            })
        };
        let next = |from: usize| {
            let tail = text.get(from..).unwrap_or_default();
            let holes = OWN_HOLES
                .iter()
                .filter_map(|(own, hole)| Some((from + tail.find(hole)?, *own, hole.len())));
            holes.min_by_key(|(at, ..)| *at)
        };
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        let mut hole = next(0);
        let end = hole.map_or(text.len(), |(at, ..)| at);
        let first = parsed(0, part(0, end))?;
        let mut rest = Vec::new();
        while let Some((at, own, length)) = hole {
            let from = at + length;
            hole = next(from);
            let to = hole.map_or(text.len(), |(at, ..)| at);
            rest.push((own, parsed(from, part(from, to))?));
        }
        Ok(Self { first, rest })
    }

    /// A text without holes; braces in it are braces.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self {
            first: Template::literal(text),
            rest: Vec::new(),
        }
    }

    /// The text with its holes filled.
    #[must_use]
    pub fn text(&self, fill: &Fill<'_>) -> String {
        let mut text = self.first.text(&fill.vars);
        for (own, part) in &self.rest {
            text.push_str(match own {
                Own::Server => fill.server,
                Own::Root => fill.root,
            });
            text.push_str(&part.text(&fill.vars));
        }
        text
    }

    /// True when it has no hole.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.rest.is_empty() && self.first.is_constant()
    }

    /// Reads a text, a number or a switch.
    pub fn read(slot: &Slot<'_>) -> Option<Self> {
        let text = match slot.value() {
            Some(Value::Whole(number)) => number.to_string(),
            Some(Value::Switch(on)) => on.to_string(),
            _ => slot.text()?.to_owned(),
        };
        match Self::parse(&text) {
            Ok(pattern) => Some(pattern),
            Err(fault) => {
                slot.fault_at(fault.at, format!("'{}': {}", slot.name(), fault.what));
                None
            }
        }
    }

    fn list(slot: &Slot<'_>) -> Vec<Self> {
        let items = slot.list();
        let patterns = items.iter().filter_map(Self::read).collect::<Vec<_>>();
        if items.is_empty() && slot.is_given() {
            slot.fault(format!("'{}' is empty (expected texts)", slot.name()));
        }
        patterns
    }
}

impl Matcher {
    /// Reads what is written for one field; what is wrong is noted as a fault.
    pub fn read(slot: &Slot<'_>) -> Option<Self> {
        match slot.value() {
            Some(Value::Table(_)) => {
                let table = slot.table()?;
                Some(Self::of_table(&table))
            }
            Some(Value::Text(_) | Value::Whole(_) | Value::Switch(_)) => Some(Self {
                tests: vec![Test::Is(Pattern::read(slot)?)],
            }),
            _ => {
                slot.unexpected("a text, a number, a switch or a table such as { starts = \"a\" }");
                None
            }
        }
    }

    /// Fits exactly this text.
    #[must_use]
    pub fn is(text: &str) -> Self {
        Self {
            tests: vec![Test::Is(Pattern::literal(text))],
        }
    }

    /// Fits exactly this text, its holes filled.
    #[must_use]
    pub fn filled(text: Pattern) -> Self {
        Self {
            tests: vec![Test::Is(text)],
        }
    }

    fn of_table(table: &Reader<'_>) -> Self {
        let mut tests = Vec::new();
        for (key, test) in OF_TEXT {
            let slot = table.may(key);
            if slot.is_given() {
                tests.extend(Pattern::read(&slot).map(test));
            }
        }
        let slot = table.may("matches");
        if let Some(source) = slot.text() {
            match RegexBuilder::new(source)
                .size_limit(REGEX_BYTES_MAX)
                .build()
            {
                Ok(regex) => tests.push(Test::Matches(regex)),
                Err(fault) => slot.fault(format!("'{}': {}", slot.name(), last_line(&fault))),
            }
        }
        let range = -NUMBER_MAX..=NUMBER_MAX;
        tests.extend(table.may("min").real(range.clone()).map(Test::Min));
        tests.extend(table.may("max").real(range).map(Test::Max));
        for (key, test) in [
            ("any_of", Test::AnyOf as fn(Vec<Pattern>) -> Test),
            ("order", Test::Order),
        ] {
            let slot = table.may(key);
            if slot.is_given() {
                tests.push(test(Pattern::list(&slot)));
            }
        }
        for (key, test) in [("present", Test::Present), ("absent", Test::Absent)] {
            let slot = table.may(key);
            match slot.switch() {
                Some(true) => tests.push(test),
                Some(false) => slot.unexpected("true; write the other word for the contrary"),
                None => {}
            }
        }
        if tests.is_empty() && table.log().is_empty() {
            table.fault("an empty table (expected one of is, not, starts, contains, present, …)");
        }
        let absent = |test: &Test| matches!(test, Test::Absent);
        if tests.len() > 1 && tests.iter().any(absent) {
            table.fault("'absent' stands alone: what is not there has no value");
        }
        Self { tests }
    }

    /// True when a field with these values, in the order of the wire, fits. Of several values one
    /// must pass every test; `not` and `lacks` must hold for each of them.
    #[must_use]
    pub fn fits<'v>(&self, values: impl Iterator<Item = &'v str> + Clone, fill: &Fill<'_>) -> bool {
        if values.clone().next().is_none() {
            let mut tests = self.tests.iter();
            return tests.any(|test| matches!(test, Test::Absent));
        }
        let (against, of): (Vec<&Test>, Vec<&Test>) =
            self.tests.iter().partition(|test| test.is_against());
        let each = |value: &str| against.iter().all(|test| test.fits(value, fill));
        let one = |value: &str| of.iter().all(|test| test.fits(value, fill));
        values.clone().all(each) && values.clone().any(one)
    }

    /// What it wants, in words, holes filled: `starts with 'a' and is at least 3`.
    #[must_use]
    pub fn says(&self, fill: &Fill<'_>) -> String {
        let tests: Vec<String> = self.tests.iter().map(|test| test.says(fill)).collect();
        tests.join(" and ")
    }

    /// True when no text in it has a hole.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.tests.iter().all(|test| match test {
            Test::Is(text) | Test::Not(text) => text.is_constant(),
            Test::Starts(text) | Test::Ends(text) => text.is_constant(),
            Test::Contains(text) | Test::Lacks(text) => text.is_constant(),
            Test::AnyOf(texts) | Test::Order(texts) => texts.iter().all(Pattern::is_constant),
            Test::Matches(_) | Test::Min(_) | Test::Max(_) => true,
            Test::Present | Test::Absent => true,
        })
    }
}

impl With {
    /// Reads `{ field = matcher, … }`; nothing when it is not given.
    #[must_use]
    pub fn read(slot: &Slot<'_>) -> Self {
        let Some(table) = slot.is_given().then(|| slot.table()).flatten() else {
            return Self::default();
        };
        let entries = table.entries();
        let fields = entries
            .filter_map(|(entry, slot)| Some((entry.key.clone(), Matcher::read(&slot)?)))
            .collect();
        Self { fields }
    }

    /// The names of the fields that it says something of.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// The first field of the message that does not fit; `None` = it fits.
    #[must_use]
    pub fn misfit(&self, message: &Message, fill: &Fill<'_>) -> Option<Misfit> {
        let mut fields = self.fields.iter();
        let (field, matcher) = fields.find(|(field, matcher)| {
            let values = message.fields.iter().filter(|(held, _)| held == field);
            !matcher.fits(values.map(|(_, value)| value.as_str()), fill)
        })?;
        Some(Misfit {
            field: field.clone(),
            expected: matcher.says(fill),
            actual: message.field(field).map(str::to_owned),
        })
    }

    /// True when every field fits.
    #[must_use]
    pub fn fits(&self, message: &Message, fill: &Fill<'_>) -> bool {
        self.misfit(message, fill).is_none()
    }

    /// Every field with what it must be.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Matcher)> {
        self.fields
            .iter()
            .map(|(field, matcher)| (field.as_str(), matcher))
    }

    /// True when nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl Test {
    /// It must hold for every value.
    fn is_against(&self) -> bool {
        matches!(self, Self::Not(_) | Self::Lacks(_))
    }

    fn fits(&self, value: &str, fill: &Fill<'_>) -> bool {
        let number = || value.trim().parse::<f64>().ok();
        match self {
            Self::Is(text) => value == text.text(fill),
            Self::Not(text) => value != text.text(fill),
            Self::Starts(text) => value.starts_with(&text.text(fill)),
            Self::Ends(text) => value.ends_with(&text.text(fill)),
            Self::Contains(text) => value.contains(&text.text(fill)),
            Self::Lacks(text) => !value.contains(&text.text(fill)),
            Self::Matches(regex) => regex.is_match(value),
            Self::Min(least) => number().is_some_and(|number| number >= *least),
            Self::Max(most) => number().is_some_and(|number| number <= *most),
            Self::AnyOf(texts) => texts.iter().any(|text| value == text.text(fill)),
            Self::Order(words) => {
                let mut held = value.split_ascii_whitespace();
                let mut words = words.iter().map(|word| word.text(fill));
                words.all(|word| held.any(|held| held == word))
            }
            Self::Present => true,
            Self::Absent => false,
        }
    }

    fn says(&self, fill: &Fill<'_>) -> String {
        let quoted = |text: &Pattern| format!("'{}'", text.text(fill));
        let list = |texts: &[Pattern]| {
            let texts: Vec<String> = texts.iter().map(quoted).collect();
            texts.join(", ")
        };
        match self {
            Self::Is(text) => format!("is {}", quoted(text)),
            Self::Not(text) => format!("is not {}", quoted(text)),
            Self::Starts(text) => format!("starts with {}", quoted(text)),
            Self::Ends(text) => format!("ends with {}", quoted(text)),
            Self::Contains(text) => format!("contains {}", quoted(text)),
            Self::Lacks(text) => format!("does not contain {}", quoted(text)),
            Self::Matches(regex) => format!("matches /{}/", regex.as_str()),
            Self::Min(least) => format!("is at least {least}"),
            Self::Max(most) => format!("is at most {most}"),
            Self::AnyOf(texts) => format!("is one of {}", list(texts)),
            Self::Order(texts) => format!("has in this order {}", list(texts)),
            Self::Present => String::from("is there"),
            Self::Absent => String::from("is not there"),
        }
    }
}

/// Why a regular expression cannot be read, without the picture that stands before it.
fn last_line(fault: &regex::Error) -> String {
    let text = fault.to_string();
    let last = text.lines().last().unwrap_or_default();
    let mut line = String::new();
    let _ = write!(
        line,
        "{}",
        last.trim_start_matches("error: ").trim_end_matches('.')
    );
    line
}

#[cfg(test)]
mod tests;
