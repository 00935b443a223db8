//! A DHCP client that asks for what a step names (RFC 2131 §4.4).

use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::phone::io::{Channel, Effect, Input};
use bootstorm_emulator::wire::dhcp::{Encoder, Header, Message, MessageType, code};
use bootstorm_emulator::wire::port;
use bootstorm_scenarios::suite::probe::{DhcpAsk, DhcpKind};

use super::{Flow, Turn};

/// Bytes of a message: what older servers and relays expect (RFC 1542 §2.1).
const MESSAGE_BYTES: usize = 300;

/// What was offered, or is leased.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    address: Ipv4Addr,
    server: Ipv4Addr,
}

/// A question under way.
#[derive(Debug)]
pub(super) struct Asking {
    spec: DhcpAsk,
    xid: u32,
    /// The message that is waited for an answer to.
    sent: MessageType,
}

impl Asking {
    /// Sends the first message.
    pub(super) fn begin(turn: &mut Turn<'_>, spec: &DhcpAsk) -> (Self, Flow) {
        let sent = match spec.kind {
            DhcpKind::Discover | DhcpKind::Lease => MessageType::Discover,
            DhcpKind::Request | DhcpKind::Reboot | DhcpKind::Renew | DhcpKind::Rebind => {
                MessageType::Request
            }
            DhcpKind::Inform => MessageType::Inform,
            DhcpKind::Release => MessageType::Release,
        };
        let asking = Self {
            spec: spec.clone(),
            xid: turn.kept.rng.next_u32(),
            sent,
        };
        asking.send(turn);
        let flow = match sent {
            MessageType::Release => Flow::Done,
            _ => Flow::More,
        };
        (asking, flow)
    }

    pub(super) fn take(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Flow {
        let Input::Datagram {
            channel: Channel::Dhcp,
            bytes,
            ..
        } = input
        else {
            return Flow::More;
        };
        let Ok(message) = Message::decode(bytes) else {
            return Flow::More;
        };
        // Another transaction's, or another client's.
        if message.xid() != self.xid || message.mac() != Some(turn.me.planned.identity.mac) {
            return Flow::More;
        }
        match (self.sent, message.message_type()) {
            (MessageType::Discover, Some(MessageType::Offer)) => {
                turn.kept.lease = Some(Lease {
                    address: message.yiaddr(),
                    server: message
                        .address(code::SERVER_ID)
                        .unwrap_or(turn.me.plan.server),
                });
                if self.spec.kind == DhcpKind::Discover {
                    return Flow::Done;
                }
                self.sent = MessageType::Request;
                self.send(turn);
                Flow::More
            }
            (MessageType::Request, Some(MessageType::Ack)) => {
                turn.kept.lease = Some(Lease {
                    address: message.yiaddr(),
                    server: message
                        .address(code::SERVER_ID)
                        .unwrap_or(turn.me.plan.server),
                });
                turn.out
                    .effects
                    .push(Effect::Address(Some(message.yiaddr())));
                Flow::Done
            }
            (MessageType::Request, Some(MessageType::Nak)) => {
                turn.kept.lease = None;
                turn.out
                    .effects
                    .push(Effect::Address(Some(turn.me.address)));
                Flow::Done
            }
            (MessageType::Inform, Some(MessageType::Ack)) => Flow::Done,
            _ => Flow::More,
        }
    }

    /// Writes the message that is due; each kind has its own fields (RFC 2131 §4.3.6).
    fn send(&self, turn: &mut Turn<'_>) {
        let spec = &self.spec;
        let lease = turn.kept.lease;
        let held = lease.map_or(Ipv4Addr::UNSPECIFIED, |lease| lease.address);
        let mut header = Header::request(self.xid, turn.me.planned.identity.mac);
        header.broadcast = spec.broadcast;
        let has_address = matches!(spec.kind, DhcpKind::Renew | DhcpKind::Rebind)
            || matches!(self.sent, MessageType::Release);
        if has_address {
            header.ciaddr = held;
        } else if self.sent == MessageType::Inform {
            header.ciaddr = lease.map_or(turn.me.address, |lease| lease.address);
        }
        let asks_for = match (self.sent, spec.kind) {
            (MessageType::Request, DhcpKind::Request | DhcpKind::Lease | DhcpKind::Reboot) => lease,
            _ => None,
        };
        let requested = spec.requested.or(asks_for.map(|lease| lease.address));
        let chosen = match (self.sent, spec.kind) {
            (MessageType::Request, DhcpKind::Request | DhcpKind::Lease)
            | (MessageType::Release, _) => lease.map(|lease| lease.server),
            _ => None,
        };
        let chosen = spec.server_id.or(chosen);
        let server = lease.map_or(turn.me.plan.server, |lease| lease.server);
        let to = match spec.kind {
            DhcpKind::Renew | DhcpKind::Release => SocketAddrV4::new(server, port::DHCP_SERVER),
            _ => SocketAddrV4::new(Ipv4Addr::BROADCAST, port::DHCP_SERVER),
        };
        turn.out.send(Channel::Dhcp, to, |out| {
            let mut message = Encoder::begin(out, &header);
            message.message_type(self.sent);
            if let Some(id) = &spec.client_id {
                message.option(code::CLIENT_ID, id);
            }
            if let Some(address) = requested {
                message.option(code::REQUESTED_ADDRESS, &address.octets());
            }
            if let Some(server) = chosen {
                message.option(code::SERVER_ID, &server.octets());
            }
            if let Some(class) = &spec.vendor_class {
                message.option(code::VENDOR_CLASS, class.as_bytes());
            }
            if let Some(codes) = &spec.parameters {
                message.option(code::PARAMETERS, codes);
            }
            message.finish(MESSAGE_BYTES);
        });
    }
}
