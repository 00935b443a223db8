//! Writing envelopes. What is written is well-formed whatever the texts are; a character that XML
//! cannot hold becomes a blank.

use std::fmt::Write as _;

use super::{Attributes, Download, Envelope, Fault, Inform, Kind, Message, ObjectCall};
use super::{ENCODING, ENVELOPE, SetAttributes, TransferComplete, Value, Version};
use crate::format::xml::{push_attribute, push_text};

/// Appends a whole envelope.
pub fn write(out: &mut String, envelope: &Envelope<'_>) {
    let version = envelope.version.unwrap_or(Version::V1_0);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SOAP-ENV:Envelope");
    for (name, uri) in [
        ("xmlns:SOAP-ENV", ENVELOPE),
        ("xmlns:SOAP-ENC", ENCODING),
        ("xmlns:xsd", "http://www.w3.org/2001/XMLSchema"),
        ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
        ("xmlns:cwmp", version.namespace()),
    ] {
        push_attribute(out, name, uri);
    }
    out.push('>');
    if envelope.id.is_some() || envelope.hold_requests {
        out.push_str("<SOAP-ENV:Header>");
        if let Some(id) = &envelope.id {
            out.push_str("<cwmp:ID SOAP-ENV:mustUnderstand=\"1\">");
            push_text(out, id);
            out.push_str("</cwmp:ID>");
        }
        if envelope.hold_requests {
            out.push_str("<cwmp:HoldRequests SOAP-ENV:mustUnderstand=\"1\">1</cwmp:HoldRequests>");
        }
        out.push_str("</SOAP-ENV:Header>");
    }
    out.push_str("<SOAP-ENV:Body>");
    match &envelope.message {
        Message::Fault(held) => fault(out, held),
        message => {
            let mut name = String::from("cwmp:");
            name.push_str(message.name());
            element(out, &name, |out| arguments(out, message));
        }
    }
    out.push_str("</SOAP-ENV:Body></SOAP-ENV:Envelope>\n");
}

fn arguments(out: &mut String, message: &Message<'_>) {
    match message {
        Message::Inform(held) => inform(out, held),
        Message::InformResponse { max_envelopes } => number(out, "MaxEnvelopes", *max_envelopes),
        Message::TransferComplete(held) => transfer(out, held),
        Message::GetRpcMethodsResponse(names) => strings(out, "MethodList", names),
        Message::GetParameterValues(names) | Message::GetParameterAttributes(names) => {
            strings(out, "ParameterNames", names);
        }
        Message::GetParameterValuesResponse(held) => values(out, held),
        Message::SetParameterValues { values: held, key } => {
            values(out, held);
            text(out, "ParameterKey", key);
        }
        Message::SetParameterValuesResponse { status }
        | Message::DeleteObjectResponse { status } => number(out, "Status", u32::from(*status)),
        Message::GetParameterNames { path, next_level } => {
            text(out, "ParameterPath", path);
            number(out, "NextLevel", u32::from(*next_level));
        }
        Message::GetParameterNamesResponse(names) => {
            array(
                out,
                "ParameterList",
                "cwmp:ParameterInfoStruct",
                names,
                |out, held| {
                    text(out, "Name", &held.name);
                    number(out, "Writable", u32::from(held.writable));
                },
            );
        }
        Message::GetParameterAttributesResponse(held) => attributes(out, held),
        Message::SetParameterAttributes(held) => set_attributes(out, held),
        Message::AddObject(call) | Message::DeleteObject(call) => object(out, call),
        Message::AddObjectResponse { instance, status } => {
            number(out, "InstanceNumber", *instance);
            number(out, "Status", u32::from(*status));
        }
        Message::Download(held) => download(out, held),
        Message::DownloadResponse {
            status,
            start,
            complete,
        } => {
            number(out, "Status", u32::from(*status));
            text(out, "StartTime", start);
            text(out, "CompleteTime", complete);
        }
        Message::Reboot { key } => text(out, "CommandKey", key),
        Message::ScheduleInform { delay_s, key } => {
            number(out, "DelaySeconds", *delay_s);
            text(out, "CommandKey", key);
        }
        Message::TransferCompleteResponse
        | Message::GetRpcMethods
        | Message::SetParameterAttributesResponse
        | Message::RebootResponse
        | Message::FactoryReset
        | Message::FactoryResetResponse
        | Message::ScheduleInformResponse
        | Message::Fault(_)
        | Message::Unknown(_)
        | Message::Invalid { .. } => {}
    }
}

fn inform(out: &mut String, inform: &Inform<'_>) {
    element(out, "DeviceId", |out| {
        text(out, "Manufacturer", &inform.manufacturer);
        text(out, "OUI", &inform.oui);
        text(out, "ProductClass", &inform.product_class);
        text(out, "SerialNumber", &inform.serial);
    });
    array(
        out,
        "Event",
        "cwmp:EventStruct",
        &inform.events,
        |out, (code, key)| {
            text(out, "EventCode", code);
            text(out, "CommandKey", key);
        },
    );
    number(out, "MaxEnvelopes", inform.max_envelopes);
    text(out, "CurrentTime", &inform.current_time);
    number(out, "RetryCount", inform.retry_count);
    values(out, &inform.parameters);
}

fn transfer(out: &mut String, transfer: &TransferComplete<'_>) {
    text(out, "CommandKey", &transfer.key);
    element(out, "FaultStruct", |out| {
        number(out, "FaultCode", u32::from(transfer.fault));
        text(out, "FaultString", &transfer.fault_text);
    });
    text(out, "StartTime", &transfer.start);
    text(out, "CompleteTime", &transfer.complete);
}

fn download(out: &mut String, download: &Download<'_>) {
    text(out, "CommandKey", &download.key);
    text(out, "FileType", &download.file_type);
    text(out, "URL", &download.url);
    text(out, "Username", &download.user);
    text(out, "Password", &download.password);
    number(out, "FileSize", download.file_size);
    text(out, "TargetFileName", &download.target);
    number(out, "DelaySeconds", download.delay_s);
    text(out, "SuccessURL", &download.success_url);
    text(out, "FailureURL", &download.failure_url);
}

fn object(out: &mut String, call: &ObjectCall<'_>) {
    text(out, "ObjectName", &call.object);
    text(out, "ParameterKey", &call.key);
}

fn attributes(out: &mut String, all: &[Attributes<'_>]) {
    array(
        out,
        "ParameterList",
        "cwmp:ParameterAttributeStruct",
        all,
        |out, held| {
            text(out, "Name", &held.name);
            number(out, "Notification", u32::from(held.notification));
            strings(out, "AccessList", &held.access);
        },
    );
}

fn set_attributes(out: &mut String, all: &[SetAttributes<'_>]) {
    let kind = "cwmp:SetParameterAttributesStruct";
    array(out, "ParameterList", kind, all, |out, held| {
        text(out, "Name", &held.name);
        number(
            out,
            "NotificationChange",
            u32::from(held.notification.is_some()),
        );
        number(
            out,
            "Notification",
            u32::from(held.notification.unwrap_or(0)),
        );
        number(out, "AccessListChange", u32::from(held.access.is_some()));
        strings(
            out,
            "AccessList",
            held.access.as_deref().unwrap_or_default(),
        );
    });
}

fn fault(out: &mut String, fault: &Fault<'_>) {
    element(out, "SOAP-ENV:Fault", |out| {
        text(
            out,
            "faultcode",
            if fault.is_client() {
                "Client"
            } else {
                "Server"
            },
        );
        text(out, "faultstring", "CWMP fault");
        element(out, "detail", |out| {
            element(out, "cwmp:Fault", |out| {
                number(out, "FaultCode", u32::from(fault.code));
                text(out, "FaultString", &fault.text);
                for held in &fault.parameters {
                    element(out, "SetParameterValuesFault", |out| {
                        text(out, "ParameterName", &held.name);
                        number(out, "FaultCode", u32::from(held.code));
                        text(out, "FaultString", &held.text);
                    });
                }
            });
        });
    });
}

fn values(out: &mut String, values: &[Value<'_>]) {
    array(
        out,
        "ParameterList",
        "cwmp:ParameterValueStruct",
        values,
        |out, held| {
            text(out, "Name", &held.name);
            out.push_str("<Value");
            match held.kind {
                Some(Kind::Base64) => push_attribute(out, "xsi:type", "SOAP-ENC:base64"),
                Some(kind) => out.extend([" xsi:type=\"xsd:", kind.name(), "\""]),
                None => {}
            }
            out.push('>');
            push_text(out, &held.value);
            out.push_str("</Value>");
        },
    );
}

fn strings(out: &mut String, name: &str, texts: &[super::Text<'_>]) {
    open_array(out, name, "xsd:string", texts.len());
    texts.iter().for_each(|held| text(out, "string", held));
    close(out, name);
}

/// An array of structures; each is called as its type is, without the prefix.
fn array<T>(
    out: &mut String,
    name: &str,
    kind: &str,
    items: &[T],
    mut each: impl FnMut(&mut String, &T),
) {
    open_array(out, name, kind, items.len());
    let local = kind.split_once(':').map_or(kind, |(_, local)| local);
    for item in items {
        element(out, local, |out| each(out, item));
    }
    close(out, name);
}

fn open_array(out: &mut String, name: &str, kind: &str, length: usize) {
    out.extend(["<", name, " SOAP-ENC:arrayType=\"", kind]);
    // Writing to a text cannot fail.
    let _ = write!(out, "[{length}]\">");
}

fn element(out: &mut String, name: &str, fill: impl FnOnce(&mut String)) {
    out.extend(["<", name, ">"]);
    fill(out);
    close(out, name);
}

fn close(out: &mut String, name: &str) {
    out.extend(["</", name, ">"]);
}

fn text(out: &mut String, name: &str, value: &str) {
    element(out, name, |out| push_text(out, value));
}

fn number(out: &mut String, name: &str, value: u32) {
    out.extend(["<", name, ">"]);
    let _ = write!(out, "{value}");
    close(out, name);
}
