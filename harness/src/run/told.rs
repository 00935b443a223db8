//! What a report says of a run besides its phones.

use bootstorm_reports::run::{Endpoint, RunFacts};
use bootstorm_scenarios::plan::Plan;

use crate::attach::loopback::{CONNECTIONS_MAX, LINES_MAX, Losses, TRANSFER_SOCKETS};
use crate::reference::{Counter, Counters};
use crate::subject::Subject;

/// Adds to the facts what became of the downloads that the auto-configuration server ordered.
pub(super) fn tell_downloads(facts: &mut RunFacts, plan: &Plan, counters: &Counters) {
    if !plan.has_acs() {
        return;
    }
    let [ordered, complete, fault] = [
        Counter::AcsDownload,
        Counter::AcsDownloadComplete,
        Counter::AcsDownloadFault,
    ]
    .map(|counter| counters.value(counter));
    facts.notes.insert(format!(
        "auto-configuration server: {complete} of {ordered} ordered downloads were reported \
         complete, {fault} with a fault"
    ));
}

/// Adds to the facts what a real attachment's own side did.
pub(super) fn tell_losses(facts: &mut RunFacts, subject: &Subject, losses: Losses, count: u32) {
    facts.shards = count;
    facts.generator.dropped_datagrams = losses.dropped;
    if losses.strays > 0 {
        facts.notes.insert(format!(
            "{} datagrams from the DHCP server named no phone of the run",
            losses.strays
        ));
    }
    if losses.unreachable > 0 {
        facts.notes.insert(format!(
            "{} requests were not sent: to a service that the subject does not have, or beyond the \
             networks that phones reach ({})",
            losses.unreachable, subject.reach
        ));
    }
    let shards = u64::from(count);
    facts.limits.insert(
        "shared UDP ports".to_owned(),
        shards * TRANSFER_SOCKETS as u64,
    );
    facts.limits.insert(
        "TCP connections at once".to_owned(),
        shards * CONNECTIONS_MAX as u64,
    );
    facts.limits.insert(
        "phones registered over TCP".to_owned(),
        shards * LINES_MAX as u64,
    );
}

/// Adds to the facts what is judged, and what stands in for the rest of it.
pub(super) fn tell_endpoints(facts: &mut RunFacts, subject: &Subject) {
    let endpoints = subject.endpoints();
    let built_in = endpoints.iter().filter(|(.., given)| !given);
    let built_in: Vec<_> = built_in.map(|(service, ..)| *service).collect();
    if built_in.len() < endpoints.len() {
        let services = built_in.join(", ");
        let note = format!("not the subject's but the built-in server's: {services}");
        facts.notes.insert(note);
    }
    for (service, address, given) in endpoints {
        let origin = if given { "" } else { " (built in)" };
        facts.subject.insert(Endpoint {
            service: format!("{service}{origin}"),
            address: address.to_string(),
        });
    }
}
