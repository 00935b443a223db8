use super::*;
use crate::event::{BootCause, RunResult, Trigger};
use crate::wire::soap::TransferComplete;

const CONFIG: &str = "3 Vendor Configuration File";

fn ordered(file_type: &str, url: &str) -> Bench {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    let answer = bench.download(file_type, url);
    let Message::DownloadResponse {
        status: 1, start, ..
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!(start, soap::UNKNOWN_TIME);
    assert!(!bench.stand.phone.is_settled());
    bench.end();
    assert!(!bench.stand.phone.is_settled(), "a download is to be done");
    bench
}

/// Answers the Inform, takes TransferComplete, ends the session.
fn complete(bench: &mut Bench) -> TransferComplete<'static> {
    let inform = bench.inform();
    let codes = codes(&inform);
    assert!(
        codes.ends_with(&["7 TRANSFER COMPLETE".to_owned(), "M Download".to_owned()]),
        "{codes:?}"
    );
    assert_eq!(inform.events.last().unwrap().1, "M Download");
    bench.respond(Message::InformResponse { max_envelopes: 1 });
    bench.post();
    let message = soap::read(bench.body.clone().leak()).unwrap().message;
    let Message::TransferComplete(transfer) = message else {
        panic!("{message:?}");
    };
    bench.respond(Message::TransferCompleteResponse);
    assert!(bench.post().body.is_empty());
    bench.end();
    transfer
}

fn served(bench: &mut Bench, status: &str, body: &str) {
    bench.stand.open();
    let asked = bench.stand.take_written();
    assert!(
        asked.iter().all(|(_, text)| text.starts_with("GET ")),
        "{asked:?}"
    );
    bench.stand.answer(status, "", body);
}

// FAN-119, FAN-122.
#[test]
fn applies_an_ordered_configuration_and_reports_it() {
    let mut bench = ordered(CONFIG, "http://10.0.0.5/config.txt");
    assert!(bench.has(EventKind::RunStarted(Trigger::Download)));
    served(&mut bench, "200", "phone.name = bob\n");
    assert!(bench.has(EventKind::RunEnded(RunResult::Complete)));
    let transfer = complete(&mut bench);
    assert_eq!(
        (&*transfer.key, transfer.fault, &*transfer.fault_text),
        ("M Download", 0, "")
    );
    assert!(bench.has(EventKind::TransferReported { fault: 0 }));
    assert!(bench.stand.phone.is_settled());
    assert!(
        bench
            .stand
            .phone
            .flash()
            .acs()
            .unwrap()
            .transfers
            .is_empty()
    );
    let key = bench.stand.shelf.keys.find("phone.name").unwrap();
    assert_eq!(
        bench.stand.phone.flash().settings.held(key).unwrap().value,
        "bob"
    );
    // It is told once.
    bench.stand.pass_seconds(3_601);
    assert_eq!(codes(&bench.inform()), ["2 PERIODIC"]);
}

// FAN-125.
#[test]
fn reports_the_same_content_again_as_success_without_an_update() {
    let mut bench = ordered(CONFIG, "http://10.0.0.5/config.txt");
    served(&mut bench, "200", "phone.name = bob\n");
    complete(&mut bench);
    let applied = |bench: &Bench| {
        let events = bench.stand.events.iter();
        events
            .filter(|kind| matches!(kind, EventKind::Applied { .. }))
            .count()
    };
    assert_eq!(applied(&bench), 1);
    bench.stand.pass_seconds(3_601);
    bench.inform();
    bench.accept();
    bench.download(CONFIG, "http://10.0.0.5/config.txt");
    bench.end();
    served(&mut bench, "200", "phone.name = bob\n");
    assert_eq!(complete(&mut bench).fault, 0);
    assert_eq!(applied(&bench), 1);
    assert!(bench.stand.phone.is_settled());
}

// FAN-122: the credentials of the call.
#[test]
fn shows_the_credentials_of_the_order() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench.call(Message::Download(Box::new(Download {
        key: "M Download".into(),
        file_type: CONFIG.into(),
        url: "http://10.0.0.5/config.txt".into(),
        user: "carl".into(),
        password: "1".into(),
        ..Download::default()
    })));
    bench.end();
    bench.stand.open();
    bench.stand.take_written();
    let fields = "WWW-Authenticate: Digest realm=\"f\", nonce=\"n\", qop=\"auth\"\r\n";
    bench.stand.answer("401", fields, "");
    let written = bench.stand.take_written();
    let asked = written
        .last()
        .map(|(_, text)| text.as_str())
        .unwrap_or_default();
    // The profile of this phone answers no challenge; where it does, it is with these.
    assert!(
        asked.is_empty() || asked.contains("username=\"carl\""),
        "{asked}"
    );
}

#[test]
fn reports_why_a_download_failed() {
    for (status, body, code) in [
        ("404", "", 9_010),
        ("500", "", 9_010),
        ("200", "<html>", 9_010),
    ] {
        let mut bench = ordered(CONFIG, "http://10.0.0.5/config.txt");
        served(&mut bench, status, body);
        let transfer = complete(&mut bench);
        // CWMP 1.0 knows no finer codes.
        assert_eq!(
            (transfer.fault, &*transfer.fault_text),
            (code, "Download failure"),
            "{status}"
        );
        assert!(bench.stand.phone.is_settled());
    }
}

#[test]
fn names_the_cause_where_the_version_knows_it() {
    for (status, body, code) in [("404", "", 9_016), ("200", "<html>", 9_018)] {
        let mut bench = Bench::new("");
        bench.inform();
        let id = bench.envelope().id.map(Cow::into_owned);
        let response = Message::InformResponse { max_envelopes: 1 };
        bench.say_as(Version::V1_1, id.as_deref(), response);
        bench.post();
        bench.download(CONFIG, "http://10.0.0.5/config.txt");
        bench.end();
        served(&mut bench, status, body);
        bench.inform();
        let id = bench.envelope().id.map(Cow::into_owned);
        let response = Message::InformResponse { max_envelopes: 1 };
        bench.say_as(Version::V1_1, id.as_deref(), response);
        bench.post();
        let Message::TransferComplete(transfer) = bench.envelope().message else {
            panic!("{:?}", bench.body);
        };
        assert_eq!(transfer.fault, code);
    }
}

#[test]
fn installs_ordered_firmware_and_reports_it_after_the_reboot() {
    let mut bench = ordered("1 Firmware Upgrade Image", "http://10.0.0.5/F_V9.9_RC.bin");
    served(&mut bench, "200", "image");
    bench.stand.lease(&[], b"");
    assert!(bench.has(EventKind::Booting(BootCause::Firmware)));
    let transfer = complete(&mut bench);
    assert_eq!(transfer.fault, 0);
    assert_eq!(bench.stand.phone.flash().firmware.as_deref(), Some("V9.9"));
    assert!(bench.stand.phone.is_settled());
}

#[test]
fn reports_firmware_that_is_none_or_runs_already() {
    let mut bench = ordered("1 Firmware Upgrade Image", "http://10.0.0.5/F_V9.9_RC.bin");
    served(&mut bench, "200", "<html>");
    assert_eq!(complete(&mut bench).fault, 9_010);
    let runs = bench.stand.shelf.profiles[0].firmware.clone();
    bench.stand.pass_seconds(3_601);
    bench.inform();
    bench.accept();
    bench.download(
        "1 Firmware Upgrade Image",
        &format!("http://10.0.0.5/F_{runs}_RC.bin"),
    );
    bench.end();
    served(&mut bench, "200", "image");
    assert!(bench.has(EventKind::FirmwareCurrent));
    assert_eq!(complete(&mut bench).fault, 0);
}

#[test]
fn keeps_a_file_of_another_type() {
    let mut bench = ordered("2 Web Content", "http://10.0.0.5/page.zip");
    served(&mut bench, "200", "zip");
    let events = &bench.stand.events;
    assert!(
        events
            .iter()
            .any(|kind| matches!(kind, EventKind::ResourceStored { bytes: 3, .. }))
    );
    assert_eq!(complete(&mut bench).fault, 0);
}

#[test]
fn refuses_orders_that_it_cannot_carry_out() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    for (file_type, url, code) in [
        ("9 Something", "http://10.0.0.5/a", 9_003),
        ("", "http://10.0.0.5/a", 9_003),
        (CONFIG, "/a", 9_003),
        (CONFIG, "gopher://10.0.0.5/a", 9_013),
    ] {
        let answer = bench.download(file_type, url);
        assert_eq!(fault_of(&answer), code, "{file_type} {url}");
    }
    let answer = bench.call(Message::Download(Box::new(Download {
        file_type: CONFIG.into(),
        url: "http://10.0.0.5/a".into(),
        file_size: u32::MAX,
        ..Download::default()
    })));
    assert_eq!(fault_of(&answer), 9_004);
    for _ in 0..crate::limits::ACS_TRANSFERS_MAX {
        let answer = bench.download(CONFIG, "http://10.0.0.5/a");
        assert!(
            matches!(answer, Message::DownloadResponse { .. }),
            "{answer:?}"
        );
    }
    assert_eq!(
        fault_of(&bench.download(CONFIG, "http://10.0.0.5/a")),
        9_004
    );
}

#[test]
fn waits_as_long_as_the_order_says() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench.call(Message::Download(Box::new(Download {
        file_type: CONFIG.into(),
        url: "http://10.0.0.5/a.cfg".into(),
        delay_s: 50,
        ..Download::default()
    })));
    bench.end();
    bench.stand.pass_seconds(49);
    assert_eq!(bench.stand.opened.len(), 1);
    assert!(!bench.stand.phone.is_settled());
    bench.stand.pass_seconds(2);
    assert_eq!(bench.stand.opened.len(), 2);
}

#[test]
fn begins_a_download_again_that_a_power_cut_broke_off_and_gives_up_in_the_end() {
    let mut bench = ordered(CONFIG, "http://10.0.0.5/config.txt");
    for cut in 0..2 {
        bench.stand.input(Input::PowerCut);
        bench.stand.power(&[], b"");
        bench.inform();
        bench.accept();
        bench.end();
        assert_eq!(
            bench.stand.count(EventKind::RunStarted(Trigger::Download)),
            cut + 2
        );
    }
    bench.stand.input(Input::PowerCut);
    bench.stand.power(&[], b"");
    assert_eq!(complete(&mut bench).fault, 9_010);
    assert_eq!(
        bench.stand.count(EventKind::RunStarted(Trigger::Download)),
        3
    );
}

#[test]
fn bounds_the_orders_of_an_hour() {
    let mut bench = Bench::new("");
    let mut orders = 0;
    loop {
        bench.inform();
        bench.respond(Message::InformResponse { max_envelopes: 1 });
        bench.post();
        if !bench.body.is_empty() {
            bench.respond(Message::TransferCompleteResponse);
            bench.post();
        }
        let answer = bench.download(CONFIG, "http://10.0.0.5/a.cfg");
        bench.end();
        if matches!(answer, Message::Fault(_)) {
            assert_eq!(fault_of(&answer), 9_004);
            break;
        }
        orders += 1;
        served(&mut bench, "200", "phone.name = bob\n");
    }
    assert_eq!(orders, usize::from(crate::limits::ACS_ORDERS_PER_HOUR_MAX));
    assert!(bench.stand.phone.is_settled());
}
