//! `bootstorm certify --subject`: a server is judged.

use std::path::PathBuf;
use std::sync::Arc;

use bootstorm_emulator::located::nearest;
use bootstorm_reports::run::Endpoint;
use bootstorm_scenarios::inventory;
use bootstorm_scenarios::suite::{Case, Side, Suite};

use super::super::subject;
use super::super::{Attachment, Trouble, load, run};
use super::{CertifyArguments, is_chosen};
use crate::certify::Bench;
use crate::certify::subject::Court;
use crate::subject::Subject;

/// Which server is judged, and what its phones must know of it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ServerArguments {
    /// An endpoint of the server to judge, as dhcp://, tftp://, ftp://, http://, https://, ntp://
    /// or sip:// with address and port on loopback, or acs=URL; cases about what is not given do
    /// not apply; without one the built-in server is judged (repeatable)
    #[arg(long, value_name = "URL")]
    subject: Vec<String>,
    /// How clients and phones are attached
    #[arg(long, value_enum, default_value = "loopback")]
    pub(super) attach: Attachment,
    /// PEM file of authorities that phones trust, for an https subject
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Directory of the authority that signs the phones' factory certificates
    #[arg(long, value_name = "DIR")]
    factory_ca: Option<PathBuf>,
    /// What each phone of the server's own site must get, as mac,profile,setting,…
    #[arg(long, value_name = "CSV")]
    inventory: Option<PathBuf>,
}

impl ServerArguments {
    /// An option that was given and makes sense for servers only.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (!self.subject.is_empty(), "--subject"),
            (self.ca.is_some(), "--ca"),
            (self.factory_ca.is_some(), "--factory-ca"),
            (self.inventory.is_some(), "--inventory"),
        ];
        given
            .into_iter()
            .find(|(is_given, _)| *is_given)
            .map(|(_, name)| name)
    }
}

/// The cases about servers that were asked for.
pub(super) fn cases(suites: &[Suite], arguments: &CertifyArguments) -> Result<Vec<Case>, Trouble> {
    let about = || suites.iter().filter(|suite| suite.side == Side::Server);
    for name in &arguments.vendor {
        if !about().any(|suite| suite.name == *name) {
            let near = nearest(name, about().map(|suite| suite.name.as_str()));
            let hint = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
            return Err(Trouble::usage(format!(
                "--vendor {name}: no suite about servers is called so{hint}"
            )));
        }
    }
    let wanted =
        |suite: &&Suite| arguments.vendor.is_empty() || arguments.vendor.contains(&suite.name);
    let chosen = about().filter(wanted).flat_map(|suite| &suite.cases);
    let chosen: Vec<Case> = chosen
        .filter(|case| is_chosen(&case.id, &arguments.case))
        .cloned()
        .collect();
    if chosen.is_empty() {
        return Err(Trouble::usage(
            "no case is about such a server (bootstorm list cases names all)",
        ));
    }
    Ok(chosen)
}

/// The server that is judged, and with what.
pub(super) fn court(arguments: &ServerArguments, bench: Bench) -> Result<Court, Trouble> {
    if arguments.attach == Attachment::Memory
        && let Some(option) = arguments.given()
    {
        return Err(Trouble::usage(format!(
            "{option} with --attach memory, where only the built-in server is"
        )));
    }
    let mut given = Subject::at(std::net::Ipv4Addr::LOCALHOST);
    let mut acs = None;
    for endpoint in subject::Endpoint::all(&arguments.subject)? {
        acs = endpoint.acs_url().map(str::to_owned).or(acs);
        endpoint.take_place(&mut given);
    }
    let inventory = match &arguments.inventory {
        Some(path) => {
            let text = load::read(path)?;
            let read = inventory::read(&path.display().to_string(), &text);
            Some(Arc::new(read.map_err(Trouble::Faults)?))
        }
        None => None,
    };
    let authorities = arguments.ca.as_deref().map(run::authorities).transpose()?;
    Ok(Court {
        bench,
        given,
        acs,
        authorities: authorities.unwrap_or_default(),
        factory: arguments.factory_ca.clone(),
        inventory,
    })
}

/// Who is judged.
pub(super) fn endpoints(court: &Court) -> std::collections::BTreeSet<Endpoint> {
    let given = court.given.endpoints();
    let given = given.into_iter().filter(|(.., given)| *given);
    let named = given.map(|(service, address, _)| Endpoint {
        service: service.to_owned(),
        address: address.to_string(),
    });
    let built_in = Endpoint {
        service: "reference".to_owned(),
        address: "built in".to_owned(),
    };
    match court.judges_subject() {
        true => named.collect(),
        false => [built_in].into(),
    }
}
