use super::*;
use crate::event::BootCause;
use crate::limits::ACS_MESSAGES_MAX;
use crate::phone::stage::StageName;

// FAN-113, FAN-116, FAN-117, FAN-118, FAN-143.
#[test]
fn meets_its_server_once_it_idles_and_ends_with_it() {
    let mut bench = Bench::new("");
    let to = bench.stand.opened.last().expect("a connection").1;
    assert_eq!(to.to_string(), "10.0.0.2:8080");
    assert!(!bench.stand.phone.is_settled(), "a session is under way");
    let inform = bench.inform();
    assert!(
        bench.head.starts_with("POST /openacs/acs HTTP/1.1\r\n"),
        "{}",
        bench.head
    );
    assert!(
        bench.head.contains("SOAPAction: \"\"\r\n"),
        "{}",
        bench.head
    );
    assert_eq!(codes(&inform), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!(inform.serial, "00100400FV020010000000095200000e");
    assert_eq!(inform.serial.len(), 32);
    assert_eq!((&*inform.manufacturer, &*inform.oui), ("Maker", "000952"));
    assert_eq!((&*inform.product_class, inform.max_envelopes), ("X6", 1));
    assert_eq!(inform.retry_count, 0);
    let told: Vec<(&str, &str)> = inform
        .parameters
        .iter()
        .map(|held| (&*held.name, &*held.value))
        .collect();
    assert_eq!(
        told[1],
        (
            "Device.ManagementServer.ConnectionRequestURL",
            "http://10.1.0.1:7547/ask"
        )
    );
    assert_eq!(told.len(), 3);
    bench.accept();
    assert!(bench.head.contains("Content-Length: 0"), "{}", bench.head);
    let answer = bench.call(Message::GetRpcMethods);
    let Message::GetRpcMethodsResponse(methods) = answer else {
        panic!("{answer:?}");
    };
    assert!(methods.len() == 12 && methods.contains(&"Download".into()));
    bench.end();
    let events = InformEvents::BOOTSTRAP.with(InformEvents::BOOT);
    assert!(bench.has(EventKind::SessionStarted(events)));
    let ended = EventKind::SessionEnded {
        complete: true,
        rpcs: 1,
    };
    assert!(bench.has(ended));
    assert_eq!(
        bench.stand.opened.len(),
        1,
        "one connection for the session"
    );
    assert_eq!(bench.stand.closed.len(), 1);
    assert!(bench.stand.phone.is_settled());
    assert_eq!(bench.stand.count(EventKind::Settled), 1);
    assert!(bench.stand.events.ends_with(&[ended, EventKind::Settled]));
}

// FAN-115.
#[test]
fn says_that_an_old_tls_version_is_not_spoken() {
    let bench = Bench::new("");
    let param = Param::AcsTlsVersion;
    assert_eq!(bench.stand.count(EventKind::NotSpoken { param }), 1);
}

// FAN-114.
#[test]
fn does_nothing_at_all_while_it_is_switched_off() {
    let stand = Stand::new(LINES)
        .web(Param::ResyncOnReset, "0")
        .web(Param::AcsEnable, "0");
    let mut stand = stand.leased(&[], b"");
    stand.pass_seconds(100_000);
    let bytes = b"GET /ask HTTP/1.1\r\n\r\n";
    let from = std::net::SocketAddrV4::new(crate::phone::stand::SERVER, 1);
    let request = Request(1);
    stand.input(Input::Request {
        request,
        from,
        bytes,
    });
    assert!(stand.opened.is_empty() && stand.replies.is_empty());
    assert!(stand.phone.life.acs.is_none());
    assert!(stand.phone.is_settled());
}

// FAN-116.
#[test]
fn authenticates_once_and_keeps_cookies() {
    let mut bench = Bench::new("");
    bench.inform();
    assert!(!bench.head.contains("Authorization"), "{}", bench.head);
    let fields = "WWW-Authenticate: Digest realm=\"acs\", nonce=\"n\", qop=\"auth\"\r\n\
                  Set-Cookie: JSESSIONID=1; Path=/\r\n";
    bench.http("401", fields, "");
    bench.inform();
    for expected in [
        "username=\"admin\"",
        "nc=00000001",
        "Cookie: JSESSIONID=1\r\n",
    ] {
        assert!(bench.head.contains(expected), "{}", bench.head);
    }
    let response = bench.head.clone();
    bench.accept();
    assert!(bench.head.contains("nc=00000002"), "{}", bench.head);
    assert_ne!(bench.head, response);
    bench.end();
    assert!(bench.stand.phone.is_settled());
}

#[test]
fn follows_a_redirect_for_the_rest_of_the_session() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.http("302", "Location: http://10.0.0.3/other\r\n", "");
    let inform = bench.inform();
    assert_eq!(codes(&inform), ["0 BOOTSTRAP", "1 BOOT"]);
    let to = |bench: &Bench| bench.stand.opened.last().unwrap().1.to_string();
    assert_eq!(to(&bench), "10.0.0.3:80");
    bench.accept();
    assert!(bench.head.starts_with("POST /other "), "{}", bench.head);
    assert_eq!(bench.stand.opened.len(), 2);
    bench.end();
    // The next one begins at home again.
    bench.stand.pass_seconds(3_601);
    assert_eq!(to(&bench), "10.0.0.2:8080");
}

// FAN-115, FAN-120, FAN-121.
#[test]
fn calls_again_each_period() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench.end();
    for _ in 0..3 {
        bench.stand.pass_seconds(3_590);
        assert!(bench.stand.phone.is_settled());
        bench.stand.pass_seconds(10);
        assert!(!bench.stand.phone.is_settled());
        assert_eq!(codes(&bench.inform()), ["2 PERIODIC"]);
        bench.accept();
        bench.end();
    }
    // The server changes the period.
    bench.stand.pass_seconds(3_601);
    bench.inform();
    bench.accept();
    let interval = "Device.ManagementServer.PeriodicInformInterval";
    let answer = bench.set(&[(interval, "60")]);
    assert_eq!(answer, Message::SetParameterValuesResponse { status: 0 });
    bench.end();
    for _ in 0..2 {
        bench.stand.pass_seconds(61);
        assert_eq!(codes(&bench.inform()), ["2 PERIODIC"]);
        bench.accept();
        bench.end();
    }
}

#[test]
fn answers_in_the_version_that_the_server_speaks() {
    let mut bench = Bench::new("");
    bench.inform();
    let id = bench.envelope().id.map(Cow::into_owned);
    assert_eq!(bench.envelope().version, Some(Version::V1_0));
    bench.say_as(
        Version::V1_2,
        id.as_deref(),
        Message::InformResponse { max_envelopes: 1 },
    );
    bench.post();
    bench.say_as(Version::V1_2, Some("x"), Message::GetRpcMethods);
    bench.post();
    assert_eq!(bench.envelope().version, Some(Version::V1_2));
}

#[test]
fn is_new_to_another_server_and_known_to_the_same_one_after_a_reboot() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench.end();
    bench.stand.input(Input::PowerCut);
    bench.stand.power(&[], b"");
    assert_eq!(codes(&bench.inform()), ["1 BOOT"]);
    bench.accept();
    let url = "http://10.0.0.9/acs";
    bench.set(&[("Device.ManagementServer.URL", url)]);
    bench.end();
    assert_eq!(codes(&bench.inform()), ["0 BOOTSTRAP"]);
    assert_eq!(
        bench.stand.opened.last().unwrap().1.to_string(),
        "10.0.0.9:80"
    );
}

#[test]
fn reboots_as_told_and_says_so_afterwards() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    let answer = bench.call(Message::Reboot { key: "k1".into() });
    assert_eq!(answer, Message::RebootResponse);
    assert!(
        !bench.has(EventKind::Booting(BootCause::Acs)),
        "not before the session's end"
    );
    bench.end();
    assert!(bench.has(EventKind::Booting(BootCause::Acs)));
    bench.stand.lease(&[], b"");
    let inform = bench.inform();
    assert_eq!(codes(&inform), ["1 BOOT", "M Reboot"]);
    assert_eq!(inform.events[1].1, "k1");
    bench.accept();
    bench.end();
    bench.stand.pass_seconds(3_601);
    assert_eq!(codes(&bench.inform()), ["2 PERIODIC"]);
}

#[test]
fn forgets_everything_with_a_factory_reset() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench.set(&[("Device.Phone.Name", "bob")]);
    assert_eq!(
        bench.call(Message::FactoryReset),
        Message::FactoryResetResponse
    );
    bench.end();
    assert!(bench.has(EventKind::Booting(BootCause::FactoryReset)));
    let flash = bench.stand.phone.flash();
    assert!(flash.settings.is_empty() && flash.memory.is_none());
}

// FAN-03: the server as a source of the boot run.
const SOURCE: &str = r#"
[discovery]
order = ["acs", "profile-rule"]
[sources.acs]
kind = "acs"
enabled_by = ["acs_enable"]
"#;

#[test]
fn waits_for_the_session_where_the_server_is_a_source() {
    let mut bench = Bench::with(SOURCE, "1");
    assert_eq!(bench.stand.phone.stage(), StageName::Running);
    assert_eq!(codes(&bench.inform()), ["0 BOOTSTRAP", "1 BOOT"]);
    bench.accept();
    bench.download("3 Vendor Configuration File", "http://10.0.0.5/a.cfg");
    assert_eq!(bench.stand.phone.stage(), StageName::Running);
    bench.end();
    assert_eq!(bench.stand.candidates(), ["0 http://10.0.0.5/a.cfg"]);
    bench.stand.open();
    bench.stand.take_written();
    bench.stand.answer("200", "", "phone.name = bob\n");
    let inform = bench.inform();
    assert_eq!(codes(&inform), ["7 TRANSFER COMPLETE", "M Download"]);
}

#[test]
fn goes_on_with_other_sources_where_the_server_orders_nothing() {
    let mut bench = Bench::with(SOURCE, "1");
    bench.inform();
    bench.accept();
    bench.end();
    let source = crate::profile::SourceId(0);
    assert!(bench.has(EventKind::NoCandidate { source }));
    assert!(bench.stand.phone.is_settled());
    assert_eq!(bench.stand.opened.len(), 1, "one session at boot, not two");
}

#[test]
fn speaks_the_same_bytes_twice() {
    let session = || {
        let mut bench = Bench::new("");
        bench.inform();
        let first = bench.body.clone();
        bench.accept();
        bench.call(Message::GetRpcMethods);
        let second = bench.body.clone();
        bench.end();
        (first, second, bench.stand.events)
    };
    assert_eq!(session(), session());
}

#[test]
fn does_not_let_a_session_go_on_for_ever() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    let mut answers = 0;
    while bench.stand.closed.is_empty() {
        bench.say_as(Version::V1_0, Some("c"), Message::GetRpcMethods);
        answers += 1;
        assert!(answers <= ACS_MESSAGES_MAX);
        bench.stand.take_written();
    }
    let (step, fault) = (
        crate::profile::StepId::ACS,
        crate::event::Fault::EndlessSession,
    );
    assert!(bench.has(EventKind::GaveUp { step, fault }));
    assert!(bench.has(EventKind::LimitReached {
        limit: crate::event::Limit::AcsSession,
        value: u64::from(ACS_MESSAGES_MAX),
    }));
    assert!(bench.stand.phone.is_settled());
}

#[test]
fn does_not_let_a_session_last_for_ever() {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    for _ in 0..30 {
        bench.stand.pass_seconds(25);
        if !bench.stand.closed.is_empty() {
            break;
        }
        bench.say_as(Version::V1_0, Some("c"), Message::GetRpcMethods);
        bench.stand.take_written();
    }
    assert!(bench.has(EventKind::LimitReached {
        limit: crate::event::Limit::AcsSession,
        value: crate::limits::ACS_SESSION_SECONDS_MAX,
    }));
}
