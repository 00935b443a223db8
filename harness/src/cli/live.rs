//! The live view of a run on standard error: a bar on a terminal, plain lines otherwise; and the
//! user's Ctrl-C.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::fleet::progress::{Progress, Reading};
use crate::run::Orders;

/// How often the view is drawn.
const DRAW: Duration = Duration::from_millis(100);
/// How often a plain line is written.
const LINE: Duration = Duration::from_secs(2);
/// Columns when nobody says how many there are.
const COLUMNS: u16 = 100;

/// A view that is being drawn. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Live {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Columns of the terminal; 100 where there is none.
pub(super) fn columns() -> u16 {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let (_, measured) = console_size();
    told.or(measured).unwrap_or(COLUMNS)
}

fn console_size() -> (Option<u16>, Option<u16>) {
    let size = indicatif::TermLike::width(&Terminal::default());
    (None, (size > 0).then_some(size))
}
