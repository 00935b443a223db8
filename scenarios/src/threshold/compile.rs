//! From text to a program: syntax, names and functions, each fault at its byte.

use bootstorm_emulator::located::nearest;
use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::{Env, ExecutionError, Program, Value};

use super::{BYTES_MAX, Domain, Term, Wrong};

/// Brackets and conditions within each other; the parser calls itself for each.
const DEPTH_MAX: usize = 24;
/// Operators of one expression; evaluating calls itself for each.
const OPERATORS_MAX: usize = 60;
/// Functions of the language that may be used.
const OWN: [&str; 9] = [
    "duration",
    "double",
    "int",
    "uint",
    "string",
    "size",
    "startsWith",
    "endsWith",
    "contains",
];

/// How the parser begins to tell of a word that it did not expect, and how that is told here.
const UNEXPECTED: [(&str, &str); 4] = [
    ("mismatched input ", "is not expected here"),
    ("extraneous input ", "is not expected here"),
    ("no viable alternative at input ", "is not expected here"),
    (
        "token recognition error at: ",
        "is not part of the language",
    ),
];

/// A text that has a meaning, and the names in it.
pub(super) fn program(
    language: &Env,
    domain: Domain,
    text: &str,
) -> Result<(Program, Vec<Term>), Vec<Wrong>> {
    if let Some(wrong) = too_much(text) {
        return Err(vec![wrong]);
    }
    let program = language.compile(text).map_err(|faults| {
        let syntax = faults.errors.iter().map(|fault| Wrong {
            at: byte_of(text, fault.pos),
            what: syntax_text(&fault.msg),
        });
        syntax.collect::<Vec<_>>()
    })?;
    let mut walk = Walk {
        domain,
        text,
        passed: 0,
        terms: Vec::new(),
        wrong: Vec::new(),
    };
    walk.expression(program.expression());
    if walk.wrong.is_empty() {
        Ok((program, walk.terms))
    } else {
        Err(walk.wrong)
    }
}

/// What would make parsing or evaluating too deep.
fn too_much(text: &str) -> Option<Wrong> {
    let wrong = |at, what: String| Some(Wrong { at, what });
    if text.trim().is_empty() {
        return wrong(
            0,
            "no expression (expected one such as provisioned == planned)".to_owned(),
        );
    }
    if text.len() > BYTES_MAX {
        return wrong(
            BYTES_MAX,
            format!("expression is longer than {BYTES_MAX} bytes"),
        );
    }
    let (mut depth, mut operators) = (0_usize, 0_usize);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' | '{' | '?' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '!' | '-' | '+' | '*' | '/' | '%' | '<' | '>' | '=' | '&' | '|' | '.' => operators += 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return wrong(
                at,
                format!("more than {DEPTH_MAX} brackets within each other"),
            );
        }
        if operators > OPERATORS_MAX {
            return wrong(at, format!("more than {OPERATORS_MAX} signs of operators"));
        }
    }
    None
}

/// The byte that a line and a column, both from 1, stand for.
fn byte_of(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    let column = usize::try_from(column - 1).unwrap_or(0);
    let within = rest.char_indices().nth(column).map(|(at, _)| at);
    before + within.unwrap_or(rest.len())
}

/// The parser's words, shorter and in lower case.
fn syntax_text(message: &str) -> String {
    let message = message.trim();
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let short = message.split(" expecting ").next().unwrap_or(message);
    let short = short.replace('\n', " ");
    for (opening, closing) in UNEXPECTED {
        if let Some(found) = short.strip_prefix(opening) {
            return match found {
                "'<EOF>'" => "it ends where a value, a name or a bracket is expected".to_owned(),
                found => format!("{found} {closing}"),
            };
        }
    }
    let short = short.replace("'<EOF>'", "the end");
    let mut letters = short.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// Goes through an expression in the order of its text.
struct Walk<'a> {
    domain: Domain,
    text: &'a str,
    /// Names are looked for from here on, and from the beginning where that is in vain.
    passed: usize,
    terms: Vec<Term>,
    wrong: Vec<Wrong>,
}

impl Walk<'_> {
    fn expression(&mut self, node: &IdedExpr) {
        match &node.expr {
            Expr::Ident(name) => self.name(name),
            Expr::Call(call) => {
                if let Some(target) = &call.target {
                    self.expression(target);
                }
                if self.function(&call.func_name, &call.args) {
                    call.args
                        .iter()
                        .for_each(|argument| self.expression(argument));
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|it| self.expression(it)),
            Expr::Literal(_) => {}
            Expr::Comprehension(_) => {
                self.fault(
                    0,
                    "'all', 'exists', 'map' and 'filter' are not to be had here",
                );
            }
            Expr::Select(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.fault(0, "fields, maps and messages are not to be had here");
            }
        }
    }

    fn fault(&mut self, at: usize, what: impl Into<String>) {
        let what = what.into();
        self.wrong.push(Wrong { at, what });
    }

    fn name(&mut self, name: &str) {
        let at = self.find(name);
        let known = self.domain.names();
        if known.iter().any(|(word, _)| *word == name) {
            return self.terms.push(Term::Name(name.to_owned()));
        }
        let mut functions = self.domain.measures().iter();
        if functions.any(|(_, word)| *word == name) {
            return self.fault(at, format!("'{name}' needs a stage: {name}(\"boot\")"));
        }
        let words = known.iter().map(|(word, _)| *word);
        self.fault(at, unknown("name", name, words));
    }

    /// True when what it is called with is to be looked at too.
    fn function(&mut self, name: &str, arguments: &[IdedExpr]) -> bool {
        let is_operator = !name.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if is_operator || OWN.contains(&name) {
            return true;
        }
        let at = self.find(name);
        let mut known = self.domain.measures().iter();
        let Some((measure, _)) = known.find(|(_, word)| *word == name) else {
            let words = self.domain.measures().iter().map(|(_, word)| *word);
            self.fault(at, unknown("function", name, words.chain(OWN)));
            return false;
        };
        let stage = match arguments {
            [one] => match &one.expr {
                Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
                _ => None,
            },
            _ => None,
        };
        match stage {
            Some(stage) => {
                let at = self.find(&stage);
                self.terms.push(Term::Call(*measure, stage, at));
            }
            None => self.fault(
                at,
                format!("{name}() takes one stage in quotes: {name}(\"boot\")"),
            ),
        }
        false
    }

    /// The byte at which a word stands: the next one, or the first.
    fn find(&mut self, word: &str) -> usize {
        let at = whole(self.text, word, self.passed).or_else(|| whole(self.text, word, 0));
        if let Some(at) = at {
            self.passed = at + word.len();
        }
        at.unwrap_or(0)
    }
}

/// The next place of a word that is no part of a longer one.
fn whole(text: &str, word: &str, from: usize) -> Option<usize> {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let places = text.get(from..)?.match_indices(word);
    let mut places = places.map(|(at, _)| from + at);
    places.find(|at| {
        let before = text.get(..*at).and_then(|it| it.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|it| it.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

fn unknown(kind: &str, word: &str, known: impl Iterator<Item = &'static str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("unknown {kind} '{word}'; did you mean '{near}'?"),
        None => {
            let known: Vec<_> = known.collect();
            format!(
                "unknown {kind} '{word}' (expected one of {})",
                known.join(", ")
            )
        }
    }
}

/// Whether a fault comes of the figures, not of the expression.
pub(super) fn depends_on_figures(fault: &ExecutionError) -> bool {
    matches!(
        fault,
        ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
    )
}

/// What kind of value it is, for people.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::Duration(_) => "a time",
        Value::String(_) => "a text",
        Value::Bool(_) => "true or false",
        _ => "a value of another kind",
    }
}

/// What went wrong in evaluating, for people.
pub(super) fn fault_text(fault: &ExecutionError) -> String {
    match fault {
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        ExecutionError::UndeclaredReference(name) => format!("'{name}' has no value"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "a division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number that is too large".to_owned(),
        ExecutionError::NoSuchOverload(fault) => {
            let kinds = fault.argument_types().iter().map(|it| kind_named(it));
            operands(fault.function(), &kinds.collect::<Vec<_>>())
        }
        ExecutionError::UnsupportedBinaryOperator(sign, one, two) => {
            operands(sign, &[kind_of(one), kind_of(two)])
        }
        ExecutionError::ValuesNotComparable(one, two) => {
            operands("comparison", &[kind_of(one), kind_of(two)])
        }
        other => other.to_string().replace('\n', " "),
    }
}

fn operands(sign: &str, kinds: &[&str]) -> String {
    let sign = sign.trim_matches('_');
    let hint = match kinds.contains(&"a time") && kinds.contains(&"a number") {
        true => "; a time is written duration(\"5s\")",
        false => "",
    };
    format!("'{sign}' does not go with {}{hint}", kinds.join(" and "))
}

fn kind_named(name: &str) -> &'static str {
    match name {
        "int" | "uint" | "double" => "a number",
        "google.protobuf.Duration" => "a time",
        "string" => "a text",
        "bool" => "true or false",
        _ => "a value of another kind",
    }
}
