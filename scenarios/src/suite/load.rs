//! Suites from TOML.

use std::collections::{BTreeMap, BTreeSet};

use bootstorm_emulator::located::{Faults, Log, Node, Place, Reader, Slot, Value};

use super::given::{self, Words};
use super::probe::{self, ProbeStep};
use super::{Case, Content, GivenFile, Moved, Need, Side, Suite, expect};
use crate::clause::Register;
use crate::mutant::Mutants;
use crate::scenario;

/// Suites that come with the program: path below `suites` without suffix, and text.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/suites.rs"));
/// Phones of one case at most.
const PHONES_MAX: i64 = 10_000;

/// The suites that come with the program: `phone/flyingvoice` and its text.
#[must_use]
pub fn built_in() -> &'static [(&'static str, &'static str)] {
    BUILT_IN
}

/// Reads the suites that come with the program, by path.
///
/// # Errors
/// All faults of all files; none in a program that passed its tests.
pub fn read_built_in() -> Result<Vec<Suite>, Faults> {
    read_all(BUILT_IN)
}

/// Reads suites from their paths below `suites`, without suffix, and texts. A path says the side
/// and the name; ids are unique over all of them.
///
/// # Errors
/// All faults of all files at once, each with its place.
pub fn read_all(files: &[(&str, &str)]) -> Result<Vec<Suite>, Faults> {
    let mut faults = Faults::default();
    let mut suites: Vec<Suite> = Vec::new();
    let mut known: BTreeMap<String, Place> = BTreeMap::new();
    let register = Register::built_in()?;
    for (path, text) in files {
        let log = Log::default();
        let tree = Node::parse(&format!("suites/{path}.toml"), text, &log);
        let suite = read_tree(&tree, &log, &register);
        let expected = format!("{}/{}", suite.side.word(), suite.name);
        if expected != *path && log.is_empty() {
            let message = format!("this suite belongs into suites/{expected}.toml");
            log.note(tree.span.place(), message);
        }
        for case in &suite.cases {
            if let Some(first) = known.get(&case.id) {
                let message = format!("a second case has the id '{}', besides {first}", case.id);
                log.note(case.place.clone(), message);
            }
        }
        known.extend(
            suite
                .cases
                .iter()
                .map(|it| (it.id.clone(), it.place.clone())),
        );
        suites.push(suite);
        faults.extend(log.into_faults());
    }
    if faults.is_empty() {
        Ok(suites)
    } else {
        Err(faults)
    }
}

/// Reads a suite from a file's name and text.
///
/// # Errors
/// All faults of the text at once, each with its place.
pub fn read(name: &str, text: &str) -> Result<Suite, Faults> {
    read_one(name, text, None)
}

/// Reads a suite as `read` does, whose cases name no other mutants than these.
///
/// # Errors
/// All faults of the text at once, each with its place, unknown mutants among them.
pub fn read_knowing(name: &str, text: &str, mutants: &Mutants) -> Result<Suite, Faults> {
    read_one(name, text, Some(mutants))
}

fn read_one(name: &str, text: &str, mutants: Option<&Mutants>) -> Result<Suite, Faults> {
    let log = Log::default();
    let tree = Node::parse(name, text, &log);
    let suite = read_with(&tree, &log, &Register::built_in()?, mutants);
    let mut faults = Faults::default();
    faults.extend(log.into_faults());
    if faults.is_empty() {
        Ok(suite)
    } else {
        Err(faults)
    }
}

/// What the cases of a suite have in shared.
struct Shared<'a> {
    name: String,
    side: Side,
    profile: Option<String>,
    base: Option<&'a Node>,
    register: &'a Register,
    /// The mutants that there are, where that is asked.
    mutants: Option<&'a Mutants>,
}

impl Shared<'_> {
    /// Notes names of mutants that nobody knows.
    fn know(&self, slot: &Slot<'_>, side: Side) {
        let Some(mutants) = self.mutants else {
            return;
        };
        for item in slot.list() {
            let unknown = item.text().and_then(|name| mutants.find(side, name).err());
            if let Some(unknown) = unknown {
                item.fault(unknown.to_string());
            }
        }
    }
}

/// Reads a suite from its tree; what is wrong is noted in `log`.
pub(crate) fn read_tree(tree: &Node, log: &Log, register: &Register) -> Suite {
    read_with(tree, log, register, None)
}

fn read_with(tree: &Node, log: &Log, register: &Register, mutants: Option<&Mutants>) -> Suite {
    let root = Reader::new(tree, log);
    let head = root.need("suite").table();
    let (name, side, profile) = head.as_ref().map_or((None, None, None), |head| {
        (
            head.need("name").text(),
            head.need("side").word(&Side::ALL),
            head.may("profile").text(),
        )
    });
    let base = root.may("base");
    let base = base.is_given().then(|| base.table()).flatten();
    // What stands in it is known or not where it is read, with each case.
    base.iter().for_each(|table| table.entries().for_each(drop));
    let shared = Shared {
        name: name.unwrap_or_default().to_owned(),
        side: side.unwrap_or(Side::Phone),
        profile: profile.map(str::to_owned),
        base: tree.get("base").filter(|_| base.is_some()),
        register,
        mutants,
    };
    let slot = root.need("case");
    let nodes: Vec<Slot<'_>> = slot.list();
    if slot.is_given() && nodes.is_empty() {
        slot.fault("a suite without a case");
    }
    let mut ids = BTreeSet::new();
    let tables = tree.get("case").map(|node| &node.value);
    let tables = match tables {
        Some(Value::List(tables)) => tables.as_slice(),
        _ => &[],
    };
    let cases = nodes.iter().zip(tables).filter_map(|(slot, node)| {
        let table = slot.table()?;
        Some(case(&table, node, &shared, &mut ids))
    });
    Suite {
        cases: cases.collect(),
        name: shared.name.clone(),
        side: shared.side,
    }
}

fn case(table: &Reader<'_>, node: &Node, shared: &Shared<'_>, ids: &mut BTreeSet<String>) -> Case {
    let id = id(&table.need("id"), &shared.name, ids);
    let own_profile = table.may("profile").text().map(str::to_owned);
    let of_model = own_profile.is_some();
    let profile = own_profile
        .or_else(|| shared.profile.clone())
        .unwrap_or_default();
    let given = table.may("given").table();
    let (files, moved, server) = given.as_ref().map_or_else(Default::default, |given| {
        given.entries().for_each(drop);
        laid_over(given, shared)
    });
    let phones = table.may("phones");
    let phones = phones.number(1..=PHONES_MAX);
    let (probes, steps) = acts(&table.may("do"), node);
    let words = Words {
        id: &id,
        profile: &profile,
        phones,
        steps,
    };
    let scenario = given::scenario(node, shared.base, words);
    if scenario.is_none() && (shared.side == Side::Phone || probes.is_empty()) {
        table.fault("no phone boots and nothing is probed (expected [base.fleet] or given.fleet)");
    }
    let scenario = scenario.map(|tree| scenario::read_tree(tree, table.log()));
    let (wire, state) = expectations(table, !probes.is_empty());
    Case {
        suite: shared.name.clone(),
        side: shared.side,
        purpose: purpose(&table.need("purpose")),
        clauses: clauses(&table.need("clause"), shared.register),
        requires: words_of(&table.may("requires"), &Need::ALL),
        content: content(&table.may("content"), shared.side),
        profile: scenario
            .as_ref()
            .map_or_else(String::new, |_| profile.clone()),
        of_model,
        scenario,
        files,
        moved,
        server,
        probes,
        wire,
        state,
        caught_by: caught_by(&table.need("caught_by"), shared),
        place: table.place(),
        id,
    }
}

/// What `given` holds besides a scenario: files, redirects, and what the server does wrong.
fn laid_over(given: &Reader<'_>, shared: &Shared<'_>) -> (Vec<GivenFile>, Vec<Moved>, Vec<String>) {
    let slots = ["files", "moved", "server"].map(|key| given.may(key));
    let [files, moved, server] = &slots;
    shared.know(server, Side::Server);
    let wrong = match shared.side {
        Side::Server => (
            server,
            "'given.server' in a case about a server (expected in caught_by)",
        ),
        Side::Phone => (
            moved,
            "'given.moved' in a case about a phone (expected in one about a server)",
        ),
    };
    if wrong.0.is_given() {
        wrong.0.fault(wrong.1);
    }
    let given_files = files.is_given().then(|| given::files(files));
    let given_moved = moved.is_given().then(|| given::moved(moved));
    (
        given_files.unwrap_or_default(),
        given_moved.unwrap_or_default(),
        server.texts(),
    )
}

/// `do`: what clients ask in the phones' place, or the scenario's steps.
fn acts(slot: &Slot<'_>, case: &Node) -> (Vec<ProbeStep>, Vec<Node>) {
    let items = slot.list();
    let nodes = match case.get("do").map(|node| &node.value) {
        Some(Value::List(nodes)) => nodes.as_slice(),
        _ => &[],
    };
    debug_assert_eq!(items.len(), nodes.len());
    let (mut probes, mut steps) = (Vec::new(), Vec::new());
    for (item, node) in items.iter().zip(nodes) {
        if node.get("probe").is_none() {
            steps.push(node.clone());
        } else if let Some(table) = item.table() {
            probes.extend(probe::step(&table));
        }
    }
    if !probes.is_empty() && !steps.is_empty() {
        slot.fault("probes beside steps of phones, whose place they take");
    }
    (probes, steps)
}

fn id(slot: &Slot<'_>, suite: &str, ids: &mut BTreeSet<String>) -> String {
    let id = slot.text().unwrap_or_default();
    let is_word = |letter: u8| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let words = id
        .strip_prefix(suite)
        .and_then(|rest| rest.strip_prefix('/'));
    let fits = words.is_some_and(|words| {
        let ends = words.starts_with('-') || words.ends_with('-');
        !words.is_empty() && !ends && words.bytes().all(is_word)
    });
    if !fits && slot.is_given() && !suite.is_empty() {
        slot.unexpected(format!(
            "{suite}/ and words of a-z and 0-9 with - between them"
        ));
    }
    if !id.is_empty() && !ids.insert(id.to_owned()) {
        slot.fault(format!("a second case has the id '{id}'"));
    }
    id.to_owned()
}

fn purpose(slot: &Slot<'_>) -> String {
    let expected = "one sentence without full stop";
    let sentence = |text: &str| {
        let sentence = !text.trim().is_empty() && !text.ends_with('.') && !text.contains('\n');
        sentence.then(|| text.to_owned())
    };
    slot.parsed(expected, sentence).unwrap_or_default()
}

fn clauses(slot: &Slot<'_>, register: &Register) -> Vec<String> {
    let items = slot.list();
    if items.is_empty() && slot.is_given() {
        slot.fault("a case without a clause (expected ids of clauses)");
    }
    let cited = items.iter().filter_map(|item| {
        let id = item.text()?;
        if let Err(unknown) = register.find(id) {
            item.fault(unknown.to_string());
        }
        Some(id.to_owned())
    });
    cited.collect()
}

fn words_of<T: Copy>(slot: &Slot<'_>, known: &[(T, &str)]) -> Vec<T> {
    let items = slot.list();
    items.iter().filter_map(|item| item.word(known)).collect()
}

fn content(slot: &Slot<'_>, side: Side) -> Content {
    if side == Side::Phone {
        if slot.is_given() {
            slot.fault("'content' in a case about a phone, whose server is ours");
        }
        return Content::Ours;
    }
    let needed = slot.word(&Content::ALL);
    if !slot.is_given() {
        slot.unexpected("\"ours\", \"inventory\" or \"any\": whose content the case needs");
    }
    needed.unwrap_or(Content::Ours)
}

fn caught_by(slot: &Slot<'_>, shared: &Shared<'_>) -> Vec<String> {
    let side = shared.side;
    shared.know(slot, side);
    let items = slot.list();
    if items.is_empty() && slot.is_given() {
        slot.fault("no mutant makes this case fail (expected names of mutants)");
    }
    let prefix = format!("{}/", side.word());
    let names = items.iter().filter_map(|item| {
        let name = item.text()?;
        if !name.starts_with(&prefix) {
            item.unexpected(format!("a mutant of the {}, {prefix}…", side.word()));
        }
        Some(name.to_owned())
    });
    names.collect()
}

fn expectations(
    table: &Reader<'_>,
    probed: bool,
) -> (Vec<expect::WireLine>, Vec<expect::StateLine>) {
    let slot = table.need("expect");
    let Some(expect) = slot.table() else {
        return Default::default();
    };
    let (wire, state) = (expect.may("wire"), expect.may("state"));
    let (wire, state) = (wire.list(), state.list());
    if wire.is_empty() && !probed {
        expect.fault("nothing is expected on the wire (state never stands alone)");
    }
    if probed && !state.is_empty() {
        expect.fault("'expect.state' beside probes, in whose place no phone boots");
    }
    (expect::wire(&wire), expect::state(&state))
}
