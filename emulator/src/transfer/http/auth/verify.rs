//! The other side of Digest: a phone that is asked for a connection checks who asks
//! (TR-069 §3.2.2, RFC 7616 §3.4).

use super::{Algorithm, Login, Raw, challenges};

/// What an `Authorization` field is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Right.
    Good,
    /// The credentials are right, the nonce is not the present one.
    Stale,
    /// Wrong, or not readable.
    Bad,
}

/// What a request must prove.
#[derive(Clone, Copy)]
pub(crate) struct Demand<'a> {
    pub(crate) method: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) login: &'a Login,
}

impl Demand<'_> {
    /// The value of `WWW-Authenticate`: MD5 with `qop`, which every server can.
    pub(crate) fn challenge(&self, stale: bool) -> String {
        let stale = if stale { ", stale=true" } else { "" };
        format!(
            "Digest realm=\"{}\", nonce=\"{}\", algorithm=MD5, qop=\"auth\"{stale}",
            self.realm, self.nonce
        )
    }

    /// Judges the value of `Authorization`; `target` is the request's own.
    pub(crate) fn judge(&self, field: &str, target: &str) -> Proof {
        let raw = challenges(field);
        let digest = raw
            .iter()
            .find(|raw| raw.scheme.eq_ignore_ascii_case("Digest"));
        let Some(nonce) = digest.and_then(|raw| self.nonce_of(raw, target)) else {
            return Proof::Bad;
        };
        if nonce == self.nonce {
            Proof::Good
        } else {
            Proof::Stale
        }
    }

    /// The nonce of an answer that is right for it.
    fn nonce_of<'r>(&self, raw: &'r Raw<'_>, target: &str) -> Option<&'r str> {
        let value = |name: &str| {
            let mut all = raw.parameters.iter();
            let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let named = value("algorithm").is_none_or(|name| name.eq_ignore_ascii_case("MD5"));
        let uri = value("uri")?;
        // Some write the whole URL; it must end in what was asked for.
        let same = uri == target || uri.contains("://") && uri.ends_with(target);
        let user = value("username")? == self.login.user;
        if !(named && same && user && value("realm")? == self.realm) {
            return None;
        }
        let nonce = value("nonce")?;
        let md5 = Algorithm::Md5;
        let secret = md5.hash(&[&self.login.user, self.realm, &self.login.password]);
        let request = md5.hash(&[self.method, uri]);
        let expected = match value("qop") {
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let (nc, cnonce) = (value("nc")?, value("cnonce")?);
                md5.hash(&[&secret, nonce, nc, cnonce, qop, &request])
            }
            Some(_) => return None,
            None => md5.hash(&[&secret, nonce, &request]),
        };
        let right = value("response")?.eq_ignore_ascii_case(&expected);
        right.then_some(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AuthMethod, Challenge, Grant};
    use super::*;
    use crate::rng::Rng;

    const LOGIN: (&str, &str) = ("acs", "se\"cret");

    fn demand<'a>(login: &'a Login, nonce: &'a str) -> Demand<'a> {
        Demand {
            method: "GET",
            realm: "phone",
            nonce,
            login,
        }
    }

    fn answer(challenge: String, login: &Login, target: &str) -> String {
        let choice = Challenge::choose(&[challenge], AuthMethod::Digest).expect("a challenge");
        Grant::new(choice, &mut Rng::new(1)).authorization(login, "GET", target)
    }

    #[test]
    fn takes_the_right_answer_and_no_other() {
        let login = Login::new(LOGIN.0, LOGIN.1).unwrap();
        let asked = demand(&login, "n1");
        let good = answer(asked.challenge(false), &login, "/x");
        assert_eq!(asked.judge(&good, "/x"), Proof::Good);
        assert_eq!(asked.judge(&good, "/y"), Proof::Bad);
        assert_eq!(demand(&login, "n2").judge(&good, "/x"), Proof::Stale);
        for other in [Login::new("acs", "other"), Login::new("bob", LOGIN.1)] {
            let wrong = answer(asked.challenge(false), &other.unwrap(), "/x");
            assert_eq!(asked.judge(&wrong, "/x"), Proof::Bad, "{wrong}");
        }
        let old = answer(
            "Digest realm=\"phone\", nonce=\"n1\"".to_owned(),
            &login,
            "/x",
        );
        assert_eq!(asked.judge(&old, "/x"), Proof::Good, "RFC 2069");
        for bad in [
            "",
            "Basic YQ==",
            "Digest",
            "Digest nonce=\"n1\"",
            &good.replace("auth,", "int,"),
        ] {
            assert_eq!(asked.judge(bad, "/x"), Proof::Bad, "{bad}");
        }
        assert!(asked.challenge(true).ends_with("stale=true"));
    }
}
