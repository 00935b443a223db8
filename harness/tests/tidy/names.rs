//! Names that say nothing: `get_x`, and things called after what they are for rather than are.

use crate::lexer::Kind;
use crate::tree::{Fault, Tree};
use crate::vendors::words;

const ITEMS: [&str; 7] = ["enum", "fn", "mod", "struct", "trait", "type", "union"];
const EMPTY: [&str; 8] = [
    "common", "commons", "helper", "helpers", "manager", "managers", "util", "utils",
];

pub(crate) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust() {
        if let Some(word) = empty_word(source.path.trim_end_matches(".rs")) {
            faults.push(source.fault(0, format!("the path says {word}")));
        }
        for pair in source.code().windows(2) {
            let is_item = ITEMS.iter().any(|item| pair[0].is(item)) && pair[1].kind == Kind::Word;
            let name = pair[1].text;
            if is_item && let Some(word) = empty_word(name) {
                faults.push(source.fault(pair[1].line, format!("{name} says {word}")));
            }
            if pair[0].is("fn") && name.starts_with("get_") {
                faults.push(source.fault(pair[1].line, format!("{name} begins with get_")));
            }
        }
    }
    faults
}

fn empty_word(name: &str) -> Option<&'static str> {
    let words = words(name);
    EMPTY
        .into_iter()
        .find(|empty| words.iter().any(|word| word == empty))
}

#[cfg(test)]
mod tests {
    use super::faults;
    use crate::tree::Tree;

    fn whats(path: &str, text: &str) -> Vec<String> {
        faults(&Tree::sample(&[(path, text)]))
            .into_iter()
            .map(|fault| fault.what)
            .collect()
    }

    #[test]
    fn refuses_empty_names() {
        let text = "fn get_a() {} mod test_utils {} struct PhoneManager; enum Common {}
            trait Helper {} type HTTPUtil = u8;";
        let expected = [
            "get_a begins with get_",
            "test_utils says utils",
            "PhoneManager says manager",
            "Common says common",
            "Helper says helper",
            "HTTPUtil says util",
        ];
        assert_eq!(whats("a.rs", text), expected);
        assert_eq!(whats("a/tests/common/x.rs", ""), ["the path says common"]);
    }

    #[test]
    fn lets_other_names_through() {
        let text = "fn get(a: Common) { helper(); } fn target() {} struct Uncommon; // fn get_b";
        assert!(whats("a.rs", text).is_empty());
    }
}
