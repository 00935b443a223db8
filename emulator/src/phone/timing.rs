//! The valid time that a vendor may demand before any provisioning request (AUE-05, AUE-06): the
//! stage in which a phone waits for it, and the timetable that it makes possible (AUE-21).

use std::net::Ipv4Addr;

use super::Life;
use super::io::Channel;
use super::params;
use super::stage::Stage;
use super::timetable::Timetable;
use super::turn::Turn;
use crate::clock::{ClockClient, WallClock};
use crate::event::Trigger;
use crate::limits::FRESH_CHANNELS;
use crate::profile::Param;
use crate::wire::dhcp::code;

/// Time servers of one lease that are asked.
const SERVERS_MAX: usize = 4;

impl Life {
    /// True when nothing is to be waited for; else the phone asks for the time, and goes on with
    /// `trigger` when it has it (AUE-07).
    pub(super) fn has_time(&mut self, turn: &mut Turn<'_>, trigger: Option<Trigger>) -> bool {
        if turn.profile.clock.is_none() || self.clock.is_some() {
            return true;
        }
        let servers = self.time_servers(turn);
        let channel = Channel::Fresh(self.carried.channel);
        self.carried.channel = (self.carried.channel + 1) % FRESH_CHANNELS;
        let client = Box::new(ClockClient::start(turn, &servers, channel));
        self.enter(Stage::Timing { client, trigger });
        false
    }

    /// The wait is over and the time still unknown.
    pub(super) fn ask_again(&mut self, turn: &mut Turn<'_>) {
        let servers = self.time_servers(turn);
        if let Stage::Timing { client, .. } = &mut self.stage {
            client.tick(turn, &servers);
        }
    }

    /// A datagram while the phone waits for the time.
    pub(super) fn timing(&mut self, turn: &mut Turn<'_>, channel: Channel, bytes: &[u8]) {
        let Stage::Timing { client, trigger } = &mut self.stage else {
            return;
        };
        let trigger = *trigger;
        let Some(clock) = client.datagram(turn, channel, bytes) else {
            return;
        };
        self.clock = Some(clock);
        match trigger {
            Some(trigger) => self.start_run(turn, trigger),
            None => self.idle(turn),
        }
    }

    /// Sets the next run of the timetable, unless it is set already. A random delay is drawn once
    /// for each of its days. Without valid time there is none.
    pub(super) fn arm_timetable(&mut self, turn: &mut Turn<'_>) {
        let table = Timetable::of(turn, &self.flash);
        let held = self.schedule.timetable;
        if table.is_some() && held.map(|(_, table)| table) == table {
            return;
        }
        self.schedule.timetable = table.zip(self.clock).and_then(|(table, clock)| {
            let wait = table.wait(turn, WallClock::unix_s(clock, turn.now));
            turn.run_after(wait).map(|at| (at, table))
        });
    }

    /// Those of the lease, else that of the phone's page.
    fn time_servers(&self, turn: &Turn<'_>) -> Vec<Ipv4Addr> {
        let lease = self.dhcp.lease();
        let listed = lease
            .iter()
            .flat_map(|lease| lease.addresses(code::NTP_SERVERS));
        let usable = |address: &Ipv4Addr| {
            !(address.is_unspecified() || address.is_broadcast() || address.is_multicast())
        };
        let listed: Vec<Ipv4Addr> = listed.filter(usable).take(SERVERS_MAX).collect();
        if !listed.is_empty() {
            return listed;
        }
        let own = params::text(turn, &self.flash, Param::NtpServer);
        turn.shelf.resolve(own.trim()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
