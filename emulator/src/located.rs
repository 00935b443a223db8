//! TOML with places: every fault of a file at once, with file, line, column, what was expected
//! and the nearest valid word.
