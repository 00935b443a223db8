//! What is known to fail: a baseline is compared with, or written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bootstorm_reports::case::{CaseResult, CaseVerdict};

use super::super::{Exit, Shared, Trouble, load, print};
use crate::certify::baseline::Baseline;

/// With what the results are compared.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BaselineArguments {
    /// Compare with what is known to fail at this server or phone; only what differs counts
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what fails now as a baseline; reasons of --baseline are kept
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// The product's name in a baseline that is written
    #[arg(long, value_name = "NAME", requires = "write_baseline")]
    product: Option<String>,
    /// The product's version in a baseline that is written
    #[arg(long, value_name = "VERSION", requires = "write_baseline")]
    product_version: Option<String>,
}

impl BaselineArguments {
    /// The baseline that was given.
    pub(super) fn read(&self) -> Result<Option<Baseline>, Trouble> {
        let Some(path) = &self.baseline else {
            return Ok(None);
        };
        let text = load::read(path)?;
        let read = Baseline::read(&path.display().to_string(), &text);
        read.map(Some).map_err(Trouble::Faults)
    }

    /// Tells before the run where a baseline could not be written after it.
    pub(super) fn can_be_written(&self) -> Result<(), Trouble> {
        self.write_baseline
            .as_deref()
            .map_or(Ok(()), can_be_written)
    }

    /// Writes what fails now, where that is asked for.
    pub(super) fn write(
        &self,
        known: Option<&Baseline>,
        services: BTreeSet<String>,
        results: &[CaseResult],
    ) -> Result<(), Trouble> {
        let Some(path) = &self.write_baseline else {
            return Ok(());
        };
        let mut before = known.cloned().unwrap_or_default();
        before.services = services;
        if let Some(product) = &self.product {
            before.product.clone_from(product);
        }
        if let Some(version) = &self.product_version {
            before.version.clone_from(version);
        }
        write(path, &Baseline::of(results, &before))
    }
}

fn can_be_written(path: &Path) -> Result<(), Trouble> {
    let failed = |fault: std::io::Error| {
        Trouble::own(format!(
            "--write-baseline: failed to write {}: {fault}",
            path.display()
        ))
    };
    let existed = path.exists();
    let mut open = std::fs::OpenOptions::new();
    let opened = open.append(true).create(true).open(path);
    opened.map_err(failed)?;
    match existed {
        true => Ok(()),
        false => std::fs::remove_file(path).map_err(failed),
    }
}

fn write(path: &Path, baseline: &Baseline) -> Result<(), Trouble> {
    std::fs::write(path, baseline.text())
        .map_err(|fault| Trouble::own(format!("failed to write {}: {fault}", path.display())))
}

/// Says what is not as the baseline has it.
pub(super) fn compared(
    shared: &Shared,
    json: bool,
    baseline: &Baseline,
    results: &[CaseResult],
) -> Exit {
    let deviations = baseline.deviations(results);
    let say = |text: &str| match json {
        // Standard output is the report's.
        true => eprint!("{text}"),
        false => print(text),
    };
    let product = format!("{} {}", baseline.product, baseline.version);
    let known_of = match product.trim() {
        "" => "as the baseline has it".to_owned(),
        product => format!("as known of {product}"),
    };
    for deviation in &deviations {
        say(&format!("not {known_of}: {deviation}\n"));
    }
    if deviations.is_empty() && !shared.quiet {
        let known = baseline.failing.len();
        say(&format!("{known_of}: {known} cases do not pass\n"));
    }
    exit(deviations.iter().map(|it| it.verdict()))
}

/// The worst of these verdicts decides.
fn exit(verdicts: impl IntoIterator<Item = CaseVerdict>) -> Exit {
    let verdicts: Vec<_> = verdicts.into_iter().collect();
    let any = |verdict| verdicts.contains(&verdict);
    if any(CaseVerdict::Error) {
        Exit::Own
    } else if any(CaseVerdict::Fail) {
        Exit::SubjectFailed
    } else if any(CaseVerdict::Inconclusive) {
        Exit::Void
    } else {
        Exit::Met
    }
}
