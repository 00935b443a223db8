//! Lines about messages.

use std::collections::BTreeMap;
use std::time::Duration;

use bootstorm_emulator::time::Moment;

use super::{Broken, Seen, shown};
use crate::matcher::Fill;
use crate::suite::{Quantity, Wanted, WireLine, Within};
use crate::wire::Way;
use crate::wire::message::Message;

/// A search through what was seen, line by line.
pub(super) struct Search<'a> {
    seen: &'a Seen<'a>,
    fill: &'a Fill<'a>,
    /// Where the next search begins.
    from: usize,
    /// The message found last.
    last: Option<usize>,
    marks: BTreeMap<&'a str, usize>,
    evidence: Vec<usize>,
}

impl<'a> Search<'a> {
    pub(super) fn new(seen: &'a Seen<'a>, fill: &'a Fill<'a>) -> Self {
        Self {
            seen,
            fill,
            from: 0,
            last: None,
            marks: BTreeMap::new(),
            evidence: Vec::new(),
        }
    }

    /// The messages that were found.
    pub(super) fn into_evidence(mut self) -> Vec<usize> {
        self.evidence.sort_unstable();
        self.evidence.dedup();
        self.evidence
    }

    /// Takes one line.
    pub(super) fn line(&mut self, line: &'a WireLine) -> Result<(), Broken> {
        match line {
            WireLine::Again => {
                (self.from, self.last) = (0, None);
                Ok(())
            }
            WireLine::Wanted(wanted) => match &wanted.quantity {
                Quantity::Next { skip, mark } => self.next(wanted, *skip, mark.as_deref()),
                Quantity::Never { anywhere } => self.never(wanted, *anywhere),
                Quantity::Every => self.every(wanted),
                Quantity::Count { min, max } => self.count(wanted, *min, *max),
            },
        }
    }

    fn next(
        &mut self,
        wanted: &'a Wanted,
        skip: bool,
        mark: Option<&'a str>,
    ) -> Result<(), Broken> {
        let mut nearest = None;
        for (at, message) in self.named(wanted, self.from) {
            let Some(misfit) = self.misfit(wanted, message) else {
                (self.from, self.last) = (at + 1, Some(at));
                self.evidence.push(at);
                if let Some(mark) = mark {
                    self.marks.insert(mark, at);
                }
                return Ok(());
            };
            nearest = nearest.or(Some((at, misfit)));
            if !skip {
                break;
            }
        }
        let (actual, evidence) = match nearest {
            Some((at, misfit)) if skip => (format!("none fits; of the first, {misfit}"), Some(at)),
            Some((at, misfit)) => (misfit, Some(at)),
            None => (self.none(wanted), self.last),
        };
        Err(self.broken(wanted, actual, evidence))
    }

    fn never(&self, wanted: &Wanted, anywhere: bool) -> Result<(), Broken> {
        let from = if anywhere { 0 } else { self.from };
        let mut named = self.named(wanted, from);
        let found = named.find(|(_, message)| self.misfit(wanted, message).is_none());
        match found {
            None => Ok(()),
            Some((at, message)) => {
                let actual = format!("one {} at {}", verb(wanted.way), self.time(message));
                Err(self.broken(wanted, actual, Some(at)))
            }
        }
    }

    fn every(&mut self, wanted: &Wanted) -> Result<(), Broken> {
        let mut any = None;
        for (at, message) in self.named(wanted, 0) {
            any = any.or(Some(at));
            if let Some(misfit) = self.misfit(wanted, message) {
                let actual = format!("of the one at {}, {misfit}", self.time(message));
                return Err(self.broken(wanted, actual, Some(at)));
            }
        }
        match any {
            None => Err(self.broken(wanted, self.none(wanted), None)),
            Some(at) => {
                self.evidence.push(at);
                Ok(())
            }
        }
    }

    fn count(&mut self, wanted: &Wanted, min: u64, max: u64) -> Result<(), Broken> {
        let named = self.named(wanted, 0);
        let fit = named.filter(|(_, message)| self.misfit(wanted, message).is_none());
        let fit: Vec<usize> = fit.map(|(at, _)| at).collect();
        let count = fit.len() as u64;
        if (min..=max).contains(&count) {
            self.evidence.extend(fit.first());
            return Ok(());
        }
        let actual = match count {
            0 => self.none(wanted),
            1 => "there is one".to_owned(),
            count => format!("there are {count}"),
        };
        let mut broken = self.broken(wanted, actual, None);
        broken.evidence = fit;
        Err(broken)
    }

    /// The messages of the line's name and way, from a place on.
    fn named<'w>(
        &self,
        wanted: &'w Wanted,
        from: usize,
    ) -> impl Iterator<Item = (usize, &'a Message)> + use<'w, 'a> {
        let seen = self.seen;
        let messages = seen.messages.iter().enumerate().skip(from);
        messages.filter(|(_, message)| message.way == wanted.way && message.name == wanted.name)
    }

    /// Why a message does not fit, in words.
    fn misfit(&self, wanted: &Wanted, message: &Message) -> Option<String> {
        if let Some(misfit) = wanted.with.misfit(message, self.fill) {
            return Some(match misfit.actual {
                Some(value) => format!("its {} is {}", misfit.field, shown(&value)),
                None => format!("it has no {}", misfit.field),
            });
        }
        if let Some(within) = &wanted.within {
            let after = message.at.since(self.since(within)?);
            if !(within.from..=within.to).contains(&after) {
                return Some(format!("it came {} after it", span(after)));
            }
        }
        wanted.compared.iter().find_map(|compared| {
            let other = self.marks.get(compared.mark.as_str());
            let other = other.and_then(|at| self.seen.messages.get(*at))?;
            let (own, marked) = (message.field(&compared.field), other.field(&compared.field));
            if (own == marked) == compared.same && own.is_some() {
                return None;
            }
            let value = |value: Option<&str>| value.map_or_else(|| "missing".to_owned(), shown);
            let field = &compared.field;
            Some(match own == marked && own.is_some() {
                true => format!("its {field} is {} again", value(own)),
                false => format!(
                    "its {field} is {}, there it is {}",
                    value(own),
                    value(marked)
                ),
            })
        })
    }

    /// The moment that a time is counted from.
    fn since(&self, within: &Within) -> Option<Moment> {
        let at = match &within.mark {
            Some(mark) => Some(*self.marks.get(mark.as_str())?),
            None => self.last,
        };
        let message = at.and_then(|at| self.seen.messages.get(at));
        Some(message.map_or(self.seen.began, |message| message.at))
    }

    /// That none came, and what came instead.
    fn none(&self, wanted: &Wanted) -> String {
        let from = match wanted.quantity {
            Quantity::Next { .. } => self.from,
            _ => 0,
        };
        let mut later = self.seen.messages.iter().skip(from);
        let other = later.find(|message| message.way == wanted.way);
        let other = other.map_or_else(
            || format!("nothing {}", verb(wanted.way)),
            |message| format!("what {} is {}", verb(wanted.way), message.name),
        );
        let any = self.named(wanted, 0).next().is_some();
        match (from, any) {
            (0, _) | (_, false) => format!("no {} {}; {other}", wanted.name, verb(wanted.way)),
            _ => format!("no further {} {}; {other}", wanted.name, verb(wanted.way)),
        }
    }

    /// When a message came, counted from power-on.
    fn time(&self, message: &Message) -> String {
        let after = message.at.since(self.seen.began);
        format!("{:.3} s", after.as_secs_f64())
    }

    fn broken(&self, wanted: &Wanted, actual: String, at: Option<usize>) -> Broken {
        Broken {
            way: Some(wanted.way),
            expected: says(wanted, self.fill),
            actual,
            evidence: at.into_iter().collect(),
        }
    }
}

/// A line in words: `the phone's next tftp.rrq has a file that is 'a.cfg'`.
pub(super) fn says(wanted: &Wanted, fill: &Fill<'_>) -> String {
    let name = &wanted.name;
    let (whose, verb) = match wanted.way {
        Way::Sent => ("the phone sends", "sent"),
        Way::Received => ("the phone receives", "received"),
    };
    let about = about(wanted, fill);
    match &wanted.quantity {
        Quantity::Next { skip: false, .. } if about.is_empty() => format!("{whose} a {name} next"),
        Quantity::Next { skip: false, .. } => format!("of the next {name} {verb}, {about}"),
        Quantity::Next { skip: true, .. } if about.is_empty() => format!("{whose} a {name}"),
        Quantity::Next { skip: true, .. } => format!("of a later {name} {verb}, {about}"),
        Quantity::Never { anywhere } => {
            let when = if *anywhere {
                "never"
            } else {
                "from then on never"
            };
            match about.as_str() {
                "" => format!("{when} a {name} is {verb}"),
                about => format!("{when} a {name} is {verb} of which {about}"),
            }
        }
        Quantity::Every if about.is_empty() => format!("a {name} is {verb}"),
        Quantity::Every => format!("of every {name} {verb}, {about}"),
        Quantity::Count { min, max } => {
            let count = match (*min, *max) {
                (min, max) if min == max => format!("exactly {min}"),
                (0, max) => format!("at most {max}"),
                (min, u64::MAX) => format!("at least {min}"),
                (min, max) => format!("{min} to {max}"),
            };
            match about.as_str() {
                "" => format!("{count} × {name} {verb}"),
                about => format!("{count} × {name} {verb} of which {about}"),
            }
        }
    }
}

/// What a message must be, in words.
fn about(wanted: &Wanted, fill: &Fill<'_>) -> String {
    let fields = wanted.with.fields();
    let mut all: Vec<String> = fields
        .map(|(field, matcher)| format!("{field} {}", matcher.says(fill)))
        .collect();
    if let Some(within) = &wanted.within {
        let since = within
            .mark
            .as_ref()
            .map_or_else(|| "the one before".to_owned(), |mark| format!("\"{mark}\""));
        let (from, to) = (span(within.from), span(within.to));
        all.push(format!("it comes {from} to {to} after {since}"));
    }
    all.extend(wanted.compared.iter().map(|compared| {
        let (field, mark) = (&compared.field, &compared.mark);
        let as_there = if compared.same {
            "the same as"
        } else {
            "another than"
        };
        format!("{field} is {as_there} of \"{mark}\"")
    }));
    all.join(" and ")
}

fn verb(way: Way) -> &'static str {
    match way {
        Way::Sent => "was sent",
        Way::Received => "was received",
    }
}

/// A time in milliseconds, from ten seconds on in seconds.
fn span(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
    }
}
