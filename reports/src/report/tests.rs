use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bootstorm_emulator::event::{BootCause, Event, EventKind, Fault, File, Trigger};
use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::{Step, StepId};
use bootstorm_emulator::rng::Rng;
use bootstorm_emulator::time::Moment;

use super::*;
use crate::case::CaseVerdict;
use crate::measure::Measures;
use crate::run::Endpoint;
use crate::timeline::{Stage, Timeline};

/// Steps of a made-up profile: the fixed ones, then these files.
pub(crate) fn steps(files: &[&str]) -> Vec<Step> {
    let fixed = [
        "DISCOVER",
        "REQUEST",
        "renewal",
        "SUBSCRIBE",
        "NOTIFY",
        "given file",
        "include",
        "resource",
        "firmware",
        "settled",
        "SNTP",
        "redirect service",
        "REGISTER",
        "updates.xml",
        "linked file",
        "certificate",
        "mDNS query",
        "prompt",
        "Inform",
        "ACS",
        "download",
    ];
    let labels = fixed.iter().chain(files);
    let step = |label: &&str| Step {
        label: (*label).to_owned(),
        clauses: Vec::new(),
    };
    labels.map(step).collect()
}

pub(crate) const FLY: [&str; 4] = ["<mac>", "<mac>.boot", "y000000000000.cfg", "<mac>.cfg"];
pub(crate) const PND: [&str; 3] = ["<mac>.md5", "<mac>.txt", "currentversion.txt"];

pub(crate) fn facts(planned: u32) -> RunFacts {
    let endpoint = |(service, address): (&str, &str)| Endpoint {
        service: service.to_owned(),
        address: address.to_owned(),
    };
    RunFacts {
        version: "0.1.0".to_owned(),
        scenario: "every-vendor".to_owned(),
        seed: 42,
        attachment: "loopback".to_owned(),
        time_scale: 0.01,
        planned,
        shards: 2,
        cores: 2,
        subject: [("tftp", "127.0.0.1:6969"), ("http", "127.0.0.1:8080")]
            .map(endpoint)
            .into(),
        started_at: 1_700_000_000,
        elapsed: Duration::from_millis(4_300),
        deadline: Duration::from_secs(120),
        limits: [("transfers".to_owned(), 4_096)].into(),
        notes: ["certificates are not verified by flyingvoice/fip13g".to_owned()].into(),
        repeat: "bootstorm run every-vendor --seed 42 --phone {phone}".to_owned(),
        stopped: false,
        registered: 0,
        bodies: crate::run::Bodies::default(),
        thresholds: Vec::new(),
        absent: None,
        capacity: None,
        steps: Vec::new(),
        timeline: Timeline::default(),
        generator: crate::run::GeneratorHealth {
            late_starts: 3,
            dropped_datagrams: 0,
            lag_max: Duration::from_micros(8_400),
            saturated: BTreeSet::default(),
        },
    }
}

pub(crate) fn phone(index: u32, outcome: Outcome) -> PhoneResult {
    let settled = [Outcome::Provisioned, Outcome::Unverified, Outcome::Partial];
    PhoneResult {
        index,
        mac: Mac::from_oui([0x00, 0x21, 0xf2], index),
        profile: Arc::from("flyingvoice/fip13g"),
        firmware: Arc::from(""),
        outcome,
        scheduled_at: Moment::from_millis(100),
        settled_after: settled
            .contains(&outcome)
            .then(|| Duration::from_millis(1_000)),
        provisioned_after: (outcome == Outcome::Provisioned).then(|| Duration::from_millis(1_100)),
        reboots: 0,
        soft_reboots: 0,
        limit: None,
        first_wrong: None,
        difference: None,
    }
}

/// A part of a made-up run: these phones, drawn from `seed`.
pub(crate) fn part(seed: u64, indices: Range<u32>) -> Report {
    let mut rng = Rng::new(seed);
    let mut measures = Measures::default();
    let planned = indices.end - indices.start;
    let phones = indices.map(|index| {
        let (profile, files): (_, &[&str]) = match rng.up_to(1) {
            0 => ("flyingvoice/fip13g", &FLY),
            _ => ("plug-n-dial/bva8051", &PND),
        };
        boot(&mut measures, profile, files, &mut rng);
        let outcome = match rng.up_to(3) {
            0 => Outcome::Failed,
            1 => Outcome::Unverified,
            _ => Outcome::Provisioned,
        };
        let mut phone = phone(index, outcome);
        phone.profile = Arc::from(profile);
        phone.scheduled_at = Moment::from_millis(rng.up_to(2_000));
        phone.settled_after = phone
            .settled_after
            .map(|_| Duration::from_micros(rng.up_to(9_000_000)));
        phone
    });
    let phones = phones.collect();
    let mut facts = facts(planned);
    facts.started_at += rng.up_to(9);
    facts.elapsed = Duration::from_millis(rng.up_to(20_000));
    facts.generator.lag_max = Duration::from_micros(rng.up_to(90_000));
    facts.generator.late_starts = rng.up_to(9);
    facts
        .limits
        .insert(format!("limit {}", rng.up_to(2)), rng.up_to(9));
    facts.notes.insert(format!("note {}", rng.up_to(2)));
    facts.timeline = timeline(planned, &mut rng);
    if rng.chance(300) {
        facts.generator.saturated.insert("lag".to_owned());
    }
    Report::new(facts, measures.ladder(), phones, &Redactor::new(42)).unwrap()
}

/// A made-up case.
pub(crate) fn case(id: &str, verdict: CaseVerdict) -> CaseResult {
    let passed = verdict == CaseVerdict::Pass;
    let text = |text: &str| {
        if passed {
            String::new()
        } else {
            text.to_owned()
        }
    };
    CaseResult {
        id: id.to_owned(),
        suite: id.split('/').next().unwrap_or_default().to_owned(),
        side: "phone".to_owned(),
        purpose: "the first request names the common boot file".to_owned(),
        clauses: vec!["FLY-06".to_owned()],
        profile: "flyingvoice/fip13g".to_owned(),
        verdict,
        reason: text("the first request named another file"),
        expected: "sent tftp.rrq with file y000000000000.boot".to_owned(),
        actual: text("sent tftp.rrq with file 0021f2000011.boot"),
        exchange: vec![
            "0.000  → dhcp.discover".to_owned(),
            "0.104  → tftp.rrq 0021f2000011.boot octet".to_owned(),
        ],
        evidence: if passed { Vec::new() } else { vec![1] },
        took_us: 104_000,
    }
}

/// A report of cases alone.
pub(crate) fn certified(cases: Vec<CaseResult>) -> Report {
    let redactor = Redactor::new(42);
    let report = Report::new(facts(0), Ladder::default(), Vec::new(), &redactor).unwrap();
    report.with_cases(cases, &redactor)
}

/// Cases with every verdict, of two suites.
pub(crate) fn judged() -> Report {
    let verdicts = CaseVerdict::ALL.into_iter().chain([CaseVerdict::Fail]);
    let of = |suite: &'static str, side: &'static str| {
        verdicts.clone().zip(1..).map(move |(verdict, at)| {
            let mut case = case(&format!("{suite}/case-{at}"), verdict);
            case.side = side.to_owned();
            case
        })
    };
    certified(
        of("flyingvoice", "phone")
            .chain(of("protocol", "server"))
            .collect(),
    )
}

/// Phones that are switched on one after the other and come to rest.
pub(crate) fn timeline(phones: u32, rng: &mut Rng) -> Timeline {
    let mut timeline = Timeline::default();
    timeline.add_phones(phones);
    for phone in 0..phones {
        let mut at = Moment::from_millis(u64::from(phone));
        for pair in Stage::ALL.windows(2) {
            at = at + Duration::from_millis(rng.up_to(400));
            timeline.change(at, pair[0], pair[1]);
            timeline.add_traffic(at, [2, 1, u32::from(rng.chance(50))]);
        }
    }
    timeline
}

fn boot(measures: &mut Measures, profile: &str, files: &[&str], rng: &mut Rng) {
    let lane = measures.lane(profile, &steps(files));
    let mut record = |kind| {
        measures.record(
            lane,
            &Event {
                at: Moment::ZERO,
                kind,
            },
        )
    };
    let step = StepId::DISCOVER;
    record(EventKind::Booting(BootCause::Power));
    record(EventKind::Sent { step, bytes: 548 });
    record(EventKind::Answered {
        step,
        after: Duration::from_micros(rng.up_to(3_000)),
    });
    record(EventKind::RunStarted(Trigger::Boot(BootCause::Power)));
    for (at, _) in files.iter().enumerate() {
        let step = StepId::fetch(at);
        record(EventKind::Sent { step, bytes: 40 });
        match rng.up_to(4) {
            0 => record(EventKind::Missing {
                step,
                file: File::Step(step),
            }),
            1 => record(EventKind::Retried { step, attempt: 2 }),
            _ => record(EventKind::Answered {
                step,
                after: Duration::from_micros(rng.up_to(90_000)),
            }),
        }
    }
}

/// The run that golden files show: a thousand phones, some lost.
pub(crate) fn sample() -> Report {
    let mut measures = Measures::default();
    let mut rng = Rng::new(42);
    let mut phones = Vec::new();
    for index in 0..1_000 {
        let (profile, files): (_, &[&str]) = match index % 3 {
            0 => ("flyingvoice/fip13g", &FLY),
            1 => ("flyingvoice/fip16", &FLY),
            _ => ("plug-n-dial/bva8051", &PND),
        };
        boot(&mut measures, profile, files, &mut rng);
        let mut phone = phone(index, Outcome::Provisioned);
        phone.profile = Arc::from(profile);
        phone.scheduled_at = Moment::from_millis(u64::from(index));
        phone.provisioned_after = Some(Duration::from_micros(1_000_000 + rng.up_to(2_000_000)));
        phone.settled_after = phone.provisioned_after;
        phones.push(phone);
    }
    let mut lose = |index: usize, step: &str, text: &str| {
        let phone = &mut phones[index];
        phone.outcome = Outcome::Failed;
        phone.provisioned_after = None;
        phone.settled_after = None;
        phone.first_wrong = Some(FirstWrong {
            step: step.to_owned(),
            text: text.to_owned(),
        });
    };
    for index in (0..33).step_by(3) {
        lose(index, "<mac>.cfg", "no answer");
    }
    lose(36, "<mac>.cfg", "HTTP status 503");
    lose(503, "<mac>.md5", "not there");
    let phone = &mut phones[700];
    phone.outcome = Outcome::Partial;
    phone.provisioned_after = None;
    phone.difference = Some(Difference {
        key: "account.1.password".to_owned(),
        expected: "correct horse".to_owned(),
        held: Some("battery staple".to_owned()),
        source: "ftp://fly:battery@10.0.0.1/y000000000000.cfg:12".to_owned(),
    });
    let lane = measures.lane("flyingvoice/fip13g", &steps(&FLY));
    let step = StepId::fetch(3);
    for kind in [
        EventKind::Late { step },
        EventKind::Wrong {
            step,
            fault: Fault::ForeignTid,
        },
        EventKind::GaveUp {
            step,
            fault: Fault::Silence,
        },
    ] {
        measures.record(
            lane,
            &Event {
                at: Moment::ZERO,
                kind,
            },
        );
    }
    Report::new(facts(1_000), measures.ladder(), phones, &Redactor::new(42)).unwrap()
}

fn refused(planned: u32, phones: Vec<PhoneResult>) -> ReportFault {
    let redactor = Redactor::new(1);
    Report::new(facts(planned), Ladder::default(), phones, &redactor).unwrap_err()
}

#[test]
fn every_planned_phone_has_exactly_one_outcome() {
    let one = phone(3, Outcome::Failed);
    let two = phone(9, Outcome::NotStarted);
    assert_eq!(
        refused(3, vec![one.clone(), two.clone()]).to_string(),
        "3 phones were planned, but 2 have a result"
    );
    assert_eq!(
        refused(1, vec![one.clone(), two.clone()]),
        ReportFault::Count {
            planned: 1,
            results: 2
        }
    );
    assert_eq!(
        refused(3, vec![one.clone(), two, one]),
        ReportFault::Twice { index: 3 }
    );
}

#[test]
fn refuses_outcomes_that_contradict_their_times() {
    let mut late = phone(0, Outcome::Failed);
    late.provisioned_after = Some(Duration::ZERO);
    let fault = ReportFault::Contradiction {
        index: 0,
        outcome: "failed",
    };
    assert_eq!(refused(1, vec![late]), fault);
    let mut timeless = phone(0, Outcome::Provisioned);
    timeless.provisioned_after = None;
    let fault = ReportFault::Contradiction {
        index: 0,
        outcome: "provisioned",
    };
    assert_eq!(refused(1, vec![timeless]), fault);
    let mut facts = facts(0);
    facts.time_scale = f64::NAN;
    let report = Report::new(facts, Ladder::default(), Vec::new(), &Redactor::new(1));
    assert_eq!(report, Err(ReportFault::TimeScale));
}

#[test]
fn milestones_count_all_planned_phones_from_the_beginning_of_the_run() {
    let mut phones: Vec<_> = (0..20)
        .map(|index| phone(index, Outcome::Provisioned))
        .collect();
    for (phone, millis) in phones.iter_mut().zip(1..) {
        phone.scheduled_at = Moment::from_millis(1_000);
        phone.provisioned_after = Some(Duration::from_millis(millis));
    }
    let redactor = Redactor::new(1);
    let of = |phones| {
        Report::new(facts(20), Ladder::default(), phones, &redactor)
            .unwrap()
            .provisioned()
    };
    let millis = |millis| Some(Duration::from_millis(millis));
    let all = Milestones {
        p50: millis(1_010),
        p95: millis(1_019),
        p100: millis(1_020),
    };
    assert_eq!(of(phones.clone()), all);
    phones[0] = phone(0, Outcome::Failed);
    let one_lost = Milestones {
        p50: millis(1_011),
        p95: millis(1_020),
        p100: None,
    };
    assert_eq!(of(phones), one_lost);
}

#[test]
fn groups_by_model_and_step_with_the_commonest_cause_and_a_command() {
    let groups = sample().groups();
    let first = &groups[0];
    assert_eq!(
        (first.profile.as_str(), first.phones, first.causes),
        ("flyingvoice/fip13g", 12, 2)
    );
    assert_eq!(
        (first.first.step.as_str(), first.first.text.as_str()),
        ("<mac>.cfg", "no answer")
    );
    assert_eq!(first.example, 0);
    assert_eq!(
        groups[1].command,
        "bootstorm run every-vendor --seed 42 --phone 700"
    );
    assert_eq!(
        groups[1].first.text,
        "settings differ from the intended ones"
    );
    assert_eq!(groups[2].profile, "plug-n-dial/bva8051");
    let sum: u32 = groups.iter().map(|group| group.phones).sum();
    assert_eq!(sum, 14);
}

#[test]
fn secrets_do_not_get_in() {
    let secret = "hunter2";
    let mut facts = facts(1);
    let url = format!("http://fly:{secret}@10.0.0.1/");
    facts.subject.insert(Endpoint {
        service: "http".to_owned(),
        address: url.clone(),
    });
    facts.notes.insert(format!("used {url}"));
    facts.generator.saturated.insert(url.clone());
    facts.repeat = format!("bootstorm run --server {url} --phone {{phone}}");
    facts.scenario = url.clone();
    let mut lost = phone(0, Outcome::Partial);
    lost.first_wrong = Some(FirstWrong {
        step: url.clone(),
        text: format!("password={secret}"),
    });
    lost.difference = Some(Difference {
        key: "account.1.password".to_owned(),
        expected: secret.to_owned(),
        held: Some(format!("{secret}x")),
        source: format!("{url}x.cfg:3"),
    });
    let report = Report::new(facts, Ladder::default(), vec![lost], &Redactor::new(42)).unwrap();
    let mut text = Vec::new();
    crate::json::write(&report, &mut text).unwrap();
    crate::text::write(&report, crate::text::Style::default(), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap() + &format!("{report:?}");
    assert!(!text.contains(secret), "{text}");
    assert!(text.contains("***"), "{text}");
}

#[test]
fn removes_secrets_from_cases_and_thresholds() {
    let mut leaky = case("flyingvoice/x", CaseVerdict::Fail);
    leaky.reason = "got ftp://u:hunter2@h/x".to_owned();
    leaky.expected = "password=hunter2".to_owned();
    leaky.actual = "Authorization: Basic hunter2".to_owned();
    leaky.exchange = vec!["http.get /p?password=hunter2&x=1".to_owned()];
    let report = format!("{:?}", certified(vec![leaky]).cases());
    assert!(!report.contains("hunter2"), "{report}");
    let mut facts = facts(0);
    facts.thresholds.push(crate::case::ThresholdResult {
        expression: "true".to_owned(),
        met: None,
        actual: "http://u:hunter2@h/".to_owned(),
        aborted_at_us: None,
    });
    let report = Report::new(facts, Ladder::default(), Vec::new(), &Redactor::new(1)).unwrap();
    let told = format!("{:?}", report.facts().thresholds);
    assert!(!told.contains("hunter2"), "{told}");
}
