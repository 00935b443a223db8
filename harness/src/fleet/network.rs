//! How packets leave a shard: the edge between phones and attachments.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::phone::io::{Channel, Connection, FtpMode, Request};
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::suite::probe::TlsVersion;

/// How packets leave a shard: what an attachment implements.
pub trait Network {
    /// Sends one UDP payload. Never blocks: what cannot leave is dropped and counted.
    fn send(&mut self, now: Moment, from: Sender, to: SocketAddrV4, bytes: &[u8]);
    /// Opens a TCP connection, with TLS where it is asked for.
    fn open(&mut self, now: Moment, opening: Opening<'_>);
    /// Writes on an open connection.
    fn write(&mut self, now: Moment, end: End, bytes: &[u8]);
    /// Retrieves a file by FTP; told to the phone as of a connection.
    fn retrieve(&mut self, now: Moment, fetch: Fetch<'_>);
    /// Closes a connection.
    fn close(&mut self, now: Moment, end: End);
    /// Answers a request that was handed to a phone as `Input::Request`.
    fn reply(&mut self, now: Moment, request: Request, bytes: &[u8]);
    /// A phone took an address, or gave up the one it had (unspecified: none). Most networks know
    /// by what it sends.
    fn address(&mut self, _now: Moment, _mac: Mac, _before: Ipv4Addr, _address: Option<Ipv4Addr>) {}
}

/// Who sends a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The phone's slot in the shard.
    pub slot: u32,
    /// Its endpoint.
    pub channel: Channel,
    /// Its address; unspecified before it has a lease.
    pub address: Ipv4Addr,
}

/// A phone's end of a TCP connection. It outlives the address that it was opened from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    /// The phone's slot in the shard.
    pub slot: u32,
    /// The phone's name for it.
    pub connection: Connection,
}

/// A connection to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The phone's end.
    pub end: End,
    /// The phone's address.
    pub from: Ipv4Addr,
    /// Where to, as the phone means it.
    pub to: SocketAddrV4,
    /// With TLS: how.
    pub tls: Option<Tls<'a>>,
}

/// A file to be retrieved by FTP.
#[derive(Clone, Copy)]
pub struct Fetch<'a> {
    /// The phone's end.
    pub end: End,
    /// The phone's address.
    pub from: Ipv4Addr,
    /// The server, as the phone means it.
    pub to: SocketAddrV4,
    /// Who opens the data connection.
    pub mode: FtpMode,
    /// User name.
    pub user: &'a str,
    /// Password.
    pub password: &'a str,
    /// What RETR names.
    pub path: &'a str,
}

/// How a phone wants TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls<'a> {
    /// The server's name.
    pub name: &'a str,
    /// Whether the phone looks at the server's certificate.
    pub verify: bool,
    /// The common name of the phone's factory certificate, where it has one.
    pub certificate: Option<&'a str>,
    /// What is offered; phones offer all that there is.
    pub version: TlsVersion,
}

/// A DHCP message that a phone sends when it is switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// The phone's address.
    pub from: Ipv4Addr,
    /// Where to.
    pub to: SocketAddrV4,
    /// The payload.
    pub bytes: Vec<u8>,
}

impl Farewell {
    /// How long to wait after each of so many. Nobody confirms a RELEASE, and servers that write a
    /// file for each have small queues; but nobody wants to wait for the end of a run either.
    #[must_use]
    pub fn pause(count: usize) -> Duration {
        const ALL: Duration = Duration::from_secs(10);
        const EACH: Duration = Duration::from_millis(5);
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        EACH.min(ALL / count)
    }
}
