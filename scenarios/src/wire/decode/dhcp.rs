//! DHCP: the fixed header, and each option in every form that somebody asks for.

use std::net::Ipv4Addr;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::wire::dhcp::{Message, MessageType, code, text};

use super::{Fields, Name, hex, joined};

/// Options that are rows of addresses.
const ADDRESSES: [u8; 14] = [1, 3, 4, 5, 6, 7, 8, 9, 28, 42, 44, 50, 54, 150];
/// Options that are one number of 1, 2 or 4 bytes.
const NUMBERS: [u8; 14] = [2, 13, 22, 23, 26, 35, 37, 51, 52, 53, 57, 58, 59, 116];

/// Reads a message.
pub(super) fn read(bytes: &[u8], fields: &mut Fields) -> Option<Name> {
    let message = match Message::decode(bytes) {
        Ok(message) => message,
        Err(fault) => {
            fields.put("fault", fault);
            return None;
        }
    };
    fields.put("op", message.op());
    fields.put("hops", message.hops());
    fields.put("xid", format_args!("{:08x}", message.xid()));
    fields.put("secs", message.secs());
    fields.put("flags", format_args!("0x{:04x}", message.flags()));
    fields.put("broadcast", message.broadcast());
    fields.put("ciaddr", message.ciaddr());
    fields.put("yiaddr", message.yiaddr());
    fields.put("siaddr", message.siaddr());
    fields.put("giaddr", message.giaddr());
    match <[u8; 6]>::try_from(message.chaddr()) {
        Ok(octets) => fields.put("chaddr", Mac(octets)),
        Err(_) => fields.put("chaddr", hex(message.chaddr())),
    }
    fields.put_text("sname", message.sname());
    fields.put_text("file", message.file());
    put_options(&message, fields);
    Some(name(message.message_type()).into())
}

fn name(kind: Option<MessageType>) -> &'static str {
    match kind {
        Some(MessageType::Discover) => "dhcp.discover",
        Some(MessageType::Offer) => "dhcp.offer",
        Some(MessageType::Request) => "dhcp.request",
        Some(MessageType::Decline) => "dhcp.decline",
        Some(MessageType::Ack) => "dhcp.ack",
        Some(MessageType::Nak) => "dhcp.nak",
        Some(MessageType::Release) => "dhcp.release",
        Some(MessageType::Inform) => "dhcp.inform",
        None => "dhcp.unknown",
    }
}

/// Each option once, where it stands first; parts of one that was split are put together
/// (RFC 3396 §7).
fn put_options(message: &Message<'_>, fields: &mut Fields) {
    let codes = message.options().map(|(code, _)| code);
    fields.put("options", joined(codes.clone()));
    let mut seen = [false; 256];
    for code in codes {
        if std::mem::replace(&mut seen[usize::from(code)], true) {
            continue;
        }
        let value = message.joined(code).unwrap_or_default();
        fields.put(format!("option.{code}"), shown(code, &value));
        fields.put(format!("option.{code}.hex"), hex(&value));
        if code == code::VENDOR_SPECIFIC {
            put_suboptions(&value, fields);
        }
    }
}

/// An option's value as somebody would write it.
fn shown(code: u8, value: &[u8]) -> String {
    if code == code::PARAMETERS {
        return joined(value);
    }
    if ADDRESSES.contains(&code)
        && let (addresses, []) = value.as_chunks::<4>()
    {
        return joined(addresses.iter().map(|octets| Ipv4Addr::from(*octets)));
    }
    if NUMBERS.contains(&code)
        && let Some(number) = number(value)
    {
        return number.to_string();
    }
    printable(value).map_or_else(|| hex(value), str::to_owned)
}

fn number(value: &[u8]) -> Option<u32> {
    match value {
        [one] => Some(u32::from(*one)),
        [high, low] => Some(u32::from(u16::from_be_bytes([*high, *low]))),
        _ => value.try_into().ok().map(u32::from_be_bytes),
    }
}

/// Text without control characters.
fn printable(value: &[u8]) -> Option<&str> {
    text(value).filter(|text| !text.chars().any(char::is_control))
}

/// The vendor's own options within option 43 (RFC 2132 §8.4), where it is such a list to its end.
fn put_suboptions(value: &[u8], fields: &mut Fields) {
    let mut found = Vec::new();
    let mut rest = value;
    loop {
        match rest {
            [] | [code::END, ..] => break,
            [code::PAD, tail @ ..] => rest = tail,
            [number, length, tail @ ..] => {
                let Some((part, tail)) = tail.split_at_checked(usize::from(*length)) else {
                    return;
                };
                found.push((*number, part));
                rest = tail;
            }
            [_] => return,
        }
    }
    for (number, part) in found {
        let text = printable(part).map_or_else(|| hex(part), str::to_owned);
        fields.put(format!("option.43.{number}"), text);
        fields.put(format!("option.43.{number}.hex"), hex(part));
    }
}
