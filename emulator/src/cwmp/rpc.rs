//! Answers to the server's calls (TR-069 A.3.1, A.3.2, A.4.1).

use std::borrow::Cow;
use std::time::Duration;

use super::{Device, fault_text, transfer};
use crate::event::{EventKind, Limit, Rpc};
use crate::limits::{ACS_SCHEDULED_MAX, PARAMETERS_MAX};
use crate::profile::cwmp::{Binding, CwmpSpec, Live};
use crate::time::Moment;
use crate::wire::soap::{Attributes, Fault, Message, SetAttributes, UNKNOWN_TIME};

/// What the phone knows to do, in the order in which it says so.
const METHODS: [&str; 12] = [
    "GetRPCMethods",
    "SetParameterValues",
    "GetParameterValues",
    "GetParameterNames",
    "SetParameterAttributes",
    "GetParameterAttributes",
    "AddObject",
    "DeleteObject",
    "Reboot",
    "Download",
    "FactoryReset",
    "ScheduleInform",
];
/// Bytes of CommandKey and ParameterKey (TR-069 A.3.2.1: string(32)).
const KEY_BYTES_MAX: usize = 32;
const SUBSCRIBER: &str = "Subscriber";

/// What the calls of a session lead to once it is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Orders {
    /// Reboot was called.
    pub(crate) reboot: bool,
    /// FactoryReset was called.
    pub(crate) reset: bool,
    /// A value was set that needs a reboot.
    pub(crate) apply: bool,
    /// Values were set.
    pub(crate) changed: bool,
    /// Sessions asked for: when, and with which key.
    pub(crate) scheduled: Vec<(Moment, Box<str>)>,
}

/// The answer to a call; `None` for what is no call.
pub(super) fn answer(
    device: &mut Device<'_, '_>,
    orders: &mut Orders,
    call: &Message<'_>,
) -> Option<Message<'static>> {
    let spec = device.spec()?;
    let rpc = kind(call)?;
    let result = match call {
        Message::SetParameterValues { values, key } => {
            return Some(set(device, orders, spec, values, key));
        }
        Message::Unknown(_) => Err(9_000),
        Message::Invalid { over_limit, .. } => Err(match over_limit {
            true => device.over_limit(Limit::Parameters, PARAMETERS_MAX),
            false => 9_003,
        }),
        call => told(device, orders, spec, call),
    };
    let fault = result.as_ref().err().copied();
    device.turn.event(EventKind::RpcAnswered { rpc, fault });
    Some(result.unwrap_or_else(|code| {
        Message::Fault(Fault {
            code,
            text: fault_text(code).into(),
            parameters: Vec::new(),
        })
    }))
}

/// Calls that ask for something, and all others.
fn told(
    device: &mut Device<'_, '_>,
    orders: &mut Orders,
    spec: &CwmpSpec,
    call: &Message<'_>,
) -> Result<Message<'static>, u16> {
    Ok(match call {
        Message::GetRpcMethods => {
            Message::GetRpcMethodsResponse(METHODS.map(Cow::Borrowed).to_vec())
        }
        Message::GetParameterValues(names) => {
            Message::GetParameterValuesResponse(device.values(spec, names)?)
        }
        Message::GetParameterNames { path, next_level } => {
            Message::GetParameterNamesResponse(device.names(spec, path, *next_level)?)
        }
        Message::GetParameterAttributes(names) => {
            let places = device.all_named(spec, names)?;
            let told = places.iter().filter_map(|place| {
                let (notification, subscriber) = device.attributes(spec, *place);
                let access = subscriber.then_some(Cow::Borrowed(SUBSCRIBER));
                Some(Attributes {
                    name: spec.parameters.get(*place)?.path.clone().into(),
                    notification,
                    access: access.into_iter().collect(),
                })
            });
            Message::GetParameterAttributesResponse(told.collect())
        }
        Message::SetParameterAttributes(all) => {
            set_attributes(device, spec, all)?;
            Message::SetParameterAttributesResponse
        }
        call => return done(device, orders, spec, call),
    })
}

/// Calls that change something.
fn done(
    device: &mut Device<'_, '_>,
    orders: &mut Orders,
    spec: &CwmpSpec,
    call: &Message<'_>,
) -> Result<Message<'static>, u16> {
    Ok(match call {
        Message::AddObject(call) => {
            let instance = device.add(spec, &call.object, key(&call.key)?)?;
            orders.changed = true;
            Message::AddObjectResponse {
                instance,
                status: 0,
            }
        }
        Message::DeleteObject(call) => {
            let reboot = device.delete(spec, &call.object, key(&call.key)?)?;
            orders.changed = true;
            orders.apply |= reboot;
            Message::DeleteObjectResponse {
                status: u8::from(reboot),
            }
        }
        Message::Download(call) => {
            key(&call.key)?;
            transfer::order(device, call)?;
            Message::DownloadResponse {
                status: 1,
                start: UNKNOWN_TIME.into(),
                complete: UNKNOWN_TIME.into(),
            }
        }
        Message::Reboot { key: command } => {
            let command = key(command)?;
            device.memory().ordered_reboot(command);
            orders.reboot = true;
            Message::RebootResponse
        }
        Message::FactoryReset => {
            orders.reset = true;
            Message::FactoryResetResponse
        }
        Message::ScheduleInform {
            delay_s,
            key: command,
        } => {
            let command = key(command)?;
            if *delay_s == 0 {
                return Err(9_003);
            }
            if orders.scheduled.len() >= ACS_SCHEDULED_MAX {
                return Err(9_004);
            }
            let at = device.turn.now + Duration::from_secs(u64::from(*delay_s));
            orders.scheduled.push((at, command.into()));
            Message::ScheduleInformResponse
        }
        _ => return Err(9_000),
    })
}

/// SetParameterValues, whose fault names its parameters.
fn set(
    device: &mut Device<'_, '_>,
    orders: &mut Orders,
    spec: &CwmpSpec,
    values: &[crate::wire::soap::Value<'_>],
    command: &str,
) -> Message<'static> {
    let rpc = Rpc::SetParameterValues;
    let result = match key(command) {
        Ok(command) => device.set(spec, values, command),
        Err(code) => Err(super::model::Refused {
            code,
            parameters: Vec::new(),
        }),
    };
    let fault = result.as_ref().err().map(|refused| refused.code);
    device.turn.event(EventKind::RpcAnswered { rpc, fault });
    match result {
        Ok(reboot) => {
            orders.changed = true;
            orders.apply |= reboot;
            Message::SetParameterValuesResponse {
                status: u8::from(reboot),
            }
        }
        Err(refused) => Message::Fault(Fault {
            code: refused.code,
            text: fault_text(refused.code).into(),
            parameters: refused.parameters,
        }),
    }
}

/// SetParameterAttributes (A.3.2.4): all of them or none.
fn set_attributes(
    device: &mut Device<'_, '_>,
    spec: &CwmpSpec,
    all: &[SetAttributes<'_>],
) -> Result<(), u16> {
    let mut found = Vec::with_capacity(all.len());
    for held in all {
        let places = device.all_named(spec, std::slice::from_ref(&held.name))?;
        let told = held.notification.unwrap_or(0);
        if told > 2 {
            return Err(9_003);
        }
        // A change every second, which no server can want to be told (TR-106 §3.2.4).
        let restless = |place: &usize| {
            let leaf = spec.parameters.get(*place);
            leaf.is_some_and(|leaf| leaf.binding == Binding::Live(Live::UpTime))
        };
        if told > 0 && places.iter().any(restless) {
            return Err(9_009);
        }
        found.push(places);
    }
    if found.iter().map(Vec::len).sum::<usize>() > PARAMETERS_MAX {
        return Err(device.over_limit(Limit::Parameters, PARAMETERS_MAX));
    }
    for (held, places) in all.iter().zip(&found) {
        let access = held.access.as_ref();
        let subscriber = access.map(|access| access.iter().any(|entity| entity == SUBSCRIBER));
        device.set_attributes(spec, places, held.notification, subscriber);
    }
    Ok(())
}

fn key(text: &str) -> Result<&str, u16> {
    match text.len() <= KEY_BYTES_MAX {
        true => Ok(text),
        false => Err(9_003),
    }
}

/// Which call it is; `None` for a response or a fault.
fn kind(message: &Message<'_>) -> Option<Rpc> {
    Some(match message.name() {
        "GetRPCMethods" => Rpc::GetRpcMethods,
        "GetParameterValues" => Rpc::GetParameterValues,
        "SetParameterValues" => Rpc::SetParameterValues,
        "GetParameterNames" => Rpc::GetParameterNames,
        "GetParameterAttributes" => Rpc::GetParameterAttributes,
        "SetParameterAttributes" => Rpc::SetParameterAttributes,
        "AddObject" => Rpc::AddObject,
        "DeleteObject" => Rpc::DeleteObject,
        "Download" => Rpc::Download,
        "Reboot" => Rpc::Reboot,
        "FactoryReset" => Rpc::FactoryReset,
        "ScheduleInform" => Rpc::ScheduleInform,
        _ if matches!(message, Message::Unknown(_)) => Rpc::Unknown,
        _ => return None,
    })
}
