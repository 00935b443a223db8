//! The Flyingvoice guide, clause by clause, on the wire of a simulated network.

#[path = "flyingvoice/discovery.rs"]
mod discovery;
#[path = "flyingvoice/documents.rs"]
mod documents;
#[path = "flyingvoice/firmware.rs"]
mod firmware;
#[path = "flyingvoice/triggers.rs"]
mod triggers;
#[path = "world/world.rs"]
#[expect(
    dead_code,
    reason = "each file of tests uses its own part of the world"
)]
mod world;

use bootstorm_emulator::event::EventKind;
use bootstorm_emulator::profile::Param;
use world::World;

const MODEL: &str = "flyingvoice/fip13g";
const OWN_NAME: &str = "0021f222b01d";
const MAC_BOOT: &str = "0021f222b01d.boot";
const COMMON_BOOT: &str = "y000000000000.boot";
const COMMON_CFG: &str = "y000000000000.cfg";
const MAC_CFG: &str = "0021f222b01d.cfg";
/// The candidate list of FLY-69 and FLY-75 when nothing of it is there.
const LIST: [&str; 5] = [OWN_NAME, MAC_BOOT, COMMON_BOOT, COMMON_CFG, MAC_CFG];

/// A phone that goes to option 66 without delay: neither PnP nor a random wait.
fn phone() -> World {
    quick(MODEL).option(66, "10.0.0.2")
}

/// The same for a model, without option 66.
fn quick(model: &str) -> World {
    World::new(model)
        .web(Param::PnpEnable, "0")
        .web(Param::RandomDelayS, "0")
}

fn applied(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Applied { .. })
}
