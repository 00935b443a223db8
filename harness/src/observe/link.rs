//! What lies around an IPv4 packet.

use bootstorm_emulator::identity::Mac;

/// EtherTypes (IEEE 802 numbers): IPv4, ARP, and the tags of 802.1Q, 802.1ad and before it.
pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const IPV6: u16 = 0x86dd;
const TAGS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
/// Tags on one frame.
const TAGS_MAX: usize = 4;
/// Two addresses and the type.
const ETHERNET_BYTES: usize = 14;
/// A cooked header, and its second version (LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2).
const COOKED_BYTES: usize = 16;
const COOKED_2_BYTES: usize = 20;
/// The family of IPv4, as every system numbers it.
const FAMILY_INET: [u8; 2] = [2, 0];

/// How the bytes of a frame begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// Ethernet (LINKTYPE 1).
    Ethernet,
    /// Linux' cooked capture (113): of two MAC addresses the sender's.
    Cooked,
    /// Its second version (276).
    Cooked2,
    /// IPv4 or IPv6 at once (101, 228).
    Raw,
    /// The loopback of BSD (0, 108): a family, then as `Raw`.
    Loopback,
}

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inner<'a> {
    /// The sender's MAC, where the link shows one.
    pub(super) source: Option<Mac>,
    /// The receiver's MAC, where it is shown and one station's.
    pub(super) target: Option<Mac>,
    pub(super) kind: u16,
    pub(super) bytes: &'a [u8],
}

impl Link {
    /// The link of a number (<https://www.tcpdump.org/linktypes.html>).
    #[must_use]
    pub fn of(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            113 => Self::Cooked,
            276 => Self::Cooked2,
            // 12 and 14 are what some systems write for 101.
            12 | 14 | 101 | 228 => Self::Raw,
            0 | 108 => Self::Loopback,
            _ => return None,
        })
    }

    /// What a frame carries; none where it is shorter than its headers.
    pub(super) fn inner(self, bytes: &[u8]) -> Option<Inner<'_>> {
        match self {
            Self::Ethernet => ethernet(bytes),
            Self::Cooked => {
                let (head, rest) = bytes.split_first_chunk::<COOKED_BYTES>()?;
                let source = (head[4..6] == [0, 6]).then(|| sender(&head[6..12]));
                untagged(source.flatten(), None, number(&head[14..])?, rest)
            }
            Self::Cooked2 => {
                let (head, rest) = bytes.split_first_chunk::<COOKED_2_BYTES>()?;
                let source = (head[11] == 6).then(|| sender(&head[12..18]));
                untagged(source.flatten(), None, number(&head[..2])?, rest)
            }
            Self::Raw => raw(bytes),
            Self::Loopback => {
                let (family, rest) = bytes.split_first_chunk::<4>()?;
                let [a, b, c, d] = *family;
                match [a, b] == FAMILY_INET || [d, c] == FAMILY_INET {
                    true => raw(rest),
                    false => None,
                }
            }
        }
    }
}

fn ethernet(bytes: &[u8]) -> Option<Inner<'_>> {
    let (head, rest) = bytes.split_first_chunk::<ETHERNET_BYTES>()?;
    let (target, source) = (sender(&head[..6]), sender(&head[6..12]));
    untagged(source, target, number(&head[12..])?, rest)
}

/// Takes VLAN tags off, QinQ's too.
fn untagged(
    source: Option<Mac>,
    target: Option<Mac>,
    mut kind: u16,
    mut bytes: &[u8],
) -> Option<Inner<'_>> {
    for _ in 0..TAGS_MAX {
        if !TAGS.contains(&kind) {
            break;
        }
        let (tag, rest) = bytes.split_first_chunk::<4>()?;
        (kind, bytes) = (number(&tag[2..])?, rest);
    }
    Some(Inner {
        source,
        target,
        kind,
        bytes,
    })
}

fn raw(bytes: &[u8]) -> Option<Inner<'_>> {
    let kind = match bytes.first()? >> 4 {
        4 => IPV4,
        6 => IPV6,
        _ => return None,
    };
    untagged(None, None, kind, bytes)
}

/// A MAC of one station: neither a group's nor that of a link without any.
fn sender(bytes: &[u8]) -> Option<Mac> {
    let octets = <[u8; 6]>::try_from(bytes).ok()?;
    let is_group = octets[0] & 1 == 1;
    (!is_group && octets != [0; 6]).then_some(Mac(octets))
}

fn number(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|two| u16::from_be_bytes(*two))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: Mac = Mac([0, 0x21, 0xf2, 1, 2, 3]);
    const SERVER: Mac = Mac([2, 0, 10, 0, 0, 1]);

    #[test]
    fn takes_vlan_tags_off_one_and_two_deep() {
        let mut frame = [SERVER.0, PHONE.0].concat();
        for tags in [
            &[][..],
            &[0x81, 0, 0, 7],
            &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7],
        ] {
            frame.truncate(12);
            frame.extend_from_slice(tags);
            frame.extend_from_slice(&[8, 0, 0x45, 1]);
            let expected = Inner {
                source: Some(PHONE),
                target: Some(SERVER),
                kind: IPV4,
                bytes: &[0x45, 1],
            };
            assert_eq!(Link::Ethernet.inner(&frame), Some(expected));
        }
    }

    #[test]
    fn cooked_links_show_the_sender_and_raw_ones_nobody() {
        let mut cooked = vec![0, 0, 0, 1, 0, 6];
        cooked.extend_from_slice(&PHONE.0);
        cooked.extend_from_slice(&[0, 0, 8, 0, 0x45]);
        let inner = Link::Cooked.inner(&cooked).expect("inner");
        assert_eq!(
            (inner.source, inner.target, inner.kind),
            (Some(PHONE), None, IPV4)
        );
        let mut second = vec![8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6];
        second.extend_from_slice(&PHONE.0);
        second.extend_from_slice(&[0, 0, 0x45]);
        let inner = Link::Cooked2.inner(&second).expect("inner");
        assert_eq!((inner.source, inner.bytes), (Some(PHONE), &[0x45][..]));
        for (link, bytes) in [
            (Link::Raw, &[0x45, 9][..]),
            (Link::Loopback, &[2, 0, 0, 0, 0x45, 9]),
            (Link::Loopback, &[0, 0, 0, 2, 0x45, 9]),
        ] {
            let inner = link.inner(bytes).expect("inner");
            assert_eq!(
                (inner.source, inner.kind, inner.bytes),
                (None, IPV4, &[0x45, 9][..])
            );
        }
    }
}
