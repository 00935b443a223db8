//! Which clause speaks of what: the cases of a suite say of which messages and fields they are.

use std::cmp::Reverse;
use std::time::Duration;

use bootstorm_emulator::time::Moment;
use bootstorm_reports::twin::{Aspect, Cited};
use bootstorm_scenarios::clause::Register;
use bootstorm_scenarios::matcher::Fill;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::suite::{Case, Quantity, Side, Suite, Wanted, WireLine};
use bootstorm_scenarios::wire::Way;
use bootstorm_scenarios::wire::message::Message;

/// Clauses cited for one difference.
const CITED_MAX: usize = 3;
/// Fields that say which message is meant.
const NAMING: [&str; 6] = ["file", "target", "path", "uri", "method", "event"];

/// The cases of the phones' suite of a vendor.
pub(super) struct Laws<'a> {
    lines: Vec<Law<'a>>,
    register: Register,
    plan: &'a Plan,
    phone: Option<PhonePlan>,
    server: String,
}

/// A line of a case about what a phone sends.
struct Law<'a> {
    case: &'a Case,
    wanted: &'a Wanted,
    /// The name of the message that the case expects before it; `None` = power-on.
    before: Option<&'a str>,
}

impl Law<'_> {
    /// Whether its case is about when messages come, or about what follows a first boot.
    fn is_about_more(&self) -> bool {
        let scenario = self.case.scenario.as_ref();
        let goes_on = scenario.is_some_and(|it| !it.steps.is_empty() || !it.lasts.is_zero());
        goes_on || self.case.wanted().any(|wanted| wanted.within.is_some())
    }

    /// How many messages of this name its case names.
    fn alike(&self) -> usize {
        let alike = self.case.wanted().filter(|wanted| {
            let next = matches!(wanted.quantity, Quantity::Next { .. });
            next && wanted.name == self.wanted.name && names(wanted)
        });
        alike.count()
    }

    /// How many clauses its case rests on.
    fn clauses(&self) -> usize {
        self.case.clauses.len()
    }
}

/// How long after the message before it a message comes, as a case has it.
pub(super) struct Band {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) clauses: Vec<Cited>,
}

impl<'a> Laws<'a> {
    pub(super) fn of(suites: &'a [Suite], suite: &str, plan: &'a Plan) -> Self {
        let about = suites
            .iter()
            .filter(|it| it.side == Side::Phone && it.name == suite);
        let cases = about.flat_map(|suite| &suite.cases);
        let lines = cases.flat_map(|case| {
            let mut before = None;
            case.wire.iter().filter_map(move |line| {
                let WireLine::Wanted(wanted) = line else {
                    before = None;
                    return None;
                };
                let law = Law {
                    case,
                    wanted,
                    before,
                };
                if matches!(wanted.quantity, Quantity::Next { .. }) {
                    before = Some(wanted.name.as_str());
                }
                (wanted.way == Way::Sent).then_some(law)
            })
        });
        Self {
            lines: lines.collect(),
            register: Register::built_in().unwrap_or_default(),
            plan,
            phone: plan.phone(0),
            server: plan.server.to_string(),
        }
    }

    /// The clauses that speak of a field of a message, or of its coming at all.
    pub(super) fn clauses(&self, aspect: Aspect, field: &str, message: &Message) -> Vec<Cited> {
        let of_name = || {
            self.lines
                .iter()
                .filter(|law| law.wanted.name == message.name)
        };
        let found = match aspect {
            // A message that is or is not there, comes elsewhere or has another name: the case that
            // is about it, and names most of its like.
            Aspect::Missing | Aspect::Extra | Aspect::Order | Aspect::Name => of_name()
                .filter(|law| names(law.wanted) && self.fits(law.wanted, message))
                .min_by_key(|law| {
                    let passed = matches!(law.wanted.quantity, Quantity::Next { skip: true, .. });
                    let more = law.is_about_more() || passed;
                    (more, Reverse(law.alike()), law.clauses())
                }),
            _ => of_name()
                .filter(|law| speaks_of(law.wanted, field))
                .min_by_key(|law| law.clauses()),
        };
        found.map_or_else(Vec::new, |law| self.cited(law))
    }

    /// Within which time a message comes after the one before it, where a case says so.
    pub(super) fn band(&self, message: &Message, before: Option<&Message>) -> Option<Band> {
        let before = before.map(|it| it.name.as_ref());
        let about = |law: &&Law<'_>| {
            let same = law.wanted.name == message.name && law.before == before;
            same && self.fits(law.wanted, message)
        };
        let mut about = self.lines.iter().filter(about);
        about.find_map(|law| {
            let within = law.wanted.within.as_ref().filter(|it| it.mark.is_none())?;
            Some(Band {
                from: within.from,
                to: within.to,
                clauses: self.cited(law),
            })
        })
    }

    fn cited(&self, law: &Law<'_>) -> Vec<Cited> {
        let ids = law.case.clauses.iter().take(CITED_MAX);
        let cited = ids.filter_map(|id| {
            let clause = self.register.find(id).ok()?;
            Some(Cited {
                id: id.clone(),
                says: clause.says.clone(),
            })
        });
        cited.collect()
    }

    fn fits(&self, wanted: &Wanted, message: &Message) -> bool {
        let Some(phone) = &self.phone else {
            return false;
        };
        let fill = Fill {
            vars: self.plan.vars(phone),
            server: &self.server,
            root: self.plan.fleet(phone).map_or("", |fleet| &fleet.root),
        };
        // What a line says of other things than the message's name does not matter here.
        let bare = Message {
            at: Moment::ZERO,
            ..message.clone()
        };
        let misfit = wanted.with.misfit(&bare, &fill);
        misfit.is_none_or(|misfit| !NAMING.contains(&misfit.field.as_str()))
    }
}

/// Whether a line says which message is meant.
fn names(wanted: &Wanted) -> bool {
    let named = wanted.with.names().any(|name| NAMING.contains(&name));
    named || wanted.with.names().next().is_none()
}

fn speaks_of(wanted: &Wanted, field: &str) -> bool {
    let compared = wanted.compared.iter().map(|it| it.field.as_str());
    wanted.with.names().chain(compared).any(|name| {
        let bare = name.strip_suffix(".hex").unwrap_or(name);
        bare == field
    })
}
