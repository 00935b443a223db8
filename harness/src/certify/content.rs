//! The files that a case serves: generated ones, with what the case gives laid over them.

use std::collections::BTreeSet;
use std::sync::Arc;

use bootstorm_emulator::profile::template::Template;
use bootstorm_scenarios::inventory::{Inventory, Row};
use bootstorm_scenarios::matcher::{Fill, Pattern};
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::Fleet;
use bootstorm_scenarios::suite::{Bytes, Case, Side};

use md5::{Digest as _, Md5};

use crate::content::{self, Files};
use crate::reference::http::Redirect;

/// The files of a case: those that it starts with, and those of each change that its steps make.
///
/// # Errors
/// In words: fleets that cannot share a server; a file to be taken away that is not there.
pub(super) fn files(case: &Case, plan: &Plan) -> Result<(Files, Vec<Files>), String> {
    let later = (1..=plan.changes()).filter_map(|change| plan.after(change));
    let later: Result<_, _> = later.map(|plan| files_of(case, plan)).collect();
    Ok((files_of(case, plan)?, later?))
}

fn files_of(case: &Case, plan: &Plan) -> Result<Files, String> {
    let mut files = content::generate(plan).map_err(|fault| fault.to_string())?;
    let server = plan.server.to_string();
    for given in &case.files {
        let mut gone = BTreeSet::new();
        for fill in fills(plan, &server) {
            let mut path = given.path.text(&fill);
            if case.side == Side::Server {
                path = below(fill.root, &path);
            }
            let bytes = match &given.bytes {
                Some(Bytes::Text(text)) => text.text(&fill).into_bytes(),
                Some(Bytes::Raw(bytes)) => bytes.clone(),
                Some(Bytes::Fill { text, bytes }) => {
                    text.iter().copied().cycle().take(*bytes).collect()
                }
                None if gone.contains(&path) || files.remove(&path).is_some() => {
                    gone.insert(path);
                    continue;
                }
                None => {
                    return Err(format!(
                        "given.files takes {path} away, which is not among the generated files"
                    ));
                }
            };
            files.insert(path, bytes);
        }
    }
    Ok(files)
}

/// What a server redirects in a case, each thing once.
pub(super) fn moved(case: &Case, plan: &Plan) -> Vec<Redirect> {
    let server = plan.server.to_string();
    let mut all: Vec<Redirect> = Vec::new();
    for moved in &case.moved {
        for fill in fills(plan, &server) {
            let place = |path: &Pattern| format!("/{}", below(fill.root, &path.text(&fill)));
            let redirect = Redirect {
                from: place(&moved.from),
                prefix: false,
                status: moved.status,
                to: place(&moved.to),
            };
            // Of many phones that ask for the same.
            if all.last() != Some(&redirect) {
                all.push(redirect);
            }
        }
    }
    all
}

/// What fills the holes of paths, for each phone of a plan.
fn fills<'a>(plan: &'a Plan, server: &'a str) -> impl Iterator<Item = Fill<'a>> {
    let phones = (0..plan.phones()).filter_map(|index| plan.phone(index));
    phones.map(move |phone| Fill {
        vars: plan.vars(&phone),
        server,
        root: plan.fleet(&phone).map_or("", |fleet| &fleet.root),
    })
}

fn below(root: &str, path: &str) -> String {
    match root {
        "" => path.to_owned(),
        root => format!("{root}/{path}"),
    }
}

/// The file beside a case's own that tells whether a server serves them.
pub(super) const MARK: &str = "bootstorm-content.txt";

/// Puts the mark beside the files of a case: a digest over all of them.
pub fn mark(case: &Case, plan: &Plan, files: &mut Files) {
    let mut digest = Md5::new();
    for (path, bytes) in &*files {
        digest.update(path.as_bytes());
        digest.update([0]);
        digest.update(bytes.len().to_be_bytes());
        digest.update(bytes);
    }
    let digest: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = format!("{}\n{digest}\n", case.id);
    for fleet in &plan.scenario.fleets {
        let path = match fleet.root.as_str() {
            "" => MARK.to_owned(),
            root => format!("{root}/{MARK}"),
        };
        files.insert(path, text.clone().into_bytes());
    }
}

/// Makes the phones of a fleet those of an inventory that have the case's profile; its columns are
/// the settings that they must hold, whatever the case says.
pub(super) fn take_inventory(fleet: &mut Fleet, inventory: &Arc<Inventory>, profile: &str) {
    let of_profile = |row: &Row| row.profile.as_deref().is_none_or(|name| name == profile);
    let own = inventory.only(of_profile);
    fleet.phones = own
        .as_ref()
        .map_or(0, |own| u32::try_from(own.rows().len()).unwrap_or(u32::MAX));
    let columns = inventory.columns().iter().filter_map(|column| {
        let hole = Template::parse(&format!("{{inventory:{column}}}")).ok()?;
        Some((column.clone(), hole))
    });
    fleet.own = columns.collect();
    fleet.common.clear();
    fleet.common_for.clear();
    fleet.inventory = own.map(Arc::new);
}
