//! What TLS shows of itself to whoever listens (RFC 8446 §5, RFC 5246 §6): the name that the phone
//! asks for, the version, whether the handshake came to its end. Nothing of what is inside.

use super::host::Secured;

/// Kinds of records.
const CIPHER_CHANGE: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
/// Handshake messages.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Extensions: the server's name, the versions (RFC 6066 §3, RFC 8446 §4.2.1).
const SERVER_NAME: u16 = 0;
const VERSIONS: u16 = 43;
/// Before a record's content; the content of an alert in plain, and sealed as TLS 1.3 does: with
/// its kind and a tag of 16 bytes.
const HEADER_BYTES: usize = 5;
const ALERT_BYTES: usize = 2;
const SEALED_ALERT_BYTES: usize = 19;
/// Bytes of a hello that are looked at.
const HELLO_BYTES_MAX: usize = 8 << 10;
/// Warnings that are none of a failure: the end of a connection.
const CLOSE_NOTIFY: u8 = 0;

/// One connection's handshake.
#[derive(Debug, Default)]
pub(super) struct Watch {
    sides: [Side; 2],
    name: Option<String>,
    version: Option<u16>,
    fault: Option<String>,
    stands: bool,
    told: bool,
}

#[derive(Debug, Default)]
struct Side {
    header: Vec<u8>,
    /// Bytes of the record that are still to come.
    left: usize,
    hello: Vec<u8>,
    has_hello: bool,
    changed: bool,
    sent: bool,
    /// Something is missing: nothing can be told any more.
    lost: bool,
}

impl Watch {
    /// Takes what an end (0 = the client) sends.
    pub(super) fn feed(&mut self, side: usize, mut bytes: &[u8], length: usize) {
        let missing = length > bytes.len();
        while !bytes.is_empty() && !self.sides[side].lost {
            let held = &mut self.sides[side];
            if held.left == 0 {
                let wanted = HEADER_BYTES.saturating_sub(held.header.len());
                let (now, later) = bytes.split_at(wanted.min(bytes.len()));
                held.header.extend_from_slice(now);
                bytes = later;
                if held.header.len() < HEADER_BYTES {
                    break;
                }
                let size = [held.header[3], held.header[4]];
                held.left = usize::from(u16::from_be_bytes(size));
                held.lost = !(CIPHER_CHANGE..=DATA).contains(&held.header[0]);
                self.record(side);
                if self.sides[side].left == 0 {
                    self.sides[side].header.clear();
                }
                continue;
            }
            let (now, later) = bytes.split_at(held.left.min(bytes.len()));
            bytes = later;
            held.left -= now.len();
            let kind = held.header.first().copied().unwrap_or_default();
            if held.left == 0 {
                held.header.clear();
            }
            self.content(side, kind, now);
        }
        self.sides[side].lost |= missing;
    }

    /// The handshake came to its end.
    pub(super) fn stands(&self) -> bool {
        self.stands
    }

    /// It failed, and that was not told yet.
    pub(super) fn failed(&mut self) -> bool {
        self.fault.is_some() && !self.stands && !std::mem::replace(&mut self.told, true)
    }

    /// Writes down what is known.
    pub(super) fn tell(&self, secured: &mut Secured) {
        secured.name.clone_from(&self.name);
        secured.version = self.version;
        secured.fault.clone_from(&self.fault);
    }

    /// A record begins.
    fn record(&mut self, side: usize) {
        let held = &mut self.sides[side];
        let kind = held.header.first().copied().unwrap_or_default();
        match kind {
            CIPHER_CHANGE => held.changed = true,
            DATA if !held.sent => {
                held.sent = true;
                let is_alert = held.left == SEALED_ALERT_BYTES;
                if side == 0 && is_alert && !self.stands {
                    self.fault = Some("the phone refused the handshake".to_owned());
                }
            }
            _ => {}
        }
        let [client, server] = &self.sides;
        let ready = client.sent && (server.sent || server.changed);
        self.stands |= self.fault.is_none()
            && (ready || client.changed && server.changed && !self.is_newest());
    }

    /// In TLS 1.3 a change of ciphers says nothing (RFC 8446 §5).
    fn is_newest(&self) -> bool {
        self.version.is_none_or(|version| version >= 0x0304)
    }

    fn content(&mut self, side: usize, kind: u8, bytes: &[u8]) {
        let held = &mut self.sides[side];
        match kind {
            HANDSHAKE if !held.has_hello => {
                held.hello.extend_from_slice(bytes);
                let read = match side {
                    0 => client_hello(&held.hello).map(|name| self.name = name),
                    _ => server_hello(&held.hello).map(|version| self.version = Some(version)),
                };
                let held = &mut self.sides[side];
                if read.is_some() || held.hello.len() > HELLO_BYTES_MAX {
                    held.has_hello = true;
                    held.hello = Vec::new();
                }
            }
            ALERT if bytes.len() == ALERT_BYTES && !self.stands && bytes[1] != CLOSE_NOTIFY => {
                let who = if side == 0 { "phone" } else { "server" };
                self.fault = Some(format!("the {who} sent alert {}", alert(bytes[1])));
            }
            _ => {}
        }
    }
}

/// The name in a client's hello; none while it is not whole.
fn client_hello(bytes: &[u8]) -> Option<Option<String>> {
    let mut body = Bytes(message(bytes, CLIENT_HELLO)?);
    // Version and random number, session, ciphers, compressions.
    let read = (|| {
        body.take(34)?;
        let session = usize::from(body.byte()?);
        body.take(session)?;
        let ciphers = usize::from(body.short()?);
        body.take(ciphers)?;
        let compressions = usize::from(body.byte()?);
        body.take(compressions)?;
        let mut name = Bytes(extension(body, SERVER_NAME)?);
        // A list, of which the first entry is a host's name.
        name.take(3)?;
        let length = usize::from(name.short()?);
        let name = name.take(length)?;
        str::from_utf8(name).ok().map(str::to_owned)
    })();
    let harmless = |name: &String| name.bytes().all(|byte| byte.is_ascii_graphic());
    Some(read.filter(harmless))
}

/// The version in a server's hello; none while it is not whole.
fn server_hello(bytes: &[u8]) -> Option<u16> {
    let mut body = Bytes(message(bytes, SERVER_HELLO)?);
    let version = body.short()?;
    let newer = (|| {
        body.take(32)?;
        let session = usize::from(body.byte()?);
        body.take(session + 3)?;
        Bytes(extension(body, VERSIONS)?).short()
    })();
    Some(newer.unwrap_or(version))
}

/// The body of a handshake message that is there whole.
fn message(bytes: &[u8], kind: u8) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
    rest.get(..length).filter(|_| head[0] == kind)
}

fn extension<'a>(mut body: Bytes<'a>, wanted: u16) -> Option<&'a [u8]> {
    body.short()?;
    loop {
        let kind = body.short()?;
        let length = usize::from(body.short()?);
        let value = body.take(length)?;
        if kind == wanted {
            return Some(value);
        }
    }
}

/// Alerts that tell a person something (RFC 8446 §6).
fn alert(number: u8) -> String {
    let name = match number {
        40 => "handshake failure",
        42 => "bad certificate",
        43 => "unsupported certificate",
        44 => "certificate revoked",
        45 => "certificate expired",
        46 => "certificate unknown",
        48 => "unknown authority",
        70 => "protocol version",
        71 => "insufficient security",
        80 => "internal error",
        112 => "unrecognised name",
        116 => "certificate required",
        _ => return number.to_string(),
    };
    format!("{number} ({name})")
}

/// Bytes that are read from their beginning.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (now, later) = self.0.split_at_checked(count)?;
        self.0 = later;
        Some(now)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|one| one[0])
    }

    fn short(&mut self) -> Option<u16> {
        let two = self.take(2)?;
        Some(u16::from_be_bytes([two[0], two[1]]))
    }
}
