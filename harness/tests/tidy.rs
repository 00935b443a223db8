//! The rules of the house that a program can check, each as a test over the source tree.
//!
//! A rule is a function from the tree to its faults; all faults of a rule are shown at once as
//! `file:line: what`. Beside each rule stand tests which show it failing on a bad sample.

#[path = "tidy/clauses.rs"]
mod clauses;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/layout.rs"]
mod layout;
#[path = "tidy/lexer.rs"]
mod lexer;
#[path = "tidy/lints.rs"]
mod lints;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/purity.rs"]
mod purity;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/vendors.rs"]
mod vendors;

use std::sync::LazyLock;

use tree::{Fault, Tree};

/// Read and divided into tokens once for all rules.
static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::of_the_repository().expect("readable tree"));

fn require_none(mut faults: Vec<Fault>) {
    faults.sort();
    faults.dedup();
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} faults:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

#[test]
fn crates_depend_in_one_direction() {
    require_none(dependencies::against_the_arrows(
        &dependencies::of_the_workspace(),
    ));
}

#[test]
fn emulator_depends_on_no_outside_world() {
    require_none(dependencies::of_an_impure_emulator(
        &dependencies::of_the_workspace(),
    ));
}

#[test]
fn emulator_names_no_outside_world() {
    require_none(purity::faults(&TREE));
}

#[test]
fn functions_are_short() {
    require_none(sizes::long_functions(&TREE));
}

#[test]
fn files_are_short() {
    require_none(sizes::long_files(&TREE));
}

#[test]
fn lines_are_short() {
    require_none(sizes::long_lines(&TREE));
}

#[test]
fn vendors_are_named_in_profiles_and_formats_only() {
    require_none(vendors::faults(&TREE));
}

#[test]
fn cited_clauses_exist() {
    require_none(clauses::faults(&TREE));
}

#[test]
fn lints_are_expected_with_a_reason_and_never_silenced() {
    require_none(lints::silenced(&TREE));
}

#[test]
fn no_code_is_unsafe() {
    require_none(lints::unsafe_code(&TREE));
}

#[test]
fn nothing_is_left_unfinished() {
    require_none(lints::unfinished(&TREE));
}

#[test]
fn tests_that_cannot_run_say_so_past_the_capture() {
    require_none(lints::captured_notices(&TREE));
}

#[test]
fn names_say_what_a_thing_is() {
    require_none(names::faults(&TREE));
}

#[test]
fn every_file_has_its_place() {
    require_none(layout::misplaced(&TREE));
}

#[test]
fn tree_stands_alone() {
    require_none(layout::outside_references(&TREE));
}
