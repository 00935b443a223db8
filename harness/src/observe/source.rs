//! Where frames come from: a file, an interface of this machine, or a program that writes a
//! capture to its standard output, such as `ssh host tcpdump -U -w - -i eth0`.

mod interface;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Frame;
use super::file::{Capture, CaptureFault, Cut};
use crate::family::Family;
use interface::Interface;

/// How long a program has to end once it was asked to.
const GRACE: Duration = Duration::from_secs(1);
/// How often it is looked whether a source that gives nothing was ended, in milliseconds.
const LOOK: u16 = 100;

/// Why frames cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// What was named is not there, or is no capture: a matter of what was given.
    #[error("{0}")]
    Given(String),
    /// A privilege is missing, or the machine refused something.
    #[error("{0}")]
    Own(String),
}

/// Frames, as they come.
#[derive(Debug)]
pub struct Source {
    /// What it is called in messages.
    name: String,
    kind: Kind,
    stopper: Stopper,
}

#[derive(Debug)]
enum Kind {
    File(Capture<Patient<File>>),
    Interface(Box<Interface>),
    Command(Capture<Patient<ChildStdout>>),
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// None for a moment; of an interface only.
    Quiet,
    /// No more.
    End,
}

/// Reads until it is ended from elsewhere, whoever still holds the other end open.
#[derive(Debug)]
struct Patient<R> {
    stream: R,
    stopper: Stopper,
}

/// Ends a source from elsewhere: an interface is listened to no longer, a program is ended with all
/// that it started.
#[derive(Debug, Clone, Default)]
pub struct Stopper {
    raised: Arc<AtomicBool>,
    program: Arc<Mutex<Option<Family>>>,
}

/// The frames of a file.
///
/// # Errors
/// What the operating system says of the file. Whether it is a capture shows with the first frame.
pub fn file(path: &Path) -> Result<Source, SourceFault> {
    let name = path.display().to_string();
    let fault = |what: String| SourceFault::Given(format!("{name}: {what}"));
    let file = File::open(path).map_err(|it| fault(format!("failed to open it: {it}")))?;
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        return Err(fault("it is a directory (expected a capture)".to_owned()));
    }
    let stopper = Stopper::default();
    Ok(Source {
        name,
        kind: Kind::File(Capture::new(stopper.ends(file))),
        stopper,
    })
}

/// The frames that an interface sends and receives from now on; those of others too, where it can
/// be made to (a mirrored port's). They are dropped with a count where nobody takes them in time.
///
/// # Errors
/// An interface that is not there, with those that are; a missing privilege.
pub fn interface(name: &str) -> Result<Source, SourceFault> {
    Ok(Source {
        kind: Kind::Interface(Box::new(Interface::open(name)?)),
        name: name.to_owned(),
        stopper: Stopper::default(),
    })
}

/// The frames of the capture that a program writes to its standard output: its words, the first
/// being the program. Its standard error stays the terminal's, but it can ask for nothing there. It
/// is ended, with all that it started, when the source is dropped.
///
/// # Errors
/// A program that cannot be started.
pub fn command(words: &[String]) -> Result<Source, SourceFault> {
    let name = words.join(" ");
    let Some((program, arguments)) = words.split_first() else {
        return Err(SourceFault::Given("a command without a program".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut family = Family::start(&mut command).map_err(|fault| {
        let text = format!("failed to start {program}: {fault}");
        match fault.kind() {
            io::ErrorKind::NotFound => SourceFault::Given(text),
            _ => SourceFault::Own(text),
        }
    })?;
    let Some(output) = family.output() else {
        return Err(SourceFault::Own(format!(
            "{program} has no standard output"
        )));
    };
    let stopper = Stopper::default();
    *stopper.held() = Some(family);
    Ok(Source {
        name,
        kind: Kind::Command(Capture::new(stopper.ends(output))),
        stopper,
    })
}

impl Source {
    /// What comes next. A file and a program are waited for; an interface for a tenth of a second.
    ///
    /// # Errors
    /// What is no capture, or damaged; what the operating system says.
    #[expect(
        clippy::should_implement_trait,
        reason = "a frame is lent from the source, which an iterator cannot do"
    )]
    pub fn next(&mut self) -> Result<Next<'_>, SourceFault> {
        let name = &self.name;
        if self.stopper.is_raised() {
            return Ok(Next::End);
        }
        let stopper = &self.stopper;
        let found = match &mut self.kind {
            Kind::File(capture) => capture.frame(),
            Kind::Command(capture) => match capture.frame() {
                Err(fault) if fault.offset == 0 && !fault.is_own && !stopper.is_raised() => {
                    return Err(SourceFault::Own(format!(
                        "{name}: it wrote no capture to its standard output ({})",
                        fault.what
                    )));
                }
                found => found,
            },
            Kind::Interface(interface) => return interface.next(),
        };
        match found {
            // Whatever it was in the middle of.
            _ if stopper.is_raised() => Ok(Next::End),
            Ok(Some(frame)) => Ok(Next::Frame(frame)),
            Ok(None) => Ok(Next::End),
            Err(fault) => Err(told(name, &fault)),
        }
    }

    /// What ends it from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The packet within which it ended.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        match &self.kind {
            Kind::File(capture) => capture.cut(),
            Kind::Command(capture) => capture.cut(),
            Kind::Interface(_) => None,
        }
    }

    /// What is not seen here, however long one listens; nothing where everything is.
    #[must_use]
    pub fn unseen(&self) -> Option<String> {
        match &self.kind {
            Kind::File(_) | Kind::Command(_) => None,
            Kind::Interface(interface) => interface.unseen(),
        }
    }

    /// What a user is to know of how complete it is so far; nothing where there is nothing.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let unread = match &self.kind {
            Kind::File(capture) => capture.unread(),
            Kind::Command(capture) => capture.unread(),
            Kind::Interface(interface) => return interface.notes(),
        };
        let name = &self.name;
        let mut notes = Vec::new();
        if unread > 0 {
            notes.push(format!(
                "{name}: {unread} packets of links that cannot be read"
            ));
        }
        if let Some(Cut { offset, bytes }) = self.cut() {
            notes.push(format!(
                "{name}: byte {offset}: the capture ends {bytes} bytes into a packet; judged up to \
                 there"
            ));
        }
        notes
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

impl Stopper {
    /// Ends it.
    pub fn stop(&self) {
        self.raised.store(true, Ordering::Relaxed);
        let program = self.held().take();
        if let Some(mut program) = program {
            program.end(GRACE);
        }
    }

    fn ends<R>(&self, stream: R) -> Patient<R> {
        Patient {
            stream,
            stopper: self.clone(),
        }
    }

    fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Family>> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Read + AsFd> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stopper.is_raised() {
                return Err(io::Error::other("it was ended"));
            }
            let mut waited = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waited, PollTimeout::from(LOOK)) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return self.stream.read(buffer),
                Err(fault) => return Err(fault.into()),
            }
        }
    }
}

fn told(name: &str, fault: &CaptureFault) -> SourceFault {
    let text = format!("{name}: {fault}");
    match fault.is_own {
        true => SourceFault::Own(text),
        false => SourceFault::Given(text),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Instant;

    use super::super::file::tests::pcap;
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn numbers(source: &mut Source) -> Result<Vec<u64>, SourceFault> {
        let mut numbers = Vec::new();
        loop {
            match source.next()? {
                Next::Frame(frame) => numbers.push(frame.number),
                Next::Quiet => {}
                Next::End => return Ok(numbers),
            }
        }
    }

    #[test]
    fn a_file_gives_its_frames_and_says_where_it_is_cut() {
        let whole = pcap(1, &[b"one", b"two"]);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&whole[..whole.len() - 2]).unwrap();
        let mut source = super::file(file.path()).unwrap();
        assert_eq!(numbers(&mut source), Ok(vec![1]));
        let name = file.path().display();
        let notes =
            format!("{name}: byte 43: the capture ends 17 bytes into a packet; judged up to there");
        assert_eq!(source.notes(), [notes]);
    }

    #[test]
    fn what_is_no_file_or_no_capture_is_told_with_its_name() {
        let directory = tempfile::TempDir::new().unwrap();
        let name = directory.path().display();
        let fault = file(directory.path()).unwrap_err();
        let expected = format!("{name}: it is a directory (expected a capture)");
        assert_eq!(fault, SourceFault::Given(expected));
        let absent = directory.path().join("absent.pcap");
        assert!(matches!(file(&absent), Err(SourceFault::Given(_))));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"no capture at all").unwrap();
        let mut source = super::file(file.path()).unwrap();
        let fault = numbers(&mut source).unwrap_err().to_string();
        let expected = format!("{}: byte 0: not a capture", file.path().display());
        assert!(fault.starts_with(&expected), "{fault}");
    }

    #[test]
    fn a_program_gives_the_frames_that_it_writes_and_is_killed_at_the_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&pcap(1, &[b"one", b"two"])).unwrap();
        let path = file.path().display().to_string();
        let script = format!("cat {path}; exec sleep 1000");
        let mut source = command(&words(&["sh", "-c", &script])).unwrap();
        assert!(matches!(source.next(), Ok(Next::Frame(_))));
        assert!(matches!(source.next(), Ok(Next::Frame(_))));
        let stopper = source.stopper();
        let began = Instant::now();
        let waiter = std::thread::spawn(move || source.next().map(|it| it == Next::End));
        stopper.stop();
        assert_eq!(waiter.join().unwrap(), Ok(true));
        assert!(began.elapsed().as_secs() < 60);
    }

    #[test]
    fn a_program_ends_with_all_that_it_started_whoever_holds_its_output() {
        let directory = tempfile::TempDir::new().unwrap();
        let (capture, ids) = (
            directory.path().join("a.pcap"),
            directory.path().join("ids"),
        );
        std::fs::write(&capture, pcap(1, &[b"one"])).unwrap();
        let (capture, ids) = (capture.display(), ids.display());
        // One of its group that does not heed SIGTERM, and one that left the group.
        let script = format!(
            "sh -c 'trap \"\" TERM; echo $$ >>{ids}; sleep 100; sleep 100' & \
             setsid sh -c 'echo $$ >>{ids}; exec sleep 20' & cat {capture}; wait"
        );
        let mut source = command(&words(&["sh", "-c", &script])).unwrap();
        assert!(matches!(source.next(), Ok(Next::Frame(_))));
        let read = || std::fs::read_to_string(ids.to_string()).unwrap_or_default();
        let began = Instant::now();
        while read().lines().count() < 2 {
            assert!(began.elapsed() < Duration::from_secs(10), "{}", read());
            std::thread::sleep(Duration::from_millis(10));
        }
        let text = read();
        let _ends = Ends(text.lines().collect());
        let stopper = source.stopper();
        let waiter = std::thread::spawn(move || source.next().map(|it| it == Next::End));
        let began = Instant::now();
        stopper.stop();
        assert_eq!(waiter.join().unwrap(), Ok(true));
        assert!(began.elapsed() < Duration::from_secs(10));
        let runs = |id: &str| {
            let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            !line.is_empty()
        };
        let left = text.lines().filter(|id| runs(id)).count();
        assert_eq!(left, 1, "the one that left the group");
    }

    /// Programs that go on, by their ids, until the test ends.
    struct Ends<'a>(Vec<&'a str>);

    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            let _ = Command::new("kill")
                .args(&self.0)
                .stderr(Stdio::null())
                .status();
        }
    }

    #[test]
    fn a_source_that_was_ended_gives_no_more_although_it_has_more() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&pcap(1, &[b"one", b"two"])).unwrap();
        let mut source = super::file(file.path()).unwrap();
        assert!(matches!(source.next(), Ok(Next::Frame(_))));
        source.stopper().stop();
        assert_eq!(source.next(), Ok(Next::End));
    }

    #[test]
    fn a_program_without_a_capture_is_our_own_fault_and_one_that_is_not_there_is_not() {
        let mut source = command(&words(&["false"])).unwrap();
        let fault = numbers(&mut source).unwrap_err();
        let expected = "false: it wrote no capture to its standard output (the file is empty)";
        assert_eq!(fault, SourceFault::Own(expected.to_owned()));
        let absent = command(&words(&["no-such-program-here"]));
        assert!(matches!(absent, Err(SourceFault::Given(_))));
    }
}
