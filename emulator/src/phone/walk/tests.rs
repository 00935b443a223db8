//! Whole walks of a phone that asks for a general and a device file at once.

mod changes;
mod fleet;
mod modules;
mod resources;
mod site;

use super::super::io::{Channel, Connection, Input};
use crate::event::{EventKind, Fault, File, RunResult};
use crate::phone::stand::Stand;
use crate::profile::{Param, StepId};
use site::{Site, applied, phone, phone_with};

const GENERAL: &str = "/X4/F0.cfg";
const DEVICE: &str = "/X4/00095200000e.cfg";
const FIRST: StepId = StepId(StepId::FIRST_FETCH);
const SECOND: StepId = StepId(StepId::FIRST_FETCH + 1);

// FAN-07, FAN-87, WIRE-07: HTTP needs two connections, and the general file is asked for first.
#[test]
fn asks_for_both_files_at_once() {
    let mut stand = phone("http://10.0.0.2/X4/$mac.cfg").leased(&[], b"");
    assert_eq!(stand.opened.len(), 1);
    let begun = stand.now;
    stand.tick();
    let pause = stand.now.since(begun);
    assert!((1..=2).contains(&pause.as_millis()), "{pause:?}");
    let opened = stand.opened.clone();
    assert_eq!(opened.len(), 2);
    assert_ne!(opened[0].0, opened[1].0);
    for (connection, _) in opened {
        stand.input(Input::Opened(connection));
    }
    let written = stand.take_written();
    let lines: Vec<&str> = written.iter().map(|(_, text)| site::path(text)).collect();
    assert_eq!(lines, [GENERAL, DEVICE]);
}

// FAN-87, WIRE-07: over TFTP each file has a port of its own; FAN-86 is the run's business.
#[test]
fn asks_for_both_files_from_two_ports() {
    let mut stand = phone("tftp://10.0.0.2/$mac.cfg").leased(&[], b"");
    stand.tick();
    let sent = stand.take_sent();
    let requests: Vec<_> = sent.iter().filter(|(_, to, _)| to.port() == 69).collect();
    assert_eq!(requests.len(), 2);
    assert_ne!(requests[0].0, requests[1].0);
    assert!(requests[0].2.starts_with(b"\0\x01F0.cfg\0"));
    assert!(requests[1].2.starts_with(b"\0\x0100095200000e.cfg\0"));
    // Blocks that come in any order, each to its own transfer; the server's ports differ too.
    let (general, device) = (requests[0].0, requests[1].0);
    stand.datagram(device, 2_001, b"\0\x03\0\x01account.1.label=own\n");
    assert!(applied(&stand).is_empty());
    stand.datagram(general, 2_000, b"\0\x03\0\x01account.1.label=all\n");
    assert_eq!(stand.setting("account.1.label"), "own");
    let acks = stand.take_sent();
    let acked: Vec<Channel> = acks.iter().map(|(channel, ..)| *channel).collect();
    assert_eq!(acked, [device, general]);
    assert!(stand.has(EventKind::RunEnded(RunResult::Complete)));
}

// FAN-14: whichever arrives first.
#[test]
fn applies_the_device_file_last() {
    for device_first in [false, true] {
        let mut site = Site::new(&[
            (GENERAL, "account.1.label=all\naccount.2.label=all\n"),
            (DEVICE, "account.1.label=own\n"),
        ]);
        site.last_first = device_first;
        let mut stand = phone("http://10.0.0.2/X4/$mac.cfg").leased(&[], b"");
        site.serve(&mut stand);
        assert_eq!(stand.setting("account.1.label"), "own");
        assert_eq!(stand.setting("account.2.label"), "all");
        assert_eq!(applied(&stand), [File::Step(FIRST), File::Step(SECOND)]);
        assert!(stand.has(EventKind::RunEnded(RunResult::Complete)));
    }
}

// FAN-15: one that is missing changes nothing for the other; without either nothing was had.
#[test]
fn goes_on_without_either_file() {
    for (present, lost, end) in [
        (DEVICE, FIRST, RunResult::Complete),
        (GENERAL, SECOND, RunResult::Complete),
        ("/else", FIRST, RunResult::NothingFetched),
    ] {
        let mut site = Site::new(&[(present, "account.1.label=x\n")]);
        let mut stand = phone("http://10.0.0.2/X4/$mac.cfg").leased(&[], b"");
        site.serve(&mut stand);
        let file = File::Step(lost);
        assert!(
            stand.has(EventKind::Missing { step: lost, file }),
            "{present}"
        );
        assert!(stand.has(EventKind::RunEnded(end)), "{present}");
        assert_eq!(site.asked, [GENERAL, DEVICE]);
    }
}

// FAN-87: one that is silent holds up neither the other's transfer nor, once given up, the run.
#[test]
fn survives_a_server_that_answers_only_one() {
    let mut site = Site::new(&[(DEVICE, "account.1.label=own\n")]);
    site.silent = vec![GENERAL.to_owned()];
    let mut stand = phone("http://10.0.0.2/X4/$mac.cfg").leased(&[], b"");
    site.serve(&mut stand);
    let fault = Fault::Silence;
    assert!(stand.has(EventKind::GaveUp { step: FIRST, fault }));
    assert_eq!(stand.setting("account.1.label"), "own");
    assert!(stand.has(EventKind::RunEnded(RunResult::Partial)));
    // Nothing stays open.
    let left = stand
        .opened
        .iter()
        .filter(|(id, _)| !stand.closed.contains(id));
    assert_eq!(left.filter(|(id, _)| !site.hung_up.contains(id)).count(), 0);
}

// FAN-05, FAN-49 … FAN-62, FAN-103: where the files are, by what the URL says.
#[test]
fn finds_both_files_by_the_url() {
    let own = "/00095200000e.cfg";
    for (url, expected) in [
        // FAN-56, FAN-60
        ("http://10.0.0.2/X4/$mac.cfg", [GENERAL, DEVICE]),
        // FAN-55
        ("http://10.0.0.2/X4/", [GENERAL, DEVICE]),
        ("http://10.0.0.2", ["/F0.cfg", own]),
        ("http://10.0.0.2/", ["/F0.cfg", own]),
        // FAN-103
        (
            "http://10.0.0.2:5000/provisioning/zheisBy8jij2/",
            [
                "/provisioning/zheisBy8jij2/F0.cfg",
                "/provisioning/zheisBy8jij2/00095200000e.cfg",
            ],
        ),
        // FAN-24, FAN-54, FAN-58: any name, also one that looks like a directory
        ("http://10.0.0.2/a/name1.cfg", ["/a/F0.cfg", "/a/name1.cfg"]),
        ("http://10.0.0.2/a/name1", ["/a/F0.cfg", "/a/name1"]),
        // FAN-59, FAN-61
        (
            "http://10.0.0.2/mac.cfg?mac=$mac.cfg",
            ["/F0.cfg", "/mac.cfg?mac=00095200000e.cfg"],
        ),
        (
            "http://10.0.0.2/a/p.php?file=a/b.cfg",
            ["/a/F0.cfg", "/a/p.php?file=a/b.cfg"],
        ),
        (
            "http://10.0.0.2/a/?mac=$mac",
            ["/a/F0.cfg", "/a/00095200000e.cfg?mac=00095200000e"],
        ),
        // FAN-62
        ("http://redirect.test/$mac.cfg", ["/F0.cfg", own]),
    ] {
        let mut site = Site::new(&[]);
        let mut stand = phone(url).leased(&[], b"");
        site.serve(&mut stand);
        assert_eq!(site.asked, expected, "{url}");
    }
}

// FAN-49, FAN-53: port and path; FAN-50, FAN-51: credentials of the URL go with both files.
#[test]
fn takes_port_and_credentials_from_the_url() {
    let url = "http://user:password@10.0.0.2:8080/X4/$mac.cfg";
    let mut stand = phone_with(&[(Param::ServerUrl, url), (Param::AuthMethod, "basic")]);
    stand = stand.leased(&[], b"");
    stand.tick();
    let ports: Vec<u16> = stand.opened.iter().map(|(_, to)| to.port()).collect();
    assert_eq!(ports, [8_080, 8_080]);
    let mut site = Site::new(&[
        (GENERAL, "account.1.label=a\n"),
        (DEVICE, "account.2.label=b\n"),
    ]);
    site.locked = Some("Basic dXNlcjpwYXNzd29yZA==".to_owned());
    site.serve(&mut stand);
    assert_eq!(stand.setting("account.1.label"), "a");
    assert_eq!(stand.setting("account.2.label"), "b");
}

// FAN-08: of two files of one name only one is downloaded.
#[test]
fn asks_once_for_one_name() {
    let mut site = Site::new(&[(GENERAL, "account.1.label=all\n")]);
    let mut stand = phone("http://10.0.0.2/X4/F0.cfg").leased(&[], b"");
    site.serve(&mut stand);
    assert_eq!(site.asked, [GENERAL]);
    assert!(stand.has(EventKind::RunEnded(RunResult::Complete)));
    // Without the general file it is the device's.
    let url = (Param::ServerUrl, "http://10.0.0.2/X4/F0.cfg");
    let mut stand = phone_with(&[url, (Param::DownloadCommon, "0")]).leased(&[], b"");
    site.asked.clear();
    site.serve(&mut stand);
    assert_eq!(site.asked, [GENERAL]);
    assert_eq!(applied(&stand), [File::Step(SECOND)]);
}

// FAN-07: "usually" two files.
#[test]
fn leaves_the_general_file_out_where_it_is_told_to() {
    let url = (Param::ServerUrl, "http://10.0.0.2/X4/$mac.cfg");
    let mut stand = phone_with(&[url, (Param::DownloadCommon, "0")]).leased(&[], b"");
    let mut site = Site::new(&[
        (GENERAL, "account.1.label=a\n"),
        (DEVICE, "account.2.label=b\n"),
    ]);
    site.serve(&mut stand);
    assert_eq!(site.asked, [DEVICE]);
    assert_eq!(applied(&stand), [File::Step(SECOND)]);
}

// WIRE-07: what either transfer opens, no other has; also where each is redirected.
#[test]
fn never_gives_a_connection_number_twice() {
    let mut site = Site::new(&[("/g", "account.1.label=a\n"), ("/d", "account.2.label=b\n")]);
    site.moved = vec![
        (GENERAL.to_owned(), "http://10.0.0.3/g".to_owned()),
        (DEVICE.to_owned(), "http://10.0.0.4/d".to_owned()),
    ];
    let mut stand = phone("http://10.0.0.2/X4/$mac.cfg").leased(&[], b"");
    site.serve(&mut stand);
    assert_eq!(stand.setting("account.1.label"), "a");
    assert_eq!(stand.setting("account.2.label"), "b");
    let mut numbers: Vec<Connection> = stand.opened.iter().map(|(id, _)| *id).collect();
    assert_eq!(numbers.len(), 4);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4);
}

// RFC 1350 §6: the last ACK of either transfer may be lost, whichever ended first. While the walk
// goes on with a task both are known; FAN-87 with WIRE-07: no port is used twice.
#[test]
fn acknowledges_the_last_block_of_either_file_again() {
    let mut stand = phone("tftp://10.0.0.2/$mac.cfg").leased(&[], b"");
    stand.tick();
    let ports = |stand: &mut Stand| -> Vec<(Channel, Vec<u8>)> {
        let sent = stand.take_sent().into_iter();
        sent.map(|(channel, _, bytes)| (channel, bytes)).collect()
    };
    let requests = ports(&mut stand);
    let (general, device) = (
        requests[requests.len() - 2].0,
        requests[requests.len() - 1].0,
    );
    let text = b"\0\x03\0\x01auto.book=tftp://10.0.0.2/b.csv\n";
    stand.datagram(general, 2_000, text);
    stand.datagram(device, 2_001, text);
    let ack = b"\0\x04\0\x01".to_vec();
    assert_eq!(
        ports(&mut stand),
        [(general, ack.clone()), (device, ack.clone())]
    );
    for (channel, port) in [(device, 2_001), (general, 2_000)] {
        stand.datagram(channel, port, text);
        assert_eq!(ports(&mut stand), [(channel, ack.clone())]);
    }
    while stand.sent().is_empty() {
        stand.tick();
    }
    let third = stand.sent()[0].0;
    assert!(third != general && third != device, "{third:?}");
}
