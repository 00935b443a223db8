//! The reference provisioning server, as a value: `(now, peer, request) → replies`.
//!
//! No part of it holds a socket or reads a clock, so a simulated network calls it directly and a
//! run repeats exactly; `adapter` puts it behind real sockets. It knows no vendor: what it serves
//! is `content`, what it says to whom are rules in its configuration.
//!
//! | module | owns |
//! |---|---|
//! | `content` | what is served: a tree in memory, or a directory of the user's |
//! | `dhcp` | DHCP with pools, sticky leases and option rules |
//! | `tftp` | TFTP transfers with option negotiation and retransmission |
//! | `ftp` | FTP logins and files, passive and active |
//! | `http` | GET and HEAD with validators, redirects, Basic and Digest |
//! | `http/connection` | the same for raw bytes, without hyper |
//! | `acs` | TR-069: sessions that go through a script |
//! | `pnp` | SIP PnP: SUBSCRIBE → 200 OK and NOTIFY with a URL |
//! | `notify` | check-sync: NOTIFYs sent until they are answered |
//! | `mdns` | multicast DNS: the instance of the service for a phone |
//! | `sntp` | the time |
//! | `registrar` | SIP REGISTER with Digest, over UDP and streams |
//! | `filter` | what mutants do to all of them |
//! | `server` | all of them as one `Reference` |
//! | `counters` | what was asked, answered, refused and dropped |
//! | `certificate` | a certificate authority of the run's own for HTTPS |
//! | `adapter` | sockets around a `Reference`, in one thread |
//! | `independent` | async-tftp over the same content: a server that is not ours |

pub mod acs;
pub mod adapter;
pub mod certificate;
pub mod content;
pub mod counters;
pub mod dhcp;
pub mod filter;
pub mod ftp;
pub mod http;
pub mod independent;
pub mod mdns;
pub mod notify;
pub mod pnp;
pub mod registrar;
mod replies;
pub mod server;
pub mod sntp;
pub mod tftp;
mod timers;

pub use counters::{Counter, Counters};
pub use replies::{Datagram, Endpoint, Replies};
pub use server::{Reference, ReferenceConfig};
