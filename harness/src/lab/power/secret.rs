//! Passwords of switches: read when they are needed, never kept in a file of the lab, never shown.

use std::fs::File;
use std::io::Read as _;

use bootstorm_scenarios::lab::Secret;

use super::{Outlet, PowerFault};

/// Bytes of one secret.
const SECRET_BYTES_MAX: u64 = 4_096;

/// The secret itself.
pub(super) fn read(secret: &Secret, outlet: &Outlet) -> Result<String, PowerFault> {
    let read = match secret {
        Secret::Environment(name) => std::env::var(name).map_err(|fault| match fault {
            std::env::VarError::NotPresent => {
                format!("the environment variable {name} is not set")
            }
            std::env::VarError::NotUnicode(_) => {
                format!("the environment variable {name} is no text")
            }
        }),
        Secret::File(path) => {
            of_file(path).map_err(|fault| format!("failed to read {path}: {fault}"))
        }
    };
    let read = read.and_then(|text| match text.is_empty() {
        true => Err(format!("{} is empty", named(secret))),
        false => Ok(text),
    });
    read.map_err(|why| PowerFault::Secret {
        switch: outlet.switch.clone(),
        why,
    })
}

fn named(secret: &Secret) -> String {
    match secret {
        Secret::Environment(name) => format!("the environment variable {name}"),
        Secret::File(path) => path.clone(),
    }
}

fn of_file(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(SECRET_BYTES_MAX)
        .read_to_string(&mut text)?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(text)
}
