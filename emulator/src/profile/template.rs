//! Strings with holes, compiled once and filled without allocation.
//!
//! | hole | becomes |
//! |---|---|
//! | `{mac}` | twelve hex digits, lower case; `:upper`, `:colon`, `:colon-upper`, `:dash` |
//! | `{mac[0:4]}` | digits 0 to 3 of the bare form; also `{mac[0:4]:upper}`, `{mac[8:]}` |
//! | `{model}` `{vendor}` `{oem}` `{firmware}` `{host}` | text; `:lower`, `:upper` (ASCII) |
//! | `{user_agent}` `{authorization}` `{config_file_name}` `{version}` | the same |
//! | `{typed}` | the file id that the user typed (FAN-57) |
//! | `{inventory:NAME}` | the phone's cell of column NAME in the site's inventory |
//! | `{serial}` | the profile's serial number, itself a template; empty within it |
//! | `{user}` `{domain}` `{transport}` `{contact_uri}` | the same, of a SIP account |
//! | `{ip}` | the phone's address |
//! | `{port}` `{cseq}` `{expires}` `{index}` | a number; `{index:05}` pads with zeros |
//! | `{branch}` `{call_id}` | 16 hex digits |
//! | `{tag}` | 8 hex digits |
//! | `{{` `}}` | a brace |

mod compile;

use std::io::Write;
use std::net::Ipv4Addr;

use crate::identity::Mac;

/// The longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 16 << 10;
/// The widest zero padding of a number, in digits.
const WIDTH_MAX: usize = 20;
/// Every variable, for messages.
const VARIABLES: [&str; 25] = [
    "mac",
    "model",
    "vendor",
    "oem",
    "firmware",
    "serial",
    "ip",
    "port",
    "host",
    "user_agent",
    "authorization",
    "config_file_name",
    "typed",
    "inventory",
    "version",
    "user",
    "domain",
    "transport",
    "contact_uri",
    "expires",
    "branch",
    "tag",
    "call_id",
    "cseq",
    "index",
];

/// A string with holes, parsed once; at most `TEMPLATE_BYTES_MAX` bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    source: String,
    parts: Box<[Part]>,
}

/// What can fill the holes. A variable that a place does not know is empty text.
#[derive(Debug, Clone, Copy)]
pub struct Vars<'a> {
    /// `{mac}` and its forms.
    pub mac: Mac,
    /// `{index}`: the phone's place in the run.
    pub index: u32,
    /// `{model}`
    pub model: &'a str,
    /// `{vendor}`
    pub vendor: &'a str,
    /// `{oem}`
    pub oem: &'a str,
    /// `{firmware}`: the version that runs.
    pub firmware: &'a str,
    /// `{serial}`
    pub serial: Option<&'a Template>,
    /// `{ip}`
    pub address: Ipv4Addr,
    /// `{port}`
    pub port: u16,
    /// `{host}`: host, with `:port` where it is not the scheme's own.
    pub host: &'a str,
    /// `{user_agent}`
    pub user_agent: &'a str,
    /// `{authorization}`
    pub authorization: &'a str,
    /// `{config_file_name}`
    pub config_file_name: &'a str,
    /// `{typed}`: the file id that the user typed (FAN-57).
    pub typed: &'a str,
    /// The columns of the site's inventory.
    pub columns: &'a [String],
    /// `{inventory:NAME}`: the phone's cells, in the order of `columns`.
    pub row: &'a [Box<str>],
    /// `{version}`: of an offered firmware.
    pub version: &'a str,
    /// `{user}`: the user part of an account's address, escaped.
    pub user: &'a str,
    /// `{domain}`: of an account's address.
    pub domain: &'a str,
    /// `{transport}`: `UDP` or `TCP`.
    pub transport: &'a str,
    /// `{contact_uri}`: where an account can be reached.
    pub contact_uri: &'a str,
    /// `{expires}`: seconds asked for.
    pub expires: u32,
    /// `{branch}`: 16 hex digits.
    pub branch: u64,
    /// `{tag}`: 8 hex digits.
    pub tag: u32,
    /// `{call_id}`: 16 hex digits.
    pub call_id: u64,
    /// `{cseq}`
    pub cseq: u32,
}

impl Default for Vars<'_> {
    fn default() -> Self {
        Self {
            mac: Mac::default(),
            index: 0,
            model: "",
            vendor: "",
            oem: "",
            firmware: "",
            serial: None,
            address: Ipv4Addr::UNSPECIFIED,
            port: 0,
            host: "",
            user_agent: "",
            authorization: "",
            config_file_name: "",
            typed: "",
            columns: &[],
            row: &[],
            version: "",
            user: "",
            domain: "",
            transport: "",
            contact_uri: "",
            expires: 0,
            branch: 0,
            tag: 0,
            call_id: 0,
            cseq: 0,
        }
    }
}

/// A template that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct TemplateFault {
    /// Byte in the template.
    pub at: usize,
    /// What is wrong and, for an unknown word, the nearest known one.
    pub what: String,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// An unknown variable or form, a hole without end, a lone `}`, a range outside the twelve
    /// digits of a MAC, more than `TEMPLATE_BYTES_MAX` bytes.
    pub fn parse(source: &str) -> Result<Self, TemplateFault> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(fault(
                TEMPLATE_BYTES_MAX,
                format!("longer than {TEMPLATE_BYTES_MAX} bytes"),
            ));
        }
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
            let (part, length) = compile::next_part(rest, at)?;
            parts.push(part);
            at += length;
        }
        Ok(Self {
            source: source.to_owned(),
            parts: parts.into_boxed_slice(),
        })
    }

    /// The template that always gives exactly `text`; braces in it are escaped. A text too long
    /// for a template gives the empty one.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self::parse(&text.replace('{', "{{").replace('}', "}}")).unwrap_or_default()
    }

    /// Appends the text with its holes filled. Allocates nothing but the growth of `out`.
    pub fn render(&self, vars: &Vars<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match *part {
                Part::Text { start, end } => out.extend_from_slice(
                    self.source
                        .as_bytes()
                        .get(start as usize..end as usize)
                        .unwrap_or_default(),
                ),
                Part::Mac { start, end, upper } => {
                    let digits = vars.mac.digits();
                    let slice = digits.get(usize::from(start)..usize::from(end));
                    push_cased(slice.unwrap_or_default(), case_of(upper), out);
                }
                Part::SeparatedMac { separator, upper } => {
                    push_separated(vars.mac, separator, upper, out);
                }
                Part::Word(word, case) => push_cased(word.of(vars).as_bytes(), case, out),
                Part::Number(number, width) => {
                    let (value, width) = (number.of(vars), usize::from(width));
                    // Writing to a vector cannot fail.
                    let _ = write!(out, "{value:0width$}");
                }
                Part::Hex(hex) => hex.push(vars, out),
                Part::Address => {
                    let _ = write!(out, "{}", vars.address);
                }
                Part::Column { start, end } => {
                    out.extend_from_slice(self.cell(start, end, vars).as_bytes());
                }
                Part::Serial => {
                    if let Some(serial) = vars.serial {
                        let inner = Vars {
                            serial: None,
                            ..*vars
                        };
                        serial.render(&inner, out);
                    }
                }
            }
        }
    }

    fn cell<'a>(&self, start: u32, end: u32, vars: &Vars<'a>) -> &'a str {
        let name = self.source.get(start as usize..end as usize);
        let mut cells = vars.columns.iter().zip(vars.row);
        let cell = cells.find(|(column, _)| Some(column.as_str()) == name);
        cell.map_or("", |(_, cell)| cell)
    }

    /// The columns of an inventory that it names.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match *part {
            Part::Column { start, end } => self.source.get(start as usize..end as usize),
            _ => None,
        })
    }

    /// The text with its holes filled.
    #[must_use]
    pub fn text(&self, vars: &Vars<'_>) -> String {
        let mut out = Vec::new();
        self.render(vars, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// As written in the profile.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// True when nothing would ever be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// True when it has no hole, so that it gives the same text everywhere.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.parts
            .iter()
            .all(|part| matches!(part, Part::Text { .. }))
    }

    /// True when it holds what the user has to type first (FAN-57).
    #[must_use]
    pub fn is_typed(&self) -> bool {
        let typed = |part: &Part| matches!(part, Part::Word(Word::Typed, _));
        self.parts.iter().any(typed)
    }

    /// True when every phone gets another text: it names the MAC address, the serial number, the
    /// index or a cell of the inventory.
    #[must_use]
    pub fn is_per_phone(&self) -> bool {
        self.parts.iter().any(|part| {
            matches!(
                part,
                Part::Mac { .. }
                    | Part::SeparatedMac { .. }
                    | Part::Serial
                    | Part::Column { .. }
                    | Part::Number(Number::Index, _)
            )
        })
    }
}

/// A compiled piece. Text lies in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Text {
        start: u32,
        end: u32,
    },
    Mac {
        start: u8,
        end: u8,
        upper: bool,
    },
    SeparatedMac {
        separator: u8,
        upper: bool,
    },
    Word(Word, Case),
    Number(Number, u8),
    Hex(Hex),
    Address,
    Serial,
    /// The column's name in the source.
    Column {
        start: u32,
        end: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    Lower,
    Upper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Model,
    Vendor,
    Oem,
    Firmware,
    Host,
    UserAgent,
    Authorization,
    ConfigFileName,
    Typed,
    Version,
    User,
    Domain,
    Transport,
    ContactUri,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Port,
    Cseq,
    Expires,
    Index,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hex {
    Branch,
    Tag,
    CallId,
}

impl Word {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "model" => Self::Model,
            "vendor" => Self::Vendor,
            "oem" => Self::Oem,
            "firmware" => Self::Firmware,
            "host" => Self::Host,
            "user_agent" => Self::UserAgent,
            "authorization" => Self::Authorization,
            "config_file_name" => Self::ConfigFileName,
            "typed" => Self::Typed,
            "version" => Self::Version,
            "user" => Self::User,
            "domain" => Self::Domain,
            "transport" => Self::Transport,
            "contact_uri" => Self::ContactUri,
            _ => return None,
        })
    }

    fn of<'a>(self, vars: &Vars<'a>) -> &'a str {
        match self {
            Self::Model => vars.model,
            Self::Vendor => vars.vendor,
            Self::Oem => vars.oem,
            Self::Firmware => vars.firmware,
            Self::Host => vars.host,
            Self::UserAgent => vars.user_agent,
            Self::Authorization => vars.authorization,
            Self::ConfigFileName => vars.config_file_name,
            Self::Typed => vars.typed,
            Self::Version => vars.version,
            Self::User => vars.user,
            Self::Domain => vars.domain,
            Self::Transport => vars.transport,
            Self::ContactUri => vars.contact_uri,
        }
    }
}

impl Number {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "port" => Self::Port,
            "cseq" => Self::Cseq,
            "expires" => Self::Expires,
            "index" => Self::Index,
            _ => return None,
        })
    }

    fn of(self, vars: &Vars<'_>) -> u32 {
        match self {
            Self::Port => u32::from(vars.port),
            Self::Cseq => vars.cseq,
            Self::Expires => vars.expires,
            Self::Index => vars.index,
        }
    }
}

impl Hex {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "branch" => Self::Branch,
            "tag" => Self::Tag,
            "call_id" => Self::CallId,
            _ => return None,
        })
    }

    fn push(self, vars: &Vars<'_>, out: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = match self {
            Self::Branch => write!(out, "{:016x}", vars.branch),
            Self::Tag => write!(out, "{:08x}", vars.tag),
            Self::CallId => write!(out, "{:016x}", vars.call_id),
        };
    }
}

fn fault(at: usize, what: String) -> TemplateFault {
    TemplateFault { at, what }
}

fn case_of(upper: bool) -> Case {
    if upper { Case::Upper } else { Case::Kept }
}

fn push_cased(text: &[u8], case: Case, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text);
    let written = out.get_mut(start..).unwrap_or_default();
    match case {
        Case::Kept => {}
        Case::Lower => written.make_ascii_lowercase(),
        Case::Upper => written.make_ascii_uppercase(),
    }
}

fn push_separated(mac: Mac, separator: u8, upper: bool, out: &mut Vec<u8>) {
    for (index, pair) in mac.digits().chunks_exact(2).enumerate() {
        if index > 0 {
            out.push(separator);
        }
        push_cased(pair, case_of(upper), out);
    }
}

#[cfg(test)]
mod tests;
