//! Conditions of links really happen, on both attachments, and are counted: to datagrams, to TCP
//! connections, to FTP.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bootstorm::drive::tls::Trust;
use bootstorm::provision::{self, LOOPBACK_POOL, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::reference::adapter::{Adapter, Bind};
use bootstorm::reference::certificate::Authority;
use bootstorm::run::{self, Ended, Orders};
use bootstorm::subject::Subject;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;
use bootstorm_scenarios::wire::record::Record;
use bootstorm_scenarios::wire::{Carrier, Way};

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attach {
    Memory,
    Loopback,
}

const BOTH: [Attach; 2] = [Attach::Memory, Attach::Loopback];
const RECORD_BYTES: usize = 1 << 20;
/// How much later than due something may be on a busy machine.
const SLACK: Duration = Duration::from_millis(600);

/// One fleet on a link.
struct World {
    phones: u32,
    transport: &'static str,
    /// Lines of the fleet.
    fleet: &'static str,
    /// Lines of `[fleet.link]`.
    link: &'static str,
    deadline_s: u32,
}

const TFTP: World = World {
    phones: 4,
    transport: "tftp",
    fleet: "layout = \"tree\"\nprofiles = { \"plug-n-dial/bva8051\" = 1 }\nsource = \"dhcp\"\n\
            own = { local_sip_port = \"5060\" }",
    link: "",
    deadline_s: 30,
};
/// A firmware of 100,000 bytes.
const HTTP: World = World {
    transport: "http",
    fleet: "layout = \"app\"\nprofiles = { \"plug-n-dial/lr8051s-http\" = 1 }\n\
            source = \"dhcp\"\nown = { local_sip_port = \"5060\" }\nfirmware = \"2.1.0\"\nfirmware_bytes = 100000",
    ..TFTP
};
const FTP: World = World {
    transport: "ftp",
    fleet: "layout = \"own-name\"\nprofiles = { \"flyingvoice/fip13g\" = 1 }\n\
            source = \"fixed\"\nweb = { pnp_enable = \"0\", option_66_enable = \"0\" }\n\
            own = { \"lang.gui\" = \"English\" }",
    ..TFTP
};

impl World {
    fn plan(&self, server: Ipv4Addr) -> Arc<Plan> {
        let Self {
            phones,
            transport,
            fleet,
            link,
            deadline_s,
        } = self;
        let text = format!(
            "name = \"links\"\ntime_scale = 0\ndeadline_s = {deadline_s}\n\
             [[fleet]]\nname = \"all\"\nphones = {phones}\ntransport = \"{transport}\"\n{fleet}\n\
             [fleet.link]\n{link}\n"
        );
        let scenario = scenario::read("links.toml", &text).unwrap_or_else(|it| panic!("{it}"));
        let plan = Plan::new(scenario, &ProfileSet::built_in(), server);
        Arc::new(plan.expect("a plan"))
    }

    fn boot(&self, attach: Attach) -> Ended {
        self.boot_as(attach, None)
    }

    fn boot_as(&self, attach: Attach, only: Option<u32>) -> Ended {
        let orders = Orders {
            shards: 1,
            only,
            record_bytes: RECORD_BYTES,
            transcript: true,
            ..Orders::default()
        };
        let made = |server, pool| {
            let plan = self.plan(server);
            let source = provision::tree(&plan).expect("content");
            let reference = Reference::new(provision::reference(&plan, source, pool));
            (plan, reference)
        };
        if attach == Attach::Memory {
            let (plan, reference) = made(SIMULATED_SERVER, SIMULATED_POOL);
            return run::simulate(&plan, reference, &orders).expect("a run");
        }
        let (plan, reference) = made(Ipv4Addr::LOCALHOST, LOOPBACK_POOL);
        let bind = Bind {
            dhcp_port: Some(0),
            tftp_port: Some(0),
            ftp_port: Some(0),
            http_port: Some(0),
            ..Bind::loopback()
        };
        let server = Adapter::start(reference, &bind).expect("a server");
        let endpoints = *server.endpoints();
        let subject = Subject {
            dhcp: endpoints.dhcp,
            tftp: endpoints.tftp,
            ftp: endpoints.ftp,
            http: endpoints.http,
            ..Subject::at(Ipv4Addr::LOCALHOST)
        };
        let factory = Authority::factory().expect("a factory");
        let trust = Trust::new(b"", factory).expect("nobody trusted");
        let ended = run::loopback(&plan, &subject, &Arc::new(trust), &orders).expect("a run");
        server.stop().expect("a sound server");
        ended
    }
}

#[track_caller]
fn everybody(ended: &Ended, outcome: Outcome) {
    let phones = ended.report.phones().iter();
    let others: Vec<_> = phones.filter(|phone| phone.outcome != outcome).collect();
    let log = String::from_utf8_lossy(&ended.transcript);
    assert!(others.is_empty(), "{others:?}\n{log}");
}

/// The number before a word in what the report says of the links; 0 where it is not said.
fn counted(ended: &Ended, word: &str) -> u64 {
    let mut notes = ended.report.facts().notes.iter();
    let note = notes.find(|note| note.contains("links carried"));
    let note = note.unwrap_or_else(|| panic!("no note: {:?}", ended.report.facts().notes));
    let words: Vec<_> = note.split([' ', ',', '(', ')']).collect();
    let place = words.iter().position(|it| *it == word);
    place.map_or(0, |at| words[at - 1].parse().expect("a number"))
}

/// A packet as the tests look at it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    at: Moment,
    way: Way,
    /// The TFTP operation, or what part of a connection.
    what: String,
    length: u32,
}

fn seen(record: &mut Record) -> Vec<Seen> {
    let mut all = Vec::new();
    record.for_each(|packet| {
        let what = match packet.carrier {
            Carrier::Udp if packet.peer.port() == 69 => "rrq".to_owned(),
            Carrier::Udp if packet.bytes.starts_with(&[0, 3]) => "data".to_owned(),
            Carrier::Udp if packet.bytes.starts_with(&[0, 4]) => "ack".to_owned(),
            Carrier::Udp => "other".to_owned(),
            Carrier::Tcp { part, .. } => format!("{part:?}"),
        };
        all.push(Seen {
            at: packet.at,
            way: packet.way,
            what,
            length: packet.length,
        });
    });
    all
}

/// From each packet of one kind to the next one of the other.
fn between(seen: &[Seen], first: &str, then: &str) -> Vec<Duration> {
    let mut began = None;
    let mut took = Vec::new();
    for packet in seen {
        if packet.what == first {
            began = began.or(Some(packet.at));
        } else if packet.what == then {
            took.extend(began.take().map(|began| packet.at.since(began)));
        }
    }
    took
}

#[test]
fn datagrams_are_lost_and_doubled_as_often_as_the_scenario_says() {
    for attach in BOTH {
        let world = World {
            phones: 300,
            link: "loss_per_mille = 40\nduplicate_per_mille = 100",
            deadline_s: 3,
            ..TFTP
        };
        let ended = world.boot(attach);
        let [datagrams, lost, twice] =
            ["datagrams", "lost", "delivered"].map(|word| counted(&ended, word));
        assert!(datagrams > 3_000, "{attach:?}: {datagrams}");
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let within = |count: u64, of: u64, share: f64| {
            let (count, of) = (count as f64, of as f64);
            let deviation = (of * share * (1.0 - share)).sqrt();
            (count - of * share).abs() < 4.0 * deviation
        };
        assert!(
            within(lost, datagrams, 0.04),
            "{attach:?}: {lost} of {datagrams}"
        );
        assert!(
            within(twice, datagrams - lost, 0.1),
            "{attach:?}: {twice} of {datagrams}"
        );
    }
}

#[test]
fn no_answer_comes_before_the_delay_there_and_back() {
    let round = Duration::from_millis(80);
    for attach in BOTH {
        let world = World {
            link: "delay_ms = 40",
            ..TFTP
        };
        let mut ended = world.boot(attach);
        everybody(&ended, Outcome::Provisioned);
        for (_, record) in &mut ended.records {
            let seen = seen(record);
            let took = between(&seen, "rrq", "data");
            assert!(took.len() >= 3, "{attach:?}: {seen:?}");
            assert!(took.iter().all(|it| *it >= round), "{attach:?}: {took:?}");
            assert!(
                took.iter().any(|it| *it < round + SLACK),
                "{attach:?}: {took:?}"
            );
        }
    }
}

#[test]
fn connections_take_their_rounds_and_requests_theirs() {
    let round = Duration::from_millis(80);
    for attach in BOTH {
        let world = World {
            link: "delay_ms = 40",
            ..HTTP
        };
        let mut ended = world.boot(attach);
        everybody(&ended, Outcome::Provisioned);
        for (_, record) in &mut ended.records {
            let seen = seen(record);
            for took in [
                between(&seen, "Opening", "Opened"),
                between(&seen, "Opened", "Data"),
            ] {
                assert!(!took.is_empty(), "{attach:?}: {seen:?}");
            }
            let opened = between(&seen, "Opening", "Opened");
            assert!(
                opened.iter().all(|it| *it >= round),
                "{attach:?}: {opened:?}"
            );
            let mut asked = None;
            for packet in seen.iter().filter(|packet| packet.what == "Data") {
                match (packet.way, asked.take()) {
                    (Way::Sent, _) => asked = Some(packet.at),
                    (Way::Received, Some(asked)) => assert!(packet.at.since(asked) >= round),
                    (Way::Received, None) => {}
                }
            }
        }
    }
}

/// From the first to the last byte of what came on the phone's connections.
fn streamed(ended: &mut Ended) -> Vec<(u64, Duration)> {
    let records = ended.records.iter_mut().map(|(_, record)| seen(record));
    let all = records.map(|seen| {
        let opened = seen
            .iter()
            .find(|it| it.what == "Opened")
            .expect("opened")
            .at;
        let mut came = seen
            .iter()
            .filter(|it| it.what == "Data" && it.way == Way::Received);
        let bytes = came.clone().map(|it| u64::from(it.length)).sum();
        let last = came.next_back().expect("something came").at;
        (bytes, last.since(opened))
    });
    all.collect()
}

#[test]
fn a_narrow_link_takes_the_time_of_the_bytes_by_http_and_ftp() {
    for attach in BOTH {
        for (world, least) in [(HTTP, 100_000), (FTP, 20)] {
            let transport = world.transport;
            let world = World {
                link: "bandwidth_kbit_s = 800",
                ..world
            };
            let mut ended = world.boot(attach);
            everybody(&ended, Outcome::Provisioned);
            if transport == "ftp" {
                assert_eq!(counted(&ended, "connections"), 4, "{attach:?}");
                continue;
            }
            for (bytes, took) in streamed(&mut ended) {
                assert!(bytes > least, "{attach:?} {transport}: {bytes}");
                // 100 bytes a millisecond, and three in a hundred for headers.
                let expected = Duration::from_millis(bytes / 100);
                assert!(
                    took >= expected,
                    "{attach:?} {transport}: {bytes} in {took:?}"
                );
                let most = expected.mul_f64(1.1) + SLACK;
                assert!(took <= most, "{attach:?} {transport}: {bytes} in {took:?}");
            }
        }
    }
}

#[test]
fn a_narrow_link_takes_the_time_of_the_bytes_by_tftp() {
    for attach in BOTH {
        let world = World {
            fleet: "layout = \"tree\"\nprofiles = { \"plug-n-dial/bva8051\" = 1 }\n\
                    source = \"dhcp\"\npad_bytes = 51200\nown = { local_sip_port = \"5060\" }",
            link: "bandwidth_kbit_s = 800",
            ..TFTP
        };
        let mut ended = world.boot(attach);
        everybody(&ended, Outcome::Provisioned);
        for (_, record) in &mut ended.records {
            let seen = seen(record);
            let mut data = seen.iter().filter(|it| it.what == "data");
            let acks = seen.iter().filter(|it| it.what == "ack");
            let bytes: u64 = data
                .clone()
                .chain(acks)
                .map(|it| u64::from(it.length) + 28)
                .sum();
            let (first, last) = (
                data.clone().next().expect("data").at,
                data.next_back().expect("data").at,
            );
            let (took, expected) = (last.since(first), Duration::from_millis(bytes / 100));
            assert!(
                took + Duration::from_millis(20) >= expected,
                "{attach:?}: {took:?} {expected:?}"
            );
            assert!(
                took <= expected.mul_f64(1.5) + SLACK,
                "{attach:?}: {took:?} {expected:?}"
            );
        }
    }
}

#[test]
fn connections_are_reset_in_the_middle_and_the_phone_says_so() {
    for attach in BOTH {
        for world in [HTTP, FTP] {
            let after = if world.transport == "ftp" { 10 } else { 20_000 };
            let world = World {
                link: match after {
                    10 => "reset_after_bytes = 10\nreset_per_mille = 1000",
                    _ => "reset_after_bytes = 20000",
                },
                deadline_s: 10,
                ..world
            };
            let ended = world.boot(attach);
            let log = String::from_utf8_lossy(&ended.transcript).into_owned();
            let reset = counted(&ended, "reset");
            assert!(reset >= 4, "{attach:?} {}: {reset}\n{log}", world.transport);
            assert!(log.contains("connection broken"), "{attach:?}: {log}");
        }
    }
}

#[test]
fn a_stalled_connection_is_silent_as_long_as_it_is_told_and_goes_on() {
    for attach in BOTH {
        let world = World {
            link: "stall = { after_bytes = 1000, for_ms = 700 }",
            ..HTTP
        };
        let mut ended = world.boot(attach);
        everybody(&ended, Outcome::Provisioned);
        assert_eq!(
            counted(&ended, "stalled"),
            4,
            "{attach:?}: those of the image"
        );
        for (_, took) in streamed(&mut ended) {
            assert!(took >= Duration::from_millis(700), "{attach:?}: {took:?}");
            assert!(
                took <= Duration::from_millis(700) + SLACK,
                "{attach:?}: {took:?}"
            );
        }
    }
}

#[test]
fn a_phone_alone_meets_what_it_met_among_others() {
    let world = World {
        phones: 40,
        link: "loss_per_mille = 150\njitter_ms = 30\ndelay_ms = 5\nduplicate_per_mille = 100",
        deadline_s: 600,
        ..TFTP
    };
    let mut among = world.boot(Attach::Memory);
    for index in [0, 17, 39] {
        let mut alone = world.boot_as(Attach::Memory, Some(index));
        let (_, own) = &mut alone.records[0];
        let (_, same) = &mut among.records[index as usize];
        let own = seen(own);
        assert!(own.len() > 10);
        for (one, other) in own.iter().zip(&seen(same)) {
            assert_eq!(one, other, "phone {index}");
        }
        // The run of many goes on when this one is at rest.
        assert!(own.len() <= seen(same).len());
    }
    let mut other = world.boot(Attach::Memory);
    let of = |ended: &mut Ended, at: usize| seen(&mut ended.records[at].1);
    assert_eq!(of(&mut other, 5), of(&mut among, 5));
    assert_ne!(of(&mut other, 5), of(&mut among, 6));
}

#[test]
fn nothing_is_told_of_links_without_conditions() {
    let ended = TFTP.boot(Attach::Memory);
    everybody(&ended, Outcome::Provisioned);
    let notes = &ended.report.facts().notes;
    assert!(
        !notes.iter().any(|note| note.contains("links")),
        "{notes:?}"
    );
}
