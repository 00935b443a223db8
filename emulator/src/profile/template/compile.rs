//! Reading the holes of a template.

use super::{Case, Hex, Number, Part, TemplateFault, VARIABLES, WIDTH_MAX, Word, fault};
use crate::located::nearest;

/// The first piece of `rest`, which begins at byte `at` of the template and is not empty, and how
/// many bytes of the source it takes.
pub(super) fn next_part(rest: &str, at: usize) -> Result<(Part, usize), TemplateFault> {
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

fn column_part(start: usize, length: usize) -> Part {
    match text_part(start, length) {
        Part::Text { start, end } => Part::Column { start, end },
        other => other,
    }
}

/// Compiles what stands between two braces; `at` is its first byte.
fn hole_part(hole: &str, at: usize) -> Result<Part, TemplateFault> {
    if let Some(name) = hole
        .strip_prefix("inventory:")
        .filter(|name| !name.is_empty())
    {
        return Ok(column_part(at + hole.len() - name.len(), name.len()));
    }
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
        "inventory" => {
            let what = "{inventory} names no column; write {inventory:NAME}";
            return Err(fault(at, what.to_owned()));
        }
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
