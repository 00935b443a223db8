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
use bootstorm_scenarios::suite::{Case, Side, Suite};
use bootstorm_scenarios::wire::message::Message;
use bootstorm_scenarios::wire::record::Record;

use super::gaps::{ABSENT, Decided, Gaps, is_certain};
use super::premise::{self, Gap, World};
use crate::certify::case::Prepared;
use crate::certify::exchange::{Censor, exchange};
use crate::certify::{self, Bench, told};

/// So long a phone must be quiet at the end of a capture before what it did not do counts.
const QUIET_MIN: Duration = Duration::from_secs(30);
/// A phone that was listened to.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// Whose.
    pub mac: Mac,
    /// What it sent and received.
    pub record: &'a Record,
    /// The same, decoded.
    pub messages: &'a [Message],
    /// What nobody saw of it.
    pub gaps: &'a Gaps,
    /// The end of the capture.
    pub last: Moment,
}

/// Why a phone may have done more than a capture shows that ends here; nothing where it was quiet
/// for long before.
#[must_use]
pub fn end(messages: &[Message], last: Moment) -> Option<String> {
    let packet = messages.iter().map(|message| message.at).max();
    let quiet = last.since(packet.unwrap_or(last));
    let seconds = quiet.as_secs_f64();
    (quiet < QUIET_MIN).then(|| {
        format!(
            "the capture ends {seconds:.1} s after the phone's last packet, and more may have come \
             (--complete says that none did)"
        )
    })
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
    let doubt = doubt(heard, case, world, gap, &finding);
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

/// Why what looks like a breach need not be one; and what looks kept for want of something, kept.
fn doubt(
    heard: &Heard<'_>,
    case: &Case,
    world: &World,
    gap: &Gap,
    finding: &Finding,
) -> Option<String> {
    let decided = match finding.verdict {
        Verdict::Pass => Decided::Kept,
        Verdict::Fail => Decided::broken(&finding.actual, !finding.evidence.is_empty()),
        Verdict::Inconclusive => return None,
    };
    if is_certain(case, decided) {
        return None;
    }
    if let Some(doubt) = heard.gaps.doubt(case, decided) {
        return Some(doubt);
    }
    // What it does once it has read other settings than the case's follows from those.
    let last = finding.evidence.iter().max();
    let after = match (last, world.first_file) {
        (Some(last), Some(first)) if decided == Decided::Broken => *last > first,
        (_, first) => first.is_some(),
    };
    (gap.other_content && after)
        .then(|| "the phone had read files that are not the case's".to_owned())
}
