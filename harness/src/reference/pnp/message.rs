//! SIP messages as the responder reads and writes them.
//!
//! rsip rejects folded lines and compact names, which phones send; so messages are split here, and
//! rsip reads the values (URIs, Contact, CSeq). Where it rejects one, the text itself is taken.

use std::borrow::Cow;
use std::io::Write;
use std::net::SocketAddrV4;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::limits::HEADERS_MAX;
use rsip::headers::{ToTypedHeader, UntypedHeader};

use super::manner::{ContactManner, EventManner, Manner, StateManner, ViaManner};

/// What a PBX says that asks nobody who he is.
const CONSTANT_EVENT: &str =
    "ua-profile;profile-type=\"device\";vendor=\"OEM\";model=\"OEM\";version=\"1.0\"";

/// What a traced PBX says (FAN-99).
const DEVICE_EVENT: &str =
    "ua-profile;profile-type=\"device\";vendor=\"OEM\";model=\"VOIP PHONE \";version=\"1.0\"";
/// What follows a URL in a traced NOTIFY (FAN-101).
const REMARK: &str = " (the configuration)\r\n";

/// A message, split.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) start: Start<'a>,
    headers: Vec<(&'a str, Cow<'a, str>)>,
}

/// The first line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start<'a> {
    Request { method: &'a str, uri: &'a str },
    Response(u16),
}

/// A SUBSCRIBE that has everything an answer needs.
#[derive(Debug)]
pub(super) struct Subscribe<'a> {
    uri: &'a str,
    vias: Vec<&'a str>,
    pub(super) from: &'a str,
    to: &'a str,
    pub(super) call_id: &'a str,
    pub(super) cseq: &'a str,
    contact: Option<&'a str>,
    event: &'a str,
    agent: &'a str,
}

/// What the 200 OK says beyond what its SUBSCRIBE said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accept<'a> {
    pub(super) phone: SocketAddrV4,
    pub(super) tag: &'a str,
    pub(super) contact: SocketAddrV4,
    pub(super) stream: bool,
    pub(super) manner: Manner,
}

/// What a NOTIFY says beyond what its SUBSCRIBE said.
#[derive(Debug)]
pub(super) struct Notify<'a> {
    pub(super) phone: SocketAddrV4,
    pub(super) contact: SocketAddrV4,
    pub(super) branch: &'a str,
    pub(super) tag: &'a str,
    pub(super) mac: Mac,
    pub(super) url: &'a str,
    pub(super) stream: bool,
    pub(super) manner: Manner,
}

impl<'a> Message<'a> {
    /// Splits a message; the empty line at the end of its head may be missing.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut lines = text
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        let start = Start::read(lines.next()?)?;
        let mut headers: Vec<(&str, Cow<str>)> = Vec::with_capacity(16);
        for line in lines {
            if line.is_empty() {
                return Some(Self { start, headers });
            }
            if line.contains('\r') || headers.len() >= HEADERS_MAX {
                return None;
            }
            // A folded line goes on with the value above (RFC 3261 §7.3.1).
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut()?;
                let value = value.to_mut();
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((long_name(name.trim()), Cow::Borrowed(value.trim())));
        }
        None
    }

    /// Whether a SUBSCRIBE is for the `ua-profile` event (RFC 6080) and begins a dialog: none that
    /// we begin lasts longer than its NOTIFY.
    pub(super) fn is_for_profiles(&self) -> bool {
        let goes_on = |to: &str| to.to_ascii_lowercase().contains(";tag=");
        if self.header("To").is_some_and(goes_on) {
            return false;
        }
        self.header("Event").is_some_and(|event| {
            let package = event.split(';').next().unwrap_or("");
            package.trim().eq_ignore_ascii_case("ua-profile")
        })
    }

    /// The branch of the first Via.
    pub(super) fn branch(&self) -> Option<&str> {
        let mut parameters = self.header("Via")?.split(',').next()?.split(';');
        let found = parameters.find_map(|it| {
            let (name, value) = it.split_once('=')?;
            name.trim().eq_ignore_ascii_case("branch").then_some(value)
        });
        found.map(str::trim)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }
}

impl<'a> Start<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let (first, second) = (words.next()?, words.next()?);
        if first.eq_ignore_ascii_case("SIP/2.0") {
            let status = second.parse().ok()?;
            return (100..700)
                .contains(&status)
                .then_some(Self::Response(status));
        }
        let version = words.next()?;
        let sound = !first.is_empty() && !second.is_empty() && words.next().is_none();
        (sound && version.eq_ignore_ascii_case("SIP/2.0")).then_some(Self::Request {
            method: first,
            uri: second,
        })
    }
}

impl<'a> Subscribe<'a> {
    pub(super) fn read(message: &'a Message) -> Option<Self> {
        let Start::Request { uri, .. } = message.start else {
            return None;
        };
        let cseq = message.header("CSeq")?;
        rsip::headers::CSeq::new(cseq).typed().ok()?;
        let vias: Vec<_> = message.all("Via").collect();
        if vias.is_empty() {
            return None;
        }
        Some(Self {
            uri,
            vias,
            from: message.header("From")?,
            to: message.header("To")?,
            call_id: message.header("Call-ID")?,
            cseq,
            contact: message.header("Contact"),
            event: message.header("Event")?,
            agent: message.header("User-Agent").unwrap_or(""),
        })
    }

    /// The topmost Via.
    pub(super) fn via(&self) -> &str {
        self.vias.first().copied().unwrap_or("")
    }

    /// The phone's address: from the request URI, else From, else To, else where any of them or
    /// the User-Agent has one without the letters `MAC`. The forms in the field are
    /// `sip:MAC0021f222b01d@…` (FLY-45), `sip:MAC%3A7C2F8030D21E@local`, `sip:MAC=0c383e07e16c@…`
    /// (FAN-105), and `model/2.1;7C2F8030D21E` for a User-Agent.
    pub(super) fn mac(&self) -> Option<Mac> {
        let typed = rsip::Uri::try_from(self.uri).ok();
        typed
            .as_ref()
            .and_then(|uri| uri.user())
            .and_then(mac_in)
            .or_else(|| mac_in(self.uri))
            .or_else(|| mac_in(address(self.from)))
            .or_else(|| mac_in(address(self.to)))
            .or_else(|| lone_mac(self.uri))
            .or_else(|| lone_mac(address(self.from)))
            .or_else(|| lone_mac(self.agent))
    }

    /// Where the NOTIFY is addressed to: the Contact (FLY-48).
    fn target(&self, mac: Mac, phone: SocketAddrV4) -> String {
        let Some(contact) = self.contact else {
            return format!("sip:MAC{mac}@{phone}");
        };
        let typed = rsip::headers::Contact::new(contact).typed();
        match typed {
            Ok(typed) if contact.contains(&typed.uri.to_string()) => typed.uri.to_string(),
            _ => address(contact).to_owned(),
        }
    }
}

impl Notify<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>, subscribe: &Subscribe) {
        let Self { contact, tag, .. } = self;
        let target = match self.manner.to_address {
            true => format!("sip:{}", self.phone),
            false => subscribe.target(self.mac, self.phone),
        };
        line(out, format_args!("NOTIFY {target} SIP/2.0"));
        let branch = self.branch;
        let transport = transport(self.stream);
        line(
            out,
            format_args!("Via: SIP/2.0/{transport} {contact};branch={branch}"),
        );
        line(out, format_args!("Max-Forwards: 70"));
        // In the NOTIFY the ends change places (RFC 3261 §12.2.1.1).
        match self.manner.tags_swapped {
            false => {
                line(out, format_args!("From: {};tag={tag}", subscribe.to));
                line(out, format_args!("To: {}", subscribe.from));
            }
            true => {
                let (address, own) = untagged(subscribe.from);
                line(out, format_args!("From: {}{own}", subscribe.to));
                line(out, format_args!("To: {address};tag={tag}"));
            }
        }
        line(out, format_args!("Call-ID: {}", subscribe.call_id));
        line(out, format_args!("CSeq: 1 NOTIFY"));
        self.manner.write_contact(out, *contact, self.stream);
        let event = match self.manner.event {
            EventManner::Echoed => subscribe.event,
            EventManner::Bare => "ua-profile",
            EventManner::Constant => CONSTANT_EVENT,
            EventManner::Device => DEVICE_EVENT,
        };
        line(out, format_args!("Event: {event}"));
        match self.manner.state {
            StateManner::Timeout => {
                line(
                    out,
                    format_args!("Subscription-State: terminated;reason=timeout"),
                );
            }
            StateManner::NoResource => {
                line(
                    out,
                    format_args!("Subscription-State: terminated;reason=noresource"),
                );
            }
            StateManner::Missing => {}
        }
        let kind = match self.manner.ucm_type {
            true => "application/x-gs-ucm-url",
            false => "application/url",
        };
        line(out, format_args!("Content-Type: {kind}"));
        let remark = if self.manner.remark { REMARK } else { "" };
        let length = self.url.len() + remark.len();
        line(out, format_args!("Content-Length: {length}"));
        line(out, format_args!(""));
        out.extend_from_slice(self.url.as_bytes());
        out.extend_from_slice(remark.as_bytes());
    }
}

impl Accept<'_> {
    /// Writes the 200 OK to a SUBSCRIBE.
    pub(super) fn write(&self, out: &mut Vec<u8>, subscribe: &Subscribe) {
        let Self { phone, tag, .. } = self;
        line(out, format_args!("SIP/2.0 200 OK"));
        match self.manner.via {
            ViaManner::Copied => {
                for (place, via) in subscribe.vias.iter().enumerate() {
                    match place {
                        0 => line(out, format_args!("Via: {}", received(via, *phone))),
                        _ => line(out, format_args!("Via: {via}")),
                    }
                }
            }
            ViaManner::Own => {
                let (contact, transport) = (self.contact, transport(self.stream));
                line(
                    out,
                    format_args!("Via: SIP/2.0/{transport} {contact};branch=z9hG4bKown{tag}"),
                );
            }
        }
        line(out, format_args!("From: {}", subscribe.from));
        line(out, format_args!("To: {};tag={tag}", subscribe.to));
        line(out, format_args!("Call-ID: {}", subscribe.call_id));
        match self.raised(subscribe) {
            Some(cseq) => line(out, format_args!("CSeq: {cseq} SUBSCRIBE")),
            None => line(out, format_args!("CSeq: {}", subscribe.cseq)),
        }
        self.manner.write_contact(out, self.contact, self.stream);
        line(out, format_args!("Expires: 0"));
        // On a stream nothing else says where the message ends.
        if self.manner.unfinished && !self.stream {
            out.extend_from_slice(b"Content-Length: 0");
            return;
        }
        line(out, format_args!("Content-Length: 0"));
        line(out, format_args!(""));
    }

    fn raised(&self, subscribe: &Subscribe) -> Option<u32> {
        let number = subscribe.cseq.split_ascii_whitespace().next()?;
        let number: u32 = number.parse().ok().filter(|_| self.manner.cseq_raised)?;
        number.checked_add(1)
    }
}

impl Manner {
    fn write_contact(self, out: &mut Vec<u8>, own: SocketAddrV4, stream: bool) {
        match self.contact {
            ContactManner::Own if stream => {
                line(out, format_args!("Contact: <sip:{own};transport=tcp>"));
            }
            ContactManner::Own => line(out, format_args!("Contact: <sip:{own}>")),
            ContactManner::Empty => line(out, format_args!("Contact: ")),
            ContactManner::Missing => {}
        }
    }
}

/// The topmost Via with the address it came from (RFC 3261 §18.2.1) and, where the phone asks for
/// it, the port (RFC 3581 §4).
fn received(via: &str, phone: SocketAddrV4) -> String {
    let (own, others) = match via.split_once(',') {
        Some((own, others)) => (own.trim_end(), Some(others)),
        None => (via, None),
    };
    let mut text = String::with_capacity(via.len() + 32);
    let mut asked = false;
    for (place, part) in own.split(';').enumerate() {
        if place > 0 {
            text.push(';');
        }
        text.push_str(part);
        if place > 0 && part.trim().eq_ignore_ascii_case("rport") {
            asked = true;
            text.push_str(&format!("={}", phone.port()));
        }
    }
    let sent_by = own.split(';').next().unwrap_or("");
    if asked || !sent_by.contains(&phone.ip().to_string()) {
        text.push_str(&format!(";received={}", phone.ip()));
    }
    if let Some(others) = others {
        text.push(',');
        text.push_str(others);
    }
    text
}

/// As a Via says it.
fn transport(stream: bool) -> &'static str {
    if stream { "TCP" } else { "UDP" }
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
    out.extend_from_slice(b"\r\n");
}

/// The URI in a name-addr or addr-spec, without header parameters.
fn address(value: &str) -> &str {
    if let Some((_, rest)) = value.split_once('<') {
        return rest.split('>').next().unwrap_or("").trim();
    }
    value.split(';').next().unwrap_or("").trim()
}

/// The address behind the letters `MAC`, with whatever single mark lies between.
fn mac_in(text: &str) -> Option<Mac> {
    let at = text
        .as_bytes()
        .windows(3)
        .position(|window| window.eq_ignore_ascii_case(b"mac"))?;
    let rest = text.get(at + 3..)?;
    let rest = rest
        .strip_prefix("%3A")
        .or_else(|| rest.strip_prefix("%3a"))
        .or_else(|| rest.strip_prefix("%3D"))
        .or_else(|| rest.strip_prefix("%3d"))
        .or_else(|| rest.strip_prefix([':', '=', '-']))
        .unwrap_or(rest);
    let end = |length: usize| {
        let follows = rest.as_bytes().get(length);
        follows.is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    rest.get(..17)
        .filter(|_| end(17))
        .and_then(Mac::parse)
        .or_else(|| rest.get(..12).filter(|_| end(12)).and_then(Mac::parse))
}

/// A value without its tag, and the tag with its `;tag=`.
fn untagged(value: &str) -> (&str, &str) {
    let lower = value.to_ascii_lowercase();
    let Some(at) = lower.find(";tag=") else {
        return (value, "");
    };
    value.split_at(at)
}

/// An address that stands alone, between marks that no address holds.
fn lone_mac(text: &str) -> Option<Mac> {
    let mark = |letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, ':' | '-');
    let decoded = text.replace("%3A", ":").replace("%3a", ":");
    let mut words = decoded.split(mark);
    words.find_map(|word| Mac::parse(word.strip_prefix("sip:").unwrap_or(word)))
}

fn long_name(name: &str) -> &str {
    match name {
        "v" | "V" => "Via",
        "f" | "F" => "From",
        "t" | "T" => "To",
        "i" | "I" => "Call-ID",
        "m" | "M" => "Contact",
        "o" | "O" => "Event",
        other => other,
    }
}
