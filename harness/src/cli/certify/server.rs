//! `bootstorm certify --subject`: a server is judged.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use bootstorm_emulator::located::Log;
use bootstorm_reports::run::Endpoint;
use bootstorm_scenarios::inventory::{self, Inventory};
use bootstorm_scenarios::suite::{Case, Side, Suite};

use super::super::subject;
use super::super::{Attachment, Trouble, boot, load};
use super::{CertifyArguments, cases_about};
use crate::certify::Bench;
use crate::certify::subject::Court;
use crate::subject::Subject;

/// Which server is judged, and what its phones must know of it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ServerArguments {
    /// An endpoint of the server to judge, as dhcp://, tftp://, ftp://, http://, https://, ntp://,
    /// sip:// or mdns:// with address and port on loopback, acs=URL or redirect=URL; cases about
    /// what is not given do not apply, and what a case is not about comes from the built-in server;
    /// without one that is judged (repeatable)
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
    /// The directory of the server's own files, for cases about its inventory [default: its root]
    #[arg(long, value_name = "DIR", requires = "inventory")]
    root: Option<String>,
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
    let cases = cases_about(Side::Server, suites, arguments)?;
    Ok(cases.into_iter().cloned().collect())
}

/// The server that is judged, and with what.
pub(super) fn court(arguments: &ServerArguments, bench: Bench) -> Result<Court, Trouble> {
    if matches!(arguments.attach, Attachment::Lan | Attachment::Relay) {
        return Err(Trouble::usage(
            "certify judges on loopback or in memory; a whole fleet boots on a segment with \
             `bootstorm run --attach lan`",
        ));
    }
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
            let read = read.map_err(Trouble::Faults)?;
            has_known_profiles(&read, &bench)?;
            Some(Arc::new(read))
        }
        None => None,
    };
    let authorities = arguments.ca.as_deref().map(boot::authorities).transpose()?;
    Ok(Court {
        bench,
        given,
        acs,
        authorities: authorities.unwrap_or_default(),
        factory: arguments.factory_ca.clone(),
        inventory,
        root: directory(arguments.root.as_deref().unwrap_or_default())?,
    })
}

/// A directory below the server's root, without slashes around it.
fn directory(text: &str) -> Result<String, Trouble> {
    let root = text.trim_matches('/');
    let is_name = |part: &str| !part.is_empty() && part != "." && part != "..";
    let bad = |letter: char| letter.is_control() || "\\?#{}".contains(letter);
    if !root.is_empty() && (!root.split('/').all(is_name) || root.contains(bad)) {
        return Err(Trouble::usage(format!(
            "--root {text}: expected a directory below the server's root, as its URLs have it"
        )));
    }
    Ok(root.to_owned())
}

/// Every profile of an inventory is one that there is.
fn has_known_profiles(inventory: &Inventory, bench: &Bench) -> Result<(), Trouble> {
    let log = Log::default();
    let mut told = BTreeSet::new();
    for row in inventory.rows() {
        let Some(name) = row.profile.as_deref() else {
            continue;
        };
        if let Err(fault) = bench.profiles.get(name)
            && told.insert(name)
        {
            log.note(inventory.place(row), fault.to_string());
        }
    }
    let faults = log.into_faults();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Trouble::Faults(faults)),
    }
}

/// Who is judged.
pub(super) fn endpoints(court: &Court) -> BTreeSet<Endpoint> {
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
