//! What of a phone nobody saw, and what that leaves open of a case.

use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_scenarios::suite::{Case, Quantity, Wanted};

/// Why a case that was kept, as far as anybody saw, is not known to be.
pub(crate) const ABSENT: &str =
    "as expected in what was seen; what the case says must not come may be in what was not";
/// How the names of messages begin that TLS may hide.
const IN_TLS: [&str; 3] = ["http.", "sip.", "tcp."];
/// How the names of messages begin of which segments may be missing.
const IN_SEGMENTS: [&str; 4] = ["http.", "sip.", "tcp.", "ftp."];
/// How a judge's words begin for what did not come.
const TOO_FEW: [&str; 5] = ["no ", "none ", "nothing ", "there is ", "there are "];

/// Why not everything of a phone was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gaps {
    /// TLS connections, which hide what they carry.
    pub secured: usize,
    /// Segments of its connections that the capture does not have.
    pub segments: u64,
    /// What else may be missing, in words: packets of any kind.
    pub others: Vec<String>,
    /// Why more may have come after what was seen.
    pub end: Option<String>,
}

/// How a case was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decided {
    /// It was kept.
    Kept,
    /// It was broken for want of something.
    Lacking,
    /// It was broken by what was seen.
    Broken,
}

impl Decided {
    /// How one was broken, by what was found in place of what was expected.
    pub(crate) fn broken(actual: &str, has_evidence: bool) -> Self {
        match has_evidence && !TOO_FEW.iter().any(|words| actual.starts_with(words)) {
            true => Self::Broken,
            false => Self::Lacking,
        }
    }
}

impl Gaps {
    /// What a report says of them; nothing where everything was seen.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.tls());
        all.extend(self.lost());
        all.extend(self.others.iter().cloned());
        all.extend(self.end.clone());
        all
    }

    /// Why a case need not be as it looks; nothing where what was not seen makes no difference.
    pub(crate) fn doubt(&self, case: &Case, decided: Decided) -> Option<String> {
        if is_certain(case, decided) {
            return None;
        }
        let named = |names: &[&str]| match decided {
            Decided::Kept => absences(case).any(|wanted| is_named(wanted, names)),
            Decided::Lacking | Decided::Broken => case.wanted().any(|it| is_named(it, names)),
        };
        let end = self.end.clone().filter(|_| decided != Decided::Broken);
        end.or_else(|| (!self.others.is_empty()).then(|| self.others.join("; ")))
            .or_else(|| self.tls().filter(|_| named(&IN_TLS)))
            .or_else(|| self.lost().filter(|_| named(&IN_SEGMENTS)))
    }

    /// Takes back what they leave open of a result: a breach, and that something never came.
    pub(crate) fn take_back(&self, case: &Case, result: &mut CaseResult) {
        let (decided, reason) = match result.verdict {
            CaseVerdict::Fail => {
                let decided = Decided::broken(&result.actual, !result.evidence.is_empty());
                (decided, result.reason.as_str())
            }
            CaseVerdict::Pass => (Decided::Kept, ABSENT),
            _ => return,
        };
        if let Some(doubt) = self.doubt(case, decided) {
            result.reason = format!("{doubt}: {reason}");
            result.verdict = CaseVerdict::Inconclusive;
        }
    }

    fn tls(&self) -> Option<String> {
        let count = self.secured;
        (count > 0).then(|| format!("nobody sees what is inside its {count} TLS connections"))
    }

    fn lost(&self) -> Option<String> {
        let count = self.segments;
        (count > 0).then(|| format!("the capture lacks {count} segments of its connections"))
    }
}

/// Whether a case stays as it is, whatever else there was.
pub(crate) fn is_certain(case: &Case, decided: Decided) -> bool {
    decided == Decided::Kept && absences(case).next().is_none()
}

/// The lines of a case that hold because something is not there: of "every", one that is wrong.
fn absences(case: &Case) -> impl Iterator<Item = &Wanted> {
    case.wanted().filter(|wanted| match wanted.quantity {
        Quantity::Never { .. } | Quantity::Every => true,
        Quantity::Count { max, .. } => max < u64::MAX,
        Quantity::Next { .. } => false,
    })
}

fn is_named(wanted: &Wanted, beginnings: &[&str]) -> bool {
    beginnings
        .iter()
        .any(|beginning| wanted.name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use bootstorm_scenarios::suite::{self, Suite};

    use super::*;
    use crate::certify;

    fn case<'a>(suites: &'a [Suite], id: &str) -> &'a Case {
        let mut cases = suites.iter().flat_map(|suite| &suite.cases);
        cases.find(|case| case.id == id).expect(id)
    }

    #[test]
    fn a_case_is_in_doubt_where_what_was_not_seen_may_decide_it() {
        let suites = suite::read_built_in().expect("sound suites");
        let tls = Gaps {
            secured: 1,
            ..Gaps::default()
        };
        let segments = Gaps {
            segments: 1,
            ..Gaps::default()
        };
        let frames = Gaps {
            others: vec!["eth0: 3 frames were dropped".to_owned()],
            ..Gaps::default()
        };
        let end = Gaps {
            end: Some("it ends".to_owned()),
            ..Gaps::default()
        };
        // One request by HTTP and no other; no request by TFTP; requests by TFTP in their order.
        let http = "gigaset/a-link-to-a-file-is-one-request";
        let tftp = "flyingvoice/comments-are-not-includes";
        let every = "flyingvoice/no-leading-slash";
        let positive = "flyingvoice/names-are-tried-in-order";
        for (id, decided, doubted) in [
            (http, Decided::Kept, [true, true, true, true]),
            (http, Decided::Lacking, [true, true, true, true]),
            (http, Decided::Broken, [true, true, true, false]),
            (tftp, Decided::Kept, [false, false, true, true]),
            (every, Decided::Kept, [false, false, true, true]),
            (positive, Decided::Kept, [false; 4]),
            (positive, Decided::Lacking, [false, false, true, true]),
            (positive, Decided::Broken, [false, false, true, false]),
        ] {
            let case = case(&suites, id);
            let gaps = [&tls, &segments, &frames, &end];
            let told = gaps.map(|gaps| gaps.doubt(case, decided).is_some());
            assert_eq!(told, doubted, "{id} {decided:?}");
            assert_eq!(Gaps::default().doubt(case, decided), None);
        }
    }

    #[test]
    fn what_was_not_seen_takes_back_that_something_never_came() {
        let suites = suite::read_built_in().expect("sound suites");
        let after = |id: &str, gaps: &Gaps| {
            let case = case(&suites, id);
            let mut result = certify::told(case, CaseVerdict::Pass, String::new());
            gaps.take_back(case, &mut result);
            (result.verdict, result.reason)
        };
        let gaps = Gaps {
            others: vec!["eth0: 3 frames were dropped".to_owned()],
            ..Gaps::default()
        };
        let (verdict, reason) = after("flyingvoice/comments-are-not-includes", &gaps);
        assert_eq!(verdict, CaseVerdict::Inconclusive);
        assert!(
            reason.starts_with("eth0: 3 frames were dropped: as"),
            "{reason}"
        );
        for (id, gaps) in [
            ("flyingvoice/comments-are-not-includes", &Gaps::default()),
            ("flyingvoice/names-are-tried-in-order", &gaps),
        ] {
            assert_eq!(after(id, gaps).0, CaseVerdict::Pass, "{id}");
        }
    }

    #[test]
    fn what_was_dropped_is_told_before_what_is_hidden() {
        let gaps = Gaps {
            secured: 2,
            segments: 1,
            others: vec!["2 of its packets were cut".to_owned()],
            end: None,
        };
        assert_eq!(
            gaps.sentences(),
            [
                "nobody sees what is inside its 2 TLS connections",
                "the capture lacks 1 segments of its connections",
                "2 of its packets were cut",
            ]
        );
    }
}
