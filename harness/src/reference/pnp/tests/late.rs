//! NOTIFYs that come late, twice, on a connection, or in the shape of a traced PBX.

use super::*;
use crate::reference::http::connection::After;
use crate::reference::notify::{Message, Target};
use crate::reference::registrar::{Lines, SipConnection};

fn with(notify: PnpNotify) -> Site {
    Site::new(|config| config.manner.notify = notify)
}

fn order(targets: &[SocketAddrV4]) -> Arc<Batch> {
    let target = |to: &SocketAddrV4| Target {
        to: *to,
        user: String::new(),
        account: None,
    };
    Batch::new(targets.iter().map(target).collect(), Message::PnpNotify)
}

// FAN-104: minutes after the SUBSCRIBE.
#[test]
fn a_notify_can_come_late() {
    let mut site = with(PnpNotify::After(Duration::from_secs(90)));
    let sent = site.send(&trace());
    assert_eq!(sent.len(), 1);
    assert!(sent[0].starts_with("SIP/2.0 200 OK"));
    // The SUBSCRIBE again: the NOTIFY still waits.
    assert_eq!(site.send(&trace()).len(), 1);
    assert!(site.later(89_999).is_empty());
    let notify = site.later(1);
    assert_eq!(notify.len(), 1);
    assert!(notify[0].starts_with("NOTIFY "));
    assert_eq!(site.later(500), notify);
    let _ = site.send(&confirm(&notify[0], "200 OK"));
    assert_eq!(
        (site.pnp.waiting(), site.count(Counter::PnpConfirmed)),
        (0, 1)
    );
}

// FAN-104: when the operator sends it.
#[test]
fn a_notify_can_wait_for_an_order() {
    let mut site = with(PnpNotify::Ordered);
    let _ = site.send(&trace());
    // The next period's SUBSCRIBE takes the place of the first.
    let _ = site.send(&trace().replace("CSeq: 1 ", "CSeq: 2 "));
    assert_eq!(site.pnp.waiting(), 1);
    assert!(site.later(3_600_000).is_empty());
    let stranger = SocketAddrV4::new(Ipv4Addr::new(192, 168, 50, 58), 5_060);
    let batch = order(&[PHONE, stranger]);
    site.pnp.order(site.now, &batch);
    let notify = site.later(0);
    assert_eq!(notify.len(), 1);
    assert!(!batch.is_over());
    let _ = site.send(&confirm(&notify[0], "200 OK"));
    assert!(batch.is_over());
    let answers = batch.answers();
    assert_eq!((answers.accepted, answers.silent), (1, 1));
    // It is gone: ordered again, there is nothing to send.
    let again = order(&[PHONE]);
    site.pnp.order(site.now, &again);
    assert_eq!(again.answers().silent, 1);
    // A phone that does not answer is given up.
    let _ = site.send(&trace());
    let silent = order(&[PHONE]);
    site.pnp.order(site.now, &silent);
    for _ in 0..20 {
        let _ = site.later(4_000);
    }
    assert_eq!((silent.answers().silent, site.pnp.waiting()), (1, 0));
}

// FAN-102: 0.5 s later once more, each copy answered.
#[test]
fn a_notify_can_come_twice() {
    let mut site = Site::new(|config| config.manner.repeated = true);
    let sent = site.send(&trace());
    let _ = site.send(&confirm(&sent[1], "200 OK"));
    assert!(site.later(499).is_empty());
    assert_eq!(site.later(1), [sent[1].clone()]);
    let _ = site.send(&confirm(&sent[1], "200 OK"));
    assert_eq!(
        (site.count(Counter::PnpConfirmed), site.pnp.waiting()),
        (2, 0)
    );
    assert!(site.later(40_000).is_empty());
    assert_eq!(site.count(Counter::PnpSilent), 0);
    // A second copy that is not answered is not missed.
    let sent = site.send(&trace().replace("CSeq: 1 ", "CSeq: 2 "));
    let _ = site.send(&confirm(&sent[1], "200 OK"));
    assert_eq!(site.later(500).len(), 1);
    assert!(site.later(40_000).is_empty());
    assert_eq!((site.count(Counter::PnpSilent), site.pnp.waiting()), (0, 0));
}

// FAN-99 and FAN-101: the shape of the trace.
#[test]
fn a_notify_can_have_the_shape_of_the_trace() {
    let answers = bootstorm_scenarios::scenario::PnpAnswers {
        habits: vec![
            bootstorm_scenarios::scenario::PnpHabit::Device,
            bootstorm_scenarios::scenario::PnpHabit::Remark,
        ],
        notify: PnpNotify::AtOnce,
    };
    let mut site = Site::new(|config| config.manner = Manner::of(&answers));
    let sent = site.send(&trace());
    let notify = rsip::Request::try_from(sent[1].as_bytes()).unwrap();
    assert_eq!(notify.uri.to_string(), "sip:192.168.50.57:59495");
    assert_eq!(
        notify.max_forwards_header().unwrap().to_string(),
        "Max-Forwards: 70"
    );
    assert_eq!(notify.cseq_header().unwrap().typed().unwrap().seq, 1);
    for line in [
        "Content-Type: application/url",
        "Subscription-State: terminated;reason=timeout",
    ] {
        assert!(sent[1].contains(&format!("\r\n{line}\r\n")), "{line}");
    }
    assert!(sent[1].contains("profile-type=\"device\""));
    assert!(sent[1].contains("model=\"VOIP PHONE \""));
    let body = sent[1].split("\r\n\r\n").nth(1).unwrap();
    assert!(
        body.starts_with("tftp://192.168.50.18/0021f222b01d.cfg "),
        "{body}"
    );
    assert_eq!(notify.body.len(), body.len());
}

// FAN-93: SUBSCRIBE on a connection; 200 and NOTIFY on it, once.
#[test]
fn answers_on_the_connection_that_a_subscribe_came_by() {
    let mut site = Site::new(|config| config.manner.unfinished = true);
    let mut line = SipConnection::default();
    let text = trace().replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    let mut out = Vec::new();
    let (first, second) = text.as_bytes().split_at(100);
    for part in [first, second] {
        let mut lines = Lines {
            registrar: None,
            pnp: Some(&mut site.pnp),
            filter: None,
        };
        let after = line.receive(site.now, PHONE, &mut lines, part, &mut out);
        assert_eq!(after, After::Open);
    }
    let said = String::from_utf8(out).unwrap();
    let at = said.find("NOTIFY sip:").expect("a NOTIFY");
    let (ok, notify) = said.split_at(at);
    assert!(
        ok.starts_with("SIP/2.0 200 OK\r\n") && ok.ends_with("\r\n\r\n"),
        "{ok}"
    );
    assert!(
        notify.contains("\r\nVia: SIP/2.0/TCP 192.168.50.18:7777;branch="),
        "{notify}"
    );
    assert!(notify.contains("\r\nContact: <sip:192.168.50.18:7777;transport=tcp>\r\n"));
    // Nothing is sent again there.
    assert!(site.later(16_000).is_empty());
    let answer = confirm(notify, "200 OK");
    let mut lines = Lines {
        registrar: None,
        pnp: Some(&mut site.pnp),
        filter: None,
    };
    let _ = line.receive(
        site.now,
        PHONE,
        &mut lines,
        answer.as_bytes(),
        &mut Vec::new(),
    );
    assert_eq!(
        (site.count(Counter::PnpConfirmed), site.pnp.waiting()),
        (1, 0)
    );
}
