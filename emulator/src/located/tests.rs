use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn faults(text: &str, read: impl FnOnce(&Reader<'_>)) -> String {
    let log = Log::default();
    let tree = Node::parse("a.toml", text, &log);
    let reader = Reader::new(&tree, &log);
    read(&reader);
    drop(reader);
    log.into_faults().to_string()
}

#[test]
fn reads_every_type() {
    let text = r#"
name = "é"
on = true
count = 7
share = 0.5
wait_ms = 250
pause_s = 1.5
kind = "udp"
path = "{mac}.cfg"
names = ["a", "b"]
waits_s = [1, 2]
[inner]
x = 1
[[item]]
x = 2
[[item]]
x = 3
"#;
    let found = faults(text, |root| {
        assert_eq!(root.need("name").text(), Some("é"));
        assert_eq!(root.need("on").switch(), Some(true));
        assert_eq!(root.need("count").number(0..=7_u8), Some(7));
        assert_eq!(root.need("share").real(0.0..=1.0), Some(0.5));
        assert_eq!(root.need("count").real(0.0..=9.0), Some(7.0));
        assert_eq!(
            root.need("wait_ms").duration(),
            Some(Duration::from_millis(250))
        );
        assert_eq!(
            root.need("pause_s").duration(),
            Some(Duration::from_millis(1_500))
        );
        assert_eq!(root.need("kind").word(&[(1, "tcp"), (2, "udp")]), Some(2));
        assert!(root.need("path").template().unwrap().is_per_phone());
        assert_eq!(root.need("names").texts(), ["a", "b"]);
        let waits = root.need("waits_s").list();
        let waits: Vec<_> = waits.iter().filter_map(Slot::duration).collect();
        assert_eq!(waits, [Duration::from_secs(1), Duration::from_secs(2)]);
        let inner = root.need("inner").table().unwrap();
        assert_eq!(inner.need("x").number(0..=9_i64), Some(1));
        let items = root.need("item").tables();
        let items: Vec<_> = items
            .iter()
            .map(|item| item.need("x").number(0..=9_u32))
            .collect();
        assert_eq!(items, [Some(2), Some(3)]);
        assert_eq!(root.may("nothing").text(), None);
        assert!(root.may("nothing").list().is_empty());
        assert!(!root.may("nothing").is_given());
    });
    assert_eq!(found, "");
}

#[test]
fn names_every_wrong_type_range_and_word() {
    let text = "name = 7\non = \"yes\"\ncount = 256\nless = 1.5\nkind = \"upd\"\nlist = \"a\"\n\
                mixed = [1, \"b\"]\ntable = 2026-01-01\nwait_s = 1e20\npath = \"é {mca}\"\n\
                share = 2\nip = \"10.0.0.256\"\n";
    let found = faults(text, |root| {
        let _ = root.need("name").text();
        let _ = root.need("on").switch();
        let _ = root.need("count").number(1..=255_u8);
        let _ = root.need("less").number(1..=255_u8);
        let _ = root.need("kind").word(&[(1, "tcp"), (2, "udp")]);
        let _ = root.need("list").texts();
        let _ = root.need("mixed").texts();
        let _ = root.need("table").table();
        let _ = root.need("wait_s").duration();
        let _ = root.need("path").template();
        let _ = root.need("share").real(0.0..=1.0);
        root.need("ip").parsed("an IPv4 address", |text| {
            text.parse::<std::net::Ipv4Addr>().ok()
        });
        let _ = root.need("gone").text();
        root.fault("it is all wrong");
    });
    let expected = [
        "a.toml:1:1: it is all wrong",
        "a.toml:1:1: missing key 'gone' (expected a text)",
        "a.toml:1:8: 'name' is a number (expected a text)",
        "a.toml:2:6: 'on' is a text (expected true or false)",
        "a.toml:3:9: 'count' is 256 (expected a whole number from 1 to 255)",
        "a.toml:4:8: 'less' is a number (expected a whole number from 1 to 255)",
        "a.toml:5:8: 'kind' is 'upd' (expected one of tcp, udp; did you mean 'udp'?)",
        "a.toml:6:8: 'list' is a text (expected a list of texts)",
        "a.toml:7:10: 'mixed[0]' is a number (expected a text)",
        "a.toml:8:9: 'table' is a date or time (expected a table)",
        "a.toml:9:10: 'wait_s' is 100000000000000000000 (expected a time in seconds, 0 or more)",
        "a.toml:10:12: 'path': unknown variable 'mca'; did you mean 'mac'?",
        "a.toml:11:9: 'share' is 2 (expected a number from 0 to 1)",
        "a.toml:12:6: 'ip' is '10.0.0.256' (expected an IPv4 address)",
    ];
    assert_eq!(found, expected.join("\n"));
}

#[test]
fn names_missing_keys_at_their_table_and_unknown_ones_at_themselves() {
    let text = "[phone]\nmodle = \"x\"\n[[step]]\nid = 1\n[[step]]\nzzzzzz = 2\n";
    let found = faults(text, |root| {
        let phone = root.need("phone").table().unwrap();
        let _ = phone.need("model").text();
        for step in root.need("step").tables() {
            let _ = step.need("id").number(0..=9_u8);
        }
    });
    let expected = [
        "a.toml:1:1: missing key 'phone.model' (expected a text)",
        "a.toml:2:1: unknown key 'modle' (expected model; did you mean 'model'?)",
        "a.toml:5:1: missing key 'step[1].id' (expected a whole number from 0 to 9)",
        "a.toml:6:1: unknown key 'zzzzzz' (expected id)",
    ];
    assert_eq!(found, expected.join("\n"));
}

#[test]
fn reports_syntax_faults_together_with_the_others_but_invents_nothing() {
    let text = "name = unquoted\ncount = 300\n= 3\nname = \"b\"\nhuge = 99999999999999999999\n";
    let found = faults(text, |root| {
        let _ = root.need("name").text();
        let _ = root.need("count").number(1..=255_u8);
        let _ = root.need("gone").text();
        let _ = root.may("huge").number(1..=255_u8);
    });
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), 5, "{found}");
    assert!(lines[0].starts_with("a.toml:1:8: "), "{found}");
    assert_eq!(
        lines[1],
        "a.toml:2:9: 'count' is 300 (expected a whole number from 1 to 255)"
    );
    assert!(lines[2].starts_with("a.toml:3:1: "), "{found}");
    assert!(lines[3].starts_with("a.toml:4:1: duplicate key"), "{found}");
    assert_eq!(lines[4], "a.toml:5:8: number does not fit 64 bits");
    for line in lines {
        assert!(!line.ends_with('.'), "{line}");
    }
}

#[test]
fn merges_tables_and_replaces_everything_else() {
    let log = Log::default();
    let parent = "a = 1\nlist = [1, 2]\n[t]\nx = 1\ny = 2\n[t.deep]\nz = 1\n";
    let child = "list = [3]\nb = 5\n[t]\ny = 9\n[t.deep]\nw = 4\n";
    let merged =
        Node::parse("child.toml", child, &log).inherit(Node::parse("parent.toml", parent, &log));
    let keys = |node: &Node| -> Vec<String> {
        node.entries()
            .iter()
            .map(|entry| entry.key.clone())
            .collect()
    };
    assert_eq!(keys(&merged), ["a", "list", "t", "b"]);
    let table = merged.get("t").unwrap();
    assert_eq!(keys(table), ["x", "y", "deep"]);
    assert_eq!(keys(table.get("deep").unwrap()), ["z", "w"]);
    assert_eq!(
        table.get("x").unwrap().span.place().to_string(),
        "parent.toml:4:5"
    );
    assert_eq!(
        table.get("y").unwrap().span.place().to_string(),
        "child.toml:4:5"
    );
    assert_eq!(Reader::new(&merged, &log).need("list").list().len(), 1);
}

#[test]
fn finds_the_place_inside_strings_of_every_kind() {
    let text = "a = 'x{mca}'\nb = \"\"\"\nx{mca}\"\"\"\nc = \"\\u0041{mca}\"\n";
    let found = faults(text, |root| {
        for key in ["a", "b", "c"] {
            let _ = root.need(key).template();
        }
    });
    let expected = [
        "a.toml:1:8: 'a': unknown variable 'mca'; did you mean 'mac'?",
        "a.toml:3:3: 'b': unknown variable 'mca'; did you mean 'mac'?",
        "a.toml:4:5: 'c': unknown variable 'mca'; did you mean 'mac'?",
    ];
    assert_eq!(found, expected.join("\n"));
}

#[test]
fn keeps_a_bounded_number_of_faults_and_counts_the_rest() {
    let text: String = (0..250).map(|key| format!("k{key} = 1\n")).collect();
    let found = faults(&text, |_| {});
    assert_eq!(found.lines().count(), 201);
    assert!(found.ends_with("and 50 more faults"), "{found}");
}

#[test]
fn refuses_a_file_that_is_too_long() {
    let found = faults(&" ".repeat(FILE_BYTES_MAX + 1), |_| {});
    assert_eq!(found, "a.toml:1:1: file is longer than 4194304 bytes");
}

#[test]
fn finds_the_nearest_word() {
    let words = ["model", "mac", "vendor", "a"];
    assert_eq!(nearest("modle", words), Some("model"));
    assert_eq!(nearest("VENDOR", words), Some("vendor"));
    assert_eq!(nearest("xyz", words), None);
    assert_eq!(nearest("", words), None);
    assert_eq!(nearest(&"m".repeat(10_000), words), None);
}

proptest! {
    #[test]
    fn never_panics_and_places_every_fault_inside_the_text(
        text in "[ab\\[\\]{}=\"'\\\\.\n#é0-9, ]{0,60}",
    ) {
        let log = Log::default();
        let tree = Node::parse("a.toml", &text, &log);
        let reader = Reader::new(&tree, &log);
        let _ = reader.need("a").template();
        let _ = reader.need("b").tables();
        drop(reader);
        let lines: Vec<&str> = text.split('\n').collect();
        for fault in log.into_faults().list {
            let line = lines.get(fault.place.line - 1).copied().unwrap_or_default();
            prop_assert!(fault.place.column <= line.chars().count() + 1, "{}", fault);
        }
    }

    #[test]
    fn inherits_like_a_map(
        parent in prop::collection::btree_map("[a-d]", 0_i64..9, 0..5),
        child in prop::collection::btree_map("[a-d]", 0_i64..9, 0..5),
    ) {
        let write = |map: &BTreeMap<String, i64>| -> String {
            map.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
        };
        let log = Log::default();
        let merged = Node::parse("c", &write(&child), &log)
            .inherit(Node::parse("p", &write(&parent), &log));
        let mut expected = parent.clone();
        expected.extend(child.clone());
        prop_assert_eq!(merged.entries().len(), expected.len());
        for (key, value) in expected {
            let held = &merged.get(&key).unwrap().value;
            prop_assert!(matches!(held, Value::Whole(held) if *held == value));
        }
    }
}

#[test]
fn takes_the_unit_of_a_time_from_the_last_key_even_within_a_list_of_tables() {
    let text = "[[fleet]]\n[fleet.link]\ndelay_ms = 20\nlate_s = 3\nretry_ms = [5, 6]\n";
    let log = Log::default();
    let tree = Node::parse("fleet.toml", text, &log);
    let root = Reader::new(&tree, &log);
    let tables = root.need("fleet").tables();
    let link = tables[0].need("link").table().expect("a table");
    assert_eq!(
        link.need("delay_ms").duration(),
        Some(Duration::from_millis(20))
    );
    assert_eq!(link.need("late_s").duration(), Some(Duration::from_secs(3)));
    let retries = link.need("retry_ms").list();
    assert_eq!(retries[1].duration(), Some(Duration::from_millis(6)));
}

#[test]
fn of_words_equally_far_the_one_is_meant_that_was_begun() {
    let known = ["fip10", "fip11c", "fip13g"];
    assert_eq!(nearest("fip13", known), Some("fip13g"));
    assert_eq!(nearest("FIP13", known), Some("fip13g"));
    assert_eq!(nearest("fip1", known), Some("fip10"));
}
