//! Addresses of phones as local routes (AnyIP) by rtnetlink(7): the kernel's stack takes what is
//! sent to them, without an address on any interface.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// Who made a route: this program (an unassigned number of `rtnetlink`'s protocols, so that what a
/// killed run left can be told from everything else).
pub(crate) const MADE_BY: u8 = 214;

/// Bytes of `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// Attributes of a route: destination, interface.
const DESTINATION: u16 = 1;
const INTERFACE: u16 = 4;

/// A socket to the kernel's routes.
#[derive(Debug)]
pub(crate) struct Routes {
    socket: OwnedFd,
    sequence: u32,
}

impl Routes {
    /// Opens it.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Makes an address one of this machine's, on an interface.
    ///
    /// # Errors
    /// The operating system's: EEXIST where somebody else made it so, EPERM without
    /// CAP_NET_ADMIN.
    pub(crate) fn add(&mut self, address: Ipv4Addr, interface: u32) -> io::Result<()> {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.ask(libc::RTM_NEWROUTE, flags, address, interface)
    }

    /// Takes it back.
    ///
    /// # Errors
    /// The operating system's: ESRCH where it is not there.
    pub(crate) fn remove(&mut self, address: Ipv4Addr, interface: u32) -> io::Result<()> {
        self.ask(libc::RTM_DELROUTE, 0, address, interface)
    }

    fn ask(&mut self, kind: u16, flags: i32, address: Ipv4Addr, interface: u32) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let message = message(self.sequence, kind, flags, address, interface);
        let descriptor = self.socket.as_raw_fd();
        let kernel = NetlinkAddr::new(0, 0);
        sendto(descriptor, &message, &kernel, MsgFlags::empty())?;
        let mut answer = [0; 512];
        loop {
            let length = recv(descriptor, &mut answer, MsgFlags::empty())?;
            if let Some(result) = result(answer.get(..length).unwrap_or_default(), self.sequence) {
                return result;
            }
        }
    }
}

fn message(sequence: u32, kind: u16, flags: i32, address: Ipv4Addr, interface: u32) -> Vec<u8> {
    let flags = flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK;
    let mut out = Vec::with_capacity(HEADER_BYTES + 28);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&u16::try_from(flags).unwrap_or_default().to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&0_u32.to_ne_bytes());
    // struct rtmsg: IPv4, 32 bits of destination, of the local table, by us, on this host, local.
    let family = u8::try_from(libc::AF_INET).unwrap_or_default();
    let table = libc::RT_TABLE_LOCAL;
    let (scope, local) = (libc::RT_SCOPE_HOST, libc::RTN_LOCAL);
    out.extend_from_slice(&[family, 32, 0, 0, table, MADE_BY, scope, local]);
    out.extend_from_slice(&0_u32.to_ne_bytes());
    for (attribute, value) in [
        (DESTINATION, address.octets()),
        (INTERFACE, interface.to_ne_bytes()),
    ] {
        out.extend_from_slice(&8_u16.to_ne_bytes());
        out.extend_from_slice(&attribute.to_ne_bytes());
        out.extend_from_slice(&value);
    }
    let length = u32::try_from(out.len()).unwrap_or_default();
    out[..4].copy_from_slice(&length.to_ne_bytes());
    out
}

/// What the kernel says of a message: `struct nlmsgerr`, its number negated.
fn result(answer: &[u8], sequence: u32) -> Option<io::Result<()>> {
    let word = |at: usize| {
        let four: [u8; 4] = answer.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_ne_bytes(four))
    };
    if word(8)? != sequence {
        return None;
    }
    let code = word(HEADER_BYTES)?.cast_signed();
    Some(match code {
        0 => Ok(()),
        code => Err(Errno::from_raw(code.saturating_neg()).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_says() {
        let bytes = message(7, libc::RTM_NEWROUTE, 0, Ipv4Addr::new(10, 0, 0, 9), 3);
        assert_eq!(bytes.len(), 44);
        assert_eq!(bytes[..4], 44_u32.to_ne_bytes());
        assert_eq!(bytes[32..36], [10, 0, 0, 9]);
    }

    #[test]
    fn hears_what_the_kernel_refuses_and_passes_over_other_answers() {
        let mut answer = vec![0; 36];
        answer[8..12].copy_from_slice(&5_u32.to_ne_bytes());
        answer[16..20].copy_from_slice(&(-libc::EEXIST).to_ne_bytes());
        assert!(result(&answer, 4).is_none());
        let refused = result(&answer, 5).expect("an answer").expect_err("refused");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(result(&answer[..10], 5).is_none());
        answer[16..20].fill(0);
        assert!(result(&answer, 5).expect("an answer").is_ok());
    }
}
