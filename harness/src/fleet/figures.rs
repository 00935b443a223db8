//! The figures that expressions over a run are told with: gathered by each shard, summed, and put
//! into the form of `threshold::Figures`.

use std::time::Duration;

use bootstorm_reports::latency::Latency;
use bootstorm_reports::measure::{Ladder, Row};
use bootstorm_reports::run::{Outcome, PhoneResult, StepResult};
use bootstorm_scenarios::threshold::{BOOT, Figures, Quantity, SETTLED, Stage};

/// What a part of a run comes to, while it goes on or at its end. Parts add up.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    /// Phones planned.
    pub planned: u32,
    /// Phones switched on.
    pub started: u32,
    /// Phones by outcome; while the run goes on none has failed yet.
    pub outcomes: [u32; Outcome::ALL.len()],
    /// Phones at rest.
    pub settled: u32,
    /// Phones registered with a SIP account.
    pub registered: u32,
    /// Rounds of a soak that were judged, and those that were not as intended at their end.
    pub rounds: (u64, u64),
    /// Requests given up since nobody answered or the connection failed.
    pub abandoned: u64,
    /// What was counted by step.
    pub ladder: Ladder,
    /// From scheduled start to provisioned.
    pub boot: Latency,
    /// From scheduled start to at rest.
    pub rest: Latency,
    /// The longest time by which a phone was served late.
    pub lag: Duration,
    /// How long the run has taken.
    pub elapsed: Duration,
}

impl Sums {
    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.planned += other.planned;
        self.started += other.started;
        for (held, more) in self.outcomes.iter_mut().zip(other.outcomes) {
            *held += more;
        }
        self.settled += other.settled;
        self.registered += other.registered;
        self.rounds.0 += other.rounds.0;
        self.rounds.1 += other.rounds.1;
        self.abandoned += other.abandoned;
        self.ladder.merge(other.ladder);
        self.boot.add(&other.boot);
        self.rest.add(&other.rest);
        self.lag = self.lag.max(other.lag);
        self.elapsed = self.elapsed.max(other.elapsed);
    }

    /// Counts what became of a phone.
    pub fn count(&mut self, phone: &PhoneResult) {
        self.planned += 1;
        self.started += u32::from(phone.outcome != Outcome::NotStarted);
        self.settled += u32::from(phone.settled_after.is_some());
        if let Some(held) = self.outcomes.get_mut(phone.outcome as usize) {
            *held += 1;
        }
        phone
            .provisioned_after
            .iter()
            .for_each(|it| self.boot.record(*it));
        phone
            .settled_after
            .iter()
            .for_each(|it| self.rest.record(*it));
    }

    /// Requests that were wasted: those that left again after silence, and those given up since
    /// nobody answered or the connection failed.
    #[must_use]
    pub fn wasted(&self) -> (u64, u64) {
        let rows = self.ladder.rows.values();
        let retried = rows.fold(0_u64, |all, row| all.saturating_add(row.retried));
        (retried, self.abandoned)
    }

    /// As expressions know them.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        let of = |outcome: Outcome| u64::from(self.outcomes[outcome as usize]);
        let rows = self.ladder.rows.values();
        let sum = |of: fn(&Row) -> u64| rows.clone().map(of).fold(0_u64, u64::saturating_add);
        let (retries, abandoned) = self.wasted();
        let counts = [
            ("planned", u64::from(self.planned)),
            ("started", u64::from(self.started)),
            ("settled", u64::from(self.settled)),
            ("registered", u64::from(self.registered)),
            ("provisioned", of(Outcome::Provisioned)),
            ("unverified", of(Outcome::Unverified)),
            ("partial", of(Outcome::Partial)),
            ("failed", of(Outcome::Failed)),
            ("interrupted", of(Outcome::Interrupted)),
            ("not_started", of(Outcome::NotStarted)),
            ("files", self.ladder.totals.files),
            ("requests", sum(|row| row.sent)),
            ("retries", retries),
            ("abandoned", abandoned),
            ("wasted", retries.saturating_add(abandoned)),
            ("rounds", self.rounds.0),
            ("rounds_failed", self.rounds.1),
        ];
        let counts = counts.map(|(name, count)| (name, Quantity::Count(count)));
        figures.values.extend(counts);
        let times = [("lag", self.lag), ("elapsed", self.elapsed)];
        let times = times.map(|(name, time)| (name, Quantity::Time(time)));
        figures.values.extend(times);
        for (label, row) in &self.ladder.rows {
            figures.stages.insert(label.clone(), stage(row));
        }
        for (label, times) in [(BOOT, &self.boot), (SETTLED, &self.rest)] {
            let row = Row {
                latency: times.clone(),
                answered: times.count(),
                sent: u64::from(self.started),
                ..Row::default()
            };
            figures.stages.insert(label.to_owned(), stage(&row));
        }
        figures
    }
}

fn stage(row: &Row) -> Stage {
    Stage {
        p50: row.latency.quantile(0.5),
        p90: row.latency.quantile(0.9),
        p95: row.latency.quantile(0.95),
        p99: row.latency.quantile(0.99),
        max: row.latency.max(),
        answered: row.answered,
        sent: row.sent,
        retried: row.retried,
        wrong: row.wrong,
        missing: row.missing,
        gave_up: row.gave_up,
    }
}

/// One phone as expressions know it; what it did not reach has no value.
#[must_use]
pub fn of_phone(phone: &PhoneResult, fleet: &str) -> Figures {
    let mut figures = Figures::default();
    let text = |text: &str| Quantity::Text(text.to_owned().into());
    let wrong = phone.first_wrong.as_ref();
    figures.values.extend([
        ("index", Quantity::Count(u64::from(phone.index))),
        ("mac", text(&phone.mac.to_string())),
        ("profile", text(&phone.profile)),
        ("fleet", text(fleet)),
        ("outcome", Quantity::Text(phone.outcome.word().into())),
        ("wrong", text(wrong.map_or("", |wrong| &wrong.step))),
        ("reboots", Quantity::Count(u64::from(phone.reboots))),
        (
            "soft_reboots",
            Quantity::Count(u64::from(phone.soft_reboots)),
        ),
    ]);
    let times = [
        ("boot", phone.provisioned_after),
        ("settled", phone.settled_after),
    ];
    let times = times.into_iter();
    let times = times.filter_map(|(name, time)| Some((name, Quantity::Time(time?))));
    figures.values.extend(times);
    figures
}

/// What came of a step as expressions know it.
#[must_use]
pub fn of_step(step: &StepResult) -> Figures {
    let counts = [
        ("planned", step.planned),
        ("unreachable", step.unreachable),
        ("registered", step.registered),
        ("accepted", step.accepted),
        ("refused", step.refused),
        ("silent", step.silent),
        ("resynced", step.resynced),
        ("ignored", step.ignored),
    ];
    let counts = counts.map(|(name, count)| (name, Quantity::Count(u64::from(count))));
    Figures {
        values: counts.into_iter().collect(),
        ..Figures::default()
    }
}
