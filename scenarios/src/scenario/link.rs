//! `[link]` and `[fleet.link]`: conditions of links, a fleet's laid over those of all.

use std::time::Duration;

use bootstorm_emulator::located::{Place, Reader};

use crate::link::{Link, Stall};

/// The fastest link, in thousands of bits per second.
const BANDWIDTH_MAX: u32 = 100_000_000;
/// The longest delay, jitter or silence: a day.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

/// Where a file says what of a link, for faults that only show against the fleets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinkPlaces {
    /// The first condition of connections only.
    pub connections: Option<Place>,
    /// The first condition of datagrams only.
    pub datagrams: Option<Place>,
}

/// A link's conditions; what the table does not say is as in `base`.
pub(super) fn link(table: &Reader<'_>, base: Link) -> (Link, LinkPlaces) {
    let per_mille = |key, base| table.may(key).number(0..=1_000).unwrap_or(base);
    let wait = |key, base| {
        let slot = table.may(key);
        let wait = slot.duration();
        if wait.is_some_and(|it| it > WAIT_MAX) {
            slot.unexpected("a time in milliseconds, a day at most");
        }
        wait.unwrap_or(base)
    };
    let bandwidth = table.may("bandwidth_kbit_s");
    let after = table.may("reset_after_bytes");
    let rate = table.may("reset_per_mille");
    // Every connection, where it is said after how much, but not how many.
    let all = match base.reset_per_mille {
        0 if after.is_given() => 1_000,
        rate => rate,
    };
    let link = Link {
        loss_per_mille: per_mille("loss_per_mille", base.loss_per_mille),
        duplicate_per_mille: per_mille("duplicate_per_mille", base.duplicate_per_mille),
        reorder_per_mille: per_mille("reorder_per_mille", base.reorder_per_mille),
        delay: wait("delay_ms", base.delay),
        jitter: wait("jitter_ms", base.jitter),
        bandwidth_kbit_s: bandwidth
            .number(0..=BANDWIDTH_MAX)
            .unwrap_or(base.bandwidth_kbit_s),
        reset_per_mille: rate.number(0..=1_000).unwrap_or(all),
        reset_after_bytes: after
            .number(0..=i64::MAX as u64)
            .unwrap_or(base.reset_after_bytes),
        stall: table.may("stall").table().map_or(base.stall, |table| {
            let lasts = table.need("for_ms").duration().unwrap_or_default();
            let after_bytes = table.may("after_bytes").number(0..=i64::MAX as u64);
            let after_bytes = after_bytes.unwrap_or(0);
            (!lasts.is_zero()).then_some(Stall { after_bytes, lasts })
        }),
    };
    let first = |keys: &[&str]| {
        let mut slots = keys.iter().map(|key| table.may(key));
        slots.find(|slot| slot.is_given()).map(|slot| slot.place())
    };
    let places = LinkPlaces {
        connections: first(&["reset_per_mille", "reset_after_bytes", "stall"]),
        datagrams: first(&[
            "loss_per_mille",
            "duplicate_per_mille",
            "reorder_per_mille",
            "jitter_ms",
        ]),
    };
    (link, places)
}
