//! `bootstorm lab twin`

use std::collections::BTreeSet;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bootstorm_emulator::identity::Mac;
use bootstorm_reports::html::twin as page;
use bootstorm_reports::twin::{self as report, Comparison};
use bootstorm_scenarios::lab::{Lab, LabPlace};
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::suite::{self, Suite};
use bootstorm_scenarios::wire::message;
use bootstorm_scenarios::wire::record::Record;

use super::super::live::{catch_interrupt, columns};
use super::super::{Exit, Shared, Trouble, deliver, harmless, load, print};
use crate::capture::whole_file;
use crate::certify::Bench;
use crate::lab::file;
use crate::lab::power::Terminal;
use crate::lab::run::Table;
use crate::lab::twin::{self, Pair};
use crate::observe::source::{self, Next, SourceFault};
use crate::observe::{Limits, Observer};
use crate::provision::{Pool, SIMULATED_POOL, SIMULATED_SERVER};

/// What the first Ctrl-C is answered.
const ENDING: &str = "ending: power and content are put back (Ctrl-C again ends at once)";
/// The page's name in the directory.
const PAGE: &str = "twin.html";
/// The name of the same for programs.
const JSON: &str = "twin.json";

/// Which handset.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct LabTwinArguments {
    /// The lab's file
    #[arg(value_name = "LAB", required_unless_present = "capture")]
    lab: Option<PathBuf>,
    /// The handset's place; may be left out where there is only one
    #[arg(long, value_name = "NAME", requires = "lab")]
    place: Option<String>,
    /// A capture of the handset's boot, instead of powering it
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Without a lab's file: the profile of the twin
    #[arg(
        long,
        value_name = "PROFILE",
        required_unless_present = "lab",
        conflicts_with = "lab"
    )]
    profile: Option<String>,
    /// The handset in a capture that has several
    #[arg(long, value_name = "MAC", requires = "capture", conflicts_with = "lab")]
    mac: Option<String>,
    /// Show passwords instead of stand-ins
    #[arg(long)]
    keep_secrets: bool,
    /// Directory for twin.html and twin.json; made if missing
    #[arg(long, value_name = "DIR", default_value = "bootstorm-report")]
    out: PathBuf,
    /// Write the comparison as JSON to standard output instead of the two ladders
    #[arg(long)]
    json: bool,
}

/// A handset that was heard, and what its twin is made of.
struct Heard {
    title: String,
    subject: String,
    suite: String,
    plan: Arc<Plan>,
    record: Record,
    pool: Pool,
    router: Option<Ipv4Addr>,
    from_power: bool,
    notes: Vec<String>,
}

/// Boots both and compares, until the user ends it.
pub(super) fn twin(shared: &Shared, arguments: &LabTwinArguments) -> Result<Exit, Trouble> {
    let bench = Bench {
        profiles: load::profiles(shared)?,
        keep_secrets: arguments.keep_secrets,
        ..Bench::default()
    };
    match both(shared, arguments, &bench) {
        Err(Trouble::Own(why)) if bench.stop.load(Ordering::Relaxed) => {
            eprintln!("bootstorm: {}", harmless(&why));
            Ok(Exit::Interrupted)
        }
        done => done,
    }
}

fn both(shared: &Shared, arguments: &LabTwinArguments, bench: &Bench) -> Result<Exit, Trouble> {
    let suites = suite::read_built_in().map_err(Trouble::Faults)?;
    let heard = match &arguments.lab {
        Some(path) => {
            let lab = super::read(path, &bench.profiles)?;
            deliver::probe(&arguments.out, 0)?;
            of_lab(&lab, arguments, bench)?
        }
        None => {
            deliver::probe(&arguments.out, 0)?;
            of_capture(arguments, bench)?
        }
    };
    let comparison = compared(heard, &suites, bench)?;
    let html = arguments.out.join(PAGE);
    let written = [
        (
            &html,
            whole_file(&html, |out| page::write(&comparison, out)),
        ),
        (
            &arguments.out.join(JSON),
            whole_file(&arguments.out.join(JSON), |out| {
                report::json(&comparison, out)
            }),
        ),
    ];
    let faults = written
        .into_iter()
        .filter_map(|(path, done)| Some((path.clone(), done.err()?)));
    let faults: Vec<_> = faults.collect();
    tell(shared, arguments, &comparison)?;
    deliver::written(faults)?;
    if !shared.quiet && !arguments.json {
        print(&format!("page: {}\n", html.display()));
    }
    Ok(comparison.class().into())
}

fn compared(heard: Heard, suites: &[Suite], bench: &Bench) -> Result<Comparison, Trouble> {
    let own = twin::boot(&heard.plan, heard.pool, heard.router, bench).map_err(Trouble::own)?;
    if bench.stop.load(Ordering::Relaxed) {
        return Err(Trouble::own("the run was ended before the twin had booted"));
    }
    let pair = Pair {
        title: heard.title,
        plan: &heard.plan,
        suites,
        suite: heard.suite,
        subject: heard.subject,
        from_power: heard.from_power,
        notes: heard.notes,
    };
    Ok(twin::compare(
        &pair,
        &own,
        &heard.record,
        bench.keep_secrets,
    ))
}

fn tell(
    shared: &Shared,
    arguments: &LabTwinArguments,
    comparison: &Comparison,
) -> Result<(), Trouble> {
    let mut text = Vec::new();
    let written = if arguments.json {
        report::json(comparison, &mut text)
    } else if shared.quiet {
        writeln!(text, "{}", comparison.verdict())
    } else {
        report::text(comparison, usize::from(columns()), &mut text)
    };
    written.map_err(Trouble::own)?;
    print(&String::from_utf8_lossy(&text));
    Ok(())
}

/// The handset of a place, powered now or captured before.
fn of_lab(lab: &Lab, arguments: &LabTwinArguments, bench: &Bench) -> Result<Heard, Trouble> {
    let asked: Vec<String> = arguments.place.iter().cloned().collect();
    let places = super::places(lab, &asked)?;
    let [place] = places.as_slice() else {
        let names: Vec<_> = places.iter().map(|place| place.name.as_str()).collect();
        return Err(Trouble::usage(format!(
            "which handset? --place takes one of {}",
            names.join(", ")
        )));
    };
    let plan = file::plan(lab, place, &bench.profiles).map_err(Trouble::Usage)?;
    let plan = Arc::new(plan);
    let mut notes = BTreeSet::new();
    let (record, from_power) = match &arguments.capture {
        Some(path) => {
            let (mut observer, told) = listened(path)?;
            notes.extend(told);
            (of_phone(&mut observer, place.mac, path)?, false)
        }
        None => (powered(lab, place, &plan, bench, &mut notes)?, true),
    };
    if !lab.subject.given.is_empty() {
        notes.insert(
            "the twin met the reference server with the same content, the handset the real one"
                .to_owned(),
        );
    }
    let vendor = place.profile.split('/').next().unwrap_or_default();
    Ok(Heard {
        title: format!("lab {}, place {}", lab.name, place.name),
        subject: format!("server {}", lab.subject.server),
        suite: place.suite.clone().unwrap_or_else(|| vendor.to_owned()),
        plan,
        record,
        pool: twin::pool(lab, place),
        router: lab.subject.router,
        from_power,
        notes: notes.into_iter().collect(),
    })
}

fn powered(
    lab: &Lab,
    place: &LabPlace,
    plan: &Arc<Plan>,
    bench: &Bench,
    notes: &mut BTreeSet<String>,
) -> Result<Record, Trouble> {
    super::has_interface(&lab.subject.interface)?;
    catch_interrupt(Arc::clone(&bench.stop), ENDING)?;
    let table = Table {
        lab,
        bench,
        asking: &Terminal,
        nightly: false,
    };
    table.observe(place, plan, notes).map_err(Trouble::own)
}

/// A handset of which there is a capture, and no more is known than its profile.
fn of_capture(arguments: &LabTwinArguments, bench: &Bench) -> Result<Heard, Trouble> {
    let (Some(path), Some(profile)) = (&arguments.capture, &arguments.profile) else {
        return Err(Trouble::usage("--capture and --profile, or a lab's file"));
    };
    let asked = arguments.mac.as_deref().map(|text| {
        let expected = "expected twelve hexadecimal digits, with : or - or bare";
        let mac = Mac::parse(text);
        mac.ok_or_else(|| Trouble::usage(format!("--mac {text}: {expected}")))
    });
    let (mut observer, notes) = listened(path)?;
    let mac = match asked.transpose()? {
        Some(mac) => mac,
        None => only(&observer, path)?,
    };
    let record = of_phone(&mut observer, mac, path)?;
    let server = server(&record);
    let plan = file::unknown(
        profile,
        mac,
        server.unwrap_or(SIMULATED_SERVER),
        &bench.profiles,
    );
    let plan = Arc::new(plan.map_err(Trouble::Usage)?);
    let mut notes: Vec<String> = notes;
    notes.push(
        "the twin met the reference server, with content of its own: what the handset's server \
         gave it may differ"
            .to_owned(),
    );
    let vendor = plan
        .profiles
        .first()
        .map(|it| it.name.split('/').next().unwrap_or_default());
    Ok(Heard {
        title: format!("capture {}", path.display()),
        subject: server.map_or_else(String::new, |server| format!("server {server}")),
        suite: vendor.unwrap_or_default().to_owned(),
        plan: Arc::clone(&plan),
        record,
        pool: SIMULATED_POOL,
        router: None,
        from_power: false,
        notes,
    })
}

/// Everything of a capture.
fn listened(path: &Path) -> Result<(Observer, Vec<String>), Trouble> {
    let told = |fault: SourceFault| match fault {
        SourceFault::Given(text) => Trouble::Usage(text),
        SourceFault::Own(text) => Trouble::own(text),
    };
    let mut source = source::file(path).map_err(told)?;
    let mut observer = Observer::new(Limits::default());
    loop {
        match source.next().map_err(told)? {
            Next::Frame(frame) => observer.take(&frame),
            Next::Quiet => {}
            Next::End => break,
        }
    }
    observer.settle();
    let mut notes = source.notes();
    notes.extend(observer.losses().sentence());
    Ok((observer, notes))
}

/// The record of a phone of a capture.
fn of_phone(observer: &mut Observer, mac: Mac, path: &Path) -> Result<Record, Trouble> {
    let record = observer
        .record(mac)
        .filter(|record| !record.is_empty())
        .cloned();
    record.ok_or_else(|| {
        let phones = listed(observer);
        let path = path.display();
        Trouble::usage(format!("{path} has nothing of {mac} (it has {phones})"))
    })
}

/// The one phone of a capture.
fn only(observer: &Observer, path: &Path) -> Result<Mac, Trouble> {
    let mut phones = observer.phones();
    match (phones.next(), phones.next()) {
        (Some(mac), None) => Ok(mac),
        _ => Err(Trouble::usage(format!(
            "{} has {}: --mac says which",
            path.display(),
            listed(observer)
        ))),
    }
}

fn listed(observer: &Observer) -> String {
    const SHOWN: usize = 12;
    let phones: Vec<String> = observer.phones().map(|mac| mac.to_string()).collect();
    match phones.len() {
        0 => "no phone".to_owned(),
        all @ ..=SHOWN => format!("{all} phones: {}", phones.join(", ")),
        all => format!(
            "{all} phones: {} …",
            phones.get(..SHOWN).unwrap_or_default().join(", ")
        ),
    }
}

/// The server that a handset was told of: by DHCP, else whom it asked first.
fn server(record: &Record) -> Option<Ipv4Addr> {
    let messages = message::decode(record);
    let told = messages.iter().find(|message| message.name == "dhcp.ack");
    let told = told.and_then(|message| message.field("option.54")?.parse().ok());
    told.or_else(|| {
        let mut asked = messages
            .iter()
            .filter(|message| message.name == "tftp.rrq" || message.name.starts_with("http."));
        asked.next().map(|message| *message.peer.ip())
    })
}
