//! A phone's script: the steps of the scenario as calls with all that is in them.

use std::borrow::Cow;

use bootstorm_emulator::wire::soap::{Download, Kind, Message, ObjectCall, SetAttributes, Value};
use bootstorm_scenarios::plan::{Ordered, PhonePlan, Plan};
use bootstorm_scenarios::scenario::{AcsStep, Fetched, Handed};

/// The command key of a download, as the traced server has it (FAN-122).
const DOWNLOAD_KEY: &str = "M Download";

/// A call and what the next one waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The call.
    pub message: Message<'static>,
    /// `None` = its answer.
    pub awaits: Option<Awaits>,
}

/// What must have come before the next call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaits {
    /// TransferComplete with this command key.
    Transfer(String),
    /// An Inform with `1 BOOT`.
    Boot,
}

/// A step as a call to a phone; `None` for the download of a file that the fleet does not have.
/// `bytes_of` says how long a file of the plan's own server is.
#[must_use]
pub fn call(
    plan: &Plan,
    phone: &PhonePlan,
    step: &AcsStep,
    bytes_of: &dyn Fn(&str) -> Option<usize>,
) -> Option<Call> {
    let owned = |text: &String| Cow::Owned(text.clone());
    let object = |object: &String| ObjectCall {
        object: Cow::Owned(object.clone()),
        key: Cow::Borrowed(""),
    };
    let mut awaits = None;
    let message = match step {
        AcsStep::Methods => Message::GetRpcMethods,
        AcsStep::Get(names) => Message::GetParameterValues(names.iter().map(owned).collect()),
        AcsStep::Set(values) => Message::SetParameterValues {
            values: values.iter().map(|it| value(it, plan, phone)).collect(),
            key: Cow::Borrowed(""),
        },
        AcsStep::Names { path, next_level } => Message::GetParameterNames {
            path: owned(path),
            next_level: *next_level,
        },
        AcsStep::Attributes(names) => {
            Message::GetParameterAttributes(names.iter().map(owned).collect())
        }
        AcsStep::Notify(levels) => {
            let change = |(name, level): &(String, u8)| SetAttributes {
                name: owned(name),
                notification: Some(*level),
                access: None,
            };
            Message::SetParameterAttributes(levels.iter().map(change).collect())
        }
        AcsStep::Add(name) => Message::AddObject(object(name)),
        AcsStep::Delete(name) => Message::DeleteObject(object(name)),
        AcsStep::Download(wanted) => {
            let ordered = plan.ordered(phone, wanted)?;
            let bytes = ordered.path.as_deref().and_then(bytes_of);
            let bytes = bytes.and_then(|bytes| u32::try_from(bytes).ok());
            awaits = Some(Awaits::Transfer(DOWNLOAD_KEY.to_owned()));
            let delay = u32::try_from(wanted.delay.as_secs()).unwrap_or(u32::MAX);
            Message::Download(Box::new(download(ordered, bytes.unwrap_or(0), delay)))
        }
        AcsStep::Reboot => {
            awaits = Some(Awaits::Boot);
            let key = Cow::Borrowed("M Reboot");
            Message::Reboot { key }
        }
        AcsStep::FactoryReset => {
            awaits = Some(Awaits::Boot);
            Message::FactoryReset
        }
    };
    Some(Call { message, awaits })
}

fn value((name, handed): &(String, Handed), plan: &Plan, phone: &PhonePlan) -> Value<'static> {
    let (kind, value) = match handed {
        Handed::Text(text) => (Kind::Text, plan.filled(phone, text)),
        Handed::Whole(number) if *number < 0 => (Kind::Int, number.to_string()),
        Handed::Whole(number) => (Kind::UnsignedInt, number.to_string()),
        Handed::Switch(on) => (Kind::Boolean, u8::from(*on).to_string()),
    };
    Value {
        name: Cow::Owned(name.clone()),
        kind: Some(kind),
        value: Cow::Owned(value),
    }
}

/// The arguments of Download, as FAN-122 has them.
fn download(ordered: Ordered, bytes: u32, delay_s: u32) -> Download<'static> {
    let file_type = match ordered.file {
        Fetched::Config | Fetched::CommonConfig => "3 Vendor Configuration File",
        Fetched::Firmware => "1 Firmware Upgrade Image",
    };
    let target = ordered
        .url
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    Download {
        key: Cow::Borrowed(DOWNLOAD_KEY),
        file_type: Cow::Borrowed(file_type),
        url: Cow::Owned(ordered.url),
        user: Cow::Owned(ordered.login.user),
        password: Cow::Owned(ordered.login.password),
        file_size: bytes,
        target: Cow::Owned(target),
        delay_s,
        success_url: Cow::Borrowed(""),
        failure_url: Cow::Borrowed(""),
    }
}
