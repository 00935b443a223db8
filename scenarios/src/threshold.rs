//! Expressions over figures, in the Common Expression Language: thresholds over the fleet, what is
//! expected of each phone, and what a step must come to. They know nothing of how figures are
//! gathered: a `Figures` is plain numbers and texts by name.
//!
//! ```
//! use std::time::Duration;
//! use bootstorm_scenarios::threshold::{Domain, Expression, Figures, Stage};
//!
//! let limit = Expression::compile(Domain::Fleet, r#"p99("boot") < duration("5s")"#).unwrap();
//! let boot = Stage { p99: Some(Duration::from_secs(7)), ..Stage::default() };
//! let mut figures = Figures::default();
//! figures.stages.insert("boot".to_owned(), boot);
//! let told = limit.evaluate(&figures);
//! assert_eq!((told.met, told.actual.as_str()), (Some(false), "p99(\"boot\") = 7 s"));
//! ```

mod compile;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bootstorm_emulator::located::Place;
use cel::{Context, Env, ExecutionError, Program, Value};

/// Bytes of one expression.
pub const BYTES_MAX: usize = 500;
/// The stage from power-on to provisioned.
pub const BOOT: &str = "boot";
/// The stage from power-on to at rest.
pub const SETTLED: &str = "settled";

/// What an expression is about: it decides which names there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// All phones of a run.
    Fleet,
    /// One phone.
    Phone,
    /// What came of one step.
    Step,
}

/// A compiled expression. Two are equal when they were written alike.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    domain: Domain,
    program: Arc<Program>,
    terms: Arc<[Term]>,
}

/// What an expression names, in the order of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    /// `planned`
    Name(String),
    /// `p99("boot")`: the function, the stage, and the byte at which the stage is written.
    Call(Measure, String, usize),
}

/// Something wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The byte of the expression at which it is.
    pub at: usize,
    /// What it is.
    pub what: String,
}

/// An expression of a scenario and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What must hold.
    pub expression: Expression,
    /// The stages that it names, each with its place.
    pub stages: Vec<(String, Option<Place>)>,
}

/// A condition over all phones of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// What must hold.
    pub that: Condition,
    /// The run ends as soon as it does not hold.
    pub abort: bool,
    /// It is not looked at before this, from the beginning of the run.
    pub after: Duration,
}

/// What is expected of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expected {
    /// Of each phone.
    pub phone: Vec<Condition>,
    /// Of all of them.
    pub thresholds: Vec<Threshold>,
}

/// The figures of a run, a phone or a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// By name; one that is not there is known and has no value yet.
    pub values: HashMap<&'static str, Quantity>,
    /// By label, `boot` and `settled` among them.
    pub stages: BTreeMap<String, Stage>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub enum Quantity {
    /// How many.
    Count(u64),
    /// How long.
    Time(Duration),
    /// A word.
    Text(Cow<'static, str>),
}

/// What was measured of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stage {
    /// Half of the measured times are at most this; `None` = nothing was measured.
    pub p50: Option<Duration>,
    /// 90 of 100.
    pub p90: Option<Duration>,
    /// 95 of 100.
    pub p95: Option<Duration>,
    /// 99 of 100.
    pub p99: Option<Duration>,
    /// The longest.
    pub max: Option<Duration>,
    /// Complete answers.
    pub answered: u64,
    /// Requests that left for the first time.
    pub sent: u64,
    /// Requests that left again.
    pub retried: u64,
    /// Unusable answers.
    pub wrong: u64,
    /// Answers saying that there is no such file.
    pub missing: u64,
    /// Given up.
    pub gave_up: u64,
}

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whether it holds; `None` = it cannot be said.
    pub met: Option<bool>,
    /// The values of what it names; why it cannot be said.
    pub actual: String,
}

/// What a function of an expression gives of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Measure {
    P50,
    P90,
    P95,
    P99,
    Max,
    Count,
    Sent,
    Retried,
    Wrong,
    Missing,
    GaveUp,
}

/// The kinds of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Count,
    Time,
    Text,
}

const MEASURES: [(Measure, &str); 11] = [
    (Measure::P50, "p50"),
    (Measure::P90, "p90"),
    (Measure::P95, "p95"),
    (Measure::P99, "p99"),
    (Measure::Max, "max"),
    (Measure::Count, "count"),
    (Measure::Sent, "sent"),
    (Measure::Retried, "retried"),
    (Measure::Wrong, "wrong"),
    (Measure::Missing, "missing"),
    (Measure::GaveUp, "gave_up"),
];

const FLEET: [(&str, Kind); 19] = [
    ("planned", Kind::Count),
    ("started", Kind::Count),
    ("settled", Kind::Count),
    ("provisioned", Kind::Count),
    ("unverified", Kind::Count),
    ("partial", Kind::Count),
    ("failed", Kind::Count),
    ("interrupted", Kind::Count),
    ("not_started", Kind::Count),
    ("registered", Kind::Count),
    ("files", Kind::Count),
    ("requests", Kind::Count),
    ("retries", Kind::Count),
    ("abandoned", Kind::Count),
    ("wasted", Kind::Count),
    ("rounds", Kind::Count),
    ("rounds_failed", Kind::Count),
    ("lag", Kind::Time),
    ("elapsed", Kind::Time),
];

const PHONE: [(&str, Kind); 10] = [
    ("index", Kind::Count),
    ("mac", Kind::Text),
    ("profile", Kind::Text),
    ("fleet", Kind::Text),
    ("outcome", Kind::Text),
    ("wrong", Kind::Text),
    ("boot", Kind::Time),
    ("settled", Kind::Time),
    ("reboots", Kind::Count),
    ("soft_reboots", Kind::Count),
];

const STEP: [(&str, Kind); 8] = [
    ("planned", Kind::Count),
    ("unreachable", Kind::Count),
    ("registered", Kind::Count),
    ("accepted", Kind::Count),
    ("refused", Kind::Count),
    ("silent", Kind::Count),
    ("resynced", Kind::Count),
    ("ignored", Kind::Count),
];

/// Operators and functions of the language; building it takes longer than using it.
static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        (self.domain, &self.text) == (other.domain, &other.text)
    }
}

impl Domain {
    fn names(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Fleet => &FLEET,
            Self::Phone => &PHONE,
            Self::Step => &STEP,
        }
    }

    fn measures(self) -> &'static [(Measure, &'static str)] {
        match self {
            Self::Fleet => &MEASURES,
            Self::Phone | Self::Step => &[],
        }
    }

    /// The names that its expressions may have, in the order of the documentation.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let functions = self.measures().iter().map(|(_, word)| *word);
        self.names().iter().map(|(word, _)| *word).chain(functions)
    }
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Everything wrong with it: a syntax that is none, names and functions that the domain does
    /// not have, types that do not go together, a value that is not true or false, more than
    /// `BYTES_MAX` bytes.
    pub fn compile(domain: Domain, text: &str) -> Result<Self, Vec<Wrong>> {
        let (program, terms) = compile::program(&LANGUAGE, domain, text)?;
        let expression = Self {
            text: Arc::from(text),
            domain,
            program: Arc::new(program),
            terms: terms.into(),
        };
        match expression.tried() {
            Ok(()) => Ok(expression),
            Err(what) => Err(vec![Wrong { at: 0, what }]),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The stages that it names, and the byte at which each stands.
    pub fn stages(&self) -> impl Iterator<Item = (&str, usize)> {
        self.terms.iter().filter_map(|term| match term {
            Term::Call(_, stage, at) => Some((stage.as_str(), *at)),
            Term::Name(_) => None,
        })
    }

    /// What it comes to with these figures.
    #[must_use]
    pub fn evaluate(&self, figures: &Figures) -> Told {
        let result = self.execute(figures);
        let mut actual = self.actual(figures);
        let met = match result {
            Ok(Value::Bool(met)) => Some(met),
            Ok(_) => None,
            Err(fault) => {
                actual = compile::fault_text(&fault);
                None
            }
        };
        Told { met, actual }
    }

    fn execute(&self, figures: &Figures) -> Result<Value, ExecutionError> {
        let mut context = Context::with_env(Arc::clone(&LANGUAGE));
        let mut measured: HashMap<(Measure, String), Option<Value>> = HashMap::new();
        for term in &*self.terms {
            match term {
                Term::Name(name) => {
                    // A name without a value is one that the expression cannot be told with.
                    if let Some(value) = figures.values.get(name.as_str()) {
                        context.add_variable_from_value(name.as_str(), value.value());
                    }
                }
                Term::Call(measure, stage, _) => {
                    let value = figures.stages.get(stage).and_then(|it| measure.of(it));
                    measured.insert((*measure, stage.clone()), value.map(|it| it.value()));
                }
            }
        }
        let measured = Arc::new(measured);
        for (measure, word) in self.domain.measures() {
            let (measure, word) = (*measure, *word);
            let known = Arc::clone(&measured);
            let given = move |stage: Arc<String>| {
                let value = known.get(&(measure, stage.to_string())).cloned().flatten();
                value.ok_or_else(|| {
                    let message = format!("nothing was measured of stage \"{stage}\"");
                    ExecutionError::function_error(word, message)
                })
            };
            // None of these words is one of the language's own.
            let added = context.add_function(word, given);
            debug_assert!(added.is_ok(), "{word}");
        }
        self.program.execute(&context)
    }

    /// Whether it gives true or false, with any figures at all.
    fn tried(&self) -> Result<(), String> {
        let mut figures = Figures::default();
        for (name, kind) in self.domain.names() {
            figures.values.insert(name, kind.sample());
        }
        let second = Some(Duration::from_secs(1));
        for (stage, _) in self.stages() {
            let sample = Stage {
                p50: second,
                p90: second,
                p95: second,
                p99: second,
                max: second,
                ..Stage::default()
            };
            figures.stages.insert(stage.to_owned(), sample);
        }
        match self.execute(&figures) {
            Ok(Value::Bool(_)) => Ok(()),
            Ok(other) => Err(format!(
                "it gives {} (expected true or false: a comparison)",
                compile::kind_of(&other)
            )),
            Err(fault) if compile::depends_on_figures(&fault) => Ok(()),
            Err(fault) => Err(compile::fault_text(&fault)),
        }
    }

    fn actual(&self, figures: &Figures) -> String {
        let mut told: Vec<String> = Vec::new();
        for term in &*self.terms {
            let (name, value) = match term {
                Term::Name(name) => (name.clone(), figures.values.get(name.as_str()).cloned()),
                Term::Call(measure, stage, _) => {
                    let value = figures.stages.get(stage).and_then(|it| measure.of(it));
                    (format!("{}(\"{stage}\")", measure.word()), value)
                }
            };
            let value = value.map_or_else(|| "not measured".to_owned(), |it| it.text());
            let one = format!("{name} = {value}");
            if !told.contains(&one) {
                told.push(one);
            }
        }
        told.join(", ")
    }
}

impl Quantity {
    fn value(&self) -> Value {
        match self {
            Self::Count(count) => Value::Int(i64::try_from(*count).unwrap_or(i64::MAX)),
            Self::Time(time) => {
                let longest = chrono::TimeDelta::MAX;
                Value::Duration(chrono::TimeDelta::from_std(*time).unwrap_or(longest))
            }
            Self::Text(text) => Value::String(Arc::new(text.clone().into_owned())),
        }
    }

    /// As people read it: `4,998`, `7.25 s`, `provisioned`.
    fn text(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Time(time) => {
                let seconds = time.as_secs_f64();
                let text = format!("{seconds:.3}");
                let short = text.trim_end_matches('0').trim_end_matches('.');
                format!("{short} s")
            }
            Self::Text(text) => format!("'{text}'"),
        }
    }
}

impl Kind {
    fn sample(self) -> Quantity {
        match self {
            Self::Count => Quantity::Count(1),
            Self::Time => Quantity::Time(Duration::from_secs(1)),
            Self::Text => Quantity::Text(Cow::Borrowed("x")),
        }
    }
}

impl Measure {
    fn of(self, stage: &Stage) -> Option<Quantity> {
        let time = |time: Option<Duration>| time.map(Quantity::Time);
        match self {
            Self::P50 => time(stage.p50),
            Self::P90 => time(stage.p90),
            Self::P95 => time(stage.p95),
            Self::P99 => time(stage.p99),
            Self::Max => time(stage.max),
            Self::Count => Some(Quantity::Count(stage.answered)),
            Self::Sent => Some(Quantity::Count(stage.sent)),
            Self::Retried => Some(Quantity::Count(stage.retried)),
            Self::Wrong => Some(Quantity::Count(stage.wrong)),
            Self::Missing => Some(Quantity::Count(stage.missing)),
            Self::GaveUp => Some(Quantity::Count(stage.gave_up)),
        }
    }

    fn word(self) -> &'static str {
        let known = MEASURES.iter().find(|(measure, _)| *measure == self);
        known.map_or("", |(_, word)| word)
    }
}

#[cfg(test)]
mod tests;
