//! A run on the simulated network repeats exactly from its seed, also on a bad network, and every
//! phone comes to an end that says why.

use std::sync::Arc;
use std::time::Duration;

use bootstorm::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run::{self, Ended, Orders};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{self, Link};

const PHONES: u32 = 300;
const LOSSY: Link = Link {
    loss_per_mille: 200,
    duplicate_per_mille: 100,
    reorder_per_mille: 100,
    delay: Duration::from_millis(5),
    jitter: Duration::from_millis(20),
    bandwidth_kbit_s: 0,
    reset_per_mille: 0,
    reset_after_bytes: 0,
    stall: None,
};

fn run(seed: u64, link: Link) -> Ended {
    let (name, text) = scenario::built_in()
        .iter()
        .find(|(name, _)| name.contains("first-run"))
        .unwrap();
    let mut scenario = scenario::read(name, text).unwrap();
    scenario.resize(PHONES);
    scenario.seed = seed;
    scenario.link = link;
    scenario.deadline = Duration::from_secs(3_600);
    let plan = Plan::new(scenario, &ProfileSet::built_in(), SIMULATED_SERVER).unwrap();
    let plan = Arc::new(plan);
    let source = provision::tree(&plan).unwrap();
    let config = provision::reference(&plan, source, SIMULATED_POOL);
    let orders = Orders {
        shards: 1,
        transcript: true,
        ..Orders::default()
    };
    run::simulate(&plan, Reference::new(config), &orders).unwrap()
}

#[test]
fn repeats_a_lossy_run_byte_for_byte() {
    let (first, second) = (run(7, LOSSY), run(7, LOSSY));
    assert!(first.transcript.len() > 100_000);
    let differ = first
        .transcript
        .split(|byte| *byte == b'\n')
        .zip(second.transcript.split(|byte| *byte == b'\n'))
        .find(|(one, other)| one != other);
    if let Some((one, other)) = differ {
        let text = String::from_utf8_lossy;
        panic!("{}\n{}", text(one), text(other));
    }
    assert_eq!(first.transcript.len(), second.transcript.len());
    let third = run(8, LOSSY);
    assert_ne!(first.transcript, third.transcript);
}

#[test]
fn provisions_every_phone_of_a_good_network() {
    let ended = run(1, Link::default());
    let phones = ended.report.phones();
    assert_eq!(phones.len(), PHONES as usize);
    for phone in phones {
        assert_eq!(phone.outcome, Outcome::Provisioned, "{phone:?}");
    }
}

#[test]
fn settles_every_phone_of_a_lossy_network_and_says_why_one_is_not_provisioned() {
    for seed in 1..=3 {
        let ended = run(seed, LOSSY);
        let phones = ended.report.phones();
        assert_eq!(phones.len(), PHONES as usize);
        let mut provisioned = 0;
        for phone in phones {
            assert!(phone.settled_after.is_some(), "{phone:?}");
            if phone.outcome == Outcome::Provisioned {
                provisioned += 1;
                continue;
            }
            assert!(phone.first_wrong.is_some(), "{phone:?}");
        }
        assert!(provisioned > PHONES / 2, "{provisioned}");
    }
}
