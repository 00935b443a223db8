//! Answers to HTTP challenges: Basic (RFC 7617) and Digest (RFC 7616; without `qop` as RFC 2069
//! had it). SIP uses the same Digest (RFC 3261 §22.4, RFC 8760).

pub(crate) mod verify;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::AuthMethod;
use crate::rng::Rng;

/// User name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A challenge that a phone can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Basic.
    Basic,
    /// Digest.
    Digest(DigestChallenge),
}

/// A Digest challenge; texts without their quotes and escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestChallenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// `None`: not said, which means MD5 and is not said back.
    algorithm: Option<Algorithm>,
    /// `qop` was offered and holds `auth`.
    qop: bool,
    /// The nonce sent was too old, the credentials may be right.
    pub(crate) stale: bool,
}

/// A challenge that a server made, kept for its further requests.
#[derive(Debug)]
pub struct Grant {
    challenge: Challenge,
    /// Requests sent with the nonce so far.
    count: u32,
    /// One for the nonce's whole life, as the `-sess` algorithms want it (RFC 7616 §3.4.2).
    cnonce: String,
}

/// In rising strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Md5Sess,
    Sha256,
    Sha256Sess,
}

/// A challenge as it is written: its scheme and parameters.
#[derive(Debug, PartialEq, Eq)]
struct Raw<'a> {
    scheme: &'a str,
    parameters: Vec<(&'a str, String)>,
}

/// What a request's Digest answer is computed from.
#[derive(Debug, Clone, Copy)]
struct Answer<'a> {
    method: &'a str,
    uri: &'a str,
    nc: u32,
}

impl std::fmt::Debug for Login {
    /// Says nothing of either.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Login").finish_non_exhaustive()
    }
}

impl Login {
    /// `None` when both are empty: then there is nothing to send.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Option<Self> {
        (!user.is_empty() || !password.is_empty()).then(|| Self {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    /// The value of `Authorization` for Basic.
    #[must_use]
    pub fn basic(&self) -> String {
        let plain = [&self.user, ":", &self.password].concat();
        ["Basic ", &base64(plain.as_bytes())].concat()
    }
}

impl Challenge {
    /// The strongest challenge in `WWW-Authenticate` fields that `method` allows and a phone can
    /// answer.
    #[must_use]
    pub fn choose(fields: &[String], method: AuthMethod) -> Option<Self> {
        let digest = || {
            let raw = fields.iter().flat_map(|field| challenges(field));
            raw.filter_map(|raw| DigestChallenge::from_raw(&raw))
                .reduce(|best, next| {
                    if next.strength() > best.strength() {
                        next
                    } else {
                        best
                    }
                })
                .map(Self::Digest)
        };
        let basic = || {
            let mut raw = fields.iter().flat_map(|field| challenges(field));
            let found = raw.any(|raw| raw.scheme.eq_ignore_ascii_case("Basic"));
            found.then_some(Self::Basic)
        };
        match method {
            AuthMethod::None => None,
            AuthMethod::Basic => basic(),
            AuthMethod::Digest => digest(),
            AuthMethod::Any => digest().or_else(basic),
        }
    }

    /// Whether a phone with this method may answer it.
    pub(crate) fn allowed(&self, method: AuthMethod) -> bool {
        match self {
            Self::Basic => matches!(method, AuthMethod::Basic | AuthMethod::Any),
            Self::Digest(_) => matches!(method, AuthMethod::Digest | AuthMethod::Any),
        }
    }

    /// Whether it says that only the nonce was too old.
    #[must_use]
    pub fn stale(&self) -> bool {
        matches!(self, Self::Digest(digest) if digest.stale)
    }
}

impl Grant {
    /// A grant that was not used yet.
    #[must_use]
    pub fn new(challenge: Challenge, rng: &mut Rng) -> Self {
        Self {
            challenge,
            count: 0,
            cnonce: format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64()),
        }
    }

    /// Whether a phone with this method may use it.
    pub(crate) fn allowed(&self, method: AuthMethod) -> bool {
        self.challenge.allowed(method)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = match &self.challenge {
            Challenge::Basic => 0,
            Challenge::Digest(digest) => {
                let opaque = digest.opaque.as_ref().map_or(0, String::capacity);
                digest.realm.capacity() + digest.nonce.capacity() + opaque
            }
        };
        texts + self.cnonce.capacity()
    }

    /// The value of `Authorization` for the next request with `method` of `uri` (the request target
    /// as it is sent).
    pub fn authorization(&mut self, login: &Login, method: &str, uri: &str) -> String {
        match &self.challenge {
            Challenge::Basic => login.basic(),
            Challenge::Digest(digest) => {
                self.count = self.count.saturating_add(1);
                let answer = Answer {
                    method,
                    uri,
                    nc: self.count,
                };
                digest.authorization(login, &self.cnonce, answer)
            }
        }
    }
}

impl DigestChallenge {
    /// `None` for another scheme, without realm or nonce, with an unknown algorithm, or with a
    /// `qop` that has no `auth`.
    fn from_raw(raw: &Raw<'_>) -> Option<Self> {
        if !raw.scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let value = |name: &str| {
            raw.parameters
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        let algorithm = match value("algorithm") {
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        let qop = value("qop").map(|list| {
            list.split([',', ' '])
                .any(|one| one.trim().eq_ignore_ascii_case("auth"))
        });
        (qop != Some(false)).then_some(Self {
            realm: value("realm")?.to_owned(),
            nonce: value("nonce")?.to_owned(),
            opaque: value("opaque").map(str::to_owned),
            algorithm,
            qop: qop.is_some(),
            stale: value("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The algorithm to compute with: MD5 where none is said (RFC 7616 §3.3).
    fn strength(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Md5)
    }

    /// The value of `Authorization`, its parameters in the order of libcurl, which these phones
    /// are built on (vendor-facts §1).
    fn authorization(&self, login: &Login, cnonce: &str, answer: Answer<'_>) -> String {
        let mut out = String::from("Digest ");
        let quoted = |out: &mut String, name: &str, value: &str| {
            out.push_str(name);
            out.push_str("=\"");
            for c in value.chars() {
                if matches!(c, '"' | '\\') {
                    out.push('\\');
                }
                out.push(c);
            }
            out.push_str("\", ");
        };
        quoted(&mut out, "username", &login.user);
        quoted(&mut out, "realm", &self.realm);
        quoted(&mut out, "nonce", &self.nonce);
        quoted(&mut out, "uri", answer.uri);
        let session = self.algorithm.is_some_and(Algorithm::is_session);
        if self.qop || session {
            quoted(&mut out, "cnonce", cnonce);
        }
        if self.qop {
            out.push_str(&format!("nc={:08x}, qop=auth, ", answer.nc));
        }
        out.push_str("response=\"");
        out.push_str(&self.response(login, cnonce, answer));
        out.push('"');
        if let Some(opaque) = &self.opaque {
            out.push_str(", ");
            quoted(&mut out, "opaque", opaque);
            out.truncate(out.len().saturating_sub(2));
        }
        if let Some(algorithm) = self.algorithm {
            out.push_str(", algorithm=");
            out.push_str(algorithm.name());
        }
        out
    }

    /// The `response` parameter (RFC 7616 §3.4.1).
    fn response(&self, login: &Login, cnonce: &str, answer: Answer<'_>) -> String {
        let algorithm = self.strength();
        let mut secret = algorithm.hash(&[&login.user, &self.realm, &login.password]);
        if algorithm.is_session() {
            secret = algorithm.hash(&[&secret, &self.nonce, cnonce]);
        }
        let request = algorithm.hash(&[answer.method, answer.uri]);
        if self.qop {
            let nc = format!("{:08x}", answer.nc);
            algorithm.hash(&[&secret, &self.nonce, &nc, cnonce, "auth", &request])
        } else {
            algorithm.hash(&[&secret, &self.nonce, &request])
        }
    }
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess];

    fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
        }
    }

    fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess)
    }

    /// The hash of the parts with `:` between them, in lower-case hex.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(text)),
            Self::Sha256 | Self::Sha256Sess => hex(&Sha256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
    }
    text
}

/// Base64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(group.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            let letter = ALPHABET.get((bits >> (18 - 6 * at)) as usize & 63);
            let letter = letter.filter(|_| at <= group.len());
            text.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    text
}

/// Splits a `WWW-Authenticate` value into challenges (RFC 9110 §11.6.1). Commas separate both
/// challenges and parameters: a word that no `=` follows begins a challenge. What fits nowhere is
/// skipped up to the next comma.
fn challenges(field: &str) -> Vec<Raw<'_>> {
    let mut found: Vec<Raw<'_>> = Vec::new();
    let mut rest = field.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (word, after) = split_where(rest, |c| !is_token_char(c));
        let equals = after.trim_start().strip_prefix('=');
        rest = match (equals, found.last_mut()) {
            _ if word.is_empty() => split_where(rest, |c| c == ',').1,
            (Some(text), Some(challenge)) => {
                let (value, after) = parameter_value(text.trim_start());
                challenge.parameters.push((word, value));
                after
            }
            (Some(text), None) => split_where(text, |c| c == ',').1,
            (None, _) => {
                found.push(Raw {
                    scheme: word,
                    parameters: Vec::new(),
                });
                after
            }
        }
        .trim_start_matches([' ', '\t', ',']);
    }
    found
}

/// A quoted string without quotes and escapes, or everything up to a comma or blank; and the rest.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(inner) = text.strip_prefix('"') else {
        let (value, rest) = split_where(text, |c| matches!(c, ',' | ' ' | '\t'));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    (value, chars.as_str())
}

fn split_where(text: &str, at: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(at).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// RFC 9110 §5.6.2.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests;
