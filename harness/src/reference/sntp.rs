//! The time server: SNTP (RFC 4330 §6), for phones that ask nobody for configuration before they
//! know the time (AUE-05).
//!
//! It has no clock of its own: it adds the run's time to the moment at which the run began.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::sntp::{Packet, Timestamp, UNSYNCHRONISED, mode};

use super::counters::{Counter, Counters};
use super::replies::{Endpoint, Replies};

/// When simulated runs begin: 2026-01-01 00:00 UTC, a Thursday.
pub const SIMULATED_BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// How the server is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SntpConfig {
    /// What the clock showed when the run began, since 1970-01-01 00:00 UTC; `None` = that of the
    /// host, which an adapter reads, or `SIMULATED_BEGINNING`.
    pub beginning: Option<Duration>,
    /// It does not answer before this, from the beginning of the run.
    pub silent: Duration,
    /// It says until this that its clock is not set, from the beginning of the run.
    pub unsynchronised: Duration,
}

/// The server.
#[derive(Debug)]
pub struct Sntp {
    config: SntpConfig,
    counters: Arc<Counters>,
}

impl SntpConfig {
    /// A server that answers rightly from the beginning.
    #[must_use]
    pub fn new() -> Self {
        Self {
            beginning: None,
            silent: Duration::ZERO,
            unsynchronised: Duration::ZERO,
        }
    }
}

impl Default for SntpConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl Sntp {
    /// A server that nobody has asked yet.
    #[must_use]
    pub fn new(config: SntpConfig, counters: Arc<Counters>) -> Self {
        Self { config, counters }
    }

    /// Takes the host's clock, where the configuration names no other beginning. `now` is the
    /// run's time at this moment.
    pub fn read_clock(&mut self, now: Moment) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let run = now.since(Moment::ZERO);
        let beginning = since_1970.unwrap_or_default().saturating_sub(run);
        self.config.beginning.get_or_insert(beginning);
    }

    /// Takes one packet from `peer`. Only requests of clients with a version from 1 to 4 are
    /// answered (RFC 4330 §6): an answer to an answer would never end.
    pub fn datagram(&self, now: Moment, peer: SocketAddrV4, bytes: &[u8], replies: &mut Replies) {
        let Ok(request) = Packet::decode(bytes) else {
            return self.counters.count(Counter::NtpMalformed);
        };
        if request.mode != mode::CLIENT || !(1..=4).contains(&request.version) {
            return self.counters.count(Counter::NtpIgnored);
        }
        self.counters.count(Counter::NtpRequest);
        if now < Moment::ZERO + self.config.silent {
            return self.counters.count(Counter::NtpSilent);
        }
        let time = self.time(now);
        let is_set = now >= Moment::ZERO + self.config.unsynchronised;
        let answer = Packet {
            version: request.version,
            mode: mode::SERVER,
            originate: request.transmit,
            receive: time,
            transmit: time,
            ..match is_set {
                true => set(time),
                false => not_set(),
            }
        };
        self.counters.count(match is_set {
            true => Counter::NtpAnswer,
            false => Counter::NtpUnsynchronised,
        });
        replies.send(Endpoint::Ntp, peer, |out| answer.encode(out));
    }

    fn time(&self, now: Moment) -> Timestamp {
        let beginning = self.config.beginning.unwrap_or(SIMULATED_BEGINNING);
        let since_1970 = beginning + now.since(Moment::ZERO);
        Timestamp::from_unix_nanos(u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// A primary server whose clock was set just now.
fn set(time: Timestamp) -> Packet {
    Packet {
        stratum: 1,
        reference_id: *b"LOCL",
        reference: time,
        ..Packet::request(time)
    }
}

/// A server without a valid time: leap indicator 3 and, so that no client takes it for a
/// kiss-o'-death, stratum 15.
fn not_set() -> Packet {
    Packet {
        leap: UNSYNCHRONISED,
        stratum: 15,
        reference_id: *b"INIT",
        ..Packet::request(Timestamp::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(10, 1, 0, 1), 49_200);

    fn server(silent_s: u64, unsynchronised_s: u64) -> Sntp {
        let config = SntpConfig {
            silent: Duration::from_secs(silent_s),
            unsynchronised: Duration::from_secs(unsynchronised_s),
            ..SntpConfig::new()
        };
        Sntp::new(config, Arc::default())
    }

    fn ask(server: &Sntp, at_s: u64, packet: &Packet) -> Option<Packet> {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        let mut replies = Replies::default();
        server.datagram(
            Moment::from_millis(at_s * 1_000),
            PHONE,
            &bytes,
            &mut replies,
        );
        let (datagram, bytes) = replies.iter().next()?;
        assert_eq!((datagram.from, datagram.to), (Endpoint::Ntp, PHONE));
        Some(Packet::decode(bytes).unwrap())
    }

    fn request() -> Packet {
        Packet::request(Timestamp(42))
    }

    #[test]
    fn tells_the_time_of_the_run() {
        let answer = ask(&server(0, 0), 90, &request()).unwrap();
        assert_eq!(
            (answer.leap, answer.mode, answer.stratum),
            (0, mode::SERVER, 1)
        );
        assert_eq!((answer.originate, answer.version), (Timestamp(42), 4));
        assert_eq!(answer.transmit.unix_nanos(), 1_767_225_690_000_000_000);
        assert_eq!(answer.receive, answer.transmit);
        let old = Packet {
            version: 3,
            ..request()
        };
        assert_eq!(ask(&server(0, 0), 0, &old).unwrap().version, 3);
    }

    #[test]
    fn is_silent_and_then_without_a_time_as_long_as_it_was_told() {
        let server = server(10, 20);
        assert_eq!(ask(&server, 9, &request()), None);
        let unset = ask(&server, 10, &request()).unwrap();
        assert_eq!((unset.leap, unset.stratum), (3, 15));
        assert_eq!(ask(&server, 20, &request()).unwrap().leap, 0);
        assert_eq!(server.counters.value(Counter::NtpSilent), 1);
        assert_eq!(server.counters.value(Counter::NtpUnsynchronised), 1);
    }

    #[test]
    fn answers_requests_only() {
        let server = server(0, 0);
        for (mode, version) in [(4, 4), (5, 4), (0, 4), (3, 0), (3, 5)] {
            let packet = Packet {
                mode,
                version,
                ..request()
            };
            assert_eq!(ask(&server, 0, &packet), None, "{mode} {version}");
        }
        let mut replies = Replies::default();
        server.datagram(Moment::ZERO, PHONE, &[0x23; 47], &mut replies);
        assert!(replies.is_empty());
        assert_eq!(server.counters.value(Counter::NtpMalformed), 1);
    }

    #[test]
    fn reads_the_host_s_clock_where_nothing_else_is_said() {
        let mut server = server(0, 0);
        server.read_clock(Moment::from_millis(5_000));
        let told = ask(&server, 5, &request()).unwrap().transmit.unix_nanos();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let off = now.abs_diff(Duration::from_nanos(told));
        assert!(off < Duration::from_secs(60), "{off:?}");
    }
}
