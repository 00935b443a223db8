use std::time::Duration;

use super::*;
use crate::event::{Fault, Limit};
use crate::limits::SOAP_BYTES_MAX;
use crate::profile::StepId;
use crate::wire::soap::Fault as SoapFault;

fn given_up(bench: &Bench, step: StepId, fault: Fault) -> bool {
    bench.has(EventKind::GaveUp { step, fault })
        && bench.has(EventKind::SessionEnded {
            complete: false,
            rpcs: 0,
        })
}

/// The phone rests, calls again in 5 to 10 s and says how often it tried before.
fn tries_again(bench: &mut Bench) {
    assert!(
        bench.stand.phone.is_settled(),
        "known not to work is settled"
    );
    let before = bench.stand.opened.len();
    bench.stand.pass(Duration::from_millis(4_999));
    assert_eq!(bench.stand.opened.len(), before);
    bench.stand.pass_seconds(6);
    assert_eq!(bench.stand.opened.len(), before + 1);
    let inform = bench.inform();
    assert_eq!(inform.retry_count, 1);
    assert_eq!(
        codes(&inform),
        ["0 BOOTSTRAP", "1 BOOT"],
        "not delivered yet"
    );
}

#[test]
fn tries_a_session_again_that_failed() {
    for (status, body, fault) in [
        ("500", "", Fault::HttpStatus(500)),
        ("404", "", Fault::HttpStatus(404)),
        ("204", "", Fault::BadSoap),
        ("200", "<html></html>", Fault::BadSoap),
        ("200", "nonsense", Fault::BadSoap),
    ] {
        let mut bench = Bench::new("");
        bench.inform();
        bench.http(status, "", body);
        assert!(given_up(&bench, StepId::INFORM, fault), "{status} {body}");
        tries_again(&mut bench);
        bench.accept();
        bench.end();
        bench.stand.pass_seconds(3_601);
        assert_eq!(
            bench.inform().retry_count,
            0,
            "counted from the last success"
        );
    }
}

#[test]
fn waits_longer_after_each_failure() {
    let mut bench = Bench::new("");
    let mut at = Vec::new();
    for failures in 0..12 {
        assert_eq!(bench.inform().retry_count, failures);
        at.push(bench.stand.now);
        bench.http("500", "", "");
        bench.stand.tick();
    }
    for (nth, pair) in (0_u32..).zip(at.windows(2)) {
        let least = 5_u64 << nth.min(9);
        let waited = pair[1].since(pair[0]);
        let range = Duration::from_secs(least)..=Duration::from_secs(2 * least);
        assert!(range.contains(&waited), "{nth}: {waited:?}");
    }
}

// FAN-123.
#[test]
fn waits_for_an_answer_longer_than_five_seconds() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.stand.pass(Duration::from_millis(5_100));
    bench.accept();
    bench.stand.pass_seconds(29);
    bench.end();
    assert!(bench.has(EventKind::SessionEnded {
        complete: true,
        rpcs: 0
    }));
    let mut bench = Bench::new("");
    bench.inform();
    bench.stand.pass_seconds(31);
    assert!(given_up(&bench, StepId::INFORM, Fault::Silence));
}

#[test]
fn gives_up_at_a_fault_and_at_a_foreign_id() {
    let fault = |code| {
        Message::Fault(SoapFault {
            code,
            ..SoapFault::default()
        })
    };
    let mut bench = Bench::new("");
    bench.inform();
    bench.respond(fault(8_002));
    assert!(given_up(&bench, StepId::INFORM, Fault::SoapFault(8_002)));
    tries_again(&mut bench);
    let response = || Message::InformResponse { max_envelopes: 1 };
    let mut bench = Bench::new("");
    bench.inform();
    bench.say_as(Version::V1_0, Some("other"), response());
    assert!(given_up(&bench, StepId::INFORM, Fault::ForeignId));
    // Without any id an answer can be meant for nothing else.
    let mut bench = Bench::new("");
    bench.inform();
    bench.say_as(Version::V1_0, None, response());
    let (step, fault_seen) = (StepId::INFORM, Fault::ForeignId);
    assert!(bench.has(EventKind::Wrong {
        step,
        fault: fault_seen
    }));
    assert!(bench.post().body.is_empty());
    // A response where a call must be.
    bench.say_as(Version::V1_0, Some("1"), response());
    assert!(given_up(&bench, StepId::ACS, Fault::BadSoap));
    // The server asks for the same again (8005).
    let mut bench = Bench::new("");
    bench.inform();
    bench.respond(fault(8_005));
    bench.inform();
    bench.accept();
    bench.say_as(Version::V1_0, Some("1"), fault(8_001));
    assert!(given_up(&bench, StepId::ACS, Fault::SoapFault(8_001)));
}

#[test]
fn answers_a_call_without_id_and_says_so() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench.say_as(Version::V1_0, None, Message::GetRpcMethods);
    bench.post();
    assert_eq!(bench.envelope().id, None);
    let (step, fault) = (StepId::ACS, Fault::ForeignId);
    assert!(bench.has(EventKind::Wrong { step, fault }));
}

#[test]
fn keeps_no_more_of_an_answer_than_its_limit() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.http("200", "", &" ".repeat(SOAP_BYTES_MAX + 1));
    let (limit, value) = (Limit::SoapBytes, SOAP_BYTES_MAX as u64);
    assert!(bench.has(EventKind::LimitReached { limit, value }));
    assert!(given_up(&bench, StepId::INFORM, Fault::TooLarge));
}

#[test]
fn holds_its_requests_back_as_told_but_not_for_ever() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench.download("3 Vendor Configuration File", "http://10.0.0.5/a.cfg");
    bench.end();
    bench.stand.open();
    bench.stand.take_written();
    bench.stand.answer("404", "", "");
    bench.inform();
    let id = bench.envelope().id.map(Cow::into_owned);
    let mut text = String::new();
    let envelope = Envelope {
        version: Some(Version::V1_0),
        id: id.map(Cow::Owned),
        hold_requests: true,
        message: Message::InformResponse { max_envelopes: 1 },
    };
    soap::write(&mut text, &envelope);
    bench.http("200", "", &text);
    assert!(bench.post().body.is_empty(), "held back");
    bench.end();
    bench.post();
    assert!(matches!(
        bench.envelope().message,
        Message::TransferComplete(_)
    ));
}

#[test]
fn survives_whatever_a_server_sends() {
    let mut rng = crate::rng::Rng::new(7);
    for seed in 0..200_u64 {
        let mut bench = Bench::new("");
        bench.inform();
        bench.accept();
        let mut text = String::new();
        let envelope = Envelope {
            version: Some(Version::V1_0),
            id: Some("1".into()),
            hold_requests: seed % 2 == 0,
            message: Message::GetParameterValues(vec!["Device.".into(), "".into()]),
        };
        soap::write(&mut text, &envelope);
        let mut bytes = text.into_bytes();
        for _ in 0..=seed % 4 {
            let at = usize::try_from(rng.up_to(bytes.len() as u64 - 1)).unwrap();
            bytes[at] = u8::try_from(rng.up_to(255)).unwrap();
        }
        let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", bytes.len());
        let connection = bench.connection;
        bench.stand.input(Input::Bytes(connection, head.as_bytes()));
        bench.stand.input(Input::Bytes(connection, &bytes));
        bench.stand.pass_seconds(60);
    }
}

#[test]
fn breaks_a_session_off_when_the_power_goes() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.stand.input(Input::PowerCut);
    assert!(bench.has(EventKind::SessionEnded {
        complete: false,
        rpcs: 0
    }));
    bench.stand.power(&[], b"");
    assert_eq!(codes(&bench.inform()), ["0 BOOTSTRAP", "1 BOOT"]);
}
