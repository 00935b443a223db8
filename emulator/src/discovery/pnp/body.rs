//! The URL in the body of a NOTIFY.

use crate::event::{Fault, Limit};
use crate::limits::URL_BYTES_MAX;
use crate::profile::PnpSpec;
use crate::url::{Scheme, Url};
use crate::wire::sip::{Message, Value};

/// The content type of a URL body, and the one that Grandstream PBXs give it (vendor facts).
pub(super) const URL_TYPE: &str = "application/url";
pub(super) const URL_TYPES: [&str; 2] = [URL_TYPE, "application/x-gs-ucm-url"];

/// Why a NOTIFY of this search is of no use, and what it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) fault: Fault,
    pub(super) limit: Option<(Limit, u64)>,
}

/// The URL in a NOTIFY's body: the first line with anything in it, without what servers put
/// around it (quotes, angle brackets, line ends, C string terminators).
pub(super) fn url_of<'a>(spec: &PnpSpec, message: &Message<'a>) -> Result<&'a str, Refusal> {
    let unusable = |status, fault| Refusal {
        status,
        fault,
        limit: None,
    };
    let content_type = Value::new(message.header("Content-Type").unwrap_or_default());
    let known = URL_TYPES.iter().any(|known| content_type.is(known));
    if !known && !content_type.main.is_empty() {
        return Err(unusable(415, Fault::WrongFormat));
    }
    let line = message
        .body
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .map(bare)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    // FAN-101: what follows a blank is a remark.
    let line = match line.iter().position(u8::is_ascii_whitespace) {
        Some(end) if spec.url_ends_at_blank => bare(line.get(..end).unwrap_or_default()),
        _ => line,
    };
    if line.len() > URL_BYTES_MAX {
        return Err(Refusal {
            limit: Some((Limit::UrlBytes, URL_BYTES_MAX as u64)),
            ..unusable(200, Fault::BadTarget)
        });
    }
    std::str::from_utf8(line)
        .ok()
        .filter(|url| !url.is_empty() && !url.contains(char::is_control))
        .filter(|url| is_url(url))
        .ok_or_else(|| unusable(200, Fault::BadTarget))
}

/// A text that is no URL even with its markers replaced is no answer, and the search goes on
/// (AUE-46). Which scheme a bare address has does not matter here.
fn is_url(text: &str) -> bool {
    let plain = text.replace(['<', '>', '{', '}', '%'], "_");
    Url::parse(&plain, Scheme::Tftp).is_ok()
}

fn bare(line: &[u8]) -> &[u8] {
    let wrapping = |byte: u8| byte.is_ascii_whitespace() || b"\0\"'<>".contains(&byte);
    let start = line.iter().take_while(|byte| wrapping(**byte)).count();
    let line = line.get(start..).unwrap_or_default();
    let end = line
        .iter()
        .rev()
        .take_while(|byte| wrapping(**byte))
        .count();
    line.get(..line.len() - end).unwrap_or_default()
}
