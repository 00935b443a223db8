//! An inventory: what each phone of a site must hold, as comma-separated values (RFC 4180). The
//! first line names the columns: `mac`, perhaps `profile`, and settings or names of the site's own.
//!
//! ```
//! let text = "mac,profile,account.1.label\n00:21:f2:00:00:07,flyingvoice/fip13g,\"Desk, 7\"\n";
//! let inventory = bootstorm_scenarios::inventory::read("phones.csv", text).unwrap();
//! let row = &inventory.rows()[0];
//! assert_eq!(row.mac.to_string(), "0021f2000007");
//! assert_eq!(inventory.value(row, "account.1.label"), Some("Desk, 7"));
//! ```

mod scan;

use std::collections::HashMap;
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::located::{Faults, Log, Place, nearest};

use self::scan::{Cell, Scanner};

/// Bytes of an inventory.
pub const BYTES_MAX: usize = 256 << 20;
/// Phones of an inventory.
pub const ROWS_MAX: usize = 1 << 20;
/// Columns of an inventory, `mac` and `profile` included.
pub const COLUMNS_MAX: usize = 256;
/// Bytes of one cell.
pub const CELL_BYTES_MAX: usize = 4 << 10;
/// The column that says which phone a line is about.
const MAC: &str = "mac";
/// The column that says which profile it has.
const PROFILE: &str = "profile";

/// The phones of a site with what each must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    file: Arc<str>,
    columns: Vec<String>,
    rows: Vec<Row>,
    by_mac: HashMap<Mac, u32>,
}

/// One phone of an inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its MAC address; no other line has the same.
    pub mac: Mac,
    /// The name of its profile, where the inventory says so.
    pub profile: Option<Box<str>>,
    /// Its cells, in the order of `Inventory::columns`.
    values: Box<[Box<str>]>,
    /// Where its profile stands, or its beginning: line and column.
    at: (u32, u32),
}

impl Inventory {
    /// The names of the columns beside `mac` and `profile`, in the order of the file.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The phones, in the order of the file; at least one.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The place in `rows` of the phone with this MAC address.
    #[must_use]
    pub fn place_of(&self, mac: Mac) -> Option<u32> {
        self.by_mac.get(&mac).copied()
    }

    /// What a phone must hold of a column; an empty cell is an empty value.
    #[must_use]
    pub fn value<'a>(&self, row: &'a Row, column: &str) -> Option<&'a str> {
        let place = self.columns.iter().position(|name| name == column)?;
        row.values.get(place).map(AsRef::as_ref)
    }

    /// The inventory with those rows only; `None` when there is none of them.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&Row) -> bool) -> Option<Self> {
        let rows: Vec<Row> = self
            .rows
            .iter()
            .filter(|row| wanted(row))
            .cloned()
            .collect();
        let places = rows.iter().map(|row| row.mac).zip(0..);
        let by_mac = places.collect();
        (!rows.is_empty()).then(|| Self {
            file: Arc::clone(&self.file),
            columns: self.columns.clone(),
            rows,
            by_mac,
        })
    }

    /// Where a row's profile stands, or its beginning.
    #[must_use]
    pub fn place(&self, row: &Row) -> Place {
        let (line, column) = row.at;
        Place {
            file: Arc::clone(&self.file),
            line: line as usize,
            column: column as usize,
        }
    }
}

impl Row {
    /// Its cells, in the order of `Inventory::columns`.
    #[must_use]
    pub fn values(&self) -> &[Box<str>] {
        &self.values
    }
}

/// Reads an inventory from a file's name and text.
///
/// # Errors
/// All faults of the text at once, each with its place: quotes that do not match, no column `mac`,
/// columns named twice, lines with too few or too many cells, MAC addresses that are none or stand
/// twice, no phone at all, and what is beyond `BYTES_MAX`, `ROWS_MAX`, `COLUMNS_MAX` or
/// `CELL_BYTES_MAX`.
pub fn read(name: &str, text: &str) -> Result<Inventory, Faults> {
    let log = Log::default();
    let mut reading = Reading {
        file: Arc::from(name),
        log: &log,
        head: Head::default(),
        rows: Vec::new(),
        by_mac: HashMap::new(),
    };
    reading.file(text);
    let Reading {
        file,
        head,
        rows,
        by_mac,
        ..
    } = reading;
    let faults = log.into_faults();
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Inventory {
        file,
        columns: head.others,
        rows,
        by_mac,
    })
}

/// What the first line says.
#[derive(Debug, Default)]
struct Head {
    count: usize,
    mac: Option<usize>,
    profile: Option<usize>,
    others: Vec<String>,
}

struct Reading<'a> {
    file: Arc<str>,
    log: &'a Log,
    head: Head,
    rows: Vec<Row>,
    by_mac: HashMap<Mac, u32>,
}

impl Reading<'_> {
    fn file(&mut self, text: &str) {
        if text.len() > BYTES_MAX {
            return self.fault((1, 1), format!("file is longer than {BYTES_MAX} bytes"));
        }
        let mut scanner = Scanner::new(text.strip_prefix('\u{feff}').unwrap_or(text));
        let mut cells = Vec::new();
        let mut first = true;
        while scanner.line(&mut cells) {
            for cell in &cells {
                self.cell(cell);
            }
            if first {
                first = false;
                self.head(&cells);
                continue;
            }
            if self.rows.len() == ROWS_MAX {
                let at = cells.first().map_or((1, 1), |cell| cell.at);
                return self.fault(at, format!("more than {ROWS_MAX} phones"));
            }
            self.row(&cells);
        }
        if first {
            self.fault((1, 1), "no line with the columns (expected mac, …)");
        } else if self.rows.is_empty() && self.log.is_empty() {
            self.fault((1, 1), "no phone below the columns");
        }
    }

    fn fault(&self, (line, column): (u32, u32), message: impl Into<String>) {
        let place = Place {
            file: Arc::clone(&self.file),
            line: line as usize,
            column: column as usize,
        };
        self.log.note(place, message);
    }

    /// What may be wrong with any cell.
    fn cell(&self, cell: &Cell<'_>) {
        if let Some((at, what)) = cell.fault {
            self.fault(at, what);
        } else if cell.text.len() > CELL_BYTES_MAX {
            self.fault(
                cell.at,
                format!("cell is longer than {CELL_BYTES_MAX} bytes"),
            );
        } else if cell.text.contains(char::is_control) {
            self.fault(
                cell.at,
                "cell has a line break or another control character",
            );
        }
    }

    fn head(&mut self, cells: &[Cell<'_>]) {
        self.head.count = cells.len();
        if cells.len() > COLUMNS_MAX {
            let at = cells.get(COLUMNS_MAX).map_or((1, 1), |cell| cell.at);
            self.fault(at, format!("more than {COLUMNS_MAX} columns"));
        }
        for (place, cell) in cells.iter().enumerate() {
            let name = cell.text.trim();
            let again = cells.iter().take(place).any(|it| it.text.trim() == name);
            match name {
                "" => self.fault(cell.at, "column without a name"),
                _ if again => self.fault(cell.at, format!("a second column is called '{name}'")),
                MAC => self.head.mac = Some(place),
                PROFILE => self.head.profile = Some(place),
                _ if name.contains(['{', '}']) => {
                    self.fault(cell.at, format!("column '{name}' has a brace in its name"));
                }
                _ => {}
            }
            if name != MAC && name != PROFILE {
                self.head.others.push(name.to_owned());
            }
        }
        if self.head.mac.is_none() {
            let mut near = cells.iter().map(|cell| cell.text.trim());
            let near = near.find(|name| nearest(name, [MAC]).is_some() && !name.is_empty());
            let hint = near.map_or_else(String::new, |name| format!(" (is it '{name}'?)"));
            self.fault((1, 1), format!("no column is called 'mac'{hint}"));
        }
    }

    fn row(&mut self, cells: &[Cell<'_>]) {
        let at = cells.first().map_or((1, 1), |cell| cell.at);
        if cells.len() != self.head.count {
            let (found, wanted) = (cells.len(), self.head.count);
            let message = format!("line has {found} cells (expected {wanted}, as many as columns)");
            return self.fault(at, message);
        }
        let Some(cell) = self.head.mac.and_then(|place| cells.get(place)) else {
            return;
        };
        let Some(mac) = Mac::parse(cell.text.trim()) else {
            let found: String = cell.text.chars().take(40).collect();
            return self.fault(
                cell.at,
                format!("'{found}' is no MAC address (expected one like 00:21:f2:00:10:00)"),
            );
        };
        if is_of_a_group(mac) {
            return self.fault(
                cell.at,
                format!("{mac} is the address of a group, not of a phone"),
            );
        }
        let place = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        if let Some(held) = self.by_mac.insert(mac, place) {
            let line = self.rows.get(held as usize).map_or(1, |row| row.at.0);
            return self.fault(cell.at, format!("{mac} stands in line {line} too"));
        }
        let profile = self.head.profile.and_then(|place| cells.get(place));
        let named = profile.filter(|cell| !cell.text.trim().is_empty());
        let others = cells.iter().enumerate();
        let others =
            others.filter(|(place, _)| ![self.head.mac, self.head.profile].contains(&Some(*place)));
        self.rows.push(Row {
            mac,
            profile: named.map(|cell| cell.text.trim().into()),
            values: others.map(|(_, cell)| cell.text.as_ref().into()).collect(),
            at: profile.map_or(at, |cell| cell.at),
        });
    }
}

/// Whether the address is one that many listen to, which no device has of its own (IEEE 802).
pub(crate) fn is_of_a_group(mac: Mac) -> bool {
    mac.0[0] & 1 == 1
}

#[cfg(test)]
mod tests;
