//! Cases carried out with real handsets, one after the other: content and server set up, power
//! cycled, listened, judged by the same suites as virtual phones, everything put back.

use std::collections::BTreeSet;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_scenarios::lab::{Action as Power, Capture, Lab, LabPlace};
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::Macs;
use bootstorm_scenarios::suite::{Case, Quantity, Side, Suite, WireLine};
use bootstorm_scenarios::wire::record::Record;

use super::power::{Asking, Outlet, PowerFault};
use super::stage::{self, Stage};
use super::watch::Watch;
use super::{file, fitting};
use crate::certify::{self, Bench};
use crate::content::{self, Files};
use crate::observe::gaps::Gaps;
use crate::provision;
use crate::reference::ReferenceConfig;

mod steps;

use steps::Steps;

/// How often it is looked how far a handset is.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is judged whether a case is decided.
const JUDGE: Duration = Duration::from_secs(1);

/// What cases at places have in common.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// Profiles, mutants, the user's wish to end it.
    pub bench: &'a Bench,
    /// Who asks people.
    pub asking: &'a dyn Asking,
    /// Long cases are carried out too.
    pub nightly: bool,
}

/// What came of the cases at a place.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A result for each case, in their order.
    pub results: Vec<CaseResult>,
    /// What a reader of the report is to know besides.
    pub notes: BTreeSet<String>,
}

/// Why a case was not judged by what was heard.
#[derive(Debug)]
enum Unjudged {
    /// It cannot be carried out with this handset.
    Not(String),
    /// The bench does not work: no case can be carried out at this place.
    Bench(String),
    /// Something of ours.
    Own(String),
    /// The user ended the run.
    Ended,
}

impl From<PowerFault> for Unjudged {
    fn from(fault: PowerFault) -> Self {
        match fault {
            PowerFault::Ended => Self::Ended,
            fault => Self::Bench(fault.to_string()),
        }
    }
}

impl From<stage::StageFault> for Unjudged {
    fn from(fault: stage::StageFault) -> Self {
        Self::Bench(fault.to_string())
    }
}

/// The cases that judge the handset of a place: those of its suite's phones, on its profile; those
/// about another model are left out.
#[must_use]
pub fn cases(suites: &[Suite], place: &LabPlace, profiles: &ProfileSet) -> Vec<Case> {
    let vendor = place.profile.split('/').next().unwrap_or_default();
    let wanted = place.suite.as_deref().unwrap_or(vendor);
    let known = profiles.get(&place.profile).is_ok();
    let about = suites.iter().filter(|suite| suite.side == Side::Phone);
    let cases = about
        .filter(|suite| suite.name == wanted)
        .flat_map(|suite| &suite.cases);
    let cases = cases.filter(|case| known && (!case.of_model || case.profile == place.profile));
    cases.map(|case| case.clone().on(&place.profile)).collect()
}

impl Table<'_> {
    /// Carries out cases with the handset of a place; `tell` hears of each result. After a fault of
    /// the bench the rest is not begun.
    pub fn run(
        &self,
        place: &LabPlace,
        cases: &[Case],
        tell: &mut dyn FnMut(&CaseResult),
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut broken: Option<String> = None;
        for case in cases {
            let result = match &broken {
                Some(fault) => {
                    let reason = format!("not begun: {fault}");
                    certify::told(case, CaseVerdict::Inconclusive, reason)
                }
                None => {
                    let done = self.case(place, case, &mut outcome.notes);
                    done.unwrap_or_else(|why| result_of(case, place, why, &mut broken))
                }
            };
            let result = CaseResult {
                profile: format!("{} at {}", place.profile, place.name),
                ..result
            };
            tell(&result);
            outcome.results.push(result);
        }
        if place.reset.is_none() && !place.forgets {
            outcome.notes.insert(format!(
                "place {}: the handset kept its settings from case to case (no 'reset')",
                place.name
            ));
        }
        outcome
    }

    fn case(
        &self,
        place: &LabPlace,
        case: &Case,
        notes: &mut BTreeSet<String>,
    ) -> Result<CaseResult, Unjudged> {
        if self.is_ended() {
            return Err(Unjudged::Ended);
        }
        let case = &at_place(case, place);
        let server = self.lab.subject.server;
        let prepared = certify::prepare(case, self.bench, server).map_err(Unjudged::Own)?;
        let Some(mut prepared) = prepared else {
            return Err(Unjudged::Not("no phone boots in it".to_owned()));
        };
        if let Some(firmware) = &place.firmware {
            let plan = Arc::make_mut(&mut prepared.plan);
            for profile in &mut plan.profiles {
                Arc::make_mut(profile).firmware.clone_from(firmware);
            }
        }
        let plan = Arc::clone(&prepared.plan);
        let own = file::plan(self.lab, place, &self.bench.profiles).map_err(Unjudged::Own)?;
        if let Some(why) = fitting::why_not(case, &plan, &own, place, self.nightly) {
            return Err(Unjudged::Not(why));
        }
        let (files, later) = (prepared.files.clone(), prepared.later.clone());
        let mut config = stage::config(&plan, prepared.take_source(), self.lab);
        config.http.redirects = prepared.moved;
        config.mutants = certify::server_mutants(case, self.bench).map_err(Unjudged::Own)?;
        let play = Play {
            case: Some(case),
            plan: &plan,
            files,
            later,
            config,
        };
        let (handset, took) = self.play(place, play, notes)?;
        Ok(handset.judged(case, &plan, took))
    }

    /// Boots the handset of a place once, on what the lab file says of its content.
    ///
    /// # Errors
    /// In words: what is wrong with the bench, or that the user ended it.
    pub fn observe(
        &self,
        place: &LabPlace,
        plan: &Arc<Plan>,
        notes: &mut BTreeSet<String>,
    ) -> Result<Record, String> {
        let files = content::generate(plan).map_err(|fault| fault.to_string())?;
        let source = provision::tree(plan).map_err(|fault| fault.to_string())?;
        let play = Play {
            case: None,
            plan,
            files,
            later: Vec::new(),
            config: stage::config(plan, source, self.lab),
        };
        let played = self.play(place, play, notes);
        let (handset, _) = played.map_err(|why| match why {
            Unjudged::Not(why) | Unjudged::Own(why) => why,
            Unjudged::Bench(why) => format!("bench fault at place {}: {why}", place.name),
            Unjudged::Ended => "the run was ended before the handset was at rest".to_owned(),
        })?;
        notes.extend(handset.gaps().sentences());
        Ok(handset.watch.record())
    }

    /// Sets up, boots, listens, puts everything back; how long it took from power on.
    fn play<'a>(
        &'a self,
        place: &'a LabPlace,
        play: Play<'_>,
        notes: &mut BTreeSet<String>,
    ) -> Result<(Handset<'a>, Duration), Unjudged> {
        play.plan.begin();
        let mut handset = Handset::new(self, place)?;
        // A bench that cannot work leaves the handset as it is.
        Stage::probe(self.lab, play.plan, &play.config)?;
        handset.reset(notes)?;
        handset.off()?;
        let stage = Stage::set(self.lab, play.plan, &play.files, play.config)?;
        let mut scene = Scene {
            case: play.case,
            plan: play.plan,
            later: play.later,
            stage,
        };
        notes.extend(handset.on()?);
        let heard = handset.wait(&mut scene);
        let took = handset.began.elapsed();
        let struck = scene.stage.strike();
        if let (Err(_), Err(fault)) = (&heard, &struck) {
            // The result tells of the other one.
            stage::tell_not_put_back(fault);
        }
        heard?;
        struck?;
        Ok((handset, took))
    }

    fn is_ended(&self) -> bool {
        self.bench.stop.load(Ordering::Relaxed)
    }
}

/// A case about the handset of a place.
fn at_place(case: &Case, place: &LabPlace) -> Case {
    let mut case = case.clone();
    let fleets = case.scenario.iter_mut().flat_map(|it| &mut it.fleets);
    for fleet in fleets.take(1) {
        fleet.profiles = vec![(place.profile.clone(), 1)];
        fleet.macs = Some(Macs {
            first: place.mac,
            last: place.mac,
        });
    }
    case
}

/// The result of a case that was not judged.
fn result_of(
    case: &Case,
    place: &LabPlace,
    why: Unjudged,
    broken: &mut Option<String>,
) -> CaseResult {
    match why {
        Unjudged::Not(why) => certify::told(case, CaseVerdict::Inconclusive, why),
        Unjudged::Own(why) => certify::told(case, CaseVerdict::Error, why),
        Unjudged::Ended => {
            let reason = "the run was ended before it was decided".to_owned();
            *broken = Some("the run was ended".to_owned());
            certify::told(case, CaseVerdict::Inconclusive, reason)
        }
        Unjudged::Bench(why) => {
            let fault = format!("bench fault at place {}: {why}", place.name);
            *broken = Some(fault.clone());
            certify::told(case, CaseVerdict::Error, fault)
        }
    }
}

/// What a handset is to meet.
struct Play<'a> {
    case: Option<&'a Case>,
    plan: &'a Arc<Plan>,
    files: Files,
    /// The files after each change.
    later: Vec<Files>,
    config: ReferenceConfig,
}

/// What goes on around a handset.
struct Scene<'a> {
    case: Option<&'a Case>,
    plan: &'a Arc<Plan>,
    /// The files after each change.
    later: Vec<Files>,
    stage: Stage,
}

/// Why a handset was judged before its case was over, in words: time ran out.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hurry {
    /// It was not at rest.
    Rest(String),
    /// Steps were still to be taken.
    Steps(String),
}

/// A handset under way. Dropping it gives it back its power.
struct Handset<'a> {
    table: &'a Table<'a>,
    place: &'a LabPlace,
    outlet: Outlet,
    watch: Watch,
    is_off: bool,
    /// When its power came.
    began: Instant,
    /// Something must be heard of it after this, of more packets than these.
    awaited: Option<(Instant, u64)>,
    /// It is not at rest before so long a silence after this.
    since: Instant,
    silence: Duration,
    /// Why it was judged before its case was over.
    hurry: Option<Hurry>,
    /// Held by one run at a time.
    _lock: UnixDatagram,
}

impl<'a> Handset<'a> {
    fn new(table: &'a Table<'a>, place: &'a LabPlace) -> Result<Self, Unjudged> {
        let bench = |why: String| Unjudged::Bench(why);
        let outlet = Outlet::of(table.lab, place);
        let outlet = outlet.ok_or_else(|| bench("it has no power".to_owned()))?;
        let lock = lock(place.mac).map_err(bench)?;
        let watch = Watch::start(&place.capture, place.mac);
        let watch = watch.map_err(|fault| bench(fault.to_string()))?;
        Ok(Self {
            table,
            place,
            outlet,
            watch,
            is_off: false,
            began: Instant::now(),
            awaited: None,
            since: Instant::now(),
            silence: place.rest,
            hurry: None,
            _lock: lock,
        })
    }

    fn act(&self, action: Power) -> Result<String, PowerFault> {
        let stop = &self.table.bench.stop;
        self.outlet.act(action, stop, self.table.asking)
    }

    /// Takes it back to factory settings, where something can.
    fn reset(&self, notes: &mut BTreeSet<String>) -> Result<(), Unjudged> {
        let Some(reset) = Outlet::of_reset(self.table.lab, self.place) else {
            return Ok(());
        };
        let stop = &self.table.bench.stop;
        let done = reset.act(Power::Reset, stop, self.table.asking)?;
        notes.insert(format!("place {}: reset: {done}", self.place.name));
        Ok(())
    }

    fn off(&mut self) -> Result<(), Unjudged> {
        if self.outlet.has_off() {
            // Also when it is not known whether it did.
            self.is_off = true;
            self.act(Power::Off)?;
        }
        Ok(())
    }

    /// Gives it power, after it was without for long enough; what is heard from here on counts.
    fn on(&mut self) -> Result<Option<String>, Unjudged> {
        if self.is_off {
            self.waits(self.place.off)?;
        }
        self.watch.begin();
        self.began = Instant::now();
        let action = if self.is_off { Power::On } else { Power::Cycle };
        let done = self.act(action)?;
        self.is_off = false;
        self.powered(0);
        let note = format!("place {}: {}: {done}", self.place.name, action.word());
        Ok(Some(note))
    }

    /// It has just got power: something must come.
    fn powered(&mut self, packets: u64) {
        self.since = Instant::now();
        self.awaited = Some((self.since, packets));
        self.silence = self.place.rest;
    }

    fn waits(&self, time: Duration) -> Result<(), Unjudged> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.table.is_ended() {
                return Err(Unjudged::Ended);
            }
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }

    /// Waits until the case is over: the handset at rest behind its last step, decided before, or
    /// out of time.
    fn wait(&mut self, scene: &mut Scene<'_>) -> Result<(), Unjudged> {
        let scenario = &scene.plan.scenario;
        let (deadline, lasts) = (scenario.deadline, scenario.lasts);
        let mut steps = Steps::new(&scenario.steps);
        let (mut judged, mut judged_at) = (0, Instant::now());
        loop {
            let (packets, at_rest) = self.look(scene)?;
            steps.take(self, scene, at_rest)?;
            let elapsed = self.began.elapsed();
            let over = steps.is_over();
            if over && at_rest && elapsed >= lasts {
                return Ok(());
            }
            if elapsed >= deadline {
                let seconds = deadline.as_secs();
                self.hurry = match (over, at_rest) {
                    (false, _) => Some(Hurry::Steps(format!(
                        "the {seconds} s of the case were over before all its steps were taken"
                    ))),
                    (true, false) => Some(Hurry::Rest(format!(
                        "the handset was not at rest within {seconds} s"
                    ))),
                    (true, true) => None,
                };
                return Ok(());
            }
            let final_case = scene.case.filter(|case| over && is_final(case));
            if let Some(case) = final_case
                && packets != judged
                && judged_at.elapsed() >= JUDGE
            {
                (judged, judged_at) = (packets, Instant::now());
                let result = self.result(case, scene.plan, elapsed);
                if result.verdict == CaseVerdict::Pass {
                    return Ok(());
                }
            }
            self.waits(LOOK)?;
        }
    }

    /// How many packets there are, and whether it is at rest.
    fn look(&mut self, scene: &Scene<'_>) -> Result<(u64, bool), Unjudged> {
        if self.table.is_ended() {
            return Err(Unjudged::Ended);
        }
        let heard = self.watch.heard();
        if let Some(why) = heard.ended {
            return Err(Unjudged::Bench(format!("what listens to it ended: {why}")));
        }
        if !scene.stage.is_alive() {
            return Err(Unjudged::Bench("the reference server died".to_owned()));
        }
        if let Some((since, packets)) = self.awaited {
            let is_there = heard.packets > packets || (packets == 0 && heard.linked);
            if is_there {
                self.awaited = None;
            } else if since.elapsed() > self.place.link {
                return Err(Unjudged::Bench(self.never_linked()));
            }
        }
        let silent = heard.silent.min(self.since.elapsed());
        let at_rest = self.awaited.is_none() && heard.packets > 0 && silent >= self.silence;
        // One that has a link and says nothing at all is waited for no longer than that.
        let dumb = heard.packets == 0 && self.awaited.is_none() && silent >= self.place.link;
        Ok((heard.packets, at_rest || dumb))
    }

    fn never_linked(&self) -> String {
        let place = self.place;
        let (at, carrier) = match &place.capture {
            Capture::Interface(name) => (format!("interface {name}"), carrier(name)),
            Capture::Command(words) => (words.join(" "), ""),
            Capture::File(path) => (path.clone(), ""),
        };
        format!(
            "handset {} never linked: within {} s after its power came back nothing of it was \
             heard at {at}{carrier}",
            place.mac,
            place.link.as_secs_f64()
        )
    }

    /// Takes its power and gives it back.
    fn cycle(&mut self, off: Duration) -> Result<(), Unjudged> {
        let packets = self.watch.heard().packets;
        if self.outlet.has_off() {
            self.off()?;
            self.waits(off)?;
            self.act(Power::On)?;
            self.is_off = false;
        } else {
            self.act(Power::Cycle)?;
        }
        self.powered(packets);
        Ok(())
    }

    fn result(&self, case: &Case, plan: &Plan, took: Duration) -> CaseResult {
        let mut record = self.watch.record();
        certify::judged_record(case, plan, &mut record, took, self.table.bench)
    }

    fn judged(&self, case: &Case, plan: &Plan, took: Duration) -> CaseResult {
        let mut result = self.result(case, plan, took);
        self.gaps().take_back(case, &mut result);
        if let (CaseVerdict::Inconclusive, Some(Hurry::Steps(why))) = (result.verdict, &self.hurry)
            && !result.reason.starts_with(why)
        {
            result.reason = format!("{why}: {}", result.reason);
        }
        result
    }

    /// Why not everything was seen that its case is about.
    fn gaps(&self) -> Gaps {
        let mut gaps = self.watch.gaps();
        match &self.hurry {
            None => {}
            Some(Hurry::Rest(why)) => gaps.end = Some(why.clone()),
            Some(Hurry::Steps(why)) => gaps.others.insert(0, why.clone()),
        }
        gaps
    }
}

impl Drop for Handset<'_> {
    fn drop(&mut self) {
        if self.is_off {
            let never = AtomicBool::new(false);
            if let Err(fault) = self.outlet.act(Power::On, &never, self.table.asking) {
                eprintln!(
                    "bootstorm: place {} may be without power: {fault}",
                    self.place.name
                );
            }
        }
    }
}

/// Keeps other runs from a handset for as long as it is held; the kernel frees it when the process
/// ends, however that is.
fn lock(mac: Mac) -> Result<UnixDatagram, String> {
    let name = SocketAddr::from_abstract_name(format!("bootstorm-handset-{mac}"));
    let lock = name.and_then(|name| UnixDatagram::bind_addr(&name));
    lock.map_err(|_| format!("another run of bootstorm has the handset {mac}: wait for it"))
}

/// Whether a pass stays one, whatever else may come.
fn is_final(case: &Case) -> bool {
    let next = |line: &WireLine| match line {
        WireLine::Again => true,
        WireLine::Wanted(wanted) => matches!(wanted.quantity, Quantity::Next { .. }),
    };
    case.wire.iter().all(next)
}

/// What an interface of this machine says of its link.
fn carrier(interface: &str) -> &'static str {
    let path = format!("/sys/class/net/{interface}/carrier");
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim() == "0" => ", which has no link",
        Ok(_) => ", which has a link",
        // One that is down does not even say so.
        Err(_) => ", which is down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handset_is_one_runs_at_a_time() {
        let mac = Mac([0x02, 0x5b, 0, 0, 0, 1]);
        let held = lock(mac).expect("free");
        let told = lock(mac).expect_err("held");
        assert_eq!(
            told,
            "another run of bootstorm has the handset 025b00000001: wait for it"
        );
        drop(held);
        lock(mac).expect("free again");
    }
}
