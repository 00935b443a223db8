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
    let mut chosen = Vec::new();
    for name in &arguments.phones {
        chosen.extend(of_phones(
            &cases,
            name,
            !arguments.vendor.is_empty(),
            profiles,
        )?);
    }
    if chosen.is_empty() {
        return Err(Trouble::usage(
            "no case is about these phones (--vendor says by whose suite to judge a profile of \
             your own; bootstorm list cases names all)",
        ));
    }
    Ok(chosen)
}

/// The cases about phones of one vendor or profile; all that were chosen, for one profile, where
/// the user said by whose suite it is judged.
fn of_phones(
    cases: &[&Case],
    name: &str,
    said: bool,
    profiles: &ProfileSet,
) -> Result<Vec<Case>, Trouble> {
    let wanted = profiles.select(name).map_err(Trouble::usage)?;
    let names: Vec<&str> = wanted.iter().map(|profile| profile.name.as_str()).collect();
    let one = names.first().filter(|_| name.contains('/')).copied();
    let vendor = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let wanted = names.first().map(|it| vendor(it));
    let about = |case: &&&Case| match one {
        Some(model) if said => !case.of_model || case.profile == model,
        _ => wanted == Some(vendor(&case.profile)),
    };
    let cases = cases.iter().filter(about).map(|case| match one {
        Some(model) => (*case).clone().on(model),
        None => (*case).clone(),
    });
    Ok(cases.collect())
}
