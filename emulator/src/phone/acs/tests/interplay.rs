//! Sessions, ordered downloads, runs and the lease of one phone: none stands in another's way.

use super::*;
use crate::event::{BootCause, RunResult, Trigger};
use crate::limits::REBOOTS_PER_HOUR_MAX;
use crate::phone::io::WebAction;
use crate::phone::stage::StageName;

const CONFIG: &str = "3 Vendor Configuration File";
const URL: &str = "http://10.0.0.5/a.cfg";

/// A phone whose lease lasts ten minutes, in a session.
fn leased_for_ten_minutes() -> Bench {
    let stand = Stand::new(LINES).web(Param::ResyncOnReset, "0");
    met(stand.leased_for(600, &[], b""))
}

/// A phone in a session in which it may be told something.
fn met(stand: Stand) -> Bench {
    let mut bench = Bench {
        stand,
        head: String::new(),
        body: Vec::new(),
        connection: Connection(0),
    };
    bench.inform();
    bench.accept();
    bench
}

fn order_in(bench: &mut Bench, delay_s: u32) {
    let answer = bench.call(Message::Download(Box::new(Download {
        key: "M Download".into(),
        file_type: CONFIG.into(),
        url: URL.into(),
        delay_s,
        ..Download::default()
    })));
    assert!(matches!(answer, Message::DownloadResponse { .. }));
    bench.end();
}

fn serve(bench: &mut Bench, body: &str) {
    bench.stand.open();
    bench.stand.take_written();
    bench.stand.answer("200", "", body);
}

#[test]
fn a_server_whose_url_is_none_holds_up_no_run() {
    let lines = LINES.replace("http://10.0.0.2:8080/openacs/acs", "http://");
    let source = "[discovery]\norder = [\"acs\"]\n[sources.acs]\nkind = \"acs\"\n";
    let stand = Stand::new(&format!("{lines}{source}enabled_by = [\"acs_enable\"]\n"));
    let stand = stand.leased(&[], b"");
    assert!(stand.has(EventKind::RunEnded(RunResult::NoCandidate)));
    assert!(stand.phone.is_settled());
}

#[test]
fn goes_on_where_the_limit_on_reboots_forbids_a_factory_reset() {
    let mut bench = Bench::new("");
    for _ in 0..REBOOTS_PER_HOUR_MAX {
        bench.stand.input(Input::Web(WebAction::Reboot));
        bench.stand.power(&[], b"");
    }
    bench.inform();
    bench.accept();
    assert_eq!(
        bench.call(Message::FactoryReset),
        Message::FactoryResetResponse
    );
    bench.end();
    assert!(!bench.has(EventKind::Booting(BootCause::FactoryReset)));
    assert!(bench.stand.phone.is_settled());
}

// FAN-122: what was ordered is one file, also when a lost lease broke it off.
#[test]
fn takes_up_the_ordered_file_alone_after_a_lost_lease() {
    let mut bench = leased_for_ten_minutes();
    order_in(&mut bench, 590);
    bench.stand.pass_seconds(592);
    bench.stand.open();
    bench.stand.pass_seconds(9);
    assert!(bench.has(EventKind::LeaseLost));
    assert_eq!(bench.stand.phone.stage(), StageName::Addressing);
    bench.stand.events.clear();
    bench.stand.lease(&[], b"");
    assert_eq!(
        bench.stand.count(EventKind::RunStarted(Trigger::Download)),
        1
    );
    serve(&mut bench, "phone.name = bob\n");
    let file = format!("{} {URL}", u8::MAX);
    assert_eq!(bench.stand.candidates(), [file]);
    assert_eq!(bench.stand.setting("phone.name"), "bob");
}

#[test]
fn keeps_the_key_of_a_scheduled_session_that_a_lost_lease_broke_off() {
    let mut bench = leased_for_ten_minutes();
    bench.call(Message::ScheduleInform {
        delay_s: 590,
        key: "later".into(),
    });
    bench.end();
    bench.stand.pass_seconds(592);
    bench.inform();
    bench.stand.pass_seconds(9);
    assert!(bench.has(EventKind::LeaseLost));
    bench.stand.lease(&[], b"");
    let inform = bench.inform();
    assert_eq!(codes(&inform), ["3 SCHEDULED", "M ScheduleInform"]);
    assert_eq!(inform.events[1].1, "later");
}

#[test]
fn an_ordered_file_does_not_put_off_the_next_period() {
    let stand = Stand::new(LINES)
        .web(Param::ResyncOnReset, "0")
        .web(Param::PeriodicS, "1000");
    let mut bench = met(stand.leased(&[], b""));
    order_in(&mut bench, 600);
    bench.stand.pass_seconds(601);
    assert!(bench.has(EventKind::RunStarted(Trigger::Download)));
    serve(&mut bench, "phone.name = bob\n");
    assert!(!bench.has(EventKind::RunStarted(Trigger::Period)));
    bench.stand.pass_seconds(400);
    assert!(bench.has(EventKind::RunStarted(Trigger::Period)));
}

#[test]
fn a_run_that_reboots_or_is_shut_down_ends_once() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    order_in(&mut bench, 0);
    serve(&mut bench, "network.vlan = 7\n");
    assert!(bench.has(EventKind::Booting(BootCause::Settings)));
    let ends = |bench: &Bench| {
        let ends = bench.stand.events.iter();
        let ends = ends.filter(|kind| matches!(kind, EventKind::RunEnded(_)));
        ends.copied().collect::<Vec<_>>()
    };
    assert_eq!(ends(&bench), [EventKind::RunEnded(RunResult::Complete)]);
    bench.stand.events.clear();
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    order_in(&mut bench, 0);
    bench.stand.input(Input::ShutDown);
    assert_eq!(ends(&bench), [EventKind::RunEnded(RunResult::Aborted)]);
}

#[test]
fn no_run_takes_the_connections_of_sessions() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench.stand.phone.life.carried.connection = 0x7fff;
    bench.download(CONFIG, URL);
    bench.download(CONFIG, "http://10.0.0.6/b.cfg");
    bench.end();
    let newest = |bench: &Bench| bench.stand.opened.last().map(|(id, _)| id.0);
    assert_eq!(newest(&bench), Some(0x7fff));
    serve(&mut bench, "phone.name = bob\n");
    // The first is told; then comes the second.
    bench.inform();
    bench.respond(Message::InformResponse { max_envelopes: 1 });
    bench.post();
    bench.respond(Message::TransferCompleteResponse);
    bench.post();
    bench.end();
    assert_eq!(newest(&bench), Some(0));
    serve(&mut bench, "phone.name = eve\n");
    assert_eq!(bench.stand.setting("phone.name"), "eve");
}
