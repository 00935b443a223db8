//! The auto-configuration server as a source of a run: what it orders is the candidate (FAN-03).

use super::{Order, Part, Progress, Run, RunEnd, acs_source};
use crate::cwmp::memory::Holds;
use crate::cwmp::transfer;
use crate::event::Fault;
use crate::phone::holdings::Holdings;
use crate::phone::turn::Turn;
use crate::phone::walk::WalkEnd;
use crate::url::Url;

impl Run {
    /// The run waits for what the auto-configuration server says.
    pub(in crate::phone) fn awaits_acs(&self) -> bool {
        matches!(&self.part, Part::Search(search) if search.awaits_acs())
    }

    /// The server's session is over; it ordered this, or nothing.
    pub(in crate::phone) fn acs_said(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        said: Option<(Holds, Url)>,
    ) -> Option<RunEnd> {
        let Part::Search(search) = &mut self.part else {
            return None;
        };
        let (holds, url) = said.unzip();
        self.ordered = holds.map(Order::Open);
        let progress = search.acs_said(turn, url);
        self.carried = search.carried();
        match progress {
            Progress::Waiting => None,
            Progress::Over(offer) => {
                self.end_search();
                let end = offer.and_then(|offer| self.offered(turn, holdings, offer));
                self.go_on(turn, holdings, end)
            }
        }
    }

    /// The fault code of the ordered download, once it is over; 0 = none.
    pub(in crate::phone) fn order_code(&self) -> Option<u16> {
        match self.ordered {
            Some(Order::Closed(code)) => Some(code),
            Some(Order::Open(_)) | None => None,
        }
    }

    /// What the present candidate is ordered to hold.
    pub(super) fn open_order(&self, turn: &Turn<'_>) -> Option<Holds> {
        let by_server = self.source == acs_source(turn).unwrap_or(u8::MAX);
        match self.ordered {
            Some(Order::Open(holds)) if by_server => Some(holds),
            _ => None,
        }
    }

    /// The present candidate came to its end.
    pub(super) fn close_order(&mut self, turn: &Turn<'_>, end: &WalkEnd) {
        if self.open_order(turn).is_none() {
            return;
        }
        let had = end.fetched > 0 && !end.upgrade_failed || end.soft_reboot;
        let fault = end.fault.unwrap_or(Fault::BadTarget);
        let code = if had { 0 } else { transfer::code(fault) };
        self.ordered = Some(Order::Closed(code));
    }
}
