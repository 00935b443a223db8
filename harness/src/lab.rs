//! Handsets on a table: what a lab file says of them made definite, their power, what is heard of
//! them, and how that is judged.
//!
//! | module | owns |
//! |---|---|
//! | `file` | a place of a lab file as a plan of one phone |
//! | `power` | handsets' power, switched in five ways |
//! | `stage` | the server and the files of a case, taken away again whatever happens |
//! | `learn` | a profile drafted from captures |
//! | `names` | the host names of a case |
//! | `watch` | what is heard of a handset |
//! | `fitting` | whether a case can be carried out at a place |
//! | `run` | cases at places, one after the other |
//! | `twin` | a handset beside its virtual twin |

pub mod file;
pub mod fitting;
pub mod learn;
pub mod names;
pub mod power;
pub mod run;
pub mod stage;
pub mod twin;
pub mod watch;
