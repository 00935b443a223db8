//! A made-up run that has something of everything, some of it hostile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::event::{BootCause, Event, EventKind, Fault, Trigger};
use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::{Step, StepId};
use bootstorm_emulator::rng::Rng;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::case::{CaseResult, CaseVerdict, ThresholdResult};
use bootstorm_reports::measure::{Ladder, Lane, Measures};
use bootstorm_reports::redact::Redactor;
use bootstorm_reports::report::Report;
use bootstorm_reports::run::{
    BodySum, Difference, Endpoint, FirstWrong, Outcome, PhoneResult, RunFacts, StepResult,
};
use bootstorm_reports::timeline::{Stage, Timeline};
use bootstorm_scenarios::clause::Register;

/// Text that a server might send to whoever shows it.
pub(crate) const HOSTILE: &str = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\
     '\"`<!--\u{202e}";

const FIXED: [&str; 21] = [
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
    "updates",
    "linked file",
    "certificate",
    "mDNS query",
    "prompt",
    "Inform",
    "ACS",
    "download",
];
const MODELS: [(&str, &str, &[&str]); 4] = [
    (
        "flyingvoice/fip13g",
        "V0.7.27.4",
        &["<mac>.boot", "y000000000000.cfg", "<mac>.cfg"],
    ),
    (
        "flyingvoice/fip16",
        "V0.7.31",
        &["<mac>.boot", "y000000000000.cfg", "<mac>.cfg"],
    ),
    (
        "plug-n-dial/bva8051",
        "1.41",
        &["<mac>.md5", "<mac>.txt", "currentversion.txt"],
    ),
    (
        "gigaset/maxwell-3",
        "3.13.1",
        &["provisioning.xml", "<mac>.xml"],
    ),
];

struct Fleet {
    measures: Measures,
    lanes: Vec<Lane>,
    timeline: Timeline,
    rng: Rng,
}

/// The run; `phones` of them.
pub(crate) fn report(phones: u32) -> Report {
    let mut measures = Measures::default();
    let lanes = MODELS.iter().map(|(name, _, files)| {
        let step = |label: &&str| Step {
            label: (*label).to_owned(),
            clauses: Vec::new(),
        };
        let steps: Vec<Step> = FIXED.iter().chain(*files).map(step).collect();
        measures.lane(name, &steps)
    });
    let mut fleet = Fleet {
        lanes: lanes.collect(),
        measures,
        timeline: Timeline::default(),
        rng: Rng::new(7),
    };
    fleet.timeline.add_phones(phones);
    let results = (0..phones).map(|index| fleet.boot(index)).collect();
    let mut facts = facts(phones);
    facts.timeline = fleet.timeline;
    let ladder = fleet.measures.ladder();
    let redactor = Redactor::new(7);
    let report = Report::new(facts, ladder, results, &redactor).expect("sound");
    let examples = report.groups().into_iter().map(|group| group.example);
    let exchanges: Vec<_> = examples.map(|index| (index, exchange())).collect();
    report
        .with_exchanges(exchanges, &redactor)
        .with_cases(cases(), &redactor)
}

/// A run of which every phone failed in another way, in words that a server chose.
pub(crate) fn all_different(phones: u32) -> Report {
    let long = |what: &str, index: u32| format!("{what} {index} <img src=x onerror=\"{index}\">");
    let phone = |index: u32| PhoneResult {
        index,
        mac: Mac::from_oui([0x00, 0x21, 0xf2], index),
        profile: Arc::from("flyingvoice/fip13g"),
        firmware: long("version", index).into(),
        outcome: Outcome::Failed,
        scheduled_at: Moment::from_millis(1_000_000 + u64::from(index)),
        settled_after: Some(Duration::from_micros(1_234_567_890)),
        provisioned_after: None,
        reboots: 12,
        soft_reboots: 12,
        limit: Some(long("limit", index).into()),
        first_wrong: Some(FirstWrong {
            step: long("step", index),
            text: long("cause", index),
        }),
        difference: Some(Difference {
            key: long("key", index),
            expected: long("expected", index),
            held: Some(long("held", index)),
            source: long("file", index),
        }),
    };
    let results = (0..phones).map(phone).collect();
    let redactor = Redactor::new(7);
    let report = Report::new(facts(phones), Ladder::default(), results, &redactor).expect("sound");
    let exchanges: Vec<_> = (0..60).map(|index| (index, exchange())).collect();
    report.with_exchanges(exchanges, &redactor)
}

impl Fleet {
    fn boot(&mut self, index: u32) -> PhoneResult {
        let model = self.rng.up_to(3) as usize;
        let (profile, firmware, files) = MODELS[model];
        let scheduled = Moment::from_millis(u64::from(index) * 4);
        let mut walk = Walk {
            at: scheduled,
            stage: Stage::Off,
            lane: self.lanes[model],
        };
        let lost = self.steps(&mut walk, index, files);
        let partial = lost && index.is_multiple_of(2);
        let failed = lost && !partial;
        if !failed {
            let stage = if partial {
                Stage::Unintended
            } else {
                Stage::Settled
            };
            self.go(&mut walk, stage, EventKind::Settled);
        }
        let after = walk.at.since(scheduled);
        let outcome = match (failed, partial) {
            (true, _) => Outcome::Failed,
            (_, true) => Outcome::Partial,
            _ => Outcome::Provisioned,
        };
        PhoneResult {
            index,
            mac: Mac::from_oui([0x00, 0x21, 0xf2], index),
            profile: Arc::from(profile),
            firmware: Arc::from(firmware),
            outcome,
            scheduled_at: scheduled,
            settled_after: (!failed).then_some(after),
            provisioned_after: (!lost).then_some(after),
            reboots: 0,
            soft_reboots: 1,
            limit: None,
            first_wrong: lost.then(|| first_wrong(index, files[1], partial)),
            difference: partial.then(|| Difference {
                key: "account.1.label".to_owned(),
                expected: format!("Desk {index:05}"),
                held: Some(HOSTILE.to_owned()),
                source: format!("{}:12", files[1]),
            }),
        }
    }

    /// The steps of a boot; true where the phone gives one up.
    fn steps(&mut self, walk: &mut Walk, index: u32, files: &[&str]) -> bool {
        self.go(walk, Stage::Booting, EventKind::Booting(BootCause::Power));
        walk.at = walk.at + Duration::from_millis(120 + self.rng.up_to(90));
        for step in [StepId::DISCOVER, StepId::REQUEST] {
            self.ask(walk, Stage::Lease, step, 900);
        }
        let run = EventKind::RunStarted(Trigger::Boot(BootCause::Power));
        self.go(walk, Stage::Discovery, run);
        self.ask(walk, Stage::Discovery, StepId::SUBSCRIBE, 4_000);
        for at in 0..files.len() {
            self.ask(
                walk,
                Stage::Fetching,
                StepId::fetch(at),
                30_000 + u64::from(index) * 300,
            );
        }
        if self.rng.chance(200) {
            self.ask(walk, Stage::Firmware, StepId::FIRMWARE, 900_000);
            walk.at = walk.at + Duration::from_millis(600);
        }
        let lost = self.rng.chance(60);
        if lost {
            let step = StepId::fetch(1);
            let fault = Fault::Silence;
            self.go(walk, Stage::Waiting, EventKind::GaveUp { step, fault });
            walk.at = walk.at + Duration::from_millis(1_500);
        } else {
            self.ask(walk, Stage::Registering, StepId::REGISTER, 12_000);
        }
        lost
    }

    fn go(&mut self, walk: &mut Walk, stage: Stage, kind: EventKind) {
        self.timeline.change(walk.at, walk.stage, stage);
        self.timeline.record(walk.at, &kind);
        self.measures
            .record(walk.lane, &Event { at: walk.at, kind });
        walk.stage = stage;
    }

    /// A request and its answer, about so many microseconds later.
    fn ask(&mut self, walk: &mut Walk, stage: Stage, step: StepId, micros: u64) {
        self.go(walk, stage, EventKind::Sent { step, bytes: 60 });
        let share = 1 + self.rng.up_to(9) * self.rng.up_to(9) / 9;
        let mut after = Duration::from_micros(micros * share / 3 + self.rng.up_to(micros));
        if self.rng.chance(40) {
            let second = Duration::from_millis(1_000);
            walk.at = walk.at + second;
            after += second;
            self.go(walk, stage, EventKind::Retried { step, attempt: 2 });
        }
        walk.at = walk.at + after;
        self.go(walk, stage, EventKind::Answered { step, after });
    }
}

fn first_wrong(index: u32, file: &str, partial: bool) -> FirstWrong {
    let (step, text) = match partial {
        true => ("settings", "a setting differs from its intended value"),
        false if index % 5 == 1 => (file, HOSTILE),
        false => (file, "no answer"),
    };
    FirstWrong {
        step: step.to_owned(),
        text: text.to_owned(),
    }
}

struct Walk {
    at: Moment,
    stage: Stage,
    lane: Lane,
}

fn facts(planned: u32) -> RunFacts {
    let endpoint = |(service, address): (&str, &str)| Endpoint {
        service: service.to_owned(),
        address: address.to_owned(),
    };
    let sum = |count, bytes| BodySum { count, bytes };
    RunFacts {
        version: "0.1.0".to_owned(),
        scenario: "power-return".to_owned(),
        seed: 42,
        attachment: "loopback".to_owned(),
        time_scale: 0.01,
        planned,
        shards: 2,
        cores: 2,
        subject: [
            ("tftp", "127.0.0.1:6969"),
            ("http", "127.0.0.1:8080"),
            ("dhcp (built in)", "127.0.0.1:6767"),
        ]
        .map(endpoint)
        .into(),
        started_at: 1_790_000_000,
        elapsed: Duration::from_millis(24_300),
        deadline: Duration::from_secs(120),
        limits: [("TCP connections at once".to_owned(), 8_192)].into(),
        notes: BTreeSet::from([
            "flyingvoice/fip13g does not verify the server's certificate".to_owned(),
            format!("the server calls itself {HOSTILE}"),
        ]),
        repeat: "bootstorm run power-return --subject tftp://127.0.0.1:6969 --seed 42 --phone \
                 {phone} --out bootstorm-report/phone-{phone} --events -"
            .to_owned(),
        registered: planned,
        bodies: bootstorm_reports::run::Bodies {
            fetched: sum(3_000, 264_100_000),
            held: sum(1_001, 1_300_000),
            hashed: sum(1_001, 1_300_000),
        },
        steps: vec![StepResult {
            what: "check-sync;reboot=true".to_owned(),
            planned,
            registered: planned,
            accepted: planned - planned / 50,
            silent: planned / 50,
            resynced: planned - planned / 50,
            ..StepResult::default()
        }],
        thresholds: vec![
            threshold(
                "p99(\"boot\") < duration(\"5s\")",
                Some(true),
                "p99(\"boot\") = 4.12 s",
            ),
            threshold(
                "provisioned == planned",
                Some(false),
                "provisioned = 940, planned = 1,000",
            ),
            threshold(
                "p95(\"nothing\") < duration(\"1s\")",
                None,
                "no step is named \"nothing\"",
            ),
        ],
        ..RunFacts::default()
    }
}

fn threshold(expression: &str, met: Option<bool>, actual: &str) -> ThresholdResult {
    ThresholdResult {
        expression: expression.to_owned(),
        met,
        actual: actual.to_owned(),
        aborted_at_us: None,
    }
}

/// Cases about every third clause of the register, a suite for each document.
fn cases() -> Vec<CaseResult> {
    let register = Register::built_in().expect("a register without faults");
    let clauses: Vec<_> = register
        .clauses()
        .map(|clause| clause.id.to_string())
        .collect();
    let mut rng = Rng::new(3);
    let mut cases = Vec::new();
    for (at, clause) in clauses.iter().enumerate().filter(|(at, _)| at % 3 == 0) {
        let prefix = clause.split('-').next().unwrap_or_default().to_lowercase();
        let verdict = match rng.up_to(29) {
            0 | 1 => CaseVerdict::Fail,
            2 => CaseVerdict::Inconclusive,
            3..=6 => CaseVerdict::NotApplicable,
            7 if at < 40 => CaseVerdict::Error,
            _ => CaseVerdict::Pass,
        };
        cases.push(case(&prefix, at, clause, verdict));
    }
    cases
}

fn case(suite: &str, at: usize, clause: &str, verdict: CaseVerdict) -> CaseResult {
    let failed = verdict == CaseVerdict::Fail;
    let mut exchange = exchange();
    if failed {
        exchange.push(format!("0.400 s  ←  HTTP 200, Server: {HOSTILE}"));
    }
    let observed = !matches!(
        verdict,
        CaseVerdict::NotApplicable | CaseVerdict::Inconclusive
    );
    CaseResult {
        id: format!("{suite}/case-{at}"),
        suite: suite.to_owned(),
        side: "server".to_owned(),
        purpose: format!("number {at} of the behaviours that `{suite}` asks for is there"),
        clauses: vec![clause.to_owned()],
        profile: "flyingvoice/fip13g".to_owned(),
        verdict,
        reason: match verdict {
            CaseVerdict::NotApplicable => "the subject has no TFTP service".to_owned(),
            CaseVerdict::Inconclusive => "the subject was down in the preamble".to_owned(),
            CaseVerdict::Fail => format!("the OACK leaves blksize out {HOSTILE}"),
            _ => String::new(),
        },
        expected: if observed {
            "tftp.oack with `option.blksize` = 1024".to_owned()
        } else {
            String::new()
        },
        actual: match verdict {
            CaseVerdict::Pass => "tftp.oack with `option.blksize` = 1024".to_owned(),
            CaseVerdict::Fail => "tftp.oack without `option.blksize`; options = tsize".to_owned(),
            _ => String::new(),
        },
        exchange: if observed { exchange } else { Vec::new() },
        evidence: if observed { vec![5] } else { Vec::new() },
        took_us: 312_000,
    }
}

fn exchange() -> Vec<String> {
    let lines = [
        "0.000 s  →  DHCP DISCOVER xid 0x1b2c3d4e, options 53 55 60 61 66",
        "0.001 s  ←  DHCP OFFER 127.1.0.17, option 66 \"tftp://127.0.0.1\"",
        "0.001 s  →  DHCP REQUEST 127.1.0.17",
        "0.002 s  ←  DHCP ACK 127.1.0.17, lease 86,400 s",
        "0.310 s  →  TFTP RRQ 0021f2000011.boot octet, tsize 0 blksize 1024",
        "0.311 s  ←  TFTP OACK tsize 421",
        "0.311 s  →  TFTP ACK 0",
        "0.312 s  ←  TFTP DATA block 1, 421 bytes",
        "0.312 s  →  TFTP ACK 1",
    ];
    lines.iter().map(|line| (*line).to_owned()).collect()
}
