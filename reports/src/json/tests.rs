use serde_json::{Value, json};

use super::*;
use crate::case::ThresholdResult;
use crate::redact::Redactor;
use crate::report::tests::{judged, part, sample};
use crate::run::StepResult;
use crate::timeline::{Stage, Timeline};

fn text_of(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn value_of(report: &Report) -> Value {
    serde_json::from_str(&text_of(report)).unwrap()
}

fn read_value(value: &Value) -> Result<Report, ReadFault> {
    read(&mut value.to_string().as_bytes())
}

/// What does not follow the schema. Knows the keywords that our schema uses and panics at others,
/// so that nothing in it goes unchecked.
fn violations(root: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let mut bad = |what: String| found.push(format!("{place}: {what}"));
    let length = value.as_array().map(Vec::len);
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "pattern" => {}
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                let target = root.pointer(pointer).unwrap();
                violations(root, target, value, place, found);
                return;
            }
            "type" => {
                let names = rule
                    .as_array()
                    .cloned()
                    .unwrap_or_else(|| vec![rule.clone()]);
                if !names
                    .iter()
                    .any(|name| is_of(value, name.as_str().unwrap()))
                {
                    bad(format!("{value} is no {rule}"));
                }
            }
            "const" if value != rule => bad(format!("{value} is not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => bad(format!("{value} unknown")),
            "minimum" if value.is_number() && value.as_f64() < rule.as_f64() => {
                bad(format!("{value} below {rule}"));
            }
            "minItems" if length.is_some_and(|length| length < rule.as_u64().unwrap() as usize) => {
                bad("too short".to_owned());
            }
            "maxItems" if length.is_some_and(|length| length > rule.as_u64().unwrap() as usize) => {
                bad("too long".to_owned());
            }
            "const" | "enum" | "minimum" | "minItems" | "maxItems" => {}
            "required" => {
                for key in rule.as_array().unwrap() {
                    let key = key.as_str().unwrap();
                    if value.is_object() && value.get(key).is_none() {
                        bad(format!("{key} is missing"));
                    }
                }
            }
            "properties" | "additionalProperties" | "items" | "prefixItems" => {}
            other => panic!("the validator does not know the keyword {other}"),
        }
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{key}");
        match (
            schema["properties"].get(key),
            &schema["additionalProperties"],
        ) {
            (Some(rule), _) => violations(root, rule, inner, &place, found),
            (None, rule @ Value::Object(_)) => violations(root, rule, inner, &place, found),
            _ => found.push(format!("{place}: not in the schema")),
        }
    }
    for (at, inner) in value.as_array().into_iter().flatten().enumerate() {
        let rule = schema["prefixItems"].get(at).unwrap_or(&schema["items"]);
        if rule.is_object() {
            violations(root, rule, inner, &format!("{place}/{at}"), found);
        }
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

fn faults_of(value: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA_TEXT).unwrap();
    let mut found = Vec::new();
    violations(&schema, &schema, value, "", &mut found);
    found
}

/// A report with every optional key of its facts.
fn all_told() -> Report {
    let mut report = sample();
    report.facts.stopped = true;
    report.facts.registered = 7;
    report.facts.bodies.fetched.count = 1;
    report.facts.steps.push(StepResult {
        registered: 1,
        ignored: 1,
        not_taken: true,
        ..StepResult::default()
    });
    report.facts.thresholds.push(ThresholdResult {
        expression: "provisioned == planned".to_owned(),
        met: None,
        actual: "no phone".to_owned(),
        aborted_at_us: Some(7),
    });
    report
}

#[test]
fn follows_its_schema() {
    assert_eq!(faults_of(&value_of(&sample())), [""; 0]);
    assert_eq!(faults_of(&value_of(&judged())), [""; 0]);
    assert_eq!(faults_of(&value_of(&all_told())), [""; 0]);
    assert_eq!(faults_of(&value_of(&part(1, 0..0))), [""; 0]);
    let mut value = value_of(&sample());
    value["facts"]["seed"] = json!("42");
    value["phones"]["rows"][3][3] = json!("lost");
    value["extra"] = json!(1);
    value["ladder"]["totals"]
        .as_object_mut()
        .unwrap()
        .remove("boots");
    assert_eq!(faults_of(&value).len(), 4, "{:?}", faults_of(&value));
}

#[test]
fn looks_as_it_looked() {
    let mut report = part(5, 0..6);
    let timeline = &mut report.facts.timeline;
    *timeline = Timeline::default();
    timeline.add_phones(6);
    timeline.change_many(Moment::from_millis(2), Stage::Settled, 3);
    timeline.add_traffic(Moment::from_millis(1), [12, 3, 1]);
    let value = value_of(&report);
    let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
    snapbox::assert_data_eq!(
        text,
        snapbox::file!["../../tests/golden/report.json": Text].raw()
    );
}

#[test]
fn reads_reports_from_before_firmware_and_timeline() {
    let report = part(9, 3..6);
    let mut value = value_of(&report);
    value["facts"].as_object_mut().unwrap().remove("timeline");
    for row in value["phones"]["rows"].as_array_mut().unwrap() {
        row.as_array_mut().unwrap().pop();
    }
    let mut expected = report;
    expected.facts.timeline = Timeline::default();
    assert_eq!(read_value(&value).unwrap(), expected);
}

#[test]
fn reads_back_what_it_wrote() {
    for report in [
        sample(),
        part(9, 3..60),
        part(1, 0..0),
        judged(),
        all_told(),
        sample().with_exchanges([(7, vec!["→ tftp.rrq".to_owned()])], &Redactor::new(1)),
    ] {
        let back = read(&mut text_of(&report).as_bytes()).unwrap();
        assert_eq!(back, report);
        assert_eq!(text_of(&back), text_of(&report));
    }
}

#[test]
fn says_what_is_not_its_to_read() {
    let message = |text: &str| read(&mut text.as_bytes()).unwrap_err().to_string();
    let not_ours = "not a bootstorm report: expected \"schema\": \"bootstorm-report/1\"";
    assert_eq!(message("{}"), not_ours);
    assert_eq!(message("{\"schema\": \"other/1\"}"), not_ours);
    assert_eq!(message("[1]"), not_ours);
    assert_eq!(message("{\"schema\": 1}"), not_ours);
    assert_eq!(
        message("{\"schema\": \"bootstorm-report/2\"}"),
        "report has schema bootstorm-report/2, and this version of bootstorm reads \
         bootstorm-report/1"
    );
    assert!(message("nonsense").starts_with("failed to read the report: expected ident"));
    let cut = message("{\"schema\": \"bootstorm-report/1\"}");
    assert!(cut.contains("missing field `facts`"), "{cut}");
    let error = read(&mut &b"\xff"[..]).unwrap_err();
    assert!(matches!(error, ReadFault::Io(_)), "{error}");
}

#[test]
fn refuses_phones_that_cannot_be() {
    let mut value = value_of(&sample());
    value["phones"]["rows"][7][1] = json!("00:21");
    let fault = read_value(&value).unwrap_err().to_string();
    assert_eq!(fault, "phone 7: MAC address is not 12 hex digits");

    let mut value = value_of(&sample());
    value["phones"]["rows"][7][2] = json!(99);
    let fault = read_value(&value).unwrap_err().to_string();
    assert_eq!(
        fault,
        "phone 7: profile number is not in the list of profiles"
    );

    let mut value = value_of(&sample());
    value["phones"]["rows"][7][0] = json!(8);
    let fault = read_value(&value).unwrap_err().to_string();
    assert_eq!(fault, "report is not sound: phone 8 has two results");

    let mut value = value_of(&sample());
    value["phones"]["rows"].as_array_mut().unwrap().pop();
    let fault = read_value(&value).unwrap_err().to_string();
    assert_eq!(
        fault,
        "report is not sound: 1000 phones were planned, but 999 have a result"
    );
}

#[test]
fn believes_the_phones_and_not_the_sums() {
    let mut value = value_of(&sample());
    value["outcomes"]["failed"] = json!(0);
    value["verdict"]["class"] = json!("met");
    let report = read_value(&value).unwrap();
    assert_eq!(report.counts().of(Outcome::Failed), 13);
    assert_eq!(report.verdict().class, Class::SubjectFailed);
}
