//! The server with mutants: the same on every attachment, because it is the server itself.

use super::*;
use crate::reference::http::connection::{After, Connection};
use bootstorm_scenarios::mutant;

fn wrong(edits: &str) -> Reference {
    let text = format!("[[mutant]]\nname = 'server/a/b'\nwhat = 'It is wrong'\nedit = [{edits}]\n");
    let mutants = mutant::read(&[("a", &text)]).unwrap();
    Reference::new(ReferenceConfig {
        mutants: mutants.iter().cloned().collect(),
        ..config()
    })
}

fn data(replies: &mut Replies) -> Vec<Vec<u8>> {
    let said = replies.iter().map(|(_, bytes)| bytes.to_vec()).collect();
    replies.clear();
    said
}

#[test]
fn a_reply_that_is_delayed_leaves_with_its_tick() {
    let mut reference = wrong("{ message = 'tftp.data', only = 1, delay_ms = 250 }");
    let mut replies = Replies::default();
    let now = Moment::from_millis(1_000);
    reference.datagram(now, Endpoint::Tftp, PHONE, &rrq(), &mut replies);
    assert!(replies.is_empty());
    let due = now + Duration::from_millis(250);
    assert_eq!(reference.deadline(), Some(due));
    reference.tick(now + Duration::from_millis(249), &mut replies);
    assert!(replies.is_empty());
    reference.tick(due, &mut replies);
    assert_eq!(
        data(&mut replies),
        [b"\0\x03\0\x01account.1.enable=1\n".to_vec()]
    );
}

#[test]
fn a_request_that_is_delayed_reaches_the_server_then() {
    let mut reference = wrong("{ message = 'tftp.rrq', way = 'received', delay_ms = 40 }");
    let mut replies = Replies::default();
    reference.datagram(Moment::ZERO, Endpoint::Tftp, PHONE, &rrq(), &mut replies);
    assert!(replies.is_empty());
    reference.tick(Moment::from_millis(40), &mut replies);
    assert_eq!(data(&mut replies).len(), 1);
}

#[test]
fn requests_are_dropped_and_replies_doubled() {
    let mut replies = Replies::default();
    let mut deaf = wrong("{ message = 'tftp.rrq', way = 'received', drop = true }");
    deaf.datagram(Moment::ZERO, Endpoint::Tftp, PHONE, &rrq(), &mut replies);
    assert!(replies.is_empty());
    assert_eq!(deaf.deadline(), None);
    let mut twice = wrong("{ message = 'sip.notify', repeat = 1 }");
    let subscribe = SUBSCRIBE.as_bytes();
    twice.datagram(Moment::ZERO, Endpoint::Sip, PHONE, subscribe, &mut replies);
    let said = data(&mut replies);
    let notifies = said.iter().filter(|bytes| bytes.starts_with(b"NOTIFY"));
    assert_eq!((said.len(), notifies.count()), (3, 2));
}

#[test]
fn data_can_come_from_the_port_of_requests() {
    let mut reference = wrong("{ message = 'tftp.data', set = { port = 69 } }");
    let mut replies = Replies::default();
    reference.datagram(Moment::ZERO, Endpoint::Tftp, PHONE, &rrq(), &mut replies);
    let from: Vec<_> = replies.iter().map(|(datagram, _)| datagram.from).collect();
    assert_eq!(from, [Endpoint::Tftp]);
}

fn got(reference: &mut Reference, request: &[u8]) -> (String, After, Duration) {
    let mut connection = Connection::default();
    let mut out = Vec::new();
    let mut site = reference.site();
    let after = connection.receive(Moment::ZERO, PHONE, &mut site, request, &mut out);
    (String::from_utf8(out).unwrap(), after, connection.wait())
}

const GET: &[u8] = b"GET /0021f222b01d.cfg HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn web_answers_are_changed_held_back_and_ended() {
    let mut reference = wrong(
        "{ message = 'http.response', with = { path = '/0021f222b01d.cfg' }, delay_ms = 70 },\
         { message = 'http.response', with = { status = 200 }, cut = 3, length = 'keep', \
           close = true }",
    );
    assert!(reference.edits_http());
    let (said, after, wait) = got(&mut reference, GET);
    assert!(
        said.contains("\r\ncontent-length: 19\r\n") && said.ends_with("\r\n\r\nacc"),
        "{said}"
    );
    assert_eq!((after, wait), (After::Close, Duration::from_millis(70)));
    let (said, after, wait) = got(&mut reference, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    assert_eq!((after, wait), (After::Open, Duration::ZERO));
}

#[test]
fn web_requests_are_changed_before_they_are_heard() {
    let mut reference = wrong(
        "{ message = 'http.get', way = 'received', with = { host = 'a' }, \
           set = { target = '/x' } },\
         { message = 'http.get', way = 'received', with = { host = 'b' }, drop = true }",
    );
    let (said, ..) = got(&mut reference, GET);
    assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    let (said, ..) = got(&mut reference, b"GET /x HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_eq!(said, "");
}

#[test]
fn refusals_are_messages_too() {
    let mut reference =
        wrong("{ message = 'http.response', with = { status = 400 }, set = { status = 200 } }");
    let (said, after, _) = got(&mut reference, b"\x16 nonsense\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    assert_eq!(after, After::Close);
}

#[test]
fn files_are_changed_for_every_protocol() {
    let text = "[[mutant]]\nname = 'server/a/b'\nwhat = 'x'\n\
                content = [{ file = '*.cfg', replace = ['=1', '=2'] }]\n";
    let mutants = mutant::read(&[("a", text)]).unwrap();
    let mut reference = Reference::new(ReferenceConfig {
        mutants: mutants.iter().cloned().collect(),
        ..config()
    });
    assert!(!reference.edits_http());
    let mut replies = Replies::default();
    reference.datagram(Moment::ZERO, Endpoint::Tftp, PHONE, &rrq(), &mut replies);
    assert_eq!(
        data(&mut replies),
        [b"\0\x03\0\x01account.1.enable=2\n".to_vec()]
    );
    let (said, ..) = got(&mut reference, GET);
    assert!(said.ends_with("account.1.enable=2\n"), "{said}");
}
