use std::net::Ipv4Addr;
use std::time::Duration;

use crate::event::{BootCause, EventKind, Fault, RunResult, Trigger};
use crate::phone::io::{Input, WebAction};
use crate::phone::stage::StageName;
use crate::phone::stand::{MONDAY_S, SERVER, Stand};
use crate::profile::{Param, StepId};

/// Valid time first, then one URL that this phone cannot even ask for.
const LINES: &str = r#"
ftp = false
[params]
server_url = { default = "http://nowhere.example/x.xml" }
[discovery]
order = ["profile-rule"]
[clock]
required = true
retry_ms = 10_000
clauses = ["AUE-05", "AUE-06", "AUE-07"]
"#;
const DAY_S: u64 = 86_400;
const TIME_SERVER: &[u8] = &[10, 0, 0, 5];

fn waiting() -> Stand {
    Stand::new(LINES).leased(&[(42, TIME_SERVER)], b"")
}

/// A phone with time and this timetable.
fn timetabled(days: &[Param], more: &[(Param, &str)]) -> Stand {
    let mut stand = Stand::new(LINES).web(Param::TimetableTime, "03:00");
    for day in days {
        stand = stand.web(*day, "true");
    }
    for (param, value) in more {
        stand = stand.web(*param, value);
    }
    let mut stand = stand.leased(&[(42, TIME_SERVER)], b"");
    let asked = stand.time_requests();
    stand.tell_time(asked[0], MONDAY_S);
    assert_eq!(stand.phone.stage(), StageName::Idle);
    stand.events.clear();
    stand
}

fn started(trigger: Trigger) -> EventKind {
    EventKind::RunStarted(trigger)
}

// AUE-04, AUE-05, AUE-06: no valid time, no request; at once when it is valid.
#[test]
fn waits_for_the_time_before_it_tries_any_source() {
    let mut stand = waiting();
    let asked = stand.time_requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1, Ipv4Addr::new(10, 0, 0, 5));
    assert_eq!(stand.phone.stage(), StageName::Timing);
    assert!(!stand.phone.is_settled());
    assert!(stand.candidates().is_empty());
    stand.tell_time(asked[0], MONDAY_S);
    assert!(stand.has(EventKind::TimeSet { unix_s: MONDAY_S }));
    assert_eq!(stand.candidates(), ["0 http://nowhere.example/x.xml"]);
    assert!(stand.has(started(Trigger::Boot(BootCause::Power))));
    assert!(stand.phone.is_settled());
}

// AUE-07: without a limit, each ten seconds, whatever the run does with policy times.
#[test]
fn checks_again_every_ten_seconds_without_a_limit() {
    for scale in [1.0, 0.0] {
        let mut stand = waiting();
        stand.shelf.time_scale = scale;
        stand.time_requests();
        stand.pass_seconds(3_600);
        let asked = stand.time_requests();
        assert_eq!(asked.len(), 360);
        assert!(stand.candidates().is_empty());
        stand.tell_time(asked[359], MONDAY_S);
        assert_eq!(stand.candidates().len(), 1);
    }
}

// AUE-05: the server of the phone's page where DHCP names none.
#[test]
fn asks_the_server_of_its_page_where_the_lease_names_none() {
    for (lease, asked) in [
        (&[][..], SERVER),
        (&[0, 0, 0, 0][..], SERVER),
        (TIME_SERVER, Ipv4Addr::new(10, 0, 0, 5)),
        (&[10, 0, 0, 5, 10][..], Ipv4Addr::new(10, 0, 0, 5)),
    ] {
        let mut stand = Stand::new(LINES)
            .web(Param::NtpServer, "redirect.test")
            .leased(&[(42, lease)], b"");
        assert_eq!(stand.time_requests()[0].1, asked, "{lease:?}");
    }
    let stand = Stand::new(LINES).leased(&[], b"");
    let (step, fault) = (StepId::CLOCK, Fault::UnknownHost);
    assert!(stand.has(EventKind::Wrong { step, fault }));
    assert_eq!(stand.phone.stage(), StageName::Timing);
}

#[test]
fn keeps_the_time_until_the_power_goes() {
    let mut stand = waiting();
    let asked = stand.time_requests();
    stand.tell_time(asked[0], MONDAY_S);
    stand.input(Input::Web(WebAction::Start));
    assert!(stand.has(started(Trigger::Manual)));
    assert!(stand.time_requests().is_empty());
    stand.input(Input::PowerCut);
    stand.power(&[(42, TIME_SERVER)], b"");
    assert_eq!(stand.time_requests().len(), 1);
    assert_eq!(stand.phone.stage(), StageName::Timing);
}

// A phone that is not to run at boot wants to know the time all the same.
#[test]
fn rests_with_the_time_where_no_run_is_due() {
    let mut stand = Stand::new(LINES)
        .web(Param::ResyncOnReset, "0")
        .leased(&[(42, TIME_SERVER)], b"");
    assert_eq!(stand.phone.stage(), StageName::Timing);
    let asked = stand.time_requests();
    // A trigger meanwhile is remembered.
    stand.input(Input::Web(WebAction::Start));
    assert!(stand.has(EventKind::TriggerDeferred(Trigger::Manual)));
    stand.tell_time(asked[0], MONDAY_S);
    assert!(stand.has(started(Trigger::Manual)));
    assert!(stand.has(EventKind::RunEnded(RunResult::NothingFetched)));
    assert_eq!(stand.phone.stage(), StageName::Idle);
}

// AUE-06: the preconditions are those of provisioning; where it is switched off the phone is at
// rest, and registered, whatever time servers say.
#[test]
fn waits_for_no_time_where_nothing_is_provisioned() {
    let mut stand = Stand::new(LINES)
        .web(Param::ProvisionEnable, "0")
        .leased(&[(42, TIME_SERVER)], b"");
    assert!(stand.time_requests().is_empty());
    assert_eq!(stand.phone.stage(), StageName::Idle);
    assert!(stand.has(EventKind::Settled));
}

#[test]
fn asks_for_no_time_where_the_profile_does_not_demand_it() {
    let lines = format!("{LINES}\n").replace("required = true", "required = false");
    let mut stand = Stand::new(&lines).leased(&[(42, TIME_SERVER)], b"");
    assert!(stand.time_requests().is_empty());
    assert_eq!(stand.candidates().len(), 1);
}

// AUE-21: on its days at its time, week after week.
#[test]
fn runs_at_the_times_of_its_timetable() {
    let mut stand = timetabled(&[Param::TimetableMonday, Param::TimetableThursday], &[]);
    let due = started(Trigger::Timetable);
    stand.pass_seconds(3 * 3_600 - 1);
    assert_eq!(stand.count(due), 0);
    stand.pass_seconds(2);
    assert_eq!(stand.count(due), 1);
    stand.pass_seconds(3 * DAY_S - 2);
    assert_eq!(stand.count(due), 1);
    stand.pass_seconds(2);
    assert_eq!(stand.count(due), 2);
    stand.pass_seconds(28 * DAY_S);
    assert_eq!(stand.count(due), 10);
}

// AUE-21 with vendor-facts' random spread; another run in between does not lose it.
#[test]
fn spreads_the_runs_of_its_timetable() {
    let mut stand = timetabled(
        &[Param::TimetableMonday],
        &[
            (Param::TimetableRandom, "1"),
            (Param::TimetableRandomMinS, "600"),
            (Param::TimetableRandomMaxS, "3600"),
        ],
    );
    let due = started(Trigger::Timetable);
    stand.pass_seconds(3 * 3_600 + 599);
    assert_eq!(stand.count(due), 0);
    stand.input(Input::Web(WebAction::Start));
    assert!(stand.has(started(Trigger::Manual)));
    stand.pass_seconds(3_001);
    assert_eq!(stand.count(due), 1);
    stand.pass_seconds(DAY_S);
    assert_eq!(stand.count(due), 1);
}

#[test]
fn has_no_timetable_without_a_day_a_time_or_time_to_pass() {
    for (days, time, scale) in [
        (&[][..], "03:00", 1.0),
        (&[Param::TimetableMonday][..], "", 1.0),
        (&[Param::TimetableMonday][..], "03:00", 0.0),
    ] {
        let mut stand = Stand::new(LINES).web(Param::TimetableTime, time);
        for day in days {
            stand = stand.web(*day, "1");
        }
        stand.shelf.time_scale = scale;
        let mut stand = stand.leased(&[(42, TIME_SERVER)], b"");
        let asked = stand.time_requests();
        stand.tell_time(asked[0], MONDAY_S);
        stand.pass(Duration::from_secs(14 * DAY_S));
        assert_eq!(
            stand.count(started(Trigger::Timetable)),
            0,
            "{days:?} {time}"
        );
    }
}
