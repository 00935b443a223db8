//! SNTP packets (RFC 4330 §4, RFC 5905 §7.3): a decoder and an encoder for 48 bytes.
//!
//! ```text
//! byte  0 LI (2 bits), version (3 bits), mode (3 bits)
//!       1 stratum   2 poll   3 precision
//!       4 root delay (4)     8 root dispersion (4)    12 reference id (4)
//!      16 reference (8)     24 originate (8)          32 receive (8)     40 transmit (8)
//! ```
//!
//! Timestamps are seconds since 1900 (32 bits) and their fraction (32 bits), zero for "unknown".
//! What follows byte 47 (extensions, authenticator) is not looked at.

use super::Malformed;

/// Bytes of a packet without extensions.
pub const PACKET_BYTES: usize = 48;
/// The version that a request says: SNTP version 4.
pub const VERSION: u8 = 4;

/// Seconds from 1900-01-01 to 1970-01-01.
const UNIX_EPOCH: u64 = 2_208_988_800;
const NANOS_PER_S: u64 = 1_000_000_000;
const REFERENCE_ID_AT: usize = 12;
const REFERENCE_AT: usize = 16;
const ORIGINATE_AT: usize = 24;
const RECEIVE_AT: usize = 32;
const TRANSMIT_AT: usize = 40;

/// Leap indicator 3: the server's clock is not set.
pub const UNSYNCHRONISED: u8 = 3;

/// The mode field.
pub mod mode {
    /// A client's request.
    pub const CLIENT: u8 = 3;
    /// A server's answer.
    pub const SERVER: u8 = 4;
}

/// A moment as NTP says it: seconds since the start of its era and their fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// "Unknown".
    pub const ZERO: Self = Self(0);

    /// The moment `nanos` nanoseconds after 1970-01-01 00:00 UTC; the era is lost.
    #[must_use]
    pub fn from_unix_nanos(nanos: u64) -> Self {
        let seconds = (nanos / NANOS_PER_S).wrapping_add(UNIX_EPOCH) & u64::from(u32::MAX);
        // Rounded up, so that the fraction gives back the nanosecond it came from.
        let fraction = ((nanos % NANOS_PER_S) << 32).div_ceil(NANOS_PER_S);
        Self(seconds << 32 | fraction)
    }

    /// Nanoseconds after 1970-01-01 00:00 UTC. The era is told by the highest bit (RFC 4330 §3):
    /// set, it is the first, from 1968 to 2036; clear, the second, until 2104. A moment before
    /// 1970 is 0.
    #[must_use]
    pub fn unix_nanos(self) -> u64 {
        let seconds = self.0 >> 32;
        let era = if seconds >> 31 == 1 { 0 } else { 1 << 32 };
        let seconds = (seconds + era).saturating_sub(UNIX_EPOCH);
        let fraction = self.0 & u64::from(u32::MAX);
        seconds * NANOS_PER_S + ((fraction * NANOS_PER_S) >> 32)
    }
}

/// A packet, both directions. Root delay, root dispersion, poll and precision say how good a
/// server's time is; a phone does not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Leap indicator, 0 to 3; 3 = the server's clock is not set.
    pub leap: u8,
    /// Version, 0 to 7.
    pub version: u8,
    /// Mode, 0 to 7: see `mode`.
    pub mode: u8,
    /// Stratum: 0 = a kiss-o'-death, 1 = a primary server, up to 15.
    pub stratum: u8,
    /// The server's source, or with stratum 0 the kiss code (`RATE`, `DENY`).
    pub reference_id: [u8; 4],
    /// When the server's clock was set last.
    pub reference: Timestamp,
    /// The request's `transmit`, given back.
    pub originate: Timestamp,
    /// When the request reached the server.
    pub receive: Timestamp,
    /// When this packet left.
    pub transmit: Timestamp,
}

impl Packet {
    /// A client's request; `transmit` comes back as the answer's `originate`. It need not be a
    /// time: a phone has none yet.
    #[must_use]
    pub fn request(transmit: Timestamp) -> Self {
        Self {
            leap: 0,
            version: VERSION,
            mode: mode::CLIENT,
            stratum: 0,
            reference_id: [0; 4],
            reference: Timestamp::ZERO,
            originate: Timestamp::ZERO,
            receive: Timestamp::ZERO,
            transmit,
        }
    }

    /// Reads a packet.
    ///
    /// # Errors
    /// `Malformed` when it has less than `PACKET_BYTES` bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some(packet) = bytes.first_chunk::<PACKET_BYTES>() else {
            return Err(Malformed::new("packet ends inside its header", bytes.len()));
        };
        let [first, stratum, ..] = *packet;
        let stamp = |at: usize| {
            let field = packet.get(at..).and_then(|from| from.first_chunk());
            Timestamp(field.map_or(0, |octets| u64::from_be_bytes(*octets)))
        };
        let id = packet.get(REFERENCE_ID_AT..);
        Ok(Self {
            leap: first >> 6,
            version: first >> 3 & 7,
            mode: first & 7,
            stratum,
            reference_id: id
                .and_then(|from| from.first_chunk())
                .copied()
                .unwrap_or_default(),
            reference: stamp(REFERENCE_AT),
            originate: stamp(ORIGINATE_AT),
            receive: stamp(RECEIVE_AT),
            transmit: stamp(TRANSMIT_AT),
        })
    }

    /// Appends the packet's `PACKET_BYTES` bytes. Only the low bits of `leap`, `version` and `mode`
    /// that fit their fields are written; poll, precision, root delay and dispersion are zero.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let first = (self.leap & 3) << 6 | (self.version & 7) << 3 | self.mode & 7;
        out.extend_from_slice(&[first, self.stratum, 0, 0]);
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&self.reference_id);
        for stamp in [self.reference, self.originate, self.receive, self.transmit] {
            out.extend_from_slice(&stamp.0.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YEAR_2026_S: u64 = 1_767_225_600;

    #[test]
    fn writes_the_request_of_the_standard() {
        let mut out = Vec::new();
        Packet::request(Timestamp(0x0102_0304_0506_0708)).encode(&mut out);
        let mut expected = [0_u8; PACKET_BYTES];
        expected[0] = 0x23;
        expected[40..].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(out, expected);
    }

    /// The example of RFC 4330's own era rule, and round moments of both eras.
    #[test]
    fn tells_the_era_by_the_highest_bit() {
        for (stamp, unix_s) in [
            (0x83aa_7e80_u64, 0),
            (0xed00_3780, 1_767_225_600),
            (0xffff_ffff, 2_085_978_495),
            (0x0000_0000, 2_085_978_496),
            (0x7fff_ffff, 4_233_462_143),
        ] {
            let stamp = Timestamp(stamp << 32);
            assert_eq!(stamp.unix_nanos() / NANOS_PER_S, unix_s, "{stamp:?}");
        }
        assert_eq!(Timestamp(0x8000_0000 << 32).unix_nanos(), 0);
    }

    #[test]
    fn reads_a_server_s_answer_with_extensions() {
        let mut out = Vec::new();
        let answer = Packet {
            leap: 1,
            version: 3,
            mode: mode::SERVER,
            stratum: 2,
            reference_id: *b"GPS\0",
            reference: Timestamp(1),
            originate: Timestamp(2),
            receive: Timestamp(3),
            transmit: Timestamp::from_unix_nanos(YEAR_2026_S * NANOS_PER_S),
        };
        answer.encode(&mut out);
        assert_eq!(out.first(), Some(&0b0101_1100));
        out.extend_from_slice(&[9; 20]);
        assert_eq!(Packet::decode(&out), Ok(answer));
        let short = Packet::decode(&out[..47]).unwrap_err();
        assert_eq!(short.offset, 47);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_again(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            match Packet::decode(&bytes) {
                Ok(packet) => {
                    let mut out = Vec::new();
                    packet.encode(&mut out);
                    prop_assert_eq!(out.len(), PACKET_BYTES);
                    prop_assert_eq!(Packet::decode(&out), Ok(packet));
                }
                Err(_) => prop_assert!(bytes.len() < PACKET_BYTES),
            }
        }

        #[test]
        fn times_keep_their_nanosecond(nanos in 0..4_233_462_143 * NANOS_PER_S) {
            prop_assert_eq!(Timestamp::from_unix_nanos(nanos).unix_nanos(), nanos);
        }
    }
}
