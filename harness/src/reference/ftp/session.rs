//! One control connection as a value: bytes in, replies out.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use super::{DENIALS_MAX, Ftp, FtpWrong, Guest, LINE_BYTES_MAX};
use crate::reference::content::Absent;
use crate::reference::counters::Counter;

/// Ports below this are other services', which no client's data belongs to (RFC 2577 §3).
const OWN_PORT_MIN: u16 = 1_024;

/// What whoever has the sockets is to do next, when the replies so far are sent.
#[derive(Debug, Clone)]
pub enum Act {
    /// Wait for more.
    Wait,
    /// Open a port for the data connection and tell `Session::door`.
    Open,
    /// Send this over a data connection and tell `Session::sent`.
    Send(Sending),
    /// Close the connection.
    Close,
    /// Say nothing more, but keep the connection.
    Silence,
}

/// What to do with a port that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Wait there for the client.
    Open,
    /// Close it at once: the client is to find nobody.
    Shut,
}

/// A file for a data connection.
#[derive(Debug, Clone)]
pub struct Sending {
    /// Where to connect; `None` = the client comes to the port that was opened.
    pub to: Option<SocketAddrV4>,
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// How they are sent.
    pub manner: Manner,
}

/// How a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As fast as it goes.
    Whole,
    /// Not at all; the connection stays.
    Stalled,
    /// A byte in a second.
    Dripping,
    /// These bytes and no more; then `Sent::Broken`.
    Cut(usize),
    /// These bytes; then both connections break.
    Broken(usize),
}

/// What came of a data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Everything was sent.
    Whole,
    /// There was no connection.
    Unconnected,
    /// It broke.
    Broken,
}

/// Where the data connection is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    Unsaid,
    /// The client was told a port.
    Passive,
    /// The client told one.
    Active(SocketAddrV4),
}

/// The server's end of a control connection.
#[derive(Debug)]
pub struct Session {
    client: Ipv4Addr,
    held: Vec<u8>,
    user: Option<String>,
    guest: Option<Guest>,
    denials: u8,
    /// The current directory, with slashes at both ends.
    directory: String,
    text: bool,
    data: Data,
    /// PASV was EPSV.
    extended: bool,
    closed: bool,
}

impl Session {
    /// A connection of a client at this address, and what it is greeted with.
    pub fn begin(ftp: &mut Ftp, client: Ipv4Addr, out: &mut Vec<u8>) -> (Self, Act) {
        ftp.connections += 1;
        ftp.count(Counter::FtpConnection);
        let mut session = Self {
            client,
            held: Vec::new(),
            user: None,
            guest: None,
            denials: 0,
            directory: "/".to_owned(),
            text: true,
            data: Data::Unsaid,
            extended: false,
            closed: false,
        };
        let at_greeting =
            |what: &FtpWrong| matches!(what, FtpWrong::Greeting(_) | FtpWrong::Silent);
        let act = match ftp.fault(ftp.connections, at_greeting) {
            Some(FtpWrong::Greeting(code)) => {
                reply(out, code, "No service now");
                session.closed = true;
                Act::Close
            }
            Some(_) => Act::Silence,
            None => {
                reply(out, 220, "Files for phones");
                Act::Wait
            }
        };
        if ftp.told(client, 0, out) {
            session.closed = true;
            return (session, Act::Close);
        }
        (session, act)
    }

    /// Takes bytes as they come; `next` looks at them.
    pub fn take(&mut self, bytes: &[u8]) {
        // Whoever sends on and on meanwhile is not kept.
        self.closed |= self.held.len() + bytes.len() > 4 * LINE_BYTES_MAX;
        if !self.closed {
            self.held.extend_from_slice(bytes);
        }
    }

    /// Answers the commands that are here, up to one that needs a data connection.
    pub fn next(&mut self, ftp: &mut Ftp, out: &mut Vec<u8>) -> Act {
        let start = out.len();
        let act = self.answered(ftp, out);
        if ftp.told(self.client, start, out) {
            self.closed = true;
            return Act::Close;
        }
        let refused = out.get(start..).is_some_and(|said| !said.starts_with(b"1"));
        match act {
            // A mutant has the server refuse what it was about to send.
            Act::Send(_) if refused => Act::Wait,
            act => act,
        }
    }

    fn answered(&mut self, ftp: &mut Ftp, out: &mut Vec<u8>) -> Act {
        while !self.closed {
            let Some(end) = self.held.iter().position(|byte| *byte == b'\n') else {
                if self.held.len() <= LINE_BYTES_MAX {
                    return Act::Wait;
                }
                break;
            };
            let rest = self.held.split_off(end + 1);
            let line = std::mem::replace(&mut self.held, rest);
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Ok(line) = std::str::from_utf8(line) else {
                ftp.count(Counter::FtpMalformed);
                reply(out, 500, "Not understood");
                continue;
            };
            match self.command(ftp, line, out) {
                Act::Wait => {}
                act => return act,
            }
        }
        if !self.closed {
            ftp.count(Counter::FtpMalformed);
            reply(out, 500, "Line too long");
        }
        Act::Close
    }

    /// Says the port that was opened, or that there was none.
    pub fn door(&mut self, ftp: &mut Ftp, at: Option<SocketAddrV4>, out: &mut Vec<u8>) -> Door {
        let start = out.len();
        let Some(mut at) = at else {
            ftp.count(Counter::FtpDataFailed);
            reply(out, 425, "No port left");
            return Door::Shut;
        };
        self.data = Data::Passive;
        let at_door =
            |what: &FtpWrong| matches!(what, FtpWrong::DataRefused | FtpWrong::DataElsewhere(_));
        let mut door = Door::Open;
        match ftp.fault(ftp.retrievals + 1, at_door) {
            Some(FtpWrong::DataElsewhere(elsewhere)) => at = elsewhere,
            Some(_) => door = Door::Shut,
            None => {}
        }
        if self.extended {
            let text = format!("Entering Extended Passive Mode (|||{}|)", at.port());
            reply(out, 229, &text);
        } else {
            let [a, b, c, d] = at.ip().octets();
            let [high, low] = at.port().to_be_bytes();
            let text = format!("Entering Passive Mode ({a},{b},{c},{d},{high},{low})");
            reply(out, 227, &text);
        }
        ftp.told(self.client, start, out);
        door
    }

    /// Says what came of a data connection.
    pub fn sent(&mut self, ftp: &mut Ftp, sent: Sent, out: &mut Vec<u8>) {
        let (counter, code, text) = match sent {
            Sent::Whole => (Counter::FtpSent, 226, "Transfer complete"),
            Sent::Unconnected => (Counter::FtpDataFailed, 425, "No data connection"),
            Sent::Broken => (Counter::FtpAborted, 426, "Transfer aborted"),
        };
        ftp.count(counter);
        let start = out.len();
        reply(out, code, text);
        ftp.told(self.client, start, out);
    }

    /// Ends a session that was idle for too long.
    pub fn idle(&mut self, ftp: &Ftp, out: &mut Vec<u8>) {
        ftp.count(Counter::FtpIdle);
        reply(out, 421, "Idle for too long");
        self.closed = true;
    }

    fn command(&mut self, ftp: &mut Ftp, line: &str, out: &mut Vec<u8>) -> Act {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.to_ascii_uppercase();
        match verb.as_str() {
            "USER" => self.user(argument, out),
            "PASS" => return self.pass(ftp, argument, out),
            "QUIT" => {
                reply(out, 221, "Goodbye");
                self.closed = true;
                return Act::Close;
            }
            "NOOP" => reply(out, 200, "Fine"),
            "SYST" => reply(out, 215, "UNIX Type: L8"),
            "FEAT" => {
                out.extend_from_slice(b"211-Features:\r\n EPSV\r\n SIZE\r\n UTF8\r\n211 End\r\n")
            }
            _ => {
                let Some(guest) = self.guest.clone() else {
                    reply(out, 530, "Log in first");
                    return Act::Wait;
                };
                return self.logged_in(ftp, &guest, &verb, argument, out);
            }
        }
        Act::Wait
    }

    fn logged_in(
        &mut self,
        ftp: &mut Ftp,
        guest: &Guest,
        verb: &str,
        argument: &str,
        out: &mut Vec<u8>,
    ) -> Act {
        match verb {
            "TYPE" => self.type_of(argument, out),
            "MODE" => only(argument, "S", out),
            "STRU" => only(argument, "F", out),
            "OPTS" if argument.eq_ignore_ascii_case("UTF8 ON") => reply(out, 200, "Always"),
            "PWD" | "XPWD" => {
                let path = self.directory.trim_end_matches('/').replace('"', "\"\"");
                let path = if path.is_empty() { "/" } else { &path };
                reply(out, 257, &format!("\"{path}\""));
            }
            "CWD" => self.change(argument, out),
            "CDUP" => {
                let parent = self.directory.trim_end_matches('/').rfind('/').unwrap_or(0);
                self.directory.truncate(parent + 1);
                reply(out, 250, "Done");
            }
            "PASV" | "EPSV" => {
                if argument.eq_ignore_ascii_case("ALL") {
                    reply(out, 200, "Fine");
                    return Act::Wait;
                }
                self.extended = verb == "EPSV";
                return Act::Open;
            }
            "PORT" => self.port(port_argument(argument), out),
            "EPRT" => self.port(extended_argument(argument), out),
            "SIZE" => match ftp.find(guest, &self.path(argument)) {
                Ok(file) => reply(out, 213, &file.bytes.len().to_string()),
                Err(_) => reply(out, 550, "No such file"),
            },
            "RETR" => return self.retrieve(ftp, guest, argument, out),
            "LIST" | "NLST" => return self.list(ftp, guest, verb == "LIST", argument, out),
            "ABOR" => reply(out, 226, "Nothing to abort"),
            "STOR" | "STOU" | "APPE" | "DELE" | "MKD" | "RMD" | "RNFR" | "RNTO" | "SITE" => {
                ftp.count(Counter::FtpRefused);
                reply(out, 550, "Permission denied");
            }
            _ => {
                ftp.count(Counter::FtpRefused);
                reply(out, 502, "Not implemented");
            }
        }
        Act::Wait
    }

    fn user(&mut self, name: &str, out: &mut Vec<u8>) {
        self.guest = None;
        self.user = Some(name.to_owned());
        reply(out, 331, "Password, please");
    }

    fn pass(&mut self, ftp: &Ftp, password: &str, out: &mut Vec<u8>) -> Act {
        let Some(user) = self.user.take() else {
            reply(out, 503, "USER first");
            return Act::Wait;
        };
        self.guest = ftp.login(&user, password);
        if self.guest.is_some() {
            ftp.count(Counter::FtpLogin);
            reply(out, 230, "Welcome");
            return Act::Wait;
        }
        ftp.count(Counter::FtpDenied);
        self.denials += 1;
        if self.denials >= DENIALS_MAX {
            reply(out, 421, "Too many wrong passwords");
            self.closed = true;
            return Act::Close;
        }
        reply(out, 530, "Wrong user name or password");
        Act::Wait
    }

    fn type_of(&mut self, argument: &str, out: &mut Vec<u8>) {
        let text = match argument.to_ascii_uppercase().as_str() {
            "A" | "A N" => true,
            "I" | "L 8" => false,
            _ => return reply(out, 504, "TYPE A or I"),
        };
        self.text = text;
        reply(out, 200, "Fine");
    }

    /// The whole path of a name, with a slash at its beginning.
    fn path(&self, name: &str) -> String {
        match name.trim_start_matches('/') {
            rest if rest.len() < name.len() => ["/", rest].concat(),
            rest => [self.directory.as_str(), rest].concat(),
        }
    }

    fn change(&mut self, name: &str, out: &mut Vec<u8>) {
        if name == ".." {
            let parent = self.directory.trim_end_matches('/').rfind('/').unwrap_or(0);
            self.directory.truncate(parent + 1);
            return reply(out, 250, "Done");
        }
        let path = self.path(name);
        let odd = path.split('/').any(|part| part == "..");
        if odd || path.len() > LINE_BYTES_MAX {
            return reply(out, 550, "No such directory");
        }
        self.directory = [path.trim_end_matches('/'), "/"].concat();
        reply(out, 250, "Done");
    }

    /// Only to the client itself: a port of somebody else's would make the server attack him
    /// (RFC 2577 §3).
    fn port(&mut self, to: Option<SocketAddrV4>, out: &mut Vec<u8>) {
        match to {
            Some(to) if *to.ip() == self.client && to.port() >= OWN_PORT_MIN => {
                self.data = Data::Active(to);
                reply(out, 200, "Fine");
            }
            Some(_) => reply(out, 504, "Only to your own address and port"),
            None => reply(out, 501, "Not an address and port"),
        }
    }

    fn retrieve(&mut self, ftp: &mut Ftp, guest: &Guest, name: &str, out: &mut Vec<u8>) -> Act {
        ftp.retrievals += 1;
        ftp.count(Counter::FtpRetrieve);
        let data = std::mem::replace(&mut self.data, Data::Unsaid);
        let wrong = ftp.fault(ftp.retrievals, |what| {
            !matches!(
                what,
                FtpWrong::Greeting(_) | FtpWrong::Silent | FtpWrong::DataElsewhere(_)
            )
        });
        let manner = match wrong {
            Some(FtpWrong::Reply(code)) => {
                ftp.count(Counter::FtpRefused);
                reply(out, code, "As told");
                self.closed = code == 421;
                return if self.closed { Act::Close } else { Act::Wait };
            }
            Some(FtpWrong::DataRefused) => {
                ftp.count(Counter::FtpDataFailed);
                reply(out, 425, "No data connection");
                return Act::Wait;
            }
            Some(FtpWrong::Stalled) => Manner::Stalled,
            Some(FtpWrong::Dripping) => Manner::Dripping,
            Some(FtpWrong::Cut(bytes)) => Manner::Cut(bytes),
            Some(FtpWrong::Broken(bytes)) => Manner::Broken(bytes),
            _ => Manner::Whole,
        };
        let file = match ftp.find(guest, &self.path(name)) {
            Ok(file) => file,
            Err(absent) => {
                let (counter, text) = match absent {
                    Absent::Missing => (Counter::FtpNotFound, "No such file"),
                    _ => (Counter::FtpRefused, "Permission denied"),
                };
                ftp.count(counter);
                reply(out, 550, text);
                return Act::Wait;
            }
        };
        let bytes = match self.text {
            true => text_of(&file.bytes),
            false => file.bytes,
        };
        let manner = match manner {
            Manner::Whole => ftp.manner(self.client, &self.path(name), &bytes),
            manner => manner,
        };
        self.send(ftp, data, bytes, manner, out)
    }

    fn list(
        &mut self,
        ftp: &Ftp,
        guest: &Guest,
        long: bool,
        argument: &str,
        out: &mut Vec<u8>,
    ) -> Act {
        // Clients of old send `-l` and the like.
        let name = argument.split(' ').rfind(|word| !word.starts_with('-'));
        let path = self.path(name.unwrap_or_default());
        let path = [path.trim_end_matches('/'), "/"].concat();
        let mut lines = String::new();
        for (name, length) in ftp.list(guest, &path) {
            let kind = if length.is_some() {
                "-rw-r--r--"
            } else {
                "drwxr-xr-x"
            };
            let length = length.unwrap_or(0);
            match long {
                true => lines.push_str(&format!(
                    "{kind} 1 ftp ftp {length:>12} Jan  1  2026 {name}\r\n"
                )),
                false => lines.push_str(&format!("{name}\r\n")),
            }
        }
        let data = std::mem::replace(&mut self.data, Data::Unsaid);
        self.send(ftp, data, lines.into_bytes().into(), Manner::Whole, out)
    }

    fn send(
        &mut self,
        ftp: &Ftp,
        data: Data,
        bytes: Arc<[u8]>,
        manner: Manner,
        out: &mut Vec<u8>,
    ) -> Act {
        let to = match data {
            Data::Unsaid => {
                ftp.count(Counter::FtpDataFailed);
                reply(out, 425, "PASV or PORT first");
                return Act::Wait;
            }
            Data::Passive => None,
            Data::Active(to) => Some(to),
        };
        let text = format!("Here come {} bytes", bytes.len());
        reply(out, 150, &text);
        Act::Send(Sending { to, bytes, manner })
    }
}

fn reply(out: &mut Vec<u8>, code: u16, text: &str) {
    out.extend_from_slice(code.to_string().as_bytes());
    out.push(b' ');
    // What a client wrote must not become a line of its own.
    out.extend(text.bytes().filter(|byte| !byte.is_ascii_control()));
    out.extend_from_slice(b"\r\n");
}

fn only(argument: &str, known: &str, out: &mut Vec<u8>) {
    match argument.eq_ignore_ascii_case(known) {
        true => reply(out, 200, "Fine"),
        false => reply(out, 504, &format!("Only {known}")),
    }
}

/// `h1,h2,h3,h4,p1,p2` (RFC 959 §4.1.2).
fn port_argument(text: &str) -> Option<SocketAddrV4> {
    let mut numbers = text.split(',').map(|part| part.trim().parse::<u8>().ok());
    let mut next = || numbers.next().flatten();
    let ip = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    let port = u16::from_be_bytes([next()?, next()?]);
    numbers
        .next()
        .is_none()
        .then(|| SocketAddrV4::new(ip, port))
}

/// `|1|h1.h2.h3.h4|port|` (RFC 2428 §2).
fn extended_argument(text: &str) -> Option<SocketAddrV4> {
    let mark = text.chars().next()?;
    let parts: Vec<_> = text.split(mark).collect();
    let ["", "1", ip, port, ""] = parts.as_slice() else {
        return None;
    };
    Some(SocketAddrV4::new(ip.parse().ok()?, port.parse().ok()?))
}

/// A file as TYPE A sends it: lines end in CRLF.
fn text_of(bytes: &[u8]) -> Arc<[u8]> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut before = 0;
    for byte in bytes {
        if *byte == b'\n' && before != b'\r' {
            text.push(b'\r');
        }
        text.push(*byte);
        before = *byte;
    }
    text.into()
}
