//! Why something was not usable: what came over the wire, and what a document says.

use crate::wire::Malformed;

/// Why something received was not usable. The text of each is what a report prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes do not follow the protocol.
    Malformed(Malformed),
    /// A TFTP packet from a port that is not the transfer's.
    ForeignTid,
    /// A block number that is neither the next nor the last one.
    UnexpectedBlock {
        /// The number that was due (modulo 65,536).
        expected: u16,
        /// The number that came.
        got: u16,
    },
    /// An OACK value that the phone did not ask for or cannot accept.
    OptionRefused,
    /// A TFTP ERROR other than "file not found", with its code.
    TftpError(u16),
    /// An HTTP status that is neither success, redirect, challenge nor "not there".
    HttpStatus(u16),
    /// More redirects than the limit.
    RedirectLoop,
    /// A redirect or link whose target cannot be read or reached from here.
    BadTarget,
    /// A scheme that this phone (or this build) does not speak.
    Scheme,
    /// The host name is not in the run's host table.
    UnknownHost,
    /// Credentials were refused after they had been sent once.
    Unauthorized,
    /// A challenge of a kind the phone cannot answer.
    Challenge,
    /// The connection was refused.
    ConnectionRefused,
    /// The connection broke before the answer was complete.
    ConnectionBroken,
    /// TLS failed.
    Tls,
    /// The server says that the file is not there.
    NotThere,
    /// No answer in the time allowed.
    Silence,
    /// A file larger than the phone accepts.
    TooLarge,
    /// A body that is not of the format that its place demands.
    WrongFormat,
    /// Encrypted content for which the phone has no key.
    Encrypted,
    /// An MD5 that differs from the one announced.
    ChecksumMismatch,
    /// A firmware image that is empty or is not an image (an error page, a text).
    NotAnImage,
    /// A DHCP answer without what the phone needs (server identifier, address).
    Incomplete,
    /// A message that belongs to another transaction.
    ForeignTransaction,
    /// Our own side ran out of descriptors or addresses; never the server's fault.
    Local,
    /// XML that is not well-formed.
    BadXml,
    /// A document made for another product or another phone (GIG-25).
    ForeignDocument,
    /// A version that differs from the one announced for the file (GIG-41).
    VersionMismatch,
    /// A certificate that cannot be read.
    BadCertificate,
    /// A server whose clock is not set, or an answer to another request.
    NoTime,
    /// A SIP final answer other than success, challenge or a wish for a longer time.
    SipStatus(u16),
    /// A document of a kind that is not allowed here (AUE-02).
    KindRefused,
    /// A link back to a document of the same run (AUE-65).
    Cycle,
    /// An FTP reply other than success and "no such file" (550), with its code.
    FtpReply(u16),
    /// The FTP data connection could not be made or broke.
    FtpData,
    /// A file that does not come out as a configuration with the key that the phone has: another
    /// key, or none was used at all (FAN-44).
    WrongKey,
    /// Encrypted content that is cut: no whole blocks.
    BadCiphertext,
    /// A resource whose name has a suffix or base name that is refused (FAN-128 … FAN-133).
    NameRefused,
    /// Nobody answered what the phone asked on its display, or the user gave it up (FAN-52).
    Abandoned,
    /// A SOAP fault of the auto-configuration server, with its CWMP fault code.
    SoapFault(u16),
    /// XML that is no SOAP envelope with what this place of the session demands.
    BadSoap,
    /// An RPC without `cwmp:ID`, or an answer to another one.
    ForeignId,
    /// A session that the server does not end.
    EndlessSession,
}

/// Why a line of a document was not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineReason {
    /// Neither comment nor in the format's grammar.
    Grammar,
    /// A key that the profile does not know.
    UnknownKey,
    /// A value outside its type or range.
    BadValue,
    /// An index beyond what the model has (FLY-37).
    IndexBeyondModel,
    /// A link that is not of the kind allowed there (FLY-24).
    NotALink,
    /// Beyond the limit of lines, links or names.
    OverLimit,
    /// An option before the first module header, or under one that the profile does not know
    /// (FAN-32).
    NoModule,
}

/// What a document lacks or has too much, and is read all the same (FAN-36, FAN-38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tolerance {
    /// The header is missing.
    NoHeader,
    /// The header has another length than the form demands (FAN-28).
    HeaderLength,
    /// The footer is missing (FAN-31).
    NoFooter,
    /// XML that is not well-formed was read by its marks alone.
    Damaged,
}

/// Why a settings section was not stored, or an operation not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SectionFault {
    /// The model has no such section or element.
    Unknown,
    /// An element that the section must have is missing.
    MissingChild,
    /// A value outside its type or range.
    BadValue,
    /// A version newer than the phone's own, or one that no migration starts from.
    Version,
    /// A path outside the subset of XPath that is understood.
    Path,
    /// A path that addresses nothing (AUE-77).
    NoMatch,
    /// A path that addresses an attribute (AUE-76).
    Attribute,
}
