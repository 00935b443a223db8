use bootstorm_emulator::profile::set::ProfileSet;

use super::*;

const SAMPLE: &str = include_str!("../../labs/sample.toml");

fn profiles() -> ProfileSet {
    ProfileSet::built_in()
}

fn faults(text: &str) -> String {
    match read("lab.toml", text, &profiles()) {
        Ok(_) => String::new(),
        Err(faults) => faults.to_string(),
    }
}

/// The sample with one text in place of another.
fn with(from: &str, to: &str) -> String {
    assert!(SAMPLE.contains(from), "{from}");
    SAMPLE.replacen(from, to, 1)
}

#[test]
fn reads_the_sample() {
    let lab = read("lab.toml", SAMPLE, &profiles()).unwrap_or_else(|faults| panic!("{faults}"));
    let [left, middle, right] = &lab.places[..] else {
        panic!("three places");
    };
    assert_eq!(left.capture, Capture::Interface("eth1".to_owned()));
    assert!(matches!(&middle.capture, Capture::Command(words) if words[0] == "ssh"));
    assert_eq!(right.off, Duration::from_secs(8));
    // FLY-86: it waits 0 to 40 s before it asks.
    assert_eq!(left.rest, Duration::from_secs(60));
    assert_eq!(right.rest, Duration::from_secs(90));
    assert_eq!(
        left.scenario.fleets[0].transport,
        crate::scenario::Transport::Tftp
    );
    assert_eq!(
        middle.scenario.fleets[0].transport,
        crate::scenario::Transport::Http
    );
    let macs = left.scenario.fleets[0].macs.expect("its own MAC address");
    assert_eq!((macs.first, macs.count()), (left.mac, 1));
    assert_eq!(lab.power(left).map(|it| it.name.as_str()), Some("closet"));
    assert_eq!(lab.reset(left).map(|it| it.name.as_str()), Some("somebody"));
    assert!(lab.allows("10.77.9.2".parse().expect("v4")));
    assert!(!lab.allows("10.77.9.9".parse().expect("v4")));
    assert_eq!(lab.mask(), Ipv4Addr::new(255, 255, 255, 0));
}

/// One text of the sample in place of another, and what is told then.
const WRONG: [(&str, &str, &str); 25] = [
    (
        "mac = \"00:21:f2:00:00:02\"",
        "mac = \"0021F2000001\"",
        "lab.toml:75:7: place 'middle' has the MAC address of place 'left'",
    ),
    (
        "interface = \"eth1\"\naddress",
        "address",
        "missing key 'subject.interface'",
    ),
    ("fip13g", "fip31g", "did you mean 'flyingvoice/fip13g'?"),
    (
        "power = \"closet\"\nport = \"3\"\n",
        "power = \"closet\"\n",
        "needs the place's 'port'",
    ),
    ("port = \"3\"", "port = \"Gi1/0/3\"", "pethPsePortIndex"),
    (
        "power = \"closet\"",
        "power = \"closed\"",
        "did you mean 'closet'?",
    ),
    (
        "\"10.77.0.0/24\", ",
        "",
        "'subject.address': 10.77.0.1 is in none of 'networks'",
    ),
    (
        "\"10.77.0.0/24\", ",
        "\"10.77.0.1/24\", ",
        "without bits behind its mask",
    ),
    (
        ", \"10.77.9.0/29\"",
        "",
        "'power.closet.agent': 10.77.9.2 is in none of 'networks'",
    ),
    (
        "address = \"10.77.0.54\"",
        "address = \"10.77.0.53\"",
        "meets 10.77.0.52-10.77.0.53",
    ),
    (
        "address = \"10.77.0.54\"",
        "address = \"10.77.0.1\"",
        "the subject's own address",
    ),
    (
        "address = \"10.77.0.54\"",
        "address = \"10.77.0.255\"",
        "not of hosts in 10.77.0.0/24",
    ),
    (
        "name = \"right\"",
        "name = \"left\"",
        "a second place is called 'left'",
    ),
    ("on = { method", "onn = { method", "unknown key 'onn'"),
    ("outlet/{port}", "outlet/{prot}", "did you mean '{port}'?"),
    (
        "outlet/{port}",
        "outlet/{secret}",
        "'{secret}' has no place here",
    ),
    (
        "reset = \"somebody\"",
        "reset = \"closet\"",
        "power 'closet' has no reset",
    ),
    (
        "version = \"3\"",
        "version = \"2c\"",
        "missing key 'power.closet.community'",
    ),
    (
        "{ env = \"LAB_SNMP_AUTH\" }",
        "\"geheim\"",
        "is a text (expected a table)",
    ),
    (
        "driver = \"snmp\"",
        "driver = \"snpm\"",
        "did you mean 'snmp'?",
    ),
    (
        "address = \"10.77.0.1\"",
        "address = \"10.77.0.1\"\ndirectory = \"/srv\"",
        "without a real",
    ),
    (
        "address = \"10.77.0.1\"",
        "address = \"10.77.0.1\"\ntftp = \"tftp://10.77.0.2:6969\"",
        "at port 69, which handsets use",
    ),
    (
        "address = \"10.77.0.1\"",
        "address = \"10.77.0.1\"\ntftp = \"tftp://10.77.0.2\"\nhttp = \"http://10.77.0.3\"",
        "expected one server",
    ),
    (
        "transport = \"http\"",
        "transport = \"htpt\"",
        "did you mean 'http'?",
    ),
    (
        "reset = \"somebody\"\n",
        "",
        "no place uses power 'somebody'",
    ),
];

#[test]
fn says_what_is_wrong_at_line_and_column() {
    for (from, to, told) in WRONG {
        let told_all = faults(&with(from, to));
        assert!(told_all.contains(told), "{to}: {told_all}");
    }
}

#[test]
fn tells_all_faults_at_once_and_those_of_shared_content_once() {
    let wrong = with("layout = \"flat\"", "layot = \"flat\"").replacen("name = \"table\"", "", 1);
    let told = faults(&wrong);
    assert_eq!(told.matches("unknown key 'layot'").count(), 1, "{told}");
    assert!(told.contains("missing key 'name'"), "{told}");
}

#[test]
fn a_real_server_gives_handsets_its_address() {
    let text = with(
        "address = \"10.77.0.1\"",
        "address = \"10.77.0.1\"\ntftp = \"tftp://10.77.0.2\"\ndirectory = \"/srv/tftp\"",
    );
    let lab = read("lab.toml", &text, &profiles()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(lab.subject.server, Ipv4Addr::new(10, 77, 0, 2));
    assert_eq!(lab.subject.given[0].text, "tftp://10.77.0.2:69");
}

#[test]
fn a_handset_that_is_spoken_to_has_one_address() {
    let text = SAMPLE.replacen("driver = \"command\"", "driver = \"check-sync\"", 1);
    let text = text
        .lines()
        .filter(|line| !line.starts_with("cycle = "))
        .collect::<Vec<_>>();
    let text = text
        .join("\n")
        .replacen("10.77.0.54", "10.77.0.54-10.77.0.55", 1);
    let told = faults(&text);
    assert!(told.contains("expected one address, not a range"), "{told}");
}
