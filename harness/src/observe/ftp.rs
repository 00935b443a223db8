//! FTP's control connection (RFC 959, RFC 2428), as the retrievals that it orders: a record has of
//! each what the phone says in one piece, the file, and how it ended.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_scenarios::wire::failure;

use super::segment::Piece;

/// Bytes of a line.
const LINE_BYTES_MAX: usize = 4 << 10;

/// What is said on a control connection.
#[derive(Debug, Default)]
pub(super) struct Control {
    lines: [Vec<u8>; 2],
    user: String,
    password: Option<String>,
    kind: Option<String>,
    directory: String,
    mode: Option<&'static str>,
    /// The command that was said last.
    verb: String,
    stage: Stage,
    retrievals: u32,
    /// The data connection ended; the server said that all was sent.
    ended: bool,
    sent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// Nothing was retrieved yet.
    #[default]
    Before,
    /// A file is on its way.
    Retrieving,
    /// It came, or was refused.
    After,
}

/// What a line leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Another retrieval begins on the same connection.
    Again,
    /// What the phone says, in one piece.
    Said(String),
    /// An end (0 = the phone's) waits for the data here.
    Listens(usize, Option<SocketAddrV4>),
    /// An end waits for the data at this port of its own.
    Port(usize, u16),
    /// The file came.
    Complete,
    /// The server refused, in a failure's words.
    Failed(String),
}

impl Control {
    /// Takes what an end says.
    pub(super) fn feed(&mut self, piece: &Piece<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut rest = piece.bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (now, later) = rest.split_at(end + 1);
            rest = later;
            let mut line = std::mem::take(&mut self.lines[piece.side]);
            line.extend_from_slice(now);
            let text = String::from_utf8_lossy(line.trim_ascii_end());
            match piece.side {
                0 => self.command(&text, &mut steps),
                _ => self.reply(&text, &mut steps),
            }
        }
        let held = &mut self.lines[piece.side];
        if held.len() + rest.len() <= LINE_BYTES_MAX {
            held.extend_from_slice(rest);
        }
        steps
    }

    /// Whether data belongs to a file that was asked for.
    pub(super) fn takes_data(&self) -> bool {
        self.stage == Stage::Retrieving
    }

    /// Whether the connection can end without a word about a retrieval.
    pub(super) fn is_idle(&self) -> bool {
        self.stage == Stage::After
    }

    /// The data connection ends.
    pub(super) fn data_ended(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.stage == Stage::Retrieving {
            self.ended = true;
            self.complete(&mut steps);
        }
        steps
    }

    fn command(&mut self, line: &str, steps: &mut Vec<Step>) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        self.verb = verb.to_ascii_uppercase();
        match self.verb.as_str() {
            "USER" => rest.clone_into(&mut self.user),
            "PASS" => self.password = Some(rest.to_owned()),
            "TYPE" => self.kind = Some(rest.to_owned()),
            "CWD" if rest.starts_with('/') => rest.clone_into(&mut self.directory),
            // However often it goes further down, no further than a line is long.
            "CWD" if self.directory.len() + rest.len() > LINE_BYTES_MAX => {}
            "CWD" => self.directory = below(&self.directory, rest),
            "PASV" | "EPSV" => self.mode = Some("PASV"),
            "PORT" => {
                self.mode = Some("PORT");
                steps.push(Step::Listens(0, numbers(rest)));
            }
            "EPRT" => {
                self.mode = Some("PORT");
                steps.push(Step::Listens(0, extended(rest)));
            }
            "RETR" => self.retrieve(rest, steps),
            _ => {}
        }
    }

    fn retrieve(&mut self, name: &str, steps: &mut Vec<Step>) {
        if self.retrievals > 0 {
            steps.push(Step::Again);
        }
        self.retrievals += 1;
        (self.stage, self.ended, self.sent) = (Stage::Retrieving, false, false);
        let path = match name.starts_with('/') {
            true => name.to_owned(),
            false => below(&self.directory, name),
        };
        let said = self.said(Some(&path));
        steps.push(Step::Said(said));
    }

    /// What was said up to now, as a record has it.
    fn said(&self, path: Option<&str>) -> String {
        let mut text = format!("USER {}\r\n", self.user);
        // A string takes everything.
        let mut line = |verb: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = write!(text, "{verb} {value}\r\n");
            }
        };
        line("PASS", self.password.as_deref());
        line("TYPE", self.kind.as_deref());
        if let Some(mode) = self.mode {
            let _ = write!(text, "{mode}\r\n");
        }
        if let Some(path) = path {
            let _ = write!(text, "RETR {path}\r\n");
        }
        text
    }

    fn reply(&mut self, line: &str, steps: &mut Vec<Step>) {
        let Some((code, rest)) = line.split_at_checked(3) else {
            return;
        };
        let Ok(code) = code.parse::<u16>() else {
            return;
        };
        // More lines of it follow.
        if rest.starts_with('-') {
            return;
        }
        match (code, self.stage) {
            (227, _) => steps.push(Step::Listens(1, bracketed(rest).and_then(numbers))),
            (229, _) => {
                let port = bracketed(rest).and_then(|it| it.trim_matches('|').parse().ok());
                steps.extend(port.map(|port| Step::Port(1, port)));
            }
            (226 | 250, Stage::Retrieving) => {
                self.sent = true;
                self.complete(steps);
            }
            (400.., Stage::Retrieving) => self.refused(code, steps),
            (421, Stage::Before) => {
                steps.push(Step::Said(self.said(None)));
                self.refused(code, steps);
            }
            (332 | 400.., Stage::Before) if ["USER", "PASS"].contains(&self.verb.as_str()) => {
                steps.push(Step::Said(self.said(None)));
                self.refused(code, steps);
            }
            _ => {}
        }
    }

    fn refused(&mut self, code: u16, steps: &mut Vec<Step>) {
        self.stage = Stage::After;
        steps.push(Step::Failed(match code {
            425 => failure::FTP_DATA.to_owned(),
            code => format!("{}{code}", failure::FTP_REPLY),
        }));
    }

    /// The file came, once all of it was sent and all of it was seen.
    fn complete(&mut self, steps: &mut Vec<Step>) {
        if self.ended && self.sent {
            self.stage = Stage::After;
            steps.push(Step::Complete);
        }
    }
}

fn below(directory: &str, name: &str) -> String {
    match directory.trim_end_matches('/') {
        "" if directory.is_empty() => name.to_owned(),
        directory => format!("{directory}/{name}"),
    }
}

fn bracketed(text: &str) -> Option<&str> {
    let (_, tail) = text.split_once('(')?;
    tail.split_once(')').map(|(inner, _)| inner)
}

/// `10,0,0,1,4,210` (RFC 959 §4.1.2).
fn numbers(text: &str) -> Option<SocketAddrV4> {
    let parts: Vec<u8> = text
        .split(',')
        .map_while(|part| part.trim().parse().ok())
        .collect();
    let [a, b, c, d, high, low] = *parts.as_slice() else {
        return None;
    };
    let port = u16::from_be_bytes([high, low]);
    Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

/// `|1|10.0.0.1|1234|` (RFC 2428 §2).
fn extended(text: &str) -> Option<SocketAddrV4> {
    let mut parts = text.trim_matches('|').split('|');
    let (family, address, port) = (parts.next()?, parts.next()?, parts.next()?);
    let address = address.parse().ok().filter(|_| family == "1")?;
    Some(SocketAddrV4::new(address, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::time::Moment;

    use super::super::host::Place;
    use super::*;

    fn said(control: &mut Control, side: usize, text: &str) -> Vec<Step> {
        control.feed(&Piece {
            place: Place {
                at: Moment::ZERO,
                number: 1,
            },
            side,
            bytes: text.as_bytes(),
            length: text.len(),
        })
    }

    #[test]
    fn a_retrieval_as_curl_orders_it_is_one_piece_and_an_end() {
        let mut control = Control::default();
        assert_eq!(said(&mut control, 1, "220-Hello\r\n220 Ready\r\n"), []);
        for line in [
            "USER ann\r\n",
            "PASS s",
            "ecret\r\n",
            "CWD prov\r\n",
            "EPSV\r\n",
        ] {
            assert_eq!(said(&mut control, 0, line), []);
        }
        let port = said(&mut control, 1, "229 Extended (|||40001|)\r\n");
        assert_eq!(port, [Step::Port(1, 40_001)]);
        said(&mut control, 0, "TYPE I\r\nSIZE a.cfg\r\n");
        assert_eq!(said(&mut control, 1, "550 No size\r\n"), []);
        let retrieved = said(&mut control, 0, "RETR a.cfg\r\n");
        let text = "USER ann\r\nPASS secret\r\nTYPE I\r\nPASV\r\nRETR prov/a.cfg\r\n";
        assert_eq!(retrieved, [Step::Said(text.to_owned())]);
        assert!(control.takes_data());
        assert_eq!(said(&mut control, 1, "150 Here\r\n226 Done\r\n"), []);
        assert_eq!(control.data_ended(), [Step::Complete]);
        assert!(control.is_idle());
        let second = said(&mut control, 0, "RETR /b.cfg\r\n");
        assert_eq!(second.first(), Some(&Step::Again));
        let refused = said(&mut control, 1, "550 None\r\n");
        assert_eq!(refused, [Step::Failed("FTP reply 550".to_owned())]);
    }

    #[test]
    fn ends_are_read_in_every_form_and_nonsense_is_none() {
        let end = "10.0.0.9:1234".parse().ok();
        assert_eq!(numbers("10,0,0,9,4,210"), end);
        assert_eq!(extended("|1|10.0.0.9|1234|"), end);
        for nonsense in ["", "1,2,3", "256,0,0,1,1,1", "10,0,0,9,4,210,7"] {
            assert_eq!(numbers(nonsense), None, "{nonsense}");
        }
        assert_eq!(extended("|2|::1|1234|"), None);
    }

    #[test]
    fn a_login_that_is_refused_is_a_retrieval_that_failed() {
        let mut control = Control::default();
        said(&mut control, 0, "USER ann\r\nPASS x\r\n");
        let steps = said(&mut control, 1, "530 No\r\n");
        let text = "USER ann\r\nPASS x\r\n".to_owned();
        let failed = Step::Failed("FTP reply 530".to_owned());
        assert_eq!(steps, [Step::Said(text), failed]);
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut control = Control::default();
        for _ in 0..100 {
            said(&mut control, 0, &"x".repeat(1_000));
        }
        assert!(control.lines[0].len() <= LINE_BYTES_MAX);
    }

    #[test]
    fn going_down_forever_takes_no_memory() {
        let mut control = Control::default();
        for _ in 0..10_000 {
            said(&mut control, 0, "CWD x\r\n");
        }
        assert!(control.directory.len() <= LINE_BYTES_MAX + 1);
        said(&mut control, 0, "CWD /prov\r\n");
        assert_eq!(control.directory, "/prov");
    }
}
