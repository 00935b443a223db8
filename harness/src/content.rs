//! Content: the files that a plan's fleets need, written through the emulator's formats by each
//! profile's content table. It knows no vendor.

use std::collections::BTreeMap;

use bootstorm_emulator::format::{self, Draft, Format};
use bootstorm_emulator::profile::template::{Template, Vars};
use bootstorm_emulator::profile::{ContentFile, ContentKind, Profile, Scope, TaskKind};
use bootstorm_emulator::rng::Rng;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use md5::{Digest, Md5};

mod certificate;
mod linked;
mod resource;
mod sealing;

/// Files by their path below the server's root, without a leading `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Why a plan's content cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentFault {
    /// Two fleets put different bytes at one path.
    #[error(
        "fleet \"{fleet}\" needs two different files at {path}, or another one than an earlier \
         fleet: give the fleet a root of its own (root = \"…\"), or where models or phones of one \
         fleet share the file, put what differs under common_for or own"
    )]
    Clash {
        /// The fleet that came second.
        fleet: String,
        /// The path below the server's root.
        path: String,
    },
    /// A checksum file of a file that the layout does not hold.
    #[error("profile {profile}: {path} is the checksum of a file that the layout does not hold")]
    Checksum {
        /// The profile.
        profile: String,
        /// The checksum file.
        path: String,
    },
}

/// All files of a plan.
///
/// # Errors
/// Fleets that cannot share one server; a content table that contradicts itself.
pub fn generate(plan: &Plan) -> Result<Files, ContentFault> {
    let mut files = Files::new();
    for fleet in 0..plan.scenario.fleets.len() {
        let mut shared = Vec::new();
        for index in plan.fleet_range(fleet) {
            let Some(phone) = plan.phone(index) else {
                continue;
            };
            let first_of_model = !shared.contains(&phone.profile);
            if first_of_model {
                shared.push(phone.profile);
            }
            Writer {
                plan,
                phone: &phone,
                files: &mut files,
            }
            .phone(first_of_model)?;
        }
    }
    Ok(files)
}

/// Writes the files of one phone, and with the first phone of a model those of the model.
struct Writer<'a> {
    plan: &'a Plan,
    phone: &'a PhonePlan,
    files: &'a mut Files,
}

impl Writer<'_> {
    fn phone(&mut self, first_of_model: bool) -> Result<(), ContentFault> {
        let Some(profile) = self.plan.profile(self.phone) else {
            return Ok(());
        };
        let Some(fleet) = self.plan.fleet(self.phone) else {
            return Ok(());
        };
        let in_layout = profile
            .content
            .iter()
            .filter(|file| file.layout == fleet.layout);
        // URLs with a login of each phone's own: a file that phones share cannot hold them, which
        // shows when it is written again.
        let own_login = self.plan.directory_with_login(self.phone).is_per_phone();
        let links = |kind: &ContentKind| {
            use ContentKind::{Catalogue, Operations, References, Settings};
            matches!(
                kind,
                Catalogue(_) | References(_) | Operations { .. } | Settings { .. }
            )
        };
        for file in in_layout {
            let own = file.path.source().contains("{mac") || file.path.source().contains("{index");
            let own = own || file.path.is_typed() || (own_login && links(&file.holds));
            if own || first_of_model {
                self.file(profile, file)?;
            }
        }
        if first_of_model {
            self.resources()?;
        }
        Ok(())
    }

    /// The files that settings of the phone's model name.
    fn resources(&mut self) -> Result<(), ContentFault> {
        for linked in self.plan.linked_files(self.phone) {
            let bytes = match linked.kind {
                TaskKind::Firmware => self.image(&linked.path),
                kind => resource::bytes(kind, &linked.path),
            };
            self.insert(self.below_root(&linked.path), bytes)?;
        }
        Ok(())
    }

    fn file(&mut self, profile: &Profile, file: &ContentFile) -> Result<(), ContentFault> {
        let path = self.path(&file.path);
        let bytes = match &file.holds {
            ContentKind::Settings { scope, format } => self.settings(profile, *scope, *format),
            ContentKind::Boot(links) => self.boot(profile, links),
            ContentKind::Checksum(of) => {
                let of = self.path(of);
                let Some(bytes) = self.files.get(&of) else {
                    let profile = profile.name.clone();
                    return Err(ContentFault::Checksum { profile, path });
                };
                let name = of.rsplit('/').next().unwrap_or(&of).to_owned();
                let checksum = Some((Md5::digest(bytes).into(), name.as_str()));
                let draft = Draft {
                    checksum,
                    ..Draft::default()
                };
                format::write(Format::Checksum, profile.format, &draft)
            }
            ContentKind::Version => self.version(profile),
            ContentKind::Firmware => {
                let Some(image) = self.plan.image_name(self.phone) else {
                    return Ok(());
                };
                self.image(&image)
            }
            ContentKind::Phonebook => resource::bytes(TaskKind::Phonebook, &path),
            ContentKind::Catalogue(catalogue) => self.catalogue(profile, catalogue),
            ContentKind::Sections {
                scope,
                patch,
                further,
            } => self.sections(profile, *scope, *patch, further),
            ContentKind::References(links) => self.references(links),
            ContentKind::Operations { delete, add } => self.operations(delete, *add),
            ContentKind::Certificate(form) => certificate::authority(&path, *form),
        };
        let bytes = match file.key.and_then(|field| self.seal(profile, field)) {
            Some(seal) => sealing::sealed(&seal, &bytes, self.plan.scenario.seed, &path),
            None => bytes,
        };
        self.insert(path, bytes)
    }

    fn settings(&self, profile: &Profile, scope: Scope, format: Format) -> Vec<u8> {
        let settings = self.values(scope);
        let fleet = self.plan.fleet(self.phone);
        let draft = Draft {
            settings: &borrowed(&settings),
            version: fleet.map_or("", |fleet| &fleet.file_version),
            ..Draft::default()
        };
        let mut bytes = format::write(format, profile.format, &draft);
        let wanted = match scope {
            Scope::Common => 0,
            _ => fleet.map_or(0, |fleet| fleet.pad_bytes),
        };
        // What phones refuse when its size is announced is not put before them.
        let least = usize::from(profile.tftp.refuse_zero_size);
        format::pad(format, &mut bytes, wanted.max(least));
        bytes
    }

    /// The settings of a file, in the order of the scenario.
    fn values(&self, scope: Scope) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        if matches!(scope, Scope::Common | Scope::All) {
            settings.extend(self.plan.fleet_settings(self.phone));
        }
        if matches!(scope, Scope::Own | Scope::All) {
            settings.extend(self.plan.own_settings(self.phone));
        }
        settings
    }

    fn boot(&self, profile: &Profile, links: &[Template]) -> Vec<u8> {
        let vars = self.vars();
        let links: Vec<_> = links.iter().map(|link| link.text(&vars)).collect();
        let links: Vec<_> = links.iter().map(String::as_str).collect();
        let draft = Draft {
            links: &links,
            ..Draft::default()
        };
        format::write(Format::Boot, profile.format, &draft)
    }

    /// The version that the fleet is to run; without one, the version that the model runs.
    fn version(&self, profile: &Profile) -> Vec<u8> {
        let image = self.plan.image_name(self.phone);
        let wanted = self
            .plan
            .fleet(self.phone)
            .and_then(|fleet| fleet.firmware.as_deref());
        let version = wanted.unwrap_or(&profile.firmware);
        let mut settings = vec![("Version", version)];
        settings.extend(image.as_deref().map(|image| ("Image_file", image)));
        let draft = Draft {
            settings: &settings,
            ..Draft::default()
        };
        format::write(Format::Version, profile.format, &draft)
    }

    /// Bytes that look like an image: a header with name and length, then noise from the name.
    fn image(&self, name: &str) -> Vec<u8> {
        let length = self
            .plan
            .fleet(self.phone)
            .map_or(0, |fleet| fleet.firmware_bytes);
        let mut image = b"\x7fBOOTSTORM firmware image ".to_vec();
        image.extend_from_slice(name.as_bytes());
        image.push(0);
        let seed = name
            .bytes()
            .fold(0_u64, |hash, byte| hash.wrapping_mul(31) + u64::from(byte));
        let mut noise = Rng::new(seed);
        while image.len() < length {
            image.extend_from_slice(&noise.next_u64().to_le_bytes());
        }
        image.truncate(length.max(1));
        image
    }

    fn path(&self, template: &Template) -> String {
        let vars = self.vars();
        let operator = self.plan.fleet(self.phone);
        let operator = operator.and_then(|fleet| fleet.operator.as_ref());
        let typed = operator.map_or_else(String::new, |it| it.file_id.text(&vars));
        let vars = Vars {
            typed: &typed,
            ..vars
        };
        self.below_root(&template.text(&vars))
    }

    /// A path below the fleet's root as the server has it.
    fn below_root(&self, path: &str) -> String {
        let fleet = self.plan.fleet(self.phone);
        let root = fleet.map_or("", |fleet| fleet.root.as_str());
        let path = path.trim_start_matches('/');
        if root.is_empty() {
            path.to_owned()
        } else {
            format!("{root}/{path}")
        }
    }

    fn vars(&self) -> Vars<'_> {
        self.plan.vars(self.phone)
    }

    fn insert(&mut self, path: String, bytes: Vec<u8>) -> Result<(), ContentFault> {
        if self.files.get(&path).is_some_and(|held| *held != bytes) {
            let fleet = self.plan.fleet(self.phone).map(|fleet| fleet.name.clone());
            return Err(ContentFault::Clash {
                fleet: fleet.unwrap_or_default(),
                path,
            });
        }
        self.files.insert(path, bytes);
        Ok(())
    }
}

/// Pairs as drafts want them.
fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}
