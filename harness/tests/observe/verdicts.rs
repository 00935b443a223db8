//! The phone suites say of a phone that was listened to what they say of the phone itself.

use bootstorm::certify::{self, Bench};
use bootstorm::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run::{self, Orders};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::judge::{Seen, Verdict, judge};
use bootstorm_scenarios::matcher::Fill;
use bootstorm_scenarios::mutant;
use bootstorm_scenarios::suite::{self, Case, Side};
use bootstorm_scenarios::wire::message;
use bootstorm_scenarios::wire::record::Record;

use crate::round::{STARTED_AT, frames, observed};

/// What the suites say of the phones of a case by its record, and by its capture.
fn verdicts(case: &Case, bench: &Bench) -> Vec<(Verdict, Verdict, String)> {
    let prepared = certify::prepare(case, bench, SIMULATED_SERVER).expect("sound");
    let mut prepared = prepared.expect("phones boot");
    let (plan, source) = (prepared.plan.clone(), prepared.take_source());
    let mut config = provision::reference(&plan, source, SIMULATED_POOL);
    config.http.redirects = prepared.moved;
    config.mutants = certify::case::server_mutants(case, bench).expect("known");
    let orders = Orders {
        started_at: STARTED_AT,
        keep_secrets: true,
        wrong: certify::case::phone_mutants(&plan, bench).expect("known"),
        ..certify::case::orders(&plan, bench)
    };
    let mut ended = run::simulate(&plan, Reference::new(config), &orders).expect("a run");
    let records = ended.records.clone();
    let mut observer = observed(&frames(&plan, &mut ended));
    let server = plan.server.to_string();
    let judged = records.into_iter().map(|(index, record)| {
        let phone = plan.phone(index).expect("planned");
        let of = |record: &Record| {
            let messages = message::decode(record);
            let fill = Fill {
                vars: plan.vars(&phone),
                server: &server,
                root: plan.fleet(&phone).map_or("", |fleet| &fleet.root),
            };
            let seen = Seen {
                messages: &messages,
                lost: 0,
                began: Moment::ZERO + phone.start,
                state: None,
            };
            judge(case, &seen, &fill)
        };
        let mac = phone.identity.mac;
        let (ours, theirs) = match observer.record(mac) {
            Some(read) => (of(&record), of(read)),
            None => (of(&record), of(&Record::new(0))),
        };
        let text = format!("{} {mac}: {ours:?}\n{theirs:?}", case.id);
        (ours.verdict, theirs.verdict, text)
    });
    judged.collect()
}

fn same_verdicts(mutants: &[&str]) -> (usize, usize) {
    let known = mutant::built_in().expect("sound mutants");
    let names: Vec<String> = mutants.iter().map(|name| (*name).to_owned()).collect();
    let bench = Bench {
        profiles: ProfileSet::built_in(),
        phones: known.select(Side::Phone, &names).expect("known"),
        mutants: known,
        ..Bench::default()
    };
    let suites = suite::read_built_in().expect("sound suites");
    let suites = suites.iter().filter(|suite| suite.side == Side::Phone);
    let vendor = mutants.first().and_then(|name| name.split('/').nth(1));
    let suites = suites.filter(|suite| vendor.is_none_or(|vendor| vendor == suite.name));
    let (mut judged, mut failed) = (0, 0);
    for case in suites.flat_map(|suite| &suite.cases) {
        for (ours, theirs, text) in verdicts(case, &bench) {
            assert_eq!(ours, theirs, "{text}");
            judged += 1;
            failed += usize::from(ours == Verdict::Fail);
        }
    }
    (judged, failed)
}

#[test]
fn every_case_says_the_same_of_a_phone_and_of_its_capture() {
    let (judged, failed) = same_verdicts(&[]);
    assert!(judged > 150, "{judged}");
    assert_eq!(failed, 0);
}

#[test]
fn a_phone_that_deviates_fails_by_its_capture_on_the_same_cases() {
    for name in [
        "phone/flyingvoice/asks-in-upper-case",
        "phone/flyingvoice/new-xid-for-request",
    ] {
        let (_, failed) = same_verdicts(&[name]);
        assert!(failed > 0, "{name}");
    }
}
