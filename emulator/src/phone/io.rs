//! What goes into a phone and what comes out of it: plain values, no I/O.
//!
//! Whoever drives a phone performs the effects (sends the bytes, opens the connections) and hands
//! back what arrives. The output arena is reused from step to step, so a packet costs no
//! allocation.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

use crate::event::{Event, EventKind};
use crate::time::Moment;

/// A UDP endpoint of one phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// The DHCP client, port 68.
    Dhcp,
    /// The SIP user agent, port 5060.
    Sip,
    /// The endpoint that sends SIP PnP SUBSCRIBEs from a port of its own.
    Pnp,
    /// A fresh ephemeral port. Equal numbers are the same port, another number is another port
    /// (WIRE-07: a fresh port for each file, the same one for a repeat).
    Fresh(u16),
}

/// A TCP connection of one phone, numbered by the phone. A number comes again only when all of its
/// range were used: runs have 0 to 0x7fff, sessions with an auto-configuration server 0x8000 to
/// 0xbfff, registrars the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection(pub u16);

impl Connection {
    /// The connection so many numbers further, in the same range.
    pub(crate) fn plus(self, further: u16) -> Self {
        let room: u16 = if self.0 < 0x8000 { 0x8000 } else { 0x4000 };
        let within = room - 1;
        Self((self.0 & !within) | (self.0.wrapping_add(further) & within))
    }
}

/// What a driver tells a phone.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Power is applied. Ignored by a phone that is on.
    Power,
    /// Power is cut: everything but flash is lost.
    PowerCut,
    /// The phone is switched off in good order: it gives its lease back (RFC 2131 §4.4.6).
    ShutDown,
    /// The moment named by `Phone::deadline` has come (or passed).
    Tick,
    /// A UDP payload arrived.
    Datagram {
        /// Which endpoint it was addressed to.
        channel: Channel,
        /// Who sent it.
        from: SocketAddrV4,
        /// The UDP payload.
        bytes: &'a [u8],
    },
    /// A connection asked for by `Effect::Open` is established (with TLS: after the handshake).
    Opened(Connection),
    /// Bytes arrived on a connection, in order.
    Bytes(Connection, &'a [u8]),
    /// The peer closed the connection in good order.
    Closed(Connection),
    /// The connection could not be made, or broke.
    Failed(Connection, ConnectionFault),
    /// An HTTP request arrived at the phone's connection request port (TR-069 §3.2.2); answered
    /// by `Effect::Reply` within the same step.
    Request {
        /// The driver's name for it.
        request: Request,
        /// Who asks.
        from: SocketAddrV4,
        /// The request line and header section, CRLFCRLF included; at most `HEADER_BYTES_MAX`.
        bytes: &'a [u8],
    },
    /// The segment says that another host uses the address that the phone was given, or holds: the
    /// phone declines it and starts over (RFC 2131 §3.1.5, RFC 5227 §2.1.1).
    AddressTaken(Ipv4Addr),
    /// The user answers what the phone asked (`EventKind::Prompted`) on its display.
    Operator(Answer<'a>),
    /// The user presses a button on the phone's web page.
    Web(WebAction<'a>),
    /// A call begins (true) or the phone is idle again (false).
    Call(bool),
}

/// An HTTP request that a driver took in for a phone, numbered by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request(pub u32);

/// What a user does when the phone's display asks for something (FAN-52, FAN-57).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Types the file id.
    FileId(&'a str),
    /// Types user name and password.
    Credentials {
        /// The user name.
        user: &'a str,
        /// The password.
        password: &'a str,
    },
    /// Presses "cancel".
    Abandon,
}

/// Why a connection failed, as far as a phone can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionFault {
    /// Nobody listens there.
    Refused,
    /// No answer in time.
    TimedOut,
    /// The peer reset it.
    Reset,
    /// The TLS handshake failed (certificate not trusted, no common version).
    Tls,
    /// An FTP server refused with this reply code (RFC 959 §4.2), mostly 400 to 599; or said this
    /// where something else was due.
    Ftp(u16),
    /// The FTP control connection is there, the data connection could not be made, or was to lead
    /// to another host than the server (RFC 2577 §3).
    FtpData,
    /// Our own side had no descriptor or address left: never the server's fault.
    Local,
}

/// Who opens the data connection of an FTP retrieval (RFC 959 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FtpMode {
    /// The phone, where the server says (PASV).
    #[default]
    Passive,
    /// The server, to a port that the phone names (PORT).
    Active,
}

/// What a user does on the phone's web page.
#[derive(Debug, Clone, Copy)]
pub enum WebAction<'a> {
    /// Types a value into the field of an engine parameter; takes effect when saved.
    Set(crate::profile::Param, &'a str),
    /// Save: keeps the values, starts nothing (FLY-98).
    Save,
    /// Save & Apply: keeps the values and starts a run (FLY-98).
    SaveAndApply,
    /// "Start provisioning": a run now, with the fields as they were saved (AUE-03, GIG-55).
    Start,
    /// "Restore backup": applies an uploaded document (AUE-01).
    Restore(&'a [u8]),
    /// Reboot button.
    Reboot,
    /// Factory reset: flash is cleared, then the phone reboots.
    FactoryReset,
}

/// What a phone asks its driver to do. Byte ranges point into `Outputs::bytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send one UDP payload. `to` is the phone's own view: the protocol's well-known port;
    /// attachments map it to wherever the subject listens.
    Send {
        /// The endpoint to send from.
        channel: Channel,
        /// Destination as the phone means it.
        to: SocketAddrV4,
        /// The payload.
        bytes: Range<usize>,
    },
    /// Open a TCP connection; answered by `Input::Opened` or `Input::Failed`.
    Open {
        /// The phone's name for it.
        connection: Connection,
        /// Destination as the phone means it.
        to: SocketAddrV4,
        /// With TLS: the server name to verify, UTF-8.
        tls: Option<Range<usize>>,
    },
    /// Write bytes on an open connection, after all earlier ones.
    Write {
        /// Which connection.
        connection: Connection,
        /// What to write.
        bytes: Range<usize>,
    },
    /// Close a connection; nothing is reported for it any more.
    Close(Connection),
    /// Retrieve a file by FTP: log in, TYPE I, RETR. The content comes as `Input::Bytes` in order,
    /// its end as `Input::Closed`; a refusal or a broken connection as `Input::Failed`. Ended
    /// early by `Effect::Close`.
    Retrieve {
        /// The phone's name for it.
        connection: Connection,
        /// The server as the phone means it.
        to: SocketAddrV4,
        /// Who opens the data connection.
        mode: FtpMode,
        /// User name, UTF-8 without CR, LF or NUL.
        user: Range<usize>,
        /// Password, likewise.
        password: Range<usize>,
        /// The path, likewise.
        path: Range<usize>,
    },
    /// Answer an HTTP request, then close its connection.
    Reply {
        /// The driver's name for it.
        request: Request,
        /// The whole response.
        bytes: Range<usize>,
    },
    /// The phone configured (or gave up) its IPv4 address.
    Address(Option<Ipv4Addr>),
}

/// What one or more steps produced. Reused: `clear` keeps the allocations.
#[derive(Debug, Default)]
pub struct Outputs {
    /// The arena that effects point into.
    pub bytes: Vec<u8>,
    /// What the driver must do, in order.
    pub effects: Vec<Effect>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl Outputs {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.effects.clear();
        self.events.clear();
    }

    /// Records an event.
    pub fn event(&mut self, at: Moment, kind: EventKind) {
        self.events.push(Event { at, kind });
    }

    /// Sends the payload that `write` appends to the arena; returns its length in bytes.
    pub fn send(
        &mut self,
        channel: Channel,
        to: SocketAddrV4,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let bytes = start..self.bytes.len();
        let length = bytes.len();
        self.effects.push(Effect::Send { channel, to, bytes });
        length
    }

    /// Writes what `write` appends to the arena on an open connection; returns its length.
    pub fn write(&mut self, connection: Connection, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let bytes = start..self.bytes.len();
        let length = bytes.len();
        self.effects.push(Effect::Write { connection, bytes });
        length
    }

    /// The bytes of a range that an effect names.
    #[must_use]
    pub fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_stay_in_their_range() {
        for (from, further, to) in [
            (0, 1, 1),
            (0x7fff, 1, 0),
            (0x7ffe, 3, 1),
            (0x8000, 0x3fff, 0xbfff),
            (0xbfff, 1, 0x8000),
            (0xffff, 2, 0xc001),
        ] {
            assert_eq!(Connection(from).plus(further), Connection(to));
        }
    }
}
