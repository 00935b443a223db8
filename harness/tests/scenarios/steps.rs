//! What is done to phones and to the server while a run goes on.

use bootstorm_reports::verdict::Class;

use super::*;

#[test]
fn phones_are_meant_to_hold_what_the_changed_files_say() {
    let content = "[[step]]\nafter = \"settled\"\ndo = \"content\"\n\
                   own.\"account.1.label\" = \"Room {index}\"\n";
    // Nobody tells the phones: at the end they hold what is not meant any more.
    let ended = boot(read(&desks(4, "", content)));
    assert_eq!(count(&ended, Outcome::Partial), 4);
    let phone = &ended.report.phones()[0];
    let difference = phone.difference.as_ref().expect("a difference");
    assert_eq!(
        (&*difference.expected, difference.held.as_deref()),
        ("Room 0", Some("Desk 0"))
    );
    let told = format!(
        "{content}[[step]]\nafter = \"settled\"\ndo = \"check-sync\"\n\
         expect = [\"resynced == planned\"]\n"
    );
    let ended = boot(read(&desks(4, "", &told)));
    assert_eq!(
        count(&ended, Outcome::Provisioned),
        4,
        "{}",
        transcript(&ended)
    );
}

#[test]
fn phones_that_ignore_a_storm_fail_what_is_expected_of_it() {
    let storm = "[[step]]\nafter = \"settled\"\ndo = \"check-sync\"\n\
                 expect = [\"resynced == planned\", \"silent == 0\"]\n";
    let text =
        desks(3, "", storm).replace("web.pnp_enable = \"0\"", "web.provision_enable = \"0\"");
    let ended = boot(read(&text));
    let expected = threshold(&ended, "step 1, check-sync: resynced == planned");
    assert_eq!(
        (expected.met, expected.actual.as_str()),
        (Some(false), "resynced = 0, planned = 3")
    );
    assert_eq!(threshold(&ended, "silent == 0").met, Some(true));
    assert_eq!(ended.report.verdict().class, Class::SubjectFailed);
}

#[test]
fn waves_go_to_a_part_of_the_phones_each() {
    let waves = "[[step]]\nafter = \"settled\"\ndo = \"check-sync\"\nwaves = 3\nevery_s = 10\n";
    let ended = boot(read(&desks(7, "", waves)));
    let steps = &ended.report.facts().steps;
    let planned: Vec<_> = steps
        .iter()
        .map(|step| (step.planned, step.resynced))
        .collect();
    assert_eq!(planned, [(3, 3), (2, 2), (2, 2)]);
    assert_eq!(steps[1].what, "check-sync, wave 2 of 3");
}

#[test]
fn a_power_cycle_boots_phones_again_with_what_they_held() {
    let cycle = "[[step]]\nafter = \"settled\"\ndo = \"power-cycle\"\noff_s = 3\nmean_s = 2\n\
                 expect = [\"resynced == planned\"]\n";
    let ended = boot(read(&desks(6, "", cycle)));
    assert_eq!(
        ended.report.verdict().class,
        Class::Met,
        "{}",
        transcript(&ended)
    );
    assert!(ended.report.phones().iter().all(|phone| phone.reboots == 1));
    let log = transcript(&ended);
    assert_eq!(
        log.matches("power is cut").count() + log.matches("power cut").count(),
        6,
        "{log}"
    );
    // The same seed, the same times.
    let again = boot(read(&desks(6, "", cycle)));
    assert_eq!(ended.transcript, again.transcript);
}

#[test]
fn a_wait_holds_the_steps_behind_it() {
    let steps = "[[step]]\nafter = \"settled\"\ndo = \"wait\"\nfor_s = 30\n\
                 [[step]]\nafter = \"settled\"\ndo = \"check-sync\"\n";
    let ended = boot(read(&desks(2, "", steps)));
    let elapsed = ended.report.facts().elapsed;
    assert!((30..60).contains(&elapsed.as_secs()), "{elapsed:?}");
    assert_eq!(ended.report.facts().steps[1].resynced, 2);
}

#[test]
fn a_silent_server_is_asked_again_and_one_that_refuses_is_told_of() {
    let steps = |how: &str| {
        format!(
            "[[step]]\nat_s = 0\ndo = \"server-down\"\nhow = \"{how}\"\n\
             services = [\"http\"]\n[[step]]\nat_s = 40\ndo = \"server-up\"\n\
             [[step]]\nafter = \"settled\"\ndo = \"wait\"\nfor_s = 40\n"
        )
    };
    let http = |how| desks(2, "", &steps(how)).replace("\"tftp\"", "\"http\"");
    let silent = boot(read(&http("silent")));
    assert_eq!(
        count(&silent, Outcome::Provisioned),
        2,
        "{}",
        transcript(&silent)
    );
    assert!(!transcript(&silent).contains("refused"));
    let refused = boot(read(&http("refuse")));
    assert_eq!(
        count(&refused, Outcome::Provisioned),
        2,
        "{}",
        transcript(&refused)
    );
    assert!(
        transcript(&refused).contains("refused"),
        "{}",
        transcript(&refused)
    );
}

#[test]
fn what_each_round_of_a_soak_comes_to_is_counted() {
    let head = "deadline_s = 65\nthresholds = ['rounds == 12', 'rounds_failed == 2']\n\
                [load]\nshape = \"soak\"\nper_s = 100\nperiod_s = 10\noff_s = 1\n";
    // From the third round on the files say something else, which a phone holds at its next boot.
    let steps = "[[step]]\nat_s = 29.5\ndo = \"content\"\nown.\"account.1.label\" = \"Room\"\n";
    let ended = boot(read(&desks(2, head, steps)));
    assert_eq!(threshold(&ended, "rounds == 12").met, Some(true));
    assert_eq!(threshold(&ended, "rounds_failed == 2").met, Some(true));
    assert_eq!(threshold(&ended, "each round").met, Some(false));
    assert_eq!(count(&ended, Outcome::Provisioned), 2);
}
