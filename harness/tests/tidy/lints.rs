//! What the compiler or the reader must not be talked out of noticing.

use crate::lexer::{Kind, Token, attribute};
use crate::tree::{Fault, Source, Tree};

/// The files that the design lets be unsafe.
const UNSAFE_FILES: [&str; 0] = [];

const UNFINISHED_MACROS: [&str; 3] = ["dbg", "todo", "unimplemented"];
/// In two parts, so that this file does not hold them.
const UNFINISHED_WORDS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
];
/// The macros whose output a passing test keeps to itself.
const CAPTURED: [&str; 4] = ["eprint", "eprintln", "print", "println"];
const NOTICE: &str = concat!("not run", ":");

/// `allow` in any attribute, and `expect` without a reason.
pub(crate) fn silenced(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust() {
        let code = source.code();
        for at in 0..code.len() {
            let Some(inside) = attribute(&code, at) else {
                continue;
            };
            let inside = &code[inside];
            let calls = |name: &str| {
                inside
                    .windows(2)
                    .any(|pair| pair[0].is(name) && pair[1].is("("))
            };
            if calls("allow") {
                faults.push(source.fault(code[at].line, "a lint is allowed; expect it instead"));
            }
            let gives_reason = inside
                .windows(2)
                .any(|pair| pair[0].is("reason") && pair[1].is("="));
            if calls("expect") && !gives_reason {
                faults.push(source.fault(code[at].line, "a lint is expected without a reason"));
            }
        }
    }
    faults
}

pub(crate) fn unsafe_code(tree: &Tree) -> Vec<Fault> {
    let sources = tree
        .rust()
        .filter(|source| !UNSAFE_FILES.contains(&&*source.path));
    sources
        .flat_map(|source| {
            let code = source.code().into_iter().filter(|token| token.is("unsafe"));
            let fault = |token: Token| source.fault(token.line, "unsafe code");
            code.map(fault).collect::<Vec<_>>()
        })
        .collect()
}

/// Macros for later, and notes to oneself in comments, documents and scripts.
pub(crate) fn unfinished(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in &tree.sources {
        if source.is_rust() {
            faults.extend(unfinished_macros(source));
            let comments = source
                .tokens
                .iter()
                .filter(|token| token.kind == Kind::Comment);
            faults.extend(comments.flat_map(|token| notes(source, token.line, token.text)));
        } else if is_written_by_hand(&source.path) {
            faults.extend(notes(source, 1, source.text));
        }
    }
    faults
}

fn is_written_by_hand(path: &str) -> bool {
    let suffixes = [".toml", ".md", ".sh", ".yml", ".yaml"];
    path.starts_with(".ci/") || suffixes.iter().any(|suffix| path.ends_with(suffix))
}

fn unfinished_macros(source: &Source) -> Vec<Fault> {
    let code = source.code();
    let pairs = code
        .windows(2)
        .filter(|pair| UNFINISHED_MACROS.iter().any(|name| pair[0].is(name)) && pair[1].is("!"));
    pairs
        .map(|pair| source.fault(pair[0].line, format!("{}! is left", pair[0].text)))
        .collect()
}

fn notes(source: &Source, first_line: usize, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (line, text) in (first_line..).zip(text.lines()) {
        let mut words = text.split(|letter: char| letter != '_' && !letter.is_alphanumeric());
        if let Some(word) = words.find(|word| UNFINISHED_WORDS.contains(word)) {
            faults.push(source.fault(line, format!("{word} is left")));
        }
    }
    faults
}

/// Notices that a test was not run, printed where `cargo test` hides what a passing test prints.
pub(crate) fn captured_notices(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust() {
        for window in source.code().windows(4) {
            let prints = CAPTURED.iter().any(|name| window[0].is(name)) && window[1].is("!");
            if prints && window[3].kind == Kind::Text && window[3].text.contains(NOTICE) {
                let what = "cargo hides this notice; write it to std::io::stderr()";
                faults.push(source.fault(window[3].line, what));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::{captured_notices, silenced, unfinished, unsafe_code};
    use crate::tree::{Fault, Tree};

    fn lines(rule: fn(&Tree) -> Vec<Fault>, path: &str, text: &str) -> Vec<usize> {
        rule(&Tree::sample(&[(path, text)]))
            .iter()
            .map(|fault| fault.line)
            .collect()
    }

    #[test]
    fn refuses_lints_silenced_or_expected_without_a_reason() {
        let text = "#![allow(a)]
            #[cfg_attr(b, allow(c))] fn d() {}
            #[expect(e)] fn f() {}
            #[expect(g, reason = \"h\")] fn i() {}
            fn j() { allow(k); expect(\"#[allow(l)]\"); } // #[allow(m)]";
        assert_eq!(lines(silenced, "a.rs", text), [1, 2, 3]);
    }

    #[test]
    fn refuses_unsafe_code() {
        let text = "#![forbid(unsafe_code)]\nfn a() { unsafe { b() } } // unsafe";
        assert_eq!(lines(unsafe_code, "a.rs", text), [2]);
    }

    #[test]
    fn refuses_unfinished_macros() {
        let text = "fn a() { todo!() }\nfn b() { unimplemented!() }\nfn c() { dbg!(todo) }\n";
        assert_eq!(lines(unfinished, "a.rs", text), [1, 2, 3]);
    }

    #[test]
    fn refuses_notes_to_oneself() {
        for word in super::UNFINISHED_WORDS {
            let text = format!("fn a() {{}}\n/* b\n{word}: c */ const D: &str = \"{word}\";");
            assert_eq!(lines(unfinished, "a.rs", &text), [3]);
            assert_eq!(
                lines(unfinished, ".ci/run", &format!("a\n# ({word})\n")),
                [2]
            );
            assert!(lines(unfinished, "README.md", &format!("a{word} {word}_b")).is_empty());
        }
    }

    #[test]
    fn refuses_notices_that_cargo_hides() {
        let hidden = format!("fn a() {{\n  eprintln!(\"{} needs b\"); }}", super::NOTICE);
        assert_eq!(lines(captured_notices, "a.rs", &hidden), [2]);
        let shown = format!(
            "fn a() {{ writeln!(stderr, \"{} needs b\"); }}",
            super::NOTICE
        );
        assert!(lines(captured_notices, "a.rs", &shown).is_empty());
    }
}
