//! Scenarios from TOML.

mod arrivals;
mod identity;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::located::{Faults, Log, Node, Place, Reader, Slot, did_you_mean, nearest};
use bootstorm_emulator::profile::Param;
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::version::is_stamp;

use super::acs::acs;
use super::judged::{Attach, expected, subject};
use super::link::link;
use super::pnp::answers;
use super::share::shared;
use super::source::CUSTOM_OPTION;
use super::step::steps;
use super::{
    Auth, AuthScheme, ClientCertificate, Credentials, DEADLINE, Discovery, Fleet, Link, LinkPlaces,
    Places, PnpAnswers, RedirectAnswer, Scenario, TimeService, Transport,
};
use crate::load_shape::LoadShape;

/// Scenarios that come with the program: name and text, found by directory.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/fleets.rs"));

const SCHEMES: [(AuthScheme, &str); 4] = [
    (AuthScheme::Basic, "basic"),
    (AuthScheme::Digest, "digest"),
    (AuthScheme::DigestSha256, "digest-sha256"),
    (AuthScheme::Login, "login"),
];
const CREDENTIALS: [(Credentials, &str); 3] = [
    (Credentials::Web, "web"),
    (Credentials::Url, "url"),
    (Credentials::Prompt, "prompt"),
];
const REDIRECT_ANSWERS: [(RedirectAnswer, &str); 2] = [
    (RedirectAnswer::Body, "body"),
    (RedirectAnswer::Location, "location"),
];
const TRANSPORTS: [(Transport, &str); 4] = [
    (Transport::Tftp, "tftp"),
    (Transport::Ftp, "ftp"),
    (Transport::Http, "http"),
    (Transport::Https, "https"),
];
/// The version of a fleet's settings, unless it says another one.
const SETTINGS_VERSION: &str = "2026-01-01_00:00:00";
const IMAGE_BYTES: usize = 64 << 10;
const WEIGHT_MAX: u32 = 1_000;
/// Bytes that a phone's own file may be filled up to.
const PAD_BYTES_MAX: usize = 4 << 20;

/// The scenarios that come with the program: name and text.
#[must_use]
pub fn built_in() -> &'static [(&'static str, &'static str)] {
    BUILT_IN
}

/// Reads a scenario from a file's name and text.
///
/// # Errors
/// All faults of the text at once, each with its place.
pub fn read(name: &str, text: &str) -> Result<Scenario, Faults> {
    let log = Log::default();
    let scenario = read_tree(Node::parse(name, text, &log), &log);
    let faults = log.into_faults();
    if faults.is_empty() {
        Ok(scenario)
    } else {
        Err(faults)
    }
}

/// Reads a scenario from its tree; what is wrong is noted in `log`.
pub(crate) fn read_tree(tree: Node, log: &Log) -> Scenario {
    let tree = shared(tree, log);
    scenario(&Reader::new(&tree, log))
}

fn scenario(root: &Reader<'_>) -> Scenario {
    let mut names = BTreeSet::new();
    let tables = root.need("fleet").tables();
    let common = root.may("link").table();
    let (common, link_at) =
        common.map_or_else(Default::default, |table| link(&table, Link::default()));
    let fleets: Vec<_> = tables
        .iter()
        .map(|table| fleet(table, &mut names, common))
        .collect();
    let deadline = root.may("deadline_s").duration().unwrap_or(DEADLINE);
    Scenario {
        name: root.need("name").text().unwrap_or_default().to_owned(),
        seed: root.may("seed").number(0..=i64::MAX as u64).unwrap_or(1),
        time_scale: root.may("time_scale").real(0.0..=1_000.0).unwrap_or(1.0),
        deadline,
        lasts: lasts(root, deadline),
        subject: subject(root),
        attach: root.may("attach").word(&Attach::ALL),
        expected: expected(root, deadline),
        load: root
            .may("load")
            .table()
            .map_or(LoadShape::Storm, |table| arrivals::shape(&table, &fleets)),
        link: common,
        link_at,
        hosts: root
            .may("hosts")
            .table()
            .map_or_else(BTreeMap::new, |table| hosts(&table)),
        client_certificate: root
            .may("tls")
            .table()
            .map_or_else(ClientCertificate::default, |table| demand(&table)),
        time: root
            .may("time")
            .table()
            .map_or_else(TimeService::default, |table| TimeService {
                silent: table.may("silent_s").duration().unwrap_or_default(),
                unsynchronised: table.may("unsynchronised_s").duration().unwrap_or_default(),
            }),
        redirect: root
            .may("redirect")
            .table()
            .and_then(|table| table.need("answer").word(&REDIRECT_ANSWERS))
            .unwrap_or_default(),
        pnp: root
            .may("pnp")
            .table()
            .map_or_else(PnpAnswers::default, |table| answers(&table)),
        steps: steps(&root.may("step").tables(), &fleets, deadline),
        fleets,
    }
}

/// `lasts_s = 7200`
fn lasts(root: &Reader<'_>, deadline: Duration) -> Duration {
    let slot = root.may("lasts_s");
    let lasts = slot.duration().unwrap_or_default();
    if lasts > deadline {
        slot.fault(format!(
            "'{}' is beyond the run's deadline of {} s",
            slot.name(),
            deadline.as_secs_f64()
        ));
    }
    lasts
}

/// `[tls]`
fn demand(table: &Reader<'_>) -> ClientCertificate {
    let demands = [
        (ClientCertificate::None, "none"),
        (ClientCertificate::Request, "request"),
        (ClientCertificate::Require, "require"),
    ];
    let word = table.may("client_certificate").word(&demands);
    word.unwrap_or_default()
}

/// `name = "address"`, or `name = "subject"` for the address of the subject.
fn hosts(table: &Reader<'_>) -> BTreeMap<String, Option<Ipv4Addr>> {
    let entries = table.entries().filter_map(|(entry, slot)| {
        let expected = "an IPv4 address or \"subject\"";
        let address = slot.parsed(expected, |text| match text {
            "subject" => Some(None),
            address => address.parse().ok().map(Some),
        })?;
        Some((entry.key.to_ascii_lowercase(), address))
    });
    entries.collect()
}

fn fleet(table: &Reader<'_>, names: &mut BTreeSet<String>, common: Link) -> Fleet {
    let source = table.need("source");
    let layout = table.need("layout");
    let inventory = identity::inventory(table);
    let profiles = identity::profiles(table, inventory.as_deref());
    let discovery = source.word(&Discovery::ALL).unwrap_or(Discovery::Dhcp);
    let transport = table.need("transport").word(&TRANSPORTS);
    let transport = transport.unwrap_or(Transport::Tftp);
    let (phones, macs) = identity::phones(table, inventory.as_deref());
    let (own_link, link_at) = own_link(table, common);
    let pad = table.may("pad_bytes");
    Fleet {
        name: fleet_name(table, names),
        phones,
        macs,
        at: Places {
            fleet: Some(table.place()),
            source: place(&source),
            layout: place(&layout),
            auth: place(&table.may("auth")),
            seal: server::seal_place(table),
            profiles: profiles.as_ref().map_or_else(Vec::new, places),
            link: link_at,
            pad: place(&pad),
        },
        profiles: profiles.as_ref().map_or_else(Vec::new, weights),
        source: discovery,
        option: option(table, discovery),
        acs: acs(table, discovery == Discovery::Acs),
        auth: auth(table, transport),
        transport,
        root: directory(table),
        layout: layout.text().unwrap_or_default().to_owned(),
        firmware: table.may("firmware").text().map(str::to_owned),
        firmware_bytes: table
            .may("firmware_bytes")
            .number(16..=(64_usize << 20))
            .unwrap_or(IMAGE_BYTES),
        common: shared_settings(table),
        common_for: settings_of_models(table),
        own: identity::own(table, inventory.as_deref()),
        inventory,
        web: table
            .may("web")
            .table()
            .map_or_else(Vec::new, |it| web(&it)),
        settings_version: settings_version(table),
        client_certificate: table.may("client_certificate").template(),
        file: server::file(table),
        file_version: server::file_version(table),
        seal: server::seal(table),
        resources: server::resources(table),
        firmware_transport: table.may("firmware_transport").word(&TRANSPORTS),
        operator: server::operator(table).map(Arc::new),
        link: own_link,
        pad_bytes: pad.number(0..=PAD_BYTES_MAX).unwrap_or(0),
    }
}

/// `name`, given once.
fn fleet_name(table: &Reader<'_>, names: &mut BTreeSet<String>) -> String {
    let slot = table.need("name");
    let name = slot.text().unwrap_or_default().to_owned();
    if !name.is_empty() && !names.insert(name.clone()) {
        slot.fault(format!("a second fleet is called \"{name}\""));
    }
    name
}

/// `[fleet.link]`, laid over what befalls all.
fn own_link(table: &Reader<'_>, common: Link) -> (Option<Link>, LinkPlaces) {
    match table.may("link").table() {
        Some(table) => {
            let (own, at) = link(&table, common);
            (Some(own), at)
        }
        None => Default::default(),
    }
}

/// `[fleet.common]`
fn shared_settings(table: &Reader<'_>) -> Vec<(String, Template)> {
    let common = table.may("common").table();
    common.map_or_else(Vec::new, |table| settings(&table))
}

/// `[fleet.common_for."vendor/model"]`
fn settings_of_models(table: &Reader<'_>) -> BTreeMap<String, Vec<(String, Template)>> {
    let Some(table) = table.may("common_for").table() else {
        return BTreeMap::new();
    };
    let entries = table.entries();
    let of_model = entries.filter_map(|(entry, slot)| {
        let settings = slot.table().map(|table| settings(&table))?;
        Some((entry.key.clone(), settings))
    });
    of_model.collect()
}

/// Where something that is given stands.
fn place(slot: &Slot<'_>) -> Option<Place> {
    slot.is_given().then(|| slot.place())
}

/// Where each profile of a fleet is named, in the order of `weights`.
fn places(table: &Reader<'_>) -> Vec<Place> {
    let entries = table.entries();
    entries.map(|(entry, _)| entry.span.place()).collect()
}

/// `option = 160`, with the source `dhcp-custom` (FAN-65).
fn option(table: &Reader<'_>, source: Discovery) -> u8 {
    let slot = table.may("option");
    if slot.is_given() && source != Discovery::DhcpCustom {
        slot.fault("'option' goes with source = \"dhcp-custom\" only");
    }
    slot.number(128..=254).unwrap_or(CUSTOM_OPTION)
}

fn settings_version(table: &Reader<'_>) -> String {
    let slot = table.may("settings_version");
    let expected = "a time such as 2026-01-31_12:00:00";
    let version = slot.parsed(expected, |text| is_stamp(text).then(|| text.to_owned()));
    version.unwrap_or_else(|| SETTINGS_VERSION.to_owned())
}

/// `auth = "digest"`, with `credentials`, `user` and `password` beside it.
fn auth(table: &Reader<'_>, transport: Transport) -> Option<Auth> {
    let slot = table.may("auth");
    let held = table.may("credentials");
    let (user, password) = (table.may("user"), table.may("password"));
    if !slot.is_given() {
        for slot in [&held, &user, &password] {
            if slot.is_given() {
                slot.fault(format!("'{}' without 'auth'", slot.name()));
            }
        }
        return None;
    }
    if transport == Transport::Tftp {
        slot.fault(
            "'auth' with tftp, which knows no users (expected transport ftp, http or https)",
        );
    }
    let scheme = slot.word(&SCHEMES)?;
    match (transport, scheme) {
        (Transport::Ftp, AuthScheme::Login) | (Transport::Tftp, _) => {}
        (Transport::Ftp, _) => slot.fault("'auth' with ftp (expected \"login\")"),
        (_, AuthScheme::Login) => {
            slot.fault("'auth' is \"login\" with http (expected basic, digest or digest-sha256)");
        }
        _ => {}
    }
    let held = held.word(&CREDENTIALS).unwrap_or(Credentials::Web);
    let (user, password) = (user.template(), password.template());
    if held == Credentials::Url && (user.is_none() || password.is_none()) {
        slot.fault("credentials in the URL need 'user' and 'password'");
    }
    if held == Credentials::Prompt && !server::types_credentials(table) {
        slot.fault("credentials that are asked for need 'user' in [fleet.operator]");
    }
    Some(Auth {
        scheme,
        held,
        user,
        password,
    })
}

fn directory(table: &Reader<'_>) -> String {
    let slot = table.may("root");
    let text = slot.text().unwrap_or_default();
    if text.starts_with('/') || text.ends_with('/') || text.contains("..") {
        slot.fault("'root' has a slash at an end or '..' in it (expected a path like site/floor)");
    }
    text.to_owned()
}

/// `"vendor/model" = weight`
fn weights(table: &Reader<'_>) -> Vec<(String, u32)> {
    let entries = table
        .entries()
        .filter_map(|(entry, slot)| Some((entry.key.clone(), slot.number(1..=WEIGHT_MAX)?)));
    let weights: Vec<_> = entries.collect();
    if weights.is_empty() {
        table.fault("no profile (expected \"vendor/model\" = weight)");
    }
    weights
}

/// `"key" = "value with {holes}"`
pub(super) fn settings(table: &Reader<'_>) -> Vec<(String, Template)> {
    table
        .entries()
        .filter_map(|(entry, slot)| Some((entry.key.clone(), slot.template()?)))
        .collect()
}

/// `field = "value"`
fn web(table: &Reader<'_>) -> Vec<(Param, String)> {
    let mut fields = Vec::new();
    for (entry, slot) in table.entries() {
        let Some(value) = slot.text() else { continue };
        match Param::named(&entry.key) {
            Some(param) => fields.push((param, value.to_owned())),
            None => {
                let known = Param::ALL.iter().map(|(_, name)| *name);
                let hint = did_you_mean(nearest(&entry.key, known));
                slot.fault(format!("unknown web page field '{}'{hint}", entry.key));
            }
        }
    }
    fields
}
