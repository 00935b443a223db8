use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::located::{Log, Node};
use bootstorm_emulator::time::Moment;

use super::*;
use crate::wire::Way;

fn read(text: &str) -> (With, String) {
    let log = Log::default();
    let tree = Node::parse("suite.toml", text, &log);
    let root = Reader::new(&tree, &log);
    let with = With::read(&root.may("with"));
    drop(root);
    (with, log.into_faults().to_string())
}

fn message(fields: &[(&'static str, &str)]) -> Message {
    Message {
        at: Moment::ZERO,
        way: Way::Sent,
        peer: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 69),
        name: "tftp.rrq".into(),
        length: 0,
        fields: fields
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).to_owned()))
            .collect(),
    }
}

fn fits(matcher: &str, value: &str) -> bool {
    let (with, faults) = read(&format!("with = {{ file = {matcher} }}"));
    assert_eq!(faults, "", "{matcher}");
    let fill = Fill {
        vars: Vars {
            mac: Mac::parse("001f12abcdef").unwrap(),
            ..Vars::default()
        },
        server: "192.0.2.1",
        root: "site/a",
    };
    with.fits(&message(&[("file", value)]), &fill)
}

#[test]
fn each_word_of_a_matcher_means_what_it_says() {
    for (matcher, right, wrong) in [
        ("'{mac}.cfg'", "001f12abcdef.cfg", "{mac}.cfg"),
        ("'{server}/a-{server}'", "192.0.2.1/a-192.0.2.1", "/a-"),
        (
            "'{root}/{mac}-{server}'",
            "site/a/001f12abcdef-192.0.2.1",
            "/001f12abcdef-",
        ),
        ("7", "7", "07"),
        ("true", "true", "false"),
        ("{ is = 'a' }", "a", "A"),
        ("{ not = 'a' }", "b", "a"),
        ("{ starts = 'a' }", "ab", "ba"),
        ("{ ends = '{mac:upper}' }", "x001F12ABCDEF", "x001f12abcdef"),
        ("{ contains = 'b' }", "abc", "ac"),
        ("{ lacks = 'b' }", "ac", "abc"),
        ("{ matches = '^a{2}$' }", "aa", "aaa"),
        ("{ matches = '(?i)^\\d+x$' }", "12X", "x"),
        ("{ min = 2, max = 3.5 }", "3", "4"),
        ("{ min = 2 }", "2", "many"),
        ("{ any_of = ['a', 'b'] }", "b", "c"),
        (
            "{ order = ['Host', 'Accept'] }",
            "Host Via Accept",
            "Accept Host",
        ),
        ("{ order = ['a', 'a'] }", "a b a", "a b"),
        ("{ starts = 'a', ends = 'z' }", "a-z", "a-y"),
    ] {
        assert!(fits(matcher, right), "{matcher} fits {right}");
        assert!(!fits(matcher, wrong), "{matcher} fits not {wrong}");
    }
}

#[test]
fn what_is_not_there_fits_absent_alone() {
    let fill = Fill::default();
    for (matcher, without, held) in [
        ("{ absent = true }", true, false),
        ("{ present = true }", false, true),
        ("{ not = 'b' }", false, true),
        ("{ lacks = 'b' }", false, true),
    ] {
        let (with, faults) = read(&format!("with = {{ file = {matcher} }}"));
        assert_eq!(faults, "");
        assert_eq!(with.fits(&message(&[]), &fill), without, "{matcher}");
        assert_eq!(
            with.fits(&message(&[("file", "a")]), &fill),
            held,
            "{matcher}"
        );
    }
}

#[test]
fn of_several_values_one_must_fit_and_none_may_contradict() {
    let twice = message(&[("via", "a"), ("via", "b")]);
    for (matcher, expected) in [("'b'", true), ("'c'", false), ("{ not = 'b' }", false)] {
        let (with, _) = read(&format!("with = {{ via = {matcher} }}"));
        assert_eq!(with.fits(&twice, &Fill::default()), expected, "{matcher}");
    }
}

#[test]
fn a_misfit_says_what_was_expected_and_what_was_there() {
    let (with, _) = read("with = { mode = 'octet', file = { starts = '{server}', min = 3 } }");
    let fill = Fill {
        server: "192.0.2.1",
        root: "site/a",
        ..Fill::default()
    };
    let misfit = with.misfit(&message(&[("mode", "octet"), ("file", "x")]), &fill);
    assert_eq!(
        misfit,
        Some(Misfit {
            field: String::from("file"),
            expected: String::from("starts with '192.0.2.1' and is at least 3"),
            actual: Some(String::from("x")),
        })
    );
}

#[test]
fn faults_name_the_place_and_the_nearest_word() {
    let text = "[with]\n\
                a = { strats = 'x' }\n\
                b = '{mc}'\n\
                c = { matches = 'a(' }\n\
                d = { absent = true, is = 'x' }\n\
                e = []\n\
                f = { any_of = [] }\n\
                g = { present = false }\n";
    let (_, faults) = read(text);
    for line in [
        "suite.toml:2:7: unknown key 'strats'",
        "did you mean 'starts'?",
        "suite.toml:3:7: 'with.b': unknown variable 'mc'; did you mean 'mac'?",
        "suite.toml:4:17: 'with.c.matches': unclosed group",
        "suite.toml:5:5: 'absent' stands alone",
        "suite.toml:6:5: 'with.e' is a list (expected a text, a number",
        "suite.toml:7:16: 'with.f.any_of' is empty",
        "suite.toml:8:17: 'with.g.present' is false (expected true",
    ] {
        assert!(faults.contains(line), "{line}\n{faults}");
    }
}
