//! Texts of a handset as templates: what is its own becomes a hole.

use std::net::Ipv4Addr;

use bootstorm_emulator::identity::Mac;

/// What of a message is the handset's own, or of the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) mac: Mac,
    pub(super) address: Ipv4Addr,
    /// Its port, as the message was sent from.
    pub(super) port: u16,
}

/// A text with holes for the MAC, in whichever form it stands.
pub(super) fn with_mac(text: &str, mac: Mac) -> String {
    let digits = mac.to_string();
    let pairs = |gap: &str| {
        let pairs: Vec<String> = mac.0.iter().map(|octet| format!("{octet:02x}")).collect();
        pairs.join(gap)
    };
    let forms = [
        (digits.clone(), "{mac}"),
        (digits.to_ascii_uppercase(), "{mac:upper}"),
        (pairs(":"), "{mac:colon}"),
        (pairs(":").to_ascii_uppercase(), "{mac:colon-upper}"),
        (pairs("-"), "{mac:dash}"),
    ];
    let mut out = text.replace('{', "{{").replace('}', "}}");
    for (form, hole) in forms {
        out = out.replace(&form, hole);
    }
    out
}

/// A header field's value as a template.
pub(super) fn header(name: &str, value: &str, own: Own) -> String {
    let mut text = with_mac(value, own.mac);
    if !own.address.is_unspecified() {
        let address = own.address.to_string();
        text = text.replace(&format!("{address}:{}", own.port), "{ip}:{port}");
        text = text.replace(&address, "{ip}");
    }
    match name.to_ascii_lowercase().as_str() {
        "via" => after(&text, "branch=z9hG4bK", "{branch}"),
        "from" => after(&text, ";tag=", "{tag}"),
        "call-id" => match text.split_once('@') {
            Some((_, host)) => format!("{{call_id}}@{host}"),
            None => "{call_id}".to_owned(),
        },
        "cseq" => match text.split_once(' ') {
            Some((_, method)) => format!("{{cseq}} {method}"),
            None => text,
        },
        _ => text,
    }
}

/// The text with what stands behind a word, up to the next mark of its grammar, replaced.
fn after(text: &str, word: &str, hole: &str) -> String {
    let Some((head, tail)) = text.split_once(word) else {
        return text.to_owned();
    };
    let end = tail.find([';', ',', '>', ' ']).unwrap_or(tail.len());
    let rest = tail.get(end..).unwrap_or_default();
    format!("{head}{word}{hole}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x00, 0x21, 0xf2, 0xb0, 0x1d, 0x0a]);

    #[test]
    fn the_mac_is_found_in_every_form_and_braces_stay_braces() {
        let text = "a 0021f2b01d0a 0021F2B01D0A 00:21:f2:b0:1d:0a 00:21:F2:B0:1D:0A {x}";
        let expected = "a {mac} {mac:upper} {mac:colon} {mac:colon-upper} {{x}}";
        assert_eq!(with_mac(text, MAC), expected);
    }

    #[test]
    fn what_is_of_the_moment_becomes_a_hole() {
        let own = Own {
            mac: MAC,
            address: Ipv4Addr::new(10, 0, 0, 9),
            port: 5_071,
        };
        for (name, value, expected) in [
            (
                "Via",
                "SIP/2.0/UDP 10.0.0.9:5071;branch=z9hG4bK77ab;rport",
                "SIP/2.0/UDP {ip}:{port};branch=z9hG4bK{branch};rport",
            ),
            ("From", "<sip:a@b>;tag=12ab", "<sip:a@b>;tag={tag}"),
            ("Call-ID", "99@10.0.0.9", "{call_id}@{ip}"),
            ("CSeq", "7 SUBSCRIBE", "{cseq} SUBSCRIBE"),
            ("Contact", "<sip:10.0.0.9:5071>", "<sip:{ip}:{port}>"),
            ("Expires", "0", "0"),
        ] {
            assert_eq!(header(name, value, own), expected, "{name}");
        }
    }
}
