use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::identity::{Identity, Mac};
use crate::phone::io::Outputs;
use crate::profile::Profile;
use crate::profile::load::Library;
use crate::rng::Rng;
use crate::shelf::Shelf;
use crate::url::Scheme;

const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 21);
const TIMEOUT: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_secs(5);
const LIMIT: usize = 10_000;

/// A client and everything it touches.
struct World {
    client: Option<FtpClient>,
    now: Moment,
    spec: FtpSpec,
    profile: Profile,
    shelf: Shelf,
    rng: Rng,
    out: Outputs,
}

fn spec() -> FtpSpec {
    FtpSpec {
        mode: FtpMode::Passive,
        timeout: TIMEOUT,
        attempts: 2,
        retry: RETRY,
        clauses: Vec::new(),
    }
}

fn once() -> FtpSpec {
    FtpSpec {
        attempts: 1,
        ..spec()
    }
}

impl World {
    fn new(spec: FtpSpec) -> Self {
        let mut library = Library::default();
        let vendor = include_str!("../../../profiles/flyingvoice/vendor.toml");
        let model = include_str!("../../../profiles/flyingvoice/fip13g.toml");
        library.add("flyingvoice/vendor.toml", vendor).unwrap();
        library.add("flyingvoice/fip13g.toml", model).unwrap();
        Self {
            client: None,
            now: Moment::ZERO,
            spec,
            profile: library.load("flyingvoice/fip13g").unwrap(),
            shelf: Shelf::new(Vec::new()),
            rng: Rng::new(1),
            out: Outputs::default(),
        }
    }

    /// A client that asked for `url`.
    fn asking(spec: FtpSpec, url: &str) -> Self {
        let mut world = Self::new(spec);
        world.start(url, "", "", None);
        world.ladder();
        world
    }

    fn start(&mut self, url: &str, user: &str, password: &str, mode: Option<FtpMode>) {
        let url = Url::parse(url, Scheme::Ftp).unwrap();
        let spec = self.spec.clone();
        self.act(|client, turn| {
            let file = Retrieval {
                step: StepId::GIVEN,
                url: &url,
                server: SERVER,
                user,
                password,
                mode,
                limit: LIMIT,
                connection: 7,
            };
            *client = Some(FtpClient::start(turn, &spec, &file));
            None
        });
    }

    fn act(
        &mut self,
        act: impl FnOnce(&mut Option<FtpClient>, &mut Turn<'_>) -> Option<Ending>,
    ) -> String {
        let identity = Identity {
            mac: Mac([0, 1, 2, 3, 4, 5]),
            index: 0,
            run_seed: 1,
        };
        let mut turn = Turn {
            now: self.now,
            profile: &self.profile,
            identity: &identity,
            address: Ipv4Addr::new(10, 1, 0, 1),
            firmware: "1",
            shelf: &mut self.shelf,
            rng: &mut self.rng,
            out: &mut self.out,
        };
        match act(&mut self.client, &mut turn) {
            None => "-".to_owned(),
            Some(Ending::Found(body)) => {
                format!("found {:?}", body.bytes().escape_ascii().to_string())
            }
            Some(Ending::Missing) => "missing".to_owned(),
            Some(Ending::Failed(fault)) => format!("failed {fault:?}"),
        }
    }

    fn input(&mut self, input: &Input<'_>) -> String {
        self.act(|client, turn| client.as_mut().unwrap().input(turn, input))
    }

    fn bytes(&mut self, id: u16, bytes: &[u8]) -> String {
        self.input(&Input::Bytes(Connection(id), bytes))
    }

    fn closed(&mut self, id: u16) -> String {
        self.input(&Input::Closed(Connection(id)))
    }

    fn failed(&mut self, id: u16, fault: ConnectionFault) -> String {
        self.input(&Input::Failed(Connection(id), fault))
    }

    fn pass(&mut self, time: Duration) -> String {
        self.now = self.now + time;
        self.act(|client, turn| client.as_mut().unwrap().tick(turn))
    }

    /// What the client did since the last look: effects, then events.
    fn ladder(&mut self) -> Vec<String> {
        let text = |range| self.out.slice(range).escape_ascii().to_string();
        let effects = self.out.effects.iter().map(|effect| match effect {
            Effect::Retrieve {
                connection,
                to,
                mode,
                user,
                password,
                path,
            } => {
                let (user, password) = (text(user), text(password));
                let path = text(path);
                format!("{}: {to} {mode:?} {user} {password} {path}", connection.0)
            }
            Effect::Close(connection) => format!("{}: close", connection.0),
            other => format!("{other:?}"),
        });
        let events = self.out.events.iter().map(|event| match event.kind {
            EventKind::Sent { bytes, .. } => format!("sent {bytes}"),
            EventKind::Retried { attempt, .. } => format!("attempt {attempt}"),
            EventKind::Wrong { fault, .. } => format!("wrong {fault:?}"),
            EventKind::LimitReached { limit, value } => format!("limit {limit:?} {value}"),
            ref other => format!("{other:?}"),
        });
        let lines = effects.chain(events).collect();
        self.out.clear();
        lines
    }
}

// FLY-84: the login stands in the URL.
#[test]
fn logs_in_with_the_credentials_of_the_url_and_collects_the_file() {
    let mut world = World::new(spec());
    world.start("ftp://test1:1%4023@10.0.0.1/dir/a.cfg", "own", "pass", None);
    assert_eq!(
        world.ladder(),
        ["7: 10.0.0.1:21 Passive test1 1@23 dir/a.cfg", "sent 16"]
    );
    assert_eq!(world.bytes(7, b"abc"), "-");
    assert_eq!(world.bytes(6, b"xyz"), "-");
    assert_eq!(world.closed(6), "-");
    assert_eq!(world.bytes(7, b"def"), "-");
    assert_eq!(world.closed(7), "found \"abcdef\"");
    assert_eq!(world.ladder(), [""; 0]);
    // It ended.
    assert_eq!(world.bytes(7, b"more"), "-");
    assert_eq!(world.closed(7), "-");
    assert_eq!(world.failed(7, ConnectionFault::Reset), "-");
    assert_eq!(world.pass(TIMEOUT), "-");
}

#[test]
fn falls_back_to_the_phone_s_own_credentials_and_then_to_anonymous() {
    let mut world = World::new(spec());
    world.start("ftp://10.0.0.1/a", "own", "pass", Some(FtpMode::Active));
    assert_eq!(
        world.ladder(),
        ["7: 10.0.0.1:21 Active own pass a", "sent 8"]
    );
    world.start("ftp://10.0.0.1/a", "", "pass", None);
    assert_eq!(
        world.ladder(),
        ["7: 10.0.0.1:21 Passive anonymous anonymous@ a", "sent 8"]
    );
    let mut world = World::new(FtpSpec {
        mode: FtpMode::Active,
        ..spec()
    });
    // A user without a password has an empty one.
    world.start("ftp://u@10.0.0.1/a", "own", "pass", None);
    assert_eq!(world.ladder(), ["7: 10.0.0.1:21 Active u  a", "sent 8"]);
}

// RFC 1738 §3.2.2
#[test]
fn names_files_relative_to_the_login_directory() {
    for (written, name) in [
        ("/a/b.cfg", Some("a/b.cfg")),
        ("/%2Fetc/motd", Some("/etc/motd")),
        ("//etc/motd", Some("/etc/motd")),
        ("/a%20b c.cfg", Some("a b c.cfg")),
        ("/a%zz%4", Some("a%zz%4")),
        ("/a.cfg;type=i", Some("a.cfg")),
        ("/a.cfg;type=x", Some("a.cfg;type=x")),
        ("/a.cfg?x=1", Some("a.cfg?x=1")),
        ("/a.cfg#part", Some("a.cfg")),
        ("/%C3%A4", Some("\u{e4}")),
        ("/%E4", None),
    ] {
        let url = Url::parse(&format!("ftp://h{written}"), Scheme::Ftp).unwrap();
        assert_eq!(path_of(&url).as_deref(), name, "{written}");
    }
}

#[test]
fn refuses_what_would_be_a_command_of_its_own() {
    let clean = ["", ""];
    for (path, [user, password]) in [
        ("/a%0d%0aDELE b", clean),
        ("/a%0A", clean),
        ("/a%00", clean),
        ("/%e4", clean),
        ("/", clean),
        ("/a", ["x\r\nDELE b", ""]),
        ("/a", ["x", "y\n"]),
        ("/a", ["x", "\0"]),
    ] {
        let mut world = World::new(spec());
        world.start(&format!("ftp://10.0.0.1{path}"), user, password, None);
        assert_eq!(world.ladder(), [""; 0]);
        assert_eq!(world.pass(Duration::ZERO), "failed BadTarget", "{path}");
        assert_eq!(world.pass(Duration::ZERO), "-");
    }
}

#[test]
fn tells_by_the_reply_what_a_refusal_is() {
    for (fault, ending) in [
        (ConnectionFault::Ftp(550), "missing"),
        (ConnectionFault::Ftp(530), "failed Unauthorized"),
        (ConnectionFault::Ftp(331), "failed Unauthorized"),
        (ConnectionFault::Ftp(430), "failed Unauthorized"),
        (ConnectionFault::Ftp(421), "failed FtpReply(421)"),
        (ConnectionFault::Ftp(425), "failed FtpReply(425)"),
        (ConnectionFault::Ftp(426), "failed FtpReply(426)"),
        (ConnectionFault::Ftp(450), "failed FtpReply(450)"),
        (ConnectionFault::Ftp(451), "failed FtpReply(451)"),
        (ConnectionFault::Ftp(500), "failed FtpReply(500)"),
        (ConnectionFault::FtpData, "failed FtpData"),
        (ConnectionFault::Refused, "failed ConnectionRefused"),
        (ConnectionFault::TimedOut, "failed Silence"),
        (ConnectionFault::Reset, "failed ConnectionBroken"),
        (ConnectionFault::Tls, "failed Tls"),
        (ConnectionFault::Local, "failed Local"),
    ] {
        let mut world = World::asking(once(), "ftp://10.0.0.1/a");
        assert_eq!(world.failed(7, fault), ending);
        assert_eq!(world.ladder(), [""; 0]);
    }
}

#[test]
fn tries_again_after_a_pause_what_failed_for_the_moment() {
    for (fault, wrong) in [
        (ConnectionFault::Ftp(421), "wrong FtpReply(421)"),
        (ConnectionFault::Ftp(451), "wrong FtpReply(451)"),
        (ConnectionFault::Reset, "wrong ConnectionBroken"),
    ] {
        let mut world = World::asking(spec(), "ftp://10.0.0.1/a");
        assert_eq!(world.bytes(7, b"half"), "-");
        assert_eq!(world.failed(7, fault), "-");
        assert_eq!(world.ladder(), [wrong]);
        assert_eq!(world.pass(RETRY / 2), "-");
        assert_eq!(world.ladder(), [""; 0]);
        assert_eq!(world.pass(RETRY / 2), "-");
        assert_eq!(
            world.ladder(),
            ["8: 10.0.0.1:21 Passive anonymous anonymous@ a", "attempt 2"]
        );
        // Nothing of the first try is left.
        assert_eq!(world.bytes(7, b"old"), "-");
        assert_eq!(world.bytes(8, b"whole"), "-");
        assert_eq!(world.closed(8), "found \"whole\"");
    }
    // At once where the profile has no pause.
    let spec = FtpSpec {
        retry: Duration::ZERO,
        ..spec()
    };
    let mut world = World::asking(spec, "ftp://10.0.0.1/a");
    world.failed(7, ConnectionFault::Ftp(450));
    assert_eq!(world.ladder().len(), 3);
}

#[test]
fn gives_up_a_silent_server_after_the_last_attempt() {
    let mut world = World::asking(spec(), "ftp://10.0.0.1/a");
    assert_eq!(world.pass(TIMEOUT / 2), "-");
    assert_eq!(world.ladder(), [""; 0]);
    assert_eq!(world.pass(TIMEOUT / 2), "-");
    assert_eq!(world.ladder(), ["7: close"]);
    assert_eq!(world.pass(RETRY), "-");
    assert_eq!(world.ladder().len(), 2);
    assert_eq!(world.pass(TIMEOUT), "failed Silence");
    assert_eq!(world.ladder(), ["8: close"]);
}

#[test]
fn does_not_take_a_byte_now_and_then_for_progress() {
    let mut world = World::asking(once(), "ftp://10.0.0.1/a");
    for _ in 1..20 {
        assert_eq!(world.bytes(7, b"x"), "-");
        assert_eq!(world.pass(Duration::from_secs(1)), "-");
    }
    assert_eq!(world.bytes(7, b"x"), "-");
    assert_eq!(world.pass(Duration::from_secs(1)), "failed Silence");
    // One that is slow, but not that slow, is waited for.
    let mut world = World::asking(once(), "ftp://10.0.0.1/a");
    for _ in 0..8 {
        assert_eq!(world.bytes(7, &[b'x'; PROGRESS_BYTES_MIN]), "-");
        assert_eq!(world.pass(TIMEOUT * 3 / 4), "-");
    }
}

#[test]
fn ends_a_file_that_grows_beyond_the_limit() {
    let mut world = World::asking(spec(), "ftp://10.0.0.1/a");
    assert_eq!(world.bytes(7, &[0; LIMIT]), "-");
    assert_eq!(world.bytes(7, &[0]), "failed TooLarge");
    assert_eq!(world.ladder(), ["7: close", "limit FileBytes 10000"]);
}

#[test]
fn closes_what_is_abandoned() {
    let mut world = World::asking(spec(), "ftp://10.0.0.1/a");
    let close = |client: &mut Option<FtpClient>, turn: &mut Turn<'_>| {
        client.as_mut().unwrap().close(turn);
        None
    };
    world.act(close);
    assert_eq!(world.ladder(), ["7: close"]);
    world.act(close);
    assert_eq!(world.ladder(), [""; 0]);
    assert_eq!(world.closed(7), "-");
}

#[test]
fn prints_no_credentials() {
    let mut world = World::new(spec());
    world.start("ftp://geheim:geheim@10.0.0.1/a", "geheim", "geheim", None);
    assert!(!format!("{:?}", world.client).contains("geheim"));
}
