//! The protocol clients of a profile: DHCP, SIP PnP, SIP, TFTP, FTP, HTTP.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{clauses, headers, one_line_template};
use crate::located::{Reader, Slot, Value};
use crate::phone::io::FtpMode;
use crate::profile::template::Template;
use crate::profile::{
    DhcpOption, DhcpSpec, FtpSpec, HttpSpec, MdnsSpec, PnpChoice, PnpSpec, SendCredentials,
    SipSpec, TftpOption, TftpSpec, URL_OPTION,
};
use crate::wire::dns;

/// Transmissions of one DHCP message.
const RETRIES_MAX: usize = 32;
/// Option codes in option 55: more do not fit one option.
const PARAMETERS_MAX: usize = 255;
/// Fixed header and cookie, the message type and the end mark (RFC 2131 §2).
const MESSAGE_BYTES_MIN: usize = 244;
/// What fits one Ethernet frame beside IPv4 and UDP headers.
const MESSAGE_BYTES_MAX: usize = 1_472;
/// The shortest wait for an answer by multicast DNS.
const MDNS_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// The least that option 57 may say (RFC 2132 §9.10).
const MAX_SIZE_MIN: u16 = 576;

/// `[dhcp]`
pub(super) fn dhcp(slot: &Slot<'_>) -> Option<DhcpSpec> {
    let table = slot.table()?;
    let size = table.may("message_bytes");
    let message_bytes = size.number(0..=MESSAGE_BYTES_MAX as u32).unwrap_or(0) as usize;
    if (1..MESSAGE_BYTES_MIN).contains(&message_bytes) {
        size.unexpected(format!(
            "0 or a whole number from {MESSAGE_BYTES_MIN} to {MESSAGE_BYTES_MAX}"
        ));
    }
    let parameters = table.need("parameters");
    let spec = DhcpSpec {
        message_bytes,
        options: dhcp_options(&table),
        parameters: option_codes(&parameters, true),
        parameters_with_67: option_codes(&table.may("parameters_with_67"), false),
        vendor_class: one_line_template(&table.may("vendor_class")),
        host_name: one_line_template(&table.may("host_name")),
        offer_window: time(&table.may("offer_window_ms")),
        retry: retry(&table.need("retry_ms")),
        retry_spread: time(&table.may("retry_spread_ms")),
        pause: time(&table.need("pause_ms")),
        constant_xid: table.may("constant_xid").switch().unwrap_or_default(),
        xid_from_mac: table.may("xid_from_mac").switch().unwrap_or_default(),
        run_at_renewal: table.may("run_at_renewal").switch().unwrap_or_default(),
        broadcast: table.may("broadcast").switch().unwrap_or_default(),
        clauses: clauses(&table),
    };
    if spec.options.contains(&DhcpOption::Parameters) && spec.parameters.is_empty() {
        parameters.fault("'dhcp.parameters' is empty (expected at least one option code)");
    }
    Some(spec)
}

fn time(slot: &Slot<'_>) -> Duration {
    slot.duration().unwrap_or_default()
}

fn retry(slot: &Slot<'_>) -> Vec<Duration> {
    let waits: Vec<Duration> = slot.list().iter().filter_map(Slot::duration).collect();
    let given = matches!(slot.value(), Some(Value::List(items)) if items.is_empty());
    if given || waits.len() > RETRIES_MAX {
        let name = slot.name();
        slot.fault(format!(
            "'{name}' has {} entries (expected 1 to {RETRIES_MAX})",
            waits.len()
        ));
    }
    waits
}

fn dhcp_options(table: &Reader<'_>) -> Vec<DhcpOption> {
    let max_size = table.may("max_size_bytes");
    let size = max_size.number(MAX_SIZE_MIN..=u16::MAX);
    let words = [
        (DhcpOption::MessageType, "message-type"),
        (DhcpOption::ClientId, "client-id"),
        (DhcpOption::VendorClass, "vendor-class"),
        (
            DhcpOption::MaxSize(size.unwrap_or(MAX_SIZE_MIN)),
            "max-size",
        ),
        (DhcpOption::RequestedAddress, "requested-address"),
        (DhcpOption::ServerId, "server-id"),
        (DhcpOption::Parameters, "parameters"),
        (DhcpOption::HostName, "host-name"),
    ];
    let slot = table.need("options");
    let mut options: Vec<DhcpOption> = Vec::new();
    for item in slot.list() {
        let Some(option) = item.word(&words) else {
            continue;
        };
        if options.contains(&option) {
            item.fault(format!("'{}' stands there twice", item.name()));
        }
        options.push(option);
    }
    let sized = options
        .iter()
        .any(|option| matches!(option, DhcpOption::MaxSize(_)));
    if sized && !max_size.is_given() {
        slot.fault("option max-size needs 'dhcp.max_size_bytes'");
    }
    if slot.is_given() && !options.contains(&DhcpOption::MessageType) {
        slot.fault("'dhcp.options' has no message-type (RFC 2131 §3)");
    }
    options
}

/// Option codes 1 to 254, each once; where an option can be chosen `"url"` is its place.
fn option_codes(slot: &Slot<'_>, chosen: bool) -> Vec<u8> {
    let items = slot.list();
    if items.len() > PARAMETERS_MAX {
        slot.fault(format!(
            "'{}' has more than {PARAMETERS_MAX} codes",
            slot.name()
        ));
    }
    let mut codes = Vec::new();
    for item in items {
        let code = match item.value() {
            Some(Value::Text(text)) if chosen && text == "url" => Some(URL_OPTION),
            Some(Value::Text(_)) if chosen => {
                item.unexpected("a whole number from 1 to 254, or \"url\"");
                None
            }
            _ => item.number(1..=254_u8),
        };
        if let Some(code) = code {
            if codes.contains(&code) {
                let what = match code {
                    URL_OPTION => "\"url\"".to_owned(),
                    code => format!("option {code}"),
                };
                item.fault(format!("{what} stands there twice"));
            }
            codes.push(code);
        }
    }
    codes
}

/// `[pnp]`, or `pnp = false`. The outer `None` is a fault, the inner one a phone without PnP.
pub(super) fn pnp(slot: &Slot<'_>) -> Option<Option<PnpSpec>> {
    if matches!(slot.value(), None | Some(Value::Switch(false))) {
        return Some(None);
    }
    let table = slot.table()?;
    let choices = [(PnpChoice::First, "first"), (PnpChoice::Last, "last")];
    let group = table.need("group");
    let group = group.parsed("an IPv4 multicast address", |text| {
        text.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_multicast)
    });
    Some(Some(PnpSpec {
        group: group.unwrap_or(Ipv4Addr::UNSPECIFIED),
        port: table.need("port").number(1..=u16::MAX).unwrap_or(5060),
        own_port: table.need("own_port").switch().unwrap_or_default(),
        request_uri: one_line_template(&table.need("request_uri")),
        headers: headers(&table.need("headers")),
        attempts: table.need("attempts").number(1..=u8::MAX).unwrap_or(1),
        interval: time(&table.need("interval_ms")),
        listen: time(&table.need("listen_ms")),
        window: time(&table.need("window_ms")),
        choose: table
            .need("choose")
            .word(&choices)
            .unwrap_or(PnpChoice::First),
        accepts_late: table.may("accepts_late").switch().unwrap_or_default(),
        url_ends_at_blank: table.may("url_ends_at_blank").switch().unwrap_or_default(),
        clauses: clauses(&table),
    }))
}

/// `[mdns]`; none without it, and with `mdns = false`.
pub(super) fn mdns(slot: &Slot<'_>) -> Option<MdnsSpec> {
    if matches!(slot.value(), None | Some(Value::Switch(false))) {
        return None;
    }
    let table = slot.table()?;
    let service = table.need("service");
    let name = service.parsed("a service such as '_http._tcp.local'", |text| {
        dns::is_service(text).then(|| text.trim_end_matches('.').to_owned())
    });
    let timeout = table.need("timeout_ms");
    let wait = time(&timeout);
    if timeout.is_given() && wait < MDNS_TIMEOUT_MIN {
        timeout.unexpected("a time of at least 100 milliseconds");
    }
    Some(MdnsSpec {
        service: name.unwrap_or_default(),
        timeout: wait,
        attempts: table.need("attempts").number(1..=u8::MAX).unwrap_or(1),
        clauses: clauses(&table),
    })
}

/// `[sip]`
pub(super) fn sip(slot: &Slot<'_>) -> Option<SipSpec> {
    let table = slot.table()?;
    let events = table.need("resync_events").list();
    let events = events.iter().filter_map(|item| {
        item.parsed("an event package in small letters", |text| {
            let known = |byte: u8| byte.is_ascii_lowercase() || b"-.0123456789".contains(&byte);
            (!text.is_empty() && text.bytes().all(known)).then(|| text.to_owned())
        })
    });
    Some(SipSpec {
        resync_events: events.collect(),
        reboot_parameter: table
            .need("reboot_parameter")
            .text()
            .unwrap_or_default()
            .to_owned(),
        unknown_event_status: table
            .need("unknown_event_status")
            .number(200..=699_u16)
            .unwrap_or(489),
        clauses: clauses(&table),
    })
}

/// `[tftp]`
pub(super) fn tftp(slot: &Slot<'_>) -> Option<TftpSpec> {
    let table = slot.table()?;
    Some(TftpSpec {
        options: tftp_options(&table.need("options")),
        retry: time(&table.need("retry_ms")),
        retry_spread: time(&table.may("retry_spread_ms")),
        attempts: table.need("attempts").number(1..=u8::MAX).unwrap_or(1),
        leading_slash: table.need("leading_slash").switch().unwrap_or_default(),
        refuse_zero_size: table.need("refuse_zero_size").switch().unwrap_or_default(),
        clauses: clauses(&table),
    })
}

/// Options as they stand on the wire: `tsize=0`, `blksize=512`, `timeout=3`.
fn tftp_options(slot: &Slot<'_>) -> Vec<TftpOption> {
    let expected = "tsize=0, blksize=8 to 65464 or timeout=1 to 255";
    let mut options: Vec<TftpOption> = Vec::new();
    for item in slot.list() {
        let Some(option) = item.parsed(expected, tftp_option) else {
            continue;
        };
        let kind = std::mem::discriminant(&option);
        if options
            .iter()
            .any(|held| std::mem::discriminant(held) == kind)
        {
            item.fault(format!(
                "'{}' is an option that stands there twice",
                item.name()
            ));
        }
        options.push(option);
    }
    options
}

fn tftp_option(text: &str) -> Option<TftpOption> {
    let (name, value) = text.split_once('=')?;
    match name {
        "tsize" if value == "0" => Some(TftpOption::Size),
        "blksize" => {
            let bytes = value.parse().ok()?;
            (8..=65_464)
                .contains(&bytes)
                .then_some(TftpOption::BlockBytes(bytes))
        }
        "timeout" => {
            let seconds = value.parse().ok()?;
            (seconds > 0).then_some(TftpOption::TimeoutS(seconds))
        }
        _ => None,
    }
}

/// `[ftp]`, or `ftp = false`. The outer `None` is a fault, the inner one a phone without FTP.
pub(super) fn ftp(slot: &Slot<'_>) -> Option<Option<FtpSpec>> {
    if matches!(slot.value(), None | Some(Value::Switch(false))) {
        return Some(None);
    }
    let table = slot.table()?;
    let modes = [(FtpMode::Passive, "passive"), (FtpMode::Active, "active")];
    Some(Some(FtpSpec {
        mode: table.need("mode").word(&modes).unwrap_or_default(),
        timeout: time(&table.need("timeout_ms")),
        attempts: table.need("attempts").number(1..=u8::MAX).unwrap_or(1),
        retry: time(&table.may("retry_ms")),
        clauses: clauses(&table),
    }))
}

/// `[http]`
pub(super) fn http(slot: &Slot<'_>) -> Option<HttpSpec> {
    let table = slot.table()?;
    let credentials = [
        (SendCredentials::AfterChallenge, "after-challenge"),
        (SendCredentials::Preemptive, "preemptive"),
    ];
    Some(HttpSpec {
        headers: headers(&table.need("headers")),
        user_agent: one_line_template(&table.need("user_agent")),
        keep_alive: table.need("keep_alive").switch().unwrap_or_default(),
        timeout: time(&table.need("timeout_ms")),
        attempts: table.need("attempts").number(1..=u8::MAX).unwrap_or(1),
        credentials: table
            .need("credentials")
            .word(&credentials)
            .unwrap_or(SendCredentials::AfterChallenge),
        verify_certificate: table.may("verify_certificate").switch().unwrap_or(true),
        client_certificate: client_certificate(&table.may("client_certificate")),
        clauses: clauses(&table),
    })
}

/// The common name of a factory certificate, or `false` to take an inherited one away.
fn client_certificate(slot: &Slot<'_>) -> Option<Template> {
    if matches!(slot.value(), None | Some(Value::Switch(false))) {
        return None;
    }
    let name = one_line_template(slot);
    if !name.is_per_phone() {
        slot.unexpected("a common name with {mac} or {index} in it, or false");
    }
    Some(name)
}
