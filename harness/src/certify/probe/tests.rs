use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_scenarios::mutant::{self, Side};
use bootstorm_scenarios::suite;

use crate::certify::{Bench, run_case};

const HEAD: &str = r#"
[suite]
name = "tried"
side = "server"
profile = "flyingvoice/fip13g"
[base]
deadline_s = 30
[base.fleet]
source = "dhcp"
transport = "tftp"
layout = "boot"
[[case]]
id = "tried/one"
purpose = "tries a probe"
clause = ["NET-01"]
content = "ours"
caught_by = ["server/protocol/tftp-stops-after-block-1"]
given.files = { "a.cfg" = { fill = "0123456789\n", bytes = 1300 }, "b.cfg" = "b\n" }
"#;

/// The result of a case with these steps and lines.
fn tried(steps: &str, wire: &str) -> CaseResult {
    let text = format!("{HEAD}do = [{steps}]\nexpect.wire = [{wire}]\n");
    let suite = suite::read("tried.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    let bench = Bench {
        profiles: ProfileSet::built_in(),
        ..Bench::default()
    };
    run_case(&suite.cases[0], &bench)
}

#[test]
fn a_step_that_gets_no_further_is_given_up_and_says_how_far_it_came() {
    let result = tried(
        "{ probe = \"tftp-read\", file = \"a.cfg\", lose = \"data\", lose_block = 2, \
           lose_times = 100, timeout_s = 5, same_as = \"a.cfg\" }",
        "{ sent = \"tftp.rrq\" }",
    );
    assert_eq!(result.verdict, CaseVerdict::Fail, "{}", result.reason);
    assert!(
        result.expected.contains("1300 bytes"),
        "{}",
        result.expected
    );
    assert_eq!(result.actual, "512 bytes came, then no more");
    assert!(
        (5_000_000..6_000_000).contains(&result.took_us),
        "{}",
        result.took_us
    );
}

#[test]
fn steps_follow_each_other_and_repeat() {
    let result = tried(
        "{ probe = \"tftp-read\", file = \"b.cfg\", times = 3 }, \
         { probe = \"wait\", wait_s = 2 }, \
         { probe = \"http-get\", path = \"/b.cfg\", same_as = \"b.cfg\" }",
        "{ count_sent = \"tftp.rrq\", is = 3 }, \
         { got = \"http.response\", with = { status = 200 }, after_ms = [2000, 2100] }",
    );
    let exchange = result.exchange.join("\n");
    assert_eq!(
        result.verdict,
        CaseVerdict::Pass,
        "{}\n{exchange}",
        result.reason
    );
}

#[test]
fn a_client_without_a_validator_says_that_the_case_does_not_apply() {
    let result = tried(
        "{ probe = \"http-get\", path = \"/a.cfg\", condition = \"etag\" }",
        "{ got = \"http.response\", with = { status = 304 } }",
    );
    assert_eq!(result.verdict, CaseVerdict::NotApplicable);
    assert_eq!(result.reason, "the server gave no ETag");
}

#[test]
fn the_same_steps_give_the_same_exchange() {
    let steps = "{ probe = \"dhcp\", kind = \"lease\", parameters = [1, 66] }, \
                 { probe = \"pnp-subscribe\", timeout_s = 1 }, \
                 { probe = \"sntp\" }, { probe = \"ftp-get\", path = \"a.cfg\" }";
    let wire = "{ got = \"dhcp.offer\" }";
    let (first, second) = (tried(steps, wire), tried(steps, wire));
    assert!(first.exchange.len() > 8, "{}", first.exchange.join("\n"));
    assert_eq!(first, second);
}

const MOVED: &str = "{ sent = \"http.get\" }";

/// The result of asking for a file that has moved twice, of a server that is wrong in these ways.
fn moved(follow: u16, wrong: &[&str]) -> CaseResult {
    let head = HEAD.replace(
        "given.files = {",
        "given.moved = { \"one\" = { to = \"two\", status = 301 }, \"two\" = { to = \"b.cfg\", \
         status = 302 } }\ngiven.files = {",
    );
    let step = format!(
        "{{ probe = \"http-get\", path = \"/one\", follow = {follow}, same_as = \"b.cfg\" }}"
    );
    let text = format!("{head}do = [{step}]\nexpect.wire = [{MOVED}]\n");
    let suite = suite::read("tried.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    let known = mutant::built_in().unwrap_or_else(|faults| panic!("{faults}"));
    let find = |name: &&str| known.find(Side::Server, name).unwrap();
    let bench = Bench {
        profiles: ProfileSet::built_in(),
        server: wrong.iter().map(find).collect(),
        ..Bench::default()
    };
    run_case(&suite.cases[0], &bench)
}

#[test]
fn redirects_are_followed_as_far_as_the_step_says() {
    let whole = moved(2, &[]);
    assert_eq!(whole.verdict, CaseVerdict::Pass, "{}", whole.reason);
    let short = moved(1, &[]);
    assert_eq!(short.verdict, CaseVerdict::Fail);
    assert_eq!(short.actual, "0 bytes came, then no more");
}

#[test]
fn a_redirect_that_leads_nowhere_is_told() {
    let nowhere = moved(2, &["server/protocol/http-moved-without-location"]);
    assert_eq!(nowhere.verdict, CaseVerdict::Fail);
    assert_eq!(
        nowhere.expected,
        "a Location on this server with status 301"
    );
    assert_eq!(nowhere.actual, "there is none");
    // A redirect to itself is followed so often and no more.
    let round = moved(9, &["server/protocol/http-moved-to-itself"]);
    assert_eq!(round.verdict, CaseVerdict::Fail);
}
