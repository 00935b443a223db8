//! Files by FTP, from the phone's URL to the server's session: both modes, both attachments,
//! logins, and servers that do wrong whatever a server can. curl, which nobody here wrote, reads
//! what our server says.

#[path = "support/tool.rs"]
mod tool;

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bootstorm::drive::tls::Trust;
use bootstorm::provision::{self, LOOPBACK_POOL, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::adapter::{Adapter, Bind, Running};
use bootstorm::reference::certificate::Authority;
use bootstorm::reference::content::{Source, Tree};
use bootstorm::reference::ftp::{Area, FtpConfig, FtpFault, FtpWrong};
use bootstorm::reference::{Counter, Reference, ReferenceConfig};
use bootstorm::run::{self, Ended, Orders};
use bootstorm::subject::Subject;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;
use tool::tool;

const PHONES: u32 = 4;
/// A model that loses its patience soon, and one that has no FTP.
const MODELS: [(&str, &str); 2] = [
    (
        "test/hasty.toml",
        "inherits = \"flyingvoice/fip13g\"\nsummary = \"A test's\"\n\
         [ftp]\ntimeout_ms = 400\nretry_ms = 20\n",
    ),
    (
        "test/without.toml",
        "inherits = \"flyingvoice/fip13g\"\nsummary = \"A test's\"\nftp = false\n",
    ),
];

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attach {
    Memory,
    Loopback,
}

const BOTH: [Attach; 2] = [Attach::Memory, Attach::Loopback];

/// A run over FTP, before it is begun.
struct World {
    profile: &'static str,
    /// How its phones find the server, and which of the profile's layouts it holds.
    found: (&'static str, &'static str),
    /// A setting of each phone.
    own: &'static str,
    /// Lines of the fleet.
    fleet: &'static str,
    /// Lines of its web page.
    web: &'static str,
    faults: Vec<FtpFault>,
    /// Files that are not there.
    without: bool,
}

/// How it ended, and what the server counted.
struct Boot {
    ended: Ended,
    counted: Box<dyn Fn(Counter) -> u64>,
}

const PLAIN: World = World {
    profile: "test/hasty",
    found: ("dhcp", "own-name"),
    own: "\"account.1.user_name\" = \"u{index}\"",
    fleet: "",
    web: "",
    faults: Vec::new(),
    without: false,
};

impl World {
    fn wrong(what: FtpWrong) -> Self {
        Self {
            faults: vec![FtpFault { nth: None, what }],
            ..PLAIN
        }
    }

    fn once(what: FtpWrong) -> Self {
        Self {
            faults: vec![FtpFault { nth: Some(1), what }],
            ..PLAIN
        }
    }

    fn plan(&self, server: Ipv4Addr) -> Arc<Plan> {
        let Self {
            profile,
            found: (source, layout),
            own,
            fleet,
            web,
            ..
        } = self;
        let text = format!(
            "name = \"ftp\"\ntime_scale = 0.01\ndeadline_s = 60\n\
             [[fleet]]\nname = \"ftp\"\nphones = {PHONES}\nsource = \"{source}\"\n\
             transport = \"ftp\"\nlayout = \"{layout}\"\nroot = \"site\"\n{fleet}\n\
             [fleet.profiles]\n\"{profile}\" = 1\n\
             [fleet.web]\npnp_enable = \"0\"\nerror_retry_s = \"0\"\n{web}\n\
             [fleet.own]\n{own}\n"
        );
        let scenario = scenario::read("ftp.toml", &text).expect("sound");
        let models = MODELS.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let set = ProfileSet::with_directory(models).expect("sound");
        Arc::new(Plan::new(scenario, &set, server).expect("a plan"))
    }

    fn reference(&self, plan: &Arc<Plan>, attach: Attach) -> ReferenceConfig {
        let source = match self.without {
            true => Source::tree(Tree::default()),
            false => provision::tree(plan).expect("content"),
        };
        let pool = match attach {
            Attach::Memory => SIMULATED_POOL,
            Attach::Loopback => LOOPBACK_POOL,
        };
        let mut config = provision::reference(plan, source, pool);
        config.ftp.faults.clone_from(&self.faults);
        config
    }

    fn boot(&self, attach: Attach) -> Boot {
        let orders = Orders {
            shards: 1,
            transcript: true,
            ..Orders::default()
        };
        if attach == Attach::Memory {
            let plan = self.plan(SIMULATED_SERVER);
            let reference = Reference::new(self.reference(&plan, attach));
            let counters = Arc::clone(reference.counters());
            let ended = run::simulate(&plan, reference, &orders).expect("a run");
            let counted = Box::new(move |counter| counters.value(counter));
            return Boot { ended, counted };
        }
        let plan = self.plan(Ipv4Addr::LOCALHOST);
        let bind = Bind {
            dhcp_port: Some(0),
            ftp_port: Some(0),
            ..Bind::loopback()
        };
        let server = Adapter::start(Reference::new(self.reference(&plan, attach)), &bind);
        let server = server.expect("a server");
        let subject = Subject {
            dhcp: server.endpoints().dhcp,
            ftp: server.endpoints().ftp,
            ..Subject::at(Ipv4Addr::LOCALHOST)
        };
        let factory = Authority::factory().expect("a factory");
        let trust = Trust::new(b"", factory).expect("nobody trusted");
        let ended = run::loopback(&plan, &subject, &Arc::new(trust), &orders).expect("a run");
        let counters = Arc::clone(server.counters());
        server.stop().expect("a sound server");
        let counted = Box::new(move |counter| counters.value(counter));
        Boot { ended, counted }
    }
}

impl Boot {
    fn log(&self) -> String {
        String::from_utf8_lossy(&self.ended.transcript).into_owned()
    }

    #[track_caller]
    fn everybody(&self, outcome: Outcome) {
        let counts = self.ended.report.counts();
        assert_eq!(counts.of(outcome), PHONES, "{}", self.log());
    }

    /// Every phone gave up, and said why.
    #[track_caller]
    fn nobody(&self, why: &str) {
        self.everybody(Outcome::Failed);
        let log = self.log();
        let said = log.lines().filter(|line| line.contains(why)).count();
        assert!(said >= PHONES as usize, "{why}: {log}");
    }
}

// FLY-01, FLY-84, FAN-05, FAN-49: the server speaks FTP, its URL has the login in it.
#[test]
fn provisions_with_the_login_of_the_url_in_both_modes() {
    for attach in BOTH {
        for web in ["ftp_active = \"0\"", "ftp_active = \"1\""] {
            let world = World {
                fleet: "auth = \"login\"\ncredentials = \"url\"\nuser = \"m{index}\"\n\
                        password = \"1@:/{mac} 23\"",
                web,
                ..PLAIN
            };
            let boot = world.boot(attach);
            boot.everybody(Outcome::Provisioned);
            assert_eq!((boot.counted)(Counter::FtpDenied), 0);
            assert!((boot.counted)(Counter::FtpSent) >= u64::from(PHONES));
            assert!(!boot.log().contains("1@:"), "{}", boot.log());
        }
    }
}

/// A model that fetches a general file and one of its own at the same time.
fn pair() -> World {
    World {
        profile: "fanvil/x6",
        found: ("dhcp", "modules"),
        own: "\"sip.sip1 phone number\" = \"f{index}\"",
        ..PLAIN
    }
}

// FAN-05, FAN-07, FAN-49, FAN-51, FAN-87: two files at once, with the URL's login or the page's.
#[test]
fn fetches_two_files_at_once_each_with_a_connection_of_its_own() {
    for attach in BOTH {
        for fleet in [
            "auth = \"login\"\ncredentials = \"url\"\nuser = \"site\"\npassword = \"1 2\"",
            "auth = \"login\"\nuser = \"{mac}\"\npassword = \"p{index}\"",
        ] {
            let boot = World { fleet, ..pair() }.boot(attach);
            boot.everybody(Outcome::Provisioned);
            assert_eq!((boot.counted)(Counter::FtpSent), 2 * u64::from(PHONES));
        }
    }
}

// FAN-134: firmware by FTP with the login that phones have from URLs, each one of its own.
#[test]
fn firmware_is_named_with_the_login_of_its_phone() {
    let text = "name = \"x\"\ntime_scale = 0.01\ndeadline_s = 60\n[[fleet]]\nname = \"a\"\n\
                phones = 4\nsource = \"dhcp\"\ntransport = \"ftp\"\nlayout = \"modules\"\n\
                root = \"a\"\nauth = \"login\"\ncredentials = \"url\"\nuser = \"u-{mac}\"\n\
                password = \"p@{mac}\"\nfirmware = \"2.12.0\"\n\
                profiles = { \"fanvil/x6\" = 1 }\n\
                [[fleet]]\nname = \"b\"\nphones = 2\nsource = \"dhcp\"\ntransport = \"http\"\n\
                layout = \"modules\"\nroot = \"b\"\nfirmware = \"2.12.0\"\n\
                firmware_transport = \"ftp\"\nprofiles = { \"fanvil/x6\" = 1 }\n";
    let scenario = scenario::read("x.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
    let plan = Plan::new(scenario, &ProfileSet::built_in(), SIMULATED_SERVER).expect("a plan");
    let plan = Arc::new(plan);
    let source = provision::tree(&plan).expect("content");
    let reference = Reference::new(provision::reference(&plan, source, SIMULATED_POOL));
    let orders = Orders {
        shards: 1,
        ..Orders::default()
    };
    let ended = run::simulate(&plan, reference, &orders).expect("a report");
    for phone in ended.report.phones() {
        assert_eq!(phone.outcome, Outcome::Provisioned, "{phone:?}");
    }
}

// FAN-108, FAN-110: the static server by FTP, with credentials and without.
#[test]
fn asks_the_static_server_with_and_without_a_login() {
    for attach in BOTH {
        for fleet in ["", "auth = \"login\"\nuser = \"site\"\npassword = \"hush\""] {
            let world = World {
                found: ("static", "modules"),
                fleet,
                ..pair()
            };
            let boot = world.boot(attach);
            boot.everybody(Outcome::Provisioned);
            assert!((boot.counted)(Counter::FtpSent) >= u64::from(PHONES));
        }
    }
}

// FAN-52: where the server wants a login that neither URL nor page has, the user is asked.
#[test]
fn asks_the_user_for_a_login() {
    for attach in BOTH {
        let fleet = "auth = \"login\"\ncredentials = \"prompt\"\n\
                     [fleet.operator]\nuser = \"site\"\npassword = \"hush\"\nthink_s = 4";
        let boot = World { fleet, ..pair() }.boot(attach);
        boot.everybody(Outcome::Provisioned);
    }
}

// FAN-111, FAN-145: whatever a static server does wrong, the whole run ends there, and says why.
#[test]
fn ends_the_run_where_a_static_server_does_wrong() {
    for (what, why) in [
        (FtpWrong::Greeting(421), "FTP reply 421"),
        (FtpWrong::Reply(425), "FTP reply 425"),
        (FtpWrong::Reply(550), "missing"),
        (FtpWrong::DataRefused, "no FTP data connection"),
    ] {
        for found in [("static", "modules"), ("dhcp", "modules")] {
            let world = World {
                found,
                ..World {
                    faults: World::wrong(what).faults,
                    ..pair()
                }
            };
            world.boot(Attach::Memory).nobody(why);
        }
    }
}

#[test]
fn opens_data_connections_as_the_mode_says() {
    // A server that sends passive phones to nobody serves only those in active mode.
    let fault = FtpFault {
        nth: None,
        what: FtpWrong::DataElsewhere(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1)),
    };
    for attach in BOTH {
        for (web, outcome) in [
            ("ftp_active = \"1\"", Outcome::Provisioned),
            ("", Outcome::Failed),
        ] {
            // On the simulated network a port that nobody has is the server's own.
            if attach == Attach::Memory && outcome == Outcome::Failed {
                continue;
            }
            let world = World {
                web,
                faults: vec![fault],
                ..PLAIN
            };
            world.boot(attach).everybody(outcome);
        }
    }
}

#[test]
fn shows_the_login_of_the_web_page_where_the_url_has_none() {
    for attach in BOTH {
        let world = World {
            fleet: "auth = \"login\"\nuser = \"site\"\npassword = \"hush\"",
            ..PLAIN
        };
        world.boot(attach).everybody(Outcome::Provisioned);
        let world = World {
            web: "password = \"wrong\"",
            ..world
        };
        let boot = world.boot(attach);
        boot.nobody("credentials refused");
        assert!((boot.counted)(Counter::FtpDenied) >= u64::from(PHONES));
        assert_eq!((boot.counted)(Counter::FtpSent), 0);
    }
}

#[test]
fn counts_a_file_that_is_not_there_as_missing() {
    for attach in BOTH {
        let world = World {
            without: true,
            ..PLAIN
        };
        let boot = world.boot(attach);
        boot.nobody("missing");
        assert!((boot.counted)(Counter::FtpNotFound) >= u64::from(PHONES));
    }
}

#[test]
fn says_that_a_model_without_ftp_does_not_speak_it() {
    let world = World {
        profile: "test/without",
        ..PLAIN
    };
    for attach in BOTH {
        let boot = world.boot(attach);
        boot.everybody(Outcome::Failed);
        assert_eq!((boot.counted)(Counter::FtpConnection), 0);
    }
}

#[test]
fn names_what_the_server_did_wrong() {
    let elsewhere = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 99), 4_000);
    for (what, why) in [
        (FtpWrong::Greeting(421), "FTP reply 421"),
        (FtpWrong::Greeting(500), "FTP reply 500"),
        (FtpWrong::Silent, "no answer"),
        (FtpWrong::Reply(421), "FTP reply 421"),
        (FtpWrong::Reply(425), "FTP reply 425"),
        (FtpWrong::Reply(451), "FTP reply 451"),
        (FtpWrong::Reply(553), "FTP reply 553"),
        (FtpWrong::Reply(599), "FTP reply 599"),
        (FtpWrong::Reply(530), "credentials refused"),
        (FtpWrong::Reply(550), "missing"),
        (FtpWrong::DataRefused, "no FTP data connection"),
        (FtpWrong::DataElsewhere(elsewhere), "no FTP data connection"),
        (FtpWrong::Stalled, "no answer"),
        (FtpWrong::Dripping, "no answer"),
        (FtpWrong::Cut(3), "FTP reply 426"),
        (FtpWrong::Broken(3), "connection broken"),
    ] {
        for attach in BOTH {
            World::wrong(what).boot(attach).nobody(why);
        }
    }
}

#[test]
fn gets_over_what_goes_wrong_once() {
    for what in [
        FtpWrong::Greeting(421),
        FtpWrong::Silent,
        FtpWrong::Reply(450),
        FtpWrong::Stalled,
        FtpWrong::Dripping,
        FtpWrong::Cut(1),
        FtpWrong::Broken(1),
    ] {
        for attach in BOTH {
            let boot = World::once(what).boot(attach);
            boot.everybody(Outcome::Provisioned);
            assert!(boot.log().contains("again"), "{}", boot.log());
        }
    }
}

// RFC 2577 §3: a server must not make a phone knock at somebody else's door.
#[test]
fn does_not_go_where_a_bouncing_server_sends_it() {
    let other = TcpListener::bind("127.0.0.98:0").expect("a port");
    other.set_nonblocking(true).expect("a listener");
    let std::net::SocketAddr::V4(at) = other.local_addr().expect("bound") else {
        panic!("v4")
    };
    let boot = World::wrong(FtpWrong::DataElsewhere(at)).boot(Attach::Loopback);
    boot.nobody("no FTP data connection");
    let came = other.accept();
    assert!(came.is_err(), "{came:?}");
}

fn server(config: FtpConfig, connections_max: usize) -> Running {
    let mut tree = Tree::default();
    tree.insert("site/a b.cfg", b"one\ntwo\n".to_vec())
        .expect("a path");
    tree.insert("big", vec![7; 3 << 20]).expect("a path");
    let mut reference = ReferenceConfig::files(Source::tree(tree));
    reference.ftp = config;
    let bind = Bind {
        ftp_port: Some(0),
        connections_max,
        ..Bind::loopback()
    };
    Adapter::start(Reference::new(reference), &bind).expect("a server")
}

// A second client, in place of a second decoder: what our server says is FTP to curl too.
#[test]
fn curl_understands_what_our_server_says() {
    let Some(curl) = tool("curl", "curl") else {
        return;
    };
    let area = Area {
        path: "/site/".to_owned(),
        users: [("bob".to_owned(), "hush".to_owned())]
            .into_iter()
            .collect(),
    };
    let server = server(
        FtpConfig {
            areas: vec![area],
            ..FtpConfig::default()
        },
        8,
    );
    let at = server.endpoints().ftp.expect("bound");
    let fetch = |arguments: &[&str], path: &str| {
        let mut command = Command::new(&curl);
        command.args(["--silent", "--show-error", "--max-time", "20"]);
        let url = format!("ftp://{at}/{path}");
        let done = command.args(arguments).arg(url).output().expect("curl");
        (done.status.code(), done.stdout)
    };
    let login = ["--user", "bob:hush"];
    for mode in [
        &[][..],
        &["--disable-epsv"],
        &["--ftp-port", "-"],
        &["--ftp-port", "-", "--disable-eprt"],
        &["--ftp-method", "nocwd"],
    ] {
        let arguments = [&login[..], mode].concat();
        let (code, body) = fetch(&arguments, "site/a%20b.cfg");
        assert_eq!((code, &body[..]), (Some(0), &b"one\ntwo\n"[..]), "{mode:?}");
    }
    assert_eq!(fetch(&[], "big"), (Some(0), vec![7; 3 << 20]));
    assert_eq!(fetch(&["--use-ascii"], "big").0, Some(0));
    let listed = fetch(&["--list-only"], "").1;
    assert_eq!(listed.trim_ascii(), b"big", "what is closed is not shown");
    let (_, listed) = fetch(&login, "site/");
    let listed = String::from_utf8(listed).expect("text");
    assert!(listed.contains("8 Jan  1  2026 a b.cfg"), "{listed}");
    // 67: login denied; 78 and 9: no such file, no access.
    assert_eq!(fetch(&["--user", "bob:wrong"], "big").0, Some(67));
    assert_eq!(fetch(&[], "none").0, Some(78));
    assert_ne!(fetch(&[], "site/a%20b.cfg").0, Some(0));
    assert_ne!(fetch(&login, "%2F..%2F..%2Fetc/passwd").0, Some(0));
    server.stop().expect("a sound server");
}

#[test]
fn holds_no_more_connections_than_it_may() {
    let server = server(FtpConfig::default(), 2);
    let at = server.endpoints().ftp.expect("bound");
    let connect = || {
        let stream = TcpStream::connect(at).expect("a connection");
        let wait = Some(Duration::from_secs(10));
        stream.set_read_timeout(wait).expect("a timeout");
        stream
    };
    let greeted = |stream: &mut TcpStream| {
        let mut bytes = [0; 4];
        stream
            .read_exact(&mut bytes)
            .is_ok_and(|()| &bytes == b"220 ")
    };
    let mut first = [connect(), connect()];
    assert!(first.iter_mut().all(greeted));
    assert!(!greeted(&mut connect()));
    assert_eq!(server.counters().value(Counter::FtpConnectionDropped), 1);
    drop(first);
    let began = Instant::now();
    while !greeted(&mut connect()) {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    server.stop().expect("a sound server");
}
