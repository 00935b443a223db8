//! An FTP retrieval as the two connections that it is (RFC 959). A record has what the phone says
//! in one piece, and the file; what the server replies is rebuilt.

use std::net::SocketAddrV4;

use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::wire::{Way, failure};

use super::frame::{Frames, Payload};
use super::stream::{REBUILT, Stream};

/// The port of data connections that the server opens.
const DATA_PORT: u16 = 20;
/// Ports of the data connection, for each port of a control connection.
const PHONE_BESIDE: u16 = 10_000;
const SERVER_BESIDE: u16 = 15_000;
/// Codes of refusals that come before the file is named (RFC 959 §4.2).
const NOT_AVAILABLE: u16 = 421;
const LOGIN: [u16; 4] = [332, 430, 530, 532];

/// A retrieval.
#[derive(Debug)]
pub(super) struct Retrieval {
    control: Stream,
    said: Option<Said>,
    data: Option<Stream>,
}

/// What the phone says, held until it is known how far it came.
#[derive(Debug)]
struct Said {
    at: Moment,
    text: Vec<u8>,
    comment: String,
}

impl Retrieval {
    /// A retrieval on this control connection, on which nothing was said.
    pub(super) fn new(control: Stream) -> Self {
        Self {
            control,
            said: None,
            data: None,
        }
    }

    /// The phone says all it has to say.
    pub(super) fn said(&mut self, at: Moment, text: &[u8], comment: &str) {
        self.said = Some(Said {
            at,
            text: text.to_vec(),
            comment: comment.to_owned(),
        });
    }

    /// A part of the file comes.
    pub(super) fn data(
        &mut self,
        frames: &mut Frames,
        at: Moment,
        payload: Payload<'_>,
        comment: &str,
    ) {
        self.spoken(frames, None);
        if let Some(data) = &mut self.data {
            data.data(frames, at, Way::Received, payload, comment);
        }
    }

    /// The file is complete (`Way::Received`), or the phone wants no more of it.
    pub(super) fn closed(&mut self, frames: &mut Frames, at: Moment, way: Way, comment: &str) {
        self.spoken(frames, None);
        if let Some(data) = &mut self.data {
            data.closed(frames, at, way, comment);
        }
        if way == Way::Received {
            self.reply(frames, at, "226 Transfer complete", comment);
        }
        self.control.closed(frames, at, Way::Sent, REBUILT);
    }

    /// The retrieval fails.
    pub(super) fn failed(&mut self, frames: &mut Frames, at: Moment, why: &str, comment: &str) {
        let code = why.strip_prefix(failure::FTP_REPLY);
        let code = code.and_then(|code| code.parse::<u16>().ok());
        let code = code.or((why == failure::FTP_DATA).then_some(425));
        match code {
            Some(code) if self.said.is_some() => {
                self.spoken(frames, Some((code, at, comment)));
                self.control.closed(frames, at, Way::Sent, REBUILT);
            }
            Some(code) => {
                if let Some(data) = &mut self.data {
                    data.closed(frames, at, Way::Received, REBUILT);
                }
                self.reply(frames, at, &format!("{code} Refused"), comment);
                self.control.closed(frames, at, Way::Sent, REBUILT);
            }
            None => {
                if let Some(data) = &mut self.data {
                    data.failed(frames, at, why, comment);
                }
                self.control.failed(frames, at, why, comment);
            }
        }
    }

    /// Writes what was said on the control connection, up to the refusal, if there is one.
    fn spoken(&mut self, frames: &mut Frames, refused: Option<(u16, Moment, &str)>) {
        let Some(said) = self.said.take() else {
            return;
        };
        let at = said.at;
        let code = refused.map(|(code, ..)| code);
        self.control.opened(frames, at, Way::Received, REBUILT);
        let refuse = |retrieval: &mut Self, frames: &mut Frames| {
            if let Some((code, at, comment)) = refused {
                retrieval.reply(frames, at, &format!("{code} Refused"), comment);
            }
        };
        if code == Some(NOT_AVAILABLE) {
            return refuse(self, frames);
        }
        self.reply(frames, at, "220 Ready", REBUILT);
        for line in said.text.split_inclusive(|byte| *byte == b'\n') {
            let verb = line.trim_ascii_end().split(|byte| *byte == b' ').next();
            let verb = verb.unwrap_or_default();
            let last = verb == b"RETR";
            let active = verb == b"PORT";
            let line = match active {
                true => format!("PORT {}\r\n", numbers(self.data_of_phone())).into_bytes(),
                false => line.to_vec(),
            };
            let comment = if last { said.comment.as_str() } else { REBUILT };
            let payload = Payload::whole(&line);
            self.control.data(frames, at, Way::Sent, payload, comment);
            let at_login = verb == b"PASS" && code.is_some_and(|code| LOGIN.contains(&code));
            if at_login || last && code.is_some() {
                return refuse(self, frames);
            }
            let reply = match verb {
                b"USER" => "331 Password".to_owned(),
                b"PASS" => "230 Logged in".to_owned(),
                b"PASV" => {
                    let place = numbers(self.data_of_server());
                    format!("227 Entering Passive Mode ({place}).")
                }
                b"RETR" => "150 Here it comes".to_owned(),
                _ => "200 OK".to_owned(),
            };
            self.reply(frames, at, &reply, REBUILT);
            let (opens, ends) = match verb {
                b"PASV" => (Way::Sent, (self.data_of_phone(), self.data_of_server())),
                b"PORT" => (Way::Received, (self.data_of_phone(), self.active())),
                _ => continue,
            };
            let mut data = self.control.beside(ends.0, ends.1);
            data.opening(frames, at, opens, REBUILT);
            let taken = match opens {
                Way::Sent => Way::Received,
                Way::Received => Way::Sent,
            };
            data.opened(frames, at, taken, REBUILT);
            self.data = Some(data);
        }
    }

    fn reply(&mut self, frames: &mut Frames, at: Moment, text: &str, comment: &str) {
        let line = format!("{text}\r\n");
        let payload = Payload::whole(line.as_bytes());
        self.control
            .data(frames, at, Way::Received, payload, comment);
    }

    fn data_of_phone(&self) -> SocketAddrV4 {
        let port = self.control.phone().port().wrapping_add(PHONE_BESIDE);
        SocketAddrV4::new(*self.control.phone().ip(), port)
    }

    fn data_of_server(&self) -> SocketAddrV4 {
        let port = self.control.phone().port().wrapping_add(SERVER_BESIDE);
        SocketAddrV4::new(*self.control.peer().ip(), port)
    }

    fn active(&self) -> SocketAddrV4 {
        SocketAddrV4::new(*self.control.peer().ip(), DATA_PORT)
    }
}

/// An address as PORT and PASV write it (RFC 959 §4.1.2).
fn numbers(at: SocketAddrV4) -> String {
    let [a, b, c, d] = at.ip().octets();
    let [high, low] = at.port().to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}
