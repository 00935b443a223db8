use super::*;
use crate::reference::http::connection::After;

const PEER: &str = "10.1.0.1:5060";
const CONTACT: &str = "Contact: <sip:u%201@10.1.0.1:5060>\r\n";

fn registrar(set: impl FnOnce(&mut RegistrarConfig)) -> Registrar {
    let accounts = Accounts(Arc::new(|user, domain| {
        let known = user == "u 1" && domain.eq_ignore_ascii_case("example.org");
        known.then(|| Credentials {
            user: "a1".to_owned(),
            password: "secret".to_owned(),
        })
    }));
    let mut config = RegistrarConfig::new(accounts);
    set(&mut config);
    Registrar::new(config, Arc::default())
}

fn register(cseq: u32, fields: &str) -> String {
    format!(
        "REGISTER sip:example.org SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK{cseq};rport\r\n\
         From: <sip:u%201@example.org>;tag=a\r\nTo: <sip:u%201@EXAMPLE.org>\r\n\
         Call-ID: 1@10.1.0.1\r\nCSeq: {cseq} REGISTER\r\n{fields}Content-Length: 0\r\n\r\n"
    )
}

fn at(seconds: u64) -> Moment {
    Moment::from_millis(seconds * 1_000)
}

fn ask(registrar: &mut Registrar, now: Moment, message: &str) -> String {
    let origin = Origin {
        peer: PEER.parse().unwrap(),
        stream: false,
    };
    let mut out = Vec::new();
    registrar.message(now, origin, message.as_bytes(), &mut out);
    let text = String::from_utf8(out).unwrap();
    if !text.is_empty() {
        // Every answer is one that another decoder reads.
        rsip::Response::try_from(text.as_str()).unwrap();
    }
    text
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The credentials for the challenge with this algorithm, computed by rsip.
fn credentials(answer: &str, algorithm: &str, password: &str) -> String {
    let challenge = answer
        .lines()
        .filter_map(|line| line.strip_prefix("WWW-Authenticate: "))
        .find(|challenge| challenge.contains(algorithm))
        .unwrap();
    let nonce = challenge.split("nonce=\"").nth(1).unwrap();
    let nonce = nonce.split('"').next().unwrap();
    let typed = match algorithm {
        "MD5" => rsip::headers::auth::Algorithm::Md5,
        _ => rsip::headers::auth::Algorithm::Sha256,
    };
    let uri = rsip::Uri::try_from("sip:example.org").unwrap();
    let qop = rsip::headers::auth::AuthQop::Auth {
        cnonce: "c".to_owned(),
        nc: 1,
    };
    let generator = rsip::services::DigestGenerator {
        username: "a1",
        password,
        algorithm: typed,
        nonce,
        method: &rsip::Method::Register,
        qop: Some(&qop),
        uri: &uri,
        realm: "bootstorm",
    };
    format!(
        "Authorization: Digest username=\"a1\", realm=\"bootstorm\", nonce=\"{nonce}\", \
         uri=\"sip:example.org\", algorithm={algorithm}, qop=auth, nc=00000001, cnonce=\"c\", \
         response=\"{}\"\r\n",
        generator.compute()
    )
}

fn count(registrar: &Registrar, counter: Counter) -> u64 {
    registrar.counters.value(counter)
}

fn lines(registrar: &mut Registrar) -> Lines<'_> {
    Lines {
        registrar: Some(registrar),
        pnp: None,
        filter: None,
    }
}

#[test]
fn registers_whoever_answers_either_digest() {
    for algorithm in ["MD5", "SHA-256"] {
        let mut registrar = registrar(|_| {});
        let first = ask(&mut registrar, at(0), &register(1, CONTACT));
        assert_eq!(status(&first), 401);
        assert!(first.contains(";rport=5060"), "{first}");
        let proof = credentials(&first, algorithm, "secret");
        let fields = format!("{CONTACT}{proof}Expires: 600\r\n");
        let second = ask(&mut registrar, at(1), &register(2, &fields));
        assert_eq!(status(&second), 200, "{second}");
        let line = "\r\nContact: <sip:u%201@10.1.0.1:5060>;expires=600\r\n";
        assert!(second.contains(line), "{second}");
        let held: Vec<_> = registrar.bindings("u 1", "Example.Org", at(600)).collect();
        assert_eq!(held.len(), 1);
        assert_eq!(
            (held[0].peer.to_string(), held[0].stream),
            (PEER.into(), false)
        );
        assert_eq!(registrar.bindings("u 1", "example.org", at(601)).count(), 0);
        assert_eq!(count(&registrar, Counter::SipChallenged), 1);
        assert_eq!(count(&registrar, Counter::SipRegistered), 1);
    }
}

#[test]
fn refuses_wrong_credentials_and_unknown_accounts() {
    for wrong_status in [401, 403] {
        let mut registrar = registrar(|config| config.wrong_status = wrong_status);
        let first = ask(&mut registrar, at(0), &register(1, CONTACT));
        let proof = credentials(&first, "MD5", "wrong");
        let answer = ask(
            &mut registrar,
            at(0),
            &register(2, &format!("{CONTACT}{proof}")),
        );
        assert_eq!(status(&answer), wrong_status);
        assert!(!answer.contains("stale"), "{answer}");
        assert_eq!(count(&registrar, Counter::SipDenied), 1);
        let stranger = register(1, CONTACT).replace("u%201@EXAMPLE", "u2@example");
        assert_eq!(status(&ask(&mut registrar, at(0), &stranger)), 404);
        assert_eq!(count(&registrar, Counter::SipUnknownAccount), 1);
        assert!(registrar.is_empty());
    }
}

#[test]
fn tells_a_stale_nonce_by_time_and_by_count() {
    let mut by_time = registrar(|_| {});
    let first = ask(&mut by_time, at(0), &register(1, CONTACT));
    let proof = credentials(&first, "MD5", "secret");
    let late = ask(
        &mut by_time,
        at(3_601),
        &register(2, &format!("{CONTACT}{proof}")),
    );
    assert_eq!(status(&late), 401);
    assert!(late.contains(", stale=true"), "{late}");
    let mut by_count = registrar(|config| config.stale_every = 2);
    let first = ask(&mut by_count, at(0), &register(1, CONTACT));
    let proof = credentials(&first, "MD5", "secret");
    let answers: Vec<_> = (2..6)
        .map(|cseq| {
            status(&ask(
                &mut by_count,
                at(0),
                &register(cseq, &format!("{CONTACT}{proof}")),
            ))
        })
        .collect();
    assert_eq!(answers, [200, 401, 200, 401]);
    assert_eq!(count(&by_count, Counter::SipStale), 2);
}

#[test]
fn keeps_bindings_as_they_are_asked_for() {
    let mut open = registrar(|config| {
        config.schemes = Vec::new();
        config.bindings_max = 1;
    });
    let mut say = |cseq, fields: &str| ask(&mut open, at(0), &register(cseq, fields));
    assert_eq!(status(&say(1, CONTACT)), 200);
    let short = say(2, &format!("{CONTACT}Expires: 30\r\n"));
    assert_eq!(status(&short), 423);
    assert!(short.contains("\r\nMin-Expires: 60\r\n"), "{short}");
    let two = say(
        3,
        "Contact: <sip:u1@10.1.0.2>;expires=99999, sip:u1@10.1.0.3\r\n",
    );
    assert_eq!(two.matches(";expires=3600\r\n").count(), 3, "{two}");
    // An older request of the same call.
    assert_eq!(status(&say(2, CONTACT)), 500);
    let gone = say(4, "Contact: <sip:u1@10.1.0.2>;expires=0\r\n");
    assert!(!gone.contains("10.1.0.2"), "{gone}");
    assert_eq!(status(&say(5, "Contact: *\r\nExpires: 10\r\n")), 400);
    assert_eq!(status(&say(6, "Contact: *\r\nExpires: 0\r\n")), 200);
    assert!(!say(7, "").contains("Contact"));
    assert!(open.is_empty());
}

#[test]
fn is_bounded_and_takes_garbage() {
    let mut open = registrar(|config| {
        config.schemes = Vec::new();
        config.accounts = Accounts(Arc::new(|user, _| {
            let user = user.to_owned();
            Some(Credentials {
                password: user.clone(),
                user,
            })
        }));
        config.bindings_max = 2;
    });
    let user = |number: u32| {
        register(1, CONTACT).replace("u%201@EXAMPLE.org", &format!("u{number}@example.org"))
    };
    let answers: Vec<_> = (0..3)
        .map(|number| status(&ask(&mut open, at(0), &user(number))))
        .collect();
    assert_eq!(answers, [200, 200, 503]);
    // Whose time is over makes room.
    assert_eq!(status(&ask(&mut open, at(3_601), &user(4))), 200);
    assert_eq!(open.len(), 1);
    let many: String = (0..20)
        .map(|n| format!("Contact: <sip:a@10.1.0.{n}>\r\n"))
        .collect();
    assert_eq!(status(&ask(&mut open, at(3_601), &register(1, &many))), 503);
    for garbage in [
        "",
        "x",
        "REGISTER",
        "REGISTER sip:a SIP/2.0",
        "SIP/2.0 200 OK\r\n\r\n",
    ] {
        let _ = ask(&mut open, at(0), garbage);
    }
    let headless = "REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\r\n";
    assert!(ask_raw(&mut open, headless).starts_with("SIP/2.0 400 "));
    let other = register(1, "").replace("REGISTER", "INVITE");
    assert_eq!(status(&ask(&mut open, at(0), &other)), 405);
    assert_eq!(
        ask_raw(&mut open, &register(1, "").replace("REGISTER", "ACK")),
        ""
    );
}

// RFC 3261 §10.3: all of a request or nothing, `*` alone, no extension that is not known.
#[test]
fn binds_all_contacts_of_a_request_or_none() {
    let mut registrar = registrar(|config| config.schemes.clear());
    let kept = "Contact: <sip:a@10.1.0.1>\r\n";
    assert_eq!(status(&ask(&mut registrar, at(0), &register(1, kept))), 200);
    let more = |count: usize| {
        let contact = |place| format!("Contact: <sip:a@10.1.0.1:{place}>\r\n");
        (0..count).map(contact).collect::<String>()
    };
    for (fields, expected) in [
        (
            format!("Contact: <sip:a@10.1.0.1>;expires=0\r\n{}", more(9)),
            503,
        ),
        (format!("Contact: *\r\n{}Expires: 0\r\n", more(1)), 400),
        (format!("Require: gruu\r\n{}", more(1)), 420),
    ] {
        let answer = ask(&mut registrar, at(1), &register(2, &fields));
        assert_eq!(status(&answer), expected, "{answer}");
        let held = registrar.bindings("u 1", "example.org", at(1));
        let held: Vec<_> = held.map(|binding| binding.contact.clone()).collect();
        assert_eq!(held, ["sip:a@10.1.0.1"], "{expected}");
    }
}

fn ask_raw(registrar: &mut Registrar, message: &str) -> String {
    let origin = Origin {
        peer: PEER.parse().unwrap(),
        stream: false,
    };
    let mut out = Vec::new();
    registrar.message(at(0), origin, message.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_connection_answers_messages_and_pings_in_any_pieces() {
    let mut open = registrar(|config| config.schemes = Vec::new());
    let peer = PEER.parse().unwrap();
    let options = register(1, "").replace("REGISTER", "OPTIONS");
    let bytes = format!("\r\n\r\n{}{options}", register(1, CONTACT));
    let mut whole = None;
    for piece in [1, 7, bytes.len()] {
        let mut connection = SipConnection::default();
        let mut out = Vec::new();
        for part in bytes.as_bytes().chunks(piece) {
            let after = connection.receive(at(0), peer, &mut lines(&mut open), part, &mut out);
            assert_eq!(after, After::Open);
        }
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("\r\nSIP/2.0 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\nAllow: REGISTER, OPTIONS\r\n"), "{text}");
        assert_eq!(*whole.get_or_insert(text.clone()), text);
        assert!(
            open.bindings("u 1", "example.org", at(1))
                .all(|held| held.stream)
        );
    }
    let mut connection = SipConnection::default();
    let endless = [b'a'; 40_000];
    let after = connection.receive(
        at(0),
        peer,
        &mut lines(&mut open),
        &endless,
        &mut Vec::new(),
    );
    assert_eq!(after, After::Close);
}
