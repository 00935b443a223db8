//! A fleet under way: what one shard knows of its phones, whoever moves their packets.
//!
//! | module | owns |
//! |---|---|
//! | `ledger` | what became of each phone; measures; the log of events |
//! | `lacking` | what a phone lacks though its settings are as intended |
//! | `progress` | the counts that a live view reads while a run goes on |
//! | `recorder` | what the phones send and receive |
//! | `shard` | the phones of one thread, their timers, and the way between them and a network |
//! | `steps` | what the scenario does to phones while the run goes on |
//! | `transcript` | events as lines of text |

mod lacking;
pub mod ledger;
pub mod progress;
pub mod recorder;
pub mod shard;
pub mod steps;
pub mod transcript;
