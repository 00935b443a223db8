//! What went over a phone's wire: packets as the phone sees them, and the messages in them. The
//! judge reads messages, captures are written from packets; both are the same for a virtual phone
//! and for a handset that was listened to.
//!
//! | module | owns |
//! |---|---|
//! | `record` | the packets of one phone, bounded |
//! | `message` | packets decoded: a name and fields for each message |
//! | `decode` | how they are decoded, a file for each protocol |
//! | `vocabulary` | which names and fields there are |

mod decode;
pub mod message;
pub mod record;
pub mod vocabulary;

use std::net::SocketAddrV4;

use bootstorm_emulator::time::Moment;

/// Which way a packet went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// From the phone.
    Sent,
    /// To the phone.
    Received,
}

/// What carries a packet's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// One UDP payload.
    Udp,
    /// A part of a TCP connection.
    Tcp {
        /// The phone's name for the connection, never used twice by one phone.
        connection: u32,
        /// Which part.
        part: Part,
        /// The bytes are what was inside TLS.
        tls: bool,
    },
}

/// A part of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The phone begins to connect.
    Opening,
    /// The connection (with TLS, its handshake too) stands.
    Opened,
    /// Bytes.
    Data,
    /// The end of what this side sends.
    Closed,
    /// It was refused, reset or broke off.
    Failed,
}

/// Why a connection failed: what `Packet::bytes` of a `Part::Failed` says. An FTP server's refusal
/// is `FTP_REPLY` with its code.
pub mod failure {
    /// Nobody listens there.
    pub const REFUSED: &str = "refused";
    /// No answer in time.
    pub const TIMED_OUT: &str = "timed out";
    /// The peer reset it.
    pub const RESET: &str = "reset";
    /// The TLS handshake failed.
    pub const TLS: &str = "TLS handshake failed";
    /// Before the code of an FTP server's refusal.
    pub const FTP_REPLY: &str = "FTP reply ";
    /// The FTP data connection could not be made.
    pub const FTP_DATA: &str = "no FTP data connection";
    /// Our own side had no descriptor or address left.
    pub const LOCAL: &str = "no descriptor or address left on this side";
    /// The phone lost power.
    pub const POWER_CUT: &str = "power cut";
}

/// One packet as its phone sees it: well-known ports, the phone's own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it left or arrived, on the run's clock.
    pub at: Moment,
    /// Which way it went.
    pub way: Way,
    /// The phone's end; 0.0.0.0 while it has no address.
    pub phone: SocketAddrV4,
    /// The other end.
    pub peer: SocketAddrV4,
    /// UDP or TCP.
    pub carrier: Carrier,
    /// Its length on the wire; `bytes` is shorter where the record keeps no more.
    pub length: u32,
    /// The payload. A connection's failure has none: there it is why, in words, and `length` is 0.
    pub bytes: &'a [u8],
}
