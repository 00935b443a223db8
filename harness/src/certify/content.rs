//! The files that a case serves: generated ones, with what the case gives laid over them.

use std::collections::BTreeSet;

use bootstorm_scenarios::matcher::Fill;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::suite::{Bytes, Case, Side};

use crate::content::{self, Files};

/// The files of a case.
///
/// # Errors
/// In words: fleets that cannot share a server; a file to be taken away that is not there.
pub(super) fn files(case: &Case, plan: &Plan) -> Result<Files, String> {
    let mut files = content::generate(plan).map_err(|fault| fault.to_string())?;
    let server = plan.server.to_string();
    for given in &case.files {
        let mut gone = BTreeSet::new();
        for phone in (0..plan.phones()).filter_map(|index| plan.phone(index)) {
            let fill = Fill {
                vars: plan.vars(&phone),
                server: &server,
                root: plan.fleet(&phone).map_or("", |fleet| &fleet.root),
            };
            let mut path = given.path.text(&fill);
            if case.side == Side::Server && !fill.root.is_empty() {
                path = format!("{}/{path}", fill.root);
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
