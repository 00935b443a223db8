//! bootstorm
fn main() {}
