//! Real DHCP, TFTP and HTTP servers of a segment, told the phones' makers apart by their MACs.

#[path = "../support/dnsmasq.rs"]
mod dnsmasq;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::space::{Host, Port, Process};
use dnsmasq::BARE;

/// The server's address.
pub(crate) const SERVER: &str = "10.77.0.1";

/// What phones are told of their server: name, parts of their MACs, options as text (code, value).
const MAKERS: [(&str, &[&str], u8, &str); 6] = [
    (
        "flyingvoice",
        &["00:21:f2", "78:99:12"],
        66,
        "tftp://10.77.0.1/",
    ),
    (
        "plug-n-dial",
        &["00:0b:82"],
        66,
        "tftp://10.77.0.1/plug-n-dial/",
    ),
    (
        "gigaset",
        &["7c:2f:80", "58:9e:c6", "00:21:04", "14:b3:70"],
        114,
        "http://10.77.0.1/maxwell/",
    ),
    (
        "auerswald",
        &["00:09:52"],
        43,
        "http://10.77.0.1/comfortel/",
    ),
    ("fanvil", &["0c:38:3e"], 66, "tftp://10.77.0.1/fanvil/"),
    (
        "fanvil-2",
        &["00:a8:59", "00:03:07"],
        66,
        "tftp://10.77.0.1/fanvil/",
    ),
];

/// The value of an option as bytes: in 43 two sub-options with a NUL at their ends, the directory
/// and the file's name with the maker's own marker.
fn value(code: u8, text: &str) -> Vec<u8> {
    let sub_option = |code: u8, text: &str| {
        let length = u8::try_from(text.len() + 1).expect("short");
        [&[code, length], text.as_bytes(), &[0]].concat()
    };
    match code {
        43 => [sub_option(66, text), sub_option(67, "<MACADR>.xml")].concat(),
        _ => text.as_bytes().to_vec(),
    }
}

fn hex(bytes: &[u8], between: &str) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(between)
}

/// What a DHCP server leases.
pub(crate) struct Pool {
    /// The first and the last address.
    pub(crate) range: (&'static str, &'static str),
    /// How long, in seconds.
    pub(crate) seconds: u32,
    /// The way out.
    pub(crate) router: Option<&'static str>,
}

/// Thousands of addresses for ten minutes.
pub(crate) const WIDE: Pool = Pool {
    range: ("10.77.1.0", "10.77.30.255"),
    seconds: 600,
    router: None,
};

/// dnsmasq as DHCP and TFTP server at an interface of a host.
pub(crate) fn dnsmasq(host: &Host, interface: &str, pool: &Pool, files: &Path) -> Process {
    let mut command = host.command("dnsmasq");
    let (first, last) = pool.range;
    command.args(BARE).args([
        "--bind-interfaces",
        "--no-ping",
        "--dhcp-authoritative",
        "--dhcp-lease-max=9000",
        // Else it writes and syncs all its leases for each that changes.
        "--leasefile-ro",
        "--enable-tftp",
        "--tftp-max=1000",
        "--dhcp-option=42,10.77.0.1",
    ]);
    command.arg(format!("--interface={interface}"));
    command.arg(format!("--tftp-root={}", files.display()));
    let seconds = pool.seconds;
    command.arg(format!("--dhcp-range={first},{last},255.255.0.0,{seconds}"));
    let router = pool.router.map_or_else(
        || "--dhcp-option=3".to_owned(),
        |router| format!("--dhcp-option=3,{router}"),
    );
    command.arg(router);
    for (name, parts, code, text) in MAKERS {
        for part in parts {
            command.arg(format!("--dhcp-mac=set:{name},{part}:*:*:*"));
        }
        // It knows that the others are text.
        let value = match code {
            43 => hex(&value(code, text), ":"),
            _ => text.to_owned(),
        };
        command.arg(format!("--dhcp-option=tag:{name},{code},{value}"));
    }
    let mut server = host.start("dnsmasq", &mut command);
    server.wait_port(Port::Udp(67));
    server.wait_port(Port::Udp(69));
    server
}

/// Kea as DHCP server at an interface of a host; its files go to `own`.
pub(crate) fn kea(host: &Host, interface: &str, pool: &Pool, own: &Path) -> Process {
    fs::create_dir_all(own).expect("a directory");
    let file = own.join("kea.json");
    fs::write(&file, kea_configuration(interface, pool, own)).expect("writable");
    let mut command = host.command("kea-dhcp4");
    command
        .env("KEA_PIDFILE_DIR", own)
        .env("KEA_LOCKFILE_DIR", own);
    command.arg("-c").arg(&file);
    let mut server = host.start("kea", &mut command);
    server.wait_text("DHCP4_STARTED");
    server
}

fn kea_configuration(interface: &str, pool: &Pool, own: &Path) -> String {
    let mut classes = String::new();
    for (name, parts, code, text) in MAKERS {
        let tests = parts.iter().map(|part| {
            let plain = part.replace(':', "");
            format!("substring(pkt4.mac,0,3) == 0x{plain}")
        });
        let test = tests.collect::<Vec<_>>().join(" or ");
        let data = hex(&value(code, text), "");
        let comma = if classes.is_empty() { "" } else { ",\n" };
        let _ = write!(
            classes,
            r#"{comma}{{ "name": "{name}", "test": "{test}", "option-data":
              [ {{ "code": {code}, "csv-format": false, "data": "{data}", "always-send": true }} ]
              {undefined} }}"#,
            undefined = match code {
                43 => r#", "option-def": [ { "name": "raw", "code": 43, "type": "binary" } ]"#,
                _ => "",
            }
        );
    }
    let (first, last) = pool.range;
    let (own, seconds) = (own.display(), pool.seconds);
    let router = pool.router.map_or_else(String::new, |router| {
        format!(r#", {{ "name": "routers", "data": "{router}" }}"#)
    });
    format!(
        r#"{{ "Dhcp4": {{
  "interfaces-config": {{ "interfaces": [ "{interface}" ], "dhcp-socket-type": "raw" }},
  "lease-database": {{ "type": "memfile", "persist": true, "name": "{own}/leases.csv" }},
  "valid-lifetime": {seconds},
  "client-classes": [ {classes} ],
  "subnet4": [ {{ "id": 1, "subnet": "10.77.0.0/16", "interface": "{interface}",
    "pools": [ {{ "pool": "{first} - {last}" }} ],
    "option-data": [ {{ "code": 42, "name": "ntp-servers", "data": "10.77.0.1" }} {router} ] }} ],
  "loggers": [ {{ "name": "kea-dhcp4", "severity": "INFO",
    "output_options": [ {{ "output": "stdout" }} ] }} ] }} }}
"#
    )
}

/// dnsmasq as TFTP server alone.
pub(crate) fn tftp(host: &Host, files: &Path) -> Process {
    let mut command = host.command("dnsmasq");
    command.args(BARE);
    command.args(["--enable-tftp", "--tftp-max=1000"]);
    command.arg(format!("--tftp-root={}", files.display()));
    let mut server = host.start("tftp", &mut command);
    server.wait_port(Port::Udp(69));
    server
}

/// nginx at port 80; its own files go to `own`.
pub(crate) fn nginx(host: &Host, files: &Path, own: &Path) -> Process {
    fs::create_dir_all(own).expect("a directory");
    let file: PathBuf = own.join("nginx.conf");
    let mut text = format!(
        "user root; daemon off; master_process off; pid {}/pid;\nevents {{ worker_connections \
         4000; }}\nhttp {{ access_log off;\n",
        own.display()
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "{kind}_temp_path {}/{kind};", own.display());
    }
    let _ = writeln!(
        text,
        "server {{ listen {SERVER}:80; root \"{}\"; location / {{ try_files \"$uri?$args\" $uri \
         =404; }} }} }}",
        files.display()
    );
    fs::write(&file, text).expect("writable");
    let mut command = host.command("nginx");
    command
        .arg("-c")
        .arg(&file)
        .arg("-e")
        .arg(own.join("error.log"));
    let mut server = host.start("nginx", &mut command);
    server.wait_port(Port::Tcp(80));
    server
}
