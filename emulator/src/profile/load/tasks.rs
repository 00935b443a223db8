//! `[encryption]` and `[tasks]`: what the files of a walk are encrypted with, and what a changed
//! configuration has fetched.

use std::time::Duration;

use super::{clauses, params};
use crate::format::sealed::Cipher;
use crate::located::{Reader, Slot, Value};
use crate::profile::{FirmwareVersion, Profile, Task, TaskKind, Tasks};

/// Tasks of one profile.
const TASKS_MAX: usize = 32;

/// `[encryption]`: the mode of files that a key is given for.
pub(super) fn cipher(slot: &Slot<'_>) -> Option<Cipher> {
    if !slot.is_given() {
        return None;
    }
    let table = slot.table()?;
    let _ = clauses(&table);
    table.need("cipher").word(&Cipher::ALL)
}

/// `[tasks]`, in the order of the file; the pause before the first is `walk.tasks_pause_ms`.
pub(super) fn tasks(root: &Reader<'_>, pause: Duration) -> Tasks {
    let slot = root.may("tasks");
    let mut tasks = Tasks {
        pause,
        list: Vec::new(),
    };
    if !slot.is_given() {
        return tasks;
    }
    let Some(table) = slot.table() else {
        return tasks;
    };
    for (entry, slot) in table.entries() {
        let task = slot.table().map(|table| task(&entry.key, &table));
        tasks.list.extend(task);
    }
    if tasks.list.len() > TASKS_MAX {
        slot.fault(format!("more than {TASKS_MAX} tasks"));
    }
    tasks
}

fn task(id: &str, table: &Reader<'_>) -> Task {
    let suffixes = table.may("suffixes").list();
    let suffixes = suffixes.iter().filter_map(|item| {
        item.parsed("a suffix in small letters, without its dot", |text| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            (!text.is_empty() && text.bytes().all(plain)).then(|| text.to_owned())
        })
    });
    let suffixes = suffixes.collect();
    let base_name = table
        .may("base_name")
        .parsed("a file name without suffix", |text| {
            (super::is_line(text) && !text.contains('/')).then(|| text.to_owned())
        });
    Task {
        id: id.to_owned(),
        settings: settings(&table.need("setting")),
        holds: table
            .need("holds")
            .word(&TaskKind::ALL)
            .unwrap_or(TaskKind::Firmware),
        suffixes,
        base_name: base_name.unwrap_or_default(),
        refused: table.may("refused").switch().unwrap_or_default(),
        clauses: clauses(table),
    }
}

/// One key, or a list of them.
fn settings(slot: &Slot<'_>) -> Vec<String> {
    let items = match slot.value() {
        Some(Value::List(_)) => slot.list(),
        _ => vec![slot.clone()],
    };
    let keys = items.iter().filter_map(|item| {
        item.parsed("a setting key", |text| {
            params::is_key(text).then(|| text.to_owned())
        })
    });
    let keys: Vec<String> = keys.collect();
    if keys.is_empty()
        && slot
            .value()
            .is_some_and(|value| matches!(value, Value::List(_)))
    {
        slot.unexpected("at least one setting key");
    }
    keys
}

/// What the parts of a profile have to say to each other here.
pub(super) fn check(root: &Reader<'_>, profile: &Profile) {
    let sealed = profile.fetches.iter().any(|fetch| fetch.key.is_some());
    if sealed && profile.cipher.is_none() {
        let message = "a fetch has a key, but 'encryption.cipher' does not say what it is for";
        root.may("fetches").fault(message);
    }
    let digest = profile.firmware_rule.version == FirmwareVersion::Digest;
    let mut tasks = profile.tasks.list.iter();
    let task = tasks.any(|task| task.holds == TaskKind::Firmware);
    if digest && !task {
        root.need("firmware_rule")
            .fault("the version is a digest, but no task holds firmware");
    }
    if task && !digest {
        root.may("tasks")
            .fault("a task holds firmware, but 'firmware_rule.version' is not digest");
    }
}

#[cfg(test)]
mod tests;
