use std::net::Ipv4Addr;
use std::ops::ControlFlow;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::rng::Rng;
use world::*;

mod world;

#[test]
fn asks_with_the_vendors_options_and_the_captured_lengths() {
    // WIRE-01, WIRE-02: frame = payload + 42.
    let frames = [
        (&b"0021f222b01d.cfg"[..], 97),
        (b"0021f222b01d", 93),
        (b"0021f222b01d.boot", 98),
        (b"y000000000000.boot", 99),
        (b"y000000000000.cfg", 98),
        (b"f0C00620000.cfg", 96),
        (b"ll.xml", 87),
        (b"62.z", 85),
    ];
    for (name, frame) in frames {
        let mut exchange = Exchange::named(captured(), name, 10_000);
        let expected = [
            format!(
                "69: RRQ {} tsize=0 blksize=512 timeout=3",
                name.escape_ascii()
            ),
            format!("sent {} 5", frame - 42),
        ];
        assert_eq!(exchange.ladder(), expected);
        assert_eq!(exchange.client.channel(), CHANNEL);
    }
    // PND-07, PND-31
    let mut exchange = Exchange::named(plain(), b"/000b/820c/000b820c2371.md5", 100);
    assert_eq!(
        exchange.ladder(),
        ["69: RRQ /000b/820c/000b820c2371.md5", "sent 36 5"]
    );
}

#[test]
fn accepts_options_without_timeout_and_acknowledges_in_lock_step() {
    // WIRE-05
    let mut exchange = Exchange::start(captured());
    exchange.ladder();
    exchange.goes_on(4000, &oack(&[("tsize", "2537"), ("blksize", "512")]));
    assert_eq!(exchange.ladder(), ["4000: ACK 0"]);
    for block in 1..=4 {
        exchange.goes_on(4000, &data(block, &full(b'x')));
        assert_eq!(exchange.ladder(), [format!("4000: ACK {block}")]);
    }
    let ending = exchange.takes(peer(4000), &data(5, &[b'y'; 489]));
    let Some(Ending::Found(body)) = ending else {
        panic!("{ending:?}");
    };
    assert_eq!(body.bytes().len(), 2537);
    assert!(body.bytes().starts_with(&[b'x'; 2048]) && body.bytes().ends_with(&[b'y'; 489]));
    assert_eq!(exchange.ladder(), ["4000: ACK 5"]);
}

#[test]
fn accepts_data_at_once_from_a_server_without_options() {
    // WIRE-04, FLY-74
    let mut exchange = Exchange::start(captured());
    exchange.ladder();
    assert_eq!(
        exchange.ends(40_001, &data(1, b"a=b\n")),
        "found \"a=b\\n\""
    );
    assert_eq!(exchange.ladder(), ["40001: ACK 1"]);
}

#[test]
fn falls_back_to_512_bytes_without_an_agreement_on_another_size() {
    for agreement in [None, Some(oack(&[])), Some(oack(&[("TSIZE", "515")]))] {
        let spec = TftpSpec {
            options: vec![TftpOption::BlockBytes(1428), TftpOption::Size],
            ..captured()
        };
        let mut exchange = Exchange::start(spec);
        if let Some(oack) = agreement {
            exchange.goes_on(4000, &oack);
        }
        exchange.goes_on(4000, &data(1, &full(b'a')));
        assert!(exchange.ends(4000, &data(2, b"end")).ends_with("aend\""));
    }
}

#[test]
fn uses_the_size_agreed_on() {
    let mut exchange = Exchange::start(with_blocks(1428));
    exchange.goes_on(4000, &oack(&[("BlkSize", "10")]));
    exchange.goes_on(4000, &data(1, b"0123456789"));
    assert_eq!(
        exchange.ends(4000, &data(2, b"012")),
        "found \"0123456789012\""
    );
}

#[test]
fn a_file_of_whole_blocks_ends_with_an_empty_one() {
    let mut exchange = Exchange::start(with_blocks(8));
    exchange.goes_on(4000, &oack(&[("blksize", "8")]));
    exchange.goes_on(4000, &data(1, b"01234567"));
    exchange.ladder();
    assert_eq!(exchange.ends(4000, &data(2, b"")), "found \"01234567\"");
    assert_eq!(exchange.ladder(), ["4000: ACK 2"]);
}

#[test]
fn an_empty_file_is_a_file() {
    let mut exchange = Exchange::start(captured());
    assert_eq!(exchange.ends(4000, &data(1, b"")), "found \"\"");
    // vendor fact: libcurl refuses it when its size is announced; others take it.
    let mut exchange = Exchange::start(captured());
    exchange.ladder();
    assert_eq!(
        exchange.ends(4000, &oack(&[("tsize", "0")])),
        "failed OptionRefused"
    );
    assert_eq!(exchange.ladder(), ["4000: ERROR 8 option refused"]);
    let tolerant = TftpSpec {
        refuse_zero_size: false,
        ..captured()
    };
    let mut exchange = Exchange::start(tolerant);
    exchange.goes_on(4000, &oack(&[("tsize", "0")]));
    assert_eq!(exchange.ends(4000, &data(1, b"")), "found \"\"");
}

#[test]
fn refuses_option_values_that_cannot_be_accepted() {
    let refused: [&[(&str, &str)]; 9] = [
        &[("blksize", "513")],
        &[("blksize", "7")],
        &[("blksize", "0")],
        &[("blksize", "")],
        &[("blksize", "-512")],
        &[("blksize", "66048")],
        &[("tsize", "many")],
        &[("blksize", "512"), ("windowsize", "4")],
        &[("timeout", "x")],
    ];
    for options in refused {
        let mut exchange = Exchange::start(captured());
        exchange.ladder();
        assert_eq!(exchange.ends(4000, &oack(options)), "failed OptionRefused");
        assert_eq!(
            exchange.ladder(),
            ["4000: ERROR 8 option refused"],
            "{options:?}"
        );
        assert_eq!(exchange.client.last_ack(), None);
    }
    let mut exchange = Exchange::start(plain());
    assert_eq!(
        exchange.ends(4000, &oack(&[("tsize", "5")])),
        "failed OptionRefused"
    );
    let mut exchange = Exchange::start(with_blocks(8));
    exchange.goes_on(4000, &oack(&[("blksize", "8")]));
}

#[test]
fn a_cut_option_acknowledgement_ends_the_transfer() {
    let mut exchange = Exchange::start(captured());
    exchange.ladder();
    let ending = exchange.ends(4000, b"\x00\x06blksize\x00512");
    assert!(ending.starts_with("failed Malformed"), "{ending}");
    assert_eq!(exchange.ladder(), ["4000: ERROR 8 option refused"]);
}

#[test]
fn goes_on_when_the_server_changes_the_timeout() {
    let mut exchange = Exchange::start(captured());
    exchange.ladder();
    exchange.goes_on(4000, &oack(&[("timeout", "3")]));
    assert_eq!(exchange.ladder(), ["4000: ACK 0"]);
    let mut exchange = Exchange::start(captured());
    exchange.ladder();
    exchange.goes_on(4000, &oack(&[("timeout", "9")]));
    assert_eq!(exchange.ladder(), ["4000: ACK 0", "wrong OptionRefused"]);
}

#[test]
fn answers_each_repeat_of_the_last_block_once() {
    let mut exchange = Exchange::start(captured());
    exchange.goes_on(4000, &data(1, &full(b'a')));
    exchange.goes_on(4000, &data(2, &full(b'b')));
    let deadline = exchange.client.deadline();
    exchange.ladder();
    exchange.world.now = exchange.world.now + Duration::from_secs(1);
    for _ in 0..3 {
        exchange.goes_on(4000, &data(2, &full(b'b')));
        assert_eq!(exchange.ladder(), ["4000: ACK 2"]);
    }
    assert_eq!(exchange.client.deadline(), deadline);
    exchange.goes_on(4000, &data(1, &full(b'a')));
    exchange.goes_on(4000, &data(4, &full(b'd')));
    assert_eq!(
        exchange.ladder(),
        [
            "wrong UnexpectedBlock { expected: 3, got: 1 }",
            "wrong UnexpectedBlock { expected: 3, got: 4 }"
        ]
    );
    let ending = exchange.ends(4000, &data(3, b"c"));
    assert_eq!(ending.len(), "found \"\"".len() + 1025);
}

#[test]
fn answers_a_repeated_option_acknowledgement() {
    let mut exchange = Exchange::start(captured());
    exchange.goes_on(4000, &oack(&[("tsize", "600")]));
    exchange.goes_on(4000, &oack(&[("tsize", "600")]));
    // Block 0 is no block: nothing was received that it could repeat.
    exchange.goes_on(4000, &data(0, b""));
    exchange.goes_on(4000, &data(1, &full(b'a')));
    exchange.goes_on(4000, &oack(&[("tsize", "600")]));
    let ladder = exchange.ladder();
    assert_eq!(ladder[2], "4000: ACK 0");
    assert_eq!(ladder[3], "4000: ACK 0");
    assert_eq!(ladder[4], "wrong UnexpectedBlock { expected: 1, got: 0 }");
    assert_eq!(ladder[5], "4000: ACK 1");
    assert!(ladder[6].starts_with("wrong Malformed"), "{}", ladder[6]);
}

#[test]
fn tells_a_stranger_and_goes_on() {
    let mut exchange = Exchange::start(captured());
    exchange.ladder();
    let other = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 69);
    assert!(exchange.takes(other, &data(1, b"forged")).is_none());
    exchange.goes_on(4000, &data(1, &full(b'a')));
    exchange.goes_on(4001, &data(2, b"forged"));
    exchange.goes_on(69, b"");
    // An ERROR is never answered with an ERROR.
    exchange.goes_on(4001, &error(0, b"go away"));
    assert_eq!(
        exchange.ladder(),
        [
            "10.0.0.1:69: ERROR 5 unknown transfer ID",
            "wrong ForeignTid",
            "4000: ACK 1",
            "4001: ERROR 5 unknown transfer ID",
            "wrong ForeignTid",
            "69: ERROR 5 unknown transfer ID",
            "wrong ForeignTid",
            "wrong ForeignTid",
        ]
    );
    assert!(exchange.ends(4000, &data(2, b"end")).ends_with("aend\""));
}

#[test]
fn rolls_over_to_block_zero() {
    let mut exchange = Exchange::named(with_blocks(8), b"image", 1 << 20);
    exchange.goes_on(4000, &oack(&[("blksize", "8")]));
    let blocks: u32 = 70_000;
    for number in 1..=blocks {
        let block = (number & 0xffff) as u16;
        exchange.goes_on(4000, &data(block, &u64::from(number).to_be_bytes()));
        if number == 65_536 {
            // Its repeat is a repeat, although 0 was also the number before the first block.
            exchange.goes_on(4000, &data(block, &u64::from(number).to_be_bytes()));
            let ladder = exchange.ladder();
            let tail = ["4000: ACK 65535", "4000: ACK 0", "4000: ACK 0"];
            assert_eq!(ladder[ladder.len() - 3..], tail);
        }
    }
    let last = ((blocks + 1) & 0xffff) as u16;
    let ending = exchange.takes(peer(4000), &data(last, b""));
    let Some(Ending::Found(body)) = ending else {
        panic!("{ending:?}");
    };
    let numbers = body.bytes().chunks_exact(8);
    assert_eq!(numbers.len(), blocks as usize);
    for (number, chunk) in (1_u64..).zip(numbers) {
        assert_eq!(chunk, number.to_be_bytes());
    }
}

#[test]
fn only_error_one_before_any_data_says_that_the_file_is_missing() {
    // WIRE-06, FLY-73: the message is not looked at.
    for message in [&b"File not found."[..], b"File not found", b"", b"busy"] {
        let mut exchange = Exchange::start(captured());
        exchange.ladder();
        assert_eq!(exchange.ends(4000, &error(1, message)), "missing");
        assert_eq!(exchange.ladder(), [""; 0]);
        assert!(exchange.waits().is_none());
    }
    for code in [0, 2, 3, 4, 8, 99] {
        let mut exchange = Exchange::start(captured());
        let ending = exchange.ends(4000, &error(code, b"File not found"));
        assert_eq!(ending, format!("failed TftpError({code})"));
    }
    let mut exchange = Exchange::start(captured());
    exchange.goes_on(4000, &oack(&[("tsize", "9")]));
    exchange.ladder();
    assert_eq!(exchange.ends(4000, &error(1, b"")), "missing");
    assert_eq!(exchange.ladder(), ["4000: ERROR 0"]);
}

#[test]
fn an_error_after_data_stops_both_ends() {
    let mut exchange = Exchange::start(captured());
    exchange.goes_on(4000, &data(1, &full(b'a')));
    exchange.ladder();
    assert_eq!(
        exchange.ends(4000, &error(1, b"gone")),
        "failed TftpError(1)"
    );
    assert_eq!(exchange.ladder(), ["4000: ERROR 0"]);
    exchange.goes_on(4000, &data(2, b"late"));
    assert_eq!(exchange.ladder(), [""; 0]);
}

#[test]
fn repeats_the_request_on_its_channel_and_gives_up() {
    // FLY-71: the same packet, the same port.
    let mut exchange = Exchange::start(captured());
    let first = exchange.ladder()[0].clone();
    for attempt in 2..=3 {
        let sent = exchange.world.now;
        exchange.world.now = exchange.world.now + Duration::from_millis(2_999);
        let client = &mut exchange.client;
        assert!(exchange.world.turn(|turn| client.tick(turn)).is_none());
        assert_eq!(exchange.ladder(), [""; 0]);
        assert!(exchange.waits().is_none());
        assert_eq!(exchange.world.now - sent, Duration::from_secs(3));
        let expected = [first.clone(), format!("retried {attempt}")];
        assert_eq!(exchange.ladder(), expected);
    }
    let ending = exchange.waits().expect("gives up");
    assert_eq!(told(&ending), "failed Silence");
    assert_eq!(exchange.client.deadline(), Moment::from_nanos(u64::MAX));
    assert_eq!(exchange.ladder(), [""; 0]);
    assert!(exchange.waits().is_none());
}

#[test]
fn repeats_the_last_acknowledgement_and_counts_anew_after_progress() {
    let mut exchange = Exchange::start(captured());
    exchange.goes_on(4000, &oack(&[]));
    exchange.ladder();
    assert!(exchange.waits().is_none());
    assert!(exchange.waits().is_none());
    exchange.goes_on(4000, &data(1, &full(b'a')));
    assert!(exchange.waits().is_none());
    assert!(exchange.waits().is_none());
    assert_eq!(told(&exchange.waits().expect("gives up")), "failed Silence");
    assert_eq!(
        exchange.ladder(),
        [
            "4000: ACK 0",
            "retried 2",
            "4000: ACK 0",
            "retried 3",
            "4000: ACK 1",
            "4000: ACK 1",
            "retried 2",
            "4000: ACK 1",
            "retried 3",
        ]
    );
}

#[test]
fn draws_the_spread_of_every_repeat() {
    let spec = TftpSpec {
        retry_spread: Duration::from_secs(1),
        attempts: 200,
        ..captured()
    };
    let mut exchange = Exchange::start(spec);
    let mut waits = Vec::new();
    for _ in 0..100 {
        let sent = exchange.world.now;
        assert!(exchange.waits().is_none());
        waits.push(exchange.world.now - sent);
    }
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*least >= Duration::from_secs(3) && *most <= Duration::from_secs(4));
    assert!(
        *most - *least > Duration::from_millis(800),
        "{least:?} {most:?}"
    );
}

#[test]
fn ends_when_the_body_grows_beyond_its_limit() {
    let mut exchange = Exchange::named(captured(), b"a", 600);
    exchange.goes_on(4000, &data(1, &full(b'a')));
    exchange.ladder();
    assert_eq!(
        exchange.ends(4000, &data(2, &full(b'b'))),
        "failed TooLarge"
    );
    let expected = ["4000: ERROR 3 file too large", "limit FileBytes 600"];
    assert_eq!(exchange.ladder(), expected);
    let mut exchange = Exchange::named(captured(), b"a", 513);
    exchange.goes_on(4000, &data(1, &full(b'a')));
    assert!(exchange.ends(4000, &data(2, b"b")).starts_with("found"));
}

#[test]
fn ends_at_the_announcement_of_a_file_beyond_its_limit() {
    let mut exchange = Exchange::named(captured(), b"a", 600);
    exchange.ladder();
    let announced = oack(&[("tsize", "601"), ("blksize", "512")]);
    assert_eq!(exchange.ends(4000, &announced), "failed TooLarge");
    let expected = ["4000: ERROR 3 file too large", "limit FileBytes 600"];
    assert_eq!(exchange.ladder(), expected);
    let mut exchange = Exchange::named(captured(), b"a", 600);
    exchange.goes_on(4000, &oack(&[("tsize", "600")]));
}

#[test]
fn a_block_longer_than_agreed_ends_the_transfer() {
    let mut exchange = Exchange::start(with_blocks(1428));
    exchange.ladder();
    let ending = exchange.ends(4000, &data(1, &[0; 1428]));
    assert!(ending.starts_with("failed Malformed"), "{ending}");
    assert_eq!(exchange.ladder(), ["4000: ERROR 4 block too long"]);
}

#[test]
fn wrong_packets_are_counted_and_silence_still_ends_it() {
    let mut exchange = Exchange::start(captured());
    exchange.ladder();
    let deadline = exchange.client.deadline();
    for port in 0..1_000 {
        let packet: &[u8] = match port % 4 {
            0 => b"\x00\x04\x00\x01",
            1 => b"\x00\x03\x00\x09late",
            2 => b"\x00",
            _ => b"\x00\x01a\0octet\0",
        };
        exchange.goes_on(port, packet);
    }
    let ladder = exchange.ladder();
    assert_eq!(ladder.len(), STRAYS_MAX as usize + 1);
    assert_eq!(ladder.last().unwrap(), "limit Strays 64");
    assert_eq!(exchange.client.deadline(), deadline);
    exchange.goes_on(4000, &data(1, &full(b'a')));
    assert_eq!(exchange.ladder(), ["4000: ACK 1"]);
    // Strangers get no more answers either.
    exchange.goes_on(4001, &data(2, b""));
    assert_eq!(exchange.ladder(), [""; 0]);
}

#[test]
fn a_name_that_no_request_can_carry_is_not_sent() {
    for name in [&b"a\0b"[..], &[b'a'; 500]] {
        let mut exchange = Exchange::named(captured(), name, 10);
        assert_eq!(exchange.ladder(), [""; 0]);
        assert_eq!(exchange.client.deadline(), exchange.world.now);
        exchange.goes_on(4000, &data(1, b""));
        let ending = exchange.waits().expect("ends at once");
        assert_eq!(told(&ending), "failed BadTarget");
    }
    let longest = 512 - 2 - 1 - 6 - 30;
    let mut exchange = Exchange::named(captured(), &vec![b'a'; longest], 10);
    assert_eq!(exchange.ladder()[1], "sent 512 5");
}

#[test]
fn the_last_acknowledgement_answers_repeats_after_the_end() {
    let mut exchange = Exchange::start(captured());
    assert_eq!(exchange.client.last_ack(), None);
    assert_eq!(exchange.ends(4000, &data(1, b"x")), "found \"x\"");
    exchange.ladder();
    let mut last = exchange.client.last_ack().expect("found");
    let world = &mut exchange.world;
    assert_eq!(last.until, world.now + Duration::from_secs(6));
    let repeat = data(1, b"x");
    let mut answer = |from, channel, bytes: &[u8]| {
        let answered = world.turn(|turn| last.answer(turn, channel, from, bytes));
        (answered, std::mem::take(&mut world.ladder))
    };
    let expected = vec!["4000: ACK 1".to_owned(), "late".to_owned()];
    assert_eq!(answer(peer(4000), CHANNEL, &repeat), (true, expected));
    for (from, channel, bytes) in [
        (peer(4001), CHANNEL, &repeat[..]),
        (peer(4000), Channel::Fresh(8), &repeat),
        (peer(4000), CHANNEL, b"\x00\x03\x00\x02x"),
        (peer(4000), CHANNEL, b"\x00\x05\x00\x01\x00"),
    ] {
        assert_eq!(answer(from, channel, bytes), (false, Vec::new()));
    }
    for _ in 1..STRAYS_MAX {
        assert!(answer(peer(4000), CHANNEL, &repeat).0);
    }
    assert!(!answer(peer(4000), CHANNEL, &repeat).0);
}

/// A lock-step sender over a link that loses, doubles and delays; the oracle of a transfer.
struct Sender<'a> {
    file: &'a [u8],
    size: usize,
    /// Blocks acknowledged in a row; `None` until the options are.
    acked: Option<usize>,
}

impl Sender<'_> {
    fn current(&self) -> Vec<u8> {
        let Some(acked) = self.acked else {
            let size = self.size.to_string();
            return oack(&[("blksize", &size)]);
        };
        let start = (acked * self.size).min(self.file.len());
        let end = (start + self.size).min(self.file.len());
        data(((acked + 1) & 0xffff) as u16, &self.file[start..end])
    }

    /// Takes what the client sent; true when there is something new to send.
    fn takes(&mut self, packet: &str) -> bool {
        let due = self.acked.map_or(0, |acked| (acked + 1) & 0xffff);
        let ours = packet == format!("4000: ACK {due}");
        if ours {
            self.acked = Some(self.acked.map_or(0, |acked| acked + 1));
        }
        ours || packet.contains("RRQ")
    }
}

fn lossy_transfer(file: &[u8], size: u16, seed: u64) -> ControlFlow<Ending> {
    let spec = TftpSpec {
        attempts: 255,
        ..with_blocks(size)
    };
    let mut exchange = Exchange::named(spec, b"file", 1 << 20);
    let mut sender = Sender {
        file,
        size: size.into(),
        acked: None,
    };
    let mut link = Rng::new(seed);
    let mut held: Vec<Vec<u8>> = Vec::new();
    for _ in 0..20_000 {
        let mut wants = false;
        for packet in exchange.ladder() {
            if !link.chance(100) {
                wants |= sender.takes(&packet);
            }
        }
        if wants {
            held.push(sender.current());
        }
        if link.chance(50) {
            held.push(sender.current());
        }
        if held.is_empty() {
            if let Some(ending) = exchange.waits() {
                return ControlFlow::Break(ending);
            }
            held.push(sender.current());
            continue;
        }
        let pick = usize::try_from(link.up_to(held.len() as u64 - 1)).unwrap();
        let packet = held.swap_remove(pick);
        if link.chance(100) {
            held.push(packet.clone());
        }
        if link.chance(100) {
            continue;
        }
        if let Some(ending) = exchange.takes(peer(4000), &packet) {
            return ControlFlow::Break(ending);
        }
    }
    ControlFlow::Continue(())
}

#[derive(Debug, Clone)]
enum Act {
    Packet(u16, Vec<u8>),
    Wait(u16),
}

fn act() -> impl Strategy<Value = Act> {
    let word = prop_oneof![
        Just("tsize"),
        Just("blksize"),
        Just("timeout"),
        Just("x"),
        Just("")
    ];
    let value = prop_oneof![Just("512"), Just("8"), Just("0"), Just("3"), Just("99999")];
    let packet = prop_oneof![
        vec(any::<u8>(), 0..40),
        (0_u16..4, 0_usize..520).prop_map(|(block, length)| data(block, &vec![1; length])),
        (0_u16..4).prop_map(|block| data(block, &full(2))),
        (0_u16..9).prop_map(|code| error(code, b"no")),
        vec((word, value), 0..3).prop_map(|options| oack(&options)),
    ];
    prop_oneof![
        4 => (4000_u16..4002, packet).prop_map(|(port, bytes)| Act::Packet(port, bytes)),
        1 => (0_u16..4_000).prop_map(Act::Wait),
    ]
}

proptest! {
    #[test]
    fn any_packets_and_silences_end_it_once(acts in vec(act(), 0..200), plainly: bool) {
        let spec = if plainly { plain() } else { captured() };
        let mut exchange = Exchange::named(spec, b"any", 2_000);
        let mut endings = 0;
        let mut steps = acts.len();
        for act in &acts {
            let ending = match act {
                Act::Packet(port, bytes) => exchange.takes(peer(*port), bytes),
                Act::Wait(millis) => {
                    let wait = Duration::from_millis(u64::from(*millis));
                    exchange.world.now = exchange.world.now + wait;
                    let client = &mut exchange.client;
                    exchange.world.turn(|turn| client.tick(turn))
                }
            };
            endings += usize::from(ending.is_some());
        }
        for _ in 0..6 {
            endings += usize::from(exchange.waits().is_some());
            steps += 1;
        }
        prop_assert_eq!(endings, 1);
        let ladder = exchange.ladder();
        let wrong = ladder.iter().filter(|line| line.starts_with("wrong")).count();
        prop_assert!(wrong <= STRAYS_MAX as usize);
        let sent = ladder.iter().filter(|line| line.contains(": ")).count();
        prop_assert!(sent <= steps + 1 + wrong);
    }

    #[test]
    fn a_lossy_link_delivers_the_file_whole(
        file in vec(any::<u8>(), 0..1_000), size in 8_u16..600, seed: u64,
    ) {
        match lossy_transfer(&file, size, seed) {
            ControlFlow::Break(Ending::Found(body)) => prop_assert_eq!(body.bytes(), &file[..]),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
