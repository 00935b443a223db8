//! What nobody sends on purpose, or only with bad intent.

use std::net::Ipv4Addr;

use bootstorm::observe::file::Capture;
use bootstorm::observe::gaps::Gaps;
use bootstorm::observe::{Frame, Limits, Link, Observer};
use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::wire::message;
use proptest::prelude::*;

use crate::round::{Owned, frames, plan, ran};

const PHONE: Mac = Mac([0, 0x21, 0xf2, 0, 0, 1]);
const SERVER: Mac = Mac([2, 0, 10, 0, 0, 2]);
const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const RST: u8 = 4;

/// A segment between a phone's port 40000 and a server's port.
struct Segment<'a> {
    from_phone: bool,
    port: u16,
    sequence: u32,
    acknowledged: u32,
    flags: u8,
    bytes: &'a [u8],
}

impl Segment<'_> {
    fn frame(&self) -> Vec<u8> {
        let ends = [
            (PHONE, [10, 0, 0, 9], 40_000),
            (SERVER, [10, 0, 0, 2], self.port),
        ];
        let (from, to) = match self.from_phone {
            true => (ends[0], ends[1]),
            false => (ends[1], ends[0]),
        };
        let total = u16::try_from(40 + self.bytes.len()).unwrap();
        let mut frame = [to.0.0, from.0.0].concat();
        frame.extend_from_slice(&[8, 0, 0x45, 0]);
        frame.extend_from_slice(&total.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0, 0, 64, 6, 0, 0]);
        frame.extend_from_slice(&from.1);
        frame.extend_from_slice(&to.1);
        frame.extend_from_slice(&u16::to_be_bytes(from.2));
        frame.extend_from_slice(&u16::to_be_bytes(to.2));
        frame.extend_from_slice(&self.sequence.to_be_bytes());
        frame.extend_from_slice(&self.acknowledged.to_be_bytes());
        frame.extend_from_slice(&[0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        frame.extend_from_slice(self.bytes);
        frame
    }
}

/// A conversation that opens a connection to this port.
struct Talk {
    observer: Observer,
    port: u16,
    sent: u32,
    received: u32,
    millis: u64,
}

impl Talk {
    fn to(port: u16) -> Self {
        let mut talk = Self {
            observer: Observer::new(Limits::default()).since(0),
            port,
            sent: u32::MAX - 10,
            received: 7,
            millis: 0,
        };
        talk.says(true, SYN, b"");
        talk.sent = talk.sent.wrapping_add(1);
        talk.says(false, SYN | ACK, b"");
        talk.received += 1;
        talk
    }

    fn says(&mut self, from_phone: bool, flags: u8, bytes: &[u8]) {
        let (sequence, acknowledged) = match from_phone {
            true => (self.sent, self.received),
            false => (self.received, self.sent),
        };
        let segment = Segment {
            from_phone,
            port: self.port,
            sequence,
            acknowledged,
            flags,
            bytes,
        };
        self.millis += 1;
        let at = Moment::from_millis(self.millis);
        let bytes_of = segment.frame();
        self.observer
            .take(&Frame::whole(at, Link::Ethernet, &bytes_of));
        let count = u32::try_from(bytes.len()).unwrap();
        match from_phone {
            true => self.sent = self.sent.wrapping_add(count),
            false => self.received = self.received.wrapping_add(count),
        }
    }

    /// Names of messages, and of each what a field says.
    fn told(&mut self, field: &str) -> Vec<(String, String)> {
        self.observer.settle();
        let record = self.observer.record(PHONE).expect("a record");
        let messages = message::decode(record).into_iter();
        let told = messages.map(|message| {
            let value = message.field(field).unwrap_or_default().to_owned();
            (message.name.into_owned(), value)
        });
        told.collect()
    }
}

fn pairs(told: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    told.iter().map(own).collect()
}

#[test]
fn a_request_across_the_end_of_the_sequence_numbers_is_whole() {
    let mut talk = Talk::to(80);
    talk.says(true, ACK, b"GET /a.cfg HT");
    talk.says(true, ACK, b"TP/1.1\r\nHost: a\r\n\r\n");
    talk.says(false, ACK, b"HTTP/1.1 200 OK\r\n\r\nhalf");
    // The phone has said all it will; the server has not.
    talk.says(true, ACK | FIN, b"");
    talk.sent = talk.sent.wrapping_add(1);
    talk.says(false, ACK, b"and half");
    talk.says(false, ACK | FIN, b"");
    let expected = [
        ("tcp.opening", ""),
        ("tcp.opened", ""),
        ("http.get", "0"),
        ("http.response", "12"),
        ("tcp.closed", ""),
    ];
    assert_eq!(talk.told("body_bytes"), pairs(&expected));
}

#[test]
fn what_the_capture_lacks_is_told_and_what_follows_is_read() {
    let mut talk = Talk::to(80);
    talk.says(true, ACK, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    talk.says(
        false,
        ACK,
        b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n",
    );
    // A hundred bytes that the phone got and the capture did not.
    talk.received += 100;
    for _ in 0..4 {
        talk.says(false, ACK, &[b'x'; 50]);
    }
    talk.says(true, ACK, b"");
    talk.says(true, ACK, b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    let told = talk.told("target");
    let gets: Vec<_> = told.iter().filter(|(name, _)| name == "http.get").collect();
    assert_eq!(gets.len(), 2, "{told:?}");
    let told = talk.told("truncated");
    assert!(
        told.contains(&("http.response".to_owned(), "true".to_owned())),
        "{told:?}"
    );
    assert_eq!(talk.observer.losses().segments, 1);
    assert_eq!(talk.observer.missing(PHONE), 1);
}

#[test]
fn a_refused_and_an_unanswered_connection_say_why_they_failed() {
    let mut refused = Observer::new(Limits::default()).since(0);
    let mut unanswered = Observer::new(Limits::default()).since(0);
    let segment = |from_phone, flags| Segment {
        from_phone,
        port: 8_888,
        sequence: 5,
        acknowledged: 6,
        flags,
        bytes: b"",
    };
    let (syn, rst) = (
        segment(true, SYN).frame(),
        segment(false, RST | ACK).frame(),
    );
    let frame = |seconds: u64, bytes| Frame {
        at: Moment::from_millis(seconds * 1_000),
        ..Frame::whole(Moment::ZERO, Link::Ethernet, bytes)
    };
    refused.take(&frame(0, &syn));
    refused.take(&frame(1, &rst));
    for second in [0, 1, 3, 60] {
        let bytes = if second < 60 { &syn } else { &rst[..14] };
        unanswered.take(&frame(second, bytes));
    }
    for (mut observer, why) in [(refused, "refused"), (unanswered, "timed out")] {
        observer.settle();
        let messages = message::decode(observer.record(PHONE).expect("a record"));
        let last = messages.last().expect("messages");
        assert_eq!(
            (last.name.as_ref(), last.field("reason")),
            ("tcp.failed", Some(why))
        );
    }
}

#[test]
fn of_tls_the_name_the_version_and_the_alert_are_told_and_no_byte_of_it() {
    let name = b"prov.example.org";
    let mut hello = vec![3, 3];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0]);
    let mut list = vec![0, 0, 0, 0];
    list.extend_from_slice(&u16::try_from(name.len() + 5).unwrap().to_be_bytes());
    list.extend_from_slice(&u16::try_from(name.len() + 3).unwrap().to_be_bytes());
    list.push(0);
    list.extend_from_slice(&u16::try_from(name.len()).unwrap().to_be_bytes());
    list.extend_from_slice(name);
    list[1] = u8::try_from(list.len() - 2).unwrap();
    hello.extend_from_slice(&list);
    let record = |kind: u8, body: &[u8]| {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3][..], &length, body].concat()
    };
    let message = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind][..], &length[1..], body].concat()
    };
    let hello = record(22, &message(1, &hello));
    let mut server = vec![3, 3];
    server.extend_from_slice(&[9; 32]);
    server.extend_from_slice(&[0, 0x13, 1, 0]);
    let server = record(22, &message(2, &server));

    let mut talk = Talk::to(443);
    // Cut wherever it may be.
    for piece in hello.chunks(11) {
        talk.says(true, ACK, piece);
    }
    talk.says(false, ACK, &server);
    talk.says(true, ACK, &record(21, &[2, 48]));
    talk.says(true, ACK | RST, b"");
    let told = talk.told("tls");
    let expected = [("tcp.opening", "true"), ("tcp.failed", "true")];
    assert_eq!(told, pairs(&expected));
    let [secured] = talk.observer.secured(PHONE) else {
        panic!("one connection");
    };
    assert_eq!(secured.name.as_deref(), Some("prov.example.org"));
    assert_eq!(secured.version, Some(0x0303));
    let fault = secured.fault.as_deref();
    assert_eq!(fault, Some("the phone sent alert 48 (unknown authority)"));

    let mut talk = Talk::to(443);
    talk.says(true, ACK, &hello);
    talk.says(false, ACK, &server);
    talk.says(false, ACK, &record(20, &[1]));
    talk.says(
        true,
        ACK,
        &[record(20, &[1]), record(23, &[8; 53])].concat(),
    );
    talk.says(false, ACK, &record(23, &[8; 400]));
    talk.says(true, ACK | FIN, b"");
    let expected = [
        ("tcp.opening", "true"),
        ("tcp.opened", "true"),
        ("tcp.closed", "true"),
    ];
    assert_eq!(talk.told("tls"), pairs(&expected));
}

#[test]
fn memory_stays_within_limits_however_many_stations_and_connections_there_are() {
    let limits = Limits {
        record_bytes: 64 << 10,
        total_bytes: 2 << 20,
        phones: 100,
        connections: 200,
        waiting_bytes: 1 << 20,
        ..Limits::default()
    };
    let mut observer = Observer::new(limits).since(0);
    for number in 0..30_000_u32 {
        let mut frame = Segment {
            from_phone: true,
            port: 80,
            sequence: if number % 3 == 0 { 0 } else { 100_000 },
            acknowledged: 0,
            flags: if number % 3 == 0 { SYN } else { ACK },
            bytes: &[b'x'; 1_400],
        }
        .frame();
        let station = (number / 9 % 500).to_be_bytes();
        frame[8..12].copy_from_slice(&station);
        frame[28..30].copy_from_slice(&station[2..]);
        let at = Moment::from_millis(number.into());
        observer.take(&Frame::whole(at, Link::Ethernet, &frame));
    }
    assert!(observer.phones().count() <= 100);
    assert!(observer.memory() < 8 << 20, "{}", observer.memory());
    let losses = observer.losses();
    assert!(losses.stations > 0 && losses.connections > 0, "{losses:?}");
    assert!(losses.sentence().expect("told").contains("no room"));
}

#[test]
fn packets_cut_when_they_were_captured_are_gaps_of_whose_they_are() {
    let plan = plan("first-run", 12);
    let mut ended = ran(&plan);
    let frames = frames(&plan, &mut ended);
    let [whole, cut] = [3, 4].map(|phone| plan.phone(phone).expect("a phone").identity.mac);
    let mut observer = Observer::new(Limits::default());
    for frame in &frames {
        let is_cut = frame.bytes[..12].windows(6).any(|it| it == cut.0);
        let kept = match is_cut {
            true => frame.bytes.len().min(100),
            false => frame.bytes.len(),
        };
        observer.take(&Frame {
            bytes: &frame.bytes[..kept],
            ..Frame::whole(frame.at, frame.link, &frame.bytes)
        });
    }
    observer.settle();
    assert!(observer.losses().cut > 5, "{:?}", observer.losses());
    let told = observer.gaps(cut).others;
    assert!(
        told.len() == 1 && told[0].contains("were cut when captured"),
        "{told:?}"
    );
    assert_eq!(observer.gaps(whole), Gaps::default());
}

#[test]
fn a_fragment_whose_others_never_came_is_a_gap() {
    let mut frame = Segment {
        from_phone: true,
        port: 5_060,
        sequence: 0,
        acknowledged: 0,
        flags: 0,
        bytes: &[b'x'; 64],
    }
    .frame();
    // Of UDP, with more fragments to come.
    frame[23] = 17;
    frame[20] = 0x20;
    let mut observer = Observer::only(Limits::default(), [PHONE].into());
    observer.take(&Frame::whole(Moment::ZERO, Link::Ethernet, &frame));
    observer.settle();
    assert_eq!(observer.losses().fragments, 1);
    let told = observer.gaps(PHONE).others;
    assert_eq!(told, ["1 packets without all their fragments"]);
}

#[test]
fn only_phones_that_were_asked_for_are_listened_to() {
    let plan = plan("first-run", 12);
    let mut ended = ran(&plan);
    let frames = frames(&plan, &mut ended);
    let mac = plan.phone(3).expect("a phone").identity.mac;
    let mut observer = Observer::only(Limits::default(), [mac].into());
    for frame in &frames {
        observer.take(&Frame::whole(frame.at, frame.link, &frame.bytes));
    }
    assert_eq!(observer.phones().collect::<Vec<_>>(), [mac]);
    assert!(observer.record(mac).expect("its record").len() > 5);
    let address = Ipv4Addr::from([10, 0, 0, 2]);
    let server = Mac([2, 0, address.octets()[0], 0, 0, 2]);
    assert!(observer.record(server).is_none());
}

fn sound() -> &'static [Owned] {
    static FRAMES: std::sync::OnceLock<Vec<Owned>> = std::sync::OnceLock::new();
    FRAMES.get_or_init(|| {
        let plan = plan("every-way", 20);
        let mut ended = ran(&plan);
        frames(&plan, &mut ended)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn damaged_lost_and_shuffled_frames_do_no_harm(
        links in proptest::collection::vec(0_u16..300, 1..4),
        changes in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..90, any::<u8>(), 0_u8..5),
            0..400,
        ),
    ) {
        let mut frames = sound().to_vec();
        for (at, byte, value, what) in changes {
            let at = at.index(frames.len());
            let other = (at + usize::from(value)) % frames.len();
            match what {
                0 => frames.swap(at, other),
                1 => frames[at].bytes.truncate(byte),
                2 => {
                    let link = links[usize::from(value) % links.len()];
                    frames[at].link = Link::of(link).unwrap_or(Link::Ethernet);
                }
                _ => if let Some(held) = frames[at].bytes.get_mut(byte) {
                    *held = value;
                },
            }
        }
        let limits = Limits { total_bytes: 1 << 20, waiting_bytes: 1 << 16, ..Limits::default() };
        let mut observer = Observer::new(limits);
        for frame in &frames {
            observer.take(&Frame::whole(frame.at, frame.link, &frame.bytes));
        }
        observer.settle();
        observer.settle();
        prop_assert!(observer.memory() < 8 << 20);
        let macs: Vec<_> = observer.phones().collect();
        for mac in macs {
            let record = observer.record(mac).expect("a record");
            prop_assert!(message::decode(record).len() < 1 << 20);
        }
    }
}

/// A capture of so many bytes that is nowhere as a whole: one packet over and over, its station
/// and its place in its connection changing.
struct Long {
    packet: Vec<u8>,
    at: usize,
    count: u32,
    left: u64,
}

impl std::io::Read for Long {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        if self.at == self.packet.len() {
            self.at = 0;
            self.count += 1;
            let station = (self.count % 300).to_be_bytes();
            let sequence = (self.count / 300 * 1_400).to_be_bytes();
            // Behind the 16 bytes of the record: the sender's MAC, its address, the sequence.
            self.packet[16 + 8..16 + 12].copy_from_slice(&station);
            self.packet[16 + 28..16 + 30].copy_from_slice(&station[2..]);
            self.packet[16 + 38..16 + 42].copy_from_slice(&sequence);
            self.packet[0..4].copy_from_slice(&(1_780_000_000 + self.count / 1_000).to_le_bytes());
        }
        let rest = &self.packet[self.at..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

#[test]
fn a_capture_of_any_length_is_read_in_the_memory_of_its_limits() {
    let bytes = Segment {
        from_phone: true,
        port: 80,
        sequence: 0,
        acknowledged: 0,
        flags: SYN,
        bytes: &[],
    };
    let opening = bytes.frame();
    let data = Segment {
        flags: ACK,
        bytes: &[b'x'; 1_400],
        ..bytes
    };
    let data = data.frame();
    let length = u32::try_from(data.len()).unwrap();
    let record = [1_780_000_000, 0, length, length]
        .map(u32::to_le_bytes)
        .concat();
    let mut head = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    head.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
    let long = Long {
        packet: [record, data].concat(),
        at: 0,
        count: 0,
        left: 256 << 20,
    };
    let mut capture = Capture::new(std::io::Read::chain(std::io::Cursor::new(head), long));
    let limits = Limits {
        total_bytes: 8 << 20,
        ..Limits::default()
    };
    let mut observer = Observer::new(limits);
    // Every station opens its connection first.
    for station in 0..300_u32 {
        let mut frame = opening.clone();
        frame[8..12].copy_from_slice(&station.to_be_bytes());
        frame[28..30].copy_from_slice(&station.to_be_bytes()[2..]);
        let at = Moment::from_millis(1_779_999_999_000);
        observer.take(&Frame::whole(at, Link::Ethernet, &frame));
    }
    let (mut frames, mut most) = (0_u64, 0);
    while let Some(frame) = capture.frame().expect("sound") {
        observer.take(&frame);
        frames += 1;
        if frames.is_multiple_of(1_000) {
            most = most.max(observer.memory() + capture.memory());
        }
    }
    assert!(frames > 180_000, "{frames}");
    // The records, a window of the file, the table of connections, places in the capture.
    assert!(most < 48 << 20, "{most}");
    assert_eq!(observer.phones().count(), 300);
    let record = observer
        .record(Mac([0, 0x21, 0, 0, 0, 1]))
        .expect("a record");
    assert!(record.len() > 10, "{}", record.len());
}
