//! Phones on a real segment: a switch between namespaces, real servers in the one, the program in
//! the other, as a user would start it. What went over the cable is read by tshark.

#[path = "support/busy.rs"]
mod busy;
#[path = "lan/frames.rs"]
mod frames;
#[path = "lan/lab.rs"]
mod lab;
#[path = "lan/servers.rs"]
mod servers;
#[path = "segment/space.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod space;
#[path = "support/tool.rs"]
mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use frames::Frames;
use lab::{Lab, NETWORK, SCENARIO, state, words};
use servers::{Pool, SERVER, WIDE, dnsmasq, kea};
use space::{Host, Port, Process, needs};
use tool::not_run;

#[test]
fn one_phone_takes_part_in_a_segment_with_its_own_mac() {
    let Some(mut lab) = Lab::new() else { return };
    lab.serve(5, false);
    let _dhcp = dnsmasq(&lab.server, "eth0", &WIDE, &lab.files());
    let frames = Frames::watch(&lab.server, "eth0", lab.space.path());
    let said = lab.boots(&["--phones", "5", "--phone", "0"]);
    assert!(
        said.contains("phones reach 10.77.0.0/16 and nothing else"),
        "{said}"
    );
    let frames = frames.end();
    let own = frames.rows("dhcp.type == 1", &["eth.src", "dhcp.hw.mac_addr"]);
    assert!(own.len() >= 3, "DISCOVER, REQUEST, RELEASE: {own:?}");
    let mac = own[0][0].clone();
    assert!(mac.starts_with("00:21:f2"), "{mac}");
    assert!(
        own.iter().all(|row| *row == [mac.clone(), mac.clone()]),
        "{own:?}"
    );
    let leased = frames.rows("dhcp.option.dhcp == 5", &["dhcp.ip.your"]);
    let address = leased[0][0].clone();
    let spoken = frames.rows(&format!("ip.src == {address}"), &["eth.src"]);
    assert!(spoken.len() > 10, "{spoken:?}");
    assert!(spoken.iter().all(|row| row[0] == mac), "{spoken:?}");
    let heard = frames.rows(&format!("ip.dst == {address}"), &["eth.dst"]);
    assert!(
        heard.len() > 10 && heard.iter().all(|row| row[0] == mac),
        "{heard:?}"
    );
    let resolved = format!("arp.src.proto_ipv4 == {address}");
    let resolved = frames.rows(&resolved, &["eth.src", "arp.src.hw_mac"]);
    assert!(resolved.len() >= 2, "an announcement and an answer");
    assert!(
        resolved
            .iter()
            .all(|row| *row == [mac.clone(), mac.clone()]),
        "{resolved:?}"
    );
    let probes = format!("arp.dst.proto_ipv4 == {address} && arp.src.proto_ipv4 == 0.0.0.0");
    assert_eq!(frames.rows(&probes, &["eth.src"]).len(), 2);
    let released = frames.rows("dhcp.option.dhcp == 7", &["ip.src", "eth.src"]);
    assert_eq!(released, [[address, mac]]);
    assert!(
        frames.rows("icmp", &["eth.src"]).is_empty(),
        "nobody was told that a port is closed"
    );
}

#[test]
fn twenty_of_every_vendor_boot_against_dnsmasq_and_nginx() {
    let Some(mut lab) = Lab::new() else { return };
    lab.serve(100, false);
    let dhcp = dnsmasq(&lab.server, "eth0", &WIDE, &lab.files());
    let frames = Frames::watch(&lab.server, "eth0", lab.space.path());
    let said = lab.boots(&["--phones", "100"]);
    assert!(said.contains("100 provisioned"), "{said}");
    let frames = frames.end();
    let own = frames.rows("dhcp.type == 1", &["eth.src", "dhcp.hw.mac_addr"]);
    assert!(
        own.iter().all(|row| row[0] == row[1]),
        "each speaks for itself"
    );
    // Whoever speaks from the pool has the MAC that the lease was for.
    let leased = frames.rows(
        "dhcp.option.dhcp == 5",
        &["dhcp.ip.your", "dhcp.hw.mac_addr"],
    );
    let leased: std::collections::BTreeMap<_, _> = leased
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert_eq!(leased.len(), 100);
    let spoken = "ip.src == 10.77.0.0/16 && ip.src != 10.77.0.1";
    for row in frames.rows(spoken, &["ip.src", "eth.src"]) {
        assert_eq!(leased.get(&row[0]), Some(&row[1]), "{row:?}");
    }
    for row in frames.rows("arp.opcode == 2", &["arp.src.proto_ipv4", "arp.src.hw_mac"]) {
        let holder = leased.get(&row[0]);
        assert!(row[0] == SERVER || holder == Some(&row[1]), "{row:?}");
    }
    given_back(&dhcp, 100);
}

/// Waits until dnsmasq has heard that so many leases were given back. Nobody confirms it: of
/// thousands it may miss some.
#[track_caller]
fn given_back(dhcp: &Process, least: usize) {
    let begun = Instant::now();
    loop {
        let count = dhcp.log().matches("DHCPRELEASE").count();
        if count >= least {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{count} of {least}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The reference server with all that it has, DHCP included, at the well-known ports.
fn everything(server: &Host, authority: &Path, factory: &Path) -> Process {
    let mut serve = server.command(env!("CARGO_BIN_EXE_bootstorm"));
    serve.args([
        "serve",
        "first-run",
        "--address",
        SERVER,
        "--beyond-loopback",
    ]);
    serve.args([
        "--phones",
        "240",
        "--dhcp-interface",
        "eth0",
        "--dhcp-port",
        "67",
    ]);
    serve.args([
        "--dhcp-pool",
        "10.77.1.0-10.77.30.255/16",
        "--tftp-port",
        "69",
    ]);
    serve.args([
        "--ftp-port",
        "21",
        "--http-port",
        "80",
        "--https-port",
        "443",
    ]);
    serve.args(["--ntp-port", "123", "--ca-out"]).arg(authority);
    serve.arg("--factory-ca").arg(factory);
    let mut serve = server.start("serve", &mut serve);
    serve.wait_port(Port::Udp(67));
    serve.wait_text("ntp");
    serve
}

#[test]
fn every_way_of_finding_a_server_and_every_protocol_works_on_a_segment() {
    let Some(mut lab) = Lab::new() else { return };
    let authority = lab.space.path().join("ca.pem");
    let factory = lab.space.path().join("factory");
    let serve = everything(&lab.server, &authority, &factory);
    lab.running.push(serve);
    let frames = Frames::watch(&lab.server, "eth0", lab.space.path());
    lab.ends_well(|| {
        let mut run = lab.attached("first-run", NETWORK);
        run.args(["--phones", "240", "--ca"]).arg(&authority);
        run.arg("--factory-ca").arg(&factory);
        run
    });
    let frames = frames.end();
    let asked = frames.rows("ip.dst == 224.0.1.75", &["ip.src", "eth.src", "eth.dst"]);
    let multicast =
        |row: &Vec<String>| row[0].starts_with("10.77.") && row[2] == "01:00:5e:00:01:4b";
    assert!(
        !asked.is_empty() && asked.iter().all(multicast),
        "{asked:?}"
    );
    let leased = frames.rows(
        "dhcp.option.dhcp == 5",
        &["dhcp.ip.your", "dhcp.hw.mac_addr"],
    );
    for row in asked {
        assert!(leased.contains(&row[..2].to_vec()), "{row:?}");
    }
    for protocol in [
        "tls",
        "ftp",
        "sip.Method == \"REGISTER\"",
        "tftp",
        "http",
        "ntp",
    ] {
        assert!(
            !frames.rows(protocol, &["eth.src"]).is_empty(),
            "{protocol}"
        );
    }
}

/// The limits of the kernel's neighbour table, which is one for all namespaces; as they were when
/// dropped. Never lowered: the machine may have need of more.
struct Neighbours(Vec<(PathBuf, String)>);

impl Neighbours {
    fn raised() -> Option<Self> {
        let mut before = Vec::new();
        for (nth, value) in [(3, 32_768), (2, 16_384), (1, 8_192)] {
            let path = format!("/proc/sys/net/ipv4/neigh/default/gc_thresh{nth}");
            let path = PathBuf::from(path);
            let was = fs::read_to_string(&path).unwrap_or_default();
            if was.trim().parse().is_ok_and(|was: u32| was >= value) {
                continue;
            }
            if was.is_empty() || fs::write(&path, format!("{value}")).is_err() {
                drop(Self(before));
                not_run("the kernel's first namespace, for net.ipv4.neigh.default.gc_thresh1-3");
                return None;
            };
            before.push((path, was));
        }
        Some(Self(before))
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        for (path, value) in self.0.iter().rev() {
            let _ = fs::write(path, value);
        }
    }
}

/// Time enough for servers that share two cores with all the phones.
const TWO_THOUSAND: [&str; 4] = ["--phones", "2000", "--deadline", "180"];

#[test]
fn two_thousand_phones_boot_against_dnsmasq() {
    let Some(mut lab) = Lab::alone() else { return };
    let Some(_raised) = Neighbours::raised() else {
        return;
    };
    lab.serve(2_000, false);
    let dhcp = dnsmasq(&lab.server, "eth0", &WIDE, &lab.files());
    let said = lab.boots(&TWO_THOUSAND);
    assert!(said.contains("2,000 provisioned"), "{said}");
    given_back(&dhcp, 1_500);
}

#[test]
fn two_thousand_phones_boot_against_kea() {
    if !needs(&[("kea-dhcp4", "kea-dhcp4-server")]) {
        return;
    }
    let Some(mut lab) = Lab::alone() else { return };
    let Some(_raised) = Neighbours::raised() else {
        return;
    };
    lab.serve(2_000, true);
    let _dhcp = kea(&lab.server, "eth0", &WIDE, &lab.space.path().join("kea"));
    let said = lab.boots(&TWO_THOUSAND);
    assert!(said.contains("2,000 provisioned"), "{said}");
}

#[test]
fn an_address_that_another_host_uses_is_declined() {
    let Some(mut lab) = Lab::new() else { return };
    let squatter = lab.space.host("squatter");
    lab.switch.plug(&squatter, "eth0");
    squatter.address("eth0", "10.77.9.1/16");
    lab.serve(5, false);
    let narrow = Pool {
        range: ("10.77.9.1", "10.77.9.2"),
        seconds: 600,
        router: None,
    };
    let dhcp = dnsmasq(&lab.server, "eth0", &narrow, &lab.files());
    let frames = Frames::watch(&lab.server, "eth0", lab.space.path());
    // The address that dnsmasq gives follows from the MAC: of a few phones, some get the other's.
    let mut declined = false;
    for phone in ["0", "1", "2", "3", "4"] {
        let events = lab.space.path().join("events");
        let to = events.display().to_string();
        let output = lab
            .run(&["--phones", "5", "--phone", phone, "--events", &to])
            .output();
        let output = output.expect("it runs");
        let log = fs::read_to_string(&events).expect("written");
        if log.contains("10.77.9.1 is used by another host: declined") {
            assert!(
                log.contains("leased 10.77.9.2"),
                "{log}\n{}",
                words(&output)
            );
            declined = true;
            break;
        }
    }
    assert!(declined, "{}", dhcp.log());
    assert!(dhcp.log().contains("DHCPDECLINE"), "{}", dhcp.log());
    let frames = frames.end();
    let said = frames.rows("ip.src == 10.77.9.1", &["eth.src"]);
    assert!(said.is_empty(), "a declined address is not used: {said:?}");
}

#[test]
fn a_lease_is_extended_while_the_phone_lives() {
    let Some(mut lab) = Lab::new() else { return };
    lab.serve(5, false);
    // dnsmasq leases for two minutes at least: T1 is after one.
    let short = Pool {
        seconds: 120,
        ..WIDE
    };
    let _dhcp = dnsmasq(&lab.server, "eth0", &short, &lab.files());
    let frames = Frames::watch(&lab.server, "eth0", lab.space.path());
    let events = lab.space.path().join("events");
    let mut run = lab.attached(lab.lasting(70), NETWORK);
    run.args(["--phones", "5", "--phone", "0", "--events"]);
    run.arg(&events);
    let mut run = lab.phones.start("run", &mut run);
    run.wait_until("a lease", |_| state(&lab.phones).contains("proto 214"));
    // The server forgets who the phone is, and has to ask before it answers it again.
    lab.server.ip(&["neighbour", "flush", "all"]);
    run.finish(Duration::from_secs(120));
    let log = fs::read_to_string(&events).expect("written");
    let frames = frames.end();
    assert!(log.contains("renewed 10.77."), "{log}\n{}", run.log());
    let refused = frames.rows("icmp", &["ip.src"]);
    assert!(
        refused.is_empty(),
        "nobody says that port 68 is closed: {refused:?}"
    );
    let renewals = "dhcp.option.dhcp == 3 && ip.src != 0.0.0.0";
    let rows = frames.rows(renewals, &["eth.src", "dhcp.hw.mac_addr", "ip.dst"]);
    let own = |row: &Vec<String>| row[0] == row[1] && row[2] == SERVER;
    assert!(!rows.is_empty() && rows.iter().all(own), "{rows:?}");
    let address = frames.rows("dhcp.option.dhcp == 5", &["dhcp.ip.your"])[0][0].clone();
    let asked = format!("arp.opcode == 1 && arp.dst.proto_ipv4 == {address}");
    let asked = format!("{asked} && arp.src.proto_ipv4 == {SERVER}");
    let asked = frames.rows(&asked, &["eth.src"]).len();
    let answers = format!("arp.opcode == 2 && arp.src.proto_ipv4 == {address}");
    let answers = frames.rows(&answers, &["eth.src"]).len();
    assert!(asked > 0, "the server asked");
    assert_eq!(answers, asked, "one answer to each, not the kernel's too");
}

#[test]
fn ctrl_c_once_or_twice_leaves_nothing_behind_and_a_killed_run_is_tidied_up_after() {
    let Some(mut lab) = Lab::new() else { return };
    lab.serve(100, false);
    let _dhcp = dnsmasq(&lab.server, "eth0", &WIDE, &lab.files());
    let scenario = lab.lasting(80);
    let before = state(&lab.phones);
    let begun = || {
        let mut run = lab.attached(&scenario, NETWORK);
        run.args(["--phones", "100"]);
        let mut run = lab.phones.start("run", &mut run);
        run.wait_until("leases", |_| {
            state(&lab.phones).matches("proto 214").count() > 40
        });
        run
    };
    let signal = |which: &str, run: &Process| {
        let sent = Command::new("kill")
            .args([which, &run.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
    };
    let mut run = begun();
    signal("-INT", &run);
    assert_eq!(run.finish(Duration::from_secs(20)).code(), Some(5));
    assert_eq!(state(&lab.phones), before);
    let mut run = begun();
    signal("-INT", &run);
    signal("-TERM", &run);
    assert_eq!(run.finish(Duration::from_secs(20)).code(), Some(5));
    assert_eq!(state(&lab.phones), before);
    let mut run = begun();
    let second = lab
        .run(&["--phones", "100", "--phone", "1"])
        .output()
        .expect("it runs");
    assert_eq!(second.status.code(), Some(4), "{}", words(&second));
    assert!(words(&second).contains("another run of bootstorm has the interface eth0"));
    signal("-KILL", &run);
    let _ = run.finish(Duration::from_secs(20));
    let left = state(&lab.phones);
    assert!(
        left.contains("proto 214") && left.contains("bootstorm_eth0"),
        "{left}"
    );
    let after = lab.run(&["--phones", "100", "--phone", "1"]).output();
    let after = after.expect("it runs");
    assert_eq!(state(&lab.phones), before, "{}", words(&after));
    lab.boots(&["--phones", "100", "--phone", "1"]);
    assert_eq!(state(&lab.phones), before);
}

#[test]
fn says_what_is_missing_before_anything_is_changed() {
    let Some(lab) = Lab::new() else { return };
    let run = |further: &[&str]| {
        let mut command = lab.phones.command(env!("CARGO_BIN_EXE_bootstorm"));
        command.args(["run", SCENARIO, "--attach", "lan", "--out"]);
        command
            .arg(lab.space.path())
            .args(further)
            .stdin(Stdio::null());
        let output = command.output().expect("it runs");
        (output.status.code(), words(&output))
    };
    let before = state(&lab.phones);
    let at_server = ["--subject", "tftp://10.77.0.1"];
    let on = |name| [&at_server[..], &["--interface", name]].concat();
    let (code, said) = run(&at_server);
    assert!(
        code == Some(2) && said.contains("which interface?"),
        "{said}"
    );
    let (code, said) = run(&["--interface", "eth0"]);
    assert!(code == Some(2) && said.contains("which server?"), "{said}");
    let (code, said) = run(&on("eht0"));
    assert!(
        code == Some(4) && said.contains("did you mean eth0?"),
        "{said}"
    );
    let (code, said) = run(&on("lo"));
    assert!(
        code == Some(4) && said.contains("lo is no Ethernet"),
        "{said}"
    );
    let (code, said) = run(&on("eth0"));
    assert!(
        code == Some(2) && said.contains("by --allow-network"),
        "{said}"
    );
    let (code, said) = run(&[&on("eth0")[..], &["--allow-network", "10.78.0.0/16"]].concat());
    assert!(
        code == Some(2) && said.contains("the server, 10.77.0.1, is outside"),
        "{said}"
    );
    let elsewhere = [
        "--subject",
        "http://192.0.2.9",
        "--allow-network",
        "10.77.0.0/16",
    ];
    let (code, said) = run(&[&on("eth0")[..], &elsewhere].concat());
    assert!(
        code == Some(2) && said.contains("--subject: 192.0.2.9 is outside"),
        "{said}"
    );
    lab.phones.ip(&["link", "set", "eth0", "down"]);
    let (code, said) = run(&on("eth0"));
    assert!(
        code == Some(4) && said.contains("sudo ip link set eth0 up"),
        "{said}"
    );
    lab.phones.ip(&["link", "set", "eth0", "up"]);
    lab.switch.host.ip(&["link", "set", "port2", "down"]);
    let begun = Instant::now();
    while !run(&on("eth0")).1.contains("eth0 has no carrier") {
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    lab.switch.host.ip(&["link", "set", "port2", "up"]);
    while run(&on("eth0")).1.contains("eth0 has no carrier") {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(state(&lab.phones), before);
}

#[test]
fn a_lease_outside_the_allowed_networks_is_refused_loudly_and_nothing_leaves_them() {
    let Some(mut lab) = Lab::new() else { return };
    lab.serve(5, false);
    let _dhcp = dnsmasq(&lab.server, "eth0", &WIDE, &lab.files());
    let frames = Frames::watch(&lab.server, "eth0", lab.space.path());
    let mut run = lab.attached(SCENARIO, "10.77.0.0/24");
    run.args(["--phones", "5", "--phone", "0", "--deadline", "5"]);
    let output = run.output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{}", words(&output));
    let said = words(&output).replace("\n", " ");
    assert!(said.contains("outside the networks that this"), "{said}");
    let spoken = "eth.src[0:3] == 00:21:f2 && (arp || ip.src != 0.0.0.0)";
    let spoken = frames.end().rows(spoken, &["eth.dst"]);
    assert!(spoken.is_empty(), "{spoken:?}");
}

#[test]
fn a_lease_of_a_server_outside_the_allowed_networks_is_not_given_back_to_it() {
    let Some(mut lab) = Lab::new() else { return };
    // The address that DHCP names as the server's is the first of the interface.
    lab.server.ip(&["address", "flush", "dev", "eth0"]);
    lab.server.address("eth0", "10.77.200.1/16");
    lab.server.address("eth0", "10.77.0.1/16");
    lab.serve(5, false);
    let _dhcp = dnsmasq(&lab.server, "eth0", &WIDE, &lab.files());
    let frames = Frames::watch(&lab.server, "eth0", lab.space.path());
    let said = lab.ends_well(|| {
        let mut run = lab.attached(SCENARIO, "10.77.0.0/19");
        run.args(["--phones", "5", "--phone", "0"]);
        run
    });
    let said = said.replace('\n', " ");
    assert!(said.contains("DHCP to 10.77.200.1 was not sent"), "{said}");
    let frames = frames.end();
    let named = frames.rows("dhcp.option.dhcp == 5", &["dhcp.option.dhcp_server_id"]);
    assert!(!named.is_empty(), "the server leased something");
    assert!(named.iter().all(|row| row[0] == "10.77.200.1"), "{named:?}");
    let sent = frames.rows("dhcp.type == 1 && ip.dst == 10.77.200.1", &["eth.src"]);
    assert!(sent.is_empty(), "{sent:?}");
}

#[test]
fn phones_behind_a_relay_agent_boot_against_a_server_some_hops_away() {
    let Some(mut lab) = Lab::over_a_router() else {
        return;
    };
    let pool = Pool {
        range: ("10.76.1.0", "10.76.30.255"),
        seconds: 600,
        router: None,
    };
    lab.serve(100, false);
    let dhcp = dnsmasq(&lab.server, "eth0", &pool, &lab.files());
    let said = lab.ends_well(|| {
        let mut run = lab.relayed("10.77.0.0/24");
        run.args(["--phones", "100"]);
        run
    });
    assert!(said.contains("100 provisioned"), "{said}");
    given_back(&dhcp, 100);
}
