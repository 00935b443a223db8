//! Which load to try next in a search for the highest one that a server bears, and what to call
//! the step that broke first. Plain values: whoever searches runs the tries.

use bootstorm_emulator::profile::{Profile, StepId};
use bootstorm_reports::capacity::Broken;
use bootstorm_reports::measure::SETTLED;
use bootstorm_reports::report::Report;
use bootstorm_scenarios::plan::Plan;

/// Between which loads is searched, and how exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The first load tried; at least 1.
    pub from: u32,
    /// None above is tried.
    pub to: u32,
    /// The search ends when the highest load that met the limit and the lowest that broke it are
    /// so many per cent of the latter apart, or 1.
    pub precision_percent: f64,
}

/// A search: doubling until the limit breaks, then halving the gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    bounds: Bounds,
    /// The highest load that met the limit.
    pub met: Option<u32>,
    /// The lowest load that broke it.
    pub broken: Option<u32>,
}

impl Search {
    /// A search that has tried nothing yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            met: None,
            broken: None,
        }
    }

    /// The load to try next; `None` when the search is over.
    #[must_use]
    pub fn next(&self) -> Option<u32> {
        let Bounds { from, to, .. } = self.bounds;
        match (self.met, self.broken) {
            (None, None) => Some(from.min(to)),
            (Some(met), None) => (met < to).then(|| met.saturating_mul(2).min(to)),
            (met, Some(broken)) => {
                let met = met.unwrap_or(0);
                let near = f64::from(broken) * self.bounds.precision_percent / 100.0;
                let gap = broken.saturating_sub(met);
                (f64::from(gap) > near.max(1.0)).then(|| met + gap / 2)
            }
        }
    }

    /// Takes the outcome of a try. One that contradicts an earlier one (a machine has its moods)
    /// counts for the server's disadvantage.
    pub fn note(&mut self, load: u32, met: bool) {
        if met {
            let below = self.broken.is_none_or(|broken| load < broken);
            self.met = self.met.max(below.then_some(load));
        } else {
            self.broken = Some(self.broken.map_or(load, |broken| broken.min(load)));
            self.met = self.met.filter(|met| *met < load);
        }
    }
}

/// What broke first at the lowest load that broke the limit, with its protocol.
#[must_use]
pub fn first_broken(plan: &Plan, met: Option<&Report>, broken: &Report) -> Option<Broken> {
    let (profile, mut first) = broken.first_broken(met)?;
    if let Some(what) = named(plan, profile.as_deref(), &first.step) {
        first.what = what;
    }
    Some(first)
}

/// A step with its protocol: `TFTP transfer of <mac>.cfg`, `DHCP DISCOVER`.
fn named(plan: &Plan, profile: Option<&str>, label: &str) -> Option<String> {
    // No exchange: phones that came to no rest, whatever they were about.
    if label == SETTLED {
        return None;
    }
    let mut profiles = plan.profiles.iter();
    let (profile, step) = profiles.find_map(|known| {
        let meant = profile.is_none_or(|name| known.name == name);
        let place = known.steps.iter().position(|step| step.label == label);
        let step = StepId(u8::try_from(place?).ok()?);
        meant.then_some((known, step))
    })?;
    let protocol = match step {
        StepId::DISCOVER | StepId::REQUEST | StepId::RENEW => "DHCP".to_owned(),
        StepId::CLOCK => "NTP".to_owned(),
        StepId::MDNS => "multicast DNS".to_owned(),
        StepId::SUBSCRIBE | StepId::NOTIFY => "SIP PnP".to_owned(),
        StepId::REGISTER => "SIP".to_owned(),
        StepId::REDIRECT => "redirect service".to_owned(),
        StepId::INFORM | StepId::ACS => "CWMP".to_owned(),
        StepId::PROMPT | StepId::GIVEN => return None,
        _ => format!("{} transfer of", transports(plan, profile)),
    };
    Some(format!("{protocol} {label}"))
}

/// The protocols by which phones of a profile have their files: `TFTP`, `TFTP or HTTP`.
fn transports(plan: &Plan, profile: &Profile) -> String {
    let fleets = plan.scenario.fleets.iter();
    let of_it = fleets.filter(|fleet| fleet.profiles.iter().any(|(name, _)| *name == profile.name));
    let mut names: Vec<_> = of_it
        .map(|fleet| fleet.transport.scheme().to_ascii_uppercase())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loads tried against a server that bears so many.
    fn tried(bounds: Bounds, bears: u32) -> (Vec<u32>, Search) {
        let mut search = Search::new(bounds);
        let mut loads = Vec::new();
        while let Some(load) = search.next() {
            assert!(loads.len() < 100, "{loads:?}");
            loads.push(load);
            search.note(load, load <= bears);
        }
        (loads, search)
    }

    const EXACT: Bounds = Bounds {
        from: 10,
        to: 1_000,
        precision_percent: 0.0,
    };

    #[test]
    fn doubles_until_the_limit_breaks_and_halves_the_gap_to_one() {
        let (loads, search) = tried(EXACT, 53);
        assert_eq!(loads, [10, 20, 40, 80, 60, 50, 55, 52, 53, 54]);
        assert_eq!((search.met, search.broken), (Some(53), Some(54)));
    }

    #[test]
    fn finds_every_capacity_within_its_precision() {
        for bears in 0..400 {
            let bounds = Bounds {
                precision_percent: 5.0,
                ..EXACT
            };
            let (_, search) = tried(bounds, bears);
            let (met, broken) = (search.met.unwrap_or(0), search.broken.expect("it breaks"));
            assert!(met <= bears && bears < broken, "{met} {bears} {broken}");
            let gap = f64::from(broken - met);
            assert!(gap <= (f64::from(broken) * 0.05).max(1.0), "{met} {broken}");
        }
    }

    #[test]
    fn stops_at_the_highest_load_that_it_may_try() {
        let (loads, search) = tried(EXACT, u32::MAX);
        assert_eq!(loads, [10, 20, 40, 80, 160, 320, 640, 1_000]);
        assert_eq!((search.met, search.broken), (Some(1_000), None));
        let (loads, search) = tried(Bounds { to: 4, ..EXACT }, 0);
        assert_eq!(loads, [4, 2, 1]);
        assert_eq!((search.met, search.broken), (None, Some(1)));
    }

    #[test]
    fn a_contradiction_counts_against_the_server() {
        let mut search = Search::new(EXACT);
        search.note(40, true);
        search.note(30, false);
        assert_eq!((search.met, search.broken), (None, Some(30)));
        search.note(35, true);
        assert_eq!(search.met, None);
    }
}
