use super::*;
use crate::wire::soap::{NameInfo, ObjectCall, SetAttributes};

fn bench() -> Bench {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench
}

fn names(bench: &mut Bench, path: &str, next_level: bool) -> Vec<(String, bool)> {
    let path = path.into();
    match bench.call(Message::GetParameterNames { path, next_level }) {
        Message::GetParameterNamesResponse(all) => all
            .into_iter()
            .map(|NameInfo { name, writable }| (name.into_owned(), writable))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sets_values_through_the_rules_of_documents_and_reads_them_back() {
    let mut bench = bench();
    let values = [
        ("Device.Phone.Volume", "7"),
        ("Device.Phone.Mode", "Loud"),
        ("Device.ManagementServer.PeriodicInformInterval", "120"),
    ];
    assert_eq!(
        bench.set(&values),
        Message::SetParameterValuesResponse { status: 0 }
    );
    for (name, value) in values {
        assert_eq!(bench.get(name), [(name.to_owned(), value.to_owned())]);
    }
    let key = "Device.ManagementServer.ParameterKey";
    assert_eq!(bench.get(key)[0].1, "pk");
    bench.set(&[("Device.ManagementServer.Password", "new")]);
    assert_eq!(
        bench.get("Device.ManagementServer.Password")[0].1,
        "",
        "hidden"
    );
    let held = |key: &str| {
        let key = bench.stand.shelf.keys.find(key).expect("a key");
        let held = bench
            .stand
            .phone
            .flash()
            .settings
            .held(key)
            .expect("a value");
        held.value.to_owned()
    };
    assert_eq!(
        (held("phone.volume"), held("phone.mode")),
        ("7".to_owned(), "2".to_owned())
    );
    assert_eq!(held("tr069.period"), "120");
    let fault = None;
    let rpc = Rpc::SetParameterValues;
    assert_eq!(bench.stand.count(EventKind::RpcAnswered { rpc, fault }), 2);
}

#[test]
fn sets_all_values_or_none_and_says_what_is_wrong_with_each() {
    let mut bench = bench();
    let values = [
        ("Device.Phone.Name", "bob"),
        ("Device.Nothing", "1"),
        ("Device.Line.2.Label", "no such line"),
        ("Device.DeviceInfo.SoftwareVersion", "1"),
        ("Device.Phone.Volume", "ten"),
        ("Device.Phone.Mode", "Mild"),
        ("Device.ManagementServer.PeriodicInformInterval", "10000"),
    ];
    let Message::Fault(fault) = bench.set(&values) else {
        panic!("a fault");
    };
    assert_eq!(fault.code, 9_003);
    let codes: Vec<(&str, u16)> = fault
        .parameters
        .iter()
        .map(|held| (&*held.name, held.code))
        .collect();
    assert_eq!(
        codes,
        [
            ("Device.Nothing", 9_005),
            ("Device.Line.2.Label", 9_005),
            ("Device.DeviceInfo.SoftwareVersion", 9_008),
            ("Device.Phone.Volume", 9_007),
            ("Device.Phone.Mode", 9_007),
            ("Device.ManagementServer.PeriodicInformInterval", 9_007),
        ]
    );
    assert_eq!(bench.get("Device.Phone.Name")[0].1, "", "none was set");
    // The key rules of documents: 0 to 9.
    let Message::Fault(fault) = bench.set(&[("Device.Phone.Volume", "10")]) else {
        panic!("a fault");
    };
    assert_eq!(fault.parameters[0].code, 9_007);
    let twice = [("Device.Phone.Name", "a"), ("Device.Phone.Name", "b")];
    assert_eq!(fault_of(&bench.set(&twice)), 9_003);
    let kind = Some(soap::Kind::Boolean);
    let typed = Value {
        name: "Device.Phone.Volume".into(),
        kind,
        value: "1".into(),
    };
    let (values, key) = (vec![typed], "".into());
    let Message::Fault(fault) = bench.call(Message::SetParameterValues { values, key }) else {
        panic!("a fault");
    };
    assert_eq!(fault.parameters[0].code, 9_006);
}

#[test]
fn takes_both_spellings_of_a_boolean() {
    let more = "[cwmp.parameters.\"Phone.On\"]\nsetting = \"phone.on\"\ntype = \"boolean\"\n\
                writable = true\nwords = { true = \"yes\", false = \"no\" }\n";
    let mut bench = Bench::new(more);
    bench.inform();
    bench.accept();
    for (said, held, told) in [("1", "yes", "true"), ("false", "no", "false")] {
        bench.set(&[("Device.Phone.On", said)]);
        assert_eq!(bench.get("Device.Phone.On")[0].1, told);
        let key = bench.stand.shelf.keys.find("phone.on").unwrap();
        assert_eq!(
            bench.stand.phone.flash().settings.held(key).unwrap().value,
            held
        );
    }
}

#[test]
fn reboots_for_a_value_that_needs_it() {
    let mut bench = bench();
    let answer = bench.set(&[("Device.Phone.Vlan", "7")]);
    assert_eq!(answer, Message::SetParameterValuesResponse { status: 1 });
    bench.end();
    assert!(bench.has(EventKind::Booting(crate::event::BootCause::Settings)));
}

#[test]
fn tells_names_of_one_level_or_all() {
    let mut bench = bench();
    assert_eq!(names(&mut bench, "", true), [("Device.".to_owned(), false)]);
    let top = names(&mut bench, "Device.", true);
    let top: Vec<&str> = top.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        top,
        [
            "Device.DeviceInfo.",
            "Device.Line.",
            "Device.ManagementServer.",
            "Device.Phone.",
            "Device.Port."
        ]
    );
    let port = names(&mut bench, "Device.Port.", false);
    let expected = [
        ("Device.Port.", false),
        ("Device.Port.1.", false),
        ("Device.Port.1.Name", false),
        ("Device.Port.2.", false),
        ("Device.Port.2.Name", false),
    ];
    assert_eq!(
        port,
        expected.map(|(name, writable)| (name.to_owned(), writable))
    );
    let leaf = names(&mut bench, "Device.Phone.Name", false);
    assert_eq!(leaf, [("Device.Phone.Name".to_owned(), true)]);
    let all = names(&mut bench, "", false);
    assert!(
        all.iter()
            .any(|(name, _)| name == "Device.ManagementServer.URL")
    );
    for (path, next_level, code) in [
        ("Device.Phone.Name", true, 9_003),
        ("Device.Phon", false, 9_005),
        ("Device.Nothing.", false, 9_005),
    ] {
        let path = path.into();
        let answer = bench.call(Message::GetParameterNames { path, next_level });
        assert_eq!(fault_of(&answer), code);
    }
}

#[test]
fn adds_and_deletes_instances() {
    let mut bench = bench();
    let call = |object: &str| ObjectCall {
        object: object.to_owned().into(),
        key: "k".into(),
    };
    assert_eq!(
        names(&mut bench, "Device.Line.", false),
        [("Device.Line.".to_owned(), true)]
    );
    for instance in 1..=3 {
        let answer = bench.call(Message::AddObject(call("Device.Line.")));
        assert_eq!(
            answer,
            Message::AddObjectResponse {
                instance,
                status: 0
            }
        );
    }
    let full = bench.call(Message::AddObject(call("Device.Line.")));
    assert_eq!(fault_of(&full), 9_004);
    bench.set(&[("Device.Line.2.Label", "two")]);
    let line = names(&mut bench, "Device.Line.2.", false);
    assert_eq!(line[0], ("Device.Line.2.".to_owned(), true));
    let gone = bench.call(Message::DeleteObject(call("Device.Line.2.")));
    assert_eq!(gone, Message::DeleteObjectResponse { status: 0 });
    for object in [
        "Device.Line.2.",
        "Device.Line.9.",
        "Device.Line.",
        "Device.Port.1.",
    ] {
        let again = bench.call(Message::DeleteObject(call(object)));
        assert_eq!(fault_of(&again), 9_005, "{object}");
    }
    assert_eq!(
        fault_of(&bench.call(Message::GetParameterValues(vec!["Device.Line.2.".into()]))),
        9_005
    );
    assert_eq!(
        fault_of(&bench.call(Message::AddObject(call("Device.Port.")))),
        9_005
    );
    let answer = bench.call(Message::AddObject(call("Device.Line.")));
    assert_eq!(
        answer,
        Message::AddObjectResponse {
            instance: 2,
            status: 0
        }
    );
    assert_eq!(bench.get("Device.Line.2.Label")[0].1, "", "cleared");
}

#[test]
fn tells_a_change_that_it_was_asked_to_tell() {
    let mut bench = bench();
    let set = |name: &'static str, notification| {
        let name = name.into();
        Message::SetParameterAttributes(vec![SetAttributes {
            name,
            notification: Some(notification),
            access: Some(Vec::new()),
        }])
    };
    let answer = bench.call(set("Device.Phone.Name", 2));
    assert_eq!(answer, Message::SetParameterAttributesResponse);
    bench.call(set("Device.ManagementServer.URL", 1));
    assert_eq!(
        fault_of(&bench.call(set("Device.DeviceInfo.UpTime", 2))),
        9_009
    );
    assert_eq!(fault_of(&bench.call(set("Device.Phone.Name", 3))), 9_003);
    let names = vec!["Device.Phone.".into()];
    let Message::GetParameterAttributesResponse(all) =
        bench.call(Message::GetParameterAttributes(names))
    else {
        panic!("attributes");
    };
    let name = all
        .iter()
        .find(|held| held.name == "Device.Phone.Name")
        .unwrap();
    assert_eq!((name.notification, name.access.len()), (2, 0));
    assert_eq!((all[0].notification, all[0].access.len()), (0, 1));
    // What the server sets it knows.
    bench.set(&[("Device.Phone.Name", "bob")]);
    bench.end();
    assert!(bench.stand.phone.is_settled());
    // A passive change waits for the next session, …
    bench
        .stand
        .input(Input::Web(crate::phone::io::WebAction::Set(
            Param::AcsUser,
            "eve",
        )));
    bench
        .stand
        .input(Input::Web(crate::phone::io::WebAction::Save));
    assert!(bench.stand.phone.is_settled());
    // … an active one does not.
    let document = b"phone.name = eve\n";
    bench
        .stand
        .input(Input::Web(crate::phone::io::WebAction::Restore(document)));
    let changed = bench.stand.phone.flash().settings.is_empty();
    assert!(!changed);
}

#[test]
fn calls_when_a_schedule_says_so() {
    let mut bench = bench();
    let schedule = |delay_s, key: &'static str| Message::ScheduleInform {
        delay_s,
        key: key.into(),
    };
    assert_eq!(
        bench.call(schedule(90, "later")),
        Message::ScheduleInformResponse
    );
    assert_eq!(fault_of(&bench.call(schedule(0, "now"))), 9_003);
    bench.end();
    assert!(bench.stand.phone.is_settled());
    bench.stand.pass_seconds(91);
    let inform = bench.inform();
    assert_eq!(codes(&inform), ["3 SCHEDULED", "M ScheduleInform"]);
    assert_eq!(inform.events[1].1, "later");
}

#[test]
fn refuses_what_it_does_not_know_or_cannot_understand() {
    let mut bench = bench();
    let answer = bench.call(Message::Unknown("Upload".into()));
    assert_eq!(fault_of(&answer), 9_000);
    let (rpc, fault) = (Rpc::Unknown, Some(9_000));
    assert!(bench.has(EventKind::RpcAnswered { rpc, fault }));
    let names = vec![Cow::Borrowed("Device.X"); crate::limits::PARAMETERS_MAX + 1];
    let answer = bench.call(Message::GetParameterValues(names));
    assert_eq!(fault_of(&answer), 9_004);
    assert!(bench.has(EventKind::LimitReached {
        limit: crate::event::Limit::Parameters,
        value: crate::limits::PARAMETERS_MAX as u64,
    }));
    // The same leaves again and again: more than can be told.
    let names = vec![Cow::Borrowed("Device."); 1_000];
    assert_eq!(
        fault_of(&bench.call(Message::GetParameterValues(names))),
        9_004
    );
    let key = "k".repeat(33).into();
    assert_eq!(fault_of(&bench.call(Message::Reboot { key })), 9_003);
    bench.end();
    assert!(bench.stand.phone.is_settled(), "no reboot was ordered");
}
