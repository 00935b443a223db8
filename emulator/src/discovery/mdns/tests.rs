use std::time::Duration;

use super::super::pnp::fixture::Rig;
use super::*;

use crate::wire::port;

const SERVICE: &str = "_provisioning._tcp.local";
const CHANNEL: Channel = Channel::Fresh(3);
const MASK: Option<Ipv4Addr> = Some(Ipv4Addr::new(255, 255, 255, 0));

/// An answer's instance: host and port, texts, address.
struct Said<'a> {
    instance: &'a str,
    port: u16,
    texts: &'a [&'a str],
    address: Option<Ipv4Addr>,
    ttl: u32,
}

const PLAIN: Said<'_> = Said {
    instance: "a",
    port: 8080,
    texts: &["path=/p/"],
    address: Some(Ipv4Addr::new(10, 0, 0, 2)),
    ttl: 10,
};

fn rig(service: &str) -> Rig {
    let mut rig = Rig::new();
    rig.profile.mdns = Some(MdnsSpec {
        service: service.to_owned(),
        timeout: Duration::from_secs(1),
        attempts: 3,
        clauses: Vec::new(),
    });
    rig
}

fn near(rig: &Rig) -> SocketAddrV4 {
    let [a, b, c, _] = rig.address.octets();
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, 77), port::MDNS)
}

fn answer(service: &str, id: u16, all: &[Said<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut answer = Encoder::answer(&mut bytes, id);
    for said in all {
        let mut labels = vec![said.instance];
        labels.extend(service.split('.'));
        let host = format!("{}.local", said.instance);
        answer = answer
            .pointer(service, &labels, said.ttl)
            .service(&labels, said.port, &host, said.ttl)
            .texts(&labels, said.texts, said.ttl);
        if let Some(address) = said.address {
            answer = answer.address(&host, address, said.ttl);
        }
    }
    answer.finish();
    bytes
}

/// Starts a search; gives it with its query's number.
fn search(rig: &mut Rig) -> (MdnsClient, u16) {
    let client = rig
        .step(|turn| MdnsClient::start(turn, CHANNEL, MASK))
        .unwrap();
    let id = client.id;
    (client, id)
}

fn told(service: &str, all: &[Said<'_>]) -> Option<MdnsResult> {
    let mut rig = rig(service);
    let (mut client, id) = search(&mut rig);
    let from = near(&rig);
    let bytes = answer(service, id, all);
    rig.step(|turn| client.datagram(turn, from, &bytes))
}

fn url(text: &str) -> Option<MdnsResult> {
    Some(MdnsResult::Url(text.to_owned()))
}

fn wrong(fault: Fault) -> EventKind {
    EventKind::Wrong { step: STEP, fault }
}

// FAN-03; RFC 6762 §5.1, §6.7.
#[test]
fn asks_the_group_from_a_fresh_port() {
    let mut rig = rig(SERVICE);
    let (client, id) = search(&mut rig);
    let (to, _) = rig.sent_bytes();
    assert_eq!(to.to_string(), "224.0.0.251:5353");
    let (_, bytes) = rig.sent_bytes();
    let query = Message::parse(&bytes).unwrap();
    assert!(query.is_query());
    assert_eq!(query.id(), id);
    let question = query.questions().next().unwrap();
    assert!(question.name.is(SERVICE));
    assert_eq!(client.channel(), CHANNEL);
}

// FAN-03.
#[test]
fn makes_a_url_of_host_port_and_path() {
    assert_eq!(told(SERVICE, &[PLAIN]), url("http://10.0.0.2:8080/p/"));
    for (service, expected) in [
        ("_https._tcp.local", "https://10.0.0.2:8080/p/"),
        ("_tftp._udp.local", "tftp://10.0.0.2:8080/p/"),
        ("_ftp._tcp.local", "ftp://10.0.0.2:8080/p/"),
    ] {
        assert_eq!(told(service, &[PLAIN]), url(expected));
    }
    let bare = Said {
        texts: &[],
        ..PLAIN
    };
    assert_eq!(told(SERVICE, &[bare]), url("http://10.0.0.2:8080/"));
    let whole = Said {
        texts: &["path=/x", "URL=tftp://10.0.0.9/$mac.cfg"],
        address: None,
        ..PLAIN
    };
    assert_eq!(told(SERVICE, &[whole]), url("tftp://10.0.0.9/$mac.cfg"));
}

#[test]
fn takes_the_first_instance_that_says_enough() {
    let silent = Said {
        instance: "silent",
        address: None,
        ..PLAIN
    };
    let gone = Said {
        instance: "gone",
        ttl: 0,
        ..PLAIN
    };
    let all = [silent, gone, PLAIN];
    assert_eq!(told(SERVICE, &all), url("http://10.0.0.2:8080/p/"));
}

// RFC 6762 §11, §18.1, §18.3.
#[test]
fn believes_only_answers_of_its_own_network() {
    let mut rig = rig(SERVICE);
    let (mut client, id) = search(&mut rig);
    let near = near(&rig);
    let far = SocketAddrV4::new(Ipv4Addr::new(172, 16, 0, 1), port::MDNS);
    let good = answer(SERVICE, id, &[PLAIN]);
    let mut asked = Vec::new();
    Encoder::query(&mut asked, id)
        .question(SERVICE, kind::PTR)
        .finish();
    for (from, bytes, fault) in [
        (far, good.clone(), Fault::ForeignTransaction),
        (
            near,
            answer(SERVICE, id ^ 1, &[PLAIN]),
            Fault::ForeignTransaction,
        ),
        (near, asked, Fault::ForeignTransaction),
        (
            near,
            answer("_other._tcp.local", id, &[PLAIN]),
            Fault::Incomplete,
        ),
    ] {
        assert_eq!(rig.step(|turn| client.datagram(turn, from, &bytes)), None);
        assert!(rig.events().contains(&wrong(fault)), "{fault:?}");
    }
    assert_eq!(rig.step(|turn| client.datagram(turn, near, b"\0")), None);
    let result = rig.step(|turn| client.datagram(turn, near, &good));
    assert_eq!(result, url("http://10.0.0.2:8080/p/"));
}

#[test]
fn refuses_what_is_no_url() {
    let mut rig = rig(SERVICE);
    let (mut client, id) = search(&mut rig);
    let from = near(&rig);
    for texts in [&["url=gopher://a/b"][..], &["url=http://"]] {
        let bytes = answer(SERVICE, id, &[Said { texts, ..PLAIN }]);
        assert_eq!(rig.step(|turn| client.datagram(turn, from, &bytes)), None);
        assert!(rig.events().contains(&wrong(Fault::BadTarget)));
    }
}

#[test]
fn asks_again_and_gives_up_in_the_end() {
    let mut rig = rig(SERVICE);
    let (mut client, _) = search(&mut rig);
    let (_, first) = rig.sent_bytes();
    for _ in 0..2 {
        rig.wait(1_000);
        assert_eq!(rig.step(|turn| client.tick(turn)), None);
        assert_eq!(rig.sent_bytes().1, first);
    }
    rig.wait(999);
    assert_eq!(rig.step(|turn| client.tick(turn)), None);
    rig.wait(1);
    let result = rig.step(|turn| client.tick(turn));
    assert_eq!(result, Some(MdnsResult::Nothing));
    let fault = Fault::Silence;
    assert!(
        rig.events()
            .contains(&EventKind::GaveUp { step: STEP, fault })
    );
}

#[test]
fn stops_telling_of_a_flood() {
    let mut rig = rig(SERVICE);
    let (mut client, _) = search(&mut rig);
    let from = near(&rig);
    let mut told = 0;
    for _ in 0..2 * STRAYS_MAX {
        rig.step(|turn| client.datagram(turn, from, b"hostile"));
        let events = rig.events();
        told += events
            .iter()
            .filter(|kind| matches!(kind, EventKind::Wrong { .. }))
            .count();
    }
    assert_eq!(told, STRAYS_MAX as usize);
}
