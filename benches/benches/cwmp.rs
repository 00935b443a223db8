//! What one session with an auto-configuration server costs the phone: a connection request,
//! Inform, two calls (GetParameterValues of a whole object, SetParameterValues), the end. The
//! server's part is bytes made beforehand.
//!
//! Budget: 200 µs.

use std::borrow::Cow;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bootstorm_emulator::flash::Flash;
use bootstorm_emulator::identity::{Identity, Mac};
use bootstorm_emulator::phone::Phone;
use bootstorm_emulator::phone::io::{Channel, Connection, Effect, Input, Outputs, Request};
use bootstorm_emulator::profile::Param;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::shelf::Shelf;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::dhcp::{BOOT_REPLY, Encoder, Header, Message, MessageType, code};
use bootstorm_emulator::wire::soap::{self, Envelope, Value, Version};
use criterion::{Criterion, criterion_group, criterion_main};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const MAC: Mac = Mac([0x00, 0x09, 0x52, 0, 0, 1]);
const PROFILE: &str = include_str!("cwmp.toml");

/// A phone with its shelf, and the server's answers.
struct Bench {
    phone: Phone,
    shelf: Shelf,
    out: Outputs,
    now: Moment,
    answers: [Vec<u8>; 4],
}

impl Bench {
    fn new() -> Self {
        let own = [("test/phone.toml".to_owned(), PROFILE.to_owned())];
        let profiles = ProfileSet::with_directory(own).expect("good profiles");
        let profile = profiles.get("test/phone").expect("a good profile");
        let mut flash = Flash::default();
        for param in [Param::ResyncOnReset, Param::PeriodicS, Param::AcsPeriodS] {
            flash.set_web(param, "0");
        }
        let identity = Identity {
            mac: MAC,
            index: 0,
            run_seed: 1,
        };
        let mut bench = Self {
            phone: Phone::new(identity, 0, flash),
            shelf: Shelf::new(vec![profile]),
            out: Outputs::default(),
            now: Moment::ZERO,
            answers: answers(),
        };
        bench.boot();
        bench
    }

    fn step(&mut self, input: Input<'_>) {
        self.out.clear();
        self.phone
            .step(self.now, input, &mut self.shelf, &mut self.out);
    }

    /// Power, a lease, the first session.
    fn boot(&mut self) {
        self.step(Input::Power);
        for (asked, kind) in [
            (MessageType::Discover, MessageType::Offer),
            (MessageType::Request, MessageType::Ack),
        ] {
            let reply = loop {
                if let Some(reply) = self.dhcp_reply(asked, kind) {
                    break reply;
                }
                self.now = self
                    .now
                    .max(self.phone.deadline().expect("a phone that waits"));
                self.step(Input::Tick);
            };
            self.step(Input::Datagram {
                channel: Channel::Dhcp,
                from: SocketAddrV4::new(SERVER, 67),
                bytes: &reply,
            });
        }
        self.session();
    }

    fn dhcp_reply(&self, asked: MessageType, kind: MessageType) -> Option<Vec<u8>> {
        let mut sent = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Send { bytes, .. } => Message::decode(self.out.slice(bytes)).ok(),
            _ => None,
        });
        let message = sent.find(|message| message.message_type() == Some(asked))?;
        let mut reply = Vec::new();
        let header = Header {
            op: BOOT_REPLY,
            yiaddr: Ipv4Addr::new(10, 1, 0, 1),
            ..Header::request(message.xid(), MAC)
        };
        let mut encoder = Encoder::begin(&mut reply, &header);
        encoder
            .message_type(kind)
            .option(code::SERVER_ID, &SERVER.octets())
            .option(code::LEASE_TIME, &u32::MAX.to_be_bytes());
        encoder.finish(0);
        Some(reply)
    }

    /// A session that was asked for, from its connection request on.
    fn asked_session(&mut self) {
        self.now = self.now + Duration::from_secs(61);
        self.step(Input::Request {
            request: Request(1),
            from: SocketAddrV4::new(SERVER, 1),
            bytes: b"GET /ask HTTP/1.1\r\nHost: 10.1.0.1\r\n\r\n",
        });
        self.session();
    }

    /// The session whose connection is being opened.
    fn session(&mut self) {
        let connection = self.opened();
        self.step(Input::Opened(connection));
        for at in 0..self.answers.len() {
            let answer = std::mem::take(&mut self.answers[at]);
            self.step(Input::Bytes(connection, &answer));
            self.answers[at] = answer;
        }
        assert!(
            self.phone.is_settled(),
            "a session that does not end measures something else"
        );
    }

    fn opened(&self) -> Connection {
        let mut effects = self.out.effects.iter();
        let opened = effects.find_map(|effect| match effect {
            Effect::Open { connection, .. } => Some(*connection),
            _ => None,
        });
        opened.expect("a connection")
    }
}

/// InformResponse, two calls, the end.
fn answers() -> [Vec<u8>; 4] {
    let say = |message| {
        let mut text = String::new();
        let envelope = Envelope {
            version: Some(Version::V1_0),
            id: Some(Cow::Borrowed("1")),
            hold_requests: false,
            message,
        };
        soap::write(&mut text, &envelope);
        let length = text.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}");
        [head.as_str(), "\r\n\r\n", text.as_str()]
            .concat()
            .into_bytes()
    };
    let value = |name: &'static str, value: &'static str| Value {
        name: name.into(),
        kind: None,
        value: value.into(),
    };
    [
        say(soap::Message::InformResponse { max_envelopes: 1 }),
        say(soap::Message::GetParameterValues(vec![
            "Device.Line.".into(),
        ])),
        say(soap::Message::SetParameterValues {
            values: vec![
                value("Device.Line.1.Enable", "1"),
                value("Device.Line.1.User", "4711"),
                value("Device.Line.1.Password", "hush"),
            ],
            key: "k".into(),
        }),
        b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
    ]
}

fn sessions(criterion: &mut Criterion) {
    let mut bench = Bench::new();
    criterion.bench_function("cwmp session: Inform, two calls, end", |bencher| {
        bencher.iter(|| black_box(&mut bench).asked_session());
    });
    let mut text = String::new();
    let response = &answers()[1];
    let body = response
        .split(|byte| *byte == b'<')
        .next()
        .map_or(0, <[u8]>::len);
    let envelope = response[body..].to_vec();
    criterion.bench_function("soap: read a call", |bencher| {
        bencher.iter(|| soap::read(black_box(&envelope)).is_ok());
    });
    let read = soap::read(&envelope).expect("a good message");
    criterion.bench_function("soap: write a call", |bencher| {
        bencher.iter(|| {
            text.clear();
            soap::write(&mut text, black_box(&read));
        });
    });
}

criterion_group!(benches, sessions);
criterion_main!(benches);
