//! What is done with hostile bytes: one function for each fuzz target, shared by the targets and
//! by the test that replays the seeds. Each gives whether the bytes were readable at all, and
//! panics where something does not hold that must hold for every input.

use std::collections::BTreeSet;

use bootstorm_emulator::event::File;
use bootstorm_emulator::format::catalogue::{self, Catalogue, ItemKind, Outline};
use bootstorm_emulator::format::sealed::{self, Cipher, Seal};
use bootstorm_emulator::format::sections::{self, Parsed, Tree};
use bootstorm_emulator::format::{self, Document, Draft, Format, FormatOptions, Reading, Span};
use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::limits::{DOCUMENT_LINKS_MAX, VALUE_BYTES_MAX, XML_DEPTH_MAX};
use bootstorm_emulator::names::Names;
use bootstorm_emulator::profile::StepId;
use bootstorm_emulator::profile::sections::Schema;
use bootstorm_emulator::resource;
use bootstorm_emulator::url::{Scheme, Url};
use bootstorm_emulator::wire::http::{Part, ResponseReader};
use bootstorm_emulator::wire::tftp::Packet;
use bootstorm_emulator::wire::{self, Malformed};

/// A function that takes what a fuzzer makes up.
type Entry = fn(&[u8]) -> bool;

/// Every target, by name.
pub(crate) const ENTRIES: [(&str, Entry); 19] = [
    ("answer", answer),
    ("bootfile", bootfile),
    ("catalogue", catalogue),
    ("checksum", checksum),
    ("dhcp", dhcp),
    ("dns", dns),
    ("http", http),
    ("keyvalue", keyvalue),
    ("modules", modules),
    ("resource", resource),
    ("sealed", sealed),
    ("sections", sections),
    ("sip", sip),
    ("sntp", sntp),
    ("soap", soap),
    ("tftp", tftp),
    ("url", url),
    ("version", version),
    ("xml", xml),
];

/// Runs the function of a target; whether the bytes were readable.
pub(crate) fn run(target: &str, bytes: &[u8]) -> bool {
    let known = ENTRIES.iter().find(|(name, _)| *name == target);
    let (_, entry) = known.expect("a target of the list");
    entry(bytes)
}

/// A DHCP message. Its options, written again in their order, read back the same.
fn dhcp(bytes: &[u8]) -> bool {
    use wire::dhcp::{self, Encoder, Header, Message, code};

    let _ = (dhcp::chaddr_of(bytes), dhcp::xid_of(bytes));
    let message = match Message::decode(bytes) {
        Ok(message) => message,
        Err(malformed) => return refused(malformed, bytes),
    };
    let codes: BTreeSet<u8> = message.options().map(|(number, _)| number).collect();
    for number in codes {
        let parts = message.options().filter(|(found, _)| *found == number);
        let parts: Vec<u8> = parts.flat_map(|(_, value)| value).copied().collect();
        assert_eq!(message.joined(number).as_deref(), Some(&parts[..]));
        let value = message
            .option(number)
            .expect("an option that was walked over");
        assert!(parts.starts_with(value));
        let _ = (
            dhcp::text(value),
            message.address(number),
            message.number(number),
        );
    }
    assert!(message.chaddr().len() <= dhcp::CHADDR_BYTES);
    assert!(message.sname().len() <= dhcp::SNAME_BYTES);
    assert!(message.file().len() <= dhcp::FILE_BYTES);
    if message.option(code::OVERLOAD).is_none() {
        let mut again = Vec::new();
        let header = Header::request(message.xid(), message.mac().unwrap_or(Mac([0; 6])));
        let mut encoder = Encoder::begin(&mut again, &header);
        for (number, value) in message.options() {
            encoder.option(number, value);
        }
        encoder.finish(548);
        let again = Message::decode(&again).expect("what was written can be read");
        assert!(again.options().eq(message.options()));
        assert_eq!(again.message_type(), message.message_type());
    }
    true
}

/// A DNS message. Every name ends, and a host's name asked for again reads back the same.
fn dns(bytes: &[u8]) -> bool {
    use wire::dns::{self, Data, Encoder, Message, kind};

    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(malformed) => return refused(malformed, bytes),
    };
    let mut names: Vec<dns::Name<'_>> = message.questions().map(|asked| asked.name).collect();
    for record in message.records() {
        names.push(record.name);
        match record.data {
            Data::Pointer(name) => names.push(name),
            Data::Service { target, .. } => names.push(target),
            Data::Texts(data) => assert!(dns::texts(data).all(|text| !text.is_empty())),
            Data::Address(_) | Data::Other(_) => {}
        }
    }
    assert!(message.records().count() <= dns::RECORDS_MAX);
    for name in names {
        let bytes: usize = name.labels().map(|label| label.len() + 1).sum();
        assert!(bytes < dns::NAME_BYTES_MAX);
        if let Some(host) = name.host() {
            assert!(name.is(&host));
            let mut again = Vec::new();
            let query = Encoder::query(&mut again, message.id());
            query.question(&host, kind::PTR).finish();
            let again = Message::parse(&again).expect("what was written can be read");
            assert!(again.questions().all(|asked| asked.name == name));
        }
    }
    true
}

/// A TFTP packet. Written again, it reads back the same.
fn tftp(bytes: &[u8]) -> bool {
    use wire::tftp;

    let packet = match tftp::decode(bytes) {
        Ok(packet) => packet,
        Err(malformed) => return refused(malformed, bytes),
    };
    let mut out = Vec::new();
    match packet {
        Packet::Read(request) => tftp::read_request(&mut out, request.name, request.mode),
        Packet::Write(request) => tftp::write_request(&mut out, request.name, request.mode),
        Packet::Data { block, data } => tftp::data(&mut out, block, data),
        Packet::Ack { block } => tftp::ack(&mut out, block),
        Packet::Error { code, message } => tftp::error(&mut out, code, message),
        Packet::OptionAck(_) => tftp::option_ack(&mut out),
    }
    if let Packet::Read(tftp::Request { options, .. })
    | Packet::Write(tftp::Request { options, .. })
    | Packet::OptionAck(options) = packet
    {
        for (name, value) in options {
            assert!(options.find(name).is_some());
            tftp::option(&mut out, name, value);
        }
    }
    assert_eq!(tftp::decode(&out), Ok(packet));
    true
}

/// An SNTP packet. Written again, it reads back the same.
fn sntp(bytes: &[u8]) -> bool {
    use wire::sntp::Packet;

    let packet = match Packet::decode(bytes) {
        Ok(packet) => packet,
        Err(malformed) => return refused(malformed, bytes),
    };
    let mut again = Vec::new();
    packet.encode(&mut again);
    assert_eq!(Packet::decode(&again), Ok(packet));
    for stamp in [packet.reference, packet.receive, packet.transmit] {
        let _ = stamp.unix_nanos();
    }
    true
}

/// A SOAP message. Written again, it reads back the same.
fn soap(bytes: &[u8]) -> bool {
    use bootstorm_emulator::limits::SOAP_BYTES_MAX;
    use wire::soap::{self, Message, SoapFault};

    let envelope = match soap::read(bytes) {
        Ok(envelope) => envelope,
        Err(fault) => {
            let too_large = bytes.len() > SOAP_BYTES_MAX;
            assert_eq!(fault == SoapFault::TooLarge, too_large);
            assert!(!fault.to_string().is_empty());
            return false;
        }
    };
    assert!(!envelope.message.name().is_empty());
    if matches!(envelope.message, Message::Invalid { .. }) {
        return true;
    }
    let mut text = String::new();
    soap::write(&mut text, &envelope);
    if text.len() <= SOAP_BYTES_MAX {
        let again = soap::read(text.as_bytes()).expect("what was written can be read");
        assert_eq!(again.message, envelope.message);
        assert_eq!(again.id, envelope.id);
        assert_eq!(again.hold_requests, envelope.hold_requests);
    }
    true
}

/// A SIP message. Every element points into the datagram.
fn sip(bytes: &[u8]) -> bool {
    use wire::sip::{self, Message, Value};

    let _ = sip::is_keep_alive(bytes);
    if let Ok(Some(length)) = sip::frame(bytes) {
        assert!(length <= bytes.len());
    }
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(malformed) => {
            let _ = sip::limit_of(&malformed);
            return refused(malformed, bytes);
        }
    };
    let mut parts = 0;
    for field in message.fields() {
        assert!(!field.name.is_empty());
        let value = Value::new(field.value);
        parts += value.main.len();
        for parameter in value.parameters() {
            parts += parameter.name.len() + parameter.value.unwrap_or_default().len();
        }
        assert!(sip::first_element(field.value).len() <= field.value.len());
        let _ = sip::uri_user(field.value);
    }
    assert!(parts + message.body.len() <= bytes.len());
    assert_eq!(message.uri().is_some(), message.status().is_none());
    assert_eq!(message.transaction(), message.transaction());
    let _ = (
        message.method(),
        message.call_id(),
        message.cseq(),
        message.event(),
    );
    true
}

/// The head of an HTTP request, or a response. A response means the same however it is cut.
fn http(bytes: &[u8]) -> bool {
    let request = wire::http::parse_request_head(bytes);
    if let Ok(Some(head)) = &request {
        assert!(head.length <= bytes.len());
        let _ = (
            head.fields.content_length(),
            head.fields.keep_alive(head.minor_version),
        );
    }
    let whole = response(bytes, bytes.len().max(1));
    for size in [1, 2, 7] {
        assert_eq!(response(bytes, size), whole, "in pieces of {size} bytes");
    }
    matches!(request, Ok(Some(_))) || whole.is_some_and(|read| !read.heads.is_empty())
}

/// What a response reader made of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Response {
    heads: Vec<wire::http::ResponseHead>,
    body: Vec<u8>,
    ended: bool,
    left: usize,
}

/// Reads an answer that arrives in pieces of `size` bytes; `None` for a fault.
fn response(bytes: &[u8], size: usize) -> Option<Response> {
    let mut reader = ResponseReader::default();
    let mut read = Response::default();
    let mut arrived = 0;
    for piece in bytes.chunks(size) {
        arrived += piece.len();
        let mut input = piece;
        loop {
            match reader.read(&mut input) {
                Ok(Some(Part::Head(head))) => read.heads.push(head),
                Ok(Some(Part::Body(part))) => {
                    assert!(!part.is_empty());
                    read.body.extend_from_slice(part);
                }
                Ok(Some(Part::End)) => {
                    read.ended = true;
                    read.left = input.len() + bytes.len() - arrived;
                    assert!(reader.complete_when_closed());
                    return Some(read);
                }
                Ok(None) => break,
                Err(_) => return None,
            }
        }
        assert!(input.is_empty());
    }
    assert!(read.heads.len() <= 1 && read.body.len() <= bytes.len());
    Some(read)
}

/// A provisioning URL in the first line, a link found there in the second.
fn url(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let (first, link) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(base) = Url::parse(first, Scheme::Tftp) else {
        return false;
    };
    let joined = base.join(link);
    for url in [Some(&base), joined.as_ref().ok()].into_iter().flatten() {
        assert!(url.path.starts_with('/') && !url.host.is_empty());
        assert!(url.directory().path.ends_with('/'));
        assert_ne!(url.port, Some(0));
    }
    joined.is_ok()
}

/// A phone book, a table, or a picture; none has more entries than bytes.
fn resource(bytes: &[u8]) -> bool {
    let book = resource::phone_book(bytes);
    let table = resource::table(bytes);
    let picture = resource::is_picture(bytes);
    let _ = (resource::is_page(bytes), resource::is_private_key(bytes));
    for count in [book.ok(), table].into_iter().flatten() {
        assert!(u64::from(count.rows) + u64::from(count.rejected) <= bytes.len() as u64);
    }
    book.is_ok() || table.is_some() || picture
}

/// `key=value` lines.
fn keyvalue(bytes: &[u8]) -> bool {
    document(Format::KeyValue, bytes)
}

/// A boot file.
fn bootfile(bytes: &[u8]) -> bool {
    document(Format::Boot, bytes)
}

/// A checksum file.
fn checksum(bytes: &[u8]) -> bool {
    document(Format::Checksum, bytes)
}

/// A firmware version file.
fn version(bytes: &[u8]) -> bool {
    document(Format::Version, bytes)
}

/// The answer of the HTTP sibling method.
fn answer(bytes: &[u8]) -> bool {
    document(Format::Answer, bytes)
}

/// A file of modules in any dialect. Written again in each, it reads back the same where the
/// dialect can hold its keys.
fn modules(bytes: &[u8]) -> bool {
    let whole = document(Format::ModuleText, bytes);
    let mut keys = Names::default();
    let options = FormatOptions::default();
    let read = format::read(Format::ModuleText, options, bytes, &mut keys);
    let settings: Vec<_> = read
        .settings
        .iter()
        .map(|setting| (keys.text(setting.key), read.value(setting)))
        .collect();
    let draft = Draft {
        settings: &settings,
        version: read.version.map_or("", |span| read.text(span)),
        ..Draft::default()
    };
    for format in [Format::ModuleText, Format::ModuleXml, Format::ModuleTree] {
        let written = format::write(format, options, &draft);
        let mut keys = Names::default();
        let again = format::read(format, options, &written, &mut keys);
        assert_eq!(again.reading, Reading::Whole, "{format:?}");
        assert!(again.settings.len() <= settings.len(), "{format:?}");
        let twice = format::write(format, options, &draft);
        assert_eq!(twice, written);
    }
    whole
}

/// An encrypted file: a byte that says the mode, then the file, under a key that is always the
/// same. What was opened and is sealed again opens the same.
fn sealed(bytes: &[u8]) -> bool {
    let Some((mode, file)) = bytes.split_first() else {
        return false;
    };
    let cipher = if mode & 1 == 0 {
        Cipher::Ecb
    } else {
        Cipher::CbcPrefixed
    };
    let seal = Seal {
        cipher,
        key: *b"a key that every seed is made of",
    };
    let options = FormatOptions {
        seal: Some(seal),
        ..FormatOptions::default()
    };
    let mut keys = Names::default();
    let document = format::read(Format::ModuleText, options, file, &mut keys);
    check(&document, &keys);
    let mut plain = Vec::new();
    if sealed::open(&seal, file, &mut plain).is_ok() {
        assert!(plain.len() <= file.len());
        let again = sealed::seal(&seal, &plain, sealed::vector_for(&seal, &plain));
        let mut opened = Vec::new();
        if !plain.is_empty() {
            sealed::open(&seal, &again, &mut opened).expect("what was sealed");
        }
        assert_eq!(opened, plain);
    }
    document.reading == Reading::Whole
}

/// Settings sections, references or operations. Settings that were taken over are written, read
/// back and are the same.
fn sections(bytes: &[u8]) -> bool {
    const VENDOR: &str = include_str!("../profiles/auerswald/vendor.toml");
    const HELD: &str = "<configuration><users><user id='1'><username>a</username></user></users>\
        <keys><phoneXtensions><key keyNumber='3'><parameters/></key></phoneXtensions></keys>\
        </configuration>";
    let schema = Schema::parse("vendor.toml", VENDOR).expect("a good profile");
    let patched = |tree: &Tree, bytes: &[u8]| match sections::read(bytes) {
        Ok(Parsed::Patch(patch)) => tree.patch(&patch, File::Step(StepId::GIVEN), &schema),
        other => panic!("{other:?}"),
    };
    let held = patched(&Tree::default(), HELD.as_bytes()).tree;
    let _ = sections::is_references(bytes);
    let bytes = sections::replace_markers(bytes, &[("<MACADR>", "00095200000E")]);
    let outcome = match sections::read(&bytes) {
        Err(fault) => {
            assert!(fault.line > 0);
            return false;
        }
        Ok(Parsed::References(list)) => {
            assert!(list.iter().all(|one| one.line > 0 && !one.url.is_empty()));
            return true;
        }
        Ok(Parsed::Patch(patch)) => held.patch(&patch, File::Step(StepId::LINKED), &schema),
        Ok(Parsed::Operations(list)) => held.operate(&list, File::Step(StepId::LINKED), &schema),
    };
    let backup = outcome.tree.to_xml();
    let again = patched(&Tree::default(), &backup);
    assert_eq!(again.tree.to_xml(), backup, "{:?}", again.notes);
    let mut keys = Names::default();
    let flat = outcome.tree.flatten(&mut keys);
    check(&flat.document, &keys);
    assert_eq!(flat.origins.len(), flat.document.settings.len());
    true
}

/// A document of the catalogue family. Written again, it reads back the same.
fn catalogue(bytes: &[u8]) -> bool {
    let whole = document(Format::Catalogue, bytes);
    let mut keys = Names::default();
    let read = format::read(
        Format::Catalogue,
        FormatOptions::default(),
        bytes,
        &mut keys,
    );
    assert_eq!(read.catalogue.is_some(), whole);
    let Some(catalogue) = &read.catalogue else {
        return false;
    };
    let kinds = |catalogue: &Catalogue| -> Vec<ItemKind> {
        let kinds = catalogue.items.iter().map(|item| item.kind);
        kinds.filter(|kind| *kind != ItemKind::Other).collect()
    };
    let items: Vec<_> = catalogue
        .items
        .iter()
        .map(|item| catalogue::Entry {
            kind: item.kind,
            url: read.text(item.url),
            version: read.text(item.version),
            label: "",
            flags: read.text(item.flags),
        })
        .collect();
    let outline = Outline {
        root: catalogue.root,
        version: read.text(catalogue.version),
        product: read.text(catalogue.product),
        mac: read.text(catalogue.mac),
        items: &items,
    };
    let settings: Vec<_> = read
        .settings
        .iter()
        .map(|setting| (keys.text(setting.key), read.value(setting)))
        .collect();
    let draft = Draft {
        settings: &settings,
        catalogue: Some(&outline),
        ..Draft::default()
    };
    let written = format::write(Format::Catalogue, FormatOptions::default(), &draft);
    let mut keys = Names::default();
    let again = format::read(
        Format::Catalogue,
        FormatOptions::default(),
        &written,
        &mut keys,
    );
    assert!(again.faults.groups().is_empty(), "{:?}", again.faults);
    let found = again
        .catalogue
        .as_deref()
        .expect("what was written can be read");
    assert_eq!(kinds(found), kinds(catalogue));
    let found: Vec<_> = again
        .settings
        .iter()
        .map(|setting| (keys.text(setting.key), again.value(setting)))
        .collect();
    assert_eq!(found, settings);
    true
}

/// XML, token by token. Tags match, places go on, nothing is made up.
fn xml(bytes: &[u8]) -> bool {
    use format::xml::{Reader, Token};

    let mut reader = Reader::new(bytes);
    let (mut open, mut last, mut length) = (Vec::new(), 1, 0);
    loop {
        let token = match reader.next() {
            Ok(token) => token,
            Err(fault) => {
                assert!(fault.line > 0 && fault.line as usize <= bytes.len() + 1);
                assert_eq!(reader.next(), Err(fault));
                return false;
            }
        };
        assert!(reader.line() >= last);
        last = reader.line();
        match token {
            Some(Token::Open { name, empty }) => {
                length += name.len();
                let mut names = BTreeSet::new();
                for attribute in reader.attributes() {
                    assert!(names.insert(attribute.name));
                    let value = attribute.value();
                    assert_eq!(reader.attribute(attribute.name).as_ref(), Some(&value));
                    let mut pushed = String::new();
                    attribute.push_value(&mut pushed);
                    assert_eq!(pushed, value);
                    length += attribute.name.len() + value.len();
                }
                if !empty {
                    open.push(name);
                }
            }
            Some(Token::Close(name)) => assert_eq!(open.pop(), Some(name)),
            Some(Token::Text(text)) => length += text.len(),
            None => break,
        }
        assert_eq!(reader.depth(), open.len());
        assert!(open.len() <= XML_DEPTH_MAX && length <= bytes.len());
    }
    assert!(open.is_empty());
    true
}

/// Reads bytes with every set of options, twice each; readable is what the last set takes.
fn document(format: Format, bytes: &[u8]) -> bool {
    let mut whole = false;
    for set in 0..8_u8 {
        let options = FormatOptions {
            quoted: set & 1 != 0,
            empty_clears: set & 2 != 0,
            nested_boot: set & 4 != 0,
            root_queries: false,
            seal: None,
        };
        let mut keys = Names::default();
        let document = format::read(format, options, bytes, &mut keys);
        check(&document, &keys);
        // Twice, because an image's name can be its version too (PND-26).
        assert!(
            document.text.len() <= 2 * bytes.len(),
            "nothing is expanded"
        );
        assert_eq!(format::read(format, options, bytes, &mut keys), document);
        whole = document.reading == Reading::Whole;
    }
    whole
}

/// What holds for every document.
fn check(document: &Document, keys: &Names) {
    let within = |span: Span| {
        let start = span.start as usize;
        let end = start + span.length as usize;
        assert!(document.text.get(start..end).is_some(), "{span:?}");
    };
    let mut seen = BTreeSet::new();
    for setting in &document.settings {
        within(setting.value());
        assert!(setting.line() > 0 && document.value(setting).len() <= VALUE_BYTES_MAX);
        assert!(seen.insert(setting.key) && !keys.text(setting.key).is_empty());
        assert_eq!(document.find(setting.key), Some(setting));
    }
    assert!(document.settings.is_sorted_by_key(|setting| setting.key));
    assert!(document.links.len() <= DOCUMENT_LINKS_MAX);
    for link in &document.links {
        assert!(link.line > 0);
        within(link.url);
    }
    document.version.into_iter().for_each(within);
    if let Some(catalogue) = &document.catalogue {
        for span in [catalogue.version, catalogue.product, catalogue.mac] {
            within(span);
        }
        assert!(catalogue.items.len() <= DOCUMENT_LINKS_MAX);
        for item in &catalogue.items {
            for span in [item.url, item.version, item.flags] {
                within(span);
            }
            let url = document.text(item.url);
            assert!(item.line > 0 && !url.contains(|each: char| each.is_ascii_whitespace()));
        }
    }
    for group in document.faults.groups() {
        assert!(group.count > 0 && group.first_line > 0);
    }
    if document.reading != Reading::Whole {
        assert!(document.settings.is_empty() && document.links.is_empty());
        assert!(document.catalogue.is_none());
    }
}

/// A decoder's refusal names a place in the packet.
fn refused(malformed: Malformed, bytes: &[u8]) -> bool {
    assert!(malformed.offset as usize <= bytes.len(), "{malformed}");
    false
}
