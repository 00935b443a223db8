//! The sip codec.
