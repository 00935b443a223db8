//! Labs from TOML.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::located::{Faults, Log, Node, Place, Reader, Slot, nearest};
use bootstorm_emulator::profile::Param;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::wire::port;

use super::driver::{self, Driver, HttpDriver};
use super::{Action, Addresses, Capture, Lab, LabPlace, LabSubject, Network, Switch};
use crate::scenario::{self, Fleet, Given, Macs, Scenario};
use crate::suite::given::{self, Words};

/// Places of one lab.
pub const PLACES_MAX: usize = 1_000;
/// Networks of one lab.
const NETWORKS_MAX: usize = 64;
/// The longest name of an interface (IFNAMSIZ without its NUL).
const INTERFACE_BYTES_MAX: usize = 15;
/// How long power is gone.
const OFF: Duration = Duration::from_secs(5);
/// How long a handset may take until something is heard of it.
const LINK: Duration = Duration::from_secs(90);
/// How long a handset is silent before it is taken to be at rest, beside what it may wait at random
/// before it asks for anything.
const REST: Duration = Duration::from_secs(20);
/// Endpoints that a real server may have: the scheme, and the port that handsets use.
const SERVICES: [(&str, u16); 8] = [
    ("dhcp", port::DHCP_SERVER),
    ("tftp", port::TFTP),
    ("ftp", port::FTP),
    ("http", port::HTTP),
    ("https", port::HTTPS),
    ("ntp", port::NTP),
    ("sip", port::SIP),
    ("mdns", port::MDNS),
];

/// Reads a lab from a file's name and text. Profiles that it names must be in `profiles`.
///
/// # Errors
/// All faults of the text at once, each with its place.
pub fn read(name: &str, text: &str, profiles: &ProfileSet) -> Result<Lab, Faults> {
    let log = Log::default();
    let tree = Node::parse(name, text, &log);
    let lab = read_tree(&tree, &log, Some(profiles));
    let faults = log.into_faults();
    match faults.is_empty() {
        true => Ok(lab),
        false => Err(faults),
    }
}

/// Reads a lab from its tree; what is wrong is noted in `log`.
pub(crate) fn read_tree(tree: &Node, log: &Log, profiles: Option<&ProfileSet>) -> Lab {
    let root = Reader::new(tree, log);
    let networks = networks(&root.need("networks"));
    let subject = subject(root.need("subject").table().as_ref(), &networks);
    let switches = switches(&root.need("power"), &networks);
    let capture = root.may("capture");
    let capture = capture.is_given().then(|| source(&capture)).flatten();
    let content = root.may("content");
    if let Some(table) = content.table().filter(|_| content.is_given()) {
        // Read with each place, over which it lies.
        table.entries().for_each(drop);
    }
    let mut shared = Shared {
        networks: &networks,
        subject: &subject,
        switches: &switches,
        capture: capture.as_ref(),
        content: content.node(),
        profiles,
        names: BTreeMap::new(),
        macs: BTreeMap::new(),
        leases: Vec::new(),
        used: vec![false; switches.len()],
        told: BTreeSet::new(),
    };
    let slot = root.need("place");
    let items = slot.list();
    if slot.is_given() && items.is_empty() {
        slot.fault("a lab without a place");
    }
    if items.len() > PLACES_MAX {
        slot.fault(format!(
            "{} places (expected at most {PLACES_MAX})",
            items.len()
        ));
    }
    let items = items.iter().take(PLACES_MAX);
    let places: Vec<_> = items.filter_map(|item| place(item, &mut shared)).collect();
    for (switch, _) in switches
        .iter()
        .zip(&shared.used)
        .filter(|(_, used)| !**used)
    {
        let message = format!("no place uses power '{}'", switch.name);
        log.note(switch.at.clone(), message);
    }
    Lab {
        name: root.need("name").text().unwrap_or_default().to_owned(),
        networks,
        subject,
        switches,
        places,
    }
}

/// What the places of a lab share, and what was read of those before.
struct Shared<'a> {
    networks: &'a [Network],
    subject: &'a LabSubject,
    switches: &'a [Switch],
    capture: Option<&'a Capture>,
    content: Option<&'a Node>,
    profiles: Option<&'a ProfileSet>,
    names: BTreeMap<String, Place>,
    macs: BTreeMap<[u8; 6], String>,
    leases: Vec<(Addresses, String)>,
    used: Vec<bool>,
    /// Faults of `[content]`, which is read with each place, that were noted.
    told: BTreeSet<String>,
}

fn networks(slot: &Slot<'_>) -> Vec<Network> {
    let items = slot.list();
    if slot.is_given() && items.is_empty() {
        slot.fault("a lab without a network: nothing may be sent (expected [\"10.77.0.0/24\"])");
    }
    if items.len() > NETWORKS_MAX {
        slot.fault(format!(
            "{} networks (expected at most {NETWORKS_MAX})",
            items.len()
        ));
    }
    let items = items.iter().take(NETWORKS_MAX);
    let expected = "a network such as 10.77.0.0/24, without bits behind its mask";
    items
        .filter_map(|item| item.parsed(expected, Network::parse))
        .collect()
}

fn subject(table: Option<&Reader<'_>>, networks: &[Network]) -> LabSubject {
    let nobody = Ipv4Addr::UNSPECIFIED;
    let Some(table) = table else {
        return LabSubject {
            interface: String::new(),
            address: nobody,
            server: nobody,
            given: Vec::new(),
            directory: None,
            router: None,
        };
    };
    let slot = table.need("address");
    let address = address(&slot);
    if let Some(address) = address {
        covered(&slot, address, networks);
    }
    let (given, at) = endpoints(table, networks);
    let server = at.or(address).unwrap_or(nobody);
    let directory = table.may("directory");
    if directory.is_given() && given.is_empty() {
        directory.fault("'subject.directory' without a real server's endpoint, whose files it has");
    }
    let router = table.may("router");
    let told = router.is_given().then(|| self::address(&router)).flatten();
    LabSubject {
        interface: interface(&table.need("interface")).unwrap_or_default(),
        address: address.unwrap_or(nobody),
        server,
        given,
        directory: directory.text().map(str::to_owned),
        router: told,
    }
}

fn address(slot: &Slot<'_>) -> Option<Ipv4Addr> {
    slot.parsed("an IPv4 address", |text| {
        let address: Ipv4Addr = text.parse().ok()?;
        let usable =
            !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast();
        usable.then_some(address)
    })
}

/// Notes an address that nothing may be sent to.
fn covered(slot: &Slot<'_>, address: Ipv4Addr, networks: &[Network]) {
    if !networks.is_empty() && !networks.iter().any(|network| network.has(address)) {
        let all: Vec<_> = networks.iter().map(ToString::to_string).collect();
        slot.fault(format!(
            "'{}': {address} is in none of 'networks' ({}), and nothing is sent outside of them",
            slot.name(),
            all.join(", ")
        ));
    }
}

fn interface(slot: &Slot<'_>) -> Option<String> {
    slot.parsed("the name of a network interface, such as eth1", |text| {
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
        let named = !text.is_empty() && text.len() <= INTERFACE_BYTES_MAX;
        (named && text.bytes().all(fits)).then(|| text.to_owned())
    })
}

/// A real server's endpoints, and its address, which is one for all of them.
fn endpoints(table: &Reader<'_>, networks: &[Network]) -> (Vec<Given>, Option<Ipv4Addr>) {
    let mut given = Vec::new();
    let mut server: Option<(Ipv4Addr, &str)> = None;
    for (service, port) in SERVICES {
        let slot = table.may(service);
        let expected = format!("{service}://ADDRESS, at port {port}, which handsets use");
        let read = |text: &str| {
            let rest = text.strip_prefix(service)?.strip_prefix("://")?;
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            let at = match rest.split_once(':') {
                Some(_) => rest.parse::<SocketAddrV4>().ok()?,
                None => SocketAddrV4::new(rest.parse().ok()?, port),
            };
            (at.port() == port).then_some(*at.ip())
        };
        let Some(address) = slot
            .is_given()
            .then(|| slot.parsed(&expected, read))
            .flatten()
        else {
            continue;
        };
        covered(&slot, address, networks);
        // Who leases addresses may be another one.
        match server {
            _ if service == "dhcp" => {}
            Some((first, of)) if first != address => slot.fault(format!(
                "'{}' is at {address}, 'subject.{of}' at {first} (expected one server)",
                slot.name()
            )),
            _ => server = Some((address, service)),
        }
        given.push(Given {
            text: format!("{service}://{address}:{port}"),
            at: slot.place(),
        });
    }
    (given, server.map(|(address, _)| address))
}

/// `[power.NAME]`
fn switches(slot: &Slot<'_>, networks: &[Network]) -> Vec<Switch> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let switches = table.entries().filter_map(|(entry, slot)| {
        let switch = slot.table()?;
        let driver = driver::driver(&switch)?;
        match &driver {
            Driver::Snmp(snmp) => covered(&switch.need("agent"), *snmp.agent.ip(), networks),
            Driver::Http(http) if !http.calls.is_empty() => hosts(&switch, http, networks),
            driver if !Action::ALL.iter().any(|(action, _)| driver.can(*action)) => {
                switch.fault("it can do nothing (expected on and off, cycle, or reset)");
            }
            _ => {}
        }
        Some(Switch {
            name: entry.key.clone(),
            driver,
            at: entry.span.place(),
        })
    });
    switches.collect()
}

/// Every request goes to an address that may be sent to: no name, which could lead elsewhere.
fn hosts(switch: &Reader<'_>, driver: &HttpDriver, networks: &[Network]) {
    for (action, call) in &driver.calls {
        let Some(table) = switch.need(action.word()).table() else {
            continue;
        };
        // Its other keys were read before, and are no strangers now.
        for key in ["method", "headers", "body", "expect"] {
            drop(table.may(key));
        }
        let url = table.need("url");
        match call.host() {
            "{address}" => {}
            host => match host.parse() {
                Ok(host) => covered(&url, host, networks),
                Err(_) => url.unexpected("a URL whose host is an IPv4 address, or {address}"),
            },
        }
    }
}

/// Where frames are captured.
fn source(slot: &Slot<'_>) -> Option<Capture> {
    let table = slot.table()?;
    let (port, command, file) = (
        table.may("interface"),
        table.may("command"),
        table.may("file"),
    );
    let given = [&port, &command, &file]
        .iter()
        .filter(|it| it.is_given())
        .count();
    if given != 1 {
        table.fault(format!(
            "'{}' has one of interface, command and file",
            slot.name()
        ));
        return None;
    }
    if port.is_given() {
        return interface(&port).map(Capture::Interface);
    }
    if command.is_given() {
        let words = command.texts();
        if words.first().is_none_or(String::is_empty) {
            command.unexpected("a program and its arguments, each a text of its own");
            return None;
        }
        return Some(Capture::Command(words));
    }
    let path = file.text().filter(|path| !path.is_empty());
    path.map(|path| Capture::File(path.to_owned()))
}

fn place(slot: &Slot<'_>, shared: &mut Shared<'_>) -> Option<LabPlace> {
    let table = slot.table()?;
    let name = name(&table.need("name"), shared);
    let mac = mac(&table.need("mac"), &name, shared);
    let profile = profile(&table.need("profile"), shared);
    let power = table.need("power");
    let port = table.may("port");
    let addresses = addresses(&table.need("address"), &name, shared);
    let listened = table.may("capture");
    let own = listened.is_given().then(|| source(&listened)).flatten();
    let capture = own
        .or_else(|| shared.capture.cloned())
        .unwrap_or_else(|| Capture::Interface(shared.subject.interface.clone()));
    let power = switched(&power, Action::Cycle, (&port, addresses), shared);
    let reset = table.may("reset");
    let reset = reset
        .is_given()
        .then(|| switched(&reset, Action::Reset, (&port, addresses), shared));
    let firmware = table.may("firmware").text().map(str::to_owned);
    let time = |key: &str, default| table.may(key).duration().unwrap_or(default);
    let place = LabPlace {
        forgets: table.may("forgets").switch().unwrap_or_default(),
        flashes: table.may("flashes").switch().unwrap_or_default(),
        suite: table.may("suite").text().map(str::to_owned),
        off: time("off_s", OFF),
        link: time("link_s", LINK),
        rest: time("rest_s", REST + at_random(&profile, shared)),
        scenario: content(&table, slot, (&name, &profile, mac), shared),
        port: port.text().map(str::to_owned),
        at: table.place(),
        power: power.unwrap_or_default(),
        reset: reset.flatten(),
        mac: mac.unwrap_or(Mac([0; 6])),
        addresses: addresses.unwrap_or(Addresses {
            first: Ipv4Addr::UNSPECIFIED,
            last: Ipv4Addr::UNSPECIFIED,
        }),
        name,
        profile,
        firmware,
        capture,
    };
    Some(place)
}

fn name(slot: &Slot<'_>, shared: &mut Shared<'_>) -> String {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let expected = "a name of letters, digits and -_.";
    let name = slot.parsed(expected, |text| {
        (!text.is_empty() && text.bytes().all(fits)).then(|| text.to_owned())
    });
    let name = name.unwrap_or_default();
    if !name.is_empty()
        && let Some(first) = shared.names.insert(name.clone(), slot.place())
    {
        slot.fault(format!(
            "a second place is called '{name}', besides {first}"
        ));
    }
    name
}

fn mac(slot: &Slot<'_>, name: &str, shared: &mut Shared<'_>) -> Option<Mac> {
    let expected = "a MAC address of one device: twelve hexadecimal digits, with : or - or bare";
    let mac = slot.parsed(expected, |text| {
        let mac = Mac::parse(text)?;
        let one = mac.0[0] & 1 == 0 && mac.0 != [0; 6];
        one.then_some(mac)
    })?;
    if let Some(first) = shared.macs.insert(mac.0, name.to_owned()) {
        slot.fault(format!(
            "place '{name}' has the MAC address of place '{first}' (expected one handset a place)"
        ));
    }
    Some(mac)
}

fn profile(slot: &Slot<'_>, shared: &Shared<'_>) -> String {
    let profile = slot.text().unwrap_or_default();
    let known = shared.profiles.filter(|_| slot.text().is_some());
    if let Some(Err(fault)) = known.map(|known| known.get(profile)) {
        slot.fault(format!("'{}': {fault}", slot.name()));
    }
    profile.to_owned()
}

/// The longest time that phones of a profile wait at random after power on, out of the box.
fn at_random(profile: &str, shared: &Shared<'_>) -> Duration {
    let profile = shared.profiles.and_then(|it| it.get(profile).ok());
    let spec = profile.and_then(|it| Some(it.params.get(Param::RandomDelayS as usize)?.clone()));
    let seconds = spec.and_then(|spec| spec.default.source().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

fn addresses(slot: &Slot<'_>, name: &str, shared: &mut Shared<'_>) -> Option<Addresses> {
    let range = slot.parsed("an IPv4 address, or a range FIRST-LAST", Addresses::parse)?;
    covered(slot, range.first, shared.networks);
    let subject = shared.subject;
    let mut ours = shared.networks.iter().filter(|it| it.has(subject.address));
    let network = ours.by_ref().max_by_key(|network| network.bits);
    if let Some(network) = network
        && !(network.is_host(range.first) && network.is_host(range.last))
    {
        let own = subject.address;
        slot.fault(format!(
            "'{}': {range} is not of hosts in {network}, the network of 'subject.address' {own}",
            slot.name()
        ));
    }
    let taken = [subject.address, subject.server];
    let of_subject = taken
        .into_iter()
        .find(|at| (range.first..=range.last).contains(at));
    if let Some(taken) = of_subject {
        slot.fault(format!(
            "'{}' has the subject's own address {taken}",
            slot.name()
        ));
    }
    let other = shared
        .leases
        .iter()
        .find(|(other, _)| other.overlaps(&range));
    if let Some((other, first)) = other {
        slot.fault(format!(
            "'{}' meets {other} of place '{first}'",
            slot.name()
        ));
    }
    shared.leases.push((range, name.to_owned()));
    Some(range)
}

/// The switch that a place names, if it can do this for the place.
fn switched(
    slot: &Slot<'_>,
    action: Action,
    (port, addresses): (&Slot<'_>, Option<Addresses>),
    shared: &mut Shared<'_>,
) -> Option<usize> {
    let wanted = slot.text()?;
    let mut names = shared.switches.iter().map(|switch| switch.name.as_str());
    let Some(at) = names.clone().position(|name| name == wanted) else {
        let near = nearest(wanted, names.by_ref());
        let hint = near.map_or_else(
            || format!(" (expected [power.{wanted}])"),
            |near| format!(" (did you mean '{near}'?)"),
        );
        slot.fault(format!(
            "'{}': there is no power '{wanted}'{hint}",
            slot.name()
        ));
        return None;
    };
    *shared.used.get_mut(at)? = true;
    let switch = shared.switches.get(at)?;
    if !switch.driver.can(action) {
        slot.fault(format!(
            "'{}': power '{wanted}' has no {}",
            slot.name(),
            action.word()
        ));
    }
    if switch.driver.needs_port() && !port.is_given() {
        slot.fault(format!(
            "'{}': power '{wanted}' needs the place's 'port'",
            slot.name()
        ));
    }
    let number = |text: &str| {
        text.parse()
            .is_ok_and(|port: u32| port > 0 && port <= i32::MAX as u32)
    };
    if matches!(switch.driver, Driver::Snmp(_))
        && port.text().is_some_and(|port| !number(port))
        && port.is_given()
    {
        port.unexpected("the number of a port, pethPsePortIndex of RFC 3621");
    }
    if switch.driver.needs_address() && addresses.is_some_and(|range| range.only().is_none()) {
        slot.fault(format!(
            "'{}': power '{wanted}' speaks to the handset (expected one address, not a range)",
            slot.name()
        ));
    }
    Some(at)
}

/// How the handset is provisioned: `[place.content]` over `[content]`.
fn content(
    table: &Reader<'_>,
    slot: &Slot<'_>,
    (name, profile, mac): (&str, &str, Option<Mac>),
    shared: &mut Shared<'_>,
) -> Scenario {
    let own = table.may("content");
    if let Some(own) = own.table().filter(|_| own.is_given()) {
        own.entries().for_each(drop);
    }
    let log = Log::default();
    let words = Words {
        id: name,
        profile,
        phones: None,
        steps: Vec::new(),
    };
    let laid = slot.node().and_then(|node| {
        given::laid_over_base(own.node().cloned(), shared.content, &node.span, words)
    });
    let mut scenario = match laid {
        Some(tree) => scenario::read_tree(tree, &log),
        None => bare(name, profile, shared.profiles),
    };
    for fault in log.into_faults().list {
        if shared.told.insert(fault.to_string()) {
            table.log().note(fault.place, fault.message);
        }
    }
    if let Some(fleet) = scenario.fleets.first_mut() {
        if fleet.phones != 1 {
            own.fault("more than one phone at one place");
        }
        fleet.macs = mac.map(|mac| Macs {
            first: mac,
            last: mac,
        });
    }
    scenario
}

/// Where the file says nothing: by DHCP and TFTP, in the profile's first layout.
fn bare(name: &str, profile: &str, profiles: Option<&ProfileSet>) -> Scenario {
    let mut fleet = Fleet::bare(name, profile, 1);
    let known = profiles.and_then(|profiles| profiles.get(profile).ok());
    let first = known.as_ref().and_then(|profile| profile.content.first());
    fleet.layout = first.map_or_else(String::new, |file| file.layout.clone());
    Scenario::bare(name, vec![fleet])
}
