//! A profile's flow, explained: where it looks, which files it walks, and the ladder of a first
//! boot. The ladder is not written down anywhere: a phone of the profile boots on the simulated
//! network, in faithful time, and what it did is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::event::EventKind;
use bootstorm_emulator::operator::Operator;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::profile::{Classify, Fetch, Next, Profile, SourceKind, StepId};
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::scenario::{
    self, Acs, CUSTOM_OPTION, Discovery, Fleet, Link, Places, Scenario, Seal, TimeService,
    Transport,
};

use crate::fleet::ledger::Logged;
use crate::fleet::shard::ShardResult;
use crate::fleet::transcript;
use crate::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use crate::reference::Reference;
use crate::run::{Orders, simulate_shard};

mod further;
mod ladder;

/// How long the user of a ladder thinks (FAN-86).
const THINK: Duration = Duration::from_secs(15);
/// The scenario whose settings are shown where it has any: they make accounts that register.
const SAMPLED: &str = "first-run";
/// Longest boot shown: periodic runs come later.
const DEADLINE: Duration = Duration::from_secs(900);

/// A time server that is late: it says nothing, then that its clock is not set (AUE-05 … AUE-07).
const LATE: TimeService = TimeService {
    silent: Duration::from_secs(30),
    unsynchronised: Duration::from_secs(40),
};

/// The explanation of a profile.
///
/// # Errors
/// A profile whose own content table contradicts itself.
pub fn explain(
    profiles: &ProfileSet,
    profile: &Arc<Profile>,
    seed: u64,
    mermaid: bool,
) -> Result<String, String> {
    let mut text = String::new();
    let boots = boots(profile);
    if mermaid {
        let Some(boot) = boots.first() else {
            return Ok(text);
        };
        let (plan, result) = boot_once(profiles, profile, boot, seed)?;
        return Ok(ladder::mermaid(&plan, &result));
    }
    head(&mut text, profile);
    sources(&mut text, profile);
    walk(&mut text, profile);
    further::further(&mut text, profile);
    for boot in &boots {
        let (plan, result) = boot_once(profiles, profile, boot, seed)?;
        let _ = write!(text, "\nA first boot, {}\n\n", boot.title());
        ladder::text(&mut text, &plan, &result);
    }
    Ok(text)
}

/// One way in which the profile's content can be served and found.
#[derive(Clone)]
struct Boot {
    source: Discovery,
    transport: Transport,
    layout: String,
    time: TimeService,
}

impl Boot {
    fn title(&self) -> String {
        let source = self.source.title();
        let late = match self.time.unsynchronised.as_secs() {
            0 => String::new(),
            seconds => format!(", no time for the first {seconds} s"),
        };
        format!(
            "{source}, content \"{}\" over {}{late}",
            self.layout,
            self.transport.scheme()
        )
    }
}

/// Every layout once and every way of finding the server once, each layout with a way that suits
/// it: a layout with a file that holds everything with the ways that name a file, one that the
/// phone's own requests lead into rather with those that name a directory. The first of them once
/// more without the time, where the profile cannot do without it.
fn boots(profile: &Profile) -> Vec<Boot> {
    let mut layouts: Vec<&str> = Vec::new();
    for file in &profile.content {
        if !layouts.contains(&file.layout.as_str()) {
            layouts.push(&file.layout);
        }
    }
    let ways: Vec<_> = Discovery::of(profile).collect();
    let mut by_directory = ways.clone();
    by_directory.sort_by_key(|way| way.names_a_file());
    let suits = |way: Discovery, layout: &str| {
        let whole = profile.whole_file(layout).is_some();
        if way.names_a_file() {
            whole
        } else {
            !whole || profile.begins_in_directory(layout)
        }
    };
    let mut pairs: Vec<(Discovery, &str)> = Vec::new();
    for layout in &layouts {
        let suiting = || by_directory.iter().filter(|way| suits(**way, layout));
        let fresh = suiting().find(|way| pairs.iter().all(|(used, _)| used != *way));
        let way = fresh.or(suiting().next()).or(ways.first());
        pairs.extend(way.map(|way| (*way, *layout)));
    }
    for way in &ways {
        let suiting = layouts.iter().find(|layout| suits(*way, layout));
        let layout = suiting.or(layouts.first());
        if pairs.iter().all(|(used, _)| used != way) {
            pairs.extend(layout.map(|layout| (*way, *layout)));
        }
    }
    let transport = transport(profile);
    let boot = |(source, layout): (Discovery, &str)| Boot {
        source,
        transport,
        layout: layout.to_owned(),
        time: TimeService::default(),
    };
    let mut boots: Vec<Boot> = pairs.into_iter().map(boot).collect();
    let first = boots.first().filter(|_| profile.clock.is_some());
    let late = first.map(|first| Boot {
        time: LATE,
        ..first.clone()
    });
    boots.extend(late);
    boots
}

/// The directory of the content: that of the server itself, unless a phone asks for the directory's
/// own URL too (GIG-06), which has to be seen.
fn root(profile: &Profile) -> &'static str {
    let as_given = profile.fetches.iter().any(|fetch| fetch.as_given);
    if as_given { "device" } else { "" }
}

/// The protocol of an address without a scheme.
fn transport(profile: &Profile) -> Transport {
    let scheme = profile
        .params
        .get(bootstorm_emulator::profile::Param::BareScheme as usize);
    match scheme.map(|spec| spec.default.source()) {
        Some("ftp") => Transport::Ftp,
        Some("http") => Transport::Http,
        Some("https") => Transport::Https,
        _ => Transport::Tftp,
    }
}

fn boot_once(
    profiles: &ProfileSet,
    profile: &Arc<Profile>,
    boot: &Boot,
    seed: u64,
) -> Result<(Arc<Plan>, ShardResult), String> {
    let (sample, hosts) = sample(profile)?;
    let fleet = Fleet {
        name: "one".to_owned(),
        phones: 1,
        profiles: vec![(profile.name.clone(), 1)],
        source: boot.source,
        option: CUSTOM_OPTION,
        acs: (boot.source == Discovery::Acs).then(Acs::default),
        at: Places::default(),
        auth: None,
        transport: boot.transport,
        root: root(profile).to_owned(),
        layout: boot.layout.clone(),
        firmware: None,
        web: Vec::new(),
        file: None,
        seal: Seal::default(),
        operator: Some(user()),
        ..sample
    };
    let scenario = Scenario {
        seed,
        deadline: DEADLINE,
        link: Link {
            delay: Duration::from_micros(500),
            ..Link::default()
        },
        hosts,
        time: boot.time,
        ..Scenario::bare("explain", vec![fleet])
    };
    let plan = Plan::new(scenario, profiles, SIMULATED_SERVER).map_err(|faults| {
        faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    let plan = Arc::new(plan);
    let source = provision::tree(&plan).map_err(|fault| fault.to_string())?;
    let reference = Reference::new(provision::reference(&plan, source, SIMULATED_POOL));
    let orders = Orders {
        shards: 1,
        transcript: true,
        ..Orders::default()
    };
    let (result, _) = simulate_shard(&plan, reference, &orders);
    Ok((plan, result))
}

/// Whoever is at the display of a phone that asks for something.
fn user() -> Arc<Operator> {
    Arc::new(Operator {
        file_id: Template::parse("desk1").unwrap_or_default(),
        think: THINK,
        ..Operator::default()
    })
}

/// A fleet with settings that this profile (or its vendor) takes, out of the scenarios that come
/// with the program, and the hosts that the phones of that scenario know.
fn sample(profile: &Profile) -> Result<(Fleet, Hosts), String> {
    let vendor = profile.name.split('/').next().unwrap_or_default();
    let mut fleets = Vec::new();
    let mut scenarios = scenario::built_in().to_vec();
    scenarios.sort_by_key(|(name, _)| *name != SAMPLED);
    for (name, text) in scenarios {
        let read = scenario::read(name, text).map_err(|faults| faults.to_string())?;
        let hosts = read.hosts;
        let with_hosts = |fleet| (fleet, hosts.clone());
        fleets.extend(read.fleets.into_iter().map(with_hosts));
    }
    let of_model =
        |(fleet, _): &&(Fleet, Hosts)| fleet.profiles.iter().any(|(name, _)| *name == profile.name);
    let of_vendor = |(fleet, _): &&(Fleet, Hosts)| {
        fleet
            .profiles
            .iter()
            .any(|(name, _)| name.split('/').next() == Some(vendor))
    };
    let found = fleets
        .iter()
        .find(of_model)
        .or_else(|| fleets.iter().find(of_vendor));
    let bare = || Fleet::bare("", "", 1);
    Ok(found.cloned().unwrap_or_else(|| (bare(), Hosts::new())))
}

fn head(text: &mut String, profile: &Profile) {
    let Profile {
        vendor,
        model,
        name,
        firmware,
        summary,
        ..
    } = profile;
    let _ = writeln!(
        text,
        "{vendor} {model} ({name}), firmware {firmware}\n{summary}"
    );
    if !profile.unverified.is_empty() {
        text.push_str("\nNot known for sure\n");
        for sentence in &profile.unverified {
            let _ = writeln!(text, "  - {sentence}");
        }
    }
}

fn sources(text: &mut String, profile: &Profile) {
    text.push_str("\nWhere it looks for a server, in this order\n");
    if let Some(clock) = &profile.clock {
        let clauses = clock.clauses.join(" ");
        let _ = writeln!(
            text,
            "   0  {:<16}{:<50} {clauses}",
            "time", "SNTP, before any of them"
        );
    }
    for (place, source) in profile.sources.iter().enumerate() {
        let what = match &source.kind {
            SourceKind::Pnp => "SIP PnP by multicast".to_owned(),
            SourceKind::Dhcp {
                option,
                unless: Some(other),
                ..
            } => format!("DHCP option {option}, unless option {other} is given"),
            SourceKind::Dhcp {
                option,
                file_option: None,
                ..
            } => format!("DHCP option {option}"),
            SourceKind::Dhcp {
                option,
                file_option: Some(file),
                ..
            } => {
                format!("DHCP option {option}, file name in {file} where that is on")
            }
            SourceKind::DhcpChosen => "the DHCP option chosen on its web page".to_owned(),
            SourceKind::Static => "the static server of its web page".to_owned(),
            SourceKind::DhcpJoined => "DHCP options 43, 66 and 67 or file, joined".to_owned(),
            SourceKind::Redirect(_) => "the vendor's redirect service".to_owned(),
            SourceKind::Mdns => "multicast DNS".to_owned(),
            SourceKind::Acs => "the auto-configuration server (TR-069)".to_owned(),
            SourceKind::Fixed(_) => "a URL typed in on its web page".to_owned(),
        };
        let what = match &source.together {
            Some(name) => {
                let others = profile
                    .sources
                    .iter()
                    .filter(|other| other.id != source.id && other.together.as_ref() == Some(name));
                let others: Vec<_> = others.map(|other| other.id.as_str()).collect();
                format!("{what}, at once with {}", others.join(" and "))
            }
            None => what,
        };
        let clauses = source.clauses.join(" ");
        let _ = writeln!(
            text,
            "  {:>2}  {:<16}{what:<50} {clauses}",
            place + 1,
            source.id
        );
    }
}

fn walk(text: &mut String, profile: &Profile) {
    text.push_str("\nWhich files it asks for\n");
    if profile.classify == Classify::File {
        let clauses = |step: StepId| {
            let step = profile.steps.get(usize::from(step.0));
            step.map_or(String::new(), |step| step.clauses.join(" "))
        };
        let (given, linked) = (clauses(StepId::GIVEN), clauses(StepId::LINKED));
        let _ = writeln!(text, "   1  {:<22}{given}", "the URL's own file");
        let _ = writeln!(text, "   2  {:<22}{linked}", "what that file names");
    }
    for (place, fetch) in profile.fetches.iter().enumerate() {
        let clauses = fetch.clauses.join(" ");
        // A label may be the same for all models; the name is this one's.
        let own = fetch.name.is_constant() && fetch.name.source() != fetch.label;
        let usual = fetch.name.source().replace('{', "<").replace('}', ">");
        let name = match own && !fetch.as_given {
            true => format!("{}, {usual} ", fetch.label),
            false if fetch.name_from_url => {
                format!("{}, {usual} or as the URL says ", fetch.label)
            }
            false => format!("{} ", fetch.label),
        };
        let _ = writeln!(text, "  {:>2}  {name:<22}{clauses}", place + 1);
        let _ = writeln!(text, "        {}", moves(profile, fetch));
    }
}

fn moves(profile: &Profile, fetch: &Fetch) -> String {
    let name = |next: Next| match next {
        Next::End => "end of the list",
        Next::Fetch(index) => profile
            .fetches
            .get(usize::from(index))
            .map_or("?", |fetch| fetch.label.as_str()),
    };
    let mut text = format!(
        "found: {}; not there: {}",
        name(fetch.found),
        name(fetch.missing)
    );
    if fetch.beside_next {
        text.push_str("; asked for at the same time as the next");
    }
    if fetch.attempts > 1 {
        let (times, apart) = (fetch.attempts, fetch.pause.as_secs_f64());
        let _ = write!(text, " (asked for {times} times, {apart} s apart)");
    }
    if fetch.unchanged != fetch.found {
        let _ = write!(text, "; unchanged: {}", name(fetch.unchanged));
    }
    if fetch.missing_empty != fetch.missing {
        let _ = write!(
            text,
            "; not there and nothing held: {}",
            name(fetch.missing_empty)
        );
    }
    if fetch.verify {
        let _ = write!(text, "; checksum differs: {}", name(fetch.mismatch));
    }
    text
}

/// Host names and their addresses; `None` = the subject's.
type Hosts = BTreeMap<String, Option<Ipv4Addr>>;

/// What one event is in a ladder.
enum Rung {
    /// From the phone to the server.
    Request(StepId, String),
    /// From the server to the phone.
    Answer(String),
    /// Within the phone.
    Note(String),
}

fn rung(plan: &Plan, planned: &PhonePlan, result: &ShardResult, logged: &Logged) -> Option<Rung> {
    let text = transcript::tell(plan, planned, &result.urls, &logged.event.kind);
    Some(match logged.event.kind {
        EventKind::Sent { step, bytes } => {
            let name = label(plan, planned, step);
            Rung::Request(step, format!("{name} ({bytes} bytes)"))
        }
        EventKind::Retried { step, attempt } => {
            let name = label(plan, planned, step);
            Rung::Request(step, format!("{name}, attempt {attempt}"))
        }
        EventKind::Fetched {
            step, file, bytes, ..
        } if step < StepId::fetch(0) => {
            let name = transcript::file_name(plan, planned, &result.urls, file);
            let name = name.rsplit('/').next().unwrap_or_default();
            Rung::Answer(format!("{name}: {bytes} bytes"))
        }
        EventKind::Fetched { bytes, .. } => Rung::Answer(format!("{bytes} bytes")),
        EventKind::Missing { .. } => Rung::Answer("not there".to_owned()),
        EventKind::Challenged {
            step: StepId::REGISTER,
        } => Rung::Answer("401 or 407, with a challenge".to_owned()),
        EventKind::Answered { step, .. } => Rung::Answer(answer(step)?.to_owned()),
        _ => Rung::Note(text),
    })
}

/// What a step's answer is called; `None` for files, whose arrival is an event of its own.
fn answer(step: StepId) -> Option<&'static str> {
    Some(match step {
        StepId::DISCOVER => "OFFER",
        StepId::REQUEST | StepId::RENEW => "ACK",
        StepId::SUBSCRIBE | StepId::REGISTER => "200 OK",
        StepId::NOTIFY => "NOTIFY with the URL",
        StepId::CLOCK => "the time",
        StepId::REDIRECT => "answer",
        _ => return None,
    })
}

/// What a request is called: a file that has the same name for all phones by that, anything else
/// by its step's label.
fn label(plan: &Plan, planned: &PhonePlan, step: StepId) -> String {
    let profile = plan.profile(planned);
    let fetch = step.fetch_index();
    let fetch = fetch.and_then(|at| profile.and_then(|profile| profile.fetches.get(at)));
    if let Some(fetch) = fetch.filter(|it| it.name.is_constant() && !it.name.is_empty()) {
        let name = fetch.name.source();
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let step = profile.and_then(|profile| profile.steps.get(usize::from(step.0)));
    step.map_or_else(|| "?".to_owned(), |step| step.label.clone())
}

fn clauses(plan: &Plan, planned: &PhonePlan, step: StepId) -> String {
    let profile = plan.profile(planned);
    let step = profile.and_then(|profile| profile.steps.get(usize::from(step.0)));
    step.map_or_else(String::new, |step| step.clauses.join(" "))
}

/// Seconds with milliseconds.
fn seconds(at: Moment) -> f64 {
    at.since(Moment::ZERO).as_secs_f64()
}
