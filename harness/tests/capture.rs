//! `capture.pcapng`, read by a decoder that nobody here wrote: nothing is malformed, no checksum is
//! wrong, and tshark finds as many messages as our own decoder; and no secret is in it.

#[path = "support/tool.rs"]
mod tool;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bootstorm::capture::{self, Which};
use bootstorm::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run::{self, Orders};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::redact::Redactor;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;
use bootstorm_scenarios::wire::message::{self, Message};
use memchr::memmem;
use tempfile::TempDir;

/// A capture, and what our decoder says of the records that it was made of.
struct Taken {
    _directory: TempDir,
    path: PathBuf,
    plan: Arc<Plan>,
    messages: Vec<(u32, Vec<Message>)>,
    bytes: Vec<u8>,
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    scenario: &'a str,
    phones: u32,
    more: &'a str,
    which: Which,
    keep_secrets: bool,
}

impl<'a> Wanted<'a> {
    fn all(scenario: &'a str, phones: u32) -> Self {
        Self {
            scenario,
            phones,
            more: "",
            which: Which::All,
            keep_secrets: false,
        }
    }

    fn taken(self) -> Taken {
        let mut built_in = scenario::built_in().iter();
        let found = built_in.find(|(known, _)| *known == self.scenario);
        let text = found.map_or(self.scenario, |(_, text)| *text);
        let text = format!("{text}{}", self.more);
        let mut scenario = scenario::read("scenario", &text).expect("sound");
        scenario.resize(self.phones);
        let plan = Plan::new(scenario, &ProfileSet::built_in(), SIMULATED_SERVER);
        let plan = Arc::new(plan.expect("a plan"));
        let source = provision::tree(&plan).expect("content");
        let reference = Reference::new(provision::reference(&plan, source, SIMULATED_POOL));
        let mut orders = Orders {
            started_at: 1_780_000_000,
            keep_secrets: self.keep_secrets,
            ..Orders::default()
        };
        capture::order(&mut orders, self.which, &plan);
        let mut ended = run::simulate(&plan, reference, &orders).expect("a run");
        let mut records = ended.records.clone();
        let messages = records.iter_mut();
        let messages = messages.map(|(index, record)| (*index, message::decode(record)));
        let messages = messages.collect();
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("capture.pcapng");
        let written = capture::write(&path, &plan, &orders, &mut ended);
        written.expect("writable").expect("a capture");
        let bytes = std::fs::read(&path).expect("readable");
        Taken {
            _directory: directory,
            path,
            plan,
            messages,
            bytes,
        }
    }
}

impl Taken {
    /// The fields of the frames that pass a display filter.
    fn fields(&self, tshark: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut command = Command::new(tshark);
        // Names stay addresses, and no user's preferences count.
        command.env("HOME", "/nonexistent").arg("-n");
        for checked in ["ip", "udp", "tcp"] {
            let checked = format!("{checked}.check_checksum:TRUE");
            command.args(["-o", &checked]);
        }
        // SIP also at the responder's own port (FLY-46).
        command.args(["-d", "udp.port==7777,sip"]);
        command.arg("-r").arg(&self.path);
        command.args(["-Y", filter, "-T", "fields", "-E", "separator=|"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let said = command.output().expect("tshark");
        let error = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{filter}: {error}");
        let text = String::from_utf8_lossy(&said.stdout);
        let line = |line: &str| line.split('|').map(str::to_owned).collect();
        text.lines().map(line).collect()
    }

    fn count(&self, tshark: &Path, filter: &str) -> usize {
        self.fields(tshark, filter, &["frame.number"]).len()
    }

    fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        let messages = self.messages.iter().flat_map(|(_, messages)| messages);
        for message in messages {
            *counts.entry(message.name.as_ref()).or_default() += 1;
        }
        counts
    }

    /// Nothing is malformed, an error to the decoder or without a comment.
    fn require_sound(&self, tshark: &Path) {
        // Option 43 has a meaning between a vendor and its phones (AUE-31) that the decoder takes
        // for another vendor's.
        let vendors = "dhcp.option.type == 43";
        let wrong = format!(
            "_ws.malformed || (_ws.expert.severity == error && !({vendors})) || \
             ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || \
             tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || \
             tcp.analysis.retransmission || tcp.analysis.out_of_order || !frame.comment || \
             frame.comment matches \": $\""
        );
        let what = [
            "frame.number",
            "_ws.col.Protocol",
            "_ws.expert.message",
            "frame.comment",
        ];
        let wrong = self.fields(tshark, &wrong, &what);
        assert!(wrong.is_empty(), "{} {:#?}", wrong.len(), wrong.get(..8));
        let known = "dhcp || tftp || sip || ntp || mdns || tcp";
        let unknown = self.fields(
            tshark,
            &format!("!({known})"),
            &["frame.number", "udp.port"],
        );
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}

#[test]
fn tshark_reads_a_capture_of_every_way_as_we_do() {
    let Some(tshark) = tool::tool("tshark", "tshark") else {
        return;
    };
    let taken = Wanted::all("every-way", 80).taken();
    taken.require_sound(&tshark);
    let counts = taken.counts();
    for (filter, names) in [
        (
            "dhcp",
            &["dhcp.discover", "dhcp.offer", "dhcp.request", "dhcp.ack"][..],
        ),
        ("tftp.opcode == 1", &["tftp.rrq"]),
        ("tftp.opcode == 3", &["tftp.data"]),
        ("tftp.opcode == 4", &["tftp.ack"]),
        ("tftp.opcode == 5", &["tftp.error"]),
        ("tftp.opcode == 6", &["tftp.oack"]),
        ("http.request", &["http.get", "http.post"]),
        ("http.response", &["http.response"]),
        ("sip.Method == \"SUBSCRIBE\"", &["sip.subscribe"]),
        ("sip.Method == \"NOTIFY\"", &["sip.notify"]),
        ("sip.Method == \"REGISTER\"", &["sip.register"]),
        ("sip.Status-Code", &["sip.response"]),
        ("ntp", &["ntp.request", "ntp.response"]),
        ("mdns", &["mdns.query", "mdns.response"]),
        ("ftp.request.command == \"RETR\"", &["ftp.retr"]),
    ] {
        let ours: usize = names.iter().filter_map(|name| counts.get(name)).sum();
        assert!(ours > 0, "{filter}");
        assert_eq!(taken.count(&tshark, filter), ours, "{filter}");
    }
    assert!(taken.count(&tshark, "ftp-data") > 0);
    assert_eq!(taken.count(&tshark, "tls"), 0);
}

#[test]
fn tshark_reads_connection_requests_and_calls() {
    let Some(tshark) = tool::tool("tshark", "tshark") else {
        return;
    };
    let more = "\n[[step]]\nafter = \"settled\"\ndo = \"connection-request\"\n";
    let wanted = Wanted {
        more,
        ..Wanted::all("acs-download", 3)
    };
    let taken = wanted.taken();
    taken.require_sound(&tshark);
    let to_phones = "http.request && tcp.dstport == 7547";
    assert!(taken.count(&tshark, to_phones) > 0);
    assert!(taken.count(&tshark, "xml") > 0);
}

#[test]
fn every_frame_says_whose_it_is_and_what() {
    let Some(tshark) = tool::tool("tshark", "tshark") else {
        return;
    };
    let taken = Wanted::all("every-way", 20).taken();
    for (index, _) in &taken.messages {
        let phone = taken.plan.phone(*index).expect("a phone");
        let mac = phone.identity.mac;
        let profile = &taken.plan.profile(&phone).expect("a profile").name;
        let octets = mac.0.map(|octet| format!("{octet:02x}")).join(":");
        let comments = taken.fields(
            &tshark,
            &format!("eth.addr == {octets}"),
            &["frame.comment", "frame.time_epoch"],
        );
        assert!(!comments.is_empty(), "{mac}");
        let begins = format!("phone {index} {mac} {profile}: ");
        for comment in &comments {
            assert!(comment[0].starts_with(&begins), "{comment:?}");
            assert!(comment[1].starts_with("178000"), "{comment:?}");
        }
        let request = "tftp.rrq file=";
        let requests = comments.iter().filter(|it| it[0].contains(request));
        let ours = taken
            .messages
            .iter()
            .find(|(it, _)| it == index)
            .expect("its own");
        let ours = ours.1.iter().filter(|message| message.name == "tftp.rrq");
        assert_eq!(requests.count(), ours.count());
    }
}

/// Secrets of a plan's phones that are long enough not to stand anywhere by chance.
fn planted(plan: &Plan) -> Vec<String> {
    let redactor = Redactor::new(plan.scenario.seed);
    let phones = (0..plan.phones()).filter_map(|index| plan.phone(index));
    let secrets = phones.flat_map(|phone| capture::secrets(plan, &phone, &redactor));
    let mut secrets: Vec<_> = secrets.filter(|secret| secret.len() >= 6).collect();
    secrets.sort_unstable();
    secrets.dedup();
    secrets
}

fn found(taken: &Taken) -> Vec<String> {
    let mut secrets = planted(&taken.plan);
    secrets.retain(|secret| memmem::find(&taken.bytes, secret.as_bytes()).is_some());
    secrets
}

#[test]
fn no_secret_is_in_a_capture_unless_it_was_asked_for() {
    for (scenario, phones) in [("every-way", 40), ("check-sync-storm", 10)] {
        let wanted = Wanted::all(scenario, phones);
        let plain = Wanted {
            keep_secrets: true,
            ..wanted
        };
        let (covered, plain) = (wanted.taken(), plain.taken());
        assert!(!found(&plain).is_empty(), "{scenario}: nothing to look for");
        assert_eq!(found(&covered), [""; 0], "{scenario}");
        // Lengths and framing stay.
        let (ours, theirs) = (covered.counts(), plain.counts());
        assert_eq!(ours, theirs);
    }
}

#[test]
fn a_capture_of_failed_phones_has_a_sample_of_the_others() {
    let wanted = Wanted {
        which: Which::Failed,
        ..Wanted::all("first-run", 64)
    };
    let taken = wanted.taken();
    let kept: Vec<_> = taken.messages.iter().map(|(index, _)| *index).collect();
    assert_eq!(kept.len(), 16, "{kept:?}");
    assert!(
        taken
            .messages
            .iter()
            .all(|(_, messages)| !messages.is_empty())
    );
    let again = wanted.taken();
    assert!(taken.bytes == again.bytes, "equal runs, equal captures");
}
