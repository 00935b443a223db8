//! Downloads that the server orders: taking the order, telling the end (FAN-122, FAN-125).

use super::memory::{Holds, Transfer, TransferStage};
use super::{Device, date_time, fault_text};
use crate::event::{Fault, Limit};
use crate::limits::{ACS_ORDERS_PER_HOUR_MAX, IMAGE_BYTES_MAX, URL_BYTES_MAX};
use crate::url::{Scheme, Url};
use crate::wire::soap::{Download, TransferComplete, Version};
use std::time::Duration;

/// Takes an order; the fault code where it cannot be taken (TR-069 A.3.2.8).
pub(super) fn order(device: &mut Device<'_, '_>, call: &Download<'_>) -> Result<(), u16> {
    let kind = call.file_type.split_ascii_whitespace().next();
    let holds = match kind.unwrap_or_default() {
        "1" => Holds::Firmware,
        "3" => Holds::Configuration,
        "2" | "X" | "4" | "5" => Holds::File,
        other if other.starts_with("X_") => Holds::File,
        _ => return Err(9_003),
    };
    if call.url.len() > URL_BYTES_MAX || !call.url.contains("://") {
        return Err(9_003);
    }
    let mut url = Url::parse(&call.url, Scheme::Http).map_err(|fault| match fault {
        crate::url::UrlFault::Scheme => 9_013_u16,
        _ => 9_003,
    })?;
    if !call.user.is_empty() || !call.password.is_empty() {
        url.user = call.user.as_ref().to_owned();
        url.password = call.password.as_ref().to_owned();
    }
    if call.file_size as usize > IMAGE_BYTES_MAX {
        return Err(9_004);
    }
    let now = device.turn.now;
    if !device.memory().may_order(now) {
        let limit = usize::from(ACS_ORDERS_PER_HOUR_MAX);
        return Err(device.over_limit(Limit::AcsSession, limit));
    }
    let wait = Duration::from_secs(u64::from(call.delay_s));
    let due = now + wait;
    let taken = device.memory().ordered(Transfer {
        key: call.key.as_ref().into(),
        holds,
        url: Box::new(url),
        stage: TransferStage::Queued(due),
        times: (None, None),
        tries: 0,
    });
    if taken { Ok(()) } else { Err(9_004) }
}

/// What the server is told of a download that is over.
pub(super) fn complete(transfer: &Transfer, code: u16) -> TransferComplete<'static> {
    TransferComplete {
        key: transfer.key.as_ref().to_owned().into(),
        fault: code,
        fault_text: fault_text(code).into(),
        start: date_time(transfer.times.0).into(),
        complete: date_time(transfer.times.1).into(),
    }
}

/// The fault code of a download that failed for this cause (TR-069 A.5.1).
pub(crate) fn code(fault: Fault) -> u16 {
    match fault {
        Fault::Unauthorized | Fault::Challenge | Fault::FtpReply(530) => 9_012,
        Fault::Scheme => 9_013,
        Fault::UnknownHost
        | Fault::ConnectionRefused
        | Fault::Silence
        | Fault::Tls
        | Fault::Local
        | Fault::BadTarget => 9_015,
        Fault::NotThere | Fault::HttpStatus(_) | Fault::TftpError(_) | Fault::FtpReply(_) => 9_016,
        Fault::ConnectionBroken | Fault::TooLarge | Fault::FtpData | Fault::RedirectLoop => 9_017,
        Fault::WrongFormat
        | Fault::BadXml
        | Fault::ChecksumMismatch
        | Fault::NotAnImage
        | Fault::ForeignDocument
        | Fault::VersionMismatch
        | Fault::Encrypted
        | Fault::WrongKey
        | Fault::BadCiphertext => 9_018,
        _ => 9_010,
    }
}

/// A fault code as a version knows it: 9014 to 9019 came with CWMP 1.1.
pub(super) fn as_known(code: u16, version: Version) -> u16 {
    match (code, version) {
        (9_014..=9_019, Version::V1_0) => 9_010,
        _ => code,
    }
}
