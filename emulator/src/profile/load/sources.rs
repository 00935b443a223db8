//! Sources of a provisioning URL, and the time that a vendor may demand before any of them.

use std::time::Duration;

use super::clauses;
use super::walk::arranged;
use crate::located::{Reader, Slot, Value};
use crate::profile::{
    Account, ClockSpec, DhcpSpec, Param, PnpSpec, RedirectSpec, Source, SourceKind, SourcesEnd,
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
    pub(super) list: Vec<Source>,
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
pub(super) fn sources(
    root: &Reader<'_>,
    dhcp: Option<&DhcpSpec>,
    pnp: Option<&Option<PnpSpec>>,
) -> Sources {
    let ends = [
        (SourcesEnd::FirstFile, "first-file"),
        (SourcesEnd::FirstUrl, "first-url"),
    ];
    let nothing = Sources {
        end: SourcesEnd::FirstFile,
        list: Vec::new(),
    };
    let slot = root.need("sources");
    let Some(discovery) = root.need("discovery").table() else {
        return nothing;
    };
    let end = discovery.need("ends_with").word(&ends);
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
            check_source(slot, &source, dhcp, pnp);
            list.push((place, source));
        }
    }
    list.sort_by_key(|(place, _)| *place);
    let list: Vec<Source> = list.into_iter().map(|(_, source)| source).collect();
    check_groups(&slot, &list);
    Sources {
        end: end.unwrap_or(SourcesEnd::FirstFile),
        list,
    }
}

fn source(id: &str, table: &Reader<'_>) -> Option<Source> {
    #[derive(Clone, Copy)]
    enum Kind {
        Pnp,
        Dhcp,
        DhcpJoined,
        Redirect,
        Fixed,
        Mdns,
        Acs,
    }
    let kinds = [
        (Kind::Pnp, "pnp"),
        (Kind::Dhcp, "dhcp"),
        (Kind::DhcpJoined, "dhcp-joined"),
        (Kind::Redirect, "redirect"),
        (Kind::Fixed, "fixed"),
        (Kind::Mdns, "mdns"),
        (Kind::Acs, "acs"),
    ];
    let accounts = [(Account::First, "first"), (Account::Second, "second")];
    let switches = table.may("enabled_by").list();
    let enabled_by = switches.iter().filter_map(|item| item.word(&Param::ALL));
    let enabled_by = enabled_by.collect();
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
        Kind::DhcpJoined => SourceKind::DhcpJoined,
        Kind::Redirect => SourceKind::Redirect(redirect(table)),
        Kind::Mdns => SourceKind::Mdns,
        Kind::Acs => SourceKind::Acs,
        Kind::Fixed => SourceKind::Fixed(table.need("url").word(&URLS).unwrap_or(Param::ServerUrl)),
    };
    Some(Source {
        id: id.to_owned(),
        kind,
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
        {
            slot.fault(format!("two sources of one kind are together as '{name}'"));
        }
    }
}

fn check_source(
    slot: &Slot<'_>,
    source: &Source,
    dhcp: Option<&DhcpSpec>,
    pnp: Option<&Option<PnpSpec>>,
) {
    match source.kind {
        SourceKind::Pnp => {
            if matches!(pnp, Some(None)) {
                slot.fault(format!("source '{}' needs a table 'pnp'", source.id));
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
        SourceKind::Redirect(_) | SourceKind::Fixed(_) | SourceKind::Mdns | SourceKind::Acs => {}
    }
}
