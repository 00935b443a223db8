//! `bootstorm judge`

mod told;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::report::Report;
use bootstorm_reports::run::RunFacts;
use bootstorm_scenarios::suite::Suite;
use bootstorm_scenarios::wire::message::{self, Message};

use super::cases::{JudgingArguments, report, suites};
use super::{Exit, Shared, Trouble, deliver, load};
use crate::certify::Bench;
use crate::observe::fit::{self, Fit};
use crate::observe::source::{self, Next, SourceFault};
use crate::observe::verdicts::{self, Heard, verdicts};
use crate::observe::{Limits, Observer, traits};
use told::Told;

/// Which captures, and of whom.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Exit codes: 0 at least one case was seen to be kept and none broken; 1 a \
                        phone broke a case; 2 no capture, or bad usage; 3 nothing could be \
                        concluded; 4 our own fault."
)]
pub(super) struct JudgeArguments {
    /// Captures in pcap or pcapng, in the order of time where they are parts of one
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// Take the phones for this profile, whatever they look like
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Only the phone with this MAC address (repeatable)
    #[arg(long, value_name = "MAC", value_parser = mac)]
    mac: Vec<Mac>,
    #[command(flatten)]
    judging: JudgingArguments,
    /// The captures hold all that the phones did: what is not there did not happen
    #[arg(long)]
    complete: bool,
    /// Directory for the report, and for one below it for each phone where there are several; made
    /// if missing
    #[arg(long, value_name = "DIR", default_value = "bootstorm-report")]
    out: PathBuf,
}

/// What was found of a phone.
struct Found {
    mac: Mac,
    fit: Fit,
    packets: usize,
    span: Duration,
    /// TLS connections, in words.
    secured: Vec<String>,
    /// With what came of the cases.
    report: Report,
}

/// What came of a station.
enum Judged {
    /// A phone, and what its cases say.
    Found(Box<Found>),
    /// Nothing to judge.
    Nothing,
    /// One that fits no profile, in words.
    Other(String),
}

/// All that was read.
pub(super) struct Listened {
    pub(super) observer: Observer,
    pub(super) notes: Vec<String>,
}

/// Judges and reports.
pub(super) fn judge(shared: &Shared, arguments: &JudgeArguments) -> Result<Exit, Trouble> {
    let bench = Bench {
        profiles: load::profiles(shared)?,
        mutants: bootstorm_scenarios::mutant::built_in().map_err(Trouble::Faults)?,
        keep_secrets: arguments.judging.keep_secrets,
        ..Bench::default()
    };
    let suites = suites(&arguments.judging.suite)?;
    if let Some(name) = &arguments.profile {
        bench.profiles.get(name).map_err(Trouble::usage)?;
    }
    let Listened {
        mut observer,
        mut notes,
    } = listen(&arguments.captures, &arguments.mac)?;
    notes.extend(missing(&observer, &arguments.mac));
    let macs: Vec<Mac> = observer.phones().collect();
    deliver::probe(&arguments.out, u32::try_from(macs.len()).unwrap_or(0))?;
    told::notes(&notes);
    let mut told = Told::new(shared, arguments);
    // The first one's report lies elsewhere where there is a second.
    let mut first = None;
    for mac in macs {
        match of_phone(&mut observer, mac, arguments, &suites, &bench)? {
            Judged::Found(found) if told.phones == 0 && first.is_none() => first = Some(found),
            Judged::Found(found) => {
                for phone in first.take().into_iter().chain([found]) {
                    told.phone(&phone, &arguments.out.join(phone.mac.to_string()))?;
                }
            }
            Judged::Nothing => {}
            Judged::Other(other) => told.others.push(other),
        }
    }
    if let Some(phone) = first {
        told.phone(&phone, &arguments.out)?;
    }
    told.end(&notes);
    deliver::written(std::mem::take(&mut told.faults))?;
    Ok(told.exit())
}

/// Reads captures, one after the other.
pub(super) fn listen(captures: &[PathBuf], macs: &[Mac]) -> Result<Listened, Trouble> {
    let only: BTreeSet<Mac> = macs.iter().copied().collect();
    let mut observer = Observer::only(Limits::default(), only);
    let mut notes = Vec::new();
    // Whatever is wrong with any of them is said at once.
    let mut faults = Vec::new();
    for path in captures {
        let read = source::file(path).and_then(|mut source| {
            while let Next::Frame(frame) = source.next()? {
                observer.take(&frame);
            }
            Ok(source.notes())
        });
        match read {
            Ok(more) => notes.extend(more),
            Err(SourceFault::Given(what)) => faults.push(what),
            Err(SourceFault::Own(what)) => return Err(Trouble::own(what)),
        }
    }
    if !faults.is_empty() {
        return Err(Trouble::usage(faults.join("\n")));
    }
    observer.settle();
    notes.extend(
        observer
            .losses()
            .sentence()
            .map(|lost| format!("not read: {lost}")),
    );
    Ok(Listened { observer, notes })
}

/// What is found of one phone.
fn of_phone(
    observer: &mut Observer,
    mac: Mac,
    arguments: &JudgeArguments,
    suites: &[Suite],
    bench: &Bench,
) -> Result<Judged, Trouble> {
    let (mut gaps, last) = (observer.gaps(mac), observer.last());
    let secured = observer.secured(mac).to_vec();
    let epoch = observer.epoch();
    let Some(record) = observer.record(mac) else {
        return Ok(Judged::Nothing);
    };
    if record.is_empty() {
        return Ok(Judged::Nothing);
    }
    let messages = message::decode(record);
    let fit = fitted(
        mac,
        &messages,
        arguments.profile.as_deref(),
        &bench.profiles,
    );
    let Some(fit) = fit else {
        return Ok(Judged::Nothing);
    };
    if !fit.is_good() && arguments.profile.is_none() {
        let (name, score) = (&fit.profile.name, fit.score);
        let reasons = fit.reasons();
        let other = format!("{mac} fits no profile; nearest {name}, {score} %: {reasons}");
        return Ok(Judged::Other(other));
    }
    gaps.end = match arguments.complete {
        true => None,
        false => verdicts::end(&messages, last),
    };
    let heard = Heard {
        mac,
        record,
        messages: &messages,
        gaps: &gaps,
        last,
    };
    let results = verdicts(&heard, &fit.profile, suites, bench);
    let first = messages.first().map_or(last, |first| first.at);
    let span = last.since(first);
    let facts = RunFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: format!("judge {mac} as {}", fit.profile.name),
        seed: 1,
        time_scale: 1.0,
        attachment: "capture".to_owned(),
        elapsed: span,
        started_at: epoch.unwrap_or(0) / 1_000_000_000,
        ..RunFacts::default()
    };
    Ok(Judged::Found(Box::new(Found {
        mac,
        packets: record.len(),
        span,
        secured: secured.iter().map(told::secured).collect(),
        fit,
        report: report(facts, results, arguments.judging.keep_secrets)?,
    })))
}

fn fitted(
    mac: Mac,
    messages: &[Message],
    named: Option<&str>,
    profiles: &ProfileSet,
) -> Option<Fit> {
    let seen = traits::shown(mac, messages);
    match named.and_then(|name| profiles.get(name).ok()) {
        Some(profile) => Some(fit::fit(mac, &seen, &profile)),
        None => fit::fits(mac, &seen, profiles).into_iter().next(),
    }
}

/// Phones that were asked for and are not there.
fn missing(observer: &Observer, macs: &[Mac]) -> Vec<String> {
    let there: BTreeSet<Mac> = observer.phones().collect();
    let absent = macs.iter().filter(|mac| !there.contains(mac));
    absent
        .map(|mac| format!("nothing of {mac} is in the capture"))
        .collect()
}

/// Reads a MAC address.
pub(super) fn mac(text: &str) -> Result<Mac, String> {
    Mac::parse(text).ok_or_else(|| format!("'{text}' is no MAC address such as 00:21:f2:00:10:00"))
}
