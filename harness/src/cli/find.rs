//! `bootstorm run --find`: the highest load that a server bears under a limit. Each try is a run of
//! its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bootstorm_emulator::located::{did_you_mean, nearest};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::capacity::{Capacity, Load, Tried, TryVerdict};
use bootstorm_reports::measure::SETTLED as SETTLED_ROW;
use bootstorm_reports::report::Report;
use bootstorm_reports::run::Outcome;
use bootstorm_reports::verdict::Class;
use bootstorm_scenarios::load_shape::LoadShape;
use bootstorm_scenarios::plan::{PHONES_MAX, Plan};
use bootstorm_scenarios::scenario::Scenario;
use bootstorm_scenarios::threshold::{BOOT, Domain, Expression, Figures, SETTLED};

use super::boot::{ENDING, Given, boot, deliver, orders, plan, results_are_writable, scenario};
use super::live::{Live, catch_interrupt};
use super::{Exit, RunArguments, Shared, Trouble, print};
use crate::capacity::{Bounds, Search, first_broken};
use crate::fleet::figures::Sums;
use crate::run::Ended;

/// How often a pause looks at whether the user has ended it.
const LOOK: Duration = Duration::from_millis(50);
/// Words of a limit that say for themselves what must become of the phones.
const OUTCOMES: [&str; 6] = [
    "provisioned",
    "unverified",
    "partial",
    "failed",
    "settled",
    "not_started",
];

/// Options of a search.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Search for a capacity")]
pub(super) struct FindArguments {
    /// Find how many phones at once (storm), or how many a second (rate), the server bears: double
    /// until --until breaks, then halve the gap. Each try boots the first phones of the scenario
    /// as new from the factory, with the MAC addresses that they had in the tries before
    #[arg(long, value_enum, value_name = "LOAD", conflicts_with_all = ["phone", "phones"])]
    pub(super) find: Option<Wanted>,
    /// The limit, an expression such as 'p95("boot") < duration("3s")'; unless it speaks of
    /// outcomes, all phones must be provisioned besides
    #[arg(long, value_name = "EXPRESSION", requires = "find")]
    until: Option<String>,
    /// The first load tried
    #[arg(long, value_name = "N", default_value_t = 8, requires = "find",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(PHONES_MAX)))]
    from: u32,
    /// The highest load tried
    #[arg(long, value_name = "N", default_value_t = 65_536, requires = "find",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(PHONES_MAX)))]
    to: u32,
    /// For how many seconds phones arrive at each rate
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10.0,
        requires = "find"
    )]
    over: f64,
    /// Seconds between two tries, in which the server recovers
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, requires = "find")]
    pause: f64,
    /// Seconds before the next try where phones were not provisioned: as long as servers hold
    /// transfers that nobody ends
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 40.0,
        requires = "find"
    )]
    recovery: f64,
    /// How near the highest load that met the limit and the lowest that broke it must be
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, requires = "find")]
    precision: f64,
}

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Wanted {
    /// Phones at once
    Storm,
    /// Phones a second
    Rate,
}

/// A search as it was asked for.
struct Asked {
    load: Load,
    limit: Option<Expression>,
    bounds: Bounds,
    over: Duration,
    pause: Duration,
    recovery: Duration,
}

/// A run of a search.
struct Try {
    load: u32,
    plan: Arc<Plan>,
    ended: Ended,
}

/// Searches and reports.
pub(super) fn find(
    shared: &Shared,
    arguments: &RunArguments,
    profiles: &ProfileSet,
) -> Result<Exit, Trouble> {
    let asked = Asked::read(&arguments.find)?;
    let base = scenario(shared, arguments)?;
    let first = plan(
        arguments,
        asked.scenario(&base, asked.bounds.from),
        profiles,
    )?;
    asked.check_stages(&first)?;
    let stop = Arc::new(AtomicBool::new(false));
    catch_interrupt(Arc::clone(&stop), ENDING)?;
    results_are_writable(arguments, first.phones())?;
    announce(shared, arguments, &asked, &first);
    let mut capacity = asked.nothing_yet();
    let mut search = Search::new(asked.bounds);
    let (mut met, mut broken, mut other) = (None::<Try>, None::<Try>, None::<Try>);
    let mut pause = Duration::ZERO;
    while let Some(load) = search.next() {
        if !rest(pause, &stop) {
            break;
        }
        let plan = plan(arguments, asked.scenario(&base, load), profiles)?;
        let ended = run_one(shared, arguments, &plan, &stop)?;
        let (verdict, figure) = asked.judge(&ended.report);
        pause = asked.pause_after(&ended.report);
        let phones = plan.phones();
        let one = Try { load, plan, ended };
        let tried = Tried {
            load,
            phones,
            verdict,
            figure,
        };
        say(shared, arguments, &capacity.line(&tried));
        capacity.tries.push(tried);
        match verdict {
            TryVerdict::Met => keep(&mut met, one, |held, one| one > held),
            TryVerdict::Broken => keep(&mut broken, one, |held, one| one < held),
            TryVerdict::Void | TryVerdict::Interrupted => {
                other = Some(one);
                break;
            }
        }
        search.note(load, verdict == TryVerdict::Met);
    }
    if stop.load(Ordering::Relaxed) {
        interrupted(&mut capacity);
    }
    (capacity.met, capacity.broken) = (search.met, search.broken);
    let before = met.as_ref().map(|it| &it.ended.report);
    capacity.first = broken
        .as_ref()
        .and_then(|it| first_broken(&it.plan, before, &it.ended.report));
    let Some(Try { mut ended, .. }) = broken.or(met).or(other) else {
        return Ok(Exit::Interrupted);
    };
    ended.report = ended.report.with_capacity(capacity);
    deliver(shared, arguments, &ended)
}

/// Keeps the more telling one of two tries.
fn keep(held: &mut Option<Try>, one: Try, better: impl Fn(u32, u32) -> bool) {
    if held
        .as_ref()
        .is_none_or(|known| better(known.load, one.load))
    {
        *held = Some(one);
    }
}

/// The last try stands, and the search was ended after it.
fn interrupted(capacity: &mut Capacity) {
    let last = capacity.tries.last_mut();
    if last.is_some_and(|tried| tried.verdict == TryVerdict::Interrupted) {
        return;
    }
    capacity.tries.push(Tried {
        load: 0,
        phones: 0,
        verdict: TryVerdict::Interrupted,
        figure: "ended by the user before the next try".to_owned(),
    });
}

fn run_one(
    shared: &Shared,
    arguments: &RunArguments,
    plan: &Arc<Plan>,
    stop: &Arc<AtomicBool>,
) -> Result<Ended, Trouble> {
    let given = Given::read(arguments, plan)?;
    let mut orders = orders(shared, arguments, plan);
    orders.stop = Arc::clone(stop);
    orders.exact = true;
    let live = Live::start(&orders, plan.phones(), shared.quiet);
    let ended = boot(arguments, given, plan, &orders);
    live.end();
    ended
}

/// Waits; false when the user ends the search meanwhile.
fn rest(pause: Duration, stop: &AtomicBool) -> bool {
    let began = Instant::now();
    while began.elapsed() < pause && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK.min(pause));
    }
    !stop.load(Ordering::Relaxed)
}

/// On standard output, but where that is to be JSON only.
fn say(shared: &Shared, arguments: &RunArguments, line: &str) {
    if shared.quiet {
        return;
    }
    if arguments.json {
        eprintln!("{line}");
    } else {
        print(&format!("{line}\n"));
    }
}

fn announce(shared: &Shared, arguments: &RunArguments, asked: &Asked, first: &Plan) {
    if shared.quiet {
        return;
    }
    let scenario = &first.scenario;
    eprintln!(
        "{}: from {} until {} breaks, seed {}, policy times x {}, deadline {} s, {} s between \
         tries, {} s after one that lost phones",
        scenario.name,
        asked.load.amount(asked.bounds.from),
        asked.limit_text(),
        scenario.seed,
        scenario.time_scale,
        scenario.deadline.as_secs_f64(),
        asked.pause.as_secs_f64(),
        asked.pause.max(asked.recovery).as_secs_f64()
    );
    if scenario.fleets.len() > 1 && !arguments.subject.is_empty() {
        eprintln!(
            "note: with other numbers of phones the phones of later fleets have other MAC \
             addresses, for which the subject may have no files"
        );
    }
}

impl Asked {
    fn read(arguments: &FindArguments) -> Result<Self, Trouble> {
        let time = |option: &str, seconds: f64, least: f64| {
            let time = Duration::try_from_secs_f64(seconds).ok();
            let time = time.filter(|_| (least..=86_400.0).contains(&seconds));
            time.ok_or_else(|| {
                Trouble::usage(format!("{option} takes seconds, from {least} to 86400"))
            })
        };
        if !(0.0..=100.0).contains(&arguments.precision) {
            return Err(Trouble::usage("--precision takes a number from 0 to 100"));
        }
        if arguments.from > arguments.to {
            return Err(Trouble::usage("--from is more than --to"));
        }
        let limit = arguments.until.as_deref().map(compile).transpose()?;
        Ok(Self {
            load: match arguments.find {
                Some(Wanted::Rate) => Load::Rate,
                _ => Load::Storm,
            },
            limit,
            bounds: Bounds {
                from: arguments.from,
                to: arguments.to,
                precision_percent: arguments.precision,
            },
            over: time("--over", arguments.over, 0.1)?,
            pause: time("--pause", arguments.pause, 0.0)?,
            recovery: time("--recovery", arguments.recovery, 0.0)?,
        })
    }

    /// Stages that no model of the scenario has would be found out only after a try.
    fn check_stages(&self, plan: &Plan) -> Result<(), Trouble> {
        let steps = plan.profiles.iter().flat_map(|profile| &profile.steps);
        let known = steps.map(|step| step.label.as_str()).chain([BOOT, SETTLED]);
        let known: Vec<_> = known.filter(|label| !label.is_empty()).collect();
        let stages = self.limit.iter().flat_map(Expression::stages);
        let mut unknown = stages.filter(|(stage, _)| !known.contains(stage));
        let Some((stage, _)) = unknown.next() else {
            return Ok(());
        };
        let hint = nearest(stage, known.iter().copied());
        let hint = did_you_mean(hint);
        Err(Trouble::usage(format!(
            "--until: no phone of the scenario has a step \"{stage}\"{hint}"
        )))
    }

    fn limit_text(&self) -> String {
        match &self.limit {
            Some(limit) if self.speaks_of_outcomes() => limit.text().to_owned(),
            Some(limit) => format!("provisioned == planned and {}", limit.text()),
            None => "provisioned == planned".to_owned(),
        }
    }

    fn speaks_of_outcomes(&self) -> bool {
        let text = self.limit.as_ref().map_or("", Expression::text);
        let mut words = text.split(|it: char| !it.is_alphanumeric() && it != '_');
        words.any(|word| OUTCOMES.contains(&word))
    }

    /// The scenario with so much load.
    fn scenario(&self, base: &Scenario, load: u32) -> Scenario {
        let mut scenario = base.clone();
        match self.load {
            Load::Storm => {
                scenario.resize(load);
                scenario.load = LoadShape::Storm;
            }
            Load::Rate => {
                let phones = f64::from(load) * self.over.as_secs_f64();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "saturates, and more than a plan takes is told by it"
                )]
                scenario.resize((phones.ceil() as u32).max(1));
                scenario.load = LoadShape::Rate {
                    per_s: f64::from(load),
                };
                scenario.deadline += self.over;
            }
        }
        scenario
    }

    fn nothing_yet(&self) -> Capacity {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Capacity {
            find: self.load,
            limit: self.limit_text(),
            over_us: match self.load {
                Load::Storm => 0,
                Load::Rate => micros(self.over),
            },
            pause_us: micros(self.pause),
            tries: Vec::new(),
            met: None,
            broken: None,
            first: None,
        }
    }

    /// How long the server is left alone after a run.
    fn pause_after(&self, report: &Report) -> Duration {
        let ready = [Outcome::Provisioned, Outcome::Unverified];
        let phones = report.phones();
        if phones.iter().any(|it| !ready.contains(&it.outcome)) {
            self.pause.max(self.recovery)
        } else {
            self.pause
        }
    }

    /// Whether a run met the limit, and its figures.
    fn judge(&self, report: &Report) -> (TryVerdict, String) {
        let verdict = report.verdict();
        match verdict.class {
            Class::Interrupted => return (TryVerdict::Interrupted, verdict.sentence),
            Class::Met | Class::SubjectFailed => {}
            _ => return (TryVerdict::Void, verdict.sentence),
        }
        let counts = report.counts();
        let planned = report.facts().planned;
        let ready = counts.of(Outcome::Provisioned) + counts.of(Outcome::Unverified);
        let all = self.speaks_of_outcomes() || ready == planned;
        let mut figure = format!("{ready} of {planned} provisioned");
        let Some(limit) = &self.limit else {
            return (met(all), figure);
        };
        let told = limit.evaluate(&figures(report));
        figure = format!("{}; {figure}", told.actual);
        match told.met {
            Some(held) => (met(held && all), figure),
            // Nothing was measured, and phones failed: that is the server's doing.
            None if !all => (TryVerdict::Broken, figure),
            None => (TryVerdict::Void, figure),
        }
    }
}

/// What the limit is told with.
fn figures(report: &Report) -> Figures {
    let facts = report.facts();
    let mut sums = Sums {
        ladder: report.ladder().clone(),
        registered: facts.registered,
        lag: facts.generator.lag_max,
        elapsed: facts.elapsed,
        ..Sums::default()
    };
    // No step: its phones are counted below.
    sums.ladder.rows.remove(SETTLED_ROW);
    report.phones().iter().for_each(|phone| sums.count(phone));
    sums.figures()
}

fn met(met: bool) -> TryVerdict {
    if met {
        TryVerdict::Met
    } else {
        TryVerdict::Broken
    }
}

fn compile(text: &str) -> Result<Expression, Trouble> {
    Expression::compile(Domain::Fleet, text).map_err(|faults| {
        let faults = faults.iter();
        let lines: Vec<_> = faults
            .map(|fault| format!("--until, character {}: {}", fault.at + 1, fault.what))
            .collect();
        Trouble::usage(lines.join("\n"))
    })
}
