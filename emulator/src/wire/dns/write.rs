//! Writing DNS messages. Names are written whole: pointers save bytes that nobody misses here.

use std::net::Ipv4Addr;

use super::{
    AUTHORITATIVE, CLASS_INTERNET, CLASS_TOP, HEADER_BYTES, LABEL_BYTES_MAX, NAME_BYTES_MAX,
    RESPONSE, kind,
};

/// Appends one message to a buffer: questions, then answers, then additional records.
#[derive(Debug)]
pub struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    questions: u16,
    answers: u16,
    additional: u16,
    behind_answers: bool,
    to_one: bool,
}

impl<'o> Encoder<'o> {
    /// Begins a query. One-shot queries have a number of their own (RFC 6762 §6.7), others 0.
    pub fn query(out: &'o mut Vec<u8>, id: u16) -> Self {
        Self::begin(out, id, 0)
    }

    /// Begins an answer; to a one-shot query it repeats the query's number.
    pub fn answer(out: &'o mut Vec<u8>, id: u16) -> Self {
        Self::begin(out, id, RESPONSE | AUTHORITATIVE)
    }

    fn begin(out: &'o mut Vec<u8>, id: u16, flags: u16) -> Self {
        let start = out.len();
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&flags.to_be_bytes());
        out.resize(start + HEADER_BYTES, 0);
        Self {
            out,
            start,
            questions: 0,
            answers: 0,
            additional: 0,
            behind_answers: false,
            to_one: false,
        }
    }

    /// The answer goes to one asker that is no whole responder: no record of it may say that it
    /// replaces what was known (RFC 6762 §6.7).
    #[must_use]
    pub fn to_one(mut self) -> Self {
        self.to_one = true;
        self
    }

    /// Asks for records of this type; the labels of the name are those between the dots.
    #[must_use]
    pub fn question(mut self, dotted: &str, kind: u16) -> Self {
        self.questions += 1;
        push_name(self.out, labels(dotted));
        push(self.out, kind);
        push(self.out, CLASS_INTERNET);
        self
    }

    /// An instance of a service.
    #[must_use]
    pub fn pointer(self, service: &str, instance: &[&str], ttl: u32) -> Self {
        self.record(labels(service), kind::PTR, ttl, false, |out| {
            push_name(out, instance.iter().map(|label| label.as_bytes()));
        })
    }

    /// Host and port of an instance.
    #[must_use]
    pub fn service(self, instance: &[&str], port: u16, target: &str, ttl: u32) -> Self {
        let name = instance.iter().map(|label| label.as_bytes());
        self.record(name, kind::SRV, ttl, true, |out| {
            out.extend_from_slice(&[0; 4]);
            push(out, port);
            push_name(out, labels(target));
        })
    }

    /// The texts of an instance, each of at most 255 bytes: what is longer is cut. None = one
    /// empty text, as RFC 6763 §6.1 demands.
    #[must_use]
    pub fn texts(self, instance: &[&str], texts: &[&str], ttl: u32) -> Self {
        let name = instance.iter().map(|label| label.as_bytes());
        self.record(name, kind::TXT, ttl, true, |out| {
            if texts.is_empty() {
                out.push(0);
            }
            for text in texts {
                let text = text.as_bytes();
                let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
                out.push(length);
                out.extend_from_slice(text.get(..usize::from(length)).unwrap_or_default());
            }
        })
    }

    /// The address of a host.
    #[must_use]
    pub fn address(self, host: &str, address: Ipv4Addr, ttl: u32) -> Self {
        self.record(labels(host), kind::A, ttl, true, |out| {
            out.extend_from_slice(&address.octets());
        })
    }

    /// Any record that belongs to another type.
    #[must_use]
    pub fn other(self, name: &str, kind: u16, data: &[u8], ttl: u32) -> Self {
        self.record(labels(name), kind, ttl, false, |out| {
            out.extend_from_slice(data);
        })
    }

    /// What follows stands in the section of additional records.
    #[must_use]
    pub fn additional(mut self) -> Self {
        self.behind_answers = true;
        self
    }

    /// Writes the counts.
    pub fn finish(self) {
        let counts = [self.questions, self.answers, 0, self.additional];
        let fields = self.out.get_mut(self.start + 4..self.start + HEADER_BYTES);
        let fields = fields.unwrap_or_default().chunks_exact_mut(2);
        for (field, count) in fields.zip(counts) {
            field.copy_from_slice(&count.to_be_bytes());
        }
    }

    fn record<'n>(
        mut self,
        name: impl Iterator<Item = &'n [u8]>,
        kind: u16,
        ttl: u32,
        flush: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        if self.behind_answers {
            self.additional += 1;
        } else {
            self.answers += 1;
        }
        push_name(self.out, name);
        push(self.out, kind);
        push(
            self.out,
            CLASS_INTERNET | if flush && !self.to_one { CLASS_TOP } else { 0 },
        );
        self.out.extend_from_slice(&ttl.to_be_bytes());
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0; 2]);
        write(self.out);
        let length = self.out.len() - length_at - 2;
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        if let Some(field) = self.out.get_mut(length_at..length_at + 2) {
            field.copy_from_slice(&length.to_be_bytes());
        }
        self
    }
}

/// Whether a text names a service (RFC 6763 §7): two labels that begin with `_`, then a domain.
#[must_use]
pub fn is_service(dotted: &str) -> bool {
    let dotted = dotted.strip_suffix('.').unwrap_or(dotted);
    let all: Vec<&str> = dotted.split('.').collect();
    let marked = |label: &&str| label.starts_with('_') && label.len() > 1;
    let plain = |label: &&str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !label.is_empty() && label.len() <= LABEL_BYTES_MAX && label.bytes().all(known)
    };
    all.len() >= 3
        && all.iter().take(2).all(marked)
        && all.iter().all(plain)
        && dotted.len() + 2 <= NAME_BYTES_MAX
}

fn labels(dotted: &str) -> impl Iterator<Item = &[u8]> {
    let labels = dotted.split('.').map(str::as_bytes);
    labels.filter(|label| !label.is_empty())
}

/// Writes a name; labels that are too long are cut, and those that the name has no room for are
/// left out.
fn push_name<'n>(out: &mut Vec<u8>, labels: impl Iterator<Item = &'n [u8]>) {
    let mut length = 1;
    for label in labels.filter(|label| !label.is_empty()) {
        let label = label
            .get(..label.len().min(LABEL_BYTES_MAX))
            .unwrap_or_default();
        length += 1 + label.len();
        if length > NAME_BYTES_MAX {
            break;
        }
        out.push(u8::try_from(label.len()).unwrap_or_default());
        out.extend_from_slice(label);
    }
    out.push(0);
}

fn push(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}
