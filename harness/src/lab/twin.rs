//! A handset's virtual twin: the same MAC address and profile, booted against the same server; and
//! what differs between the two.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm_reports::redact::Redactor;
use bootstorm_reports::twin::Comparison;
use bootstorm_scenarios::lab::{Lab, LabPlace};
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::suite::Suite;
use bootstorm_scenarios::wire::message::{self, Message};
use bootstorm_scenarios::wire::record::Record;

use crate::certify::Bench;
use crate::certify::exchange::Censor;
use crate::provision::{self, Pool};
use crate::reference::Reference;
use crate::run::{self, Orders};

mod align;
mod law;

use align::Ladder;
use law::Laws;

/// Bytes kept of the twin's packets.
const RECORD_BYTES: usize = 48 << 20;

/// What is compared.
#[derive(Debug, Clone)]
pub struct Pair<'a> {
    /// What it is called.
    pub title: String,
    /// The plan of the one phone.
    pub plan: &'a Arc<Plan>,
    /// Suites whose cases tell which clause speaks of what.
    pub suites: &'a [Suite],
    /// The suite of the handset's vendor.
    pub suite: String,
    /// What both met.
    pub subject: String,
    /// Both records begin with power; otherwise with the first message.
    pub from_power: bool,
    /// What a reader is to know besides.
    pub notes: Vec<String>,
}

/// Addresses that a twin may get: those of its place.
#[must_use]
pub fn pool(lab: &Lab, place: &LabPlace) -> Pool {
    Pool {
        first: place.addresses.first,
        last: place.addresses.last,
        mask: lab.mask(),
    }
}

/// The record of the twin: a virtual phone of the plan boots against the reference server of that
/// plan, which gives it `pool`'s first address.
///
/// # Errors
/// In words.
pub fn boot(
    plan: &Arc<Plan>,
    pool: Pool,
    router: Option<Ipv4Addr>,
    bench: &Bench,
) -> Result<Record, String> {
    let source = provision::tree(plan).map_err(|fault| fault.to_string())?;
    let mut config = provision::reference(plan, source, pool);
    let pools = config.dhcp.iter_mut().flat_map(|dhcp| &mut dhcp.pools);
    pools.for_each(|pool| pool.routers = router.into_iter().collect());
    let orders = Orders {
        record_bytes: RECORD_BYTES,
        stop: Arc::clone(&bench.stop),
        ..Orders::default()
    };
    let ended = run::simulate(plan, Reference::new(config), &orders);
    let ended = ended.map_err(|fault| fault.to_string())?;
    let first = ended.records.into_iter().next();
    let record = first.map(|(_, record)| record);
    record.ok_or_else(|| "the twin was not recorded".to_owned())
}

/// Both ladders, row by row, without secrets unless they are to be shown.
#[must_use]
pub fn compare(pair: &Pair<'_>, twin: &Record, handset: &Record, keep_secrets: bool) -> Comparison {
    let [twin, handset] = [twin, handset].map(message::decode);
    let phone = pair.plan.phone(0);
    let mut redactor = Redactor::new(pair.plan.scenario.seed);
    if keep_secrets {
        redactor = redactor.keeping_secrets();
    }
    let censor = phone.map(|phone| Censor::new(pair.plan, &phone, None, &redactor));
    let hide = |text: &str| match &censor {
        Some(censor) => censor.text(text),
        None => text.to_owned(),
    };
    let laws = Laws::of(pair.suites, &pair.suite, pair.plan);
    let [one, other] = [&twin, &handset].map(|it| Ladder::of(it, pair.from_power));
    let rows = align::rows(&one, &other, &laws, &hide);
    let mut notes = pair.notes.clone();
    notes.extend(gone(&twin, "the twin"));
    notes.extend(gone(&handset, "the handset"));
    notes.extend(left_out(&one, "the twin"));
    notes.extend(left_out(&other, "the handset"));
    Comparison {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: pair.title.clone(),
        mac: phone.map_or_else(String::new, |phone| phone.identity.mac.to_string()),
        profile: pair
            .plan
            .profiles
            .first()
            .map_or_else(String::new, |profile| profile.name.clone()),
        subject: pair.subject.clone(),
        rows,
        left_out: one.left_out + other.left_out,
        notes,
    }
}

/// What is said where nothing was heard.
fn gone(messages: &[Message], whom: &str) -> Option<String> {
    messages
        .is_empty()
        .then(|| format!("nothing was heard of {whom}"))
}

/// What is said of a ladder that is too long.
fn left_out(ladder: &Ladder<'_>, whose: &str) -> Option<String> {
    let left_out = ladder.left_out;
    (left_out > 0).then(|| {
        format!(
            "{left_out} messages of {whose} were left out: the first {} of each are compared",
            align::ROWS_MAX
        )
    })
}

#[cfg(test)]
mod tests;
