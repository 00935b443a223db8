//! The data model: leaves bound to the phone's settings, read and set (TR-069 A.3.2, TR-106).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher as _};
use std::rc::Rc;

use rustc_hash::FxHasher;

use super::memory::{AcsMemory, Attribute};
use super::{Device, fault_text};
use crate::event::{EventKind, File, Limit, LineReason};
use crate::flash::Flash;
use crate::format::{Document, Setting, Span};
use crate::limits::{PARAMETERS_MAX, SOAP_BYTES_MAX, VALUE_BYTES_MAX};
use crate::names::Name;
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::profile::StepId;
use crate::profile::cwmp::{Binding, CwmpSpec, Live, Parameter, Row};
use crate::profile::keys::{Judgement, Meaning};
use crate::settings::Vetted;
use crate::time::Moment;
use crate::wire::soap::{Kind, NameInfo, ParameterFault, Value};

/// Where values that the server sets count as coming from.
pub(super) const FILE: File = File::Step(StepId::ACS);
const ON: [&str; 5] = ["1", "on", "true", "yes", "enable"];

/// Why values are not set: the fault of the whole call, and those of its parameters.
pub(super) struct Refused {
    pub(super) code: u16,
    pub(super) parameters: Vec<ParameterFault<'static>>,
}

/// A value ready to be set.
enum Change<'a> {
    Setting(&'a str, Cow<'a, str>),
    Web(crate::profile::Param, Cow<'a, str>),
}

/// The value of a leaf, as the server sees it.
pub(super) fn value(
    turn: &Turn<'_>,
    flash: &Flash,
    up: Moment,
    spec: &CwmpSpec,
    leaf: &Parameter,
) -> String {
    if leaf.hidden {
        return String::new();
    }
    let held = match &leaf.binding {
        Binding::Param(param) => params::text(turn, flash, *param),
        Binding::Setting(key) => Cow::Borrowed(setting(turn, flash, key)),
        Binding::Constant(template) => return template.text(&turn.vars()),
        Binding::Live(Live::ConnectionRequestUrl) => {
            let path = spec.path.text(&turn.vars());
            let port = match turn.shelf.ports.cwmp {
                0 => spec.port,
                given => given,
            };
            return format!("http://{}:{port}{path}", turn.address);
        }
        Binding::Live(Live::ParameterKey) => {
            let memory = flash.acs();
            return memory.map_or_else(String::new, |memory| memory.parameter_key.to_string());
        }
        Binding::Live(Live::UpTime) => return turn.now.since(up).as_secs().to_string(),
    };
    shown(leaf, &held)
}

fn setting<'a>(turn: &Turn<'_>, flash: &'a Flash, key: &str) -> &'a str {
    let key = turn.shelf.keys.find(key);
    let held = key.and_then(|key| flash.settings.held(key));
    held.map_or("", |held| held.value)
}

/// A setting's value in the words and the type of the data model.
fn shown(leaf: &Parameter, held: &str) -> String {
    let mut words = leaf.words.iter();
    if let Some((word, _)) = words.find(|(_, known)| known == held) {
        return word.clone();
    }
    match leaf.kind {
        Kind::Boolean => {
            let on = ON.iter().any(|word| held.eq_ignore_ascii_case(word));
            String::from(if on { "1" } else { "0" })
        }
        Kind::Int | Kind::UnsignedInt if held.trim().parse::<i64>().is_err() => "0".to_owned(),
        _ => held.to_owned(),
    }
}

/// Whether an instance is there.
pub(super) fn is_there(turn: &Turn<'_>, flash: &Flash, spec: &CwmpSpec, row: Row) -> bool {
    let Some(table) = spec.tables.get(usize::from(row.table)) else {
        return false;
    };
    let added = || {
        flash
            .acs()
            .is_some_and(|memory| memory.added.contains(&row))
    };
    !table.addable || added() || row_leaves(spec, row).any(|(_, leaf)| is_set(turn, flash, leaf))
}

fn row_leaves(spec: &CwmpSpec, row: Row) -> impl Iterator<Item = (usize, &Parameter)> {
    let leaves = spec.parameters.iter().enumerate();
    leaves.filter(move |(_, leaf)| leaf.row == Some(row))
}

fn is_set(turn: &Turn<'_>, flash: &Flash, leaf: &Parameter) -> bool {
    matches!(&leaf.binding, Binding::Setting(key) if !setting(turn, flash, key).is_empty())
}

impl<'t> Device<'_, 't> {
    /// The leaf is part of an instance that is there, or of none.
    fn is_leaf(&self, spec: &CwmpSpec, leaf: &Parameter) -> bool {
        leaf.row
            .is_none_or(|row| is_there(self.turn, self.flash, spec, row))
    }

    /// The places of the leaves that a path names: a whole path, or an object's with its dot, or
    /// nothing for all.
    fn named(&self, spec: &CwmpSpec, path: &str) -> Result<Vec<usize>, u16> {
        let partial = path.is_empty() || path.ends_with('.');
        let range = match partial {
            true => spec.under(path),
            false => spec.find(path).map_or(0..0, |place| place..place + 1),
        };
        let mut there: BTreeMap<Row, bool> = BTreeMap::new();
        let places: Vec<usize> = range
            .filter(|place| {
                let row = spec.parameters.get(*place).and_then(|leaf| leaf.row);
                row.is_none_or(|row| {
                    let found = there.entry(row);
                    *found.or_insert_with(|| is_there(self.turn, self.flash, spec, row))
                })
            })
            .collect();
        // An object whose instances are all gone is there still.
        let empty = || spec.tables.iter().any(|table| table.path.starts_with(path));
        match places.is_empty() && !(partial && empty()) {
            true => Err(9_005),
            false => Ok(places),
        }
    }

    /// Those of several paths.
    pub(super) fn all_named(
        &mut self,
        spec: &CwmpSpec,
        paths: &[Cow<'_, str>],
    ) -> Result<Vec<usize>, u16> {
        let mut places = Vec::new();
        for path in paths {
            places.extend(self.named(spec, path)?);
            if places.len() > PARAMETERS_MAX {
                return Err(self.over_limit(Limit::Parameters, PARAMETERS_MAX));
            }
        }
        Ok(places)
    }

    pub(super) fn over_limit(&mut self, limit: Limit, value: usize) -> u16 {
        let value = value as u64;
        self.turn.event(EventKind::LimitReached { limit, value });
        9_004
    }

    /// A leaf with its value.
    pub(super) fn told(&self, spec: &CwmpSpec, place: usize) -> Option<Value<'static>> {
        let leaf = spec.parameters.get(place)?;
        Some(Value {
            name: leaf.path.clone().into(),
            kind: Some(leaf.kind),
            value: value(self.turn, self.flash, self.up, spec, leaf).into(),
        })
    }

    /// GetParameterValues (A.3.2.2).
    pub(super) fn values(
        &mut self,
        spec: &CwmpSpec,
        paths: &[Cow<'_, str>],
    ) -> Result<Vec<Value<'static>>, u16> {
        let places = self.all_named(spec, paths)?;
        let mut bytes = 0;
        let mut values = Vec::with_capacity(places.len());
        for place in places {
            let Some(told) = self.told(spec, place) else {
                continue;
            };
            bytes += told.name.len() + told.value.len();
            if bytes > SOAP_BYTES_MAX {
                return Err(self.over_limit(Limit::SoapBytes, SOAP_BYTES_MAX));
            }
            values.push(told);
        }
        Ok(values)
    }

    /// GetParameterNames (A.3.2.3): objects and leaves, an object before what is in it.
    pub(super) fn names(
        &mut self,
        spec: &CwmpSpec,
        path: &str,
        next_level: bool,
    ) -> Result<Vec<NameInfo<'static>>, u16> {
        let partial = path.is_empty() || path.ends_with('.');
        if next_level && !partial {
            return Err(9_003);
        }
        let places = self.named(spec, path)?;
        let mut found: BTreeMap<&str, bool> = BTreeMap::new();
        for table in spec
            .tables
            .iter()
            .filter(|table| table.path.starts_with(path))
        {
            objects(&table.path, path, &mut found);
            found.insert(&table.path, table.addable);
        }
        for place in places {
            let Some(leaf) = spec.parameters.get(place) else {
                continue;
            };
            objects(&leaf.path, path, &mut found);
            if let Some(table) = leaf
                .row
                .and_then(|row| spec.tables.get(usize::from(row.table)))
            {
                let rest = leaf.path.get(table.path.len()..).unwrap_or_default();
                let dot = rest.find('.').unwrap_or(0);
                let instance = leaf.path.get(..table.path.len() + dot + 1);
                if let Some(writable) = instance.and_then(|instance| found.get_mut(instance)) {
                    *writable = table.addable;
                }
            }
            found.insert(&leaf.path, leaf.writable);
        }
        let below = |name: &str| {
            let rest = name.get(path.len()..).unwrap_or_default();
            let rest = rest.strip_suffix('.').unwrap_or(rest);
            !rest.is_empty() && !rest.contains('.')
        };
        let kept = found
            .into_iter()
            .filter(|(name, _)| !next_level || below(name));
        let names: Vec<NameInfo<'static>> = kept
            .map(|(name, writable)| NameInfo {
                name: name.to_owned().into(),
                writable,
            })
            .collect();
        if names.len() > PARAMETERS_MAX {
            return Err(self.over_limit(Limit::Parameters, PARAMETERS_MAX));
        }
        Ok(names)
    }

    /// SetParameterValues (A.3.2.1): all of them or none. Whether a reboot is due for them.
    pub(super) fn set(
        &mut self,
        spec: &CwmpSpec,
        values: &[Value<'_>],
        key: &str,
    ) -> Result<bool, Refused> {
        let whole = |code| Refused {
            code,
            parameters: Vec::new(),
        };
        let mut names: Vec<&str> = values.iter().map(|value| value.name.as_ref()).collect();
        names.sort_unstable();
        if names
            .windows(2)
            .any(|pair| matches!(pair, [one, other] if one == other))
        {
            return Err(whole(9_003));
        }
        let mut changes = Vec::with_capacity(values.len());
        let mut faults = Vec::new();
        for value in values {
            match self.change(spec, value) {
                Ok(change) => changes.push(change),
                Err(code) => faults.push(ParameterFault {
                    name: value.name.to_string().into(),
                    code,
                    text: fault_text(code).into(),
                }),
            }
        }
        if !faults.is_empty() {
            return Err(Refused {
                code: 9_003,
                parameters: faults,
            });
        }
        let reboot = self.apply(&changes).map_err(whole)?;
        self.memory().parameter_key = key.into();
        for value in values {
            if let Some(place) = spec.find(&value.name) {
                self.tell(spec, place);
            }
        }
        Ok(reboot)
    }

    /// What setting one value means, or why it cannot be set.
    fn change<'v>(&self, spec: &'v CwmpSpec, value: &'v Value<'_>) -> Result<Change<'v>, u16>
    where
        't: 'v,
    {
        let place = spec.find(&value.name).ok_or(9_005_u16)?;
        let leaf = spec.parameters.get(place).ok_or(9_005_u16)?;
        if !self.is_leaf(spec, leaf) {
            return Err(9_005);
        }
        if !leaf.writable {
            return Err(9_008);
        }
        if value.kind.is_some_and(|kind| kind != leaf.kind) {
            return Err(9_006);
        }
        let held = stored(leaf, &value.value).ok_or(9_007_u16)?;
        let profile = self.turn.profile;
        let key = match &leaf.binding {
            Binding::Setting(key) => key,
            Binding::Param(param) => {
                let bound = profile.params.get(*param as usize);
                match bound.and_then(|bound| bound.keys.first()) {
                    Some(key) => key,
                    None => return Ok(Change::Web(*param, held)),
                }
            }
            Binding::Constant(_) | Binding::Live(_) => return Err(9_008),
        };
        match profile.keys.judge(key, &held) {
            Judgement::Keep(_) => Ok(Change::Setting(key, held)),
            Judgement::Ignore(LineReason::BadValue) => Err(9_007),
            Judgement::Ignore(_) => Err(9_005),
        }
    }

    /// Puts values on top of the settings in force, as a document would be.
    fn apply(&mut self, changes: &[Change<'_>]) -> Result<bool, u16> {
        let mut settings: Vec<(Name, &str)> = Vec::new();
        for change in changes {
            if let Change::Setting(key, value) = change {
                let key = self.turn.shelf.keys.intern(key).ok_or(9_004_u16)?;
                settings.push((key, value));
            }
        }
        // The later one of two that mean the same setting counts.
        settings.sort_by_key(|(key, _)| *key);
        for change in changes {
            if let Change::Web(param, value) = change {
                self.flash.set_web(*param, value);
            }
        }
        if settings.is_empty() {
            return Ok(false);
        }
        let mut text = String::new();
        let mut packed: Vec<Setting> = Vec::with_capacity(settings.len());
        for (line, (key, value)) in (1..).zip(&settings) {
            let start = u32::try_from(text.len()).map_err(|_| 9_004_u16)?;
            let length = u32::try_from(value.len()).map_err(|_| 9_004_u16)?;
            text.push_str(value);
            let setting = Setting::new(*key, Span { start, length }, line).ok_or(9_004_u16)?;
            if packed.last().is_some_and(|last| last.key == *key) {
                packed.pop();
            }
            packed.push(setting);
        }
        let document = Document {
            settings: packed.into_boxed_slice(),
            text: text.into_boxed_str(),
            ..Document::default()
        };
        let profile = self.turn.profile;
        let vetted = Vetted::new(&document, &profile.keys, &self.turn.shelf.keys);
        for (_, meaning) in &vetted.meanings {
            if let Meaning::Bound(param) = meaning {
                self.flash.web.retain(|(held, _)| held != param);
            }
        }
        let applied = self.flash.settings.overlay(FILE, Rc::new(vetted));
        self.turn.event(EventKind::Applied {
            file: FILE,
            settings: applied.settings,
            changed: applied.changed,
        });
        if applied.over_limit {
            let value = crate::settings::SETTINGS_BYTES_MAX;
            self.over_limit(Limit::SettingsBytes, value);
        }
        Ok(applied.reboot)
    }

    /// AddObject (A.3.2.6): the new instance's number.
    pub(super) fn add(&mut self, spec: &CwmpSpec, path: &str, key: &str) -> Result<u32, u16> {
        let known = spec.tables.iter().position(|table| table.path == path);
        let place = known.ok_or(9_005_u16)?;
        let table = spec.tables.get(place).filter(|table| table.addable);
        let table = table.ok_or(9_005_u16)?;
        let row = |instance| Row {
            table: u8::try_from(place).unwrap_or(u8::MAX),
            instance,
        };
        let free = table
            .numbers()
            .find(|number| !is_there(self.turn, self.flash, spec, row(*number)));
        let instance = free.ok_or(9_004_u16)?;
        let memory = self.memory();
        memory.added.push(row(instance));
        memory.parameter_key = key.into();
        Ok(u32::from(instance))
    }

    /// DeleteObject (A.3.2.7): the instance's settings are cleared. Whether a reboot is due.
    pub(super) fn delete(&mut self, spec: &CwmpSpec, path: &str, key: &str) -> Result<bool, u16> {
        let mut tables = (0..).zip(&spec.tables);
        let found = tables.find_map(|(place, table)| {
            let number = path.strip_prefix(&table.path)?.strip_suffix('.')?;
            let instance = number.parse().ok()?;
            let known = table.addable && table.numbers().any(|known| known == instance);
            known.then_some(Row {
                table: place,
                instance,
            })
        });
        let row = found.filter(|row| is_there(self.turn, self.flash, spec, *row));
        let row = row.ok_or(9_005_u16)?;
        let leaves = row_leaves(spec, row).map(|(_, leaf)| leaf);
        let cleared = leaves.filter(|leaf| is_set(self.turn, self.flash, leaf));
        let changes: Vec<Change<'_>> = cleared
            .filter_map(|leaf| match &leaf.binding {
                Binding::Setting(key) => Some(Change::Setting(key, Cow::Borrowed(""))),
                _ => None,
            })
            .collect();
        let reboot = self.apply(&changes)?;
        let memory = self.memory();
        memory.added.retain(|held| *held != row);
        memory.parameter_key = key.into();
        Ok(reboot)
    }

    /// The attributes of a leaf: notification, and whether `Subscriber` may write it.
    pub(super) fn attributes(&self, spec: &CwmpSpec, place: usize) -> (u8, bool) {
        attributes(self.flash.acs(), spec, place)
    }

    /// Sets what is to change of the attributes of leaves.
    pub(super) fn set_attributes(
        &mut self,
        spec: &CwmpSpec,
        places: &[usize],
        notification: Option<u8>,
        subscriber: Option<bool>,
    ) {
        for place in places {
            let (told, writes) = self.attributes(spec, *place);
            let Ok(number) = u16::try_from(*place) else {
                continue;
            };
            let memory = self.memory();
            memory.attributes.retain(|held| held.place != number);
            memory.attributes.push(Attribute {
                place: number,
                notification: notification.unwrap_or(told),
                subscriber: subscriber.unwrap_or(writes),
            });
            self.tell(spec, *place);
        }
    }

    /// The server knows the value of a leaf now.
    pub(super) fn tell(&mut self, spec: &CwmpSpec, place: usize) {
        let Ok(number) = u16::try_from(place) else {
            return;
        };
        let told = self.attributes(spec, place).0 > 0;
        let print = spec.parameters.get(place);
        let print = print.map(|leaf| print_of(self.turn, self.flash, spec, leaf));
        let memory = self.memory();
        memory.told.retain(|(held, _)| *held != number);
        if let Some(print) = print.filter(|_| told) {
            memory.told.push((number, print));
        }
    }
}

/// Every leaf whose change is to be told and whose value the server does not know, with its
/// notification.
pub(crate) fn current(turn: &Turn<'_>, flash: &Flash, spec: &CwmpSpec) -> Vec<(usize, u8)> {
    let Some(memory) = flash.acs() else {
        return Vec::new();
    };
    let mut changed = Vec::new();
    for (place, leaf) in spec.parameters.iter().enumerate() {
        let (notification, _) = attributes(Some(memory), spec, place);
        if notification == 0 {
            continue;
        }
        let told = memory
            .told
            .iter()
            .find(|(held, _)| usize::from(*held) == place);
        let print = print_of(turn, flash, spec, leaf);
        if told.is_some_and(|(_, known)| *known != print) {
            changed.push((place, notification));
        }
    }
    changed
}

fn attributes(memory: Option<&AcsMemory>, spec: &CwmpSpec, place: usize) -> (u8, bool) {
    let mut held = memory.iter().flat_map(|memory| &memory.attributes);
    let held = held.find(|held| usize::from(held.place) == place);
    let given = spec
        .parameters
        .get(place)
        .map_or(0, |leaf| leaf.notification);
    held.map_or((given, true), |held| (held.notification, held.subscriber))
}

/// A number that is equal for equal values and differs, but for hash accidents, between others.
fn print_of(turn: &Turn<'_>, flash: &Flash, spec: &CwmpSpec, leaf: &Parameter) -> u64 {
    let mut hasher = FxHasher::default();
    value(turn, flash, turn.now, spec, leaf).hash(&mut hasher);
    hasher.finish()
}

/// What a setting is to hold for a value of the data model; `None` when it is none that fits.
fn stored<'v>(leaf: &'v Parameter, text: &'v str) -> Option<Cow<'v, str>> {
    if text.len() > VALUE_BYTES_MAX {
        return None;
    }
    if !leaf.words.is_empty() {
        // Both spellings of a boolean mean the same.
        let other = match (leaf.kind, text.trim()) {
            (Kind::Boolean, "1") => "true",
            (Kind::Boolean, "true") => "1",
            (Kind::Boolean, "0") => "false",
            (Kind::Boolean, "false") => "0",
            _ => text,
        };
        let mut words = leaf.words.iter();
        let (_, held) = words.find(|(word, _)| word == text || word == other)?;
        return Some(Cow::Borrowed(held));
    }
    match leaf.kind {
        Kind::Boolean => match text.trim() {
            "1" | "true" => Some(Cow::Borrowed("1")),
            "0" | "false" => Some(Cow::Borrowed("0")),
            _ => None,
        },
        Kind::Int | Kind::UnsignedInt => {
            let number: i64 = text.trim().parse().ok()?;
            let (least, most) = match leaf.kind {
                Kind::Int => (i64::from(i32::MIN), i64::from(i32::MAX)),
                _ => (0, i64::from(u32::MAX)),
            };
            let (least, most) = leaf.range.unwrap_or((least, most));
            let fits = (least..=most).contains(&number);
            fits.then(|| Cow::Owned(number.to_string()))
        }
        Kind::Text | Kind::DateTime | Kind::Base64 => {
            let safe = !text.chars().any(char::is_control);
            safe.then_some(Cow::Borrowed(text))
        }
    }
}

/// The objects on the way from `from` to a leaf or table.
fn objects<'p>(path: &'p str, from: &str, found: &mut BTreeMap<&'p str, bool>) {
    for (at, _) in path.match_indices('.') {
        if let Some(object) = path.get(..=at)
            && object.len() >= from.len()
        {
            found.entry(object).or_insert(false);
        }
    }
}
