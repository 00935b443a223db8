use super::*;
use crate::reference::content::Tree;
use proptest::prelude::*;
use std::net::Ipv4Addr;

const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 9), 42_952);

/// A server and one moment, by datagrams.
struct Site {
    tftp: Tftp,
    counters: Arc<Counters>,
    now: Moment,
}

/// A reply: from which endpoint, and its bytes.
type Sent = (Endpoint, Vec<u8>);

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

impl Site {
    fn new(config: TftpConfig) -> Self {
        let mut tree = Tree::default();
        for length in [0, 70, 512, 1_024, 2_537] {
            tree.insert(format!("f{length}"), body(length)).unwrap();
        }
        tree.insert("dir/0021f222b01d.cfg", *b"a\nb\rc").unwrap();
        let counters = Arc::<Counters>::default();
        Self {
            tftp: Tftp::new(config, Source::tree(tree), Arc::clone(&counters)),
            counters,
            now: Moment::from_millis(10),
        }
    }

    fn send(&mut self, at: Endpoint, from: SocketAddrV4, bytes: &[u8]) -> Vec<Sent> {
        let mut replies = Replies::default();
        self.tftp.datagram(self.now, at, from, bytes, &mut replies);
        collect(&replies, from)
    }

    fn one(&mut self, at: Endpoint, bytes: &[u8]) -> Sent {
        let mut sent = self.send(at, PHONE, bytes);
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    fn later(&mut self, seconds: u64) -> Vec<Sent> {
        self.now = self.now + Duration::from_secs(seconds);
        let mut replies = Replies::default();
        self.tftp.tick(self.now, &mut replies);
        collect(&replies, PHONE)
    }

    fn count(&self, counter: Counter) -> u64 {
        self.counters.value(counter)
    }
}

fn collect(replies: &Replies, client: SocketAddrV4) -> Vec<Sent> {
    replies
        .iter()
        .map(|(datagram, bytes)| {
            assert_eq!(datagram.to, client);
            (datagram.from, bytes.to_vec())
        })
        .collect()
}

fn rrq(name: &str, options: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    wire::read_request(&mut out, name.as_bytes(), wire::OCTET);
    for (name, value) in options {
        wire::option(&mut out, name.as_bytes(), value.as_bytes());
    }
    out
}

fn data(bytes: &[u8]) -> (u16, Vec<u8>) {
    match wire::decode(bytes) {
        Ok(Packet::Data { block, data }) => (block, data.to_vec()),
        other => panic!("no DATA but {other:?}"),
    }
}

fn error_code(bytes: &[u8]) -> u16 {
    match wire::decode(bytes) {
        Ok(Packet::Error { code, .. }) => code,
        other => panic!("no ERROR but {other:?}"),
    }
}

fn oack(bytes: &[u8]) -> String {
    match wire::decode(bytes) {
        Ok(Packet::OptionAck(options)) => options
            .iter()
            .map(|(name, value)| {
                let text = String::from_utf8_lossy;
                format!("{}={}", text(name), text(value))
            })
            .collect::<Vec<_>>()
            .join(" "),
        other => panic!("no OACK but {other:?}"),
    }
}

fn ack(block: u16) -> Vec<u8> {
    let mut out = Vec::new();
    wire::ack(&mut out, block);
    out
}

/// Runs a transfer to its end; the body and how many blocks it took.
fn fetch(site: &mut Site, from: SocketAddrV4, request: &[u8]) -> (Vec<u8>, usize) {
    let mut sent = site.send(Endpoint::Tftp, from, request);
    let mut got = (Vec::new(), 0);
    while let Some((at, bytes)) = sent.pop() {
        let block = match wire::decode(&bytes).unwrap() {
            Packet::OptionAck(_) => 0,
            Packet::Data { block, data } => {
                got.0.extend_from_slice(data);
                got.1 += 1;
                block
            }
            other => panic!("{other:?}"),
        };
        sent = site.send(at, from, &ack(block));
    }
    got
}

#[test]
fn agrees_on_the_options_of_the_trace_in_the_order_asked() {
    let mut site = Site::new(TftpConfig::default());
    let options = [("tsize", "0"), ("blksize", "512"), ("timeout", "3")];
    let (at, first) = site.one(Endpoint::Tftp, &rrq("f2537", &options));
    assert_eq!(oack(&first), "tsize=2537 blksize=512 timeout=3");
    assert!(matches!(at, Endpoint::Transfer(_)));
    let (again, second) = site.one(at, &ack(0));
    assert_eq!(again, at);
    assert_eq!(data(&second), (1, body(2_537)[..512].to_vec()));
}

#[test]
fn leaves_timeout_out_when_told_so() {
    let mut site = Site::new(TftpConfig {
        timeout: false,
        ..TftpConfig::default()
    });
    let options = [("tsize", "0"), ("blksize", "512"), ("timeout", "3")];
    let (_, first) = site.one(Endpoint::Tftp, &rrq("f2537", &options));
    // WIRE-05: a frame of 67 bytes would be 25 of payload; that trace adds one more zero.
    assert_eq!(oack(&first), "tsize=2537 blksize=512");
    assert!(
        site.later(1).len() == 1,
        "its own wait counts, not the client's"
    );
}

#[test]
fn answers_with_data_when_it_agrees_on_nothing() {
    let mut site = Site::new(TftpConfig {
        tsize: false,
        blksize: false,
        timeout: false,
        ..TftpConfig::default()
    });
    let options = [("tsize", "0"), ("blksize", "1400"), ("timeout", "3")];
    let (_, first) = site.one(Endpoint::Tftp, &rrq("f70", &options));
    assert_eq!(data(&first), (1, body(70)));
    let odd = [
        ("blksize", "7"),
        ("timeout", "0"),
        ("timeout", "256"),
        ("x", "1"),
    ];
    let mut site = Site::new(TftpConfig::default());
    let (_, first) = site.one(Endpoint::Tftp, &rrq("f70", &odd));
    assert_eq!(data(&first).0, 1);
}

#[test]
fn bounds_the_block_size_and_takes_the_first_of_two() {
    let mut site = Site::new(TftpConfig {
        block_bytes_max: 1_428,
        ..TftpConfig::default()
    });
    let request = rrq("f2537", &[("BLKSIZE", "65464"), ("blksize", "8")]);
    let (_, first) = site.one(Endpoint::Tftp, &request);
    assert_eq!(oack(&first), "blksize=1428");
    site.tftp.config.block_bytes_max = 65_464;
    let other = SocketAddrV4::new(*PHONE.ip(), 1);
    for (asked, given) in [("8", "8"), ("65464", "65464"), ("65465", "65464")] {
        let sent = site.send(Endpoint::Tftp, other, &rrq("f70", &[("blksize", asked)]));
        assert_eq!(oack(&sent[0].1), format!("blksize={given}"));
    }
}

#[test]
fn transfers_every_length_with_a_short_last_block() {
    let mut site = Site::new(TftpConfig::default());
    for (length, blocks) in [(0, 1), (70, 1), (512, 2), (1_024, 3), (2_537, 5)] {
        let (got, count) = fetch(&mut site, PHONE, &rrq(&format!("f{length}"), &[]));
        assert_eq!((got, count), (body(length), blocks));
    }
    let (got, _) = fetch(&mut site, PHONE, &rrq("/f2537", &[("blksize", "1000")]));
    assert_eq!(got, body(2_537));
    assert_eq!(site.tftp.transfers(), 0);
    assert_eq!(site.count(Counter::TftpComplete), 6);
    assert!(site.tftp.by_client.is_empty());
}

#[test]
fn block_numbers_roll_over_to_zero() {
    let mut tree = Tree::default();
    let image = body(8 * 66_000 + 3);
    tree.insert("image.z", image.clone()).unwrap();
    let mut site = Site::new(TftpConfig::default());
    site.tftp.source = Source::tree(tree);
    let (got, blocks) = fetch(&mut site, PHONE, &rrq("image.z", &[("blksize", "8")]));
    assert_eq!(blocks, 66_001);
    assert!(got == image);
}

#[test]
fn refuses_with_the_code_of_the_reason() {
    let mut site = Site::new(TftpConfig::default());
    let mut write = Vec::new();
    wire::write_request(&mut write, b"f70", wire::OCTET);
    let mut mail = Vec::new();
    wire::read_request(&mut mail, b"f70", b"mail");
    for (request, code) in [
        (rrq("none.cfg", &[]), wire::NOT_FOUND),
        (rrq("F70", &[]), wire::NOT_FOUND),
        (rrq("", &[]), wire::NOT_FOUND),
        (rrq("../f70", &[]), wire::ACCESS_VIOLATION),
        (write, wire::ACCESS_VIOLATION),
        (mail, wire::ILLEGAL_OPERATION),
    ] {
        let (at, bytes) = site.one(Endpoint::Tftp, &request);
        assert_eq!(error_code(&bytes), code);
        assert!(
            matches!(at, Endpoint::Transfer(_)),
            "an error has its own port"
        );
    }
    assert_eq!(site.count(Counter::TftpNotFound), 3);
    assert_eq!(site.count(Counter::TftpRefused), 3);
    assert_eq!(site.tftp.transfers(), 0);
}

#[test]
fn repeats_a_packet_until_attempts_run_out() {
    let mut site = Site::new(TftpConfig {
        attempts: 3,
        ..TftpConfig::default()
    });
    let (_, first) = site.one(Endpoint::Tftp, &rrq("f70", &[]));
    assert_eq!(
        site.tftp.deadline(),
        Some(site.now + Duration::from_secs(1))
    );
    for _ in 0..2 {
        let again = site.later(1);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].1, first);
    }
    assert!(site.later(1).is_empty());
    assert_eq!(site.tftp.transfers(), 0);
    assert_eq!(site.count(Counter::TftpResent), 2);
    assert_eq!(site.count(Counter::TftpSilent), 1);
    assert_eq!(site.tftp.deadline(), None);
}

#[test]
fn waits_as_long_as_was_agreed_on() {
    let mut site = Site::new(TftpConfig::default());
    site.one(Endpoint::Tftp, &rrq("f70", &[("timeout", "3")]));
    assert!(site.later(2).is_empty());
    assert_eq!(oack(&site.later(1)[0].1), "timeout=3");
}

#[test]
fn progress_postpones_the_repeat() {
    let mut site = Site::new(TftpConfig::default());
    let (at, _) = site.one(Endpoint::Tftp, &rrq("f2537", &[]));
    site.now = site.now + Duration::from_millis(900);
    site.one(at, &ack(1));
    site.now = site.now + Duration::from_millis(900);
    assert!(site.later(0).is_empty());
    site.now = site.now + Duration::from_millis(100);
    assert_eq!(data(&site.later(0)[0].1).0, 2);
}

#[test]
fn an_old_ack_is_not_answered() {
    let mut site = Site::new(TftpConfig::default());
    let (at, _) = site.one(Endpoint::Tftp, &rrq("f2537", &[("tsize", "0")]));
    site.one(at, &ack(0));
    site.one(at, &ack(1));
    for block in [0, 1, 3, 65_535] {
        assert!(site.send(at, PHONE, &ack(block)).is_empty());
    }
    assert_eq!(data(&site.one(at, &ack(2)).1).0, 3);
}

#[test]
fn a_repeated_request_gets_the_first_packet_of_the_same_transfer() {
    for options in [&[][..], &[("tsize", "0")][..]] {
        let mut site = Site::new(TftpConfig::default());
        let request = rrq("f2537", options);
        let first = site.one(Endpoint::Tftp, &request);
        assert_eq!(site.one(Endpoint::Tftp, &request), first);
        assert_eq!(site.tftp.transfers(), 1);
        assert_eq!(site.count(Counter::TftpRepeat), 1);
        assert_eq!(site.count(Counter::TftpBegun), 1);
    }
}

#[test]
fn a_late_copy_of_a_request_does_not_disturb_its_transfer() {
    let mut site = Site::new(TftpConfig::default());
    let request = rrq("f2537", &[]);
    let (at, _) = site.one(Endpoint::Tftp, &request);
    site.one(at, &ack(1));
    assert!(site.send(Endpoint::Tftp, PHONE, &request).is_empty());
    assert_eq!(data(&site.one(at, &ack(2)).1).0, 3);
}

#[test]
fn a_client_whose_last_ack_was_lost_can_use_its_port_again() {
    let mut site = Site::new(TftpConfig::default());
    let request = rrq("f1024", &[]);
    let (old, _) = site.one(Endpoint::Tftp, &request);
    site.one(old, &ack(1));
    assert_eq!(data(&site.one(old, &ack(2)).1), (3, vec![]));
    // The last ACK never arrives; the client begins anew, or asks for another file.
    let (new, first) = site.one(Endpoint::Tftp, &request);
    assert_eq!(data(&first).0, 1);
    assert_ne!(new, old);
    assert_eq!(error_code(&site.one(old, &ack(3)).1), wire::UNKNOWN_TID);
    let (_, other) = site.one(Endpoint::Tftp, &rrq("f70", &[]));
    assert_eq!(data(&other), (1, body(70)));
    assert_eq!(site.tftp.transfers(), 1);
}

#[test]
fn a_lost_last_ack_is_asked_for_again() {
    let mut site = Site::new(TftpConfig::default());
    let (at, first) = site.one(Endpoint::Tftp, &rrq("f70", &[]));
    assert_eq!(site.later(1)[0].1, first);
    assert!(site.send(at, PHONE, &ack(1)).is_empty());
    assert_eq!(site.count(Counter::TftpComplete), 1);
}

#[test]
fn strays_are_told_so_and_errors_never_answered() {
    let mut site = Site::new(TftpConfig::default());
    let (at, _) = site.one(Endpoint::Tftp, &rrq("f2537", &[]));
    let Endpoint::Transfer(channel) = at else {
        panic!()
    };
    let other = Endpoint::Transfer(channel + 1);
    let mut block = Vec::new();
    wire::data(&mut block, 1, b"x");
    let stranger = SocketAddrV4::new(*PHONE.ip(), 7);
    assert_eq!(error_code(&site.one(other, &ack(1)).1), wire::UNKNOWN_TID);
    assert_eq!(error_code(&site.one(at, &block).1), wire::UNKNOWN_TID);
    assert_eq!(
        error_code(&site.one(Endpoint::Tftp, &ack(1)).1),
        wire::UNKNOWN_TID
    );
    let sent = site.send(at, stranger, &ack(1));
    assert_eq!(error_code(&sent[0].1), wire::UNKNOWN_TID);
    let mut error = Vec::new();
    wire::error(&mut error, wire::UNKNOWN_TID, b"");
    assert!(site.send(Endpoint::Tftp, PHONE, &error).is_empty());
    assert!(site.send(other, PHONE, &error).is_empty());
    assert_eq!(site.tftp.transfers(), 1);
    assert!(site.send(at, PHONE, &error).is_empty());
    assert_eq!(site.tftp.transfers(), 0);
    assert_eq!(site.count(Counter::TftpAborted), 1);
    assert_eq!(site.count(Counter::TftpStray), 6);
}

#[test]
fn drops_requests_over_the_limit_and_takes_them_when_repeated() {
    let mut site = Site::new(TftpConfig {
        transfers_max: 2,
        ..TftpConfig::default()
    });
    let client = |port| SocketAddrV4::new(*PHONE.ip(), port);
    let request = rrq("f70", &[]);
    let sent = site.send(Endpoint::Tftp, client(1), &request);
    site.send(Endpoint::Tftp, client(2), &request);
    assert!(site.send(Endpoint::Tftp, client(3), &request).is_empty());
    assert_eq!(site.count(Counter::TftpDropped), 1);
    site.send(sent[0].0, client(1), &ack(1));
    assert_eq!(site.send(Endpoint::Tftp, client(3), &request).len(), 1);
}

#[test]
fn transfers_are_spread_over_the_channels() {
    let mut site = Site::new(TftpConfig {
        channels: 4,
        ..TftpConfig::default()
    });
    let mut channels: Vec<_> = (1..=8)
        .map(|port| {
            let client = SocketAddrV4::new(*PHONE.ip(), port);
            site.send(Endpoint::Tftp, client, &rrq("f70", &[]))[0].0
        })
        .collect();
    channels.sort_unstable();
    let expected: Vec<_> = (0..4).flat_map(|it| [Endpoint::Transfer(it); 2]).collect();
    assert_eq!(channels, expected);
}

#[test]
fn netascii_changes_line_ends_and_is_bounded() {
    let mut site = Site::new(TftpConfig::default());
    let mut request = Vec::new();
    wire::read_request(&mut request, b"dir/0021f222b01d.cfg", b"NetASCII");
    let (at, first) = site.one(Endpoint::Tftp, &request);
    assert_eq!(data(&first).1, b"a\r\nb\r\0c");
    assert_eq!(site.tftp.netascii_bytes, 7);
    site.send(at, PHONE, &ack(1));
    assert_eq!(site.tftp.netascii_bytes, 0);
    let mut tree = Tree::default();
    tree.insert("big", vec![b'\n'; NETASCII_BYTES_MAX]).unwrap();
    site.tftp.source = Source::tree(tree);
    let mut request = Vec::new();
    wire::read_request(&mut request, b"big", b"netascii");
    let (_, refused) = site.one(Endpoint::Tftp, &request);
    assert_eq!(error_code(&refused), wire::UNDEFINED);
}

#[test]
fn deadlines_do_not_pile_up() {
    let mut site = Site::new(TftpConfig::default());
    for _ in 0..100 {
        fetch(&mut site, PHONE, &rrq("f2537", &[]));
    }
    assert!(site.tftp.timers.len() <= 100);
    site.later(2);
    assert_eq!(site.tftp.timers.len(), 0);
}

proptest! {
    #[test]
    fn hostile_packets_never_panic_nor_leak(
        packets in prop::collection::vec(
            (0_u16..4, 0_u16..3, prop::collection::vec(any::<u8>(), 0..40), 0_u8..8, 0_u64..3),
            1..60,
        ),
    ) {
        let config = TftpConfig { transfers_max: 3, channels: 2, ..Default::default() };
        let mut site = Site::new(config);
        for (port, at, noise, kind, wait) in packets {
            let client = SocketAddrV4::new(*PHONE.ip(), 1_000 + port);
            let block = noise.first().copied().unwrap_or(0);
            let packet = match kind {
                0 | 1 => rrq("f2537", &[("blksize", "100")]),
                2 => rrq("f70", &[]),
                3 => [&[0, 1], noise.as_slice()].concat(),
                4..=6 => ack(u16::from(block % 8)),
                _ => noise,
            };
            let at = if at == 2 { Endpoint::Tftp } else { Endpoint::Transfer(at) };
            site.send(at, client, &packet);
            site.now = site.now + Duration::from_secs(wait);
            let mut replies = Replies::default();
            site.tftp.tick(site.now, &mut replies);
            prop_assert!(site.tftp.transfers() <= 3);
            prop_assert_eq!(site.tftp.transfers(), site.tftp.by_client.len());
        }
        for _ in 0..300 {
            site.now = site.now + Duration::from_secs(256);
            site.tftp.tick(site.now, &mut Replies::default());
        }
        prop_assert_eq!(site.tftp.transfers(), 0);
    }

    #[test]
    fn any_file_arrives_whole_in_any_block_size(length in 0_usize..3_000, size in 8_u16..1_500) {
        let mut tree = Tree::default();
        tree.insert("file", body(length)).unwrap();
        let mut site = Site::new(TftpConfig::default());
        site.tftp.source = Source::tree(tree);
        let (got, blocks) =
            fetch(&mut site, PHONE, &rrq("file", &[("blksize", &size.to_string())]));
        prop_assert_eq!(got, body(length));
        prop_assert_eq!(blocks, length / usize::from(size) + 1);
    }
}
