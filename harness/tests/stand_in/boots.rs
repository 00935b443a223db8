//! The stand-in boots whole, at our server and at one that nobody here wrote; its switch is a
//! switch; those of its kind that differ from the guide can be told apart on the wire.

#[path = "../support/dnsmasq.rs"]
mod dnsmasq;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Lab, MAC, READER, SERVER, WRITER, here};
use crate::program::{Finished, Started};
use crate::space::{Port, Process};
use crate::tool::tool;
use dnsmasq::BARE;

/// What passes in a boot without a boot file, as `sent` has it.
const BOOT: [&str; 9] = [
    "DHCP 1",
    "DHCP 3",
    "RRQ 0021f20a0001 tsize=0 blksize=512 timeout=3",
    "RRQ 0021f20a0001.boot tsize=0 blksize=512 timeout=3",
    "RRQ y000000000000.boot tsize=0 blksize=512 timeout=3",
    "RRQ y000000000000.cfg tsize=0 blksize=512 timeout=3",
    "RRQ 0021f20a0001.cfg tsize=0 blksize=512 timeout=3",
    "REGISTER",
    "REGISTER",
];
/// Shorter than a user would set it.
pub(crate) const PAGE: &str = "boot_s=0.2\nrandom_delay_s=0.3\n";

/// `bootstorm serve` on the server's interface.
pub(crate) fn serve(lab: &Lab) -> Process {
    let mut command = lab.server.command(env!("CARGO_BIN_EXE_bootstorm"));
    command.current_dir(lab.space.path()).arg("serve");
    command.arg(here("segment.toml"));
    command.arg("--profiles").arg(here("profiles"));
    command.args(["--beyond-loopback", "--address", SERVER]);
    command.args(["--dhcp-interface", "eth0"]);
    command.args(["--dhcp-pool", "192.0.2.50-192.0.2.59/24"]);
    command.args(["--dhcp-port", "67", "--tftp-port", "69", "--ftp-port", "21"]);
    command.args([
        "--http-port",
        "80",
        "--https-port",
        "443",
        "--ntp-port",
        "123",
    ]);
    let mut server = lab.server.start("serve", &mut command);
    server.wait_port(Port::Udp(67));
    server
}

/// Everything that the handset itself sent, a line for each message that begins something; none
/// without a decoder, which is said.
fn sent(capture: &Path) -> Option<Vec<String>> {
    let fields = ["dhcp.option.dhcp", "tftp.source_file", "tftp.option.name"];
    let fields = fields.iter().chain(&["tftp.option.value", "sip.Method"]);
    let mut command = Command::new(tool("tshark", "tshark")?);
    command.arg("-n").arg("-r").arg(capture);
    let own = "eth.src == 00:21:f2:0a:00:01 && (dhcp || tftp.opcode == 1 || sip.Method)";
    command.args(["-Y", own, "-T", "fields", "-E", "separator=;"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let text = Started::new(&mut command).finish().expect(0).out;
    Some(text.lines().map(line).collect())
}

/// A line of tshark's for people.
fn line(text: &str) -> String {
    let fields: Vec<_> = text.split(';').collect();
    let [dhcp, file, names, values, method] = fields[..] else {
        panic!("{text}");
    };
    if !dhcp.is_empty() {
        return format!("DHCP {dhcp}");
    }
    if !method.is_empty() {
        return method.to_owned();
    }
    let pairs = names.split(',').zip(values.split(','));
    let options = pairs.map(|(name, value)| format!(" {name}={value}"));
    let options = if names.is_empty() {
        String::new()
    } else {
        options.collect()
    };
    format!("RRQ {file}{options}")
}

/// One boot of a handset with this page, as it is seen on the wire.
fn one_boot(page: &str) -> Option<Vec<String>> {
    let lab = Lab::new(&format!("{PAGE}{page}"))?;
    let _server = serve(&lab);
    let (tcpdump, file) = lab.capture("boot.pcap");
    lab.power(true);
    lab.wait_told("registered u00000: 0", 1);
    tcpdump.end();
    sent(&file)
}

/// `bootstorm notify` to the handset, from the server's side.
fn notify(lab: &Lab, reboot: &str) -> Finished {
    let mut command = lab.server.command(env!("CARGO_BIN_EXE_bootstorm"));
    command.current_dir(lab.space.path());
    command.args(["notify", "--to", "u00000@192.0.2.50", "--reboot", reboot]);
    Started::new(&mut command).finish()
}

#[test]
fn boots_whole_at_our_server_as_often_as_it_is_given_power() {
    let Some(lab) = Lab::new(PAGE) else { return };
    let server = serve(&lab);
    let (tcpdump, file) = lab.capture("boots.pcap");
    for boot in 1..=2 {
        lab.power(true);
        lab.wait_told("registered u00000: 0", boot);
        lab.power(false);
        lab.wait_told("power lost", boot);
    }
    tcpdump.end();
    server.end();
    let Some(seen) = sent(&file) else { return };
    assert_eq!(seen, [BOOT, BOOT].concat());
}

#[test]
fn fetches_again_or_boots_at_a_check_sync() {
    let Some(lab) = Lab::new(PAGE) else { return };
    let _server = serve(&lab);
    lab.power(true);
    lab.wait_told("registered u00000: 0", 1);
    let (tcpdump, file) = lab.capture("resync.pcap");
    let out = notify(&lab, "false").expect(0).out;
    assert!(out.contains("200"), "{out}");
    lab.wait_told("registered u00000: 0", 2);
    notify(&lab, "true").expect(0);
    lab.wait_told("registered u00000: 0", 3);
    tcpdump.end();
    let told = lab.told();
    assert!(told.contains("woken by resync"), "{told}");
    assert!(told.contains("woken by reboot"), "{told}");
    let Some(seen) = sent(&file) else { return };
    assert_eq!(seen, [&BOOT[2..], &BOOT[..]].concat());
}

/// dnsmasq as DHCP and TFTP server over what `content` wrote.
fn dnsmasq(lab: &Lab) -> Option<Process> {
    tool("dnsmasq", "dnsmasq-base")?;
    let content: PathBuf = lab.space.path().join("content");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstorm"));
    command.current_dir(lab.space.path()).arg("content");
    command.arg(here("segment.toml"));
    command.arg("--profiles").arg(here("profiles"));
    command.args(["--server", SERVER, "--out"]).arg(&content);
    Started::new(&mut command).finish().expect(0);
    let mut command = lab.server.command("dnsmasq");
    command.args(BARE).arg("--interface=eth0");
    command.args(["--dhcp-range=192.0.2.60,192.0.2.69", "--dhcp-authoritative"]);
    command.arg(format!("--dhcp-option=66,{SERVER}"));
    let leases = lab.space.path().join("leases");
    command.arg(format!("--dhcp-leasefile={}", leases.display()));
    // Otherwise it looks for three seconds whether an address is free.
    command.args(["--no-ping", "--enable-tftp"]);
    command.arg(format!("--tftp-root={}", content.display()));
    let mut server = lab.server.start("dnsmasq", &mut command);
    server.wait_port(Port::Udp(67));
    Some(server)
}

#[test]
fn boots_whole_at_dnsmasq() {
    let Some(lab) = Lab::new(PAGE) else { return };
    let Some(server) = dnsmasq(&lab) else { return };
    let (tcpdump, file) = lab.capture("dnsmasq.pcap");
    lab.power(true);
    lab.wait_told("provisioned", 1);
    tcpdump.end();
    let log = server.log();
    assert!(log.contains(&format!("{MAC}.cfg")), "{log}");
    let Some(mut seen) = sent(&file) else { return };
    seen.truncate(7);
    assert_eq!(seen, BOOT[..7]);
}

#[test]
fn a_handset_that_asks_out_of_order_is_seen_to() {
    let Some(seen) = one_boot("deviation=common-first\n") else {
        return;
    };
    let mut expected = BOOT.to_vec();
    expected.insert(2, BOOT[5]);
    assert_eq!(seen, expected);
}

#[test]
fn a_handset_that_sends_no_options_is_seen_to() {
    let Some(seen) = one_boot("deviation=options\n") else {
        return;
    };
    let bare = |line: &&str| line.split(" tsize").next().unwrap_or_default().to_owned();
    assert_eq!(seen, BOOT.iter().map(bare).collect::<Vec<_>>());
}

#[test]
fn the_switch_speaks_snmp_and_its_port_really_goes() {
    let Some(lab) = Lab::new(PAGE) else { return };
    let carrier = || {
        let mut command = lab.handset().command("cat");
        let file = "/sys/class/net/eth0/carrier";
        lab.handset().run(command.arg(file)).trim().to_owned()
    };
    let ask = |column| {
        let mut command = lab.snmp("snmpget", READER);
        let text = lab.server.run(command.arg(lab.cell(column)));
        text.trim().to_owned()
    };
    // pethPsePortAdminEnable, pethPsePortDetectionStatus: false and disabled, then true and
    // delivering power.
    assert_eq!([ask(3), ask(6), carrier()], ["2", "1", "0"]);
    lab.power(true);
    assert_eq!([ask(3), ask(6), carrier()], ["1", "3", "1"]);
    lab.power(false);
    assert_eq!([ask(3), ask(6), carrier()], ["2", "1", "0"]);

    let set = |community, cell: &str, value: &str| {
        let mut command = lab.snmp("snmpset", community);
        Started::new(command.args([cell, "i", value])).finish()
    };
    assert_ne!(set(READER, &lab.cell(3), "1").code, 0);
    let wrong = set(WRITER, &lab.cell(3), "7");
    assert!(wrong.err.contains("wrongValue"), "{}", wrong.err);
    let nowhere = set(WRITER, "1.3.6.1.2.1.105.1.1.1.3.1.9", "1");
    assert!(nowhere.err.contains("notWritable"), "{}", nowhere.err);
    assert_eq!([ask(3), carrier()], ["2", "0"]);

    // The whole table of two ports: two columns each.
    let mut walk = lab.snmp("snmpwalk", READER);
    let text = lab.server.run(walk.arg("1.3.6.1.2.1.105.1.1.1"));
    let values: Vec<_> = text.split_whitespace().collect();
    assert_eq!(values, ["1", "2", "3", "1"]);

    // Version 3, authenticated and encrypted.
    let mut command = lab.server.command("snmpset");
    command.env("MIBS", "");
    command.args(["-v3", "-u", "operator", "-l", "authPriv", "-a", "SHA"]);
    command.args([
        "-A",
        "authentic-phrase",
        "-x",
        "AES",
        "-X",
        "private-phrase",
    ]);
    command.args([crate::place::SWITCH, &lab.cell(3), "i", "1"]);
    lab.server.run(&mut command);
    assert_eq!([ask(3), carrier()], ["1", "1"]);
}
