//! The files that a case serves: generated ones, with what the case gives laid over them.

use std::collections::BTreeSet;
use std::sync::Arc;

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::profile::template::Template;
use bootstorm_scenarios::inventory::{Inventory, Row};
use bootstorm_scenarios::matcher::{Fill, Matcher, Pattern};
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::suite::{Bytes, Case, Side, StateLine};

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

/// Makes the phones of a case those of an inventory that are of its vendor; what they must hold in
/// the end are its columns, whatever the case says. A row without a profile is of the vendor that
/// its MAC address belongs to, and of the case's model. A column that is empty for all of them is
/// none of theirs. False when there is no such phone.
pub(super) fn take_inventory(
    case: &mut Case,
    inventory: &Inventory,
    profiles: &ProfileSet,
) -> bool {
    let vendor = |name: &str| name.split('/').next().map(str::to_owned);
    let ouis = profiles.get(&case.profile).map(|it| it.ouis.clone());
    let ouis = ouis.unwrap_or_default();
    let wanted = |row: &Row| match row.profile.as_deref() {
        Some(name) => vendor(name) == vendor(&case.profile),
        None => ouis.iter().any(|oui| row.mac.0.starts_with(oui)),
    };
    let fleets = case.scenario.as_mut().map(|scenario| &mut scenario.fleets);
    let fleet = fleets.and_then(|fleets| fleets.first_mut());
    let Some((fleet, own)) = fleet.zip(inventory.only(wanted)) else {
        return false;
    };
    fleet.phones = u32::try_from(own.rows().len()).unwrap_or(u32::MAX);
    let is_theirs = |column: &&String| {
        let mut rows = own.rows().iter();
        rows.any(|row| {
            own.value(row, column)
                .is_some_and(|value| !value.is_empty())
        })
    };
    let columns = own.columns().iter().filter(is_theirs);
    let columns = columns.map(|column| (column.clone(), format!("{{inventory:{column}}}")));
    let columns: Vec<(String, String)> = columns.collect();
    let holes = columns.iter();
    let holes = holes.filter_map(|(key, hole)| Some((key.clone(), Template::parse(hole).ok()?)));
    fleet.own = holes.collect();
    fleet.common.clear();
    fleet.common_for.clear();
    fleet.inventory = Some(Arc::new(own));
    let lines = columns.into_iter().filter_map(|(key, hole)| {
        let is = Some(Matcher::filled(Pattern::parse(&hole).ok()?));
        Some(StateLine::Setting { key, is })
    });
    case.state = lines.collect();
    true
}
