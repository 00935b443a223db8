//! What is under way on the simulated network.

use std::net::SocketAddrV4;

use bootstorm_emulator::phone::io::{Channel, ConnectionFault};

use crate::fleet::shard::End;
use crate::reference::Endpoint;

/// A datagram, or what happens to a connection.
#[derive(Debug)]
pub(super) enum Cargo {
    Up {
        to: Endpoint,
        from: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Down {
        slot: u32,
        channel: Channel,
        from: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Opened(End),
    Refused(End),
    StreamUp(End, Vec<u8>),
    StreamDown(End, Vec<u8>),
    StreamEnd(End),
    Broken(End, ConnectionFault),
    /// An FTP dialogue has come to the point where the file is to be sent.
    Retrieved(End),
}
