//! TFTP: a transfer is the phone's port, whatever port the server answers from (RFC 1350 §4).

use std::collections::BTreeMap;

use bootstorm_emulator::wire::port;
use bootstorm_emulator::wire::tftp::{
    self, BLKSIZE, BLOCK_BYTES, Options, Packet as Wire, Request,
};

use super::{Fields, Name, joined};
use crate::wire::{Packet, Way};

/// Bytes of a block's header.
const DATA_AT: u32 = 4;

/// The transfers, by the phone's port.
#[derive(Debug, Default)]
pub(super) struct Transfers(BTreeMap<u16, Transfer>);

#[derive(Debug, Clone)]
struct Transfer {
    file: String,
    block_bytes: u64,
}

impl Transfers {
    /// Reads a packet that belongs to a transfer or, where its request was not recorded, looks so.
    pub(super) fn read(&mut self, packet: &Packet<'_>, fields: &mut Fields) -> Option<Name> {
        let port = packet.phone.port();
        let to_server = packet.peer.port() == port::TFTP;
        let known = to_server || self.0.contains_key(&port);
        let wire = match tftp::decode(packet.bytes) {
            Ok(wire) => wire,
            Err(fault) => {
                if known {
                    fields.put("fault", fault);
                }
                return None;
            }
        };
        match wire {
            Wire::Read(request) | Wire::Write(request) if known => {
                Some(self.asked(packet, &wire, request, fields))
            }
            Wire::Read(_) | Wire::Write(_) => None,
            _ => Some(self.told(packet, &wire, fields)),
        }
    }

    fn asked(
        &mut self,
        packet: &Packet<'_>,
        wire: &Wire<'_>,
        request: Request<'_>,
        fields: &mut Fields,
    ) -> Name {
        fields.put_text("file", request.name);
        fields.put_text("mode", request.mode);
        put_options(request.options, fields);
        if packet.way == Way::Sent {
            let transfer = Transfer {
                file: String::from_utf8_lossy(request.name).into_owned(),
                block_bytes: u64::from(BLOCK_BYTES),
            };
            self.0.insert(packet.phone.port(), transfer);
        }
        match wire {
            Wire::Write(_) => "tftp.wrq".into(),
            _ => "tftp.rrq".into(),
        }
    }

    fn told(&mut self, packet: &Packet<'_>, wire: &Wire<'_>, fields: &mut Fields) -> Name {
        let mut transfer = self.0.get_mut(&packet.phone.port());
        if let Some(transfer) = &transfer {
            fields.put("file", &transfer.file);
        }
        match *wire {
            Wire::Data { block, .. } => {
                let bytes = u64::from(packet.length.saturating_sub(DATA_AT));
                fields.put("block", block);
                fields.put("bytes", bytes);
                if let Some(transfer) = transfer {
                    fields.put("last", bytes < transfer.block_bytes);
                }
                "tftp.data".into()
            }
            Wire::Ack { block } => {
                fields.put("block", block);
                "tftp.ack".into()
            }
            Wire::Error { code, message } => {
                fields.put("code", code);
                fields.put_text("text", message);
                "tftp.error".into()
            }
            Wire::OptionAck(options) => {
                put_options(options, fields);
                let agreed = options.number(BLKSIZE).flatten();
                if let Some((agreed, transfer)) = agreed.zip(transfer.as_mut()) {
                    transfer.block_bytes = agreed;
                }
                "tftp.oack".into()
            }
            Wire::Read(_) | Wire::Write(_) => "tftp.rrq".into(),
        }
    }
}

fn put_options(options: Options<'_>, fields: &mut Fields) {
    let names = options
        .iter()
        .map(|(name, _)| String::from_utf8_lossy(name));
    fields.put("options", joined(names));
    for (name, value) in options {
        let name = String::from_utf8_lossy(name).to_lowercase();
        fields.put_text(format!("option.{name}"), value);
    }
}
