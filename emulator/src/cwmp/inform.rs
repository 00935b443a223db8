//! Inform: who the phone is and why it calls (TR-069 A.3.3.1).

use super::{Device, date_time, model};
use crate::event::InformEvents;
use crate::profile::cwmp::CwmpSpec;
use crate::profile::template::Template;
use crate::wire::soap::{Inform, Text};

/// The Inform of a session for these events. `scheduled` are the keys of ScheduleInform calls.
pub(super) fn inform(
    device: &mut Device<'_, '_>,
    spec: &CwmpSpec,
    events: InformEvents,
    scheduled: &[Box<str>],
    retry_count: u32,
) -> Inform<'static> {
    let changed = model::current(device.turn, device.flash, spec);
    let text = |template: &Template| Text::from(template.text(&device.turn.vars()));
    let mut inform = Inform {
        manufacturer: text(&spec.manufacturer),
        oui: text(&spec.oui),
        product_class: text(&spec.product_class),
        serial: text(&spec.serial),
        events: codes(device, events, scheduled),
        max_envelopes: 1,
        current_time: date_time(device.unix_s()).into(),
        retry_count,
        parameters: Vec::new(),
    };
    let is_changed = |place: usize| changed.iter().any(|(held, _)| *held == place);
    let leaves = spec.parameters.iter().enumerate();
    let told = leaves.filter(|(place, leaf)| leaf.inform || is_changed(*place));
    inform.parameters = told
        .filter_map(|(place, _)| device.told(spec, place))
        .collect();
    inform
}

/// The event codes with their command keys (TR-069 §3.7.1.5).
fn codes(
    device: &Device<'_, '_>,
    events: InformEvents,
    scheduled: &[Box<str>],
) -> Vec<(Text<'static>, Text<'static>)> {
    let memory = device.flash.acs();
    let mut codes = Vec::new();
    for (event, code) in InformEvents::ALL
        .into_iter()
        .filter(|(event, _)| events.has(*event))
    {
        let mut add = |key: &str| codes.push((Text::from(code), Text::from(key.to_owned())));
        match event {
            InformEvents::M_REBOOT => {
                let keys = memory.iter().flat_map(|memory| &memory.reboots);
                keys.for_each(|key| add(key));
            }
            InformEvents::M_DOWNLOAD => {
                let transfers = memory.iter().flat_map(|memory| &memory.transfers);
                let done = transfers.filter(|held| held.is_done());
                done.for_each(|held| add(&held.key));
            }
            _ => add(""),
        }
    }
    let keys = scheduled.iter().map(|key| Text::from(key.to_string()));
    codes.extend(keys.map(|key| (Text::from("M ScheduleInform"), key)));
    codes
}
