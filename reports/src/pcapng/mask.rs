//! Secrets in captures: overwritten by `x`, byte for byte, so that lengths and framing stay.
//!
//! What is covered: the secrets that the run gave its phones, wherever they stand (as they are,
//! percent-encoded, or escaped as in XML); user and password of URLs; `Authorization` and cookies
//! behind their scheme; FTP's PASS; keys of 256 bits in digits; and in files and messages the
//! values of secret keys, as `redact` knows them, in lines `key = value` and `key : value`, in
//! elements, in attributes beside a name (`name="…Password" value="…"`) and in the parameters of
//! CWMP. Bytes that go over one connection or transfer are looked at together, so that a secret
//! that is cut between packets is found. Where the record kept a file's beginning only, what was
//! kept of its further packets is overwritten as a whole.

mod chunks;
mod places;

use std::collections::BTreeMap;
use std::ops::Range;

use bootstorm_emulator::wire::port;
use bootstorm_scenarios::wire::record::Record;
use bootstorm_scenarios::wire::{Carrier, Packet, Part, Way};
use memchr::memmem;

use crate::redact::Redactor;

/// What secrets are overwritten with.
const FILLER: u8 = b'x';
/// Shorter secrets are looked for by their keys only: they would be found everywhere.
const SECRET_BYTES_MIN: usize = 4;
/// Secrets of fewer bytes count only where they stand alone.
const ALONE_BYTES_MIN: usize = 8;
/// Headers whose numbers say how a message is read.
const FRAMING: [&str; 4] = ["Content-Length:", "CSeq:", "l:", "Max-Forwards:"];
/// Before the bytes of a TFTP block.
const BLOCK_AT: usize = 4;
/// How a TFTP block and a request begin (RFC 1350 §5).
const BLOCK: [u8; 2] = [0, 3];
const READ: [u8; 2] = [0, 1];
/// Schemes that stay readable before credentials.
const SCHEMES: [&str; 3] = ["Digest ", "Basic ", "Bearer "];

/// Covers secrets; one for a capture.
#[derive(Debug, Clone)]
pub struct Mask {
    redactor: Redactor,
    keep: bool,
}

/// A phone's secrets in the forms in which they stand in files and messages.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<Vec<u8>>);

/// The payloads of a record, with their secrets covered.
#[derive(Debug, Default)]
pub(super) struct Covered {
    bytes: Vec<u8>,
    packets: Vec<Range<usize>>,
}

/// Bytes that belong together.
#[derive(Debug, Default)]
struct Flow {
    pieces: Vec<Range<usize>>,
    /// Lines and elements are looked for.
    is_text: bool,
    /// It is one way of a connection.
    is_stream: bool,
    /// More followed that is not in the record.
    cut: bool,
}

/// What is being put together.
#[derive(Debug, Default)]
struct Flows {
    covered: Covered,
    flows: Vec<Flow>,
    /// The flow of each way of a connection.
    streams: BTreeMap<(u32, bool), usize>,
    /// The flow of each transfer with its last block, by the phone's port.
    transfers: BTreeMap<u16, (usize, Range<usize>, [u8; 2])>,
    /// Blocks that were sent again: where they are, and where they were first.
    again: Vec<(Range<usize>, Range<usize>)>,
}

impl Mask {
    /// A mask with the rules of the redactor.
    #[must_use]
    pub fn new(redactor: Redactor) -> Self {
        let keep = false;
        Self { redactor, keep }
    }

    /// A mask that covers nothing: for `--keep-secrets`, whose user was warned.
    #[must_use]
    pub fn keeping_secrets(redactor: Redactor) -> Self {
        let keep = true;
        Self { redactor, keep }
    }

    /// The payloads of a record, where these secrets and all others are covered.
    pub(super) fn covered(&self, record: &mut Record, known: &Known) -> Covered {
        let mut flows = Flows::default();
        record.for_each(|packet| flows.add(packet));
        if self.keep {
            return flows.covered;
        }
        let Flows {
            mut covered,
            flows,
            again,
            ..
        } = flows;
        let mut whole = Vec::new();
        for flow in &flows {
            whole.clear();
            for piece in &flow.pieces {
                whole.extend_from_slice(covered.bytes.get(piece.clone()).unwrap_or_default());
            }
            let mut any = self.cover(&mut whole, known, flow.is_text, flow.cut);
            if flow.is_stream {
                any |= self.cover_across(&mut whole, known, flow.cut);
            }
            if !any {
                continue;
            }
            let mut rest = whole.as_slice();
            for piece in &flow.pieces {
                let (part, tail) = rest.split_at_checked(piece.len()).unwrap_or((rest, &[]));
                if let Some(place) = covered.bytes.get_mut(piece.clone()) {
                    place.copy_from_slice(part);
                }
                rest = tail;
            }
        }
        for (place, first) in again {
            let length = place.len().min(first.len());
            let first = first.start..first.start + length;
            covered.bytes.copy_within(first, place.start);
        }
        covered
    }

    /// Covers secrets that the heads of chunks cut; true when there were any.
    fn cover_across(&self, bytes: &mut [u8], known: &Known, cut: bool) -> bool {
        let heads = chunks::heads(bytes);
        if heads.is_empty() {
            return false;
        }
        let mut kept: Vec<Range<usize>> = Vec::with_capacity(heads.len() + 1);
        let mut from = 0;
        for head in &heads {
            kept.push(from..head.start.min(bytes.len()));
            from = head.end;
        }
        kept.push(from..bytes.len());
        let parts = kept.iter().map(|part| bytes.get(part.clone()));
        let mut joined = parts
            .map(Option::unwrap_or_default)
            .collect::<Vec<_>>()
            .concat();
        if !self.cover(&mut joined, known, true, cut) {
            return false;
        }
        let mut rest = joined.as_slice();
        for part in kept {
            let (covered, tail) = rest.split_at_checked(part.len()).unwrap_or((rest, &[]));
            if let Some(place) = bytes.get_mut(part).filter(|it| it.len() == covered.len()) {
                place.copy_from_slice(covered);
            }
            rest = tail;
        }
        true
    }

    /// A comment without secrets.
    pub(super) fn comment(&self, text: &str, known: &Known) -> String {
        if self.keep {
            return text.to_owned();
        }
        let mut bytes = text.as_bytes().to_vec();
        self.cover(&mut bytes, known, true, true);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Covers secrets; true when there were any.
    fn cover(&self, bytes: &mut [u8], known: &Known, is_text: bool, cut: bool) -> bool {
        let text = plain(bytes);
        let mut found = self.redactor.places(&text);
        if is_text {
            places::lines(&text, &self.redactor, &mut found);
            places::attributes(&text, &self.redactor, &mut found);
            places::parameters(&text, &self.redactor, &mut found);
        }
        for place in &mut found {
            let value = text.get(place.clone()).unwrap_or_default();
            let scheme = SCHEMES.iter().find(|scheme| {
                let begins = value.get(..scheme.len());
                begins.is_some_and(|begins| begins.eq_ignore_ascii_case(scheme))
            });
            place.start += scheme.map_or(0, |scheme| scheme.len());
        }
        for secret in &known.0 {
            let places = memmem::find_iter(bytes, secret);
            let places = places.map(|at| at..at + secret.len());
            found.extend(places.filter(|place| is_meant(&text, place)));
            if cut {
                found.extend(beginning_at_end(bytes, secret));
            }
        }
        let mut any = false;
        for place in found {
            if let Some(place) = bytes.get_mut(place) {
                any |= !place.is_empty();
                place.fill(FILLER);
            }
        }
        any
    }
}

impl Known {
    /// The forms of these secrets.
    pub(super) fn of(secrets: &[String]) -> Self {
        let mut forms = Vec::new();
        for secret in secrets.iter().filter(|it| it.len() >= SECRET_BYTES_MIN) {
            forms.push(secret.clone().into_bytes());
            let upper = encoded(secret, |byte| format!("%{byte:02X}"));
            let lower = encoded(secret, |byte| format!("%{byte:02x}"));
            let mut escaped = secret.replace('&', "&amp;").replace('<', "&lt;");
            escaped = escaped.replace('>', "&gt;");
            let quoted = escaped.replace('"', "&quot;").replace('\'', "&apos;");
            for form in [upper, lower, escaped, quoted] {
                if form != *secret {
                    forms.push(form.into_bytes());
                }
            }
        }
        forms.sort_unstable();
        forms.dedup();
        Self(forms)
    }
}

impl Covered {
    /// The payload of a packet, by its place in the record.
    pub(super) fn payload(&self, number: usize) -> &[u8] {
        let place = self.packets.get(number).cloned();
        place
            .and_then(|place| self.bytes.get(place))
            .unwrap_or_default()
    }
}

impl Flows {
    fn add(&mut self, packet: &Packet<'_>) {
        let start = self.covered.bytes.len();
        self.covered.bytes.extend_from_slice(packet.bytes);
        let place = start..self.covered.bytes.len();
        self.covered.packets.push(place.clone());
        let cut = place.len() < packet.length as usize;
        match packet.carrier {
            Carrier::Udp => self.datagram(packet, place, cut),
            Carrier::Tcp {
                connection, part, ..
            } => match part {
                Part::Opening => {
                    self.streams.remove(&(connection, true));
                    self.streams.remove(&(connection, false));
                }
                Part::Data => self.data(packet.way, connection, place, cut),
                // What these hold are our own words.
                Part::Opened | Part::Closed | Part::Failed => {}
            },
        }
    }

    fn datagram(&mut self, packet: &Packet<'_>, place: Range<usize>, cut: bool) {
        let port = packet.phone.port();
        let is_request = packet.peer.port() == port::TFTP && packet.bytes.starts_with(&READ);
        if is_request {
            self.transfers.remove(&port);
        }
        let binary = [
            port::DHCP_CLIENT,
            port::DHCP_SERVER,
            port::NTP,
            port::MDNS,
            port::TFTP,
        ];
        let ports = [port, packet.peer.port()];
        let is_binary = ports.iter().any(|port| binary.contains(port));
        let is_block = packet.bytes.starts_with(&BLOCK) && packet.way == Way::Received;
        let number = packet.bytes.get(2..BLOCK_AT);
        let number: Option<[u8; 2]> = number.and_then(|number| number.try_into().ok());
        let Some(number) = number.filter(|_| is_block && !is_binary) else {
            self.flow(!is_binary, cut).pieces.push(place);
            return;
        };
        let data = place.start + BLOCK_AT..place.end;
        match self.transfers.get_mut(&port) {
            Some((_, first, last)) if *last == number => {
                self.again.push((data, first.clone()));
            }
            Some((flow, first, last)) => {
                (*first, *last) = (data.clone(), number);
                let flow = *flow;
                self.more(flow, data, cut);
            }
            None => {
                let flow = self.flows.len();
                self.transfers.insert(port, (flow, data.clone(), number));
                self.flow(true, cut).pieces.push(data);
            }
        }
    }

    fn data(&mut self, way: Way, connection: u32, place: Range<usize>, cut: bool) {
        let sent = way == Way::Sent;
        // What comes after something was sent is another message, whole again.
        let answered = self.streams.get(&(connection, false)).copied();
        if let Some(flow) = answered.filter(|_| sent)
            && self.flows.get(flow).is_some_and(|flow| flow.cut)
        {
            self.streams.remove(&(connection, false));
        }
        match self.streams.get(&(connection, sent)).copied() {
            Some(flow) => self.more(flow, place, cut),
            None => {
                self.streams.insert((connection, sent), self.flows.len());
                let flow = self.flow(true, cut);
                flow.is_stream = true;
                flow.pieces.push(place);
            }
        }
    }

    /// A piece that follows others: overwritten when something between them is not in the record.
    fn more(&mut self, flow: usize, place: Range<usize>, cut: bool) {
        let Some(flow) = self.flows.get_mut(flow) else {
            return;
        };
        if !flow.cut {
            flow.cut = cut;
            flow.pieces.push(place);
        } else if let Some(place) = self.covered.bytes.get_mut(place) {
            place.fill(FILLER);
        }
    }

    fn flow(&mut self, is_text: bool, cut: bool) -> &mut Flow {
        self.flows.push(Flow {
            pieces: Vec::new(),
            is_text,
            is_stream: false,
            cut,
        });
        let last = self.flows.len() - 1;
        &mut self.flows[last]
    }
}

/// Bytes as text of the same length: controls but for line ends as blanks, what is not ASCII as a
/// letter.
fn plain(bytes: &[u8]) -> String {
    let letter = |byte: &u8| match byte {
        b'\r' | b'\n' | b'\t' => char::from(*byte),
        byte if byte.is_ascii_control() => ' ',
        byte if byte.is_ascii() => char::from(*byte),
        _ => 'z',
    };
    bytes.iter().map(letter).collect()
}

/// Whether what stands at a place is the secret rather than the same letters by chance: a short
/// one stands alone, and digits are not a number by which messages are framed.
fn is_meant(text: &str, place: &Range<usize>) -> bool {
    let secret = text.get(place.clone()).unwrap_or_default();
    if secret.len() >= ALONE_BYTES_MIN {
        return true;
    }
    let letter = |letter: char| letter.is_ascii_alphanumeric();
    let before = text.get(..place.start).unwrap_or_default();
    let after = text.get(place.end..).unwrap_or_default();
    let joins = secret.starts_with(letter) && before.ends_with(letter)
        || secret.ends_with(letter) && after.starts_with(letter);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let frames = |name: &&str| {
        let begins = line.get(..name.len());
        begins.is_some_and(|begins| begins.eq_ignore_ascii_case(name))
    };
    let digits = secret.bytes().all(|byte| byte.is_ascii_digit());
    let frames = digits && FRAMING.iter().any(frames);
    !joins && !frames
}

/// The beginning of a secret with which bytes end that are cut there.
fn beginning_at_end(bytes: &[u8], secret: &[u8]) -> Option<Range<usize>> {
    let lengths = (SECRET_BYTES_MIN..secret.len()).rev();
    let fits = |length: &usize| bytes.ends_with(secret.get(..*length).unwrap_or(secret));
    let length = lengths.into_iter().find(fits)?;
    Some(bytes.len() - length..bytes.len())
}

fn encoded(text: &str, escape: impl Fn(u8) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&escape(byte));
        }
    }
    out
}
