//! `bootstorm content`

mod server;
mod suites;

use std::fs;
use std::path::{Component, Path};

use super::{ContentArguments, Exit, Shared, Trouble, load, print};
use crate::content;
use crate::provision;

/// Writes the files that a scenario's phones need.
pub(super) fn content(shared: &Shared, arguments: &ContentArguments) -> Result<Exit, Trouble> {
    if !arguments.suite.is_empty() {
        return suites::write(shared, arguments);
    }
    let profiles = load::profiles(shared)?;
    let mut scenario = load::scenario(shared, &arguments.scenario)?;
    if let Some(phones) = arguments.phones {
        scenario.resize(phones);
    }
    let plan = load::plan(scenario, &profiles, arguments.server)?;
    let files = content::generate(&plan).map_err(Trouble::usage)?;
    let mut bytes = 0;
    for (path, content) in &files {
        bytes += content.len();
        write(&arguments.out, path, content)?;
    }
    if let Some(directory) = &arguments.factory_ca {
        provision::factory(Some(directory)).map_err(Trouble::own)?;
    }
    let beside = server::path(&arguments.out);
    let needs = server::text(&plan);
    write_needs(&arguments.out, needs.as_deref())?;
    if !shared.quiet {
        let (count, out) = (files.len(), arguments.out.display());
        print(&format!(
            "{count} files, {bytes} bytes, for {} phones in {out}\n",
            plan.phones()
        ));
        for fleet in &plan.scenario.fleets {
            let (name, phones) = (&fleet.name, fleet.phones);
            let url = plan.directory_url(fleet);
            let way = fleet.source.title();
            print(&format!("  {name}: {phones} phones, {way}: {url}\n"));
        }
        if needs.is_some() {
            let beside = beside.display();
            print(&format!("users and redirects, in {beside}\n"));
        }
    }
    Ok(Exit::Met)
}

/// Writes what a server needs besides the files, if that is anything.
fn write_needs(out: &Path, text: Option<&str>) -> Result<(), Trouble> {
    let beside = server::path(out);
    let written = text.map_or(Ok(()), |text| server::write(&beside, text));
    written.map_err(|fault| Trouble::own(format!("failed to write {}: {fault}", beside.display())))
}

fn write(root: &Path, path: &str, content: &[u8]) -> Result<(), Trouble> {
    let relative = Path::new(path);
    let plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain {
        return Err(Trouble::usage(format!(
            "the path {path} leads out of the directory"
        )));
    }
    let target = root.join(relative);
    let made = target.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(&target, content))
        .map_err(|fault| Trouble::own(format!("failed to write {}: {fault}", target.display())))
}
