//! What `bootstorm judge` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bootstorm_reports::case::{CaseCounts, CaseResult, CaseVerdict};
use bootstorm_reports::json;

use super::super::{Shared, print};
use super::{Found, JudgeArguments};
use crate::observe::Secured;

/// Says what was found of phones, and of those that fit no profile.
pub(super) fn tell(
    shared: &Shared,
    arguments: &JudgeArguments,
    (found, others): (&[Found], &[String]),
    notes: &[String],
) {
    for note in notes {
        eprintln!("bootstorm: {note}");
    }
    if arguments.json {
        print(&as_json(found, others, notes));
        return;
    }
    let mut text = String::new();
    for phone in found {
        head(&mut text, phone);
        if !shared.quiet {
            body(&mut text, phone, arguments.exchange);
        }
    }
    if !shared.quiet {
        for other in others {
            let _ = writeln!(text, "{other}");
        }
        match found {
            [] => text.push_str("no phone was judged\n"),
            [_] => place(&mut text, arguments, ""),
            _ => place(&mut text, arguments, "MAC/"),
        }
    }
    print(&text);
}

/// What can be seen of a TLS connection, in words.
pub(super) fn secured(secured: &Secured) -> String {
    let name = secured.name.as_ref();
    let name = name.map_or_else(String::new, |name| format!(" for {name}"));
    let version = match secured.version {
        Some(0x0301) => ", TLS 1.0",
        Some(0x0302) => ", TLS 1.1",
        Some(0x0303) => ", TLS 1.2",
        Some(0x0304) => ", TLS 1.3",
        _ => "",
    };
    let fault = secured.fault.as_ref();
    let fault = fault.map_or_else(String::new, |fault| format!(", {fault}"));
    format!("TLS to {}{name}{version}{fault}", secured.peer)
}

fn head(text: &mut String, phone: &Found) {
    let counts = CaseCounts::new(&phone.results);
    let (fit, name) = (&phone.fit, &phone.fit.profile.name);
    let _ = writeln!(
        text,
        "{} {name}, {} %: {}\n  {} cases kept, {} broken, {} not to be told from {} packets in \
         {:.1} s",
        phone.mac,
        fit.score,
        fit.reasons(),
        counts.of(CaseVerdict::Pass),
        counts.of(CaseVerdict::Fail),
        counts.of(CaseVerdict::Inconclusive),
        phone.packets,
        phone.span.as_secs_f64(),
    );
}

fn body(text: &mut String, phone: &Found, exchange: bool) {
    let of = |verdict| phone.results.iter().filter(move |it| it.verdict == verdict);
    for line in &phone.secured {
        let _ = writeln!(text, "  {line}");
    }
    clauses(text, "kept", of(CaseVerdict::Pass));
    clauses(text, "broken", of(CaseVerdict::Fail));
    for case in of(CaseVerdict::Fail) {
        let _ = writeln!(
            text,
            "  BROKEN {} ({})\n    {}",
            case.id,
            case.cited(),
            case.reason
        );
        if exchange {
            for (decided, line) in case.lines() {
                let _ = writeln!(text, "    {} {line}", if decided { '>' } else { ' ' });
            }
        }
    }
    if exchange {
        for case in of(CaseVerdict::Pass) {
            let _ = writeln!(text, "  kept {} ({})", case.id, case.cited());
        }
        for case in of(CaseVerdict::Inconclusive) {
            let _ = writeln!(text, "  not told {}: {}", case.id, case.reason);
        }
        return;
    }
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for case in of(CaseVerdict::Inconclusive) {
        *reasons.entry(&case.reason).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    for (reason, count) in reasons.iter().take(5) {
        let _ = writeln!(text, "  not told, {count}: {reason}");
    }
    if reasons.len() > 5 {
        let _ = writeln!(
            text,
            "  and for {} more reasons (--exchange shows all)",
            reasons.len() - 5
        );
    }
}

/// The clauses of cases, each once.
fn clauses<'a>(text: &mut String, what: &str, cases: impl Iterator<Item = &'a CaseResult>) {
    let clauses: BTreeSet<&str> = cases
        .flat_map(|case| case.clauses.iter().map(String::as_str))
        .collect();
    if !clauses.is_empty() {
        let clauses: Vec<&str> = clauses.into_iter().collect();
        let _ = writeln!(text, "  clauses {what}: {}", clauses.join(", "));
    }
}

fn place(text: &mut String, arguments: &JudgeArguments, below: &str) {
    for name in ["report.json", "report.html"] {
        let path = arguments.out.join(format!("{below}{name}"));
        let _ = writeln!(text, "report: {}", path.display());
    }
}

/// One object: the phones with their fits and reports, who was not judged, what was not read.
fn as_json(found: &[Found], others: &[String], notes: &[String]) -> String {
    let phones = found.iter().map(|phone| {
        let compared = phone.fit.compared.iter().map(|it| {
            format!(
                "{{\"aspect\":{},\"seen\":{},\"expected\":{},\"likeness\":{}}}",
                quoted(it.aspect.word()),
                quoted(&it.seen),
                quoted(&it.expected),
                it.likeness
            )
        });
        let mut report = Vec::new();
        if let Some(written) = &phone.report {
            // A vector takes everything.
            let _ = json::write(written, &mut report);
        }
        let report = String::from_utf8(report).unwrap_or_default();
        format!(
            "{{\"mac\":{},\"profile\":{},\"fit\":{},\"compared\":[{}],\"tls\":[{}],\"report\":{}}}",
            quoted(&phone.mac.to_string()),
            quoted(&phone.fit.profile.name),
            phone.fit.score,
            compared.collect::<Vec<_>>().join(","),
            list(&phone.secured),
            if report.is_empty() {
                "null"
            } else {
                report.trim_end()
            }
        )
    });
    let phones: Vec<String> = phones.collect();
    format!(
        "{{\"phones\":[{}],\"not_judged\":[{}],\"notes\":[{}]}}\n",
        phones.join(","),
        list(others),
        list(notes)
    )
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    texts.join(",")
}

/// A string of JSON (RFC 8259 §7).
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if u32::from(letter) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
