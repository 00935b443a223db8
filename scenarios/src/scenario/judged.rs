//! What is judged, and by what: `[subject]`, `[expect]`, `[[threshold]]`, `thresholds`.

use std::time::Duration;

use bootstorm_emulator::located::{Place, Reader, Slot};

use crate::threshold::{Condition, Domain, Expected, Expression, Threshold};

/// Endpoints that a scenario may name: the key, which is its URL's scheme too.
const SERVICES: [&str; 7] = ["dhcp", "tftp", "ftp", "http", "https", "ntp", "sip"];
/// The auto-configuration server, whose URL is an `http` or `https` one.
const ACS: &str = "acs";

/// An endpoint of the server to judge, as a scenario gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// As on the command line: a URL, behind `acs=` that of an auto-configuration server.
    pub text: String,
    /// Where the scenario says so.
    pub at: Place,
}

/// How phones are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attach {
    /// The kernel's loopback: each phone its own 127.x.y.z.
    #[default]
    Loopback,
    /// A simulated network in virtual time, repeatable from its seed.
    Memory,
    /// A real segment: each phone with its own MAC and a lease of its own.
    Lan,
    /// A real DHCP server some hops away, in relay form.
    Relay,
}

impl Attach {
    /// Every attachment with its word.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Loopback, "loopback"),
        (Self::Memory, "memory"),
        (Self::Lan, "lan"),
        (Self::Relay, "relay"),
    ];
}

/// `[subject]`
pub(super) fn subject(root: &Reader<'_>) -> Vec<Given> {
    let Some(table) = root.may("subject").table() else {
        return Vec::new();
    };
    let mut given = Vec::new();
    for service in SERVICES {
        let slot = table.may(service);
        let Some(url) = slot.text() else { continue };
        if !url
            .split_once("://")
            .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(service))
        {
            slot.unexpected(format!("a URL that begins with {service}://"));
            continue;
        }
        given.push(Given {
            text: url.to_owned(),
            at: slot.place(),
        });
    }
    let slot = table.may(ACS);
    if let Some(url) = slot.text() {
        given.push(Given {
            text: format!("{ACS}={url}"),
            at: slot.place(),
        });
    }
    given
}

/// `[expect]`, `[[threshold]]` and `thresholds`, in this order.
pub(super) fn expected(root: &Reader<'_>, deadline: Duration) -> Expected {
    let phone = root.may("expect").table().map_or_else(Vec::new, |table| {
        conditions(&table.may("phone"), Domain::Phone)
    });
    let tables = root.may("threshold").tables();
    let mut thresholds: Vec<_> = tables
        .iter()
        .filter_map(|table| threshold(table, deadline))
        .collect();
    let short = conditions(&root.may("thresholds"), Domain::Fleet).into_iter();
    thresholds.extend(short.map(|that| Threshold {
        that,
        abort: false,
        after: Duration::ZERO,
    }));
    Expected { phone, thresholds }
}

fn threshold(table: &Reader<'_>, deadline: Duration) -> Option<Threshold> {
    let abort = table.may("abort").switch().unwrap_or_default();
    let after = table.may("after_s");
    let time = after.duration().unwrap_or_default();
    if after.is_given() && !abort {
        after.fault(format!("'{}' without abort = true", after.name()));
    } else if time >= deadline && after.is_given() {
        let end = deadline.as_secs_f64();
        after.fault(format!(
            "'{}' is not before the run's deadline of {end} s",
            after.name()
        ));
    }
    Some(Threshold {
        that: condition(&table.need("that"), Domain::Fleet)?,
        abort,
        after: time,
    })
}

/// A list of expressions; none where it is missing.
pub(super) fn conditions(slot: &Slot<'_>, domain: Domain) -> Vec<Condition> {
    let items = slot.list();
    items
        .iter()
        .filter_map(|item| condition(item, domain))
        .collect()
}

fn condition(slot: &Slot<'_>, domain: Domain) -> Option<Condition> {
    let text = slot.text()?;
    match Expression::compile(domain, text) {
        Ok(expression) => {
            let stages = expression.stages();
            let stages = stages.map(|(stage, at)| (stage.to_owned(), Some(slot.place_at(at))));
            Some(Condition {
                stages: stages.collect(),
                expression,
            })
        }
        Err(wrong) => {
            for wrong in wrong {
                slot.fault_at(wrong.at, format!("'{}': {}", slot.name(), wrong.what));
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn with(lines: &str) -> Result<crate::scenario::Scenario, String> {
        let text = format!(
            "name = \"x\"\n{lines}\n[[fleet]]\nname = \"f\"\nphones = 1\nsource = \"dhcp\"\n\
             transport = \"http\"\nlayout = \"l\"\nprofiles.\"a/b\" = 1\n"
        );
        read("x.toml", &text).map_err(|faults| faults.to_string())
    }

    #[test]
    fn reads_what_is_judged_and_by_what() {
        let scenario = with(
            "attach = \"memory\"\nthresholds = ['failed == 0']\n[subject]\n\
             tftp = \"tftp://127.0.0.1:6969\"\nacs = \"http://127.0.0.1:7547/acs\"\n\
             [expect]\nphone = [\"outcome == 'provisioned'\"]\n[[threshold]]\n\
             that = 'p99(\"boot\") < duration(\"5s\")'\nabort = true\nafter_s = 10\n",
        );
        let scenario = scenario.unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(scenario.attach, Some(Attach::Memory));
        let texts: Vec<_> = scenario.subject.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(
            texts,
            ["tftp://127.0.0.1:6969", "acs=http://127.0.0.1:7547/acs"]
        );
        assert_eq!(scenario.expected.phone.len(), 1);
        let [abort, short] = &scenario.expected.thresholds[..] else {
            panic!("two thresholds");
        };
        assert!(abort.abort && !short.abort);
        assert_eq!(abort.after, Duration::from_secs(10));
        let (stage, at) = &abort.that.stages[0];
        let at = at.as_ref().map(ToString::to_string);
        assert_eq!(
            (stage.as_str(), at.as_deref()),
            ("boot", Some("x.toml:10:14"))
        );
    }

    #[test]
    fn says_what_is_wrong_at_line_and_column() {
        for (lines, told) in [
            (
                "thresholds = ['failed == 0', 'fialed == 0']",
                "x.toml:2:31: 'thresholds[1]': unknown name 'fialed'; did you mean 'failed'?",
            ),
            (
                "[expect]\nphone = [\"outcome = 'provisioned'\"]",
                "x.toml:3:19: 'expect.phone[0]': ",
            ),
            (
                "[[threshold]]\nabort = true",
                "missing key 'threshold[0].that'",
            ),
            (
                "[[threshold]]\nthat = 'failed == 0'\nafter_s = 1",
                "'threshold[0].after_s' without abort = true",
            ),
            (
                "[[threshold]]\nthat = 'failed == 0'\nabort = true\nafter_s = 500",
                "not before the run's deadline of 120 s",
            ),
            (
                "[subject]\ntftp = \"http://127.0.0.1\"",
                "expected a URL that begins with tftp://",
            ),
            (
                "[subject]\ntfpt = \"tftp://127.0.0.1\"",
                "did you mean 'tftp'?",
            ),
            (
                "attach = \"lop\"",
                "expected one of loopback, memory, lan, relay",
            ),
        ] {
            let faults = with(lines).expect_err(lines);
            assert!(faults.contains(told), "{lines}: {faults}");
        }
    }
}
