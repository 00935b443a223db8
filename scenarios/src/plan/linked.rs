//! Files that the settings of a fleet name: firmware, phone book, picture … (FAN-10, FAN-126 …
//! FAN-134), for phones whose profile has tasks for them.

use std::sync::Arc;

use bootstorm_emulator::format::Format;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::profile::{ContentKind, Profile, Scope, Task, TaskKind};

use super::{PhonePlan, Plan, PlanFault, said};
use crate::scenario::{Fleet, Resource, Transport};

/// A file that a setting names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedFile {
    /// What it is.
    pub kind: TaskKind,
    /// The key of the setting that names it.
    pub key: String,
    /// Its path below the fleet's root.
    pub path: String,
    /// By which protocol it is fetched.
    pub transport: Transport,
}

impl Plan {
    /// The files that the settings of a phone name; a model that has no use for one does without.
    #[must_use]
    pub fn linked_files(&self, phone: &PhonePlan) -> Vec<LinkedFile> {
        let (Some(fleet), Some(profile)) = (self.fleet(phone), self.profile(phone)) else {
            return Vec::new();
        };
        let nested = profile.layout(&fleet.layout).any(|file| match file.holds {
            ContentKind::Settings { format, .. } => format == Format::ModuleTree,
            _ => false,
        });
        let linked = |task: &Task| {
            let (path, transport) = match task.holds {
                TaskKind::Firmware => (self.image_name(phone)?, fleet.firmware_transport),
                kind => {
                    let mut resources = fleet.resources.iter();
                    let resource = resources.find(|resource| resource.kind == kind)?;
                    (name_of(task, resource), resource.transport)
                }
            };
            Some(LinkedFile {
                kind: task.holds,
                key: key_of(task, nested)?,
                path,
                transport: transport.unwrap_or(fleet.transport),
            })
        };
        taken(profile).filter_map(linked).collect()
    }

    /// The settings that name those files, in the file of the fleet where the layout has one
    /// (FAN-23), otherwise in each phone's own.
    pub(super) fn links_in(&self, phone: &PhonePlan, scope: Scope) -> Vec<(String, Template)> {
        let (Some(fleet), Some(profile)) = (self.fleet(phone), self.profile(phone)) else {
            return Vec::new();
        };
        let files = self.linked_files(phone).into_iter();
        let setting = |file: LinkedFile| {
            let url = self.url_with_login(phone, file.transport, &file.path);
            (file.key, url)
        };
        let links: Vec<_> = files.map(setting).collect();
        let has = |shared| {
            let of = |kind: &ContentKind| match kind {
                ContentKind::Settings { scope, .. } => (*scope == Scope::Common) == shared,
                _ => false,
            };
            profile.layout(&fleet.layout).any(|file| of(&file.holds))
        };
        // A login of each phone's own has no place in a file that they share.
        let own_login = links.iter().any(|(_, url)| url.is_per_phone());
        let in_common = has(true) && !(own_login && has(false));
        if in_common == (scope == Scope::Common) {
            links
        } else {
            Vec::new()
        }
    }
}

/// Whether firmware is a task of the profile's.
pub(super) fn takes_firmware(profile: &Profile) -> bool {
    taken(profile).any(|task| task.holds == TaskKind::Firmware)
}

/// The profile, with the fleet's mode of encryption where it has one of its own.
pub(super) fn with_cipher(profile: Arc<Profile>, fleet: &Fleet) -> Arc<Profile> {
    match fleet.seal.cipher {
        Some(cipher) if profile.cipher != Some(cipher) => Arc::new(Profile {
            cipher: Some(cipher),
            ..(*profile).clone()
        }),
        _ => profile,
    }
}

/// What a fleet asks of a model in vain.
pub(super) fn faults_of_model(fleet: &Fleet, profile: &Profile) -> Vec<PlanFault> {
    let mut faults = Vec::new();
    let keys = [&fleet.seal.device_key, &fleet.seal.common_key];
    let sealed = keys.iter().any(|key| !key.is_empty());
    let reads = profile.fetches.iter().any(|fetch| fetch.key.is_some());
    if sealed && !reads {
        faults.push(PlanFault::NoSeal {
            place: said(fleet.at.seal.as_ref()),
            fleet: fleet.name.clone(),
            profile: profile.name.clone(),
        });
    }
    for resource in &fleet.resources {
        let Some(suffix) = &resource.suffix else {
            continue;
        };
        let task = taken(profile).find(|task| task.holds == resource.kind);
        let refused =
            task.filter(|task| !task.suffixes.is_empty() && !task.suffixes.contains(suffix));
        faults.extend(refused.map(|task| PlanFault::Suffix {
            place: said(resource.at.as_ref()),
            fleet: fleet.name.clone(),
            profile: profile.name.clone(),
            kind: word(resource.kind),
            suffix: suffix.clone(),
            known: task.suffixes.join(", "),
        }));
    }
    faults
}

/// What a fleet asks for and no model of it has.
pub(super) fn faults_of_fleet(fleet: &Fleet, set: &ProfileSet) -> Vec<PlanFault> {
    let models = fleet.profiles.iter();
    let models: Vec<_> = models.filter_map(|(name, _)| set.get(name).ok()).collect();
    // Unknown profiles are a fault of their own.
    if models.len() < fleet.profiles.len() {
        return Vec::new();
    }
    let has = |kind| {
        models
            .iter()
            .any(|model| taken(model).any(|task| task.holds == kind))
    };
    let others = TaskKind::ALL
        .iter()
        .filter(|(kind, _)| *kind != TaskKind::Firmware);
    let known: Vec<_> = others
        .filter(|(kind, _)| has(*kind))
        .map(|(_, word)| *word)
        .collect();
    let known = match known.is_empty() {
        true => String::new(),
        false => format!(" (expected one of {})", known.join(", ")),
    };
    let lacking = fleet
        .resources
        .iter()
        .filter(|resource| !has(resource.kind));
    let fault = |resource: &Resource| PlanFault::NoResource {
        place: said(resource.at.as_ref()),
        fleet: fleet.name.clone(),
        kind: word(resource.kind),
        known: known.clone(),
    };
    lacking.map(fault).collect()
}

/// The tasks that a model carries out.
fn taken(profile: &Profile) -> impl Iterator<Item = &Task> {
    profile.tasks.list.iter().filter(|task| !task.refused)
}

/// The setting that names a task's file: in nested elements one without blanks, since no element's
/// name has any; otherwise the first.
fn key_of(task: &Task, nested: bool) -> Option<String> {
    let mut plain = task.settings.iter().filter(|key| !key.contains(' '));
    let wanted = plain.next().filter(|_| nested);
    wanted.or(task.settings.first()).cloned()
}

/// The name that phones take: the one that the task prescribes, else that of its kind.
fn name_of(task: &Task, resource: &Resource) -> String {
    let base = match task.base_name.as_str() {
        "" => word(task.holds),
        base => base,
    };
    let suffix = resource.suffix.as_ref().or(task.suffixes.first());
    match suffix {
        Some(suffix) => format!("{base}.{suffix}"),
        None => base.to_owned(),
    }
}

fn word(kind: TaskKind) -> &'static str {
    let known = TaskKind::ALL.iter().find(|(known, _)| *known == kind);
    known.map_or("", |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::scenario::read;

    fn plan(profiles: &str, lines: &str) -> Result<Plan, Vec<PlanFault>> {
        let text = format!(
            "name = \"x\"\n[[fleet]]\nname = \"one\"\nphones = 2\nsource = \"dhcp\"\n\
             transport = \"http\"\nlayout = \"modules\"\nroot = \"r\"\n\
             profiles = {{ {profiles} }}\n\
             {lines}"
        );
        let scenario = read("x.toml", &text).expect("a scenario");
        Plan::new(
            scenario,
            &ProfileSet::built_in(),
            Ipv4Addr::new(10, 0, 0, 2),
        )
    }

    // FAN-12, FAN-23, FAN-126 … FAN-134
    #[test]
    fn a_model_is_told_of_what_it_takes_in_the_file_of_its_fleet() {
        let lines = "firmware = \"2.14.0\"\nfirmware_transport = \"tftp\"\n\
                     resources = [\"background\", { kind = \"phonebook\", suffix = \"csv\" }]\n";
        let plan = plan("\"fanvil/x6\" = 1, \"fanvil/c600\" = 1", lines).expect("a plan");
        let held = |index| {
            let phone = plan.phone(index).expect("a phone");
            assert!(plan.own_settings(&phone).is_empty());
            let settings = plan.fleet_settings(&phone).into_iter();
            settings.map(|(_, url)| url).collect::<Vec<_>>()
        };
        assert_eq!(
            held(0),
            [
                "tftp://10.0.0.2/r/x62.14.0T20210730173312.z",
                "http://10.0.0.2/r/phonebook.csv",
                "http://10.0.0.2/r/background.bmp",
            ]
        );
        // It takes no picture.
        assert_eq!(held(1).len(), 2);
    }

    // FAN-134
    #[test]
    fn urls_in_files_have_the_login_where_phones_have_it_from_urls() {
        let lines = |user: &str| {
            format!(
                "auth = \"digest\"\ncredentials = \"url\"\nuser = \"{user}\"\n\
                 password = \"p/1\"\nfirmware = \"2.14.0\"\n\
                 resources = [{{ kind = \"background\", transport = \"tftp\" }}]\n"
            )
        };
        let x6 = "\"fanvil/x6\" = 1";
        let shared = plan(x6, &lines("all")).expect("a plan");
        let phone = shared.phone(0).expect("a phone");
        let told = shared.fleet_settings(&phone);
        let image = "r/x62.14.0T20210730173312.z";
        assert_eq!(told[0].1, format!("http://all:p%2F1@10.0.0.2/{image}"));
        assert_eq!(told[1].1, "tftp://10.0.0.2/r/background.bmp");
        // What differs from phone to phone goes into the phone's own file.
        let own = plan(x6, &lines("u-{mac}")).expect("a plan");
        let phone = own.phone(1).expect("a phone");
        assert!(own.fleet_settings(&phone).is_empty());
        let login = own.login(&phone).expect("a login");
        assert_eq!(login.user, format!("u-{}", phone.identity.mac));
        let url = format!("http://{}:p%2F1@10.0.0.2/{image}", login.user);
        assert_eq!(own.own_settings(&phone)[0].1, url);
        assert!(
            own.pnp_url(&phone)
                .is_some_and(|it| it.starts_with(&url[..30]))
        );
        // A user at the display types it for the files of settings; these have it in the URL.
        let typed = lines("all").replace("\"url\"", "\"prompt\"")
            + "[fleet.operator]\nuser = \"all\"\npassword = \"p/1\"\nthink_s = 1\n";
        let typed = plan(x6, &typed).expect("a plan");
        let phone = typed.phone(0).expect("a phone");
        assert!(!typed.found_text(&phone).contains('@'));
        assert!(typed.fleet_settings(&phone)[0].1.contains("://all:p%2F1@"));
    }

    #[test]
    fn what_no_model_has_is_a_fault_at_its_line() {
        let faults = |profiles: &str, lines: &str| {
            let faults = plan(profiles, lines).expect_err("a fault");
            let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
            texts.join("\n")
        };
        let x6 = "\"fanvil/x6\" = 1";
        let told = faults(x6, "resources = [\"access-list\"]\n");
        assert!(
            told.starts_with("x.toml:10:14: fleet one: none of its models"),
            "{told}"
        );
        let told = faults(
            x6,
            "resources = [{ kind = \"phonebook\", suffix = \"pdf\" }]\n",
        );
        assert!(told.contains("(expected one of xml, vcf, csv)"), "{told}");
        let key = "0".repeat(64);
        let told = faults(
            "\"gigaset/maxwell-3\" = 1",
            &format!("device_key = \"{key}\"\n"),
        );
        assert!(
            told.contains("x.toml:10:14: fleet one: phones of gigaset"),
            "{told}"
        );
        assert!(
            told.contains("x.toml:7:10: fleet one: profile gigaset"),
            "{told}"
        );
    }

    // FAN-47
    #[test]
    fn a_fleet_may_have_a_mode_of_encryption_of_its_own() {
        let key = "0".repeat(64);
        let lines = format!("device_key = \"{key}\"\ncipher = \"cbc-prefixed\"\n");
        let plan = plan("\"fanvil/x6\" = 1", &lines).expect("a plan");
        let set = ProfileSet::built_in();
        let told = set.get("fanvil/x6").expect("a profile");
        assert_ne!(plan.profiles[0].cipher, told.cipher);
        let phone = plan.phone(0).expect("a phone");
        let fields = plan.web_fields(&phone);
        assert!(fields.iter().any(|(_, value)| *value == key));
    }
}
