//! How a phone asks by multicast DNS, and what the option that names a server may be.

use std::time::Duration;

/// The place of the chosen option's code in a list of parameters: 0 is a pad there, and never
/// asked for (RFC 2132 §3.1).
pub const URL_OPTION: u8 = 0;

/// The DHCP option that holds the URL, as `Param::DhcpUrlOption` names it: 43, 66 or one of 128 to
/// 254 (FAN-64, FAN-65); `None` for any other number, which is "disabled".
#[must_use]
pub fn url_option(text: &str) -> Option<u8> {
    let code = text.trim().parse().ok();
    code.filter(|code| matches!(code, 43 | 66 | 128..=254))
}

/// The multicast DNS client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MdnsSpec {
    /// The service whose instances are asked for: `_http._tcp.local`.
    pub service: String,
    /// Wait for an answer to each query; a protocol time. At least 100 ms.
    pub timeout: Duration,
    /// Queries in all, 1 or more.
    pub attempts: u8,
    /// Clause ids.
    pub clauses: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    // FAN-64, FAN-65.
    #[test]
    fn knows_the_options_that_can_be_chosen() {
        for (text, expected) in [
            ("66", Some(66)),
            ("43", Some(43)),
            (" 128 ", Some(128)),
            ("254", Some(254)),
            ("0", None),
            ("", None),
            ("67", None),
            ("127", None),
            ("255", None),
            ("300", None),
            ("66x", None),
        ] {
            assert_eq!(url_option(text), expected, "{text}");
        }
    }
}
