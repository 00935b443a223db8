use proptest::prelude::*;

use super::*;

/// A pcap file of these packets.
pub(crate) fn pcap(link: u32, packets: &[&[u8]]) -> Vec<u8> {
    let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    file.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
    file.extend_from_slice(&link.to_le_bytes());
    for (at, packet) in packets.iter().enumerate() {
        let length = u32::try_from(packet.len()).unwrap();
        let at = u32::try_from(at).unwrap();
        for word in [1_780_000_000 + at, 5, length, length + 1] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(packet);
    }
    file
}

/// One block, in either order of bytes.
fn block(swapped: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let number = |number: u32| match swapped {
        true => number.to_be_bytes(),
        false => number.to_le_bytes(),
    };
    let mut padded = body.to_vec();
    padded.resize(body.len().next_multiple_of(4), 0);
    let length = number(u32::try_from(padded.len() + 12).unwrap());
    [&number(kind)[..], &length, &padded, &length].concat()
}

fn words(swapped: bool, words: &[u32]) -> Vec<u8> {
    let bytes = words.iter().flat_map(|word| match swapped {
        true => word.to_be_bytes(),
        false => word.to_le_bytes(),
    });
    bytes.collect()
}

/// A section of Ethernet with packets of half seconds.
fn pcapng(swapped: bool, packets: &[&[u8]]) -> Vec<u8> {
    let half = |number: u16| match swapped {
        true => number.to_be_bytes(),
        false => number.to_le_bytes(),
    };
    let head = [
        words(swapped, &[0x1a2b_3c4d]),
        half(1).to_vec(),
        half(0).to_vec(),
        vec![0xff; 8],
    ];
    let mut file = block(swapped, block::SECTION, &head.concat());
    file.extend(block(swapped, 0x0bad, &[7; 3_000]));
    // Units of half a second, counted from 100 s on.
    let mut interface = [half(1), half(0)].concat();
    interface.extend(words(swapped, &[0]));
    interface.extend([half(9), half(1)].concat());
    interface.extend([0x81, 0, 0, 0]);
    interface.extend([half(14), half(8)].concat());
    interface.extend(match swapped {
        true => 100_u64.to_be_bytes(),
        false => 100_u64.to_le_bytes(),
    });
    interface.extend([0; 4]);
    file.extend(block(swapped, 1, &interface));
    for (at, packet) in packets.iter().enumerate() {
        let length = u32::try_from(packet.len()).unwrap();
        let at = u32::try_from(at).unwrap();
        let mut body = words(swapped, &[0, 0, at, length, length]);
        body.extend_from_slice(packet);
        file.extend(block(swapped, 6, &body));
    }
    file
}

/// Hands out a few bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(out.len()).min(self.0.len());
        let (now, later) = self.0.split_at(count);
        out[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

/// What a frame says: when, its bytes, its length.
type Framed = (u64, Vec<u8>, u32);

fn read(file: &[u8]) -> (Vec<Framed>, Result<Option<Cut>, CaptureFault>) {
    read_by(file, usize::MAX)
}

fn read_by(file: &[u8], drop: usize) -> (Vec<Framed>, Result<Option<Cut>, CaptureFault>) {
    let mut capture = Capture::new(Drops(file, drop));
    let mut frames = Vec::new();
    loop {
        match capture.frame() {
            Ok(Some(frame)) => {
                assert_eq!(frame.number, frames.len() as u64 + 1);
                frames.push((frame.at.nanos(), frame.bytes.to_vec(), frame.length));
            }
            Ok(None) => return (frames, Ok(capture.cut())),
            Err(fault) => return (frames, Err(fault)),
        }
    }
}

fn fault(file: &[u8]) -> String {
    read(file).1.expect_err("a fault").to_string()
}

#[test]
fn reads_pcap_with_its_times_and_lengths() {
    let file = pcap(1, &[b"one", b"", b"three"]);
    let (frames, ended) = read(&file);
    let second = 1_780_000_001_000_005_000;
    assert_eq!(frames[1], (second, vec![], 1));
    assert_eq!(
        (frames.len(), &frames[2].1[..], ended),
        (3, &b"three"[..], Ok(None))
    );
    // The same with its bytes the other way round, and in nanoseconds.
    let mut other = file.clone();
    for word in other[..24].chunks_mut(4).take(1) {
        word.reverse();
    }
    other[20..24].reverse();
    let mut at = 24;
    for length in [3, 0, 5] {
        other[at..at + 16].chunks_mut(4).for_each(<[u8]>::reverse);
        at += 16 + length;
    }
    assert_eq!(read(&other), read(&file));
    let mut nanos = file;
    nanos[0] = 0x4d;
    nanos[1] = 0x3c;
    assert_eq!(read(&nanos).0[1].0, 1_780_000_001_000_000_005);
}

#[test]
fn reads_pcapng_in_either_order_and_passes_over_what_it_does_not_know() {
    for swapped in [false, true] {
        let file = pcapng(swapped, &[b"one", b"three"]);
        let (frames, ended) = read(&file);
        let moments = [100_000_000_000, 100_500_000_000];
        let expected = [
            (moments[0], b"one".to_vec(), 3),
            (moments[1], b"three".to_vec(), 5),
        ];
        assert_eq!((frames, ended), (expected.to_vec(), Ok(None)));
    }
}

#[test]
fn says_what_is_no_capture_and_where() {
    assert_eq!(fault(b""), "byte 0: the file is empty");
    assert_eq!(
        fault(b"ab"),
        "byte 0: the file has 2 bytes: no capture is that short"
    );
    let text = fault(b"[case]\nid = 7");
    assert!(
        text.starts_with("byte 0: not a capture: it begins with [5b, 63"),
        "{text}"
    );
    let text = fault(b"\x1f\x8b\x08\0\0\0");
    assert!(text.contains("gzip: unpack it first"), "{text}");
    let text = fault(&pcap(127, &[b"x"]));
    assert!(
        text.starts_with("byte 20: link type 127 (IEEE 802.11 with radiotap)"),
        "{text}"
    );
    let text = fault(&pcap(1, &[])[..20]);
    assert_eq!(
        text,
        "byte 0: the file ends within its header (20 of 24 bytes)"
    );
    let mut damaged = pcap(1, &[b"one", b"two"]);
    damaged[24 + 19 + 11] = 0xff;
    let (frames, ended) = read(&damaged);
    let text = ended.expect_err("damaged").to_string();
    assert!(
        text.starts_with("byte 43: a packet that says it has 4278190083 bytes"),
        "{text}"
    );
    assert_eq!(frames.len(), 1);
}

#[test]
fn a_file_cut_within_a_packet_is_read_up_to_it() {
    let file = pcap(1, &[b"one", b"three"]);
    let (frames, ended) = read(&file[..file.len() - 1]);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        ended,
        Ok(Some(Cut {
            offset: 43,
            bytes: 20
        }))
    );
    let file = pcapng(false, &[b"one", b"three"]);
    let (frames, ended) = read(&file[..file.len() - 30]);
    assert_eq!(frames.len(), 1);
    assert!(ended.expect("read").is_some());
}

#[test]
fn a_section_without_a_link_that_can_be_read_says_so() {
    let mut file = pcapng(false, &[b"one"]);
    // Behind the section and the block that nobody knows.
    file[28 + 3_012 + 8] = 105;
    let text = fault(&file);
    assert!(
        text.contains("link type 105 (IEEE 802.11) cannot be read"),
        "{text}"
    );
}

#[test]
fn holds_a_window_of_a_capture_however_long() {
    struct Endless(Vec<u8>, usize, u64);
    impl Read for Endless {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let rest = &self.0[self.1..];
            let count = rest.len().min(out.len());
            out[..count].copy_from_slice(&rest[..count]);
            self.1 += count;
            self.2 += count as u64;
            if self.1 == self.0.len() {
                // After the header, the same packet over and over.
                self.1 = 24;
            }
            Ok(if self.2 > 64 << 20 { 0 } else { count })
        }
    }
    let file = pcap(1, &[&[9; 1_500]]);
    let mut capture = Capture::new(Endless(file, 0, 0));
    let mut bytes = 0;
    while let Some(frame) = capture.frame().expect("sound") {
        bytes += frame.bytes.len();
    }
    assert!(bytes > 60 << 20, "{bytes}");
    assert_eq!(capture.memory(), WINDOW_BYTES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cut_and_damaged_captures_end_in_words_and_give_no_more_than_there_is(
        is_new in any::<bool>(),
        swapped in any::<bool>(),
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..6),
        cut in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        drop in 1_usize..50,
    ) {
        let packets: Vec<_> = packets.iter().map(Vec::as_slice).collect();
        let whole = if is_new { pcapng(swapped, &packets) } else { pcap(1, &packets) };
        let (all, ended) = read(&whole);
        prop_assert_eq!((all.len(), ended), (packets.len(), Ok(None)));
        let mut file = whole[..cut.index(whole.len() + 1)].to_vec();
        let (some, _) = read(&file);
        prop_assert_eq!(&all[..some.len()], &some[..]);
        // However it comes in.
        prop_assert_eq!(read_by(&file, drop), read(&file));
        for (at, byte) in damage {
            if !file.is_empty() {
                let at = at.index(file.len());
                file[at] = byte;
            }
        }
        let (frames, ended) = read(&file);
        let bytes: usize = frames.iter().map(|(_, bytes, _)| bytes.len()).sum();
        prop_assert!(bytes <= file.len());
        if let Err(fault) = ended {
            prop_assert!(fault.offset <= file.len() as u64);
        }
    }
}
