//! SNTP.

use bootstorm_emulator::wire::sntp::{Packet, Timestamp, mode};

use super::{Fields, Name};

/// Reads a packet.
pub(super) fn read(bytes: &[u8], fields: &mut Fields) -> Option<Name> {
    let packet = match Packet::decode(bytes) {
        Ok(packet) => packet,
        Err(fault) => {
            fields.put("fault", fault);
            return None;
        }
    };
    fields.put("mode", packet.mode);
    fields.put("version", packet.version);
    fields.put("stratum", packet.stratum);
    fields.put("leap", packet.leap);
    for (name, stamp) in [
        ("originate", packet.originate),
        ("receive", packet.receive),
        ("transmit", packet.transmit),
    ] {
        if stamp != Timestamp::ZERO {
            fields.put(name, format_args!("{:016x}", stamp.0));
        }
    }
    Some(match packet.mode {
        mode::CLIENT => "ntp.request".into(),
        mode::SERVER => "ntp.response".into(),
        _ => "ntp.other".into(),
    })
}
