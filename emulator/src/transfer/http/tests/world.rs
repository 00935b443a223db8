//! What surrounds a client in a test, and the ladder of what it did.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::super::*;
use crate::format::FormatOptions;
use crate::identity::{Identity, Mac};
use crate::phone::io::Outputs;
use crate::profile::keys::KeyRules;
use crate::profile::template::Template;
use crate::profile::{
    Apply, Change, Classify, DhcpSpec, FirmwareChoice, FirmwareRule, FirmwareVersion, HttpSpec,
    Profile, SendCredentials, SipSpec, SourcesEnd, StepId, TftpSpec, Timers,
};
use crate::rng::Rng;
use crate::shelf::Shelf;

pub(super) const STEP: StepId = StepId::GIVEN;
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// What a request carries unless a test says otherwise.
pub(super) const PLAIN: RequestOptions<'static> = RequestOptions {
    step: STEP,
    user_agent: "Phone/1",
    auth: AuthMethod::Digest,
    user: "bob",
    password: "hush",
    limit: 10_000,
    patience: None,
    follow: true,
};

pub(super) const BASIC: RequestOptions<'static> = RequestOptions {
    auth: AuthMethod::Basic,
    ..PLAIN
};

pub(super) fn spec() -> HttpSpec {
    let field = |name: &str, value: &str| (name.to_owned(), Template::parse(value).unwrap());
    HttpSpec {
        headers: vec![
            field("Host", "{host}"),
            field("Authorization", "{authorization}"),
            field("uSER-Agent", "{user_agent}"),
            field("Accept", "*/*"),
        ],
        user_agent: Template::default(),
        keep_alive: true,
        timeout: TIMEOUT,
        attempts: 3,
        credentials: SendCredentials::AfterChallenge,
        verify_certificate: false,
        client_certificate: None,
        clauses: Vec::new(),
    }
}

#[expect(clippy::too_many_lines, reason = "a line for each field")]
fn profile(http: HttpSpec) -> Profile {
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
        tftp: TftpSpec {
            options: Vec::new(),
            retry: Duration::ZERO,
            retry_spread: Duration::ZERO,
            attempts: 1,
            leading_slash: true,
            refuse_zero_size: false,
            clauses: Vec::new(),
        },
        ftp: None,
        http,
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

/// A client and everything it touches.
pub(super) struct World {
    pub(super) client: HttpClient,
    pub(super) now: Moment,
    profile: Profile,
    shelf: Shelf,
    rng: Rng,
    out: Outputs,
}

impl World {
    pub(super) fn new(spec: HttpSpec) -> Self {
        let mut shelf = Shelf::new(Vec::new());
        for (name, last) in [("server", 1), ("other", 2)] {
            shelf
                .hosts
                .insert(name.to_owned(), Ipv4Addr::new(10, 0, 0, last));
        }
        Self {
            client: HttpClient::new(1),
            now: Moment::ZERO,
            profile: profile(spec),
            shelf,
            rng: Rng::new(1),
            out: Outputs::default(),
        }
    }

    /// A client whose request for `url` was written on connection 1.
    pub(super) fn asking(spec: HttpSpec, url: &str, options: &RequestOptions<'_>) -> Self {
        let mut world = Self::new(spec);
        assert_eq!(world.get(url, options), "-");
        world.input(&Input::Opened(Connection(1)));
        world.ladder();
        world
    }

    pub(super) fn act(
        &mut self,
        act: impl FnOnce(&mut HttpClient, &mut Turn<'_>) -> Option<Ending>,
    ) -> String {
        let identity = Identity {
            mac: Mac([0, 1, 2, 3, 4, 5]),
            index: 0,
            run_seed: 1,
        };
        let ending = act(
            &mut self.client,
            &mut Turn {
                now: self.now,
                profile: &self.profile,
                identity: &identity,
                address: Ipv4Addr::new(10, 1, 0, 1),
                firmware: "1",
                shelf: &mut self.shelf,
                rng: &mut self.rng,
                out: &mut self.out,
            },
        );
        match ending {
            None => "-".to_owned(),
            Some(Ending::Found(body)) => {
                format!("found {:?}", body.bytes().escape_ascii().to_string())
            }
            Some(Ending::Missing) => "missing".to_owned(),
            Some(Ending::Failed(fault)) => format!("failed {fault:?}"),
        }
    }

    pub(super) fn get(&mut self, url: &str, options: &RequestOptions<'_>) -> String {
        let url = Url::parse(url, Scheme::Http).unwrap();
        self.act(|client, turn| client.get(turn, &url, options))
    }

    pub(super) fn input(&mut self, input: &Input<'_>) -> String {
        self.act(|client, turn| client.input(turn, input))
    }

    pub(super) fn opened(&mut self, id: u16) -> String {
        self.input(&Input::Opened(Connection(id)))
    }

    pub(super) fn bytes(&mut self, id: u16, bytes: &[u8]) -> String {
        self.input(&Input::Bytes(Connection(id), bytes))
    }

    /// A whole answer.
    pub(super) fn answer(
        &mut self,
        id: u16,
        status: u16,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let mut bytes = Vec::new();
        wire::write_response(&mut bytes, status, fields, body);
        self.bytes(id, &bytes)
    }

    pub(super) fn closed(&mut self, id: u16) -> String {
        self.input(&Input::Closed(Connection(id)))
    }

    pub(super) fn failed(&mut self, id: u16, fault: ConnectionFault) -> String {
        self.input(&Input::Failed(Connection(id), fault))
    }

    /// Lets time pass and ticks.
    pub(super) fn pass(&mut self, time: Duration) -> String {
        self.now = self.now + time;
        self.act(HttpClient::tick)
    }

    /// What was sent since the last look, byte by byte.
    pub(super) fn written(&mut self) -> String {
        let mut all = String::new();
        for effect in &self.out.effects {
            if let Effect::Write { bytes, .. } = effect {
                all.push_str(std::str::from_utf8(self.out.slice(bytes)).unwrap());
            }
        }
        self.out.clear();
        all
    }

    /// What the client did since the last look: effects, then events.
    pub(super) fn ladder(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for effect in &self.out.effects {
            lines.push(match effect {
                Effect::Open {
                    connection,
                    to,
                    tls,
                } => {
                    let name = tls.as_ref().map(|name| self.out.slice(name).escape_ascii());
                    let name = name.map_or(String::new(), |name| format!(" tls {name}"));
                    format!("{}: open {to}{name}", connection.0)
                }
                Effect::Write { connection, bytes } => {
                    let text = String::from_utf8_lossy(self.out.slice(bytes));
                    let authorized = text.lines().find_map(|line| {
                        line.strip_prefix("Authorization: ")?
                            .split(' ')
                            .next()
                            .map(|scheme| format!(" with {scheme}"))
                    });
                    let line = text.split(" HTTP/").next().unwrap();
                    format!("{}: {line}{}", connection.0, authorized.unwrap_or_default())
                }
                Effect::Close(connection) => format!("{}: close", connection.0),
                other => format!("{other:?}"),
            });
        }
        for event in &self.out.events {
            lines.push(match event.kind {
                EventKind::Sent { step: STEP, .. } => "sent".to_owned(),
                EventKind::Retried {
                    step: STEP,
                    attempt,
                } => format!("attempt {attempt}"),
                EventKind::Challenged { step: STEP } => "challenged".to_owned(),
                EventKind::Redirected { step: STEP, url } => {
                    format!("redirected {}", self.shelf.urls.text(url))
                }
                EventKind::Wrong { step: STEP, fault } => format!("wrong {fault:?}"),
                EventKind::LimitReached { limit, value } => format!("limit {limit:?} {value}"),
                ref other => format!("{other:?}"),
            });
        }
        self.out.clear();
        lines
    }
}
