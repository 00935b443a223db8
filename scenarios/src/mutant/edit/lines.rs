//! HTTP and SIP: a start line, fields, a body.

use bootstorm_emulator::wire::{http, sip};

use super::replaced;
use crate::mutant::Change;

const LENGTH: &str = "Content-Length";

/// A message taken apart; put together again it has the same bytes.
#[derive(Debug, Clone)]
struct Parts {
    start: Vec<u8>,
    /// Lines without their ends; folded ones with the line breaks within them.
    fields: Vec<Vec<u8>>,
    body: Vec<u8>,
    line_end: &'static [u8],
}

pub(super) fn refuses(sip: bool, field: &str, value: Option<&str>) -> Option<String> {
    let line = |value: &str| !value.contains(['\r', '\n']);
    let status = |value: &str| value.len() == 3 && value.bytes().all(|it| it.is_ascii_digit());
    match (field, value) {
        ("status", Some(value)) => (!status(value)).then(|| String::from("a status of 3 digits")),
        ("body", _) => None,
        ("reason" | "method" | "version", Some(value)) => {
            (!line(value)).then(|| String::from("a text of one line"))
        }
        ("target" | "path", Some(value)) if !sip => {
            (!line(value)).then(|| String::from("a text of one line"))
        }
        ("uri", Some(value)) if sip => (!line(value)).then(|| String::from("a text of one line")),
        (field, value) => match field.strip_prefix("header.") {
            Some(name) if !name.is_empty() && value.is_none_or(line) => None,
            _ if sip => Some(String::from(
                "status, reason, method, uri, version, body, header.NAME",
            )),
            _ => Some(String::from(
                "status, reason, method, target, path, version, body, header.NAME",
            )),
        },
    }
}

/// The message after a change; `None` = as it was.
pub(super) fn changed(
    bytes: &[u8],
    change: &Change,
    keep_length: bool,
    sip: bool,
) -> Option<Vec<u8>> {
    if let Change::Whole(whole) = change {
        return Some(whole.clone());
    }
    let mut parts = Parts::of(bytes)?;
    let before = parts.body.len();
    let mut length_set = keep_length;
    match change {
        Change::Replace(from, to) => {
            parts.start = replaced(&parts.start, from, to);
            for field in &mut parts.fields {
                *field = replaced(field, from, to);
            }
            parts.body = replaced(&parts.body, from, to);
        }
        Change::Cut(length) => parts.body.truncate(*length),
        Change::CutEnd(less) => parts.body.truncate(before.saturating_sub(*less)),
        Change::Append(more) => parts.body.extend_from_slice(more),
        Change::Set(fields) => {
            for (field, value) in fields {
                let name = field.strip_prefix("header.");
                length_set |= name.is_some_and(|name| same(name, LENGTH, sip));
                parts.set(field, value, sip)?;
            }
        }
        Change::Remove(field) if field == "body" => parts.body.clear(),
        Change::Remove(field) => {
            let name = field.strip_prefix("header.")?;
            length_set |= same(name, LENGTH, sip);
            parts.fields.retain(|line| !same(&name_of(line), name, sip));
        }
        _ => return None,
    }
    if parts.body.len() != before && !length_set {
        parts.set_length(sip);
    }
    Some(parts.bytes())
}

impl Parts {
    /// Takes a message apart; `None` for what has no end of a head.
    fn of(bytes: &[u8]) -> Option<Self> {
        let find = |end: &[u8]| bytes.windows(end.len()).position(|window| window == end);
        let (at, line_end): (_, &'static [u8]) = match (find(b"\r\n\r\n"), find(b"\n\n")) {
            (Some(at), other) if other.is_none_or(|other| at < other) => (at, b"\r\n"),
            (_, other) => (other?, b"\n"),
        };
        let head = bytes.get(..at)?;
        let body = bytes.get(at + 2 * line_end.len()..)?.to_vec();
        let mut lines = split(head, line_end).into_iter();
        let start = lines.next()?;
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in lines {
            match fields.last_mut() {
                Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                    last.extend_from_slice(line_end);
                    last.extend_from_slice(&line);
                }
                _ => fields.push(line),
            }
        }
        Some(Self {
            start,
            fields,
            body,
            line_end,
        })
    }

    fn bytes(self) -> Vec<u8> {
        let mut out = self.start;
        for field in &self.fields {
            out.extend_from_slice(self.line_end);
            out.extend_from_slice(field);
        }
        out.extend_from_slice(self.line_end);
        out.extend_from_slice(self.line_end);
        out.extend_from_slice(&self.body);
        out
    }

    fn set(&mut self, field: &str, value: &str, sip: bool) -> Option<()> {
        let text = String::from_utf8_lossy(&self.start).into_owned();
        let is_response = text.starts_with("HTTP/") || text.starts_with("SIP/");
        let mut words: Vec<&str> = text.splitn(3, ' ').collect();
        words.resize(3, "");
        let reason = value.parse().map(|status| match sip {
            true => sip::reason(status),
            false => http::reason(status),
        });
        match (field, is_response) {
            ("body", _) => {
                self.body = value.as_bytes().to_vec();
                return Some(());
            }
            ("status", true) => {
                words[1] = value;
                words[2] = reason.unwrap_or_default();
            }
            ("reason", true) => words[2] = value,
            ("version", true) | ("method", false) => words[0] = value,
            ("version", false) => words[2] = value,
            ("target" | "path" | "uri", false) => words[1] = value,
            _ => {
                let name = field.strip_prefix("header.")?;
                self.set_header(name, value, sip);
                return Some(());
            }
        }
        self.start = words.join(" ").into_bytes();
        Some(())
    }

    /// Gives the first header of this name another value, in its place and under the name that it
    /// has there; or adds it at the end.
    fn set_header(&mut self, name: &str, value: &str, sip: bool) {
        let mut fields = self.fields.iter_mut();
        match fields.find(|line| same(&name_of(line), name, sip)) {
            Some(line) => *line = format!("{}: {value}", name_of(line)).into_bytes(),
            None => self.fields.push(format!("{name}: {value}").into_bytes()),
        }
    }

    /// Makes an existing Content-Length right.
    fn set_length(&mut self, sip: bool) {
        let length = self.body.len().to_string();
        if self
            .fields
            .iter()
            .any(|line| same(&name_of(line), LENGTH, sip))
        {
            self.set_header(LENGTH, &length, sip);
        }
    }
}

fn split(text: &[u8], line_end: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(line_end.len()).position(|it| it == line_end) {
        lines.push(rest.get(..at).unwrap_or_default().to_vec());
        rest = rest.get(at + line_end.len()..).unwrap_or_default();
    }
    lines.push(rest.to_vec());
    lines
}

/// The name of a header's line.
fn name_of(line: &[u8]) -> String {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    String::from_utf8_lossy(name.trim_ascii()).into_owned()
}

/// Whether a header is called so; SIP's have short forms too (RFC 3261 §7.3.3).
fn same(written: &str, name: &str, sip: bool) -> bool {
    written.eq_ignore_ascii_case(name) || sip && sip::is_named(written, name)
}
