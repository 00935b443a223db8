//! What phones of one shard share, and what each of them costs.

use std::rc::Rc;

use bootstorm_emulator::event::EventKind;
use bootstorm_emulator::phone::io::WebAction;

use crate::documents::BACKUP;
use crate::told;
use crate::world::World;

/// A phone that restored the common backup, then its own section.
fn provisioned(number: u32, shared: &mut World) {
    let own = format!(
        "<configuration><users version=\"1.8.9\" patch=\"true\"><user id=\"1\">\
         <username>{number}</username></user></users></configuration>"
    );
    shared.press(WebAction::Restore(BACKUP.as_bytes()));
    shared.press(WebAction::Restore(own.as_bytes()));
}

// Phones that begin alike and get the same bytes hold the same tree once.
#[test]
fn shares_the_tree_of_equal_documents() {
    let mut world = told("").boot();
    let mut trees = Vec::new();
    for _ in 0..4 {
        let mut flash = world.phone.flash().clone();
        flash.sections = None;
        flash.settings = Default::default();
        world.give_flash(flash);
        world.press(WebAction::Restore(BACKUP.as_bytes()));
        trees.push(world.phone.flash().sections.clone().unwrap());
    }
    assert!(Rc::ptr_eq(&trees[1], &trees[2]) && Rc::ptr_eq(&trees[2], &trees[3]));
    let applied = world.count(|kind| matches!(kind, EventKind::Applied { .. }));
    let stored = world.count(|kind| matches!(kind, EventKind::SectionStored { .. }));
    assert_eq!((applied, stored), (4, 16), "each phone tells what it did");
}

// An idle phone with settings of its own holds a few KiB for itself.
#[test]
fn costs_a_few_kibibytes() {
    let mut world = told("").boot();
    provisioned(100, &mut world);
    let held = world.phone.flash().heap_bytes();
    assert!(held < 8 << 10, "{held} bytes");
}

// The same documents again and again do not make it grow.
#[test]
fn does_not_grow_by_applying_the_same_again() {
    let mut world = told("").boot();
    provisioned(100, &mut world);
    let size = |world: &World| {
        let flash = world.phone.flash();
        let tree = flash.sections.as_ref().unwrap();
        (tree.heap_bytes(), flash.settings.effective().count())
    };
    let before = size(&world);
    for _ in 0..20 {
        provisioned(100, &mut world);
    }
    assert_eq!(size(&world), before);
}
