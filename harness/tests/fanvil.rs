//! The Fanvil description of automatic provisioning, clause by clause, on the wire of a simulated
//! network.

#[path = "fanvil/change.rs"]
mod change;
#[path = "fanvil/figures.rs"]
mod figures;
#[path = "fanvil/ladders.rs"]
mod ladders;
#[path = "fanvil/names.rs"]
mod names;
#[path = "fanvil/prompts.rs"]
mod prompts;
#[path = "fanvil/sealed.rs"]
mod sealed;
#[path = "fanvil/sources.rs"]
mod sources;
#[path = "fanvil/tasks.rs"]
mod tasks;
#[path = "fanvil/trace.rs"]
mod trace;
#[path = "world/world.rs"]
#[expect(
    dead_code,
    reason = "each file of tests uses its own part of the world"
)]
mod world;

use std::fmt::Write as _;
use std::time::Duration;

use bootstorm_emulator::event::{EventKind, RunResult};
use bootstorm_emulator::operator::Operator;
use bootstorm_emulator::profile::template::Template;
use world::World;

const MODEL: &str = "fanvil/x6";
/// Its general file (FAN-19).
const GENERAL: &str = "F0V00X600000.cfg";
/// The file named by its MAC (FAN-26).
const OWN: &str = "000307a9b486.cfg";

/// A phone that option 66 leads to this URL.
fn led(url: &str) -> World {
    World::new(MODEL).option(66, url)
}

/// The same with a general file and one of its own.
fn served(general: &str, own: &str) -> World {
    led("tftp://10.0.0.2/$mac.cfg")
        .file(GENERAL, general)
        .file(OWN, own)
}

/// A document in the text form (FAN-28, FAN-31): the header with blanks to 62 characters, modules,
/// the footer.
fn text(version: &str, modules: &[(&str, &[(&str, &str)])]) -> String {
    let header = format!("<<VOIP CONFIG FILE>>Version:{version}");
    let mut text = format!("{header:<62}\r\n");
    for (module, options) in modules {
        let _ = write!(text, "\r\n<{module} CONFIG MODULE>\r\n");
        for (key, value) in *options {
            let _ = write!(text, "{key:<19}:{value}\r\n");
        }
    }
    text.push_str("<<END OF FILE>>\r\n");
    text
}

/// One with this host name.
fn named(name: &str) -> String {
    text("2.0002", &[("GLOBAL", &[("LCD Logo", name)])])
}

fn logo(world: &World) -> Option<String> {
    world.held("global.lcd logo")
}

/// Somebody who types this id after so many seconds.
fn typing(file_id: &str, seconds: f64) -> Operator {
    Operator {
        file_id: Template::parse(file_id).unwrap(),
        think: Duration::from_secs_f64(seconds),
        ..Operator::default()
    }
}

#[track_caller]
fn ended(world: &World, wanted: RunResult) {
    let results: Vec<_> = world
        .kinds()
        .filter_map(|kind| match kind {
            EventKind::RunEnded(result) => Some(result),
            _ => None,
        })
        .collect();
    assert_eq!(results.last(), Some(&wanted), "{results:?}");
}
