//! A schema written from what a reader asks for.

use std::collections::{BTreeMap, BTreeSet};

use bootstorm_emulator::located::Asked;
use serde_json::{Map, Value, json};

/// Texts that have every key of a kind of file, in all variants that readers tell apart.
pub(super) fn everything(word: &str) -> Vec<String> {
    match word {
        "scenario" => scenarios(),
        "suite" => vec![include_str!("../everything-suite.toml").to_owned()],
        "lab" => vec![include_str!("../everything-lab.toml").to_owned()],
        _ => vec![include_str!("../everything-mutant.toml").to_owned()],
    }
}

fn scenarios() -> Vec<String> {
    let text = include_str!("../everything.toml");
    let mut texts = vec![text.to_owned()];
    for shape in ["rate", "ramp", "waves", "power-return", "soak"] {
        let groups = "wave = [{ fleets = [\"f\"] }]\nswitch = [{ fleets = [\"f\"] }]";
        let shape = format!("shape = \"{shape}\"\n{groups}");
        texts.push(text.replace("shape = \"storm\"", &shape));
    }
    let words = [
        "power-cycle",
        "firmware-rollout",
        "server-down",
        "server-up",
        "wait",
    ];
    for word in words {
        let step = format!("do = \"{word}\"\nservices = [\"tftp\"]");
        texts.push(text.replace("do = \"check-sync\"", &step));
    }
    texts
}

/// What a table is like: its keys, or any key with one kind of value.
#[derive(Debug, Default)]
struct Place {
    expected: BTreeSet<String>,
    keys: BTreeMap<String, Place>,
    any: Option<Box<Place>>,
    items: Option<Box<Place>>,
}

impl Place {
    fn at(&mut self, way: &str) -> &mut Self {
        let mut place = self;
        for word in way.split('.') {
            let (key, depth) = match word.find('[') {
                Some(end) => (&word[..end], (word.len() - end) / 2),
                None => (word, 0),
            };
            place = match key {
                "*" => place.any.get_or_insert_default(),
                key => place.keys.entry(key.to_owned()).or_default(),
            };
            for _ in 0..depth {
                place = place.items.get_or_insert_default();
            }
        }
        place
    }

    /// As a schema; without `needed` nothing is required.
    fn schema(&self, path: &str, needed: bool) -> Value {
        let mut forms: Vec<Value> = Vec::new();
        if !self.keys.is_empty() || self.any.is_some() {
            forms.push(self.table(path, needed));
        }
        if let Some(items) = &self.items {
            let item = items.schema(&format!("{path}[]"), needed);
            forms.push(json!({ "type": "array", "items": item }));
        }
        for expected in &self.expected {
            forms.extend(simple(expected, path));
        }
        forms.dedup();
        match forms.len() {
            0 => json!({}),
            1 => forms.remove(0),
            _ => json!({ "anyOf": forms }),
        }
    }

    fn table(&self, path: &str, needed: bool) -> Value {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        let keys = self.keys.iter().map(|(key, place)| {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            (key.clone(), place.schema(&path, needed))
        });
        let keys: Map<_, _> = keys.collect();
        if !keys.is_empty() {
            schema.insert("properties".to_owned(), Value::Object(keys));
        }
        let any = self
            .any
            .as_ref()
            .map(|any| any.schema(&format!("{path}.*"), needed));
        schema.insert(
            "additionalProperties".to_owned(),
            any.unwrap_or(json!(false)),
        );
        if path == "fleet[].acs.steps[]" {
            // One of its calls.
            schema.insert("minProperties".to_owned(), json!(1));
        }
        let required = if needed { required(path) } else { &[] };
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        Value::Object(schema)
    }
}

/// The schema of one value, from the words of messages; nothing for tables and lists, which have
/// places of their own.
fn simple(expected: &str, path: &str) -> Option<Value> {
    let range = |text: &str| -> Option<(f64, f64)> {
        let (from, to) = text.split_once(" to ")?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    if let Some(rest) = expected.strip_prefix("a whole number from ") {
        let (from, to) = rest.split_once(" to ")?;
        let (from, to): (i64, i64) = (from.parse().ok()?, to.parse().ok()?);
        return Some(json!({ "type": "integer", "minimum": from, "maximum": to }));
    }
    if let Some(rest) = expected.strip_prefix("a number from ") {
        let (from, to) = range(rest)?;
        return Some(json!({ "type": "number", "minimum": from, "maximum": to }));
    }
    if let Some(words) = expected.strip_prefix("one of ")
        && !words.ends_with('…')
    {
        let words: Vec<_> = words.split(", ").collect();
        return Some(json!({ "enum": words }));
    }
    Some(match expected {
        "true or false" => json!({ "type": "boolean" }),
        "a time in milliseconds, 0 or more" => json!({ "type": "integer", "minimum": 0 }),
        "a time in seconds, 0 or more" => json!({ "type": "number", "minimum": 0 }),
        "a table" | "a list" | "a list of texts" | "a list of tables" => return None,
        _ if is_scalar(path) => json!({ "type": ["string", "integer", "boolean"] }),
        _ => json!({ "type": "string" }),
    })
}

/// Where readers take a text for what may be a number or a switch too.
fn is_scalar(path: &str) -> bool {
    let set = path.ends_with("set.*");
    let of_matcher = path.contains(".with.*") || path.contains(".state[]");
    set || (of_matcher && !path.ends_with(".matches"))
}

/// Keys that a table must have, whatever else it has.
fn required(path: &str) -> &'static [&'static str] {
    match path {
        "lab" => &["name", "networks", "subject", "power", "place"],
        "lab.subject" => &["interface", "address"],
        "lab.power.*" => &["driver"],
        "lab.place[]" => &["name", "mac", "profile", "power", "address"],
        "" => &["name", "fleet"],
        "fleet[]" => &["name"],
        "load" => &["shape"],
        "load.wave[]" | "load.switch[]" => &["name"],
        "redirect" => &["answer"],
        "threshold[]" => &["that"],
        "step[]" => &["do"],
        "fleet[].resources[]" => &["kind"],
        "fleet[].link.stall" | "link.stall" => &["for_ms"],
        "suite" => &["name", "side"],
        "case[]" => &["id", "purpose", "clause", "caught_by"],
        "mutant[]" => &["name", "what"],
        "mutant[].edit[]" => &["message"],
        "mutant[].content[]" => &["file"],
        "case[].do[]" => &["probe"],
        "case[].given.moved.*" => &["to", "status"],
        _ => &[],
    }
}

/// The whole schema of a kind of file.
pub(super) fn schema(word: &str, asked: &Asked, of_scenario: &Asked) -> Value {
    let roots: &[&str] = match word {
        "suite" => &["suite", "case"],
        "mutant" => &["mutant"],
        _ => &[],
    };
    let root = place(asked, roots);
    let mut schema = match word {
        "scenario" => scenario(&root),
        "suite" => suite(&root, &place(of_scenario, &[])),
        "lab" => lab(&root, &place(of_scenario, &[])),
        _ => root.table("mutants", true),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        let about = match word {
            "scenario" => "Bootstorm scenario: phones, when they are switched on, what is expected",
            "suite" => "Bootstorm suite of conformance cases",
            "lab" => "Bootstorm lab: places with a handset each, their power, their server",
            _ => "Bootstorm mutants: servers and phones that are wrong in one named way",
        };
        schema.insert("title".to_owned(), json!(about));
    }
    schema
}

/// What readers ask for below these keys, or below all.
fn place(asked: &Asked, roots: &[&str]) -> Place {
    let mut root = Place::default();
    for (way, expected) in asked {
        let first = way.split(['.', '[']).next().unwrap_or_default();
        // Each case is read as a scenario too, which is asked for by itself.
        if roots.is_empty() || roots.contains(&first) {
            root.at(way).expected.extend(expected.iter().cloned());
        }
    }
    root
}

fn scenario(root: &Place) -> Value {
    let mut schema = root.table("", true);
    let fleet = root.keys["fleet"].items.as_ref().expect("fleets");
    let template = fleet.schema("fleet[]", false);
    let keys = schema["properties"].as_object_mut().expect("keys");
    keys.insert(
        "template".to_owned(),
        json!({ "type": "object", "additionalProperties": template }),
    );
    // What a fleet is like may say the rest.
    let fleet = &mut keys["fleet"]["items"];
    fleet["properties"]["like"] = json!({ "type": "string" });
    fleet["if"] = json!({ "not": { "anyOf": [
        { "required": ["like"] }, { "required": ["inventory"] }
    ] } });
    fleet["then"] = json!({ "required": ["phones", "source", "transport", "layout", "profiles"] });
    schema
}

/// In a suite `[base]`, `given` and `do` hold what a scenario does, but for its one fleet, of which
/// each may say a part; `given` has files besides, and `do` what probes ask.
fn suite(root: &Place, scenario: &Place) -> Value {
    let (laid, step) = laid_over(scenario);
    let case = root.keys["case"].items.as_ref().expect("cases");
    let (given, acts) = (&case.keys["given"], &case.keys["do"]);
    let own: Map<_, _> = ["files", "moved", "server"]
        .map(|key| {
            let way = format!("case[].given.{key}");
            (key.to_owned(), given.keys[key].schema(&way, true))
        })
        .into_iter()
        .collect();
    let probe = acts.items.as_ref().expect("acts");
    let probe = probe.schema("case[].do[]", true);
    let mut schema = root.table("suites", true);
    let keys = schema["properties"].as_object_mut().expect("keys");
    let laid_over = "#/$defs/laid-over";
    keys.insert(
        "base".to_owned(),
        json!({ "$ref": laid_over, "unevaluatedProperties": false }),
    );
    let case = &mut keys["case"]["items"]["properties"];
    case["given"] = json!({ "$ref": laid_over, "properties": own, "unevaluatedProperties": false });
    case["do"] = json!({ "type": "array", "items": { "anyOf": [probe, step] } });
    schema["$defs"] = json!({ "laid-over": laid });
    schema
}

/// What a scenario holds, but for its one fleet, of which anything may be said or not; and a step.
fn laid_over(scenario: &Place) -> (Value, Value) {
    let mut laid = scenario.table("", false);
    let fleet = scenario.keys["fleet"].items.as_ref().expect("fleets");
    laid["properties"]["fleet"] = fleet.schema("fleet[]", false);
    let step = scenario.keys["step"].items.as_ref().expect("steps");
    let step = step.schema("step[]", true);
    laid.as_object_mut()
        .expect("a table")
        .remove("additionalProperties");
    (laid, step)
}

/// In a lab `content`, and that of each place, hold what a scenario does, as `given` of a case.
fn lab(root: &Place, scenario: &Place) -> Value {
    let (laid, _) = laid_over(scenario);
    let mut schema = root.table("lab", true);
    let content = json!({ "$ref": "#/$defs/laid-over", "unevaluatedProperties": false });
    schema["properties"]["content"] = content.clone();
    schema["properties"]["place"]["items"]["properties"]["content"] = content;
    schema["$defs"] = json!({ "laid-over": laid });
    schema
}
