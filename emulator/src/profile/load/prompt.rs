//! What a phone asks its user.

use super::clauses;
use crate::located::{Slot, Value};
use crate::profile::PromptSpec;

/// `[prompt]`; none without it, and with `prompt = false`.
pub(super) fn prompt(slot: &Slot<'_>) -> Option<PromptSpec> {
    if matches!(slot.value(), None | Some(Value::Switch(false))) {
        return None;
    }
    let table = slot.table()?;
    Some(PromptSpec {
        credentials: table.may("credentials").switch().unwrap_or_default(),
        clauses: clauses(&table),
    })
}
