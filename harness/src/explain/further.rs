//! What a profile does besides finding a server and walking its files: the tasks that a changed
//! configuration starts, what the phone asks its user, and the auto-configuration server.

use std::fmt::Write as _;

use bootstorm_emulator::format::sealed::Cipher;
use bootstorm_emulator::profile::{Profile, Task, TaskKind};

/// Everything of it that the profile has.
pub(super) fn further(text: &mut String, profile: &Profile) {
    tasks(text, profile);
    others(text, profile);
}

fn tasks(text: &mut String, profile: &Profile) {
    if profile.tasks.list.is_empty() {
        return;
    }
    let pause = profile.tasks.pause.as_secs_f64();
    let _ = writeln!(
        text,
        "\nWhich tasks a changed configuration starts, {pause} s after it"
    );
    for task in &profile.tasks.list {
        let clauses = task.clauses.join(" ");
        let (id, what) = (&task.id, name_of(task));
        let _ = writeln!(text, "      {id:<16}{what:<50} {clauses}");
    }
}

/// The names that the task's URL may lead to.
fn name_of(task: &Task) -> String {
    if task.refused {
        return "refused: the model has none".to_owned();
    }
    let base = match task.base_name.as_str() {
        "" => "*",
        base => base,
    };
    let names: Vec<String> = task
        .suffixes
        .iter()
        .map(|suffix| format!("{base}.{suffix}"))
        .collect();
    let names = match names.is_empty() {
        true => "any name".to_owned(),
        false => names.join(", "),
    };
    let kind = TaskKind::ALL.iter().find(|(kind, _)| *kind == task.holds);
    let kind = kind.map_or("", |(_, name)| name);
    format!("{kind}: {names}")
}

fn others(text: &mut String, profile: &Profile) {
    let mut lines: Vec<(&str, String, String)> = Vec::new();
    let mut markers = profile.markers.iter();
    if let Some((marker, _)) = markers.find(|(_, template)| template.is_typed()) {
        let credentials = profile.prompt.as_ref().filter(|prompt| prompt.credentials);
        let what = match credentials {
            Some(_) => format!("for {marker} in a URL, and for credentials that are not taken"),
            None => format!("for {marker} in a URL"),
        };
        let clauses = profile
            .prompt
            .as_ref()
            .map(|prompt| prompt.clauses.join(" "));
        lines.push(("asks its user", what, clauses.unwrap_or_default()));
    }
    if let Some(cipher) = profile.cipher {
        let what = match cipher {
            Cipher::Ecb => "AES-256-ECB where a key is set",
            Cipher::CbcPrefixed => "AES-256-CBC, vector first, where a key is set",
        };
        lines.push(("encrypted files", what.to_owned(), String::new()));
    }
    if let Some(cwmp) = &profile.cwmp {
        let (version, leaves) = (cwmp.version.namespace(), cwmp.parameters.len());
        let what = format!("{version}, {} with {leaves} parameters", cwmp.root);
        lines.push(("TR-069", what, cwmp.clauses.join(" ")));
    }
    if lines.is_empty() {
        return;
    }
    text.push_str("\nWhat it does besides\n");
    for (name, what, clauses) in lines {
        let line = format!("      {name:<16}{what:<50} {clauses}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
}
