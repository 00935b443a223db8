//! Provisioning URLs as phones read them: bare addresses, spaces, credentials, relative links.

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Which protocol.
    pub scheme: Scheme,
    /// User name, empty if none.
    pub user: String,
    /// Password, empty if none.
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
    /// FLY-66).
    ///
    /// # Errors
    /// What is wrong with it, see `UrlFault`.
    pub fn parse(_text: &str, _default: Scheme) -> Result<Self, UrlFault> {
        Err(UrlFault::Host)
    }

    /// The URL of a link in the document at `self`: absolute as given, `/path` from the host's
    /// root, otherwise relative to the document's directory (FLY-15, FLY-16).
    ///
    /// # Errors
    /// As `parse`.
    pub fn join(&self, _link: &str) -> Result<Self, UrlFault> {
        Err(UrlFault::Host)
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
        ""
    }

    /// True when the path names a directory: it ends in `/`, or its last segment has no suffix
    /// (FLY-78).
    #[must_use]
    pub fn is_directory(&self) -> bool {
        true
    }
}

impl std::fmt::Display for Url {
    /// Without credentials.
    fn fmt(&self, _out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
