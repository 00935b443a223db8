//! Packets decoded to messages: what a case's expectations name.

use std::borrow::Cow;
use std::net::SocketAddrV4;

use bootstorm_emulator::time::Moment;

use super::Way;

/// One message of a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When its last byte left or arrived.
    pub at: Moment,
    /// Which way it went.
    pub way: Way,
    /// The other end, as the phone sees it.
    pub peer: SocketAddrV4,
    /// Protocol and kind in lower case: `dhcp.discover`, `tftp.rrq`, `http.response`.
    pub name: Cow<'static, str>,
    /// Bytes of the UDP payload, or of the message within its connection.
    pub length: u32,
    /// What it says, in the order of the wire; a key may occur more than once.
    pub fields: Vec<(Cow<'static, str>, String)>,
}

impl Message {
    /// The first value of a field.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(held, _)| held == key)?;
        Some(&found.1)
    }

    /// Every value of a field.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter();
        fields.filter_map(move |(held, value)| (held == key).then_some(value.as_str()))
    }
}
