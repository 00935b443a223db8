//! Profiles from TOML.
