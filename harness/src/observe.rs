//! Phones that are listened to: frames of a capture, an interface or a program become for each
//! phone the record that a virtual phone's recorder would have written, so that the same decoder
//! and the same judge read both.
//!
//! | module | owns |
//! |---|---|
//! | `file` | pcap and pcapng, read as a stream |
//! | `source` | where frames come from: a file, an interface, a program |
//! | `link` | what lies around an IPv4 packet: Ethernet, VLAN tags, cooked and raw links |
//! | `ip` | IPv4 packets, and fragments put together |
//! | `host` | one phone: its record, and what is known of it |
//! | `observer` | whose a packet is |
//! | `datagram` | what UDP carries |
//! | `segment` | TCP connections followed and put in order |
//! | `told` | what connections tell the phones at their ends |
//! | `ftp` | FTP's two connections as the one retrieval that a record has |
//! | `gaps` | what nobody saw, and which cases that leaves open |
//! | `traits` | what tells one model from another on the wire |
//! | `fit` | which profile a phone fits best |
//! | `premise` | whether a capture shows what a case starts from |
//! | `verdicts` | a phone judged by its vendor's cases |
//! | `tls` | what TLS shows of itself: names, versions, alerts |
//!
//! What cannot be told from the wire: what is inside TLS, why a phone that says nothing says
//! nothing, and on links without MAC addresses whose packet it is until DHCP or ARP tells.

mod datagram;
pub mod file;
pub mod fit;
mod ftp;
pub mod gaps;
mod host;
mod ip;
mod link;
mod observer;
mod premise;
mod segment;
pub mod source;
mod tls;
mod told;
pub mod traits;
pub mod verdicts;

use bootstorm_emulator::time::Moment;

pub use host::Secured;
pub use link::Link;
pub use observer::{Limits, Losses, Observer};

/// One frame as it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When, in nanoseconds since 1970.
    pub at: Moment,
    /// How its bytes begin.
    pub link: Link,
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// Its length on the wire.
    pub length: u32,
    /// Its place in what it was read from, from 1, as analysers count.
    pub number: u64,
    /// What it carries in plain was inside TLS, to this port: so our own captures say.
    pub inside_tls: Option<u16>,
}

impl<'a> Frame<'a> {
    /// A frame that is there whole.
    #[must_use]
    pub fn whole(at: Moment, link: Link, bytes: &'a [u8]) -> Self {
        Self {
            at,
            link,
            bytes,
            length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            number: 0,
            inside_tls: None,
        }
    }
}
