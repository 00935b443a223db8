//! REGISTER as the profile has it, and what an answer grants.

use std::net::Ipv4Addr;

use crate::phone::turn::Turn;
use crate::profile::accounts::SipAccount;
use crate::profile::template::Vars;
use crate::wire::sip::{self, Message, Value, Writer};

/// What makes one REGISTER its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub(super) branch: u64,
    pub(super) call_id: u64,
    pub(super) tag: u32,
    pub(super) cseq: u32,
    /// Seconds asked for; 0 ends a registration (RFC 3261 §10.2.2).
    pub(super) expires_s: u32,
    /// Credentials go to a proxy, which asked with 407.
    pub(super) proxy: bool,
}

/// A REGISTER for an account. `authorize` gives the credentials for its request URI, or nothing.
pub(super) fn register(
    turn: &Turn<'_>,
    account: &SipAccount,
    marks: Marks,
    authorize: impl FnOnce(&str) -> String,
) -> Box<[u8]> {
    let Some(spec) = &turn.profile.accounts else {
        return Box::default();
    };
    let user = sip::escaped(&account.user);
    let port = turn.shelf.ports.sip;
    let (transport, suffix) = match account.tcp {
        true => ("TCP", ";transport=tcp"),
        false => ("UDP", ""),
    };
    let contact_uri = format!("sip:{user}@{}:{port}{suffix}", turn.address);
    let user_agent = turn.profile.http.user_agent.text(&turn.vars());
    let mut vars = Vars {
        port,
        user: &user,
        domain: &account.domain,
        transport,
        contact_uri: &contact_uri,
        user_agent: &user_agent,
        expires: marks.expires_s,
        branch: marks.branch,
        call_id: marks.call_id,
        tag: marks.tag,
        cseq: marks.cseq,
        ..turn.vars()
    };
    let uri = spec.request_uri.text(&vars);
    let authorization = authorize(&uri);
    vars.authorization = &authorization;
    let (mut out, mut value) = (Vec::with_capacity(768), Vec::new());
    let mut writer = Writer::request(&mut out, "REGISTER", &uri, b"");
    for (name, template) in &spec.headers {
        value.clear();
        template.render(&vars, &mut value);
        if value.trim_ascii().is_empty() {
            continue;
        }
        let name = match name.as_str() {
            "Authorization" if marks.proxy => "Proxy-Authorization",
            name => name,
        };
        writer = writer.header(name, &value);
    }
    writer.finish();
    out.into()
}

/// True when a host can stand in a URI and be looked up: letters, digits, dots, dashes.
pub(super) fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(fits)
}

/// The seconds that a 200 grants: those of our own Contact, else the Expires field's
/// (RFC 3261 §10.2.4); `None` when it says neither.
pub(super) fn granted(message: &Message<'_>, address: Ipv4Addr, port: u16) -> Option<u32> {
    let own = message
        .all("Contact")
        .flat_map(sip::elements)
        .map(Value::new)
        .filter(|contact| is_own(contact.main, address, port))
        .filter_map(|contact| number(contact.parameter("expires")?));
    own.max().or_else(|| number(message.header("Expires")?))
}

/// The seconds that a 423 wants at least (RFC 3261 §20.23).
pub(super) fn least(message: &Message<'_>) -> Option<u32> {
    number(message.header("Min-Expires")?)
}

/// True when the branch of the top Via ends as ours does: what stands before it is the profile's.
pub(super) fn is_branch(message: &Message<'_>, branch: u64) -> bool {
    let via = message.top_via();
    let theirs = via.and_then(|via| via.parameter("branch"));
    theirs.is_some_and(|theirs| theirs.ends_with(format!("{branch:016x}").as_bytes()))
}

/// A number in a header; one beyond 32 bits is the largest (RFC 3261 §20.19).
fn number(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// Whether a Contact's address is this phone's; the port may be left out where it is 5060.
fn is_own(main: &[u8], address: Ipv4Addr, port: u16) -> bool {
    let text = String::from_utf8_lossy(main);
    let host = format!("@{address}");
    let Some((_, rest)) = text.split_once(&host) else {
        return false;
    };
    match rest.strip_prefix(':') {
        Some(rest) => {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest.get(..end).and_then(|digits| digits.parse().ok()) == Some(port)
        }
        None => port == 5_060 && !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'),
    }
}
