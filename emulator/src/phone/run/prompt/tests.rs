use std::sync::Arc;
use std::time::Duration;

use crate::event::{EventKind, Fault, Limit, Prompt, RunResult};
use crate::operator::Operator;
use crate::phone::Phone;
use crate::phone::io::{Answer, Input};
use crate::phone::stand::Stand;
use crate::profile::template::Template;
use crate::profile::{Param, StepId};

const LINES: &str = r#"
[params]
username = { default = "" }
password = { default = "" }
server_url = { default = "http://10.0.0.2/$input.xml?id=$input" }
second_server_url = { default = "" }
save_input = { default = false }
[discovery]
order = ["profile-rule"]
[markers]
"$input" = "{typed}"
[prompt]
credentials = true
"#;
const FILE_ID: EventKind = EventKind::Prompted(Prompt::FileId);
const CREDENTIALS: EventKind = EventKind::Prompted(Prompt::Credentials);

fn asking() -> Stand {
    Stand::new(LINES)
}

fn operated(mut stand: Stand, file_id: &str, user: &str) -> Stand {
    let operator = Operator {
        file_id: Template::parse(file_id).unwrap(),
        user: Template::parse(user).unwrap(),
        password: Template::literal("secret"),
        think: Duration::from_secs(20),
    };
    let phone = Phone::new(*stand.phone.identity(), 0, stand.phone.flash().clone());
    stand.phone = phone.with_operator(Arc::new(operator));
    stand
}

/// The request line of the newest request on a fresh connection.
fn requested(stand: &mut Stand) -> String {
    stand.open();
    let written = stand.take_written();
    let (_, text) = written.last().expect("a request");
    text.lines().next().unwrap().to_owned()
}

// FAN-57, FAN-59, FAN-86: nothing is asked of the server before the user has typed.
#[test]
fn asks_for_the_file_id_before_anything_is_fetched() {
    let mut stand = asking().leased(&[], b"");
    assert!(stand.has(FILE_ID));
    stand.pass_seconds(20);
    assert!(stand.opened.is_empty());
    stand.input(Input::Operator(Answer::FileId("ll")));
    assert!(stand.has(EventKind::PromptAnswered(Prompt::FileId)));
    let (step, after) = (StepId::PROMPT, Duration::from_secs(20));
    assert!(stand.has(EventKind::Answered { step, after }));
    assert_eq!(requested(&mut stand), "GET /ll.xml?id=ll HTTP/1.1");
    // Not asked for in vain, and not kept.
    assert_eq!(stand.phone.flash().web(Param::SavedInput), None);
}

// FAN-57: the script of an operator, with his think time and a text for each phone.
#[test]
fn takes_the_id_of_an_operator_after_his_think_time() {
    let mut stand = operated(asking(), "x{index}-{mac[6:]}", "").leased(&[], b"");
    stand.pass(Duration::from_millis(19_900));
    assert!(stand.opened.is_empty());
    stand.pass(Duration::from_millis(100));
    assert_eq!(
        requested(&mut stand),
        "GET /x0-00000e.xml?id=x0-00000e HTTP/1.1"
    );
}

// FAN-140, FAN-141: remembered with the box ticked only, and then used without a question.
#[test]
fn remembers_the_id_only_where_it_is_told_to() {
    for (switch, questions) in [("1", 1), ("0", 2)] {
        let stand = asking().web(Param::SaveInput, switch);
        let mut stand = operated(stand, "ll", "").leased(&[], b"");
        stand.pass_seconds(20);
        let kept = (switch == "1").then_some("ll");
        assert_eq!(stand.phone.flash().web(Param::SavedInput), kept);
        stand.input(Input::PowerCut);
        stand.power(&[], b"");
        stand.pass_seconds(20);
        assert_eq!(stand.count(FILE_ID), questions, "{switch}");
        assert_eq!(requested(&mut stand), "GET /ll.xml?id=ll HTTP/1.1");
    }
}

// FAN-52, FAN-57: given up by the user, by the clock, or by an operator who knows nothing.
#[test]
fn gives_the_candidate_up_when_nobody_answers() {
    let abandoned = EventKind::PromptAbandoned(Prompt::FileId);
    let (step, fault) = (StepId::PROMPT, Fault::Abandoned);
    let end = EventKind::RunEnded(RunResult::NothingFetched);
    let mut stand = asking().leased(&[], b"");
    stand.input(Input::Operator(Answer::Abandon));
    assert!(stand.has(abandoned) && stand.has(EventKind::GaveUp { step, fault }));
    assert!(stand.has(end));
    let mut stand = asking().leased(&[], b"");
    stand.pass_seconds(3_599);
    assert!(!stand.has(abandoned));
    stand.pass_seconds(1);
    assert!(stand.has(abandoned) && stand.has(end));
    let mut stand = operated(asking(), "", "").leased(&[], b"");
    stand.pass_seconds(20);
    assert!(stand.has(abandoned) && stand.has(end) && stand.opened.is_empty());
}

#[test]
fn refuses_what_cannot_be_typed() {
    let mut stand = asking().leased(&[], b"");
    let long = "x".repeat(129);
    for text in ["", "a\r\nb", "\u{7f}"] {
        stand.input(Input::Operator(Answer::FileId(text)));
    }
    stand.input(Input::Operator(Answer::FileId(&long)));
    // An answer to another question.
    let (user, password) = ("a", "b");
    stand.input(Input::Operator(Answer::Credentials { user, password }));
    assert!(!stand.has(EventKind::PromptAnswered(Prompt::FileId)));
    let (limit, value) = (Limit::TypedBytes, 128);
    assert!(stand.has(EventKind::LimitReached { limit, value }));
    let wrong = |kind: &&EventKind| match kind {
        EventKind::Wrong { step, .. } => *step == StepId::PROMPT,
        _ => false,
    };
    assert_eq!(stand.events.iter().filter(wrong).count(), 3);
    stand.input(Input::Operator(Answer::FileId("ok")));
    assert_eq!(requested(&mut stand), "GET /ok.xml?id=ok HTTP/1.1");
    // Without a question there is nothing to answer.
    stand.input(Input::Operator(Answer::FileId("again")));
    assert_eq!(stand.count(EventKind::PromptAnswered(Prompt::FileId)), 1);
}

#[test]
fn takes_the_marker_for_a_name_where_the_vendor_has_no_prompt() {
    let lines = LINES.replace("{typed}", "$input");
    let mut stand = Stand::new(&lines).leased(&[], b"");
    assert!(!stand.has(FILE_ID));
    assert_eq!(requested(&mut stand), "GET /$input.xml?id=$input HTTP/1.1");
}

const CHALLENGE: &str = "WWW-Authenticate: Basic realm=\"r\"\r\n";

fn plain() -> Stand {
    asking()
        .web(Param::ServerUrl, "http://10.0.0.2/x.xml")
        .web(Param::AuthMethod, "basic")
}

// FAN-51, FAN-52: what the URL or the page has is tried first, then the user is asked.
#[test]
fn asks_for_credentials_that_the_server_did_not_take() {
    let mut stand = plain().leased(&[], b"");
    stand.open();
    stand.answer("401", CHALLENGE, "");
    assert!(stand.has(CREDENTIALS));
    stand.take_written();
    let (user, password) = ("ann", "secret");
    stand.input(Input::Operator(Answer::Credentials { user, password }));
    stand.open();
    stand.answer("401", CHALLENGE, "");
    let written = stand.take_written();
    let sent = |text: &str| text.contains("Authorization: Basic YW5uOnNlY3JldA==");
    assert!(written.iter().any(|(_, text)| sent(text)), "{written:?}");
    stand.answer("200", "", "a = 1\r\n");
    assert_eq!(stand.count(CREDENTIALS), 1);
}

#[test]
fn stops_asking_at_a_limit() {
    let mut stand = operated(plain(), "", "ann").leased(&[], b"");
    for _ in 0..20 {
        stand.open();
        stand.answer("401", CHALLENGE, "");
        stand.answer("401", CHALLENGE, "");
        stand.pass_seconds(20);
    }
    assert_eq!(stand.count(CREDENTIALS), 8);
    let (limit, value) = (Limit::Prompts, 8);
    assert!(stand.has(EventKind::LimitReached { limit, value }));
    assert!(stand.has(EventKind::RunEnded(RunResult::NothingFetched)));
}

#[test]
fn ends_the_candidate_when_credentials_are_not_given() {
    let mut stand = plain().leased(&[], b"");
    stand.open();
    stand.answer("401", CHALLENGE, "");
    stand.input(Input::Operator(Answer::Abandon));
    assert!(stand.has(EventKind::PromptAbandoned(Prompt::Credentials)));
    assert!(stand.has(EventKind::RunEnded(RunResult::NothingFetched)));
    assert_eq!(stand.opened.len(), 1);
}

#[test]
fn forgets_the_question_when_the_power_goes() {
    let mut stand = asking().leased(&[], b"");
    stand.input(Input::PowerCut);
    assert_eq!(stand.phone.deadline(), None);
    stand.input(Input::Operator(Answer::FileId("ll")));
    assert!(stand.opened.is_empty());
}
