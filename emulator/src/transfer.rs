//! One file: the state machines that fetch it. They emit `Sent`, `Retried`, `Wrong`, `Late`,
//! `Challenged`, `Redirected` and `LimitReached`; what the ending means is the walk's business.

pub mod http;
pub mod tftp;

use std::rc::Rc;

use crate::bodies::Body;
use crate::event::Fault;

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
