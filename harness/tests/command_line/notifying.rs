//! `notify`

use std::fs;
use std::net::UdpSocket;
use std::thread::JoinHandle;

use crate::program::{LIMIT, Started, bootstorm, run};
use crate::{directory, holds};

/// A phone that hears one request in `answers.len()` tries and answers each as it is told; hands
/// back what it heard. `None` = no answer.
fn phone(answers: &'static [Option<&'static str>]) -> (String, JoinHandle<Vec<String>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(LIMIT)).expect("a timeout");
    let at = socket.local_addr().expect("an address").to_string();
    let thread = std::thread::spawn(move || {
        let mut heard = Vec::new();
        for answer in answers {
            let mut buffer = [0; 2_048];
            let (length, from) = socket.recv_from(&mut buffer).expect("a request");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if let Some(status) = answer {
                let copied = text.lines().filter(|line| {
                    ["Via", "From", "To", "Call-ID", "CSeq"]
                        .iter()
                        .any(|name| line.starts_with(&format!("{name}:")))
                });
                let copied: String = copied.map(|line| format!("{line}\r\n")).collect();
                let reply = format!("SIP/2.0 {status}\r\n{copied}Content-Length: 0\r\n\r\n");
                socket.send_to(reply.as_bytes(), from).expect("sent");
            }
            heard.push(text);
        }
        heard
    });
    (at, thread)
}

#[test]
fn every_target_answers_the_event_that_was_asked_for() {
    let here = directory();
    let (one, first) = phone(&[Some("200 OK")]);
    let (two, second) = phone(&[None, Some("202 Accepted")]);
    let file = here.path().join("phones");
    fs::write(&file, format!("# desk 2\n\n{two} # slow\n")).expect("written");
    let target = format!("0021f222b01d@{one}");
    let words = [
        "notify",
        "--to",
        &target,
        "--from-file",
        "phones",
        "--reboot",
        "true",
    ];
    let told = run(here.path(), &words).expect(0).out;
    holds(
        &told,
        &[
            &target,
            "200 OK after",
            &two,
            "202 Accepted after",
            "2 of 2 answered 2xx",
        ],
    );
    let heard = first.join().expect("a phone");
    let begins = format!("NOTIFY sip:{target} SIP/2.0\r\n");
    assert!(heard[0].starts_with(&begins), "{heard:?}");
    assert!(
        heard[0].contains("\r\nEvent: check-sync;reboot=true\r\n"),
        "{heard:?}"
    );
    let heard = second.join().expect("a phone");
    assert!(
        heard[0].starts_with(&format!("NOTIFY sip:{two} SIP/2.0\r\n")),
        "{heard:?}"
    );
    assert_eq!(heard[0], heard[1], "the same request again");
}

#[test]
fn a_refusal_or_silence_is_told_and_fails() {
    let here = directory();
    let (one, first) = phone(&[Some("489 Bad Event")]);
    let (two, second) = phone(&[None]);
    let words = ["notify", "--to", &one, "--to", &two, "--timeout", "0.3"];
    let told = run(here.path(), &words).expect(1).out;
    holds(
        &told,
        &["489 Bad Event after", "no answer", "0 of 2 answered 2xx"],
    );
    let heard = first.join().expect("a phone");
    assert!(heard[0].contains("\r\nEvent: check-sync\r\n"), "{heard:?}");
    second.join().expect("a phone");
}

#[test]
fn everything_is_sent_from_the_address_that_was_given() {
    let here = directory();
    let (one, first) = phone(&[Some("200 OK")]);
    let words = ["notify", "--to", &one, "--source", "127.0.0.77", "--quiet"];
    let told = run(here.path(), &words).expect(0).out;
    assert_eq!(told, "1 of 1 answered 2xx\n");
    let heard = first.join().expect("a phone");
    assert!(
        heard[0].contains("Via: SIP/2.0/UDP 127.0.0.77:"),
        "{heard:?}"
    );
    assert!(heard[0].contains("Contact: <sip:127.0.0.77:"), "{heard:?}");
}

#[test]
fn bad_targets_are_told_with_their_places() {
    let here = directory();
    fs::write(
        here.path().join("phones"),
        "127.0.0.1\nnobody\n224.0.1.75\n",
    )
    .expect("written");
    let told = run(here.path(), &["notify", "--from-file", "phones"])
        .expect(2)
        .err;
    holds(
        &told,
        &[
            "phones:2:1: nobody: expected",
            "phones:3:1: 224.0.1.75: expected",
        ],
    );
    let told = run(here.path(), &["notify"]).expect(2).err;
    holds(&told, &["give --to or --from-file"]);
    run(
        here.path(),
        &["notify", "--to", "127.0.0.1", "--timeout", "-1"],
    )
    .expect(2);
    run(
        here.path(),
        &["notify", "--to", "127.0.0.1", "--reboot", "maybe"],
    )
    .expect(2);
    let words = ["notify", "--to", "127.0.0.1", "--source", "192.0.2.1"];
    let told = run(here.path(), &words).expect(4).err;
    holds(&told, &["failed to bind 192.0.2.1"]);
}

// The subject is not to blame for what this host does not let out.
#[test]
fn what_could_not_be_sent_is_our_own_fault() {
    let here = directory();
    let mut words = vec!["notify", "--to", "203.0.113.9", "--timeout", "0.3"];
    words.extend(["--source", "127.0.0.1"]);
    let told = run(here.path(), &words).expect(4).out;
    holds(
        &told,
        &["203.0.113.9:5060", "not sent: ", "0 of 1 answered 2xx"],
    );
}

#[test]
fn an_interrupt_tells_what_is_known() {
    let here = directory();
    let (one, first) = phone(&[Some("200 OK")]);
    let (two, second) = phone(&[None]);
    let words = ["notify", "--to", &one, "--to", &two];
    let started = Started::new(&mut bootstorm(here.path(), &words));
    first.join().expect("a phone");
    second.join().expect("a phone");
    crate::interrupt::interrupt(&started.child);
    let told = started.finish().expect(5).out;
    holds(
        &told,
        &["200 OK after", "not answered when", "1 of 2 answered 2xx"],
    );
}
