//! A handset beside its virtual twin: the ladders of both, row by row, and what differs.
//!
//! The same comparison is written as text for a terminal, as JSON, and as a page of HTML.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthChar;

use crate::text::harmless;
use crate::verdict::Class;

/// The narrowest column of a ladder on a terminal.
const COLUMN_MIN: usize = 30;
/// What is between the two columns, and before the first.
const GUTTER: usize = 5;

/// Two ladders and what differs between them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Comparison {
    /// The version of this program.
    pub version: String,
    /// What was compared: the place of a lab, or a capture.
    pub title: String,
    /// The MAC address of both.
    pub mac: String,
    /// The profile of the twin.
    pub profile: String,
    /// What both met.
    pub subject: String,
    /// Message by message.
    pub rows: Vec<Row>,
    /// Later messages of both, which were not compared.
    pub left_out: usize,
    /// What a reader is to know besides.
    pub notes: Vec<String>,
}

/// One message of both, or of one of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Row {
    /// The twin's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twin: Option<Line>,
    /// The handset's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handset: Option<Line>,
    /// What differs, the weightiest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// A message as a ladder shows it, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Line {
    /// When, in microseconds from power on.
    pub at_us: u64,
    /// It was the phone's.
    pub sent: bool,
    /// What it was.
    pub text: String,
}

/// What may differ between two messages. Ordered from weighty to slight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Only the twin has it.
    Missing,
    /// Only the handset has it.
    Extra,
    /// It comes at another place.
    Order,
    /// What is asked for.
    Name,
    /// An option, of DHCP or TFTP.
    Option,
    /// The order of options.
    OptionOrder,
    /// A header of HTTP or SIP.
    Header,
    /// The order of headers.
    HeaderOrder,
    /// Anything else that it says.
    Value,
    /// How long it is.
    Length,
    /// When it comes after the message before it.
    Timing,
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What kind of thing.
    pub aspect: Aspect,
    /// Which thing: `option.60`.
    pub what: String,
    /// What the twin has; empty = nothing.
    pub twin: String,
    /// What the handset has; empty = nothing.
    pub handset: String,
    /// The clauses that speak of it; without one, profile and handset just differ.
    pub clauses: Vec<Cited>,
}

/// A clause that a difference is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cited {
    /// Its id.
    pub id: String,
    /// What it says, paraphrased.
    pub says: String,
}

impl Aspect {
    /// Every aspect with its word.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Missing, "only the twin"),
        (Self::Extra, "only the handset"),
        (Self::Order, "order"),
        (Self::Name, "name"),
        (Self::Option, "option"),
        (Self::OptionOrder, "order of options"),
        (Self::Header, "header"),
        (Self::HeaderOrder, "order of headers"),
        (Self::Value, "value"),
        (Self::Length, "length"),
        (Self::Timing, "timing"),
    ];

    /// As printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        let known = Self::ALL.iter().find(|(aspect, _)| *aspect == self);
        known.map_or("", |(_, word)| word)
    }
}

impl Difference {
    /// In one sentence, without its clauses.
    #[must_use]
    pub fn sentence(&self) -> String {
        let shown = |value: &str| match value {
            "" => "none".to_owned(),
            value => value.to_owned(),
        };
        match self.aspect {
            Aspect::Missing | Aspect::Extra => format!("{}: {}", self.aspect.word(), self.what),
            _ => format!(
                "{}: twin {}, handset {}",
                self.subject(),
                shown(&self.twin),
                shown(&self.handset)
            ),
        }
    }

    /// What differs, in words: its kind where its name does not say that already.
    fn subject(&self) -> String {
        match self.aspect {
            Aspect::Name | Aspect::Value | Aspect::Order => {
                format!("{} {}", self.aspect.word(), self.what)
            }
            Aspect::Option | Aspect::Header | Aspect::Timing => self.what.clone(),
            _ => self.aspect.word().to_owned(),
        }
    }

    /// What is said of it behind the sentence: the clauses, or that there is none.
    #[must_use]
    pub fn law(&self) -> String {
        if self.clauses.is_empty() {
            return "profile and handset differ here".to_owned();
        }
        let cited = self.clauses.iter().map(|it| it.id.as_str());
        cited.collect::<Vec<_>>().join(", ")
    }
}

impl Comparison {
    /// What was compared, on one line.
    #[must_use]
    pub fn heading(&self) -> String {
        let Self {
            title,
            mac,
            profile,
            subject,
            ..
        } = self;
        format!("{title} · {mac} · {profile} · {subject}")
    }

    /// Every difference, in the order of the rows.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.rows.iter().flat_map(|row| &row.differences)
    }

    /// How many differences a clause speaks of, and how many none.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let cited = self.differences().filter(|it| !it.clauses.is_empty());
        let cited = cited.count();
        (cited, self.differences().count() - cited)
    }

    /// What came of it: a difference that no clause speaks of is nobody's failure.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.counts() {
            (0, _) => Class::Met,
            _ => Class::SubjectFailed,
        }
    }

    /// What came of it, in one sentence.
    #[must_use]
    pub fn verdict(&self) -> String {
        let alike = self.rows.iter().filter(|row| row.differences.is_empty());
        let (alike, rows) = (alike.count(), self.rows.len());
        let left_out = match self.left_out {
            0 => String::new(),
            later => format!("; {later} later ones were not compared"),
        };
        match self.counts() {
            (0, 0) => {
                let all = if self.left_out == 0 {
                    "all"
                } else {
                    "the first"
                };
                format!("Handset and twin are alike in {all} {rows} messages{left_out}.")
            }
            (cited, other) => format!(
                "Handset and twin are alike in {alike} of {rows} messages: {cited} differences \
                 that a clause speaks of, {other} others{left_out}."
            ),
        }
    }
}

/// A time as ladders show it: seconds and milliseconds.
pub(crate) fn time(line: &Line) -> String {
    let milliseconds = line.at_us / 1_000;
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}

/// Writes it for a terminal of so many columns.
///
/// # Errors
/// Those of `out`.
pub fn text(comparison: &Comparison, columns: usize, out: &mut dyn Write) -> io::Result<()> {
    let column = (columns.saturating_sub(GUTTER) / 2).max(COLUMN_MIN);
    let mut text = String::new();
    let _ = writeln!(text, "{}\n", harmless(&comparison.heading()));
    let _ = writeln!(text, "  {} handset", padded("virtual twin", column));
    for row in &comparison.rows {
        let mark = match row.differences.as_slice() {
            [] => ' ',
            some if some.iter().any(|it| !it.clauses.is_empty()) => '!',
            _ => '~',
        };
        let [one, other] = [&row.twin, &row.handset].map(|line| line.as_ref().map(shown));
        let one = padded(&one.unwrap_or_default(), column);
        let other = cut(&other.unwrap_or_default(), column);
        let _ = writeln!(text, "{}", format!("{mark} {one} {other}").trim_end());
        for difference in &row.differences {
            let told = format!("{} [{}]", difference.sentence(), difference.law());
            for line in wrapped(&harmless(&told), columns.saturating_sub(6).max(COLUMN_MIN)) {
                let _ = writeln!(text, "      {line}");
            }
        }
    }
    let mut cited: Vec<&Cited> = comparison
        .differences()
        .flat_map(|it| &it.clauses)
        .collect();
    cited.sort_by(|a, b| a.id.cmp(&b.id));
    cited.dedup();
    if !cited.is_empty() {
        text.push('\n');
    }
    for clause in cited {
        let told = format!("{}: {}", clause.id, clause.says);
        for line in wrapped(&harmless(&told), columns) {
            let _ = writeln!(text, "{line}");
        }
    }
    for note in &comparison.notes {
        let _ = writeln!(text, "\nnote: {}", harmless(note));
    }
    let _ = writeln!(text, "\n{}", comparison.verdict());
    out.write_all(text.as_bytes())
}

fn shown(line: &Line) -> String {
    let way = if line.sent { "->" } else { "<-" };
    format!("{:>8} {way} {}", time(line), harmless(&line.text))
}

/// A text of at most so many columns.
fn cut(text: &str, columns: usize) -> String {
    let mut taken = String::new();
    let mut width = 0;
    for letter in text.chars() {
        width += letter.width().unwrap_or(0);
        if width > columns {
            taken.pop();
            taken.push('…');
            break;
        }
        taken.push(letter);
    }
    taken
}

/// A text of exactly so many columns.
fn padded(text: &str, columns: usize) -> String {
    let mut taken = cut(text, columns);
    let width: usize = taken.chars().filter_map(UnicodeWidthChar::width).sum();
    taken.extend(std::iter::repeat_n(' ', columns.saturating_sub(width)));
    taken
}

/// Lines of at most so many columns, broken at blanks where there are any.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Writes it as JSON.
///
/// # Errors
/// Those of `out`.
pub fn json(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, comparison)?;
    out.write_all(b"\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Comparison {
        let line = |at_us, sent, text: &str| {
            Some(Line {
                at_us,
                sent,
                text: text.to_owned(),
            })
        };
        let difference = |aspect, what: &str, clauses: &[(&str, &str)]| Difference {
            aspect,
            what: what.to_owned(),
            twin: "512".to_owned(),
            handset: String::new(),
            clauses: clauses
                .iter()
                .map(|(id, says)| Cited {
                    id: (*id).to_owned(),
                    says: (*says).to_owned(),
                })
                .collect(),
        };
        Comparison {
            version: "0.1.0".to_owned(),
            title: "lab table, place left".to_owned(),
            mac: "0021f2000001".to_owned(),
            profile: "vendor/model".to_owned(),
            subject: "reference at 10.77.0.1".to_owned(),
            rows: vec![
                Row {
                    twin: line(250_000, true, "10.77.0.1:69 tftp.rrq file=a.cfg"),
                    handset: line(1_250_000, true, "10.77.0.1:69 tftp.rrq file=a.cfg"),
                    differences: vec![difference(
                        Aspect::Option,
                        "option.blksize",
                        &[("FLY-71", "blocks of 512 bytes <are> asked for")],
                    )],
                },
                Row {
                    twin: line(260_000, false, "10.77.0.1:40000 tftp.error"),
                    handset: line(1_260_000, false, "10.77.0.1:40000 tftp.error"),
                    differences: Vec::new(),
                },
                Row {
                    twin: None,
                    handset: line(2_000_000, true, "10.77.0.1:80 http.get /<script>alert(1)"),
                    differences: vec![difference(Aspect::Extra, "http.get", &[])],
                },
            ],
            left_out: 0,
            notes: vec!["the capture lacks 2 segments".to_owned()],
        }
    }

    #[test]
    fn shows_two_ladders_and_what_differs() {
        let mut out = Vec::new();
        text(&sample(), 100, &mut out).expect("memory");
        let told = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines[3],
            "!    0.250 -> 10.77.0.1:69 tftp.rrq file=a.cfg       1.250 -> 10.77.0.1:69 tftp.rrq \
             file=a.cfg"
        );
        assert_eq!(
            lines[4],
            "      option.blksize: twin 512, handset none [FLY-71]"
        );
        assert!(
            lines[6].starts_with("~ ") && lines[6].contains("2.000 -> "),
            "{told}"
        );
        assert!(told.contains("[profile and handset differ here]"), "{told}");
        assert!(told.contains("FLY-71: blocks of 512 bytes"), "{told}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 100),
            "{told}"
        );
        assert!(told.ends_with(
            "Handset and twin are alike in 1 of 3 messages: 1 differences that a clause speaks of, \
             1 others.\n"
        ));
    }

    #[test]
    fn messages_that_were_not_compared_are_not_said_to_be_alike() {
        let mut comparison = sample();
        comparison.left_out = 7;
        let verdict = comparison.verdict();
        assert!(verdict.ends_with("1 others; 7 later ones were not compared."));
        comparison.rows.retain(|row| row.differences.is_empty());
        assert_eq!(
            comparison.verdict(),
            "Handset and twin are alike in the first 1 messages; 7 later ones were not compared."
        );
    }

    #[test]
    fn json_has_every_row_and_difference() {
        let mut out = Vec::new();
        json(&sample(), &mut out).expect("memory");
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(value["rows"][0]["differences"][0]["aspect"], "option");
        assert_eq!(value["rows"][2]["twin"], serde_json::Value::Null);
    }
}
