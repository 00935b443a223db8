//! `[cwmp]`: the identity that an auto-configuration server sees, and the data model.

use std::time::Duration;

use super::{clauses, headers, one_line_template, params};
use crate::limits::{ACCOUNTS_MAX, PARAMETERS_MAX};
use crate::located::{Reader, Slot, Value};
use crate::profile::Param;
use crate::profile::accounts::AccountsSpec;
use crate::profile::cwmp::{Binding, CwmpSpec, Live, Parameter, Row, Table};
use crate::profile::template::Template;
use crate::wire::soap::{Kind, Version};

/// TR-069 §3.2.2.
const PORT: u16 = 7_547;
/// TR-069 §3.7.1.4: a session is not given up before 30 s of silence.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The trace shows answers after 5.0 s (FAN-123).
const TIMEOUT_MIN: Duration = Duration::from_secs(6);
/// As TR-069 §3.4.1 wants it; the rest of the head follows from the content.
const HEADERS: [(&str, &str); 3] = [
    ("Host", "{host}"),
    ("User-Agent", "{user_agent}"),
    ("Authorization", "{authorization}"),
];
/// The place of an instance's number.
const NUMBER: &str = "{n}";

/// `[cwmp]`, or none, or `cwmp = false`.
pub(super) fn cwmp(root: &Reader<'_>, accounts: Option<&AccountsSpec>) -> Option<CwmpSpec> {
    let slot = root.may("cwmp");
    if matches!(slot.value(), None | Some(Value::Switch(false))) {
        return None;
    }
    let table = slot.table()?;
    let object = table
        .need("root")
        .parsed("a root object such as Device.", |text| {
            let whole = text.ends_with('.') && is_path(text);
            whole.then(|| text.to_owned())
        });
    let object = object.unwrap_or_default();
    let tables = tables(&table.may("tables"), &object, accounts);
    let parameters = Leaves {
        root: &object,
        tables: &tables,
        accounts,
    }
    .all(&table.need("parameters"));
    let own_headers = table.may("headers");
    let timeout = table.may("timeout_ms").duration().unwrap_or(TIMEOUT);
    if timeout < TIMEOUT_MIN {
        let slot = table.need("timeout_ms");
        slot.fault("'cwmp.timeout_ms' is less than 6000: servers take 5 s at times");
    }
    let or = |key: &str, default: &str| {
        let slot = table.may(key);
        match slot.is_given() {
            true => one_line_template(&slot),
            false => template(default),
        }
    };
    Some(CwmpSpec {
        manufacturer: or("manufacturer", "{vendor}"),
        oui: or("oui", "{mac[0:6]:upper}"),
        product_class: or("product_class", "{model}"),
        serial: or("serial", "{serial}"),
        port: table.may("port").number(1..=u16::MAX).unwrap_or(PORT),
        path: or("path", "/{mac}"),
        version: table
            .may("version")
            .word(&Version::NAMED)
            .unwrap_or(Version::V1_0),
        timeout,
        headers: match own_headers.is_given() {
            true => headers(&own_headers),
            false => HEADERS
                .iter()
                .map(|(name, value)| ((*name).to_owned(), template(value)))
                .collect(),
        },
        asks_methods: table.may("asks_methods").switch().unwrap_or_default(),
        parameters,
        tables,
        clauses: clauses(&table),
        root: object,
    })
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap_or_default()
}

/// Letters, digits, `_`, `-` and dots; no two dots together.
fn is_path(text: &str) -> bool {
    let part = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    text.strip_suffix('.').unwrap_or(text).split('.').all(part)
}

/// `[cwmp.tables]`: objects with instances, by their paths up to the number. Without `instances`
/// there is one for each account, numbered alike.
fn tables(slot: &Slot<'_>, root: &str, accounts: Option<&AccountsSpec>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for (entry, slot) in slot.table().iter().flat_map(Reader::entries) {
        let Some(table) = slot.table() else {
            continue;
        };
        if !entry.key.ends_with('.') || !is_path(&entry.key) {
            slot.fault("a table's path is not dotted words with a dot at their end");
        }
        let count = table.may("instances").number(1..=ACCOUNTS_MAX);
        let of_accounts = accounts.map(|accounts| (accounts.first, accounts.count));
        let (first, count) = match (count, of_accounts) {
            (Some(count), _) => (1, count),
            (None, Some(accounts)) => accounts,
            (None, None) => {
                slot.fault("'instances' is missing, and there are no accounts to go by");
                (1, 1)
            }
        };
        tables.push(Table {
            path: [root, &entry.key].concat(),
            first,
            count,
            addable: table.may("addable").switch().unwrap_or_default(),
        });
    }
    tables.sort_by(|left, right| left.path.cmp(&right.path));
    tables
}

/// What the leaves of the data model are read with.
struct Leaves<'a> {
    root: &'a str,
    tables: &'a [Table],
    accounts: Option<&'a AccountsSpec>,
}

impl Leaves<'_> {
    /// `[cwmp.parameters]`, each with `{n}` once for each instance.
    fn all(&self, slot: &Slot<'_>) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        for (entry, slot) in slot.table().iter().flat_map(Reader::entries) {
            if let Some(table) = slot.table() {
                self.leaf(&entry.key, &slot, &table, &mut parameters);
            }
        }
        if parameters.len() > PARAMETERS_MAX {
            slot.fault(format!("more than {PARAMETERS_MAX} parameters"));
            parameters.truncate(PARAMETERS_MAX);
        }
        parameters.sort_by(|left, right| left.path.cmp(&right.path));
        parameters.dedup_by(|later, first| later.path == first.path);
        parameters
    }

    fn leaf(&self, key: &str, slot: &Slot<'_>, table: &Reader<'_>, out: &mut Vec<Parameter>) {
        let path = [self.root, key].concat();
        let (before, after) = match path.split_once(NUMBER) {
            Some((before, after)) => (before, Some(after)),
            None => (path.as_str(), None),
        };
        let shape = [before, after.map_or("", |_| "1"), after.unwrap_or_default()].concat();
        let in_row = after.is_none_or(|after| before.ends_with('.') && after.starts_with('.'));
        if !is_path(&shape) || path.ends_with('.') || !in_row {
            slot.fault("a parameter's path is not dotted words with at most one {n}");
            return;
        }
        let leaf = self.without_number(table);
        let Some(rest) = after else {
            out.extend(self.bound(slot, table, None).map(|binding| Parameter {
                path: before.to_owned(),
                binding,
                ..leaf
            }));
            return;
        };
        let known = self.tables.iter().position(|table| table.path == before);
        let Some(place) = known else {
            let shown = before.strip_prefix(self.root).unwrap_or(before);
            slot.fault(format!("no table '{shown}' in 'cwmp.tables' for {{n}}"));
            return;
        };
        let numbers = self.tables.iter().skip(place).take(1);
        for instance in numbers.flat_map(Table::numbers) {
            let Some(binding) = self.bound(slot, table, Some(instance)) else {
                return;
            };
            out.push(Parameter {
                path: format!("{before}{instance}{rest}"),
                binding,
                row: Some(Row {
                    table: u8::try_from(place).unwrap_or(u8::MAX),
                    instance,
                }),
                ..leaf.clone()
            });
        }
    }

    /// Everything but path, binding and instance.
    fn without_number(&self, table: &Reader<'_>) -> Parameter {
        let given = table.may("type").word(&Kind::NAMED);
        let param = table.may("param");
        let param = param.is_given().then(|| param.word(&Param::ALL)).flatten();
        let range = table.may("range");
        let bounds: Vec<i64> = range
            .list()
            .iter()
            .filter_map(|item| item.number(i64::MIN..=i64::MAX))
            .collect();
        let bounds = match *bounds.as_slice() {
            [least, most] if least <= most => Some((least, most)),
            _ if range.is_given() => {
                range.fault("'range' is not [least, most]");
                None
            }
            _ => None,
        };
        let words = table.may("words").table();
        let words = words
            .iter()
            .flat_map(Reader::entries)
            .filter_map(|(entry, slot)| Some((entry.key.clone(), slot.text()?.to_owned())));
        let words = words.collect();
        let kind = given.unwrap_or_else(|| match param.map(params::kind) {
            Some(params::Kind::Switch) => Kind::Boolean,
            Some(params::Kind::Seconds) => Kind::UnsignedInt,
            Some(params::Kind::Word(_) | params::Kind::Text) | None => Kind::Text,
        });
        Parameter {
            path: String::new(),
            binding: Binding::Constant(Template::default()),
            kind,
            writable: table.may("writable").switch().unwrap_or_default(),
            inform: table.may("inform").switch().unwrap_or_default(),
            hidden: table.may("hidden").switch().unwrap_or_default(),
            notification: table.may("notification").number(0..=2_u8).unwrap_or(0),
            range: bounds,
            words,
            row: None,
        }
    }

    /// Exactly one of `param`, `setting`, `account`, `constant` and `live`.
    fn bound(&self, slot: &Slot<'_>, table: &Reader<'_>, instance: Option<u8>) -> Option<Binding> {
        let params = Param::ALL;
        let slots = ["param", "setting", "account", "constant", "live"].map(|key| table.may(key));
        let [param, setting, account, constant, live] = &slots;
        if slots.iter().filter(|slot| slot.is_given()).count() != 1 {
            slot.fault("expected one of 'param', 'setting', 'account', 'constant', 'live'");
            return None;
        }
        if param.is_given() {
            return param.word(&params).map(Binding::Param);
        }
        if live.is_given() {
            return live.word(&Live::ALL).map(Binding::Live);
        }
        if constant.is_given() {
            return Some(Binding::Constant(one_line_template(constant)));
        }
        if account.is_given() {
            let key = account.parsed("the name of a key of 'accounts'", |name| {
                let named = self.accounts?.keys.named();
                let (_, key) = named.into_iter().find(|(known, _)| *known == name)?;
                Some(key?.of(instance.unwrap_or(1)).into_owned())
            });
            return key.map(Binding::Setting);
        }
        let key = setting.parsed("a setting key", |text| {
            let safe = !text.is_empty() && !text.chars().any(char::is_control);
            let number = instance.map(|instance| instance.to_string());
            let key = text.replace(NUMBER, number.as_deref().unwrap_or(NUMBER));
            (safe && !key.contains(['{', '}', '='])).then_some(key)
        });
        key.map(Binding::Setting)
    }
}

#[cfg(test)]
mod tests;
