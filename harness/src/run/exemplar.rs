//! What the phones sent and received that stand for their groups of failures.

use bootstorm_reports::redact::Redactor;
use bootstorm_reports::report::Report;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::wire::message;
use bootstorm_scenarios::wire::record::Record;

use crate::certify::exchange::{Censor, exchange};

/// Groups whose phone is shown; the largest come first.
const GROUPS_MAX: usize = 60;

/// The report with the exchanges of its groups' examples, as far as they were recorded.
pub(super) fn shown(
    report: Report,
    plan: &Plan,
    records: &mut [(u32, Record)],
    redactor: &Redactor,
) -> Report {
    let mut exchanges = Vec::new();
    for group in report.groups().iter().take(GROUPS_MAX) {
        let mut held = records.iter_mut();
        let held = held.find(|(index, record)| *index == group.example && !record.is_empty());
        if let (Some((index, record)), Some(phone)) = (held, plan.phone(group.example)) {
            let messages = message::decode(record);
            // Where it is long, what came last tells more of a failure than what came first.
            let last = messages.len().saturating_sub(1);
            let censor = Censor::new(plan, &phone, None, redactor);
            let (lines, _) = exchange(&messages, &[last], &censor);
            exchanges.push((*index, lines));
        }
    }
    report.with_exchanges(exchanges, redactor)
}
