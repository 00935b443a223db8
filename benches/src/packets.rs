//! Packets as phones and servers of the vendors' documents send them, and what a phone looks at in
//! them.

use std::net::Ipv4Addr;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::wire::dhcp::{self, Encoder, Header, MessageType};
use bootstorm_emulator::wire::tftp::{self, Packet};

const MAC: Mac = Mac([0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d]);

/// An ACK with the options of FLY-65, padded to 300 bytes.
#[must_use]
pub fn dhcp_ack() -> Vec<u8> {
    let header = Header {
        op: dhcp::BOOT_REPLY,
        yiaddr: Ipv4Addr::new(10, 1, 0, 9),
        ..Header::request(0xf844_8829, MAC)
    };
    let mut packet = Vec::new();
    let mut encoder = Encoder::begin(&mut packet, &header);
    encoder
        .message_type(MessageType::Ack)
        .option(54, &[10, 0, 0, 2])
        .option(51, &[0, 0, 14, 16])
        .option(58, &[0, 0, 7, 8])
        .option(59, &[0, 0, 12, 78])
        .option(1, &[255, 0, 0, 0])
        .option(3, &[10, 0, 0, 1])
        .option(66, b"10.0.0.2");
    encoder.finish(300);
    packet
}

/// A DISCOVER of 548 bytes, as FLY-62 and FLY-79 have it.
#[must_use]
pub fn dhcp_discover() -> Vec<u8> {
    let mut packet = Vec::new();
    let mut encoder = Encoder::begin(&mut packet, &Header::request(0xf844_8829, MAC));
    encoder
        .message_type(MessageType::Discover)
        .option(61, &[1, 0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d])
        .option(60, b"udhcp 1.15.3")
        .option(57, &[2, 64])
        .option(55, &[1, 3, 6, 12, 15, 28, 42, 66]);
    encoder.finish(548);
    packet
}

/// Reads a DHCP message and every option in it; a sum, so that nothing can be left out.
#[must_use]
pub fn walk_dhcp(packet: &[u8]) -> usize {
    let message = dhcp::Message::decode(packet);
    message.map_or(0, |message| {
        let options = message.options();
        options
            .map(|(code, value)| usize::from(code) + value.len())
            .sum()
    })
}

/// The read request of WIRE-02 and WIRE-03, of 55 bytes.
#[must_use]
pub fn tftp_request() -> Vec<u8> {
    let mut packet = Vec::new();
    tftp::read_request(&mut packet, b"0021f222b01d.cfg", tftp::OCTET);
    options(&mut packet, 0);
    packet
}

/// One packet of each kind, by name.
#[must_use]
pub fn tftp() -> Vec<(&'static str, Vec<u8>)> {
    let write = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = Vec::new();
        write(&mut packet);
        packet
    };
    vec![
        ("RRQ", tftp_request()),
        (
            "WRQ",
            write(&|out| tftp::write_request(out, b"0021f222b01d.log", tftp::OCTET)),
        ),
        (
            "DATA of 512 bytes",
            write(&|out| tftp::data(out, 7, &[b'x'; 512])),
        ),
        ("ACK", write(&|out| tftp::ack(out, 7))),
        (
            "ERROR",
            write(&|out| tftp::error(out, tftp::NOT_FOUND, b"File not found")),
        ),
        (
            "OACK",
            write(&|out| {
                tftp::option_ack(out);
                options(out, 4_711);
            }),
        ),
    ]
}

/// Reads a TFTP packet and the options in it; a sum, so that nothing can be left out. `None` for
/// what is no packet.
#[must_use]
pub fn walk_tftp(packet: &[u8]) -> Option<usize> {
    let lengths = |(name, value): (&[u8], &[u8])| name.len() + value.len();
    Some(match tftp::decode(packet).ok()? {
        Packet::Read(request) | Packet::Write(request) => request.options.iter().map(lengths).sum(),
        Packet::OptionAck(options) => options.iter().map(lengths).sum(),
        _ => 0,
    })
}

fn options(packet: &mut Vec<u8>, size: u64) {
    tftp::option_number(packet, tftp::TSIZE, size);
    tftp::option_number(packet, tftp::BLKSIZE, 512);
    tftp::option_number(packet, tftp::TIMEOUT, 3);
}

/// A check-sync NOTIFY (FLY-99).
#[must_use]
pub fn sip_notify() -> Vec<u8> {
    b"NOTIFY sip:1001@127.32.0.9:5060 SIP/2.0\r\n\
      Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-524287-1;rport\r\n\
      From: <sip:server@127.0.0.1>;tag=8f31\r\n\
      To: <sip:1001@127.32.0.9>\r\n\
      Call-ID: 1-8f31@127.0.0.1\r\n\
      CSeq: 1 NOTIFY\r\n\
      Contact: <sip:server@127.0.0.1:5061>\r\n\
      Max-Forwards: 70\r\n\
      Event: check-sync;reboot=false\r\n\
      Subscription-State: active\r\n\
      Content-Length: 0\r\n\r\n"
        .to_vec()
}

/// The head of a phone's GET (FLY-18).
#[must_use]
pub fn http_request() -> Vec<u8> {
    b"GET /site/0021f222b01d.cfg HTTP/1.1\r\n\
      Host: 127.0.0.1\r\n\
      User-Agent: Phone 13 V0.6.24 00:21:F2:22:B0:1D\r\n\
      Accept: */*\r\n\r\n"
        .to_vec()
}
