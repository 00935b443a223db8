//! A phone.

pub mod io;
pub mod resync;
pub mod turn;
