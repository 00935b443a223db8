//! Whose MAC addresses, profiles and cells of an inventory the phones of a plan have.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::located::{did_you_mean, nearest};
use bootstorm_emulator::profile::Profile;
use bootstorm_emulator::profile::set::ProfileSet;

use super::{FleetPlan, PhonePlan, Plan, PlanFault, faults_of_model, linked, place_of, said};
use crate::inventory::Row;
use crate::scenario::{Fleet, Scenario, number_of};
use crate::threshold::{BOOT, Condition, SETTLED};

impl FleetPlan {
    /// The profile of the phone at this place in the fleet.
    pub(super) fn profile(&self, within: u32) -> Option<u16> {
        if let Some(own) = self.rows.get(within as usize) {
            return Some(*own);
        }
        let length = u32::try_from(self.mix.len()).ok()?;
        self.mix.get(within.checked_rem(length)? as usize).copied()
    }
}

impl Fleet {
    /// The MAC address that the scenario gives the phone at this place, if it gives any.
    pub(super) fn mac(&self, within: u32) -> Option<Mac> {
        match (&self.inventory, self.macs) {
            (Some(inventory), _) => Some(inventory.rows().get(within as usize)?.mac),
            (None, macs) => Some(macs?.at(within)),
        }
    }
}

impl Plan {
    /// The index of the phone that a scenario gave this MAC address.
    pub(super) fn given_index(&self, mac: Mac) -> Option<u32> {
        let fleets = self.scenario.fleets.iter().zip(&self.fleets);
        let mut places = fleets.filter_map(|(fleet, planned)| {
            let within = match (&fleet.inventory, fleet.macs) {
                (Some(inventory), _) => inventory.place_of(mac)?,
                (None, macs) => macs?.place_of(mac)?,
            };
            (within < fleet.phones).then(|| planned.first + within)
        });
        places.next()
    }

    /// The phone's line in the inventory of its fleet.
    fn inventory_row(&self, phone: &PhonePlan) -> Option<&Row> {
        let within = phone.identity.index - self.fleets.get(phone.fleet)?.first;
        let inventory = self.fleet(phone)?.inventory.as_ref()?;
        inventory.rows().get(within as usize)
    }

    /// The columns of that inventory.
    pub(super) fn columns(&self, phone: &PhonePlan) -> &[String] {
        let inventory = self.fleet(phone).and_then(|it| it.inventory.as_ref());
        inventory.map_or(&[], |inventory| inventory.columns())
    }

    /// The phone's cells of it.
    pub(super) fn row(&self, phone: &PhonePlan) -> &[Box<str>] {
        self.inventory_row(phone).map_or(&[], Row::values)
    }
}

/// The profiles of an inventory's phones; none where it names none for some of them.
pub(super) fn profiles_of_rows(
    fleet: &Fleet,
    set: &ProfileSet,
    mix: &[u16],
    profiles: &mut Vec<Arc<Profile>>,
    faults: &mut Vec<PlanFault>,
) -> Vec<u16> {
    let Some(inventory) = &fleet.inventory else {
        return Vec::new();
    };
    let rows = inventory.rows();
    if rows.iter().all(|row| row.profile.is_none()) {
        return Vec::new();
    }
    let mut known: Vec<(&str, u16)> = Vec::new();
    let mut unknown: Vec<&str> = Vec::new();
    let mut places = Vec::with_capacity(rows.len());
    for (within, row) in rows.iter().enumerate() {
        let Some(name) = row.profile.as_deref() else {
            let mixed = within.checked_rem(mix.len()).and_then(|at| mix.get(at));
            places.extend(mixed);
            continue;
        };
        if let Some((_, place)) = known.iter().find(|(held, _)| *held == name) {
            places.push(*place);
            continue;
        }
        match set.get(name) {
            Ok(profile) => {
                faults.extend(faults_of_model(fleet, &profile));
                let place = place_of(profiles, linked::with_cipher(profile, fleet));
                known.push((name, place));
                places.push(place);
            }
            Err(fault) if !unknown.contains(&name) => {
                unknown.push(name);
                faults.push(PlanFault::Profile {
                    place: said(Some(&inventory.place(row))),
                    fleet: fleet.name.clone(),
                    fault,
                });
            }
            Err(_) => {}
        }
    }
    places
}

/// Fleets that have MAC addresses in common.
pub(super) fn overlaps(
    fleets: &[Fleet],
    planned: &[FleetPlan],
    profiles: &[Arc<Profile>],
) -> Vec<PlanFault> {
    let spans: Vec<_> = fleets
        .iter()
        .zip(planned)
        .map(|(fleet, planned)| spans(fleet, planned, profiles))
        .collect();
    let mut faults = Vec::new();
    for (place, fleet) in fleets.iter().enumerate() {
        let given = fleet.macs.is_some() || fleet.inventory.is_some();
        for (other, other_spans) in fleets.iter().zip(&spans).take(place) {
            // Those that are made of indices are each fleet's own.
            if !given && other.macs.is_none() && other.inventory.is_none() {
                continue;
            }
            let own = spans.get(place).map_or(&[][..], Vec::as_slice);
            let shared = own.iter().find(|span| hits(span, other_spans));
            faults.extend(shared.map(|span| PlanFault::SharedMacs {
                place: said(fleet.at.fleet.as_ref()),
                fleet: fleet.name.clone(),
                other: other.name.clone(),
                mac: first_of(span, other_spans),
            }));
        }
    }
    faults
}

/// The MAC addresses of a fleet as numbers, in ascending order without overlaps.
fn spans(
    fleet: &Fleet,
    planned: &FleetPlan,
    profiles: &[Arc<Profile>],
) -> Vec<RangeInclusive<u64>> {
    let last = fleet.phones.saturating_sub(1);
    let mut spans: Vec<_> = match (&fleet.inventory, fleet.macs) {
        (Some(inventory), _) => {
            let rows = inventory.rows().iter().take(fleet.phones as usize);
            rows.map(|row| number_of(row.mac)..=number_of(row.mac))
                .collect()
        }
        (None, Some(macs)) => vec![number_of(macs.first)..=number_of(macs.at(last))],
        (None, None) => {
            let places = planned.mix.iter().chain(&planned.rows);
            let mut ouis: Vec<_> = places
                .filter_map(|place| profiles.get(usize::from(*place))?.ouis.first())
                .collect();
            ouis.sort_unstable();
            ouis.dedup();
            let end = planned.first.saturating_add(last);
            let span = |oui: &[u8; 3]| {
                number_of(Mac::from_oui(*oui, planned.first))..=number_of(Mac::from_oui(*oui, end))
            };
            ouis.into_iter().map(span).collect()
        }
    };
    spans.sort_unstable_by_key(|span| *span.start());
    spans
}

fn hits(span: &RangeInclusive<u64>, others: &[RangeInclusive<u64>]) -> bool {
    let next = others.partition_point(|other| other.end() < span.start());
    others
        .get(next)
        .is_some_and(|other| other.start() <= span.end())
}

/// The first address of `span` that one of the others has too.
fn first_of(span: &RangeInclusive<u64>, others: &[RangeInclusive<u64>]) -> Mac {
    let next = others.partition_point(|other| other.end() < span.start());
    let start = others.get(next).map_or(0, |other| *other.start());
    crate::scenario::mac_of(start.max(*span.start()))
}

/// Stages that expressions name and no phone goes through.
pub(super) fn unknown_stages(scenario: &Scenario, profiles: &[Arc<Profile>]) -> Vec<PlanFault> {
    let labels = profiles.iter().flat_map(|profile| &profile.steps);
    let labels = labels.map(|step| step.label.as_str());
    let known = || [BOOT, SETTLED].into_iter().chain(labels.clone());
    let thresholds = scenario.expected.thresholds.iter().map(|it| &it.that);
    let steps = scenario.steps.iter().flat_map(|step| &step.expect);
    let all = scenario
        .expected
        .phone
        .iter()
        .chain(thresholds)
        .chain(steps);
    let stages = all.flat_map(|condition: &Condition| &condition.stages);
    let unknown = stages.filter(|(stage, _)| !known().any(|label| label == stage));
    let fault = |(stage, place): &(String, _)| PlanFault::Stage {
        place: said(Option::as_ref(place)),
        stage: stage.clone(),
        hint: did_you_mean(nearest(stage, known())),
    };
    unknown.map(fault).collect()
}

#[cfg(test)]
mod tests;
