//! The http codec.
