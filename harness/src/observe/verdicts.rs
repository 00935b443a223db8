//! A phone that was listened to, judged by its vendor's cases.

use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::Profile;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_reports::redact::Redactor;
use bootstorm_scenarios::judge::{Finding, Seen, Verdict, judge};
use bootstorm_scenarios::matcher::Fill;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::scenario::Macs;
use bootstorm_scenarios::suite::{Case, Quantity, Side, Suite, Wanted, WireLine};
use bootstorm_scenarios::wire::message::Message;
use bootstorm_scenarios::wire::record::Record;

use super::Secured;
use super::premise::{self, Gap, World};
use crate::certify::case::Prepared;
use crate::certify::exchange::{Censor, exchange};
use crate::certify::{self, Bench, told};

/// So long a phone must be quiet at the end of a capture before what it did not do counts.
const QUIET_MIN: Duration = Duration::from_secs(30);
/// Why a case that was kept, as far as anybody saw, is not known to be.
pub(crate) const ABSENT: &str =
    "as expected in what was seen; what the case says must not come may be in what was not";
/// How the names of messages begin that TLS may hide.
const IN_TLS: [&str; 3] = ["http.", "sip.", "tcp."];
/// How the names of messages begin of which segments may be missing.
const IN_SEGMENTS: [&str; 4] = ["http.", "sip.", "tcp.", "ftp."];

/// A phone that was listened to.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// Whose.
    pub mac: Mac,
    /// What it sent and received.
    pub record: &'a Record,
    /// The same, decoded.
    pub messages: &'a [Message],
    /// What can be seen of its TLS connections.
    pub secured: &'a [Secured],
    /// Segments of its connections that the capture does not have.
    pub missing: u64,
    /// The end of the capture.
    pub last: Moment,
    /// The capture holds all that the phone did: what is not there did not happen.
    pub complete: bool,
}

/// What the cases about phones of a profile say of one; in the order of the suites.
#[must_use]
pub fn verdicts(
    heard: &Heard<'_>,
    profile: &Profile,
    suites: &[Suite],
    bench: &Bench,
) -> Vec<CaseResult> {
    let world = World::of(heard.messages, heard.record, heard.last);
    let vendor = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let cases = suites.iter().filter(|suite| suite.side == Side::Phone);
    let cases = cases.flat_map(|suite| &suite.cases);
    let cases = cases.filter(|case| vendor(&case.profile) == vendor(&profile.name));
    let cases = cases.filter(|case| !case.of_model || case.profile == profile.name);
    cases
        .filter(|case| case.probes.is_empty() && !case.wire.is_empty())
        .map(|case| one(heard, &case.clone().on(&profile.name), &world, bench))
        .collect()
}

/// What fills the holes of a case for a phone.
pub(super) fn fill<'a>(plan: &'a Plan, phone: &PhonePlan, server: &'a str) -> Fill<'a> {
    Fill {
        vars: plan.vars(phone),
        server,
        root: plan.fleet(phone).map_or("", |fleet| &fleet.root),
    }
}

fn one(heard: &Heard<'_>, case: &Case, world: &World, bench: &Bench) -> CaseResult {
    let mut case = case.clone();
    if let Some(scenario) = &mut case.scenario {
        for fleet in &mut scenario.fleets {
            fleet.macs = Some(Macs {
                first: heard.mac,
                last: heard.mac,
            });
            fleet.phones = 1;
        }
    }
    let open = |reason: String| told(&case, CaseVerdict::Inconclusive, reason);
    let server = premise::server(heard.messages);
    let prepared = match certify::prepare(&case, bench, server) {
        Ok(Some(prepared)) => prepared,
        Ok(None) => return open("no phone boots in it".to_owned()),
        Err(why) => return open(format!("it cannot be laid out for this phone: {why}")),
    };
    let Some(phone) = prepared.plan.phone_with(heard.mac) else {
        return open("it has other phones than this one".to_owned());
    };
    let gap = world.gap(&case, &prepared, &phone);
    if !gap.lacking.is_empty() {
        let lacking = gap.lacking.join("; ");
        return open(format!(
            "the capture does not show what the case is about: {lacking}"
        ));
    }
    let finding = found(heard, &case, &prepared, &phone);
    result(
        heard,
        &case,
        world,
        (&prepared, &phone),
        (finding, &gap),
        bench,
    )
}

fn found(heard: &Heard<'_>, case: &Case, prepared: &Prepared, phone: &PhonePlan) -> Finding {
    let server = prepared.plan.server.to_string();
    let seen = Seen {
        messages: heard.messages,
        lost: heard.record.dropped(),
        began: heard.messages.first().map_or(heard.last, |first| first.at),
        state: None,
    };
    judge(case, &seen, &fill(&prepared.plan, phone, &server))
}

fn result(
    heard: &Heard<'_>,
    case: &Case,
    world: &World,
    (prepared, phone): (&Prepared, &PhonePlan),
    (finding, gap): (Finding, &Gap),
    bench: &Bench,
) -> CaseResult {
    let mut redactor = Redactor::new(prepared.plan.scenario.seed);
    if bench.keep_secrets {
        redactor = redactor.keeping_secrets();
    }
    let censor = Censor::new(&prepared.plan, phone, None, &redactor);
    let doubt = match finding.verdict {
        Verdict::Pass if absences(case).next().is_none() => None,
        Verdict::Inconclusive => None,
        _ => doubt(heard, case, world, gap, &finding),
    };
    let (verdict, reason) = match (finding.verdict, doubt) {
        (Verdict::Pass, None) => (CaseVerdict::Pass, String::new()),
        (Verdict::Pass, Some(doubt)) => (CaseVerdict::Inconclusive, format!("{doubt}: {ABSENT}")),
        (Verdict::Inconclusive, _) => (CaseVerdict::Inconclusive, finding.reason),
        (Verdict::Fail, None) => (CaseVerdict::Fail, finding.reason),
        (Verdict::Fail, Some(doubt)) => (
            CaseVerdict::Inconclusive,
            format!("{doubt}: {}", finding.reason),
        ),
    };
    let (exchange, evidence) = exchange(heard.messages, &finding.evidence, &censor);
    CaseResult {
        expected: censor.text(&finding.expected),
        actual: censor.text(&finding.actual),
        exchange,
        evidence,
        ..told(case, verdict, censor.text(&reason))
    }
}

/// The lines of a case that hold because something is not there.
fn absences(case: &Case) -> impl Iterator<Item = &Wanted> {
    case.wire.iter().filter_map(|line| match line {
        WireLine::Again => None,
        WireLine::Wanted(wanted) => {
            let is_bounded = match wanted.quantity {
                Quantity::Never { .. } => true,
                Quantity::Count { max, .. } => max < u64::MAX,
                Quantity::Next { .. } | Quantity::Every => false,
            };
            is_bounded.then_some(&**wanted)
        }
    })
}

/// Whether a case is kept only if what connections did not show has none of something.
pub(crate) fn needs_absence_in_connections(case: &Case) -> bool {
    absences(case).any(|wanted| is_named(wanted, &IN_SEGMENTS))
}

fn is_named(wanted: &Wanted, beginnings: &[&str]) -> bool {
    beginnings
        .iter()
        .any(|beginning| wanted.name.starts_with(beginning))
}

/// Why what looks like a breach need not be one; and what looks kept for want of something, kept.
fn doubt(
    heard: &Heard<'_>,
    case: &Case,
    world: &World,
    gap: &Gap,
    finding: &Finding,
) -> Option<String> {
    let kept = finding.verdict == Verdict::Pass;
    let named = |names: &[&str]| match kept {
        true => absences(case).any(|wanted| is_named(wanted, names)),
        false => case.wire.iter().any(|line| match line {
            WireLine::Again => false,
            WireLine::Wanted(wanted) => is_named(wanted, names),
        }),
    };
    let decided = finding.evidence.iter().max();
    let too_few = ["no ", "none ", "nothing ", "there is ", "there are "];
    let too_few = too_few
        .iter()
        .any(|words| finding.actual.starts_with(words));
    let absent = kept || too_few || finding.evidence.is_empty();
    if absent && !heard.complete {
        let last = heard.messages.iter().map(|message| message.at).max();
        let quiet = heard.last.since(last.unwrap_or(heard.last));
        if quiet < QUIET_MIN {
            let seconds = quiet.as_secs_f64();
            return Some(format!(
                "the capture ends {seconds:.1} s after the phone's last packet, and more may have \
                 come (--complete says that none did)"
            ));
        }
    }
    if !heard.secured.is_empty() && named(&IN_TLS) {
        return Some("some of what the phone says is inside TLS".to_owned());
    }
    if heard.missing > 0 && named(&IN_SEGMENTS) {
        return Some("the capture lacks segments of the phone's connections".to_owned());
    }
    // What it does once it has read other settings than the case's follows from those.
    let after = match (decided, world.first_file) {
        (Some(decided), Some(first)) if !absent => *decided > first,
        (_, first) => first.is_some(),
    };
    if gap.other_content && after {
        return Some("the phone had read files that are not the case's".to_owned());
    }
    None
}
