//! Effects performed: the sockets behind a real attachment.
//!
//! | module | owns |
//! |---|---|
//! | `udp` | a UDP socket that many phones share, each with its own source address |
//! | `tcp` | one task for each TCP or TLS connection |
//! | `ftp` | one task for each FTP retrieval, by suppaftp |
//! | `tls` | what phones bring to a TLS handshake, and why handshakes failed |

pub mod ftp;
pub mod tcp;
pub mod tls;
pub mod udp;
