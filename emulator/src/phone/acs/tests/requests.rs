use std::net::SocketAddrV4;

use super::*;
use crate::limits::CONNECTION_REQUESTS_MAX;
use crate::phone::stand::SERVER;
use crate::rng::Rng;
use crate::transfer::http::AuthMethod;
use crate::transfer::http::auth::{Challenge, Grant, Login};

impl Bench {
    /// A connection request with this head; the status of the answer, and the answer.
    fn knock(&mut self, head: &str) -> (u16, String) {
        let bytes = head.as_bytes();
        self.stand.input(Input::Request {
            request: Request(1),
            from: SocketAddrV4::new(SERVER, 1),
            bytes,
        });
        let reply = self.stand.replies.pop().expect("an answer");
        let status = reply.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.expect("a status"), reply)
    }

    /// The same with the right answer to a challenge.
    fn knock_as(&mut self, user: &str, password: &str, reply: &str) -> (u16, String) {
        let field = reply
            .lines()
            .find_map(|line| line.strip_prefix("WWW-Authenticate: "))
            .expect("a challenge");
        let choice = Challenge::choose(&[field.to_owned()], AuthMethod::Digest).unwrap();
        let login = Login::new(user, password).unwrap();
        let field = Grant::new(choice, &mut Rng::new(3)).authorization(&login, "GET", "/ask");
        self.knock(&format!(
            "GET /ask HTTP/1.1\r\nAuthorization: {field}\r\n\r\n"
        ))
    }
}

fn idle() -> Bench {
    let mut bench = Bench::new("");
    bench.inform();
    bench.accept();
    bench.end();
    bench
}

const PLAIN: &str = "GET /ask HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn calls_when_asked_by_somebody_who_may() {
    let mut bench = idle();
    let (status, challenge) = bench.knock(PLAIN);
    assert_eq!(status, 401);
    assert!(
        challenge.contains("qop=\"auth\"") && !challenge.contains("stale"),
        "{challenge}"
    );
    let (status, again) = bench.knock_as("knock", "wrong", &challenge);
    assert_eq!(status, 401);
    assert!(bench.stand.phone.is_settled());
    let (status, _) = bench.knock_as("knock", "knock", &again);
    assert_eq!(status, 200);
    assert_eq!(codes(&bench.inform()), ["6 CONNECTION REQUEST"]);
    for status in [401, 200] {
        assert!(bench.has(EventKind::ConnectionRequested { status }));
    }
    // While it calls, it cannot be asked.
    assert_eq!(bench.knock(PLAIN).0, 503);
    bench.accept();
    bench.end();
    // A nonce serves once.
    let (status, reply) = bench.knock_as("knock", "knock", &again);
    assert_eq!(status, 401);
    let (status, reply) = bench.knock_as("knock", "knock", &reply);
    assert_eq!((status, reply.contains("Content-Length: 0")), (200, true));
}

#[test]
fn says_that_only_the_nonce_was_old() {
    let mut bench = idle();
    let (_, first) = bench.knock(PLAIN);
    let (_, _) = bench.knock(PLAIN);
    let (status, reply) = bench.knock_as("knock", "knock", &first);
    assert_eq!(status, 401);
    assert!(reply.contains("stale=true"), "{reply}");
}

#[test]
fn does_not_try_a_request_again_that_could_not_be_served() {
    let mut bench = idle();
    let (_, reply) = bench.knock(PLAIN);
    bench.knock_as("knock", "knock", &reply);
    bench.inform();
    bench.http("500", "", "");
    assert!(bench.stand.phone.is_settled());
    bench.stand.pass_seconds(60);
    assert_eq!(bench.stand.opened.len(), 2);
    bench.stand.pass_seconds(3_600);
    assert_eq!(codes(&bench.inform()), ["2 PERIODIC"]);
}

#[test]
fn refuses_other_paths_and_methods_and_nonsense() {
    let mut bench = idle();
    for (head, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("POST /ask HTTP/1.1\r\n\r\n", 405),
        ("GET /ask HTTP/1.1\r\nAuthorization: Digest x\r\n\r\n", 401),
        ("nonsense\r\n\r\n", 400),
        ("GET /ask", 400),
    ] {
        assert_eq!(bench.knock(head).0, expected, "{head}");
    }
}

#[test]
fn looks_at_so_many_requests_and_no_more() {
    let mut bench = idle();
    for _ in 0..CONNECTION_REQUESTS_MAX {
        assert_eq!(bench.knock(PLAIN).0, 401);
    }
    let before = bench.stand.events.len();
    for _ in 0..1_000 {
        assert_eq!(bench.knock(PLAIN).0, 503);
    }
    assert_eq!(bench.stand.events.len(), before + 2, "told once");
    bench.stand.pass_seconds(61);
    assert_eq!(bench.knock(PLAIN).0, 401);
}
