//! Findings, each once, with the models that they concern.

use std::collections::{BTreeMap, BTreeSet};

/// Different findings at most; more are not told.
const FINDINGS_MAX: usize = 20_000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A phone does not come to what the file says.
    Error,
    /// It does, but hardly as intended.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The path from the server's root.
    pub file: String,
    /// The line, from 1; 0 = the file as a whole.
    pub line: u32,
    /// What it is; without secrets.
    pub what: String,
    /// The models that it concerns, sorted; none = all.
    pub models: Vec<String>,
    /// Files like this one with the same finding: those of other phones.
    pub more_files: usize,
}

/// Findings under way.
#[derive(Debug, Default)]
pub(super) struct Findings {
    by_place: BTreeMap<(String, u32, Severity, String), Concerned>,
    /// The models that took settings out of a file.
    readers: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct Concerned {
    models: BTreeSet<String>,
    /// It counts only when no other model takes the line: one file serves several models.
    unless_taken: bool,
    /// Told once for all files of its kind.
    by_kind: bool,
}

impl Findings {
    /// Adds a finding at a file and line.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        place: (&str, u32),
        what: String,
        model: Option<&str>,
    ) {
        if let Some(concerned) = self.entry(severity, place, what) {
            concerned.models.extend(model.map(str::to_owned));
        }
    }

    /// Adds one that does not count where another model takes the line.
    pub(super) fn add_unless_taken(
        &mut self,
        severity: Severity,
        place: (&str, u32),
        what: String,
        model: &str,
    ) {
        if let Some(concerned) = self.entry(severity, place, what) {
            concerned.models.insert(model.to_owned());
            concerned.unless_taken = true;
        }
    }

    /// Adds one that is told once for the files of all phones.
    pub(super) fn add_of_kind(
        &mut self,
        severity: Severity,
        place: (&str, u32),
        what: String,
        model: Option<&str>,
    ) {
        if let Some(concerned) = self.entry(severity, place, what) {
            concerned.models.extend(model.map(str::to_owned));
            concerned.by_kind = true;
        }
    }

    /// Remembers that a model took settings out of a file.
    pub(super) fn read_by(&mut self, file: &str, model: &str) {
        let readers = self.readers.entry(file.to_owned()).or_default();
        readers.insert(model.to_owned());
    }

    fn entry(
        &mut self,
        severity: Severity,
        (file, line): (&str, u32),
        what: String,
    ) -> Option<&mut Concerned> {
        let key = (file.to_owned(), line, severity, what);
        let room = self.by_place.len() < FINDINGS_MAX || self.by_place.contains_key(&key);
        room.then(|| self.by_place.entry(key).or_default())
    }

    /// The models that do not take a line, whatever is told of each.
    fn not_taken(&self) -> BTreeMap<(String, u32), BTreeSet<String>> {
        let mut models: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for ((file, line, ..), concerned) in &self.by_place {
            if concerned.unless_taken {
                let place = models.entry((file.clone(), *line)).or_default();
                place.extend(concerned.models.iter().cloned());
            }
        }
        models
    }

    /// All of them, ordered by file, line and severity.
    pub(super) fn told(self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        let mut by_kind: BTreeMap<(String, String), usize> = BTreeMap::new();
        let not_taken = self.not_taken();
        for ((file, line, severity, what), concerned) in self.by_place {
            let readers = self.readers.get(&file);
            let not_taken = not_taken.get(&(file.clone(), line));
            let taken = readers.zip(not_taken);
            let taken = taken.is_some_and(|(all, not)| !all.is_subset(not));
            if concerned.unless_taken && taken {
                continue;
            }
            if concerned.by_kind {
                let kind = kind(&file);
                let known = by_kind.get(&(kind.clone(), what.clone()));
                if let Some(first) = known.and_then(|at| findings.get_mut(*at)) {
                    first.more_files += 1;
                    first.models.extend(concerned.models);
                    continue;
                }
                by_kind.insert((kind, what.clone()), findings.len());
            }
            findings.push(Finding {
                severity,
                file,
                line,
                what,
                models: concerned.models.into_iter().collect(),
                more_files: 0,
            });
        }
        for finding in &mut findings {
            finding.models.sort_unstable();
            finding.models.dedup();
        }
        findings
    }
}

impl Finding {
    /// The models in few words: `m3 and 3 more`; empty for all.
    #[must_use]
    pub fn concerned(&self) -> String {
        match self.models.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [one, others @ ..] => format!("{one} and {} more", others.len()),
        }
    }

    /// One line: `common.cfg:12: error: unknown key … (m3 and 3 more)`.
    #[must_use]
    pub fn text(&self) -> String {
        let line = match self.line {
            0 => String::new(),
            line => format!(":{line}"),
        };
        let concerned = match self.concerned() {
            models if models.is_empty() => models,
            models => format!(" ({models})"),
        };
        let more = match self.more_files {
            0 => String::new(),
            1 => "; so does 1 more file of its kind".to_owned(),
            count => format!("; so do {count} more files of its kind"),
        };
        let word = self.severity.word();
        format!(
            "{}{line}: {word}: {}{more}{concerned}",
            self.file, self.what
        )
    }
}

/// A path with `*` for a MAC address and `#` for any other number: equal for equal files of
/// different phones.
fn kind(path: &str) -> String {
    let mut kind = String::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let run = |is: fn(u8) -> bool| rest.bytes().take_while(|byte| is(*byte)).count();
        let hex = run(|byte| byte.is_ascii_hexdigit());
        let digits = run(|byte| byte.is_ascii_digit());
        let (shown, length) = match (hex, digits) {
            (12, _) => ('*', 12),
            (_, 1..) => ('#', digits),
            _ => (first, first.len_utf8()),
        };
        kind.push(shown);
        rest = rest.get(length..).unwrap_or_default();
    }
    kind
}
