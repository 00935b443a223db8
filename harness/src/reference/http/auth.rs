//! Who may read what: Basic (RFC 7617) and Digest (RFC 7616, and its form without qop, RFC 2069).
//!
//! A nonce is the moment of its making and a keyed hash over that, so the server remembers
//! nothing. The nonce count (nc) is therefore not checked for repeats.

use bootstorm_emulator::time::Moment;
use md5::{Digest, Md5};
use rustc_hash::FxHashMap;
use sha2::Sha256;
use std::fmt::Write;
use std::time::Duration;

/// What a part of the tree asks for before it is shown.
#[derive(Debug, Clone)]
pub struct Realm {
    /// The path prefix that it covers, e.g. `/` or `/device/`. The longest that fits counts.
    pub path: String,
    /// The realm's name; must not hold quotes or control characters.
    pub name: String,
    /// The schemes offered, in this order, each as a challenge of its own.
    pub schemes: Vec<Scheme>,
    /// How long a nonce is taken; a correct answer to an older one is told `stale=true`.
    pub nonce_lifetime: Duration,
    /// Passwords by user name.
    pub users: FxHashMap<String, String>,
}

/// A way of proving who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// User and password in clear.
    Basic,
    /// Digest with MD5 and qop `auth`; answers without qop are taken too.
    DigestMd5,
    /// Digest with SHA-256 and qop `auth`.
    DigestSha256,
}

/// What an `Authorization` header is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::reference) enum Verdict {
    Granted,
    /// Right, for a nonce that is too old.
    Stale,
    Denied,
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::reference) struct Asked<'a> {
    pub(in crate::reference) now: Moment,
    pub(in crate::reference) method: &'a str,
    pub(in crate::reference) target: &'a str,
    pub(in crate::reference) authorization: Option<&'a [u8]>,
}

/// A realm with its passwords from anywhere.
pub(in crate::reference) struct Guard<'a> {
    pub(in crate::reference) name: &'a str,
    pub(in crate::reference) schemes: &'a [Scheme],
    pub(in crate::reference) nonce_lifetime: Duration,
    pub(in crate::reference) password: &'a dyn Fn(&str) -> Option<String>,
}

impl Realm {
    /// The values of the `WWW-Authenticate` headers.
    pub(in crate::reference) fn challenges(
        &self,
        now: Moment,
        secret: u64,
        stale: bool,
    ) -> Vec<String> {
        self.guarded(|guard| guard.challenges(now, secret, stale))
    }

    pub(in crate::reference) fn check(&self, asked: Asked, secret: u64) -> Verdict {
        self.guarded(|guard| guard.check(asked, secret))
    }

    fn guarded<T>(&self, work: impl FnOnce(Guard) -> T) -> T {
        work(Guard {
            name: &self.name,
            schemes: &self.schemes,
            nonce_lifetime: self.nonce_lifetime,
            password: &|user| self.users.get(user).cloned(),
        })
    }
}

/// The user name that an `Authorization` header claims, right or wrong.
pub(super) fn claimed_user(header: &[u8]) -> Option<String> {
    let header = str::from_utf8(header).ok()?.trim();
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("basic") {
        let plain = String::from_utf8(base64(rest.trim())?).ok()?;
        return plain.split_once(':').map(|(user, _)| user.to_owned());
    }
    let mut fields = parameters(rest).into_iter();
    fields
        .find(|(name, _)| name.eq_ignore_ascii_case("username"))
        .map(|(_, value)| value)
}

impl Guard<'_> {
    /// The values of the `WWW-Authenticate` headers.
    pub(in crate::reference) fn challenges(
        &self,
        now: Moment,
        secret: u64,
        stale: bool,
    ) -> Vec<String> {
        let stale = if stale { ", stale=true" } else { "" };
        let name = self.name;
        let digest = |algorithm: &str| {
            let nonce = nonce(now, secret, name);
            format!(
                "Digest realm=\"{name}\", nonce=\"{nonce}\", algorithm={algorithm}, \
                 qop=\"auth\"{stale}"
            )
        };
        self.schemes
            .iter()
            .map(|scheme| match scheme {
                Scheme::Basic => format!("Basic realm=\"{name}\""),
                Scheme::DigestMd5 => digest("MD5"),
                Scheme::DigestSha256 => digest("SHA-256"),
            })
            .collect()
    }

    pub(in crate::reference) fn check(&self, asked: Asked, secret: u64) -> Verdict {
        let header = asked.authorization.and_then(|it| str::from_utf8(it).ok());
        let Some((scheme, rest)) = header.and_then(|it| it.trim().split_once(' ')) else {
            return Verdict::Denied;
        };
        if scheme.eq_ignore_ascii_case("basic") {
            return self.check_basic(rest);
        }
        if scheme.eq_ignore_ascii_case("digest") {
            return self
                .check_digest(asked, rest, secret)
                .unwrap_or(Verdict::Denied);
        }
        Verdict::Denied
    }

    fn check_basic(&self, encoded: &str) -> Verdict {
        let plain = base64(encoded.trim()).and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = plain.as_deref().and_then(|it| it.split_once(':'));
        let known = pair.is_some_and(|(user, password)| {
            (self.password)(user).is_some_and(|known| known == password)
        });
        if known && self.schemes.contains(&Scheme::Basic) {
            return Verdict::Granted;
        }
        Verdict::Denied
    }

    fn check_digest(&self, asked: Asked, fields: &str, secret: u64) -> Option<Verdict> {
        let fields = parameters(fields);
        let field = |name: &str| {
            let found = fields
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let (user, nonce_sent) = (field("username")?, field("nonce")?);
        let password = (self.password)(user)?;
        let (uri, answer) = (field("uri")?, field("response")?);
        let issued = issued(nonce_sent)?;
        let genuine = nonce(issued, secret, self.name) == nonce_sent;
        let in_order = issued <= asked.now && field("realm")? == self.name;
        if !genuine || !in_order || !same_resource(uri, asked.target) {
            return None;
        }
        let hash = match field("algorithm").unwrap_or("MD5") {
            name if name.eq_ignore_ascii_case("MD5") => Scheme::DigestMd5,
            name if name.eq_ignore_ascii_case("SHA-256") => Scheme::DigestSha256,
            _ => return None,
        };
        if !self.schemes.contains(&hash) {
            return None;
        }
        let who = hex(hash, &[user, self.name, &password]);
        let what = hex(hash, &[asked.method, uri]);
        let expected = match field("qop") {
            Some("auth") => {
                let (count, client) = (field("nc")?, field("cnonce")?);
                hex(hash, &[&who, nonce_sent, count, client, "auth", &what])
            }
            None if hash == Scheme::DigestMd5 => hex(hash, &[&who, nonce_sent, &what]),
            _ => return None,
        };
        if !expected.eq_ignore_ascii_case(answer) {
            return None;
        }
        if asked.now.since(issued) > self.nonce_lifetime {
            return Some(Verdict::Stale);
        }
        Some(Verdict::Granted)
    }
}

/// The `uri` of an answer is the request target; clients behind a proxy write it in full.
fn same_resource(uri: &str, target: &str) -> bool {
    uri == target || super::origin_form(uri) == Some(target)
}

fn nonce(now: Moment, secret: u64, realm: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(secret.to_be_bytes());
    hasher.update(now.nanos().to_be_bytes());
    hasher.update(realm);
    let mut text = format!("{:016x}", now.nanos());
    write_hex(&mut text, hasher.finalize().get(..12).unwrap_or_default());
    text
}

fn issued(nonce: &str) -> Option<Moment> {
    let nanos = u64::from_str_radix(nonce.get(..16)?, 16).ok()?;
    Some(Moment::from_nanos(nanos))
}

/// The hash of the parts joined by colons, in hex.
pub(in crate::reference) fn hex(scheme: Scheme, parts: &[&str]) -> String {
    let joined = parts.join(":");
    let mut text = String::with_capacity(64);
    match scheme {
        Scheme::DigestSha256 => write_hex(&mut text, &Sha256::digest(joined)),
        _ => write_hex(&mut text, &Md5::digest(joined)),
    }
    text
}

/// Appends the bytes in lower-case hex.
pub(super) fn write_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
}

/// The `name=value` and `name="value"` pairs of a header, up to the first that is neither.
pub(in crate::reference) fn parameters(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while let Some((name, tail)) = rest.split_once('=') {
        let (value, tail) = match tail.trim_start().strip_prefix('"') {
            Some(quoted) => match unquoted(quoted) {
                Some(both) => both,
                None => break,
            },
            None => {
                let end = tail.find(',').unwrap_or(tail.len());
                let (value, tail) = tail.split_at(end);
                (value.trim().to_owned(), tail)
            }
        };
        found.push((name.trim(), value));
        rest = tail.trim_start_matches([' ', '\t', ',']);
    }
    found
}

/// The text up to the closing quote, escapes undone, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// Decodes base64 (RFC 4648 §4); padding may be missing.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
        bits &= 0xfff;
    }
    Some(bytes)
}
