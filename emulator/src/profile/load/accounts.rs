//! `[accounts]`: the setting keys of SIP accounts, and how they are registered.

use super::params::INDEX_MAX;
use super::{clauses, headers, one_line_template};
use crate::limits::ACCOUNTS_MAX;
use crate::located::{Reader, Slot, Value, nearest};
use crate::profile::accounts::{AccountKey, AccountKeys, AccountsSpec};
use crate::profile::template::Template;
use crate::wire::port;

/// The least and the longest time that may be asked for: a minute, and ten years.
const EXPIRES_S: std::ops::RangeInclusive<u32> = 60..=316_224_000;
/// RFC 3261 §10.2.1.1 leaves it open; what most phones ask for.
const EXPIRES_DEFAULT_S: u32 = 3_600;
/// RFC 3261 §10.3 leaves it open as well.
const RETRY_DEFAULT_S: u32 = 300;
const REQUEST_URI: &str = "sip:{domain}";
/// REGISTER as RFC 3261 §10.2 has it, in the order of §24.1.
const HEADERS: [(&str, &str); 11] = [
    (
        "Via",
        "SIP/2.0/{transport} {ip}:{port};branch=z9hG4bK{branch};rport",
    ),
    ("Max-Forwards", "70"),
    ("To", "<sip:{user}@{domain}>"),
    ("From", "<sip:{user}@{domain}>;tag={tag}"),
    ("Call-ID", "{call_id}@{ip}"),
    ("CSeq", "{cseq} REGISTER"),
    ("Contact", "<{contact_uri}>"),
    ("Authorization", "{authorization}"),
    ("Expires", "{expires}"),
    ("User-Agent", "{user_agent}"),
    ("Content-Length", "0"),
];

/// `[accounts]`, or none, or `accounts = false`. `limits` are those of `[index_limits]`: `count`
/// may be the name of one.
pub(super) fn accounts(root: &Reader<'_>, limits: &[(String, u32)]) -> Option<AccountsSpec> {
    let slot = root.may("accounts");
    if matches!(slot.value(), None | Some(Value::Switch(false))) {
        return None;
    }
    let table = slot.table()?;
    let count = count(root, &table.need("count"), limits);
    let keys = keys(&table);
    if count > 1 {
        for (name, key) in keys.named() {
            // Some vendors set times for all accounts together.
            let shared = matches!(name, "expires" | "retry" | "transport");
            if key.is_some_and(|key| !key.is_numbered()) && !shared {
                let slot = table.need(name);
                slot.fault(format!("'{}' has no {{n}}", slot.name()));
            }
        }
    }
    if keys.registrar.is_none() && keys.domain.is_none() {
        slot.fault("neither 'accounts.registrar' nor 'accounts.domain' says where to register");
    }
    let own_headers = table.may("headers");
    let request_uri = table.may("request_uri");
    let template = |text: &str| Template::parse(text).unwrap_or_default();
    Some(AccountsSpec {
        first: table.need("first").number(0..=128).unwrap_or(1),
        count,
        enabled: table.may("enabled").switch().unwrap_or(false) || keys.enable.is_none(),
        keys,
        tcp_words: table.may("transport_tcp").texts(),
        port: table
            .may("default_port")
            .number(1..=u16::MAX)
            .unwrap_or(port::SIP),
        expires_s: table
            .may("expires_s")
            .number(EXPIRES_S)
            .unwrap_or(EXPIRES_DEFAULT_S),
        retry_s: table
            .may("retry_s")
            .number(0..=*EXPIRES_S.end())
            .unwrap_or(RETRY_DEFAULT_S),
        request_uri: match request_uri.is_given() {
            true => one_line_template(&request_uri),
            false => template(REQUEST_URI),
        },
        headers: match own_headers.is_given() {
            true => headers(&own_headers),
            false => HEADERS
                .iter()
                .map(|(name, value)| ((*name).to_owned(), template(value)))
                .collect(),
        },
        clauses: clauses(&table),
    })
}

/// A number, or the name of an index limit.
fn count(root: &Reader<'_>, slot: &Slot<'_>, limits: &[(String, u32)]) -> u8 {
    let Some(Value::Text(name)) = slot.value() else {
        return slot.number(1..=ACCOUNTS_MAX).unwrap_or(1);
    };
    let known = limits.iter().find(|(known, _)| known == name);
    if let Some((_, limit)) = known {
        return u8::try_from(*limit)
            .unwrap_or(ACCOUNTS_MAX)
            .min(ACCOUNTS_MAX);
    }
    let names = limits.iter().map(|(known, _)| known.as_str());
    match nearest(name, names) {
        Some(near) => {
            slot.fault(format!(
                "unknown index limit '{name}' (did you mean '{near}'?)"
            ));
        }
        // As a key pattern with this index says it.
        None => root.may("index_limits").fault(format!(
            "missing key 'index_limits.{name}' (expected a whole number from 1 to {INDEX_MAX})"
        )),
    }
    1
}

fn keys(table: &Reader<'_>) -> AccountKeys {
    let one =
        |slot: &Slot<'_>| slot.parsed("a setting key with at most one {n}", AccountKey::parse);
    let read = |slot: Slot<'_>| match slot.value() {
        // What the dialects of the vendor's files call it.
        Some(Value::List(_)) => {
            let keys = slot.list().iter().filter_map(one).reduce(AccountKey::or);
            if keys.is_none() {
                slot.unexpected("at least one setting key");
            }
            keys
        }
        _ => one(&slot),
    };
    let optional = |name: &str| {
        let slot = table.may(name);
        slot.is_given().then(|| read(slot)).flatten()
    };
    AccountKeys {
        enable: optional("enable"),
        user: read(table.need("user")),
        auth_user: optional("auth_user"),
        password: optional("password"),
        domain: optional("domain"),
        registrar: optional("registrar"),
        port: optional("port"),
        expires: optional("expires"),
        transport: optional("transport"),
        retry: optional("retry"),
    }
}

#[cfg(test)]
mod tests;
