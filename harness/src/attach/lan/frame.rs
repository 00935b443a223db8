//! Ethernet frames of phones, both directions: ARP (RFC 826) and UDP over IPv4 without options,
//! built and taken apart as plain bytes.

use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::identity::Mac;

/// All stations of a segment.
pub const EVERYBODY: Mac = Mac([0xff; 6]);

const TYPE_ARP: [u8; 2] = [0x08, 0x06];
const TYPE_IPV4: [u8; 2] = [0x08, 0x00];
/// Hardware Ethernet, protocol IPv4, their address lengths (RFC 826).
const ARP_KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ETHERNET_BYTES: usize = 14;
const ARP_BYTES: usize = 28;
const IPV4_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const UDP: u8 = 17;
/// What a phone's datagrams begin with (RFC 1700's recommendation, as kernels send).
const TIME_TO_LIVE: u8 = 64;
/// More fragments, or an offset: not the whole datagram (RFC 791 §3.1).
const FRAGMENTED: u16 = 0x3fff;

/// What an ARP packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// A question, else an answer.
    pub asks: bool,
    /// Who speaks.
    pub sender: Mac,
    /// The address that it speaks for; unspecified in a probe (RFC 5227 §1.1).
    pub sender_address: Ipv4Addr,
    /// Whom an answer is for.
    pub target: Mac,
    /// The address that is asked for.
    pub target_address: Ipv4Addr,
}

/// A UDP datagram in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The frame's source.
    pub from_mac: Mac,
    /// The frame's destination.
    pub to_mac: Mac,
    /// The datagram's source.
    pub from: SocketAddrV4,
    /// Its destination.
    pub to: SocketAddrV4,
    /// What it carries.
    pub payload: &'a [u8],
}

/// A frame that concerns phones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// ARP.
    Arp(Arp),
    /// UDP in one piece.
    Udp(Datagram<'a>),
}

impl Arp {
    /// The question whether an address is in use (RFC 5227 §2.1.1).
    #[must_use]
    pub fn probe(phone: Mac, address: Ipv4Addr) -> Self {
        Self {
            asks: true,
            sender: phone,
            sender_address: Ipv4Addr::UNSPECIFIED,
            target: Mac([0; 6]),
            target_address: address,
        }
    }

    /// Says whose an address is from now on (RFC 5227 §2.3).
    #[must_use]
    pub fn announcement(phone: Mac, address: Ipv4Addr) -> Self {
        Self {
            sender_address: address,
            ..Self::probe(phone, address)
        }
    }

    /// The answer of the phone that holds the address asked for.
    #[must_use]
    pub fn answer(&self, phone: Mac) -> Self {
        Self {
            asks: false,
            sender: phone,
            sender_address: self.target_address,
            target: self.sender,
            target_address: self.sender_address,
        }
    }

    /// Writes the frame: a question to everybody, an answer to who asked.
    pub fn write(&self, out: &mut Vec<u8>) {
        let to = if self.asks { EVERYBODY } else { self.target };
        out.clear();
        out.extend_from_slice(&to.0);
        out.extend_from_slice(&self.sender.0);
        out.extend_from_slice(&TYPE_ARP);
        out.extend_from_slice(&ARP_KIND);
        out.extend_from_slice(&[0, if self.asks { 1 } else { 2 }]);
        out.extend_from_slice(&self.sender.0);
        out.extend_from_slice(&self.sender_address.octets());
        out.extend_from_slice(&self.target.0);
        out.extend_from_slice(&self.target_address.octets());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, bytes) = bytes.get(..ARP_BYTES)?.split_first_chunk::<6>()?;
        let (operation, bytes) = bytes.split_first_chunk::<2>()?;
        let (sender, bytes) = bytes.split_first_chunk::<6>()?;
        let (sender_address, bytes) = bytes.split_first_chunk::<4>()?;
        let (target, bytes) = bytes.split_first_chunk::<6>()?;
        let (target_address, _) = bytes.split_first_chunk::<4>()?;
        let asks = match operation {
            [0, 1] => true,
            [0, 2] => false,
            _ => return None,
        };
        (*kind == ARP_KIND).then_some(Self {
            asks,
            sender: Mac(*sender),
            sender_address: Ipv4Addr::from(*sender_address),
            target: Mac(*target),
            target_address: Ipv4Addr::from(*target_address),
        })
    }
}

impl Datagram<'_> {
    /// Writes the frame; false where the payload is longer than a datagram can be.
    #[must_use]
    pub fn write(&self, out: &mut Vec<u8>) -> bool {
        let udp_bytes = UDP_BYTES + self.payload.len();
        let Ok(total) = u16::try_from(IPV4_BYTES + udp_bytes) else {
            return false;
        };
        let udp_bytes = total - IPV4_BYTES as u16;
        out.clear();
        out.extend_from_slice(&self.to_mac.0);
        out.extend_from_slice(&self.from_mac.0);
        out.extend_from_slice(&TYPE_IPV4);
        let mut header = [0x45, 0, 0, 0, 0, 0, 0x40, 0, TIME_TO_LIVE, UDP, 0, 0];
        header[2..4].copy_from_slice(&total.to_be_bytes());
        let addresses = [self.from.ip().octets(), self.to.ip().octets()].concat();
        let sum = checksum(&[&header, &addresses]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(&addresses);
        let mut udp = [0; UDP_BYTES];
        udp[..2].copy_from_slice(&self.from.port().to_be_bytes());
        udp[2..4].copy_from_slice(&self.to.port().to_be_bytes());
        udp[4..6].copy_from_slice(&udp_bytes.to_be_bytes());
        let pseudo = [0, UDP, udp[4], udp[5]];
        // Zero says that there is none (RFC 768).
        let sum = match checksum(&[&addresses, &pseudo, &udp, self.payload]) {
            0 => u16::MAX,
            sum => sum,
        };
        udp[6..].copy_from_slice(&sum.to_be_bytes());
        out.extend_from_slice(&udp);
        out.extend_from_slice(self.payload);
        true
    }
}

impl<'a> Frame<'a> {
    /// Takes a frame apart; none for whatever else there is on a segment. Checksums are not looked
    /// at: a frame of this machine's own, from another namespace, has none yet when it is seen.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (to, rest) = bytes.split_first_chunk::<6>()?;
        let (from, rest) = rest.split_first_chunk::<6>()?;
        let (kind, rest) = rest.split_first_chunk::<2>()?;
        match *kind {
            TYPE_ARP => Arp::read(rest).map(Frame::Arp),
            TYPE_IPV4 => datagram(Mac(*from), Mac(*to), rest).map(Frame::Udp),
            _ => None,
        }
    }
}

fn datagram(from_mac: Mac, to_mac: Mac, bytes: &[u8]) -> Option<Datagram<'_>> {
    let word = |bytes: &[u8], at: usize| {
        let two = bytes.get(at..at + 2)?;
        Some(u16::from_be_bytes([two[0], two[1]]))
    };
    let first = *bytes.first()?;
    let header = usize::from(first & 0x0f) * 4;
    let whole = first >> 4 == 4 && word(bytes, 6)? & FRAGMENTED == 0 && *bytes.get(9)? == UDP;
    // A short frame is padded to 60 bytes: the datagram's own length counts.
    let udp = bytes.get(..usize::from(word(bytes, 2)?))?.get(header..)?;
    let payload = udp.get(UDP_BYTES..usize::from(word(udp, 4)?))?;
    let address = |at: usize| {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(four))
    };
    whole.then_some(Datagram {
        from_mac,
        to_mac,
        from: SocketAddrV4::new(address(12)?, word(udp, 0)?),
        to: SocketAddrV4::new(address(16)?, word(udp, 2)?),
        payload,
    })
}

/// The Internet checksum (RFC 1071) of parts laid end to end; only the last may be of odd length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u64::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(u16::try_from(sum).unwrap_or(u16::MAX))
}

const _: () = assert!(ETHERNET_BYTES == 6 + 6 + 2);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PHONE: Mac = Mac([2, 0, 0, 0, 0, 5]);
    const SERVER: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn question() -> Arp {
        Arp {
            asks: true,
            sender: SERVER,
            sender_address: Ipv4Addr::new(10, 77, 0, 1),
            target: Mac([0; 6]),
            target_address: Ipv4Addr::new(10, 77, 1, 5),
        }
    }

    #[test]
    fn answers_a_question_with_the_phones_own_mac() {
        let mut frame = Vec::new();
        question().answer(PHONE).write(&mut frame);
        assert_eq!(frame.len(), ETHERNET_BYTES + ARP_BYTES);
        assert_eq!((&frame[..6], &frame[6..12]), (&SERVER.0[..], &PHONE.0[..]));
        let Some(Frame::Arp(read)) = Frame::read(&frame) else {
            panic!("no ARP");
        };
        assert_eq!(
            (read.sender, read.target, read.asks),
            (PHONE, SERVER, false)
        );
        assert_eq!(read.sender_address, question().target_address);
        assert_eq!(read.target_address, question().sender_address);
    }

    #[test]
    fn a_probe_speaks_for_no_address_and_an_announcement_for_its_own() {
        let address = Ipv4Addr::new(10, 0, 0, 9);
        assert!(Arp::probe(PHONE, address).sender_address.is_unspecified());
        let said = Arp::announcement(PHONE, address);
        assert_eq!(
            (said.sender_address, said.target_address),
            (address, address)
        );
        assert!(said.asks);
    }

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 1071 §3's example.
        assert_eq!(
            checksum(&[&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]]),
            !0xddf2
        );
        let mut frame = Vec::new();
        let sent = Datagram {
            from_mac: PHONE,
            to_mac: EVERYBODY,
            from: "0.0.0.0:68".parse().expect("an address"),
            to: "255.255.255.255:67".parse().expect("an address"),
            payload: b"odd",
        };
        assert!(sent.write(&mut frame));
        assert_eq!(
            checksum(&[&frame[14..34]]),
            0,
            "over a header with its own sum"
        );
        let pseudo = [&frame[26..34], &[0, UDP, 0, 11][..]].concat();
        assert_eq!(checksum(&[&pseudo, &frame[34..]]), 0);
        frame.extend_from_slice(&[0; 20]);
        assert_eq!(
            Frame::read(&frame),
            Some(Frame::Udp(sent)),
            "padding is passed over"
        );
    }

    #[test]
    fn passes_over_a_fragment_and_other_protocols() {
        let mut frame = Vec::new();
        let sent = Datagram {
            from_mac: SERVER,
            to_mac: PHONE,
            from: "10.0.0.1:67".parse().expect("an address"),
            to: "10.0.0.2:68".parse().expect("an address"),
            payload: b"data",
        };
        assert!(sent.write(&mut frame));
        let with = |at: usize, value: u8| {
            let mut other = frame.clone();
            other[at] = value;
            other
        };
        for other in [
            with(20, 0x20),
            with(21, 1),
            with(23, 6),
            with(12, 0x86),
            with(14, 0x65),
        ] {
            assert_eq!(Frame::read(&other), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = Frame::read(&bytes);
            let mut ipv4 = [&[0; 12][..], &TYPE_IPV4, &[0x45]].concat();
            ipv4.extend_from_slice(&bytes);
            let _ = Frame::read(&ipv4);
        }
    }
}
