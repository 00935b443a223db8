use super::*;
use crate::scenario::{Action, Discovery};
use crate::wire::Way;

const HEAD: &str = "[suite]\nname = 'x'\nside = 'phone'\nprofile = 'flyingvoice/fip13g'\n\
                    [base]\ndeadline_s = 30\n\
                    [base.fleet]\nsource = 'dhcp'\ntransport = 'tftp'\nlayout = 'flat'\n\
                    own.\"account.1.label\" = 'Desk'\n";
const CASE: &str = "[[case]]\nid = 'x/one'\npurpose = 'p'\nclause = ['FLY-06']\n\
                    caught_by = ['phone/a']\n";
const EXPECT: &str = "expect.wire = [{ sent = 'tftp.rrq' }]\n";

fn faults(text: &str) -> String {
    read("x.toml", text).map_or_else(|faults| faults.to_string(), |_| String::new())
}

fn one(rest: &str) -> Case {
    let suite = read("x.toml", &format!("{HEAD}{CASE}{rest}"));
    let suite = suite.unwrap_or_else(|faults| panic!("{faults}"));
    suite.cases.into_iter().next().unwrap()
}

#[test]
fn every_suite_that_comes_with_the_program_can_be_read() {
    let suites = read_built_in().unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(suites.len(), built_in().len());
    assert!(suites.iter().any(|suite| suite.name == "flyingvoice"));
}

#[test]
fn a_case_starts_from_the_base_with_its_own_words_laid_over() {
    let case = one(&format!(
        "{EXPECT}phones = 3\nrequires = ['tftp', 'ntp']\n\
         do = [{{ do = 'check-sync', after = 'settled', reboot = true }}]\n\
         given.time.silent_s = 5\ngiven.link.delay_ms = 20\n\
         given.fleet.source = 'pnp'\ngiven.fleet.own.\"account.1.enable\" = '1'\n\
         given.server = ['server/slow']\n"
    ));
    let scenario = case.scenario.unwrap();
    let fleet = &scenario.fleets[0];
    assert_eq!((fleet.phones, fleet.source), (3, Discovery::Pnp));
    assert_eq!(fleet.profiles, [("flyingvoice/fip13g".to_owned(), 1)]);
    let own: Vec<_> = fleet.own.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(own, ["account.1.label", "account.1.enable"]);
    assert_eq!(scenario.name, "x/one");
    assert_eq!(scenario.deadline.as_secs(), 30);
    assert_eq!(scenario.link.delay.as_millis(), 20);
    assert_eq!(scenario.time.silent.as_secs(), 5);
    let reboot = Some(true);
    assert_eq!(scenario.steps[0].action, Action::CheckSync { reboot });
    assert_eq!(case.requires, [Need::Tftp, Need::Ntp]);
    assert_eq!(case.server, ["server/slow"]);
    assert_eq!(case.caught_by, ["phone/a"]);
    let case = one(EXPECT);
    assert_eq!(case.scenario.unwrap().fleets[0].phones, 1);
}

#[test]
fn a_case_about_a_model_stays_with_it() {
    let general = one(EXPECT).on("flyingvoice/fip16");
    assert_eq!(general.profile, "flyingvoice/fip16");
    let fleets = general.scenario.unwrap().fleets;
    assert_eq!(fleets[0].profiles[0].0, "flyingvoice/fip16");
    let own = one(&format!("{EXPECT}profile = 'flyingvoice/fip10'\n")).on("flyingvoice/fip16");
    assert_eq!(own.profile, "flyingvoice/fip10");
    assert_eq!(
        own.scenario.unwrap().fleets[0].profiles[0].0,
        "flyingvoice/fip10"
    );
}

#[test]
fn files_are_texts_with_holes_or_bytes_or_taken_away() {
    let case = one(&format!(
        "{EXPECT}[case.given.files]\n'{{mac}}.cfg' = 'a = {{mac}} {{server}}'\n\
         'b' = {{ hex = '00 ff' }}\n'c' = {{ base64 = 'Zm9v' }}\n'd' = {{ missing = true }}\n\
         'e' = {{ raw = '{{x}}' }}\n"
    ));
    let bytes: Vec<_> = case
        .files
        .iter()
        .map(|file| match &file.bytes {
            Some(Bytes::Raw(bytes)) => format!("{bytes:?}"),
            Some(Bytes::Text(text)) => text.text(&crate::matcher::Fill::default()),
            Some(Bytes::Fill { text, bytes }) => format!("{text:?} {bytes}"),
            None => "none".to_owned(),
        })
        .collect();
    let expected = [
        "a = 000000000000 ",
        "[0, 255]",
        "[102, 111, 111]",
        "none",
        "[123, 120, 125]",
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn lines_of_the_wire_are_read_with_all_their_words() {
    let case = one("expect.wire = [\n\
         { sent = 'dhcp.discover', mark = 'a', skip = true },\n\
         { got = 'tftp.data', after_ms = [1, 2], after = 'a', differs = { length = 'a' } },\n\
         { again = true, never_got = 'tftp.oack', anywhere = true },\n\
         { every_sent = 'tftp.rrq' }, { count_got = 'tftp.data', max = 4 } ]\n");
    let wanted: Vec<&Wanted> = case
        .wire
        .iter()
        .filter_map(|line| match line {
            WireLine::Wanted(wanted) => Some(&**wanted),
            WireLine::Again => None,
        })
        .collect();
    assert!(matches!(case.wire[2], WireLine::Again));
    let mark = Some("a".to_owned());
    assert_eq!(wanted[0].quantity, Quantity::Next { skip: true, mark });
    assert_eq!((wanted[1].way, wanted[0].way), (Way::Received, Way::Sent));
    let within = wanted[1].within.as_ref().unwrap();
    assert_eq!((within.from.as_millis(), within.to.as_millis()), (1, 2));
    assert_eq!(within.mark.as_deref(), Some("a"));
    assert!(!wanted[1].compared[0].same);
    assert_eq!(wanted[2].quantity, Quantity::Never { anywhere: true });
    assert_eq!(wanted[3].quantity, Quantity::Every);
    assert_eq!(wanted[4].quantity, Quantity::Count { min: 0, max: 4 });
}

// Each line of the text is wrong in one way; all are told at once, with their places.
#[test]
fn tells_every_fault_at_once_with_its_place() {
    let text = format!(
        "{HEAD}[[case]]\nid = 'y/One'\npurpose = 'p.'\nclause = ['FLY-6']\ncaught_by = []\n\
         requires = ['tfpt']\ncontent = 'ours'\nkaught_by = 1\nphones = 0\n\
         expect.wire = [\n{{ sent = 'tftp.rq' }},\n{{ sent = 'tftp.rrq', with = {{ fiel = 'a' }} }},\n\
         {{ sent = 'tftp.rrq', got = 'tftp.data' }},\n{{ skip = true }},\n\
         {{ never_sent = 'tftp.rrq', mark = 'a' }},\n{{ count_sent = 'tftp.rrq' }},\n\
         {{ sent = 'tftp.rrq', after_ms = [2, 1] }},\n{{ sent = 'tftp.rrq', after = 'b' }},\n\
         {{ sent = 'tftp.rrq', same = {{ file = 'b' }} }}]\n\
         expect.state = [\n{{ outcome = 'provisoned' }},\n{{ setting = 'a' }},\n\
         {{ event = 'a', is = 'b' }},\n{{ }}]\n"
    );
    let told = faults(&text);
    assert!(!told.contains("fleet[0].phones"), "told once: {told}");
    for (line, words) in [
        (13, "(expected x/ and words of a-z"),
        (
            14,
            "'case[0].purpose' is 'p.' (expected one sentence without full stop)",
        ),
        (15, "unknown clause 'FLY-6'"),
        (16, "no mutant makes this case fail"),
        (17, "did you mean 'tftp'?"),
        (18, "'content' in a case about a phone"),
        (19, "did you mean 'caught_by'?"),
        (20, "expected a whole number from 1 to"),
        (22, "unknown message 'tftp.rq' (did you mean 'tftp.rrq'?)"),
        (
            23,
            "unknown field of tftp.rrq 'fiel' (did you mean 'file'?)",
        ),
        (24, "beside another message"),
        (25, "a line of the wire that says nothing"),
        (26, "goes with sent and got only"),
        (27, "a count needs 'is', 'min' or 'max'"),
        (28, "ends before it begins"),
        (29, "no line above has mark = \"b\""),
        (30, "no line above has mark = \"b\""),
        (32, "did you mean 'provisioned'?"),
        (33, "a setting needs 'is' or 'absent = true'"),
        (34, "goes with setting only"),
        (35, "a line of the state that says nothing"),
    ] {
        let found = told
            .lines()
            .any(|told| told.starts_with(&format!("x.toml:{line}:")) && told.contains(words));
        assert!(found, "{line}: {words}\n{told}");
    }
}

#[test]
fn tells_what_a_scenario_would() {
    let told = faults(&format!(
        "{HEAD}{CASE}{EXPECT}given.fleet.layuot = 'x'\ngiven.lnk.a = 1\n"
    ));
    assert!(
        told.contains("unknown key 'layuot'") || told.contains("unknown key 'fleet.layuot'"),
        "{told}"
    );
    assert!(told.contains("unknown key 'lnk'"), "{told}");
    let told = faults(&format!("{HEAD}[extra]\n{CASE}{EXPECT}"));
    assert!(told.contains("x.toml:12:2: unknown key 'extra'"), "{told}");
}

#[test]
fn state_stands_never_alone_and_ids_only_once() {
    let told = faults(&format!(
        "{HEAD}{CASE}expect.state = [{{ outcome = 'failed' }}]\n"
    ));
    assert!(told.contains("nothing is expected on the wire"), "{told}");
    let told = faults(&format!("{HEAD}{CASE}{EXPECT}{CASE}{EXPECT}"));
    assert!(told.contains("a second case has the id 'x/one'"), "{told}");
    let suite = format!("{HEAD}{CASE}{EXPECT}");
    let again = suite.replace("side = 'phone'", "side = 'server'");
    let again = again.replace(
        "caught_by = ['phone/a']",
        "caught_by = ['server/a']\ncontent = 'any'",
    );
    let told = read_all(&[("phone/x", &suite), ("server/x", &again)]);
    let told = told.map_or_else(|faults| faults.to_string(), |_| String::new());
    assert!(told.contains("besides suites/phone/x.toml:12:1"), "{told}");
    let told = read_all(&[("phone/z", &suite)]);
    let told = told.map_or_else(|faults| faults.to_string(), |_| String::new());
    assert!(told.contains("belongs into suites/phone/x.toml"), "{told}");
}

#[test]
fn a_case_of_a_server_says_whose_content_it_needs() {
    let server = |rest: &str| {
        let text = format!("{HEAD}{CASE}{EXPECT}{rest}");
        let text = text.replace("side = 'phone'", "side = 'server'");
        faults(&text.replace("phone/a", "server/a"))
    };
    assert_eq!(server("content = 'inventory'\n"), "");
    assert!(server("").contains("whose content the case needs"));
    assert!(server("content = 'our'\n").contains("did you mean 'ours'?"));
    let told = server("content = 'any'\ngiven.server = ['server/a']\n");
    assert!(
        told.contains("'given.server' in a case about a server"),
        "{told}"
    );
    let told = faults(&format!("{HEAD}{CASE}{EXPECT}").replace("phone/a", "server/a"));
    assert!(told.contains("expected a mutant of the phone"), "{told}");
}

#[test]
fn what_a_server_redirects_lies_below_its_root() {
    let suite = |rest: &str| {
        let text = format!("{HEAD}{CASE}{EXPECT}content = 'ours'\n{rest}");
        let text = text.replace("side = 'phone'", "side = 'server'");
        text.replace("phone/a", "server/a")
    };
    let fine = suite("given.moved = { '{mac}.cfg' = { to = 'new/{mac}.cfg', status = 302 } }\n");
    let read = read("x.toml", &fine).unwrap_or_else(|faults| panic!("{faults}"));
    let moved = &read.cases[0].moved[0];
    let fill = crate::matcher::Fill::default();
    assert_eq!(moved.status, 302);
    assert_eq!(moved.from.text(&fill), "000000000000.cfg");
    assert_eq!(moved.to.text(&fill), "new/000000000000.cfg");
    let told = faults(&suite(
        "[case.given.moved]\n'/a' = { to = 'b', status = 301 }\n'c' = { to = '../d', status = 304 }\n\
         'e' = { two = 'f', status = 200 }\n",
    ));
    for (line, words) in [
        (20, "'/a' begins with a slash"),
        (21, "(expected a path below the root)"),
        (21, "(expected 301, 302, 303, 307 or 308)"),
        (22, "unknown key 'two'"),
        (22, "expected a whole number from 301 to 308"),
    ] {
        let at = format!("x.toml:{line}:");
        let mut lines = told.lines();
        let found = lines.any(|told| told.starts_with(&at) && told.contains(words));
        assert!(found, "{line}: {words}\n{told}");
    }
    let phone =
        format!("{HEAD}{CASE}{EXPECT}given.moved = {{ 'a' = {{ to = 'b', status = 301 }} }}\n");
    assert!(faults(&phone).contains("'given.moved' in a case about a phone"));
}

#[test]
fn a_probe_needs_no_phone() {
    let text = "[suite]\nname = 'protocol'\nside = 'server'\n\
                [[case]]\nid = 'protocol/a'\npurpose = 'p'\nclause = ['WIRE-01']\n\
                content = 'ours'\ndo = [{ probe = 'tftp-read', file = 'a' }]\n\
                caught_by = ['server/a']\nexpect.wire = []\n";
    let suite = read("x.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
    let case = &suite.cases[0];
    assert!(case.scenario.is_none() && case.probes.len() == 1 && case.profile.is_empty());
    let told = faults(&text.replace("do = [{ probe = 'tftp-read', file = 'a' }]\n", ""));
    assert!(
        told.contains("no phone boots and nothing is probed"),
        "{told}"
    );
}

#[test]
fn cases_name_mutants_that_there_are() {
    let mutants = crate::mutant::built_in().unwrap_or_else(|faults| panic!("{faults}"));
    for (name, text) in built_in() {
        let read = read_knowing(name, text, &mutants);
        read.unwrap_or_else(|faults| panic!("{faults}"));
    }
    // Together with what else is wrong, each where it stands.
    let text = format!("{HEAD}{CASE}{EXPECT}given.server = ['server/a']\nphones = 0\n");
    let told = read_knowing("x.toml", &text, &mutants).expect_err("faults");
    let told = told.to_string();
    for words in [
        "x.toml:16:14: unknown mutant 'phone/a'",
        "x.toml:18:17: unknown mutant 'server/a'",
        "x.toml:19:10: 'case[0].phones' is 0",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
}
