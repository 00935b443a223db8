use super::super::fixture::{Rig, start};
use super::*;
use crate::profile::template::Template;

const LINE: Connection = Connection(7);

/// A search over a connection, which is open.
fn asking() -> (Rig, PnpClient, String) {
    let mut rig = Rig::new();
    let via = "SIP/2.0/{transport} {ip}:{port};branch=z9hG4bK{branch}";
    for (name, value) in &mut rig.spec().headers {
        if name == "Via" {
            *value = Template::parse(via).unwrap();
        }
    }
    rig.spec().request_uri = Template::parse("sip:MAC={mac}@{host}").unwrap();
    rig.spec().window = std::time::Duration::ZERO;
    let mut client = rig.step(|turn| start(turn, true)).unwrap();
    let [
        Effect::Open {
            connection, tls, ..
        },
    ] = &rig.out.effects[..]
    else {
        panic!("no connection: {:?}", rig.out.effects);
    };
    assert_eq!((*connection, tls), (LINE, &None));
    assert!(rig.events().is_empty());
    assert_eq!(
        rig.step(|turn| client.line(turn, &Input::Opened(LINE))),
        None
    );
    let subscribe = written(&rig);
    (rig, client, subscribe)
}

/// What the last step wrote on the connection.
fn written(rig: &Rig) -> String {
    let effects = rig.out.effects.iter();
    let text = effects.filter_map(|effect| match effect {
        Effect::Write { connection, bytes } => {
            assert_eq!(*connection, LINE);
            Some(String::from_utf8(rig.out.slice(bytes).to_vec()).unwrap())
        }
        _ => None,
    });
    text.collect()
}

fn closes(rig: &Rig) -> bool {
    rig.out.effects.contains(&Effect::Close(LINE))
}

fn notify(subscribe: &str, body: &str) -> String {
    let id = subscribe
        .lines()
        .find(|line| line.starts_with("Call-ID"))
        .unwrap();
    let length = body.len();
    format!(
        "NOTIFY sip:a SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2:5060;branch=z9hG4bK1\r\n\
         From: <sip:a>;tag=1\r\nTo: <sip:a>\r\n{id}\r\nCSeq: 1 NOTIFY\r\n\
         Event: ua-profile\r\nContent-Type: application/url\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

// FAN-93: SUBSCRIBE, NOTIFY and its answer on one connection.
#[test]
fn subscribes_and_is_notified_on_one_connection() {
    let (mut rig, mut client, subscribe) = asking();
    let group = rig.spec().group;
    assert!(subscribe.starts_with("SUBSCRIBE sip:MAC="));
    assert!(subscribe.contains(&format!("@{group} SIP/2.0\r\n")));
    assert!(subscribe.contains("Via: SIP/2.0/TCP "));
    let sent = |kind: &EventKind| matches!(kind, EventKind::Sent { .. });
    assert!(rig.events().iter().any(sent));
    let notify = notify(&subscribe, "http://10.0.0.2/");
    // A keep-alive before it, and the message in two parts.
    let (head, tail) = notify.as_bytes().split_at(100);
    let head = [b"\r\n\r\n", head].concat();
    assert_eq!(
        rig.step(|turn| client.line(turn, &Input::Bytes(LINE, &head))),
        None
    );
    assert!(rig.out.effects.is_empty());
    let result = rig.step(|turn| client.line(turn, &Input::Bytes(LINE, tail)));
    assert_eq!(result, Some(PnpResult::Url("http://10.0.0.2/".to_owned())));
    assert!(written(&rig).starts_with("SIP/2.0 200 OK\r\n"));
    assert!(closes(&rig));
    assert!(matches!(rig.out.effects.last(), Some(Effect::Close(_))));
}

// FAN-97: a server that cannot be reached, or hangs up, gives nothing.
#[test]
fn gives_nothing_where_the_connection_fails() {
    for (fault, expected) in [
        (ConnectionFault::Refused, Fault::ConnectionRefused),
        (ConnectionFault::Reset, Fault::ConnectionBroken),
        (ConnectionFault::TimedOut, Fault::Silence),
        (ConnectionFault::Local, Fault::Local),
    ] {
        let (mut rig, mut client, _) = asking();
        let input = Input::Failed(LINE, fault);
        let result = rig.step(|turn| client.line(turn, &input));
        assert_eq!(result, Some(PnpResult::Nothing));
        let given_up = EventKind::GaveUp {
            step: StepId::SUBSCRIBE,
            fault: expected,
        };
        assert!(rig.events().contains(&given_up), "{fault:?}");
        assert!(!closes(&rig));
    }
    let (mut rig, mut client, _) = asking();
    let result = rig.step(|turn| client.line(turn, &Input::Closed(LINE)));
    assert_eq!(result, Some(PnpResult::Nothing));
}

#[test]
fn hangs_up_when_nobody_says_anything() {
    let (mut rig, mut client, _) = asking();
    rig.wait(60_000);
    assert_eq!(rig.step(|turn| client.tick(turn)), Some(PnpResult::Nothing));
    assert!(closes(&rig));
    // It was closed once.
    rig.step(|turn| client.stop(turn));
    assert!(!closes(&rig));
}

#[test]
fn hangs_up_where_no_message_can_be_found() {
    let (mut rig, mut client, _) = asking();
    let bytes = b"NOTIFY sip:a SIP/2.0\r\nContent-Length: many\r\n\r\n";
    let result = rig.step(|turn| client.line(turn, &Input::Bytes(LINE, bytes)));
    assert_eq!(result, Some(PnpResult::Nothing));
    assert!(closes(&rig));
    let later = notify("Call-ID: 1", "http://10.0.0.2/");
    let input = Input::Bytes(LINE, later.as_bytes());
    assert_eq!(rig.step(|turn| client.line(turn, &input)), None);
}

#[test]
fn keeps_no_flood() {
    let (mut rig, mut client, _) = asking();
    for _ in 0..1_000 {
        let input = Input::Bytes(LINE, &[b'\n'; 1_000]);
        assert_eq!(rig.step(|turn| client.line(turn, &input)), None);
    }
    assert!(
        client
            .line
            .as_ref()
            .is_some_and(|line| line.held.is_empty())
    );
    let mut result = None;
    for _ in 0..1_000 {
        let input = Input::Bytes(LINE, &[b'x'; 1_000]);
        result = result.or(rig.step(|turn| client.line(turn, &input)));
    }
    assert_eq!(result, Some(PnpResult::Nothing));
}

#[test]
fn leaves_other_connections_alone() {
    let (mut rig, mut client, subscribe) = asking();
    let notify = notify(&subscribe, "http://10.0.0.2/");
    for input in [
        Input::Bytes(Connection(8), notify.as_bytes()),
        Input::Closed(Connection(8)),
        Input::Opened(Connection(8)),
    ] {
        assert_eq!(rig.step(|turn| client.line(turn, &input)), None);
        assert!(rig.out.effects.is_empty());
    }
}
