//! The web page's fields and the rules for setting keys.

use std::collections::BTreeSet;

use super::{clauses, is_line, one_line_template};
use crate::located::{Reader, Slot, nearest};
use crate::profile::keys::{KeyRule, KeyRules, Meaning, ValueKind};
use crate::profile::template::Template;
use crate::profile::{Param, ParamSpec, Tasks};

/// The longest time that a parameter may be set to, in seconds: ten years.
const SECONDS_MAX: i64 = 10 * 366 * 86_400;
/// The highest index of a key, and the highest number of accounts or keys of a model.
pub(super) const INDEX_MAX: u32 = 9_999;
/// Key patterns of one profile.
const PATTERNS_MAX: usize = 4_096;
const AUTH_METHODS: [&str; 4] = ["digest", "basic", "none", "any"];
/// `in-turn`: https, then http, then tftp (AUE-38).
const TRANSPORTS: [&str; 2] = ["udp", "tcp"];
const STATIC_MODES: [&str; 3] = ["disabled", "after-reboot", "interval"];
const STATIC_SCHEMES: [&str; 4] = ["ftp", "tftp", "http", "https"];
const ACS_KINDS: [&str; 2] = ["common", "ctc"];
const SCHEMES: [&str; 5] = ["tftp", "http", "https", "ftp", "in-turn"];

/// What a parameter's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `1` or `0`; `true` or `false` in a profile.
    Switch,
    /// Whole seconds.
    Seconds,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A template.
    Text,
}

pub(super) fn kind(param: Param) -> Kind {
    match param {
        param if is_switch(param) => Kind::Switch,
        Param::RandomDelayS
        | Param::PeriodicS
        | Param::ErrorRetryS
        | Param::ForcedDelayS
        | Param::TimetableRandomMinS
        | Param::TimetableRandomMaxS
        | Param::PnpPeriodS
        | Param::StaticIntervalS
        | Param::AcsPeriodS
        | Param::UpgradeErrorRetryS => Kind::Seconds,
        Param::AuthMethod | Param::SecondAuthMethod => Kind::Word(&AUTH_METHODS),
        Param::BareScheme => Kind::Word(&SCHEMES),
        Param::PnpTransport => Kind::Word(&TRANSPORTS),
        Param::StaticMode => Kind::Word(&STATIC_MODES),
        Param::StaticScheme => Kind::Word(&STATIC_SCHEMES),
        Param::AcsKind => Kind::Word(&ACS_KINDS),
        _ => Kind::Text,
    }
}

fn is_switch(param: Param) -> bool {
    matches!(
        param,
        Param::ProvisionEnable
            | Param::PnpEnable
            | Param::ResyncOnReset
            | Param::ResyncAfterUpgrade
            | Param::ResyncFromSip
            | Param::Option66Enable
            | Param::Option67Enable
            | Param::Option114Enable
            | Param::DhcpEnable
            | Param::RedirectEnable
            | Param::TimetableMonday
            | Param::TimetableTuesday
            | Param::TimetableWednesday
            | Param::TimetableThursday
            | Param::TimetableFriday
            | Param::TimetableSaturday
            | Param::TimetableSunday
            | Param::TimetableRandom
            | Param::MdnsEnable
            | Param::KeysSwapped
            | Param::DownloadCommon
            | Param::SaveInput
            | Param::VersionDecides
            | Param::FtpActive
            | Param::AcsEnable
            | Param::UpgradeEnable
    )
}

/// `[params]`: each parameter with its default; one that is not named is off, zero, the first
/// word or empty, and bound to no key.
pub(super) fn params(slot: &Slot<'_>) -> Vec<ParamSpec> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let all = Param::ALL.iter();
    all.map(|(param, name)| {
        let slot = table.may(name);
        if !slot.is_given() {
            return neutral(kind(*param));
        }
        let spec = slot.table().map(|table| spec(kind(*param), &table));
        spec.unwrap_or_default()
    })
    .collect()
}

fn neutral(kind: Kind) -> ParamSpec {
    let default = match kind {
        Kind::Switch | Kind::Seconds => "0",
        Kind::Word(words) => words.first().copied().unwrap_or_default(),
        Kind::Text => "",
    };
    ParamSpec {
        default: Template::literal(default),
        ..ParamSpec::default()
    }
}

fn spec(kind: Kind, table: &Reader<'_>) -> ParamSpec {
    let slot = table.need("default");
    let default = match kind {
        Kind::Switch => slot
            .switch()
            .map(|on| Template::literal(if on { "1" } else { "0" })),
        Kind::Seconds => slot
            .number(0..=SECONDS_MAX)
            .map(|seconds| Template::literal(&seconds.to_string())),
        Kind::Word(words) => {
            let words: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
            slot.word(&words).map(Template::literal)
        }
        Kind::Text => Some(one_line_template(&slot)),
    };
    let keys = table.may("keys").list();
    let keys = keys.iter().filter_map(|item| {
        item.parsed("a setting key", |text| {
            is_key(text).then(|| text.to_owned())
        })
    });
    let codes = table.may("codes").table();
    let codes = codes.iter().flat_map(Reader::entries);
    let codes = codes.filter_map(|(entry, slot)| {
        let word = match kind {
            Kind::Word(words) => {
                let words: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
                slot.word(&words).map(str::to_owned)
            }
            _ => slot.parsed("a text of one line", |text| {
                is_line(text).then(|| text.to_owned())
            }),
        };
        Some((entry.key.clone(), word?))
    });
    let unit = table.may("unit_s");
    if unit.is_given() && !matches!(kind, Kind::Seconds) {
        unit.fault("only a time has a unit");
    }
    ParamSpec {
        default: default.unwrap_or_default(),
        codes: codes.collect(),
        unit_s: unit.number(1..=86_400).unwrap_or(1),
        keys: keys.collect(),
        clauses: clauses(table),
    }
}

/// `[index_limits]`: names for the highest index of a key family, used as `{name}` in patterns.
pub(super) fn index_limits(slot: &Slot<'_>) -> Vec<(String, u32)> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let entries = table.entries();
    entries
        .filter_map(|(entry, value)| {
            let limit = value.number(1..=INDEX_MAX)?;
            Some((entry.key.clone(), limit))
        })
        .collect()
}

/// `[keys]`: the rules in the order of the file, after those of the keys that set parameters.
pub(super) fn key_rules(
    root: &Reader<'_>,
    limits: &[(String, u32)],
    params: &[ParamSpec],
    tasks: &Tasks,
) -> KeyRules {
    let slot = root.may("keys");
    let mut unknown = BTreeSet::new();
    let mut rules = bound_rules(params);
    rules.extend(task_rules(tasks));
    let mut keep_unknown = false;
    if let Some(table) = slot.table() {
        keep_unknown = table.may("keep_unknown").switch().unwrap_or_default();
        let _ = clauses(&table);
        if let Some(table) = table.may("rules").table() {
            for (_, slot) in table.entries() {
                if let Some(table) = slot.table() {
                    rules.extend(rule_group(&table, limits, &mut unknown));
                }
            }
        }
    }
    if rules.len() > PATTERNS_MAX {
        slot.fault(format!("more than {PATTERNS_MAX} key patterns"));
    }
    for name in unknown {
        let expected = format!("a whole number from 1 to {INDEX_MAX}");
        let message = format!("missing key 'index_limits.{name}' (expected {expected})");
        root.may("index_limits").fault(message);
    }
    KeyRules {
        rules,
        keep_unknown,
    }
}

/// Rules for the keys that set parameters; the value must be one that the parameter can have.
fn bound_rules(params: &[ParamSpec]) -> Vec<KeyRule> {
    let mut rules = Vec::new();
    for ((param, _), spec) in Param::ALL.iter().zip(params) {
        for key in &spec.keys {
            let words = |words: &[&str]| {
                let codes = spec.codes.iter().map(|(code, _)| code.clone());
                let words = words.iter().map(|word| (*word).to_owned());
                ValueKind::Words(codes.chain(words).collect())
            };
            rules.push(KeyRule {
                pattern: key.clone(),
                value: match kind(*param) {
                    Kind::Switch => words(&["0", "1"]),
                    Kind::Seconds => ValueKind::Number(0, SECONDS_MAX),
                    Kind::Word(known) => words(known),
                    Kind::Text => ValueKind::Text,
                },
                meaning: Meaning::Bound(*param),
            });
        }
    }
    rules
}

/// Rules for the keys that name what a task fetches.
fn task_rules(tasks: &Tasks) -> impl Iterator<Item = KeyRule> + '_ {
    let keys = tasks.list.iter().flat_map(|task| task.settings.iter());
    keys.map(|key| KeyRule {
        pattern: key.clone(),
        value: ValueKind::Text,
        meaning: Meaning::Plain,
    })
}

/// Whether a text can be the key of a setting.
pub(super) fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_key_byte)
}

/// One table of rules: patterns that share values and meaning.
/// Names of index limits that nothing defines go into `unknown`.
fn rule_group(
    table: &Reader<'_>,
    limits: &[(String, u32)],
    unknown: &mut BTreeSet<String>,
) -> Vec<KeyRule> {
    let meanings = [
        (Meaning::Plain, "plain"),
        (Meaning::Reboot, "reboot"),
        (Meaning::Resource, "resource"),
        (Meaning::Firmware, "firmware"),
    ];
    let meaning = table.may("meaning").word(&meanings);
    let value = value_kind(table);
    let _ = clauses(table);
    let patterns = table.need("patterns").list();
    let mut rules = Vec::new();
    for item in &patterns {
        let Some(text) = item.text() else {
            continue;
        };
        match pattern(text, limits) {
            Ok(pattern) => rules.push(KeyRule {
                pattern,
                value: value.clone(),
                meaning: meaning.unwrap_or(Meaning::Plain),
            }),
            Err(Wrong::Limit(name)) => {
                unknown.insert(name);
            }
            Err(Wrong::Text(at, what)) => {
                item.fault_at(at, format!("'{}': {what}", item.name()));
            }
        }
    }
    rules
}

fn value_kind(table: &Reader<'_>) -> ValueKind {
    let (range, words) = (table.may("range"), table.may("words"));
    if range.is_given() && words.is_given() {
        words.fault("'range' and 'words' exclude each other");
    }
    let chars = table.may("chars_max");
    if chars.is_given() {
        if range.is_given() || words.is_given() {
            chars.fault("'chars_max' and 'range' or 'words' exclude each other");
        }
        return ValueKind::Chars(chars.number(1..=65_535).unwrap_or(65_535));
    }
    if range.is_given() {
        let bounds: Vec<i64> = range
            .list()
            .iter()
            .filter_map(|item| item.number(i64::MIN..=i64::MAX))
            .collect();
        if let [least, most] = *bounds.as_slice()
            && least <= most
        {
            return ValueKind::Number(least, most);
        }
        range.fault("'range' is not [least, most]");
    }
    if words.is_given() {
        let list = words.texts();
        if list.is_empty() || !list.iter().all(|word| is_line(word)) {
            words.fault("'words' has no word or an empty one");
        }
        return ValueKind::Words(list);
    }
    ValueKind::Text
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-/@[] ".contains(&byte)
}

/// What is wrong with a pattern.
enum Wrong {
    /// This byte, for this reason.
    Text(usize, String),
    /// It names an index limit that is not there.
    Limit(String),
}

/// Checks a pattern and puts the model's limit in the place of `{name}`: `account.{accounts}.label`
/// becomes `account.{1-4}.label`.
fn pattern(text: &str, limits: &[(String, u32)]) -> Result<String, Wrong> {
    let wrong = |at, what: &str| Wrong::Text(at, what.to_owned());
    let body = text.strip_suffix('*').unwrap_or(text);
    if text.is_empty() {
        return Err(wrong(0, "pattern is empty"));
    }
    let check = |part: &str, start: usize| match part.bytes().position(|b| !is_key_byte(b)) {
        Some(at) => Err(wrong(
            start + at,
            "expected letters, digits, blanks, '.', '_', '-', '/', '@', '[', ']', one {index}, '*' \
             at the end only",
        )),
        None => Ok(()),
    };
    let Some((before, rest)) = body.split_once('{') else {
        check(body, 0)?;
        return Ok(text.to_owned());
    };
    check(before, 0)?;
    let open = before.len();
    let Some((index, after)) = rest.split_once('}') else {
        return Err(wrong(open, "'{' without '}'"));
    };
    check(after, open + index.len() + 2)?;
    let (first, last) = index_range(index, open + 1, limits)?;
    let star = text.get(body.len()..).unwrap_or_default();
    Ok(format!("{before}{{{first}-{last}}}{after}{star}"))
}

/// The range that stands for `index`, which begins at byte `at` of its pattern.
fn index_range(index: &str, at: usize, limits: &[(String, u32)]) -> Result<(u32, u32), Wrong> {
    if let Some((_, limit)) = limits.iter().find(|(name, _)| name == index) {
        return Ok((1, *limit));
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.filter(|number: &u32| *number <= INDEX_MAX)
    };
    if let Some((first, last)) = index.split_once('-')
        && let (Some(first), Some(last)) = (number(first), number(last))
        && first <= last
    {
        return Ok((first, last));
    }
    let names = limits.iter().map(|(name, _)| name.as_str());
    let is_name = index.starts_with(|letter: char| letter.is_ascii_lowercase())
        && index.bytes().all(is_key_byte);
    match nearest(index, names) {
        Some(near) => {
            let what = format!("unknown index '{index}' (did you mean '{near}'?)");
            Err(Wrong::Text(at, what))
        }
        None if is_name => Err(Wrong::Limit(index.to_owned())),
        None => {
            let what = format!(
                "index '{index}' is neither a range such as 1-4 nor a name of 'index_limits'"
            );
            Err(Wrong::Text(at, what))
        }
    }
}
