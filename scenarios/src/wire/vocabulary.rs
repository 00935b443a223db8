//! The names of messages and of their fields, so that a suite or a mutant that names what no
//! decoder knows is told so when it is read.

use bootstorm_emulator::located::{Slot, Value, did_you_mean, nearest};

/// Methods of HTTP that are decoded as requests.
const HTTP: [&str; 9] = [
    "get", "head", "post", "put", "delete", "options", "patch", "connect", "trace",
];
/// Methods of SIP that are decoded as requests.
const SIP: [&str; 14] = [
    "subscribe",
    "notify",
    "register",
    "options",
    "invite",
    "ack",
    "bye",
    "cancel",
    "info",
    "message",
    "refer",
    "publish",
    "update",
    "prack",
];
/// Fields of every message.
const EVERY: [&str; 6] = ["to", "from", "port", "length", "fault", "truncated"];

/// One protocol: its kinds of messages and their fields.
struct Protocol {
    name: &'static str,
    kinds: &'static [&'static str],
    /// Kinds that are methods.
    methods: &'static [&'static str],
    /// Its fields, blank separated.
    fields: &'static str,
    /// Beginnings of fields whose ends are the message's own.
    families: &'static [&'static str],
}

const PROTOCOLS: [Protocol; 9] = [
    Protocol {
        name: "dhcp",
        kinds: &[
            "discover", "offer", "request", "ack", "nak", "decline", "release", "inform", "unknown",
        ],
        methods: &[],
        fields: "op hops xid secs flags broadcast ciaddr yiaddr siaddr giaddr chaddr sname file \
                 options",
        families: &["option."],
    },
    Protocol {
        name: "tftp",
        kinds: &["rrq", "wrq", "data", "ack", "oack", "error"],
        methods: &[],
        fields: "file mode options block bytes last code text",
        families: &["option."],
    },
    Protocol {
        name: "http",
        kinds: &["response"],
        methods: &HTTP,
        fields: "connection tls method target path query version host headers status reason \
                 body_bytes body md5 soap",
        families: &["header."],
    },
    Protocol {
        name: "sip",
        kinds: &["response", "keepalive"],
        methods: &SIP,
        fields: "connection tls uri status reason method headers event body_bytes body",
        families: &["header."],
    },
    Protocol {
        name: "ntp",
        kinds: &["request", "response", "other"],
        methods: &[],
        fields: "mode version stratum leap originate receive transmit",
        families: &[],
    },
    Protocol {
        name: "mdns",
        kinds: &["query", "response"],
        methods: &[],
        fields: "id names types unicast answers",
        families: &[],
    },
    Protocol {
        name: "ftp",
        kinds: &["retr", "data", "end"],
        methods: &[],
        fields: "connection tls user password type mode file bytes complete reason body md5",
        families: &[],
    },
    Protocol {
        name: "tcp",
        kinds: &["opening", "opened", "closed", "failed", "unknown"],
        methods: &[],
        fields: "connection tls reason hex",
        families: &[],
    },
    Protocol {
        name: "udp",
        kinds: &["unknown"],
        methods: &[],
        fields: "hex",
        families: &[],
    },
];

/// Says what is wrong with the name of a message.
///
/// # Errors
/// `unknown message 'tftp.rq' (did you mean 'tftp.rrq'?)`
pub fn check_name(name: &str) -> Result<(), String> {
    let known = || {
        PROTOCOLS.iter().flat_map(|protocol| {
            let kinds = protocol.kinds.iter().chain(protocol.methods);
            kinds.map(|kind| format!("{}.{kind}", protocol.name))
        })
    };
    if known().any(|held| held == name) {
        return Ok(());
    }
    let names: Vec<String> = known().collect();
    Err(unknown("message", name, names.iter().map(String::as_str)))
}

/// Says what is wrong with a field of a message whose name is known; anything goes for one whose
/// name is not.
///
/// # Errors
/// `unknown field of tftp.rrq 'fiel' (did you mean 'file'?)`
pub fn check_field(name: &str, field: &str) -> Result<(), String> {
    let Some((protocol, _)) = name.split_once('.') else {
        return Ok(());
    };
    let Some(protocol) = PROTOCOLS.iter().find(|held| held.name == protocol) else {
        return Ok(());
    };
    let family = |family: &str| field.len() > family.len() && field.starts_with(family);
    let known = || {
        let own = protocol.fields.split_ascii_whitespace();
        EVERY.into_iter().chain(own)
    };
    if known().any(|held| held == field) || protocol.families.iter().any(|it| family(it)) {
        return Ok(());
    }
    Err(unknown(&format!("field of {name}"), field, known()))
}

/// Notes the keys of a table `with = { … }` that are no fields of a message of this name.
pub(crate) fn check_fields(slot: &Slot<'_>, name: &str) {
    if let Some(Value::Table(_)) = slot.value()
        && let Some(table) = slot.table()
    {
        for (entry, _) in table.entries() {
            if let Err(fault) = check_field(name, &entry.key) {
                table.log().note(entry.span.place(), fault);
            }
        }
    }
}

fn unknown<'a>(what: &str, word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let hint = did_you_mean(nearest(word, known));
    format!("unknown {what} '{word}'{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_messages_and_their_fields_and_the_nearest_word_for_others() {
        for name in [
            "tftp.rrq",
            "http.get",
            "http.response",
            "sip.subscribe",
            "tcp.failed",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        assert_eq!(
            check_name("tftp.rq"),
            Err(String::from(
                "unknown message 'tftp.rq' (did you mean 'tftp.rrq'?)"
            ))
        );
        for (name, field) in [
            ("dhcp.offer", "option.66.hex"),
            ("http.get", "header.user-agent"),
            ("tftp.data", "block"),
            ("tftp.data", "from"),
        ] {
            assert_eq!(check_field(name, field), Ok(()), "{name} {field}");
        }
        assert_eq!(
            check_field("tftp.rrq", "fiel"),
            Err(String::from(
                "unknown field of tftp.rrq 'fiel' (did you mean 'file'?)"
            ))
        );
        assert!(check_field("http.get", "header.").is_err());
        assert!(check_field("tftp.rrq", "header.host").is_err());
    }
}
