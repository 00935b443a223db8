//! Strings with holes, compiled once and filled without allocation.
//!
//! | hole | becomes |
//! |---|---|
//! | `{mac}` | twelve hex digits, lower case; `:upper`, `:colon`, `:colon-upper`, `:dash` |
//! | `{mac[0:4]}` | digits 0 to 3 of the bare form; also `{mac[0:4]:upper}`, `{mac[8:]}` |
//! | `{model}` `{vendor}` `{oem}` `{firmware}` `{host}` | text; `:lower`, `:upper` (ASCII) |
//! | `{user_agent}` `{authorization}` `{config_file_name}` `{version}` | the same |
//! | `{serial}` | the profile's serial number, itself a template; empty within it |
//! | `{user}` `{domain}` `{transport}` `{contact_uri}` | the same, of a SIP account |
//! | `{ip}` | the phone's address |
//! | `{port}` `{cseq}` `{expires}` `{index}` | a number; `{index:05}` pads with zeros |
//! | `{branch}` `{call_id}` | 16 hex digits |
//! | `{tag}` | 8 hex digits |
//! | `{{` `}}` | a brace |

use std::io::Write;
use std::net::Ipv4Addr;

use crate::identity::Mac;
use crate::located::nearest;

/// The longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 16 << 10;
/// The widest zero padding of a number, in digits.
const WIDTH_MAX: usize = 20;
/// Every variable, for messages.
const VARIABLES: [&str; 23] = [
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
            let (part, length) = next_part(rest, at)?;
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

    /// True when every phone gets another text: it names the MAC address, the serial number or the
    /// index.
    #[must_use]
    pub fn is_per_phone(&self) -> bool {
        self.parts.iter().any(|part| {
            matches!(
                part,
                Part::Mac { .. }
                    | Part::SeparatedMac { .. }
                    | Part::Serial
                    | Part::Number(Number::Index, _)
            )
        })
    }
}

/// A compiled piece. Text lies in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Text { start: u32, end: u32 },
    Mac { start: u8, end: u8, upper: bool },
    SeparatedMac { separator: u8, upper: bool },
    Word(Word, Case),
    Number(Number, u8),
    Hex(Hex),
    Address,
    Serial,
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

/// The first piece of `rest`, which begins at byte `at` of the template and is not empty, and how
/// many bytes of the source it takes.
fn next_part(rest: &str, at: usize) -> Result<(Part, usize), TemplateFault> {
    if rest.starts_with("{{") || rest.starts_with("}}") {
        return Ok((text_part(at, 1), 2));
    }
    if rest.starts_with('}') {
        let what = "'}' without '{'; write '}}' for a brace";
        return Err(fault(at, what.to_owned()));
    }
    let Some(inner) = rest.strip_prefix('{') else {
        let length = rest.find(['{', '}']).unwrap_or(rest.len());
        return Ok((text_part(at, length), length));
    };
    match inner.find(['{', '}']) {
        Some(end) if inner.get(end..).is_some_and(|rest| rest.starts_with('}')) => {
            let hole = inner.get(..end).unwrap_or_default();
            Ok((hole_part(hole, at + 1)?, end + 2))
        }
        _ => Err(fault(
            at,
            "'{' without '}'; write '{{' for a brace".to_owned(),
        )),
    }
}

fn text_part(start: usize, length: usize) -> Part {
    // Templates are far shorter than 4 GiB, see `TEMPLATE_BYTES_MAX`.
    let short = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Part::Text {
        start: short(start),
        end: short(start + length),
    }
}

/// Compiles what stands between two braces; `at` is its first byte.
fn hole_part(hole: &str, at: usize) -> Result<Part, TemplateFault> {
    let (subject, form) = match hole.split_once(':') {
        // The colon of `mac[0:4]` belongs to the range.
        Some((before, _)) if before.contains('[') => match hole.split_once(']') {
            Some((_, rest)) => {
                let subject = hole.get(..hole.len() - rest.len()).unwrap_or_default();
                match rest.strip_prefix(':') {
                    Some(form) => (subject, Some(form)),
                    None if rest.is_empty() => (subject, None),
                    None => return Err(fault(at + subject.len(), after_range(rest))),
                }
            }
            None => return Err(fault(at, format!("range without end in {{{hole}}}"))),
        },
        Some((subject, form)) => (subject, Some(form)),
        None => (hole, None),
    };
    let form_at = at + subject.len() + 1;
    let (name, range) = match subject.split_once('[') {
        Some((name, range)) => (name, Some(range.trim_end_matches(']'))),
        None => (subject, None),
    };
    if let Some(range) = range {
        return ranged_mac(name, range, form, at);
    }
    if name == "mac" {
        return mac_part(form, form_at);
    }
    if let Some(word) = Word::named(name) {
        return Ok(Part::Word(word, word_case(form, form_at)?));
    }
    if let Some(number) = Number::named(name) {
        return Ok(Part::Number(number, number_width(form, form_at)?));
    }
    let part = match name {
        "ip" => Some(Part::Address),
        "serial" => Some(Part::Serial),
        _ => Hex::named(name).map(Part::Hex),
    };
    match (part, form) {
        (Some(part), None) => Ok(part),
        (Some(_), Some(form)) => Err(fault(form_at, format!("{{{name}}} takes no form '{form}'"))),
        (None, _) => Err(fault(at, unknown("variable", name, &VARIABLES))),
    }
}

fn after_range(rest: &str) -> String {
    format!("'{rest}' after a range; expected ':upper' or the end of the hole")
}

fn ranged_mac(
    name: &str,
    range: &str,
    form: Option<&str>,
    at: usize,
) -> Result<Part, TemplateFault> {
    if name != "mac" {
        return Err(fault(at, format!("'{name}' takes no range; only mac does")));
    }
    let range_at = at + name.len();
    let wrong = || {
        let what = format!("range [{range}] is not [first:end] with first < end <= 12");
        fault(range_at, what)
    };
    let bound = |text: &str, open: u8| match text {
        "" => Some(open),
        _ if text.bytes().all(|digit| digit.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let (start, end) = range.split_once(':').ok_or_else(wrong)?;
    let start = bound(start, 0).ok_or_else(wrong)?;
    let end = bound(end, 12).ok_or_else(wrong)?;
    if start >= end || end > 12 {
        return Err(wrong());
    }
    let form_at = range_at + range.len() + 3;
    let upper = match form {
        None => false,
        Some("upper") => true,
        Some(other) => return Err(fault(form_at, unknown("form", other, &["upper"]))),
    };
    Ok(Part::Mac { start, end, upper })
}

fn mac_part(form: Option<&str>, form_at: usize) -> Result<Part, TemplateFault> {
    let bare = |upper| Part::Mac {
        start: 0,
        end: 12,
        upper,
    };
    let separated = |separator, upper| Part::SeparatedMac { separator, upper };
    Ok(match form {
        None => bare(false),
        Some("upper") => bare(true),
        Some("colon") => separated(b':', false),
        Some("colon-upper") => separated(b':', true),
        Some("dash") => separated(b'-', false),
        Some(other) => {
            let forms = ["upper", "colon", "colon-upper", "dash"];
            return Err(fault(form_at, unknown("form", other, &forms)));
        }
    })
}

fn word_case(form: Option<&str>, form_at: usize) -> Result<Case, TemplateFault> {
    match form {
        None => Ok(Case::Kept),
        Some("lower") => Ok(Case::Lower),
        Some("upper") => Ok(Case::Upper),
        Some(other) => Err(fault(form_at, unknown("form", other, &["lower", "upper"]))),
    }
}

fn number_width(form: Option<&str>, form_at: usize) -> Result<u8, TemplateFault> {
    let Some(form) = form else {
        return Ok(0);
    };
    form.strip_prefix('0')
        .filter(|width| width.bytes().all(|digit| digit.is_ascii_digit()))
        .and_then(|width| width.parse::<u8>().ok())
        .filter(|width| (1..=WIDTH_MAX).contains(&usize::from(*width)))
        .ok_or_else(|| {
            let what = format!("width '{form}' is not 0 and a number from 1 to {WIDTH_MAX}");
            fault(form_at, what)
        })
}

fn unknown(kind: &str, word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("unknown {kind} '{word}'; did you mean '{near}'?"),
        None => format!(
            "unknown {kind} '{word}'; expected one of {}",
            known.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests;
