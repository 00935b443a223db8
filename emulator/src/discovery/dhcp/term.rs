//! The term of a lease: it begins with an ACK, is extended, or runs out (RFC 2131 §4.4.5).

use std::net::Ipv4Addr;
use std::time::Duration;

use super::lease::{kept_file, kept_options, source_options};
use super::outgoing::Outgoing;
use super::{DhcpClient, Lease, LeaseNews, State};
use crate::event::{EventKind, Fault};
use crate::phone::io::Effect;
use crate::phone::turn::Turn;
use crate::profile::StepId;
use crate::wire::dhcp::{Message, MessageType, code};

/// The shortest wait between repeats in renewal and rebinding (RFC 2131 §4.4.5).
const RENEW_WAIT_MIN: Duration = Duration::from_secs(60);
/// The lease time of an ACK that names none or zero: unspecified; udhcp assumes an hour.
const LEASE_SECONDS_DEFAULT: u32 = 3_600;
/// A shorter lease is held this long all the same: unspecified; udhcp does so.
const LEASE_SECONDS_MIN: u32 = 10;
/// A lease without end (RFC 2131 §3.3).
const FOREVER: u32 = u32::MAX;

impl DhcpClient {
    pub(super) fn bind(
        &mut self,
        turn: &mut Turn<'_>,
        message: &Message<'_>,
        address: Ipv4Addr,
        server: Ipv4Addr,
    ) -> Option<LeaseNews> {
        let step = self.step();
        let renewed = self
            .lease
            .as_ref()
            .is_some_and(|lease| lease.address == address);
        let seconds = match message.number(code::LEASE_TIME) {
            Some(seconds) if seconds > 0 => seconds,
            _ => {
                self.wrong(turn, Fault::Incomplete);
                LEASE_SECONDS_DEFAULT
            }
        };
        self.answered(turn, step);
        turn.event(EventKind::Leased {
            address,
            seconds,
            renewed,
        });
        if !renewed {
            turn.out.effects.push(Effect::Address(Some(address)));
        }
        let options = kept_options(turn, message, self.asked.url_option);
        self.lease = Some(Lease {
            address,
            server,
            options,
            file: kept_file(turn, message),
        });
        self.state = State::Bound(step);
        self.set_lease_timers(message, seconds);
        if !renewed {
            return Some(LeaseNews::Bound);
        }
        let lease = self.lease.as_ref();
        let serves = |code| lease.is_some_and(|lease| lease.option(code).is_some());
        let again = turn.profile.dhcp.run_at_renewal
            && source_options(turn, self.asked.url_option).any(serves);
        again.then_some(LeaseNews::Renewed)
    }

    /// T1, T2 and expiry count from the moment the REQUEST was sent (RFC 2131 §4.4.5), in real
    /// time. Options 58 and 59 count where they keep 0 < T1 < T2 < lease; else both are the
    /// defaults, half and seven eighths. No random fuzz is added: udhcp adds none.
    fn set_lease_timers(&mut self, message: &Message<'_>, seconds: u32) {
        if seconds == FOREVER {
            self.due = None;
            return;
        }
        let whole = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let lease = whole(seconds.max(LEASE_SECONDS_MIN));
        let defaults = (lease / 2, lease / 8 * 7);
        let given = |code, default| message.number(code).map_or(default, whole);
        let (t1, t2) = (
            given(code::RENEWAL_TIME, defaults.0),
            given(code::REBINDING_TIME, defaults.1),
        );
        let sound = !t1.is_zero() && t1 < t2 && t2 < lease;
        let (t1, t2) = if sound { (t1, t2) } else { defaults };
        self.due = Some(self.last_sent + t1);
        self.rebind_at = self.last_sent + t2;
        self.expires_at = self.last_sent + lease;
    }

    /// A lease timer is due: renew, rebind, repeat that, or give the address up.
    pub(super) fn extend(&mut self, turn: &mut Turn<'_>) -> Option<LeaseNews> {
        let Some((address, server)) = self.lease.as_ref().map(|held| (held.address, held.server))
        else {
            self.discover(turn);
            return None;
        };
        if turn.now >= self.expires_at {
            return self.expire(turn);
        }
        if matches!(self.state, State::Bound(_)) {
            self.attempt = 0;
            self.strays = 0;
        }
        let rebinding = turn.now >= self.rebind_at;
        let (state, to, until) = if rebinding {
            (State::Rebinding, Ipv4Addr::BROADCAST, self.expires_at)
        } else {
            (State::Renewing, server, self.rebind_at)
        };
        self.state = state;
        self.new_xid(turn);
        // RFC 2131 §4.3.2: ciaddr says which lease; options 50 and 54 must not be there.
        let request = Outgoing {
            kind: MessageType::Request,
            to,
            ciaddr: address,
            requested: None,
            server: None,
        };
        self.send(turn, StepId::RENEW, request);
        // RFC 2131 §4.4.5: half the time that is left, but at least a minute.
        let wait = (until.since(turn.now) / 2).max(RENEW_WAIT_MIN);
        self.due = Some((turn.now + wait).min(until));
        None
    }

    fn expire(&mut self, turn: &mut Turn<'_>) -> Option<LeaseNews> {
        if !matches!(self.state, State::Bound(_)) {
            let (step, fault) = (StepId::RENEW, Fault::Silence);
            turn.event(EventKind::GaveUp { step, fault });
        }
        turn.event(EventKind::LeaseLost);
        turn.out.effects.push(Effect::Address(None));
        self.lease = None;
        self.discover(turn);
        Some(LeaseNews::Lost)
    }
}
