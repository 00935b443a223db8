//! How long functions, files and lines may be.

use std::collections::BTreeSet;

use crate::lexer::{Kind, Token, behind_group};
use crate::tree::{Fault, Source, Tree};

/// Lines with code in a function's body, counted as clippy's `too_many_lines` does.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file that are in no test.
const FILE_LINES_MAX: usize = 600;
const LINE_COLUMNS_MAX: usize = 100;
/// A literal of more bytes than this cannot be kept within the columns by indentation alone.
const WIDE_DATA_MIN: usize = 60;

pub(crate) fn long_functions(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust() {
        let code = source.product();
        for (at, pair) in code.windows(2).enumerate() {
            if !pair[0].is("fn") || pair[1].kind != Kind::Word {
                continue;
            }
            let lines = body(&code, at).map_or(0, lines_with_code);
            if lines > FUNCTION_LINES_MAX {
                let name = pair[1].text;
                let what = format!("function {name} has {lines} lines, over {FUNCTION_LINES_MAX}");
                faults.push(source.fault(pair[0].line, what));
            }
        }
    }
    faults
}

/// What stands between the braces of the function whose `fn` is at `at`; none for a declaration.
fn body<'t, 'a>(code: &'t [Token<'a>], at: usize) -> Option<&'t [Token<'a>]> {
    let mut next = at;
    while let Some(token) = code.get(next) {
        match token.text {
            ";" => return None,
            "{" => return code.get(next + 1..behind_group(code, next) - 1),
            "(" | "[" => next = behind_group(code, next),
            _ => next += 1,
        }
    }
    None
}

fn lines_with_code(tokens: &[Token]) -> usize {
    let lines = tokens
        .iter()
        .flat_map(|token| token.line..=token.last_line());
    lines.collect::<BTreeSet<_>>().len()
}

pub(crate) fn long_files(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust().filter(|source| !source.test) {
        let lines = source.text.lines().count() - test_lines(source);
        if lines > FILE_LINES_MAX {
            let what = format!("file has {lines} lines outside tests, over {FILE_LINES_MAX}");
            faults.push(source.fault(0, what));
        }
    }
    faults
}

fn test_lines(source: &Source) -> usize {
    let parts = source.tokens.chunk_by(|a, b| a.test == b.test);
    let tests = parts.filter(|part| part[0].test);
    tests
        .map(|part| part[part.len() - 1].last_line() - part[0].line + 1)
        .sum()
}

/// Lines too wide, except those that begin inside a literal or that a test's literal makes wide:
/// they are data.
pub(crate) fn long_lines(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust() {
        let data = lines_of_data(source);
        for (line, text) in (1..).zip(source.text.lines()) {
            let columns = text.chars().count();
            if columns > LINE_COLUMNS_MAX && !data.contains(&line) {
                let what = format!("line has {columns} columns, over {LINE_COLUMNS_MAX}");
                faults.push(source.fault(line, what));
            }
        }
    }
    faults
}

fn lines_of_data(source: &Source) -> BTreeSet<usize> {
    let literals = source
        .tokens
        .iter()
        .filter(|token| token.kind == Kind::Text);
    let lines = literals.flat_map(|token| {
        let test = source.test || token.test;
        let wide = test
            && token
                .text
                .lines()
                .next()
                .is_some_and(|text| text.len() > WIDE_DATA_MIN);
        token.line + usize::from(!wide)..=token.last_line()
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::{long_files, long_functions, long_lines};
    use crate::tree::{Fault, Tree};

    fn check(rule: fn(&Tree) -> Vec<Fault>, text: &str) -> Vec<String> {
        let tree = Tree::sample(&[("a/src/x.rs", text)]);
        rule(&tree).iter().map(ToString::to_string).collect()
    }

    fn function(head: &str, lines: usize) -> String {
        format!("{head} {{\n{}}}\n", "  b();\n\n  // c\n".repeat(lines))
    }

    #[test]
    fn refuses_functions_of_71_lines() {
        let head = "struct A;\nimpl A where [u8; { 2 }]: Sized { fn a(x: [u8; 2])";
        assert!(check(long_functions, &(function(head, 70) + "}")).is_empty());
        let found = check(long_functions, &(function(head, 71) + "}"));
        assert_eq!(found, ["a/src/x.rs:2: function a has 71 lines, over 70"]);
        let test = function("#[cfg(test)] fn a()", 71);
        assert!(check(long_functions, &test).is_empty());
    }

    #[test]
    fn reads_past_declarations_and_function_pointers() {
        let text = function("trait T { fn a(); } type F = fn(u8); fn b()", 71);
        assert_eq!(check(long_functions, &text).len(), 1);
    }

    #[test]
    fn refuses_files_of_601_lines_before_tests() {
        let tests = "#[cfg(test)]\nmod tests {\n  a();\n}\n";
        assert!(check(long_files, &("a();\n".repeat(600) + tests)).is_empty());
        let found = check(long_files, &("a();\n".repeat(601) + tests));
        assert_eq!(
            found,
            ["a/src/x.rs:0: file has 601 lines outside tests, over 600"]
        );
    }

    #[test]
    fn refuses_lines_of_101_columns() {
        let wide = format!("a\n//{}\n\"\n{}\"", "é".repeat(99), "x".repeat(101));
        assert_eq!(
            check(long_lines, &wide),
            ["a/src/x.rs:2: line has 101 columns, over 100"]
        );
    }
}
