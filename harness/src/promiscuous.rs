//! Packet sockets that hear one interface, and all of it.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

use nix::libc;
use nix::sys::socket::sockopt::SetStruct;
use nix::sys::socket::{LinkAddr, MsgFlags, bind, recv, setsockopt};

nix::setsockopt_impl!(
    PacketMembership,
    libc::SOL_PACKET,
    libc::PACKET_ADD_MEMBERSHIP,
    libc::packet_mreq,
    SetStruct<libc::packet_mreq>
);

/// The option by which an interface is made to hear everything (packet(7)).
#[derive(Debug, Clone, Copy)]
struct PacketMembership;

/// Binds a packet socket to an interface. Until then it heard every interface: what came in so far
/// is forgotten.
///
/// # Errors
/// The operating system's: ENODEV for an interface that is gone.
pub(crate) fn bind_to(socket: &impl AsFd, interface: &LinkAddr) -> nix::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    bind(socket, interface)?;
    while recv(socket, &mut [0], MsgFlags::MSG_DONTWAIT).is_ok() {}
    Ok(())
}

/// Has the interface of this number hear everybody's frames for as long as the packet socket is
/// open: a killed process leaves nothing behind.
///
/// # Errors
/// The operating system's: ENODEV for an interface that is gone, EPERM without the right.
pub(crate) fn hear_everything(socket: &impl AsFd, index: u32) -> io::Result<()> {
    let everything = libc::packet_mreq {
        mr_ifindex: i32::try_from(index).map_err(io::Error::other)?,
        mr_type: u16::try_from(libc::PACKET_MR_PROMISC).map_err(io::Error::other)?,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    Ok(setsockopt(socket, PacketMembership, &everything)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::UdpSocket;

    use nix::errno::Errno;
    use nix::ifaddrs::getifaddrs;
    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

    use super::*;

    #[test]
    fn what_came_in_before_a_socket_was_bound_is_forgotten() {
        let opened = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        );
        if matches!(opened, Err(Errno::EPERM)) {
            let _ = writeln!(io::stderr(), "not run: needs root (CAP_NET_RAW)");
            return;
        }
        let socket = opened.expect("a packet socket");
        let mut all = getifaddrs().expect("interfaces");
        let loopback = all.find_map(|it| match it.interface_name.as_str() {
            "lo" => it.address?.as_link_addr().copied(),
            _ => None,
        });
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let to = udp.local_addr().expect("bound");
        let word = format!("early {}", std::process::id());
        let send = || udp.send_to(word.as_bytes(), to).expect("sent");
        // Others speak over the loopback too.
        let is_heard = || {
            let mut frame = vec![0; 1 << 17];
            let read = |frame: &mut [u8]| recv(socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT);
            std::iter::from_fn(|| read(&mut frame).ok().map(|length| frame[..length].to_vec()))
                .any(|frame| frame.ends_with(word.as_bytes()))
        };
        send();
        assert!(is_heard(), "it hears every interface");
        send();
        bind_to(&socket, &loopback.expect("a loopback")).expect("bound");
        assert!(!is_heard());
    }
}
