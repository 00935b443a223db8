//! `bootstorm certify --phones`: virtual phones are judged.

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::suite::{Case, Side, Suite};

use super::super::Trouble;
use super::{CertifyArguments, is_chosen};

/// The cases about the phones that were asked for.
pub(super) fn cases(
    suites: &[Suite],
    arguments: &CertifyArguments,
    profiles: &ProfileSet,
) -> Result<Vec<Case>, Trouble> {
    if let Some(option) = arguments.server.given() {
        return Err(Trouble::usage(format!(
            "{option} judges a server, --phones virtual phones: one of them"
        )));
    }
    let mut chosen = Vec::new();
    for name in &arguments.phones {
        chosen.extend(of_phones(suites, name, arguments, profiles)?);
    }
    if chosen.is_empty() {
        return Err(Trouble::usage(
            "no case is about these phones (bootstorm list cases names all)",
        ));
    }
    Ok(chosen)
}

/// The cases about phones of one vendor or profile.
fn of_phones(
    suites: &[Suite],
    name: &str,
    arguments: &CertifyArguments,
    profiles: &ProfileSet,
) -> Result<Vec<Case>, Trouble> {
    let wanted = profiles.select(name).map_err(Trouble::usage)?;
    let names: Vec<&str> = wanted.iter().map(|profile| profile.name.as_str()).collect();
    let one = names.first().filter(|_| name.contains('/')).copied();
    let about = |case: &&Case| {
        let vendor = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
        case.side == Side::Phone
            && names.first().map(|it| vendor(it)) == Some(vendor(&case.profile))
    };
    let cases = suites
        .iter()
        .filter(|suite| arguments.vendor.is_empty() || arguments.vendor.contains(&suite.name))
        .flat_map(|suite| &suite.cases)
        .filter(|case| is_chosen(&case.id, &arguments.case))
        .filter(about);
    let cases = cases.map(|case| match one {
        Some(model) => case.clone().on(model),
        None => case.clone(),
    });
    Ok(cases.collect())
}
