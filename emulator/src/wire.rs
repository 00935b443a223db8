//! Pure codecs, both directions. Decoders borrow from the packet and allocate nothing; encoders
//! append to a buffer.

pub mod dhcp;
pub mod dns;
pub mod http;
pub mod port;
pub mod sip;
pub mod sntp;
pub mod soap;
pub mod tftp;

/// Bytes that do not follow their protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct Malformed {
    /// What is wrong, in lower case: "options end inside option 66".
    pub what: &'static str,
    /// Where, from the start of the packet.
    pub offset: u32,
}

impl Malformed {
    /// `what` is wrong at `offset`.
    #[must_use]
    pub fn new(what: &'static str, offset: usize) -> Self {
        Self {
            what,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        }
    }
}
