//! Secrets out, comparable stand-ins in. A secret becomes `***` and eight hex digits of a hash
//! keyed by the run's seed: equal secrets look equal within a run and in a repetition of it,
//! different ones differ, and nothing else is said. Thirty-two bits of a keyed hash do not give a
//! secret back, but whoever holds the report and its seed can test a guess: `with_key` adds a key
//! that is not in the report.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest, Sha256};

/// Keys whose values are secrets, whatever the vendor. `*` stands for any text; letters of either
/// case and `_`, `-`, blank and nothing between words are the same.
const SECRET_KEYS: [&str; 22] = [
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
    "*configfilekey*",
    "*devicekey*",
    "*commonkey*",
    "*pswd*",
    "*pwd*",
    "*psk*",
    "*presharedkey*",
    "*credential*",
    "*passwort*",
    "*pin",
];
/// Digits of a key of 256 bits as settings and web pages show it (FAN-42).
const KEY_DIGITS: usize = 64;
/// Bytes of a tag that is looked at.
const TAG_BYTES_MAX: usize = 4 << 10;
/// The command by which FTP tells a password (RFC 959 §4.1.1).
const PASS: &str = "PASS ";
/// The command before it, as long: half of a login.
const USER: &str = "USER ";

/// Where to look on, and where the secret lies that was found; none when there is no more.
type Found = Option<(usize, Option<(usize, usize)>)>;

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

    /// Whether it keeps every secret.
    #[must_use]
    pub fn keeps_secrets(&self) -> bool {
        self.keep
    }

    /// Whether the value of this setting key, header field or query parameter is a secret.
    #[must_use]
    pub fn is_secret_key(&self, key: &str) -> bool {
        let key = plain_key(key);
        let mut patterns = self.patterns.iter();
        patterns.any(|pattern| match within(pattern) {
            Some(word) => key.contains(word),
            None => matches(pattern.as_bytes(), key.as_bytes()),
        })
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

    /// Any text, safe to write: the user and password of URLs in it, the values of `key=value`,
    /// `"key": "value"` and `<key>value</key>` with a secret key, what follows `Authorization:`,
    /// `Cookie:` and FTP's `PASS`, and words of 64 hexadecimal digits are replaced. Borrows when
    /// there is nothing to replace.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.keep {
            return Cow::Borrowed(text);
        }
        let safe = self.without(text, |at| self.next_assigned(text, at));
        let safe = self.again(safe, next_password);
        self.again(safe, next_key)
    }

    /// Where the secrets lie that `text` would replace, in bytes, in no order.
    #[must_use]
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        if self.keep {
            return Vec::new();
        }
        let mut places = Vec::new();
        let mut look = |next: &dyn Fn(usize) -> Found| {
            let mut at = 0;
            while let Some((on, secret)) = next(at) {
                at = on;
                if let Some((start, end)) = secret.filter(|(start, end)| start < end) {
                    places.push(start..end);
                    at = end;
                }
            }
        };
        look(&|at| self.next_assigned(text, at));
        look(&|at| next_password(text, at));
        look(&|at| next_key(text, at));
        places
    }

    /// Looks from a place for a secret that a URL, an element or an assignment holds.
    fn next_assigned(&self, text: &str, at: usize) -> Found {
        let place = at + text[at..].find(['=', ':', '>'])?;
        let secret = if text[place..].starts_with("://") {
            credentials(text, place + 3)
        } else if text[place..].starts_with('>') {
            self.element(text, place)
        } else {
            self.assigned(text, place)
        };
        Some((place + 1, secret))
    }

    /// `without`, in text that may have been changed already.
    fn again<'a>(&self, text: Cow<'a, str>, next: impl Fn(&str, usize) -> Found) -> Cow<'a, str> {
        match text {
            Cow::Borrowed(text) => self.without(text, |at| next(text, at)),
            Cow::Owned(text) => Cow::Owned(self.without(&text, |at| next(&text, at)).into_owned()),
        }
    }

    /// The text with stand-ins for secrets. `next` looks on from a place: where to look on after
    /// that, and where the secret lies that it found there.
    fn without<'a>(&self, text: &'a str, next: impl Fn(usize) -> Found) -> Cow<'a, str> {
        let mut out = String::new();
        let mut done = 0;
        let mut at = 0;
        while let Some((on, secret)) = next(at) {
            at = on;
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

    /// Where the secret lies that is the text of the element whose tag ends at `place`.
    fn element(&self, text: &str, place: usize) -> Option<(usize, usize)> {
        let near = place.saturating_sub(TAG_BYTES_MAX);
        let opened = text.as_bytes()[near..place]
            .iter()
            .rposition(|byte| *byte == b'<')?;
        let tag = &text[near + opened + 1..place];
        let name = tag.split([' ', '\t']).next()?;
        let name = name.rsplit(':').next()?;
        let opens = !name.starts_with('/') && !tag.ends_with('/');
        let rest = &text[place + 1..];
        let end = place + 1 + rest.find('<').unwrap_or(rest.len());
        (opens && self.is_secret_key(name)).then_some((place + 1, end))
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

/// Looks from a place for what FTP's PASS says, wherever it stands, and USER, where a line begins
/// with it.
fn next_password(text: &str, at: usize) -> Found {
    let next = [PASS, USER].map(|verb| text[at..].find(verb).map(|found| at + found));
    let place = next.into_iter().flatten().min()?;
    let before = &text[..place];
    let begins = if text[place..].starts_with(USER) {
        before.is_empty() || before.ends_with('\n')
    } else {
        !before.ends_with(|letter: char| letter.is_alphanumeric())
    };
    let start = place + PASS.len();
    let rest = &text[start..];
    let end = start + rest.find(['\r', '\n']).unwrap_or(rest.len());
    Some((start, begins.then_some((start, end))))
}

/// Looks from a place for a word that is a key.
fn next_key(text: &str, at: usize) -> Found {
    let start = at + text[at..].find(|letter: char| letter.is_ascii_hexdigit())?;
    let rest = &text[start..];
    let end = rest.find(|letter: char| !letter.is_ascii_hexdigit());
    let length = end.unwrap_or(rest.len());
    let key = (length == KEY_DIGITS).then_some((start, start + length));
    Some((start + length, key))
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

/// The word of a pattern that asks for no more than that a text contains it.
fn within(pattern: &str) -> Option<&str> {
    let word = pattern.strip_prefix('*')?.strip_suffix('*')?;
    (!word.contains('*')).then_some(word)
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
            "<Password>hunter2</Password>",
            "<cwmp:Password xsi:type=\"xsd:string\">hunter2</cwmp:Password>",
            "<SIP1_Register_Pswd>hunter2</SIP1_Register_Pswd>",
            "sent USER fan, then PASS hunter2",
            "PASS hunter2\r\n230 logged in",
            "USER hunter2\r\n331 and now PASS",
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
            "<Name>Device.ManagementServer.Password</Name>",
            "COMPASS north",
            "md5 0123456789abcdef0123456789abcdef",
            "://@:=",
            "",
        ] {
            assert_eq!(redactor.text(text), text);
        }
        assert_eq!(redactor.value("account.1.label", "x"), "x");
        assert_eq!(redactor.value("account.1.password", ""), "");
    }

    // FAN-42, FAN-45, FAN-51, FAN-115: what each place of a phone calls its secrets.
    #[test]
    fn plants_no_key_or_password_of_any_protocol_in_a_report() {
        let redactor = Redactor::new(7);
        let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
        for key in [
            "autoupdate.config encryption key",
            "autoupdate.common config encryption key",
            "autoupdate.device cfg file key",
            "autoupdate.config file key",
            "ap.commoncfgfilekey",
            "device_key",
            "common_key",
            "autoupdate.default password",
            "tr069.acs password",
            "tr069.cpe password",
            "acs_connection_password",
            "Device.ManagementServer.ConnectionRequestPassword",
            "sip.sip1 register pswd",
        ] {
            let safe = redactor.value(key, "hunter2");
            assert!(safe.starts_with("***"), "{key} → {safe}");
        }
        // A key shows itself by its length, whatever stands beside it.
        let text = format!("Config Encryption Key :{digits}, and {digits}0");
        let safe = redactor.text(&text);
        let stand_in = redactor.stand_in(&digits);
        let expected = format!("Config Encryption Key :{stand_in}, and {digits}0");
        assert_eq!(safe, expected);
        let text = format!("ftp://1:hunter2@192.168.2.45/{digits}");
        assert!(!redactor.text(&text).contains("hunter2"));
        assert!(!redactor.text(&text).contains(&digits));
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
