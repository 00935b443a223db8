//! JSON Schemas of the files that people write: what an editor needs to complete and to mark. They
//! say what the readers say of keys and types, not what depends on other keys.

/// The schemas: the word for each kind of file, and its text.
pub const SCHEMAS: [(&str, &str); 4] = [
    ("scenario", include_str!("../schema/scenario-1.json")),
    ("suite", include_str!("../schema/suite-1.json")),
    ("mutant", include_str!("../schema/mutant-1.json")),
    ("lab", include_str!("../schema/lab-1.json")),
];

#[cfg(test)]
mod tests;
