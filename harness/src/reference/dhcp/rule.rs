//! Which client gets which options: rules by vendor prefix, vendor class or address.

use dhcproto::v4::{DhcpOption, OptionCode, UnknownOption};
use dhcproto::{Encodable, Encoder};
use rustc_hash::FxHashMap;
use std::net::Ipv4Addr;

use bootstorm_emulator::identity::Mac;

/// Bytes of a boot file name: the field's 128 with a NUL at their end.
pub const BOOT_FILE_BYTES_MAX: usize = 127;
/// The code of padding, which no option has: stands for the `file` field.
const BOOT_FILE: u8 = 0;

/// One option of a rule, in wire form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionValue {
    code: u8,
    wire: Box<[u8]>,
    always: bool,
}

/// Whom a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Every client.
    Any,
    /// Clients whose MAC address begins with these three bytes.
    Oui([u8; 3]),
    /// Clients whose vendor class (option 60) begins with these bytes.
    ClassPrefix(Vec<u8>),
    /// One client.
    Mac(Mac),
}

/// Options for some clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Whom it is for.
    pub when: Match,
    /// What they get.
    pub options: Vec<OptionValue>,
}

/// The rules of a server, found by client.
#[derive(Debug, Default)]
pub(super) struct Rules {
    shared: Vec<Rule>,
    by_mac: FxHashMap<Mac, Vec<OptionValue>>,
    chosen: Vec<(u8, Choice)>,
}

/// An option by its place: in a shared rule, or in the client's own.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Shared(usize, usize),
    Own(usize),
}

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) mac: Option<Mac>,
    pub(super) class: &'a [u8],
    /// The parameter request list (option 55), if there is one.
    pub(super) wanted: Option<&'a [u8]>,
}

impl OptionValue {
    /// Option `code` (1 to 254) with these bytes; more than 255 are split as RFC 3396 says.
    #[must_use]
    pub fn bytes(code: u8, data: &[u8]) -> Self {
        let mut wire = Vec::with_capacity(data.len() + 2);
        // By itself an `UnknownOption` writes its length modulo 256; as a `DhcpOption` it splits.
        let value = UnknownOption::new(OptionCode::from(code), data.to_vec());
        let value = DhcpOption::Unknown(value);
        // Encoding into a vector can only fail beyond the address space.
        let written = value.encode(&mut Encoder::new(&mut wire));
        debug_assert!(written.is_ok());
        Self {
            code,
            wire: wire.into(),
            always: false,
        }
    }

    /// An option that holds a text: 66 (TFTP server name), 67 (boot file), 114 (URL) …
    #[must_use]
    pub fn text(code: u8, text: &str) -> Self {
        Self::bytes(code, text.as_bytes())
    }

    /// An option that holds addresses: 42 (NTP servers), 4, 5 …
    #[must_use]
    pub fn addresses(code: u8, addresses: &[Ipv4Addr]) -> Self {
        let octets: Vec<u8> = addresses.iter().flat_map(Ipv4Addr::octets).collect();
        Self::bytes(code, &octets)
    }

    /// The name in the `file` field of the message (RFC 2131 §2), at most `BOOT_FILE_BYTES_MAX`
    /// bytes: not an option, but given by the same rules (AUE-29).
    #[must_use]
    pub fn boot_file(name: &str) -> Self {
        let wire = name.as_bytes();
        let wire = wire.get(..BOOT_FILE_BYTES_MAX).unwrap_or(wire);
        Self {
            code: BOOT_FILE,
            wire: wire.into(),
            always: true,
        }
    }

    /// The same option, sent even to clients whose request list does not name it.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }

    fn wanted_by(&self, asker: Asker) -> bool {
        self.always || asker.wanted.is_none_or(|list| list.contains(&self.code))
    }
}

impl Rules {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        let mut sorted = Self::default();
        for rule in rules {
            match rule.when {
                Match::Mac(mac) => sorted.by_mac.entry(mac).or_default().extend(rule.options),
                _ => sorted.shared.push(rule),
            }
        }
        sorted
    }

    /// Appends the options for a client to `out` as far as they fit into `room` bytes; returns how
    /// many had to be left out. Of several values for a code the last rule's is taken, a rule for
    /// the one client before all others; options come in the order in which rules first name them.
    pub(super) fn write(&mut self, asker: Asker, out: &mut Vec<u8>, mut room: usize) -> usize {
        let Self {
            shared,
            by_mac,
            chosen,
        } = self;
        chosen.clear();
        for (at, rule) in shared.iter().enumerate() {
            if rule.when.fits(asker) {
                for (place, option) in rule.options.iter().enumerate() {
                    choose(chosen, option.code, Choice::Shared(at, place));
                }
            }
        }
        let own = asker.mac.and_then(|mac| by_mac.get(&mac));
        let own = own.map(Vec::as_slice).unwrap_or_default();
        for (place, option) in own.iter().enumerate() {
            choose(chosen, option.code, Choice::Own(place));
        }
        let mut left_out = 0;
        for (_, choice) in chosen.iter() {
            let option = match *choice {
                Choice::Shared(at, place) => shared.get(at).and_then(|it| it.options.get(place)),
                Choice::Own(place) => own.get(place),
            };
            let wanted =
                |option: &&OptionValue| option.code != BOOT_FILE && option.wanted_by(asker);
            let Some(option) = option.filter(wanted) else {
                continue;
            };
            if option.wire.len() > room {
                left_out += 1;
                continue;
            }
            room -= option.wire.len();
            out.extend_from_slice(&option.wire);
        }
        left_out
    }
}

impl Rules {
    /// The client's boot file name; of several the last rule's, as in `write`.
    pub(super) fn boot_file(&self, asker: Asker) -> Option<&[u8]> {
        let own = asker.mac.and_then(|mac| self.by_mac.get(&mac));
        let fitting = self.shared.iter().filter(|rule| rule.when.fits(asker));
        let shared = fitting.flat_map(|rule| &rule.options);
        let all = shared.chain(own.into_iter().flatten());
        let mut named = all.filter(|option| option.code == BOOT_FILE);
        named.next_back().map(|option| option.wire.as_ref())
    }
}

impl Match {
    fn fits(&self, asker: Asker) -> bool {
        match self {
            Self::Any => true,
            Self::Oui(oui) => asker.mac.is_some_and(|mac| mac.0.starts_with(oui)),
            Self::ClassPrefix(prefix) => asker.class.starts_with(prefix),
            Self::Mac(mac) => asker.mac == Some(*mac),
        }
    }
}

fn choose(chosen: &mut Vec<(u8, Choice)>, code: u8, choice: Choice) {
    match chosen.iter_mut().find(|(known, _)| *known == code) {
        Some((_, place)) => *place = choice,
        None => chosen.push((code, choice)),
    }
}
