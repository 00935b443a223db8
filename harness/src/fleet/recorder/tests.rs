use super::*;

const PORTS: Ports = Ports {
    sip: 5_060,
    pnp: 49_152,
    cwmp: 0,
};
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 80);
const DOOR: u16 = 7_547;

fn recorder(phones: u32, bytes_max: usize, rules: Rules) -> Recorder {
    Recorder::new(0..phones, bytes_max, rules, PORTS)
}

fn at(slot: u32) -> At {
    At {
        now: Moment::ZERO,
        slot,
        address: ADDRESS,
    }
}

/// Ways, parts and lengths of what a phone's record holds.
fn parts(recorder: Recorder) -> Vec<(Way, Part, u32, usize)> {
    let (records, _) = recorder.finish(std::iter::repeat(false));
    let mut parts = Vec::new();
    records[0].1.for_each(|packet| {
        if let Carrier::Tcp { part, .. } = packet.carrier {
            parts.push((packet.way, part, packet.length, packet.bytes.len()));
        }
    });
    parts
}

#[test]
fn a_connection_request_is_a_connection_that_others_open() {
    for answered in [true, false] {
        let mut recorder = recorder(1, 10_000, Rules::default());
        let request = Request(7);
        let input = Input::Request {
            request,
            from: SERVER,
            bytes: b"GET",
        };
        recorder.input(at(0), &input, DOOR);
        if answered {
            recorder.replied(at(0), request, b"HTTP");
        }
        recorder.stepped(at(0));
        assert!(recorder.streams.is_empty());
        let mut expected = vec![
            (Way::Received, Part::Opening, 0, 0),
            (Way::Sent, Part::Opened, 0, 0),
            (Way::Received, Part::Data, 3, 3),
        ];
        if answered {
            expected.push((Way::Sent, Part::Data, 4, 4));
        }
        expected.push((Way::Sent, Part::Closed, 0, 0));
        assert_eq!(parts(recorder), expected);
    }
}

#[test]
fn a_power_cut_ends_every_connection_of_the_phone_and_no_other() {
    let mut recorder = recorder(2, 10_000, Rules::default());
    for slot in [0, 1] {
        for number in [5, 3] {
            recorder.opening(at(slot), Connection(number), SERVER, false);
        }
    }
    recorder.input(at(0), &Input::PowerCut, DOOR);
    recorder.closed(at(0), Connection(3));
    assert_eq!(recorder.streams.len(), 2);
    let parts = parts(recorder);
    let failed = (Way::Sent, Part::Failed, 0, failure::POWER_CUT.len());
    assert_eq!(parts[2..], [failed, failed]);
}

#[test]
fn long_bodies_keep_their_beginning_and_every_packet_its_length() {
    let rules = Rules {
        body_bytes: 100,
        ..Rules::default()
    };
    let mut recorder = recorder(1, 100_000, rules);
    let connection = Connection(1);
    recorder.opening(at(0), connection, SERVER, false);
    for _ in 0..2 {
        recorder.written(at(0), connection, &[b'a'; 300]);
        for _ in 0..3 {
            recorder.input(at(0), &Input::Bytes(connection, &[b'b'; 60]), DOOR);
        }
    }
    let parts = parts(recorder);
    let kept: Vec<_> = parts[1..].iter().map(|part| (part.2, part.3)).collect();
    let once = [(300, 300), (60, 60), (60, 40), (60, PIECE_BYTES)];
    assert_eq!(kept, [once, once].concat());
}

#[test]
fn blocks_beyond_what_is_kept_of_a_file_keep_their_beginning() {
    let rules = Rules {
        body_bytes: 1_000,
        ..Rules::default()
    };
    let mut recorder = recorder(1, 100_000, rules);
    for channel in [1, 2] {
        for _ in 0..3 {
            let bytes = &[[0, 3].as_slice(), &[7; 514]].concat();
            let (channel, from) = (Channel::Fresh(channel), SERVER);
            let input = Input::Datagram {
                channel,
                from,
                bytes,
            };
            recorder.input(at(0), &input, DOOR);
        }
    }
    let (mut records, _) = recorder.finish(std::iter::once(false));
    let mut kept = Vec::new();
    let record = &mut records[0].1;
    record.for_each(|packet| kept.push((packet.length, packet.bytes.len())));
    let once = [(516, 516), (516, 484), (516, PIECE_BYTES)];
    assert_eq!(kept, [once, once].concat());
}

#[test]
fn phones_that_pass_are_let_go_unless_they_are_sampled() {
    let rules = Rules {
        keep: Keep::Failed { every: 3, first: 1 },
        ..Rules::default()
    };
    let mut recorder = recorder(6, 10_000, rules);
    for slot in 0..6 {
        recorder.datagram(at(slot), Way::Sent, Channel::Sip, SERVER, b"x");
    }
    let held = |recorder: &Recorder| {
        let memory = recorder.records.iter().map(|it| it.record.memory());
        memory.sum::<usize>()
    };
    let before = held(&recorder);
    assert_eq!(recorder.pool.bytes(), before);
    for slot in 0..5 {
        recorder.passed(slot);
    }
    assert_eq!(held(&recorder), before / 2);
    // What they held serves the next ones.
    assert_eq!(recorder.pool.bytes(), before);
    for slot in [0, 2, 3] {
        recorder.datagram(at(slot), Way::Sent, Channel::Sip, SERVER, b"x");
        assert_eq!(recorder.pool.bytes(), before);
        recorder.passed(slot);
    }
    let passed = [true, true, true, true, true, false].into_iter();
    let (records, told) = recorder.finish(passed);
    let kept: Vec<_> = records
        .iter()
        .map(|(index, record)| (*index, record.len()))
        .collect();
    assert_eq!(kept, [(1, 1), (4, 1), (5, 1)]);
    assert_eq!(told, Recorded::default());
}

#[test]
fn all_records_together_stay_within_their_bound_and_tell() {
    let total_bytes = 100_000;
    let rules = Rules {
        total_bytes,
        ..Rules::default()
    };
    let mut recorder = recorder(100, 64_000, rules);
    for round in 0..100_u32 {
        for slot in 0..100 {
            let bytes = [u8::try_from(round).unwrap(); 500];
            recorder.datagram(at(slot), Way::Sent, Channel::Sip, SERVER, &bytes);
        }
    }
    assert!(recorder.pool.bytes() <= total_bytes);
    let memory = recorder.records.iter().map(|it| it.record.memory());
    assert!(memory.sum::<usize>() <= total_bytes);
    let (records, told) = recorder.finish(std::iter::repeat(false));
    let held: usize = records.iter().map(|(_, record)| record.len()).sum();
    assert_eq!(told.refused as usize + held, 100 * 100);
}

#[test]
fn a_sample_is_chosen_by_the_seed() {
    let sample = |phones: u32, seed| {
        let keep = Keep::failed(phones, seed);
        (0..phones)
            .filter(|index| keep.always(*index))
            .collect::<Vec<_>>()
    };
    assert_eq!(sample(5, 7), [0, 1, 2, 3, 4]);
    assert_eq!(sample(1_600, 7).len(), 16);
    assert_eq!(sample(1_600, 7)[0], 7);
    assert_eq!(sample(1_600, 108)[0], 8);
    assert!(sample(0, 1).is_empty());
}
