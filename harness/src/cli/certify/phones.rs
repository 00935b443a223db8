//! `bootstorm certify --phones`: virtual phones are judged.

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::suite::{Case, Side, Suite};

use super::super::Trouble;
use super::{CertifyArguments, cases_about};

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
    let cases = cases_about(Side::Phone, suites, arguments)?;
    let named = !arguments.vendor.is_empty();
    let mut chosen = Vec::new();
    for name in &arguments.phones {
        chosen.extend(of_phones((&cases, named), name, suites, profiles)?);
    }
    if chosen.is_empty() {
        return Err(Trouble::usage(
            "no case is about these phones (--vendor says by whose suite to judge a profile of \
             your own; bootstorm list cases names all)",
        ));
    }
    Ok(chosen)
}

/// The cases about phones of one vendor or profile. A profile whose vendor has no suite is judged
/// by the suites that the user named, if any was `named`.
fn of_phones(
    (cases, named): (&[&Case], bool),
    name: &str,
    suites: &[Suite],
    profiles: &ProfileSet,
) -> Result<Vec<Case>, Trouble> {
    let wanted = profiles.select(name).map_err(Trouble::usage)?;
    let names: Vec<&str> = wanted.iter().map(|profile| profile.name.as_str()).collect();
    let one = names.first().filter(|_| name.contains('/')).copied();
    let vendor = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let wanted = names.first().map(|it| vendor(it));
    let is_own = |case: &Case| wanted == Some(vendor(&case.profile));
    let of_phones = suites.iter().filter(|suite| suite.side == Side::Phone);
    let has_suite = of_phones.flat_map(|suite| &suite.cases).any(is_own);
    let about = |case: &&&Case| match has_suite {
        true => is_own(case),
        false => one.is_some() && named && !case.of_model,
    };
    let cases = cases.iter().filter(about).map(|case| match one {
        Some(model) => (*case).clone().on(model),
        None => (*case).clone(),
    });
    Ok(cases.collect())
}
