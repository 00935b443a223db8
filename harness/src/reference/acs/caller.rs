//! One connection request (TR-069 §3.2.2): an HTTP GET that a phone challenges with Digest. As a
//! value: bytes out, bytes in; whoever drives it makes the connections, one for each GET.

use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::limits::{HEADER_BYTES_MAX, HEADERS_MAX};
use bootstorm_emulator::wire::port;
use bootstorm_scenarios::plan::Login;
use rustc_hash::FxHasher;

use crate::reference::http::Scheme;
use crate::reference::http::auth::{hex, parameters};

/// A connection request under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    to: SocketAddrV4,
    host: String,
    path: String,
    login: Login,
    /// The challenge was answered once.
    answered: bool,
}

/// What is to be done after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Connect again and send this.
    Again(Vec<u8>),
    /// It is over, with this status; `None` for an answer that cannot be read.
    Over(Option<u16>),
}

impl Caller {
    /// A connection request to a URL, which must be `http` at the address `at`.
    #[must_use]
    pub fn new(url: &str, at: Ipv4Addr, login: Login) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let to = host.parse().ok();
        let to: SocketAddrV4 =
            to.or_else(|| Some(SocketAddrV4::new(host.parse().ok()?, port::HTTP)))?;
        let plain = path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"');
        (*to.ip() == at && plain).then(|| Self {
            to,
            host: host.to_owned(),
            path: path.to_owned(),
            login,
            answered: false,
        })
    }

    /// Where to connect.
    #[must_use]
    pub fn to(&self) -> SocketAddrV4 {
        self.to
    }

    /// The first request.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        self.get("")
    }

    /// Takes a whole response; `None` while its head is not complete.
    pub fn response(&mut self, bytes: &[u8]) -> Option<Said> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut fields);
        match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) if bytes.len() <= HEADER_BYTES_MAX => return None,
            Ok(httparse::Status::Partial) | Err(_) => return Some(Said::Over(None)),
        }
        let status = parsed.code;
        if status != Some(401) || self.answered {
            return Some(Said::Over(status));
        }
        let mut challenges = parsed.headers.iter().filter_map(|field| {
            let named = field.name.eq_ignore_ascii_case("www-authenticate");
            let text = str::from_utf8(field.value).ok().filter(|_| named)?;
            let (scheme, rest) = text.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("digest").then_some(rest)
        });
        let answer = challenges.find_map(|challenge| self.answer(challenge));
        Some(match answer {
            Some(answer) => {
                self.answered = true;
                Said::Again(self.get(&format!("Authorization: {answer}\r\n")))
            }
            None => Said::Over(status),
        })
    }

    fn get(&self, more: &str) -> Vec<u8> {
        let Self { host, path, .. } = self;
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n")
            .into_bytes()
    }

    /// The credentials for a Digest challenge (RFC 7616 §3.4), with MD5.
    fn answer(&self, challenge: &str) -> Option<String> {
        let fields = parameters(challenge);
        let field = |name: &str| {
            let mut known = fields.iter();
            let found = known.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let algorithm = field("algorithm").unwrap_or("MD5");
        if !algorithm.eq_ignore_ascii_case("MD5") {
            return None;
        }
        let (realm, nonce) = (field("realm")?, field("nonce")?);
        let Login { user, password } = &self.login;
        let md5 = |parts: &[&str]| hex(Scheme::DigestMd5, parts);
        let who = md5(&[user, realm, password]);
        let what = md5(&["GET", &self.path]);
        let mut hasher = FxHasher::default();
        (nonce, &self.path).hash(&mut hasher);
        let own = format!("{:016x}", hasher.finish());
        let offered = field("qop").map(|qop| qop.split(',').any(|one| one.trim() == "auth"));
        let (proof, qop) = match offered {
            None => (md5(&[&who, nonce, &what]), String::new()),
            Some(true) => (
                md5(&[&who, nonce, "00000001", &own, "auth", &what]),
                format!(", qop=auth, nc=00000001, cnonce=\"{own}\""),
            ),
            Some(false) => return None,
        };
        let opaque = field("opaque").map(|it| format!(", opaque=\"{it}\""));
        Some(format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{}\", \
             response=\"{proof}\", algorithm=MD5{qop}{}",
            self.path,
            opaque.unwrap_or_default()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        let login = Login {
            user: "Mufasa".to_owned(),
            password: "CircleOfLife".to_owned(),
        };
        Caller::new(
            "http://127.32.0.9:7547/dir/index.html",
            Ipv4Addr::new(127, 32, 0, 9),
            login,
        )
        .expect("a URL")
    }

    // RFC 2069 §2.4: the sample, with the response that its errata give.
    #[test]
    fn answers_a_challenge_once() {
        let mut caller = caller();
        assert_eq!(caller.to().to_string(), "127.32.0.9:7547");
        let first = String::from_utf8(caller.request()).unwrap();
        assert!(first.starts_with("GET /dir/index.html HTTP/1.1\r\nHost: 127.32.0.9:7547\r\n"));
        assert_eq!(caller.response(b"HTTP/1.1 401 Unauth"), None);
        let refusal = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest \
            realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"\r\n\r\n";
        let Some(Said::Again(second)) = caller.response(refusal) else {
            panic!("no second request");
        };
        let second = String::from_utf8(second).unwrap();
        assert!(
            second.contains("response=\"1949323746fe6a43ef61f9606e7febea\""),
            "{second}"
        );
        assert_eq!(caller.response(refusal), Some(Said::Over(Some(401))));
        let taken = caller.response(b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(taken, Some(Said::Over(Some(204))));
        assert_eq!(caller.response(b"\0\0\0\0"), Some(Said::Over(None)));
    }

    #[test]
    fn goes_nowhere_but_to_the_phone() {
        let at = Ipv4Addr::new(127, 32, 0, 9);
        let login = || Login {
            user: String::new(),
            password: String::new(),
        };
        for url in [
            "",
            "ftp://127.32.0.9/",
            "http://127.32.0.8/",
            "http://127.32.0.9/a b",
        ] {
            assert_eq!(Caller::new(url, at, login()), None, "{url}");
        }
        let bare = Caller::new("http://127.32.0.9", at, login()).expect("a URL");
        assert_eq!((bare.to().port(), bare.path.as_str()), (80, "/"));
    }
}
