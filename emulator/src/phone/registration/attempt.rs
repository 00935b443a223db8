//! A REGISTER under way.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::binding::{NEVER, T1};
use crate::event::Fault;
use crate::time::Moment;

/// What was before an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Registered,
    Failed(Fault),
}

/// A REGISTER under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) before: Before,
    pub(super) to: SocketAddrV4,
    pub(super) message: Box<[u8]>,
    pub(super) branch: u64,
    /// When the present request left first; `None` while its connection is not made.
    pub(super) sent: Option<Moment>,
    /// When it leaves again; never over TCP.
    pub(super) next: Moment,
    pub(super) wait: Duration,
    pub(super) give_up: Moment,
    pub(super) count: u8,
    pub(super) expires_s: u32,
    pub(super) credentials: Credentials,
    /// A 423 was heeded.
    pub(super) raised: bool,
    /// A connection that had served before was found closed, and made anew.
    pub(super) redialled: bool,
}

/// Which credentials the present request carries; as for HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    Unsent,
    /// For a nonce of an earlier transaction, which may have run out.
    Reused,
    Sent,
    /// For a second nonce, after the first one was said to be stale.
    Renewed,
}

impl Attempt {
    /// An attempt whose message is still to be written.
    pub(super) fn new(before: Before, to: SocketAddrV4, expires_s: u32) -> Self {
        Self {
            before,
            to,
            message: Box::default(),
            branch: 0,
            sent: None,
            next: NEVER,
            wait: T1,
            give_up: NEVER,
            count: 1,
            expires_s,
            credentials: Credentials::Unsent,
            raised: false,
            redialled: false,
        }
    }
}
