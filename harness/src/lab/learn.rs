//! A profile drafted from captures: what a handset showed, as a model that inherits the known one
//! that it fits best. Every fact names the capture and the packet that it was seen in; what was
//! seen and a profile cannot say is a comment.

mod fact;
mod timing;
mod written;

use std::net::Ipv4Addr;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::wire::Way;
use bootstorm_scenarios::wire::message::{self, Message};

use crate::observe::fit::{self, Fit};
use crate::observe::{Observer, traits};

/// A handset in a capture.
#[derive(Debug)]
pub struct Sample {
    /// The capture's name, as comments have it.
    pub capture: String,
    /// The handset.
    pub mac: Mac,
    /// What it sent and received.
    pub messages: Vec<Message>,
    /// The addresses that it sent from.
    addresses: Vec<(Moment, Ipv4Addr)>,
    /// The packets of the messages, by their moments.
    numbers: Vec<(Moment, u64)>,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The profile that the draft inherits; `None` = the one that fits best.
    pub inherits: Option<String>,
    /// The model's name; `None` = the inherited one's.
    pub model: Option<String>,
}

/// A drafted profile.
#[derive(Debug, Clone)]
pub struct Draft {
    /// `vendor/model.toml`, where it must lie below a directory of profiles.
    pub path: String,
    /// `vendor/model`
    pub name: String,
    /// The file.
    pub text: String,
}

impl Sample {
    /// What a capture shows of a handset; none where it shows nothing.
    pub fn of(observer: &mut Observer, mac: Mac, capture: &str) -> Option<Self> {
        let record = observer.record(mac).filter(|record| !record.is_empty())?;
        let messages = message::decode(record);
        let mut addresses = Vec::new();
        record.for_each(|packet| {
            let own = *packet.phone.ip();
            if packet.way == Way::Sent && !own.is_unspecified() {
                addresses.push((packet.at, own));
            }
        });
        let numbered = messages.iter().map(|message| {
            let number = observer.number_at(mac, message.at).unwrap_or(0);
            (message.at, number)
        });
        let numbers = numbered.collect();
        Some(Self {
            capture: capture.to_owned(),
            mac,
            messages,
            addresses,
            numbers,
        })
    }

    /// Where a message was seen: `boot.pcap #12`.
    fn place(&self, message: &Message) -> String {
        let found = self.numbers.iter().find(|(at, _)| *at == message.at);
        format!(
            "{} #{}",
            self.capture,
            found.map_or(0, |(_, number)| *number)
        )
    }

    /// Its address where it sent a message.
    fn address_at(&self, message: &Message) -> Ipv4Addr {
        let found = self.addresses.iter().find(|(at, _)| *at == message.at);
        found.map_or(Ipv4Addr::UNSPECIFIED, |(_, address)| *address)
    }

    /// The messages that the handset sent, of a name.
    fn sent<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Message> {
        let messages = self.messages.iter();
        messages.filter(move |message| message.way == Way::Sent && message.name == name)
    }
}

/// Drafts a profile from samples of handsets of one model.
///
/// # Errors
/// In words: no sample, or an inherited profile that is not known.
pub fn draft(samples: &[Sample], wanted: &Wanted, profiles: &ProfileSet) -> Result<Draft, String> {
    let Some(first) = samples.first() else {
        return Err("the captures show nothing of a phone".to_owned());
    };
    let seen = traits::shown(first.mac, &first.messages);
    let fit = match &wanted.inherits {
        Some(name) => {
            let profile = profiles.get(name).map_err(|fault| fault.to_string())?;
            Some(fit::fit(first.mac, &seen, &profile))
        }
        None => fit::fits(first.mac, &seen, profiles).into_iter().next(),
    };
    let fit = fit.ok_or("there is no profile to inherit from")?;
    // Texts that name the model stay what they are.
    let inherited = &fit.profile.model;
    let model = wanted.model.as_ref().unwrap_or(inherited).clone();
    let vendor = fit.profile.name.split('/').next().unwrap_or_default();
    let name = match wanted.model {
        Some(_) => format!("{vendor}/{}", slug(&model)),
        None => format!("{vendor}/{}-learned", slug(&model)),
    };
    let text = written::written(samples, &fit, &model);
    Ok(Draft {
        path: format!("{name}.toml"),
        name,
        text,
    })
}

/// The name of a file: small letters, digits and hyphens.
fn slug(model: &str) -> String {
    let mut slug = String::new();
    for letter in model.chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => slug.push(letter),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "learned".to_owned()
    } else {
        slug.to_owned()
    }
}

/// How well the draft's parent fits, in a sentence.
fn chosen(fit: &Fit) -> String {
    let (name, score) = (&fit.profile.name, fit.score);
    let how = match fit.is_good() {
        true => "fits best",
        false => "is the nearest, and does not fit well",
    };
    format!("{name} {how}, {score} %: {}", fit.reasons())
}
