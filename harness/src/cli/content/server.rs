//! What a server needs besides files: who may read them, what it redirects, and where a vendor's
//! redirect service sends each phone. A small file beside the directory, never in it: it holds
//! passwords.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::scenario::{AuthScheme, Discovery, Fleet};

use crate::basic_string::quoted;
use crate::reference::http::Redirect;

/// Where it is for files in `out`: `content.server.toml` beside `content`.
pub(super) fn path(out: &Path) -> PathBuf {
    let mut path = out.as_os_str().to_owned();
    path.push(".server.toml");
    PathBuf::from(path)
}

/// Its text; none where the files are all that a server needs.
pub(super) fn text(plan: &Plan) -> Option<String> {
    let mut text = String::new();
    for (place, fleet) in plan.scenario.fleets.iter().enumerate() {
        let phones = || {
            let range = plan.fleet_range(place);
            range.filter_map(|index| plan.phone(index))
        };
        users(&mut text, plan, fleet, phones());
        if fleet.source == Discovery::Redirect {
            redirects(&mut text, plan, fleet, phones());
        }
    }
    let head = "# What a server needs besides the files: who may read them, and where redirect\n\
                # services send phones. It holds passwords.\n";
    (!text.is_empty()).then(|| format!("{head}{text}"))
}

/// `[[moved]]`: paths that the server is to redirect, with which status and where to.
pub(super) fn moved(redirects: &[Redirect]) -> String {
    let mut text = String::new();
    for Redirect {
        from, to, status, ..
    } in redirects
    {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\n[[moved]]\nfrom = {}\nto = {}\nstatus = {status}",
            quoted(from),
            quoted(to)
        );
    }
    text
}

/// Writes it so that nobody else can read it.
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// `[[users]]`: a part of the tree, and the users that it is open to.
fn users(text: &mut String, plan: &Plan, fleet: &Fleet, phones: impl Iterator<Item = PhonePlan>) {
    let Some(auth) = &fleet.auth else {
        return;
    };
    let scheme = match auth.scheme {
        AuthScheme::Basic => "basic",
        AuthScheme::Digest => "digest",
        AuthScheme::DigestSha256 => "digest-sha256",
        AuthScheme::Login => "login",
    };
    let path = match fleet.root.as_str() {
        "" => "/".to_owned(),
        root => format!("/{root}/"),
    };
    let (name, protocol) = (quoted(&fleet.name), fleet.transport.scheme());
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\n[[users]]\nfleet = {name}\nprotocol = \"{protocol}\""
    );
    let _ = writeln!(
        text,
        "path = {}\nscheme = \"{scheme}\"\n[users.passwords]",
        quoted(&path)
    );
    let mut last = None;
    for login in phones.filter_map(|phone| plan.login(&phone)) {
        // One user for all phones is one line.
        if last.as_ref() != Some(&login) {
            let _ = writeln!(
                text,
                "{} = {}",
                quoted(&login.user),
                quoted(&login.password)
            );
        }
        last = Some(login);
    }
}

/// `[[redirect]]`: a phone, where it is sent, and what it must prove to know.
fn redirects(
    text: &mut String,
    plan: &Plan,
    fleet: &Fleet,
    phones: impl Iterator<Item = PhonePlan>,
) {
    for phone in phones {
        let mac = phone.identity.mac;
        let Some(redirected) = plan.redirected(mac) else {
            continue;
        };
        let _ = writeln!(
            text,
            "\n[[redirect]]\nfleet = {}\nmac = \"{mac}\"",
            quoted(&fleet.name)
        );
        let _ = writeln!(text, "url = {}", quoted(&redirected.url));
        if let Some(password) = &redirected.password {
            let _ = writeln!(text, "password = {}", quoted(password));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bootstorm_emulator::profile::set::ProfileSet;
    use bootstorm_scenarios::scenario;

    use super::*;

    fn plan(text: &str) -> Plan {
        let scenario = scenario::read("x.toml", text).expect("a scenario");
        let profiles = ProfileSet::built_in();
        Plan::new(scenario, &profiles, Ipv4Addr::new(127, 0, 0, 2)).expect("a plan")
    }

    const FLEET: &str = "name = \"x\"\n[[fleet]]\nname = \"one\"\nphones = 2\n\
                         profiles.\"gigaset/maxwell-3\" = 1\nlayout = \"single\"\n";

    #[test]
    fn says_who_may_read_what_and_where_phones_are_sent() {
        let plan = plan(&format!(
            "{FLEET}source = \"redirect\"\ntransport = \"http\"\nroot = \"closed\"\n\
             auth = \"digest\"\nuser = \"u{{index}}\"\npassword = 'p\"{{mac}}'\n"
        ));
        let text = text(&plan).expect("something to say");
        let read: toml::Table = toml::from_str(&text).expect("TOML");
        let users = read["users"][0]["passwords"].as_table().expect("a table");
        let mac = plan.phone(1).expect("a phone").identity.mac;
        assert_eq!(users["u1"].as_str(), Some(format!("p\"{mac}").as_str()));
        assert_eq!(read["users"][0]["path"].as_str(), Some("/closed/"));
        assert_eq!(read["redirect"].as_array().map(Vec::len), Some(2));
        let url = read["redirect"][1]["url"].as_str().expect("a URL");
        assert!(url.starts_with("http://127.0.0.2/closed/"), "{url}");
    }

    #[test]
    fn says_what_is_to_be_redirected() {
        let redirect = Redirect {
            from: "/a/old \"1\".cfg".to_owned(),
            prefix: false,
            status: 307,
            to: "/a/new.cfg".to_owned(),
        };
        let read: toml::Table = toml::from_str(&moved(&[redirect])).expect("TOML");
        let moved = &read["moved"][0];
        assert_eq!(moved["from"].as_str(), Some("/a/old \"1\".cfg"));
        assert_eq!(moved["to"].as_str(), Some("/a/new.cfg"));
        assert_eq!(moved["status"].as_integer(), Some(307));
    }

    #[test]
    fn says_nothing_where_files_are_all_that_a_server_needs() {
        let plan = plan(&format!("{FLEET}source = \"dhcp\"\ntransport = \"tftp\"\n"));
        assert_eq!(text(&plan), None);
        assert_eq!(path(Path::new("/a/b")), Path::new("/a/b.server.toml"));
    }
}
