//! TOML with places: every fault of a file at once, with file, line, column, what was expected
//! and the nearest valid word.

/// The word of `known` that was most likely meant by `word`: at most a third of its letters (and
/// at least one) are wrong, missing, surplus or swapped. The first of equally near ones.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const WORD_CHARS_MAX: usize = 64;
    let length = word.chars().take(WORD_CHARS_MAX + 1).count();
    if length > WORD_CHARS_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| {
            let letters = length.max(candidate.chars().count());
            *distance <= (letters / 3).max(1) && *distance < letters
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
