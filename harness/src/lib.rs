//! harness

pub mod reference;
