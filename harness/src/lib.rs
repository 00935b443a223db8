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
//! | `content`, `provision` | the files of a plan; the reference server set up for it |
//! | `explain` | a profile's flow as a ladder |

pub mod attach;
pub mod cli;
pub mod content;
pub mod drive;
pub mod explain;
pub mod fleet;
pub mod provision;
pub mod reference;
pub mod run;
pub mod subject;
