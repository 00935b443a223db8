//! A provisioning URL out of several DHCP values: option 43 with the vendor's own options, options
//! 66 and 67, the BOOTP `file` field (AUE-25 … AUE-39).
//!
//! ```text
//! option 43:  66 length text [NUL]  67 length text [NUL]      lengths count the NUL (AUE-32)
//! ```

use super::dhcp::Lease;
use crate::url::Scheme;
use crate::wire::Malformed;
use crate::wire::dhcp::code;

/// The values that the two halves of the URL come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Halves<'a> {
    /// The server's half: option 66.
    pub server: Option<&'a str>,
    /// The file's half: option 67, or BOOTP's `file`.
    pub file: Option<&'a str>,
}

impl<'a> Halves<'a> {
    /// What a lease says. A value in option 43 counts before the option of its number (AUE-36),
    /// option 67 before `file` (AUE-29). `used` says which options the phone looks at. With it the
    /// fault that ended the reading of option 43, whatever was whole before it counts.
    #[must_use]
    pub fn of(lease: &'a Lease, used: impl Fn(u8) -> bool) -> (Self, Option<Malformed>) {
        let raw = |code| lease.option(code).filter(|_| used(code));
        let (own, fault) = sub_options(raw(code::VENDOR_SPECIFIC).unwrap_or_default());
        let plain = |code| raw(code).and_then(text);
        let file = || text(&lease.file).filter(|_| used(code::BOOT_FILE));
        let halves = Self {
            server: own.server.or_else(|| plain(code::TFTP_SERVER)),
            file: own.file.or_else(|| plain(code::BOOT_FILE)).or_else(file),
        };
        (halves, fault)
    }

    /// Both halves with one `/` between them (AUE-26, AUE-27); the server's alone; the file's
    /// alone if it is a whole URL (AUE-37). A file's half that is a whole URL counts alone in any
    /// case: unspecified, but nothing else makes a URL of it.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        let whole = self.file.filter(|file| is_absolute(file));
        match (self.server, self.file) {
            _ if whole.is_some() => whole.map(str::to_owned),
            (Some(server), Some(file)) => {
                let (server, file) = (server.trim_end_matches('/'), file.trim_start_matches('/'));
                Some([server, "/", file].concat())
            }
            (Some(server), None) => Some(server.to_owned()),
            (None, _) => None,
        }
    }
}

/// The vendor's options in option 43 (AUE-31). The first one of a number that holds a text counts:
/// unspecified. NULs between options are pads, 255 ends them (RFC 2132 §8.4), so that a length
/// which does not count its NUL does no harm either (AUE-35).
fn sub_options(mut area: &[u8]) -> (Halves<'_>, Option<Malformed>) {
    let length = area.len();
    let mut halves = Halves::default();
    loop {
        area = match area {
            [] | [code::END, ..] => return (halves, None),
            [code::PAD, rest @ ..] => rest,
            [number, count, rest @ ..] if usize::from(*count) <= rest.len() => {
                let (value, rest) = rest
                    .split_at_checked(usize::from(*count))
                    .unwrap_or_default();
                let half = match *number {
                    code::TFTP_SERVER => Some(&mut halves.server),
                    code::BOOT_FILE => Some(&mut halves.file),
                    _ => None,
                };
                if let Some(half) = half {
                    *half = half.or_else(|| text(value));
                }
                rest
            }
            cut => {
                let what = "option 43 ends inside an option";
                return (halves, Some(Malformed::new(what, length - cut.len())));
            }
        };
    }
}

/// A value as text, with one NUL at its end or without (AUE-35); none when nothing is left or it is
/// not UTF-8.
fn text(value: &[u8]) -> Option<&str> {
    let value = value.strip_suffix(b"\0").unwrap_or(value);
    std::str::from_utf8(value)
        .ok()
        .filter(|text| !text.is_empty())
}

fn is_absolute(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, _)| Scheme::named(scheme).is_some())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    /// AUE-33, byte for byte as printed.
    const SAMPLE: [u8; 27] = [
        0x42, 0x0b, 0x68, 0x74, 0x74, 0x70, 0x3a, 0x2f, 0x2f, 0x66, 0x6f, 0x6f, 0x00, 0x43, 0x0c,
        0x3c, 0x48, 0x57, 0x54, 0x59, 0x50, 0x3e, 0x2e, 0x62, 0x61, 0x6b, 0x00,
    ];

    fn lease(options: &[(u8, &[u8])], file: &[u8]) -> Lease {
        let options = options.iter().map(|(code, value)| (*code, (*value).into()));
        Lease {
            address: Ipv4Addr::LOCALHOST,
            server: Ipv4Addr::LOCALHOST,
            options: options.collect(),
            file: file.into(),
        }
    }

    fn url(options: &[(u8, &[u8])], file: &[u8]) -> Option<String> {
        let lease = lease(options, file);
        Halves::of(&lease, |_| true).0.url()
    }

    // AUE-30, AUE-31, AUE-32, AUE-33, AUE-34.
    #[test]
    fn reads_the_printed_sample_of_option_43() {
        assert_eq!(
            url(&[(43, &SAMPLE)], b"").as_deref(),
            Some("http://foo/<HWTYP>.bak")
        );
        let lease = lease(&[(43, &SAMPLE)], b"");
        assert_eq!(Halves::of(&lease, |_| true).1, None);
    }

    // AUE-25, AUE-26, AUE-27, AUE-28.
    #[test]
    fn joins_both_options_with_one_slash() {
        for (server, file) in [
            ("http://prov.server.com", "prov.py?mac=<MACADR>"),
            ("http://prov.server.com/", "prov.py?mac=<MACADR>"),
            ("http://prov.server.com", "/prov.py?mac=<MACADR>"),
            ("http://prov.server.com/", "/prov.py?mac=<MACADR>"),
        ] {
            assert_eq!(
                url(&[(66, server.as_bytes()), (67, file.as_bytes())], b"").as_deref(),
                Some("http://prov.server.com/prov.py?mac=<MACADR>")
            );
        }
    }

    // AUE-29: BOOTP's `file` as well as option 67, which counts before it.
    #[test]
    fn takes_the_file_field_where_option_67_is_not_given() {
        let server = (66, &b"http://a"[..]);
        assert_eq!(url(&[server], b"x.xml").as_deref(), Some("http://a/x.xml"));
        let both = url(&[server, (67, b"y.xml")], b"x.xml");
        assert_eq!(both.as_deref(), Some("http://a/y.xml"));
    }

    // AUE-35: one NUL at the end or none.
    #[test]
    fn strips_the_nul_that_a_length_counts() {
        for (server, file) in [
            (&b"http://a\0"[..], &b"x\0"[..]),
            (b"http://a", b"x"),
            (b"http://a\0", b"x"),
        ] {
            let found = url(&[(66, server), (67, file)], b"");
            assert_eq!(found.as_deref(), Some("http://a/x"));
        }
        // Lengths that do not count it: the NULs are pads.
        let own = b"\x42\x08http://a\0\x43\x01x\0\xff\x42\x01z";
        assert_eq!(url(&[(43, own)], b"").as_deref(), Some("http://a/x"));
    }

    // AUE-36: each half on its own.
    #[test]
    fn lets_option_43_override() {
        let plain = [(66, &b"http://a"[..]), (67, &b"x"[..])];
        let with = |own: &'static [u8]| {
            let [server, file] = plain;
            url(&[server, file, (43, own)], b"f")
        };
        assert_eq!(with(&SAMPLE).as_deref(), Some("http://foo/<HWTYP>.bak"));
        assert_eq!(with(b"\x43\x02y\0").as_deref(), Some("http://a/y"));
        assert_eq!(with(b"\x42\x09http://b\0").as_deref(), Some("http://b/x"));
        assert_eq!(with(b"\x01\x01\x01").as_deref(), Some("http://a/x"));
    }

    // AUE-37.
    #[test]
    fn takes_one_half_alone_only_where_it_is_a_url() {
        let server = url(&[(66, b"prov.server.com")], b"");
        assert_eq!(server.as_deref(), Some("prov.server.com"));
        assert_eq!(url(&[(67, b"x.xml")], b""), None);
        assert_eq!(url(&[], b"pxelinux.0"), None);
        let whole = url(&[(67, b"http://a/x.xml")], b"");
        assert_eq!(whole.as_deref(), Some("http://a/x.xml"));
        assert_eq!(url(&[(67, b"gopher://a/x")], b""), None);
        assert_eq!(url(&[], b""), None);
    }

    #[test]
    fn leaves_out_options_that_are_switched_off() {
        let lease = lease(&[(43, &SAMPLE), (66, b"a"), (67, b"b")], b"c");
        let without = |off: &[u8]| Halves::of(&lease, |code| !off.contains(&code)).0.url();
        assert_eq!(without(&[43]).as_deref(), Some("a/b"));
        assert_eq!(without(&[43, 67]).as_deref(), Some("a"));
        assert_eq!(without(&[43, 66]), None);
    }

    #[test]
    fn reads_hostile_sub_options_up_to_their_fault() {
        for (own, expected, at) in [
            (&b"\x42\xffhttp://a"[..], None, Some(0)),
            (b"\x42", None, Some(0)),
            (b"\x42\0\x42\x08http://a", Some("http://a"), None),
            (b"\x42\x08http://a\x42\x08http://b", Some("http://a"), None),
            (b"\x42\x08http://a\x43\x09x", Some("http://a"), Some(10)),
            (b"\x42\x02\xff\xfe", None, None),
            (b"\0\0\0", None, None),
        ] {
            let lease = lease(&[(43, own)], b"");
            let (halves, fault) = Halves::of(&lease, |_| true);
            assert_eq!(halves.url().as_deref(), expected, "{own:?}");
            let offset = fault.map(|fault| fault.offset);
            assert_eq!(offset, at, "{own:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(
            own in proptest::collection::vec(any::<u8>(), 0..300),
            plain in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let lease = lease(&[(43, &own), (66, &plain), (67, &plain)], &plain);
            let (halves, _) = Halves::of(&lease, |_| true);
            // Both halves can come from the same bytes, with a slash between them.
            let longest = own.len() + 2 * plain.len() + 1;
            prop_assert!(halves.url().unwrap_or_default().len() <= longest);
        }
    }
}
