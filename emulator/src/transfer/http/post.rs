//! POST: the body that goes out, the small one that comes back, and the cookies of the session
//! (RFC 6265 as far as TR-069 §3.4.6 needs it).

use super::Server;
use crate::url::{Scheme, Url};
use crate::wire::http as wire;

/// Cookies kept of one server; of more the oldest goes.
const COOKIES_MAX: usize = 16;
/// Bytes of one cookie; a longer one is not kept.
const COOKIE_BYTES_MAX: usize = 1 << 10;

/// What a client holds for POSTs.
#[derive(Debug, Default)]
pub(super) struct Post {
    /// The body of the present request.
    pub(super) body: Vec<u8>,
    /// The body of the answer to it.
    pub(super) answer: Option<Vec<u8>>,
    pub(super) jar: Jar,
}

/// The cookies of the server that set some last.
#[derive(Debug, Default)]
pub(super) struct Jar {
    server: Option<Server>,
    cookies: Vec<Cookie>,
}

#[derive(Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    /// For https only.
    secure: bool,
}

impl Post {
    /// Appends the fields that a POST has besides those of the profile. One without content has
    /// neither `SOAPAction` nor `Content-Type` (TR-069 §3.4.1).
    pub(super) fn write_fields(&self, out: &mut Vec<u8>, url: &Url) {
        wire::write_field(out, "Cookie", |out| self.jar.write(out, url));
        if !self.body.is_empty() {
            wire::write_field(out, "SOAPAction", |out| out.extend_from_slice(b"\"\""));
            wire::write_field(out, "Content-Type", |out| {
                out.extend_from_slice(b"text/xml; charset=utf-8");
            });
        }
        let length = self.body.len().to_string();
        wire::write_field(out, "Content-Length", |out| {
            out.extend_from_slice(length.as_bytes());
        });
    }
}

impl Jar {
    /// Takes the `Set-Cookie` fields of an answer. Path, domain and dates are not looked at: a
    /// session is with one URL, and the jar does not outlive it.
    pub(super) fn take(&mut self, url: &Url, fields: &[String]) {
        if fields.is_empty() {
            return;
        }
        if !self.server.as_ref().is_some_and(|server| server.is_of(url)) {
            self.server = Some(Server::of(url));
            self.cookies.clear();
        }
        for field in fields {
            let mut parts = field.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            let mut cookie = Cookie {
                name: name.to_owned(),
                value: value.to_owned(),
                secure: false,
            };
            let mut gone = false;
            for attribute in parts {
                let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
                cookie.secure |= key.trim().eq_ignore_ascii_case("secure");
                let age = key.trim().eq_ignore_ascii_case("max-age");
                gone |= age && value.trim().parse::<i64>().is_ok_and(|age| age <= 0);
            }
            self.cookies.retain(|held| held.name != name);
            let fits = !name.is_empty() && name.len() + value.len() <= COOKIE_BYTES_MAX;
            if fits && !gone {
                if self.cookies.len() >= COOKIES_MAX {
                    self.cookies.remove(0);
                }
                self.cookies.push(cookie);
            }
        }
    }

    /// Appends the value of `Cookie` for a request of `url`; nothing where there is none.
    fn write(&self, out: &mut Vec<u8>, url: &Url) {
        if !self.server.as_ref().is_some_and(|server| server.is_of(url)) {
            return;
        }
        let secure = url.scheme == Scheme::Https;
        let sent = self.cookies.iter().filter(|held| secure || !held.secure);
        for (at, cookie) in sent.enumerate() {
            if at > 0 {
                out.extend_from_slice(b"; ");
            }
            out.extend_from_slice(cookie.name.as_bytes());
            out.push(b'=');
            out.extend_from_slice(cookie.value.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text, Scheme::Http).unwrap()
    }

    fn sent(jar: &Jar, to: &str) -> String {
        let mut out = Vec::new();
        jar.write(&mut out, &url(to));
        String::from_utf8(out).unwrap()
    }

    fn set(jar: &mut Jar, from: &str, fields: &[&str]) {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        jar.take(&url(from), &fields);
    }

    #[test]
    fn gives_cookies_back_to_the_server_that_set_them() {
        let mut jar = Jar::default();
        let home = "http://10.0.0.2:8080/acs";
        set(
            &mut jar,
            home,
            &["JSESSIONID=a=b; Path=/; HttpOnly", "two = 2 ;Secure"],
        );
        assert_eq!(sent(&jar, "http://10.0.0.2:8080/other"), "JSESSIONID=a=b");
        assert_eq!(sent(&jar, "http://10.0.0.2/acs"), "");
        set(&mut jar, home, &["JSESSIONID=c", "three=3", "x"]);
        assert_eq!(sent(&jar, home), "JSESSIONID=c; three=3");
        set(&mut jar, home, &["three=; Max-Age=0"]);
        assert_eq!(sent(&jar, home), "JSESSIONID=c");
        set(&mut jar, "https://10.0.0.3/", &["four=4; secure"]);
        assert_eq!(
            (sent(&jar, home), sent(&jar, "https://10.0.0.3/x")),
            (String::new(), "four=4".to_owned())
        );
    }

    #[test]
    fn keeps_a_bound_on_cookies() {
        let mut jar = Jar::default();
        for number in 0..100 {
            set(&mut jar, "http://a/", &[&format!("c{number}=1")]);
        }
        assert_eq!(jar.cookies.len(), COOKIES_MAX);
        assert_eq!(jar.cookies[COOKIES_MAX - 1].name, "c99");
        set(
            &mut jar,
            "http://a/",
            &[&format!("long={}", "x".repeat(COOKIE_BYTES_MAX))],
        );
        assert!(jar.cookies.iter().all(|cookie| cookie.name != "long"));
    }

    #[test]
    fn says_nothing_of_content_without_content() {
        let mut post = Post::default();
        let mut out = Vec::new();
        post.write_fields(&mut out, &url("http://a/"));
        assert_eq!(out, b"Content-Length: 0\r\n");
        post.body = b"<x/>".to_vec();
        out.clear();
        post.write_fields(&mut out, &url("http://a/"));
        let expected = "SOAPAction: \"\"\r\nContent-Type: text/xml; charset=utf-8\r\n\
                        Content-Length: 4\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
