//! `bootstorm content --suite`: the files that cases about servers need, all cases beside each
//! other, a root for each.

use bootstorm_emulator::located::{did_you_mean, nearest};
use bootstorm_scenarios::suite::{self, Case, Content, Side, Suite};

use super::super::{ContentArguments, Exit, Shared, Trouble, load, print};
use crate::certify::{self, Bench, content};

/// Writes the files of every case of the suites that needs ours.
pub(super) fn write(shared: &Shared, arguments: &ContentArguments) -> Result<Exit, Trouble> {
    let bench = Bench {
        profiles: load::profiles(shared)?,
        ..Bench::default()
    };
    let suites = suite::read_built_in().map_err(Trouble::Faults)?;
    let (mut count, mut bytes, mut cases) = (0_usize, 0_usize, 0_usize);
    let mut needs = String::new();
    for mut case in chosen(&suites, &arguments.suite)? {
        if let (Some(seed), Some(scenario)) = (shared.seed, case.scenario.as_mut()) {
            scenario.seed = seed;
        }
        let prepared = certify::prepare(&case, &bench, arguments.server);
        let prepared = prepared
            .map_err(|fault| Trouble::own(format!("{}: {fault}", case.id)))?
            .ok_or_else(|| Trouble::own(format!("{}: it has no scenario", case.id)))?;
        let mut files = prepared.files;
        content::mark(&case, &prepared.plan, &mut files);
        for (path, content) in &files {
            bytes += content.len();
            super::write(&arguments.out, path, content)?;
        }
        count += files.len();
        cases += 1;
        needs.extend(super::server::text(&prepared.plan));
        needs.push_str(&super::server::moved(&prepared.moved));
    }
    super::write_needs(
        &arguments.out,
        Some(needs.as_str()).filter(|needs| !needs.is_empty()),
    )?;
    if !shared.quiet {
        let out = arguments.out.display();
        print(&format!(
            "{count} files, {bytes} bytes, for {cases} cases in {out}\n"
        ));
        if !needs.is_empty() {
            let beside = super::server::path(&arguments.out);
            let beside = beside.display();
            print(&format!("users and redirects, in {beside}\n"));
        }
    }
    Ok(Exit::Met)
}

fn chosen(suites: &[Suite], names: &[String]) -> Result<Vec<Case>, Trouble> {
    let about = || suites.iter().filter(|suite| suite.side == Side::Server);
    for name in names {
        if !about().any(|suite| suite.name == *name) {
            let near = nearest(name, about().map(|suite| suite.name.as_str()));
            let hint = did_you_mean(near);
            return Err(Trouble::usage(format!(
                "--suite {name}: no suite about servers is called so{hint}"
            )));
        }
    }
    let suites = about().filter(|suite| names.contains(&suite.name));
    let cases = suites.flat_map(|suite| &suite.cases);
    let cases = cases.filter(|case| case.content == Content::Ours);
    Ok(cases.cloned().collect())
}
