use super::connection::{After, Connection};
use super::*;
use crate::reference::content::Tree;
use md5::{Digest, Md5};
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::time::Duration;

const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 9), 40_000);

fn server(config: HttpConfig) -> Http {
    let mut tree = Tree::default();
    for (path, text) in [
        ("0021f222b01d.cfg", "account.1.enable=1\n"),
        ("device/provisioning.xml", "<provisioning/>"),
        ("HTTP Directory/sip.cfg", "spaces"),
        ("app?class=sip;mac_address=0009", "query"),
        ("empty.cfg", ""),
    ] {
        tree.insert(path, text.as_bytes()).unwrap();
    }
    Http::new(config, Source::tree(tree), Arc::default())
}

fn ask_at(http: &Http, now: Moment, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let request = Request {
        method,
        target,
        headers: &headers,
        body: &[],
    };
    http.handle(now, PHONE, &request)
}

fn site(http: &Http) -> Site<'_> {
    Site {
        http,
        acs: None,
        filter: None,
    }
}

fn ask(http: &Http, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    ask_at(http, Moment::from_millis(1_000), method, target, headers)
}

fn realm(path: &str, schemes: &[Scheme]) -> Realm {
    Realm {
        path: path.to_owned(),
        name: "phones".to_owned(),
        schemes: schemes.to_vec(),
        nonce_lifetime: Duration::from_secs(60),
        users: [("FLY10619900045".to_owned(), "se:cret".to_owned())]
            .into_iter()
            .collect(),
    }
}

fn guarded(schemes: &[Scheme]) -> Http {
    server(HttpConfig {
        realms: vec![realm("/", schemes)],
        ..HttpConfig::default()
    })
}

#[test]
fn serves_content_with_type_and_tag() {
    let http = server(HttpConfig::default());
    let reply = ask(&http, "GET", "/0021f222b01d.cfg", &[]);
    assert_eq!(reply.status, 200);
    assert_eq!(&*reply.body, b"account.1.enable=1\n");
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    let xml = ask(&http, "HEAD", "/device/provisioning.xml?x=1", &[]);
    assert_eq!(
        (xml.status, xml.header("content-type")),
        (200, Some("application/xml"))
    );
    assert_eq!(
        &*ask(&http, "GET", "/HTTP%20Directory/sip.cfg", &[]).body,
        b"spaces"
    );
    let query = ask(&http, "GET", "/app?class=sip;mac_address=0009", &[]);
    assert_eq!(&*query.body, b"query");
    let whole = ask(&http, "GET", "http://10.2.11.101:8088/empty.cfg", &[]);
    assert_eq!((whole.status, whole.body.len()), (200, 0));
    assert_eq!(http.counters().value(Counter::HttpOk), 5);
}

#[test]
fn refuses_what_is_not_there_or_not_a_request_for_it() {
    let http = server(HttpConfig::default());
    for (method, target, status) in [
        ("GET", "/none.cfg", 404),
        ("GET", "/0021F222B01D.cfg", 404),
        ("GET", "/", 404),
        ("GET", "/../etc/passwd", 400),
        ("GET", "/%2e%2e/etc/passwd", 400),
        ("GET", "/%zz", 400),
        ("GET", "0021f222b01d.cfg", 400),
        ("GET", "ftp://host/0021f222b01d.cfg", 400),
        ("OPTIONS", "*", 400),
        ("POST", "/0021f222b01d.cfg", 405),
        ("get", "/0021f222b01d.cfg", 405),
    ] {
        assert_eq!(
            ask(&http, method, target, &[]).status,
            status,
            "{method} {target}"
        );
    }
    let refusal = ask(&http, "PUT", "/x", &[]);
    assert_eq!(refusal.header("allow"), Some("GET, HEAD"));
    assert_eq!(http.counters().value(Counter::HttpNotFound), 3);
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let http = server(HttpConfig::default());
    let tag = ask(&http, "GET", "/empty.cfg", &[])
        .header("etag")
        .unwrap()
        .to_owned();
    assert_eq!(tag, "\"d41d8cd98f00b204e9800998ecf8427e\"");
    let weak = format!("\"other\", W/{tag}");
    for held in [tag.as_str(), weak.as_str(), "*"] {
        let reply = ask(&http, "GET", "/empty.cfg", &[("If-None-Match", held)]);
        assert_eq!((reply.status, reply.body.len()), (304, 0));
        assert_eq!(reply.header("etag"), Some(tag.as_str()));
    }
    let other = ask(&http, "GET", "/empty.cfg", &[("if-none-match", "\"d41d\"")]);
    assert_eq!(other.status, 200);
}

#[test]
fn redirects_by_rule() {
    let rule = |from: &str, prefix, status, to: &str| Redirect {
        from: from.to_owned(),
        prefix,
        status,
        to: to.to_owned(),
    };
    let http = server(HttpConfig {
        redirects: vec![
            rule("/config?mac=0021f2", false, 302, "http://a/exact"),
            rule("/config", false, 307, "http://a/path"),
            rule("/old/", true, 301, "https://b/new/"),
        ],
        ..HttpConfig::default()
    });
    for (target, status, to) in [
        ("/config?mac=0021f2", 302, "http://a/exact"),
        ("/config?mac=other", 307, "http://a/path"),
        ("/old/x/y.cfg?z", 301, "https://b/new/x/y.cfg?z"),
    ] {
        let reply = ask(&http, "GET", target, &[]);
        assert_eq!((reply.status, reply.header("location")), (status, Some(to)));
    }
    assert_eq!(ask(&http, "GET", "/configuration", &[]).status, 404);
    assert_eq!(http.counters().value(Counter::HttpRedirect), 3);
}

#[test]
fn basic_takes_the_right_password_only() {
    let http = guarded(&[Scheme::Basic]);
    let first = ask(&http, "GET", "/empty.cfg", &[]);
    assert_eq!(first.status, 401);
    assert_eq!(
        first.header("www-authenticate"),
        Some("Basic realm=\"phones\"")
    );
    // FLY10619900045:se:cret, with and without padding, then with a wrong password.
    for (credentials, status) in [
        ("Basic RkxZMTA2MTk5MDAwNDU6c2U6Y3JldA==", 200),
        ("basic RkxZMTA2MTk5MDAwNDU6c2U6Y3JldA", 200),
        ("Basic RkxZMTA2MTk5MDAwNDU6d3Jvbmc=", 401),
        ("Basic !!!!", 401),
        ("Basic", 401),
        ("Bearer RkxZMTA2MTk5MDAwNDU6c2U6Y3JldA==", 401),
    ] {
        let reply = ask(
            &http,
            "GET",
            "/empty.cfg",
            &[("Authorization", credentials)],
        );
        assert_eq!(reply.status, status, "{credentials}");
    }
    let digest_only = guarded(&[Scheme::DigestMd5]);
    let credentials = "Basic RkxZMTA2MTk5MDAwNDU6c2U6Y3JldA==";
    let reply = ask(
        &digest_only,
        "GET",
        "/empty.cfg",
        &[("Authorization", credentials)],
    );
    assert_eq!(reply.status, 401);
}

fn md5_hex(text: &str) -> String {
    Md5::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn nonce_of(challenge: &str) -> &str {
    challenge
        .split("nonce=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
}

/// An answer to a challenge, computed here after RFC 2617 with nothing of the server's.
fn digest_answer(challenge: &str, uri: &str, password: &str, qop: bool) -> String {
    let nonce = nonce_of(challenge);
    let who = md5_hex(&format!("FLY10619900045:phones:{password}"));
    let what = md5_hex(&format!("GET:{uri}"));
    let start = format!(
        "Digest username=\"FLY10619900045\", realm=\"phones\",nonce=\"{nonce}\", uri=\"{uri}\""
    );
    if !qop {
        let response = md5_hex(&format!("{who}:{nonce}:{what}"));
        return format!("{start}, response=\"{response}\"");
    }
    let response = md5_hex(&format!("{who}:{nonce}:00000001:abc\"d:auth:{what}"));
    format!(
        "{start}, cnonce=\"abc\\\"d\", nc=00000001, algorithm=MD5, qop=auth, \
         response=\"{response}\""
    )
}

#[test]
fn digest_takes_the_right_answer_only() {
    let http = guarded(&[Scheme::DigestMd5]);
    let challenge = ask(&http, "GET", "/empty.cfg", &[]);
    let challenge = challenge.header("www-authenticate").unwrap();
    let status = |credentials: String| {
        ask(
            &http,
            "GET",
            "/empty.cfg",
            &[("Authorization", &credentials)],
        )
        .status
    };
    let answer = |uri, password, qop| digest_answer(challenge, uri, password, qop);
    assert_eq!(status(answer("/empty.cfg", "se:cret", true)), 200);
    assert_eq!(status(answer("/empty.cfg", "se:cret", false)), 200);
    assert_eq!(
        status(answer("http://host/empty.cfg", "se:cret", true)),
        200
    );
    assert_eq!(status(answer("/empty.cfg", "wrong", true)), 401);
    assert_eq!(status(answer("/other.cfg", "se:cret", true)), 401);
    let forged = challenge.replace(nonce_of(challenge), &"0".repeat(40));
    assert_eq!(
        status(digest_answer(&forged, "/empty.cfg", "se:cret", true)),
        401
    );
    let sha_only = guarded(&[Scheme::DigestSha256]);
    let credentials = answer("/empty.cfg", "se:cret", true);
    let reply = ask(
        &sha_only,
        "GET",
        "/empty.cfg",
        &[("Authorization", &credentials)],
    );
    assert_eq!(reply.status, 401);
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains("algorithm=SHA-256"), "{challenge}");
}

#[test]
fn an_old_nonce_is_stale_and_a_wrong_password_is_not() {
    let http = guarded(&[Scheme::DigestMd5]);
    let early = Moment::from_millis(1_000);
    let challenge = ask_at(&http, early, "GET", "/empty.cfg", &[]);
    let challenge = challenge.header("www-authenticate").unwrap();
    assert!(!challenge.contains("stale"));
    for (seconds, password, status, stale) in [
        (60, "se:cret", 200, false),
        (61, "se:cret", 401, true),
        (61, "wrong", 401, false),
    ] {
        let now = early + Duration::from_secs(seconds);
        let credentials = digest_answer(challenge, "/empty.cfg", password, true);
        let reply = ask_at(
            &http,
            now,
            "GET",
            "/empty.cfg",
            &[("Authorization", &credentials)],
        );
        assert_eq!(reply.status, status);
        let says_stale = reply
            .header("www-authenticate")
            .is_some_and(|it| it.contains("stale=true"));
        assert_eq!(says_stale, stale);
    }
}

#[test]
fn a_realm_covers_its_prefix_however_it_is_written() {
    let http = server(HttpConfig {
        realms: vec![realm("/device/", &[Scheme::Basic])],
        ..HttpConfig::default()
    });
    assert_eq!(ask(&http, "GET", "/empty.cfg", &[]).status, 200);
    for target in [
        "/device/provisioning.xml",
        "//device/provisioning.xml",
        "/%64evice/provisioning.xml",
        "http://host/device/provisioning.xml?x",
    ] {
        assert_eq!(ask(&http, "GET", target, &[]).status, 401, "{target}");
    }
}

fn exchange(http: &Http, connection: &mut Connection, bytes: &[u8]) -> (String, After) {
    let mut out = Vec::new();
    let after = connection.receive(Moment::ZERO, PHONE, &mut site(http), bytes, &mut out);
    (String::from_utf8(out).unwrap(), after)
}

#[test]
fn a_connection_answers_requests_however_they_are_cut() {
    let http = server(HttpConfig::default());
    let bytes = b"GET /empty.cfg HTTP/1.1\r\nHost: h\r\n\r\n\
        POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /\
        HEAD /0021f222b01d.cfg HTTP/1.1\r\nHost: h\r\n\r\n\
        GET /0021f222b01d.cfg HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET / HTTP/1.1";
    let (whole, after) = exchange(&http, &mut Connection::default(), bytes);
    assert_eq!(after, After::Close);
    let statuses: Vec<_> = whole
        .lines()
        .filter(|line| line.starts_with("HTTP/1.1"))
        .collect();
    assert_eq!(
        statuses,
        [
            "HTTP/1.1 200 OK",
            "HTTP/1.1 405 Method Not Allowed",
            "HTTP/1.1 200 OK",
            "HTTP/1.1 200 OK",
        ]
    );
    assert_eq!(whole.matches("content-length: 19\r\n").count(), 2);
    assert_eq!(whole.matches("account.1.enable").count(), 1);
    assert!(whole.ends_with("connection: close\r\n\r\naccount.1.enable=1\n"));
    let mut connection = Connection::default();
    let pieces: String = bytes
        .chunks(1)
        .map(|byte| exchange(&http, &mut connection, byte).0)
        .collect();
    assert_eq!(pieces, whole);
}

#[test]
fn a_connection_ends_after_a_head_it_cannot_read() {
    let http = server(HttpConfig::default());
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    for (bytes, status) in [
        ("\0\0\0\0\r\n\r\n", "400"),
        (long.as_str(), "431"),
        (many.as_str(), "431"),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "411",
        ),
        ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"),
        (
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "400",
        ),
    ] {
        let mut connection = Connection::default();
        let (answer, after) = exchange(&http, &mut connection, bytes.as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert_eq!(after, After::Close);
        assert_eq!(
            exchange(&http, &mut connection, b"GET / HTTP/1.1\r\n\r\n").0,
            ""
        );
    }
    assert_eq!(http.counters().value(Counter::HttpMalformed), 6);
    let old = b"GET /empty.cfg HTTP/1.0\r\n\r\n";
    assert_eq!(
        exchange(&http, &mut Connection::default(), old).1,
        After::Close
    );
    let kept = b"GET /empty.cfg HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n";
    assert_eq!(
        exchange(&http, &mut Connection::default(), kept).1,
        After::Open
    );
}

proptest! {
    #[test]
    fn hostile_requests_never_panic(
        target in "[ -~é]{0,60}",
        credentials in "(Digest|Basic) [a-z=\",\\\\: A-Z0-9]{0,80}",
        held in "[\", W/*a-f0-9]{0,40}",
    ) {
        let http = guarded(&[Scheme::Basic, Scheme::DigestMd5, Scheme::DigestSha256]);
        let headers = [("Authorization", credentials.as_str()), ("If-None-Match", held.as_str())];
        let reply = ask(&http, "GET", &target, &headers);
        prop_assert!(matches!(reply.status, 400 | 401));
        let open = server(HttpConfig::default());
        let _ = ask(&open, "GET", &format!("/{target}"), &headers);
    }

    #[test]
    fn hostile_bytes_on_a_connection_never_panic_nor_pile_up(
        chunks in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..2_000),
                Just(b"GET / HTTP/1.1\r\ncontent-length: 9999999999999\r\n\r\n".to_vec()),
                Just(b"GET /empty.cfg HTTP/1.1\r\nx: ".to_vec()),
            ],
            1..40,
        ),
    ) {
        let http = server(HttpConfig::default());
        let mut connection = Connection::default();
        for chunk in chunks {
            let mut out = Vec::new();
            connection.receive(Moment::ZERO, PHONE, &mut site(&http), &chunk, &mut out);
            prop_assert!(connection.held() <= 20_000);
        }
    }
}
