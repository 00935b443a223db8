//! What a case expects: lines about messages and lines about a virtual phone's state.

use std::collections::BTreeSet;
use std::time::Duration;

use bootstorm_emulator::located::{Place, Reader, Slot, did_you_mean, nearest};

use crate::matcher::{Matcher, Pattern, With};
use crate::wire::Way;
use crate::wire::vocabulary::{check_field, check_fields, check_name};

/// The longest time in `after_ms`: ten days.
const TIME_MS_MAX: u64 = 10 * 86_400_000;
/// The largest count.
const COUNT_MAX: u64 = 1_000_000;
/// How a phone can end.
const OUTCOMES: [&str; 6] = [
    "provisioned",
    "unverified",
    "partial",
    "failed",
    "not started",
    "interrupted",
];
/// What a line of the wire can begin with.
const WORDS: [(&str, Way, Kind); 8] = [
    ("sent", Way::Sent, Kind::Next),
    ("got", Way::Received, Kind::Next),
    ("never_sent", Way::Sent, Kind::Never),
    ("never_got", Way::Received, Kind::Never),
    ("every_sent", Way::Sent, Kind::Every),
    ("every_got", Way::Received, Kind::Every),
    ("count_sent", Way::Sent, Kind::Count),
    ("count_got", Way::Received, Kind::Count),
];

/// A line of `expect.wire`.
#[derive(Debug, Clone)]
pub enum WireLine {
    /// The search goes on from the beginning of the record.
    Again,
    /// Messages.
    Wanted(Box<Wanted>),
}

/// Messages that must, or must not, be there.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which way they go, as the phone sees it.
    pub way: Way,
    /// Their name.
    pub name: String,
    /// Which and how many.
    pub quantity: Quantity,
    /// What their fields must be.
    pub with: With,
    /// When they come.
    pub within: Option<Within>,
    /// Fields compared with those of marked messages.
    pub compared: Vec<Compared>,
    /// Where the line stands.
    pub place: Place,
}

/// Which messages of a name, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quantity {
    /// The next one after the one found last.
    Next {
        /// Earlier ones that do not fit are passed over.
        skip: bool,
        /// The name it gets.
        mark: Option<String>,
    },
    /// None that fits.
    Never {
        /// In the whole record, not only after the one found last.
        anywhere: bool,
    },
    /// Each one of the whole record fits, and there is one.
    Every,
    /// So many of the whole record fit.
    Count {
        /// At least.
        min: u64,
        /// At most.
        max: u64,
    },
}

/// A span of time after a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// At least so long after it.
    pub from: Duration,
    /// At most so long after it.
    pub to: Duration,
    /// The marked message; `None` = the one found last, or power-on before any was found.
    pub mark: Option<String>,
}

/// A field compared with the same field of a marked message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The field.
    pub field: String,
    /// The marked message.
    pub mark: String,
    /// True: both say the same; false: they differ.
    pub same: bool,
}

/// A line of `expect.state`.
#[derive(Debug, Clone)]
pub enum StateLine {
    /// How the phone ends.
    Outcome(String),
    /// What a setting is in the end.
    Setting {
        /// Its key.
        key: String,
        /// What it must be; `None` = the phone must not hold it.
        is: Option<Matcher>,
    },
    /// Words that a line of the phone's events contains.
    Event(Pattern),
    /// Words that no line contains.
    NoEvent(Pattern),
    /// The firmware that runs in the end.
    Firmware(Matcher),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Next,
    Never,
    Every,
    Count,
}

/// Reads `expect.wire`.
pub(super) fn wire(lines: &[Slot<'_>]) -> Vec<WireLine> {
    let mut marks = BTreeSet::new();
    let mut read = Vec::new();
    for slot in lines {
        if let Some(table) = slot.table() {
            wire_line(&table, &mut marks, &mut read);
        }
    }
    read
}

fn wire_line(table: &Reader<'_>, marks: &mut BTreeSet<String>, read: &mut Vec<WireLine>) {
    let again = table.may("again");
    match again.switch() {
        Some(true) => read.push(WireLine::Again),
        Some(false) => again.unexpected("true"),
        None => {}
    }
    let given = WORDS.map(|(word, way, kind)| (table.may(word), way, kind));
    let mut given = given.iter().filter(|(slot, ..)| slot.is_given());
    let Some((slot, way, kind)) = given.next() else {
        if !again.is_given() {
            let words = WORDS.map(|(word, ..)| word).join(", ");
            table.fault(format!(
                "a line of the wire that says nothing (expected one of {words}, again)"
            ));
        }
        return;
    };
    if let Some((second, ..)) = given.next() {
        second.fault(format!(
            "'{}' beside another message (expected a line of its own)",
            second.name()
        ));
    }
    let name = slot.text();
    if let Some(Err(fault)) = name.map(check_name) {
        slot.fault(fault);
    }
    let name = name.unwrap_or_default();
    let with = fields(&table.may("with"), name);
    let compared = compared(table, name, marks);
    let within = within(table, marks);
    let quantity = quantity(table, *kind, marks);
    read.push(WireLine::Wanted(Box::new(Wanted {
        way: *way,
        name: name.to_owned(),
        quantity,
        with,
        within,
        compared,
        place: table.place(),
    })));
}

/// `with = { … }`
fn fields(slot: &Slot<'_>, name: &str) -> With {
    check_fields(slot, name);
    With::read(slot)
}

/// `same = { field = "mark" }`, `differs = { field = "mark" }`
fn compared(table: &Reader<'_>, name: &str, marks: &BTreeSet<String>) -> Vec<Compared> {
    let mut all = Vec::new();
    for (word, same) in [("same", true), ("differs", false)] {
        let Some(fields) = table.may(word).table() else {
            continue;
        };
        for (entry, slot) in fields.entries() {
            if let Err(fault) = check_field(name, &entry.key) {
                table.log().note(entry.span.place(), fault);
            }
            let Some(mark) = marked(&slot, marks) else {
                continue;
            };
            all.push(Compared {
                field: entry.key.clone(),
                mark,
                same,
            });
        }
    }
    all
}

/// The name of a message that was marked above.
fn marked(slot: &Slot<'_>, marks: &BTreeSet<String>) -> Option<String> {
    let mark = slot.text()?;
    if !marks.contains(mark) {
        let hint = nearest(mark, marks.iter().map(String::as_str));
        let hint = did_you_mean(hint);
        slot.fault(format!("no line above has mark = \"{mark}\"{hint}"));
    }
    Some(mark.to_owned())
}

/// `after_ms = [from, to]`, `after = "mark"`
fn within(table: &Reader<'_>, marks: &BTreeSet<String>) -> Option<Within> {
    let (slot, after) = (table.may("after_ms"), table.may("after"));
    let mark = after.is_given().then(|| marked(&after, marks)).flatten();
    if !slot.is_given() {
        if after.is_given() {
            after.fault(format!("'{}' without 'after_ms'", after.name()));
        }
        return None;
    }
    let times: Vec<u64> = slot
        .list()
        .iter()
        .filter_map(|item| item.number(0..=TIME_MS_MAX))
        .collect();
    let [from, to] = *times.as_slice() else {
        slot.fault(format!(
            "'{}' (expected two times in milliseconds, [from, to])",
            slot.name()
        ));
        return None;
    };
    if from > to {
        slot.fault(format!("'{}' ends before it begins", slot.name()));
    }
    let [from, to] = [from, to].map(Duration::from_millis);
    Some(Within { from, to, mark })
}

fn quantity(table: &Reader<'_>, kind: Kind, marks: &mut BTreeSet<String>) -> Quantity {
    let (skip, mark) = (table.may("skip"), table.may("mark"));
    let anywhere = table.may("anywhere");
    let counts = ["is", "min", "max"].map(|key| table.may(key));
    let only = |kinds: &[Kind], slots: &[&Slot<'_>], with: &str| {
        for slot in slots.iter().filter(|slot| slot.is_given()) {
            if !kinds.contains(&kind) {
                slot.fault(format!("'{}' goes with {with} only", slot.name()));
            }
        }
    };
    only(&[Kind::Next], &[&skip, &mark], "sent and got");
    only(&[Kind::Never], &[&anywhere], "never_sent and never_got");
    let [is, min, max] = &counts;
    only(&[Kind::Count], &[is, min, max], "count_sent and count_got");
    match kind {
        Kind::Next => Quantity::Next {
            skip: skip.switch().unwrap_or(false),
            mark: mark.text().map(|mark| {
                if !marks.insert(mark.to_owned()) {
                    mark_twice(&table.may("mark"), mark);
                }
                mark.to_owned()
            }),
        },
        Kind::Never => Quantity::Never {
            anywhere: anywhere.switch().unwrap_or(false),
        },
        Kind::Every => Quantity::Every,
        Kind::Count => count(table, &counts),
    }
}

fn mark_twice(slot: &Slot<'_>, mark: &str) {
    slot.fault(format!("a second line has mark = \"{mark}\""));
}

fn count(table: &Reader<'_>, counts: &[Slot<'_>; 3]) -> Quantity {
    let [is, min, max] = counts;
    let number = |slot: &Slot<'_>| slot.number(0..=COUNT_MAX);
    match (is.is_given(), min.is_given() || max.is_given()) {
        (true, true) => is.fault("'is' beside 'min' or 'max'"),
        (false, false) => table.fault("a count needs 'is', 'min' or 'max'"),
        _ => {}
    }
    let exact = number(is);
    let (min, max) = (number(min), number(max));
    let (min, max) = match exact {
        Some(exact) => (exact, exact),
        None => (min.unwrap_or(0), max.unwrap_or(u64::MAX)),
    };
    if min > max {
        table.fault("'min' is above 'max'");
    }
    Quantity::Count { min, max }
}

/// Reads `expect.state`.
pub(super) fn state(lines: &[Slot<'_>]) -> Vec<StateLine> {
    let lines = lines.iter().filter_map(Slot::table);
    lines.filter_map(|table| state_line(&table)).collect()
}

fn state_line(table: &Reader<'_>) -> Option<StateLine> {
    let words = ["outcome", "setting", "event", "no_event", "firmware"];
    let given = words.map(|word| table.may(word));
    let mut said = given.iter().filter(|slot| slot.is_given());
    let (is, absent) = (table.may("is"), table.may("absent"));
    let Some(slot) = said.next() else {
        let words = words.join(", ");
        table.fault(format!(
            "a line of the state that says nothing (expected one of {words})"
        ));
        return None;
    };
    if let Some(second) = said.next() {
        second.fault(format!(
            "'{}' beside '{}' (expected a line of its own)",
            second.name(),
            slot.name()
        ));
    }
    let [outcome, setting, event, no_event, firmware] = &given;
    if !setting.is_given() {
        for slot in [&is, &absent].into_iter().filter(|slot| slot.is_given()) {
            slot.fault(format!("'{}' goes with setting only", slot.name()));
        }
    }
    if outcome.is_given() {
        let known = OUTCOMES.map(|word| (word, word));
        return outcome
            .word(&known)
            .map(|word| StateLine::Outcome(word.to_owned()));
    }
    if setting.is_given() {
        let key = setting.text()?.to_owned();
        let is = match (is.is_given(), absent.switch()) {
            (true, None) => Some(Matcher::read(&is)?),
            (false, Some(true)) => None,
            _ => {
                table.fault("a setting needs 'is' or 'absent = true'");
                return None;
            }
        };
        return Some(StateLine::Setting { key, is });
    }
    if event.is_given() {
        return Pattern::read(event).map(StateLine::Event);
    }
    if no_event.is_given() {
        return Pattern::read(no_event).map(StateLine::NoEvent);
    }
    Matcher::read(firmware).map(StateLine::Firmware)
}
