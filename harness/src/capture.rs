//! `capture.pcapng` of a run: which phones are recorded, and with which secrets covered.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::Param;
use bootstorm_reports::pcapng::mask::Mask;
use bootstorm_reports::pcapng::{self, Captured, Section, Written};
use bootstorm_reports::redact::Redactor;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::scenario::{AcsStep, Handed};
use bootstorm_scenarios::wire::record::Record;

use crate::fleet::recorder::{Keep, Rules};
use crate::provision;
use crate::run::{Ended, Orders};

/// Bytes of one phone's record: a boot with its files, of which the beginnings are kept.
const PHONE_BYTES: usize = 64 << 10;
/// Bytes that are kept of one file.
const BODY_BYTES: usize = 8 << 10;
/// Bytes of all records together.
const TOTAL_BYTES: usize = 64 << 20;
/// Fields of web pages that are secrets.
const SECRET_PARAMS: [Param; 7] = [
    Param::Password,
    Param::SecondPassword,
    Param::RedirectPassword,
    Param::DeviceKey,
    Param::CommonKey,
    Param::AcsPassword,
    Param::AcsConnectionPassword,
];

/// Whose packets are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// Everybody's.
    All,
    /// Those of phones that fail, and of a sample of about 16 others.
    #[default]
    Failed,
    /// Nobody's.
    None,
}

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {path}: {fault}")]
pub struct CaptureFault {
    path: String,
    fault: io::Error,
}

/// Has a run record what its capture needs; of one phone alone everything.
pub fn order(orders: &mut Orders, which: Which, plan: &Plan) {
    orders.record_rules = Rules {
        body_bytes: BODY_BYTES,
        total_bytes: TOTAL_BYTES,
        keep: match which {
            Which::All => Keep::All,
            _ if orders.only.is_some() => Keep::All,
            _ => Keep::failed(plan.phones(), plan.scenario.seed),
        },
    };
    orders.record_bytes = match which {
        Which::None => 0,
        _ => PHONE_BYTES,
    };
}

/// Writes the capture of a run that was ordered so; none, and an older one taken away, where
/// nothing was recorded. The records are used up.
///
/// # Errors
/// What the operating system says.
pub fn write(
    path: &Path,
    plan: &Plan,
    orders: &Orders,
    ended: &mut Ended,
) -> Result<Option<Written>, CaptureFault> {
    let records = std::mem::take(&mut ended.records);
    let faulty = |fault| CaptureFault {
        path: path.display().to_string(),
        fault,
    };
    if records.is_empty() {
        return match fs::remove_file(path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(faulty(fault)),
            _ => Ok(None),
        };
    }
    let redactor = Redactor::new(plan.scenario.seed);
    let mask = match orders.keep_secrets {
        true => Mask::keeping_secrets(redactor.clone()),
        false => Mask::new(redactor.clone()),
    };
    let section = Section {
        program: format!("bootstorm {}", env!("CARGO_PKG_VERSION")),
        comment: format!(
            "scenario {}, seed {}",
            plan.scenario.name, plan.scenario.seed
        ),
        started_at: orders.started_at,
    };
    let phones = records
        .into_iter()
        .filter_map(|(index, record)| captured(plan, index, record, &redactor));
    let written = whole_file(path, |mut out| {
        pcapng::write(&mut out, &section, phones, &mask)
    });
    written.map(Some).map_err(faulty)
}

/// Writes a file that is there whole, or as it was before.
///
/// # Errors
/// What the operating system or the writer says.
pub fn whole_file<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let whole = File::create(&part).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 16, file);
        let written = write(&mut out)?;
        // Dropping it would lose what the last write has to say.
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(&part, path)?;
        Ok(written)
    });
    if whole.is_err() {
        // It may not be there; what went wrong is told.
        let _ = fs::remove_file(&part);
    }
    whole
}

fn captured(plan: &Plan, index: u32, record: Record, redactor: &Redactor) -> Option<Captured> {
    let phone = plan.phone(index)?;
    Some(Captured {
        index,
        mac: phone.identity.mac,
        profile: plan.profile(&phone)?.name.clone(),
        record,
        secrets: secrets(plan, &phone, redactor),
    })
}

/// Every secret that a plan gives a phone: the intended values of secret settings, passwords of
/// accounts and logins, keys. Names for logins, and what is the phone's MAC, are left out: they
/// stand in addresses and paths, which a capture must show; beside their keys they are covered
/// all the same.
#[must_use]
pub fn secrets(plan: &Plan, phone: &PhonePlan, redactor: &Redactor) -> Vec<String> {
    let mut secrets = provision::passwords(plan, phone);
    let fields = plan.web_fields(phone).into_iter();
    let fields = fields.filter(|(param, _)| SECRET_PARAMS.contains(param));
    secrets.extend(fields.map(|(_, value)| value));
    secrets.extend(SECRET_PARAMS.map(|param| plan.web_text(phone, param)));
    secrets.extend(plan.login(phone).map(|login| login.password));
    secrets.extend(plan.acs_login(phone).map(|login| login.password));
    let settings = plan.fleet_settings(phone).into_iter();
    let settings = settings.chain(plan.own_settings(phone));
    let secret = settings.filter(|(key, _)| redactor.is_secret_key(key) && !is_name(key));
    secrets.extend(secret.map(|(_, value)| value));
    for step in plan.acs(phone).iter().flat_map(|acs| &acs.steps) {
        match step {
            AcsStep::Set(values) => {
                let secret = values
                    .iter()
                    .filter(|(name, _)| redactor.is_secret_key(name));
                let texts = secret.filter_map(|(_, value)| match value {
                    Handed::Text(template) => Some(plan.filled(phone, template)),
                    _ => None,
                });
                secrets.extend(texts);
            }
            AcsStep::Download(download) => {
                let ordered = plan.ordered(phone, download);
                secrets.extend(ordered.map(|ordered| ordered.login.password));
            }
            _ => {}
        }
    }
    let mac = phone.identity.mac;
    secrets.retain(|secret| Mac::parse(secret) != Some(mac));
    secrets.sort_unstable();
    secrets.dedup();
    secrets
}

/// A setting of the name that goes with a password.
fn is_name(key: &str) -> bool {
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    let key: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    key.contains("authname")
}
