//! TCP connections in a capture, and FTP over two of them: the control connection, and the one
//! that the file comes by, which the phone or the server opens.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bootstorm::fleet::shard::Fetch;
use bootstorm::reference::ftp::{Act, Door, Ftp, Manner, Sending, Sent, Session};
use bootstorm_emulator::phone::io::FtpMode;

use crate::capture::{ACK, Capture, FIN, Place, SYN, Way};

/// Ports of the server: of FTP, of the data connections that it opens, and of those that it takes.
const CONTROL: u16 = 21;
const DATA: u16 = 20;
const PASSIVE: u16 = 50_000;
/// A phone's port for data, on top of the control connection's.
const BESIDE: u16 = 10_000;

/// A TCP connection, by who opened it and who took it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk {
    pub(crate) opener: SocketAddrV4,
    taker: SocketAddrV4,
    up: u32,
    down: u32,
}

impl Talk {
    /// The handshake.
    pub(crate) fn open(
        capture: &mut Capture,
        at: Duration,
        opener: SocketAddrV4,
        taker: SocketAddrV4,
    ) -> Self {
        let mut talk = Self {
            opener,
            taker,
            up: 0,
            down: 0,
        };
        capture.segment(talk.there(at), talk.place_there(), SYN, &[]);
        talk.up = 1;
        capture.segment(talk.back(at), talk.place_back(), SYN | ACK, &[]);
        talk.down = 1;
        capture.segment(talk.there(at), talk.place_there(), ACK, &[]);
        talk
    }

    /// The opener writes.
    pub(crate) fn up(&mut self, capture: &mut Capture, at: Duration, bytes: &[u8]) {
        self.up = capture.stretch(self.there(at), self.place_there(), bytes);
    }

    /// The taker writes.
    pub(crate) fn down(&mut self, capture: &mut Capture, at: Duration, bytes: &[u8]) {
        self.down = capture.stretch(self.back(at), self.place_back(), bytes);
    }

    /// The opener ends it.
    pub(crate) fn close(&self, capture: &mut Capture, at: Duration) {
        capture.segment(self.there(at), self.place_there(), FIN | ACK, &[]);
    }

    /// The taker ends it.
    fn shut(&self, capture: &mut Capture, at: Duration) {
        capture.segment(self.back(at), self.place_back(), FIN | ACK, &[]);
    }

    fn there(&self, at: Duration) -> Way {
        let (from, to) = (self.opener, self.taker);
        Way { at, from, to }
    }

    fn back(&self, at: Duration) -> Way {
        let (from, to) = (self.taker, self.opener);
        Way { at, from, to }
    }

    fn place_there(&self) -> Place {
        Place {
            sequence: self.up,
            acknowledged: self.down,
        }
    }

    fn place_back(&self) -> Place {
        Place {
            sequence: self.down,
            acknowledged: self.up,
        }
    }
}

/// What a phone asked for by FTP.
pub(crate) struct Asked {
    phone: SocketAddrV4,
    server: Ipv4Addr,
    mode: FtpMode,
    login: [String; 3],
    path: String,
}

impl Asked {
    pub(crate) fn of(fetch: &Fetch<'_>, port: u16) -> Self {
        Self {
            phone: SocketAddrV4::new(fetch.from, port),
            server: *fetch.to.ip(),
            mode: fetch.mode,
            login: [
                format!("USER {}\r\n", fetch.user),
                format!("PASS {}\r\n", fetch.password),
                "TYPE I\r\n".to_owned(),
            ],
            path: format!("RETR {}\r\n", fetch.path),
        }
    }

    /// Holds the dialogue; the file, or the reply instead of one.
    pub(crate) fn held(
        &self,
        capture: &mut Capture,
        at: Duration,
        ftp: &mut Ftp,
    ) -> Result<Vec<u8>, u16> {
        let mut greeting = Vec::new();
        let (session, _) = Session::begin(ftp, *self.phone.ip(), &mut greeting);
        let control = SocketAddrV4::new(self.server, CONTROL);
        let mut line = Line {
            talk: Talk::open(capture, at, self.phone, control),
            session,
            capture,
            at,
        };
        line.talk.down(line.capture, at, &greeting);
        let said = self.retrieved(&mut line, ftp);
        line.talk.close(line.capture, at);
        said
    }

    fn retrieved(&self, line: &mut Line<'_>, ftp: &mut Ftp) -> Result<Vec<u8>, u16> {
        for command in &self.login {
            let (code, _) = line.say(ftp, command);
            if !(200..400).contains(&code) {
                return Err(code);
            }
        }
        let data = SocketAddrV4::new(*self.phone.ip(), self.phone.port() + BESIDE);
        match self.mode {
            FtpMode::Passive => {
                assert!(matches!(line.say(ftp, "PASV\r\n"), (_, Act::Open)));
                let at = SocketAddrV4::new(self.server, PASSIVE);
                let mut reply = Vec::new();
                assert_eq!(line.session.door(ftp, Some(at), &mut reply), Door::Open);
                line.talk.down(line.capture, line.at, &reply);
            }
            FtpMode::Active => {
                let [a, b, c, d] = data.ip().octets();
                let [high, low] = data.port().to_be_bytes();
                let command = format!("PORT {a},{b},{c},{d},{high},{low}\r\n");
                assert_eq!(line.say(ftp, &command).0, 200);
            }
        }
        let (code, act) = line.say(ftp, &self.path);
        let Act::Send(sending) = act else {
            return Err(code);
        };
        Ok(line.send(ftp, sending, data, self.server))
    }
}

/// A control connection and the server's end of it.
struct Line<'a> {
    talk: Talk,
    session: Session,
    capture: &'a mut Capture,
    at: Duration,
}

impl Line<'_> {
    /// A command and what the server makes of it; the code is 0 where it says nothing yet.
    fn say(&mut self, ftp: &mut Ftp, command: &str) -> (u16, Act) {
        self.talk.up(self.capture, self.at, command.as_bytes());
        self.session.take(command.as_bytes());
        let mut reply = Vec::new();
        let act = self.session.next(ftp, &mut reply);
        self.talk.down(self.capture, self.at, &reply);
        let code = reply.get(..3).and_then(|it| std::str::from_utf8(it).ok());
        (code.and_then(|it| it.parse().ok()).unwrap_or(0), act)
    }

    /// The file, by a connection that whoever was told a port opens.
    fn send(
        &mut self,
        ftp: &mut Ftp,
        sending: Sending,
        phone: SocketAddrV4,
        server: Ipv4Addr,
    ) -> Vec<u8> {
        assert!(matches!(sending.manner, Manner::Whole), "no fault is set");
        let at = self.at;
        let bytes = sending.bytes.to_vec();
        if sending.to.is_some() {
            let from = SocketAddrV4::new(server, DATA);
            let mut data = Talk::open(self.capture, at, from, phone);
            data.up(self.capture, at, &bytes);
            data.close(self.capture, at);
        } else {
            let to = SocketAddrV4::new(server, PASSIVE);
            let mut data = Talk::open(self.capture, at, phone, to);
            data.down(self.capture, at, &bytes);
            data.shut(self.capture, at);
        }
        let mut reply = Vec::new();
        self.session.sent(ftp, Sent::Whole, &mut reply);
        self.talk.down(self.capture, at, &reply);
        bytes
    }
}
