//! All profiles known to a run.
