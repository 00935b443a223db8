use proptest::prelude::*;

use super::*;
use crate::format::sealed::Cipher;
use crate::profile::keys::{KeyRule, Meaning, ValueKind};

const NO_LIMIT: usize = usize::MAX;

fn store() -> Bodies {
    Bodies::new(1 << 20)
}

fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn fetch(bodies: &mut Bodies, bytes: &[u8], chunk: usize) -> Rc<Body> {
    let mut writer = bodies.start(NO_LIMIT);
    for part in bytes.chunks(chunk) {
        bodies.append(&mut writer, part).unwrap();
    }
    assert_eq!(writer.len(), bytes.len());
    bodies.finish(writer)
}

/// The body with these bytes, if it is still there.
fn stored(bodies: &Bodies, bytes: &[u8]) -> Option<Rc<Body>> {
    bodies.kept.find(bytes, md5(bytes))
}

/// Bytes without a repeating pattern.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = crate::rng::Rng::new(seed);
    let bytes = std::iter::repeat_with(|| rng.next_u64().to_le_bytes());
    bytes.flatten().take(length).collect()
}

#[test]
fn gives_the_same_body_for_equal_bytes_however_they_are_cut() {
    for length in [0, 1, 255, 256, 257, 5_000, 100_000] {
        let bytes = noise(length, 1);
        let mut bodies = store();
        let first = fetch(&mut bodies, &bytes, 512);
        assert_eq!((first.bytes(), first.md5()), (&*bytes, md5(&bytes)));
        for chunk in [1, 100, 256, 300, 512, 4_096, 200_000] {
            let again = fetch(&mut bodies, &bytes, chunk);
            assert!(
                Rc::ptr_eq(&first, &again),
                "{length} bytes in chunks of {chunk}"
            );
        }
        assert!(Rc::ptr_eq(&first, &bodies.insert(&bytes)));
        assert_eq!(bodies.in_flight_bytes(), 0);
    }
}

#[test]
fn tells_what_was_fetched_and_not_what_was_made_of_it() {
    let mut bodies = store();
    let text = noise(3_000, 9);
    for _ in 0..2 {
        fetch(&mut bodies, &text, 512);
    }
    let once = Sum {
        count: 1,
        bytes: 3_000,
    };
    let told = bodies.tally();
    assert_eq!(
        (told.fetched.count, told.held, told.hashed.count),
        (2, once, 1)
    );
    let _made = bodies.insert(&noise(2_000, 10));
    assert_eq!(bodies.tally(), told);
}

#[test]
fn forks_at_every_position() {
    let stored = noise(700, 2);
    for chunk in [1, 64, 300, 512] {
        let mut bodies = store();
        let first = fetch(&mut bodies, &stored, 512);
        for at in 0..stored.len() {
            let mut other = stored.clone();
            other[at] ^= 1;
            let mut longer = stored[..at].to_vec();
            longer.extend_from_slice(b"something else");
            for bytes in [&other[..], &stored[..at], &longer] {
                let body = fetch(&mut bodies, bytes, chunk);
                assert_eq!(
                    (body.bytes(), body.md5()),
                    (bytes, md5(bytes)),
                    "{at} {chunk}"
                );
                assert!(Rc::ptr_eq(&body, &fetch(&mut bodies, bytes, 512)));
            }
        }
        assert!(Rc::ptr_eq(&first, &fetch(&mut bodies, &stored, chunk)));
    }
}

#[test]
fn holds_and_hashes_once_what_many_fetch_at_the_same_time() {
    let image = noise(300_000, 3);
    let mut bodies = store();
    let mut writers: Vec<_> = (0..500).map(|_| bodies.start(NO_LIMIT)).collect();
    let mut most = 0;
    for part in image.chunks(1_000) {
        for (index, writer) in writers.iter_mut().enumerate() {
            // Some are late with their first block, so that the others are ahead.
            if index % 3 == 0 && writer.is_empty() && !part.starts_with(&image[..10]) {
                bodies.append(writer, &image[..1_000]).unwrap();
            }
            let at = writer.len();
            bodies.append(writer, &image[at..at + part.len()]).unwrap();
        }
        most = most.max(bodies.in_flight_bytes());
    }
    for writer in &mut writers {
        let at = writer.len();
        bodies.append(writer, &image[at..]).unwrap();
    }
    assert!(most <= image.len(), "{most} bytes in flight");
    let mut all = writers.into_iter().map(|writer| bodies.finish(writer));
    let first = all.next().unwrap();
    assert!(all.all(|body| Rc::ptr_eq(&first, &body)));
    assert_eq!((first.bytes(), first.md5()), (&*image, md5(&image)));
}

#[test]
fn goes_on_with_another_stored_body_at_a_difference() {
    let mut bodies = store();
    let shared = noise(1_000, 4);
    let files: Vec<_> = (0..4)
        .map(|n| [&shared[..], &noise(20_000, 10 + n)].concat())
        .collect();
    let held: Vec<_> = files
        .iter()
        .map(|file| fetch(&mut bodies, file, 512))
        .collect();
    for (file, body) in files.iter().zip(&held) {
        let mut writer = bodies.start(NO_LIMIT);
        for part in file.chunks(512) {
            bodies.append(&mut writer, part).unwrap();
            assert_eq!(bodies.in_flight_bytes(), 0, "nothing is copied");
        }
        assert!(Rc::ptr_eq(body, &bodies.finish(writer)));
    }
}

#[test]
fn refuses_what_is_beyond_a_limit_and_takes_nothing_of_it() {
    let mut bodies = store();
    let bytes = noise(2_000, 5);
    let mut writer = bodies.start(1_000);
    bodies.append(&mut writer, &bytes[..600]).unwrap();
    let refused = bodies.append(&mut writer, &bytes[600..1_001]);
    assert_eq!(refused, Err(OverLimit(1_000)));
    assert_eq!(writer.len(), 600);
    bodies.append(&mut writer, &bytes[600..1_000]).unwrap();
    assert_eq!(bodies.finish(writer).bytes(), &bytes[..1_000]);
}

#[test]
fn bounds_what_is_on_its_way() {
    let mut bodies = store();
    bodies.in_flight = Rc::new(InFlight {
        bytes: Cell::new(0),
        bytes_max: 10_000,
    });
    let mut writers: Vec<_> = (0..3).map(|_| bodies.start(NO_LIMIT)).collect();
    let mut refused = 0;
    for round in 0..8 {
        for (writer, seed) in writers.iter_mut().zip(100..) {
            let part = noise(1_000, seed + 1_000 * round);
            refused += u32::from(bodies.append(writer, &part).is_err());
        }
    }
    assert!(refused > 0 && bodies.in_flight_bytes() <= 10_000);
    drop(writers);
    assert_eq!(
        bodies.in_flight_bytes(),
        0,
        "abandoned bodies give their share back"
    );
    assert_eq!(bodies.insert(&noise(9_000, 9)).bytes().len(), 9_000);
}

#[test]
fn lets_unique_bodies_go_and_keeps_those_that_came_twice() {
    let mut bodies = store();
    let common = noise(3_000, 6);
    let own = noise(3_000, 7);
    let twice = Rc::downgrade(&fetch(&mut bodies, &common, 512));
    fetch(&mut bodies, &common, 512);
    let once = Rc::downgrade(&fetch(&mut bodies, &own, 512));
    assert!(
        once.upgrade().is_some(),
        "the second phone finds what the first one fetched"
    );
    for seed in 100..400 {
        fetch(&mut bodies, &noise(500, seed), 512);
    }
    assert!(once.upgrade().is_none());
    assert!(twice.upgrade().is_some());
    let held = fetch(&mut bodies, &own, 512);
    for seed in 400..700 {
        fetch(&mut bodies, &noise(500, seed), 512);
    }
    assert!(
        Rc::ptr_eq(&held, &fetch(&mut bodies, &own, 512)),
        "found while anyone holds it"
    );
    assert!(
        bodies.kept.entries() < 200,
        "{} entries",
        bodies.kept.entries()
    );
}

#[test]
fn keeps_no_more_bytes_than_it_may() {
    let mut bodies = Bodies::new(50_000);
    let files: Vec<_> = (0..30).map(|n| noise(4_000, 100 + n)).collect();
    for file in &files {
        fetch(&mut bodies, file, 512);
        fetch(&mut bodies, file, 512);
        fetch(&mut bodies, &files[0], 512);
        assert!(bodies.kept_bytes() <= 50_000);
    }
    assert!(bodies.kept_bytes() > 30_000);
    let oldest = stored(&bodies, &files[0]);
    assert!(oldest.is_some(), "used again and again");
    assert!(stored(&bodies, &files[1]).is_none(), "least recently used");
    assert!(stored(&bodies, &files[29]).is_some());
    fetch(&mut bodies, &noise(60_000, 1), 512);
    assert!(bodies.kept_bytes() <= 50_000);
}

#[test]
fn sweeps_the_entries_of_abandoned_bodies() {
    let mut bodies = store();
    for seed in 0..5_000 {
        let mut writer = bodies.start(NO_LIMIT);
        bodies.append(&mut writer, &noise(300, seed)).unwrap();
    }
    assert!(
        bodies.kept.entries() < 1_000,
        "{} entries",
        bodies.kept.entries()
    );
}

#[test]
fn follows_no_more_than_a_few_of_very_many_that_begin_alike() {
    let mut bodies = store();
    let shared = noise(1_000, 8);
    let common = [&shared[..], b"common"].concat();
    let first = fetch(&mut bodies, &common, 512);
    fetch(&mut bodies, &common, 512);
    for number in 0..500_u32 {
        let own = [&shared[..], &number.to_le_bytes()].concat();
        assert_eq!(fetch(&mut bodies, &own, 512).bytes(), own);
    }
    let mut writer = bodies.start(NO_LIMIT);
    bodies.append(&mut writer, &common).unwrap();
    assert_eq!(
        bodies.in_flight_bytes(),
        0,
        "the one that came twice is still followed"
    );
    assert!(Rc::ptr_eq(&first, &bodies.finish(writer)));
}

#[test]
fn parses_and_judges_once() {
    let mut bodies = store();
    let mut keys = Names::default();
    let body = bodies.insert(b"a=1\nb=2\n");
    let options = FormatOptions::default();
    let document = bodies.document(&body, Format::KeyValue, options, &mut keys);
    let again = bodies.document(&body, Format::KeyValue, options, &mut keys);
    assert!(Rc::ptr_eq(&document, &again));
    let other = bodies.document(&body, Format::Boot, options, &mut keys);
    assert!(!Rc::ptr_eq(&document, &other) && other.settings.is_empty());

    let rule = |pattern: &str| KeyRule {
        pattern: pattern.to_owned(),
        value: ValueKind::Text,
        meaning: Meaning::Plain,
    };
    let every = KeyRules::new(vec![rule("*")], false).unwrap();
    let some = KeyRules::new(vec![rule("b")], false).unwrap();
    let models = [(&every, 0_u16), (&some, 1)].map(|(rules, index)| Model {
        options,
        rules,
        index,
    });
    let [whole, part] =
        models.map(|model| bodies.vetted_for(&body, Format::KeyValue, model, &mut keys));
    assert!(
        Rc::ptr_eq(&whole.document, &document),
        "one form where nothing was filtered"
    );
    assert_eq!(
        (whole.document.settings.len(), part.document.settings.len()),
        (2, 1)
    );
    let [first, second] = models;
    for (vetted, model) in [(&whole, first), (&part, second)] {
        let again = bodies.vetted_for(&body, Format::KeyValue, model, &mut keys);
        assert!(Rc::ptr_eq(vetted, &again));
    }
    assert!(bodies.kept_bytes() > body.bytes().len() + document.heap_bytes());
}

#[test]
fn reads_a_body_once_for_each_key() {
    // FAN-44: the key is part of how a file is read.
    let mut bodies = store();
    let mut keys = Names::default();
    let body = bodies.insert(b"0123456789abcdef");
    let rules = KeyRules::new(Vec::new(), true).unwrap();
    let mut read = |byte: Option<u8>| {
        let seal = byte.map(|byte| Seal {
            cipher: Cipher::Ecb,
            key: [byte; 32],
        });
        let options = FormatOptions {
            seal,
            ..FormatOptions::default()
        };
        let model = Model {
            options,
            rules: &rules,
            index: 0,
        };
        bodies.vetted_for(&body, Format::ModuleText, model, &mut keys)
    };
    let [plain, first] = [None, Some(0)].map(&mut read);
    assert!(!Rc::ptr_eq(&plain, &first));
    for number in 1..100 {
        read(Some(number));
    }
    let latest = read(Some(99));
    assert!(Rc::ptr_eq(&latest, &read(Some(99))) && Rc::ptr_eq(&plain, &read(None)));
    assert!(!Rc::ptr_eq(&first, &read(Some(0))), "the oldest went");
    let parsed = body.parsed.borrow();
    assert_eq!(parsed.vetted.len(), 1 + SEALED_READINGS_MAX);
    assert_eq!(parsed.documents.len(), 1 + SEALED_READINGS_MAX);
}

#[test]
fn documents_go_with_their_body() {
    let mut bodies = store();
    let mut keys = Names::default();
    let body = bodies.insert(&[b"a=1\n".as_slice(), &[b'#'; 500]].concat());
    let options = FormatOptions::default();
    let parsed = bodies.document(&body, Format::KeyValue, options, &mut keys);
    let document = Rc::downgrade(&parsed);
    drop((body, parsed));
    assert!(document.upgrade().is_some());
    for seed in 0..100 {
        bodies.insert(&noise(400, seed));
    }
    assert!(document.upgrade().is_none());
}

/// A body made of few pieces, so that several begin alike, and how it is cut.
fn any_body() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let piece = prop::sample::select(vec![b'a', b'b']);
    let sized = (piece, prop::sample::select(vec![1_usize, 200, 256, 300]));
    let bytes = prop::collection::vec(sized, 0..5).prop_map(|pieces| {
        let runs = pieces.into_iter().map(|(byte, count)| vec![byte; count]);
        runs.collect::<Vec<_>>().concat()
    });
    (bytes, 1_usize..400)
}

proptest! {
    #[test]
    fn brings_every_body_in_whole_whatever_the_others_do(
        files in prop::collection::vec(any_body(), 1..8),
        order in prop::collection::vec((0_usize..8, 0_usize..20), 0..60),
        cache in prop::sample::select(vec![0_usize, 2_000, 1 << 20]),
    ) {
        let mut bodies = Bodies::new(cache);
        let mut writers: Vec<_> =
            files.iter().map(|_| Some(bodies.start(NO_LIMIT))).collect();
        let mut done: Vec<Option<Rc<Body>>> = files.iter().map(|_| None).collect();
        let rest = (0..files.len()).flat_map(|index| std::iter::repeat_n((index, 1), 1_300));
        for (index, kind) in order.into_iter().chain(rest) {
            let Some((file, chunk)) = files.get(index) else { continue };
            let Some(mut writer) = writers[index].take() else { continue };
            if kind == 0 {
                continue; // abandoned
            }
            let at = writer.len();
            let end = file.len().min(at + chunk);
            bodies.append(&mut writer, &file[at..end]).unwrap();
            if end == file.len() {
                let body = bodies.finish(writer);
                prop_assert_eq!(body.bytes(), &**file);
                prop_assert_eq!(body.md5(), md5(file));
                done[index] = Some(body);
            } else {
                writers[index] = Some(writer);
            }
            prop_assert!(bodies.kept_bytes() <= cache);
        }
        for (file, body) in files.iter().zip(&done) {
            for (other_file, other) in files.iter().zip(&done) {
                if let (Some(body), Some(other)) = (body, other) {
                    prop_assert_eq!(Rc::ptr_eq(body, other), file.0 == other_file.0);
                }
            }
        }
        prop_assert_eq!(bodies.in_flight_bytes(), 0);
    }
}
