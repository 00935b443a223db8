//! An interface, listened to by a packet socket (packet(7)): what it sends and what it receives.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bootstorm_emulator::located::{did_you_mean, nearest};
use bootstorm_emulator::time::Moment;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType,
    recvmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeSpec, TimeVal, TimeValLike as _};

use super::super::{Frame, Link};
use super::{Next, SourceFault};
use crate::promiscuous::{bind_to, hear_everything};

/// The longest frame, with what cards put together of several.
const FRAME_BYTES_MAX: usize = 1 << 18;
/// What the kernel is asked to hold of frames that were not taken yet.
const BUFFER_BYTES: usize = 32 << 20;
/// What is said where the right is missing.
const NEEDS: &str = " (needs root, or CAP_NET_RAW)";
/// How long is waited for a frame.
const WAIT: Duration = Duration::from_millis(100);
/// Ethernet, and the loopback (ARPHRD_ETHER, ARPHRD_LOOPBACK), which writes Ethernet too.
const ETHERNET: u16 = 1;
const LOOPBACK: u16 = 772;
/// A frame that goes out (PACKET_OUTGOING).
const OUTGOING: u8 = 4;

/// A socket on an interface.
#[derive(Debug)]
pub(super) struct Interface {
    name: String,
    socket: OwnedFd,
    buffer: Vec<u8>,
    is_loopback: bool,
    number: u64,
    dropped: u32,
    /// Why it does not hear what is for others.
    refused: Option<String>,
}

impl Interface {
    pub(super) fn open(name: &str) -> Result<Self, SourceFault> {
        let own = |what: &str, fault: Errno| {
            let hint = match fault {
                Errno::EPERM | Errno::EACCES => NEEDS,
                _ => "",
            };
            SourceFault::Own(format!("failed to {what} {name}: {fault}{hint}"))
        };
        let address = address(name)?;
        let kind = address.hatype();
        if kind != ETHERNET && kind != LOOPBACK {
            return Err(SourceFault::Given(format!(
                "interface {name} is no Ethernet (hardware type {kind})"
            )));
        }
        let opened = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        );
        let socket = opened.map_err(|fault| own("listen to", fault))?;
        // A smaller buffer serves too, and without the count drops are not told.
        let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES);
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_BYTES);
        let _ = setsockopt(&socket, sockopt::RxqOvfl, &1);
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)
            .map_err(|fault| own("ask for the times of frames on", fault))?;
        let wait = TimeVal::milliseconds(i64::try_from(WAIT.as_millis()).unwrap_or(100));
        setsockopt(&socket, sockopt::ReceiveTimeout, &wait)
            .map_err(|fault| own("set a time limit on", fault))?;
        bind_to(&socket, &address).map_err(|fault| own("bind to", fault))?;
        let mut interface = Self {
            name: name.to_owned(),
            socket,
            buffer: vec![0; FRAME_BYTES_MAX],
            is_loopback: kind == LOOPBACK,
            number: 0,
            dropped: 0,
            refused: None,
        };
        if !interface.is_loopback {
            let index = u32::try_from(address.ifindex()).unwrap_or(0);
            let heard = hear_everything(&interface.socket, index);
            interface.refused = heard.err().map(|fault| fault.to_string());
        }
        Ok(interface)
    }

    /// The next frame, if one comes in time.
    pub(super) fn next(&mut self) -> Result<Next<'_>, SourceFault> {
        let (bytes, length, at) = loop {
            let mut parts = [IoSliceMut::new(&mut self.buffer)];
            let mut control = nix::cmsg_space!(u32, TimeSpec);
            let flags = MsgFlags::MSG_TRUNC;
            let fd = self.socket.as_raw_fd();
            let read = match recvmsg::<LinkAddr>(fd, &mut parts, Some(&mut control), flags) {
                Ok(read) => read,
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Next::Quiet),
                Err(fault) => {
                    let name = &self.name;
                    let text = format!("failed to listen to {name}: {fault}");
                    return Err(SourceFault::Own(text));
                }
            };
            let mut at = None;
            for message in read.cmsgs().into_iter().flatten() {
                match message {
                    ControlMessageOwned::RxqOvfl(dropped) => self.dropped = dropped,
                    // When the kernel had it, however late it is taken.
                    ControlMessageOwned::ScmTimestampns(time) => at = Some(Duration::from(time)),
                    _ => {}
                }
            }
            // On the loopback what goes out comes in again.
            let outgoing = read.address.is_some_and(|it| it.pkttype() == OUTGOING);
            if !(self.is_loopback && outgoing) {
                break (read.bytes.min(FRAME_BYTES_MAX), read.bytes, at);
            }
        };
        self.number += 1;
        let since = at.or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).ok());
        let nanos = since.map_or(0, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        });
        Ok(Next::Frame(Frame {
            at: Moment::from_nanos(nanos),
            link: Link::Ethernet,
            bytes: &self.buffer[..bytes],
            length: u32::try_from(length).unwrap_or(u32::MAX),
            number: self.number,
            inside_tls: None,
        }))
    }

    /// What a user is to know of how complete it is.
    pub(super) fn notes(&self) -> Vec<String> {
        let (name, dropped) = (&self.name, self.dropped);
        let dropped = (dropped > 0)
            .then(|| format!("{name}: {dropped} frames were dropped: they were not taken in time"));
        dropped.into_iter().collect()
    }

    /// What is not seen here, however long one listens.
    pub(super) fn unseen(&self) -> Option<String> {
        let (name, why) = (&self.name, self.refused.as_ref()?);
        Some(format!(
            "{name}: only what is for this machine or for everybody is seen: {why}"
        ))
    }
}

/// The link address of an interface.
fn address(name: &str) -> Result<LinkAddr, SourceFault> {
    let all = getifaddrs()
        .map_err(|fault| SourceFault::Own(format!("failed to list interfaces: {fault}")))?;
    let mut names = Vec::new();
    for one in all {
        let Some(link) = one.address.as_ref().and_then(|it| it.as_link_addr()) else {
            continue;
        };
        if one.interface_name == name {
            return Ok(*link);
        }
        names.push(one.interface_name);
    }
    let near = nearest(name, names.iter().map(String::as_str));
    let near = did_you_mean(near);
    Err(SourceFault::Given(format!(
        "there is no interface {name}{near}; there are {}",
        names.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::UdpSocket;
    use std::time::Instant;

    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        let Err(SourceFault::Given(text)) = Interface::open("lo7") else {
            panic!("not told");
        };
        assert!(text.starts_with("there is no interface lo7"), "{text}");
        assert!(text.contains("lo"), "{text}");
    }

    #[test]
    fn what_goes_over_the_loopback_is_heard_once() {
        let mut interface = match Interface::open("lo") {
            Ok(interface) => interface,
            Err(SourceFault::Own(why)) if why.ends_with(NEEDS) => {
                let out = &mut std::io::stderr();
                let _ = writeln!(out, "not run: needs root (CAP_NET_RAW): {why}");
                return;
            }
            Err(fault) => panic!("{fault}"),
        };
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let to = socket.local_addr().expect("bound");
        let word = format!("heard once {}", std::process::id());
        socket.send_to(word.as_bytes(), to).expect("sent");
        let sent = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
        // It is taken late.
        std::thread::sleep(Duration::from_millis(300));
        let began = Instant::now();
        let mut heard = 0;
        while began.elapsed() < Duration::from_secs(2) && heard < 2 {
            if let Next::Frame(frame) = interface.next().expect("frames")
                && frame.bytes.ends_with(word.as_bytes())
            {
                heard += 1;
                let at = Duration::from_nanos(frame.at.nanos());
                let late = at.abs_diff(sent);
                assert!(late < Duration::from_millis(200), "{late:?}");
            }
        }
        assert_eq!(heard, 1);
        assert!(interface.notes().is_empty());
    }
}
