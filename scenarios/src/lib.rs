//! What should happen: fleets, load shapes, the values phones are meant to hold, the register of
//! clauses.
//!
//! | module | owns |
//! |---|---|
//! | `scenario` | the schema of a scenario and its reader |
//! | `lab` | places with a handset each: how they are powered and listened to |
//! | `link` | what befalls the datagrams and connections of a phone's link |
//! | `load_shape` | when each phone is switched on |
//! | `plan` | a scenario made definite: every phone with its MAC, profile and start |
//! | `intended` | the values each phone must end up with, and how to compare |
//! | `matcher` | what a field of a message must be |
//! | `schema` | JSON Schemas of scenarios, suites, mutants and labs |
//! | `suite` | conformance cases: what they start from, what they expect |
//! | `judge` | whether what was seen is what a case expects |
//! | `inventory` | what each phone of a site must hold, from CSV |
//! | `mutant` | servers and phones that are wrong in one named way |
//! | `threshold` | expressions over figures: what must hold of fleets, phones and steps |
//! | `wire` | what went over a phone's wire: packets and messages |
//! | `clause` | the register of numbered behaviours of the vendor documents |

pub mod clause;
pub mod intended;
pub mod inventory;
pub mod judge;
pub mod lab;
pub mod link;
pub mod load_shape;
pub mod matcher;
pub mod mutant;
pub mod plan;
pub mod scenario;
pub mod schema;
pub mod suite;
pub mod threshold;
pub mod wire;
