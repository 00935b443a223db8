//! `bootstorm report show|merge|compare`

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use bootstorm_reports::compare::{Comparison, NOISE_PERCENT};
use bootstorm_reports::report::Report;
use bootstorm_reports::{json, summary, text};
use clap::Subcommand;

use super::{Exit, Shared, Trouble, deliver, print};

/// The file that is read of a directory.
const REPORT: &str = "report.json";
/// Files that are read at once at most.
const READERS_MAX: usize = 16;

/// What to do with reports.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum ReportCommand {
    /// Show a report again
    Show(ShowArguments),
    /// Make one report of those that several machines made of one run
    Merge(MergeArguments),
    /// Compare two runs: newly failing, fixed, slower; exit 1 when the second is worse
    Compare(CompareArguments),
}

/// Arguments of `report show`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ShowArguments {
    /// A report.json, or the directory that holds one
    report: PathBuf,
    /// As JSON, read and written again
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
    /// Every case with its exchange, and every failure
    #[arg(long)]
    verbose: bool,
}

/// Arguments of `report merge`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct MergeArguments {
    /// Files report.json, or the directories that hold one
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Directory for the merged report; made if missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Arguments of `report compare`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CompareArguments {
    /// The report of the first run, or its directory
    before: PathBuf,
    /// The report of the second run, or its directory
    now: PathBuf,
    /// By how many percent a time must differ, besides lying beyond both runs' own spread
    #[arg(long, value_name = "PERCENT", default_value_t = NOISE_PERCENT, value_parser = percent)]
    noise: f64,
    /// As Markdown, for a CI job's summary
    #[arg(long, conflicts_with = "verbose")]
    markdown: bool,
    /// Every entry of every list
    #[arg(long)]
    verbose: bool,
}

/// Does it.
pub(super) fn report(shared: &Shared, command: &ReportCommand) -> Result<Exit, Trouble> {
    match command {
        ReportCommand::Show(arguments) => show(shared, arguments),
        ReportCommand::Merge(arguments) => merge(shared, arguments),
        ReportCommand::Compare(arguments) => compare(shared, arguments),
    }
}

fn show(shared: &Shared, arguments: &ShowArguments) -> Result<Exit, Trouble> {
    let report = read(&arguments.report)?;
    if arguments.json {
        let mut out = BufWriter::new(io::stdout().lock());
        // A reader that has gone away is not an error.
        let _ = json::write(&report, &mut out).and_then(|()| out.flush());
    } else if shared.quiet {
        print(&format!("{}\n", report.verdict().sentence));
    } else {
        deliver::show(&report, arguments.verbose);
    }
    Ok(Exit::Met)
}

fn merge(shared: &Shared, arguments: &MergeArguments) -> Result<Exit, Trouble> {
    let mut reports = read_all(&arguments.reports)?.into_iter();
    let Some(first) = reports.next() else {
        return Err(Trouble::usage("no report was given"));
    };
    let merged = first.merge_all(reports).map_err(Trouble::usage)?;
    let out = &arguments.out;
    fs::create_dir_all(out)
        .map_err(|fault| Trouble::own(format!("failed to make {}: {fault}", out.display())))?;
    let faults = deliver::write_all(&merged, out);
    let told = deliver::Told {
        shared,
        out,
        json: false,
        verbose: false,
    };
    deliver::tell(&merged, &told, faults)?;
    Ok(Exit::Met)
}

fn compare(shared: &Shared, arguments: &CompareArguments) -> Result<Exit, Trouble> {
    let (before, now) = (read(&arguments.before)?, read(&arguments.now)?);
    let comparison = Comparison::new(&before, &now, arguments.noise);
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if arguments.markdown {
        summary::write_comparison(&comparison, &mut out)
    } else if shared.quiet {
        writeln!(out, "{}", comparison.sentence())
    } else {
        text::write_comparison(&comparison, deliver::style(arguments.verbose), &mut out)
    };
    // A reader that has gone away is not an error.
    let _ = written.and_then(|()| out.flush());
    Ok(if !comparison.void.is_empty() {
        Exit::Void
    } else if comparison.is_regression() {
        Exit::SubjectFailed
    } else {
        Exit::Met
    })
}

fn percent(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1_000.0).contains(&value) {
        Ok(value)
    } else {
        Err("expected a number from 0 to 1000".to_owned())
    }
}

/// Reads reports, several at once, and tells all that cannot be read.
fn read_all(paths: &[PathBuf]) -> Result<Vec<Report>, Trouble> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = paths.len().div_ceil(cores.min(READERS_MAX)).max(1);
    let read: Vec<Result<Report, Trouble>> = std::thread::scope(|scope| {
        let shares = paths.chunks(share);
        let readers = shares
            .map(|share| scope.spawn(|| share.iter().map(|path| read(path)).collect::<Vec<_>>()));
        let readers: Vec<_> = readers.collect();
        let shares = readers.into_iter().map(|reader| {
            let died = |_| vec![Err(Trouble::own("a thread that read reports died"))];
            reader.join().unwrap_or_else(died)
        });
        shares.flatten().collect()
    });
    let mut reports = Vec::with_capacity(read.len());
    let mut faults = Vec::new();
    for read in read {
        match read {
            Ok(report) => reports.push(report),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    if faults.is_empty() {
        Ok(reports)
    } else {
        Err(Trouble::usage(faults.join("\n")))
    }
}

fn read(path: &Path) -> Result<Report, Trouble> {
    let file = if path.is_dir() {
        path.join(REPORT)
    } else {
        path.to_owned()
    };
    let opened = File::open(&file)
        .map_err(|fault| Trouble::usage(format!("failed to read {}: {fault}", file.display())))?;
    json::read(&mut BufReader::new(opened))
        .map_err(|fault| Trouble::usage(format!("{}: {fault}", file.display())))
}
