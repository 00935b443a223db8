//! FTP on the simulated network: the dialogue between a phone's driver and the server's session,
//! held at one moment, without sockets.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::phone::io::{ConnectionFault, FtpMode};

use crate::fleet::shard::Fetch;
use crate::reference::ftp::{Act, Door, Ftp, Manner, Sending, Sent, Session};

/// The server's port for data, and a phone's.
const DATA_PORT: u16 = 50_000;
/// Bytes that come one by one, a second each: a real server hangs up after so long.
const DRIPS_MAX: usize = 600;

/// What a phone asked for.
#[derive(Debug)]
pub(super) struct Asked {
    from: Ipv4Addr,
    mode: FtpMode,
    commands: [String; 3],
    path: String,
}

/// What it is told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) bytes: Arc<[u8]>,
    /// How many of them come.
    pub(super) length: usize,
    /// Wait between bytes that come one by one.
    pub(super) drip: Option<Duration>,
    pub(super) end: End,
}

/// What comes after the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The file is complete.
    Complete,
    /// Nothing, for ever.
    Silence,
    Failed(ConnectionFault),
}

impl Asked {
    pub(super) fn of(fetch: &Fetch<'_>) -> Self {
        Self {
            from: fetch.from,
            mode: fetch.mode,
            commands: [
                format!("USER {}\r\n", fetch.user),
                format!("PASS {}\r\n", fetch.password),
                "TYPE I\r\n".to_owned(),
            ],
            path: format!("RETR {}\r\n", fetch.path),
        }
    }

    /// Holds the dialogue.
    pub(super) fn answered(&self, ftp: &mut Ftp, server: Ipv4Addr) -> Told {
        self.dialogue(ftp, server).unwrap_or_else(|end| Told {
            bytes: Arc::from([]),
            length: 0,
            drip: None,
            end,
        })
    }

    fn dialogue(&self, ftp: &mut Ftp, server: Ipv4Addr) -> Result<Told, End> {
        let mut out = Vec::new();
        let (mut session, act) = Session::begin(ftp, self.from, &mut out);
        if matches!(act, Act::Silence) {
            return Err(End::Silence);
        }
        fine(&out, &[220])?;
        for (command, good) in self.commands.iter().zip([&[331, 230][..], &[230], &[200]]) {
            say(&mut session, ftp, command)?.replied(good)?;
        }
        match self.mode {
            FtpMode::Passive => passive(&mut session, ftp, server)?,
            FtpMode::Active => {
                let [a, b, c, d] = self.from.octets();
                let [high, low] = DATA_PORT.to_be_bytes();
                let port = format!("PORT {a},{b},{c},{d},{high},{low}\r\n");
                say(&mut session, ftp, &port)?.replied(&[200])?;
            }
        }
        let heard = say(&mut session, ftp, &self.path)?;
        heard.replied(&[150, 125])?;
        let Act::Send(sending) = heard.act else {
            return Err(End::Failed(ConnectionFault::Reset));
        };
        Ok(sent(&mut session, ftp, sending))
    }
}

/// What the server said to a command, and does.
struct Heard {
    out: Vec<u8>,
    act: Act,
}

impl Heard {
    fn replied(&self, good: &[u16]) -> Result<(), End> {
        fine(&self.out, good)
    }
}

fn say(session: &mut Session, ftp: &mut Ftp, command: &str) -> Result<Heard, End> {
    session.take(command.as_bytes());
    let mut out = Vec::new();
    let act = session.next(ftp, &mut out);
    Ok(Heard { out, act })
}

fn passive(session: &mut Session, ftp: &mut Ftp, server: Ipv4Addr) -> Result<(), End> {
    let mut heard = say(session, ftp, "PASV\r\n")?;
    if !matches!(heard.act, Act::Open) {
        return heard.replied(&[227]);
    }
    let own = SocketAddrV4::new(server, DATA_PORT);
    let door = session.door(ftp, Some(own), &mut heard.out);
    heard.replied(&[227])?;
    let [a, b, c, d] = server.octets();
    let here = format!("({a},{b},{c},{d},");
    let told = String::from_utf8_lossy(&heard.out);
    if door == Door::Shut || !told.contains(&here) {
        return Err(End::Failed(ConnectionFault::FtpData));
    }
    Ok(())
}

fn sent(session: &mut Session, ftp: &mut Ftp, sending: Sending) -> Told {
    let mut told = Told {
        length: sending.bytes.len(),
        bytes: sending.bytes,
        drip: None,
        end: End::Complete,
    };
    match sending.manner {
        Manner::Whole => session.sent(ftp, Sent::Whole, &mut Vec::new()),
        Manner::Stalled => (told.length, told.end) = (0, End::Silence),
        Manner::Dripping => {
            told.drip = Some(Duration::from_secs(1));
            if told.length > DRIPS_MAX {
                told.length = DRIPS_MAX;
                told.end = End::Failed(ConnectionFault::Reset);
            }
        }
        Manner::Cut(length) => {
            session.sent(ftp, Sent::Broken, &mut Vec::new());
            told.length = told.length.min(length);
            told.end = End::Failed(ConnectionFault::Ftp(426));
        }
        Manner::Broken(length) => {
            told.length = told.length.min(length);
            told.end = End::Failed(ConnectionFault::Reset);
        }
    }
    told
}

/// Whether a reply is one that lets the dialogue go on.
fn fine(out: &[u8], good: &[u16]) -> Result<(), End> {
    let digits = out.get(..3).and_then(|it| std::str::from_utf8(it).ok());
    match digits.and_then(|it| it.parse().ok()) {
        Some(code) if good.contains(&code) => Ok(()),
        Some(code) => Err(End::Failed(ConnectionFault::Ftp(code))),
        None => Err(End::Failed(ConnectionFault::Reset)),
    }
}
