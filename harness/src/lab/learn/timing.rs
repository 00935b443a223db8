//! Times of a handset: how long it waits, with the spread that was seen.

use std::collections::BTreeMap;
use std::time::Duration;

use bootstorm_scenarios::wire::Way;
use bootstorm_scenarios::wire::message::Message;

use super::Sample;

/// Times of one kind, with where each was seen.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<(Duration, String)>);

impl Times {
    pub(super) fn add(&mut self, time: Duration, place: String) {
        self.0.push((time, place));
    }

    /// The shortest and the longest, in milliseconds.
    pub(super) fn spread(&self) -> Option<(u128, u128)> {
        let times = self.0.iter().map(|(time, _)| time.as_millis());
        Some((times.clone().min()?, times.max()?))
    }

    /// How many there are, and where the first was seen.
    pub(super) fn said(&self) -> String {
        let (count, first) = (self.0.len(), self.0.first());
        let first = first.map_or("", |(_, place)| place);
        match self.spread() {
            Some((min, max)) if count > 1 => {
                format!("{first} and {} more: {min} to {max} ms", count - 1)
            }
            _ => first.to_owned(),
        }
    }

    /// Each in its order, in milliseconds.
    pub(super) fn millis(&self) -> Vec<u128> {
        self.0.iter().map(|(time, _)| time.as_millis()).collect()
    }
}

/// Pauses between the end of a file, or the refusal of one, and the next request.
pub(super) fn between_files(samples: &[Sample]) -> Times {
    let mut times = Times::default();
    for sample in samples {
        let mut ended: Option<&Message> = None;
        for message in &sample.messages {
            let last = message.field("last") == Some("true");
            match (message.way, message.name.as_ref()) {
                (Way::Received, "tftp.error") => ended = Some(message),
                (Way::Received, "tftp.data") if last => ended = Some(message),
                (Way::Sent, "tftp.rrq") => {
                    if let Some(ended) = ended.take() {
                        times.add(message.at.since(ended.at), sample.place(message));
                    }
                }
                _ => {}
            }
        }
    }
    times
}

/// Waits before the same request was sent again without an answer, by how it is told apart.
pub(super) fn again(samples: &[Sample], name: &str, keys: &[&str]) -> Times {
    let mut times = Times::default();
    for sample in samples {
        let mut last: BTreeMap<Vec<String>, &Message> = BTreeMap::new();
        for message in &sample.messages {
            if message.way == Way::Received {
                last.clear();
                continue;
            }
            if message.name != name {
                continue;
            }
            let value = |key: &&str| message.field(key).unwrap_or_default().to_owned();
            let key: Vec<String> = keys.iter().map(value).collect();
            if let Some(before) = last.insert(key, message) {
                times.add(message.at.since(before.at), sample.place(message));
            }
        }
    }
    times
}

/// From the first offer to the request.
pub(super) fn choosing(samples: &[Sample]) -> Times {
    let mut times = Times::default();
    for sample in samples {
        let mut offered: Option<&Message> = None;
        for message in &sample.messages {
            match (message.way, message.name.as_ref()) {
                (Way::Received, "dhcp.offer") => offered = offered.or(Some(message)),
                (Way::Sent, "dhcp.request") => {
                    if let Some(offered) = offered.take() {
                        times.add(message.at.since(offered.at), sample.place(message));
                    }
                }
                (Way::Sent, "dhcp.discover") => offered = None,
                _ => {}
            }
        }
    }
    times
}
