use std::net::Ipv4Addr;

use hickory_proto::op::{Message as OracleMessage, OpCode};
use hickory_proto::rr::{Name as OracleName, RData, RecordType};
use proptest::prelude::*;

use super::*;

const SERVICE: &str = "_provisioning._tcp.local";
const INSTANCE: [&str; 4] = ["Floor 2. Rack", "_provisioning", "_tcp", "local"];
const HOST: &str = "box.local";

/// An answer with everything that RFC 6763 §12 wants in it.
fn answer(out: &mut Vec<u8>, id: u16) {
    Encoder::answer(out, id)
        .question(SERVICE, kind::PTR)
        .pointer(SERVICE, &INSTANCE, 10)
        .additional()
        .service(&INSTANCE, 8080, HOST, 10)
        .texts(&INSTANCE, &["path=/p/", "txtvers=1"], 10)
        .other(HOST, kind::AAAA, &[0xfe; 16], 10)
        .address(HOST, Ipv4Addr::new(10, 0, 0, 2), 10)
        .finish();
}

/// The same with pointers, as responders write it (RFC 1035 §4.1.4).
fn compressed() -> Vec<u8> {
    let mut bytes = vec![0, 7, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0];
    let service = bytes.len();
    for label in ["_provisioning", "_tcp", "local"] {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    let pointer = |to: usize| [0xc0 | u8::try_from(to >> 8).unwrap(), (to & 255) as u8];
    bytes.extend_from_slice(&[0, 12, 0, 1, 0, 0, 0, 10, 0, 4]);
    let instance = bytes.len();
    bytes.extend_from_slice(b"\x01a");
    bytes.extend_from_slice(&pointer(service));
    bytes.extend_from_slice(&pointer(instance));
    bytes.extend_from_slice(&[0, 33, 0x80, 1, 0, 0, 0, 10, 0, 12, 0, 0, 0, 0, 0x1f, 0x90]);
    bytes.extend_from_slice(b"\x03box");
    let local = service + 14 + 5;
    bytes.extend_from_slice(&pointer(local));
    bytes
}

fn fault(bytes: &[u8]) -> &'static str {
    Message::parse(bytes).unwrap_err().what
}

#[test]
fn asks_one_question_that_another_decoder_understands() {
    let mut bytes = Vec::new();
    let query = Encoder::query(&mut bytes, 0x1234);
    query.question(SERVICE, kind::PTR).finish();
    let oracle = OracleMessage::from_vec(&bytes).unwrap();
    assert_eq!(oracle.metadata.id, 0x1234);
    assert_eq!(oracle.metadata.op_code, OpCode::Query);
    let [question] = &oracle.queries[..] else {
        panic!("not one question");
    };
    let name = OracleName::from_ascii("_provisioning._tcp.local.").unwrap();
    assert_eq!(question.name(), &name);
    assert_eq!(question.query_type(), RecordType::PTR);
    let message = Message::parse(&bytes).unwrap();
    assert!(message.is_query() && !message.is_answer());
    let question = message.questions().next().unwrap();
    assert!(question.name.is("_PROVISIONING._tcp.Local."));
    assert_eq!((question.kind, question.unicast), (kind::PTR, false));
}

#[test]
fn writes_answers_that_another_decoder_understands() {
    let mut bytes = Vec::new();
    answer(&mut bytes, 7);
    let oracle = OracleMessage::from_vec(&bytes).unwrap();
    assert_eq!(oracle.answers.len(), 1);
    assert_eq!(oracle.additionals.len(), 4);
    let found: Vec<&RData> = oracle
        .additionals
        .iter()
        .map(|record| &record.data)
        .collect();
    let RData::SRV(service) = found[0] else {
        panic!("no SRV: {found:?}");
    };
    assert_eq!(service.port, 8080);
    let RData::A(address) = found[3] else {
        panic!("no A: {found:?}");
    };
    assert_eq!(address.0, Ipv4Addr::new(10, 0, 0, 2));
}

#[test]
fn reads_what_it_wrote() {
    let mut bytes = Vec::new();
    answer(&mut bytes, 7);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.id(), 7);
    assert!(message.is_answer() && !message.is_query());
    let records: Vec<Record<'_>> = message.records().collect();
    assert_eq!(records.len(), 5);
    let Data::Pointer(instance) = records[0].data else {
        panic!("no PTR");
    };
    assert!(instance.labels().eq(INSTANCE.map(str::as_bytes)));
    // A label with a dot is no part of a host name.
    assert_eq!(instance.host(), None);
    let Data::Service { port, target, .. } = records[1].data else {
        panic!("no SRV");
    };
    assert_eq!((port, target.host().as_deref()), (8080, Some(HOST)));
    assert_eq!(records[1].name, instance);
    let Data::Texts(data) = records[2].data else {
        panic!("no TXT");
    };
    assert!(texts(data).eq([&b"path=/p/"[..], b"txtvers=1"]));
    assert!(matches!(records[3].data, Data::Other(data) if data == [0xfe; 16]));
    assert!(matches!(records[4].data, Data::Address(address) if address.octets() == [10, 0, 0, 2]));
    assert!(
        records
            .iter()
            .all(|record| record.internet && record.ttl == 10)
    );
    assert!(!records[0].flush && records[1].flush);
}

#[test]
fn follows_pointers_as_another_decoder_does() {
    let bytes = compressed();
    let message = Message::parse(&bytes).unwrap();
    let records: Vec<Record<'_>> = message.records().collect();
    assert!(records[0].name.is(SERVICE));
    assert!(records[1].name.is("a._provisioning._tcp.local"));
    let Data::Service { target, port, .. } = records[1].data else {
        panic!("no SRV");
    };
    assert_eq!((target.host().as_deref(), port), (Some(HOST), 8080));
    let oracle = OracleMessage::from_vec(&bytes).unwrap();
    assert_eq!(
        oracle.answers[1].name,
        OracleName::from_ascii("a._provisioning._tcp.local.").unwrap()
    );
}

#[test]
fn refuses_names_that_do_not_end() {
    let header = [0, 0, 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let with = |name: &[u8]| [&header[..], name, &[0, 12, 0, 1]].concat();
    // To itself, forwards, into the header, and two labels that point at each other.
    for name in [
        &b"\xc0\x0c"[..],
        b"\xc0\x20",
        b"\xc0\x00",
        b"\x01a\xc0\x0c",
        b"\x01a\x01b\xc0\x0e",
    ] {
        assert_eq!(
            fault(&with(name)),
            "a pointer that does not lead back",
            "{name:?}"
        );
    }
    assert_eq!(fault(&with(b"\x40a\0")), "a label of an unknown kind");
    let long = [&[63; 64][..]; 4].concat();
    assert_eq!(
        fault(&with(&[&long[..], b"\0"].concat())),
        "name longer than 255 bytes"
    );
    assert_eq!(fault(&header), "message ends inside a name");
    assert_eq!(fault(&header[..11]), "message ends inside its header");
    assert_eq!(fault(&with(b"\0")[..15]), "message ends inside a question");
}

#[test]
fn refuses_more_than_its_limits() {
    let count = u16::try_from(RECORDS_MAX + 1).unwrap().to_be_bytes();
    let bytes = [0, 0, 0x84, 0, 0, 0, count[0], count[1], 0, 0, 0, 0];
    assert_eq!(fault(&bytes), "more records than the limit");
    assert_eq!(
        fault(&vec![0; MESSAGE_BYTES_MAX + 1]),
        "message longer than the limit"
    );
}

#[test]
fn refuses_data_that_does_not_fit_its_length() {
    let start = b"\0\0\x84\0\0\0\0\x01\0\0\0\0\0";
    for (kind, data) in [
        (1, &b"\0\x03abc"[..]),
        (12, b"\0\x01\x01a\0"),
        (33, b"\0\x05abcde"),
    ] {
        let bytes = [&start[..], &[0, kind, 0, 1, 0, 0, 0, 9], data].concat();
        assert_eq!(
            fault(&bytes),
            "a record's data has another length",
            "{kind}"
        );
    }
    let cut = [&start[..], &[0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1]].concat();
    assert_eq!(fault(&cut), "message ends inside a record");
}

#[test]
fn knows_the_names_of_services() {
    for name in [
        "_http._tcp.local",
        "_a._udp.example.org.",
        "_prov-http._tcp.local",
    ] {
        assert!(is_service(name), "{name}");
    }
    for name in [
        "",
        "_http._tcp",
        "http._tcp.local",
        "_._tcp.local",
        "_a._tcp..local",
        "_ä._tcp.x",
    ] {
        assert!(!is_service(name), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(message) = Message::parse(&bytes) {
            for record in message.records() {
                let length: usize = record.name.labels().map(|label| label.len() + 1).sum();
                prop_assert!(length < NAME_BYTES_MAX);
            }
        }
    }

    #[test]
    fn damaged_answers_are_read_without_harm(
        at in 0_usize..200,
        byte in any::<u8>(),
        plain in any::<bool>(),
    ) {
        let mut bytes = compressed();
        if plain {
            bytes.clear();
            answer(&mut bytes, 0);
        }
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert!(message.records().count() <= RECORDS_MAX);
            for record in message.records() {
                let _ = record.name.host();
            }
        }
    }

    #[test]
    fn names_come_back_as_they_were_written(
        labels in proptest::collection::vec("[a-zA-Z0-9_-]{1,63}", 1..5),
    ) {
        let dotted = labels.join(".");
        prop_assume!(dotted.len() + 2 <= NAME_BYTES_MAX);
        let mut bytes = Vec::new();
        Encoder::query(&mut bytes, 1).question(&dotted, kind::ANY).finish();
        let message = Message::parse(&bytes).unwrap();
        let question = message.questions().next().unwrap();
        prop_assert_eq!(question.name.host(), Some(dotted.clone()));
        let oracle = OracleMessage::from_vec(&bytes).unwrap();
        let name = oracle.queries[0].name();
        prop_assert!(name.iter().eq(labels.iter().map(String::as_bytes)));
    }
}
