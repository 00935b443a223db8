//! What becomes of one message.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::time::Moment;

use super::edit::{self, Protocol};
use super::{Change, Edit, Mutant, Side, Which};
use crate::matcher::Fill;
use crate::wire::message::{self, Message};
use crate::wire::record::{PACKET_BYTES, Record};
use crate::wire::{Carrier, Packet, Part, Way};

/// Bytes of a message that edits look at; a longer one passes as it is.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Counts that are kept, one for each phone and edit that counts; when there would be more, all
/// begin again.
const COUNTS_MAX: usize = 1 << 20;
/// Times that a message is sent at most.
const COPIES_MAX: u32 = 1_024;

/// Asks several mutants of one side what becomes of each message.
#[derive(Debug, Clone)]
pub struct Engine {
    mutants: Vec<Arc<Mutant>>,
    side: Side,
    /// How many messages fitted an edit, by its place and by whom they were of.
    counts: BTreeMap<(u16, u64), u32>,
    /// The messages that fitted an edit which is about those that come again: its place, whose, a
    /// hash.
    seen: BTreeSet<(u16, u64, u64)>,
}

/// One message on its way, as the phone sees it.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// What it is one of.
    pub protocol: Protocol,
    /// Whether the phone sends it or gets it.
    pub way: Way,
    /// The phone's end.
    pub phone: SocketAddrV4,
    /// The other end.
    pub peer: SocketAddrV4,
    /// It travels on a connection, not as a datagram.
    pub stream: bool,
    /// That is TLS.
    pub tls: bool,
    /// What the phone had sent before and this belongs to: the request that a response answers,
    /// the RRQ of a transfer, the path of an FTP server's file. Empty where there is none.
    pub before: &'a [u8],
    /// The message: a datagram's payload, the whole message of a stream, a reply of an FTP server
    /// or a file that it sends.
    pub bytes: &'a [u8],
    /// A number that no other phone has.
    pub whom: u64,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Treated {
    /// It goes as it is.
    Untouched,
    /// These go in its place, if any.
    Copies {
        /// In the order of the list, those without delay; the others later.
        list: Vec<Copied>,
        /// The connection is closed then.
        close: bool,
    },
}

/// One message in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// How much later it goes.
    pub after: Duration,
    /// The port of the server that it comes from instead.
    pub port: Option<u16>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Engine {
    /// An engine for the mutants of a side; `None` where none of them edits a message.
    #[must_use]
    pub fn new(side: Side, mutants: &[Arc<Mutant>]) -> Option<Self> {
        let of_side = mutants
            .iter()
            .filter(|it| it.side == side && !it.edits.is_empty());
        let mutants: Vec<_> = of_side.cloned().collect();
        (!mutants.is_empty()).then(|| Self {
            mutants,
            side,
            counts: BTreeMap::new(),
            seen: BTreeSet::new(),
        })
    }

    /// Whether any edit is about messages of this protocol that go this way, as the phone sees it.
    #[must_use]
    pub fn touches(&self, protocol: Protocol, way: Way) -> bool {
        self.edits().any(|edit| self.is_about(edit, protocol, way))
    }

    fn edits(&self) -> impl Iterator<Item = &Edit> {
        self.mutants.iter().flat_map(|mutant| &mutant.edits)
    }

    fn is_about(&self, edit: &Edit, protocol: Protocol, way: Way) -> bool {
        let mine = match self.side {
            Side::Phone => edit.way == way,
            Side::Server => edit.way != way,
        };
        mine && Protocol::of(&edit.message) == Some(protocol)
    }

    /// Decides what becomes of a message. `fill` fills the holes of `with`.
    #[must_use]
    pub fn treat(&mut self, envelope: &Envelope<'_>, fill: &Fill<'_>) -> Treated {
        let (protocol, way) = (envelope.protocol, envelope.way);
        if envelope.bytes.len() > MESSAGE_BYTES_MAX || !self.touches(protocol, way) {
            return Treated::Untouched;
        }
        let Some(message) = decoded(envelope) else {
            return Treated::Untouched;
        };
        let mutants = std::mem::take(&mut self.mutants);
        let edits = mutants.iter().flat_map(|mutant| &mutant.edits);
        let mut outcome = Outcome::new(envelope.bytes);
        for (place, edit) in (0_u16..).zip(edits) {
            let meant = self.is_about(edit, protocol, way)
                && edit.is_about(&message.name)
                && edit.with.fits(&message, fill)
                && self.takes(edit, place, envelope);
            if meant {
                outcome.apply(protocol, edit);
            }
        }
        self.mutants = mutants;
        outcome.treated()
    }

    /// Decides what becomes of a retrieval by FTP that a phone is about to make: its fields `user`,
    /// `password`, `file` and `mode` are changed in their place. False = it never happens.
    #[must_use]
    pub fn retrieve(
        &mut self,
        envelope: &Envelope<'_>,
        fields: &mut [(&'static str, String)],
        fill: &Fill<'_>,
    ) -> bool {
        let mutants = std::mem::take(&mut self.mutants);
        let edits = mutants.iter().flat_map(|mutant| &mutant.edits);
        let said = fields
            .iter()
            .map(|(key, value)| ((*key).into(), value.clone()));
        let message = message_of(envelope, "ftp.retr", said.collect());
        let mut happens = true;
        for (place, edit) in (0_u16..).zip(edits) {
            let meant = self.is_about(edit, Protocol::Ftp, envelope.way)
                && edit.is_about(&message.name)
                && edit.with.fits(&message, fill)
                && self.takes(edit, place, envelope);
            if !meant {
                continue;
            }
            happens &= edit.change != Change::Drop;
            let sets = match &edit.change {
                Change::Set(sets) => sets.as_slice(),
                _ => &[],
            };
            for (key, value) in sets {
                let mut held = fields.iter_mut();
                if let Some((_, held)) = held.find(|(held, _)| held == key) {
                    held.clone_from(value);
                }
            }
            if let Change::Replace(from, to) = &edit.change {
                for (_, held) in fields.iter_mut() {
                    let new = edit::replaced(held.as_bytes(), from, to);
                    *held = String::from_utf8(new).unwrap_or_default();
                }
            }
        }
        self.mutants = mutants;
        happens
    }

    /// Whether an edit is about this one of the messages that fit it.
    fn takes(&mut self, edit: &Edit, place: u16, envelope: &Envelope<'_>) -> bool {
        let before = edit.which == Which::Again && !self.is_new(place, envelope);
        edit.which.takes(self.counted(place, envelope.whom), before)
    }

    /// Remembers a message of a phone's port; false when it was there before.
    fn is_new(&mut self, place: u16, envelope: &Envelope<'_>) -> bool {
        let mut hasher = DefaultHasher::new();
        (envelope.phone.port(), envelope.bytes).hash(&mut hasher);
        if self.seen.len() >= COUNTS_MAX {
            self.seen.clear();
        }
        self.seen.insert((place, envelope.whom, hasher.finish()))
    }

    /// The number of this message among those that fit an edit.
    fn counted(&mut self, place: u16, whom: u64) -> u32 {
        if self.counts.len() >= COUNTS_MAX && !self.counts.contains_key(&(place, whom)) {
            self.counts.clear();
        }
        let count = self.counts.entry((place, whom)).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

/// What the edits so far have made of a message.
struct Outcome<'a> {
    was: &'a [u8],
    bytes: Option<Vec<u8>>,
    touched: bool,
    copies: u32,
    after: Duration,
    port: Option<u16>,
    close: bool,
}

impl<'a> Outcome<'a> {
    fn new(was: &'a [u8]) -> Self {
        Self {
            was,
            bytes: None,
            touched: false,
            copies: 1,
            after: Duration::ZERO,
            port: None,
            close: false,
        }
    }

    fn apply(&mut self, protocol: Protocol, edit: &Edit) {
        self.touched = true;
        self.close |= edit.close;
        match &edit.change {
            Change::Drop => self.copies = 0,
            Change::Repeat(more) => {
                self.copies = self
                    .copies
                    .saturating_mul(more.saturating_add(1))
                    .min(COPIES_MAX);
            }
            Change::Delay(longer) => self.after = self.after.saturating_add(*longer),
            change => {
                if let Change::Set(fields) = change {
                    let mut ports = fields.iter().filter(|(field, _)| field == edit::PORT);
                    self.port = ports.find_map(|(_, port)| port.parse().ok()).or(self.port);
                }
                let held = self.bytes.as_deref().unwrap_or(self.was);
                let new = edit::changed(protocol, held, change, edit.keep_length);
                self.bytes = new.or(self.bytes.take());
            }
        }
    }

    fn treated(self) -> Treated {
        if !self.touched {
            return Treated::Untouched;
        }
        let copied = Copied {
            after: self.after,
            port: self.port,
            bytes: self.bytes.unwrap_or_else(|| self.was.to_vec()),
        };
        Treated::Copies {
            list: (0..self.copies).map(|_| copied.clone()).collect(),
            close: self.close,
        }
    }
}

/// The message of an envelope, as a record of it would show it.
fn decoded(envelope: &Envelope<'_>) -> Option<Message> {
    if envelope.protocol == Protocol::Ftp {
        return Some(ftp_message(envelope));
    }
    let carrier = if envelope.stream {
        Carrier::Tcp {
            connection: 0,
            part: Part::Data,
            tls: envelope.tls,
        }
    } else {
        Carrier::Udp
    };
    let bytes = envelope.before.len() + envelope.bytes.len();
    let mut record = Record::new(bytes + 2 * PACKET_BYTES);
    let mut push = |way, bytes: &[u8]| {
        record.push(&Packet {
            at: Moment::ZERO,
            way,
            phone: envelope.phone,
            peer: envelope.peer,
            carrier,
            length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            bytes,
        });
    };
    if !envelope.before.is_empty() {
        push(Way::Sent, envelope.before);
    }
    push(envelope.way, envelope.bytes);
    message::decode(&record)
        .into_iter()
        .rfind(|message| message.way == envelope.way)
}

/// What an FTP server says or sends.
fn ftp_message(envelope: &Envelope<'_>) -> Message {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if envelope.before.is_empty() {
        let line = envelope.bytes.trim_ascii();
        let (code, rest) = line.split_at_checked(3).unwrap_or((line, &[]));
        let rest = rest.trim_ascii();
        let fields = vec![("code".into(), text(code)), ("text".into(), text(rest))];
        return message_of(envelope, "ftp.reply", fields);
    }
    let bytes = envelope.bytes.len().to_string();
    let fields = vec![
        ("file".into(), text(envelope.before)),
        ("bytes".into(), bytes),
    ];
    message_of(envelope, "ftp.data", fields)
}

fn message_of(
    envelope: &Envelope<'_>,
    name: &'static str,
    fields: Vec<(Cow<'static, str>, String)>,
) -> Message {
    Message {
        at: Moment::ZERO,
        way: envelope.way,
        peer: envelope.peer,
        name: name.into(),
        length: u32::try_from(envelope.bytes.len()).unwrap_or(u32::MAX),
        fields,
    }
}
