//! Steps of probes from TOML.

use std::net::Ipv4Addr;
use std::time::Duration;

use bootstorm_emulator::located::{Reader, Slot, Value};
use bootstorm_emulator::profile::template::Template;

use super::{
    Ask, Condition, DhcpAsk, DhcpKind, FtpGet, HttpAuth, HttpGet, HttpScheme, Lost, MdnsQuery,
    PnpSubscribe, ProbeStep, SipRegister, SntpAsk, TcpConnect, TftpRead, TlsVersion, Twice,
};

/// A step is given up after this, unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most that `times`, `copies` and `pipelined` may say.
const TIMES_MAX: u16 = 1_000;
/// The most redirects that a client follows.
const FOLLOW_MAX: u16 = 10;
/// Record types of DNS by name.
const DNS_KINDS: [(u16, &str); 6] = [
    (1, "A"),
    (12, "PTR"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (255, "ANY"),
];
const KINDS: [(Kind, &str); 10] = [
    (Kind::Tftp, "tftp-read"),
    (Kind::Http, "http-get"),
    (Kind::Dhcp, "dhcp"),
    (Kind::Pnp, "pnp-subscribe"),
    (Kind::Sntp, "sntp"),
    (Kind::Ftp, "ftp-get"),
    (Kind::Mdns, "mdns-query"),
    (Kind::Sip, "sip-register"),
    (Kind::Tcp, "tcp-connect"),
    (Kind::Wait, "wait"),
];

#[derive(Clone, Copy)]
enum Kind {
    Tftp,
    Http,
    Dhcp,
    Pnp,
    Sntp,
    Ftp,
    Mdns,
    Sip,
    Tcp,
    Wait,
}

/// Reads a table with the key `probe`; `None`, and faults noted, where nobody knows what it asks.
#[must_use]
pub fn step(table: &Reader<'_>) -> Option<ProbeStep> {
    let Some(kind) = table.need("probe").word(&KINDS) else {
        // Nobody knows which keys would be right.
        let _ = table.entries();
        return None;
    };
    let step = ProbeStep {
        wait: table.may("wait_s").duration().unwrap_or_default(),
        timeout: table.may("timeout_s").duration().unwrap_or(TIMEOUT),
        listen: table.may("listen_s").duration().unwrap_or_default(),
        times: times(table, "times"),
        same_as: table.may("same_as").template(),
        ask: match kind {
            Kind::Tftp => Ask::Tftp(tftp(table)),
            Kind::Http => Ask::Http(http(table)),
            Kind::Dhcp => Ask::Dhcp(dhcp(table)),
            Kind::Pnp => Ask::Pnp(pnp(table)),
            Kind::Sntp => Ask::Sntp(SntpAsk {
                version: table.may("version").number(1..=4).unwrap_or(4),
            }),
            Kind::Ftp => Ask::Ftp(ftp(table)),
            Kind::Mdns => Ask::Mdns(mdns(table)),
            Kind::Sip => Ask::Sip(sip(table)),
            Kind::Tcp => Ask::Tcp(tcp(table)),
            Kind::Wait => {
                let _ = table.need("wait_s").duration();
                Ask::Nothing
            }
        },
    };
    let slot = table.may("same_as");
    if slot.is_given() && !matches!(step.ask, Ask::Tftp(_) | Ask::Http(_) | Ask::Ftp(_)) {
        slot.fault(format!(
            "'same_as' with \"{}\", which fetches no file (expected it with tftp-read, http-get or \
             ftp-get)",
            step.ask.word()
        ));
    }
    Some(step)
}

fn times(table: &Reader<'_>, key: &str) -> u16 {
    table.may(key).number(1..=TIMES_MAX).unwrap_or(1)
}

fn switch(table: &Reader<'_>, key: &str) -> bool {
    table.may(key).switch().unwrap_or(false)
}

fn tftp(table: &Reader<'_>) -> TftpRead {
    let lose = table.may("lose");
    let lost = lose.word(&[
        (Lost::Oack, "oack"),
        (Lost::Data, "data"),
        (Lost::LastData, "last-data"),
        (Lost::Ack, "ack"),
        (Lost::LastAck, "last-ack"),
    ]);
    let block = table.may("lose_block");
    if block.is_given() && !matches!(lost, Some(Lost::Data | Lost::Ack)) {
        block.fault("'lose_block' without lose = \"data\" or \"ack\"");
    }
    let lose_times = table.may("lose_times");
    if lose_times.is_given() && !lose.is_given() {
        lose_times.fault("'lose_times' without 'lose'");
    }
    let after = |key| table.may(key).number(0..=u64::from(u32::MAX));
    TftpRead {
        file: table.need("file").template().unwrap_or_default(),
        raw: switch(table, "raw"),
        mode: table.may("mode").text().unwrap_or("octet").to_owned(),
        options: options(table),
        lose: lost,
        lose_block: block.number(1..=u64::from(u32::MAX)).unwrap_or(1),
        lose_times: lose_times.number(1..=TIMES_MAX).unwrap_or(1),
        repeat_request: switch(table, "repeat_request"),
        twice: table
            .may("twice")
            .word(&[(Twice::Request, "request"), (Twice::Ack, "ack")]),
        stray_after: after("stray_after"),
        wrong_ack_after: after("wrong_ack_after"),
        late_request_after: after("late_request_after"),
        error_after: after("error_after"),
        silent_after: after("silent_after"),
        ack_delay: table.may("ack_delay_ms").duration().unwrap_or_default(),
        same_port: switch(table, "same_port"),
        netascii: switch(table, "netascii"),
    }
}

/// `options = { tsize = 0, blksize = "1024" }`, in this order and case.
fn options(table: &Reader<'_>) -> Vec<(String, String)> {
    let Some(options) = table.may("options").table() else {
        return Vec::new();
    };
    let entries = options.entries().filter_map(|(entry, slot)| {
        let value = match slot.value()? {
            Value::Whole(number) => number.to_string(),
            _ => slot.text()?.to_owned(),
        };
        Some((entry.key.clone(), value))
    });
    entries.collect()
}

fn http(table: &Reader<'_>) -> HttpGet {
    let path = table.need("path");
    let raw = switch(table, "raw");
    let target = path.template().unwrap_or_default();
    if !raw && path.is_given() && !target.source().starts_with('/') {
        path.fault("'path' does not begin with a slash (raw = true sends it as it is)");
    }
    let (follow, pipelined) = (table.may("follow"), times(table, "pipelined"));
    if follow.is_given() && pipelined > 1 {
        follow.fault("'follow' beside 'pipelined' (expected one request at a time)");
    }
    HttpGet {
        path: target,
        raw,
        method: method(table),
        old: table
            .may("version")
            .word(&[(true, "1.0"), (false, "1.1")])
            .unwrap_or(false),
        host: table.may("host").template(),
        headers: headers(table),
        body: table.may("body").text().unwrap_or_default().to_owned(),
        tls: tls(table),
        verify: switch(table, "verify"),
        same_connection: switch(table, "same_connection"),
        pipelined,
        condition: table.may("condition").word(&[
            (Condition::Etag, "etag"),
            (Condition::Modified, "modified"),
            (Condition::OtherEtag, "other-etag"),
        ]),
        auth: http_auth(table),
        follow: follow.number(1..=FOLLOW_MAX).unwrap_or(0),
    }
}

fn method(table: &Reader<'_>) -> String {
    let method = table.may("method");
    let expected = "a method such as GET or HEAD";
    let word = |text: &str| {
        let fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        fine.then(|| text.to_owned())
    };
    method
        .parsed(expected, word)
        .unwrap_or_else(|| "GET".to_owned())
}

/// `headers = { "Range" = "bytes=0-9" }`, in this order.
fn headers(table: &Reader<'_>) -> Vec<(String, Template)> {
    let Some(headers) = table.may("headers").table() else {
        return Vec::new();
    };
    let entries = headers
        .entries()
        .filter_map(|(entry, slot)| Some((entry.key.clone(), slot.template()?)));
    entries.collect()
}

/// `tls = true`, or the one version that is offered.
fn tls(table: &Reader<'_>) -> Option<TlsVersion> {
    let slot = table.may("tls");
    match slot.value()? {
        Value::Switch(_) => slot.switch()?.then_some(TlsVersion::Any),
        _ => slot.word(&[(TlsVersion::Only12, "1.2"), (TlsVersion::Only13, "1.3")]),
    }
}

fn http_auth(table: &Reader<'_>) -> Option<HttpAuth> {
    let auth = table.may("auth");
    let scheme = auth.word(&[(HttpScheme::Basic, "basic"), (HttpScheme::Digest, "digest")]);
    let (user, password) = (table.may("user"), table.may("password"));
    let (kept, again) = (table.may("kept_nonce"), table.may("again"));
    if !auth.is_given() {
        for slot in [&user, &password, &kept, &again] {
            if slot.is_given() {
                slot.fault(format!("'{}' without 'auth'", slot.name()));
            }
        }
    }
    Some(HttpAuth {
        user: user.template(),
        password: password.template(),
        kept_nonce: kept.switch().unwrap_or(false),
        again: again.switch().unwrap_or(false),
        scheme: scheme?,
    })
}

fn dhcp(table: &Reader<'_>) -> DhcpAsk {
    let kind = table.need("kind").word(&[
        (DhcpKind::Discover, "discover"),
        (DhcpKind::Request, "request"),
        (DhcpKind::Lease, "lease"),
        (DhcpKind::Reboot, "reboot"),
        (DhcpKind::Renew, "renew"),
        (DhcpKind::Rebind, "rebind"),
        (DhcpKind::Inform, "inform"),
        (DhcpKind::Release, "release"),
    ]);
    let parameters = table.may("parameters");
    let codes = parameters.list();
    let codes = codes.iter().filter_map(|slot| slot.number(1..=254_u8));
    let address = |key| {
        let slot = table.may(key);
        slot.parsed("an IPv4 address", |text| text.parse::<Ipv4Addr>().ok())
    };
    let given = parameters.is_given();
    DhcpAsk {
        kind: kind.unwrap_or(DhcpKind::Discover),
        parameters: given.then(|| codes.collect()),
        vendor_class: table.may("vendor_class").text().map(str::to_owned),
        client_id: hex(&table.may("client_id")),
        requested: address("requested"),
        server_id: address("server_id"),
        broadcast: switch(table, "broadcast"),
    }
}

/// Bytes in hexadecimal, blanks between them allowed.
fn hex(slot: &Slot<'_>) -> Option<Vec<u8>> {
    slot.parsed("bytes in hexadecimal, at most 255", |text| {
        let digits: String = text.split_ascii_whitespace().collect();
        let fine = digits.is_ascii() && digits.len().is_multiple_of(2) && digits.len() <= 510;
        if !fine || digits.is_empty() {
            return None;
        }
        let pairs = (0..digits.len()).step_by(2);
        let bytes = pairs.map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
        bytes.collect()
    })
}

fn pnp(table: &Reader<'_>) -> PnpSubscribe {
    PnpSubscribe {
        event: table.may("event").template(),
        copies: times(table, "copies"),
        answer: table.may("answer").switch().unwrap_or(true),
    }
}

fn ftp(table: &Reader<'_>) -> FtpGet {
    FtpGet {
        path: table.need("path").template().unwrap_or_default(),
        raw: switch(table, "raw"),
        active: switch(table, "active"),
        user: table.may("user").template(),
        password: table.may("password").template(),
    }
}

fn mdns(table: &Reader<'_>) -> MdnsQuery {
    let service = table.need("service").text().unwrap_or_default().to_owned();
    MdnsQuery {
        service,
        kind: table.may("type").word(&DNS_KINDS).unwrap_or(12),
    }
}

fn sip(table: &Reader<'_>) -> SipRegister {
    SipRegister {
        user: table.need("user").template().unwrap_or_default(),
        domain: table.may("domain").template(),
        auth_user: table.may("auth_user").template(),
        password: table.need("password").template().unwrap_or_default(),
        expires: table.may("expires_s").number(0..=u32::MAX).unwrap_or(3_600),
    }
}

fn tcp(table: &Reader<'_>) -> TcpConnect {
    TcpConnect {
        port: table.need("port").number(1..=u16::MAX).unwrap_or(80),
        tls: tls(table),
        host: table.may("host").template(),
        verify: switch(table, "verify"),
        send: table.may("send").template(),
    }
}
