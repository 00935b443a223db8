//! What a run leaves behind: the files of its report, and what the terminal is told.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use bootstorm_reports::report::Report;
use bootstorm_reports::text::{self, Style};
use bootstorm_reports::verdict::Class;
use bootstorm_reports::{html, json, junit, prom, summary};

use super::{Exit, Shared, Trouble, print};
use crate::capture::whole_file;

/// Writes a report in one format.
type Writer = fn(&Report, &mut dyn Write) -> io::Result<()>;

/// Every file of a report.
const FILES: [(&str, Writer); 5] = [
    ("report.json", json::write),
    ("report.html", html::write),
    ("junit.xml", junit::write),
    ("summary.md", summary::write),
    ("metrics.prom", prom::write),
];

/// The capture's name in the report's directory.
pub(super) const CAPTURE: &str = "capture.pcapng";

/// Bytes that a phone takes in all files together, with room to spare, and those of the rest.
const BYTES_PER_PHONE: u64 = 800;
const BYTES_AT_LEAST: u64 = 256 * 1_024;
/// Bytes that are tried before a run at most: a longer report is not waited for twice.
const TRIED_MAX: u64 = 32 * 1_024 * 1_024;

/// How the terminal is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// Options of every command.
    pub(super) shared: &'a Shared,
    /// Where the files were written.
    pub(super) out: &'a Path,
    /// As JSON instead of the table.
    pub(super) json: bool,
    /// Every case, and every failure.
    pub(super) verbose: bool,
}

/// Tells before a run what would be found only after it: whether the directory can be made and
/// written to, has room for the report of so many phones, and has no directory where a file is to
/// be.
///
/// # Errors
/// What is in the way.
pub(super) fn probe(directory: &Path, phones: u32) -> Result<(), Trouble> {
    let bytes = u64::from(phones) * BYTES_PER_PHONE + BYTES_AT_LEAST;
    let probe = directory.join(".writable");
    let tried = fs::create_dir_all(directory).and_then(|()| fill(&probe, bytes.min(TRIED_MAX)));
    // Also when it is half written.
    let removed = fs::remove_file(&probe);
    let names = FILES.iter().map(|(name, _)| *name).chain([CAPTURE]);
    let mut paths = names.map(|name| directory.join(name));
    let fault = match tried.and(removed) {
        Err(fault) => Some((directory.to_owned(), fault)),
        Ok(()) => paths
            .find(|path| path.is_dir())
            .map(|path| (path, io::ErrorKind::IsADirectory.into())),
    };
    fault.map_or(Ok(()), |(path, fault)| {
        Err(Trouble::own(format!(
            "failed to write to {}: {fault} (choose another directory with --out)",
            path.display()
        )))
    })
}

fn fill(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    io::copy(&mut io::Read::take(io::repeat(b' '), bytes), &mut file)?;
    file.flush()
}

/// Writes every file of the report into the directory, which is there; returns those that could
/// not be written. One that fails does not keep the others from being tried. A file is there whole
/// or as it was before.
pub(super) fn write_all(report: &Report, directory: &Path) -> Vec<(PathBuf, io::Error)> {
    let tried = FILES.into_iter().filter_map(|(name, write)| {
        let path = directory.join(name);
        let fault = write_file(report, &path, write).err()?;
        Some((path, fault))
    });
    tried.collect()
}

fn write_file(report: &Report, path: &Path, write: Writer) -> io::Result<()> {
    whole_file(path, |out| write(report, out))
}

/// Prints the report, says which files there are and which could not be written, and how the run
/// ended.
///
/// # Errors
/// Files that could not be written; the terminal has the report then, whatever it was to get.
pub(super) fn tell(
    report: &Report,
    told: &Told<'_>,
    faults: Vec<(PathBuf, io::Error)>,
) -> Result<Exit, Trouble> {
    if told.json {
        let out = io::stdout();
        // A reader that has gone away is not an error.
        let _ = json::write(report, &mut BufWriter::new(out.lock()));
    } else if told.shared.quiet && faults.is_empty() {
        print(&format!("{}\n", report.verdict().sentence));
    } else {
        show(report, told.verbose);
    }
    written(faults)?;
    if !told.shared.quiet && !told.json {
        for name in ["report.json", "report.html"] {
            print(&format!("report: {}\n", told.out.join(name).display()));
        }
    }
    Ok(report.verdict().class.into())
}

/// Tells which files could not be written.
///
/// # Errors
/// All of them.
pub(super) fn written(faults: Vec<(PathBuf, io::Error)>) -> Result<(), Trouble> {
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.iter();
    let faults = faults.map(|(path, fault)| format!("{}: {fault}", path.display()));
    let faults: Vec<String> = faults.collect();
    Err(Trouble::own(format!(
        "failed to write {}",
        faults.join("; ")
    )))
}

/// Prints the text report.
pub(super) fn show(report: &Report, verbose: bool) {
    let mut out = BufWriter::new(io::stdout().lock());
    // A reader that has gone away is not an error.
    let _ = text::write(report, style(verbose), &mut out).and_then(|()| out.flush());
}

/// How texts are written to standard output: as wide as the terminal, in colours only on one.
pub(super) fn style(verbose: bool) -> Style {
    let terminal = io::stdout().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    Style {
        columns: super::live::columns(),
        colour,
        verbose,
        ..Style::default()
    }
}

impl From<Class> for Exit {
    fn from(class: Class) -> Self {
        match class {
            Class::Met => Self::Met,
            Class::SubjectFailed => Self::SubjectFailed,
            Class::Void | Class::Inconclusive => Self::Void,
            Class::OwnFault => Self::Own,
            Class::Interrupted => Self::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_reports::measure::Ladder;
    use bootstorm_reports::redact::Redactor;
    use bootstorm_reports::run::RunFacts;

    use super::*;

    fn report() -> Report {
        let facts = RunFacts::default();
        Report::new(facts, Ladder::default(), Vec::new(), &Redactor::new(1)).unwrap()
    }

    fn entries(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn writes_every_file_whole() {
        let directory = tempfile::tempdir().unwrap();
        assert!(write_all(&report(), directory.path()).is_empty());
        for (name, _) in FILES {
            let bytes = fs::metadata(directory.path().join(name)).unwrap().len();
            assert!(bytes > 100, "{name}: {bytes}");
        }
        assert_eq!(entries(directory.path()), FILES.len());
    }

    #[test]
    fn tries_every_file_although_one_cannot_be_written() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("report.json")).unwrap();
        let faults = write_all(&report(), directory.path());
        let names: Vec<_> = faults.iter().map(|(path, _)| path.file_name()).collect();
        assert_eq!(names, [Some("report.json".as_ref())]);
        assert!(directory.path().join("report.html").is_file());
        assert_eq!(entries(directory.path()), FILES.len());
    }

    #[test]
    fn a_full_disk_leaves_the_file_of_before() {
        let full: Writer = |_, out| {
            out.write_all(b"x")?;
            Err(io::ErrorKind::StorageFull.into())
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        fs::write(&path, b"of before").unwrap();
        let fault = write_file(&report(), &path, full).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"of before");
        assert_eq!(entries(directory.path()), 1);
    }

    #[test]
    fn tells_before_the_run_what_cannot_be_written() {
        let directory = tempfile::tempdir().unwrap();
        probe(&directory.path().join("new/deep"), 10).unwrap();
        assert_eq!(entries(&directory.path().join("new/deep")), 0);
        let file = directory.path().join("file");
        fs::write(&file, b"").unwrap();
        let fault = probe(&file.join("below"), 10).unwrap_err().to_string();
        assert!(fault.contains("--out"), "{fault}");
        for name in ["capture.pcapng", "report.html"] {
            fs::create_dir(directory.path().join(name)).unwrap();
            let fault = probe(directory.path(), 10).unwrap_err().to_string();
            assert!(fault.contains(name), "{fault}");
        }
    }
}
