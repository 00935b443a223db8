//! The values a phone must hold in the end. They are made from the scenario before any file is
//! written, never by parsing what was served.

use std::collections::BTreeMap;

use bootstorm_emulator::event::File;
use bootstorm_emulator::names::Name;
use bootstorm_emulator::phone::Phone;
use bootstorm_emulator::profile::StepId;
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::settings::Held;
use bootstorm_emulator::shelf::Shelf;

use crate::plan::{PhonePlan, Plan};

/// The first difference between what a phone holds and what it was meant to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A setting has another value, or none.
    Setting {
        /// The key.
        key: String,
        /// What was intended.
        expected: String,
        /// What is held, with the file and line it came from; `None` = nothing.
        held: Option<(String, File, u32)>,
    },
    /// The phone holds a setting that nobody intended.
    Extra {
        /// The key.
        key: String,
        /// What is held.
        held: String,
        /// The file it came from.
        file: File,
        /// The line there.
        line: u32,
    },
    /// Another firmware runs.
    Firmware {
        /// What was intended.
        expected: String,
        /// What runs.
        held: String,
    },
}

/// Compares phones with their intended values; one for each shard, since it keeps what phones of
/// a fleet have in common in the shard's own key numbers.
#[derive(Debug, Default)]
pub struct Checker {
    groups: BTreeMap<(usize, u16), Group>,
    /// Whether anything is intended, by the same.
    intends: BTreeMap<(usize, u16), bool>,
    text: Vec<u8>,
}

/// What phones of one fleet and profile have in common, ordered by key number.
#[derive(Debug)]
struct Group {
    expected: Vec<(Name, Expected)>,
}

#[derive(Debug)]
enum Expected {
    /// The same for all.
    Same(String),
    /// Filled with the phone's identity.
    Own(Template),
}

impl Checker {
    /// Whether anything is intended for phones of this fleet: without it nobody can say that they
    /// are provisioned.
    pub fn has_intentions(&mut self, plan: &Plan, planned: &PhonePlan) -> bool {
        let place = (planned.fleet, planned.profile);
        let known = self.intends.entry(place);
        *known.or_insert_with(|| intends(plan, planned))
    }

    /// The first difference, or none: the phone is provisioned.
    pub fn difference(
        &mut self,
        plan: &Plan,
        planned: &PhonePlan,
        phone: &Phone,
        shelf: &mut Shelf,
    ) -> Option<Difference> {
        let place = (planned.fleet, planned.profile);
        let group = self
            .groups
            .entry(place)
            .or_insert_with(|| Group::new(plan, planned, shelf));
        let vars = plan.vars(planned);
        let mut held = phone.flash().settings.effective().peekable();
        let mut extra = None;
        // What the script of the auto-configuration server sets is meant, by whatever name.
        let scripted = plan.sets_by_script(planned);
        let unintended =
            |(_, found): &(Name, Held<'_>)| !(scripted && found.file == File::Step(StepId::ACS));
        for (key, expected) in &group.expected {
            while let Some(more) = held.next_if(|(other, _)| other < key) {
                extra = extra.or(Some(more).filter(unintended));
            }
            let expected = match expected {
                Expected::Same(text) => text.as_bytes(),
                Expected::Own(template) => {
                    self.text.clear();
                    template.render(&vars, &mut self.text);
                    &self.text
                }
            };
            let found = held.next_if(|(other, _)| other == key);
            let found = found.map(|(_, found)| found);
            if found.map(|found| found.value.as_bytes()) != Some(expected) {
                return Some(Difference::Setting {
                    key: shelf.keys.text(*key).to_owned(),
                    expected: String::from_utf8_lossy(expected).into_owned(),
                    held: found.map(|found| (found.value.to_owned(), found.file, found.line)),
                });
            }
        }
        let extra = extra
            .or_else(|| held.find(unintended))
            .map(|(key, found)| Difference::Extra {
                key: shelf.keys.text(key).to_owned(),
                held: found.value.to_owned(),
                file: found.file,
                line: found.line,
            });
        extra.or_else(|| firmware(plan, planned, phone, shelf))
    }
}

impl Group {
    fn new(plan: &Plan, planned: &PhonePlan, shelf: &mut Shelf) -> Self {
        let mut expected = BTreeMap::new();
        let vars = plan.vars(planned);
        let all = plan.fleet_templates(planned, true).into_iter();
        let all = all.chain(plan.own_templates(planned));
        for (key, template) in all {
            let value = match template.is_constant() {
                true => Expected::Same(template.text(&vars)),
                false => Expected::Own(template),
            };
            if let Some(key) = shelf.keys.intern(&key) {
                expected.insert(key, value);
            }
        }
        Self {
            expected: expected.into_iter().collect(),
        }
    }
}

fn intends(plan: &Plan, planned: &PhonePlan) -> bool {
    let firmware = plan
        .fleet(planned)
        .and_then(|fleet| fleet.firmware.as_ref());
    let settings = plan.fleet_templates(planned, true);
    firmware.is_some() || !settings.is_empty() || !plan.own_templates(planned).is_empty()
}

fn firmware(plan: &Plan, planned: &PhonePlan, phone: &Phone, shelf: &Shelf) -> Option<Difference> {
    let expected = plan.fleet(planned)?.firmware.as_deref()?;
    let fallback = shelf
        .profiles
        .get(usize::from(phone.profile()))
        .map(|p| p.firmware.as_str());
    let held = phone
        .flash()
        .firmware
        .as_deref()
        .or(fallback)
        .unwrap_or_default();
    let differs = held != expected;
    differs.then(|| Difference::Firmware {
        expected: expected.to_owned(),
        held: held.to_owned(),
    })
}
