//! One file: the state machines that fetch it. They emit `Sent`, `Retried`, `Wrong`, `Late`,
//! `Challenged`, `Redirected` and `LimitReached`; what the ending means is the walk's business.

pub mod ftp;
pub mod http;
pub mod tftp;

use std::rc::Rc;

use crate::bodies::Body;
use crate::event::Fault;

/// Bytes of a body that must come within one timeout, so that a server which sends a byte now and
/// then cannot hold a phone for ever.
pub(crate) const PROGRESS_BYTES_MIN: usize = 1 << 10;

/// How a transfer ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// The file is here.
    Found(Rc<Body>),
    /// The server says that it is not there.
    Missing,
    /// It could not be had.
    Failed(Fault),
}
