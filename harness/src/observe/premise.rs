//! Whether a capture shows what a case starts from. A case is about a phone in a world of its own:
//! which options a server gives, which files it has, how the phone is set. Of a phone that did
//! otherwise in another world nothing follows, so a case whose world a capture does not show is not
//! judged by it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use bootstorm_emulator::profile::Param;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::scenario::{Action, Discovery, Fleet, PnpAnswers, Step, TimeService};
use bootstorm_scenarios::suite::{Case, WireLine};
use bootstorm_scenarios::wire::message::Message;
use bootstorm_scenarios::wire::record::Record;
use bootstorm_scenarios::wire::{Carrier, Way};
use md5::{Digest as _, Md5};

use super::traits;
use crate::certify::case::Prepared;

/// The error code of a file that is not there (RFC 1350 §5).
const NOT_FOUND: &str = "1";

/// What a capture shows of the world that a phone was in.
#[derive(Debug, Default)]
pub(super) struct World {
    /// What the server answered for each file, by its path without a slash in front.
    answers: BTreeMap<String, Answer>,
    /// Options of the lease.
    options: BTreeSet<u8>,
    has_file_field: bool,
    asked_by_multicast: bool,
    notified: bool,
    check_syncs: usize,
    answered_by_mdns: bool,
    was_challenged: bool,
    schemes: BTreeSet<&'static str>,
    /// The first message of a file that came.
    pub(super) first_file: Option<usize>,
    /// From the first message to the end of the capture.
    span: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    /// The message that says so.
    at: usize,
    found: bool,
    /// Its MD5, where all of it was kept.
    digest: Option<String>,
}

/// How what a phone got differs from what a case gives.
#[derive(Debug, Default)]
pub(super) struct Gap {
    /// What the capture does not show, in words: the case is not judged.
    pub(super) lacking: Vec<String>,
    /// Once a file had come the server's content was not the case's: what the phone does from then
    /// on follows from another one.
    pub(super) other_content: bool,
}

impl World {
    /// What messages show, and the record that they are of, up to the end of the capture.
    pub(super) fn of(messages: &[Message], record: &Record, last: Moment) -> Self {
        let mut world = Self::default();
        let first = messages.first().map_or(last, |first| first.at);
        world.span = last.since(first);
        let mut asked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (at, message) in messages.iter().enumerate() {
            let field = |key| message.field(key);
            match (message.way, message.name.as_ref()) {
                (Way::Sent, "sip.subscribe") => {
                    world.asked_by_multicast |= message.peer.ip().is_multicast();
                }
                (Way::Received, "sip.notify") => {
                    let event = field("event").unwrap_or_default();
                    world.notified |= event.starts_with("ua-profile");
                    world.check_syncs += usize::from(event.starts_with("check-sync"));
                }
                (Way::Received, "mdns.response") => world.answered_by_mdns = true,
                (Way::Received, "dhcp.ack") => {
                    let codes = field("options").unwrap_or_default().split(' ');
                    world
                        .options
                        .extend(codes.filter_map(|code| code.parse::<u8>().ok()));
                    world.has_file_field |= field("file").is_some_and(|it| !it.is_empty());
                }
                (Way::Sent, "tftp.rrq") => drop(world.schemes.insert("tftp")),
                (Way::Sent, "ftp.retr") => drop(world.schemes.insert("ftp")),
                (Way::Received, "tftp.error") if field("code") == Some(NOT_FOUND) => {
                    world.answer(field("file"), (at, false), None);
                }
                (Way::Received, "tftp.data") => world.answer(field("file"), (at, true), None),
                (Way::Received, "ftp.end") if field("complete") == Some("true") => {
                    world.answer(field("file"), (at, true), field("md5"));
                }
                (Way::Sent, "http.get") => {
                    let tls = field("tls") == Some("true");
                    world.schemes.insert(if tls { "https" } else { "http" });
                    let connection = field("connection").unwrap_or_default();
                    let path = field("path").unwrap_or_default();
                    asked.entry(connection).or_default().push(path);
                }
                (Way::Received, "http.response") => {
                    let connection = field("connection").unwrap_or_default();
                    let paths = asked.entry(connection).or_default();
                    let path = (!paths.is_empty()).then(|| paths.remove(0));
                    match field("status") {
                        Some("200") => world.answer(path, (at, true), field("md5")),
                        Some("403" | "404" | "410") => world.answer(path, (at, false), None),
                        Some("401") => world.was_challenged = true,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        for (file, digest) in transfers(record) {
            if let Some(answer) = world.answers.get_mut(named(&file)) {
                answer.digest = Some(digest);
            }
        }
        world
    }

    /// The server answered for a file: with it, or that it is not there.
    fn answer(&mut self, path: Option<&str>, (at, found): (usize, bool), digest: Option<&str>) {
        let path = path.map(decoded);
        let Some(path) = path.filter(|path| !named(path).is_empty()) else {
            return;
        };
        if found {
            self.first_file.get_or_insert(at);
        }
        let answer = Answer {
            at,
            found,
            digest: digest.map(str::to_owned),
        };
        self.answers
            .entry(named(&path).to_owned())
            .or_insert(answer);
    }

    /// How it differs from the world of a case.
    pub(super) fn gap(&self, case: &Case, prepared: &Prepared, phone: &PhonePlan) -> Gap {
        let plan = &prepared.plan;
        let mut gap = Gap::default();
        let lacking = &mut gap.lacking;
        let Some(fleet) = plan.fleet(phone) else {
            return gap;
        };
        if !case.server.is_empty() {
            lacking.push(format!("a server that does {}", case.server.join(", ")));
        }
        self.source(fleet, plan, phone, lacking);
        let scheme = fleet.transport.scheme();
        let names_files = case.wire.iter().any(
            |line| matches!(line, WireLine::Wanted(wanted) if !wanted.name.starts_with("dhcp.")),
        );
        if names_files && !self.schemes.contains(scheme) {
            lacking.push(format!("files asked for over {scheme}"));
        }
        self.settings(fleet, plan, phone, lacking);
        self.happenings(case, fleet, plan, lacking);
        self.files(prepared, case, &mut gap);
        gap
    }

    /// The way to the server.
    fn source(&self, fleet: &Fleet, plan: &Plan, phone: &PhonePlan, lacking: &mut Vec<String>) {
        let first = |at: usize| {
            let profile = plan.profile(phone);
            let codes = profile.map_or(&[][..], |it| &it.sources).iter();
            codes
                .filter_map(|source| match source.kind {
                    bootstorm_emulator::profile::SourceKind::Dhcp { option, .. } => Some(option),
                    _ => None,
                })
                .nth(at)
        };
        let needed: Vec<u8> = match fleet.source {
            Discovery::Dhcp => vec![first(0).unwrap_or(66)],
            Discovery::Dhcp114 => vec![114],
            Discovery::Dhcp43 | Discovery::Dhcp43Plain => vec![43],
            Discovery::Dhcp66And67 => vec![66, 67],
            Discovery::Dhcp66AndFile => vec![66],
            Discovery::DhcpCustom => vec![fleet.option],
            _ => Vec::new(),
        };
        for code in needed.iter().filter(|code| !self.options.contains(code)) {
            lacking.push(format!("a lease with option {code}"));
        }
        let by_file = fleet.source == Discovery::Dhcp66AndFile;
        if by_file && !self.has_file_field {
            lacking.push("a lease with the file field".to_owned());
        }
        match fleet.source {
            Discovery::Pnp if !self.notified => {
                lacking.push("a NOTIFY with the server's URL".to_owned());
            }
            Discovery::Mdns if !self.answered_by_mdns => {
                lacking.push("an answer by multicast DNS".to_owned());
            }
            Discovery::PnpTcp
            | Discovery::Redirect
            | Discovery::Fixed
            | Discovery::Acs
            | Discovery::Static => {
                let title = fleet.source.title();
                lacking.push(format!("that the phone finds its server so: {title}"));
            }
            _ => {}
        }
        if !needed.is_empty() && self.notified {
            lacking.push("a lease alone: the phone was sent a URL by SIP too".to_owned());
        }
    }

    /// What the phone's web page says.
    fn settings(&self, fleet: &Fleet, plan: &Plan, phone: &PhonePlan, lacking: &mut Vec<String>) {
        let Some(profile) = plan.profile(phone) else {
            return;
        };
        for (param, value) in &fleet.web {
            let default = profile.params.get(*param as usize);
            let vars = traits::vars(profile, phone.identity.mac);
            let default = default.map(|spec| spec.default.text(&vars));
            let is_on = value == "1";
            let shown = match param {
                Param::PnpEnable => is_on == self.asked_by_multicast,
                _ => default.as_ref() == Some(value),
            };
            if !shown {
                let mut names = Param::ALL.iter();
                let name = names
                    .find(|(held, _)| held == param)
                    .map_or("", |(_, name)| *name);
                lacking.push(format!("the phone's own setting {name} = {value}"));
            }
        }
    }

    /// What is done, and how the server behaves.
    fn happenings(&self, case: &Case, fleet: &Fleet, plan: &Plan, lacking: &mut Vec<String>) {
        let scenario = &plan.scenario;
        let done = |action: &Action| !matches!(action, Action::CheckSync { .. } | Action::Wait(_));
        if scenario.steps.iter().any(|step| done(&step.action)) {
            lacking
                .push("what is done in the case: power, servers or files that change".to_owned());
        }
        let asks = |step: &&Step| matches!(step.action, Action::CheckSync { .. });
        let asked = scenario.steps.iter().filter(asks).count();
        if asked > self.check_syncs {
            let seen = self.check_syncs;
            lacking.push(format!("{asked} NOTIFYs for check-sync (it has {seen})"));
        }
        if scenario.lasts > self.span {
            let (needed, span) = (scenario.lasts.as_secs(), self.span.as_secs());
            lacking.push(format!("{needed} seconds (it has {span})"));
        }
        if scenario.time != TimeService::default() {
            lacking.push("a time server that is late".to_owned());
        }
        if scenario.pnp != PnpAnswers::default() {
            lacking.push("a PnP server with the case's habits".to_owned());
        }
        if fleet.auth.is_some() && !self.was_challenged {
            lacking.push("a server that asks who is there".to_owned());
        }
        if fleet.firmware.is_some() {
            lacking.push("a firmware that is offered".to_owned());
        }
        if !fleet.resources.is_empty() {
            lacking.push("settings that name further files".to_owned());
        }
        if fleet.operator.is_some() {
            lacking.push("somebody at the phone's display".to_owned());
        }
        if !case.moved.is_empty() {
            lacking.push("a server that redirects".to_owned());
        }
    }

    /// Which files there are, and what those hold that the case itself gives.
    fn files(&self, prepared: &Prepared, case: &Case, gap: &mut Gap) {
        let plan = &prepared.plan;
        let server = plan.server.to_string();
        let given: Vec<String> = (0..plan.phones())
            .filter_map(|index| plan.phone(index))
            .flat_map(|phone| {
                let fill = super::verdicts::fill(plan, &phone, &server);
                let files = case.files.iter().filter(|file| file.bytes.is_some());
                let paths = files.map(move |file| file.path.text(&fill));
                paths.collect::<Vec<_>>()
            })
            .collect();
        for path in given
            .iter()
            .filter(|path| !self.answers.contains_key(*path))
        {
            gap.lacking.push(format!("the case's own {path}"));
        }
        for (path, answer) in &self.answers {
            let held = prepared.files.get(path);
            // What is asked for later may be named by what came.
            let later = self.first_file.is_some_and(|first| answer.at > first);
            match (held, answer.found) {
                (None, false) => {}
                (Some(bytes), true) => {
                    let same = answer.digest.as_deref() == Some(&hex(&Md5::digest(bytes)));
                    if !same && given.contains(path) {
                        gap.lacking.push(format!("the case's own {path}"));
                    }
                    gap.other_content |= !same;
                }
                _ if later => gap.other_content = true,
                (Some(_), false) => gap.lacking.push(format!("a server that has {path}")),
                (None, true) => gap.lacking.push(format!("a server without {path}")),
            }
        }
    }
}

/// The server that a phone asked for files, else that which gave it its lease.
pub(super) fn server(messages: &[Message]) -> Ipv4Addr {
    let asks = ["tftp.rrq", "ftp.retr", "http.get", "http.post"];
    let asked = messages.iter().find(|it| asks.contains(&it.name.as_ref()));
    let leased = || messages.iter().find(|it| it.name == "dhcp.ack");
    let found = asked.or_else(leased);
    found.map_or(Ipv4Addr::UNSPECIFIED, |message| *message.peer.ip())
}

/// The MD5 of what TFTP brought, by name; of files that were kept whole.
fn transfers(record: &Record) -> Vec<(String, String)> {
    let mut running: BTreeMap<u16, (String, u16, Md5, usize)> = BTreeMap::new();
    let mut done = Vec::new();
    record.for_each(|packet| {
        let port = packet.phone.port();
        match (packet.carrier, packet.way, packet.bytes) {
            (Carrier::Udp, Way::Sent, [0, 1, rest @ ..]) => {
                let name = rest.split(|byte| *byte == 0).next().unwrap_or_default();
                let name = String::from_utf8_lossy(name).into_owned();
                running.insert(port, (name, 0, Md5::new(), 512));
            }
            (Carrier::Udp, Way::Received, [0, 6, rest @ ..]) => {
                let mut words = rest.split(|byte| *byte == 0);
                while let Some(word) = words.next() {
                    if word.eq_ignore_ascii_case(b"blksize")
                        && let Some((.., size)) = running.get_mut(&port)
                    {
                        let value = words.next().and_then(|it| str::from_utf8(it).ok());
                        *size = value.and_then(|it| it.parse().ok()).unwrap_or(512);
                    }
                }
            }
            (Carrier::Udp, Way::Received, [0, 3, high, low, data @ ..]) => {
                let block = u16::from_be_bytes([*high, *low]);
                let Some((_, last, digest, size)) = running.get_mut(&port) else {
                    return;
                };
                if data.len() + 4 < packet.length as usize {
                    // Not all of it was kept.
                    running.remove(&port);
                } else if block == last.wrapping_add(1) {
                    *last = block;
                    digest.update(data);
                    if data.len() < *size
                        && let Some((name, _, digest, _)) = running.remove(&port)
                    {
                        done.push((name, hex(&digest.finalize())));
                    }
                }
            }
            _ => {}
        }
    });
    done
}

/// A path as it is meant (RFC 3986 §2.1).
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|it| str::from_utf8(it).ok());
        let byte = digits.and_then(|it| u8::from_str_radix(it, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn named(path: &str) -> &str {
    path.trim_start_matches('/')
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
