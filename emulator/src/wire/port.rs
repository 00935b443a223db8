//! The well-known ports of the protocols that phones speak.

/// FTP's control connection (RFC 959 §8).
pub const FTP: u16 = 21;
/// DHCP servers and relay agents (RFC 2131 §4.1).
pub const DHCP_SERVER: u16 = 67;
/// DHCP clients (RFC 2131 §4.1).
pub const DHCP_CLIENT: u16 = 68;
/// TFTP's requests (RFC 1350 §4).
pub const TFTP: u16 = 69;
/// HTTP (RFC 9110 §4.2.1).
pub const HTTP: u16 = 80;
/// NTP (RFC 5905 §7.2).
pub const NTP: u16 = 123;
/// HTTP over TLS (RFC 9110 §4.2.2).
pub const HTTPS: u16 = 443;
/// SIP over UDP and TCP (RFC 3261 §19.1.2).
pub const SIP: u16 = 5_060;
/// Multicast DNS (RFC 6762 §3).
pub const MDNS: u16 = 5_353;
