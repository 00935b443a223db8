//! Clients of one question: SNTP, multicast DNS, a file by FTP, a bare TCP connection.

use bootstorm_emulator::phone::io::{Channel, Connection, Effect, FtpMode, Input};
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::wire::sntp::{self as time, Timestamp};
use bootstorm_emulator::wire::{dns, port};
use bootstorm_scenarios::suite::probe::{FtpGet, MdnsQuery, SntpAsk, TcpConnect};

use super::compare::Compare;
use super::{Flow, TlsWish, Turn, Weight};
use crate::subject::MDNS_GROUP;

/// A question under way.
#[derive(Debug)]
pub(super) enum Plain {
    /// One datagram answers it.
    Datagram(Channel),
    /// One answers it that gives back what was sent.
    Time(Channel, Timestamp),
    /// The connection's end answers it.
    Connection {
        connection: Connection,
        send: Option<String>,
        compare: Compare,
    },
}

/// Asks for the time.
pub(super) fn sntp(turn: &mut Turn<'_>, spec: &SntpAsk) -> Plain {
    let channel = turn.kept.fresh();
    let sent = Timestamp(turn.kept.rng.next_u64());
    let packet = time::Packet {
        version: spec.version,
        ..time::Packet::request(sent)
    };
    let to = turn.me.server(port::NTP);
    turn.out.send(channel, to, |out| packet.encode(out));
    Plain::Time(channel, sent)
}

/// Asks for a service.
pub(super) fn mdns(turn: &mut Turn<'_>, spec: &MdnsQuery) -> Plain {
    let channel = turn.kept.fresh();
    let id = (turn.kept.rng.next_u64() & 0xffff) as u16;
    let to = std::net::SocketAddrV4::new(MDNS_GROUP, port::MDNS);
    turn.out.send(channel, to, |out| {
        let query = dns::Encoder::query(out, id);
        query.question(&spec.service, spec.kind).finish();
    });
    Plain::Datagram(channel)
}

/// Retrieves a file.
pub(super) fn ftp(turn: &mut Turn<'_>, spec: &FtpGet, same_as: Option<&Template>) -> Plain {
    let me = turn.me;
    let login = me.plan.login(&me.planned);
    let given = |template: &Option<Template>| template.as_ref().map(|it| me.text(it));
    let user = given(&spec.user).or_else(|| login.as_ref().map(|it| it.user.clone()));
    let password = given(&spec.password).or_else(|| login.map(|it| it.password));
    let path = me.path(&spec.path, spec.raw);
    let connection = turn.kept.connection();
    let mut range = |text: &str| {
        let start = turn.out.bytes.len();
        let clean = text
            .bytes()
            .filter(|byte| !matches!(byte, b'\r' | b'\n' | 0));
        turn.out.bytes.extend(clean);
        start..turn.out.bytes.len()
    };
    let user = range(user.as_deref().unwrap_or("anonymous"));
    let password = range(password.as_deref().unwrap_or_default());
    let path = range(&path);
    turn.out.effects.push(Effect::Retrieve {
        connection,
        to: me.server(port::FTP),
        mode: match spec.active {
            true => FtpMode::Active,
            false => FtpMode::Passive,
        },
        user,
        password,
        path,
    });
    Plain::Connection {
        connection,
        send: None,
        compare: me.compare(same_as, false),
    }
}

/// Connects.
pub(super) fn tcp(turn: &mut Turn<'_>, spec: &TcpConnect) -> Plain {
    let me = turn.me;
    let host = spec.host.as_ref().map(|host| me.text(host));
    let host = host.unwrap_or_else(|| me.plan.server.to_string());
    let tls = spec.tls.map(|version| {
        let wish = TlsWish {
            version,
            verify: spec.verify,
        };
        (wish, host.as_str())
    });
    let connection = turn.open(me.server(spec.port), tls);
    Plain::Connection {
        connection,
        // Without anything to say, an open connection is the answer.
        send: Some(
            spec.send
                .as_ref()
                .map_or_else(String::new, |it| me.text(it)),
        ),
        compare: Compare::nothing(),
    }
}

impl Plain {
    pub(super) fn take(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Flow {
        match (self, input) {
            (Self::Datagram(own), Input::Datagram { channel, .. }) if channel == own => Flow::Done,
            (Self::Time(own, sent), Input::Datagram { channel, bytes, .. }) if channel == own => {
                let told = time::Packet::decode(bytes).map(|packet| packet.originate.0);
                if told != Ok(sent.0) {
                    let actual = told.map_or_else(
                        |fault| fault.to_string(),
                        |told| format!("originate is {told:016x}"),
                    );
                    let expected = format!("originate {:016x}, as it was sent", sent.0);
                    turn.find(Weight::Wrong, expected, actual);
                }
                Flow::Done
            }
            (
                Self::Connection {
                    connection, send, ..
                },
                Input::Opened(id),
            ) if id == connection => match send.as_deref() {
                Some("") => {
                    turn.out.effects.push(Effect::Close(*connection));
                    Flow::Done
                }
                Some(text) => {
                    turn.out.write(*connection, |out| {
                        out.extend_from_slice(text.as_bytes());
                    });
                    Flow::More
                }
                None => Flow::More,
            },
            (
                Self::Connection {
                    connection,
                    compare,
                    ..
                },
                Input::Bytes(id, bytes),
            ) if id == connection => {
                compare.take(bytes);
                Flow::More
            }
            (
                Self::Connection {
                    connection,
                    compare,
                    ..
                },
                Input::Closed(id) | Input::Failed(id, _),
            ) if id == connection => {
                if matches!(input, Input::Closed(_)) {
                    compare.whole();
                }
                turn.compared(compare);
                Flow::Done
            }
            _ => Flow::More,
        }
    }

    /// The step's time is over.
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_>) {
        if let Self::Connection {
            connection,
            compare,
            ..
        } = self
        {
            turn.out.effects.push(Effect::Close(*connection));
            turn.compared(compare);
        }
    }
}
