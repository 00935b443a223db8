//! What should happen: fleets, load shapes, the values phones are meant to hold, the register of
//! clauses.
//!
//! | module | owns |
//! |---|---|
//! | `scenario` | the schema of a scenario and its reader |
//! | `load_shape` | when each phone is switched on |
//! | `plan` | a scenario made definite: every phone with its MAC, profile and start |
//! | `intended` | the values each phone must end up with, and how to compare |
//! | `wire` | what went over a phone's wire: packets and messages |
//! | `clause` | the register of numbered behaviours of the vendor documents |

pub mod clause;
pub mod intended;
pub mod load_shape;
pub mod plan;
pub mod scenario;
pub mod wire;
