use crate::profile::sections::{Change, Schema, ValueType, Version};

const VENDOR: &str = include_str!("../../../../profiles/auerswald/vendor.toml");

fn faults(text: &str) -> String {
    Schema::parse("a.toml", text).unwrap_err().to_string()
}

#[test]
fn reads_sections_with_their_elements_and_migrations() {
    let schema = Schema::parse("vendor.toml", VENDOR).unwrap();
    assert!(!schema.merge_unmarked);
    let names: Vec<_> = schema
        .sections
        .iter()
        .map(|section| &section.root.name)
        .collect();
    assert_eq!(names, ["provisioning", "users", "templates", "keys"]);
    let users = schema.section("users").unwrap();
    assert_eq!(users.version, Version([1, 8, 9]));
    let user = users.root.child("user").unwrap();
    assert!(user.repeat && user.attribute("id").unwrap().required);
    assert_eq!(
        user.child("port").unwrap().value,
        ValueType::Number(1, 65_535)
    );
    assert!(users.migrations.len() >= 3);
    let first = &users.migrations[0].steps[0];
    let path = vec!["user".to_owned(), "@number".to_owned()];
    let to = "@id".to_owned();
    assert_eq!(*first, Change::Rename { path, to });
    let time = &schema.section("provisioning").unwrap().root;
    let time = &time
        .child("execution")
        .unwrap()
        .child("time")
        .unwrap()
        .value;
    for (value, good) in [
        ("06:00", true),
        ("23:59", true),
        ("24:00", false),
        ("6:00", false),
    ] {
        assert_eq!(time.allows(value), good, "{value}");
    }
}

#[test]
fn a_file_without_sections_has_none() {
    assert_eq!(
        Schema::parse("a.toml", "vendor = 'x'").unwrap(),
        Schema::default()
    );
}

#[test]
fn names_each_fault_with_its_place() {
    let text = "[sections.users]\nversion = '1.x'\n\
        elements = { 'user' = 'swich', 'a//b' = 'text', 'n' = { range = [2, 1] }, 'w' = { words = [] } }\n\
        [[sections.users.migrations]]\nto = '2.0.0'\nrename = { 'a/@b' = 'c' }\n";
    let found = faults(text);
    for expected in [
        "a.toml:2:11: 'sections.users.version' is '1.x' (expected a version such as 1.34.0)",
        "'sections.users.elements.user' is 'swich' (expected one of text, line, switch, time; did you mean 'switch'?)",
        "'sections.users.elements.a//b': expected names with '/' between them",
        "'range' is not [least, most]",
        "'words' has no word",
        "'sections.users.migrations[0].to' is not between",
        "is 'c' (expected the new last name of the path)",
    ] {
        assert!(found.contains(expected), "{expected}\nin\n{found}");
    }
    assert!(faults("[sections.a]\n").contains("missing key"));
}
