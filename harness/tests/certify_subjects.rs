//! `bootstorm certify` on servers of each kind that are not there, say nothing, or say nonsense:
//! what is not there is inconclusive, what contradicts fails, and nothing hangs.

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use program::{Finished, bootstorm, run};

/// Bytes that no protocol has.
const NONSENSE: &[u8] = b"\xff\xfe\x00 what? \x80\x81\r\n\r\n";
/// The longest that a case on a server which says nothing may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Closed,
    Silent,
    Nonsense,
}

/// A kind of server, one of its cases, and what a server is worth that talks nonsense.
struct Kind {
    subject: &'static str,
    case: &'static str,
    nonsense: &'static str,
}

const DATAGRAMS: [Kind; 6] = [
    Kind {
        subject: "tftp://",
        case: "protocol/tftp-missing-file",
        nonsense: "1 fail",
    },
    Kind {
        subject: "dhcp://",
        case: "protocol/dhcp-lease-time",
        nonsense: "1 fail",
    },
    Kind {
        subject: "sip://",
        case: "protocol/sip-register",
        nonsense: "1 fail",
    },
    Kind {
        subject: "sip://",
        case: "protocol/pnp-notify-state",
        nonsense: "1 inconclusive",
    },
    Kind {
        subject: "ntp://",
        case: "protocol/time-answer",
        nonsense: "1 fail",
    },
    Kind {
        subject: "mdns://",
        case: "protocol/mdns-one-shot",
        nonsense: "1 inconclusive",
    },
];

const CONNECTIONS: [Kind; 5] = [
    Kind {
        subject: "ftp://",
        case: "protocol/ftp-missing-file",
        nonsense: "1 fail",
    },
    Kind {
        subject: "http://",
        case: "protocol/http-missing-file",
        nonsense: "1 fail",
    },
    Kind {
        subject: "https://",
        case: "protocol/https-tls-1-2",
        nonsense: "1 inconclusive",
    },
    Kind {
        subject: "redirect=https://",
        case: "auerswald/server-redirects-to-itself",
        nonsense: "1 fail",
    },
    Kind {
        subject: "acs=http://",
        case: "fanvil/server-orders-a-download",
        nonsense: "1 fail",
    },
];

/// A server of datagrams, until the test ends.
fn datagrams(manner: Manner) -> (SocketAddr, Option<UdpSocket>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let at = socket.local_addr().expect("an address");
    if manner == Manner::Nonsense {
        let talk = socket.try_clone().expect("a socket");
        std::thread::spawn(move || {
            let mut buffer = [0; 2_048];
            while let Ok((_, from)) = talk.recv_from(&mut buffer) {
                let _ = talk.send_to(NONSENSE, from);
            }
        });
    }
    (at, (manner != Manner::Closed).then_some(socket))
}

/// A server of connections, until the test ends.
fn connections(manner: Manner) -> (SocketAddr, Option<TcpListener>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let at = listener.local_addr().expect("an address");
    let accepting = listener.try_clone().expect("a listener");
    if manner == Manner::Closed {
        return (at, None);
    }
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = accepting.accept() {
            if manner == Manner::Nonsense {
                let _ = stream.write_all(NONSENSE);
                let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                let _ = stream.read(&mut [0; 2_048]);
            } else {
                held.push(stream);
            }
        }
    });
    (at, Some(listener))
}

/// Judges a server at this address, and beside one that names others a web server.
fn judged(directory: &Path, kind: &Kind, at: SocketAddr, web: &str) -> Finished {
    let subject = format!("{}{at}", kind.subject);
    let mut arguments = vec!["certify", "--case", kind.case, "--subject", &subject];
    if kind.subject.contains('=') {
        arguments.extend(["--subject", web]);
    }
    let began = Instant::now();
    let finished = run(directory, &arguments);
    let took = began.elapsed();
    assert!(took < PATIENCE, "{subject} {}: {took:?}", kind.case);
    finished
}

fn tells(finished: &Finished, what: &str, expected: &[&str]) {
    for expected in expected {
        assert!(
            finished.out.contains(expected),
            "{what}: {expected}: {}{}",
            finished.out,
            finished.err
        );
    }
}

#[test]
fn a_server_of_datagrams_that_is_down_or_silent_is_inconclusive() {
    let directory = tempfile::tempdir().expect("a directory");
    for kind in &DATAGRAMS {
        for manner in [Manner::Closed, Manner::Silent] {
            let (at, _kept) = datagrams(manner);
            let finished = judged(directory.path(), kind, at, "").expect(3);
            let what = format!("{} {manner:?}", kind.case);
            tells(&finished, &what, &["1 inconclusive", "does not answer"]);
        }
    }
}

#[test]
fn a_server_of_connections_that_is_down_is_inconclusive() {
    let directory = tempfile::tempdir().expect("a directory");
    for kind in &CONNECTIONS {
        let (at, _kept) = connections(Manner::Closed);
        let (web, _talking) = connections(Manner::Nonsense);
        let web = format!("http://{web}");
        let finished = judged(directory.path(), kind, at, &web).expect(3);
        let expected = ["1 inconclusive", "does not answer: ", "refused"];
        tells(&finished, kind.case, &expected);
    }
}

#[test]
fn a_server_that_accepts_connections_and_says_nothing_is_not_waited_for_long() {
    let directory = tempfile::tempdir().expect("a directory");
    for kind in &CONNECTIONS[..3] {
        let (at, _kept) = connections(Manner::Silent);
        let finished = judged(directory.path(), kind, at, "").expect(3);
        tells(&finished, kind.case, &["1 inconclusive", "does not answer"]);
    }
}

#[test]
fn a_server_that_talks_nonsense_never_passes() {
    let directory = tempfile::tempdir().expect("a directory");
    // The files are right, so that what names them is judged.
    let serving = Serving::new(directory.path());
    let web = format!("http://{}", serving.at("http"));
    let of = |kind: &Kind, at| {
        let finished = judged(directory.path(), kind, at, &web);
        tells(&finished, kind.case, &[kind.nonsense]);
    };
    for kind in &DATAGRAMS {
        let (at, _kept) = datagrams(Manner::Nonsense);
        of(kind, at);
    }
    for kind in &CONNECTIONS {
        let (at, _kept) = connections(Manner::Nonsense);
        of(kind, at);
    }
}

/// Phones of the case about the redirect service, and those that ask by multicast DNS.
const SITE: &str = r#"
name = "site"

[[fleet]]
name = "redirected"
phones = 1
profiles = { "auerswald/comfortel-d-200" = 1 }
source = "redirect"
transport = "http"
layout = "references"
root = "auerswald/server-redirects-to-itself"

[[fleet]]
name = "asking"
phones = 1
profiles = { "fanvil/c600" = 1 }
source = "mdns"
transport = "https"
layout = "modules-xml"
"#;

/// A sound server of the files of all cases, until the test ends.
struct Serving {
    child: Child,
    lines: Vec<String>,
}

impl Serving {
    fn new(own: &Path) -> Self {
        fs::write(own.join("site.toml"), SITE).expect("a file");
        let suites = ["--suite", "auerswald", "--suite", "fanvil"];
        let content = [&["content"], &suites[..], &["--out", "tree"]].concat();
        run(own, &content).expect(0);
        let kinds = ["dhcp", "tftp", "ftp", "http", "https", "sip", "ntp", "mdns"];
        let ports = kinds.map(|kind| format!("--{kind}-port=0"));
        let mut arguments = vec!["serve", "site.toml", "--content", "tree"];
        arguments.extend(["--ca-out", "ca.pem"]);
        arguments.extend(ports.iter().map(String::as_str));
        let mut command = bootstorm(own, &arguments);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().expect("the program");
        let mut serving = Self {
            child,
            lines: Vec::new(),
        };
        let lines = BufReader::new(serving.child.stdout.take().expect("piped")).lines();
        serving.lines = lines.map_while(Result::ok).take(11).collect();
        serving
    }

    /// Where one of its services is.
    fn at(&self, kind: &str) -> String {
        let mut words = self.lines.iter().map(|line| line.split_whitespace());
        let found = words.find_map(|mut words| (words.next()? == kind).then(|| words.next()));
        found.flatten().expect("an endpoint").to_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_redirect_service_and_multicast_dns_can_be_the_subject() {
    let directory = tempfile::tempdir().expect("a directory");
    let own = directory.path();
    let serving = Serving::new(own);
    let redirect = format!("redirect=https://{}", serving.at("https"));
    let web = format!("http://{}", serving.at("http"));
    let mdns = format!("mdns://{}", serving.at("mdns"));
    let judged = |subjects: &[&str]| {
        let mut arguments = vec!["certify", "--ca", "ca.pem"];
        let cases = [
            "auerswald/server-redirects-to-itself",
            "protocol/mdns-one-shot",
        ];
        arguments.extend(cases.iter().flat_map(|case| ["--case", *case]));
        arguments.extend(subjects.iter().flat_map(|subject| ["--subject", *subject]));
        run(own, &arguments)
    };
    let finished = judged(&[&redirect, &web, &mdns]).expect(0);
    tells(
        &finished,
        "both",
        &["auerswald: 1 pass", "protocol: 1 pass"],
    );
    // Its web server alone says nothing about the redirect service.
    let finished = judged(&[&web]).expect(3);
    let lacking = ["1 not applicable", "no --subject has redirect; mdns"];
    tells(&finished, "neither", &lacking);
}
