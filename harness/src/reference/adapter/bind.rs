//! Which sockets a server has, and why one could not be had.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};

use bootstorm_scenarios::lab::Network;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::reference::certificate::ServerTls;
use crate::reference::mdns;
use crate::reference::pnp::GROUP;

/// Bytes of unread datagrams that a well-known port holds while the thread is busy. The kernel
/// grants at most net.core.rmem_max.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// Connections waiting to be accepted.
const BACKLOG: i32 = 4_096;

/// What to bind. A port that is `None` is not served; port 0 takes any free one.
#[derive(Debug, Clone)]
pub struct Bind {
    /// The address of every socket.
    pub address: Ipv4Addr,
    /// Without it only loopback addresses are bound: a DHCP or PnP server on a real network answers
    /// devices that are nobody's business here.
    pub beyond_loopback: bool,
    /// A network interface for DHCP broadcasts, which need it by name; DHCP then takes broadcasts
    /// and unicasts that arrive there and nowhere else.
    pub dhcp_interface: Option<String>,
    /// DHCP, well-known port 67.
    pub dhcp_port: Option<u16>,
    /// TFTP, well-known port 69.
    pub tftp_port: Option<u16>,
    /// FTP, well-known port 21.
    pub ftp_port: Option<u16>,
    /// HTTP, well-known port 80.
    pub http_port: Option<u16>,
    /// HTTPS, well-known port 443, and the certificate.
    pub https: Option<(u16, ServerTls)>,
    /// SIP over UDP, well-known port 5060.
    pub sip_port: Option<u16>,
    /// SIP over TCP, well-known port 5060; 0 takes the port of `sip_port` where it is free.
    pub sip_tcp_port: Option<u16>,
    /// Joins 224.0.1.75, with the port of `sip_port`, on the interface that has this address.
    pub sip_group: Option<Ipv4Addr>,
    /// The port from which PnP answers come, e.g. 7777 (FLY-46); without one they come from
    /// `sip_port`.
    pub pnp_port: Option<u16>,
    /// SNTP, well-known port 123.
    pub ntp_port: Option<u16>,
    /// Multicast DNS, well-known port 5353: joins 224.0.0.251 on the interface of `address`.
    pub mdns_port: Option<u16>,
    /// Who may be sent to: nothing goes to an address in none of them, and connections from there
    /// are closed unheard. None given = anybody.
    pub networks: Vec<Network>,
    /// HTTP and HTTPS connections open at one time, and as many of SIP and of FTP; further ones
    /// are closed at once.
    pub connections_max: usize,
}

/// Where a server can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Endpoints {
    /// DHCP.
    pub dhcp: Option<SocketAddrV4>,
    /// TFTP.
    pub tftp: Option<SocketAddrV4>,
    /// FTP.
    pub ftp: Option<SocketAddrV4>,
    /// HTTP.
    pub http: Option<SocketAddrV4>,
    /// HTTPS.
    pub https: Option<SocketAddrV4>,
    /// SIP over UDP.
    pub sip: Option<SocketAddrV4>,
    /// SIP over TCP.
    pub sip_tcp: Option<SocketAddrV4>,
    /// Where PnP answers come from.
    pub pnp: Option<SocketAddrV4>,
    /// SNTP.
    pub ntp: Option<SocketAddrV4>,
    /// Multicast DNS.
    pub mdns: Option<SocketAddrV4>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// Somebody has the port.
    #[error(
        "failed to bind {what} to {address}: the port is in use; stop what uses it, or choose \
         another port (0 takes any free one)"
    )]
    InUse {
        /// The protocol.
        what: &'static str,
        /// Where.
        address: SocketAddrV4,
    },
    /// A privilege is missing.
    #[error(
        "failed to bind {what} to {address}: not permitted; choose a port from 1024 up, or run \
         with CAP_NET_BIND_SERVICE"
    )]
    NotPermitted {
        /// The protocol.
        what: &'static str,
        /// Where.
        address: SocketAddrV4,
    },
    /// No interface has the address.
    #[error(
        "failed to bind {what} to {address}: this host does not have the address; choose one of \
         its own (ip addr shows them)"
    )]
    NoSuchAddress {
        /// The protocol.
        what: &'static str,
        /// Where.
        address: SocketAddrV4,
    },
    /// Anything else that the operating system says.
    #[error("failed to bind {what} to {address}: {fault}")]
    Bind {
        /// The protocol.
        what: &'static str,
        /// Where.
        address: SocketAddrV4,
        /// What it says.
        fault: io::Error,
    },
    /// An address that other devices can reach, without leave.
    #[error(
        "failed to bind {0}: it is not a loopback address, and answering a real network was not \
         asked for"
    )]
    BeyondLoopback(Ipv4Addr),
    /// 0.0.0.0 where one certain address is needed.
    #[error("failed to bind 0.0.0.0: this server answers from one certain address; name it")]
    Unspecified,
    /// The multicast group cannot be joined.
    #[error("failed to join {group} on the interface with address {interface}: {fault}")]
    Join {
        /// The group.
        group: Ipv4Addr,
        /// The interface's address.
        interface: Ipv4Addr,
        /// What the operating system says.
        fault: io::Error,
    },
    /// No thread or runtime.
    #[error("failed to start the server's thread: {0}")]
    Thread(io::Error),
}

/// The sockets, bound and non-blocking.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) dhcp: Option<UdpSocket>,
    pub(super) tftp: Option<UdpSocket>,
    pub(super) transfers: Vec<UdpSocket>,
    pub(super) sip: Option<UdpSocket>,
    pub(super) sip_tcp: Option<TcpListener>,
    pub(super) group: Option<UdpSocket>,
    pub(super) pnp: Option<UdpSocket>,
    pub(super) ntp: Option<UdpSocket>,
    pub(super) ftp: Option<TcpListener>,
    pub(super) mdns: Option<UdpSocket>,
    pub(super) mdns_group: Option<UdpSocket>,
    pub(super) http: Option<TcpListener>,
    pub(super) https: Option<TcpListener>,
}

impl Bind {
    /// Nothing yet, on 127.0.0.1.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST,
            beyond_loopback: false,
            dhcp_interface: None,
            dhcp_port: None,
            tftp_port: None,
            ftp_port: None,
            http_port: None,
            https: None,
            sip_port: None,
            sip_tcp_port: None,
            sip_group: None,
            pnp_port: None,
            ntp_port: None,
            mdns_port: None,
            networks: Vec::new(),
            connections_max: 8_192,
        }
    }
}

/// Who may be sent to.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach(Vec<Network>);

impl Reach {
    pub(super) fn of(bind: &Bind) -> Self {
        Self(bind.networks.clone())
    }

    /// Whether something may be sent to the address. Broadcasts and the groups of PnP and multicast
    /// DNS stay on the link.
    pub(super) fn has(&self, address: Ipv4Addr) -> bool {
        let group = [GROUP, mdns::GROUP].contains(&address);
        let named = self.0.iter().any(|network| network.has(address));
        self.0.is_empty() || named || group || address.is_broadcast()
    }
}

impl AdapterError {
    pub(in crate::reference) fn bind(
        what: &'static str,
        address: SocketAddrV4,
        fault: io::Error,
    ) -> Self {
        match fault.kind() {
            ErrorKind::AddrInUse => Self::InUse { what, address },
            ErrorKind::PermissionDenied => Self::NotPermitted { what, address },
            ErrorKind::AddrNotAvailable => Self::NoSuchAddress { what, address },
            _ => Self::Bind {
                what,
                address,
                fault,
            },
        }
    }
}

impl Sockets {
    pub(super) fn open(bind: &Bind, channels: u16) -> Result<Self, AdapterError> {
        if !bind.address.is_loopback() && !bind.beyond_loopback {
            return Err(AdapterError::BeyondLoopback(bind.address));
        }
        let udp = |what, port: Option<u16>| {
            port.map(|port| datagrams(what, SocketAddrV4::new(bind.address, port)))
                .transpose()
        };
        let tcp = |what, port: Option<u16>| {
            port.map(|port| listener(what, SocketAddrV4::new(bind.address, port)))
                .transpose()
        };
        let mut sockets = Self {
            dhcp: bind.dhcp_port.map(|port| dhcp(bind, port)).transpose()?,
            tftp: udp("TFTP", bind.tftp_port)?,
            sip: udp("SIP", bind.sip_port)?,
            pnp: udp("SIP PnP", bind.pnp_port)?,
            ntp: udp("SNTP", bind.ntp_port)?,
            ftp: tcp("FTP", bind.ftp_port)?,
            http: tcp("HTTP", bind.http_port)?,
            https: tcp("HTTPS", bind.https.as_ref().map(|(port, _)| *port))?,
            ..Self::default()
        };
        if let Some(port) = bind.sip_tcp_port {
            let udp = address(sockets.sip.as_ref()).map_or(0, |at| at.port());
            sockets.sip_tcp = Some(sip_listener(bind.address, port, udp)?);
        }
        if sockets.tftp.is_some() {
            for _ in 0..channels.max(1) {
                sockets.transfers.extend(udp("TFTP transfers", Some(0))?);
            }
        }
        if let (Some(interface), Some(sip)) = (bind.sip_group, address(sockets.sip.as_ref())) {
            sockets.group = Some(group(GROUP, interface, sip.port())?);
        }
        if let Some(port) = bind.mdns_port {
            let at = SocketAddrV4::new(bind.address, port);
            sockets.mdns = Some(shared("multicast DNS", at)?);
            let port = address(sockets.mdns.as_ref()).map_or(port, |at| at.port());
            sockets.mdns_group = Some(group(mdns::GROUP, bind.address, port)?);
        }
        Ok(sockets)
    }

    pub(super) fn endpoints(&self) -> Endpoints {
        let listening = |listener: Option<&TcpListener>| {
            listener.and_then(|it| it.local_addr().ok()).and_then(v4)
        };
        Endpoints {
            dhcp: address(self.dhcp.as_ref()),
            tftp: address(self.tftp.as_ref()),
            ftp: listening(self.ftp.as_ref()),
            http: listening(self.http.as_ref()),
            https: listening(self.https.as_ref()),
            sip: address(self.sip.as_ref()),
            sip_tcp: listening(self.sip_tcp.as_ref()),
            pnp: address(self.pnp.as_ref()),
            ntp: address(self.ntp.as_ref()),
            mdns: address(self.mdns.as_ref()),
        }
    }
}

fn address(socket: Option<&UdpSocket>) -> Option<SocketAddrV4> {
    socket.and_then(|it| it.local_addr().ok()).and_then(v4)
}

fn v4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    }
}

fn datagrams(what: &'static str, address: SocketAddrV4) -> Result<UdpSocket, AdapterError> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        finish(socket, address)
    };
    open().map_err(|fault| AdapterError::bind(what, address, fault))
}

/// A socket on a port that other programs of the host use too (RFC 6762 §15.1).
fn shared(what: &'static str, address: SocketAddrV4) -> Result<UdpSocket, AdapterError> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        finish(socket, address)
    };
    open().map_err(|fault| AdapterError::bind(what, address, fault))
}

/// DHCP broadcasts reach only a socket that is bound to no address; the interface bounds it.
fn dhcp(bind: &Bind, port: u16) -> Result<UdpSocket, AdapterError> {
    let Some(interface) = &bind.dhcp_interface else {
        return datagrams("DHCP", SocketAddrV4::new(bind.address, port));
    };
    let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_broadcast(true)?;
        finish(socket, address)
    };
    open().map_err(|fault| AdapterError::bind("DHCP", address, fault))
}

/// A socket that hears the group on one interface: bound to the group's address, so that unicasts
/// go to the SIP socket, and deaf to what other programs joined.
fn group(group: Ipv4Addr, interface: Ipv4Addr, port: u16) -> Result<UdpSocket, AdapterError> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        socket.set_multicast_all_v4(false)?;
        socket.join_multicast_v4(&group, &interface)?;
        finish(socket, SocketAddrV4::new(group, port))
    };
    open().map_err(|fault| AdapterError::Join {
        group,
        interface,
        fault,
    })
}

fn finish(socket: Socket, address: SocketAddrV4) -> io::Result<UdpSocket> {
    // Less than asked for is no fault: the kernel's own limit may be lower.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket.into())
}

/// The listener of SIP over TCP. Any port will do where none was asked for, but the one that UDP
/// has is what a user expects.
fn sip_listener(address: Ipv4Addr, port: u16, udp: u16) -> Result<TcpListener, AdapterError> {
    let at = |port| listener("SIP over TCP", SocketAddrV4::new(address, port));
    match port {
        0 => at(udp).or_else(|_| at(0)),
        port => at(port),
    }
}

fn listener(what: &'static str, address: SocketAddrV4) -> Result<TcpListener, AdapterError> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        // Only for connections of an earlier run that are still in TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::from(address))?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|fault| AdapterError::bind(what, address, fault))
}
