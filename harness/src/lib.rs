//! The world around virtual phones: attachments, shards, the reference server, the command line.
//!
//! | module | owns |
//! |---|---|
//! | `cli` | the command line |
//! | `run` | one run, from plan to report |
//! | `fleet` | the phones of a thread: timers, books, the log |
//! | `attach`, `drive` | how packets travel; the sockets behind it |
//! | `subject` | where the judged server really listens |
//! | `reference` | the reference server, as a value and behind sockets |
//! | `built_in` | the reference server on loopback for as long as a run lasts |
//! | `content`, `provision` | the files of a plan; the reference server set up for it |
//! | `capture` | `capture.pcapng` of a run |
//! | `certify` | conformance cases carried out and judged |
//! | `capacity` | the search for the highest load that a server bears |
//! | `preamble` | whether a subject is there at all |
//! | `family` | a program with everything that it starts |
//! | `explain` | a profile's flow as a ladder |
//! | `lab` | handsets on a table: power, observation, judgement |
//! | `lint` | a server's files, read as each model of a fleet would |
//! | `observe` | phones that are listened to: captures read into records |
//! | `promiscuous` | interfaces that hear what is not addressed to them |
//! | `waiting` | what waits for its time, in order |
//! | `basic_string` | strings in the TOML that is written |

pub mod attach;
mod basic_string;
pub mod built_in;
pub mod capacity;
pub mod capture;
pub mod certify;
pub mod cli;
pub mod content;
pub mod drive;
pub mod explain;
mod family;
pub mod fleet;
pub mod lab;
pub mod lint;
pub mod observe;
pub mod preamble;
mod promiscuous;
pub mod provision;
pub mod reference;
pub mod run;
pub mod subject;
mod waiting;
