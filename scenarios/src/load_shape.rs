//! When phones are switched on. Arrivals are open-loop: they do not wait for the server.

use std::time::Duration;

use bootstorm_emulator::rng::Rng;

/// The shape of the arrivals.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadShape {
    /// All at once.
    Storm,
    /// Evenly, so many per second.
    Rate {
        /// Phones per second, above 0.
        per_s: f64,
    },
    /// A rate that grows (or falls) evenly, then stays.
    Ramp {
        /// Phones per second at the start, 0 or more.
        from_per_s: f64,
        /// Phones per second at the end, above 0.
        to_per_s: f64,
        /// How long the change takes, above 0 s.
        over: Duration,
    },
    /// Group after group: floor by floor, switch by switch.
    Waves(Vec<Group>),
    /// Power is back after it was gone everywhere: each phone of a switch comes back after a time
    /// of its own.
    PowerReturn(Vec<Group>),
    /// Evenly, then each phone loses its power again and again until the run ends.
    Soak {
        /// Phones per second, above 0.
        per_s: f64,
        /// Each phone's rounds.
        rounds: Rounds,
    },
}

/// Phones that are switched on together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name, for people.
    pub name: String,
    /// Which phones.
    pub members: Members,
    /// When it begins, from the beginning of the run.
    pub at: Duration,
    /// How its phones follow each other.
    pub pace: Pace,
}

/// Which phones are in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// This share of each fleet, together with the shares of the other groups.
    Share(u32),
    /// All phones of these fleets.
    Fleets(Vec<String>),
}

/// How the phones of a group follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// All at once.
    AtOnce,
    /// Evenly, so many per second, above 0.
    PerSecond(f64),
    /// Each after a time that is exponentially distributed, with this mean.
    Exponential(Duration),
}

/// What phones of a soak do again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounds {
    /// From one round's beginning to the next, above 0 s; each round is judged at its end.
    pub every: Duration,
    /// How long power is gone.
    pub off: Duration,
}

impl LoadShape {
    /// What phones do again and again, where the shape says so.
    #[must_use]
    pub fn rounds(&self) -> Option<Rounds> {
        match self {
            Self::Soak { rounds, .. } => Some(*rounds),
            _ => None,
        }
    }

    /// Its groups, where it has any.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        match self {
            Self::Waves(groups) | Self::PowerReturn(groups) => groups,
            _ => &[],
        }
    }

    /// Leaves fleets out that are not among `known`, and groups that have none left.
    pub(crate) fn keep_fleets(&mut self, known: impl Fn(&str) -> bool) {
        let (Self::Waves(groups) | Self::PowerReturn(groups)) = self else {
            return;
        };
        groups.retain_mut(|group| match &mut group.members {
            Members::Share(_) => true,
            Members::Fleets(fleets) => {
                fleets.retain(|name| known(name));
                !fleets.is_empty()
            }
        });
    }
}

/// When each phone of a plan is switched on: a pure function of the plan and the phone's index.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    shape: LoadShape,
    seed: u64,
    /// For each fleet its parts, in the order of its phones.
    parts: Vec<Vec<Part>>,
}

/// A phone's place in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Among all phones, from 0.
    pub index: u32,
    /// Its fleet.
    pub fleet: usize,
    /// Among the phones of its fleet, from 0.
    pub within: u32,
}

/// Phones of a fleet that are in one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// One past the last of them, within the fleet.
    end: u32,
    /// Added to the place within the fleet, it gives the place within the group.
    shift: i64,
    group: usize,
}

impl Schedule {
    /// The schedule of fleets with these names and sizes, in their order.
    #[must_use]
    pub fn new(shape: &LoadShape, seed: u64, fleets: &[(&str, u32)]) -> Self {
        let groups = shape.groups();
        let shares: Vec<u64> = groups
            .iter()
            .map(|group| match group.members {
                Members::Share(share) => u64::from(share),
                Members::Fleets(_) => 0,
            })
            .collect();
        let total: u64 = shares.iter().sum();
        let mut sizes = vec![0_i64; groups.len()];
        let mut parts = Vec::new();
        for (name, phones) in fleets {
            let mut of_fleet = Vec::new();
            let (mut begin, mut seen) = (0_u32, 0_u64);
            for (place, group) in groups.iter().enumerate() {
                let end = match &group.members {
                    Members::Share(share) => {
                        seen += u64::from(*share);
                        let end = u64::from(*phones) * seen / total.max(1);
                        u32::try_from(end).unwrap_or(*phones)
                    }
                    Members::Fleets(names) if names.iter().any(|held| held == name) => *phones,
                    Members::Fleets(_) => continue,
                };
                if let (Some(size), true) = (sizes.get_mut(place), end > begin) {
                    let shift = *size - i64::from(begin);
                    *size += i64::from(end - begin);
                    of_fleet.push(Part {
                        end,
                        shift,
                        group: place,
                    });
                    begin = end;
                }
            }
            parts.push(of_fleet);
        }
        Self {
            shape: shape.clone(),
            seed: seed ^ SALT,
            parts,
        }
    }

    /// When a phone is switched on, counted from the start of the run.
    #[must_use]
    pub fn start_of(&self, seat: Seat) -> Duration {
        let number = f64::from(seat.index);
        match &self.shape {
            LoadShape::Storm => Duration::ZERO,
            LoadShape::Rate { per_s } | LoadShape::Soak { per_s, .. } => seconds(number / per_s),
            LoadShape::Ramp {
                from_per_s,
                to_per_s,
                over,
            } => seconds(ramp_start(
                number,
                *from_per_s,
                *to_per_s,
                over.as_secs_f64(),
            )),
            LoadShape::Waves(groups) | LoadShape::PowerReturn(groups) => {
                self.in_group(groups, seat).unwrap_or_default()
            }
        }
    }

    /// Whether a later phone never starts before an earlier one.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        self.shape.groups().is_empty()
    }

    fn in_group(&self, groups: &[Group], seat: Seat) -> Option<Duration> {
        let parts = self.parts.get(seat.fleet)?;
        let part = parts.get(parts.partition_point(|part| part.end <= seat.within))?;
        let group = groups.get(part.group)?;
        let wait = match group.pace {
            Pace::AtOnce => Duration::ZERO,
            Pace::PerSecond(per_s) => {
                let number = u32::try_from(i64::from(seat.within) + part.shift).unwrap_or(0);
                seconds(f64::from(number) / per_s)
            }
            Pace::Exponential(mean) => exponential(mean, self.seed, seat.index),
        };
        Some(group.at.saturating_add(wait))
    }
}

/// Keeps these choices apart from the phones' own.
const SALT: u64 = 0x706f_7765_7200;

/// A time drawn from the exponential distribution with this mean, in whole microseconds: what the
/// last bits of a logarithm are depends on the machine.
#[must_use]
pub fn exponential(mean: Duration, seed: u64, index: u32) -> Duration {
    /// 2⁵³: what a number with a fraction holds exactly.
    const STEPS: u64 = 1 << 53;
    let drawn = Rng::for_phone(seed, index).up_to(STEPS - 1) + 1;
    #[expect(
        clippy::cast_precision_loss,
        reason = "at most 2⁵³, which is held exactly"
    )]
    let even = drawn as f64 / STEPS as f64;
    let wait = seconds(-even.ln() * mean.as_secs_f64());
    Duration::from_micros(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX))
}

/// Solves `from·t + (to − from)·t²/2·over = number` for t, and goes on at `to` after `over`.
fn ramp_start(number: f64, from: f64, to: f64, over: f64) -> f64 {
    let within = (from + to) / 2.0 * over;
    if number >= within {
        return over + (number - within) / to;
    }
    let slope = (to - from) / over;
    if slope.abs() < 1e-9 {
        return number / to;
    }
    let root = (from * from + 2.0 * slope * number).max(0.0).sqrt();
    (root - from) / slope
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests;
