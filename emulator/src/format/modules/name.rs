//! Names as they stand in keys: lower case, underscores and runs of blanks as one blank.

/// What ends the name of a module; the longer ones first.
const MODULE_ENDS: [&str; 2] = [" config module", " module"];

/// A byte as it stands in keys.
const FOLDED: [u8; 256] = {
    let mut folded = [0; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(clippy::indexing_slicing, reason = "a byte, at compile time")]
        {
            folded[byte as usize] = match byte {
                b'_' | b'\t' => b' ',
                other => other.to_ascii_lowercase(),
            };
        }
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    folded
};

/// Appends a name as it stands in keys.
pub(super) fn push_folded(out: &mut String, raw: &str) {
    let mut blank = false;
    let start = out.len();
    for each in raw.chars() {
        if is_blank(each) {
            blank = out.len() > start;
            continue;
        }
        if blank {
            out.push(' ');
            blank = false;
        }
        out.push(each.to_ascii_lowercase());
    }
}

/// Appends the name of a module and a dot; false, and nothing is appended, for a name that is
/// empty without the words for a module.
pub(super) fn push_module(out: &mut String, raw: &str) -> bool {
    let start = out.len();
    push_folded(out, raw);
    let folded = out.get(start..).unwrap_or_default();
    let ends = MODULE_ENDS.iter();
    let bare = ends.filter_map(|end| folded.strip_suffix(end)).next();
    let length = bare.unwrap_or(folded).len();
    out.truncate(start + length);
    if length > 0 {
        out.push('.');
    }
    length > 0
}

/// Whether a name stands in keys as `known`.
#[inline]
pub(super) fn folds_to(raw: &str, known: &str) -> bool {
    let (raw, known) = (raw.as_bytes(), known.as_bytes());
    // Where the lengths differ there was a run of blanks, which is rare.
    if raw.len() != known.len() {
        return false;
    }
    // No key holds a run of blanks, or begins or ends with one; other formats' names may. Without
    // branches, since nearly all names are as they were foreseen.
    let (mut differ, mut blank) = (0, 1);
    for (from, to) in raw.iter().zip(known) {
        let folded = FOLDED.get(usize::from(*from)).copied().unwrap_or(0);
        let now = u8::from(folded == b' ');
        differ |= folded ^ to | blank & now;
        blank = now;
    }
    differ | blank == 0
}

/// Whether two names stand in keys alike.
pub(super) fn alike(one: &str, other: &str) -> bool {
    folded(one).eq(folded(other))
}

/// The characters of a name as it stands in keys.
fn folded(raw: &str) -> impl Iterator<Item = char> {
    let words = raw.split(is_blank).filter(|word| !word.is_empty());
    words.flat_map(|word| {
        let lower = word.chars().map(|each| each.to_ascii_lowercase());
        lower.chain(std::iter::once(' '))
    })
}

fn is_blank(each: char) -> bool {
    matches!(each, ' ' | '\t' | '_')
}
