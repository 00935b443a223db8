use std::time::Duration;

use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::limits::{REDIRECTS_MAX, URL_BYTES_MAX};
use crate::profile::{HttpSpec, SendCredentials};
use crate::transfer::PROGRESS_BYTES_MIN;
use world::*;

mod world;

const DIGEST: (&str, &str) = (
    "WWW-Authenticate",
    "Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"",
);
const BASIC_REALM: (&str, &str) = ("WWW-Authenticate", "Basic realm=\"r\"");

fn once() -> HttpSpec {
    HttpSpec {
        attempts: 1,
        ..spec()
    }
}

#[test]
fn fetches_a_file_and_keeps_the_connection() {
    let mut world = World::new(spec());
    assert_eq!(world.get("http://server/a", &PLAIN), "-");
    assert_eq!(world.ladder(), ["1: open 10.0.0.1:80"]);
    assert_eq!(world.opened(1), "-");
    assert_eq!(world.ladder(), ["1: GET /a", "sent"]);
    assert_eq!(world.answer(1, 200, &[], b"body"), "found \"body\"");
    assert_eq!(world.ladder(), [""; 0]);
    assert_eq!(world.client.deadline(), None);
    assert_eq!(world.client.next_connection(), 2);
    // FLY-01: the next file of the same server over the same connection.
    assert_eq!(world.get("HTTP://SERVER:80/b", &PLAIN), "-");
    assert_eq!(world.ladder(), ["1: GET /b", "sent"]);
    assert_eq!(world.answer(1, 200, &[], b""), "found \"\"");
    // Another port is another server.
    assert_eq!(world.get("http://server:8088/b", &PLAIN), "-");
    assert_eq!(world.ladder(), ["1: close", "2: open 10.0.0.1:8088"]);
    world.act(|client, turn| {
        client.close(turn);
        None
    });
    assert_eq!(world.ladder(), ["2: close"]);
    assert_eq!(world.client.deadline(), None);
    assert_eq!(world.opened(2), "-");
    assert_eq!(world.ladder(), [""; 0]);
}

#[test]
fn writes_the_request_as_the_profile_says() {
    let mut world = World::new(spec());
    world.get("http://server:8088/HTTP Directory/a.cfg?m=$mac", &PLAIN);
    world.opened(1);
    // FLY-18, FLY-91
    assert_eq!(
        world.written(),
        "GET /HTTP%20Directory/a.cfg?m=$mac HTTP/1.1\r\nHost: server:8088\r\n\
         uSER-Agent: Phone/1\r\nAccept: */*\r\n\r\n"
    );
    let mut world = World::new(spec());
    world.get(
        "http://server/",
        &RequestOptions {
            user_agent: "a\r\nX: y",
            ..PLAIN
        },
    );
    world.opened(1);
    assert_eq!(
        world.written(),
        "GET / HTTP/1.1\r\nHost: server\r\nuSER-Agent: aX: y\r\nAccept: */*\r\n\r\n"
    );
    let mut world = World::new(spec());
    world.get(
        "http://server/",
        &RequestOptions {
            user_agent: "",
            ..PLAIN
        },
    );
    world.opened(1);
    assert_eq!(
        world.written(),
        "GET / HTTP/1.1\r\nHost: server\r\nAccept: */*\r\n\r\n"
    );
}

#[test]
fn opens_tls_for_https_and_names_the_server() {
    let mut world = World::new(spec());
    world.get("https://server/a", &PLAIN);
    assert_eq!(world.ladder(), ["1: open 10.0.0.1:443 tls server"]);
    assert_eq!(world.failed(1, ConnectionFault::Tls), "failed Tls");
    assert_eq!(world.ladder(), [""; 0]);
}

#[test]
fn refuses_what_it_cannot_reach() {
    let mut world = World::new(spec());
    assert_eq!(world.get("http://nowhere/a", &PLAIN), "failed UnknownHost");
    assert_eq!(world.get("tftp://server/a", &PLAIN), "failed Scheme");
    assert_eq!(world.ladder(), [""; 0]);
    assert_eq!(world.client.deadline(), None);
}

#[test]
fn maps_connection_faults() {
    for (fault, ending) in [
        (ConnectionFault::Refused, "failed ConnectionRefused"),
        (ConnectionFault::TimedOut, "failed Silence"),
        (ConnectionFault::Reset, "failed ConnectionBroken"),
        (ConnectionFault::Tls, "failed Tls"),
        (ConnectionFault::Local, "failed Local"),
    ] {
        let mut world = World::new(once());
        world.get("http://server/a", &PLAIN);
        assert_eq!(world.failed(1, fault), ending);
        assert_eq!(world.client.deadline(), None);
    }
}

#[test]
fn judges_by_status() {
    for (status, ending) in [
        (200, "found \"x\""),
        (403, "missing"),
        (404, "missing"),
        (410, "missing"),
        (201, "failed HttpStatus(201)"),
        (204, "failed HttpStatus(204)"),
        (206, "failed HttpStatus(206)"),
        (300, "failed HttpStatus(300)"),
        (304, "failed HttpStatus(304)"),
        (407, "failed HttpStatus(407)"),
        (500, "failed HttpStatus(500)"),
        (503, "failed HttpStatus(503)"),
    ] {
        let mut world = World::asking(spec(), "http://server/a", &PLAIN);
        assert_eq!(world.answer(1, status, &[], b"x"), ending, "{status}");
        assert_eq!(world.ladder(), [""; 0], "{status}: the connection stays");
    }
}

#[test]
fn drops_the_body_of_a_refusal_up_to_a_limit() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    let page = vec![b'x'; REFUSAL_BYTES_MAX];
    assert_eq!(world.answer(1, 404, &[], &page), "missing");
    assert_eq!(world.ladder(), [""; 0]);
    // Announced as too much: no need to read it.
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    let length = (REFUSAL_BYTES_MAX + 1).to_string();
    let head = format!("HTTP/1.1 404 No\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(world.bytes(1, head.as_bytes()), "missing");
    assert_eq!(world.ladder(), ["1: close"]);
    // Not announced.
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    assert_eq!(world.bytes(1, b"HTTP/1.1 500 No\r\n\r\n"), "-");
    assert_eq!(world.bytes(1, &page), "-");
    assert_eq!(world.bytes(1, b"x"), "failed HttpStatus(500)");
    assert_eq!(world.ladder(), ["1: close"]);
}

#[test]
fn knows_the_answer_even_if_the_rest_of_a_refusal_never_comes() {
    let start: &[u8] = b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";
    let asked = || {
        let mut world = World::asking(spec(), "http://server/a", &PLAIN);
        assert_eq!(world.bytes(1, start), "-");
        world
    };
    assert_eq!(asked().closed(1), "missing");
    assert_eq!(asked().failed(1, ConnectionFault::Reset), "missing");
    assert_eq!(asked().failed(1, ConnectionFault::Local), "missing");
    assert_eq!(asked().pass(TIMEOUT), "missing");
    let mut world = asked();
    assert_eq!(world.bytes(1, b"cdeXX"), "missing");
    assert_eq!(world.ladder(), ["1: close"]);
}

#[test]
fn closes_when_the_server_or_the_profile_wants_it() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    assert_eq!(
        world.answer(1, 200, &[("Connection", "close")], b"x"),
        "found \"x\""
    );
    assert_eq!(world.ladder(), ["1: close"]);
    let short = HttpSpec {
        keep_alive: false,
        ..spec()
    };
    let mut world = World::asking(short, "http://server/a", &PLAIN);
    assert_eq!(world.answer(1, 200, &[], b"x"), "found \"x\"");
    assert_eq!(world.ladder(), ["1: close"]);
    world.get("http://server/b", &PLAIN);
    assert_eq!(world.ladder(), ["2: open 10.0.0.1:80"]);
    // More bytes than the answer has: what they mean cannot be told.
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK";
    assert_eq!(world.bytes(1, bytes), "found \"x\"");
    assert_eq!(world.ladder(), ["1: close"]);
}

#[test]
fn takes_a_body_until_the_connection_ends() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    assert_eq!(world.bytes(1, b"HTTP/1.0 200 OK\r\n\r\nab"), "-");
    assert_eq!(world.bytes(1, b"cd"), "-");
    assert_eq!(world.closed(1), "found \"abcd\"");
    assert_eq!(world.ladder(), ["1: close"]);
    // A reset is no good end.
    let mut world = World::asking(once(), "http://server/a", &PLAIN);
    assert_eq!(world.bytes(1, b"HTTP/1.0 200 OK\r\n\r\nab"), "-");
    assert_eq!(
        world.failed(1, ConnectionFault::Reset),
        "failed ConnectionBroken"
    );
}

#[test]
fn fetches_again_after_a_truncated_body() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    let start: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab";
    assert_eq!(world.bytes(1, start), "-");
    assert_eq!(world.closed(1), "-");
    assert_eq!(
        world.ladder(),
        [
            "1: close",
            "2: open 10.0.0.1:80",
            "wrong ConnectionBroken",
            "attempt 2"
        ]
    );
    world.opened(2);
    assert_eq!(world.ladder(), ["2: GET /a"]);
    assert_eq!(world.bytes(2, start), "-");
    assert_eq!(world.failed(2, ConnectionFault::Reset), "-");
    assert_eq!(
        world.ladder(),
        ["3: open 10.0.0.1:80", "wrong ConnectionBroken", "attempt 3"]
    );
    world.opened(3);
    assert_eq!(world.bytes(3, start), "-");
    assert_eq!(world.closed(3), "failed ConnectionBroken");
    assert_eq!(world.ladder(), ["3: GET /a", "3: close"]);
    assert_eq!(world.client.deadline(), None);
}

#[test]
fn takes_nothing_of_a_broken_try_into_the_next() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    assert_eq!(
        world.bytes(1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"),
        "-"
    );
    assert_eq!(world.closed(1), "-");
    world.opened(2);
    assert_eq!(world.answer(2, 200, &[], b"whole"), "found \"whole\"");
}

#[test]
fn tries_again_after_silence() {
    let mut world = World::new(spec());
    world.get("http://server/a", &PLAIN);
    assert_eq!(world.client.deadline(), Some(Moment::ZERO + TIMEOUT));
    assert_eq!(world.pass(TIMEOUT - Duration::from_millis(1)), "-");
    assert_eq!(world.ladder(), ["1: open 10.0.0.1:80"]);
    // Silence while connecting: the request has not left yet.
    assert_eq!(world.pass(Duration::from_millis(1)), "-");
    assert_eq!(
        world.ladder(),
        ["1: close", "2: open 10.0.0.1:80", "attempt 2"]
    );
    world.opened(2);
    assert_eq!(world.ladder(), ["2: GET /a", "sent"]);
    // Part of a head is no answer.
    world.now = world.now + (TIMEOUT - Duration::from_millis(1));
    let part = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(PROGRESS_BYTES_MIN));
    assert_eq!(world.bytes(2, part.as_bytes()), "-");
    assert_eq!(world.pass(Duration::from_millis(1)), "-");
    assert_eq!(
        world.ladder(),
        ["2: close", "3: open 10.0.0.1:80", "attempt 3"]
    );
    world.opened(3);
    assert_eq!(world.pass(TIMEOUT), "failed Silence");
    assert_eq!(world.ladder(), ["3: GET /a", "3: close"]);
    assert_eq!(world.pass(TIMEOUT), "-");
    // Late bytes on a connection that was given up are nobody's.
    assert_eq!(world.answer(3, 200, &[], b"x"), "-");
    assert_eq!(world.ladder(), [""; 0]);
}

#[test]
fn waits_for_a_long_body_as_long_as_it_comes() {
    let mut world = World::asking(once(), "http://server/a", &PLAIN);
    let almost = TIMEOUT - Duration::from_secs(1);
    world.now = world.now + almost;
    assert_eq!(
        world.bytes(1, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        "-"
    );
    for _ in 0..4 {
        assert_eq!(world.pass(almost), "-");
        assert_eq!(world.bytes(1, &[b'x'; PROGRESS_BYTES_MIN]), "-");
    }
    // A byte now and then is not enough.
    assert_eq!(world.pass(almost), "-");
    assert_eq!(world.bytes(1, b"x"), "-");
    assert_eq!(world.pass(Duration::from_secs(1)), "failed Silence");
}

#[test]
fn refuses_a_body_over_the_limit() {
    let small = RequestOptions { limit: 4, ..PLAIN };
    let mut world = World::asking(spec(), "http://server/a", &small);
    assert_eq!(world.answer(1, 200, &[], b"1234"), "found \"1234\"");
    // Announced.
    let mut world = World::asking(spec(), "http://server/a", &small);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(world.bytes(1, head), "failed TooLarge");
    assert_eq!(world.ladder(), ["1: close", "limit FileBytes 4"]);
    // Not announced.
    let mut world = World::asking(spec(), "http://server/a", &small);
    assert_eq!(world.bytes(1, b"HTTP/1.1 200 OK\r\n\r\n1234"), "-");
    assert_eq!(world.bytes(1, b"5"), "failed TooLarge");
    assert_eq!(world.ladder(), ["1: close", "limit FileBytes 4"]);
}

#[test]
fn refuses_an_answer_that_cannot_be_read() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    let ending = world.bytes(1, b"<html>\n\n");
    assert!(ending.contains("invalid HTTP version"), "{ending}");
    assert_eq!(world.ladder(), ["1: close"]);
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    let ending = world.bytes(1, &[b'x'; HEADER_BYTES_MAX + 1]);
    assert!(ending.contains("header section over the limit"), "{ending}");
    assert_eq!(world.ladder(), ["1: close", "limit Headers 16384"]);
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    let many = "A: b\r\n".repeat(HEADERS_MAX + 1);
    world.bytes(1, format!("HTTP/1.1 200 OK\r\n{many}\r\n").as_bytes());
    assert_eq!(world.ladder(), ["1: close", "limit Headers 64"]);
}

#[test]
fn dials_again_when_a_kept_connection_turns_out_closed() {
    let kept = || {
        let mut world = World::asking(once(), "http://server/a", &PLAIN);
        assert_eq!(world.answer(1, 200, &[], b"x"), "found \"x\"");
        world.get("http://server/b", &PLAIN);
        assert_eq!(world.ladder(), ["1: GET /b", "sent"]);
        world
    };
    let mut world = kept();
    assert_eq!(world.closed(1), "-");
    assert_eq!(world.ladder(), ["1: close", "2: open 10.0.0.1:80"]);
    assert_eq!(world.opened(2), "-");
    assert_eq!(world.ladder(), ["2: GET /b"]);
    // Once only: this one was new.
    assert_eq!(world.closed(2), "failed ConnectionBroken");
    let mut world = kept();
    assert_eq!(world.failed(1, ConnectionFault::Reset), "-");
    assert_eq!(world.ladder(), ["2: open 10.0.0.1:80"]);
    // Not after a part of the answer, nor after silence.
    let mut world = kept();
    world.bytes(1, b"H");
    assert_eq!(world.closed(1), "failed ConnectionBroken");
    assert_eq!(kept().pass(TIMEOUT), "failed Silence");
    assert_eq!(
        kept().failed(1, ConnectionFault::TimedOut),
        "failed Silence"
    );
}

#[test]
fn lets_an_idle_connection_go() {
    for end in [
        Input::Closed(Connection(1)),
        Input::Bytes(Connection(1), b"HTTP/1.1 408 Request Timeout\r\n\r\n"),
    ] {
        let mut world = World::asking(spec(), "http://server/a", &PLAIN);
        world.answer(1, 200, &[], b"x");
        assert_eq!(world.input(&end), "-");
        assert_eq!(world.ladder(), ["1: close"]);
        world.get("http://server/b", &PLAIN);
        assert_eq!(world.ladder(), ["2: open 10.0.0.1:80"]);
    }
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    world.answer(1, 200, &[], b"x");
    assert_eq!(world.failed(1, ConnectionFault::Reset), "-");
    assert_eq!(world.failed(1, ConnectionFault::Reset), "-");
    world.get("http://server/b", &PLAIN);
    assert_eq!(world.ladder(), ["2: open 10.0.0.1:80"]);
}

#[test]
fn ignores_what_is_not_for_it() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    for input in [
        Input::Opened(Connection(1)),
        Input::Opened(Connection(9)),
        Input::Bytes(Connection(9), b"HTTP/1.1 404 No\r\n\r\n"),
        Input::Closed(Connection(9)),
        Input::Failed(Connection(9), ConnectionFault::Reset),
        Input::Power,
        Input::Tick,
    ] {
        assert_eq!(world.input(&input), "-");
        assert_eq!(world.ladder(), [""; 0]);
    }
    assert_eq!(world.answer(1, 200, &[], b"x"), "found \"x\"");
}

#[test]
fn abandons_a_request_for_the_next() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    assert_eq!(world.get("http://server/b", &PLAIN), "-");
    assert_eq!(world.ladder(), ["1: close", "2: open 10.0.0.1:80"]);
}

#[test]
fn follows_redirects() {
    for status in [301, 302, 303, 307, 308] {
        let mut world = World::asking(spec(), "http://server/d/a?x", &PLAIN);
        assert_eq!(
            world.answer(1, status, &[("Location", "../e f")], b"moved"),
            "-"
        );
        assert_eq!(
            world.ladder(),
            ["1: GET /e%20f", "redirected http://server/e f", "sent"]
        );
        assert_eq!(world.answer(1, 200, &[], b"x"), "found \"x\"");
    }
    let mut world = World::asking(spec(), "http://server/d/a", &PLAIN);
    let answer = [
        ("location", "https://u:p@other:4433/b#part"),
        ("Connection", "close"),
    ];
    assert_eq!(world.answer(1, 302, &answer, b""), "-");
    assert_eq!(
        world.ladder(),
        [
            "1: close",
            "2: open 10.0.0.2:4433 tls other",
            "redirected https://other:4433/b#part"
        ]
    );
    world.opened(2);
    assert_eq!(world.ladder(), ["2: GET /b", "sent"]);
    assert_eq!(world.answer(2, 404, &[], b""), "missing");
}

#[test]
fn ends_a_loop_of_redirects() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    for _ in 0..REDIRECTS_MAX {
        assert_eq!(world.answer(1, 302, &[("Location", "/a")], b""), "-");
    }
    world.ladder();
    let ending = world.answer(1, 302, &[("Location", "/a")], b"");
    assert_eq!(ending, "failed RedirectLoop");
    assert_eq!(world.ladder(), ["limit Redirects 5"]);
}

#[test]
fn refuses_redirects_that_lead_nowhere() {
    let long = "x".repeat(URL_BYTES_MAX + 1);
    for (location, ending) in [
        ("tftp://server/a", "failed Scheme"),
        ("ftp://server/a", "failed Scheme"),
        ("gopher://server/a", "failed Scheme"),
        ("http://[::1]/a", "failed BadTarget"),
        ("http:///a", "failed BadTarget"),
        ("", "failed BadTarget"),
        (long.as_str(), "failed BadTarget"),
        ("http://nowhere/a", "failed UnknownHost"),
    ] {
        let mut world = World::asking(spec(), "http://server/a", &PLAIN);
        assert_eq!(
            world.answer(1, 302, &[("Location", location)], b""),
            ending,
            "{location}"
        );
        assert_eq!(
            world.ladder().contains(&"limit UrlBytes 2048".to_owned()),
            location == long
        );
        assert_eq!(world.client.deadline(), None);
    }
}

#[test]
fn starts_counting_attempts_anew_after_a_redirect() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    world.pass(TIMEOUT);
    world.pass(TIMEOUT);
    world.opened(3);
    world.answer(3, 302, &[("Location", "/b")], b"");
    world.ladder();
    assert_eq!(world.pass(TIMEOUT), "-");
    assert_eq!(
        world.ladder(),
        ["3: close", "4: open 10.0.0.1:80", "attempt 2"]
    );
}

#[test]
fn answers_a_digest_challenge_and_reuses_the_nonce() {
    // FLY-89, FLY-90
    let mut world = World::asking(spec(), "http://server/a b", &PLAIN);
    assert_eq!(world.answer(1, 401, &[BASIC_REALM, DIGEST], b"who?"), "-");
    let request = world.written();
    for part in [
        "GET /a%20b HTTP/1.1\r\nHost: server\r\nAuthorization: Digest username=\"bob\", ",
        ", uri=\"/a%20b\", ",
        ", nc=00000001, qop=auth, ",
    ] {
        assert!(request.contains(part), "{request}");
    }
    assert_eq!(world.answer(1, 200, &[], b"x"), "found \"x\"");
    world.get("http://server/c", &PLAIN);
    let request = world.written();
    assert!(request.contains(", nc=00000002, "), "{request}");
    // Another server gets nothing unasked.
    world.get("http://other/c", &PLAIN);
    world.opened(2);
    assert_eq!(
        world.ladder(),
        ["1: close", "2: open 10.0.0.2:80", "2: GET /c", "sent"]
    );
}

#[test]
fn says_that_it_was_challenged() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    assert_eq!(world.answer(1, 401, &[DIGEST], b""), "-");
    assert_eq!(
        world.ladder(),
        ["1: GET /a with Digest", "challenged", "sent"]
    );
    let mut world = World::asking(spec(), "http://server/a", &BASIC);
    let close = ("Connection", "close");
    assert_eq!(
        world.answer(1, 401, &[DIGEST, BASIC_REALM, close], b""),
        "-"
    );
    assert_eq!(
        world.ladder(),
        ["1: close", "2: open 10.0.0.1:80", "challenged"]
    );
    world.opened(2);
    assert!(
        world
            .written()
            .contains("\r\nAuthorization: Basic Ym9iOmh1c2g=\r\n")
    );
}

#[test]
fn sends_refused_credentials_no_second_time() {
    for options in [PLAIN, BASIC] {
        let mut world = World::asking(spec(), "http://server/a", &options);
        world.answer(1, 401, &[DIGEST, BASIC_REALM], b"");
        let ending = world.answer(1, 401, &[DIGEST, BASIC_REALM], b"");
        assert_eq!(ending, "failed Unauthorized");
        world.ladder();
        // And the next file waits for its own challenge.
        world.get("http://server/b", &options);
        assert_eq!(world.ladder(), ["1: GET /b", "sent"]);
    }
}

#[test]
fn takes_a_new_nonce_once_when_the_old_one_was_stale() {
    let stale = (
        "WWW-Authenticate",
        "Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", stale=true",
    );
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    assert_eq!(world.answer(1, 401, &[DIGEST], b""), "-");
    world.ladder();
    assert_eq!(world.answer(1, 401, &[stale], b""), "-");
    let request = world.written();
    assert!(
        request.contains("nonce=\"n2\"") && request.contains("nc=00000001"),
        "{request}"
    );
    assert_eq!(world.answer(1, 401, &[stale], b""), "failed Unauthorized");
}

#[test]
fn takes_a_new_challenge_when_a_reused_nonce_ran_out() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    world.answer(1, 401, &[DIGEST], b"");
    world.answer(1, 200, &[], b"x");
    world.get("http://server/b", &PLAIN);
    world.ladder();
    assert_eq!(world.answer(1, 401, &[DIGEST], b""), "-");
    assert_eq!(
        world.ladder(),
        ["1: GET /b with Digest", "challenged", "sent"]
    );
    assert_eq!(world.answer(1, 401, &[DIGEST], b""), "failed Unauthorized");
    // Basic has no nonce: the same credentials would only be refused again.
    let mut world = World::asking(spec(), "http://server/a", &BASIC);
    world.answer(1, 401, &[BASIC_REALM], b"");
    world.answer(1, 200, &[], b"x");
    world.get("http://server/b", &BASIC);
    assert_eq!(
        world.answer(1, 401, &[BASIC_REALM], b""),
        "failed Unauthorized"
    );
}

#[test]
fn cannot_answer_every_challenge() {
    let none = RequestOptions {
        auth: AuthMethod::None,
        ..PLAIN
    };
    let empty = RequestOptions {
        user: "",
        password: "",
        ..PLAIN
    };
    for (options, fields) in [
        (PLAIN, &[BASIC_REALM][..]),
        (BASIC, &[DIGEST]),
        (none, &[DIGEST, BASIC_REALM]),
        (empty, &[DIGEST]),
        (PLAIN, &[]),
    ] {
        let mut world = World::asking(spec(), "http://server/a", &options);
        assert_eq!(
            world.answer(1, 401, fields, b""),
            "failed Challenge",
            "{options:?}"
        );
        assert_eq!(world.ladder(), [""; 0]);
    }
}

#[test]
fn prefers_the_credentials_of_the_url() {
    let mut world = World::asking(spec(), "http://amy:w%40@server/a", &BASIC);
    world.answer(1, 401, &[BASIC_REALM], b"");
    // amy:w@
    assert!(
        world
            .written()
            .contains("Authorization: Basic YW15OndA\r\n")
    );
}

#[test]
fn sends_basic_unasked_only_where_the_profile_says() {
    let preemptive = HttpSpec {
        credentials: SendCredentials::Preemptive,
        ..spec()
    };
    let mut world = World::new(preemptive.clone());
    world.get("http://server/a", &BASIC);
    world.opened(1);
    assert_eq!(
        world.ladder(),
        ["1: open 10.0.0.1:80", "1: GET /a with Basic", "sent"]
    );
    assert_eq!(
        world.answer(1, 401, &[BASIC_REALM], b""),
        "failed Unauthorized"
    );
    let mut world = World::new(preemptive);
    world.get("http://server/a", &PLAIN);
    world.opened(1);
    assert_eq!(world.ladder(), ["1: open 10.0.0.1:80", "1: GET /a", "sent"]);
}

#[test]
fn keeps_credentials_from_other_hosts() {
    let challenged = |from: &str, to: &str| {
        let mut world = World::asking(spec(), from, &BASIC);
        world.answer(1, 302, &[("Location", to), ("Connection", "close")], b"");
        world.opened(2);
        world.ladder();
        let ending = world.answer(2, 401, &[BASIC_REALM], b"");
        (ending, world.written().contains("Authorization"))
    };
    let carried = ("-".to_owned(), true);
    let withheld = ("failed Challenge".to_owned(), false);
    assert_eq!(challenged("http://server/a", "http://other/a"), withheld);
    assert_eq!(
        challenged("http://u:p@server/a", "http://other/a"),
        withheld
    );
    assert_eq!(challenged("https://server/a", "http://server/a"), withheld);
    assert_eq!(challenged("http://server/a", "https://server/a"), carried);
    assert_eq!(challenged("http://server/a", "http://Server:81/a"), carried);
    assert_eq!(challenged("http://u:p@server/a", "/b"), carried);
    assert_eq!(challenged("http://server/a", "http://v:w@other/a"), carried);
}

#[test]
fn carries_a_grant_to_no_other_server() {
    let mut world = World::asking(spec(), "http://server/a", &BASIC);
    world.answer(1, 401, &[BASIC_REALM], b"");
    world.ladder();
    world.answer(1, 302, &[("Location", "http://other/a")], b"");
    world.opened(2);
    assert_eq!(
        world.ladder(),
        [
            "1: close",
            "2: open 10.0.0.2:80",
            "2: GET /a",
            "redirected http://other/a",
            "sent"
        ]
    );
    // Back at home its own credentials serve again.
    world.answer(2, 302, &[("Location", "http://server/b")], b"");
    world.opened(3);
    assert!(world.ladder().contains(&"3: GET /b with Basic".to_owned()));
}

#[test]
fn shows_no_secret_in_debug_output() {
    let mut world = World::asking(spec(), "http://server/a", &PLAIN);
    world.answer(1, 401, &[DIGEST], b"");
    let text = format!("{:?} {:?}", world.client, PLAIN);
    assert!(!text.contains("hush") && !text.contains("bob"), "{text}");
}

/// Answers of every kind, one after the other on one connection.
fn conversation(kind: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    match kind % 6 {
        0 => wire::write_response(&mut bytes, 200, &[], b"the body"),
        1 => wire::write_response(&mut bytes, 302, &[("Location", "/b")], b"moved"),
        2 => wire::write_response(&mut bytes, 401, &[DIGEST], b"who"),
        3 => wire::write_response(&mut bytes, 404, &[], b"no"),
        4 => bytes.extend_from_slice(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        _ => wire::write_response(&mut bytes, 500, &[("Connection", "close")], b"oh"),
    }
    bytes
}

fn answers() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cuts_make_no_difference(kinds in answers(), cut in 1_usize..40) {
        let play = |cut: usize| {
            let mut world = World::asking(spec(), "http://server/a", &PLAIN);
            let mut endings = Vec::new();
            for kind in &kinds {
                let id = world.client.next_connection() - 1;
                world.opened(id);
                for piece in conversation(*kind).chunks(cut) {
                    endings.push(world.bytes(id, piece));
                }
                endings.retain(|ending| ending != "-");
            }
            (endings, world.ladder())
        };
        prop_assert_eq!(play(cut), play(usize::MAX));
    }

    #[test]
    fn nothing_makes_it_panic_or_grow(
        kinds in answers(),
        noise in proptest::collection::vec(any::<u8>(), 0..80),
        at in any::<usize>(),
        moves in proptest::collection::vec(0_u8..8, 0..12),
    ) {
        let mut world = World::asking(spec(), "http://server/a", &PLAIN);
        let mut all: Vec<u8> = kinds.iter().flat_map(|kind| conversation(*kind)).collect();
        let at = at % all.len();
        all.splice(at..at, noise.iter().copied());
        let mut pieces = all.chunks(17);
        for step in moves {
            let id = world.client.next_connection() - 1;
            match step {
                0 => world.opened(id),
                1 => world.closed(id),
                2 => world.failed(id, ConnectionFault::Reset),
                3 => world.pass(TIMEOUT),
                4 => world.get("http://server/c", &PLAIN),
                _ => world.bytes(id, pieces.next().unwrap_or(b"\r\n\r\n")),
            };
            prop_assert!(world.ladder().len() < 20);
        }
    }
}
