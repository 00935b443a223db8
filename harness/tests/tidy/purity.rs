//! The phone has no sockets, clock, threads, files or environment, so its sources name none.

use crate::lexer::{Kind, Token, behind_group};
use crate::tree::{Fault, Tree};

const FORBIDDEN: [&str; 9] = [
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Named whole, these would let a forbidden name in under a shorter path.
const HIDING: [&str; 6] = [
    "std",
    "std::*",
    "std::net",
    "std::net::*",
    "std::time",
    "std::time::*",
];

pub(crate) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree
        .rust()
        .filter(|source| source.path.starts_with("emulator/src/"))
    {
        for (line, path) in std_paths(&source.product()) {
            let below = |outer: &str| {
                let tail = path.strip_prefix(outer);
                tail.is_some_and(|tail| tail.is_empty() || tail.starts_with("::"))
            };
            if FORBIDDEN.iter().any(|outer| below(outer)) || HIDING.contains(&&*path) {
                faults.push(source.fault(line, format!("a phone knows no {path}")));
            }
        }
    }
    faults
}

/// Every path below `std`, with groups in braces written out.
fn std_paths(code: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in code.iter().enumerate() {
        let first = at < 2 || !(code[at - 1].is(":") && code[at - 2].is(":"));
        let absolute = at < 3 || code[at - 3].kind != Kind::Word;
        if token.is("std") && (first || absolute) {
            expand(code, at, "", &mut found);
        }
    }
    found
}

/// Adds the paths of the use tree at `at` below `outer`.
fn expand(code: &[Token], at: usize, outer: &str, found: &mut Vec<(usize, String)>) {
    let Some(token) = code.get(at) else { return };
    if token.is("{") {
        let end = behind_group(code, at) - 1;
        let mut each = at + 1;
        while each < end {
            expand(code, each, outer, found);
            while each < end && !code[each].is(",") {
                each = if code[each].is("{") {
                    behind_group(code, each)
                } else {
                    each + 1
                };
            }
            each += 1;
        }
        return;
    }
    let path = match token.text {
        "self" => outer.trim_end_matches("::").to_owned(),
        name => format!("{outer}{name}"),
    };
    let goes_on = code.get(at + 1).is_some_and(|next| next.is(":"))
        && code.get(at + 2).is_some_and(|next| next.is(":"));
    if goes_on && (token.kind == Kind::Word) {
        expand(code, at + 3, &format!("{path}::"), found);
    } else {
        found.push((token.line, path));
    }
}

#[cfg(test)]
mod tests {
    use super::faults;
    use crate::tree::Tree;

    fn lines(text: &str) -> Vec<usize> {
        let tree = Tree::sample(&[("emulator/src/x.rs", text)]);
        faults(&tree).iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn refuses_every_way_to_the_outside_world() {
        let text = "use std::net::{Ipv4Addr, UdpSocket as Quiet};
            use std::{fmt, time::{Duration, Instant}};
            fn a() { ::std::thread::yield_now() }
            use std::net::*;
            use std::time;
            use std::fs::{self, File};
            fn b() -> std::time::SystemTime { todo }";
        assert_eq!(lines(text), [1, 2, 3, 4, 5, 6, 6, 7]);
    }

    #[test]
    fn lets_values_tests_and_comments_through() {
        let text = "use std::net::{Ipv4Addr, SocketAddr}; use std::time::Duration;
            // std::fs::read
            use std::environment; const A: &str = \"std::fs\";
            #[cfg(test)] mod tests { use std::time::Instant; }";
        assert!(lines(text).is_empty());
    }
}
