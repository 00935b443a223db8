//! The program under test, started as a user starts it, and never left running.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest time that any one command of a test may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    /// What it wrote to standard output.
    pub(crate) out: String,
    /// What it wrote to standard error.
    pub(crate) err: String,
}

impl Finished {
    /// Requires the exit code, and shows everything when it is another.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self {
            code: found,
            out,
            err,
        } = &self;
        assert_eq!(
            *found, code,
            "standard output:\n{out}\nstandard error:\n{err}"
        );
        assert!(
            !err.contains("panicked"),
            "the program panicked:\n{out}\n{err}"
        );
        self
    }
}

/// A started command; dropping it ends it.
pub(crate) struct Started {
    /// The process.
    pub(crate) child: Child,
    out: Option<JoinHandle<String>>,
    err: Option<JoinHandle<String>>,
}

impl Started {
    /// Starts a command with its outputs caught.
    pub(crate) fn new(command: &mut Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
        let out = child.stdout.take().map(caught);
        let err = child.stderr.take().map(caught);
        Self { child, out, err }
    }

    /// Waits for its end, at most `LIMIT`.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        let mut status = None;
        let ended = until(LIMIT, || {
            status = self.child.try_wait().expect("own child");
            status.is_some()
        });
        if !ended {
            let _ = self.child.kill();
        }
        let text = |thread: Option<JoinHandle<String>>| {
            thread.map_or_else(String::new, |it| it.join().expect("a reader"))
        };
        let (out, err) = (text(self.out.take()), text(self.err.take()));
        assert!(ended, "no end within {LIMIT:?}:\n{out}\n{err}");
        let code = status.and_then(|status| status.code()).unwrap_or(-1);
        Finished { code, out, err }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Ended already, or ended now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn caught(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The program with these arguments, run in `directory`, without a terminal.
pub(crate) fn bootstorm(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstorm"));
    command.current_dir(directory).args(arguments);
    command
}

/// Runs the program to its end.
#[track_caller]
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Finished {
    Started::new(&mut bootstorm(directory, arguments)).finish()
}

/// Looks until it is so, at most `limit`; says whether it came to be so.
pub(crate) fn until(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}
