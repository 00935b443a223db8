//! What the server's files say changes while a run goes on: the plan after each change.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Plan;
use crate::scenario::{Scenario, Step};

impl Plan {
    /// The plan with what it becomes by the changes of its steps.
    pub(super) fn with_changes(mut self) -> Self {
        let mut later: Vec<Arc<Self>> = Vec::new();
        for step in self.scenario.steps.iter().filter(|it| it.change.is_some()) {
            let before = later.last().map_or(&self, AsRef::as_ref);
            let mut after = before.clone();
            change(&mut after.scenario, step);
            later.push(Arc::new(after));
        }
        self.later = later;
        self
    }

    /// The plan with the auto-configuration server at this URL, now and later.
    #[must_use]
    pub fn with_acs_at(mut self, url: &str) -> Self {
        self.acs_elsewhere = Some(url.to_owned());
        let later = self.later.iter().map(|plan| {
            let mut plan = Self::clone(plan);
            plan.acs_elsewhere = Some(url.to_owned());
            Arc::new(plan)
        });
        self.later = later.collect();
        self
    }

    /// The plan with the host names of redirect services at this address.
    #[must_use]
    pub fn with_redirect_at(mut self, address: Ipv4Addr) -> Self {
        self.redirect_elsewhere = Some(address);
        let later = self.later.iter();
        let later = later.map(|plan| Arc::new(Self::clone(plan).with_redirect_at(address)));
        self.later = later.collect();
        self
    }

    /// The plan after so many changes, the first ones; `None` for none.
    #[must_use]
    pub fn after(&self, changes: usize) -> Option<&Arc<Self>> {
        self.later.get(changes.checked_sub(1)?)
    }

    /// How many changes there will be.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.later.len()
    }

    /// How many changes have come when the step at this place is taken, its own included.
    #[must_use]
    pub fn changes_until(&self, step: usize) -> usize {
        let steps = self.scenario.steps.iter().take(step + 1);
        steps.filter(|step| step.change.is_some()).count()
    }

    /// The plan as it is now. Plans that were cloned from each other change together.
    #[must_use]
    pub fn now(&self) -> &Self {
        self.after(self.stage.load(Ordering::Acquire))
            .map_or(self, AsRef::as_ref)
    }

    /// So many changes have come.
    pub fn reach(&self, changes: usize) {
        self.stage.fetch_max(changes, Ordering::AcqRel);
    }

    /// A run begins: no change has come.
    pub fn begin(&self) {
        self.stage.store(0, Ordering::Release);
    }

    /// The count of changes that have come, for what must change with them.
    #[must_use]
    pub fn stage(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.stage)
    }
}

fn change(scenario: &mut Scenario, step: &Step) {
    let Some(change) = &step.change else { return };
    let named = |name: &String| step.fleet.as_ref().is_none_or(|fleet| fleet == name);
    let fleets = scenario.fleets.iter_mut();
    for fleet in fleets.filter(|fleet| named(&fleet.name)) {
        change.lay_over(fleet);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bootstorm_emulator::profile::set::ProfileSet;

    use super::*;
    use crate::scenario::read;

    #[test]
    fn each_change_is_laid_over_the_ones_before_it() {
        let fleet = |name: &str| {
            format!(
                "[[fleet]]\nname = \"{name}\"\nroot = \"{name}\"\nphones = 1\n\
                 source = \"dhcp\"\ntransport = \"tftp\"\nlayout = \"flat\"\n\
                 profiles.\"flyingvoice/fip13g\" = 1\n"
            )
        };
        let text = format!(
            "name = \"x\"\n{}{}[[step]]\nafter = \"settled\"\ndo = \"firmware-rollout\"\n\
             firmware = \"V0.7.1\"\nfleet = \"one\"\n[[step]]\nafter = \"settled\"\n\
             do = \"check-sync\"\n[[step]]\nafter = \"settled\"\ndo = \"content\"\n\
             own.\"account.1.label\" = \"{{mac}}\"\n",
            fleet("one"),
            fleet("two")
        );
        let scenario = read("x.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
        let server = Ipv4Addr::new(10, 0, 0, 2);
        let plan = Plan::new(scenario, &ProfileSet::built_in(), server).expect("a plan");
        let said = |plan: &Plan, index| {
            let phone = plan.phone(index).expect("a phone");
            let fleet = plan.fleet(&phone).and_then(|fleet| fleet.firmware.clone());
            let label = plan.own_settings(&phone).into_iter();
            let label = label.filter(|(key, _)| key == "account.1.label").count();
            (fleet, label)
        };
        let new = Some("V0.7.1".to_owned());
        assert_eq!(said(plan.now(), 0), (None, 0));
        assert_eq!(
            (plan.changes(), plan.changes_until(1), plan.changes_until(2)),
            (2, 1, 2)
        );
        let shared = plan.clone();
        shared.reach(1);
        assert_eq!(said(plan.now(), 0), (new.clone(), 0));
        assert_eq!(said(plan.now(), 1), (None, 0));
        plan.reach(2);
        assert_eq!(said(plan.now(), 0), (new, 1));
        assert_eq!(said(plan.now(), 1), (None, 1));
        plan.begin();
        assert_eq!(said(plan.now(), 0), (None, 0));
    }
}
