//! Multicast DNS.

use bootstorm_emulator::wire::dns::{self, Data, Message, kind};

use super::{Fields, Name, hex, joined};

/// Reads a message.
pub(super) fn read(bytes: &[u8], fields: &mut Fields) -> Option<Name> {
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(fault) => {
            fields.put("fault", fault);
            return None;
        }
    };
    let is_query = message.is_query();
    let questions = message.questions().map(|it| (it.name, it.kind));
    let records = message.records().map(|it| (it.name, it.kind));
    let all: Vec<_> = questions.chain(records.filter(|_| !is_query)).collect();
    fields.put("id", message.id());
    fields.put("names", joined(all.iter().map(|(name, _)| dotted(*name))));
    fields.put(
        "types",
        joined(all.iter().map(|(_, kind)| type_name(*kind))),
    );
    if message.questions().any(|question| question.unicast) {
        fields.put("unicast", true);
    }
    for record in message.records() {
        let (name, kind) = (dotted(record.name), type_name(record.kind));
        let said = said(&record.data);
        fields.put(
            "answers",
            format_args!("{name} {kind} {} {said}", record.ttl),
        );
    }
    Some(if is_query {
        "mdns.query".into()
    } else {
        "mdns.response".into()
    })
}

fn said(data: &Data<'_>) -> String {
    match data {
        Data::Address(address) => address.to_string(),
        Data::Pointer(name) => dotted(*name),
        Data::Service {
            priority,
            weight,
            port,
            target,
        } => format!("{priority} {weight} {port} {}", dotted(*target)),
        Data::Texts(texts) => joined(dns::texts(texts).map(|text| text.escape_ascii())),
        Data::Other(bytes) => hex(bytes),
    }
}

fn dotted(name: dns::Name<'_>) -> String {
    let labels: Vec<_> = name.labels().map(escaped).collect();
    labels.join(".")
}

/// A label; blanks and dots within it do not look like those between labels and names.
fn escaped(label: &[u8]) -> String {
    let text = String::from_utf8_lossy(label);
    text.replace('\\', "\\\\")
        .replace('.', "\\.")
        .replace(' ', "\\ ")
}

fn type_name(number: u16) -> String {
    match number {
        kind::A => "A".to_owned(),
        kind::PTR => "PTR".to_owned(),
        kind::TXT => "TXT".to_owned(),
        kind::AAAA => "AAAA".to_owned(),
        kind::SRV => "SRV".to_owned(),
        kind::ANY => "ANY".to_owned(),
        other => other.to_string(),
    }
}
