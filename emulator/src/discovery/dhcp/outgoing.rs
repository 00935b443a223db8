//! A client's message in the words of its profile: which options, in which order, how long.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::phone::io::Channel;
use crate::phone::turn::Turn;
use crate::profile::template::Vars;
use crate::profile::{DhcpOption, DhcpSpec, URL_OPTION};
use crate::wire::dhcp::{Encoder, Header, MessageType, code};
use crate::wire::port;

/// What the phone's page adds to option 55.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// The profile's `parameters_with_67` too (FLY-79).
    pub with_67: bool,
    /// The option that holds the URL, where it can be chosen (FAN-64); none = disabled.
    pub url_option: Option<u8>,
}

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing {
    pub(super) kind: MessageType,
    pub(super) to: Ipv4Addr,
    pub(super) ciaddr: Ipv4Addr,
    /// Option 50.
    pub(super) requested: Option<Ipv4Addr>,
    /// Option 54.
    pub(super) server: Option<Ipv4Addr>,
}

impl Outgoing {
    /// Sends it as the profile words it; its length in bytes.
    pub(super) fn transmit(&self, turn: &mut Turn<'_>, xid: u32, asked: Asked) -> usize {
        let (profile, mac) = (turn.profile, turn.identity.mac);
        let spec = &profile.dhcp;
        let vars = Vars {
            mac,
            index: turn.identity.index,
            model: &profile.model,
            vendor: &profile.vendor,
            oem: &profile.oem,
            firmware: turn.firmware,
            address: turn.address,
            ..Vars::default()
        };
        let header = Header {
            // A client that has an address can be answered there (RFC 2131 §4.1).
            broadcast: spec.broadcast && self.ciaddr.is_unspecified() && self.is_answered(),
            ciaddr: self.ciaddr,
            ..Header::request(xid, mac)
        };
        let to = SocketAddrV4::new(self.to, port::DHCP_SERVER);
        turn.out.send(Channel::Dhcp, to, |out| {
            let mut encoder = Encoder::begin(out, &header);
            for option in &spec.options {
                write_option(&mut encoder, *option, self, spec, &vars, asked);
            }
            encoder.finish(spec.message_bytes);
        })
    }
}

impl Outgoing {
    /// Whether the server says something to it.
    fn is_answered(&self) -> bool {
        !matches!(self.kind, MessageType::Release | MessageType::Decline)
    }
}

/// Writes one option of a client's message, or nothing where the message does not need it.
/// RFC 2131 table 5: RELEASE and DECLINE carry nothing but their type, the client's and the
/// server's id, DECLINE the address too.
fn write_option(
    encoder: &mut Encoder<'_>,
    option: DhcpOption,
    message: &Outgoing,
    spec: &DhcpSpec,
    vars: &Vars<'_>,
    asked: Asked,
) {
    let asks = message.is_answered();
    match option {
        DhcpOption::MessageType => {
            encoder.message_type(message.kind);
        }
        DhcpOption::ClientId => {
            encoder.option_with(code::CLIENT_ID, |out| {
                out.push(1);
                out.extend_from_slice(&vars.mac.0);
            });
        }
        DhcpOption::RequestedAddress => {
            if let Some(address) = message.requested {
                encoder.option(code::REQUESTED_ADDRESS, &address.octets());
            }
        }
        DhcpOption::ServerId => {
            if let Some(server) = message.server {
                encoder.option(code::SERVER_ID, &server.octets());
            }
        }
        DhcpOption::VendorClass if asks => {
            encoder.option_with(code::VENDOR_CLASS, |out| {
                spec.vendor_class.render(vars, out);
            });
        }
        DhcpOption::HostName if asks => {
            encoder.option_with(code::HOST_NAME, |out| spec.host_name.render(vars, out));
        }
        DhcpOption::MaxSize(bytes) if asks => {
            encoder.option(code::MAX_SIZE, &bytes.to_be_bytes());
        }
        DhcpOption::Parameters if asks => {
            encoder.option_with(code::PARAMETERS, |out| {
                // FAN-70: only the chosen option, in its place.
                out.extend(spec.parameters.iter().filter_map(|code| match *code {
                    URL_OPTION => asked.url_option,
                    code => Some(code),
                }));
                if asked.with_67 {
                    out.extend_from_slice(&spec.parameters_with_67);
                }
            });
        }
        _ => {}
    }
}
