//! HTTP/1: messages put together from a connection's pieces, both ways, with whichever end asks.
//! Heads are read leniently: what somebody wrote wrong must be seen, not refused.

mod body;

use std::collections::VecDeque;

use bootstorm_emulator::limits::SOAP_BYTES_MAX;
use bootstorm_emulator::wire::soap;
use md5::{Digest, Md5};

use super::tcp::{Piece, side};
use super::{Fields, hex, joined};
use crate::wire::message::Message;
use body::{Chunks, Framing};

/// Bytes of a head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Requests of one connection without an answer.
const ASKED_MAX: usize = 1_024;

/// Bytes within which an envelope begins.
const ENVELOPE_WITHIN: usize = 512;

/// What is said on a connection.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    sides: [Side; 2],
    /// Requests whose answers are still to come.
    asked: VecDeque<Asked>,
}

#[derive(Debug, Clone)]
struct Asked {
    method: String,
    path: String,
}

#[derive(Debug, Default)]
struct Side {
    /// A head that is not complete.
    head: Vec<u8>,
    /// A message whose head was read.
    pending: Option<Pending>,
}

/// A message whose body is on its way.
#[derive(Debug)]
struct Pending {
    head: Head,
    framing: Framing,
    /// Its bytes so far, head included.
    length: usize,
    body: Vec<u8>,
    body_bytes: usize,
    digest: Md5,
    /// Some of it is not in the record.
    cut: bool,
    fault: Option<&'static str>,
}

/// A head, as its lines stand.
#[derive(Debug, Default)]
struct Head {
    first: First,
    lines: Vec<(String, String)>,
    /// What the answer answers.
    asked: Option<Asked>,
}

#[derive(Debug)]
enum First {
    Request {
        method: String,
        target: String,
        version: String,
    },
    Response {
        status: String,
        reason: String,
        version: String,
    },
}

impl Default for First {
    fn default() -> Self {
        Self::Response {
            status: String::new(),
            reason: String::new(),
            version: String::new(),
        }
    }
}

impl Exchange {
    /// Takes a piece of one direction.
    pub(super) fn feed(&mut self, piece: &Piece<'_, '_>, out: &mut Vec<Message>) {
        let Self { sides, asked } = self;
        let side = &mut sides[side(piece.packet.way)];
        let lost = |pending: &Pending| matches!(pending.framing, Framing::Lost);
        if side.pending.as_ref().is_some_and(lost) && First::begins(piece.bytes) {
            side.complete(piece, out);
        }
        let (mut bytes, mut missing) = (piece.bytes, piece.missing);
        while !bytes.is_empty() || missing > 0 {
            if let Some(pending) = &mut side.pending {
                let over = pending.take(&mut bytes, &mut missing);
                if over {
                    side.complete(piece, out);
                }
            } else {
                side.head(piece, &mut bytes, &mut missing, asked, out);
            }
        }
        // A message without a body is complete with its head.
        if side.pending.as_ref().is_some_and(Pending::is_complete) {
            side.complete(piece, out);
        }
    }

    /// The direction is over.
    pub(super) fn end(&mut self, piece: &Piece<'_, '_>, out: &mut Vec<Message>, orderly: bool) {
        let side = &mut self.sides[side(piece.packet.way)];
        if let Some(pending) = &mut side.pending {
            let whole = matches!(pending.framing, Framing::Close | Framing::Lost) && orderly;
            pending.cut |= !whole && !pending.is_complete();
            side.complete(piece, out);
        }
        let left = std::mem::take(&mut side.head);
        if left.is_empty() {
            return;
        }
        match Head::read(&left) {
            Some(head) => {
                let mut pending = Pending::new(head, left.len());
                pending.cut = true;
                out.push(pending.into_message(piece));
            }
            None => out.push(piece.unknown(&left, left.len(), None)),
        }
    }
}

impl Side {
    /// Takes bytes of a head, up to its end.
    fn head(
        &mut self,
        piece: &Piece<'_, '_>,
        bytes: &mut &[u8],
        missing: &mut usize,
        asked: &mut VecDeque<Asked>,
        out: &mut Vec<Message>,
    ) {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let blank = self
            .head
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace());
        let start = blank.count();
        let text = self.head.get(start..).unwrap_or_default();
        let end = head_end(text).map(|end| start + end);
        let cut_in_head = end.is_none() && *missing > 0;
        let known = First::read(first_line(text)).is_some();
        let line_ended = text.contains(&b'\n') || text.len() > HEAD_BYTES_MAX || cut_in_head;
        if !known && line_ended || self.head.len() > HEAD_BYTES_MAX && end.is_none() {
            let length = self.head.len() + *missing;
            out.push(piece.unknown(&self.head, length, Some(&"no HTTP head")));
            self.head.clear();
            (*bytes, *missing) = (&[], 0);
            return;
        }
        let length = match end {
            Some(end) => end,
            None if cut_in_head => self.head.len(),
            None => {
                *bytes = &[];
                return;
            }
        };
        *bytes = bytes
            .get(length.saturating_sub(before)..)
            .unwrap_or_default();
        let read = self.head.get(start..length).and_then(Head::read);
        let Some(mut head) = read else {
            out.push(piece.unknown(&self.head, length, None));
            self.head.clear();
            return;
        };
        self.head.clear();
        head.meet(asked);
        let mut pending = Pending::new(head, length);
        if cut_in_head {
            (pending.framing, pending.cut) = (Framing::Lost, true);
        }
        if pending.is_complete() {
            out.push(pending.into_message(piece));
        } else {
            self.pending = Some(pending);
        }
    }

    fn complete(&mut self, piece: &Piece<'_, '_>, out: &mut Vec<Message>) {
        if let Some(pending) = self.pending.take() {
            out.push(pending.into_message(piece));
        }
    }
}

impl Head {
    /// Reads what there is of a head.
    fn read(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text.trim_ascii_start());
        let mut lines = text.lines();
        let first = First::read(lines.next()?.as_bytes())?;
        let mut head = Self {
            first,
            ..Self::default()
        };
        for line in lines.take_while(|line| !line.is_empty()) {
            let folded = line.starts_with([' ', '\t']);
            match (head.lines.last_mut(), line.split_once(':')) {
                (Some((_, value)), _) if folded => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                (_, Some((name, value))) => {
                    let value = value.trim().to_owned();
                    head.lines.push((name.to_owned(), value));
                }
                // A line without a colon is shown as a name without a value.
                (_, None) => head.lines.push((line.trim().to_owned(), String::new())),
            }
        }
        Some(head)
    }

    /// Remembers a request, or finds what a response answers; after an interim response another
    /// one comes.
    fn meet(&mut self, asked: &mut VecDeque<Asked>) {
        match &self.first {
            First::Request { method, target, .. } => {
                if asked.len() < ASKED_MAX {
                    asked.push_back(Asked {
                        method: method.clone(),
                        path: path_and_query(target).0.to_owned(),
                    });
                }
            }
            First::Response { status, .. } => {
                let interim = status.len() == 3 && status.starts_with('1') && status != "101";
                self.asked = if interim {
                    asked.front().cloned()
                } else {
                    asked.pop_front()
                };
            }
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut lines = self.lines.iter();
        let found = lines.find(|(known, _)| known.trim_end().eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    /// Where the body ends (RFC 9112 §6.3).
    fn framing(&self) -> Framing {
        let to_head = self
            .asked
            .as_ref()
            .is_some_and(|asked| asked.method == "HEAD");
        let without_end = match &self.first {
            First::Request { .. } => Framing::Length(0),
            First::Response { status, .. } => {
                let none = matches!(status.as_str(), "204" | "304") || status.starts_with('1');
                if none || to_head {
                    return Framing::Length(0);
                }
                Framing::Close
            }
        };
        let chunked = |coding: &str| coding.to_ascii_lowercase().contains("chunked");
        if self.value("Transfer-Encoding").is_some_and(chunked) {
            return Framing::Chunked(Chunks::default());
        }
        let length = self.value("Content-Length").map(str::parse);
        match length {
            Some(Ok(length)) => Framing::Length(length),
            Some(Err(_)) => Framing::Lost,
            None => without_end,
        }
    }
}

impl First {
    /// True for bytes that begin like a message.
    fn begins(bytes: &[u8]) -> bool {
        Self::read(first_line(bytes)).is_some()
    }

    fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.trim_end();
        let mut words = line.splitn(3, ' ');
        let (first, second) = (words.next()?, words.next()?);
        let third = words.next().unwrap_or_default();
        if let Some(version) = first.strip_prefix("HTTP/") {
            return Some(Self::Response {
                status: second.to_owned(),
                reason: third.to_owned(),
                version: version.to_owned(),
            });
        }
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let version = third.trim().strip_prefix("HTTP/")?;
        (!first.is_empty() && first.bytes().all(token)).then(|| Self::Request {
            method: first.to_owned(),
            target: second.to_owned(),
            version: version.to_owned(),
        })
    }
}

impl Pending {
    fn new(head: Head, length: usize) -> Self {
        let framing = head.framing();
        Self {
            framing,
            head,
            length,
            body: Vec::new(),
            body_bytes: 0,
            digest: Md5::new(),
            cut: false,
            fault: None,
        }
    }

    fn is_complete(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunks) => chunks.is_over(),
            Framing::Close | Framing::Lost => false,
        }
    }

    /// Takes what belongs to the body; true when it is complete.
    fn take(&mut self, bytes: &mut &[u8], missing: &mut usize) -> bool {
        let before = bytes.len() + *missing;
        while let Some(taken) = self.framing.take(bytes, missing) {
            self.body_bytes += taken.bytes.len() + taken.missing;
            self.cut |= taken.missing > 0;
            self.fault = self.fault.or(taken.fault);
            self.digest.update(taken.bytes);
            let room = SOAP_BYTES_MAX.saturating_sub(self.body.len());
            let kept = taken.bytes.get(..room).unwrap_or(taken.bytes);
            self.body.extend_from_slice(kept);
        }
        self.length += before - bytes.len() - *missing;
        self.is_complete()
    }

    fn into_message(self, piece: &Piece<'_, '_>) -> Message {
        let mut fields = piece.fields(self.length);
        let name = self.head.put(&mut fields);
        fields.put("body_bytes", self.body_bytes);
        fields.put_body(&self.body);
        if self.cut {
            fields.put("truncated", true);
        } else if self.body_bytes > 0 {
            fields.put("md5", hex(&self.digest.finalize()));
        }
        if let Some(fault) = self.fault {
            fields.put("fault", fault);
        }
        if let Some(call) = rpc(&self.body) {
            fields.put("soap", call);
        }
        piece.message(name.into(), self.length, fields)
    }
}

impl Head {
    fn put(&self, fields: &mut Fields) -> String {
        let name = match &self.first {
            First::Request {
                method,
                target,
                version,
            } => {
                let (path, query) = path_and_query(target);
                fields.put("method", method);
                fields.put("target", target);
                fields.put("path", path);
                if let Some(query) = query {
                    fields.put("query", query);
                }
                fields.put("version", version);
                fields.put("host", self.value("Host").unwrap_or_default());
                format!("http.{}", method.to_lowercase())
            }
            First::Response {
                status,
                reason,
                version,
            } => {
                fields.put("status", status);
                fields.put("reason", reason);
                fields.put("version", version);
                if let Some(asked) = &self.asked {
                    fields.put("method", &asked.method);
                    fields.put("path", &asked.path);
                }
                "http.response".to_owned()
            }
        };
        fields.put("headers", joined(self.lines.iter().map(|(name, _)| name)));
        for (name, value) in &self.lines {
            fields.put(format!("header.{}", name.to_lowercase()), value);
        }
        name
    }
}

/// The RPC of a SOAP envelope; of one that is cut or wrong, the first element of its body.
fn rpc(body: &[u8]) -> Option<String> {
    let text = body.trim_ascii_start();
    if !text.starts_with(b"<") || !is_envelope(text) {
        return None;
    }
    if let Ok(envelope) = soap::read(body) {
        return Some(envelope.message.name().to_owned());
    }
    let text = String::from_utf8_lossy(text);
    let (_, after) = text.split_once(":Body")?;
    let (_, inside) = after.split_once('<')?;
    let name = inside
        .split(|c: char| c.is_whitespace() || "/>".contains(c))
        .next()?;
    let local = name.rsplit(':').next().unwrap_or(name);
    (!local.is_empty()).then(|| local.to_owned())
}

/// Whether an envelope is near the beginning.
fn is_envelope(text: &[u8]) -> bool {
    let near = text.get(..ENVELOPE_WITHIN).unwrap_or(text);
    let mut words = near.windows(b"Envelope".len());
    words.any(|word| word == b"Envelope")
}

fn path_and_query(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default()
}

/// Where a head ends: behind its empty line.
fn head_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if matches!(line, b"\r\n" | b"\n") {
            return Some(at);
        }
    }
    None
}
