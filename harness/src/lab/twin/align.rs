//! Two ladders laid beside each other: which message of the one is which of the other, and what
//! differs between the two.

use std::time::Duration;

use bootstorm_reports::twin::{Aspect, Difference, Line, Row};
use bootstorm_scenarios::wire::Way;
use bootstorm_scenarios::wire::message::{self, Message};

use super::law::Laws;

/// Messages of one ladder; later ones are left out.
pub(super) const ROWS_MAX: usize = 1_500;
/// What two messages of the same content score, and two of the same name.
const SAME: u32 = 3;
const ALIKE: u32 = 2;
/// A pause that differs by less is the same.
const PAUSE_MIN: Duration = Duration::from_millis(300);
/// So does one that differs by less than this part of the longer.
const PAUSE_PART: u32 = 2;
/// Characters of a value in a sentence.
const VALUE_CHARS_MAX: usize = 120;
/// Messages that say nothing of their own: the blocks of a transfer, the life of a connection.
const DULL: [&str; 6] = [
    "tftp.data",
    "tftp.ack",
    "tcp.opening",
    "tcp.opened",
    "tcp.closed",
    "sip.keepalive",
];
/// What says which message it is.
const NAMING: [&str; 7] = [
    "file", "target", "method", "status", "code", "event", "names",
];
/// What differs from boot to boot, or says again what another field does.
const VOLATILE: [&str; 24] = [
    "xid",
    "secs",
    "connection",
    "port",
    "to",
    "from",
    "length",
    "originate",
    "receive",
    "transmit",
    "hex",
    "md5",
    "body",
    "path",
    "query",
    "id",
    "flags",
    "truncated",
    "header.via",
    "header.call-id",
    "header.cseq",
    "header.authorization",
    "header.content-length",
    "header.date",
];
/// The lowest port that systems draw of themselves (Linux; RFC 6335 §6 begins at 49,152).
const DRAWN_MIN: u16 = 32_768;
/// Fields that are lists whose order counts.
const LISTS: [&str; 3] = ["options", "headers", "option.55"];

/// The messages of one phone that are shown.
pub(super) struct Ladder<'a> {
    messages: Vec<&'a Message>,
    keys: Vec<String>,
    /// Which of its DHCP transactions each message is of, from 1.
    transactions: Vec<Option<usize>>,
    /// When its first message came does not count.
    from_first: bool,
    /// Later messages, which are not shown.
    pub(super) left_out: usize,
}

impl<'a> Ladder<'a> {
    pub(super) fn of(messages: &'a [Message], from_power: bool) -> Self {
        let mut shown = messages
            .iter()
            .filter(|it| !DULL.contains(&it.name.as_ref()));
        let messages: Vec<_> = shown.by_ref().take(ROWS_MAX).collect();
        let keys = messages.iter().map(|message| key(message)).collect();
        let mut known: Vec<&str> = Vec::new();
        let transactions = messages.iter().map(|message| {
            let xid = message.field("xid")?;
            let at = known.iter().position(|held| *held == xid);
            Some(
                1 + at.unwrap_or_else(|| {
                    known.push(xid);
                    known.len() - 1
                }),
            )
        });
        Self {
            transactions: transactions.collect(),
            messages,
            keys,
            from_first: !from_power,
            left_out: shown.count(),
        }
    }

    /// The pause before a message.
    fn pause(&self, at: usize) -> Duration {
        if at == 0 && self.from_first {
            return Duration::ZERO;
        }
        let before = at
            .checked_sub(1)
            .and_then(|before| self.messages.get(before));
        let before = before.map_or(Duration::ZERO, |it| Duration::from_nanos(it.at.nanos()));
        let own = self.messages.get(at);
        let own = own.map_or(Duration::ZERO, |it| Duration::from_nanos(it.at.nanos()));
        own.saturating_sub(before)
    }
}

/// The places of one message in both ladders; a lone one has one.
type Places = (Option<usize>, Option<usize>);

/// What a message is, as far as it matters which of several it is.
fn key(message: &Message) -> String {
    let mut key = format!("{:?} {}", message.way, message.name);
    for field in NAMING {
        if let Some(value) = message.field(field) {
            key.push(' ');
            key.push_str(value);
        }
    }
    key
}

/// The rows of both ladders.
pub(super) fn rows(
    twin: &Ladder<'_>,
    handset: &Ladder<'_>,
    laws: &Laws<'_>,
    hide: &dyn Fn(&str) -> String,
) -> Vec<Row> {
    let pairs = pairs(twin, handset);
    let lone = |side: fn(&Places) -> Option<usize>| {
        let lone = pairs
            .iter()
            .filter(|pair| pair.0.is_none() || pair.1.is_none());
        lone.filter_map(side).collect::<Vec<_>>()
    };
    let (ours, theirs) = (lone(|pair| pair.0), lone(|pair| pair.1));
    let rows = pairs.iter().map(|pair| {
        let mut differences = match *pair {
            (Some(one), Some(other)) => both(twin, handset, (one, other), laws),
            (Some(one), None) => alone(twin, one, (handset, &theirs), Aspect::Missing, laws),
            (None, Some(other)) => alone(handset, other, (twin, &ours), Aspect::Extra, laws),
            (None, None) => Vec::new(),
        };
        differences.sort_by_key(|difference| difference.aspect);
        for difference in &mut differences {
            difference.twin = shortened(&hide(&difference.twin));
            difference.handset = shortened(&hide(&difference.handset));
            difference.what = hide(&difference.what);
        }
        let line = |ladder: &Ladder<'_>, at: Option<usize>| {
            let message = ladder.messages.get(at?)?;
            Some(line(message, hide))
        };
        Row {
            twin: line(twin, pair.0),
            handset: line(handset, pair.1),
            differences,
        }
    });
    rows.collect()
}

fn line(message: &Message, hide: &dyn Fn(&str) -> String) -> Line {
    let summary = message::summary(message);
    // The way is shown beside it.
    let text = summary.get(3..).unwrap_or_default();
    Line {
        at_us: message.at.nanos() / 1_000,
        sent: message.way == Way::Sent,
        text: hide(text),
    }
}

/// Which message of the one is which of the other: the alignment that scores most (Needleman and
/// Wunsch), earlier pairs first where several do.
fn pairs(twin: &Ladder<'_>, handset: &Ladder<'_>) -> Vec<Places> {
    let (rows, columns) = (twin.messages.len(), handset.messages.len());
    let score = |one: usize, other: usize| {
        if twin.keys.get(one) == handset.keys.get(other) {
            return SAME;
        }
        let kind = |ladder: &Ladder<'_>, at: usize| {
            let message = ladder.messages.get(at);
            message.map(|it| (it.way, it.name.clone()))
        };
        match kind(twin, one) == kind(handset, other) {
            true => ALIKE,
            false => 0,
        }
    };
    // What the rest of both can score, from each place on.
    let mut best = vec![vec![0_u32; columns + 1]; rows + 1];
    for one in (0..rows).rev() {
        for other in (0..columns).rev() {
            let pair = score(one, other);
            let with = if pair > 0 {
                pair + best[one + 1][other + 1]
            } else {
                0
            };
            best[one][other] = with.max(best[one + 1][other]).max(best[one][other + 1]);
        }
    }
    let mut pairs = Vec::new();
    let (mut one, mut other) = (0, 0);
    while one < rows || other < columns {
        let pair = if one < rows && other < columns {
            score(one, other)
        } else {
            0
        };
        if pair > 0 && best[one][other] == pair + best[one + 1][other + 1] {
            pairs.push((Some(one), Some(other)));
            (one, other) = (one + 1, other + 1);
        } else if one < rows && (other == columns || best[one][other] == best[one + 1][other]) {
            pairs.push((Some(one), None));
            one += 1;
        } else {
            pairs.push((None, Some(other)));
            other += 1;
        }
    }
    pairs
}

/// A message that only one of them has, or that the other has elsewhere.
fn alone(
    ladder: &Ladder<'_>,
    at: usize,
    (other, lone): (&Ladder<'_>, &[usize]),
    aspect: Aspect,
    laws: &Laws<'_>,
) -> Vec<Difference> {
    let Some(message) = ladder.messages.get(at) else {
        return Vec::new();
    };
    if message.way == Way::Received {
        // What the server says follows from what it was asked.
        return Vec::new();
    }
    let key = ladder.keys.get(at);
    let elsewhere = lone.iter().find(|place| other.keys.get(**place) == key);
    let what = named(message);
    let difference = match elsewhere {
        None => Difference {
            aspect,
            clauses: laws.clauses(aspect, "", message),
            what,
            twin: String::new(),
            handset: String::new(),
        },
        Some(_) if aspect == Aspect::Extra => return Vec::new(),
        Some(place) => Difference {
            aspect: Aspect::Order,
            clauses: laws.clauses(Aspect::Order, "", message),
            what,
            twin: format!("message {}", at + 1),
            handset: format!("message {}", place + 1),
        },
    };
    vec![difference]
}

/// A message with what says which one it is.
fn named(message: &Message) -> String {
    let words = NAMING.iter().filter_map(|field| message.field(field));
    let words = std::iter::once(message.name.as_ref()).chain(words);
    words.collect::<Vec<_>>().join(" ")
}

/// What differs between two messages that are the same one.
fn both(
    twin: &Ladder<'_>,
    handset: &Ladder<'_>,
    (one, other): (usize, usize),
    laws: &Laws<'_>,
) -> Vec<Difference> {
    let (Some(ours), Some(theirs)) = (twin.messages.get(one), handset.messages.get(other)) else {
        return Vec::new();
    };
    if ours.way == Way::Received {
        return Vec::new();
    }
    let mut differences = Vec::new();
    let mut note = |aspect, what: &str, twin: String, handset: String| {
        differences.push(Difference {
            aspect,
            what: what.to_owned(),
            clauses: laws.clauses(aspect, what, ours),
            twin,
            handset,
        });
    };
    for field in fields(ours, theirs) {
        let values = |message: &Message| {
            let values = message.values(field).map(|value| steady(field, value));
            values.collect::<Vec<_>>().join(", ")
        };
        let (mine, his) = (values(ours), values(theirs));
        if mine == his {
            continue;
        }
        match LISTS.contains(&field) {
            false => note(aspect(field), field, mine, his),
            true if in_other_order(&mine, &his) => note(order(field), field, mine, his),
            // Which are there is told one by one, but for what DHCP asks for.
            true if field == "option.55" => note(Aspect::Option, field, mine, his),
            true => {}
        }
    }
    let transactions = [(twin, one), (handset, other)];
    let transactions = transactions.map(|(ladder, at)| ladder.transactions.get(at).copied());
    if let [Some(Some(mine)), Some(Some(his))] = transactions
        && mine != his
    {
        let [mine, his] = [mine, his].map(|it| format!("of its transaction {it}"));
        note(Aspect::Value, "xid", mine, his);
    }
    let lengths = [ours, theirs].map(|message| message.length);
    let is_short = ours.name.starts_with("dhcp.") || ours.name.starts_with("tftp.");
    if lengths[0] != lengths[1] && is_short {
        let [mine, his] = lengths.map(|length| format!("{length} bytes"));
        note(Aspect::Length, "length", mine, his);
    }
    let pauses = [twin.pause(one), handset.pause(other)];
    let before = one.checked_sub(1).and_then(|at| twin.messages.get(at));
    differences.extend(timing(ours, before.copied(), pauses, laws));
    differences
}

/// The fields of both that count, each once, in the order of the first.
fn fields<'a>(ours: &'a Message, theirs: &'a Message) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    let all = ours.fields.iter().chain(&theirs.fields);
    for (name, _) in all {
        let name = name.as_ref();
        // A hexadecimal form says again what stands there in plain.
        let counts = !VOLATILE.contains(&name) && !name.ends_with(".hex");
        if counts && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn aspect(field: &str) -> Aspect {
    match field {
        _ if field.starts_with("option.") => Aspect::Option,
        _ if field.starts_with("header.") => Aspect::Header,
        "file" | "target" | "host" | "uri" | "method" | "event" => Aspect::Name,
        _ => Aspect::Value,
    }
}

fn order(field: &str) -> Aspect {
    match field {
        "headers" => Aspect::HeaderOrder,
        _ => Aspect::OptionOrder,
    }
}

/// A value without what is drawn anew for each message: tags, branches, nonces (RFC 3261 §19.3).
fn steady(field: &str, value: &str) -> String {
    if !field.starts_with("header.") {
        return value.to_owned();
    }
    let parts = value.split(';').filter(|part| {
        let name = part.split('=').next().unwrap_or_default().trim();
        !["tag", "branch", "received", "rport"].contains(&name)
    });
    let value = parts.collect::<Vec<_>>().join(";");
    match field {
        "header.contact" => without_drawn_port(&value).unwrap_or(value),
        _ => value,
    }
}

/// A Contact without a port that its phone drew: one that is no service's.
fn without_drawn_port(contact: &str) -> Option<String> {
    let end = contact.find('>').unwrap_or(contact.len());
    let (head, rest) = contact.split_at_checked(end)?;
    let (address, port) = head.rsplit_once(':')?;
    (port.parse::<u16>().ok()? >= DRAWN_MIN).then(|| format!("{address}{rest}"))
}

/// Whether what both lists have stands in another order.
fn in_other_order(ours: &str, theirs: &str) -> bool {
    let words = |text: &str| {
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        words.map(str::to_ascii_lowercase).collect::<Vec<_>>()
    };
    let (ours, theirs) = (words(ours), words(theirs));
    let mine = ours.iter().filter(|word| theirs.contains(word));
    let his = theirs.iter().filter(|word| ours.contains(word));
    !mine.eq(his)
}

/// Pauses that are not of one band: that of a case where one speaks of them.
fn timing(
    message: &Message,
    before: Option<&Message>,
    pauses: [Duration; 2],
    laws: &Laws<'_>,
) -> Option<Difference> {
    let band = laws.band(message, before);
    let inside = |pause: &Duration| {
        let band = band.as_ref();
        band.is_some_and(|band| (band.from..=band.to).contains(pause))
    };
    if !are_apart(pauses) || pauses.iter().all(inside) {
        return None;
    }
    let [twin, handset] = pauses.map(|pause| format!("after {:.3} s", pause.as_secs_f64()));
    Some(Difference {
        aspect: Aspect::Timing,
        what: "pause".to_owned(),
        twin,
        handset,
        clauses: band.map_or_else(Vec::new, |band| band.clauses),
    })
}

/// Whether two pauses are not alike.
fn are_apart([one, other]: [Duration; 2]) -> bool {
    let apart = one.abs_diff(other);
    apart > PAUSE_MIN.max(one.max(other) / PAUSE_PART)
}

fn shortened(value: &str) -> String {
    let mut short: String = value.chars().take(VALUE_CHARS_MAX).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}
