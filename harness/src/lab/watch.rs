//! What is heard of a handset: a thread takes frames from the place's source and keeps its record.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::lab::Capture;
use bootstorm_scenarios::wire::record::Record;

use crate::observe::gaps::Gaps;
use crate::observe::source::{self, Next, Source, SourceFault, Stopper};
use crate::observe::{Frame, Limits, Link, Observer};

/// Another machine's clock is taken for ours unless it differs by more than this: what its frames
/// say is then moved by the difference.
const CLOCK_MAX: Duration = Duration::from_secs(1);
/// Bytes kept of one handset's packets.
const RECORD_BYTES: usize = 48 << 20;

/// A capture that is going on. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    held: Arc<Mutex<Held>>,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
    mac: Mac,
}

/// What is known so far.
#[derive(Debug)]
struct Held {
    observer: Observer,
    /// Frames before this are not looked at, in nanoseconds since 1970.
    from: u64,
    /// How far the source's clock is ahead of ours, in nanoseconds.
    ahead: Option<i128>,
    /// Whether any frame came from the handset.
    linked: bool,
    /// When something of it was last recorded.
    last: Instant,
    packets: u64,
    /// What the source says of how complete it is, now and when recording began.
    notes: Vec<String>,
    notes_before: Vec<String>,
    /// What the source does not see at all.
    unseen: Option<String>,
    /// Why there will be no more frames.
    ended: Option<String>,
}

/// What is known of a handset at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// A frame of it was seen.
    pub linked: bool,
    /// For how long nothing was recorded of it.
    pub silent: Duration,
    /// Packets recorded.
    pub packets: u64,
    /// Why the capture ended, if it has.
    pub ended: Option<String>,
}

impl Watch {
    /// Begins to listen.
    ///
    /// # Errors
    /// `SourceFault`: what is not there, a missing privilege.
    pub fn start(capture: &Capture, mac: Mac) -> Result<Self, SourceFault> {
        let source = match capture {
            Capture::Interface(name) => source::interface(name)?,
            Capture::Command(words) => source::command(words)?,
            Capture::File(path) => growing(path)?,
        };
        let held = Arc::new(Mutex::new(Held {
            observer: observer(mac, 0),
            from: u64::MAX,
            // Only a program may be another machine's, and its first frame is of now: a file may
            // begin with what was long ago.
            ahead: (!matches!(capture, Capture::Command(_))).then_some(0),
            linked: false,
            last: Instant::now(),
            packets: 0,
            notes: Vec::new(),
            notes_before: Vec::new(),
            unseen: source.unseen(),
            ended: None,
        }));
        let stopper = source.stopper();
        let shared = Arc::clone(&held);
        let thread = std::thread::Builder::new().name("capture".to_owned());
        let thread = thread.spawn(move || listen(source, mac, &shared));
        let thread = thread.map_err(|fault| SourceFault::Own(fault.to_string()))?;
        Ok(Self {
            held,
            stopper,
            thread: Some(thread),
            mac,
        })
    }

    /// From now on is recorded; what was before is forgotten.
    pub fn begin(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        });
        let mut held = self.held();
        held.observer = observer(self.mac, now);
        held.from = now;
        held.linked = false;
        held.packets = 0;
        held.notes_before = held.notes.clone();
        held.last = Instant::now();
    }

    /// What is known now.
    #[must_use]
    pub fn heard(&self) -> Heard {
        let held = self.held();
        Heard {
            linked: held.linked,
            silent: held.last.elapsed(),
            packets: held.packets,
            ended: held.ended.clone(),
        }
    }

    /// The handset's record so far.
    #[must_use]
    pub fn record(&self) -> Record {
        let mut held = self.held();
        let record = held.observer.record(self.mac).cloned();
        record.unwrap_or_else(|| Record::new(RECORD_BYTES))
    }

    /// Why not everything of the handset could be seen.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        self.held().gaps(self.mac)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            // A thread that died hears nothing any more.
            let _ = thread.join();
        }
    }
}

fn observer(mac: Mac, epoch: u64) -> Observer {
    let limits = Limits {
        record_bytes: RECORD_BYTES,
        total_bytes: 2 * RECORD_BYTES,
        ..Limits::default()
    };
    Observer::only(limits, BTreeSet::from([mac])).since(epoch)
}

/// A file that something else goes on writing.
fn growing(path: &str) -> Result<Source, SourceFault> {
    let is_pipe = fs::metadata(path).is_ok_and(|facts| facts.file_type().is_fifo());
    if is_pipe || !Path::new(path).exists() {
        return source::file(Path::new(path));
    }
    let words = ["tail", "-c", "+1", "-f", "--", path];
    source::command(&words.map(str::to_owned))
}

fn listen(mut source: Source, mac: Mac, shared: &Mutex<Held>) {
    let ended = loop {
        // Of the frames so far: those of the next one are known with the one after it.
        let notes = source.notes();
        let next = source.next();
        let mut held = shared.lock().unwrap_or_else(PoisonError::into_inner);
        held.notes = notes;
        match next {
            Ok(Next::Quiet) => {}
            Ok(Next::Frame(frame)) => held.take(&frame, mac),
            Ok(Next::End) => break "the capture ended".to_owned(),
            Err(fault) => break fault.to_string(),
        }
    };
    let mut held = shared.lock().unwrap_or_else(PoisonError::into_inner);
    held.notes = source.notes();
    held.ended = Some(ended);
}

impl Held {
    fn take(&mut self, frame: &Frame<'_>, mac: Mac) {
        let at = i128::from(frame.at.nanos());
        let ahead = *self.ahead.get_or_insert_with(|| difference(at));
        let at = u64::try_from(at - ahead).unwrap_or(0);
        if at < self.from {
            return;
        }
        self.linked |= sender(frame) == Some(mac.0.as_slice());
        self.observer.take(&Frame {
            at: Moment::from_nanos(at),
            ..*frame
        });
        let record = self.observer.record(mac);
        let packets = record.map_or(0, |it| it.len() as u64 + it.dropped());
        if packets != self.packets {
            self.packets = packets;
            self.last = Instant::now();
            self.linked = true;
        }
    }

    fn gaps(&self, mac: Mac) -> Gaps {
        let mut gaps = self.observer.gaps(mac);
        // What the source lost meanwhile may have been the handset's.
        let notes = self.notes.iter();
        let notes = notes.filter(|it| !self.notes_before.contains(it));
        gaps.others.extend(self.unseen.iter().chain(notes).cloned());
        gaps
    }
}

/// How far a clock is ahead that shows this now; nothing where it may be a frame's way to us.
fn difference(shown: i128) -> i128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_nanos().cast_signed());
    let ahead = shown - now;
    match ahead.unsigned_abs() > CLOCK_MAX.as_nanos() {
        true => ahead,
        false => 0,
    }
}

/// The sender's MAC address, where the link shows one.
fn sender<'a>(frame: &Frame<'a>) -> Option<&'a [u8]> {
    match frame.link {
        // Both have it at the same place.
        Link::Ethernet | Link::Cooked => frame.bytes.get(6..12),
        Link::Cooked2 => frame.bytes.get(12..18),
        Link::Raw | Link::Loopback => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_while_it_was_recorded_is_a_gap_and_what_was_lost_before_is_not() {
        let mac = Mac([0x02, 0, 0, 0, 0, 1]);
        let dropped = |frames: u32| vec![format!("eth0: {frames} frames were dropped")];
        let held = Held {
            observer: observer(mac, 0),
            from: 0,
            ahead: Some(0),
            linked: false,
            last: Instant::now(),
            packets: 0,
            notes: dropped(5),
            notes_before: Vec::new(),
            unseen: None,
            ended: None,
        };
        let watch = Watch {
            held: Arc::new(Mutex::new(held)),
            stopper: Stopper::default(),
            thread: None,
            mac,
        };
        watch.begin();
        assert_eq!(watch.gaps(), Gaps::default());
        let mut held = watch.held();
        held.from = 0;
        held.notes = dropped(7);
        let cut = Frame {
            at: Moment::from_nanos(1),
            link: Link::Ethernet,
            bytes: &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0],
            length: 60,
            number: 1,
            inside_tls: None,
        };
        held.take(&cut, mac);
        drop(held);
        let cut = "frames too short to be read".to_owned();
        assert_eq!(
            watch.gaps().others,
            [format!("1 {cut}"), dropped(7).remove(0)]
        );
        let blind = "eth0: only what is for this machine is seen".to_owned();
        watch.held().unseen = Some(blind.clone());
        watch.begin();
        assert_eq!(watch.gaps().others, [blind]);
    }
}
