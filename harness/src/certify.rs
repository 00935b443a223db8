//! Conformance cases carried out: each with its own plan, content and server, judged by what its
//! phones sent and received.
//!
//! | module | owns |
//! |---|---|
//! | `baseline` | what is known to fail at a product |
//! | `case` | one case, from its suite to its result |
//! | `content` | the files that a case serves |
//! | `exchange` | the decoded exchange as results show it, without secrets |
//! | `probe` | clients that stand in for phones and ask what phones never ask |
//! | `standing` | whether a subject is there and serves what a case needs |
//! | `subject` | cases about a server on the loopback network |

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_scenarios::suite::Case;

pub mod baseline;
pub mod case;
pub mod content;
pub(crate) mod exchange;
pub mod probe;
mod standing;
pub mod subject;

pub use case::{Bench, judged_record, prepare, run_case, server_mutants, told};

/// Carries out cases on the simulated network, on so many threads at once; the results are in the
/// order of the cases, and equal however many threads there are.
#[must_use]
pub fn run_cases(cases: &[&Case], bench: &Bench, threads: usize) -> Vec<CaseResult> {
    each(cases, threads, |case| {
        unless_ended(case, bench, || run_case(case, bench))
    })
}

/// The result of a case, while the user lets the run go on: one that was not begun, or was broken
/// off, says nothing of whom it judges.
pub(crate) fn unless_ended(
    case: &Case,
    bench: &Bench,
    work: impl FnOnce() -> CaseResult,
) -> CaseResult {
    let is_ended = || bench.stop.load(Ordering::Relaxed);
    if is_ended() {
        let reason = "the run was ended before it".to_owned();
        return told(case, CaseVerdict::Inconclusive, reason);
    }
    let mut result = work();
    if is_ended() && result.verdict == CaseVerdict::Fail {
        result.verdict = CaseVerdict::Inconclusive;
        result.reason = format!("the run was ended during it: {}", result.reason);
    }
    result
}

/// What `work` makes of every item, in the items' order, on so many threads at once.
pub fn each<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let take = || {
        while let Some((at, item)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            items.get(at).map(|item| (at, item))
        } {
            let result = work(item);
            let mut done = done
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            done.push((at, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, items.len().max(1)) {
            scope.spawn(take);
        }
        take();
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests;
