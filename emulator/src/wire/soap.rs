//! SOAP 1.1 envelopes with one CWMP message each (TR-069 §3.4, §3.5, Annex A), both directions:
//! what a phone writes and reads, and what an auto-configuration server needs to talk to it.
//!
//! The reader borrows from the bytes. Namespaces are resolved for the envelope and the method;
//! arguments are known by their local names, since servers in use qualify them or not as they
//! like. What is no envelope is an error; a method whose arguments cannot be understood is
//! `Message::Invalid`, so that the phone can answer it with a fault.

mod read;
mod write;

use std::borrow::Cow;

use thiserror::Error;

use crate::format::xml::XmlFault;
use crate::limits::SOAP_BYTES_MAX;

pub use read::read;
pub use write::write;

/// The namespace of SOAP 1.1 envelopes.
pub const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The namespace of SOAP's encoding rules.
pub const ENCODING: &str = "http://schemas.xmlsoap.org/soap/encoding/";
/// A time that nobody knows (TR-106 §3.2.1).
pub const UNKNOWN_TIME: &str = "0001-01-01T00:00:00Z";

/// The version of CWMP that a message's namespace says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// `urn:dslforum-org:cwmp-1-0`
    V1_0,
    /// `urn:dslforum-org:cwmp-1-1`
    V1_1,
    /// `urn:dslforum-org:cwmp-1-2`
    V1_2,
}

/// The types of the data model (TR-106 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `xsd:string`
    Text,
    /// `xsd:int`
    Int,
    /// `xsd:unsignedInt`
    UnsignedInt,
    /// `xsd:boolean`
    Boolean,
    /// `xsd:dateTime`
    DateTime,
    /// `SOAP-ENC:base64`
    Base64,
}

/// One message in its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What the namespace says; `None` when no CWMP name stood in it (a bare SOAP fault). Written
    /// as 1.0 then.
    pub version: Option<Version>,
    /// `cwmp:ID`
    pub id: Option<Cow<'a, str>>,
    /// `cwmp:HoldRequests`, or the older `cwmp:NoMoreRequests`.
    pub hold_requests: bool,
    /// The method.
    pub message: Message<'a>,
}

/// A text out of a message, or for one.
pub type Text<'a> = Cow<'a, str>;

/// A CWMP method, its response, or a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// Inform
    Inform(Box<Inform<'a>>),
    /// InformResponse
    InformResponse {
        /// Envelopes that the server takes at once; 1.
        max_envelopes: u32,
    },
    /// TransferComplete
    TransferComplete(TransferComplete<'a>),
    /// TransferCompleteResponse
    TransferCompleteResponse,
    /// GetRPCMethods
    GetRpcMethods,
    /// GetRPCMethodsResponse with the methods' names.
    GetRpcMethodsResponse(Vec<Text<'a>>),
    /// GetParameterValues of these paths.
    GetParameterValues(Vec<Text<'a>>),
    /// GetParameterValuesResponse
    GetParameterValuesResponse(Vec<Value<'a>>),
    /// SetParameterValues
    SetParameterValues {
        /// What to set.
        values: Vec<Value<'a>>,
        /// ParameterKey
        key: Text<'a>,
    },
    /// SetParameterValuesResponse
    SetParameterValuesResponse {
        /// 0 = in force, 1 = in force after a reboot.
        status: u8,
    },
    /// GetParameterNames
    GetParameterNames {
        /// A whole path, or one that ends in a dot, or nothing.
        path: Text<'a>,
        /// Only what lies directly below.
        next_level: bool,
    },
    /// GetParameterNamesResponse
    GetParameterNamesResponse(Vec<NameInfo<'a>>),
    /// GetParameterAttributes of these paths.
    GetParameterAttributes(Vec<Text<'a>>),
    /// GetParameterAttributesResponse
    GetParameterAttributesResponse(Vec<Attributes<'a>>),
    /// SetParameterAttributes
    SetParameterAttributes(Vec<SetAttributes<'a>>),
    /// SetParameterAttributesResponse
    SetParameterAttributesResponse,
    /// AddObject
    AddObject(ObjectCall<'a>),
    /// AddObjectResponse
    AddObjectResponse {
        /// The new instance.
        instance: u32,
        /// 0 = there, 1 = there after a reboot.
        status: u8,
    },
    /// DeleteObject
    DeleteObject(ObjectCall<'a>),
    /// DeleteObjectResponse
    DeleteObjectResponse {
        /// 0 = gone, 1 = gone after a reboot.
        status: u8,
    },
    /// Download
    Download(Box<Download<'a>>),
    /// DownloadResponse
    DownloadResponse {
        /// 0 = done, 1 = not yet: TransferComplete follows.
        status: u8,
        /// When it began; `UNKNOWN_TIME` with status 1.
        start: Text<'a>,
        /// When it was over; likewise.
        complete: Text<'a>,
    },
    /// Reboot
    Reboot {
        /// CommandKey
        key: Text<'a>,
    },
    /// RebootResponse
    RebootResponse,
    /// FactoryReset
    FactoryReset,
    /// FactoryResetResponse
    FactoryResetResponse,
    /// ScheduleInform
    ScheduleInform {
        /// Seconds, 1 or more.
        delay_s: u32,
        /// CommandKey
        key: Text<'a>,
    },
    /// ScheduleInformResponse
    ScheduleInformResponse,
    /// A SOAP fault.
    Fault(Fault<'a>),
    /// Another method in a CWMP namespace; `write` gives it no arguments.
    Unknown(Text<'a>),
    /// A known method whose arguments are missing, of another type, or too many; never written.
    Invalid {
        /// Its name.
        method: Text<'a>,
        /// It names more than `PARAMETERS_MAX`.
        over_limit: bool,
    },
}

/// Inform (TR-069 A.3.3.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inform<'a> {
    /// DeviceId.Manufacturer
    pub manufacturer: Text<'a>,
    /// DeviceId.OUI
    pub oui: Text<'a>,
    /// DeviceId.ProductClass
    pub product_class: Text<'a>,
    /// DeviceId.SerialNumber
    pub serial: Text<'a>,
    /// EventCode and CommandKey of each event.
    pub events: Vec<(Text<'a>, Text<'a>)>,
    /// 1
    pub max_envelopes: u32,
    /// CurrentTime
    pub current_time: Text<'a>,
    /// Sessions in a row that failed before this one.
    pub retry_count: u32,
    /// ParameterList
    pub parameters: Vec<Value<'a>>,
}

/// TransferComplete (TR-069 A.3.3.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransferComplete<'a> {
    /// The CommandKey of the Download.
    pub key: Text<'a>,
    /// FaultStruct.FaultCode, 0 = none.
    pub fault: u16,
    /// FaultStruct.FaultString
    pub fault_text: Text<'a>,
    /// StartTime
    pub start: Text<'a>,
    /// CompleteTime
    pub complete: Text<'a>,
}

/// A parameter and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value<'a> {
    /// The path.
    pub name: Text<'a>,
    /// What `xsi:type` says, where it is one of ours.
    pub kind: Option<Kind>,
    /// The value as it is written.
    pub value: Text<'a>,
}

/// What GetParameterNames tells of one object or parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameInfo<'a> {
    /// The path; an object's ends in a dot.
    pub name: Text<'a>,
    /// SetParameterValues (AddObject, DeleteObject) works on it.
    pub writable: bool,
}

/// What GetParameterAttributes tells of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// The path.
    pub name: Text<'a>,
    /// 0 off, 1 passive, 2 active.
    pub notification: u8,
    /// Who else may write it.
    pub access: Vec<Text<'a>>,
}

/// What SetParameterAttributes wants of one parameter or object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAttributes<'a> {
    /// The path.
    pub name: Text<'a>,
    /// The new notification, where it is to change.
    pub notification: Option<u8>,
    /// The new access list, where it is to change.
    pub access: Option<Vec<Text<'a>>>,
}

/// The arguments of AddObject and DeleteObject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectCall<'a> {
    /// ObjectName: ends in a dot.
    pub object: Text<'a>,
    /// ParameterKey
    pub key: Text<'a>,
}

/// Download (TR-069 A.3.2.8).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Download<'a> {
    /// CommandKey
    pub key: Text<'a>,
    /// FileType: `1 Firmware Upgrade Image`, `3 Vendor Configuration File` …
    pub file_type: Text<'a>,
    /// URL
    pub url: Text<'a>,
    /// Username
    pub user: Text<'a>,
    /// Password
    pub password: Text<'a>,
    /// FileSize in bytes; 0 = not said.
    pub file_size: u32,
    /// TargetFileName
    pub target: Text<'a>,
    /// DelaySeconds
    pub delay_s: u32,
    /// SuccessURL
    pub success_url: Text<'a>,
    /// FailureURL
    pub failure_url: Text<'a>,
}

/// A SOAP fault (TR-069 §3.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault<'a> {
    /// `detail/cwmp:Fault/FaultCode`; 0 where there is none.
    pub code: u16,
    /// `detail/cwmp:Fault/FaultString`, or `faultstring` where there is none.
    pub text: Text<'a>,
    /// SetParameterValuesFault, one for each parameter.
    pub parameters: Vec<ParameterFault<'a>>,
}

/// What is wrong with one parameter of a SetParameterValues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterFault<'a> {
    /// The path.
    pub name: Text<'a>,
    /// 9005 … 9008
    pub code: u16,
    /// In words.
    pub text: Text<'a>,
}

/// Why bytes are no SOAP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SoapFault {
    /// More than `SOAP_BYTES_MAX`.
    #[error("more than {SOAP_BYTES_MAX} bytes")]
    TooLarge,
    /// Not well-formed, or beyond a limit of the XML reader.
    #[error(transparent)]
    Xml(#[from] XmlFault),
    /// Well-formed, and no envelope with a CWMP message in a namespace that is known.
    #[error("{0}")]
    NotSoap(&'static str),
}

impl Version {
    /// Every version with the name that profiles use.
    pub const NAMED: [(Self, &'static str); 3] = [
        (Self::V1_0, "1.0"),
        (Self::V1_1, "1.1"),
        (Self::V1_2, "1.2"),
    ];

    /// Its namespace.
    #[must_use]
    pub fn namespace(self) -> &'static str {
        match self {
            Self::V1_0 => "urn:dslforum-org:cwmp-1-0",
            Self::V1_1 => "urn:dslforum-org:cwmp-1-1",
            Self::V1_2 => "urn:dslforum-org:cwmp-1-2",
        }
    }

    /// The version of a namespace.
    #[must_use]
    pub fn of_namespace(uri: &str) -> Option<Self> {
        let mut all = Self::NAMED.into_iter().map(|(version, _)| version);
        all.find(|version| version.namespace() == uri)
    }
}

impl Kind {
    /// Every type with its name in `xsi:type`, prefix left out.
    pub const NAMED: [(Self, &'static str); 6] = [
        (Self::Text, "string"),
        (Self::Int, "int"),
        (Self::UnsignedInt, "unsignedInt"),
        (Self::Boolean, "boolean"),
        (Self::DateTime, "dateTime"),
        (Self::Base64, "base64"),
    ];

    /// Its name, prefix left out.
    #[must_use]
    pub fn name(self) -> &'static str {
        let mut all = Self::NAMED.into_iter();
        all.find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }
}

impl Fault<'_> {
    /// Whether the caller is to blame (`Client`) rather than who was called (TR-069 A.5.1).
    #[must_use]
    pub fn is_client(&self) -> bool {
        matches!(self.code, 9_003 | 9_005..=9_008 | 8_003 | 8_005)
    }
}

impl Message<'_> {
    /// The method's name, as its element has it; `Fault` for a fault.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Inform(_) => "Inform",
            Self::InformResponse { .. } => "InformResponse",
            Self::TransferComplete(_) => "TransferComplete",
            Self::TransferCompleteResponse => "TransferCompleteResponse",
            Self::GetRpcMethods => "GetRPCMethods",
            Self::GetRpcMethodsResponse(_) => "GetRPCMethodsResponse",
            Self::GetParameterValues(_) => "GetParameterValues",
            Self::GetParameterValuesResponse(_) => "GetParameterValuesResponse",
            Self::SetParameterValues { .. } => "SetParameterValues",
            Self::SetParameterValuesResponse { .. } => "SetParameterValuesResponse",
            Self::GetParameterNames { .. } => "GetParameterNames",
            Self::GetParameterNamesResponse(_) => "GetParameterNamesResponse",
            Self::GetParameterAttributes(_) => "GetParameterAttributes",
            Self::GetParameterAttributesResponse(_) => "GetParameterAttributesResponse",
            Self::SetParameterAttributes(_) => "SetParameterAttributes",
            Self::SetParameterAttributesResponse => "SetParameterAttributesResponse",
            Self::AddObject(_) => "AddObject",
            Self::AddObjectResponse { .. } => "AddObjectResponse",
            Self::DeleteObject(_) => "DeleteObject",
            Self::DeleteObjectResponse { .. } => "DeleteObjectResponse",
            Self::Download(_) => "Download",
            Self::DownloadResponse { .. } => "DownloadResponse",
            Self::Reboot { .. } => "Reboot",
            Self::RebootResponse => "RebootResponse",
            Self::FactoryReset => "FactoryReset",
            Self::FactoryResetResponse => "FactoryResetResponse",
            Self::ScheduleInform { .. } => "ScheduleInform",
            Self::ScheduleInformResponse => "ScheduleInformResponse",
            Self::Fault(_) => "Fault",
            Self::Unknown(method) | Self::Invalid { method, .. } => method,
        }
    }
}

impl std::fmt::Debug for Download<'_> {
    /// Without credentials.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Download")
            .field("key", &self.key)
            .field("file_type", &self.file_type)
            .field("file_size", &self.file_size)
            .field("target", &self.target)
            .field("delay_s", &self.delay_s)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
