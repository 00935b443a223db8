use std::net::{Ipv4Addr, SocketAddrV4};

use super::*;
use crate::matcher::Fill;

fn read_one(text: &str) -> Mutants {
    match read(&[("server/a", text)]) {
        Ok(mutants) => mutants,
        Err(faults) => panic!("{faults}"),
    }
}

fn faults(text: &str) -> String {
    read(&[("a", text)])
        .err()
        .map_or_else(String::new, |it| it.to_string())
}

fn engine(edits: &str) -> Engine {
    let text = format!("[[mutant]]\nname = 'server/a/b'\nwhat = 'It is wrong'\nedit = [{edits}]\n");
    let mutants: Vec<_> = read_one(&text).iter().cloned().collect();
    Engine::new(Side::Server, &mutants).unwrap()
}

fn treat(engine: &mut Engine, protocol: Protocol, bytes: &[u8]) -> Treated {
    let envelope = Envelope {
        protocol,
        way: Way::Received,
        phone: SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, 1), 49_200),
        peer: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 20_000),
        stream: false,
        tls: false,
        before: b"",
        bytes,
        whom: 1,
    };
    engine.treat(&envelope, &Fill::default())
}

fn copies(treated: Treated) -> Vec<(u64, String)> {
    match treated {
        Treated::Untouched => vec![(0, String::from("untouched"))],
        Treated::Copies { list, .. } => {
            let texts = list.into_iter().map(|copied| {
                let text = copied.bytes.escape_ascii().to_string();
                (u64::try_from(copied.after.as_millis()).unwrap(), text)
            });
            texts.collect()
        }
    }
}

fn alone(text: &str) -> Vec<(u64, String)> {
    vec![(0, text.to_owned())]
}

#[test]
fn the_mutants_that_come_with_the_program_are_right() {
    let mutants = match built_in() {
        Ok(mutants) => mutants,
        Err(faults) => panic!("{faults}"),
    };
    let mut sentences = std::collections::BTreeSet::new();
    for mutant in mutants.iter() {
        // Two vendors' phones may be wrong in the same way.
        let area = mutant.name.rsplit_once('/').map(|(area, _)| area);
        assert!(
            sentences.insert((area, mutant.what.clone())),
            "twice: {}",
            mutant.name
        );
        assert!(!mutant.what.ends_with('.'), "{}", mutant.name);
    }
}

#[test]
fn a_mutant_is_found_by_its_name_or_the_nearest_one_is_told() {
    let mutants = read_one(
        "[[mutant]]\nname = 'server/tftp/no-oack'\nwhat = 'x'\nedit = [\n\
         { message = 'tftp.oack', drop = true } ]\n",
    );
    assert!(mutants.find(Side::Server, "server/tftp/no-oack").is_ok());
    for (side, name, told) in [
        (
            Side::Server,
            "server/tftp/no-aock",
            " (did you mean 'server/tftp/no-oack'?)",
        ),
        (
            Side::Server,
            "tftp/no-oack",
            " (did you mean 'server/tftp/no-oack'?)",
        ),
        (Side::Phone, "server/tftp/no-oack", ""),
    ] {
        let fault = mutants.find(side, name).unwrap_err().to_string();
        assert_eq!(fault, format!("unknown mutant '{name}'{told}"));
    }
}

#[test]
fn fields_that_no_message_has_are_told_where_they_are_looked_at() {
    let text = "[[mutant]]\nname = 'server/a/b'\nwhat = 'x'\nedit = [\n\
                { message = 'tftp.oack', with = { fiel = 'a' }, drop = true },\n\
                { message = 'http.*', with = { 'header.host' = 'a' }, drop = true },\n\
                { message = 'ftp.reply', with = { code = 150 }, drop = true }]\n";
    let told = faults(text);
    let only = "a.toml:5:35: unknown field of tftp.oack 'fiel' (did you mean 'file'?)";
    assert_eq!(told, only);
}

#[test]
fn every_fault_of_a_file_is_told_with_its_place() {
    let text = "\
[[mutant]]
name = 'servr/a/b'
what = ''
edit = [
 { message = 'tfp.oack', drop = true },
 { message = 'tftp.oak', drop = true },
 { message = 'tftp.oack', dorp = true },
 { message = 'tftp.data', set = { blok = 1, block = 70000 } },
 { message = 'tftp.data', drop = true, cut = 3 },
 { message = 'http.response', set = { status = 'ok' }, length = 'kept' },
 { message = 'dhcp.ack', set = { yiaddr = '1.2.3' }, close = true },
 { message = 'dhcp.ack', remove = 'option.x' },
 { message = 'ntp.response', append_hex = '0g' },
 { message = 'dhcp.ack', replace = ['a'], only = 1, after = 2 },
 { message = 'dhcp.ack', drop = false, with = { chaddr = '{mac}' } },
]
content = [
 { file = '*', missing = true, crlf = true },
 { file = '*.*', rename = '*' },
 { file = '*', regex = ['(', 'a'] },
 { file = '*' },
]
[[mutant]]
name = 'server/a/d'
what = 'x'
profile = { a = 1 }
[[mutant]]
name = 'phone/a/b'
what = 'Does nothing'
[[mutant]]
name = 'phone/a/c'
what = 'x'
content = []
";
    let faults = faults(text);
    for line in [
        "a.toml:2:8: 'mutant[0].name' is 'servr/a/b' (expected server/area/words",
        "a.toml:3:8: 'mutant[0].what' is '' (expected one sentence",
        "a.toml:5:14: 'tfp.oack' is no message that can be edited",
        "did you mean 'tftp'?",
        "a.toml:6:14: 'tftp.oak' is no message (did you mean 'tftp.oack'?)",
        "a.toml:7:27: unknown key 'dorp'",
        "a.toml:7:2: an edit that does nothing",
        "a.toml:8:42: 'blok' cannot be set to '1' (expected file, mode, block",
        "did you mean 'block'?",
        "a.toml:8:53: 'block' cannot be set to '70000' (expected a number up to 65535",
        "a.toml:9:46: 'drop' and 'cut' in one edit",
        "a.toml:10:48: 'status' cannot be set to 'ok'",
        "a.toml:10:65: 'mutant[0].edit[5].length' is 'kept'",
        "a.toml:11:43: 'yiaddr' cannot be set to '1.2.3' (expected an IPv4 address)",
        "a.toml:11:62: 'mutant[0].edit[6].close' goes with http and sip only",
        "a.toml:12:35: 'option.x' cannot be taken out",
        "a.toml:13:43: 'mutant[0].edit[8].append_hex' is '0g'",
        "a.toml:14:36: 'mutant[0].edit[9].replace' is not [\"from\", \"to\"]",
        "two of 'only', 'after' and 'again' in one edit",
        "'with.chaddr' has a hole: a server knows no phone's words",
        "is false (expected true)",
        "'missing' and 'crlf' of one file",
        "has not as many * as 'file'",
        "unclosed group",
        "nothing becomes of the file",
        "'mutant[1].profile' of a server",
        "a mutant that does nothing",
        "'content' of a phone",
    ] {
        assert!(faults.contains(line), "{line}\n{faults}");
    }
}

#[test]
fn two_mutants_of_one_name_are_a_fault() {
    let one = "[[mutant]]\nname = 'phone/a/b'\nwhat = 'x'\nprofile = { a = 1 }\n";
    let found = read(&[("a", one), ("b", one)]).unwrap_err().to_string();
    assert!(
        found.starts_with("b.toml:1:1: 'phone/a/b' is there already: a.toml:1:1"),
        "{found}"
    );
}

#[test]
fn messages_are_dropped_repeated_and_delayed() {
    let oack = b"\0\x06blksize\x001024\0";
    let mut dropped = engine("{ message = 'tftp.oack', drop = true }");
    assert_eq!(copies(treat(&mut dropped, Protocol::Tftp, oack)), []);
    let text = oack.escape_ascii().to_string();
    assert_eq!(
        copies(treat(&mut dropped, Protocol::Tftp, b"\0\x03\0\x01ab")),
        alone("untouched")
    );
    let mut more =
        engine("{ message = 'tftp.*', repeat = 1 }, { message = 'tftp.oack', delay_ms = 70 }");
    let twice = copies(treat(&mut more, Protocol::Tftp, oack));
    assert_eq!(twice, [(70, text.clone()), (70, text)]);
}

#[test]
fn the_nth_of_a_phone_is_counted_for_each_phone() {
    let mut second = engine("{ message = 'tftp.data', only = 2, drop = true }");
    let data = b"\0\x03\0\x01ab";
    assert_eq!(
        copies(treat(&mut second, Protocol::Tftp, data)),
        alone("untouched")
    );
    assert_eq!(copies(treat(&mut second, Protocol::Tftp, data)), []);
    assert_eq!(
        copies(treat(&mut second, Protocol::Tftp, data)),
        alone("untouched")
    );
    let mut later = engine("{ message = 'tftp.data', after = 2, cut = 4 }");
    let texts: Vec<_> = (0..3)
        .map(|_| copies(treat(&mut later, Protocol::Tftp, data)))
        .collect();
    let cut = alone("\\x00\\x03\\x00\\x01");
    assert_eq!(texts, [alone("untouched"), cut.clone(), cut]);
}

#[test]
fn a_message_that_comes_again_is_known_by_its_bytes() {
    let mut again = engine("{ message = 'tftp.data', again = true, cut = -1 }");
    for (data, expected) in [
        (b"\0\x03\0\x01ab", "untouched"),
        (b"\0\x03\0\x02ab", "untouched"),
        (b"\0\x03\0\x01ab", "\\x00\\x03\\x00\\x01a"),
    ] {
        assert_eq!(
            copies(treat(&mut again, Protocol::Tftp, data)),
            alone(expected)
        );
    }
}

#[test]
fn an_edit_is_about_messages_that_fit() {
    let mut engine = engine(
        "{ message = 'tftp.oack', with = { 'option.tsize' = { min = 9 } }, \
                             remove = 'option.tsize' }",
    );
    let small = b"\0\x06tsize\08\0";
    assert_eq!(
        copies(treat(&mut engine, Protocol::Tftp, small)),
        alone("untouched")
    );
    let large = copies(treat(
        &mut engine,
        Protocol::Tftp,
        b"\0\x06tsize\09\0a\0b\0",
    ));
    assert_eq!(large, alone("\\x00\\x06a\\x00b\\x00"));
}

#[test]
fn edits_of_the_other_way_are_not_asked() {
    let mut engine = engine("{ message = 'tftp.ack', way = 'received', drop = true }");
    assert!(engine.touches(Protocol::Tftp, Way::Sent));
    assert!(!engine.touches(Protocol::Tftp, Way::Received));
    assert_eq!(
        copies(treat(&mut engine, Protocol::Tftp, b"\0\x04\0\x01")),
        alone("untouched")
    );
}

#[test]
fn replies_files_and_retrievals_of_ftp_are_changed() {
    let mut server = engine(
        "{ message = 'ftp.reply', with = { code = '230' }, set = { code = '530', text = 'No' } },\
         { message = 'ftp.data', with = { file = '/a' }, cut = 1 }",
    );
    let reply = copies(treat(&mut server, Protocol::Ftp, b"230 Welcome\r\n"));
    assert_eq!(reply, alone("530 No\\r\\n"));
    let envelope = Envelope {
        protocol: Protocol::Ftp,
        way: Way::Received,
        phone: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
        peer: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 21),
        stream: true,
        tls: false,
        before: b"/a",
        bytes: b"abc",
        whom: 1,
    };
    assert_eq!(
        copies(server.treat(&envelope, &Fill::default())),
        alone("a")
    );
    let text = "[[mutant]]\nname = 'phone/a/b'\nwhat = 'x'\nedit = [\n\
                { message = 'ftp.retr', with = { file = 'a' }, set = { file = 'b' } },\n\
                { message = 'ftp.retr', with = { file = 'c' }, drop = true } ]\n";
    let mutants: Vec<_> = read_one(text).iter().cloned().collect();
    let mut phone = Engine::new(Side::Phone, &mutants).unwrap();
    let sent = Envelope {
        way: Way::Sent,
        ..envelope
    };
    for (file, expected) in [("a", Some("b")), ("c", None), ("d", Some("d"))] {
        let mut fields = [("user", String::from("u")), ("file", file.to_owned())];
        let happens = phone.retrieve(&sent, &mut fields, &Fill::default());
        assert_eq!(happens.then_some(fields[1].1.as_str()), expected);
    }
}

#[test]
fn a_response_is_known_with_the_request_that_it_answers() {
    let mut engine = engine(
        "{ message = 'http.response', with = { path = '/a.cfg', status = '200' }, \
           set = { status = 404 }, close = true }",
    );
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
    let mut asked = |before: &'static [u8]| {
        let envelope = Envelope {
            protocol: Protocol::Http,
            way: Way::Received,
            phone: SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, 1), 40_000),
            peer: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 80),
            stream: true,
            tls: false,
            before,
            bytes: response,
            whom: 1,
        };
        engine.treat(&envelope, &Fill::default())
    };
    assert_eq!(asked(b"GET /b.cfg HTTP/1.1\r\n\r\n"), Treated::Untouched);
    let Treated::Copies { list, close } = asked(b"GET /a.cfg HTTP/1.1\r\n\r\n") else {
        panic!("untouched");
    };
    assert!(close);
    let text = String::from_utf8_lossy(&list[0].bytes).into_owned();
    assert_eq!(
        text,
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nab"
    );
}

#[test]
fn requests_and_offers_are_changed_alone() {
    let mut rrq = engine(
        "{ message = 'tftp.rrq', way = 'received', with = { options = '' }, set = { mode = 'x' } }",
    );
    let envelope = Envelope {
        protocol: Protocol::Tftp,
        way: Way::Sent,
        phone: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 49_200),
        peer: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 69),
        stream: false,
        tls: false,
        before: b"",
        bytes: b"\0\x01a\0octet\0",
        whom: 1,
    };
    let changed = copies(rrq.treat(&envelope, &Fill::default()));
    assert_eq!(changed, alone("\\x00\\x01a\\x00x\\x00"));
}
