//! What is done to phones, and to the server, while a run goes on.

use std::time::Duration;

use bootstorm_emulator::located::{Place, Reader, did_you_mean, nearest};
use bootstorm_emulator::profile::template::Template;

use super::Fleet;
use super::judged::conditions;
use super::load::settings;
use crate::threshold::{Condition, Domain};

mod services;

pub use services::Services;

/// How long power is gone, unless the scenario says otherwise.
const OFF: Duration = Duration::from_secs(5);
/// Waves of one step.
const WAVES_MAX: u16 = 1_000;
/// Changes of content in one scenario; each holds a tree of files of its own.
pub const CHANGES_MAX: usize = 16;

/// Something done while a run goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// When; never before the steps above it.
    pub when: When,
    /// What.
    pub action: Action,
    /// The fleet that it is for; `None` = all.
    pub fleet: Option<String>,
    /// Which of those phones: one wave of several.
    pub part: Part,
    /// What the server's files say from then on.
    pub change: Option<Change>,
    /// What is carried out by the shell, where the server is not the built-in one.
    pub command: Option<String>,
    /// What it must come to.
    pub expect: Vec<Condition>,
    /// Where the scenario says so.
    pub at: Option<Place>,
}

/// When a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Once all phones of the run are at rest, and those of the step before have answered.
    Settled,
    /// So long after the beginning of the run; a real time, never scaled.
    At(Duration),
    /// So long after the step before was taken; a real time, never scaled.
    Later(Duration),
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Sends check-sync from the subject's SIP address (FLY-99, AUE-22).
    CheckSync {
        /// The parameter `reboot`; without it the event stands alone.
        reboot: Option<bool>,
    },
    /// The auto-configuration server asks phones to begin a session (TR-069 §3.2.2).
    ConnectionRequest,
    /// The NOTIFYs leave that PnP phones have not had yet (FAN-104): `PnpNotify::Ordered`.
    PnpNotify,
    /// Phones lose their power, all together, and get it back.
    PowerCycle {
        /// How long it is gone.
        off: Duration,
        /// Each comes back after a further time, exponentially distributed with this mean; zero =
        /// all together.
        mean: Duration,
    },
    /// The server's files change: `Step::change`.
    Content,
    /// The server cannot be reached any more.
    ServerDown {
        /// Which of its services.
        services: Services,
        /// Connections are refused; without it nothing is heard.
        refuse: bool,
    },
    /// It can be reached again.
    ServerUp {
        /// Which of its services.
        services: Services,
    },
    /// Nothing, for so long; the next step comes after it.
    Wait(Duration),
}

/// One of so many parts of a fleet's phones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which one, from 0.
    pub number: u16,
    /// Of how many, above 0.
    pub of: u16,
}

/// What the server's files say from a moment on, in place of what they said before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// The firmware that phones must run in the end.
    pub firmware: Option<String>,
    /// Settings of all phones, laid over those that there are.
    pub common: Vec<(String, Template)>,
    /// Settings of each phone, laid over those that there are.
    pub own: Vec<(String, Template)>,
}

/// What the word of a step asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    CheckSync,
    ConnectionRequest,
    PnpNotify,
    PowerCycle,
    Content,
    FirmwareRollout,
    ServerDown,
    ServerUp,
    Wait,
}

const VERBS: [(Verb, &str); 9] = [
    (Verb::CheckSync, "check-sync"),
    (Verb::ConnectionRequest, "connection-request"),
    (Verb::PnpNotify, "pnp-notify"),
    (Verb::PowerCycle, "power-cycle"),
    (Verb::Content, "content"),
    (Verb::FirmwareRollout, "firmware-rollout"),
    (Verb::ServerDown, "server-down"),
    (Verb::ServerUp, "server-up"),
    (Verb::Wait, "wait"),
];

/// Keys that belong to some words only.
const OF_VERBS: [(&str, &[Verb]); 12] = [
    ("reboot", &[Verb::CheckSync]),
    ("waves", &[Verb::CheckSync, Verb::PowerCycle]),
    ("every_s", &[Verb::CheckSync, Verb::PowerCycle]),
    ("off_s", &[Verb::PowerCycle]),
    ("mean_s", &[Verb::PowerCycle]),
    ("firmware", &[Verb::Content, Verb::FirmwareRollout]),
    ("common", &[Verb::Content, Verb::FirmwareRollout]),
    ("own", &[Verb::Content, Verb::FirmwareRollout]),
    ("services", &[Verb::ServerDown, Verb::ServerUp]),
    ("how", &[Verb::ServerDown]),
    ("for_s", &[Verb::Wait]),
    (
        "command",
        &[
            Verb::Content,
            Verb::FirmwareRollout,
            Verb::ServerDown,
            Verb::ServerUp,
        ],
    ),
];

impl Part {
    /// All of them.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// Whether the phone at this place of its fleet is in it.
    #[must_use]
    pub fn has(self, within: u32) -> bool {
        within % u32::from(self.of.max(1)) == u32::from(self.number)
    }
}

impl Step {
    /// A step for all phones that nothing more is said of.
    #[must_use]
    pub fn bare(when: When, action: Action) -> Self {
        Self {
            when,
            action,
            fleet: None,
            part: Part::WHOLE,
            change: None,
            command: None,
            expect: Vec::new(),
            at: None,
        }
    }
}

impl Change {
    /// Lays it over what a fleet has.
    pub fn lay_over(&self, fleet: &mut Fleet) {
        fleet.firmware = self.firmware.clone().or(fleet.firmware.take());
        for (held, new) in [
            (&mut fleet.common, &self.common),
            (&mut fleet.own, &self.own),
        ] {
            for (key, value) in new {
                match held.iter_mut().find(|(known, _)| known == key) {
                    Some((_, before)) => *before = value.clone(),
                    None => held.push((key.clone(), value.clone())),
                }
            }
        }
    }
}

/// Reads `[[step]]`; one with waves becomes several.
pub(super) fn steps(tables: &[Reader<'_>], fleets: &[Fleet], deadline: Duration) -> Vec<Step> {
    let steps: Vec<_> = tables
        .iter()
        .enumerate()
        .flat_map(|(place, table)| step(table, place == 0, fleets, deadline))
        .collect();
    let changes = steps.iter().filter(|step| step.change.is_some());
    if let (Some(table), true) = (tables.last(), changes.count() > CHANGES_MAX) {
        table.fault(format!(
            "more than {CHANGES_MAX} changes of the server's files"
        ));
    }
    steps
}

fn step(table: &Reader<'_>, first: bool, fleets: &[Fleet], deadline: Duration) -> Vec<Step> {
    let when = when(table, first, deadline);
    let verb = table.need("do").word(&VERBS);
    for (key, verbs) in OF_VERBS {
        let slot = table.may(key);
        if slot.is_given() && verb.is_some_and(|verb| !verbs.contains(&verb)) {
            let words = VERBS.iter().filter(|(verb, _)| verbs.contains(verb));
            let words: Vec<_> = words.map(|(_, word)| format!("\"{word}\"")).collect();
            slot.fault(format!(
                "'{}' goes with {} only",
                slot.name(),
                words.join(" and ")
            ));
        }
    }
    let verb = verb.unwrap_or(Verb::CheckSync);
    let step = Step {
        fleet: fleet(table, fleets),
        change: change(table, verb),
        command: table.may("command").text().map(str::to_owned),
        expect: conditions(&table.may("expect"), Domain::Step),
        at: Some(table.place()),
        ..Step::bare(when, action(table, verb))
    };
    in_waves(table, step)
}

fn when(table: &Reader<'_>, first: bool, deadline: Duration) -> When {
    let (after, at) = (table.may("after"), table.may("at_s"));
    let later = table.may("later_s");
    let given = [&after, &at, &later].map(|slot| slot.is_given());
    match given.iter().filter(|given| **given).count() {
        1 => {}
        0 => {
            table.fault("a step needs 'after', 'at_s' or 'later_s' (expected after = \"settled\")")
        }
        _ => table.fault("a step has one of 'after', 'at_s' and 'later_s'"),
    }
    if later.is_given() && first {
        later.fault(format!(
            "'{}' in the first step, which follows none",
            later.name()
        ));
    }
    if let Some(given) = at.duration() {
        if given >= deadline {
            let end = deadline.as_secs_f64();
            at.fault(format!(
                "'{}' is not before the run's deadline of {end} s",
                at.name()
            ));
        }
        return When::At(given);
    }
    match later.duration() {
        Some(later) => When::Later(later),
        None => after
            .word(&[(When::Settled, "settled")])
            .unwrap_or(When::Settled),
    }
}

fn action(table: &Reader<'_>, verb: Verb) -> Action {
    let services = || services::read(&table.may("services"));
    let hows = [(false, "silent"), (true, "refuse")];
    match verb {
        Verb::CheckSync => Action::CheckSync {
            reboot: table.may("reboot").switch(),
        },
        Verb::ConnectionRequest => Action::ConnectionRequest,
        Verb::PnpNotify => Action::PnpNotify,
        Verb::PowerCycle => Action::PowerCycle {
            off: table.may("off_s").duration().unwrap_or(OFF),
            mean: table.may("mean_s").duration().unwrap_or_default(),
        },
        Verb::Content | Verb::FirmwareRollout => Action::Content,
        Verb::ServerDown => Action::ServerDown {
            services: services(),
            refuse: table.may("how").word(&hows).unwrap_or_default(),
        },
        Verb::ServerUp => Action::ServerUp {
            services: services(),
        },
        Verb::Wait => Action::Wait(table.need("for_s").duration().unwrap_or_default()),
    }
}

/// What the files say from then on.
fn change(table: &Reader<'_>, verb: Verb) -> Option<Change> {
    let firmware = match verb {
        Verb::FirmwareRollout => table.need("firmware"),
        Verb::Content => table.may("firmware"),
        _ => return None,
    };
    let read = |key| {
        let settings = table.may(key).table().map(|table| settings(&table));
        settings.unwrap_or_default()
    };
    let change = Change {
        firmware: firmware.text().map(str::to_owned),
        common: read("common"),
        own: read("own"),
    };
    if verb == Verb::Content && change == Change::default() {
        table.fault("nothing changes (expected 'common', 'own' or 'firmware')");
    }
    Some(change)
}

fn fleet(table: &Reader<'_>, fleets: &[Fleet]) -> Option<String> {
    let slot = table.may("fleet");
    let fleet = slot.text().map(str::to_owned);
    let names = fleets.iter().map(|fleet| fleet.name.as_str());
    if let Some(name) = &fleet
        && !names.clone().any(|known| known == name)
    {
        let hint = did_you_mean(nearest(name, names));
        slot.fault(format!("no fleet is called \"{name}\"{hint}"));
    }
    fleet
}

/// `waves = 4` and `every_s = 10`: so many steps for a part of the phones each.
fn in_waves(table: &Reader<'_>, step: Step) -> Vec<Step> {
    let (waves, every) = (table.may("waves"), table.may("every_s"));
    if waves.is_given() != every.is_given() {
        table.fault("'waves' and 'every_s' go together");
    }
    let (Some(of), Some(every)) = (waves.number(1..=WAVES_MAX), every.duration()) else {
        return vec![step];
    };
    let wave = |number| Step {
        part: Part { number, of },
        when: if number == 0 {
            step.when
        } else {
            When::Later(every)
        },
        ..step.clone()
    };
    (0..of).map(wave).collect()
}

#[cfg(test)]
mod tests;
