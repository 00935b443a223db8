//! A virtual desk phone as plain data.
//!
//! ```text
//! PowerOn + Identity + Flash + Profile → Lease → Candidates → Fetched → Document → Change
//!   → Settings → links … → Firmware / resources → Reboot(cause) | Idle
//! ```
//!
//! A phone is stepped: `phone.step(now, input, &mut shelf, &mut outputs)` takes one thing that
//! happened and says what to do about it. The crate holds no socket, clock, thread or operating
//! system randomness; whoever drives a phone does the I/O. So a phone costs bytes, not a task, and
//! a run on a simulated network repeats exactly from its seed.
//!
//! | module | owns |
//! |---|---|
//! | `phone` | `Phone::step`, stages, the document walk, timers, triggers, SIP registrations |
//! | `profile` | facts about a model as data; loading, templates, key rules |
//! | `identity`, `flash` | who a phone is; what survives a reboot |
//! | `discovery` | sources → candidates: DHCP, SIP PnP, redirect service |
//! | `clock` | the time of day, by SNTP |
//! | `cwmp` | sessions with an auto-configuration server (TR-069), its calls, the data model |
//! | `transfer` | one file: TFTP and HTTP state machines |
//! | `wire` | pure codecs: DHCP, TFTP, SIP, SNTP, HTTP, SOAP |
//! | `format` | bytes ⇄ documents with line numbers |
//! | `bodies`, `merges`, `names`, `shelf` | what all phones of a shard share |
//! | `settings`, `firmware`, `version` | layered settings with provenance; versions and images |
//! | `certificate`, `resource` | what a server gives a phone besides settings and firmware |
//! | `event`, `limits` | what can happen; what is bounded |
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::unreachable
    )
)]
#![forbid(unsafe_code)]

pub mod bodies;
pub mod certificate;
pub mod clock;
pub mod cwmp;
pub mod discovery;
pub mod event;
pub mod firmware;
pub mod flash;
pub mod format;
pub mod identity;
pub mod limits;
pub mod located;
pub mod merges;
pub mod names;
pub mod operator;
pub mod phone;
pub mod profile;
pub mod resource;
pub mod rng;
pub mod settings;
pub mod shelf;
pub mod time;
pub mod transfer;
pub mod url;
pub mod version;
pub mod wire;
