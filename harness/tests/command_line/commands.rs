//! Steps whose command changes a server that is not the built-in one.

use std::fs;
use std::path::Path;

use crate::program::run;
use crate::serving::{FREE, Serving};
use crate::{directory, holds};

/// Phones that register at the built-in server, whose label is in the subject's files.
fn site(label: &str, steps: &str) -> String {
    format!(
        r#"
name = "site"
time_scale = 0.01
deadline_s = 60
thresholds = ["provisioned == planned"]
[hosts]
"sip.example.org" = "subject"
[[fleet]]
name = "desks"
phones = 6
source = "dhcp"
transport = "tftp"
layout = "flat"
profiles = {{ "flyingvoice/fip13g" = 1 }}
web = {{ pnp_enable = "0" }}
[fleet.own]
"account.1.enable" = "1"
"account.1.label" = "{label} {{index}}"
"account.1.user_name" = "f{{index}}"
"account.1.auth_name" = "{{mac}}"
"account.1.password" = "s-{{mac}}"
"account.1.sip_server_host" = "sip.example.org"
{steps}"#
    )
}

/// The files of a site, in `out`.
fn written(directory: &Path, name: &str, text: &str, out: &str) {
    fs::write(directory.join(name), text).expect("written");
    run(directory, &["content", name, "--out", out]).expect(0);
}

// The files change a second after their step, and a later step still finds them changed.
#[test]
fn a_command_changes_the_files_of_a_subject_before_phones_are_sent_there() {
    let directory = directory();
    let steps = r#"
[[step]]
after = "settled"
do = "content"
own = { "account.1.label" = "New {index}" }
command = "sleep 1; cp -R new/. tree/"
[[step]]
after = "settled"
do = "check-sync"
expect = ["resynced == planned"]
[[step]]
after = "settled"
do = "server-up"
command = "echo no such service >&2; exit 3"
[[step]]
after = "settled"
do = "wait"
for_s = 0.1
"#;
    written(directory.path(), "site.toml", &site("Desk", steps), "tree");
    written(directory.path(), "new.toml", &site("New", ""), "new");
    let serving = Serving::start(
        directory.path(),
        &[&["site.toml", "--content", "tree"][..], &FREE].concat(),
    );
    let endpoints = serving.endpoints();
    let tftp = endpoints.iter().find(|(name, _)| name == "tftp");
    let subject = format!("tftp://{}", tftp.expect("a TFTP server").1);
    let arguments = ["run", "site.toml", "--subject", &subject];
    let finished = run(directory.path(), &arguments).expect(0);
    let said = finished
        .out
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    holds(
        &said,
        &[
            "check-sync: 6 phones",
            "6 resynced",
            "met: provisioned == planned",
            "command `echo no such service >&2; exit 3` of the scenario failed (exit status: 3): \
             no such service",
        ],
    );
    assert_eq!(serving.end().0, Some(0));
}
