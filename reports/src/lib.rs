//! What happened in a run, told once and truthfully.
//!
//! Shards feed [`measure::Measures`] and one [`trail::Trail`] per phone with the phones' events.
//! At the end the harness states its [`run::RunFacts`] and one [`run::PhoneResult`] per planned
//! phone; [`report::Report`] checks that every planned phone has exactly one outcome, removes
//! secrets, and is the only thing that a writer accepts. No writer decides whether a phone failed.
//!
//! ```text
//! Event → Measures → Ladder ─┐
//! RunFacts, PhoneResult ─────┴→ Redactor → Report → text, json, html
//!                                            ↑ merge ↓
//!                                          report.json
//! ```
//!
//! | module | owns |
//! |---|---|
//! | `run` | what the harness states: facts of the run, one result per phone |
//! | `capacity` | what a search for a server's capacity found |
//! | `case` | results of conformance cases and of thresholds |
//! | `measure`, `latency`, `trail` | counting events: ladder rows, histograms, first wrong steps |
//! | `timeline` | phones by boot step over time |
//! | `words` | faults and limits in words |
//! | `redact` | secrets out, comparable stand-ins in |
//! | `report`, `merge`, `verdict` | the checked whole, its sums, two halves, one sentence |
//! | `compare` | two runs against each other, and what is noise |
//! | `twin` | a handset beside its virtual twin |
//! | `text`, `json`, `html`, `junit`, `summary`, `prom`, `pcapng` | writers, one a file |
//!
//! # Example
//! ```
//! use bootstorm_reports::{measure::Ladder, redact::Redactor, report::Report, run::RunFacts};
//!
//! let facts = RunFacts { scenario: "none".into(), ..RunFacts::default() };
//! let report = Report::new(facts, Ladder::default(), Vec::new(), &Redactor::new(1)).unwrap();
//! assert_eq!(report.verdict().sentence, "Void: no phone was planned.");
//! ```
#![forbid(unsafe_code)]

pub mod capacity;
pub mod case;
pub mod compare;
pub mod html;
pub mod json;
pub mod junit;
pub mod latency;
pub mod measure;
pub mod merge;
pub mod pcapng;
pub mod prom;
pub mod redact;
pub mod report;
pub mod run;
pub mod summary;
pub mod text;
pub mod timeline;
pub mod trail;
pub mod twin;
pub mod verdict;
pub mod words;
mod xml;
