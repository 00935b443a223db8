//! The draft, table by table.

use std::fmt::{Display, Write as _};

use bootstorm_emulator::profile::URL_OPTION;
use bootstorm_scenarios::wire::message::Message;

use super::fact::{Own, header, with_mac};
use super::timing::{again, between_files, choosing};
use super::{Sample, chosen};
use crate::basic_string::quoted;
use crate::observe::fit::Fit;

/// Options of a DHCP message that a profile has a word for.
const WORDS: [(&str, &str); 8] = [
    ("53", "message-type"),
    ("61", "client-id"),
    ("60", "vendor-class"),
    ("57", "max-size"),
    ("50", "requested-address"),
    ("54", "server-id"),
    ("55", "parameters"),
    ("12", "host-name"),
];
/// What a message can be padded to (RFC 2131 §2; one Ethernet frame).
const PADDED: std::ops::RangeInclusive<u32> = 244..=1_472;
/// A request that comes so soon after the offer waited for no other (FLY-64).
const AT_ONCE_MS: u128 = 100;
/// Where SIP phones listen.
const SIP_PORT: &str = "5060";

/// A draft as it grows.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: impl Display) {
        // A string takes everything.
        let _ = writeln!(self.0, "{line}");
    }

    fn fact(&mut self, key: &str, value: impl Display, place: impl Display) {
        self.line(format_args!("{key} = {value} # {place}"));
    }

    fn note(&mut self, note: impl Display) {
        // What was captured may hold a line's end.
        let note = note.to_string().escape_debug().to_string();
        self.line(format_args!(
            "# {}",
            note.replace("\\\"", "\"").replace("\\'", "'")
        ));
    }
}

/// The whole file.
pub(super) fn written(samples: &[Sample], fit: &Fit, model: &str) -> String {
    let mut text = Text::default();
    text.line("# Drafted from captures: behind each fact stands the packet that shows it.");
    for sample in samples {
        text.note(format_args!("{} in {}", sample.mac, sample.capture));
    }
    text.note(chosen(fit));
    text.line("");
    text.line(format_args!("inherits = {}", quoted(&fit.profile.name)));
    text.line(format_args!("model = {}", quoted(model)));
    text.line(format_args!(
        "summary = {}",
        quoted(&format!("{model}, learned from captures"))
    ));
    ouis(&mut text, samples, fit);
    dhcp(&mut text, samples, fit);
    tftp(&mut text, samples);
    http(&mut text, samples);
    pnp(&mut text, samples);
    timers(&mut text, samples);
    names(&mut text, samples);
    text.0
}

fn ouis(text: &mut Text, samples: &[Sample], fit: &Fit) {
    let mut fresh: Vec<[u8; 3]> = Vec::new();
    for sample in samples {
        let oui = [sample.mac.0[0], sample.mac.0[1], sample.mac.0[2]];
        if !fit.profile.ouis.contains(&oui) && !fresh.contains(&oui) {
            fresh.push(oui);
        }
    }
    if let (false, Some(first)) = (fresh.is_empty(), samples.first()) {
        let all = fresh.iter().map(|oui| {
            let pairs = oui.map(|octet| format!("{octet:02x}"));
            quoted(&pairs.join(":"))
        });
        let all: Vec<String> = all.collect();
        text.fact("ouis", format_args!("[{}]", all.join(", ")), &first.capture);
    }
}

/// A message of a sample, the first of its name.
fn first<'a>(samples: &'a [Sample], name: &'a str) -> Option<(&'a Sample, &'a Message)> {
    let mut found = samples
        .iter()
        .filter_map(|sample| Some((sample, sample.sent(name).next()?)));
    found.next()
}

fn dhcp(text: &mut Text, samples: &[Sample], fit: &Fit) {
    let Some((sample, discover)) = first(samples, "dhcp.discover") else {
        return;
    };
    let request = sample.sent("dhcp.request").next();
    text.line("\n[dhcp]");
    let place = sample.place(discover);
    let padded =
        |message: &&Message| PADDED.contains(&message.length) && message.length > unpadded(message);
    let padded = [Some(discover), request].into_iter().flatten().find(padded);
    let length = padded.map_or(0, |message| message.length);
    text.fact("message_bytes", length, &place);
    let codes = codes(discover, request);
    let word = |code: &String| {
        WORDS
            .iter()
            .find(|(held, _)| held == code)
            .map(|(_, word)| *word)
    };
    let words: Vec<String> = codes.iter().filter_map(word).map(quoted).collect();
    let seen = match request {
        Some(request) => format!("{place} and #{}", number(&sample.place(request))),
        None => place.clone(),
    };
    text.fact("options", format_args!("[{}]", words.join(", ")), &seen);
    for code in codes.iter().filter(|code| word(code).is_none()) {
        let value = discover.field(&format!("option.{code}.hex"));
        let value = value.or(request.and_then(|it| it.field(&format!("option.{code}.hex"))));
        let value = value.unwrap_or_default();
        text.note(format_args!(
            "option {code} = {value}: a profile cannot say it ({place})"
        ));
    }
    let own = format!("01{}", sample.mac);
    if let Some(id) = discover.field("option.61.hex").filter(|id| *id != own) {
        text.note(format_args!(
            "option 61 = {id}, not 01 and the MAC: a profile cannot say it"
        ));
    }
    if let Some(size) = discover.field("option.57") {
        text.fact("max_size_bytes", size, &place);
    }
    if let Some(codes) = discover
        .field("option.55")
        .filter(|codes| !codes.is_empty())
    {
        let codes = parameters(codes, &fit.profile.dhcp.parameters).join(", ");
        text.fact("parameters", format_args!("[{codes}]"), &place);
    }
    for (key, option) in [("vendor_class", "option.60"), ("host_name", "option.12")] {
        let value = discover.field(option).unwrap_or_default();
        text.fact(key, quoted(&with_mac(value, sample.mac)), &place);
    }
    if let Some(request) = request {
        let same = request.field("xid") == discover.field("xid");
        text.fact("constant_xid", same, &seen);
    }
    let broadcast = discover.field("broadcast") == Some("true");
    text.fact("broadcast", broadcast, &place);
    waits(text, samples);
}

/// How long the DHCP client waits.
fn waits(text: &mut Text, samples: &[Sample]) {
    let times = choosing(samples);
    if let Some((min, _)) = times.spread() {
        let window = if min < AT_ONCE_MS { 0 } else { min };
        text.fact("offer_window_ms", window, times.said());
    }
    let times = again(samples, "dhcp.discover", &["xid"]);
    if times.spread().is_some() {
        let waits: Vec<String> = times
            .millis()
            .iter()
            .take(16)
            .map(u128::to_string)
            .collect();
        text.fact(
            "retry_ms",
            format_args!("[{}]", waits.join(", ")),
            times.said(),
        );
    }
}

/// Option 55 as it was seen; where the inherited one has a place for the option that names the
/// server, what stands there is that one.
fn parameters(seen: &str, inherited: &[u8]) -> Vec<String> {
    let mut codes: Vec<String> = seen.split(' ').map(str::to_owned).collect();
    let Some(place) = inherited.iter().position(|code| *code == URL_OPTION) else {
        return codes;
    };
    let before = place.checked_sub(1).and_then(|at| inherited.get(at));
    let before = before.and_then(|code| codes.iter().position(|held| *held == code.to_string()));
    let at = before.map_or(0, |before| before + 1);
    let known = |code: &String| inherited.iter().any(|held| held.to_string() == *code);
    let word = quoted("url");
    match codes.get_mut(at).filter(|code| !known(code)) {
        Some(code) => *code = word,
        None => codes.insert(at, word),
    }
    codes
}

/// Bytes of a message without padding: fixed header and cookie, options, the end mark.
fn unpadded(message: &Message) -> u32 {
    let codes = message.field("options").unwrap_or_default();
    let lengths = codes.split_ascii_whitespace().map(|code| {
        let digits = message.field(&format!("option.{code}.hex"));
        2 + digits.unwrap_or_default().len() / 2
    });
    u32::try_from(241 + lengths.sum::<usize>()).unwrap_or(u32::MAX)
}

/// The options of both messages in one order.
fn codes(discover: &Message, request: Option<&Message>) -> Vec<String> {
    let listed = |message: &Message| -> Vec<String> {
        let codes = message.field("options").unwrap_or_default();
        codes.split_ascii_whitespace().map(str::to_owned).collect()
    };
    let mut all: Vec<String> = Vec::new();
    for codes in [Some(listed(discover)), request.map(listed)]
        .into_iter()
        .flatten()
    {
        let mut after = 0;
        for code in codes {
            match all.iter().position(|held| *held == code) {
                Some(at) => after = at + 1,
                None => {
                    all.insert(after, code);
                    after += 1;
                }
            }
        }
    }
    all
}

fn number(place: &str) -> &str {
    place.rsplit('#').next().unwrap_or_default()
}

fn tftp(text: &mut Text, samples: &[Sample]) {
    let Some((sample, request)) = first(samples, "tftp.rrq") else {
        return;
    };
    let place = sample.place(request);
    text.line("\n[tftp]");
    let names = request.field("options").unwrap_or_default();
    let mut known = Vec::new();
    for name in names.split_ascii_whitespace() {
        let name = name.to_ascii_lowercase();
        let value = request.field(&format!("option.{name}")).unwrap_or_default();
        let number = value.parse::<u32>().ok();
        let sayable = match (name.as_str(), number) {
            ("tsize", Some(0)) => true,
            ("blksize", Some(bytes)) => (8..=65_464).contains(&bytes),
            ("timeout", Some(seconds)) => (1..=255).contains(&seconds),
            _ => false,
        };
        match sayable {
            true => known.push(quoted(&format!("{name}={value}"))),
            false => text.note(format_args!(
                "{name}={value}: a profile cannot say it ({place})"
            )),
        }
    }
    text.fact("options", format_args!("[{}]", known.join(", ")), &place);
    let slash = request
        .field("file")
        .is_some_and(|file| file.starts_with('/'));
    text.fact("leading_slash", slash, &place);
    let times = again(samples, "tftp.rrq", &["file", "port"]);
    if let Some((min, max)) = times.spread() {
        text.fact("retry_ms", min, times.said());
        text.fact("retry_spread_ms", max - min, times.said());
    }
}

fn http(text: &mut Text, samples: &[Sample]) {
    let Some((sample, request)) = first(samples, "http.get") else {
        return;
    };
    let place = sample.place(request);
    text.line("\n[http]");
    let agent = request.field("header.user-agent").unwrap_or_default();
    text.fact("user_agent", quoted(&with_mac(agent, sample.mac)), &place);
    text.line(format_args!("headers = [ # {place}"));
    let names = request.field("headers").unwrap_or_default();
    let mut challenged = names.to_ascii_lowercase().contains("authorization");
    for name in names.split_ascii_whitespace() {
        let key = name.to_ascii_lowercase();
        let value = match key.as_str() {
            "host" => "{host}".to_owned(),
            "user-agent" => "{user_agent}".to_owned(),
            "authorization" => "{authorization}".to_owned(),
            _ => {
                let value = request.field(&format!("header.{key}"));
                with_mac(value.unwrap_or_default(), sample.mac)
            }
        };
        text.line(format_args!("  {},", quoted(&format!("{name}: {value}"))));
        if key == "host" && !challenged {
            // It stands nowhere until a server asks for it.
            text.line(format_args!(
                "  {},",
                quoted("Authorization: {authorization}")
            ));
            challenged = true;
        }
    }
    text.line("]");
    let closes = request.field("header.connection");
    let closes = closes.is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let again = sample
        .sent("http.get")
        .skip(1)
        .any(|later| later.field("connection") == request.field("connection"));
    if again || closes {
        text.fact("keep_alive", again && !closes, &place);
    }
}

fn pnp(text: &mut Text, samples: &[Sample]) {
    let multicast = |message: &&Message| message.peer.ip().is_multicast();
    let mut found = samples.iter().filter_map(|sample| {
        let request = sample.sent("sip.subscribe").find(multicast)?;
        Some((sample, request))
    });
    let Some((sample, request)) = found.next() else {
        return;
    };
    let place = sample.place(request);
    let own_port = request.field("port").unwrap_or_default();
    let own = Own {
        mac: sample.mac,
        address: sample.address_at(request),
        port: own_port.parse().unwrap_or(0),
    };
    text.line("\n[pnp]");
    text.fact("group", quoted(&request.peer.ip().to_string()), &place);
    text.fact("port", request.peer.port(), &place);
    text.fact("own_port", own_port != SIP_PORT, &place);
    let uri = request.field("uri").unwrap_or_default();
    text.fact("request_uri", quoted(&header("", uri, own)), &place);
    text.line(format_args!("headers = [ # {place}"));
    let names = request.field("headers").unwrap_or_default();
    let mut seen: Vec<String> = Vec::new();
    for name in names.split_ascii_whitespace() {
        let key = name.to_ascii_lowercase();
        let nth = seen.iter().filter(|held| **held == key).count();
        let field = format!("header.{key}");
        let value = request.values(&field).nth(nth).unwrap_or_default();
        let value = header(name, value, own);
        text.line(format_args!("  {},", quoted(&format!("{name}: {value}"))));
        seen.push(key);
    }
    text.line("]");
    let times = again(samples, "sip.subscribe", &["header.call-id"]);
    if let Some((min, _)) = times.spread() {
        text.fact("interval_ms", min, times.said());
        let sent = sample.sent("sip.subscribe").filter(multicast).count();
        text.fact("attempts", sent.clamp(1, 255), &place);
    }
}

fn timers(text: &mut Text, samples: &[Sample]) {
    let times = between_files(samples);
    if let Some((min, max)) = times.spread() {
        text.line("\n[timers]");
        text.fact("between_files_min_ms", min, times.said());
        text.fact("between_files_max_ms", max, times.said());
    }
}

/// What was asked for, in its order: the walk is inherited, and compared by whoever reads this.
fn names(text: &mut Text, samples: &[Sample]) {
    for sample in samples {
        let mut asked = Vec::new();
        for message in &sample.messages {
            let name = match message.name.as_ref() {
                "tftp.rrq" | "ftp.retr" => message.field("file"),
                "http.get" => message.field("target"),
                _ => None,
            };
            if let Some(name) = name {
                let name = with_mac(name, sample.mac);
                let line = format!("{name} ({})", sample.place(message));
                if asked.len() < 32 && !asked.iter().any(|(held, _)| *held == name) {
                    asked.push((name, line));
                }
            }
        }
        if !asked.is_empty() {
            text.line("");
            text.note("Files were asked for in this order, by the walk that is inherited:");
            for (_, line) in asked {
                text.note(format_args!("  {line}"));
            }
        }
    }
}
