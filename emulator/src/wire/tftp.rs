//! The tftp codec.
