use std::collections::BTreeSet;
use std::{env, fs};

use boon::{Compiler, SchemaIndex, Schemas};
use bootstorm_emulator::located::{Asked, Log, Node, Value as Held};
use serde_json::{Map, Value, json};

use super::SCHEMAS;
use crate::clause::Register;
use crate::{lab, mutant, scenario, suite};

mod mutated;
mod written;

/// A kind of file: its word, those that come with the program, and how one is read.
struct Kind {
    word: &'static str,
    files: Vec<(String, String)>,
    read: fn(Node, &Log),
}

fn kinds() -> [Kind; 4] {
    let named = |files: &[(&str, &str)]| {
        let own = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        own.collect::<Vec<_>>()
    };
    [
        Kind {
            word: "scenario",
            files: named(scenario::built_in()),
            read: |tree, log| drop(scenario::read_tree(tree, log)),
        },
        Kind {
            word: "suite",
            files: named(suite::built_in()),
            read: |tree, log| {
                let register = Register::built_in().expect("the register");
                drop(suite::read_tree(&tree, log, &register));
            },
        },
        Kind {
            word: "mutant",
            files: named(mutant::built_in_files()),
            read: |tree, log| drop(mutant::read_tree(&tree, log)),
        },
        Kind {
            word: "lab",
            files: named(&[("labs/sample", include_str!("../../labs/sample.toml"))]),
            read: |tree, log| drop(lab::read_tree(&tree, log, None)),
        },
    ]
}

/// A tree as JSON has it.
fn json_of(node: &Node) -> Value {
    match &node.value {
        Held::Text(text) | Held::Moment(text) => json!(text),
        Held::Whole(number) => json!(number),
        Held::Real(number) => json!(number),
        Held::Switch(on) => json!(on),
        Held::List(items) => items.iter().map(json_of).collect(),
        Held::Table(entries) => {
            let entries = entries
                .iter()
                .map(|entry| (entry.key.clone(), json_of(&entry.node)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    /// An independent validator of one of our schemas, which may refer to the others.
    fn of(word: &str) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        for (word, text) in SCHEMAS {
            let schema = serde_json::from_str(text).expect("JSON");
            let added = compiler.add_resource(&format!("http://test/{word}-1.json"), schema);
            added.expect("a resource");
        }
        let index = compiler.compile(&format!("http://test/{word}-1.json"), &mut schemas);
        let index = index.unwrap_or_else(|fault| panic!("{fault:#}"));
        Self { schemas, index }
    }

    fn faults(&self, value: &Value) -> Option<String> {
        self.schemas
            .validate(value, self.index)
            .err()
            .map(|fault| format!("{fault:#}"))
    }
}

/// Everything that the reader of a kind of file asks for: with the files that come with the
/// program, and with texts that have every key.
fn asked(kind: &Kind) -> Asked {
    let mut all = Asked::new();
    let mut take = |text: &str| {
        let log = Log::asking();
        (kind.read)(Node::parse("x", text, &log), &log);
        for (way, expected) in log.asked() {
            all.entry(way).or_default().extend(expected);
        }
    };
    kind.files.iter().for_each(|(_, text)| take(text));
    for text in written::everything(kind.word) {
        take(&text);
    }
    all
}

// What the readers ask for is what the schemas say, key for key and word for word. After a change
// of a reader `BOOTSTORM_WRITE=1 cargo test -p bootstorm-scenarios schema` writes them anew.
#[test]
fn the_schemas_say_what_the_readers_ask_for() {
    let [scenario, ..] = kinds();
    let of_scenario = asked(&scenario);
    for kind in kinds() {
        let schema = written::schema(kind.word, &asked(&kind), &of_scenario);
        let mut text = serde_json::to_string_pretty(&schema).expect("JSON");
        text.push('\n');
        let file = format!("{}/schema/{}-1.json", env!("CARGO_MANIFEST_DIR"), kind.word);
        if env::var_os("BOOTSTORM_WRITE").is_some() {
            fs::write(&file, &text).expect("writable");
        }
        let held = fs::read_to_string(&file).expect("readable");
        let (held, text): (BTreeSet<_>, BTreeSet<_>) =
            (held.lines().collect(), text.lines().collect());
        let differ: Vec<_> = held.symmetric_difference(&text).take(10).collect();
        assert!(differ.is_empty(), "{file}: {differ:#?}");
    }
}

#[test]
fn an_independent_validator_takes_every_file_that_comes_with_the_program() {
    for kind in kinds() {
        let validator = Validator::of(kind.word);
        for (name, text) in &kind.files {
            let tree = Node::parse(name, text, &Log::default());
            let faults = validator.faults(&json_of(&tree));
            assert_eq!(faults, None, "{} {name}", kind.word);
        }
    }
}

#[test]
fn it_refuses_keys_and_types_that_the_readers_refuse() {
    let mut refused = 0;
    for kind in kinds() {
        let validator = Validator::of(kind.word);
        for (name, text) in kind.files.iter().take(3) {
            let tree = Node::parse(name, text, &Log::default());
            for (what, wrong) in mutated::all(&tree) {
                let log = Log::default();
                (kind.read)(wrong.clone(), &log);
                let faults = log.into_faults();
                let structural = faults
                    .list
                    .iter()
                    .any(|it| mutated::is_structural(&it.message));
                if structural {
                    refused += 1;
                    let told = validator.faults(&json_of(&wrong));
                    assert!(told.is_some(), "{} {name}, {what}: {faults}", kind.word);
                }
            }
        }
    }
    assert!(refused > 300, "{refused}");
}
