//! TR-069 on the phone's side, as a profile says it: who the phone is for an auto-configuration
//! server, and a small data model bound to the phone's settings (FAN-113 … FAN-125).

use std::time::Duration;

use super::Param;
use super::template::Template;
use crate::wire::soap::{Kind, Version};

/// How a model speaks CWMP. Whether it does is `Param::AcsEnable` (FAN-114).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CwmpSpec {
    /// The root object, with its dot: `Device.` or `InternetGatewayDevice.`.
    pub root: String,
    /// `DeviceId.Manufacturer`
    pub manufacturer: Template,
    /// `DeviceId.OUI`: six hex digits.
    pub oui: Template,
    /// `DeviceId.ProductClass`
    pub product_class: Template,
    /// `DeviceId.SerialNumber` (FAN-143: 32 characters).
    pub serial: Template,
    /// The port at which connection requests are taken (TR-069 §3.2.2: 7547).
    pub port: u16,
    /// The path of the connection request URL.
    pub path: Template,
    /// The version that a session begins with; from the server's first message on its version
    /// counts.
    pub version: Version,
    /// Wait for connection and answer of one POST, more than 5 s (FAN-123); a protocol time.
    pub timeout: Duration,
    /// Header fields of a POST in order, exact case, before `Cookie`, `SOAPAction` and those of
    /// the content; `{authorization}` stands for the answer to a challenge.
    pub headers: Vec<(String, Template)>,
    /// The phone asks the server for its methods once, at first contact.
    pub asks_methods: bool,
    /// The data model's leaves, sorted by path, each path once; at most `PARAMETERS_MAX`.
    pub parameters: Vec<Parameter>,
    /// Its tables, sorted by path.
    pub tables: Vec<Table>,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// A leaf of the data model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The whole path, root included.
    pub path: String,
    /// Where its value is.
    pub binding: Binding,
    /// The type that it is told with.
    pub kind: Kind,
    /// SetParameterValues may set it.
    pub writable: bool,
    /// Every Inform holds it (TR-069 A.3.3.1).
    pub inform: bool,
    /// It is told as empty: a password.
    pub hidden: bool,
    /// How a change is told while the server sets nothing else (TR-069 A.3.2.4): 0 not at all, 1
    /// with the next Inform, 2 at once.
    pub notification: u8,
    /// Least and most, for numbers.
    pub range: Option<(i64, i64)>,
    /// Words that the server sees, each with what the setting holds; empty = the same text.
    pub words: Vec<(String, String)>,
    /// The table and instance that it belongs to.
    pub row: Option<Row>,
}

/// An instance of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The place in `CwmpSpec::tables`.
    pub table: u8,
    /// Its number.
    pub instance: u8,
}

/// Where a leaf's value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// An engine parameter.
    Param(Param),
    /// A setting, by its key.
    Setting(String),
    /// Nowhere: the profile says it.
    Constant(Template),
    /// What the phone knows of itself.
    Live(Live),
}

/// What a phone knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// Where connection requests are taken: `http://address:port/path`.
    ConnectionRequestUrl,
    /// `ParameterKey` of the last call that had one (TR-069 A.3.2.1).
    ParameterKey,
    /// Seconds since the phone came up.
    UpTime,
}

impl Live {
    /// Every one with the name that profiles use.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::ConnectionRequestUrl, "connection-request-url"),
        (Self::ParameterKey, "parameter-key"),
        (Self::UpTime, "up-time"),
    ];
}

/// An object with instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The whole path, with the dot at its end.
    pub path: String,
    /// The first instance's number.
    pub first: u8,
    /// How many there can be.
    pub count: u8,
    /// AddObject and DeleteObject work: an instance is there once it was added or one of its
    /// settings has a value. Otherwise all are there always.
    pub addable: bool,
}

impl CwmpSpec {
    /// The place of a leaf in `parameters`.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<usize> {
        let order = |known: &Parameter| known.path.as_str().cmp(path);
        self.parameters.binary_search_by(order).ok()
    }

    /// The places of all leaves whose path begins so.
    #[must_use]
    pub fn under(&self, prefix: &str) -> std::ops::Range<usize> {
        let all = &self.parameters;
        let start = all.partition_point(|known| known.path.as_str() < prefix);
        let rest = all.get(start..).unwrap_or_default();
        let length = rest.partition_point(|known| known.path.starts_with(prefix));
        start..start + length
    }
}

impl Table {
    /// The numbers of all instances that can be.
    pub fn numbers(&self) -> impl Iterator<Item = u8> + use<> {
        let first = self.first;
        (0..self.count).map(move |place| first.saturating_add(place))
    }
}
