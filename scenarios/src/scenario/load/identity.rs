//! Which phones a fleet has: how many, their MAC addresses, an inventory of them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::located::{Node, Place, Reader, Slot, Value, did_you_mean, nearest};
use bootstorm_emulator::profile::template::Template;

use super::super::{Macs, mac_of, number_of};
use super::settings;
use crate::inventory::{self, Inventory, is_of_a_group};
use crate::plan::PHONES_MAX;

/// The last MAC address that a device may have of its own.
const LAST: Mac = Mac([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff]);
/// What may have holes for cells of the inventory.
const WITH_HOLES: [&str; 9] = [
    "own",
    "common",
    "common_for",
    "user",
    "password",
    "acs",
    "operator",
    "client_certificate",
    "web",
];

/// `inventory = "phones.csv"`, a path from the scenario's own directory.
pub(super) fn inventory(table: &Reader<'_>) -> Option<Arc<Inventory>> {
    let slot = table.may("inventory");
    let named = slot.text();
    let read = named.and_then(|path| from_file(table, &slot, path));
    check_holes(table, slot.is_given(), read.as_ref());
    read.map(Arc::new)
}

fn from_file(table: &Reader<'_>, slot: &Slot<'_>, path: &str) -> Option<Inventory> {
    let beside = Path::new(&*slot.place().file).parent().map(Path::to_owned);
    let place = beside.unwrap_or_default().join(path);
    let name = place.display().to_string();
    let length = fs::metadata(&place).map(|facts| facts.len());
    let most = inventory::BYTES_MAX;
    if length.as_ref().is_ok_and(|length| *length > most as u64) {
        slot.fault(format!("{name} is longer than {most} bytes"));
        return None;
    }
    let text = match length.and_then(|_| fs::read_to_string(&place)) {
        Ok(text) => text,
        Err(fault) => {
            slot.fault(format!("failed to read {name}: {fault}"));
            return None;
        }
    };
    match inventory::read(&name, &text) {
        Ok(inventory) => Some(inventory),
        Err(faults) => {
            let more = faults.left_off;
            for fault in faults.list {
                table.log().note(fault.place, fault.message);
            }
            if more > 0 {
                slot.fault(format!("{name} has {more} more faults"));
            }
            None
        }
    }
}

/// `[fleet.profiles]`, which need not be where every phone of the inventory has a profile there.
pub(super) fn profiles<'a>(
    table: &Reader<'a>,
    inventory: Option<&Inventory>,
) -> Option<Reader<'a>> {
    let named = |it: &Inventory| it.rows().iter().all(|row| row.profile.is_some());
    match inventory.is_some_and(named) {
        true => table.may("profiles").table(),
        false => table.need("profiles").table(),
    }
}

/// `phones` and `macs`.
pub(super) fn phones(table: &Reader<'_>, inventory: Option<&Inventory>) -> (u32, Option<Macs>) {
    let slot = match table.may("inventory").is_given() {
        true => table.may("phones"),
        false => table.need("phones"),
    };
    let rows = inventory.map_or(1, |it| u32::try_from(it.rows().len()).unwrap_or(u32::MAX));
    let phones = slot.number(1..=PHONES_MAX).unwrap_or(rows);
    if inventory.is_some() && phones > rows {
        slot.fault(format!(
            "'{}' is {phones}, but the inventory has {rows}",
            slot.name()
        ));
    }
    let given = table.may("macs");
    let macs = macs(&given);
    if given.is_given() && table.may("inventory").is_given() {
        given.fault("'macs' beside 'inventory', which has MAC addresses of its own");
    }
    if let Some(macs) = macs.filter(|macs| u64::from(phones) > macs.count()) {
        let name = given.name();
        let count = macs.count();
        given.fault(format!(
            "'{name}' has {count} addresses for {phones} phones"
        ));
    }
    (phones, macs)
}

/// `"00:21:f2:00:10:00"`, or with a last one behind a blank, `-` and a blank.
fn macs(slot: &Slot<'_>) -> Option<Macs> {
    let expected = "a MAC address such as 00:21:f2:00:10:00, or two with ' - ' between them";
    let own = |text: &str| Mac::parse(text.trim()).filter(|mac| !is_of_a_group(*mac));
    slot.parsed(expected, |text| {
        let (first, last) = match text.split_once(" - ") {
            Some((first, last)) => (own(first)?, own(last)?),
            // Up to the next address of a group.
            None => {
                let first = own(text)?;
                let end = (number_of(first) >> 40 << 40) + (1 << 40) - 1;
                (first, mac_of(end).min(LAST))
            }
        };
        (first <= last).then_some(Macs { first, last })
    })
}

/// `[fleet.own]`, and behind it the columns of the inventory that are settings: those that nothing
/// of the fleet has a hole for.
pub(super) fn own(table: &Reader<'_>, inventory: Option<&Inventory>) -> Vec<(String, Template)> {
    let slot = table.may("own");
    let mut own = slot.table().map_or_else(Vec::new, |table| settings(&table));
    let Some(inventory) = inventory else {
        return own;
    };
    let mut used = Vec::new();
    for key in WITH_HOLES {
        each_text(&table.may(key), &mut |_, template| {
            used.extend(template.columns().map(str::to_owned));
        });
    }
    for column in inventory.columns().iter().filter(|it| !used.contains(*it)) {
        if own.iter().any(|(key, _)| key == column) {
            slot.fault(format!(
                "setting '{column}' is a column of the inventory too"
            ));
        } else if let Ok(template) = Template::parse(&format!("{{inventory:{column}}}")) {
            own.push((column.clone(), template));
        }
    }
    own
}

/// Holes name columns that there are.
fn check_holes(table: &Reader<'_>, given: bool, inventory: Option<&Inventory>) {
    for key in WITH_HOLES {
        each_text(&table.may(key), &mut |at, template| {
            for column in template.columns() {
                let message = match inventory {
                    Some(inventory) => {
                        let known = inventory.columns().iter().map(String::as_str);
                        if known.clone().any(|it| it == column) {
                            continue;
                        }
                        let hint = did_you_mean(nearest(column, known));
                        format!("the inventory has no column '{column}'{hint}")
                    }
                    // What is wrong with it was said.
                    None if given => continue,
                    None => format!("'{{inventory:{column}}}' without 'inventory'"),
                };
                table.log().note(at.clone(), message);
            }
        });
    }
}

/// Every text below a value that has a hole for a cell, as a template with its place.
fn each_text(slot: &Slot<'_>, take: &mut impl FnMut(Place, &Template)) {
    match slot.value() {
        Some(Value::Text(text)) => one_text(text, || slot.place(), take),
        Some(Value::Table(entries)) => entries.iter().for_each(|it| each_node(&it.node, take)),
        _ => {}
    }
}

fn each_node(node: &Node, take: &mut impl FnMut(Place, &Template)) {
    match &node.value {
        Value::Text(text) => one_text(text, || node.span.place(), take),
        Value::Table(entries) => entries.iter().for_each(|it| each_node(&it.node, take)),
        Value::List(items) => items.iter().for_each(|it| each_node(it, take)),
        _ => {}
    }
}

fn one_text(text: &str, at: impl Fn() -> Place, take: &mut impl FnMut(Place, &Template)) {
    if text.contains("{inventory:")
        && let Ok(template) = Template::parse(text)
    {
        take(at(), &template);
    }
}

#[cfg(test)]
mod tests;
