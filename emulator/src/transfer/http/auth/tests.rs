use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::*;

fn login(user: &str, password: &str) -> Login {
    Login::new(user, password).expect("a login")
}

fn choose(fields: &[&str], method: AuthMethod) -> Option<Challenge> {
    let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
    Challenge::choose(&fields, method)
}

fn digest(field: &str) -> DigestChallenge {
    match choose(&[field], AuthMethod::Digest) {
        Some(Challenge::Digest(digest)) => digest,
        other => panic!("{field}: {other:?}"),
    }
}

const GET: Answer<'_> = Answer {
    method: "GET",
    uri: "/dir/index.html",
    nc: 1,
};

/// The challenges of RFC 7616 §3.9.1, as it prints them.
const RFC_7616: [&str; 2] = [
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
     nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
     opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, \
     nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
     opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
];

#[test]
fn computes_the_answers_of_rfc_7616() {
    let mufasa = login("Mufasa", "Circle of Life");
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    for (field, response) in RFC_7616.into_iter().zip([
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        "8ca523f5e9506fed4657c9700eebdbec",
    ]) {
        assert_eq!(digest(field).response(&mufasa, cnonce, GET), response);
    }
}

#[test]
fn computes_the_answers_of_the_older_documents() {
    let realm = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
    let cnonce = "0a4f113b";
    // RFC 2617 §3.5
    let with_qop = digest(&format!("{realm}, qop=\"auth,auth-int\""));
    assert_eq!(
        with_qop.response(&login("Mufasa", "Circle Of Life"), cnonce, GET),
        "6629fae49393a05397450978507c4ef1"
    );
    // RFC 2069 §2.4 with its erratum 749
    let without = digest(realm);
    assert_eq!(
        without.response(&login("Mufasa", "CircleOfLife"), cnonce, GET),
        "1949323746fe6a43ef61f9606e7febea"
    );
}

#[test]
fn writes_every_parameter_that_was_asked_for_and_no_other() {
    let mufasa = login("Mu\"f\\asa", "Circle of Life");
    let plain = digest("Digest realm=\"r\", nonce=\"n\"");
    let written = plain.authorization(&mufasa, "c", GET);
    assert_eq!(
        written,
        format!(
            "Digest username=\"Mu\\\"f\\\\asa\", realm=\"r\", nonce=\"n\", \
             uri=\"/dir/index.html\", response=\"{}\"",
            plain.response(&mufasa, "c", GET)
        )
    );
    let full =
        digest("Digest realm=\"r\", nonce=n, opaque=\"o\\\"p\", algorithm=md5-SESS, qop=auth");
    let written = full.authorization(&mufasa, "c", Answer { nc: 255, ..GET });
    assert!(
        written.ends_with(&format!(
            ", uri=\"/dir/index.html\", cnonce=\"c\", nc=000000ff, qop=auth, response=\"{}\", \
             opaque=\"o\\\"p\", algorithm=MD5-sess",
            full.response(&mufasa, "c", Answer { nc: 255, ..GET })
        )),
        "{written}"
    );
}

#[test]
fn hashes_the_session_with_the_client_nonce() {
    let bob = login("bob", "hush");
    for (name, algorithm) in [
        ("MD5-sess", Algorithm::Md5),
        ("SHA-256-sess", Algorithm::Sha256),
    ] {
        let field = format!("Digest realm=r, nonce=n, qop=auth, algorithm={name}");
        let first = algorithm.hash(&["bob:r:hush"]);
        let secret = algorithm.hash(&[&format!("{first}:n:c")]);
        let request = algorithm.hash(&["GET:/dir/index.html"]);
        let expected = algorithm.hash(&[&format!("{secret}:n:00000001:c:auth:{request}")]);
        assert_eq!(digest(&field).response(&bob, "c", GET), expected, "{name}");
    }
}

#[test]
fn counts_the_uses_of_a_nonce() {
    let challenge = choose(&RFC_7616, AuthMethod::Digest).unwrap();
    let mut grant = Grant::new(challenge, &mut Rng::new(1));
    let bob = login("bob", "hush");
    let first = grant.authorization(&bob, "GET", "/a");
    let second = grant.authorization(&bob, "GET", "/a");
    assert!(first.contains("nc=00000001"), "{first}");
    assert!(second.contains("nc=00000002"), "{second}");
    let cnonce = |text: &str| {
        text.split("cnonce=")
            .nth(1)
            .map(|rest| rest[..34].to_owned())
    };
    assert_eq!(cnonce(&first), cnonce(&second));
}

#[test]
fn writes_basic_credentials() {
    // RFC 7617 §2 and §2.1
    assert_eq!(
        login("Aladdin", "open sesame").basic(),
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
    assert_eq!(login("test", "123£").basic(), "Basic dGVzdDoxMjPCow==");
    for (plain, coded) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64(plain.as_bytes()), coded);
    }
    assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    assert!(Login::new("", "").is_none());
    assert!(!format!("{:?}", login("bob", "hush")).contains("hush"));
}

#[test]
fn takes_the_strongest_challenge_that_the_method_allows() {
    let several = [
        "Basic realm=\"a, b\", Digest realm=\"x\", nonce=\"1\"",
        "Digest realm=\"x\", nonce=\"2\", algorithm=SHA-256, NTLM TlRMTVNT/UAAC==, Negotiate",
        "Digest realm=\"x\", nonce=\"3\", algorithm=SHA-512-256",
    ];
    match choose(&several, AuthMethod::Digest) {
        Some(Challenge::Digest(digest)) => assert_eq!(digest.nonce, "2"),
        other => panic!("{other:?}"),
    }
    assert_eq!(choose(&several, AuthMethod::Basic), Some(Challenge::Basic));
    // AUE-24: any challenge is answered, the stronger one first.
    assert_eq!(
        choose(&several, AuthMethod::Any),
        choose(&several, AuthMethod::Digest)
    );
    assert_eq!(
        choose(&["Basic realm=x"], AuthMethod::Any),
        Some(Challenge::Basic)
    );
    assert_eq!(choose(&several, AuthMethod::None), None);
    assert_eq!(choose(&["Basic realm=x"], AuthMethod::Digest), None);
    assert_eq!(
        choose(&["Digest realm=x, nonce=y"], AuthMethod::Basic),
        None
    );
    assert_eq!(choose(&[], AuthMethod::Digest), None);
}

#[test]
fn leaves_challenges_alone_that_it_cannot_answer() {
    for field in [
        "Digest",
        "Digest realm=\"x\"",
        "Digest nonce=\"x\"",
        "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"",
        "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512-256",
        "Bearer realm=\"Digest realm=x, nonce=y\"",
        "realm=\"x\", nonce=\"y\"",
    ] {
        assert_eq!(choose(&[field], AuthMethod::Digest), None, "{field}");
    }
}

#[test]
fn splits_challenges_at_the_commas_outside_quotes() {
    let found = challenges(
        ", Newauth realm=\"a, \\\"b\\\" = c\" , type = 1, title=\"\" Basic realm=simple,\tX,;=y,z=1",
    );
    let flat: Vec<(&str, Vec<(&str, &str)>)> = found
        .iter()
        .map(|raw| {
            let parameters = raw
                .parameters
                .iter()
                .map(|(name, value)| (*name, value.as_str()));
            (raw.scheme, parameters.collect())
        })
        .collect();
    assert_eq!(
        flat,
        [
            (
                "Newauth",
                vec![("realm", "a, \"b\" = c"), ("type", "1"), ("title", "")]
            ),
            ("Basic", vec![("realm", "simple")]),
            ("X", vec![("z", "1")]),
        ]
    );
    assert_eq!(challenges("Digest realm=\"open").len(), 1);
    assert!(digest("DIGEST Realm=x,NONCE=\"y\",STALE=TRUE").stale);
    assert!(!digest("Digest realm=x, nonce=y, stale=false").stale);
}

proptest! {
    #[test]
    fn any_challenge_is_read_or_skipped(field in "(Digest |Basic )?[a-z=\",\\\\ é]{0,60}") {
        for method in [AuthMethod::Basic, AuthMethod::Digest] {
            if let Some(challenge) = choose(&[&field], method) {
                let mut grant = Grant::new(challenge, &mut Rng::new(1));
                let _ = grant.authorization(&login("u", "p"), "GET", "/");
            }
        }
    }

    #[test]
    fn what_was_quoted_is_read_back(value in "\\PC{0,20}") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        let read = digest(&format!("Digest nonce=\"n\", realm=\"{escaped}\", stale=true"));
        prop_assert_eq!(&read.realm, &value);
        prop_assert!(read.stale);
        let written = read.authorization(&login("u", "p"), "c", GET);
        let wanted = format!("realm=\"{escaped}\"");
        prop_assert!(written.contains(&wanted));
    }
}
