//! Files with one thing wrong.

use bootstorm_emulator::located::{Entry, Node, Value};

/// Mutants of one file at most; they are spread over it.
const MOST: usize = 60;

/// Whether a fault is one that a schema can know of: of keys, types and words.
pub(super) fn is_structural(message: &str) -> bool {
    let kinds = ["a text", "a number", "a switch", "a list", "a table"];
    let of_kind = |kind: &&str| message.contains(&format!("is {kind} (expected"));
    message.starts_with("unknown key") || kinds.iter().any(of_kind)
}

/// Trees that differ from this one at one place: a key has another name, or a value another type.
pub(super) fn all(tree: &Node) -> Vec<(String, Node)> {
    let mut places = Vec::new();
    walk(tree, &mut Vec::new(), &mut places);
    let step = places.len().div_ceil(MOST).max(1);
    let chosen = places.into_iter().step_by(step);
    chosen
        .flat_map(|place| {
            let told = named(tree, &place);
            [true, false].map(|rename| {
                let mut wrong = tree.clone();
                change(&mut wrong, &place, rename);
                let what = if rename { "renamed" } else { "of another type" };
                (format!("{told} {what}"), wrong)
            })
        })
        .collect()
}

/// The way to a place, in words.
fn named(tree: &Node, way: &[usize]) -> String {
    let mut words = Vec::new();
    let mut node = Some(tree);
    for place in way {
        node = match node.map(|node| &node.value) {
            Some(Value::Table(entries)) => {
                let entry = entries.get(*place);
                words.extend(entry.map(|entry| entry.key.clone()));
                entry.map(|entry| &entry.node)
            }
            Some(Value::List(items)) => {
                words.push(place.to_string());
                items.get(*place)
            }
            _ => None,
        };
    }
    words.join("/")
}

fn walk(node: &Node, way: &mut Vec<usize>, places: &mut Vec<Vec<usize>>) {
    let children: Vec<&Node> = match &node.value {
        Value::Table(entries) => entries.iter().map(|entry| &entry.node).collect(),
        Value::List(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    for (place, child) in children.into_iter().enumerate() {
        way.push(place);
        places.push(way.clone());
        walk(child, way, places);
        way.pop();
    }
}

fn change(node: &mut Node, way: &[usize], rename: bool) {
    let [place, rest @ ..] = way else {
        node.value = other(&node.value);
        return;
    };
    match &mut node.value {
        Value::Table(entries) => {
            let Some(Entry { key, node, .. }) = entries.get_mut(*place) else {
                return;
            };
            match (rest, rename) {
                ([], true) => key.push_str("_zz"),
                _ => change(node, rest, rename),
            }
        }
        Value::List(items) => {
            if let Some(item) = items.get_mut(*place) {
                change(item, rest, rename);
            }
        }
        _ => {}
    }
}

fn other(value: &Value) -> Value {
    match value {
        Value::Table(_) | Value::List(_) => Value::Switch(true),
        _ => Value::Table(Vec::new()),
    }
}
