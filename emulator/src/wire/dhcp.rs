//! The dhcp codec.
