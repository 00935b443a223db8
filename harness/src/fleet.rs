//! A fleet under way: what one shard knows of its phones, whoever moves their packets.
//!
//! | module | owns |
//! |---|---|
//! | `figures` | what expressions over a run are told with |
//! | `ledger` | what became of each phone; measures; the log of events |
//! | `hooks` | commands by which steps reach a server that is not the built-in one |
//! | `held` | what a phone holds at the end, for judging |
//! | `lacking` | what a phone lacks though its settings are as intended |
//! | `outage` | what of the server cannot be reached, and what that does to phones |
//! | `power` | who loses power and gets it back; the rounds of a soak |
//! | `progress` | the counts that a live view reads while a run goes on |
//! | `recorder` | what the phones send and receive |
//! | `network` | how packets leave a shard |
//! | `shard` | the phones of one thread, their timers, and the way between them and a network |
//! | `steps` | what the scenario does to phones while the run goes on |
//! | `transcript` | events as lines of text |
//! | `watch` | thresholds that end a run |
//! | `wrong` | what mutants make of the phones |

pub mod figures;
pub mod held;
pub mod hooks;
mod lacking;
pub mod ledger;
pub mod network;
pub mod outage;
pub mod power;
pub mod progress;
pub mod recorder;
pub mod shard;
pub mod steps;
pub mod transcript;
pub mod watch;
pub mod wrong;
