//! What a virtual phone holds at the end, for judging.

use std::collections::BTreeMap;

use bootstorm_emulator::phone::Phone;
use bootstorm_emulator::shelf::Shelf;

/// What a phone holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// Its settings, with the values that count.
    pub settings: BTreeMap<String, String>,
    /// The firmware that it runs.
    pub firmware: String,
}

impl Held {
    /// What a phone of the shelf holds now.
    #[must_use]
    pub fn of(phone: &Phone, shelf: &Shelf) -> Self {
        let settings = phone.flash().settings.effective();
        let settings =
            settings.map(|(key, held)| (shelf.keys.text(key).to_owned(), held.value.to_owned()));
        let profile = shelf.profiles.get(usize::from(phone.profile()));
        let factory = profile.map_or("", |profile| &profile.firmware);
        let installed = phone.flash().firmware.as_deref();
        Self {
            settings: settings.collect(),
            firmware: installed.unwrap_or(factory).to_owned(),
        }
    }
}
