//! One AF_PACKET socket on an interface: whole frames, in and out.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::sockopt::{RcvBufForce, RxqOvfl};
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use crate::promiscuous::{bind_to, hear_everything};

/// Asked of the kernel for frames that wait: some thousand phones may be answered at once.
const RECEIVE_BYTES: usize = 16 << 20;

/// A socket that sends any frame, and hears ARP and what is sent to UDP port 68.
#[derive(Debug)]
pub(super) struct FrameSocket {
    socket: Socket,
}

impl FrameSocket {
    /// Opens it on an interface.
    ///
    /// # Errors
    /// The operating system's: EPERM without CAP_NET_RAW.
    pub(super) fn open(index: u32, link: &LinkAddr) -> io::Result<Self> {
        let all = i32::from((libc::ETH_P_ALL as u16).to_be());
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(all)))?;
        socket.attach_filter(&filter())?;
        setsockopt(&socket, RxqOvfl, &1)?;
        setsockopt(&socket, RcvBufForce, &RECEIVE_BYTES)?;
        bind_to(&socket, link)?;
        hear_everything(&socket, index)?;
        Ok(Self { socket })
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// The operating system's: the interface is down, or its queue full.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(drop)
    }

    /// Waits at most so long for each frame.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn patience(&self, time: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(time))
    }

    /// The next frame's length in `buffer`, and how many frames the kernel dropped so far.
    ///
    /// # Errors
    /// `WouldBlock` after `patience`; otherwise the operating system's.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<u32>)> {
        let mut control = [0_u8; 64];
        let mut parts = [IoSliceMut::new(buffer)];
        let message = recvmsg::<()>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let dropped = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::RxqOvfl(count) => Some(count),
            _ => None,
        });
        Ok((message.bytes, dropped))
    }
}

/// Lets through what did not leave by this machine's own hand and is ARP, or UDP to port 68 in one
/// piece. Classic BPF: code, jump if true, jump if false, value.
fn filter() -> [SockFilter; 14] {
    const BYTE: u16 = 0x30;
    const HALF: u16 = 0x28;
    const HALF_BEYOND_HEADER: u16 = 0x48;
    const HEADER_BYTES: u16 = 0xb1;
    const IS: u16 = 0x15;
    const HAS: u16 = 0x45;
    const RETURN: u16 = 0x06;
    /// SKF_AD_OFF + SKF_AD_PKTTYPE
    const PACKET_TYPE: u32 = 0xffff_f004;
    const OUTGOING: u32 = 4;
    [
        SockFilter::new(BYTE, 0, 0, PACKET_TYPE),
        SockFilter::new(IS, 11, 0, OUTGOING),
        SockFilter::new(HALF, 0, 0, 12),
        SockFilter::new(IS, 8, 0, 0x0806),
        SockFilter::new(IS, 0, 8, 0x0800),
        SockFilter::new(BYTE, 0, 0, 23),
        SockFilter::new(IS, 0, 6, 17),
        SockFilter::new(HALF, 0, 0, 20),
        SockFilter::new(HAS, 4, 0, 0x3fff),
        SockFilter::new(HEADER_BYTES, 0, 0, 14),
        SockFilter::new(HALF_BEYOND_HEADER, 0, 0, 16),
        SockFilter::new(IS, 0, 1, 68),
        SockFilter::new(RETURN, 0, 0, 0x4_0000),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}
