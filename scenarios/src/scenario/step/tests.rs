use super::*;
use crate::scenario::read;

fn with(lines: &str) -> Result<Vec<Step>, String> {
    let text = format!(
        "name = \"x\"\n[[fleet]]\nname = \"f\"\nphones = 1\nsource = \"dhcp\"\n\
         transport = \"http\"\nlayout = \"l\"\nprofiles.\"a/b\" = 1\n{lines}"
    );
    let scenario = read("x.toml", &text).map_err(|faults| faults.to_string())?;
    Ok(scenario.steps)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn reads_every_word_of_a_step() {
    let steps = with(
        "[[step]]\nat_s = 1\ndo = \"server-down\"\nservices = [\"tftp\", \"http\"]\n\
         how = \"refuse\"\ncommand = \"systemctl stop tftpd\"\n\
         [[step]]\nlater_s = 2\ndo = \"server-up\"\n\
         [[step]]\nafter = \"settled\"\ndo = \"wait\"\nfor_s = 3\n\
         [[step]]\nafter = \"settled\"\ndo = \"power-cycle\"\nmean_s = 9\nfleet = \"f\"\n\
         [[step]]\nafter = \"settled\"\ndo = \"firmware-rollout\"\nfirmware = \"2.0\"\n\
         own.a = \"{mac}\"\n\
         [[step]]\nafter = \"settled\"\ndo = \"check-sync\"\nexpect = [\"resynced == planned\"]\n",
    );
    let steps = steps.unwrap_or_else(|faults| panic!("{faults}"));
    let [down, up, wait, cycle, rollout, sync] = &steps[..] else {
        panic!("{} steps", steps.len());
    };
    let Action::ServerDown { services, refuse } = down.action else {
        panic!("{:?}", down.action);
    };
    assert_eq!((services.words().as_str(), refuse), ("tftp, http", true));
    assert_eq!(down.command.as_deref(), Some("systemctl stop tftpd"));
    assert_eq!(up.when, When::Later(seconds(2)));
    let all = Services::ALL;
    assert_eq!(up.action, Action::ServerUp { services: all });
    assert_eq!(wait.action, Action::Wait(seconds(3)));
    let (off, mean) = (seconds(5), seconds(9));
    assert_eq!(cycle.action, Action::PowerCycle { off, mean });
    let change = rollout.change.as_ref().expect("a change");
    assert_eq!(
        (change.firmware.as_deref(), change.own.len()),
        (Some("2.0"), 1)
    );
    assert_eq!(sync.expect.len(), 1);
}

#[test]
fn waves_are_steps_for_a_part_of_the_phones_each() {
    let steps = with(
        "[[step]]\nafter = \"settled\"\ndo = \"check-sync\"\nreboot = true\nwaves = 3\n\
         every_s = 10\n",
    );
    let steps = steps.unwrap_or_else(|faults| panic!("{faults}"));
    let whens: Vec<_> = steps.iter().map(|step| step.when).collect();
    let later = When::Later(seconds(10));
    assert_eq!(whens, [When::Settled, later, later]);
    for within in 0..10 {
        let waves = steps.iter().filter(|step| step.part.has(within));
        assert_eq!(waves.count(), 1, "{within}");
    }
}

#[test]
fn a_change_is_laid_over_what_a_fleet_has() {
    let template = |text| Template::parse(text).expect("a template");
    let mut fleet = Fleet::bare("f", "a/b", 1);
    fleet.firmware = Some("1".to_owned());
    fleet.own = vec![
        ("a".to_owned(), template("1")),
        ("b".to_owned(), template("2")),
    ];
    let change = Change {
        own: vec![
            ("b".to_owned(), template("3")),
            ("c".to_owned(), template("4")),
        ],
        ..Change::default()
    };
    change.lay_over(&mut fleet);
    let own: Vec<_> = fleet
        .own
        .iter()
        .map(|(key, it)| (key.as_str(), it.source()))
        .collect();
    assert_eq!(own, [("a", "1"), ("b", "3"), ("c", "4")]);
    assert_eq!(fleet.firmware.as_deref(), Some("1"));
}

#[test]
fn says_what_is_wrong_with_a_step() {
    for (lines, told) in [
        (
            "do = \"check-sync\"",
            "x.toml:9:1: a step needs 'after', 'at_s' or 'later_s'",
        ),
        (
            "at_s = 1\nafter = \"settled\"\ndo = \"wait\"\nfor_s = 1",
            "a step has one of 'after'",
        ),
        (
            "at_s = 500\ndo = \"check-sync\"",
            "not before the run's deadline of 120 s",
        ),
        (
            "later_s = 1\ndo = \"check-sync\"",
            "'step[0].later_s' in the first step",
        ),
        (
            "at_s = 1\ndo = \"power-cicle\"",
            "did you mean 'power-cycle'",
        ),
        (
            "at_s = 1\ndo = \"pnp-notify\"\nreboot = true",
            "'step[0].reboot' goes with \"check-sync\" only",
        ),
        (
            "at_s = 1\ndo = \"check-sync\"\ncommand = \"x\"",
            "goes with \"content\" and \"firmware-rollout\" and \"server-down\"",
        ),
        ("at_s = 1\ndo = \"wait\"", "missing key 'step[0].for_s'"),
        (
            "at_s = 1\ndo = \"firmware-rollout\"",
            "missing key 'step[0].firmware'",
        ),
        ("at_s = 1\ndo = \"content\"", "nothing changes"),
        (
            "at_s = 1\ndo = \"server-down\"\nservices = [\"tfpt\"]",
            "did you mean 'tftp'",
        ),
        (
            "at_s = 1\ndo = \"server-down\"\nservices = []",
            "no service",
        ),
        (
            "at_s = 1\ndo = \"check-sync\"\nwaves = 2",
            "'waves' and 'every_s' go together",
        ),
        (
            "at_s = 1\ndo = \"check-sync\"\nfleet = \"g\"",
            "no fleet is called \"g\"",
        ),
        (
            "at_s = 1\ndo = \"check-sync\"\nexpect = [\"resynct == planned\"]",
            "x.toml:12:12: 'step[0].expect[0]': unknown name 'resynct'; did you mean 'resynced'?",
        ),
    ] {
        let faults = with(&format!("[[step]]\n{lines}\n")).expect_err(lines);
        assert!(faults.contains(told), "{lines}: {faults}");
    }
}
