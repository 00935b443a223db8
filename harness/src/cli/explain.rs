//! `bootstorm explain`

use super::{Common, Exit, ExplainArguments, Trouble, load, print};
use crate::explain;

/// Prints a profile's flow.
pub(super) fn explain(common: &Common, arguments: &ExplainArguments) -> Result<Exit, Trouble> {
    let profiles = load::profiles(common)?;
    let profile = profiles.get(&arguments.profile).map_err(Trouble::usage)?;
    let seed = common.seed.unwrap_or(1);
    let text = explain::explain(&profiles, &profile, seed, arguments.mermaid);
    print(&text.map_err(Trouble::usage)?);
    Ok(Exit::Met)
}
