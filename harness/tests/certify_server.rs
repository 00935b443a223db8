//! `bootstorm certify` on servers: ours, one that is not there, one that talks nonsense.

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;

use program::{Finished, bootstorm, run};

/// Cases of each protocol that take no time.
const QUICK: [&str; 5] = [
    "protocol/tftp-tsize-exact",
    "protocol/http-digest",
    "protocol/dhcp-transaction",
    "protocol/pnp-notify-state",
    "protocol/ftp-active",
];

fn certify(directory: &Path, arguments: &[&str]) -> Finished {
    run(
        directory,
        &[&["certify", "--vendor", "protocol"], arguments].concat(),
    )
}

fn of_cases<'a>(cases: &[&'a str]) -> Vec<&'a str> {
    cases.iter().flat_map(|case| ["--case", case]).collect()
}

#[test]
fn the_built_in_server_passes_on_loopback_as_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    for attach in ["loopback", "memory"] {
        let arguments = [&["--attach", attach][..], &of_cases(&QUICK)].concat();
        let finished = certify(directory.path(), &arguments).expect(0);
        assert!(finished.out.contains("5 pass"), "{}", finished.out);
    }
    let report = directory.path().join("bootstorm-report/report.json");
    let report = fs::read_to_string(report).unwrap();
    assert!(report.contains("protocol/ftp-active"), "{report}");
}

#[test]
fn a_mutant_of_the_built_in_server_fails_on_loopback() {
    let directory = tempfile::tempdir().unwrap();
    let mutant = "server/protocol/tftp-tsize-one-more";
    let arguments = [&["--mutant", mutant][..], &of_cases(&QUICK[..1])].concat();
    let finished = certify(directory.path(), &arguments).expect(1);
    assert!(finished.out.contains("1 fail"), "{}", finished.out);
}

#[test]
fn what_the_subject_does_not_have_does_not_apply() {
    let directory = tempfile::tempdir().unwrap();
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let subject = format!("tftp://{}", silent.local_addr().unwrap());
    let cases = of_cases(&["protocol/http-get", "protocol/dhcp-lease-time"]);
    let arguments = [&["--subject", subject.as_str()][..], &cases].concat();
    let finished = certify(directory.path(), &arguments).expect(3);
    assert!(
        finished.out.contains("2 not applicable"),
        "{}",
        finished.out
    );
}

#[test]
fn a_subject_that_is_down_is_inconclusive_and_waited_for_once() {
    let directory = tempfile::tempdir().unwrap();
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let tftp = format!("tftp://{}", silent.local_addr().unwrap());
    let http = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let cases = of_cases(&["protocol/tftp-o*", "protocol/http-e*"]);
    let subjects = ["--subject", tftp.as_str(), "--subject", http.as_str()];
    let began = std::time::Instant::now();
    let finished = certify(directory.path(), &[&subjects[..], &cases].concat()).expect(3);
    assert!(finished.out.contains("does not answer"), "{}", finished.out);
    assert!(!finished.out.contains(" pass"), "{}", finished.out);
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[test]
fn a_subject_that_talks_nonsense_is_not_taken_for_one_that_serves() {
    let directory = tempfile::tempdir().unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let subject = format!("tftp://{}", socket.local_addr().unwrap());
    let talk = socket.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((_, from)) = talk.recv_from(&mut buffer) {
            let _ = talk.send_to(&[0, 5, 0, 0, 0xff, 0xfe, 0], from);
            let _ = talk.send_to(b"\xff\xff\xff", from);
        }
    });
    let ours = of_cases(&["protocol/tftp-plain-read"]);
    let subjects = ["--subject", subject.as_str()];
    let finished = certify(directory.path(), &[&subjects[..], &ours].concat()).expect(3);
    assert!(
        finished.out.contains("1 not applicable"),
        "{}",
        finished.out
    );
    let any = of_cases(&["protocol/tftp-missing-file"]);
    let finished = certify(directory.path(), &[&subjects[..], &any].concat()).expect(1);
    assert!(finished.out.contains("1 fail"), "{}", finished.out);
}

#[test]
fn refuses_what_makes_no_sense_for_a_server() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["--case", "protocol/none"][..], "no case"),
        (
            &[
                "--case",
                "protocol/tftp-plain-raed",
                "--case",
                "protocol/htpt-*",
            ],
            "did you mean 'protocol/tftp-plain-read'?",
        ),
        (
            &[
                "--case",
                "protocol/tftp-plain-raed",
                "--case",
                "protocol/htpt-*",
            ],
            "did you mean 'protocol/http-*'?",
        ),
        (&["--baseline", "none.toml"], "none.toml"),
        (&["--subject", "tftp://127.0.0.1:x"], "a port from 1"),
        (&["--subject", "tftp://[::1]:69"], "IPv4"),
        (&["--subject", "htp://127.0.0.1:69"], "did you mean http?"),
        (&["--subject", "tftp://127.0.0.1:1:2"], "a port from 1"),
        (&["--subject", "http://u:p@127.0.0.1:80"], "--subject"),
        (&["--subject", "tftp://8.8.8.8"], "127.0.0.0/8"),
        (&["--subject", ""], "expected dhcp://"),
        (
            &["--attach", "memory", "--subject", "tftp://127.0.0.1:1"],
            "built-in",
        ),
        (
            &["--phones", "fanvil", "--subject", "tftp://127.0.0.1:1"],
            "one of them",
        ),
        (&["--product", "x"], "--write-baseline"),
    ] {
        let finished = certify(directory.path(), arguments).expect(2);
        assert!(
            finished.err.contains(expected),
            "{expected}: {}",
            finished.err
        );
    }
    // What cannot be written is told before the run, which would take much longer.
    for arguments in [
        ["--write-baseline", "none/b.toml"],
        ["--write-baseline", "."],
        ["--out", "/proc/nothing"],
    ] {
        let finished = certify(directory.path(), &arguments).expect(4);
        assert!(finished.err.contains("failed to write"), "{}", finished.err);
        assert!(finished.out.is_empty(), "{}", finished.out);
    }
    let mut command = bootstorm(directory.path(), &["certify", "--vendor", "protocl"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("did you mean 'protocol'?"), "{text}");
}
