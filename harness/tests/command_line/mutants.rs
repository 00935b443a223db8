//! Servers and phones that are wrong on purpose, from the command line.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::program::run;
use crate::serving::{FREE, Serving};
use crate::{alone, directory, holds};

#[test]
fn list_names_every_mutant_with_what_it_does_wrong() {
    let said = alone(&["list", "mutants"], 0).out;
    holds(
        &said,
        &[
            "server/protocol/tftp-stops-after-block-1 ",
            "sends the first block",
        ],
    );
}

#[test]
fn an_unknown_mutant_is_answered_with_the_nearest_one() {
    let arguments = ["run", "--attach", "memory", "--phones", "5"];
    let wrong = ["--mutant", "server/protocol/tftp-stop-after-block-1"];
    let said = alone(&[&arguments[..], &wrong].concat(), 2);
    holds(
        &said.err,
        &[
            "unknown mutant",
            "did you mean 'server/protocol/tftp-stops-after-block-1'?",
        ],
    );
    let wrong = ["--phone-mutant", "plug-n-dial/asks-with-option"];
    let said = alone(&[&arguments[..], &wrong].concat(), 2);
    holds(
        &said.err,
        &[
            "unknown mutant",
            "did you mean 'phone/plug-n-dial/asks-with-options'?",
        ],
    );
}

#[test]
fn a_run_against_a_server_that_is_wrong_fails_on_every_attachment() {
    for attachment in ["memory", "loopback"] {
        let arguments = [
            "run",
            "--attach",
            attachment,
            "--phones",
            "5",
            "--deadline",
            "20",
        ];
        let wrong = ["--mutant", "server/protocol/dhcp-other-transaction"];
        alone(&[&arguments[..], &wrong].concat(), 1);
    }
}

#[test]
fn a_run_says_that_its_phones_are_wrong_on_purpose() {
    let arguments = ["run", "--attach", "memory", "--phones", "5"];
    let wrong = ["--phone-mutant", "phone/plug-n-dial/asks-with-options"];
    let said = alone(&[&arguments[..], &wrong].concat(), 0);
    holds(
        &said.out,
        &["phones wrong on purpose: phone/plug-n-dial/asks-with-options"],
    );
}

#[test]
fn check_tells_the_faults_of_mutants() {
    let directory = directory();
    let text = "[[mutant]]\nname = 'phone/plug-n-dial/x'\nwhat = 'x'\n\
                profile = { tftp = { optoins = [] } }\n\
                edit = [{ message = 'tftp.rrq', dorp = true }]\n";
    fs::write(directory.path().join("own.toml"), text).expect("writable");
    let said = run(directory.path(), &["check", "own.toml"]).expect(2);
    holds(&said.err, &["own.toml:5:", "unknown key 'dorp'"]);
    let text = text.replace("dorp", "drop");
    fs::write(directory.path().join("own.toml"), text).expect("writable");
    let said = run(directory.path(), &["check", "own.toml"]).expect(2);
    holds(
        &said.err,
        &[
            "own.toml:4:",
            "unknown key 'optoins'",
            "did you mean 'options'?",
        ],
    );
}

#[test]
fn serve_is_wrong_over_its_sockets() {
    let directory = directory();
    let mutants = [
        "--mutant",
        "server/protocol/http-everything-is-404",
        "--mutant",
        "server/protocol/tftp-missing-is-error-2",
    ];
    let serving = Serving::start(directory.path(), &[&FREE[..], &mutants].concat());
    let endpoints = serving.endpoints();
    let at = |wanted: &str| {
        let found = endpoints.iter().find(|(name, _)| name == wanted);
        found.unwrap_or_else(|| panic!("{endpoints:?}")).1.clone()
    };
    let mut stream = TcpStream::connect(at("http")).expect("a connection");
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).expect("a time");
    stream
        .write_all(b"GET /y000000000000.cfg HTTP/1.0\r\n\r\n")
        .expect("writable");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("text");
    holds(
        &said,
        &["HTTP/1.1 404 Not Found\r\n", "local_time.time_zone"],
    );
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(limit).expect("a time");
    socket
        .send_to(b"\0\x01not-there\0octet\0", at("tftp"))
        .expect("sent");
    let mut buffer = [0; 600];
    let (length, _) = socket.recv_from(&mut buffer).expect("an answer");
    assert!(
        length > 4 && buffer.starts_with(b"\0\x05\0\x02"),
        "{:?}",
        &buffer[..length]
    );
    let (code, _) = serving.end();
    assert_eq!(code, Some(0));
}
