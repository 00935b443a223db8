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
    Ask, DhcpAsk, DhcpKind, FtpGet, HttpAuth, HttpGet, HttpScheme, MdnsQuery, PnpSubscribe,
    ProbeStep, SipRegister, SntpAsk, TftpRead, TlsVersion,
};
use bootstorm_scenarios::suite::{Case, Content, Need};
use bootstorm_scenarios::wire::message::{self, Message};
use bootstorm_scenarios::wire::{Way, failure};

use super::content::MARK;
use super::probe::{self, Weight};
use crate::drive::tls::Trust;
use crate::preamble::accepts;
use crate::reference::content::Source;
use crate::reference::http::Redirect;
use crate::run::{self, Orders};
use crate::subject::Subject;

/// How long the subject may take to answer one question.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes recorded of the preamble.
const RECORD_BYTES: usize = 256 << 10;
/// What the DHCP server is asked for besides an address: what phones ask for.
const PARAMETERS: [u8; 11] = [1, 3, 6, 42, 43, 51, 54, 66, 67, 114, 160];
/// Who asks the registrar: nobody.
const NOBODY: &str = "bootstorm-is-anybody-there";
/// Copies of a SUBSCRIBE.
const SUBSCRIBES: u16 = 3;
/// PTR (RFC 1035 §3.2.2)
const POINTER: u16 = 12;

/// What the preamble works with.
pub(super) struct Standing<'a> {
    pub(super) plan: &'a Arc<Plan>,
    pub(super) subject: &'a Subject,
    pub(super) trust: &'a Arc<Trust>,
    pub(super) files: &'a Source,
    /// What it must redirect.
    pub(super) moved: &'a [Redirect],
    pub(super) first_address: Ipv4Addr,
    pub(super) known: &'a Known,
}

/// What earlier cases saw of services.
#[derive(Default)]
pub(super) struct Known {
    /// Services that answered, where that is all there is to see.
    up: Mutex<Vec<Need>>,
    /// Services that did not answer a phone of this profile, and why; empty = any. They are not
    /// waited for again.
    down: Mutex<Vec<(Need, String, String)>>,
}

impl Known {
    fn is_up(&self, need: Need) -> bool {
        let up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        up.contains(&need)
    }

    fn note_up(&self, need: Need) {
        let mut up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        up.push(need);
    }

    fn down(&self, need: Need, profile: &str) -> Option<String> {
        let down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        let mut down = down.iter();
        let found = down.find(|(held, of, _)| *held == need && of == profile);
        found.map(|(.., why)| why.clone())
    }

    fn note_down(&self, need: Need, profile: &str, why: &str) {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        down.push((need, profile.to_owned(), why.to_owned()));
    }
}

/// Sees whether the subject is there and serves what the case needs.
///
/// # Errors
/// Not applicable with the reason, or inconclusive where nothing answers.
pub(super) fn stands(case: &Case, standing: &Standing<'_>) -> Result<(), (CaseVerdict, String)> {
    for need in &case.requires {
        let (need, word) = (*need, need.word());
        if standing.known.is_up(need) {
            continue;
        }
        // Whether a server answers at all may depend on who asks.
        let profile = if is_choosy(need) { &case.profile } else { "" };
        let place = place_of(standing.subject, need);
        let silent = |why: &str| {
            let reason = format!("the subject's {word}{place} does not answer{why}");
            (CaseVerdict::Inconclusive, reason)
        };
        if let Some(why) = standing.known.down(need, profile) {
            return Err(silent(&why));
        }
        let absent = |why: String| {
            standing.known.note_down(need, profile, &why);
            silent(&why)
        };
        let Some(steps) = steps(case, need, standing.plan) else {
            let connected = connected(need, standing.subject);
            connected.map_err(|why| absent(format!(": {why}")))?;
            standing.known.note_up(need);
            continue;
        };
        let closed = matches!(steps.as_slice(), [_, _, ..]);
        let seen = look(steps, standing).map_err(|fault| (CaseVerdict::Error, fault))?;
        if !seen.heard {
            let why = seen.failed.map(|why| format!(": {why}"));
            return Err(absent(why.unwrap_or_default()));
        }
        if !has_files(need) {
            standing.known.note_up(need);
            continue;
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
fn place_of(subject: &Subject, need: Need) -> String {
    let endpoints = subject.endpoints();
    let name = match need {
        Need::Sip => {
            let port = subject.sip_port;
            return port.map_or_else(String::new, |port| {
                format!(" at {}:{port}", subject.address)
            });
        }
        need => need.word(),
    };
    let place = endpoints.iter().find(|(held, ..)| *held == name);
    place.map_or_else(String::new, |(_, at, _)| format!(" at {at}"))
}

/// Whether phones have files from such a service.
fn has_files(need: Need) -> bool {
    matches!(need, Need::Tftp | Need::Ftp | Need::Http | Need::Https)
}

/// Whether a server may pass over those that it does not know: their class, vendor or service.
fn is_choosy(need: Need) -> bool {
    matches!(need, Need::Dhcp | Need::Pnp | Need::Mdns)
}

/// Whether a service accepts connections, where to ask more would be the case.
fn connected(need: Need, subject: &Subject) -> Result<(), String> {
    let at = match need {
        Need::Acs => subject.acs,
        Need::Redirect => subject.redirect,
        _ => None,
    };
    at.map_or(Ok(()), |at| accepts(at, TIMEOUT))
}

/// What was seen of one service.
struct Seen {
    heard: bool,
    /// Why there was no connection.
    failed: Option<String>,
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
        Need::Dhcp => vec![Ask::Dhcp(discover(plan))],
        // Without a contact's time nothing stays (RFC 3261 §10.2.2).
        Need::Sip => vec![Ask::Sip(SipRegister {
            user: Template::literal(NOBODY),
            domain: None,
            auth_user: None,
            password: Template::default(),
            expires: 0,
        })],
        Need::Pnp => vec![Ask::Pnp(PnpSubscribe {
            event: None,
            copies: SUBSCRIBES,
            answer: true,
        })],
        Need::Mdns => {
            let mut specs = plan.profiles.iter().filter_map(|it| it.mdns.as_ref());
            vec![Ask::Mdns(MdnsQuery {
                service: specs.next()?.service.clone(),
                kind: POINTER,
            })]
        }
        // To ask would be the case, or change what it finds.
        Need::Redirect | Need::Acs => return None,
    };
    let last = asks.len() - 1;
    let steps = asks.into_iter().enumerate().map(|(at, ask)| {
        let mut step = ProbeStep::once(ask, TIMEOUT);
        let compared = at == last && has_files(need) && case.content == Content::Ours;
        step.same_as = compared.then(|| Template::literal(MARK));
        step
    });
    Some(steps.collect())
}

/// What the first phone of the plan would look for a DHCP server with.
fn discover(plan: &Plan) -> DhcpAsk {
    let phone = plan.phone(0);
    let class = phone.as_ref().and_then(|phone| {
        let class = &plan.profile(phone)?.dhcp.vendor_class;
        Some(plan.filled(phone, class))
    });
    DhcpAsk {
        kind: DhcpKind::Discover,
        parameters: Some(PARAMETERS.to_vec()),
        vendor_class: class.filter(|it| !it.is_empty()),
        client_id: None,
        requested: None,
        server_id: None,
        broadcast: false,
    }
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
        .flat_map(|(_, record)| message::decode(&record))
        .filter(|message| message.way == Way::Received)
        .collect();
    let of_connection = ["tcp.opening", "tcp.opened", "tcp.closed", "tcp.failed"];
    let unconnected = |message: &Message| {
        // A retrieval ends so where nobody was there to speak with.
        let reason = message.field("reason").unwrap_or_default();
        message.name == "ftp.end" && [failure::REFUSED, failure::TIMED_OUT].contains(&reason)
    };
    let says_something = |message: &&Message| {
        !of_connection.contains(&message.name.as_ref()) && !unconnected(message)
    };
    let failed = messages.iter().rev().find_map(|message| {
        let failed = message.name == "tcp.failed" || unconnected(message);
        message
            .field("reason")
            .filter(|_| failed)
            .map(str::to_owned)
    });
    let status = messages
        .iter()
        .find(|message| message.name == "http.response")
        .and_then(|message| message.field("status").map(str::to_owned));
    let strays = ended.strays;
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
        heard: strays > 0 || messages.iter().any(|it| says_something(&it)),
        failed,
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
