use super::super::{Http, HttpConfig};
use super::*;
use crate::reference::content::{Source, Tree};
use bootstorm_emulator::time::Moment;
use std::net::{Ipv4Addr, SocketAddrV4};

const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 9), 40_000);
const MAC: &str = "7C2F8030D21E";
const URL: &str = "http://10.0.0.2/device/";

/// Knows one phone with a password and, with the first byte 0, any without.
fn service(answer: RedirectAnswer) -> Http {
    let registry = |mac: Mac| {
        let url = URL.to_owned();
        let password = match mac {
            Mac([0x7c, 0x2f, 0x80, 0x30, 0xd2, 0x1e]) => Some("1A2B".to_owned()),
            Mac([0, ..]) => None,
            _ => return None,
        };
        Some(Redirected { url, password })
    };
    let service = RedirectService {
        hosts: vec!["redirect.example".to_owned()],
        answer,
        schemes: vec![Scheme::DigestMd5],
        registry: Arc::new(registry),
    };
    let config = HttpConfig {
        service: Some(service),
        ..HttpConfig::default()
    };
    let mut tree = Tree::default();
    tree.insert("device/x", b"file".as_slice()).unwrap();
    Http::new(config, Source::tree(tree), Arc::default())
}

fn ask(http: &Http, host: &str, target: &str, authorization: Option<&str>) -> Reply {
    let mut headers = vec![("Host", host.as_bytes())];
    headers.extend(authorization.map(|value| ("Authorization", value.as_bytes())));
    let request = Request {
        method: "GET",
        target,
        headers: &headers,
        body: &[],
    };
    http.handle(Moment::from_millis(1_000), PHONE, &request)
}

fn md5(text: String) -> String {
    use md5::Digest as _;
    let mut out = String::new();
    super::super::auth::write_hex(&mut out, &md5::Md5::digest(text));
    out
}

fn prove(refusal: &Reply, user: &str, password: &str) -> String {
    let challenge = refusal.header("www-authenticate").unwrap();
    let nonce = challenge.split("nonce=\"").nth(1).unwrap();
    let nonce = nonce.split('"').next().unwrap();
    let who = md5(format!("{user}:redirect:{password}"));
    let what = md5("GET:/".to_owned());
    let response = md5(format!("{who}:{nonce}:00000001:c:auth:{what}"));
    format!(
        "Digest username=\"{user}\", realm=\"redirect\", nonce=\"{nonce}\", uri=\"/\", \
         qop=auth, nc=00000001, cnonce=\"c\", response=\"{response}\""
    )
}

// GIG-03, GIG-57, AUE-40, AUE-41: a body or a redirect.
#[test]
fn tells_a_phone_that_proves_its_address_where_to_go() {
    let http = service(RedirectAnswer::Body);
    let refusal = ask(&http, "Redirect.Example:443", "/", None);
    assert_eq!(refusal.status, 401);
    for user in [MAC, "7c2f8030d21e", "7C:2F:80:30:D2:1E"] {
        let right = prove(&refusal, user, "1A2B");
        let told = ask(&http, "redirect.example", "/", Some(&right));
        assert_eq!((told.status, &*told.body), (200, URL.as_bytes()), "{user}");
    }
    let http = service(RedirectAnswer::Location);
    let right = prove(&refusal, MAC, "1A2B");
    let told = ask(&http, "redirect.example", "/", Some(&right));
    assert_eq!((told.status, told.header("location")), (302, Some(URL)));
}

#[test]
fn refuses_a_wrong_password_and_knows_no_stranger() {
    let http = service(RedirectAnswer::Body);
    let refusal = ask(&http, "redirect.example", "/", None);
    let wrong = prove(&refusal, MAC, "1A2C");
    assert_eq!(
        ask(&http, "redirect.example", "/", Some(&wrong)).status,
        401
    );
    let stranger = prove(&refusal, "7C2F80000000", "1A2B");
    assert_eq!(
        ask(&http, "redirect.example", "/", Some(&stranger)).status,
        404
    );
    let nobody = prove(&refusal, "admin", "1A2B");
    assert_eq!(
        ask(&http, "redirect.example", "/", Some(&nobody)).status,
        401
    );
    // Another phone's address in the target is no way round the password.
    let target = format!("/?mac={MAC}");
    assert_eq!(ask(&http, "redirect.example", &target, None).status, 401);
}

#[test]
fn takes_the_address_from_the_target_where_phones_show_no_password() {
    let http = service(RedirectAnswer::Body);
    for target in [
        "/?mac=00095200000E&type=D200",
        "/00:09:52:00:00:0e.xml",
        "/a?m=00%3A09%3A52%3A00%3A00%3A0e",
    ] {
        assert_eq!(
            ask(&http, "redirect.example", target, None).status,
            200,
            "{target}"
        );
    }
    assert_eq!(
        ask(&http, "redirect.example", "/?mac=11095200000E", None).status,
        404
    );
}

#[test]
fn leaves_other_hosts_to_the_files() {
    let http = service(RedirectAnswer::Body);
    assert_eq!(&*ask(&http, "10.0.0.2", "/device/x", None).body, b"file");
    assert_eq!(
        ask(&http, "10.0.0.2", "/?mac=00095200000E", None).status,
        404
    );
}
