//! What phones and the reference server say, read by a decoder that nobody here wrote: a boot of
//! every way in memory, written as a capture, must be sound to tshark and mean what was meant.

#[path = "second_decoder/capture.rs"]
mod capture;
#[path = "second_decoder/talk.rs"]
mod talk;
#[path = "second_decoder/tap.rs"]
mod tap;
#[path = "support/tool.rs"]
mod tool;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bootstorm::provision::SIMULATED_SERVER;
use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{self, Fleet, Transport};
use tempfile::TempDir;

/// A boot as tshark reads it.
struct Decoded {
    tshark: PathBuf,
    capture: PathBuf,
    plan: Arc<Plan>,
    _directory: TempDir,
}

impl Decoded {
    /// Boots `phones` of a scenario that comes with the program; none without tshark.
    fn boot(name: &str, phones: u32) -> Option<Self> {
        let tshark = tool::tool("tshark", "tshark")?;
        let text = scenario::built_in()
            .iter()
            .find_map(|(known, text)| (*known == name).then_some(*text))
            .expect("a scenario");
        let mut scenario = scenario::read(name, text).expect("sound");
        scenario.resize(phones);
        let plan = Plan::new(scenario, &ProfileSet::built_in(), SIMULATED_SERVER);
        let plan = Arc::new(plan.expect("a plan"));
        let directory = TempDir::new().expect("a directory");
        let capture = directory.path().join("boot.pcap");
        std::fs::write(&capture, tap::boot(&plan)).expect("writable");
        Some(Self {
            tshark,
            capture,
            plan,
            _directory: directory,
        })
    }

    /// The fields of the frames that pass a display filter.
    fn fields(&self, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut command = Command::new(&self.tshark);
        // Names stay addresses, and no user's preferences count.
        command.env("HOME", Path::new("/nonexistent")).arg("-n");
        // HTTP and TFTP by their ports; SIP also at the responder's own port (FLY-46).
        command.args(["-d", "udp.port==7777,sip"]);
        command.arg("-r").arg(&self.capture);
        command.args(["-Y", filter, "-T", "fields", "-E", "separator=|"]);
        command.args(["-E", "occurrence=a", "-E", "aggregator=,"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let said = command.output().expect("tshark");
        let error = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{filter}: {error}");
        let text = String::from_utf8(said.stdout).expect("UTF-8");
        let line = |line: &str| line.split('|').map(str::to_owned).collect();
        text.lines().map(line).collect()
    }

    /// The MACs of the phones of a vendor whose fleet is such.
    fn phones(&self, vendor: &str, such: impl Fn(&Fleet) -> bool) -> BTreeSet<Mac> {
        let phones = (0..self.plan.phones()).filter_map(|index| self.plan.phone(index));
        let wanted = phones.filter(|phone| {
            let profile = self.plan.profile(phone).expect("a profile");
            let fleet = self.plan.fleet(phone).expect("in a fleet");
            profile.name.starts_with(vendor) && such(fleet)
        });
        wanted.map(|phone| phone.identity.mac).collect()
    }

    fn count(&self, filter: &str) -> usize {
        self.fields(filter, &["frame.number"]).len()
    }
}

/// A MAC without colons.
fn bare(mac: Mac) -> String {
    mac.to_string().replace(':', "").to_lowercase()
}

/// Nothing is malformed, nothing is an error to the decoder, and every frame is understood.
fn require_sound(decoded: &Decoded) {
    // Option 43 has a meaning between a vendor and its phones (AUE-31) that the decoder takes for
    // another vendor's.
    let vendors = "dhcp.option.type == 43";
    let wrong = format!("_ws.malformed || (_ws.expert.severity == error && !({vendors}))");
    let what = ["frame.number", "_ws.col.Protocol", "_ws.expert.message"];
    let wrong = decoded.fields(&wrong, &what);
    assert!(wrong.is_empty(), "{wrong:?}");
    let known = "dhcp || tftp || sip || ntp || mdns || tcp";
    let unknown = decoded.fields(&format!("!({known})"), &["frame.number", "udp.port"]);
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(decoded.count("frame") > 100);
}

#[test]
fn no_frame_of_any_way_is_malformed() {
    for name in ["first-run", "every-way"] {
        let Some(decoded) = Decoded::boot(name, 80) else {
            return;
        };
        require_sound(&decoded);
    }
}

#[test]
fn dhcp_messages_mean_what_was_meant() {
    let Some(decoded) = Decoded::boot("first-run", 80) else {
        return;
    };
    let fields = [
        "dhcp.hw.mac_addr",
        "dhcp.id",
        "dhcp.option.type",
        "udp.length",
        "dhcp.option.request_list_item",
        "dhcp.option.vendor_class_id",
    ];
    let discovers = decoded.fields("dhcp.option.dhcp == 1", &fields);
    let macs: BTreeSet<_> = discovers.iter().map(|it| it[0].clone()).collect();
    assert_eq!(macs.len(), 80, "each phone with a MAC of its own");
    let mut transactions = BTreeSet::new();
    for message in &discovers {
        let flyingvoice = message[0].starts_with("00:21:f2");
        if flyingvoice {
            // The fingerprint of the document's trace (FLY-62, FLY-79); 0 and 255 end it.
            assert!(message[2].starts_with("53,61,60,57,55"), "{message:?}");
            assert_eq!(message[3], (548 + 8).to_string());
            assert_eq!(message[4], "1,3,6,12,15,28,42,66");
            assert_eq!(message[5], "udhcp 1.15.3");
            transactions.insert((message[0].clone(), message[1].clone()));
        }
    }
    // FLY-63: one transaction id from DISCOVER to ACK; phones that find a new firmware boot twice.
    let all = decoded.phones("flyingvoice", |_| true).len();
    let upgraded = decoded.phones("flyingvoice", |fleet| fleet.firmware.is_some());
    assert!((1..all).contains(&upgraded.len()));
    assert_eq!(transactions.len(), all + upgraded.len());
    let requests = decoded.fields("dhcp.option.dhcp == 3", &fields);
    for message in requests.iter().filter(|it| it[0].starts_with("00:21")) {
        assert!(
            message[2].starts_with("53,61,60,50,57,54,55"),
            "{message:?}"
        );
        let kept = transactions.contains(&(message[0].clone(), message[1].clone()));
        assert!(kept, "{message:?}");
    }
    let given = [
        "dhcp.hw.mac_addr",
        "dhcp.option.tftp_server_name",
        "dhcp.ip.your",
    ];
    for ack in decoded.fields("dhcp.option.dhcp == 5", &given) {
        // Once in the header, and once in the client identifier that is told back (RFC 6842).
        let mac = ack[0]
            .split(',')
            .next()
            .and_then(Mac::parse)
            .expect("a MAC");
        let phone = decoded.plan.phone_with(mac).expect("planned");
        let fleet = decoded.plan.fleet(&phone).expect("in a fleet");
        let expected = match fleet.source {
            scenario::Discovery::Dhcp => decoded.plan.found_text(&phone),
            // AUE-26, AUE-29: the phone joins what it finds in two places.
            scenario::Discovery::Dhcp66And67 | scenario::Discovery::Dhcp66AndFile => {
                decoded.plan.found_parts(&phone).0
            }
            _ => String::new(),
        };
        assert_eq!(ack[1], expected, "{ack:?}");
        assert!(ack[2].starts_with("10.1.0."), "{ack:?}");
    }
}

#[test]
fn tftp_requests_mean_what_was_meant() {
    let Some(decoded) = Decoded::boot("first-run", 80) else {
        return;
    };
    let fields = [
        "udp.dstport",
        "udp.srcport",
        "tftp.source_file",
        "tftp.type",
        "tftp.option.name",
        "tftp.option.value",
    ];
    let requests = decoded.fields("tftp.opcode == 1", &fields);
    let asks = |file: &str| {
        let found = requests.iter().find(|request| request[2] == file);
        found.unwrap_or_else(|| panic!("no request for {file}: {requests:?}"))
    };
    for file in [
        "y000000000000.cfg",
        "0021f2000000.cfg",
        "pnp/0021f200000c.cfg",
    ] {
        let request = asks(file);
        assert_eq!(request[0], "69");
        // WIRE-02, WIRE-03: the options in this order.
        assert_eq!(request[3..], ["octet", "tsize,blksize,timeout", "0,512,3"]);
    }
    // PND-04, PND-07: no option, and the name keeps its slash.
    let checksum = asks("/000b/8200/000b82000020.md5");
    assert_eq!(checksum[3..], ["octet", "", ""]);
    // WIRE-07: a fresh port for each file of a phone.
    let mut ports = BTreeSet::new();
    for request in decoded.fields("tftp.opcode == 1 && ip.src == 10.1.0.1", &fields) {
        assert!(ports.insert(request[1].clone()), "{request:?}");
    }
    assert!(ports.len() >= 3);
    // What was agreed, and what is not there.
    assert!(decoded.count("tftp.opcode == 6") > 40);
    let absent = decoded.fields("tftp.opcode == 5", &["tftp.error.code"]);
    assert!(absent.iter().all(|error| error[0] == "1"), "{absent:?}");
    assert!(!absent.is_empty());
}

#[test]
fn pnp_messages_mean_what_was_meant() {
    let Some(decoded) = Decoded::boot("first-run", 80) else {
        return;
    };
    let fields = [
        "ip.dst",
        "udp.dstport",
        "sip.r-uri",
        "sip.Event",
        "sip.Accept",
        "sip.Expires",
        "sip.Call-ID",
    ];
    let subscribes = "sip.Method == \"SUBSCRIBE\" && sip.r-uri contains \"MAC0021f2\"";
    let subscribes = decoded.fields(subscribes, &fields);
    let asking = decoded.phones("flyingvoice", |it| it.source == scenario::Discovery::Pnp);
    assert_eq!(subscribes.len(), asking.len(), "{subscribes:?}");
    let first = &subscribes[0];
    // FLY-41, FLY-43, FLY-45.
    assert_eq!(first[..2], ["224.0.1.75", "5060"]);
    let targets: BTreeSet<_> = subscribes.iter().map(|it| it[2].clone()).collect();
    let meant = asking.iter().map(|mac| bare(*mac));
    let meant: BTreeSet<_> = meant
        .map(|mac| format!("sip:MAC{mac}@224.0.1.75"))
        .collect();
    assert_eq!(targets, meant);
    let event = "ua-profile;profile-type=\"device\";vendor=\"Flyingvoice\"";
    assert!(first[3].starts_with(event), "{first:?}");
    assert_eq!(first[4..6], ["application/url", "0"]);
    let calls: BTreeSet<_> = subscribes.iter().map(|it| it[6].clone()).collect();
    assert_eq!(calls.len(), asking.len(), "each with a dialogue of its own");

    let fields = ["sip.Call-ID", "sip.Content-Type", "sip.Subscription-State"];
    let notifies = decoded.fields("sip.Method == \"NOTIFY\" && udp.srcport == 7777", &fields);
    let answered: BTreeSet<_> = notifies.iter().map(|it| it[0].clone()).collect();
    assert!(answered.is_superset(&calls), "{answered:?}");
    assert!(notifies.iter().all(|it| it[1] == "application/url"));
    // Each side confirms the other's request.
    for method in ["SUBSCRIBE", "NOTIFY"] {
        let confirmed = format!("sip.Status-Code == 200 && sip.CSeq.method == \"{method}\"");
        let confirmed = decoded.fields(&confirmed, &["sip.Call-ID"]);
        let confirmed: BTreeSet<_> = confirmed.iter().map(|it| it[0].clone()).collect();
        assert_eq!(confirmed, answered, "{method}");
    }

    // GIG-57: the MAC after an escaped colon, the host part `local`.
    let maxwells = "sip.Method == \"SUBSCRIBE\" && sip.r-uri contains \"@local\"";
    let maxwells = decoded.fields(maxwells, &["sip.r-uri", "sip.User-Agent"]);
    assert!(!maxwells.is_empty());
    for message in maxwells {
        assert!(message[0].starts_with("sip:MAC%3A7C2F80"), "{message:?}");
        assert!(message[1].starts_with("Maxwell "), "{message:?}");
    }
}

#[test]
fn time_requests_mean_what_was_meant() {
    let Some(decoded) = Decoded::boot("first-run", 80) else {
        return;
    };
    // RFC 4330 §5: mode 3 asks, mode 4 answers with the time of the request in it.
    let fields = ["ip.src", "udp.dstport", "ntp.flags.vn", "ntp.xmt"];
    let asked = decoded.fields("ntp.flags.mode == 3", &fields);
    let phones: BTreeSet<_> = asked.iter().map(|it| it[0].clone()).collect();
    // AUE-05: each COMfortel asks, and nobody else.
    let wait = (0..decoded.plan.phones()).filter(|index| {
        let phone = decoded.plan.phone(*index).expect("planned");
        let profile = decoded.plan.profile(&phone).expect("a profile");
        profile.name.starts_with("auerswald")
    });
    assert_eq!(phones.len(), wait.count());
    assert!(asked.iter().all(|it| it[1] == "123"), "{asked:?}");
    let fields = ["ip.dst", "ntp.org", "ntp.stratum", "ntp.flags.li"];
    let answers = decoded.fields("ntp.flags.mode == 4", &fields);
    assert_eq!(answers.len(), asked.len());
    for answer in answers {
        let of_phone = |it: &&Vec<String>| it[0] == answer[0] && it[3] == answer[1];
        assert!(asked.iter().any(|it| of_phone(&it)), "{answer:?}");
        assert_eq!(answer[3], "0");
    }
}

#[test]
fn registrations_mean_what_was_meant() {
    let Some(decoded) = Decoded::boot("first-run", 80) else {
        return;
    };
    let fields = [
        "ip.src",
        "sip.r-uri",
        "sip.to.addr",
        "sip.auth.username",
        "sip.auth.uri",
    ];
    let requests = decoded.fields("sip.Method == \"REGISTER\"", &fields);
    let vendors = ["0021f2", "7c2f80", "000952"];
    for oui in vendors {
        let shown = requests
            .iter()
            .filter(|it| it[3].trim_matches('"').starts_with(oui));
        assert!(shown.count() > 0, "{oui}: {requests:?}");
    }
    for request in &requests {
        assert_eq!(request[1], "sip:sip.example.org", "{request:?}");
        assert!(request[2].ends_with("@sip.example.org"), "{request:?}");
        let answered = !request[3].is_empty();
        assert_eq!(request[4].is_empty(), !answered, "{request:?}");
    }
    // Each phone asks, is challenged, answers and is registered.
    let registered = decoded.fields(
        "sip.Status-Code == 200 && sip.CSeq.method == \"REGISTER\"",
        &["ip.dst"],
    );
    let registered: BTreeSet<_> = registered.iter().map(|it| it[0].clone()).collect();
    let asked: BTreeSet<_> = requests.iter().map(|it| it[0].clone()).collect();
    assert_eq!(registered, asked);
    assert!(decoded.count("sip.Status-Code == 401") >= asked.len());
}

#[test]
fn http_requests_mean_what_was_meant() {
    let Some(decoded) = Decoded::boot("first-run", 80) else {
        return;
    };
    let fields = [
        "http.request.uri",
        "http.host",
        "http.user_agent",
        "http.accept",
    ];
    let requests = decoded.fields("http.request", &fields);
    let boot = "/boot%20files/y000000000000.boot";
    let found: Vec<_> = requests.iter().filter(|it| it[0] == boot).collect();
    let asking = decoded.phones("flyingvoice", |it| it.layout == "boot");
    assert!(!asking.is_empty());
    assert_eq!(found.len(), asking.len(), "{requests:?}");
    for request in found {
        assert_eq!(request[1], "10.0.0.2");
        assert!(request[2].starts_with("Flyingvoice FIP1"), "{request:?}");
        assert_eq!(request[3], "*/*");
    }
    let answers = decoded.fields(
        "http.response",
        &["http.response.code", "http.content_length"],
    );
    assert_eq!(answers.len(), requests.len());
    let sound = |it: &&Vec<String>| it[0] == "200" && it[1] != "0" && !it[1].is_empty();
    assert!(answers.iter().filter(sound).count() > 100, "{answers:?}");
    let known = ["200", "404", "401"];
    assert!(answers.iter().all(|it| known.contains(&it[0].as_str())));

    // GIG-09 … GIG-48: the way of a Maxwell through its catalogue.
    let maxwell = "http.request && http.user_agent contains \"Maxwell\"";
    let asked = decoded.fields(maxwell, &["http.request.uri"]);
    for file in [
        "/maxwell/",
        "/maxwell/provisioning.xml",
        "/maxwell/firmware/updates.xml",
        "/maxwell/firmware/GC_MAX_1.11.6.bin",
        "/maxwell/nvm/updates.xml",
        "/maxwell/custom/CA.der",
    ] {
        assert!(asked.iter().any(|it| it[0] == file), "{file}: {asked:?}");
    }
    // The documents are XML to the decoder too.
    assert!(decoded.count("xml") > 50);
}

// FLY-01, FAN-05: the login, the type, a data connection of its own for each file.
#[test]
fn ftp_dialogues_mean_what_was_meant() {
    let Some(decoded) = Decoded::boot("first-run", 80) else {
        return;
    };
    let fields = ["ip.src", "ftp.request.command", "ftp.request.arg"];
    let commands = decoded.fields("ftp.request == 1", &fields);
    let mut dialogues = commands.chunks(5);
    assert!(dialogues.len() > 10);
    let verbs = ["USER", "PASS", "TYPE", "PASV", "RETR"];
    let asked: BTreeSet<_> = dialogues
        .by_ref()
        .map(|dialogue| {
            let said: Vec<_> = dialogue.iter().map(|it| it[1].as_str()).collect();
            assert_eq!(said, verbs, "{dialogue:?}");
            assert!(dialogue.iter().all(|it| it[0] == dialogue[0][0]));
            assert_eq!(dialogue[2][2], "I");
            dialogue[4][2].clone()
        })
        .collect();
    // Every phone that learns of an FTP server asks it for its own file there.
    let asking = decoded.phones("", |it| it.transport == Transport::Ftp);
    for mac in &asking {
        let own = bare(*mac);
        assert!(asked.iter().any(|path| path.contains(&own)), "{own}");
    }
    // FAN-10: the resources of others come by FTP too.
    assert!(asked.contains("fanvil-xml/phonebook.vcf"), "{asked:?}");

    let answers = decoded.fields("ftp.response == 1", &["ftp.response.code"]);
    let count = |code: &str| answers.iter().filter(|it| it[0] == code).count();
    let dialogues = commands.len() / verbs.len();
    assert_eq!(count("220"), dialogues);
    assert_eq!(count("230"), dialogues);
    assert_eq!(count("227"), dialogues);
    assert_eq!(count("226") + count("550"), dialogues);
    // The decoder knows the files by what was said on the control connection.
    let ports = ["tcp.srcport", "ftp-data.setup-method"];
    let files = decoded.fields("ftp-data", &ports);
    assert!(files.len() >= count("226"), "{files:?}");
    assert!(files.iter().all(|it| it == &["50000", "PASV"]), "{files:?}");
}

// FAN-03: questions for services by multicast DNS, and what the responder says.
#[test]
fn mdns_messages_mean_what_was_meant() {
    let Some(decoded) = Decoded::boot("every-way", 100) else {
        return;
    };
    let fields = ["ip.src", "ip.dst", "dns.id", "dns.qry.name", "dns.qry.type"];
    let asked = decoded.fields("mdns && dns.flags.response == 0", &fields);
    let asking = decoded.phones("", |it| it.source == scenario::Discovery::Mdns);
    assert!(!asking.is_empty());
    let phones: BTreeSet<_> = asked.iter().map(|it| it[0].clone()).collect();
    assert!(phones.len() >= asking.len(), "{asked:?}");
    for question in &asked {
        assert_eq!(question[1], "224.0.0.251");
        assert!(question[3].ends_with("._tcp.local"), "{question:?}");
        // RFC 6763 §4: a PTR question.
        assert_eq!(question[4], "12");
    }
    let fields = [
        "ip.dst",
        "dns.id",
        "dns.resp.type",
        "dns.srv.target",
        "dns.txt",
    ];
    let answers = decoded.fields("mdns && dns.flags.response == 1", &fields);
    let told: BTreeSet<_> = answers.iter().map(|it| it[0].clone()).collect();
    assert_eq!(told.len(), asking.len(), "{answers:?}");
    for answer in &answers {
        // RFC 6762 §6.7: with the question's id, to whoever asked.
        let of = |it: &&Vec<String>| it[0] == answer[0] && it[2] == answer[1];
        assert!(asked.iter().any(|it| of(&it)), "{answer:?}");
        for kind in ["12", "33", "16", "1"] {
            assert!(answer[2].split(',').any(|it| it == kind), "{answer:?}");
        }
        assert_eq!(answer[3], "bootstorm.local");
    }
}

// FAN-116, FAN-117, FAN-119: sessions with the auto-configuration server are SOAP by HTTP.
#[test]
fn sessions_with_the_auto_configuration_server_mean_what_was_meant() {
    let Some(decoded) = Decoded::boot("acs-download", 12) else {
        return;
    };
    require_sound(&decoded);
    let requests = decoded.fields("http.request.method == \"POST\"", &["http.request.uri"]);
    assert!(requests.len() >= 12 * 4);
    assert!(
        requests.iter().all(|it| it[0] == "/openacs/acs"),
        "{requests:?}"
    );
    let called = |name: &str| {
        let filter = format!("xml.tag matches \"^<cwmp:{name}[ />]\"");
        decoded.fields(&filter, &["ip.src"])
    };
    let phones: BTreeSet<_> = called("Inform").into_iter().collect();
    assert_eq!(phones.len(), 12);
    for call in ["InformResponse", "GetRPCMethods", "Download"] {
        let senders: BTreeSet<_> = called(call).into_iter().collect();
        assert_eq!(senders, [vec!["10.0.0.2".to_owned()]].into(), "{call}");
    }
    for call in [
        "GetRPCMethodsResponse",
        "DownloadResponse",
        "TransferComplete",
    ] {
        let senders: BTreeSet<_> = called(call).into_iter().collect();
        assert_eq!(senders, phones, "{call}");
    }
}
