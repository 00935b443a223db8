//! One case, from its suite to its result.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_reports::redact::Redactor;
use bootstorm_scenarios::judge::{self, Finding, Seen, State, Verdict};
use bootstorm_scenarios::matcher::Fill;
use bootstorm_scenarios::mutant::{Mutant, Mutants};
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::suite::{Case, Content, Side};
use bootstorm_scenarios::wire::message::{self, Message};
use bootstorm_scenarios::wire::record::Record;

use super::content;
use super::exchange::{Censor, exchange};
use super::probe::{self, Weight};
use crate::content::Files;
use crate::fleet::wrong::Wrong;
use crate::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use crate::reference::Reference;
use crate::reference::content::Source;
use crate::reference::http::Redirect;
use crate::run::{self, Ended, Orders};

/// Bytes of payload that are kept of each phone, unless many phones share them.
const RECORD_BYTES: usize = 48 << 20;
/// The first address of clients that stand in for phones.
const SIMULATED_CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 0, 64, 1);
/// The same, of all phones of a case.
const RECORDS_BYTES: usize = 256 << 20;

/// What cases have in common.
#[derive(Debug, Clone, Default)]
pub struct Bench {
    /// The profiles that there are.
    pub profiles: ProfileSet,
    /// The mutants that there are, for cases that name them as a stimulus.
    pub mutants: Mutants,
    /// What the built-in server does wrong in every case.
    pub server: Vec<Arc<Mutant>>,
    /// What the phones do wrong in every case.
    pub phones: Vec<Arc<Mutant>>,
    /// Show secrets in results.
    pub keep_secrets: bool,
    /// Raised by whoever wants the cases to end.
    pub stop: Arc<AtomicBool>,
}

/// A case made definite.
#[derive(Debug)]
pub struct Prepared {
    /// Its phones.
    pub plan: Arc<Plan>,
    /// What the server holds at first.
    pub files: Files,
    /// What it holds after each change that the case's steps make.
    pub later: Vec<Files>,
    /// What it redirects.
    pub moved: Vec<Redirect>,
}

impl Prepared {
    /// Takes its files, ready to be served: those of a change come as the plan reaches it.
    #[must_use]
    pub fn take_source(&mut self) -> Source {
        let later = self.later.drain(..).map(provision::served).collect();
        provision::served(std::mem::take(&mut self.files)).then(later, self.plan.stage())
    }
}

/// Makes a case definite, for a server at this address; `None` = no phone boots in it.
///
/// # Errors
/// In words, one line each: what only shows against profiles and content.
pub fn prepare(case: &Case, bench: &Bench, server: Ipv4Addr) -> Result<Option<Prepared>, String> {
    let Some(mut scenario) = case.scenario.clone() else {
        return Ok(None);
    };
    if case.side == Side::Server && case.content == Content::Ours {
        // The files of all cases lie beside each other on one server.
        for fleet in scenario.fleets.iter_mut().filter(|it| it.root.is_empty()) {
            fleet.root.clone_from(&case.id);
        }
    }
    let plan = Plan::new(scenario, &bench.profiles, server).map_err(|faults| {
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })?;
    let (files, later) = content::files(case, &plan)?;
    let moved = content::moved(case, &plan);
    Ok(Some(Prepared {
        plan: Arc::new(plan),
        files,
        later,
        moved,
    }))
}

/// How a case is run: everything recorded.
#[must_use]
pub fn orders(plan: &Plan, bench: &Bench) -> Orders {
    let phones = usize::try_from(plan.phones()).unwrap_or(usize::MAX).max(1);
    Orders {
        transcript: true,
        record_bytes: RECORD_BYTES.min(RECORDS_BYTES / phones),
        keep_secrets: bench.keep_secrets,
        stop: Arc::clone(&bench.stop),
        ..Orders::default()
    }
}

/// Who stands in for the phones of a case, and from which address on; `files` are what the server
/// is to serve, where that is known.
#[must_use]
pub fn probes(
    case: &Case,
    files: Option<Source>,
    first_address: Ipv4Addr,
) -> Option<probe::Orders> {
    let steps: Arc<[_]> = case.probes.clone().into();
    (!steps.is_empty()).then_some(probe::Orders {
        steps,
        files,
        first_address,
    })
}

/// Carries out a case on the simulated network, against the reference server.
#[must_use]
pub fn run_case(case: &Case, bench: &Bench) -> CaseResult {
    let mut prepared = match prepare(case, bench, SIMULATED_SERVER) {
        Ok(Some(prepared)) => prepared,
        Ok(None) => {
            let reason = "it boots no phone, and probes need a server that listens";
            return told(case, CaseVerdict::NotApplicable, reason.to_owned());
        }
        Err(reason) => return told(case, CaseVerdict::Error, reason),
    };
    let (plan, source) = (Arc::clone(&prepared.plan), prepared.take_source());
    let mut config = provision::reference(&plan, source.clone(), SIMULATED_POOL);
    config.http.redirects = prepared.moved;
    let mut orders = orders(&plan, bench);
    orders.probes = probes(case, Some(source), SIMULATED_CLIENTS);
    match (server_mutants(case, bench), phone_mutants(&plan, bench)) {
        (Ok(server), Ok(phones)) => (config.mutants, orders.wrong) = (server, phones),
        (server, phones) => {
            let reasons = [server.err(), phones.err()];
            let reasons: Vec<String> = reasons.into_iter().flatten().collect();
            return told(case, CaseVerdict::Error, reasons.join("\n"));
        }
    }
    match run::simulate(&plan, Reference::new(config), &orders) {
        Ok(ended) => judged(case, &plan, ended, bench),
        Err(fault) => told(case, CaseVerdict::Error, fault.to_string()),
    }
}

/// What the built-in server does wrong in a case: what the case says, and what all of them have.
///
/// # Errors
/// In words: a mutant that nobody knows.
pub fn server_mutants(case: &Case, bench: &Bench) -> Result<Vec<Arc<Mutant>>, String> {
    let given = bench.mutants.select(Side::Server, &case.server);
    let mut mutants = given.map_err(|fault| fault.to_string())?;
    mutants.extend(bench.server.iter().cloned());
    Ok(mutants)
}

/// What the phones of a case do wrong.
///
/// # Errors
/// In words, one line each: what the profiles do not take of what is laid over them.
pub fn phone_mutants(plan: &Plan, bench: &Bench) -> Result<Arc<Wrong>, String> {
    let wrong = Wrong::new(&bench.profiles, plan, bench.phones.clone());
    wrong.map(Arc::new).map_err(|faults| faults.to_string())
}

/// The result of a case that was not judged by what its phones did.
#[must_use]
pub fn told(case: &Case, verdict: CaseVerdict, reason: String) -> CaseResult {
    CaseResult {
        id: case.id.clone(),
        suite: case.suite.clone(),
        side: case.side.word().to_owned(),
        purpose: case.purpose.clone(),
        clauses: case.clauses.clone(),
        profile: case.profile.clone(),
        verdict,
        reason,
        expected: String::new(),
        actual: String::new(),
        exchange: Vec::new(),
        evidence: Vec::new(),
        took_us: 0,
    }
}

/// The result of a case whose phones have been run with `orders`: the worst of its phones'.
#[must_use]
pub fn judged(case: &Case, plan: &Plan, ended: Ended, bench: &Bench) -> CaseResult {
    let mut redactor = Redactor::new(plan.scenario.seed);
    if bench.keep_secrets {
        redactor = redactor.keeping_secrets();
    }
    let elapsed = ended.report.facts().elapsed;
    let mut states: BTreeMap<u32, State> = ended.states.into_iter().collect();
    if !case.probes.is_empty() {
        // A phone without power shows nothing.
        states.clear();
    }
    let mut findings: BTreeMap<_, _> = ended.findings.into_iter().collect();
    let mut worst: Option<Judged> = None;
    let mut bad = 0;
    for (index, mut record) in ended.records {
        let Some(phone) = plan.phone(index) else {
            continue;
        };
        let mut one = of_phone(case, plan, phone, &mut record, states.get(&index));
        if let Some(found) = weightiest(findings.remove(&index).unwrap_or_default()) {
            if found.weight == Weight::Lacking {
                return told(case, CaseVerdict::NotApplicable, found.actual);
            }
            if one.finding.verdict < Verdict::Fail {
                one.finding = contradicted(found, one.finding.evidence);
            }
        }
        bad += u32::from(one.finding.verdict > Verdict::Pass);
        if worst
            .as_ref()
            .is_none_or(|held| held.finding.verdict < one.finding.verdict)
        {
            worst = Some(one);
        }
    }
    let Some(worst) = worst else {
        return told(case, CaseVerdict::Error, "no phone was recorded".to_owned());
    };
    let held = states.get(&worst.phone.identity.index);
    let mut result = result(case, plan, (&worst, held), &redactor);
    if plan.phones() > 1 && bad > 0 {
        let mac = worst.phone.identity.mac;
        result.reason = format!(
            "{bad} of {} phones, first {mac}: {}",
            plan.phones(),
            result.reason
        );
    }
    result.took_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    result
}

/// The result of a case for a phone that was listened to, not simulated: what nobody sees of its
/// inside is not looked at.
#[must_use]
pub fn judged_record(
    case: &Case,
    plan: &Plan,
    record: &mut Record,
    took: Duration,
    bench: &Bench,
) -> CaseResult {
    let Some(phone) = plan.phone(0) else {
        return told(case, CaseVerdict::Error, "the plan has no phone".to_owned());
    };
    let mut redactor = Redactor::new(plan.scenario.seed);
    if bench.keep_secrets {
        redactor = redactor.keeping_secrets();
    }
    let judged = of_phone(case, plan, phone, record, None);
    let mut result = result(case, plan, (&judged, None), &redactor);
    result.took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    result
}

/// What decides of what a client found: the first that contradicts, else the first that lacks.
fn weightiest(found: Vec<probe::Finding>) -> Option<probe::Finding> {
    let mut first: Option<probe::Finding> = None;
    for found in found {
        if first.as_ref().is_none_or(|held| held.weight < found.weight) {
            first = Some(found);
        }
    }
    first
}

/// The finding about a phone whose client found something wrong.
fn contradicted(found: probe::Finding, evidence: Vec<usize>) -> Finding {
    let probe::Finding {
        expected, actual, ..
    } = found;
    Finding {
        verdict: Verdict::Fail,
        reason: format!("expected {expected}; {actual}"),
        expected,
        actual,
        evidence,
    }
}

/// One phone of a case, judged.
struct Judged {
    phone: PhonePlan,
    messages: Vec<Message>,
    finding: Finding,
}

fn of_phone(
    case: &Case,
    plan: &Plan,
    phone: PhonePlan,
    record: &mut Record,
    state: Option<&State>,
) -> Judged {
    let lost = record.dropped();
    let messages = message::decode(record);
    let server = plan.server.to_string();
    let fill = Fill {
        vars: plan.vars(&phone),
        server: &server,
        root: plan.fleet(&phone).map_or("", |fleet| &fleet.root),
    };
    let seen = Seen {
        messages: &messages,
        lost,
        began: Moment::ZERO + phone.start,
        state,
    };
    let finding = judge::judge(case, &seen, &fill);
    Judged {
        phone,
        messages,
        finding,
    }
}

fn result(
    case: &Case,
    plan: &Plan,
    (judged, held): (&Judged, Option<&State>),
    redactor: &Redactor,
) -> CaseResult {
    let Finding {
        verdict,
        reason,
        expected,
        actual,
        evidence,
    } = &judged.finding;
    let verdict = match verdict {
        Verdict::Pass => CaseVerdict::Pass,
        Verdict::Inconclusive => CaseVerdict::Inconclusive,
        Verdict::Fail => CaseVerdict::Fail,
    };
    let censor = Censor::new(plan, &judged.phone, held, redactor);
    let (exchange, evidence) = exchange(&judged.messages, evidence, &censor);
    CaseResult {
        expected: censor.text(expected),
        actual: censor.text(actual),
        exchange,
        evidence,
        ..told(case, verdict, censor.text(reason))
    }
}
