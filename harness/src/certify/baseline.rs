//! What is known to fail at a product, so that a later certification tells what has changed: new
//! failures, listed cases that now pass, another number of cases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use bootstorm_emulator::located::{Faults, Log, Node, Reader};
use bootstorm_reports::case::{CaseResult, CaseVerdict};

use super::subject::{LACKS, NO_INVENTORY, NOT_IN_INVENTORY};
use crate::basic_string::quoted;

/// Cases that one baseline can speak of.
const CASES_MAX: u32 = 100_000;
/// Letters of a reason that is written.
const REASON_MAX: usize = 300;

/// What is known of a product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    /// The product's name.
    pub product: String,
    /// Its version.
    pub version: String,
    /// Cases that were chosen.
    pub cases: u32,
    /// Of them, those that applied.
    pub applicable: u32,
    /// What of it was judged: `tftp`, `http`, …
    pub services: BTreeSet<String>,
    /// Cases that do not pass, with the reason.
    pub failing: BTreeMap<String, String>,
    /// Cases about these services that do not apply all the same, with the reason.
    pub not_applicable: BTreeMap<String, String>,
}

/// Something that is not as the baseline says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deviation {
    /// A case that is not listed does not pass.
    Fails {
        /// Which.
        id: String,
        /// What became of it.
        verdict: CaseVerdict,
        /// Why.
        reason: String,
    },
    /// A listed case passes.
    Passes(String),
    /// A case does not apply any more.
    NotApplicable(String),
    /// A case that is listed as not applicable does apply.
    Applies(String),
    /// A listed case is not among those that were chosen.
    Gone(String),
    /// Another number of cases than before.
    Total {
        /// Of which cases: `cases`, `applicable cases`.
        what: &'static str,
        /// How many there were.
        was: u32,
        /// How many there are.
        is: u32,
    },
}

impl fmt::Display for Deviation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails {
                id,
                verdict,
                reason,
            } => write!(out, "{id}: {}, which is new: {reason}", verdict.word()),
            Self::Passes(id) => write!(out, "{id}: passes now; take it out of the baseline"),
            Self::NotApplicable(id) => write!(out, "{id}: does not apply any more"),
            Self::Applies(id) => write!(out, "{id}: applies now; take it out of the baseline"),
            Self::Gone(id) => write!(out, "{id}: is listed and was not carried out"),
            Self::Total { what, was, is } => write!(out, "{is} {what}, the baseline says {was}"),
        }
    }
}

impl Deviation {
    /// What the exit code should say of it: a fail, unless nothing could be concluded or our own
    /// side failed.
    #[must_use]
    pub fn verdict(&self) -> CaseVerdict {
        match self {
            Self::Fails { verdict, .. } => *verdict,
            _ => CaseVerdict::Fail,
        }
    }
}

impl Baseline {
    /// Reads a baseline from a file's name and text.
    ///
    /// # Errors
    /// All faults of the text at once, each with its place.
    pub fn read(name: &str, text: &str) -> Result<Self, Faults> {
        let log = Log::default();
        let tree = Node::parse(name, text, &log);
        let root = Reader::new(&tree, &log);
        let words = |key| root.need(key).text().unwrap_or_default().to_owned();
        let count = |key| root.need(key).number(0..=CASES_MAX).unwrap_or(0);
        let baseline = Self {
            product: words("product"),
            version: words("version"),
            cases: count("cases"),
            applicable: count("applicable"),
            services: root.may("services").texts().into_iter().collect(),
            failing: reasons(&root, "failing"),
            not_applicable: reasons(&root, "not_applicable"),
        };
        drop(root);
        let faults = log.into_faults();
        if faults.is_empty() {
            Ok(baseline)
        } else {
            Err(faults)
        }
    }

    /// The baseline that fits these results; reasons that were given before are kept.
    #[must_use]
    pub fn of(results: &[CaseResult], before: &Self) -> Self {
        let told = |known: &BTreeMap<String, String>, such: fn(&CaseResult) -> bool| {
            let such = results.iter().filter(|result| such(result));
            let told = such.map(|result| {
                let kept = known.get(&result.id).cloned();
                let reason = kept.unwrap_or_else(|| shortened(&result.reason));
                (result.id.clone(), reason)
            });
            told.collect()
        };
        Self {
            failing: told(&before.failing, |result| is_bad(result.verdict)),
            not_applicable: told(&before.not_applicable, is_out_of_place),
            services: before.services.clone(),
            product: before.product.clone(),
            version: before.version.clone(),
            cases: number(results.len()),
            applicable: applicable(results),
        }
    }

    /// What in these results is not as it was.
    #[must_use]
    pub fn deviations(&self, results: &[CaseResult]) -> Vec<Deviation> {
        let mut found = Vec::new();
        for result in results {
            let listed = self.failing.contains_key(&result.id);
            let out_of_place = self.not_applicable.contains_key(&result.id);
            let id = result.id.clone();
            if out_of_place && result.verdict != CaseVerdict::NotApplicable {
                found.push(Deviation::Applies(id.clone()));
            }
            match (listed, result.verdict) {
                (false, verdict) if is_bad(verdict) => found.push(Deviation::Fails {
                    id,
                    verdict,
                    reason: shortened(&result.reason),
                }),
                (true, CaseVerdict::Pass) => found.push(Deviation::Passes(id)),
                (true, CaseVerdict::NotApplicable) => found.push(Deviation::NotApplicable(id)),
                (false, CaseVerdict::NotApplicable) if !out_of_place && is_out_of_place(result) => {
                    found.push(Deviation::NotApplicable(id));
                }
                _ => {}
            }
        }
        let there = |id: &&String| !results.iter().any(|result| result.id == **id);
        let listed = self.failing.keys().chain(self.not_applicable.keys());
        let gone = listed.filter(there).cloned();
        found.extend(gone.map(Deviation::Gone));
        let totals = [
            ("cases", self.cases, number(results.len())),
            ("applicable cases", self.applicable, applicable(results)),
        ];
        let changed = totals.into_iter().filter(|(_, was, is)| was != is);
        found.extend(changed.map(|(what, was, is)| Deviation::Total { what, was, is }));
        found
    }

    /// The baseline as a file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# What is known to fail at this product, and why: `bootstorm certify --baseline`.\n\n",
        );
        // Writing to a string cannot fail.
        let _ = writeln!(text, "product = {}", quoted(&self.product));
        let _ = writeln!(text, "version = {}", quoted(&self.version));
        let _ = writeln!(text, "cases = {}", self.cases);
        let _ = writeln!(text, "applicable = {}", self.applicable);
        if !self.services.is_empty() {
            let services: Vec<_> = self.services.iter().map(|it| quoted(it)).collect();
            let _ = writeln!(text, "services = [{}]", services.join(", "));
        }
        let tables = [
            ("failing", &self.failing),
            ("not_applicable", &self.not_applicable),
        ];
        for (table, reasons) in tables.iter().filter(|(_, reasons)| !reasons.is_empty()) {
            let _ = writeln!(text, "\n[{table}]");
            for (id, reason) in *reasons {
                let _ = writeln!(text, "{} = {}", quoted(id), quoted(reason));
            }
        }
        text
    }
}

/// A table of cases with a reason each.
fn reasons(root: &Reader<'_>, key: &'static str) -> BTreeMap<String, String> {
    let table = root.may(key).table();
    table.map_or_else(BTreeMap::new, |table| {
        let entries = table.entries().filter_map(|(entry, slot)| {
            let reason = slot.text()?.to_owned();
            if reason.trim().is_empty() {
                slot.unexpected("the reason");
            }
            Some((entry.key.clone(), reason))
        });
        entries.collect()
    })
}

/// Whether a case does not apply although the subject has what it is about.
fn is_out_of_place(result: &CaseResult) -> bool {
    let asked_for = [LACKS, NO_INVENTORY, NOT_IN_INVENTORY];
    let is_asked_for = !asked_for.iter().any(|why| result.reason.starts_with(why));
    result.verdict == CaseVerdict::NotApplicable && is_asked_for
}

fn is_bad(verdict: CaseVerdict) -> bool {
    verdict > CaseVerdict::Pass
}

fn applicable(results: &[CaseResult]) -> u32 {
    let apply = |result: &&CaseResult| result.verdict != CaseVerdict::NotApplicable;
    number(results.iter().filter(apply).count())
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn shortened(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text: String = line.chars().take(REASON_MAX).collect();
    if text.len() < line.len() {
        text.push('…');
    }
    if text.is_empty() {
        text.push_str("does not pass");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: &str, verdict: CaseVerdict) -> CaseResult {
        CaseResult {
            id: id.to_owned(),
            suite: "protocol".to_owned(),
            side: "server".to_owned(),
            purpose: String::new(),
            clauses: Vec::new(),
            profile: String::new(),
            verdict,
            reason: "says \"no\"\nand more".to_owned(),
            expected: String::new(),
            actual: String::new(),
            exchange: Vec::new(),
            evidence: Vec::new(),
            took_us: 0,
        }
    }

    fn results() -> Vec<CaseResult> {
        vec![
            result("p/a", CaseVerdict::Pass),
            result("p/b", CaseVerdict::Fail),
            result("p/c", CaseVerdict::Inconclusive),
            result("p/d", CaseVerdict::NotApplicable),
        ]
    }

    #[test]
    fn what_is_written_fits_and_is_read_again() {
        let before = Baseline {
            product: "a server".to_owned(),
            version: "1.0".to_owned(),
            services: ["ftp".to_owned(), "tftp".to_owned()].into(),
            failing: [("p/b".to_owned(), "known".to_owned())].into(),
            ..Baseline::default()
        };
        let written = Baseline::of(&results(), &before);
        let read = Baseline::read("b.toml", &written.text()).expect("a baseline");
        assert_eq!(read, written);
        assert_eq!((read.cases, read.applicable), (4, 3));
        assert_eq!(read.not_applicable["p/d"], "says \"no\" and more");
        assert_eq!(read.failing["p/b"], "known");
        assert_eq!(read.failing["p/c"], "says \"no\" and more");
        assert_eq!(read.deviations(&results()), []);
    }

    #[test]
    fn tells_new_failures_listed_passes_and_changed_totals() {
        let mut baseline = Baseline::of(&results(), &Baseline::default());
        baseline.failing.remove("p/b");
        for id in ["p/a", "p/d", "p/gone"] {
            baseline.failing.insert(id.to_owned(), "why".to_owned());
        }
        baseline.cases = 5;
        let told: Vec<_> = baseline.deviations(&results());
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "p/a: passes now; take it out of the baseline",
                "p/b: fail, which is new: says \"no\" and more",
                "p/d: does not apply any more",
                "p/gone: is listed and was not carried out",
                "4 cases, the baseline says 5",
            ]
        );
    }

    #[test]
    fn tells_what_applies_now_and_what_does_not_although_it_is_asked_for() {
        let mut baseline = Baseline::of(&results(), &Baseline::default());
        let moved = baseline.not_applicable.remove("p/d").expect("listed");
        baseline.not_applicable.insert("p/a".to_owned(), moved);
        let told = baseline.deviations(&results());
        let expected = [
            Deviation::Applies("p/a".to_owned()),
            Deviation::NotApplicable("p/d".to_owned()),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_nobody_asked_for_is_not_listed() {
        let mut lacking = results();
        for result in lacking.iter_mut().filter(|result| result.id == "p/d") {
            result.reason = format!("{LACKS}ftp");
        }
        let baseline = Baseline::of(&lacking, &Baseline::default());
        assert_eq!(baseline.not_applicable, BTreeMap::new());
        assert_eq!(baseline.deviations(&lacking), []);
    }

    #[test]
    fn every_fault_of_a_baseline_is_told_at_once() {
        let text =
            "product = 1\nversion = \"2\"\ncases = -1\napplicabel = 3\n[failing]\n\"p/a\" = \"\"\n";
        let faults = Baseline::read("b.toml", text)
            .expect_err("faults")
            .to_string();
        for expected in ["b.toml:1:11", "b.toml:3:9", "applicabel", "b.toml:6:9"] {
            assert!(faults.contains(expected), "{expected}: {faults}");
        }
    }
}
