//! `bootstorm judge`: phones of a capture, and what their vendor's cases say of them.

use std::path::Path;
use std::process::Command;

use bootstorm::observe::file::Capture;
use tempfile::TempDir;

/// What the program says and writes, and how it exits.
fn bootstorm(arguments: &[&str]) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstorm"));
    let said = command.args(arguments).output().expect("the program");
    (
        String::from_utf8_lossy(&said.stdout).into_owned(),
        String::from_utf8_lossy(&said.stderr).into_owned(),
        said.status.code().expect("an exit code"),
    )
}

/// A scenario like the base of a suite, and its capture with these phone mutants.
fn captured(directory: &Path, mutants: &[&str]) -> String {
    captured_of(directory, 1, mutants)
}

fn captured_of(directory: &Path, phones: u32, mutants: &[&str]) -> String {
    let scenario = directory.join("one.toml");
    let text = r#"
name = "one"
deadline_s = 600
[[fleet]]
name = "one"
phones = 1
source = "dhcp"
transport = "tftp"
layout = "flat"
profiles = { "flyingvoice/fip13g" = 1 }
[fleet.web]
pnp_enable = "0"
[fleet.common]
"local_time.time_zone" = "+1"
"#;
    let text = text.replace("phones = 1", &format!("phones = {phones}"));
    std::fs::write(&scenario, text).expect("written");
    let out = directory.join("run");
    let mut arguments = vec![
        "run",
        scenario.to_str().expect("text"),
        "--attach",
        "memory",
    ];
    arguments.extend(["--capture", "all", "--out", out.to_str().expect("text")]);
    for mutant in mutants {
        arguments.extend(["--phone-mutant", mutant]);
    }
    let (_, faults, exit) = bootstorm(&arguments);
    assert!(exit < 2, "{exit} {faults}");
    out.join("capture.pcapng")
        .to_str()
        .expect("text")
        .to_owned()
}

#[test]
fn a_sound_phone_keeps_cases_and_breaks_none() {
    let directory = TempDir::new().expect("a directory");
    let capture = captured(directory.path(), &[]);
    let out = directory.path().join("judged");
    let out = out.to_str().expect("text");
    let (text, faults, exit) = bootstorm(&["judge", &capture, "--out", out, "--complete"]);
    assert_eq!(exit, 0, "{text}{faults}");
    assert!(text.starts_with("0021f2000000 flyingvoice/"), "{text}");
    assert!(text.contains(", 0 broken,"), "{text}");
    for clause in ["FLY-62", "FLY-69", "FLY-72"] {
        assert!(text.contains(clause), "{clause}: {text}");
    }
    let report = std::fs::read_to_string(Path::new(out).join("report.json")).expect("a report");
    assert!(report.contains("flyingvoice/names-are-tried-in-order"));
}

#[test]
fn phones_that_deviate_are_caught_on_what_they_do() {
    for (mutant, case) in [
        (
            "phone/flyingvoice/asks-in-upper-case",
            "flyingvoice/names-are-tried-in-order",
        ),
        (
            "phone/flyingvoice/new-xid-for-request",
            "flyingvoice/one-transaction-id",
        ),
        (
            "phone/flyingvoice/long-pause-between-files",
            "flyingvoice/pause-after-an-error",
        ),
    ] {
        let directory = TempDir::new().expect("a directory");
        let capture = captured(directory.path(), &[mutant]);
        let out = directory.path().join("judged");
        let out = out.to_str().expect("text");
        let (text, _, exit) = bootstorm(&["judge", &capture, "--out", out, "--complete"]);
        assert_eq!(exit, 1, "{mutant}: {text}");
        let broken: Vec<_> = text
            .lines()
            .filter(|line| line.contains("BROKEN"))
            .collect();
        assert!(
            broken.iter().any(|line| line.contains(case)),
            "{mutant}: {text}"
        );
        assert!(broken.len() <= 6, "{mutant}: {text}");
    }
}

#[test]
fn what_may_still_have_come_is_not_held_against_a_phone() {
    let directory = TempDir::new().expect("a directory");
    let capture = captured(directory.path(), &[]);
    let whole = std::fs::read(&capture).expect("readable");
    let cut = directory.path().join("cut.pcapng");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("written");
    let out = directory.path().join("judged");
    let arguments = [
        "judge",
        cut.to_str().expect("text"),
        "--out",
        out.to_str().expect("text"),
    ];
    let (text, faults, exit) = bootstorm(&arguments);
    assert_eq!(exit, 0, "{text}");
    assert!(text.contains(", 0 broken,"), "{text}");
    assert!(
        faults.contains("bytes into a packet; judged up to there"),
        "{faults}"
    );
}

#[test]
fn what_must_not_come_is_known_not_to_have_only_where_all_was_seen() {
    let directory = TempDir::new().expect("a directory");
    let capture = captured(directory.path(), &[]);
    let suite = directory.path().join("suite.toml");
    let text = r#"
[suite]
name = "own"
side = "phone"
profile = "flyingvoice/fip13g"
[base]
deadline_s = 300
[base.fleet]
source = "dhcp"
transport = "tftp"
layout = "flat"
web.pnp_enable = "0"
common."local_time.time_zone" = "+1"
[[case]]
id = "own/never"
purpose = "a file that nobody named is not asked for"
clause = ["FLY-62"]
requires = ["tftp"]
expect.wire = [{ never_sent = "tftp.rrq", with = { file = "never.cfg" }, anywhere = true }]
caught_by = ["phone/flyingvoice/ignores-includes"]
[[case]]
id = "own/once"
purpose = "a lease is asked for once"
clause = ["FLY-62"]
requires = ["tftp"]
expect.wire = [{ count_sent = "dhcp.discover", max = 1 }]
caught_by = ["phone/flyingvoice/ignores-includes"]
"#;
    std::fs::write(&suite, text).expect("written");
    let (suite, out) = (suite.display().to_string(), directory.path().join("judged"));
    let out = out.to_str().expect("text");
    let mut arguments = vec!["judge", &capture, "--suite", &suite, "--out", out];
    arguments.push("--exchange");
    let (text, faults, exit) = bootstorm(&arguments);
    assert_eq!(exit, 3, "{text}{faults}");
    for id in ["own/never", "own/once"] {
        let told = format!("  not told {id}: the capture ends ");
        assert!(text.contains(&told), "{id}: {text}");
    }
    arguments.push("--complete");
    let (text, faults, exit) = bootstorm(&arguments);
    assert_eq!(exit, 0, "{text}{faults}");
    assert!(text.contains("2 cases kept, 0 broken"), "{text}");
}

#[test]
fn files_that_are_no_captures_are_told_all_at_once_with_their_bytes() {
    let directory = TempDir::new().expect("a directory");
    let path = |name: &str| {
        directory
            .path()
            .join(name)
            .to_str()
            .expect("text")
            .to_owned()
    };
    std::fs::write(path("text"), "no capture").expect("written");
    std::fs::write(path("empty"), "").expect("written");
    let mut wifi = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    wifi.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 105, 0, 0, 0]);
    std::fs::write(path("wifi"), wifi).expect("written");
    let files = ["text", "empty", "wifi", "absent"].map(path);
    let mut arguments = vec!["judge"];
    arguments.extend(files.iter().map(String::as_str));
    let (_, faults, exit) = bootstorm(&arguments);
    assert_eq!(exit, 2, "{faults}");
    for told in [
        "text: byte 0: not a capture",
        "empty: byte 0: the file is empty",
        "wifi: byte 20: link type 105 (IEEE 802.11)",
        "absent: failed to open it",
    ] {
        assert!(faults.contains(told), "{told}: {faults}");
    }
    let (_, faults, exit) = bootstorm(&["judge", &files[0], "--mac", "zz"]);
    assert!(
        exit == 2 && faults.contains("is no MAC address"),
        "{faults}"
    );
}

#[test]
fn each_of_several_phones_has_a_report_of_its_own() {
    let directory = TempDir::new().expect("a directory");
    let capture = captured_of(directory.path(), 3, &[]);
    let out = directory.path().join("judged");
    let place = out.to_str().expect("text");
    let (text, faults, exit) = bootstorm(&["judge", &capture, "--complete", "--out", place]);
    assert_eq!(exit, 0, "{text}{faults}");
    let macs = ["0021f2000000", "0021f2000001", "0021f2000002"];
    for mac in macs {
        let report = std::fs::read_to_string(out.join(mac).join("report.json"));
        let report = report.expect("a report");
        assert!(report.contains(&format!("judge {mac} as flyingvoice/")));
        assert!(text.contains(&format!("{mac} flyingvoice/")), "{text}");
    }
    assert!(text.ends_with("/MAC/report.html\n"), "{text}");
    assert!(!out.join("report.json").exists());
    let (text, _, exit) = bootstorm(&["judge", &capture, "--json", "--out", place]);
    assert_eq!(exit, 0);
    for mac in macs {
        let head = format!("{{\"mac\":\"{mac}\",\"profile\":");
        assert_eq!(text.matches(&head).count(), 1, "{text}");
    }
    assert!(
        text.ends_with("],\"not_judged\":[],\"notes\":[]}\n"),
        "{text}"
    );
}

#[test]
fn of_nobody_nothing_is_concluded() {
    let directory = TempDir::new().expect("a directory");
    let capture = captured(directory.path(), &[]);
    let out = directory.path().join("judged");
    let out = out.to_str().expect("text");
    let mac = "00:11:22:33:44:55";
    let (text, faults, exit) = bootstorm(&["judge", &capture, "--mac", mac, "--out", out]);
    assert_eq!(exit, 3, "{text}");
    assert!(
        faults.contains("nothing of 001122334455 is in the capture"),
        "{faults}"
    );
    let (text, _, exit) = bootstorm(&["judge", &capture, "--json", "--out", out]);
    assert_eq!(exit, 0);
    assert!(
        text.starts_with("{\"phones\":[{\"mac\":\"0021f2000000\",\"profile\":"),
        "{text}"
    );
}

#[test]
fn a_capture_of_cut_packets_blames_no_phone() {
    let directory = TempDir::new().expect("a directory");
    let whole = std::fs::read(captured(directory.path(), &[])).expect("readable");
    let mut capture = Capture::new(&*whole);
    // Version 2.4 of pcap, in nanoseconds, Ethernet; of each packet no more than 90 bytes.
    let mut cut = 0xa1b2_3c4d_u32.to_le_bytes().to_vec();
    cut.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 90, 0, 0, 0, 1, 0, 0, 0]);
    while let Some(frame) = capture.frame().expect("sound") {
        let kept = &frame.bytes[..frame.bytes.len().min(90)];
        let nanos = frame.at.nanos();
        for word in [
            nanos / 1_000_000_000,
            nanos % 1_000_000_000,
            kept.len() as u64,
            u64::from(frame.length),
        ] {
            let word = u32::try_from(word).expect("32 bits");
            cut.extend_from_slice(&word.to_le_bytes());
        }
        cut.extend_from_slice(kept);
    }
    let path = directory.path().join("cut.pcap");
    std::fs::write(&path, cut).expect("written");
    let path = path.to_str().expect("text");
    let out = directory.path().join("judged");
    let out = out.to_str().expect("text");
    let profile = ["--profile", "flyingvoice/fip13g"];
    let arguments = [&["judge", path, "--out", out, "--complete"][..], &profile].concat();
    let (text, faults, exit) = bootstorm(&arguments);
    assert!(exit == 0 || exit == 3, "{exit}: {text}{faults}");
    assert!(text.contains(", 0 broken,"), "{text}");
    assert!(
        faults.contains("packets cut when they were captured"),
        "{faults}"
    );
}
