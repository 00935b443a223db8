//! Writing the three dialects. Names become readable ones, the first letter of each word a capital;
//! a setting whose key the dialect cannot hold is left out: one without module or option, in the
//! text form one with a colon, in XML one that cannot name an element.

use super::super::Draft;
use super::super::lines::push_line_text;
use super::super::xml::{push_attribute, push_comment, push_text};
use super::{FOOTER, HEADER, HEADER_BYTES, VERSION};

/// Where the colon stands in the text form, if the name is not longer (vendor-facts).
const NAME_WIDTH: usize = 19;
/// The lists of the form with underscores, by how their ids begin (vendor-facts). An option whose
/// first word is none of these stands directly under its module.
const LISTS: [(&str, &str); 5] = [
    ("sip", "SIP_Line_List"),
    ("fkey", "Function_Key"),
    ("softfkey", "Soft_Dss_Key"),
    ("account", "MMI_Account"),
    ("p", "Port_Config"),
];

/// The text form. The title has no place in it. A version of more than 34 bytes makes the header
/// longer than the form demands.
pub(super) fn text(draft: &Draft<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES * (draft.settings.len() + 4));
    out.extend_from_slice(HEADER.as_bytes());
    out.extend_from_slice(VERSION.as_bytes());
    push_line_text(&mut out, draft.version);
    pad(&mut out, 0, HEADER_BYTES - 2);
    out.extend_from_slice(b"\r\n");
    for (module, options) in by_module(draft.settings) {
        out.extend_from_slice(b"\r\n<");
        push_line_text(&mut out, &module.to_ascii_uppercase());
        out.extend_from_slice(b" CONFIG MODULE>\r\n");
        for (name, value) in options.iter().filter(|(name, _)| is_line(name)) {
            let start = out.len();
            push_line_text(&mut out, &spelt(name, ' '));
            pad(&mut out, start, NAME_WIDTH);
            out.push(b':');
            push_line_text(&mut out, value);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(FOOTER.as_bytes());
    out.extend_from_slice(b"\r\n");
    out
}

/// The form with underscores.
pub(super) fn modules(draft: &Draft<'_>) -> Vec<u8> {
    let mut out = begun(draft, "VOIP_CONFIG_FILE", "version");
    for (module, options) in by_module(draft.settings) {
        let module = module.to_ascii_uppercase().replace(' ', "_") + "_CONFIG_MODULE";
        if !is_element(&module) {
            continue;
        }
        out.extend(["<", &module, ">\n"]);
        let mut open: Option<(&str, &str)> = None;
        for (name, value) in options {
            let entry = entry(name);
            let now = entry.map(|(list, id, _)| (list, id));
            if now != open {
                shift(&mut out, open, now);
                open = now;
            }
            push_leaf(&mut out, entry.map_or(name, |(_, _, rest)| rest), value);
        }
        shift(&mut out, open, None);
        out.extend(["</", &module, ">\n"]);
    }
    out.push_str("</VOIP_CONFIG_FILE>\n");
    out.into_bytes()
}

/// The nested form.
pub(super) fn tree(draft: &Draft<'_>) -> Vec<u8> {
    let mut out = begun(draft, "sysConf", "Version");
    for (module, options) in by_module(draft.settings) {
        let module = module.replace(' ', "_");
        if !is_element(&module) {
            continue;
        }
        out.extend(["<", &module, ">\n"]);
        let mut open: Vec<&str> = Vec::new();
        for (name, value) in options {
            let mut path: Vec<&str> = name.split('.').collect();
            let Some(leaf) = path.pop() else { continue };
            if !path
                .iter()
                .chain([&leaf])
                .all(|part| is_element(&spelt(bare(part).0, '_')))
            {
                continue;
            }
            let same = open
                .iter()
                .zip(&path)
                .take_while(|(one, other)| one == other);
            let same = same.count();
            while open.len() > same {
                let closed = open.pop().unwrap_or_default();
                out.extend(["</", &spelt(bare(closed).0, '_'), ">\n"]);
            }
            for part in path.into_iter().skip(same) {
                push_start(&mut out, part);
                out.push('\n');
                open.push(part);
            }
            push_start(&mut out, leaf);
            push_text(&mut out, value);
            out.extend(["</", &spelt(bare(leaf).0, '_'), ">\n"]);
        }
        for part in open.into_iter().rev() {
            out.extend(["</", &spelt(bare(part).0, '_'), ">\n"]);
        }
        out.extend(["</", &module, ">\n"]);
    }
    out.push_str("</sysConf>\n");
    out.into_bytes()
}

/// An XML file up to its version.
fn begun(draft: &Draft<'_>, root: &str, version: &str) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    push_comment(&mut out, draft.title);
    out.extend(["<", root, ">\n"]);
    if !draft.version.is_empty() {
        out.extend(["<", version, ">"]);
        push_text(&mut out, draft.version);
        out.extend(["</", version, ">\n"]);
    }
    out
}

/// The settings by module, in the order in which each is seen first.
fn by_module<'a>(settings: &[(&'a str, &'a str)]) -> Vec<(&'a str, Vec<(&'a str, &'a str)>)> {
    let mut modules: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for (key, value) in settings {
        let Some((module, name)) = key.split_once('.') else {
            continue;
        };
        if module.is_empty() || name.is_empty() || module.contains(['<', '>']) {
            continue;
        }
        match modules.iter_mut().find(|(known, _)| *known == module) {
            Some((_, options)) => options.push((name, value)),
            None => modules.push((module, vec![(name, value)])),
        }
    }
    modules
}

/// Appends blanks up to a width.
fn pad(out: &mut Vec<u8>, start: usize, width: usize) {
    let length = width.max(out.len() - start);
    out.resize(start + length, b' ');
}

/// Whether a name can stand before the colon of a line.
fn is_line(name: &str) -> bool {
    !name.contains(':') && !name.starts_with(['<', '-'])
}

/// Whether a text can name an element: the part of XML's `Name` that these files use.
fn is_element(name: &str) -> bool {
    name.starts_with(|each: char| each.is_ascii_alphabetic() || each == '_')
        && name
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || matches!(each, '_' | '-' | '.'))
}

/// A name with a capital at the start of each word.
fn spelt(name: &str, blank: char) -> String {
    let mut out = String::with_capacity(name.len());
    let mut start = true;
    for each in name.chars() {
        if each == ' ' {
            out.push(blank);
        } else if start {
            out.push(each.to_ascii_uppercase());
        } else {
            out.push(each);
        }
        start = each == ' ';
    }
    out
}

/// The list that an option belongs to, the id of its entry, and what is left of its name.
fn entry(name: &str) -> Option<(&'static str, &str, &str)> {
    let (id, rest) = name.split_once(' ')?;
    let word = id.trim_end_matches(|each: char| each.is_ascii_digit());
    let (_, list) = LISTS.iter().find(|(known, _)| *known == word)?;
    (word.len() < id.len()).then_some((*list, id, rest))
}

/// Ends one entry (and list) and begins another.
fn shift(out: &mut String, open: Option<(&str, &str)>, now: Option<(&str, &str)>) {
    if let Some((list, _)) = open {
        out.extend(["</", list, "_Entry>\n"]);
    }
    let lists = [open, now].map(|entry| entry.map(|(list, _)| list));
    let [old, new] = lists;
    if old != new {
        if let Some(list) = old {
            out.extend(["</", list, ">\n"]);
        }
        if let Some(list) = new {
            out.extend(["<", list, ">\n"]);
        }
    }
    if let Some((list, id)) = now {
        let id = id.to_ascii_uppercase();
        out.extend(["<", list, "_Entry>\n<ID>", &id, "</ID>\n"]);
    }
}

fn push_leaf(out: &mut String, name: &str, value: &str) {
    let name = spelt(name, '_');
    if is_element(&name) {
        out.extend(["<", &name, ">"]);
        push_text(out, value);
        out.extend(["</", &name, ">\n"]);
    }
}

/// A part of a key of the nested form: its name and the index in brackets.
fn bare(part: &str) -> (&str, Option<&str>) {
    match part.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
        Some((name, index)) => (name, Some(index)),
        None => (part, None),
    }
}

fn push_start(out: &mut String, part: &str) {
    let (name, index) = bare(part);
    out.extend(["<", &spelt(name, '_')]);
    if let Some(index) = index {
        push_attribute(out, "index", index);
    }
    out.push('>');
}
