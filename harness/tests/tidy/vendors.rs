//! Vendors and models are named in profiles, and in the modules of their own syntaxes.

use std::collections::BTreeSet;

use crate::lexer::Kind;
use crate::tree::{Fault, Tree};

/// Known whether or not a profile has them.
const WELL_KNOWN: [&str; 14] = [
    "auerswald",
    "cisco",
    "comfortel",
    "fanvil",
    "flyingvoice",
    "fonteuo",
    "fontevo",
    "gigaset",
    "grandstream",
    "maxwell",
    "plugndial",
    "poly",
    "snom",
    "yealink",
];

/// Names of this length and more are found inside longer words as well.
const DISTINCT_LETTERS_MIN: usize = 6;
/// Shorter parts of a model's file name are no names of their own.
const MODEL_LETTERS_MIN: usize = 3;

const PROFILES: &str = "emulator/profiles/";
/// The one place in Rust for what belongs to a vendor.
const FORMATS: [&str; 2] = ["emulator/src/format.rs", "emulator/src/format/"];

pub(crate) fn faults(tree: &Tree) -> Vec<Fault> {
    let names = names(tree);
    let mut faults = Vec::new();
    for source in tree.rust() {
        if source.test || FORMATS.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        if let Some(name) = named_in(&source.path, &names) {
            faults.push(source.fault(0, format!("the path names {name}")));
        }
        for token in source.product() {
            let may_name = matches!(token.kind, Kind::Word | Kind::Text | Kind::Lifetime);
            if let Some(name) = may_name.then(|| named_in(token.text, &names)).flatten() {
                let what = format!("{name} is named outside profiles and formats");
                faults.push(source.fault(token.line, what));
            }
        }
    }
    faults
}

/// The well-known names, and those of the profiles' directories and files, as `squashed`.
fn names(tree: &Tree) -> BTreeSet<String> {
    let mut names: BTreeSet<_> = WELL_KNOWN.iter().map(|&name| name.to_owned()).collect();
    for source in &tree.sources {
        let Some(inside) = source.path.strip_prefix(PROFILES) else {
            continue;
        };
        let Some((vendor, file)) = inside.split_once('/') else {
            continue;
        };
        names.insert(squashed(vendor));
        let model = file.rsplit('/').next().unwrap_or(file);
        let model = model.strip_suffix(".toml").unwrap_or(model);
        // `lr8051s-https` names `lr8051s`; a plain word such as `basic` names nothing by itself.
        let parts = model.split(['-', '_']).filter(|part| is_model(part));
        names.extend(parts.map(squashed));
        if is_model(model) {
            names.insert(squashed(model));
        }
    }
    names
}

fn is_model(part: &str) -> bool {
    part.len() >= MODEL_LETTERS_MIN
        && part.contains(|letter: char| letter.is_ascii_digit())
        && part.contains(|letter: char| letter.is_ascii_alphabetic())
}

fn squashed(name: &str) -> String {
    let kept = name.chars().filter(|letter| letter.is_ascii_alphanumeric());
    kept.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The name that `text` spells: as a whole word, as words in a row, or inside a word.
fn named_in<'n>(text: &str, names: &'n BTreeSet<String>) -> Option<&'n str> {
    let words = words(text);
    for start in 0..words.len() {
        let mut row = String::new();
        for word in &words[start..] {
            row.push_str(word);
            let longest = names.iter().map(String::len).max().unwrap_or(0);
            if let Some(name) = names.get(&row) {
                return Some(name);
            }
            if row.len() > longest {
                break;
            }
        }
    }
    let distinct = names
        .iter()
        .filter(|name| name.len() >= DISTINCT_LETTERS_MIN);
    let inside = |name: &&String| words.iter().any(|word| word.contains(name.as_str()));
    distinct
        .map(|name| (name, inside(&name)))
        .find(|(_, found)| *found)
        .map(|(name, _)| &**name)
}

/// The words of an identifier or a text, in lower case: `LR8051sBoot` is `lr8051s`, `boot`.
pub(crate) fn words(text: &str) -> Vec<String> {
    let letters: Vec<_> = text.chars().collect();
    let mut words = vec![String::new()];
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let before = at.checked_sub(1).map_or(' ', |before| letters[before]);
        let after = letters.get(at + 1).copied().unwrap_or(' ');
        let starts = letter.is_uppercase()
            && (before.is_lowercase() || (before.is_alphanumeric() && after.is_lowercase()));
        if starts {
            words.push(String::new());
        }
        words
            .last_mut()
            .expect("never empty")
            .extend(letter.to_lowercase());
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{faults, words};
    use crate::tree::Tree;

    fn found(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::sample(&[
            (path, text),
            ("emulator/profiles/acme-phone/vendor.toml", ""),
            ("emulator/profiles/acme-phone/lr8051s-https.toml", ""),
            ("emulator/profiles/acme-phone/basic.toml", ""),
        ]);
        faults(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn refuses_names_in_any_case_and_joint() {
        for text in [
            "fn plug_n_dial() {}",
            "struct PlugNDial;",
            "const A: &str = \"PLUGNDIAL\";",
            "enum A { SnomServer }",
            "mod yealinkphone;",
            "const A: &[u8] = b\"flyingvoice.com\";",
            "fn is_acme_phone() {}",
            "struct AcmePhone;",
            "const A: &str = \"LR8051S\";",
            "struct Lr8051sBoot;",
        ] {
            assert_eq!(found("harness/src/x.rs", text).len(), 1, "{text}");
        }
        let path = "emulator/src/fanvil/x.rs";
        assert_eq!(
            found(path, ""),
            [format!("{path}:0: the path names fanvil")]
        );
    }

    #[test]
    fn lets_formats_tests_comments_and_other_words_through() {
        for text in [
            "// fanvil\n/* snom */ fn polygon() {}",
            "/// As a Yealink does.\nfn polymorphic() {}",
            "struct Basic; const A: &str = \"basic https\";",
            "#[cfg(test)] mod tests { const A: &str = \"fanvil\"; }",
        ] {
            assert!(found("harness/src/x.rs", text).is_empty(), "{text}");
        }
        assert!(found("emulator/src/format/fanvil.rs", "fn fanvil() {}").is_empty());
        assert!(found("harness/tests/x.rs", "fn fanvil() {}").is_empty());
    }

    #[test]
    fn divides_words() {
        assert_eq!(
            words("LR8051sBoot HTTPServer a_b2C"),
            ["lr8051s", "boot", "http", "server", "a", "b2c"]
        );
    }
}
