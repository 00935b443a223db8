//! The live view of a run on standard error: a bar on a terminal, plain lines otherwise; and the
//! user's Ctrl-C.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Trouble};
use crate::attach::traces;
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
    terminal_size::terminal_size().map_or(COLUMNS, |(width, _)| width.0)
}

/// Raises the flag at the first Ctrl-C or SIGTERM and says `first`; the second ends the program at
/// once.
///
/// # Errors
/// When the operating system lets no signal be caught.
pub(super) fn catch_interrupt(stop: Arc<AtomicBool>, first: &'static str) -> Result<(), Trouble> {
    let failed = |fault| Trouble::own(format!("failed to catch Ctrl-C: {fault}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(failed)?;
    // Here and not in the thread, so that it is caught from when this returns.
    let mut signals = {
        let _within = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        (interrupt, terminate)
    };
    let watch = move || {
        runtime.block_on(async {
            loop {
                // A CI job that is cancelled sends SIGTERM: the report is wanted then, too.
                tokio::select! {
                    _ = signals.0.recv() => {}
                    _ = signals.1.recv() => {}
                }
                if stop.swap(true, Ordering::Relaxed) {
                    traces::take_all_away();
                    std::process::exit(Exit::Interrupted as i32);
                }
                eprintln!("bootstorm: {first}");
            }
        });
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(watch)
        .map_err(failed)?;
    Ok(())
}

impl Live {
    /// Begins to draw.
    pub(super) fn start(orders: &Orders, planned: u32, quiet: bool) -> Self {
        let over = Arc::<AtomicBool>::default();
        if quiet {
            return Self { over, thread: None };
        }
        let (flag, progress) = (Arc::clone(&over), Arc::clone(&orders.progress));
        let draw = move || {
            if std::io::stderr().is_terminal() {
                bar(&flag, &progress, planned);
            } else {
                lines(&flag, &progress, planned);
            }
        };
        // A run without a view is still a run.
        let thread = std::thread::Builder::new()
            .name("view".to_owned())
            .spawn(draw)
            .ok();
        Self { over, thread }
    }

    /// Ends the view and waits until it is off the screen.
    pub(super) fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A view that died leaves nothing to clean up.
            let _ = thread.join();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop();
    }
}

fn bar(over: &AtomicBool, progress: &Progress, planned: u32) {
    let bar = ProgressBar::new(u64::from(planned));
    let style = ProgressStyle::with_template("{elapsed:>4} [{bar:30}] {msg}");
    bar.set_style(
        style
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    );
    while !over.load(Ordering::Relaxed) {
        let reading = progress.read();
        bar.set_position(u64::from(reading.settled));
        bar.set_message(told(reading, planned));
        std::thread::sleep(DRAW);
    }
    bar.finish_and_clear();
}

fn lines(over: &AtomicBool, progress: &Progress, planned: u32) {
    let began = Instant::now();
    let mut next = began + LINE;
    while !over.load(Ordering::Relaxed) {
        if Instant::now() >= next {
            next += LINE;
            let seconds = began.elapsed().as_secs();
            eprintln!("{seconds:>4} s  {}", told(progress.read(), planned));
        }
        std::thread::sleep(DRAW);
    }
}

fn told(reading: Reading, planned: u32) -> String {
    let Reading {
        started,
        settled,
        provisioned,
        files,
        ..
    } = reading;
    format!("{started}/{planned} on, {settled} settled, {provisioned} provisioned, {files} files")
}
