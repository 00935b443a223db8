//! Sources of a provisioning URL, and the time that a vendor may demand before any of them.

use std::time::Duration;

use super::clauses;
use super::walk::arranged;
use crate::located::{Reader, Slot, Value};
use crate::profile::{
    Account, ClockSpec, DhcpSpec, Param, ParamSpec, RedirectSpec, Source, SourceKind, SourcesEnd,
    URL_OPTION, url_option,
};
use crate::transfer::http::AuthMethod;
use crate::wire::dhcp::code;

/// Sources of one profile.
const SOURCES_MAX: usize = 64;
/// The shortest wait before the time is asked for again.
const CLOCK_RETRY_MIN: Duration = Duration::from_secs(1);

/// Parameters that hold a provisioning URL.
const URLS: [(Param, &str); 2] = [
    (Param::ServerUrl, "server_url"),
    (Param::SecondServerUrl, "second_server_url"),
];

/// `[discovery]` and `[sources]`.
pub(super) struct Sources {
    pub(super) end: SourcesEnd,
    pub(super) fixed: bool,
    pub(super) list: Vec<Source>,
}

/// What the sources of a profile can ask with.
#[derive(Clone, Copy)]
pub(super) struct Clients<'a> {
    /// `None` when it could not be read.
    pub(super) dhcp: Option<&'a DhcpSpec>,
    /// Whether there is a table `pnp`; `None` when it could not be read.
    pub(super) pnp: Option<bool>,
    /// Whether there is a table `mdns`.
    pub(super) mdns: bool,
}

/// `[clock]`; none without it, and with `required = false`.
pub(super) fn clock(root: &Reader<'_>, dhcp: Option<&DhcpSpec>) -> Option<ClockSpec> {
    let slot = root.may("clock");
    if matches!(slot.value(), None | Some(Value::Switch(false))) {
        return None;
    }
    let table = slot.table()?;
    let required = table.need("required").switch().unwrap_or_default();
    let retry_slot = table.need("retry_ms");
    let retry = retry_slot.duration().unwrap_or(CLOCK_RETRY_MIN);
    if retry < CLOCK_RETRY_MIN {
        retry_slot.unexpected("a time of at least 1000 milliseconds");
    }
    let asked = |dhcp: &DhcpSpec| dhcp.parameters.contains(&code::NTP_SERVERS);
    if required && dhcp.is_some_and(|dhcp| !asked(dhcp)) {
        let code = code::NTP_SERVERS;
        slot.fault(format!("option {code} is not in 'dhcp.parameters'"));
    }
    let clauses = clauses(&table);
    required.then_some(ClockSpec { retry, clauses })
}

/// Reads the sources in the order of trial.
pub(super) fn sources(root: &Reader<'_>, clients: Clients<'_>) -> Sources {
    let ends = [
        (SourcesEnd::FirstFile, "first-file"),
        (SourcesEnd::FirstUrl, "first-url"),
    ];
    let nothing = Sources {
        end: SourcesEnd::FirstFile,
        fixed: false,
        list: Vec::new(),
    };
    let slot = root.need("sources");
    let Some(discovery) = root.need("discovery").table() else {
        return nothing;
    };
    let end = discovery.need("ends_with").word(&ends);
    let fixed = discovery.may("order_fixed").switch().unwrap_or_default();
    let _ = clauses(&discovery);
    let order = discovery.may("order");
    let Some(table) = slot.table() else {
        return nothing;
    };
    let entries: Vec<_> = table.entries().collect();
    let all: Vec<String> = entries.iter().map(|(entry, _)| entry.key.clone()).collect();
    let ids = arranged(&all, &order);
    if ids.len() > SOURCES_MAX {
        slot.fault(format!("more than {SOURCES_MAX} sources"));
    }
    let mut list: Vec<(usize, Source)> = Vec::new();
    for (entry, slot) in &entries {
        let source = slot.table().and_then(|table| source(&entry.key, &table));
        let place = ids.iter().position(|id| *id == entry.key);
        if let Some((place, source)) = place.zip(source) {
            check_source(slot, &source, clients);
            list.push((place, source));
        }
    }
    list.sort_by_key(|(place, _)| *place);
    let list: Vec<Source> = list.into_iter().map(|(_, source)| source).collect();
    check_groups(&slot, &list);
    Sources {
        end: end.unwrap_or(SourcesEnd::FirstFile),
        fixed,
        list,
    }
}

fn source(id: &str, table: &Reader<'_>) -> Option<Source> {
    #[derive(Clone, Copy)]
    enum Kind {
        Pnp,
        Dhcp,
        DhcpChosen,
        DhcpJoined,
        Redirect,
        Fixed,
        Static,
        Mdns,
        Acs,
    }
    let kinds = [
        (Kind::Pnp, "pnp"),
        (Kind::Dhcp, "dhcp"),
        (Kind::DhcpChosen, "dhcp-chosen"),
        (Kind::DhcpJoined, "dhcp-joined"),
        (Kind::Redirect, "redirect"),
        (Kind::Fixed, "fixed"),
        (Kind::Static, "static"),
        (Kind::Mdns, "mdns"),
        (Kind::Acs, "acs"),
    ];
    let accounts = [(Account::First, "first"), (Account::Second, "second")];
    let switches = table.may("enabled_by").list();
    let enabled_by = switches.iter().filter_map(|item| item.word(&Param::ALL));
    let enabled_by = enabled_by.collect();
    let ends_run = table.may("ends_run").switch().unwrap_or_default();
    let account = table.may("account").word(&accounts);
    let together = table.may("together").parsed("a name", |text| {
        (!text.trim().is_empty()).then(|| text.to_owned())
    });
    let clauses = clauses(table);
    let kind = match table.need("kind").word(&kinds)? {
        Kind::Pnp => SourceKind::Pnp,
        Kind::Dhcp => SourceKind::Dhcp {
            option: table.need("option").number(1..=254).unwrap_or(1),
            file_option: table.may("file_option").number(1..=254),
            unless: table.may("unless").number(1..=254),
        },
        Kind::DhcpChosen => SourceKind::DhcpChosen,
        Kind::DhcpJoined => SourceKind::DhcpJoined,
        Kind::Static => SourceKind::Static,
        Kind::Redirect => SourceKind::Redirect(redirect(table)),
        Kind::Mdns => SourceKind::Mdns,
        Kind::Acs => SourceKind::Acs,
        Kind::Fixed => SourceKind::Fixed(table.need("url").word(&URLS).unwrap_or(Param::ServerUrl)),
    };
    Some(Source {
        id: id.to_owned(),
        kind,
        ends_run,
        enabled_by,
        together,
        account: account.unwrap_or(Account::First),
        clauses,
    })
}

fn redirect(table: &Reader<'_>) -> RedirectSpec {
    let methods = [
        (AuthMethod::Any, "any"),
        (AuthMethod::Digest, "digest"),
        (AuthMethod::Basic, "basic"),
        (AuthMethod::None, "none"),
    ];
    RedirectSpec {
        timeout: table.need("timeout_ms").duration().unwrap_or_default(),
        attempts: table.need("attempts").number(1..=u8::MAX).unwrap_or(1),
        auth: table
            .need("auth")
            .word(&methods)
            .unwrap_or(AuthMethod::None),
    }
}

/// Sources of one group are neighbours, and only one of them is a search by SIP, one by HTTP.
fn check_groups(slot: &Slot<'_>, sources: &[Source]) {
    let groups: Vec<&[Source]> = sources.chunk_by(Source::is_together_with).collect();
    for (place, group) in groups.iter().enumerate() {
        let Some(name) = group.first().and_then(|first| first.together.as_deref()) else {
            continue;
        };
        let again = |other: &[Source]| {
            let first = other.first();
            first.is_some_and(|first| first.together.as_deref() == Some(name))
        };
        if groups.iter().skip(place + 1).any(|other| again(other)) {
            slot.fault(format!(
                "the sources together as '{name}' are not neighbours"
            ));
        }
        let count = |kind: fn(&SourceKind) -> bool| {
            let found = group.iter().filter(|source| kind(&source.kind));
            found.count()
        };
        if count(|kind| matches!(kind, SourceKind::Pnp)) > 1
            || count(|kind| matches!(kind, SourceKind::Redirect(_))) > 1
            || count(|kind| matches!(kind, SourceKind::Mdns)) > 1
        {
            slot.fault(format!("two sources of one kind are together as '{name}'"));
        }
    }
}

/// The option that a phone asks for, where it can be chosen, is one of those that can (FAN-65).
pub(super) fn check_url_option(root: &Reader<'_>, sources: &[Source], params: &[ParamSpec]) {
    let chosen = |source: &Source| matches!(source.kind, SourceKind::DhcpChosen);
    let Some(param) = params.get(Param::DhcpUrlOption as usize) else {
        return;
    };
    let text = param.default.source();
    let known = matches!(text, "" | "0") || url_option(text).is_some();
    if !known && sources.iter().any(chosen) {
        let expected = "\"0\", \"43\", \"66\" or one of \"128\" to \"254\"";
        root.may("params").fault(format!(
            "'params.dhcp_url_option.default' is \"{text}\" (expected {expected})"
        ));
    }
}

fn check_source(slot: &Slot<'_>, source: &Source, clients: Clients<'_>) {
    let dhcp = clients.dhcp;
    match source.kind {
        SourceKind::Pnp => {
            if clients.pnp == Some(false) {
                slot.fault(format!("source '{}' needs a table 'pnp'", source.id));
            }
        }
        SourceKind::Mdns => {
            if !clients.mdns {
                slot.fault(format!("source '{}' needs a table 'mdns'", source.id));
            }
        }
        SourceKind::DhcpChosen => {
            if dhcp.is_some_and(|dhcp| !dhcp.parameters.contains(&URL_OPTION)) {
                slot.fault("the place of the chosen option, \"url\", is not in 'dhcp.parameters'");
            }
        }
        SourceKind::Dhcp {
            option,
            file_option,
            unless,
        } => {
            let Some(dhcp) = dhcp else {
                return;
            };
            let asked = |code: &u8| dhcp.parameters.contains(code);
            if !asked(&option) {
                let message = format!("option {option} is not in 'dhcp.parameters'");
                slot.fault(message);
            }
            let with_67 = |code: &u8| asked(code) || dhcp.parameters_with_67.contains(code);
            if let Some(code) = file_option.filter(|code| !with_67(code)) {
                slot.fault(format!("option {code} is not in 'dhcp.parameters_with_67'"));
            }
            if let Some(code) = unless.filter(|code| !asked(code)) {
                slot.fault(format!("option {code} is not in 'dhcp.parameters'"));
            }
        }
        SourceKind::DhcpJoined => {
            let codes = [code::VENDOR_SPECIFIC, code::TFTP_SERVER, code::BOOT_FILE];
            let missing = |code: &u8| dhcp.is_some_and(|dhcp| !dhcp.parameters.contains(code));
            for code in codes.into_iter().filter(missing) {
                slot.fault(format!("option {code} is not in 'dhcp.parameters'"));
            }
        }
        SourceKind::Redirect(_) | SourceKind::Fixed(_) | SourceKind::Static | SourceKind::Acs => {}
    }
}
