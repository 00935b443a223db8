//! What surrounds a client in a test, and the ladder of what it did.

use std::net::Ipv4Addr;

use super::super::*;
use crate::format::FormatOptions;
use crate::identity::{Identity, Mac};
use crate::phone::io::{Effect, Outputs};
use crate::profile::keys::KeyRules;
use crate::profile::template::Template;
use crate::profile::{
    Apply, Change, Classify, DhcpSpec, FirmwareChoice, FirmwareRule, FirmwareVersion, HttpSpec,
    Profile, SendCredentials, SipSpec, SourcesEnd, Timers,
};
use crate::rng::Rng;
use crate::shelf::Shelf;

pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 92);
pub(super) const STEP: StepId = StepId::GIVEN;
pub(super) const CHANNEL: Channel = Channel::Fresh(7);

#[expect(clippy::too_many_lines, reason = "a line for each field")]
pub(super) fn profile(tftp: TftpSpec) -> Profile {
    Profile {
        name: "test/phone".into(),
        vendor: "Test".into(),
        model: "Phone".into(),
        oem: "test".into(),
        summary: String::new(),
        unverified: Vec::new(),
        ouis: Vec::new(),
        firmware: "1".into(),
        product: String::new(),
        serial: Template::default(),
        markers: Vec::new(),
        sections: None,
        params: Vec::new(),
        timers: Timers::default(),
        sources: Vec::new(),
        sources_end: SourcesEnd::FirstFile,
        sources_fixed: false,
        mdns: None,
        clock: None,
        dhcp: DhcpSpec {
            message_bytes: 0,
            options: Vec::new(),
            parameters: Vec::new(),
            parameters_with_67: Vec::new(),
            vendor_class: Template::default(),
            host_name: Template::default(),
            offer_window: Duration::ZERO,
            retry: Vec::new(),
            retry_spread: Duration::ZERO,
            pause: Duration::ZERO,
            constant_xid: false,
            xid_from_mac: false,
            run_at_renewal: false,
            broadcast: false,
            clauses: Vec::new(),
        },
        pnp: None,
        prompt: None,
        sip: SipSpec {
            resync_events: Vec::new(),
            reboot_parameter: String::new(),
            unknown_event_status: 489,
            clauses: Vec::new(),
        },
        tftp,
        ftp: None,
        http: HttpSpec {
            headers: Vec::new(),
            user_agent: Template::default(),
            keep_alive: false,
            timeout: Duration::ZERO,
            attempts: 1,
            credentials: SendCredentials::AfterChallenge,
            verify_certificate: false,
            client_certificate: None,
            clauses: Vec::new(),
        },
        classify: Classify::Root,
        given: Vec::new(),
        fetches: Vec::new(),
        cipher: None,
        tasks: crate::profile::Tasks::default(),
        accounts: None,
        cwmp: None,
        change: Change::None,
        apply: Apply::AfterRun,
        format: FormatOptions::default(),
        keys: KeyRules::default(),
        firmware_rule: FirmwareRule {
            version: FirmwareVersion::FileName,
            choose: FirmwareChoice::Different,
            image_name: Template::default(),
            clauses: Vec::new(),
        },
        content: Vec::new(),
        steps: Vec::new(),
    }
}

/// As the captures show it (WIRE-02, WIRE-03).
pub(super) fn captured() -> TftpSpec {
    TftpSpec {
        options: vec![
            TftpOption::Size,
            TftpOption::BlockBytes(512),
            TftpOption::TimeoutS(3),
        ],
        retry: Duration::from_secs(3),
        retry_spread: Duration::ZERO,
        attempts: 3,
        leading_slash: false,
        refuse_zero_size: true,
        clauses: Vec::new(),
    }
}

/// Plain RFC 1350 (PND-31).
pub(super) fn plain() -> TftpSpec {
    TftpSpec {
        options: Vec::new(),
        retry: Duration::from_secs(5),
        attempts: 5,
        refuse_zero_size: false,
        ..captured()
    }
}

pub(super) fn with_blocks(bytes: u16) -> TftpSpec {
    TftpSpec {
        options: vec![TftpOption::BlockBytes(bytes)],
        ..captured()
    }
}

/// What surrounds a client, and the ladder of what it did.
pub(super) struct World {
    profile: Profile,
    identity: Identity,
    shelf: Shelf,
    rng: Rng,
    out: Outputs,
    pub(super) now: Moment,
    pub(super) ladder: Vec<String>,
}

impl World {
    pub(super) fn new(spec: TftpSpec) -> Self {
        Self {
            profile: profile(spec),
            identity: Identity {
                mac: Mac([0, 0x21, 0xf2, 0x22, 0xb0, 0x1d]),
                index: 0,
                run_seed: 1,
            },
            shelf: Shelf::new(Vec::new()),
            rng: Rng::new(1),
            out: Outputs::default(),
            now: Moment::from_millis(1_000),
            ladder: Vec::new(),
        }
    }

    pub(super) fn turn<T>(&mut self, act: impl FnOnce(&mut Turn<'_>) -> T) -> T {
        let mut turn = Turn {
            now: self.now,
            profile: &self.profile,
            identity: &self.identity,
            address: Ipv4Addr::new(192, 168, 50, 18),
            firmware: "1",
            shelf: &mut self.shelf,
            rng: &mut self.rng,
            out: &mut self.out,
        };
        let result = act(&mut turn);
        self.note();
        result
    }

    /// Moves effects and events to the ladder.
    pub(super) fn note(&mut self) {
        for effect in &self.out.effects {
            let Effect::Send { channel, to, bytes } = effect else {
                panic!("{effect:?}");
            };
            assert_eq!(*channel, CHANNEL);
            let packet = show(self.out.slice(bytes));
            self.ladder.push(format!("{}: {packet}", place(*to)));
        }
        for event in &self.out.events {
            assert_eq!(event.at, self.now);
            self.ladder.push(match event.kind {
                EventKind::Sent { step, bytes } => format!("sent {bytes} {}", step.0),
                EventKind::Retried { attempt, .. } => format!("retried {attempt}"),
                EventKind::Wrong { fault, .. } => format!("wrong {fault:?}"),
                EventKind::Late { .. } => "late".into(),
                EventKind::LimitReached { limit, value } => format!("limit {limit:?} {value}"),
                other => panic!("{other:?}"),
            });
        }
        self.out.clear();
    }
}

pub(super) struct Exchange {
    pub(super) world: World,
    pub(super) client: TftpClient,
}

impl Exchange {
    pub(super) fn start(spec: TftpSpec) -> Self {
        Self::named(spec, b"a.cfg", 10_000)
    }

    pub(super) fn named(spec: TftpSpec, name: &[u8], limit: usize) -> Self {
        let mut world = World::new(spec);
        let client =
            world.turn(|turn| TftpClient::start(turn, STEP, CHANNEL, peer(69), name, limit));
        Self { world, client }
    }

    pub(super) fn takes(&mut self, from: SocketAddrV4, bytes: &[u8]) -> Option<Ending> {
        let client = &mut self.client;
        self.world.turn(|turn| client.datagram(turn, from, bytes))
    }

    /// A packet on which the transfer goes on.
    pub(super) fn goes_on(&mut self, port: u16, bytes: &[u8]) {
        let ending = self.takes(peer(port), bytes);
        assert!(ending.is_none(), "{ending:?}");
    }

    pub(super) fn ends(&mut self, port: u16, bytes: &[u8]) -> String {
        let ending = self.takes(peer(port), bytes);
        told(&ending.expect("the transfer ends"))
    }

    /// Waits until the client's deadline and ticks.
    pub(super) fn waits(&mut self) -> Option<Ending> {
        self.world.now = self.client.deadline().max(self.world.now);
        let client = &mut self.client;
        self.world.turn(|turn| client.tick(turn))
    }

    /// What happened since it was last asked.
    pub(super) fn ladder(&mut self) -> Vec<String> {
        std::mem::take(&mut self.world.ladder)
    }
}

pub(super) fn peer(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(SERVER, port)
}

pub(super) fn place(to: SocketAddrV4) -> String {
    if *to.ip() == SERVER {
        to.port().to_string()
    } else {
        to.to_string()
    }
}

pub(super) fn told(ending: &Ending) -> String {
    match ending {
        Ending::Found(body) => format!("found {:?}", String::from_utf8_lossy(body.bytes())),
        Ending::Missing => "missing".into(),
        Ending::Failed(fault) => format!("failed {fault:?}"),
    }
}

pub(super) fn show(bytes: &[u8]) -> String {
    match tftp::decode(bytes).unwrap() {
        Packet::Read(request) => {
            assert!(request.is_octet());
            let mut text = format!("RRQ {}", request.name.escape_ascii());
            for (name, value) in request.options {
                text += &format!(" {}={}", name.escape_ascii(), value.escape_ascii());
            }
            text
        }
        Packet::Ack { block } => format!("ACK {block}"),
        Packet::Error { code, message } => format!("ERROR {code} {}", message.escape_ascii())
            .trim_end()
            .into(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn oack(options: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    tftp::option_ack(&mut out);
    for (name, value) in options {
        tftp::option(&mut out, name.as_bytes(), value.as_bytes());
    }
    out
}

pub(super) fn data(block: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    tftp::data(&mut out, block, body);
    out
}

pub(super) fn error(code: u16, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    tftp::error(&mut out, code, message);
    out
}

pub(super) fn full(byte: u8) -> Vec<u8> {
    vec![byte; 512]
}
