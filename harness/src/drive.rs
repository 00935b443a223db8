//! Effects performed: the sockets behind a real attachment.
//!
//! | module | owns |
//! |---|---|
//! | `udp` | a UDP socket that many phones share, each with its own source address |
//! | `tcp` | one task for each TCP or TLS connection |

pub mod tcp;
pub mod udp;
