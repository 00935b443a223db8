//! Secrets out, comparable stand-ins in. A secret becomes `***` and eight hex digits of a hash
//! keyed by the run's seed: equal secrets look equal within a run and in a repetition of it,
//! different ones differ, and nothing else is said. Thirty-two bits of a keyed hash do not give a
//! secret back, but whoever holds the report and its seed can test a guess: `with_key` adds a key
//! that is not in the report.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Keys whose values are secrets, whatever the vendor. `*` stands for any text; letters of either
/// case and `_`, `-`, blank and nothing between words are the same.
const SECRET_KEYS: [&str; 13] = [
    "*password*",
    "*passwd*",
    "*passphrase*",
    "*passcode*",
    "*secret*",
    "*token*",
    "*authname*",
    "*authorization*",
    "*cookie*",
    "*privatekey*",
    "*encryptionkey*",
    "*cfgfilekey*",
    "*pin",
];

/// Replaces secrets; one for a whole run.
#[derive(Debug, Clone)]
pub struct Redactor {
    key: [u8; 32],
    patterns: Vec<String>,
    keep: bool,
}

impl Redactor {
    /// A redactor for the run with this seed, which knows the usual names of secret settings.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut key = Sha256::new_with_prefix(b"bootstorm redaction");
        key.update(seed.to_be_bytes());
        Self {
            key: key.finalize().into(),
            patterns: SECRET_KEYS.map(str::to_owned).to_vec(),
            keep: false,
        }
    }

    /// Adds patterns for keys whose values are secrets; `*` stands for any text.
    #[must_use]
    pub fn with_patterns<'a>(mut self, patterns: impl IntoIterator<Item = &'a str>) -> Self {
        self.patterns.extend(patterns.into_iter().map(plain_key));
        self
    }

    /// Mixes in a key that no report shows.
    #[must_use]
    pub fn with_key(mut self, key: &[u8]) -> Self {
        let mut mixed = Sha256::new_with_prefix(self.key);
        mixed.update(key);
        self.key = mixed.finalize().into();
        self
    }

    /// Keeps every secret: for `--keep-secrets`, whose user was warned.
    #[must_use]
    pub fn keeping_secrets(mut self) -> Self {
        self.keep = true;
        self
    }

    /// Whether the value of this setting key, header field or query parameter is a secret.
    #[must_use]
    pub fn is_secret_key(&self, key: &str) -> bool {
        let key = plain_key(key);
        let mut patterns = self.patterns.iter();
        patterns.any(|pattern| matches(pattern.as_bytes(), key.as_bytes()))
    }

    /// The stand-in of a secret; an empty one stays empty, since that it is empty may be the fault.
    #[must_use]
    pub fn stand_in(&self, secret: &str) -> String {
        if secret.is_empty() {
            return String::new();
        }
        let mut hash = Sha256::new_with_prefix(self.key);
        hash.update(secret.as_bytes());
        let mut text = String::with_capacity(11);
        text.push_str("***");
        for byte in hash.finalize().iter().take(4) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// The value of `key`, safe to write: replaced as a whole if the key names a secret, otherwise
    /// as `text`.
    #[must_use]
    pub fn value<'a>(&self, key: &str, value: &'a str) -> Cow<'a, str> {
        if self.keep {
            return Cow::Borrowed(value);
        }
        if self.is_secret_key(key) {
            return Cow::Owned(self.stand_in(value));
        }
        self.text(value)
    }

    /// Any text, safe to write: the user and password of URLs in it, the values of `key=value`
    /// and `"key": "value"` with a secret key, and what follows `Authorization:` and `Cookie:` are
    /// replaced. Borrows when there is nothing to replace.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.keep {
            return Cow::Borrowed(text);
        }
        let mut out = String::new();
        let mut done = 0;
        let mut at = 0;
        while let Some(found) = text[at..].find(['=', ':']) {
            let place = at + found;
            at = place + 1;
            let secret = if text[place..].starts_with("://") {
                credentials(text, place + 3)
            } else {
                self.assigned(text, place)
            };
            if let Some((start, end)) = secret.filter(|(start, end)| start < end) {
                out.push_str(&text[done..start]);
                out.push_str(&self.stand_in(&text[start..end]));
                done = end;
                at = end;
            }
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[done..]);
        Cow::Owned(out)
    }

    /// Where the secret lies that the `=` or `:` at `place` assigns, if its key names one.
    fn assigned(&self, text: &str, place: usize) -> Option<(usize, usize)> {
        let before = text[..place].trim_end_matches([' ', '\t']);
        let bare = before.trim_end_matches(['"', '\'']);
        let quoted_key = bare.len() < before.len();
        let is_key = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        let key = bare.rsplit(|letter| !is_key(letter)).next()?;
        if key.is_empty() || !self.is_secret_key(key) {
            return None;
        }
        let header = matches!(
            plain_key(key).as_str(),
            "authorization" | "proxyauthorization"
        ) || plain_key(key).ends_with("cookie");
        let rest = &text[place + 1..];
        let start = place + 1 + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let value = &text[start..];
        let end_at = |ends: &[char]| start + value.find(ends).unwrap_or(value.len());
        if let Some(quote) = value.chars().next().filter(|first| "\"'".contains(*first)) {
            let inside = &value[1..];
            let length = inside.find(quote).unwrap_or(inside.len());
            return Some((start + 1, start + 1 + length));
        }
        match text.as_bytes().get(place) {
            Some(b'=') => Some((
                start,
                end_at(&[' ', '\t', '\r', '\n', '&', ';', '"', '\'', '>']),
            )),
            // A colon makes a sentence more often than an assignment.
            _ if header => Some((start, end_at(&['\r', '\n']))),
            _ if quoted_key => Some((start, end_at(&[' ', ',', '}', '\r', '\n']))),
            _ => None,
        }
    }
}

/// Where the user and password of the URL lie whose authority begins at `start`. A password with
/// a `/`, `?` or `#` in it, written without percent-encoding, ends at the word's last `@`: a path
/// with an `@` behind a port is lost rather than a password shown.
fn credentials(text: &str, start: usize) -> Option<(usize, usize)> {
    let rest = &text[start..];
    let ends_word = |letter: char| letter.is_whitespace() || "\"'<>".contains(letter);
    let word = &rest[..rest.find(ends_word).unwrap_or(rest.len())];
    let authority = &word[..word.find(['/', '?', '#']).unwrap_or(word.len())];
    let part = if authority.contains('@') || !authority.contains(':') {
        authority
    } else {
        word
    };
    part.rfind('@').map(|length| (start, start + length))
}

/// A key as patterns see it.
fn plain_key(key: &str) -> String {
    let kept = key.chars().filter(|letter| !"_- ".contains(*letter));
    kept.flat_map(char::to_lowercase).collect()
}

/// Whether `text` matches `pattern`, in which `*` stands for any text. Linear for each star.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == text.get(t) {
            p += 1;
            t += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replaces_secrets_wherever_they_stand() {
        let redactor = Redactor::new(7);
        for text in [
            "ftp://fly:hunter2@10.0.0.1/x.cfg",
            "see http://u:hunter2@h:8080/dir and more",
            "ftp://fly:hun/hunter2@10.0.0.1/x.cfg",
            "http://10.0.0.1/p?mac=1&password=hunter2&x=1",
            "account.1.password = hunter2",
            "account.1.password=\"hunter2 hunter2\"",
            "{\"Password\": \"hunter2\"}",
            "{\"password\": hunter2}",
            "Authorization: Digest username=\"x\", response=\"hunter2\"",
            "Set-Cookie: a=b; hunter2",
            "account.1.auth_name='hunter2",
        ] {
            let safe = redactor.text(text);
            assert!(!safe.contains("hunter2"), "{text} → {safe}");
            assert!(safe.contains("***"), "{text} → {safe}");
        }
        let text = "http://u:hunter2@h:8080/dir";
        let expected = format!("http://{}@h:8080/dir", redactor.stand_in("u:hunter2"));
        assert_eq!(redactor.text(text), expected);
    }

    #[test]
    fn leaves_the_rest_alone() {
        let redactor = Redactor::new(7);
        for text in [
            "tftp://10.0.0.1:69/001122334455.cfg",
            "http://h/dir@home/x",
            "features.pound_key.mode=1",
            "wrong password: no answer",
            "mac=001122334455&index=3",
            "://@:=",
            "",
        ] {
            assert_eq!(redactor.text(text), text);
        }
        assert_eq!(redactor.value("account.1.label", "x"), "x");
        assert_eq!(redactor.value("account.1.password", ""), "");
    }

    #[test]
    fn knows_secret_keys_by_pattern() {
        let redactor = Redactor::new(7).with_patterns(["sip.*.hidden"]);
        for key in [
            "account.1.password",
            "SIP.Account.0.AuthPassword",
            "SIP.Account.0.AuthName",
            "auto_provision.server.Pass-Word",
            "Config Encryption Key",
            "phone.pin",
            "sip.1.hidden",
        ] {
            assert!(redactor.is_secret_key(key), "{key}");
        }
        for key in [
            "account.1.user_name",
            "features.pound_key.mode",
            "pincode",
            "sip.hidden",
        ] {
            assert!(!redactor.is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn stand_ins_compare_within_a_seed_only() {
        let one = Redactor::new(1);
        assert_eq!(one.stand_in("a"), Redactor::new(1).stand_in("a"));
        assert_ne!(one.stand_in("a"), one.stand_in("b"));
        assert_ne!(one.stand_in("a"), Redactor::new(2).stand_in("a"));
        assert_ne!(one.stand_in("a"), one.clone().with_key(b"k").stand_in("a"));
        assert_eq!(one.stand_in("a").len(), 11);
        let text = "password=hunter2";
        assert_eq!(one.keeping_secrets().text(text), text);
    }

    proptest! {
        #[test]
        fn never_panics_and_never_shows_a_planted_password(
            before in "\\PC{0,12}",
            password in "[A-Z]{12}",
            after in "\\PC{0,12}",
        ) {
            let redactor = Redactor::new(3);
            let _ = redactor.text(&before);
            let url = format!("{before} http://user:{password}@host/{after}");
            prop_assert!(!redactor.text(&url).contains(&password));
            let pair = format!("{before} password={password}&{after}");
            prop_assert!(!redactor.text(&pair).contains(&password));
        }
    }
}
