//! One phone's boot against the subject's files.

use std::sync::Arc;

use bootstorm_emulator::event::{EventKind, File};
use bootstorm_emulator::format::FormatOptions;
use bootstorm_emulator::format::sealed::{self, Seal};
use bootstorm_emulator::names::Names;
use bootstorm_emulator::profile::Profile;
use bootstorm_scenarios::plan::{PhonePlan, Plan};

use super::Subject;
use crate::fleet::transcript;
use crate::provision::{self, SIMULATED_POOL};
use crate::reference::content::{Asked, Source};
use crate::reference::{Reference, ReferenceConfig};
use crate::run::{Orders, simulate_shard};

/// Bytes of a file that is looked at line by line.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// A boot.
pub(super) struct Visit<'a> {
    pub(super) plan: &'a Plan,
    pub(super) phone: PhonePlan,
    pub(super) profile: &'a Profile,
    /// The model's short name.
    pub(super) model: &'a str,
    /// What it asked for.
    pub(super) asked: Vec<Asked>,
    /// What happened.
    pub(super) events: Vec<EventKind>,
    pub(super) urls: Names,
}

/// The server that phones boot against.
pub(super) fn reference(plan: &Arc<Plan>, subject: &Subject) -> ReferenceConfig {
    let source = Source::Watched(Arc::clone(&subject.watched));
    provision::reference(plan, source, SIMULATED_POOL)
}

/// Boots one phone.
pub(super) fn visit<'a>(
    plan: &'a Arc<Plan>,
    subject: &Subject,
    reference: &ReferenceConfig,
    index: u32,
) -> Option<Visit<'a>> {
    let phone = plan.phone(index)?;
    let profile = plan.profile(&phone)?;
    let orders = Orders {
        shards: 1,
        only: Some(index),
        transcript: true,
        ..Orders::default()
    };
    let _ = subject.watched.take();
    let (result, _) = simulate_shard(plan, Reference::new(reference.clone()), &orders);
    let asked = subject.watched.take();
    let name = profile.name.as_str();
    Some(Visit {
        plan,
        phone,
        profile,
        model: name.split_once('/').map_or(name, |(_, model)| model),
        asked,
        events: result.log.iter().map(|logged| logged.event.kind).collect(),
        urls: result.urls,
    })
}

impl Visit<'_> {
    /// A file's name as the phone asked for it.
    pub(super) fn name(&self, file: File) -> String {
        transcript::file_name(self.plan, &self.phone, &self.urls, file)
    }

    /// The path of a file that was fetched, by its digest, or of one that was asked for in vain.
    pub(super) fn path(&self, file: File, md5: Option<[u8; 16]>) -> Option<&str> {
        let name = self.name(file);
        let name = name.split('?').next().unwrap_or_default();
        let last = last(name);
        let fits = |asked: &&Asked| match (&asked.found, md5) {
            (Ok(found), Some(md5)) => found.md5 == md5,
            (Err(_), None) => true,
            _ => false,
        };
        let candidates: Vec<_> = self.asked.iter().filter(fits).collect();
        let bare = |asked: &Asked| asked.path.split('?').next().unwrap_or_default().to_owned();
        let whole = candidates.iter().find(|it| name.ends_with(&bare(it)));
        let named = || candidates.iter().find(|it| self::last(&bare(it)) == last);
        let any = || candidates.last().filter(|_| md5.is_some());
        let found = whole.or_else(named).or_else(any)?;
        Some(found.path.as_str())
    }

    /// The bytes of a file that was had.
    pub(super) fn bytes(&self, path: &str) -> Option<&[u8]> {
        let asked = self.asked.iter().find(|asked| asked.path == path)?;
        asked.found.as_ref().ok().map(|file| &*file.bytes)
    }

    /// How this phone may have to read a file: as it stands, or with a key of its fleet.
    pub(super) fn readings(&self) -> Vec<FormatOptions> {
        let plain = FormatOptions {
            seal: None,
            ..self.profile.format
        };
        let mut readings = vec![plain];
        let fleet = self.plan.fleet(&self.phone);
        let keys = fleet.map(|fleet| [&fleet.seal.device_key, &fleet.seal.common_key]);
        let keys = keys.into_iter().flatten();
        for key in keys.filter_map(|key| sealed::parse_key(key)) {
            let cipher = self.profile.cipher.unwrap_or_default();
            let seal = Some(Seal { cipher, key });
            readings.push(FormatOptions { seal, ..plain });
        }
        readings
    }

    /// A file as text, opened where it is encrypted and the fleet's keys open it; none for what is
    /// no text.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let bytes = self.bytes(path)?;
        if bytes.len() > TEXT_BYTES_MAX {
            return None;
        }
        let is_text = |bytes: &[u8]| !bytes.contains(&0);
        if is_text(bytes) && std::str::from_utf8(bytes).is_ok() {
            return Some(String::from_utf8_lossy(bytes).into_owned());
        }
        for seal in self.readings().iter().filter_map(|options| options.seal) {
            let mut plain = Vec::new();
            if sealed::open(&seal, bytes, &mut plain).is_ok() {
                while plain.last() == Some(&0) {
                    plain.pop();
                }
                if is_text(&plain) && std::str::from_utf8(&plain).is_ok() {
                    return String::from_utf8(plain).ok();
                }
            }
        }
        is_text(bytes).then(|| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The vendor's markers in a line, filled for this phone.
    pub(super) fn filled(&self, line: &str) -> String {
        let vars = self.plan.vars(&self.phone);
        let mut text = line.to_owned();
        for (mark, letter) in [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")] {
            text = text.replace(mark, letter);
        }
        for (marker, template) in &self.profile.markers {
            if text.contains(marker.as_str()) {
                text = text.replace(marker.as_str(), &template.text(&vars));
            }
        }
        text
    }

    /// The last line of the files had that fits, the last file first.
    pub(super) fn line_where(&self, fits: impl Fn(&str) -> bool) -> Option<(&str, u32)> {
        self.asked.iter().rev().find_map(|asked| {
            let text = self.text(&asked.path)?;
            let line = text.lines().position(|line| fits(&self.filled(line)))?;
            let line = u32::try_from(line + 1).unwrap_or(u32::MAX);
            Some((asked.path.as_str(), line))
        })
    }
}

/// The last part of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
