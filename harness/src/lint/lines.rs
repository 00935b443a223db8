//! Findings within a file, line by line: it is read again as the model reads it.

use std::collections::BTreeSet;

use bootstorm_emulator::event::{Fault, LineReason};
use bootstorm_emulator::format::{self, Document, Format, FormatOptions, Reading, sections, xml};
use bootstorm_emulator::located::{letters_wrong, nearest};
use bootstorm_emulator::names::Names;
use bootstorm_emulator::profile::keys::{Fit, Judgement, KeyPattern, KeyRules, ValueKind};
use bootstorm_emulator::profile::sections::{Element, Schema};
use bootstorm_emulator::settings::Vetted;
use bootstorm_reports::redact::Redactor;
use bootstorm_reports::words;

use super::found::{Findings, Severity};
use super::visit::Visit;

/// Formats that a file with lines may be of.
const FORMATS: [Format; 7] = [
    Format::KeyValue,
    Format::Boot,
    Format::Answer,
    Format::Version,
    Format::Catalogue,
    Format::ModuleText,
    Format::Checksum,
];
/// Lines told one by one, of one reason.
const LINES_MAX: usize = 50;
/// A key shorter than this is not taken for another one with a wrong letter; one of twice the
/// length may have two.
const MISWRITTEN_BYTES_MIN: usize = 8;
/// Characters shown of a line or value.
const SHOWN_CHARS: usize = 60;

/// Lines that a phone did not take over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) reason: LineReason,
    pub(super) count: u32,
    pub(super) first_line: u32,
}

/// A file, read.
struct Read {
    format: Format,
    options: FormatOptions,
    keys: Names,
    document: Document,
    vetted: Vetted,
}

impl Read {
    fn new(format: Format, options: FormatOptions, bytes: &[u8], rules: &KeyRules) -> Self {
        let mut keys = Names::default();
        let document = format::read(format, options, bytes, &mut keys);
        let vetted = Vetted::new(&document, rules, &keys);
        Self {
            format,
            options,
            keys,
            document,
            vetted,
        }
    }

    fn has(&self, group: Group) -> bool {
        let mut groups = self.vetted.faults.groups().iter();
        groups.any(|it| {
            (it.reason, it.count, it.first_line) == (group.reason, group.count, group.first_line)
        })
    }
}

/// Every reading of a file that makes a document of it.
fn readings(visit: &Visit<'_>, bytes: &[u8]) -> impl Iterator<Item = Read> {
    let ways = visit.readings();
    let ways = ways
        .into_iter()
        .flat_map(|options| FORMATS.map(|format| (format, options)));
    let read = ways.map(|(format, options)| Read::new(format, options, bytes, &visit.profile.keys));
    let read: Vec<_> = read
        .filter(|read| read.document.reading == Reading::Whole)
        .collect();
    read.into_iter()
}

/// Tells each line of a group where they can be told, else the first one.
pub(super) fn ignored(visit: &Visit<'_>, path: &str, group: Group, findings: &mut Findings) {
    let bytes = visit.bytes(path).unwrap_or_default();
    let read = readings(visit, bytes).find(|read| read.has(group));
    let mut told = 0;
    if let Some(read) = &read {
        told += keys(visit, path, group.reason, read, findings);
        if told == 0 {
            told += lines(visit, path, (group, read), findings);
        }
    }
    if told > 0 {
        return;
    }
    let text = visit.text(path).unwrap_or_default();
    let line = text
        .lines()
        .nth(group.first_line.saturating_sub(1) as usize);
    let shown = line.map_or_else(String::new, |line| format!(" ({})", shown_line(line)));
    let near = visit.profile.sections.as_deref().zip(line);
    let near = near.map_or_else(String::new, |(schema, line)| near_element(schema, line));
    let others = match group.count {
        0 | 1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    let why = words::line_reason(group.reason);
    let what = format!("line not taken over: {why}{shown}{near}{others}");
    tell(
        visit,
        path,
        (group.reason, group.first_line, what),
        findings,
    );
}

/// Lines of one file that serves several models may be for some of them only.
fn tell(
    visit: &Visit<'_>,
    path: &str,
    (reason, line, what): (LineReason, u32, String),
    findings: &mut Findings,
) {
    let place = (path, line);
    match reason {
        LineReason::UnknownKey | LineReason::IndexBeyondModel => {
            findings.add_unless_taken(Severity::Error, place, what, visit.model);
        }
        _ => findings.add(Severity::Error, place, what, Some(visit.model)),
    }
}

/// Settings that the model does not take, each with what it takes instead; how many.
fn keys(
    visit: &Visit<'_>,
    path: &str,
    reason: LineReason,
    read: &Read,
    findings: &mut Findings,
) -> usize {
    let rules = &visit.profile.keys;
    let mut told = 0;
    for setting in &read.document.settings {
        let key = read.keys.text(setting.key);
        let value = read.document.value(setting);
        if rules.judge(key, value) != Judgement::Ignore(reason) || told >= LINES_MAX {
            continue;
        }
        told += 1;
        let what = match reason {
            LineReason::UnknownKey => format!("unknown key {}{}", shown(key), near(rules, key)),
            LineReason::IndexBeyondModel => {
                format!(
                    "{}: more than the model has{}",
                    shown(key),
                    range(rules, key)
                )
            }
            _ => {
                let value = Redactor::new(0).value(key, value).into_owned();
                let value = shown(&value);
                format!(
                    "{} = \"{value}\": expected {}",
                    shown(key),
                    wanted(rules, key)
                )
            }
        };
        tell(visit, path, (reason, setting.line(), what), findings);
    }
    told
}

/// Lines outside the format's grammar, each found by leaving out those before it; how many.
fn lines(
    visit: &Visit<'_>,
    path: &str,
    (group, read): (Group, &Read),
    findings: &mut Findings,
) -> usize {
    let by_line = matches!(
        read.format,
        Format::KeyValue | Format::Boot | Format::Answer | Format::Version
    );
    let by_line = by_line && group.reason != LineReason::OverLimit;
    let bytes = visit.bytes(path).filter(|_| read.options.seal.is_none());
    let Some(bytes) = bytes.filter(|_| by_line) else {
        return 0;
    };
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let mut at = Some(group.first_line);
    let mut told = 0;
    while let Some(line) = at.take().filter(|_| told < LINES_MAX) {
        let Some(text) = lines.get_mut(line.saturating_sub(1) as usize) else {
            break;
        };
        let why = words::line_reason(group.reason);
        let what = format!("line not taken over: {why} ({})", shown_line(&lossy(text)));
        *text = &[];
        tell(visit, path, (group.reason, line, what), findings);
        told += 1;
        let again = lines.join(&b'\n');
        let again = Read::new(read.format, read.options, &again, &visit.profile.keys);
        let mut groups = again.vetted.faults.groups().iter();
        let next = groups.find(|it| it.reason == group.reason);
        at = next.map(|it| it.first_line).filter(|next| *next > line);
    }
    told
}

/// The first secret of a settings file that is not encrypted: its key, its line.
pub(super) fn secret(visit: &Visit<'_>, path: &str) -> Option<(String, u32)> {
    let bytes = visit.bytes(path)?;
    let redactor = Redactor::new(0);
    let is_name = |key: &str| {
        key.to_ascii_lowercase()
            .replace(['_', ' '], "")
            .contains("authname")
    };
    let plain = FormatOptions {
        seal: None,
        ..visit.profile.format
    };
    let read = FORMATS.map(|format| Read::new(format, plain, bytes, &visit.profile.keys));
    let read = read
        .into_iter()
        .filter(|it| it.document.reading == Reading::Whole);
    let best = read.max_by_key(|read| read.vetted.meanings.len());
    if let Some(read) = best.filter(|read| !read.document.settings.is_empty()) {
        let settings = read.document.settings.iter();
        let secret = settings.filter(|setting| {
            let key = read.keys.text(setting.key);
            let given = !read.document.value(setting).is_empty();
            given && redactor.is_secret_key(key) && !is_name(key)
        });
        let first = secret.min_by_key(|setting| setting.line())?;
        return Some((read.keys.text(first.key).to_owned(), first.line()));
    }
    visit.profile.sections.as_ref()?;
    let text = std::str::from_utf8(bytes).ok()?;
    text.lines().zip(1..).find_map(|(line, number)| {
        let place = redactor.places(line).into_iter().next()?;
        let before = line.get(..place.start)?;
        let key = before.trim_end_matches(['>', '"', '=']);
        let key = key.rsplit(['<', ' ', '"']).next().unwrap_or_default();
        (!is_name(key)).then(|| (shown(key), number))
    })
}

/// Where in a file a fault of the whole lies; 0 = nowhere in particular.
pub(super) fn of_fault(visit: &Visit<'_>, path: &str, fault: Fault) -> u32 {
    let bytes = visit.bytes(path).unwrap_or_default();
    let words: &[&str] = match fault {
        Fault::BadXml => {
            let sections = sections::read(bytes).err().map(|fault| fault.line);
            return sections.or_else(|| broken_at(bytes)).unwrap_or(0);
        }
        Fault::ForeignDocument => &["productid", "macaddress", "product", "mac"],
        Fault::VersionMismatch => &["version", "uvc"],
        Fault::WrongFormat | Fault::KindRefused | Fault::ChecksumMismatch => return 1,
        _ => return 0,
    };
    let text = String::from_utf8_lossy(bytes);
    let holds = |word: &&str| {
        let mut lines = text.lines().take(200);
        lines.position(|line| !line.starts_with("<?") && line.to_ascii_lowercase().contains(*word))
    };
    let line = words.iter().find_map(holds);
    line.map_or(0, |line| u32::try_from(line + 1).unwrap_or(0))
}

/// The line where XML is not well-formed.
fn broken_at(bytes: &[u8]) -> Option<u32> {
    let mut reader = xml::Reader::new(bytes);
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(fault) => return Some(fault.line),
        }
    }
}

/// The nearest section that the model has.
pub(super) fn near_section(visit: &Visit<'_>, section: &str) -> String {
    let schema = visit.profile.sections.as_deref();
    let known = schema.map_or(&[][..], |schema| schema.sections.as_slice());
    let known: Vec<_> = known.iter().map(|it| it.root.name.as_str()).collect();
    if known.contains(&section) {
        return String::new();
    }
    did_you_mean(nearest(section, known))
}

fn did_you_mean(word: Option<&str>) -> String {
    word.map_or_else(String::new, |word| format!("; did you mean {word}?"))
}

/// The nearest element of any section to the first one of a line.
fn near_element(schema: &Schema, line: &str) -> String {
    let opened = line.split('<').nth(1).unwrap_or_default();
    let name = opened.split([' ', '>', '/', '\t']).next();
    let name = name.unwrap_or_default();
    let mut known = Vec::new();
    for section in &schema.sections {
        elements(&section.root, &mut known);
    }
    if name.is_empty() || known.contains(&name) {
        return String::new();
    }
    did_you_mean(nearest(name, known))
}

fn elements<'a>(element: &'a Element, names: &mut Vec<&'a str>) {
    names.push(&element.name);
    element
        .children
        .iter()
        .for_each(|child| elements(child, names));
}

/// The nearest key that the model has, with the index that was written where it can be.
fn near(rules: &KeyRules, key: &str) -> String {
    let known = known_keys(rules, key);
    did_you_mean(nearest(key, known.iter().map(|(known, _)| known.as_str())))
}

/// The keys that rules know, as near to the one that was written as they can be; and whether the
/// end of it is the writer's.
fn known_keys(rules: &KeyRules, key: &str) -> Vec<(String, bool)> {
    let digits = |letter: char| letter.is_ascii_digit();
    let runs = key.split(|letter| !digits(letter));
    let written = runs.filter_map(|run| run.parse::<u32>().ok()).next();
    let patterns = rules.rules.iter();
    patterns
        .filter_map(|rule| {
            let pattern = KeyPattern::parse(&rule.pattern).ok()?;
            let mut known = pattern.prefix.to_owned();
            if let Some((least, most)) = pattern.range {
                let index = written.filter(|it| (least..=most).contains(it));
                known.push_str(&index.unwrap_or(least).to_string());
                known.push_str(pattern.suffix);
            }
            if pattern.open {
                let parts = known.matches('.').count();
                known.push_str(key.splitn(parts + 1, '.').nth(parts)?);
            }
            Some((known, pattern.open))
        })
        .collect()
}

/// Tells keys that are taken because the model takes any there, and that look like a known one
/// miswritten: a key of its rules, or one that the fleet's phones are to hold.
pub(super) fn near_misses(visit: &Visit<'_>, path: &str, findings: &mut Findings) {
    let rules = &visit.profile.keys;
    let bytes = visit.bytes(path).unwrap_or_default();
    let Some(read) = readings(visit, bytes).max_by_key(|read| read.document.settings.len()) else {
        return;
    };
    let settings = visit.plan.fleet_settings(&visit.phone).into_iter();
    let settings = settings.chain(visit.plan.own_settings(&visit.phone));
    let meant: BTreeSet<String> = settings.map(|(key, _)| key).collect();
    let there = read.document.settings.iter();
    let there: BTreeSet<&str> = there.map(|it| read.keys.text(it.key)).collect();
    let mut told = 0;
    for setting in &read.document.settings {
        let key = read.keys.text(setting.key);
        if told >= LINES_MAX || meant.contains(key) || is_known(rules, key) {
            continue;
        }
        let known = known_keys(rules, key).into_iter();
        let known = known.filter_map(|(known, open)| (!open).then_some(known));
        let mut known = known.chain(meant.iter().cloned());
        // Where the known one is there too, this is another.
        let near = known.find(|known| is_miswritten(key, known) && !there.contains(known.as_str()));
        let Some(near) = near else { continue };
        told += 1;
        let what = format!(
            "{} is kept, and is no key that is known; did you mean {near}?",
            shown(key)
        );
        let place = (path, setting.line());
        findings.add(Severity::Warning, place, what, Some(visit.model));
    }
}

/// Whether a rule decides about this very key, or none lets it through.
fn is_known(rules: &KeyRules, key: &str) -> bool {
    let patterns = rules.rules.iter();
    let patterns = patterns.filter_map(|rule| KeyPattern::parse(&rule.pattern).ok());
    let first = patterns
        .into_iter()
        .find(|pattern| pattern.fit(key) != Fit::None);
    first.map_or(!rules.keep_unknown, |pattern| !pattern.open)
}

/// Whether a key is another one with a letter or two wrong. Other digits are another key.
fn is_miswritten(key: &str, known: &str) -> bool {
    let letters = |text: &str| text.replace(|letter: char| letter.is_ascii_digit(), "");
    if key == known || letters(key) == letters(known) {
        return false;
    }
    let wrong = letters_wrong(key, known);
    wrong <= 1 && known.len() >= MISWRITTEN_BYTES_MIN
        || wrong <= 2 && known.len() >= 2 * MISWRITTEN_BYTES_MIN
}

/// The range of the index of a key.
fn range(rules: &KeyRules, key: &str) -> String {
    let patterns = rules.rules.iter();
    let mut patterns = patterns.filter_map(|rule| KeyPattern::parse(&rule.pattern).ok());
    let beyond = patterns.find(|pattern| pattern.fit(key) == Fit::IndexBeyond);
    let range = beyond.and_then(|pattern| pattern.range);
    range.map_or_else(String::new, |(least, most)| format!(" ({least} to {most})"))
}

/// What values a key takes.
fn wanted(rules: &KeyRules, key: &str) -> String {
    let fits = |pattern: &str| {
        let pattern = KeyPattern::parse(pattern);
        pattern.is_ok_and(|pattern| pattern.fit(key) == Fit::Match)
    };
    let rule = rules.rules.iter().find(|rule| fits(&rule.pattern));
    match rule.map(|rule| &rule.value) {
        Some(ValueKind::Number(least, most)) => format!("a number from {least} to {most}"),
        Some(ValueKind::Words(words)) => {
            let shown: Vec<_> = words.iter().take(12).map(String::as_str).collect();
            let more = if words.len() > shown.len() {
                " …"
            } else {
                ""
            };
            format!("one of {}{more}", shown.join(", "))
        }
        Some(ValueKind::Chars(most)) => format!("at most {most} characters"),
        Some(ValueKind::Text) | None => "another value".to_owned(),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A line that is none: what follows the key of a secret is one, whatever stands between them.
fn shown_line(line: &str) -> String {
    let redactor = Redactor::new(0);
    let is_mark = |letter: char| !(letter.is_alphanumeric() || "_-.".contains(letter));
    let mut words = line.split_inclusive(is_mark);
    let mut end = 0;
    let is_secret = words.any(|word| {
        end += word.len();
        redactor.is_secret_key(word.trim_end_matches(is_mark))
    });
    match line.get(..end).filter(|_| is_secret && end < line.len()) {
        Some(key) => format!("{}***", shown(key)),
        None => shown(line),
    }
}

/// A text as a finding shows it: short, printable, without secrets.
fn shown(text: &str) -> String {
    let text = text.trim();
    let safe = Redactor::new(0).text(text).into_owned();
    let mut letters = safe.chars().filter(|letter| !letter.is_control());
    let mut shown: String = letters.by_ref().take(SHOWN_CHARS).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}
