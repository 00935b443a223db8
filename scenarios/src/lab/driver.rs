//! Ways to switch a handset's power, as a lab file has them: `[power.NAME]` with a `driver`.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use bootstorm_emulator::located::{Reader, Slot, nearest};
use bootstorm_emulator::wire::port;

/// Holes of texts that a driver sends or runs.
const HOLES: [&str; 6] = ["port", "mac", "mac:colon", "place", "address", "secret"];
/// The port of SNMP agents (RFC 3411 §3.1, RFC 3417 §3.1).
const SNMP_PORT: u16 = 161;
/// How long a driver's answer is waited for, unless the file says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a port takes until it powers what is plugged in: detection, classification, a second
/// try.
const SETTLE: Duration = Duration::from_secs(20);
/// How long a person is waited for.
const PATIENCE: Duration = Duration::from_secs(300);
const TRIES_MAX: u32 = 20;

/// What may be asked of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Power on.
    On,
    /// Power off.
    Off,
    /// Power off and on again, or a reboot that amounts to it.
    Cycle,
    /// Back to factory settings.
    Reset,
}

impl Action {
    /// Every action with its word.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::On, "on"),
        (Self::Off, "off"),
        (Self::Cycle, "cycle"),
        (Self::Reset, "reset"),
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        let known = Self::ALL.iter().find(|(action, _)| *action == self);
        known.map_or("", |(_, word)| word)
    }
}

/// Where a secret is, so that no file of a lab needs to hold one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In an environment variable.
    Environment(String),
    /// In a file, without the line break at its end.
    File(String),
}

/// A way to switch power.
#[derive(Debug, Clone)]
pub enum Driver {
    /// A switch that powers its ports (RFC 3621).
    Snmp(SnmpDriver),
    /// Something with an HTTP interface: a power strip, a switch, the handset's own action URL.
    Http(HttpDriver),
    /// A program.
    Command(CommandDriver),
    /// Check-sync with reboot, sent to the handset by the reference server (FLY-99).
    CheckSync(SyncDriver),
    /// Somebody who is asked on the terminal.
    Person(PersonDriver),
}

/// `driver = "snmp"`
#[derive(Debug, Clone)]
pub struct SnmpDriver {
    /// The agent.
    pub agent: SocketAddrV4,
    /// pethPsePortGroupIndex (RFC 3621 §3): which box of a stack.
    pub group: u32,
    /// Who asks.
    pub access: SnmpAccess,
    /// How long one answer is waited for.
    pub timeout: Duration,
    /// How often a request is sent before it is given up.
    pub tries: u32,
    /// How long a port may take until it powers what is plugged in, or powers it no more.
    pub settle: Duration,
}

/// Who asks an SNMP agent.
#[derive(Debug, Clone)]
pub enum SnmpAccess {
    /// Version 2c: whoever knows the community.
    Community(Secret),
    /// Version 3 (RFC 3414): a user with authentication and privacy.
    User {
        /// The user's name.
        name: String,
        /// How messages are authenticated.
        digest: Digest,
        /// The pass phrase of that.
        auth: Secret,
        /// How messages are encrypted.
        cipher: Cipher,
        /// The pass phrase of that.
        privacy: Secret,
    },
}

/// Authentication of SNMP version 3 (RFC 3414 §6, RFC 7860).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// HMAC-SHA-96
    Sha1,
    /// HMAC-SHA-224
    Sha224,
    /// HMAC-SHA-256
    Sha256,
    /// HMAC-SHA-384
    Sha384,
    /// HMAC-SHA-512
    Sha512,
}

const DIGESTS: [(Digest, &str); 5] = [
    (Digest::Sha1, "sha"),
    (Digest::Sha224, "sha-224"),
    (Digest::Sha256, "sha-256"),
    (Digest::Sha384, "sha-384"),
    (Digest::Sha512, "sha-512"),
];

/// Encryption of SNMP version 3 (RFC 3826).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// AES with 128 bits.
    Aes128,
    /// AES with 192 bits.
    Aes192,
    /// AES with 256 bits.
    Aes256,
}

const CIPHERS: [(Cipher, &str); 3] = [
    (Cipher::Aes128, "aes"),
    (Cipher::Aes192, "aes-192"),
    (Cipher::Aes256, "aes-256"),
];

/// `driver = "http"`
#[derive(Debug, Clone)]
pub struct HttpDriver {
    /// The request of each action that it has.
    pub calls: BTreeMap<Action, Call>,
    /// The user of Basic authentication (RFC 7617).
    pub user: Option<String>,
    /// The password of that, and the hole `{secret}` of headers and bodies.
    pub secret: Option<Secret>,
    /// A file of certificates of authorities (PEM) that an https URL is verified by.
    pub authorities: Option<String>,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

/// One HTTP request, with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its method.
    pub method: String,
    /// Its URL.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
    /// The status that says it was done; none given = any from 200 to 299.
    pub expect: Vec<u16>,
}

/// `driver = "command"`
#[derive(Debug, Clone)]
pub struct CommandDriver {
    /// The program and its arguments for each action that it has, with holes; no shell.
    pub commands: BTreeMap<Action, Vec<String>>,
    /// Handed over in the environment as `LAB_SECRET`, where `ps` does not show it.
    pub secret: Option<Secret>,
    /// It is ended after this.
    pub timeout: Duration,
}

/// `driver = "check-sync"`
#[derive(Debug, Clone)]
pub struct SyncDriver {
    /// The handset's SIP port.
    pub port: u16,
    /// Whom the request names; with the hole `{mac}`. Empty = nobody.
    pub user: String,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

/// `driver = "person"`
#[derive(Debug, Clone)]
pub struct PersonDriver {
    /// How long they are waited for.
    pub timeout: Duration,
}

/// Kinds of drivers.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Snmp,
    Http,
    Command,
    CheckSync,
    Person,
}

const KINDS: [(Kind, &str); 5] = [
    (Kind::Snmp, "snmp"),
    (Kind::Http, "http"),
    (Kind::Command, "command"),
    (Kind::CheckSync, "check-sync"),
    (Kind::Person, "person"),
];

impl Call {
    /// The host of its URL, as it is written.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let host = rest.get(..end).unwrap_or_default();
        match host.rsplit_once(':') {
            // `{mac:colon}` has no place in a host anyway.
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => host,
        }
    }
}

impl Driver {
    /// Whether it can do this, by itself or in two steps.
    #[must_use]
    pub fn can(&self, action: Action) -> bool {
        let of = |has: &dyn Fn(Action) -> bool| match action {
            Action::Cycle => has(action) || (has(Action::On) && has(Action::Off)),
            action => has(action),
        };
        match self {
            Self::Snmp(_) => action != Action::Reset,
            Self::Http(http) => of(&|action| http.calls.contains_key(&action)),
            Self::Command(command) => of(&|action| command.commands.contains_key(&action)),
            Self::CheckSync(_) => action == Action::Cycle,
            Self::Person(_) => true,
        }
    }

    /// Whether it needs to know the switch's port.
    #[must_use]
    pub fn needs_port(&self) -> bool {
        matches!(self, Self::Snmp(_)) || self.mentions("{port}")
    }

    /// Whether it needs to know the handset's address.
    #[must_use]
    pub fn needs_address(&self) -> bool {
        matches!(self, Self::CheckSync(_)) || self.mentions("{address}")
    }

    fn mentions(&self, hole: &str) -> bool {
        match self {
            Self::Http(http) => http.calls.values().any(|call| {
                let headers = call.headers.iter().map(|(_, value)| value);
                let mut texts = headers.chain([&call.url, &call.body]);
                texts.any(|text| text.contains(hole))
            }),
            Self::Command(command) => {
                let mut words = command.commands.values().flatten();
                words.any(|word| word.contains(hole))
            }
            Self::CheckSync(sync) => sync.user.contains(hole),
            Self::Snmp(_) | Self::Person(_) => false,
        }
    }
}

/// Reads `[power.NAME]`; what is wrong is noted.
pub(super) fn driver(table: &Reader<'_>) -> Option<Driver> {
    let kind = table.need("driver").word(&KINDS);
    let Some(kind) = kind else {
        // What else stands there cannot be judged without knowing the kind.
        table.entries().for_each(drop);
        return None;
    };
    Some(match kind {
        Kind::Snmp => Driver::Snmp(snmp(table)?),
        Kind::Http => Driver::Http(http(table)),
        Kind::Command => Driver::Command(command(table)),
        Kind::CheckSync => Driver::CheckSync(SyncDriver {
            port: table
                .may("sip_port")
                .number(1..=u16::MAX)
                .unwrap_or(port::SIP),
            user: text(&table.may("user"), &["mac"]).unwrap_or_default(),
            timeout: timeout(table, TIMEOUT),
        }),
        Kind::Person => Driver::Person(PersonDriver {
            timeout: timeout(table, PATIENCE),
        }),
    })
}

fn timeout(table: &Reader<'_>, default: Duration) -> Duration {
    let slot = table.may("timeout_s");
    let given = slot.duration();
    if given.is_some_and(|time| time.is_zero()) {
        slot.unexpected("a time in seconds, more than 0");
    }
    given.filter(|time| !time.is_zero()).unwrap_or(default)
}

/// `{ env = "NAME" }` or `{ file = "path" }`
fn secret(slot: &Slot<'_>) -> Option<Secret> {
    let table = slot.table()?;
    let (env, file) = (table.may("env"), table.may("file"));
    match (env.text(), file.text()) {
        (Some(name), None) if is_variable(name) => Some(Secret::Environment(name.to_owned())),
        (Some(_), None) => {
            env.unexpected("the name of an environment variable");
            None
        }
        (None, Some("")) => {
            file.unexpected("a path");
            None
        }
        (None, Some(path)) => Some(Secret::File(path.to_owned())),
        _ => {
            table.fault(format!(
                "'{}' says where the secret is, in one way (expected env = \"NAME\" or file = \
                 \"path\")",
                slot.name()
            ));
            None
        }
    }
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    first.is_some_and(|first| fits(first) && !first.is_ascii_digit()) && bytes.all(fits)
}

fn may_secret(table: &Reader<'_>, key: &str) -> Option<Secret> {
    let slot = table.may(key);
    slot.is_given().then(|| secret(&slot)).flatten()
}

fn snmp(table: &Reader<'_>) -> Option<SnmpDriver> {
    let agent = table
        .need("agent")
        .parsed("ADDRESS or ADDRESS:PORT", |text| {
            let at = |host: &str, port| Some(SocketAddrV4::new(host.parse().ok()?, port));
            match text.split_once(':') {
                Some((host, port)) => at(host, port.parse().ok().filter(|port| *port > 0)?),
                None => at(text, SNMP_PORT),
            }
        });
    let group = table.may("group").number(1..=i32::MAX.unsigned_abs());
    let tries = table.may("tries").number(1..=TRIES_MAX);
    let timeout = timeout(table, Duration::from_secs(2));
    let settle = table.may("settle_s").duration().unwrap_or(SETTLE);
    let access = access(table);
    Some(SnmpDriver {
        agent: agent?,
        group: group.unwrap_or(1),
        access: access?,
        timeout,
        tries: tries.unwrap_or(3),
        settle,
    })
}

fn access(table: &Reader<'_>) -> Option<SnmpAccess> {
    let version = table.need("version").word(&[(2, "2c"), (3, "3")]);
    let community = table.may("community");
    let users = ["user", "auth", "auth_secret", "privacy", "privacy_secret"];
    let users = users.map(|key| table.may(key));
    let misplaced = |slots: &[&Slot<'_>], version: &str| {
        for slot in slots.iter().filter(|slot| slot.is_given()) {
            slot.fault(format!(
                "'{}' goes with version = \"{version}\" only",
                slot.name()
            ));
        }
    };
    match version? {
        2 => {
            misplaced(&users.each_ref(), "3");
            Some(SnmpAccess::Community(secret(&table.need("community"))?))
        }
        _ => {
            misplaced(&[&community], "2c");
            let name = table.need("user").text();
            let auth = secret(&table.need("auth_secret"));
            let privacy = secret(&table.need("privacy_secret"));
            let [_, digest, _, cipher, _] = &users;
            let digest = digest
                .word(&DIGESTS)
                .or((!digest.is_given()).then_some(Digest::Sha1));
            let cipher = cipher
                .word(&CIPHERS)
                .or((!cipher.is_given()).then_some(Cipher::Aes128));
            Some(SnmpAccess::User {
                name: name?.to_owned(),
                digest: digest?,
                auth: auth?,
                cipher: cipher?,
                privacy: privacy?,
            })
        }
    }
}

fn http(table: &Reader<'_>) -> HttpDriver {
    let mut calls = BTreeMap::new();
    for (action, word) in Action::ALL {
        let slot = table.may(word);
        if !slot.is_given() {
            continue;
        }
        if let Some(call) = slot.table().and_then(|table| call(&table)) {
            calls.insert(action, call);
        }
    }
    let driver = HttpDriver {
        calls,
        user: table.may("user").text().map(str::to_owned),
        secret: may_secret(table, "secret"),
        authorities: table.may("ca").text().map(str::to_owned),
        timeout: timeout(table, TIMEOUT),
    };
    let is_tls = |call: &Call| call.url.starts_with("https://");
    if driver.authorities.is_none() && driver.calls.values().any(is_tls) {
        table.fault("an https URL without 'ca', the certificates (PEM) that it is verified by");
    }
    if driver.user.is_some() && driver.secret.is_none() {
        table.fault("'user' without 'secret', which is its password");
    }
    driver
}

fn call(table: &Reader<'_>) -> Option<Call> {
    let url = table.need("url");
    let text_url = text(&url, &["port", "mac", "mac:colon", "place", "address"]);
    let web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if text_url.as_ref().is_some_and(|url| !web(url)) {
        url.unexpected("a URL that begins with http:// or https://");
    }
    let method = table.may("method");
    let upper = |text: &str| {
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase());
        fits.then(|| text.to_owned())
    };
    let verb = method.parsed("a method in upper case, such as POST", upper);
    let headers = table
        .may("headers")
        .table()
        .map_or_else(Vec::new, |headers| {
            let entries = headers.entries();
            let read =
                entries.filter_map(|(entry, slot)| Some((entry.key.clone(), text(&slot, &HOLES)?)));
            read.collect()
        });
    let body = text(&table.may("body"), &HOLES);
    let expect = table.may("expect").list();
    Some(Call {
        method: verb.unwrap_or_else(|| "GET".to_owned()),
        url: text_url.filter(web)?,
        headers,
        body: body.unwrap_or_default(),
        expect: expect
            .iter()
            .filter_map(|item| item.number(100..=599_u16))
            .collect(),
    })
}

fn command(table: &Reader<'_>) -> CommandDriver {
    let mut commands = BTreeMap::new();
    for (action, word) in Action::ALL {
        let slot = table.may(word);
        let words = slot.list();
        if slot.is_given() && words.is_empty() {
            slot.unexpected("a program and its arguments, each a text of its own");
        }
        let holes = ["port", "mac", "mac:colon", "place", "address"];
        let words: Vec<_> = words.iter().filter_map(|item| text(item, &holes)).collect();
        if !words.is_empty() {
            commands.insert(action, words);
        }
    }
    CommandDriver {
        commands,
        secret: may_secret(table, "secret"),
        timeout: timeout(table, Duration::from_secs(30)),
    }
}

/// A text whose holes are among these. Other braces stand for themselves, as in JSON.
fn text(slot: &Slot<'_>, holes: &[&'static str]) -> Option<String> {
    let text = slot.text()?;
    for (at, hole) in written(text) {
        if holes.contains(&hole) {
            continue;
        }
        let message = if HOLES.contains(&hole) {
            let why = "a URL and arguments are shown in lists and logs";
            format!("'{}': '{{{hole}}}' has no place here ({why})", slot.name())
        } else {
            let near = nearest(hole, holes.iter().copied());
            let near = near.map_or_else(String::new, |it| format!("; did you mean '{{{it}}}'?"));
            let known: Vec<_> = holes.iter().map(|hole| format!("{{{hole}}}")).collect();
            let known = known.join(", ");
            format!(
                "'{}': unknown hole '{{{hole}}}' (expected {known}{near})",
                slot.name()
            )
        };
        slot.fault_at(at, message);
    }
    Some(text.to_owned())
}

/// The words in braces of a text, with the place of each brace.
fn written(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('{').filter_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        let hole = rest.get(..rest.find('}')?)?;
        let word = |byte: u8| byte.is_ascii_lowercase() || byte == b':' || byte == b'_';
        (!hole.is_empty() && hole.bytes().all(word)).then_some((at, hole))
    })
}
