//! Conditions of a phone's link: what befalls its datagrams and connections, and when what is left
//! arrives. Plain data: whoever moves packets asks, and does the waiting.
//!
//! Each phone has a generator for each way, so that its fate depends on its own packets only: a
//! phone that is run alone meets what it met among thousands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bootstorm_emulator::rng::Rng;
use bootstorm_emulator::time::Moment;

use crate::plan::Plan;
use crate::wire::Way;

/// Bytes of IPv4 and UDP before a payload; they take their time on a slow link, too.
const DATAGRAM_HEADER_BYTES: usize = 28;
/// Bytes of IPv4 and TCP before a segment.
const SEGMENT_HEADER_BYTES: usize = 40;
/// Payload of a TCP segment on Ethernet.
const SEGMENT_BYTES: usize = 1_460;
/// A datagram that would wait longer for its turn on a slow link is dropped, as a router with a
/// full queue does.
pub const BACKLOG_MAX: Duration = Duration::from_secs(1);
/// What of a stream crosses a slow link together: so much time's worth.
const PIECE: Duration = Duration::from_millis(50);
/// No piece is larger.
pub const PIECE_BYTES_MAX: usize = 16 << 10;
/// Mixed into the run's seed, apart from what the phones draw from it.
const SALT: u64 = 0x006c_696e_6b00;

/// Conditions of every link of a fleet. Rates are per mille: of datagrams, or of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// Datagrams lost.
    pub loss_per_mille: u32,
    /// Datagrams delivered twice.
    pub duplicate_per_mille: u32,
    /// Datagrams held back behind later ones.
    pub reorder_per_mille: u32,
    /// Least one-way delay, of datagrams and connections.
    pub delay: Duration,
    /// Added to a datagram's at random, up to this.
    pub jitter: Duration,
    /// Thousands of bits per second each way: of a phone's datagrams together, and of each of its
    /// connections; 0 = no limit. Headers of IPv4, UDP and TCP count.
    pub bandwidth_kbit_s: u32,
    /// Connections that are reset.
    pub reset_per_mille: u32,
    /// A connection that is reset is so after this many bytes from the server.
    pub reset_after_bytes: u64,
    /// A silence on each connection.
    pub stall: Option<Stall>,
}

/// Nothing comes from the server for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stall {
    /// After this many bytes from the server.
    pub after_bytes: u64,
    /// How long.
    pub lasts: Duration,
}

impl Link {
    /// True when nothing at all befalls anything.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        *self == Self::default()
    }

    /// True for conditions of connections only.
    #[must_use]
    pub fn breaks_connections(&self) -> bool {
        self.reset_per_mille > 0 || self.stall.is_some()
    }

    /// True for conditions of datagrams only.
    #[must_use]
    pub fn harms_datagrams(&self) -> bool {
        let rates = [
            self.loss_per_mille,
            self.duplicate_per_mille,
            self.reorder_per_mille,
        ];
        rates.iter().any(|rate| *rate > 0) || !self.jitter.is_zero()
    }

    /// How long so many bytes take, headers included.
    fn time_of(&self, bytes: usize) -> Duration {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        // A bit at one kbit/s takes a millisecond.
        let nanos = bits.saturating_mul(1_000_000);
        Duration::from_nanos(nanos.checked_div(self.bandwidth_kbit_s.into()).unwrap_or(0))
    }

    /// Bytes of a stream that cross together.
    fn piece(&self) -> usize {
        if self.bandwidth_kbit_s == 0 {
            return usize::MAX;
        }
        let bits = u128::from(self.bandwidth_kbit_s) * PIECE.as_millis();
        usize::try_from(bits / 8).map_or(PIECE_BYTES_MAX, |bytes| {
            bytes.clamp(SEGMENT_BYTES, PIECE_BYTES_MAX)
        })
    }
}

/// What befell what crossed the links of a run so far.
#[derive(Debug, Default)]
pub struct Tally {
    datagrams: AtomicU64,
    lost: AtomicU64,
    overflown: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
    connections: AtomicU64,
    reset: AtomicU64,
    stalled: AtomicU64,
}

/// A tally read once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Datagrams, both ways, before anything befell them.
    pub datagrams: u64,
    /// Lost at random.
    pub lost: u64,
    /// Lost because the link's queue was full.
    pub overflown: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
    /// Connections opened.
    pub connections: u64,
    /// Reset.
    pub reset: u64,
    /// Stalled for a while.
    pub stalled: u64,
}

impl Tally {
    /// The figures as they are.
    #[must_use]
    pub fn told(&self) -> Told {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Told {
            datagrams: value(&self.datagrams),
            lost: value(&self.lost),
            overflown: value(&self.overflown),
            duplicated: value(&self.duplicated),
            reordered: value(&self.reordered),
            connections: value(&self.connections),
            reset: value(&self.reset),
            stalled: value(&self.stalled),
        }
    }
}

impl Told {
    /// Together with another shard's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            datagrams: self.datagrams + other.datagrams,
            lost: self.lost + other.lost,
            overflown: self.overflown + other.overflown,
            duplicated: self.duplicated + other.duplicated,
            reordered: self.reordered + other.reordered,
            connections: self.connections + other.connections,
            reset: self.reset + other.reset,
            stalled: self.stalled + other.stalled,
        }
    }

    /// One sentence without full stop; nothing where nothing crossed a link with conditions.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        if self.datagrams + self.connections == 0 {
            return None;
        }
        let (datagrams, connections) = (self.datagrams, self.connections);
        let mut text = format!("the phones' links carried {datagrams} datagrams");
        let befell = [
            (self.lost, "lost"),
            (self.overflown, "lost to a full queue"),
            (self.duplicated, "delivered twice"),
            (self.reordered, "held back"),
        ];
        add(&mut text, &befell);
        text.push_str(&format!(" and {connections} connections"));
        add(
            &mut text,
            &[(self.reset, "reset"), (self.stalled, "stalled")],
        );
        Some(text)
    }
}

/// ` (3 lost, 1 held back)`, of what happened at all.
fn add(text: &mut String, counts: &[(u64, &str)]) {
    let told = counts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> = told
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if !told.is_empty() {
        text.push_str(&format!(" ({})", told.join(", ")));
    }
}

/// The links of one shard's phones.
#[derive(Debug)]
pub struct Lines {
    links: Vec<Link>,
    /// By slot.
    phones: Vec<Line>,
    tally: Arc<Tally>,
}

/// One phone's link.
#[derive(Debug)]
struct Line {
    /// Its place in `links`.
    link: usize,
    sent: Side,
    received: Side,
    /// From which each connection draws its own fate.
    connections: Rng,
}

/// One way of it.
#[derive(Debug)]
struct Side {
    rng: Rng,
    /// When what was sent before has left.
    free: Moment,
}

impl Side {
    fn of(seed: u64, index: u32) -> Self {
        Self {
            rng: Rng::for_phone(seed, index),
            free: Moment::ZERO,
        }
    }
}

impl Lines {
    /// The links of the phones with these indices, in the order of their slots; `None` where
    /// nothing befalls any of them.
    #[must_use]
    pub fn new(plan: &Plan, indices: impl Iterator<Item = u32>) -> Option<Self> {
        let scenario = &plan.scenario;
        let fleets = scenario.fleets.iter();
        let links: Vec<_> = fleets.map(|fleet| scenario.link_of(fleet)).collect();
        if links.iter().all(Link::is_clear) {
            return None;
        }
        let seed = scenario.seed ^ SALT;
        let line = |index| Line {
            link: plan.phone(index).map_or(usize::MAX, |phone| phone.fleet),
            sent: Side::of(seed, index),
            received: Side::of(seed ^ 1, index),
            connections: Rng::for_phone(seed ^ 2, index),
        };
        Some(Self {
            phones: indices.map(line).collect(),
            links,
            tally: Arc::default(),
        })
    }

    /// What befell what crossed them.
    #[must_use]
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The conditions of a phone's link.
    #[must_use]
    pub fn link(&self, slot: u32) -> Link {
        let line = self.phones.get(slot as usize);
        let link = line.and_then(|line| self.links.get(line.link));
        link.copied().unwrap_or_default()
    }

    /// When a datagram with a payload of so many bytes arrives: never, once or twice. On a link
    /// without conditions that is now.
    pub fn datagram(
        &mut self,
        slot: u32,
        way: Way,
        now: Moment,
        bytes: usize,
    ) -> [Option<Moment>; 2] {
        let link = self.link(slot);
        let line = self.phones.get_mut(slot as usize);
        let Some(line) = line.filter(|_| !link.is_clear()) else {
            return [Some(now), None];
        };
        let side = match way {
            Way::Sent => &mut line.sent,
            Way::Received => &mut line.received,
        };
        let note = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        note(&self.tally.datagrams);
        if side.rng.chance(link.loss_per_mille) {
            note(&self.tally.lost);
            return [None, None];
        }
        let starts = side.free.max(now);
        if starts.since(now) > BACKLOG_MAX {
            note(&self.tally.overflown);
            return [None, None];
        }
        side.free = starts + link.time_of(bytes + DATAGRAM_HEADER_BYTES);
        let left = side.free;
        let (wait, late) = delay(&link, &mut side.rng);
        if late {
            note(&self.tally.reordered);
        }
        let twice = side.rng.chance(link.duplicate_per_mille);
        let second = twice.then(|| {
            note(&self.tally.duplicated);
            left + delay(&link, &mut side.rng).0
        });
        [Some(left + wait), second]
    }

    /// The fate of a phone's next connection; `None` on a link without conditions.
    pub fn flow(&mut self, slot: u32) -> Option<Flow> {
        let link = self.link(slot);
        let line = self.phones.get_mut(slot as usize)?;
        if link.is_clear() {
            return None;
        }
        self.tally.connections.fetch_add(1, Ordering::Relaxed);
        let broken = line.connections.chance(link.reset_per_mille);
        Some(Flow {
            resets_after: broken.then_some(link.reset_after_bytes),
            stall: link.stall,
            link,
            up: Moment::ZERO,
            down: Moment::ZERO,
            received: 0,
            tally: Arc::clone(&self.tally),
        })
    }
}

/// How long a datagram is under way, and whether it was held back.
fn delay(link: &Link, rng: &mut Rng) -> (Duration, bool) {
    let jitter = u64::try_from(link.jitter.as_nanos()).unwrap_or(u64::MAX);
    let delay = link.delay + Duration::from_nanos(rng.up_to(jitter));
    if rng.chance(link.reorder_per_mille) {
        (delay * 2 + link.jitter + Duration::from_millis(1), true)
    } else {
        (delay, false)
    }
}

/// The fate of one connection. What it carries keeps its order.
#[derive(Debug, Clone)]
pub struct Flow {
    link: Link,
    /// When what the phone wrote before has left; the same of the server.
    up: Moment,
    down: Moment,
    /// Bytes from the server so far.
    received: u64,
    resets_after: Option<u64>,
    stall: Option<Stall>,
    tally: Arc<Tally>,
}

/// Bytes from the server that arrive together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// How many of those offered; the rest is to be offered again.
    pub bytes: usize,
    /// When.
    pub at: Moment,
    /// Whether the connection is reset after them.
    pub reset: bool,
}

impl Flow {
    /// How long it takes to be established: there and back, with TLS once more.
    #[must_use]
    pub fn handshake(&self, tls: bool) -> Duration {
        self.link.delay * if tls { 4 } else { 2 }
    }

    /// The one-way delay.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.link.delay
    }

    /// When what the phone writes arrives.
    pub fn up(&mut self, now: Moment, bytes: usize) -> Moment {
        self.up = self.up.max(now) + self.link.time_of(on_the_wire(bytes));
        self.up + self.link.delay
    }

    /// How much of what the server writes arrives together, and when.
    pub fn down(&mut self, now: Moment, bytes: usize) -> Passage {
        let mut starts = self.down.max(now);
        if let Some(stall) = self.stall.filter(|it| it.after_bytes <= self.received) {
            self.stall = None;
            self.tally.stalled.fetch_add(1, Ordering::Relaxed);
            starts = starts + stall.lasts;
        }
        let until = |mark: u64| usize::try_from(mark - self.received).unwrap_or(usize::MAX);
        let mut passing = bytes.min(self.link.piece());
        if let Some(stall) = self.stall {
            passing = passing.min(until(stall.after_bytes));
        }
        let reset = self.resets_after.is_some_and(|mark| until(mark) <= passing);
        if let Some(mark) = self.resets_after.filter(|_| reset) {
            passing = until(mark);
            self.tally.reset.fetch_add(1, Ordering::Relaxed);
            self.resets_after = None;
        }
        self.received += passing as u64;
        self.down = starts + self.link.time_of(on_the_wire(passing));
        Passage {
            bytes: passing,
            at: self.down + self.link.delay,
            reset,
        }
    }

    /// When the server's closing arrives: after all that it wrote.
    #[must_use]
    pub fn closing(&self, now: Moment) -> Moment {
        self.down.max(now) + self.link.delay
    }

    /// How long the server is still busy sending what it wrote: nothing more need be taken from it
    /// until then.
    #[must_use]
    pub fn backlog(&self, now: Moment) -> Duration {
        self.down.since(now)
    }
}

/// Bytes of a stream with the headers of their segments.
fn on_the_wire(bytes: usize) -> usize {
    bytes.saturating_add(bytes.div_ceil(SEGMENT_BYTES) * SEGMENT_HEADER_BYTES)
}

#[cfg(test)]
mod tests;
