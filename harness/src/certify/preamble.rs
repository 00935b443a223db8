//! What a case about a server needs before it can say anything: that the server is there, and that
//! it serves what the case needs. A small file beside the case's own tells that.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bootstorm_emulator::profile::template::Template;
use bootstorm_reports::case::CaseVerdict;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::AuthScheme;
use bootstorm_scenarios::suite::probe::{
    Ask, FtpGet, HttpAuth, HttpGet, HttpScheme, ProbeStep, SntpAsk, TftpRead, TlsVersion,
};
use bootstorm_scenarios::suite::{Case, Content, Need};
use bootstorm_scenarios::wire::Way;
use bootstorm_scenarios::wire::message::{self, Message};

use super::content::MARK;
use super::probe::{self, Weight};
use crate::drive::tls::Trust;
use crate::reference::content::Source;
use crate::reference::http::Redirect;
use crate::run::{self, Orders};
use crate::subject::Subject;

/// How long the subject may take to answer one question.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes recorded of the preamble.
const RECORD_BYTES: usize = 256 << 10;

/// What the preamble works with.
pub(super) struct Standing<'a> {
    pub(super) plan: &'a Arc<Plan>,
    pub(super) subject: &'a Subject,
    pub(super) trust: &'a Arc<Trust>,
    pub(super) files: &'a Source,
    /// What it must redirect.
    pub(super) moved: &'a [Redirect],
    pub(super) first_address: Ipv4Addr,
    /// Services that did not answer an earlier case.
    pub(super) down: &'a Mutex<Vec<Need>>,
}

/// Sees whether the subject is there and serves what the case needs.
///
/// # Errors
/// Not applicable with the reason, or inconclusive where nothing answers.
pub(super) fn stands(case: &Case, standing: &Standing<'_>) -> Result<(), (CaseVerdict, String)> {
    for need in &case.requires {
        let Some(steps) = steps(case, *need, standing.plan) else {
            continue;
        };
        let closed = matches!(steps.as_slice(), [_, _, ..]);
        let word = need.word();
        let place = place_of(standing.subject, word);
        let silent = || {
            let reason = format!("the subject's {word}{place} does not answer");
            (CaseVerdict::Inconclusive, reason)
        };
        let down = || standing.down.lock().unwrap_or_else(PoisonError::into_inner);
        if down().contains(need) {
            return Err(silent());
        }
        let seen = look(steps, standing).map_err(|fault| (CaseVerdict::Error, fault))?;
        if !seen.heard {
            down().push(*need);
            return Err(silent());
        }
        let root = standing.plan.scenario.fleets.first();
        let root = root.map_or("", |fleet| fleet.root.as_str());
        if closed && seen.first_status.as_deref() != Some("401") {
            let reason = format!(
                "the subject asks nobody who reads /{root}/ for credentials (bootstorm content \
                 writes beside the files which users it must have)"
            );
            return Err((CaseVerdict::NotApplicable, reason));
        }
        if case.content == Content::Ours
            && let Some(other) = seen.other
        {
            let reason = format!(
                "the subject does not serve this case's files by {word}: {root}/{MARK}: {other} \
                 (bootstorm content --suite {} writes them)",
                case.suite
            );
            return Err((CaseVerdict::NotApplicable, reason));
        }
    }
    redirects(case, standing)
}

/// Whether the subject redirects what the case asks for; where to is for the case to judge.
fn redirects(case: &Case, standing: &Standing<'_>) -> Result<(), (CaseVerdict, String)> {
    for moved in standing.moved {
        let mut get = HttpGet::plain(&moved.from);
        get.raw = true;
        get.tls = (!case.requires.contains(&Need::Http)).then_some(TlsVersion::Any);
        let step = ProbeStep::once(Ask::Http(get), TIMEOUT);
        let seen = look(vec![step], standing).map_err(|fault| (CaseVerdict::Error, fault))?;
        let status = seen.first_status.as_deref().unwrap_or("nothing");
        if !status.starts_with('3') {
            let reason = format!(
                "the subject answers {status} to {}, which is to be redirected (bootstorm content \
                 writes beside the files what it must redirect)",
                moved.from
            );
            return Err((CaseVerdict::NotApplicable, reason));
        }
    }
    Ok(())
}

/// Where a service is, for messages.
fn place_of(subject: &Subject, word: &str) -> String {
    let endpoints = subject.endpoints();
    let place = endpoints.iter().find(|(name, ..)| *name == word);
    place.map_or_else(String::new, |(_, at, _)| format!(" at {at}"))
}

/// What was seen of one service.
struct Seen {
    heard: bool,
    /// The status of the first answer by HTTP.
    first_status: Option<String>,
    /// How the mark differs.
    other: Option<String>,
}

/// What is asked of a service; `None` where only the case itself can ask.
fn steps(case: &Case, need: Need, plan: &Plan) -> Option<Vec<ProbeStep>> {
    let auth = plan.scenario.fleets.first().and_then(|it| it.auth.as_ref());
    let asks = match need {
        Need::Tftp => vec![Ask::Tftp(TftpRead::plain(MARK))],
        Need::Ftp => vec![Ask::Ftp(FtpGet::plain(MARK))],
        Need::Http | Need::Https => {
            let mut get = HttpGet::plain(&format!("/{MARK}"));
            get.tls = (need == Need::Https).then_some(TlsVersion::Any);
            let scheme = auth.and_then(|auth| match auth.scheme {
                AuthScheme::Basic => Some(HttpScheme::Basic),
                AuthScheme::Digest | AuthScheme::DigestSha256 => Some(HttpScheme::Digest),
                AuthScheme::Login => None,
            });
            let mut asks = vec![Ask::Http(get.clone())];
            if let Some(scheme) = scheme {
                get.auth = Some(HttpAuth::of_plan(scheme));
                asks.push(Ask::Http(get));
            }
            asks
        }
        Need::Ntp => vec![Ask::Sntp(SntpAsk { version: 4 })],
        // To ask would be the case, or change what it finds.
        Need::Dhcp | Need::Sip | Need::Pnp | Need::Mdns | Need::Redirect | Need::Acs => {
            return None;
        }
    };
    let last = asks.len() - 1;
    let steps = asks.into_iter().enumerate().map(|(at, ask)| {
        let mut step = ProbeStep::once(ask, TIMEOUT);
        let is_file = need != Need::Ntp;
        let compared = at == last && is_file && case.content == Content::Ours;
        step.same_as = compared.then(|| Template::literal(MARK));
        step
    });
    Some(steps.collect())
}

/// Asks, as the first phone of the plan.
fn look(steps: Vec<ProbeStep>, standing: &Standing<'_>) -> Result<Seen, String> {
    let mut plan = Plan::clone(standing.plan);
    plan.scenario.steps.clear();
    plan.scenario.deadline = TIMEOUT * 3;
    plan.start_at_once();
    let orders = Orders {
        shards: 1,
        only: Some(0),
        record_bytes: RECORD_BYTES,
        probes: Some(probe::Orders {
            steps: steps.into(),
            files: Some(standing.files.clone()),
            first_address: standing.first_address,
        }),
        ..Orders::default()
    };
    let ended = run::loopback(&Arc::new(plan), standing.subject, standing.trust, &orders);
    let ended = ended.map_err(|fault| fault.to_string())?;
    let records = ended.records.into_iter();
    let messages: Vec<Message> = records
        .flat_map(|(_, mut record)| message::decode(&mut record))
        .filter(|message| message.way == Way::Received)
        .collect();
    let says_something = |message: &&Message| !message.name.starts_with("tcp.");
    let status = messages
        .iter()
        .find(|message| message.name == "http.response")
        .and_then(|message| message.field("status").map(str::to_owned));
    let findings = ended.findings.into_iter().flat_map(|(_, found)| found);
    let other = findings
        .filter(|found| found.weight == Weight::Wrong)
        .map(|found| found.actual)
        .next();
    let refused = messages.iter().rev().find_map(refusal);
    let other = other.map(|other| match refused {
        Some(refused) => format!("{other} ({refused})"),
        None => other,
    });
    Ok(Seen {
        heard: messages.iter().any(|it| says_something(&it)),
        first_status: status,
        other,
    })
}

/// What a server said instead of sending a file.
fn refusal(message: &Message) -> Option<String> {
    let said = |field| message.field(field).filter(|it| !it.is_empty());
    match message.name.as_ref() {
        "tftp.error" => Some(format!("error {}", said("code")?)),
        "ftp.end" => said("reason").map(str::to_owned),
        "http.response" => {
            let status = said("status").filter(|status| !status.starts_with('2'))?;
            Some(format!("status {status}"))
        }
        _ => None,
    }
}
