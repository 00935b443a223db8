//! What `bootstorm judge` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use bootstorm_reports::case::{CaseCounts, CaseResult, CaseVerdict};
use bootstorm_reports::json;

use super::super::{Exit, Shared, Trouble, deliver, print};
use super::{Found, JudgeArguments};
use crate::observe::Secured;

/// What was found, phone by phone: of each no more is kept than the end needs.
pub(super) struct Told<'a> {
    shared: &'a Shared,
    arguments: &'a JudgeArguments,
    /// How many phones there were.
    pub(super) phones: usize,
    /// Those that fit no profile, in words.
    pub(super) others: Vec<String>,
    /// Files that could not be written.
    pub(super) faults: Vec<(PathBuf, io::Error)>,
    /// Cases that were kept, and that were broken.
    kept: u64,
    broken: u64,
    /// The phones as JSON, where that is asked for.
    objects: Vec<String>,
}

impl<'a> Told<'a> {
    pub(super) fn new(shared: &'a Shared, arguments: &'a JudgeArguments) -> Self {
        Self {
            shared,
            arguments,
            phones: 0,
            others: Vec::new(),
            faults: Vec::new(),
            kept: 0,
            broken: 0,
            objects: Vec::new(),
        }
    }

    /// Writes the report of a phone into a directory, and says what was found of it.
    pub(super) fn phone(&mut self, phone: &Found, out: &Path) -> Result<(), Trouble> {
        deliver::probe(out, 0)?;
        self.faults.extend(deliver::write_all(&phone.report, out));
        let counts = CaseCounts::new(phone.report.cases());
        self.phones += 1;
        self.kept += u64::from(counts.of(CaseVerdict::Pass));
        self.broken += u64::from(counts.of(CaseVerdict::Fail));
        if self.arguments.judging.json {
            self.objects.push(as_json(phone));
            return Ok(());
        }
        let mut text = String::new();
        head(&mut text, phone, &counts);
        if !self.shared.quiet {
            body(&mut text, phone, self.arguments.judging.exchange);
        }
        print(&text);
        Ok(())
    }

    /// Says what is to be said at the end.
    pub(super) fn end(&self, notes: &[String]) {
        if self.arguments.judging.json {
            print(&format!(
                "{{\"phones\":[{}],\"not_judged\":[{}],\"notes\":[{}]}}\n",
                self.objects.join(","),
                list(&self.others),
                list(notes)
            ));
            return;
        }
        if self.shared.quiet {
            return;
        }
        let mut text = String::new();
        for other in &self.others {
            let _ = writeln!(text, "{other}");
        }
        match self.phones {
            0 => text.push_str("no phone was judged\n"),
            1 => place(&mut text, self.arguments, ""),
            _ => place(&mut text, self.arguments, "MAC/"),
        }
        print(&text);
    }

    pub(super) fn exit(&self) -> Exit {
        match (self.broken, self.kept) {
            (1.., _) => Exit::SubjectFailed,
            (0, 0) => Exit::Void,
            _ => Exit::Met,
        }
    }
}

/// Says what a user is to know of the captures.
pub(super) fn notes(notes: &[String]) {
    for note in notes {
        eprintln!("bootstorm: {note}");
    }
}

/// What can be seen of a TLS connection, in words.
pub(super) fn secured(secured: &Secured) -> String {
    let name = secured.name.as_ref();
    let name = name.map_or_else(String::new, |name| format!(" for {name}"));
    let version = match secured.version {
        Some(0x0301) => ", TLS 1.0",
        Some(0x0302) => ", TLS 1.1",
        Some(0x0303) => ", TLS 1.2",
        Some(0x0304) => ", TLS 1.3",
        _ => "",
    };
    let fault = secured.fault.as_ref();
    let fault = fault.map_or_else(String::new, |fault| format!(", {fault}"));
    format!("TLS to {}{name}{version}{fault}", secured.peer)
}

fn head(text: &mut String, phone: &Found, counts: &CaseCounts) {
    let (fit, name) = (&phone.fit, &phone.fit.profile.name);
    let _ = writeln!(
        text,
        "{} {name}, {} %: {}\n  {} cases kept, {} broken, {} not to be told from {} packets in \
         {:.1} s",
        phone.mac,
        fit.score,
        fit.reasons(),
        counts.of(CaseVerdict::Pass),
        counts.of(CaseVerdict::Fail),
        counts.of(CaseVerdict::Inconclusive),
        phone.packets,
        phone.span.as_secs_f64(),
    );
}

fn body(text: &mut String, phone: &Found, exchange: bool) {
    let cases = phone.report.cases();
    let of = |verdict| cases.iter().filter(move |it| it.verdict == verdict);
    for line in &phone.secured {
        let _ = writeln!(text, "  {line}");
    }
    clauses(text, "kept", of(CaseVerdict::Pass));
    clauses(text, "broken", of(CaseVerdict::Fail));
    for case in of(CaseVerdict::Fail) {
        let _ = writeln!(
            text,
            "  BROKEN {} ({})\n    {}",
            case.id,
            case.cited(),
            case.reason
        );
        if exchange {
            for (decided, line) in case.lines() {
                let _ = writeln!(text, "    {} {line}", if decided { '>' } else { ' ' });
            }
        }
    }
    if exchange {
        for case in of(CaseVerdict::Pass) {
            let _ = writeln!(text, "  kept {} ({})", case.id, case.cited());
        }
        for case in of(CaseVerdict::Inconclusive) {
            let _ = writeln!(text, "  not told {}: {}", case.id, case.reason);
        }
        return;
    }
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for case in of(CaseVerdict::Inconclusive) {
        *reasons.entry(&case.reason).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    for (reason, count) in reasons.iter().take(5) {
        let _ = writeln!(text, "  not told, {count}: {reason}");
    }
    if reasons.len() > 5 {
        let _ = writeln!(
            text,
            "  and for {} more reasons (--exchange shows all)",
            reasons.len() - 5
        );
    }
}

/// The clauses of cases, each once.
fn clauses<'a>(text: &mut String, what: &str, cases: impl Iterator<Item = &'a CaseResult>) {
    let clauses: BTreeSet<&str> = cases
        .flat_map(|case| case.clauses.iter().map(String::as_str))
        .collect();
    if !clauses.is_empty() {
        let clauses: Vec<&str> = clauses.into_iter().collect();
        let _ = writeln!(text, "  clauses {what}: {}", clauses.join(", "));
    }
}

fn place(text: &mut String, arguments: &JudgeArguments, below: &str) {
    for name in ["report.json", "report.html"] {
        let path = arguments.out.join(format!("{below}{name}"));
        let _ = writeln!(text, "report: {}", path.display());
    }
}

/// One object: a phone with its fit and report.
fn as_json(phone: &Found) -> String {
    let compared = phone.fit.compared.iter().map(|it| {
        format!(
            "{{\"aspect\":{},\"seen\":{},\"expected\":{},\"likeness\":{}}}",
            quoted(it.aspect.word()),
            quoted(&it.seen),
            quoted(&it.expected),
            it.likeness
        )
    });
    let mut report = Vec::new();
    // A vector takes everything.
    let _ = json::write(&phone.report, &mut report);
    let report = String::from_utf8(report).unwrap_or_default();
    format!(
        "{{\"mac\":{},\"profile\":{},\"fit\":{},\"compared\":[{}],\"tls\":[{}],\"report\":{}}}",
        quoted(&phone.mac.to_string()),
        quoted(&phone.fit.profile.name),
        phone.fit.score,
        compared.collect::<Vec<_>>().join(","),
        list(&phone.secured),
        report.trim_end()
    )
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    texts.join(",")
}

/// A string of JSON (RFC 8259 §7).
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if u32::from(letter) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
