//! `bootstorm check --content`: a server's files, read as the phones of a fleet would.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use bootstorm_emulator::located::nearest;
use bootstorm_reports::redact::Redactor;
use bootstorm_scenarios::inventory;
use bootstorm_scenarios::scenario::Scenario;

use super::super::{Exit, Shared, Trouble, load, print};
use super::CheckArguments;
use crate::drive::tls::Trust;
use crate::lint::{self, Finding, Lint, NoSubject, Severity, Subject};
use crate::reference::certificate::Authority;

/// Reads the files and tells what is wrong with them.
pub(super) fn check(
    shared: &Shared,
    arguments: &CheckArguments,
    content: &str,
) -> Result<Exit, Trouble> {
    let profiles = load::profiles(shared)?;
    let (name, fleet) = split(arguments.fleet.as_deref().unwrap_or_default());
    let mut scenario = load::scenario(shared, name)?;
    if let Some(fleet) = fleet {
        is_there(&scenario, fleet)?;
    }
    if let Some(file) = &arguments.inventory {
        if let Some(only) = fleet {
            scenario.fleets.retain(|fleet| fleet.name == only);
        }
        with_inventory(&mut scenario, file)?;
    }
    let server = server(&mut scenario, content, arguments.server);
    let plan = load::plan(lint::quiet(scenario), &profiles, server)?;
    let subject = match subject(arguments, content)? {
        Ok(subject) => subject,
        Err(why) => {
            eprintln!("bootstorm: {}", Redactor::new(0).text(&why));
            return Ok(Exit::Void);
        }
    };
    let lint = lint::lint(&plan, &subject, fleet);
    if arguments.json {
        print(&json(&lint));
    } else {
        print(&text(shared, &lint));
    }
    if lint.is_cut_short {
        return Ok(Exit::Void);
    }
    let met = lint.count(Severity::Error) == 0;
    Ok(if met { Exit::Met } else { Exit::SubjectFailed })
}

/// `SCENARIO[:FLEET]`; a scenario's file may have colons in its path.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, fleet)) if !fleet.contains('/') && !Path::new(text).exists() => {
            (name, Some(fleet))
        }
        _ => (text, None),
    }
}

fn is_there(scenario: &Scenario, wanted: &str) -> Result<(), Trouble> {
    let names: Vec<_> = scenario.fleets.iter().map(|it| it.name.clone()).collect();
    if !names.iter().any(|name| name == wanted) {
        let names = names.iter().map(String::as_str);
        let hint = nearest(wanted, names.clone());
        let hint = hint.map_or_else(String::new, |word| format!("; did you mean {word}?"));
        let known = names.collect::<Vec<_>>().join(", ");
        let scenario = &scenario.name;
        return Err(Trouble::usage(format!(
            "--fleet: {scenario} has no fleet called \"{wanted}\" (it has {known}{hint})"
        )));
    }
    Ok(())
}

fn with_inventory(scenario: &mut Scenario, file: &Path) -> Result<(), Trouble> {
    let [fleet] = scenario.fleets.as_mut_slice() else {
        return Err(Trouble::usage(
            "--inventory is for one fleet: name it, --fleet SCENARIO:FLEET",
        ));
    };
    let text = load::read(file)?;
    let inventory = inventory::read(&file.display().to_string(), &text);
    let inventory = inventory.map_err(Trouble::Faults)?;
    fleet.phones = u32::try_from(inventory.rows().len()).unwrap_or(u32::MAX);
    fleet.macs = None;
    fleet.inventory = Some(Arc::new(inventory));
    Ok(())
}

/// The server's address as phones know it; its name is theirs too.
fn server(scenario: &mut Scenario, content: &str, given: Option<Ipv4Addr>) -> Ipv4Addr {
    let host = content.split_once("://").map(|(_, rest)| rest);
    let authority = host.and_then(|rest| rest.split(['/', '?']).next());
    let host = authority.and_then(|it| it.rsplit('@').next()?.split(':').next());
    let address = host.and_then(|host| host.parse().ok());
    if let (Some(host), None) = (host, address) {
        scenario.hosts.entry(host.to_owned()).or_insert(None);
    }
    given.or(address).unwrap_or(Ipv4Addr::LOCALHOST)
}

/// The files that are meant, or in words why their server cannot be asked.
fn subject(arguments: &CheckArguments, content: &str) -> Result<Result<Subject, String>, Trouble> {
    if !content.contains("://") {
        let failed = |fault| Trouble::usage(format!("failed to read {content}: {fault}"));
        return Subject::directory(Path::new(content))
            .map(Ok)
            .map_err(failed);
    }
    let pem = match &arguments.ca {
        Some(file) => load::read(file)?.into_bytes(),
        None => Vec::new(),
    };
    let factory = Authority::factory().map_err(Trouble::own)?;
    let trust = Trust::new(&pem, factory).map_err(Trouble::usage)?;
    match Subject::url(content, &trust, arguments.ca.is_some()) {
        Ok(subject) => Ok(Ok(subject)),
        Err(NoSubject::Unusable(why)) => Err(Trouble::usage(why)),
        Err(absent @ NoSubject::Absent(_)) => Ok(Err(absent.to_string())),
    }
}

fn text(shared: &Shared, lint: &Lint) -> String {
    let mut text = String::new();
    for finding in &lint.findings {
        let line = finding.text();
        let _ = writeln!(text, "{}", line.replace(char::is_control, "?"));
    }
    let redactor = Redactor::new(0);
    for note in &lint.notes {
        let _ = writeln!(text, "note: {}", redactor.text(note));
    }
    if !shared.quiet {
        let counts = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| {
            let count = lint.count(severity);
            let plural = if count == 1 { "" } else { "s" };
            format!("{count} {}{plural}", severity.word())
        });
        let (files, phones) = (lint.files, lint.phones);
        let counts = counts.join(", ");
        let _ = writeln!(
            text,
            "{files} files read as {phones} phones would: {counts}"
        );
    }
    text
}

/// The same for programs.
fn json(lint: &Lint) -> String {
    let findings: Vec<_> = lint.findings.iter().map(object).collect();
    let redactor = Redactor::new(0);
    let notes = lint.notes.iter();
    let notes: Vec<_> = notes.map(|note| quoted(&redactor.text(note))).collect();
    format!(
        "{{\n  \"phones\": {},\n  \"files\": {},\n  \"notes\": [{}],\n  \"findings\": [{}]\n}}\n",
        lint.phones,
        lint.files,
        notes.join(", "),
        findings.join(",")
    )
}

fn object(finding: &Finding) -> String {
    let models: Vec<_> = finding.models.iter().map(|model| quoted(model)).collect();
    let fields = BTreeMap::from([
        ("file", quoted(&finding.file)),
        ("line", finding.line.to_string()),
        ("message", quoted(&finding.what)),
        ("models", format!("[{}]", models.join(", "))),
        ("more_files", finding.more_files.to_string()),
        ("severity", quoted(finding.severity.word())),
    ]);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    format!("\n    {{{}}}", fields.join(", "))
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
