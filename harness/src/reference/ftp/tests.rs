use std::net::Ipv4Addr;

use super::*;
use crate::reference::content::Tree;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const DOOR: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 50_001);

/// A server, one connection to it, and what it was told to do last.
struct World {
    ftp: Ftp,
    session: Session,
    act: Act,
}

fn users(user: &str, password: &str) -> FxHashMap<String, String> {
    [(user.to_owned(), password.to_owned())]
        .into_iter()
        .collect()
}

fn server(config: FtpConfig) -> Ftp {
    let mut tree = Tree::default();
    for path in ["a.cfg", "site/b.cfg", "site/deep/c.cfg", "site2/d.cfg"] {
        tree.insert(path, format!("{path}\n").into_bytes()).unwrap();
    }
    Ftp::new(config, Source::tree(tree), Arc::default())
}

fn closed() -> FtpConfig {
    FtpConfig {
        areas: vec![
            Area {
                path: "/site/".to_owned(),
                users: users("bob", "hush"),
            },
            Area {
                path: "/site/deep/".to_owned(),
                users: users("eve", "ssst"),
            },
        ],
        ..FtpConfig::default()
    }
}

fn wrong(what: FtpWrong) -> FtpConfig {
    FtpConfig {
        faults: vec![FtpFault { nth: Some(1), what }],
        ..FtpConfig::default()
    }
}

impl World {
    fn new(config: FtpConfig) -> Self {
        let mut ftp = server(config);
        let mut out = Vec::new();
        let (session, act) = Session::begin(&mut ftp, CLIENT, &mut out);
        assert!(out.starts_with(b"220 "));
        Self { ftp, session, act }
    }

    fn logged_in(config: FtpConfig, user: &str, password: &str) -> Self {
        let mut world = Self::new(config);
        assert_eq!(world.say(&format!("USER {user}")), "331");
        assert_eq!(world.say(&format!("PASS {password}")), "230");
        world
    }

    fn anybody(config: FtpConfig) -> Self {
        Self::logged_in(config, "anonymous", "anonymous@")
    }

    /// Says a line, opens a door where one is wanted; the code of the last reply.
    fn say(&mut self, line: &str) -> String {
        let out = self.bytes(format!("{line}\r\n").as_bytes());
        let line = out.lines().next_back().unwrap_or_default().to_owned();
        line.get(..3).unwrap_or_default().to_owned()
    }

    fn bytes(&mut self, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        self.session.take(bytes);
        self.act = self.session.next(&mut self.ftp, &mut out);
        if matches!(self.act, Act::Open) {
            assert_eq!(
                self.session.door(&mut self.ftp, Some(DOOR), &mut out),
                Door::Open
            );
        }
        String::from_utf8(out).unwrap()
    }

    /// The bytes that a command has sent over a data connection.
    fn data(&mut self, line: &str) -> Result<String, String> {
        self.say("TYPE I");
        assert_eq!(self.say("PASV"), "227");
        let code = self.say(line);
        let Act::Send(sending) = &self.act else {
            return Err(code);
        };
        let text = String::from_utf8(sending.bytes.to_vec()).unwrap();
        let mut out = Vec::new();
        self.session.sent(&mut self.ftp, Sent::Whole, &mut out);
        assert!(out.starts_with(b"226 "));
        Ok(text)
    }

    fn count(&self, counter: Counter) -> u64 {
        self.ftp.counters().value(counter)
    }
}

#[test]
fn sends_a_file_to_the_port_that_was_opened_or_told() {
    let mut world = World::anybody(FtpConfig::default());
    let told = world.bytes(b"pasv\r\n");
    assert_eq!(told, "227 Entering Passive Mode (10,0,0,2,195,81)\r\n");
    assert_eq!(world.data("RETR a.cfg").unwrap(), "a.cfg\n");
    assert_eq!(
        world.bytes(b"EPSV\r\n"),
        "229 Entering Extended Passive Mode (|||50001|)\r\n"
    );
    let to = SocketAddrV4::new(CLIENT, 4_000);
    for line in ["PORT 10,1,0,1,15,160", "EPRT |1|10.1.0.1|4000|"] {
        assert_eq!(world.say(line), "200");
        assert_eq!(world.say("RETR /site/b.cfg"), "150");
        let Act::Send(sending) = &world.act else {
            panic!("{:?}", world.act)
        };
        assert_eq!((sending.to, sending.manner), (Some(to), Manner::Whole));
    }
    // Each transfer wants a connection of its own.
    assert_eq!(world.say("RETR a.cfg"), "425");
    assert_eq!(world.count(Counter::FtpRetrieve), 4);
}

#[test]
fn answers_commands_that_come_together_or_in_pieces() {
    let mut world = World::new(FtpConfig::default());
    assert_eq!(
        world.bytes(b"USER x\r\nPASS y\r\nNO"),
        "331 Password, please\r\n230 Welcome\r\n"
    );
    assert_eq!(world.bytes(b"OP\n"), "200 Fine\r\n");
    assert!(matches!(world.act, Act::Wait));
    // What follows a retrieval waits for its end.
    world.say("PASV");
    let out = world.bytes(b"RETR a.cfg\r\nNOOP\r\n");
    assert_eq!(out.lines().count(), 1);
    let mut out = Vec::new();
    world.session.sent(&mut world.ftp, Sent::Broken, &mut out);
    assert!(out.starts_with(b"426 "));
    assert_eq!(world.bytes(b""), "200 Fine\r\n");
    assert_eq!(world.say("QUIT"), "221");
    assert!(matches!(world.act, Act::Close));
    assert_eq!(world.bytes(b"NOOP\r\n"), "");
}

#[test]
fn wants_a_login_first() {
    let mut world = World::new(closed());
    for line in [
        "PASV",
        "TYPE I",
        "RETR a.cfg",
        "SIZE a.cfg",
        "CWD site",
        "LIST",
    ] {
        assert_eq!(world.say(line), "530", "{line}");
    }
    assert_eq!(world.say("PASS hush"), "503");
    for _ in 0..DENIALS_MAX - 1 {
        assert_eq!(world.say("USER bob"), "331");
        assert_eq!(world.say("PASS wrong"), "530");
    }
    world.say("USER bob");
    assert_eq!(world.say("PASS wrong"), "421");
    assert!(matches!(world.act, Act::Close));
    assert_eq!(world.count(Counter::FtpDenied), u64::from(DENIALS_MAX));
    // A new USER ends the old login.
    let mut world = World::logged_in(closed(), "bob", "hush");
    assert_eq!(world.say("USER eve"), "331");
    assert_eq!(world.say("SIZE site/b.cfg"), "530");
}

#[test]
fn shows_what_is_closed_to_its_users_only() {
    let mut bob = World::logged_in(closed(), "bob", "hush");
    let mut eve = World::logged_in(closed(), "eve", "ssst");
    let mut other = World::anybody(closed());
    for (path, seen) in [
        ("a.cfg", [true; 3]),
        ("site2/d.cfg", [true; 3]),
        ("site/b.cfg", [true, false, false]),
        ("/site/b.cfg", [true, false, false]),
        ("//site/b.cfg", [true, false, false]),
        ("site/deep/c.cfg", [false, true, false]),
    ] {
        for (world, seen) in [&mut bob, &mut eve, &mut other].into_iter().zip(seen) {
            let got = world.data(&format!("RETR {path}"));
            assert_eq!(got.is_ok(), seen, "{path}: {got:?}");
            let size = world.say(&format!("SIZE {path}"));
            assert_eq!(size == "213", seen, "{path}: {size}");
        }
    }
    for path in ["site//b.cfg", "site/../a.cfg", "./site/b.cfg", "../a.cfg"] {
        assert_eq!(other.data(&format!("RETR {path}")), Err("550".to_owned()));
    }
    assert_eq!(other.data("NLST").unwrap(), "a.cfg\r\nsite2\r\n");
    assert_eq!(bob.data("NLST site").unwrap(), "b.cfg\r\n");
    // Closed to all but users.
    let mut world = World::new(FtpConfig {
        closed: true,
        ..closed()
    });
    world.say("USER anonymous");
    assert_eq!(world.say("PASS x@"), "530");
}

#[test]
fn goes_through_directories() {
    let mut world = World::anybody(FtpConfig::default());
    assert_eq!(world.bytes(b"PWD\r\n"), "257 \"/\"\r\n");
    assert_eq!(world.say("CWD site"), "250");
    assert_eq!(world.data("RETR b.cfg").unwrap(), "site/b.cfg\n");
    assert_eq!(world.say("CWD deep/"), "250");
    assert_eq!(world.bytes(b"PWD\r\n"), "257 \"/site/deep\"\r\n");
    assert_eq!(world.data("RETR c.cfg").unwrap(), "site/deep/c.cfg\n");
    assert_eq!(world.say("CDUP"), "250");
    assert_eq!(world.data("RETR b.cfg").unwrap(), "site/b.cfg\n");
    assert_eq!(world.say("CWD .."), "250");
    assert_eq!(world.say("CWD .."), "250");
    assert_eq!(world.data("RETR a.cfg").unwrap(), "a.cfg\n");
    assert_eq!(world.say("CWD ../.."), "550");
    assert_eq!(world.say("CWD /site"), "250");
    let listed = world.data("LIST -l").unwrap();
    assert!(
        listed.contains("          11 Jan  1  2026 b.cfg\r\n"),
        "{listed}"
    );
    assert!(listed.contains("drwxr-xr-x 1 ftp ftp            0 Jan  1  2026 deep\r\n"));
}

#[test]
fn sends_text_with_line_ends_of_the_net_until_told_otherwise() {
    let mut world = World::anybody(FtpConfig::default());
    world.say("PASV");
    world.say("RETR a.cfg");
    let Act::Send(sending) = &world.act else {
        panic!("{:?}", world.act)
    };
    assert_eq!(&sending.bytes[..], b"a.cfg\r\n");
    for (line, code) in [
        ("TYPE I", "200"),
        ("TYPE L 8", "200"),
        ("TYPE E", "504"),
        ("MODE S", "200"),
        ("MODE B", "504"),
        ("STRU F", "200"),
        ("STRU R", "504"),
        ("SYST", "215"),
        ("FEAT", "211"),
        ("REST 3", "502"),
        ("STOR x", "550"),
        ("DELE a.cfg", "550"),
        ("XYZ", "502"),
        ("SIZE none", "550"),
        ("ABOR", "226"),
    ] {
        assert_eq!(world.say(line), code, "{line}");
    }
}

// RFC 2577 §3
#[test]
fn sends_nothing_to_somebody_else() {
    let mut world = World::anybody(FtpConfig::default());
    for (line, code) in [
        ("PORT 10,1,0,2,15,160", "504"),
        ("PORT 10,1,0,1,0,25", "504"),
        ("EPRT |1|10.0.0.9|4000|", "504"),
        ("EPRT |2|::1|4000|", "501"),
        ("PORT 10,1,0,1,15", "501"),
        ("PORT 10,1,0,1,15,160,1", "501"),
        ("PORT 10,1,0,300,15,160", "501"),
        ("PORT", "501"),
        ("EPRT", "501"),
    ] {
        assert_eq!(world.say(line), code, "{line}");
        assert_eq!(world.say("RETR a.cfg"), "425");
    }
}

#[test]
fn bears_lines_without_end_or_sense() {
    let mut world = World::anybody(FtpConfig::default());
    assert!(world.bytes(b"\xff\xfe\r\n").starts_with("500 "));
    assert!(world.bytes(b"\r\n").starts_with("502 "));
    assert!(world.bytes(&[b'x'; LINE_BYTES_MAX + 1]).starts_with("500 "));
    assert!(matches!(world.act, Act::Close));
    assert_eq!(world.count(Counter::FtpMalformed), 2);
    // Nothing is kept without limit while a file is on its way.
    let mut world = World::anybody(FtpConfig::default());
    world.say("PASV");
    world.say("RETR a.cfg");
    for _ in 0..100 {
        world.session.take(&[b'\n'; LINE_BYTES_MAX]);
    }
    let mut out = Vec::new();
    assert!(matches!(
        world.session.next(&mut world.ftp, &mut out),
        Act::Close
    ));
}

#[test]
fn does_wrong_as_it_is_told_and_when() {
    for (what, code) in [
        (FtpWrong::Reply(451), "451"),
        (FtpWrong::Reply(421), "421"),
        (FtpWrong::Reply(550), "550"),
    ] {
        let mut world = World::anybody(wrong(what));
        assert_eq!(world.data("RETR a.cfg"), Err(code.to_owned()));
        assert_eq!(matches!(world.act, Act::Close), code == "421");
        if code != "421" {
            assert_eq!(world.data("RETR a.cfg").unwrap(), "a.cfg\n");
        }
    }
    for (what, manner) in [
        (FtpWrong::Stalled, Manner::Stalled),
        (FtpWrong::Dripping, Manner::Dripping),
        (FtpWrong::Cut(2), Manner::Cut(2)),
        (FtpWrong::Broken(2), Manner::Broken(2)),
    ] {
        let mut world = World::anybody(wrong(what));
        world.say("PASV");
        assert_eq!(world.say("RETR a.cfg"), "150");
        let Act::Send(sending) = &world.act else {
            panic!("{:?}", world.act)
        };
        assert_eq!(sending.manner, manner);
    }
    let mut world = World::anybody(wrong(FtpWrong::DataElsewhere(DOOR)));
    assert!(world.bytes(b"PASV\r\n").contains("(10,0,0,2,195,81)"));
    let mut ftp = server(wrong(FtpWrong::DataRefused));
    let mut out = Vec::new();
    let (mut session, _) = Session::begin(&mut ftp, CLIENT, &mut out);
    assert_eq!(session.door(&mut ftp, Some(DOOR), &mut out), Door::Shut);
    assert_eq!(session.door(&mut ftp, None, &mut out), Door::Shut);
    assert!(out.ends_with(b"425 No port left\r\n"));
    for (what, said) in [
        (FtpWrong::Greeting(421), "421 No service now\r\n"),
        (FtpWrong::Silent, ""),
    ] {
        let mut out = Vec::new();
        let (_, act) = Session::begin(&mut server(wrong(what)), CLIENT, &mut out);
        assert_eq!(out, said.as_bytes());
        assert_eq!(matches!(act, Act::Silence), said.is_empty());
    }
}

#[test]
fn ends_an_idle_session() {
    let mut world = World::anybody(FtpConfig::default());
    let mut out = Vec::new();
    world.session.idle(&world.ftp, &mut out);
    assert!(out.starts_with(b"421 "));
    assert_eq!(world.count(Counter::FtpIdle), 1);
    assert_eq!(world.bytes(b"NOOP\r\n"), "");
}
