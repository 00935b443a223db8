//! Provisioning URLs as phones read them: bare addresses, spaces, credentials, relative links.
//!
//! An own reader, because what phones accept is no URL by RFC 3986: an address without a scheme
//! (FLY-66), blanks in a path (FLY-15), markers such as `$(MA)`. Where a text is a URL, RFC 3986
//! is followed.

use std::borrow::Cow;

use crate::limits::URL_BYTES_MAX;

/// The scheme of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Port 69, UDP.
    Tftp,
    /// Port 80.
    Http,
    /// Port 443.
    Https,
    /// Port 21.
    Ftp,
}

/// A URL, kept as it was written (spaces included); percent-encoding happens on the HTTP wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// Which protocol.
    pub scheme: Scheme,
    /// User name, empty if none; percent-decoded.
    pub user: String,
    /// Password, empty if none; percent-decoded.
    pub password: String,
    /// Host name or dotted quad.
    pub host: String,
    /// The port, where it is written.
    pub port: Option<u16>,
    /// Path and query with a leading `/`; `/` when none is written.
    pub path: String,
}

/// Why a text is no URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// A scheme that is none of `Scheme`.
    #[error("scheme is none of tftp, ftp, http, https")]
    Scheme,
    /// No host.
    #[error("no host name")]
    Host,
    /// A port that is no number from 1 to 65,535.
    #[error("port is no number from 1 to 65535")]
    Port,
    /// Longer than `URL_BYTES_MAX`, or with control characters.
    #[error("too long or with control characters")]
    Text,
}

impl Scheme {
    /// The scheme called `name`, in any case (RFC 3986 §3.1).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Tftp, Self::Http, Self::Https, Self::Ftp]
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }

    /// The name before `://`, lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tftp => "tftp",
            Self::Http => "http",
            Self::Https => "https",
            Self::Ftp => "ftp",
        }
    }

    /// The protocol's own port.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Tftp => 69,
            Self::Http => 80,
            Self::Https => 443,
            Self::Ftp => 21,
        }
    }
}

impl Url {
    /// Reads a URL; without a scheme it is `default`'s (a bare address in option 66 is TFTP,
    /// FLY-66). Blanks, line ends and NULs around the text do not count. User and password end at
    /// the last `@` of the authority, so that an `@` in a password does no harm (FLY-84).
    ///
    /// # Errors
    /// What is wrong with it, see `UrlFault`. An IPv6 literal is `Host`: phones here have IPv4.
    pub fn parse(text: &str, default: Scheme) -> Result<Self, UrlFault> {
        let text = trimmed(text)?;
        match split_scheme(text)? {
            Some((scheme, rest)) => Self::read(scheme, rest),
            None => Self::read(default, text.strip_prefix("//").unwrap_or(text)),
        }
    }

    /// The URL of a link in the document at `self`: absolute as given (FLY-16, FLY-17), `//host/x`
    /// with this scheme, `/path` from the host's root, otherwise relative to the document's
    /// directory (FLY-15), where `./` and `../` are resolved and never lead above the root.
    /// Links on the same host keep the credentials (RFC 3986 §5.2.2).
    ///
    /// # Errors
    /// As `parse`; `Text` when host and path of the result are longer than `URL_BYTES_MAX`.
    pub fn join(&self, link: &str) -> Result<Self, UrlFault> {
        let link = trimmed(link)?;
        if let Some((scheme, rest)) = split_scheme(link)? {
            return Self::read(scheme, rest);
        }
        if let Some(rest) = link.strip_prefix("//") {
            return Self::read(self.scheme, rest);
        }
        let (link_path, link_tail) = split_tail(link);
        let (base_path, base_tail) = split_tail(&self.path);
        let mut path = if link_path.is_empty() {
            base_path.to_owned()
        } else if link_path.starts_with('/') {
            without_dots(link_path)
        } else {
            without_dots(&[directory_of(base_path), link_path].concat())
        };
        if link_path.is_empty() && !link_tail.starts_with('?') {
            path.push_str(base_tail.split('#').next().unwrap_or_default());
        }
        path.push_str(link_tail);
        self.with_path(path)
    }

    /// The directory that a walk's files are in: this URL with a `/` at its end when it names a
    /// directory (FLY-78, FLY-85), else its parent; without a query.
    #[must_use]
    pub fn directory(&self) -> Self {
        let (path, _) = split_tail(&self.path);
        let path = match (self.is_directory(), path.ends_with('/')) {
            (true, false) => [path, "/"].concat(),
            (true, true) => path.to_owned(),
            (false, _) => directory_of(path).to_owned(),
        };
        Self {
            path,
            ..self.clone()
        }
    }

    /// Appends a name to the path as to a directory: one `/` between them, whichever of the two
    /// brings it.
    pub fn append(&mut self, name: &str) {
        let directory = self.path.trim_end_matches('/').len();
        self.path.truncate(directory);
        self.path.push('/');
        self.path.push_str(name.trim_start_matches('/'));
    }

    /// The last path segment without the query.
    #[must_use]
    pub fn file_name(&self) -> &str {
        let (path, _) = split_tail(&self.path);
        path.rsplit('/').next().unwrap_or_default()
    }

    /// True when the path names a directory: it ends in `/`, or its last segment has no suffix
    /// (FLY-78). A suffix is a dot that is not the segment's first character; a query makes any
    /// path a file.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        if split_tail(&self.path).1.starts_with('?') {
            return false;
        }
        match self.file_name() {
            "" | "." | ".." => true,
            name => !name.chars().skip(1).any(|c| c == '.'),
        }
    }

    /// The port to connect to.
    #[must_use]
    pub fn effective_port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.scheme.port())
    }

    /// The Host header's value: the host, with `:port` where it is not the scheme's own
    /// (RFC 9110 §7.2).
    #[must_use]
    pub fn host_field(&self) -> Cow<'_, str> {
        match self.effective_port() {
            port if port == self.scheme.port() => Cow::Borrowed(&self.host),
            port => Cow::Owned(format!("{}:{port}", self.host)),
        }
    }

    /// Reads what follows `scheme://`.
    fn read(scheme: Scheme, rest: &str) -> Result<Self, UrlFault> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match place.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(UrlFault::Host),
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        };
        if host.is_empty() || !host.chars().all(is_host_char) {
            return Err(UrlFault::Host);
        }
        let slash = if tail.starts_with('/') { "" } else { "/" };
        Ok(Self {
            scheme,
            user: decoded(user)?,
            password: decoded(password)?,
            host: host.to_owned(),
            port: port.map(port_number).transpose()?,
            path: [slash, tail].concat(),
        })
    }

    fn with_path(&self, path: String) -> Result<Self, UrlFault> {
        if path.len().saturating_add(self.host.len()) > URL_BYTES_MAX {
            return Err(UrlFault::Text);
        }
        Ok(Self {
            path,
            ..self.clone()
        })
    }
}

impl std::fmt::Display for Url {
    /// Without credentials.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}://{}", self.scheme.name(), self.host)?;
        if let Some(port) = self.port {
            write!(out, ":{port}")?;
        }
        out.write_str(&self.path)
    }
}

impl std::fmt::Debug for Url {
    /// As `Display`; of credentials only that there are some.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let login = if self.user.is_empty() && self.password.is_empty() {
            ""
        } else {
            " with credentials"
        };
        write!(out, "Url({self}{login})")
    }
}

/// The text without blanks, line ends and NULs around it.
fn trimmed(text: &str) -> Result<&str, UrlFault> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0');
    if text.len() > URL_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(UrlFault::Text);
    }
    Ok(text)
}

/// Splits `scheme://rest`; `None` when no scheme is written. A known scheme with a single slash
/// (`http:/my_server`, GIG-20) has no host.
fn split_scheme(text: &str) -> Result<Option<(Scheme, &str)>, UrlFault> {
    let Some((name, rest)) = text.split_once(':') else {
        return Ok(None);
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !is_name {
        return Ok(None);
    }
    match (Scheme::named(name), rest.strip_prefix("//")) {
        (Some(scheme), Some(rest)) => Ok(Some((scheme, rest))),
        (None, Some(_)) => Err(UrlFault::Scheme),
        (Some(_), None) if rest.starts_with('/') => Err(UrlFault::Host),
        (_, None) => Ok(None),
    }
}

/// Splits a path from its query and fragment, each with its mark.
fn split_tail(path: &str) -> (&str, &str) {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    path.split_at_checked(end).unwrap_or((path, ""))
}

/// The path up to its last `/`.
fn directory_of(path: &str) -> &str {
    let end = path.rfind('/').map_or(0, |slash| slash + 1);
    path.get(..end).unwrap_or_default()
}

/// Resolves `.` and `..` (RFC 3986 §5.2.4); the result begins with `/`.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let dots = matches!(segment, "." | "..");
        if segment == ".." {
            kept.pop();
        }
        if !dots {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push("");
        }
    }
    ["/", &kept.join("/")].concat()
}

/// Letters, digits and what host names and unfilled markers are made of.
fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '$' | '(' | ')')
}

fn port_number(text: &str) -> Result<u16, UrlFault> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(UrlFault::Port),
    }
}

/// Percent-decodes user or password. What does not decode to UTF-8 stays as written; a decoded
/// control character would end an FTP command, so it is refused.
fn decoded(text: &str) -> Result<String, UrlFault> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        match (first, percent_value(rest)) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = rest.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = others;
            }
        }
    }
    let plain = String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned());
    if plain.chars().any(char::is_control) {
        return Err(UrlFault::Text);
    }
    Ok(plain)
}

/// The byte that `%XX` at the start of `text` stands for.
pub(crate) fn percent_value(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

#[cfg(test)]
mod tests;
