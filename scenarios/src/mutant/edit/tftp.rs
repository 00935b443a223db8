//! Fields and options of TFTP packets.

use bootstorm_emulator::wire::tftp::{self, Options, Packet, Request};

use super::{number, numbers};

/// The largest block number and error code.
const WORD_MAX: u64 = u16::MAX as u64;

pub(super) fn refuses(field: &str, value: Option<&str>) -> Option<String> {
    let word = |value: &str| number(value, 0, WORD_MAX).is_some();
    let plain = |value: &str| !value.contains('\0');
    match (field, value) {
        ("block" | "code", Some(value)) => (!word(value)).then(|| numbers(WORD_MAX)),
        ("file" | "mode" | "text", Some(value)) => {
            (!plain(value)).then(|| String::from("a text without zero bytes"))
        }
        ("options", None) => None,
        (field, value) => match field.strip_prefix("option.") {
            Some(name) if !name.is_empty() && value.is_none_or(plain) => None,
            _ => Some(String::from(
                "file, mode, block, code, text, option.NAME; options to remove",
            )),
        },
    }
}

/// The packet with a field set, or an option taken out; `None` when a packet of this kind has no
/// such field.
pub(super) fn with_field(bytes: &[u8], field: &str, value: Option<&str>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let word = |held: u16| {
        let read = number(value?, u64::from(held), WORD_MAX)?;
        u16::try_from(read).ok()
    };
    let named = field.strip_prefix("option.");
    match tftp::decode(bytes).ok()? {
        Packet::Data { block, data } if field == "block" => {
            tftp::data(&mut out, word(block)?, data);
        }
        Packet::Ack { block } if field == "block" => tftp::ack(&mut out, word(block)?),
        Packet::Error { code, message } if field == "code" => {
            tftp::error(&mut out, word(code)?, message);
        }
        Packet::Error { code, .. } if field == "text" => {
            tftp::error(&mut out, code, value?.as_bytes());
        }
        Packet::OptionAck(options) if named.is_some() || field == "options" => {
            tftp::option_ack(&mut out);
            with_option(&mut out, options, named, value);
        }
        Packet::Read(request) => {
            let request = asked(request, field, value)?;
            tftp::read_request(&mut out, request.name, request.mode);
            with_option(&mut out, request.options, named, value);
        }
        Packet::Write(request) => {
            let request = asked(request, field, value)?;
            tftp::write_request(&mut out, request.name, request.mode);
            with_option(&mut out, request.options, named, value);
        }
        _ => return None,
    }
    Some(out)
}

/// The request with its name, its mode or (for all options) none.
fn asked<'a>(mut request: Request<'a>, field: &str, value: Option<&'a str>) -> Option<Request<'a>> {
    match field {
        "file" => request.name = value?.as_bytes(),
        "mode" => request.mode = value?.as_bytes(),
        "options" => request.options = Options::default(),
        _ if field.starts_with("option.") => {}
        _ => return None,
    }
    Some(request)
}

/// Writes options in their order, the named one changed, added at the end or left out; without a
/// name: as they are, or none of an OACK.
fn with_option(out: &mut Vec<u8>, options: Options<'_>, named: Option<&str>, value: Option<&str>) {
    let mut value = value.filter(|_| named.is_some());
    let is_named =
        |name: &[u8]| named.is_some_and(|named| name.eq_ignore_ascii_case(named.as_bytes()));
    let all_out = out.as_slice() == [0, 6] && named.is_none();
    for (name, held) in options.iter().filter(|_| !all_out) {
        if !is_named(name) {
            tftp::option(out, name, held);
        } else if let Some(value) = value.take() {
            tftp::option(out, name, option_value(held, value).as_bytes());
        }
    }
    if let (Some(named), Some(value)) = (named, value) {
        tftp::option(out, named.as_bytes(), value.as_bytes());
    }
}

/// An option's new value: `+1` and `-1` beside the number that is there.
fn option_value(held: &[u8], value: &str) -> String {
    let relative = value.starts_with(['+', '-']);
    let held = tftp::number(held).filter(|_| relative);
    let new = held.and_then(|held| number(value, held, u64::MAX));
    new.map_or_else(|| value.to_owned(), |new| new.to_string())
}
