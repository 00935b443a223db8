//! Probes: small clients that ask a server what phones never ask on purpose, as steps of a case.
//!
//! ```toml
//! do = [
//!   { probe = "tftp-read", file = "a.cfg", options = { blksize = 1024 }, same_as = "a.cfg" },
//!   { probe = "http-get", path = "/a.cfg", condition = "etag" },
//! ]
//! ```
//!
//! Steps follow one another; each phone of the case's plan is stood in for by a client of its own,
//! which speaks with that phone's hardware address. File names and paths are below the fleet's
//! `root`, unless `raw` says otherwise, and have the holes of scenario files.

mod read;

use std::time::Duration;

use bootstorm_emulator::profile::template::Template;

pub use read::step;

/// One step of a probe.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeStep {
    /// What is asked.
    pub ask: Ask,
    /// Wait before it.
    pub wait: Duration,
    /// It is given up after so long.
    pub timeout: Duration,
    /// How long what comes after its end is listened to.
    pub listen: Duration,
    /// How often it is done, one after the other; at least 1.
    pub times: u16,
    /// The file of the served tree, below the root, that what comes must equal; compared where the
    /// tree is known.
    pub same_as: Option<Template>,
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// `tftp-read`: a read request.
    Tftp(TftpRead),
    /// `http-get`: requests of any method.
    Http(HttpGet),
    /// `dhcp`: one message, or a whole lease.
    Dhcp(DhcpAsk),
    /// `pnp-subscribe`: a SUBSCRIBE by multicast, and the answer to the NOTIFY.
    Pnp(PnpSubscribe),
    /// `sntp`: the time.
    Sntp(SntpAsk),
    /// `ftp-get`: a file by FTP.
    Ftp(FtpGet),
    /// `mdns-query`: a one-shot query.
    Mdns(MdnsQuery),
    /// `sip-register`: a REGISTER, with Digest where it is asked for.
    Sip(SipRegister),
    /// `tcp-connect`: a connection, perhaps with bytes.
    Tcp(TcpConnect),
    /// `wait`: nothing but `wait_s`.
    Nothing,
}

/// A TFTP read.
#[derive(Debug, Clone, PartialEq)]
pub struct TftpRead {
    /// The name that the request says.
    pub file: Template,
    /// `file` is sent as it is, not below the root.
    pub raw: bool,
    /// The mode as it is written.
    pub mode: String,
    /// Options in the order and case that they are sent in.
    pub options: Vec<(String, String)>,
    /// What is taken as lost.
    pub lose: Option<Lost>,
    /// Of `Lost::Data`: which block.
    pub lose_block: u64,
    /// How often it is lost.
    pub lose_times: u16,
    /// Without an answer, or after a loss, the request is sent again, once a second; otherwise the
    /// server has to repeat.
    pub repeat_request: bool,
    /// What is sent twice.
    pub twice: Option<Twice>,
    /// An ACK of this block is also sent from another port.
    pub stray_after: Option<u64>,
    /// In place of the ACK of this block one of a block far ahead is sent first.
    pub wrong_ack_after: Option<u64>,
    /// After this block the request is sent once more, as a late copy.
    pub late_request_after: Option<u64>,
    /// After this block the client sends an ERROR and ends.
    pub error_after: Option<u64>,
    /// After this block the client says nothing more.
    pub silent_after: Option<u64>,
    /// Wait before each ACK.
    pub ack_delay: Duration,
    /// From the port of the read before; otherwise each has a new one.
    pub same_port: bool,
    /// What comes is compared with `same_as` as netascii has it (RFC 1350 §1).
    pub netascii: bool,
}

/// What a TFTP client takes as lost on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The OACK.
    Oack,
    /// The block `lose_block`.
    Data,
    /// The last block.
    LastData,
    /// The ACK of the block `lose_block`.
    Ack,
    /// The ACK of the last block.
    LastAck,
}

/// What a TFTP client sends twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twice {
    /// The request.
    Request,
    /// Every ACK (RFC 1123 §4.2.3.1).
    Ack,
}

/// HTTP requests.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpGet {
    /// The request target, percent-encoded as it is sent.
    pub path: Template,
    /// `path` is sent as it is, not below the root.
    pub raw: bool,
    /// `GET`, `HEAD` …
    pub method: String,
    /// HTTP/1.0 instead of 1.1.
    pub old: bool,
    /// What `Host` says in place of the server's address.
    pub host: Option<Template>,
    /// Header fields besides Host and Authorization, in this order.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: String,
    /// TLS, and which.
    pub tls: Option<TlsVersion>,
    /// The certificate must be one that the run trusts, and for the name of the request.
    pub verify: bool,
    /// On the connection of the request before, where it is still open.
    pub same_connection: bool,
    /// So many requests at once on one connection.
    pub pipelined: u16,
    /// A validator of an earlier answer goes with it.
    pub condition: Option<Condition>,
    /// How it proves who it is.
    pub auth: Option<HttpAuth>,
    /// Redirects that it follows, one after the other; `same_as` is what the last answer brings.
    pub follow: u16,
}

/// Which TLS a probe offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2 and 1.3.
    Any,
    /// 1.2 only.
    Only12,
    /// 1.3 only.
    Only13,
}

/// A validator of an earlier answer to the same target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// If-None-Match with its ETag.
    Etag,
    /// If-Modified-Since with its Last-Modified.
    Modified,
    /// If-None-Match with an ETag that nobody gave.
    OtherEtag,
}

/// Credentials of HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpAuth {
    /// Basic is sent at once; Digest after a challenge.
    pub scheme: HttpScheme,
    /// In place of the user that the plan has for the phone.
    pub user: Option<Template>,
    /// In place of the password that the plan has for the phone.
    pub password: Option<Template>,
    /// Digest with the nonce of an earlier challenge, its count going on (RFC 7616 §3.4).
    pub kept_nonce: bool,
    /// A challenge to a request that had credentials is answered once more.
    pub again: bool,
}

/// A scheme of HTTP authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpScheme {
    /// Basic (RFC 7617).
    Basic,
    /// Digest (RFC 7616).
    Digest,
}

/// What a DHCP client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpAsk {
    /// Which message, or messages.
    pub kind: DhcpKind,
    /// The parameter request list (option 55); none without.
    pub parameters: Option<Vec<u8>>,
    /// Option 60.
    pub vendor_class: Option<String>,
    /// Option 61, whole.
    pub client_id: Option<Vec<u8>>,
    /// Option 50, in place of what the kind says.
    pub requested: Option<std::net::Ipv4Addr>,
    /// Option 54, in place of what the kind says.
    pub server_id: Option<std::net::Ipv4Addr>,
    /// The broadcast flag.
    pub broadcast: bool,
}

/// DHCP messages (RFC 2131 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhcpKind {
    /// A DISCOVER; ends with the OFFER.
    Discover,
    /// A REQUEST of the address that was offered last, by broadcast.
    Request,
    /// DISCOVER and REQUEST; the address is used from then on.
    Lease,
    /// A REQUEST as after a reboot: option 50 without option 54.
    Reboot,
    /// A REQUEST from the leased address, by unicast.
    Renew,
    /// A REQUEST from the leased address, by broadcast.
    Rebind,
    /// An INFORM from an address of the client's own.
    Inform,
    /// A RELEASE of the lease; nothing is answered.
    Release,
}

/// A PnP client.
#[derive(Debug, Clone, PartialEq)]
pub struct PnpSubscribe {
    /// The value of Event; empty = `ua-profile` with the phone's vendor, model and version.
    pub event: Option<Template>,
    /// The SUBSCRIBE is sent so often in all, half a second apart, each the same bytes.
    pub copies: u16,
    /// The NOTIFY is answered 200.
    pub answer: bool,
}

/// An SNTP client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SntpAsk {
    /// The version that it says, 1 to 4.
    pub version: u8,
}

/// An FTP client.
#[derive(Debug, Clone, PartialEq)]
pub struct FtpGet {
    /// What RETR names.
    pub path: Template,
    /// `path` is sent as it is, not below the root.
    pub raw: bool,
    /// The server opens the data connection (PORT).
    pub active: bool,
    /// In place of the user that the plan has for the phone, or `anonymous`.
    pub user: Option<Template>,
    /// In place of the password that the plan has for the phone.
    pub password: Option<Template>,
}

/// A multicast DNS client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MdnsQuery {
    /// The name asked for: `_http._tcp.local`.
    pub service: String,
    /// The record type, a number: 12 = PTR.
    pub kind: u16,
}

/// A SIP client that registers.
#[derive(Debug, Clone, PartialEq)]
pub struct SipRegister {
    /// The user part of the address.
    pub user: Template,
    /// The domain; without one the server's address.
    pub domain: Option<Template>,
    /// In place of `user` in the credentials.
    pub auth_user: Option<Template>,
    /// The password.
    pub password: Template,
    /// Seconds asked for.
    pub expires: u32,
}

/// A TCP client.
#[derive(Debug, Clone, PartialEq)]
pub struct TcpConnect {
    /// The protocol's own port.
    pub port: u16,
    /// TLS, and which.
    pub tls: Option<TlsVersion>,
    /// The name that TLS asks for, in place of the server's address.
    pub host: Option<Template>,
    /// The certificate must be one that the run trusts.
    pub verify: bool,
    /// Written once it is open.
    pub send: Option<Template>,
}

impl ProbeStep {
    /// A step done once, without waits, given up after `timeout`.
    #[must_use]
    pub fn once(ask: Ask, timeout: Duration) -> Self {
        Self {
            ask,
            wait: Duration::ZERO,
            timeout,
            listen: Duration::ZERO,
            times: 1,
            same_as: None,
        }
    }
}

impl TftpRead {
    /// A plain read of a file below the root, in octets.
    #[must_use]
    pub fn plain(file: &str) -> Self {
        Self {
            file: Template::literal(file),
            raw: false,
            mode: "octet".to_owned(),
            options: Vec::new(),
            lose: None,
            lose_block: 1,
            lose_times: 1,
            repeat_request: false,
            twice: None,
            stray_after: None,
            wrong_ack_after: None,
            late_request_after: None,
            error_after: None,
            silent_after: None,
            ack_delay: Duration::ZERO,
            same_port: false,
            netascii: false,
        }
    }
}

impl HttpGet {
    /// A plain GET of a path below the root.
    #[must_use]
    pub fn plain(path: &str) -> Self {
        Self {
            path: Template::literal(path),
            raw: false,
            method: "GET".to_owned(),
            old: false,
            host: None,
            headers: Vec::new(),
            body: String::new(),
            tls: None,
            verify: false,
            same_connection: false,
            pipelined: 1,
            condition: None,
            auth: None,
            follow: 0,
        }
    }
}

impl HttpAuth {
    /// With the user and password that the plan has for the phone.
    #[must_use]
    pub fn of_plan(scheme: HttpScheme) -> Self {
        Self {
            scheme,
            user: None,
            password: None,
            kept_nonce: false,
            again: false,
        }
    }
}

impl FtpGet {
    /// A passive retrieval of a file below the root.
    #[must_use]
    pub fn plain(path: &str) -> Self {
        Self {
            path: Template::literal(path),
            raw: false,
            active: false,
            user: None,
            password: None,
        }
    }
}

impl Ask {
    /// The kind, as files write it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Tftp(_) => "tftp-read",
            Self::Http(_) => "http-get",
            Self::Dhcp(_) => "dhcp",
            Self::Pnp(_) => "pnp-subscribe",
            Self::Sntp(_) => "sntp",
            Self::Ftp(_) => "ftp-get",
            Self::Mdns(_) => "mdns-query",
            Self::Sip(_) => "sip-register",
            Self::Tcp(_) => "tcp-connect",
            Self::Nothing => "wait",
        }
    }
}

#[cfg(test)]
mod tests;
