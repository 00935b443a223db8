//! The document walk of a profile.

use std::time::Duration;

use super::{clauses, line, one_line_template};
use crate::format::Format;
use crate::located::{Reader, Slot};
use crate::profile::template::Template;
use crate::profile::{Apply, Change, Classify, Fetch, Next, Param, StepId};

/// Fetches of one walk.
pub(super) const FETCHES_MAX: usize = (u8::MAX - StepId::FIRST_FETCH) as usize;

/// `[walk]`, `[given]` and `[fetches]`.
pub(super) struct Walk {
    pub(super) classify: Classify,
    pub(super) change: Change,
    pub(super) apply: Apply,
    pub(super) given: Vec<(String, Format)>,
    pub(super) fetches: Vec<Fetch>,
    /// From the configuration to the first task (FAN-90).
    pub(super) tasks_pause: Duration,
}

/// A fetch's id with its place in the walk; none when the walk leaves it out.
type Target<'a> = (Option<Next>, &'a str);

/// Reads the walk. The first fetch of `walk.order` is where it begins; without an order it is
/// the order of the file.
pub(super) fn walk(root: &Reader<'_>) -> Walk {
    let mut walk = Walk {
        classify: Classify::BySuffix,
        change: Change::None,
        apply: Apply::AfterRun,
        given: Vec::new(),
        fetches: Vec::new(),
        tasks_pause: Duration::ZERO,
    };
    let files = root.may("given");
    let fetches = root.may("fetches");
    let Some(table) = root.need("walk").table() else {
        walk.given = given(&root.need("given"));
        return walk;
    };
    let classify = [
        (Classify::BySuffix, "by-suffix"),
        (Classify::Root, "root"),
        (Classify::File, "file"),
        (Classify::Beside, "beside"),
    ];
    let change = [
        (Change::Digest, "digest"),
        (Change::ChecksumFile, "checksum-file"),
        (Change::Version, "version"),
        (Change::None, "none"),
    ];
    let apply = [
        (Apply::AfterRun, "after-run"),
        (Apply::SoftReboot, "soft-reboot"),
    ];
    let change_slot = table.need("change");
    walk.classify = table
        .need("classify")
        .word(&classify)
        .unwrap_or(walk.classify);
    walk.change = change_slot.word(&change).unwrap_or(walk.change);
    walk.apply = table.need("apply").word(&apply).unwrap_or(walk.apply);
    walk.tasks_pause = table.may("tasks_pause_ms").duration().unwrap_or_default();
    let _ = clauses(&table);
    // No candidate names a file that is not part of the walk.
    if files.is_given() || walk.classify != Classify::Beside {
        walk.given = given(&root.need("given"));
    }
    let order = table.may("order");
    if walk.classify == Classify::File && !fetches.is_given() && !order.is_given() {
        return walk;
    }
    let fetches = root.need("fetches");
    walk.fetches = read_fetches(&fetches, &order);
    let checksum = |fetch: &Fetch| fetch.format == Format::Checksum;
    if walk.change == Change::ChecksumFile && !walk.fetches.iter().any(checksum) {
        change_slot.fault("'walk.change' is checksum-file, but no fetch has format checksum");
    }
    walk
}

fn given(slot: &Slot<'_>) -> Vec<(String, Format)> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let default = table.need("default").word(&Format::ALL);
    let mut given: Vec<(String, Format)> = Vec::new();
    for (entry, value) in table.entries().filter(|(entry, _)| entry.key != "default") {
        let suffix = entry.key.as_str();
        if !suffix.starts_with('.') || suffix.contains('/') || suffix.len() < 2 {
            let place = entry.span.place();
            let message = format!("'{suffix}' is no suffix (expected one such as '.cfg')");
            table.log().note(place, message);
        }
        if let Some(format) = value.word(&Format::ALL) {
            given.push((suffix.to_owned(), format));
        }
    }
    given.push((String::new(), default.unwrap_or(Format::Opaque)));
    given
}

/// The entries of a table in the order asked for: all of them in the order of the file, or those
/// that `order` names. Faults are noted at `order`.
pub(super) fn arranged(all: &[String], order: &Slot<'_>) -> Vec<String> {
    if !order.is_given() {
        return all.to_vec();
    }
    let words: Vec<(usize, &str)> = all.iter().map(String::as_str).enumerate().collect();
    let mut chosen: Vec<String> = Vec::new();
    for item in order.list() {
        let Some(name) = item.word(&words).and_then(|at| all.get(at)) else {
            continue;
        };
        if chosen.contains(name) {
            item.fault(format!("'{}' stands there twice", item.name()));
        } else {
            chosen.push(name.clone());
        }
    }
    chosen
}

fn read_fetches(slot: &Slot<'_>, order: &Slot<'_>) -> Vec<Fetch> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let entries: Vec<_> = table.entries().collect();
    let all: Vec<String> = entries.iter().map(|(entry, _)| entry.key.clone()).collect();
    let ids = arranged(&all, order);
    if ids.len() > FETCHES_MAX {
        slot.fault(format!("more than {FETCHES_MAX} fetches"));
        return Vec::new();
    }
    let place_of = |id: &str| ids.iter().position(|listed| listed == id);
    let mut targets: Vec<Target<'_>> = vec![(Some(Next::End), "end")];
    targets.extend(all.iter().map(|id| {
        let number = place_of(id).and_then(|at| u8::try_from(at).ok());
        (number.map(Next::Fetch), id.as_str())
    }));
    let mut fetches: Vec<(usize, &Slot<'_>, Fetch)> = Vec::new();
    for (entry, slot) in &entries {
        if entry.key == "end" {
            slot.fault("a fetch cannot be called 'end'");
        }
        let place = place_of(&entry.key);
        let fetch = slot
            .table()
            .map(|table| fetch(&entry.key, &table, &targets, place.is_some()));
        fetches.extend(place.zip(fetch).map(|(at, fetch)| (at, slot, fetch)));
    }
    fetches.sort_by_key(|(at, ..)| *at);
    let (slots, fetches): (Vec<&Slot<'_>>, Vec<Fetch>) = fetches
        .into_iter()
        .map(|(_, slot, fetch)| (slot, fetch))
        .unzip();
    if fetches.is_empty() {
        slot.fault("no fetch to begin with");
    }
    if fetches.len() == ids.len() {
        check_circle(&slots, &fetches);
        check_verify(&slots, &fetches);
        check_beside(&slots, &fetches);
    }
    fetches
}

/// Reads one fetch. What `walk.order` leaves out is not `listed`: its targets do not matter.
fn fetch(id: &str, table: &Reader<'_>, targets: &[Target<'_>], listed: bool) -> Fetch {
    let target = |slot: &Slot<'_>| match slot.word(targets) {
        Some(None) if listed => {
            let (name, to) = (slot.name(), slot.text().unwrap_or_default());
            slot.fault(format!("'{name}' is '{to}', which 'walk.order' leaves out"));
            Next::End
        }
        Some(Some(next)) => next,
        _ => Next::End,
    };
    let switch = |key: &str| table.may(key).switch().unwrap_or_default();
    let switches = table.may("enabled_by").list();
    let as_given = switch("as_given");
    let name = name_of(table, as_given);
    let found = target(&table.need("found"));
    let missing = target(&table.need("missing"));
    let otherwise = |key: &str, default: Next| {
        let slot = table.may(key);
        if slot.is_given() {
            target(&slot)
        } else {
            default
        }
    };
    let label_slot = table.may("label");
    let label = if label_slot.is_given() {
        line(&label_slot)
    } else if as_given {
        "<URL>".to_owned()
    } else {
        name.source().replace('{', "<").replace('}', ">")
    };
    Fetch {
        id: id.to_owned(),
        as_given,
        name,
        enabled_by: switches
            .iter()
            .filter_map(|item| item.word(&Param::ALL))
            .collect(),
        name_from_url: switch("name_from_url"),
        beside_next: switch("beside_next"),
        skip_same: switch("skip_same"),
        key: key(table),
        label,
        format: table
            .need("format")
            .word(&Format::ALL)
            .unwrap_or(Format::Opaque),
        attempts: table.may("attempts").number(1..=u8::MAX).unwrap_or(1),
        pause: table.may("pause_ms").duration().unwrap_or_default(),
        found,
        unchanged: otherwise("unchanged", found),
        missing,
        missing_empty: otherwise("missing_empty", missing),
        mismatch: otherwise("mismatch", missing),
        verify: switch("verify"),
        clauses: clauses(table),
    }
}

/// The parameter that holds the file's key.
fn key(table: &Reader<'_>) -> Option<Param> {
    let keys = [
        (Param::DeviceKey, "device_key"),
        (Param::CommonKey, "common_key"),
    ];
    table.may("key").word(&keys)
}

/// The name below the candidate; one that is fetched as given has none.
fn name_of(table: &Reader<'_>, as_given: bool) -> Template {
    if as_given {
        return Template::default();
    }
    let slot = table.need("name");
    if slot.text().is_some_and(str::is_empty) {
        slot.unexpected("a file name, not empty");
    }
    one_line_template(&slot)
}

/// A walk that comes back to a fetch would never end: going back is the business of reboots,
/// which are counted.
fn check_circle(slots: &[&Slot<'_>], fetches: &[Fetch]) {
    let exits = |fetch: &Fetch| {
        [
            fetch.found,
            fetch.unchanged,
            fetch.missing,
            fetch.missing_empty,
            fetch.mismatch,
        ]
    };
    // The longest way from each fetch; one longer than there are fetches passes one twice.
    let mut longest = vec![0_usize; fetches.len()];
    for _ in 0..=fetches.len() {
        let mut changed = None;
        for (at, fetch) in fetches.iter().enumerate() {
            let next = exits(fetch).into_iter().filter_map(|next| match next {
                Next::Fetch(to) => longest.get(usize::from(to)).copied(),
                Next::End => None,
            });
            let length = next.max().map_or(0, |length| length + 1);
            if let Some(held) = longest.get_mut(at).filter(|held| **held < length) {
                *held = length;
                changed = slots.get(at).map(|slot| (slot, fetch));
            }
        }
        let Some((slot, fetch)) = changed else {
            return;
        };
        if longest.iter().any(|length| *length >= fetches.len()) {
            slot.fault(format!("the walk goes in a circle through '{}'", fetch.id));
            return;
        }
    }
}

fn check_verify(slots: &[&Slot<'_>], fetches: &[Fetch]) {
    let checksum = |fetch: &Fetch| fetch.format == Format::Checksum;
    if fetches.iter().any(checksum) {
        return;
    }
    for (slot, fetch) in slots.iter().zip(fetches).filter(|(_, fetch)| fetch.verify) {
        let id = &fetch.id;
        slot.fault(format!(
            "'{id}' is to be verified, but no fetch has format checksum"
        ));
    }
}

/// Files that are asked for together: what comes of one must not decide whether the other is asked
/// for, and a second request of the first would come too late.
fn check_beside(slots: &[&Slot<'_>], fetches: &[Fetch]) {
    for (at, (slot, fetch)) in slots.iter().zip(fetches).enumerate() {
        if !fetch.beside_next {
            continue;
        }
        let id = &fetch.id;
        let next = u8::try_from(at + 1).map(Next::Fetch).ok();
        let exits = [
            fetch.found,
            fetch.unchanged,
            fetch.missing,
            fetch.missing_empty,
            fetch.mismatch,
        ];
        let other = fetches.get(at + 1);
        if other.is_none() || exits.iter().any(|exit| Some(*exit) != next) {
            slot.fault(format!(
                "'{id}' is beside the next, but does not always lead there"
            ));
        }
        if fetch.attempts > 1 {
            slot.fault(format!(
                "'{id}' is beside the next, but asked for more than once"
            ));
        }
        if fetch.beside_next && other.is_some_and(|other| other.beside_next) {
            slot.fault(format!("'{id}' is beside one that is beside another"));
        }
    }
}
