//! DHCP servers of others, told what the fleet's phones are to learn.

#[path = "../support/dnsmasq.rs"]
mod dnsmasq;

use std::fs;

use bootstorm_scenarios::scenario::Discovery;

use crate::rows::{Leases, Other, Row};
use crate::space::{Port, Process};
use crate::{NETWORK, POOL, SERVER, Segment};
use dnsmasq::BARE;

/// An option as bytes.
struct Given {
    code: u8,
    data: Vec<u8>,
}

impl Given {
    fn hex(&self, between: &str) -> String {
        let bytes = self.data.iter().map(|byte| format!("{byte:02x}"));
        bytes.collect::<Vec<_>>().join(between)
    }
}

/// What every phone of the fleet is told alike: the URL, where it comes by DHCP, and the time
/// server.
fn given(row: &Row, segment: &Segment) -> Vec<Given> {
    let plan = &segment.plan;
    let of_phone = |index| {
        let phone = plan.phone(index)?;
        let fleet = plan.fleet(&phone)?;
        let text = plan.found_text(&phone).into_bytes();
        let (base, file) = plan.found_parts(&phone);
        Some(match fleet.source {
            Discovery::Dhcp => (66, text),
            Discovery::Dhcp114 => (114, text),
            Discovery::Dhcp43 => (43, [sub_option(66, &base), sub_option(67, &file)].concat()),
            Discovery::DhcpCustom => (fleet.option, text),
            _ => return None,
        })
    };
    let first = of_phone(0);
    for index in 1..plan.phones() {
        assert_eq!(of_phone(index), first, "one text for all: {}", row.name);
    }
    let mut given: Vec<_> = first
        .map(|(code, data)| Given { code, data })
        .into_iter()
        .collect();
    if row.others.contains(&Other::Chrony) {
        let data = SERVER.octets().to_vec();
        given.push(Given { code: 42, data });
    }
    given
}

/// A sub-option of option 43 with the NUL at its end that the vendor counts (AUE-32).
fn sub_option(code: u8, text: &str) -> Vec<u8> {
    if text.is_empty() {
        return Vec::new();
    }
    let length = u8::try_from(text.len() + 1).expect("short");
    [&[code, length], text.as_bytes(), &[0]].concat()
}

/// Starts it on the server's interface.
pub(crate) fn start(which: Leases, row: &Row, segment: &Segment) -> Process {
    let given = given(row, segment);
    match which {
        Leases::Dnsmasq => dnsmasq(&given, segment),
        Leases::Kea => kea(&given, segment),
        Leases::Isc => isc(&given, segment),
    }
}

fn dnsmasq(given: &[Given], segment: &Segment) -> Process {
    let mut command = segment.server.command("dnsmasq");
    command.args(BARE).arg("--interface=eth0");
    command.args(["--dhcp-authoritative", "--no-ping"]);
    let leases = segment.own("dnsmasq").join("leases");
    command.arg(format!("--dhcp-leasefile={}", leases.display()));
    command.arg(format!("--dhcp-range={},{}", POOL[0], POOL[1]));
    for option in given {
        // It knows that option 66 is text, and would take bytes for letters.
        let text = String::from_utf8(option.data.clone()).ok();
        let text = text.filter(|it| it.bytes().all(|byte| byte.is_ascii_graphic()));
        let value = text.unwrap_or_else(|| option.hex(":"));
        command.arg(format!("--dhcp-option={},{value}", option.code));
    }
    let mut server = segment.server.start("dnsmasq", &mut command);
    server.wait_port(Port::Udp(67));
    server
}

fn kea(given: &[Given], segment: &Segment) -> Process {
    let own = segment.own("kea");
    let options = given.iter().map(|option| {
        let (code, data) = (option.code, option.hex(""));
        format!(
            r#"{{ "code": {code}, "csv-format": false, "data": "{data}", "always-send": true }}"#
        )
    });
    let options = options.collect::<Vec<_>>().join(", ");
    // What option 43 holds is the vendor's own, and Kea wants to be told so.
    let text = format!(
        r#"{{ "Dhcp4": {{
  "interfaces-config": {{ "interfaces": [ "eth0" ], "dhcp-socket-type": "raw" }},
  "lease-database": {{ "type": "memfile", "persist": true, "name": "{own}/leases.csv" }},
  "valid-lifetime": 3600,
  "client-classes": [ {{ "name": "phones", "test": "member('ALL')",
    "option-def": [ {{ "name": "raw", "code": 43, "type": "binary" }} ],
    "option-data": [ {options} ] }} ],
  "subnet4": [ {{ "id": 1, "subnet": "{NETWORK}", "interface": "eth0",
    "pools": [ {{ "pool": "{first} - {last}" }} ] }} ],
  "loggers": [ {{ "name": "kea-dhcp4", "severity": "INFO",
    "output_options": [ {{ "output": "stdout" }} ] }} ] }} }}
"#,
        own = own.display(),
        first = POOL[0],
        last = POOL[1],
    );
    let file = own.join("kea.json");
    fs::write(&file, text).expect("writable");
    let mut command = segment.server.command("kea-dhcp4");
    command
        .env("KEA_PIDFILE_DIR", &own)
        .env("KEA_LOCKFILE_DIR", &own);
    let mut server = segment.server.start("kea", command.arg("-c").arg(&file));
    server.wait_text("DHCP4_STARTED");
    server
}

fn isc(given: &[Given], segment: &Segment) -> Process {
    let own = segment.own("dhcpd");
    let options: String = given
        .iter()
        .map(|option| {
            let (code, data) = (option.code, option.hex(":"));
            format!("option told-{code} code {code} = string;\noption told-{code} {data};\n")
        })
        .collect();
    let text = format!(
        "authoritative;\nping-check false;\ndefault-lease-time 3600;\n{options}\
         subnet 192.0.2.0 netmask 255.255.255.0 {{ range {} {}; }}\n",
        POOL[0], POOL[1]
    );
    let (file, leases) = (own.join("dhcpd.conf"), own.join("leases"));
    fs::write(&file, text).expect("writable");
    fs::write(&leases, "").expect("writable");
    let mut command = segment.server.command("dhcpd");
    command
        .args(["-4", "-f", "-d", "--no-pid", "-cf"])
        .arg(&file);
    command.arg("-lf").arg(&leases).arg("eth0");
    let mut server = segment.server.start("dhcpd", &mut command);
    server.wait_text("Server starting service");
    server
}
