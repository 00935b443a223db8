//! The phone's address: leased or typed, found, renewed and lost.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::stage::Stage;
use super::turn::Turn;
use super::{Life, params};
use crate::discovery::dhcp::{Asked, LeaseNews};
use crate::event::{BootCause, EventKind, Trigger};
use crate::profile::Param;

impl Life {
    /// Asks for an address, or takes the one that is typed (FAN-63, FAN-96).
    pub(super) fn ask_for_address(&mut self, turn: &mut Turn<'_>) {
        let own = params::text(turn, &self.flash, Param::OwnAddress);
        let own = own.trim().parse().ok();
        let usable =
            |own: &Ipv4Addr| !(own.is_unspecified() || own.is_broadcast() || own.is_multicast());
        if let Some(own) = own.filter(usable) {
            let news = self.dhcp.configure(turn, own);
            return self.lease_news(turn, Some(news));
        }
        let asked = Asked {
            with_67: params::is_on(turn, &self.flash, Param::Option67Enable),
            url_option: params::url_option(turn, &self.flash),
        };
        self.dhcp.start(turn, asked);
    }

    /// The DHCP client is due; it asks for the option that is chosen now.
    pub(super) fn lease_tick(&mut self, turn: &mut Turn<'_>) -> Option<LeaseNews> {
        self.dhcp.ask_for(params::url_option(turn, &self.flash));
        self.dhcp.tick(turn)
    }

    /// Follows the lease.
    pub(super) fn lease_news(&mut self, turn: &mut Turn<'_>, news: Option<LeaseNews>) {
        match news {
            None => {}
            Some(LeaseNews::Bound) => {
                turn.address = self
                    .dhcp
                    .lease()
                    .map_or(turn.address, |lease| lease.address);
                if let Stage::Addressing(trigger) = &self.stage {
                    let trigger = *trigger;
                    self.addressed(turn, trigger);
                } else if self.registrations.moved(turn.address) {
                    self.registrations.renew(turn, &self.flash);
                }
            }
            Some(LeaseNews::Renewed) => self.due(turn, Trigger::Renewal, false),
            Some(LeaseNews::Lost) => {
                turn.address = Ipv4Addr::UNSPECIFIED;
                self.registrations.unplug(turn);
                self.acs_unplug(turn);
                self.settling = false;
                let trigger = match &self.stage {
                    // What a server ordered is taken up again by itself.
                    Stage::Running(_) => self
                        .abort_run(turn)
                        .filter(|trigger| *trigger != Trigger::Download),
                    Stage::Delaying { trigger, .. } => Some(*trigger),
                    Stage::Timing { trigger, .. } => *trigger,
                    Stage::SoftRebooting { .. } => Some(Trigger::SoftReboot),
                    Stage::Idle => None,
                    Stage::Off
                    | Stage::Booting { .. }
                    | Stage::Addressing(_)
                    | Stage::Installing { .. } => return,
                };
                self.enter(Stage::Addressing(trigger));
            }
        }
    }

    /// The phone has an address: it waits its random delay, runs, or is idle.
    pub(super) fn addressed(&mut self, turn: &mut Turn<'_>, trigger: Option<Trigger>) {
        let Some(trigger) = trigger else {
            // Where nothing is provisioned nothing needs the time: checked once activated, AUE-06.
            let enabled = params::is_on(turn, &self.flash, Param::ProvisionEnable);
            if !enabled || self.has_time(turn, None) {
                self.idle(turn);
            }
            return;
        };
        let random = matches!(
            trigger,
            Trigger::Boot(BootCause::Power | BootCause::User | BootCause::FactoryReset)
        );
        let most = params::number(turn, &self.flash, Param::RandomDelayS);
        if !random || most == 0 {
            self.start_run(turn, trigger);
            return;
        }
        let nanos = turn.rng.up_to(most.saturating_mul(1_000_000_000));
        let until = turn.after_policy(Duration::from_nanos(nanos));
        turn.event(EventKind::Delayed { until });
        self.enter(Stage::Delaying { until, trigger });
        if until <= turn.now {
            self.start_run(turn, trigger);
        }
    }
}
