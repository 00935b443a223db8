//! `[fleet.acs]`: what the auto-configuration server does with the phones of a fleet.

use std::time::Duration;

use bootstorm_emulator::located::{Reader, Slot, Value};
use bootstorm_emulator::profile::template::Template;

/// The longest delay that a download may be ordered with.
const DELAY_S_MAX: u32 = 86_400;

/// What the auto-configuration server does with the phones of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acs {
    /// How phones prove who they are.
    pub auth: AcsAuth,
    /// The user name there; `None` = what the web page says out of the box.
    pub user: Option<Template>,
    /// The password there; `None` = what the web page says out of the box.
    pub password: Option<Template>,
    /// The URL is an `https` one.
    pub secure: bool,
    /// What each phone is asked to do, in this order; each step is done before the next is taken.
    pub steps: Vec<AcsStep>,
    /// What the server does wrong.
    pub fault: Option<AcsFault>,
    /// How many Informs of each phone are answered that way; `None` = all.
    pub fault_times: Option<u16>,
}

/// A scheme of HTTP authentication at the auto-configuration server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcsAuth {
    /// Phones prove nothing.
    None,
    /// Basic (RFC 7617).
    Basic,
    /// Digest with MD5 (RFC 7616), as TR-069 §3.4.5 wants it.
    #[default]
    Digest,
}

/// A remote procedure call (TR-069 annex A) that a phone is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcsStep {
    /// GetRPCMethods
    Methods,
    /// GetParameterValues of these names.
    Get(Vec<String>),
    /// SetParameterValues
    Set(Vec<(String, Handed)>),
    /// GetParameterNames
    Names {
        /// A parameter, or an object with `.` at its end.
        path: String,
        /// Only what is directly below.
        next_level: bool,
    },
    /// GetParameterAttributes of these names.
    Attributes(Vec<String>),
    /// SetParameterAttributes: names with 0 (off), 1 (passive) or 2 (active notification).
    Notify(Vec<(String, u8)>),
    /// AddObject
    Add(String),
    /// DeleteObject
    Delete(String),
    /// Download
    Download(Download),
    /// Reboot
    Reboot,
    /// FactoryReset
    FactoryReset,
}

/// A value that a parameter is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handed {
    /// `xsd:string`
    Text(Template),
    /// `xsd:unsignedInt`, or `xsd:int` below zero.
    Whole(i64),
    /// `xsd:boolean`
    Switch(bool),
}

/// A file that a phone is to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// What it is.
    pub file: Fetched,
    /// Where it is; `None` = that file of the fleet.
    pub url: Option<Template>,
    /// The user name for it; `None` = that of the fleet's `auth`.
    pub user: Option<Template>,
    /// The password for it; `None` = that of the fleet's `auth`.
    pub password: Option<Template>,
    /// How long the phone is to wait first.
    pub delay: Duration,
}

/// The type of a file (TR-069 table 30).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// `3 Vendor Configuration File`: the phone's own file (FAN-122).
    Config,
    /// `3 Vendor Configuration File`: the file of the whole fleet.
    CommonConfig,
    /// `1 Firmware Upgrade Image`
    Firmware,
}

/// What an auto-configuration server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcsFault {
    /// It asks for more and never ends a session.
    Endless,
    /// Its answers carry another `cwmp:ID` than the requests.
    WrongId,
    /// It answers an Inform with a SOAP fault, 8002 "internal error".
    SoapFault,
    /// Every answer comes five seconds late (FAN-123).
    Delayed,
    /// 503 to everything.
    Unavailable,
    /// The second half of every envelope is missing.
    Cut,
}

impl AcsFault {
    /// Every fault with the word for it in scenarios.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Endless, "endless"),
        (Self::WrongId, "wrong-id"),
        (Self::SoapFault, "soap-fault"),
        (Self::Delayed, "delayed"),
        (Self::Unavailable, "unavailable"),
        (Self::Cut, "cut"),
    ];
}

impl Default for Acs {
    /// Digest, and one download of the phone's own file.
    fn default() -> Self {
        Self {
            auth: AcsAuth::default(),
            user: None,
            password: None,
            secure: false,
            steps: vec![AcsStep::Methods, AcsStep::Download(Fetched::Config.alone())],
            fault: None,
            fault_times: None,
        }
    }
}

impl Fetched {
    const WORDS: [(Self, &'static str); 3] = [
        (Self::Config, "config"),
        (Self::CommonConfig, "common-config"),
        (Self::Firmware, "firmware"),
    ];

    /// The fleet's own file of this type, at once.
    #[must_use]
    pub fn alone(self) -> Download {
        Download {
            file: self,
            url: None,
            user: None,
            password: None,
            delay: Duration::ZERO,
        }
    }
}

/// `[fleet.acs]`; without it, what a fleet has whose source it is.
pub(super) fn acs(fleet: &Reader<'_>, is_source: bool) -> Option<Acs> {
    let slot = fleet.may("acs");
    if !slot.is_given() {
        return is_source.then(Acs::default);
    }
    let table = slot.table()?;
    let schemes = [
        (AcsAuth::None, "none"),
        (AcsAuth::Basic, "basic"),
        (AcsAuth::Digest, "digest"),
    ];
    let steps = table.may("steps");
    let given = steps.is_given();
    let usual = Acs::default();
    let fault = table.may("fault").word(&AcsFault::ALL);
    let times = table.may("fault_times");
    if times.is_given() && fault.is_none() {
        times.fault(format!("'{}' without 'fault'", times.name()));
    }
    Some(Acs {
        auth: table.may("auth").word(&schemes).unwrap_or_default(),
        user: table.may("user").template(),
        password: table.may("password").template(),
        secure: table.may("secure").switch().unwrap_or_default(),
        steps: match given {
            true => steps.list().iter().filter_map(step).collect(),
            false => usual.steps,
        },
        fault,
        fault_times: times.number(1..=u16::MAX),
    })
}

/// A word, or a table with one call.
fn step(slot: &Slot<'_>) -> Option<AcsStep> {
    if !matches!(slot.value(), Some(Value::Table(_))) {
        return word(slot);
    }
    let table = slot.table()?;
    let calls = [
        ("get", get as fn(&Reader<'_>, &Slot<'_>) -> Option<AcsStep>),
        ("set", set),
        ("names", names),
        ("attributes", attributes),
        ("notify", notify),
        ("add", add),
        ("delete", delete),
        ("download", download),
    ];
    let mut found = Vec::new();
    for (key, read) in calls {
        let slot = table.may(key);
        if slot.is_given() {
            found.push((slot, read));
        }
    }
    match found.as_slice() {
        [(slot, read)] => read(&table, slot),
        _ => {
            slot.unexpected(
                "a word, or a table with one of get, set, names, attributes, notify, add, \
                 delete, download",
            );
            None
        }
    }
}

fn word(slot: &Slot<'_>) -> Option<AcsStep> {
    const WORDS: [(u8, &str); 6] = [
        (0, "get-rpc-methods"),
        (1, "download-config"),
        (2, "download-common-config"),
        (3, "download-firmware"),
        (4, "reboot"),
        (5, "factory-reset"),
    ];
    Some(match slot.word(&WORDS)? {
        0 => AcsStep::Methods,
        1 => AcsStep::Download(Fetched::Config.alone()),
        2 => AcsStep::Download(Fetched::CommonConfig.alone()),
        3 => AcsStep::Download(Fetched::Firmware.alone()),
        4 => AcsStep::Reboot,
        _ => AcsStep::FactoryReset,
    })
}

fn get(_: &Reader<'_>, slot: &Slot<'_>) -> Option<AcsStep> {
    Some(AcsStep::Get(slot.texts()))
}

fn attributes(_: &Reader<'_>, slot: &Slot<'_>) -> Option<AcsStep> {
    Some(AcsStep::Attributes(slot.texts()))
}

fn add(_: &Reader<'_>, slot: &Slot<'_>) -> Option<AcsStep> {
    object(slot).map(AcsStep::Add)
}

fn delete(_: &Reader<'_>, slot: &Slot<'_>) -> Option<AcsStep> {
    object(slot).map(AcsStep::Delete)
}

fn object(slot: &Slot<'_>) -> Option<String> {
    slot.parsed("the name of an object, with '.' at its end", |text| {
        text.ends_with('.').then(|| text.to_owned())
    })
}

fn names(table: &Reader<'_>, slot: &Slot<'_>) -> Option<AcsStep> {
    Some(AcsStep::Names {
        path: slot.text()?.to_owned(),
        next_level: table.may("next_level").switch().unwrap_or_default(),
    })
}

/// `{ set = { "Device.A" = "text {mac}", "Device.B" = 3600, "Device.C" = true } }`
fn set(_: &Reader<'_>, slot: &Slot<'_>) -> Option<AcsStep> {
    let table = slot.table()?;
    let values = table.entries().filter_map(|(entry, slot)| {
        let value = match slot.value()? {
            Value::Switch(on) => Handed::Switch(*on),
            Value::Whole(number) => Handed::Whole(*number),
            _ => Handed::Text(slot.template()?),
        };
        Some((entry.key.clone(), value))
    });
    Some(AcsStep::Set(values.collect()))
}

/// `{ notify = { "Device.A" = 2 } }`
fn notify(_: &Reader<'_>, slot: &Slot<'_>) -> Option<AcsStep> {
    let table = slot.table()?;
    let values = table
        .entries()
        .filter_map(|(entry, slot)| Some((entry.key.clone(), slot.number(0..=2)?)));
    Some(AcsStep::Notify(values.collect()))
}

/// `{ download = "config", url = "…", user = "…", password = "…", delay_s = 5 }`
fn download(table: &Reader<'_>, slot: &Slot<'_>) -> Option<AcsStep> {
    let delay = table.may("delay_s").number(0..=DELAY_S_MAX);
    let file = slot.word(&Fetched::WORDS);
    let rest = Download {
        file: file.unwrap_or(Fetched::Config),
        url: table.may("url").template(),
        user: table.may("user").template(),
        password: table.may("password").template(),
        delay: Duration::from_secs(u64::from(delay.unwrap_or(0))),
    };
    file.map(|_| AcsStep::Download(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Discovery, read};

    fn fleet(more: &str) -> String {
        format!(
            "name = \"x\"\n[[fleet]]\nname = \"f\"\nphones = 1\ntransport = \"http\"\n\
             layout = \"l\"\n{more}\n[fleet.profiles]\n\"a/b\" = 1\n"
        )
    }

    #[test]
    fn reads_every_step_of_a_script() {
        let text = fleet(
            "source = \"acs\"\n[fleet.acs]\nauth = \"basic\"\nuser = \"{mac}\"\n\
             fault = \"wrong-id\"\nfault_times = 2\nsteps = [\"get-rpc-methods\", \
             { set = { \"A.B\" = \"x {mac}\", \"A.C\" = 5, \"A.D\" = true } }, \
             { get = [\"A.\"] }, { names = \"A.\", next_level = true }, { attributes = [\"A.B\"] }, \
             { notify = { \"A.B\" = 2 } }, { add = \"A.E.\" }, { delete = \"A.E.1.\" }, \
             { download = \"firmware\", url = \"ftp://x/{mac}\", user = \"1\", password = \"1\", \
             delay_s = 5 }, \"download-common-config\", \"reboot\", \"factory-reset\"]",
        );
        let scenario = read("x.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
        let acs = scenario.fleets[0].acs.as_ref().unwrap();
        assert_eq!(acs.auth, AcsAuth::Basic);
        assert_eq!(acs.fault, Some(AcsFault::WrongId));
        assert_eq!(acs.fault_times, Some(2));
        assert_eq!(acs.steps.len(), 12);
        let AcsStep::Set(values) = &acs.steps[1] else {
            panic!("{:?}", acs.steps[1]);
        };
        assert_eq!(values[1], ("A.C".to_owned(), Handed::Whole(5)));
        assert_eq!(values[2], ("A.D".to_owned(), Handed::Switch(true)));
        let AcsStep::Download(download) = &acs.steps[8] else {
            panic!("{:?}", acs.steps[8]);
        };
        assert_eq!(download.file, Fetched::Firmware);
        assert_eq!(download.delay, Duration::from_secs(5));
    }

    #[test]
    fn orders_one_download_where_nothing_is_said() {
        let scenario = read("x.toml", &fleet("source = \"acs\"")).unwrap();
        let acs = scenario.fleets[0].acs.as_ref().unwrap();
        assert_eq!(acs, &Acs::default());
        let scenario = read("x.toml", &fleet("source = \"dhcp\"")).unwrap();
        assert_eq!(scenario.fleets[0].acs, None);
    }

    // FAN-65: a custom option is one of 128 to 254.
    #[test]
    fn takes_a_custom_option_in_its_range_only() {
        let option = |more: &str| read("x.toml", &fleet(more)).map(|it| it.fleets[0].clone());
        let known = option("source = \"dhcp-custom\"\noption = 254").unwrap();
        assert_eq!((known.source, known.option), (Discovery::DhcpCustom, 254));
        for wrong in [
            "source = \"dhcp-custom\"\noption = 127",
            "source = \"dhcp-custom\"\noption = 255",
            "source = \"dhcp\"\noption = 128",
        ] {
            assert!(option(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_script() {
        for (wrong, word) in [
            ("steps = [\"reboots\"]", "did you mean 'reboot'"),
            ("steps = [{ add = \"A\" }]", "with '.' at its end"),
            ("steps = [{ get = [\"A\"], add = \"A.\" }]", "one of get"),
            ("steps = [{ notify = { \"A\" = 3 } }]", "from 0 to 2"),
            ("fault_times = 2", "without 'fault'"),
        ] {
            let text = fleet(&format!("source = \"acs\"\n[fleet.acs]\n{wrong}"));
            let faults = read("x.toml", &text).unwrap_err().to_string();
            assert!(faults.contains(word), "{wrong}: {faults}");
        }
    }
}
