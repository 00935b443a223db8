//! Modules of options in every form, plain and encrypted, written to disk and served by tftpd-hpa,
//! nginx with and without TLS, and pure-ftpd.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bootstorm_reports::run::Outcome;

use crate::program::run;
use crate::servers::{FTP_LOGIN, Nginx, authority, nginx, pure_ftpd, tftpd_hpa};
use crate::{World, bare, http, tftp};

const PHONES: u32 = 28;

/// A fleet for each protocol; what they fetch besides comes by the others.
const FLEETS: &str = r#"
name = "modules"
time_scale = 0.01
deadline_s = 60

[template.text]
phones = 7
[template.text.profiles]
"fanvil/x6" = 1
"fanvil/x4" = 1
"fanvil/c600" = 1
[template.text.common]
"global.time zone" = "32"
[template.text.own]
"sip.sip1 phone number" = "m{index}"

[[fleet]]
name = "text"
like = "text"
source = "dhcp"
transport = "tftp"
layout = "modules"
root = "text"
firmware = "2.14.0"
firmware_bytes = 65536
resources = [{ kind = "phonebook", transport = "http" }]

[[fleet]]
name = "xml"
like = "text"
source = "dhcp-43-plain"
transport = "http"
layout = "modules-xml"
root = "some xml"
resources = [
  { kind = "phonebook", suffix = "csv", transport = "tftp" },
  { kind = "certificate", suffix = "pem", transport = "https" },
]

[[fleet]]
name = "sealed"
like = "text"
source = "dhcp"
transport = "ftp"
layout = "modules"
root = "sealed"
auth = "login"
credentials = "url"
user = "USER"
password = "PASSWORD"
device_key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
common_key = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
resources = [{ kind = "phonebook", transport = "tftp" }]

[[fleet]]
name = "nested"
phones = 7
source = "static"
transport = "https"
layout = "modules-nested"
root = "nested"
cipher = "cbc-prefixed"
device_key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
common_key = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
[fleet.profiles]
"fanvil/i12" = 1
"fanvil/x6" = 1
[fleet.common]
"ap.pnp.pnpinterval" = "1"
[fleet.own]
"sip.line[1].phonenumber" = "n{index}"
"#;

/// The file of this phone below a directory.
fn file_of(directory: &Path, mac: &str) -> PathBuf {
    directory.join(format!("{mac}.cfg"))
}

// FAN-05, FAN-21 … FAN-34, FAN-110: every protocol, every form of the files, both modes of the
// cipher, at servers that are not ours.
#[test]
fn files_of_modules_on_disk_provision_by_every_protocol() {
    let world = World::empty();
    let scenario = world.path().join("modules.toml");
    let fleets = FLEETS.replace("USER", FTP_LOGIN.0);
    fs::write(&scenario, fleets.replace("PASSWORD", FTP_LOGIN.1)).expect("writable");
    let scenario = scenario.display().to_string();
    let content = world.content();
    let out = content.display().to_string();
    let arguments = ["content", &scenario, "--out", &out];
    run(
        world.path(),
        &[&arguments[..], &["--server", "127.0.0.1"]].concat(),
    )
    .expect(0);
    fs::set_permissions(world.path(), Permissions::from_mode(0o755)).expect("ours");

    let Some(files) = tftpd_hpa(&content) else {
        return;
    };
    let Some(logins) = pure_ftpd(&content, &world.path().join("pure-ftpd")) else {
        return;
    };
    let Some(plain) = world.nginx() else { return };
    let own = world.path().join("nginx-tls");
    let secure = nginx(&Nginx {
        directory: &content,
        own: &own,
        always: None,
        tls: true,
        certified: None,
        closed: None,
    });
    let Some(secure) = secure else { return };
    let by_login = format!("ftp://127.0.0.1:{}", logins.port);
    let https = format!("https://127.0.0.1:{}", secure.port);
    let ca = authority(&own).display().to_string();
    let (by_tftp, by_http) = (tftp(&files), http(&plain));
    let mut arguments = vec!["--ca", &ca];
    for subject in [&by_tftp, &by_http, &https, &by_login] {
        arguments.extend(["--subject", subject]);
    }
    let (finished, report) = world.boot_own(&scenario, &arguments);
    finished.expect(0);
    assert_eq!(report.counts().of(Outcome::Provisioned), PHONES);

    // Each form is on the disk, and only its own phone fails where a file is damaged.
    let mut macs: Vec<_> = report
        .phones()
        .iter()
        .map(|phone| bare(phone.mac))
        .collect();
    macs.sort();
    let mut expected = Vec::new();
    for root in ["text", "some xml", "sealed", "nested"] {
        let directory = content.join(root);
        let mut here = macs.iter().filter(|mac| file_of(&directory, mac).exists());
        let mac = here.next().expect("files called like their phones");
        let file = file_of(&directory, mac);
        let bytes = fs::read(&file).expect("just served");
        match root {
            "text" => assert!(bytes.starts_with(b"<<VOIP CONFIG FILE>>"), "{file:?}"),
            "some xml" => assert!(bytes.starts_with(b"<?xml"), "{file:?}"),
            _ => assert!(!bytes.is_ascii(), "{file:?}"),
        }
        // An encrypted file under the wrong key, a plain one that says nothing.
        fs::write(&file, bytes.iter().rev().copied().collect::<Vec<_>>()).expect("writable");
        expected.push(mac.clone());
    }
    expected.sort();
    let (finished, report) = world.boot_own(&scenario, &arguments);
    finished.expect(1);
    assert_eq!(crate::unlucky(&report), expected);
}
