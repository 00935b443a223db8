//! `bootstorm explain`

use super::{Exit, ExplainArguments, Shared, Trouble, load, print};
use crate::explain;

/// Prints a profile's flow.
pub(super) fn explain(shared: &Shared, arguments: &ExplainArguments) -> Result<Exit, Trouble> {
    let profiles = load::profiles(shared)?;
    let profile = profiles.get(&arguments.profile).map_err(Trouble::usage)?;
    let seed = shared.seed.unwrap_or(1);
    let text = explain::explain(&profiles, &profile, seed, arguments.mermaid);
    print(&text.map_err(Trouble::usage)?);
    Ok(Exit::Met)
}
