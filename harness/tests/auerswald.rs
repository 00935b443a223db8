//! The COMfortel explanation, clause by clause, on the wire of a simulated network.

#[path = "auerswald/discovery.rs"]
mod discovery;
#[path = "auerswald/documents.rs"]
mod documents;
#[path = "auerswald/fleet.rs"]
mod fleet;
#[path = "auerswald/hostile.rs"]
mod hostile;
#[path = "auerswald/references.rs"]
mod references;
#[path = "auerswald/triggers.rs"]
mod triggers;
#[path = "world/world.rs"]
#[expect(
    dead_code,
    reason = "each file of tests uses its own part of the world"
)]
mod world;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::event::{EventKind, File, RunResult, SectionFault};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::profile::{Param, Profile};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::sntp;
use world::{Fate, Packet, SERVER, Way, World};

const MODEL: &str = "auerswald/comfortel-d-200";
/// The server of the document's samples.
const PROV: &str = "prov.server.com";
/// The other server of the reference sample.
const OTHER: &str = "another.server.com";
/// Monday, 5 January 2026, 12:00 UTC.
const NOON_S: u64 = 1_767_614_400;
const PHONE: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// A phone with nothing but the configured URL, on a network that knows the hosts of the samples.
fn told(url: &str) -> World {
    world_of(World::new(MODEL), url)
}

/// The same for a profile that a test changed.
fn told_as(profile: Arc<Profile>, url: &str) -> World {
    world_of(World::of(profile, SERVER, PHONE, 1), url)
}

fn world_of(world: World, url: &str) -> World {
    let mut world = world
        .web(Param::DhcpEnable, "0")
        .web(Param::RedirectEnable, "0")
        .web(Param::PnpEnable, "0")
        .web(Param::ServerUrl, url)
        .web(Param::NtpServer, "10.0.0.4");
    world.set_filter(|packet| time_server(packet, NOON_S).unwrap_or(Fate::Pass));
    for (host, last) in [(PROV, 2), (OTHER, 3)] {
        let address = Ipv4Addr::new(10, 0, 0, last);
        world.shelf.hosts.insert(host.to_owned(), address);
    }
    world
}

/// What a time server answers: it is so many seconds after 1970 when the world begins.
fn time_server(packet: &Packet, unix_s: u64) -> Option<Fate> {
    if packet.peer.port() != 123 || packet.way != Way::Up {
        return None;
    }
    let request = sntp::Packet::decode(&packet.bytes).unwrap();
    let elapsed = packet.at - Moment::ZERO;
    let now = Duration::from_secs(unix_s) + elapsed;
    let time = sntp::Timestamp::from_unix_nanos(u64::try_from(now.as_nanos()).unwrap());
    let mut answer = Vec::new();
    let packet = sntp::Packet {
        leap: 0,
        version: 4,
        mode: sntp::mode::SERVER,
        stratum: 2,
        reference_id: *b"GPS\0",
        reference: time,
        originate: request.transmit,
        receive: time,
        transmit: time,
    };
    packet.encode(&mut answer);
    Some(Fate::Instead(vec![(123, answer)]))
}

/// A profile that inherits from `MODEL` and says something else.
fn profile(text: &str) -> Arc<Profile> {
    let text = format!("inherits = \"{MODEL}\"\n{text}");
    let file = ("x/other.toml".to_owned(), text);
    let set = ProfileSet::with_directory([file]).unwrap();
    set.get("x/other").unwrap()
}

/// The URLs that were asked for over HTTP, in order and with every repeat.
fn urls(world: &World) -> Vec<String> {
    world.up().filter_map(url).collect()
}

fn url(packet: &Packet) -> Option<String> {
    let text = String::from_utf8_lossy(&packet.bytes);
    let path = text.strip_prefix("GET ")?.split(' ').next()?;
    let host = text.lines().find_map(|line| line.strip_prefix("Host: "))?;
    (packet.way == Way::Up).then(|| format!("http://{host}{path}"))
}

/// A reference document that names these URLs.
fn references(urls: &[&str]) -> String {
    let urls: String = urls
        .iter()
        .map(|url| format!("  <URL>{url}</URL>\n"))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n\
         <referencedSettings xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:noNamespaceSchemaLocation=\"provisioning_references.xsd\">\n{urls}\
         </referencedSettings>\n"
    )
}

fn ended(world: &World, result: RunResult) -> bool {
    world.has(EventKind::RunEnded(result))
}

/// The names of the sections stored, in order and with every repeat.
fn stored(world: &World) -> Vec<&str> {
    let kinds = world.kinds().filter_map(|kind| match kind {
        EventKind::SectionStored { section, .. } => Some(world.shelf.urls.text(section)),
        _ => None,
    });
    kinds.collect()
}

/// The sections refused, with the reason.
fn refused(world: &World) -> Vec<(&str, SectionFault)> {
    let kinds = world.kinds().filter_map(|kind| match kind {
        EventKind::SectionRefused { section, fault, .. } => {
            Some((world.shelf.urls.text(section), fault))
        }
        _ => None,
    });
    kinds.collect()
}

/// The operations left out, with their lines.
fn skipped(world: &World) -> Vec<(u32, SectionFault)> {
    let kinds = world.kinds().filter_map(|kind| match kind {
        EventKind::OperationSkipped { line, fault } => Some((line, fault)),
        _ => None,
    });
    kinds.collect()
}

/// Where a setting in force came from: its file's URL and the line there.
fn origin(world: &World, key: &str) -> Option<(String, u32)> {
    let key = world.shelf.keys.find(key)?;
    let held = world.phone.flash().settings.held(key)?;
    let File::Named(name) = held.file else {
        return None;
    };
    Some((world.shelf.urls.text(name).to_owned(), held.line))
}
