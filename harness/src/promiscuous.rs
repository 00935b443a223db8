//! Interfaces that hear what is not addressed to them, for as long as a socket is open.

use std::io;
use std::os::fd::AsFd;

use nix::libc;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::SetStruct;

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
