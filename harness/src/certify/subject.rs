//! Cases about a server carried out on the loopback network: the preamble sees whether the server
//! is there and serves what a case needs, then phones boot or clients ask, and what they saw is
//! judged. What the subject does not have comes from a built-in server of the case's own.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_scenarios::inventory::Inventory;
use bootstorm_scenarios::suite::{Case, Content, Need};

use super::case::{self, Bench, Prepared, judged, told};
use super::standing::{self, Standing};
use super::{content, each, unless_ended};
use crate::built_in::{BuiltIn, with_elsewhere};
use crate::drive::tls::Trust;
use crate::provision::{self, LOOPBACK_POOL, Pool};
use crate::run;
use crate::subject::{Given, Subject};

/// Cases that are carried out at one time, whatever the machine has.
const AT_ONCE_MAX: usize = 8;
/// With so many phones a case is carried out alone: others would disturb its timing.
const PHONES_ALONE: u32 = 50;
/// The same for a case that moves so many bytes of one file.
const BYTES_ALONE: usize = 1 << 20;
/// Addresses that each of the cases under way has for its clients, and for its leases.
const ADDRESSES: u32 = 1 << 14;
/// How the reason begins why a case about something else does not apply.
pub(super) const LACKS: &str = "no --subject has ";
/// Why a case about the subject's own content does not apply.
pub(super) const NO_INVENTORY: &str = "needs --inventory, which says what each phone must get";
/// How the reason begins why it does not, where there is an inventory.
pub(super) const NOT_IN_INVENTORY: &str = "the inventory has no phone of ";
/// The first address of clients that stand in for phones.
const CLIENTS: Ipv4Addr = Ipv4Addr::new(127, 128, 0, 1);

/// What is judged, and what the cases need besides their bench.
#[derive(Debug)]
pub struct Court {
    /// What cases have in common.
    pub bench: Bench,
    /// The endpoints that the user named; without one the built-in server is judged.
    pub given: Subject,
    /// The URL of an auto-configuration server of the user's.
    pub acs: Option<String>,
    /// PEM certificates of authorities that phones trust, besides the built-in server's.
    pub authorities: Vec<u8>,
    /// Where the factory authority is kept; `None` = a new one for each case.
    pub factory: Option<PathBuf>,
    /// What each phone must get, for cases about the subject's own content.
    pub inventory: Option<Arc<Inventory>>,
    /// The directory of the subject's own content.
    pub root: String,
}

/// Carries out cases about a server on the loopback network, at most `AT_ONCE_MAX` at one time; the
/// results are in the order of the cases. Each ends by its own deadline.
#[must_use]
pub fn judge_server(cases: &[&Case], court: &Court, threads: usize) -> Vec<CaseResult> {
    let numbered: Vec<_> = (0_u32..).zip(cases.iter().copied()).collect();
    let session = Session::default();
    let threads = threads.clamp(1, AT_ONCE_MAX);
    each(&numbered, threads, |(number, case)| {
        unless_ended(case, &court.bench, || {
            court
                .one(case, *number, &session)
                .unwrap_or_else(|(verdict, reason)| told(case, verdict, reason))
        })
    })
}

/// What the cases of one certification share.
#[derive(Default)]
struct Session {
    /// Held for writing by a case that is carried out alone.
    turn: RwLock<()>,
    known: standing::Known,
}

/// Why a case was not judged by what was seen in it.
type Unjudged = (CaseVerdict, String);

fn ours(fault: impl std::fmt::Display) -> Unjudged {
    (CaseVerdict::Error, fault.to_string())
}

impl Court {
    /// Whether the user named an endpoint: then nothing else is judged.
    #[must_use]
    pub fn judges_subject(&self) -> bool {
        self.given.endpoints().iter().any(|(.., given)| *given)
    }

    fn one(&self, case: &Case, number: u32, session: &Session) -> Result<CaseResult, Unjudged> {
        self.has(case)?;
        let case = &self.with_inventory(case)?;
        let server = Ipv4Addr::LOCALHOST;
        let prepared = case::prepare(case, &self.bench, server);
        let prepared = prepared.map_err(|why| match case.content {
            // Its models cannot have what the case is about.
            Content::Inventory => (CaseVerdict::NotApplicable, why),
            _ => ours(why),
        });
        let Some(prepared) = prepared? else {
            let reason = "it has neither phones nor a scenario to plan them";
            return Err((CaseVerdict::Error, reason.to_owned()));
        };
        // Cases that share something with others, or want the whole machine, have it alone.
        let turn = &session.turn;
        if is_alone(case, &prepared) {
            let _alone = turn.write().unwrap_or_else(PoisonError::into_inner);
            self.carried_out(case, number, prepared, session)
        } else {
            let _beside = turn.read().unwrap_or_else(PoisonError::into_inner);
            self.carried_out(case, number, prepared, session)
        }
    }

    /// Whether the subject has everything that the case is about.
    fn has(&self, case: &Case) -> Result<(), Unjudged> {
        if !self.judges_subject() {
            return Ok(());
        }
        let lacks = |need: &&Need| !self.gives(**need);
        let lacking: Vec<_> = case.requires.iter().filter(lacks).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let words: Vec<_> = lacking.iter().map(|need| need.word()).collect();
        let reason = format!("{LACKS}{}", words.join(" or "));
        Err((CaseVerdict::NotApplicable, reason))
    }

    fn gives(&self, need: Need) -> bool {
        let given = &self.given.given;
        match need {
            Need::Dhcp => given.dhcp,
            Need::Tftp => given.tftp,
            Need::Ftp => given.ftp,
            Need::Http => given.http,
            Need::Https => given.https,
            Need::Sip | Need::Pnp => given.sip,
            Need::Ntp => given.ntp,
            Need::Acs => given.acs,
            Need::Mdns => given.mdns,
            Need::Redirect => given.redirect,
        }
    }

    /// What a case meets of the subject: what it is about, so that nothing else of the subject
    /// decides it.
    fn given_to(&self, case: &Case) -> Given {
        let about = |needs: &[Need]| needs.iter().any(|need| case.requires.contains(need));
        let given = self.given.given;
        Given {
            dhcp: given.dhcp && about(&[Need::Dhcp]),
            tftp: given.tftp && about(&[Need::Tftp]),
            ftp: given.ftp && about(&[Need::Ftp]),
            http: given.http && about(&[Need::Http]),
            https: given.https && about(&[Need::Https]),
            ntp: given.ntp && about(&[Need::Ntp]),
            sip: given.sip && about(&[Need::Sip, Need::Pnp]),
            acs: given.acs && about(&[Need::Acs]),
            redirect: given.redirect && about(&[Need::Redirect]),
            mdns: given.mdns && about(&[Need::Mdns]),
        }
    }

    /// The case with the phones of the inventory, where it is about the subject's own content.
    fn with_inventory(&self, case: &Case) -> Result<Case, Unjudged> {
        let mut case = case.clone();
        if case.content != Content::Inventory {
            return Ok(case);
        }
        let not_applicable = |reason: String| Err((CaseVerdict::NotApplicable, reason));
        let Some(inventory) = &self.inventory else {
            return not_applicable(NO_INVENTORY.to_owned());
        };
        if !content::take_inventory(&mut case, inventory, &self.bench.profiles) {
            let suite = &case.suite;
            let reason = format!("{NOT_IN_INVENTORY}{suite}");
            return not_applicable(reason);
        }
        let scenario = case.scenario.as_mut();
        let fleet = scenario.and_then(|scenario| scenario.fleets.first_mut());
        if let Some(fleet) = fleet {
            fleet.root.clone_from(&self.root);
        }
        Ok(case)
    }

    fn carried_out(
        &self,
        case: &Case,
        number: u32,
        prepared: Prepared,
        session: &Session,
    ) -> Result<CaseResult, Unjudged> {
        let mut prepared = prepared;
        let plan = Arc::clone(&prepared.plan);
        if self.judges_subject() && plan.changes() > 0 {
            let reason = "its files change while phones run, which only those of the built-in \
                          server do";
            return Err((CaseVerdict::NotApplicable, reason.to_owned()));
        }
        if case.content == Content::Ours {
            content::mark(case, &plan, &mut prepared.files);
        }
        let source = prepared.take_source();
        let moved = prepared.moved;
        let place = number % u32::try_from(AT_ONCE_MAX * 16).unwrap_or(1);
        let mut config = provision::reference(&plan, source.clone(), pool(place));
        config.http.redirects.clone_from(&moved);
        config.mutants = case::server_mutants(case, &self.bench).map_err(ours)?;
        let factory = provision::factory(self.factory.as_deref()).map_err(ours)?;
        let built_in = BuiltIn::start(&plan, config, &factory).map_err(ours)?;
        let mut subject = built_in.subject;
        subject.take_given(&Subject {
            given: self.given_to(case),
            ..self.given
        });
        let acs = self.acs.clone().filter(|_| subject.given.acs);
        let plan = with_elsewhere(&plan, acs, &subject, built_in.http());
        let mut trusted = built_in.authority_pem.clone().into_bytes();
        trusted.extend(&self.authorities);
        let trust = Arc::new(Trust::new(&trusted, factory).map_err(ours)?);
        let first = Ipv4Addr::from(u32::from(CLIENTS) + place * ADDRESSES);
        if self.judges_subject() {
            let standing = Standing {
                plan: &plan,
                subject: &subject,
                trust: &trust,
                files: &source,
                moved: &moved,
                first_address: first,
                known: &session.known,
            };
            standing::stands(case, &standing)?;
        }
        let mut orders = case::orders(&plan, &self.bench);
        orders.shards = 1;
        let known = (case.content == Content::Ours).then_some(source);
        orders.probes = case::probes(case, known, first);
        orders.wrong = case::phone_mutants(&plan, &self.bench).map_err(ours)?;
        let courier = built_in.courier();
        let ended = run::loopback_with_steps(&plan, &subject, &trust, &orders, &courier);
        let ended = ended.map_err(ours)?;
        built_in.stop().map_err(ours)?;
        let saturated = ended.report.facts().generator.saturated.clone();
        let mut result = judged(case, &plan, ended, &self.bench);
        if !saturated.is_empty() && result.verdict == CaseVerdict::Fail {
            let why: Vec<_> = saturated.into_iter().collect();
            result.verdict = CaseVerdict::Inconclusive;
            let why = why.join("; ");
            result.reason = format!("generator saturated ({why}): {}", result.reason);
        }
        Ok(result)
    }
}

/// Whether a case must not be carried out beside others.
fn is_alone(case: &Case, prepared: &Prepared) -> bool {
    let shared = |need: &Need| {
        matches!(
            need,
            Need::Dhcp | Need::Pnp | Need::Mdns | Need::Sip | Need::Acs
        )
    };
    let large = |bytes: &Vec<u8>| bytes.len() > BYTES_ALONE;
    case.requires.iter().any(shared)
        || prepared.plan.phones() >= PHONES_ALONE
        || prepared.files.values().any(large)
}

/// Leases for one case, which no other case under way has.
fn pool(place: u32) -> Pool {
    let first = u32::from(LOOPBACK_POOL.first) + place * ADDRESSES;
    Pool {
        first: Ipv4Addr::from(first),
        last: Ipv4Addr::from(first + ADDRESSES - 1),
        mask: LOOPBACK_POOL.mask,
    }
}
