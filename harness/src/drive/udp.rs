//! A UDP socket that many phones share: bound to every address, it sends from the address of the
//! phone that speaks and says for whom a datagram came (IP_PKTINFO). So a phone costs no
//! descriptor.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::libc;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, RxqOvfl};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Asked of the kernel for each socket; it gives at most `net.core.rmem_max`.
const RECEIVE_BYTES: usize = 4 << 20;

/// An interface by name and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: Arc<str>,
    /// Its number.
    pub index: u32,
}

/// A shared socket. Sending never blocks.
#[derive(Debug)]
pub struct SharedSocket {
    socket: UdpSocket,
    port: u16,
}

/// Where a received payload belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// The address that it was sent to.
    pub to: Ipv4Addr,
    /// Its length in the buffer.
    pub length: usize,
    /// Datagrams that the kernel dropped on this socket since it was opened.
    pub dropped: u32,
}

/// Opens a UDP socket on every address at `port` (0 = any), with source addresses to choose.
/// Multicast leaves by the loopback interface.
///
/// # Errors
/// The operating system's, with what was tried.
pub fn open(port: u16) -> io::Result<Socket> {
    open_on(port, None)
}

/// The same on one interface: nothing leaves by another or is heard from there, multicast included.
///
/// # Errors
/// As `open`; without CAP_NET_RAW none is opened on an interface.
pub fn open_on(port: u16, device: Option<&Device>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Best effort: the kernel cuts it to its own limit, and drops are counted.
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    match device {
        Some(device) => socket.bind_device(Some(device.name.as_bytes()))?,
        None => socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?,
    }
    setsockopt(&socket, Ipv4PacketInfo, &true)?;
    setsockopt(&socket, RxqOvfl, &1)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    Ok(socket)
}

impl SharedSocket {
    /// Registers an opened socket with the present runtime.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new(socket: Socket) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let port = address.as_socket_ipv4().map_or(0, |address| address.port());
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            port,
        })
    }

    /// The port that it is bound to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends one payload from an address of this machine.
    ///
    /// # Errors
    /// `WouldBlock` when the socket's buffer is full; otherwise the operating system's.
    pub fn send(&self, from: Ipv4Addr, to: SocketAddrV4, bytes: &[u8]) -> io::Result<()> {
        send(&self.socket, from, to, bytes)
    }

    /// Waits until something can be received, then hands every waiting payload (at most `most`)
    /// to `take`.
    ///
    /// # Errors
    /// The operating system's. ICMP errors that arrived for earlier sends are passed over.
    pub async fn receive(
        &self,
        buffer: &mut [u8],
        most: usize,
        mut take: impl FnMut(Received, &mut [u8]),
    ) -> io::Result<()> {
        self.socket.readable().await?;
        for _ in 0..most {
            let socket = &self.socket;
            match socket.try_io(Interest::READABLE, || receive(socket, buffer)) {
                Ok(received) => {
                    let bytes = buffer.get_mut(..received.length).unwrap_or_default();
                    take(received, bytes);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::ConnectionRefused => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }
}

/// Sends one payload from an address of this machine.
///
/// # Errors
/// As `SharedSocket::send`.
pub fn send(
    socket: &impl AsRawFd,
    from: Ipv4Addr,
    to: SocketAddrV4,
    bytes: &[u8],
) -> io::Result<()> {
    let source = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: u32::from(from).to_be(),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    let control = [ControlMessage::Ipv4PacketInfo(&source)];
    let parts = [IoSlice::new(bytes)];
    let to = SockaddrIn::from(to);
    sendmsg(
        socket.as_raw_fd(),
        &parts,
        &control,
        MsgFlags::empty(),
        Some(&to),
    )?;
    Ok(())
}

/// Receives one payload.
///
/// # Errors
/// `WouldBlock` when none waits; otherwise the operating system's.
pub fn receive(socket: &impl AsRawFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = [0_u8; 128];
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrIn>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let mut to = Ipv4Addr::UNSPECIFIED;
    let mut dropped = 0;
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                to = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
            }
            ControlMessageOwned::RxqOvfl(count) => dropped = count,
            _ => {}
        }
    }
    let from = message.address.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Received {
        from: from.into(),
        to,
        length: message.bytes,
        dropped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_from_the_address_it_is_told_and_hears_for_whom() {
        let phones = open(0).unwrap();
        let port = phones
            .local_addr()
            .unwrap()
            .as_socket_ipv4()
            .unwrap()
            .port();
        let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let phone = Ipv4Addr::new(127, 9, 8, 7);
        let std::net::SocketAddr::V4(to) = server.local_addr().unwrap() else {
            panic!("v4")
        };
        send(&phones, phone, to, b"hello").unwrap();
        let mut buffer = [0; 64];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"hello");
        assert_eq!(from, std::net::SocketAddr::from((phone, port)));
        server.send_to(b"answer", from).unwrap();
        phones.set_nonblocking(false).unwrap();
        let received = receive(&phones, &mut buffer).unwrap();
        assert_eq!(
            (received.to, received.from, received.dropped),
            (phone, to, 0)
        );
        assert_eq!(&buffer[..received.length], b"answer");
    }
}
