//! Faults and limits in words: the one place that decides how a report names what went wrong. What
//! phones do by themselves is in `told`.

mod told;

use bootstorm_emulator::event::{Fault, Limit};

pub use told::{
    boot_cause, inform_events, line_reason, prompt, rpc, run_result, section_fault, tolerance,
    trigger,
};

/// A server's answer that a file is not there.
pub(crate) const NOT_THERE: &str = "not there";

/// A fault as a fixed text and, where it has one, its number: `("HTTP status", Some(503))`. Fixed,
/// so that a phone's trail keeps it without allocating and equal causes group together.
#[must_use]
pub fn fault(fault: Fault) -> (&'static str, Option<u16>) {
    let text = match fault {
        Fault::FtpReply(code) => return ("FTP reply", Some(code)),
        Fault::SoapFault(code) => return ("SOAP fault", Some(code)),
        Fault::TftpError(code) => return ("TFTP error", Some(code)),
        Fault::HttpStatus(status) => return ("HTTP status", Some(status)),
        Fault::Malformed(malformed) => malformed.what,
        Fault::ForeignTid => "packet from a foreign port",
        Fault::UnexpectedBlock { .. } => "unexpected block number",
        Fault::OptionRefused => "unacceptable option in the OACK",
        Fault::RedirectLoop => "too many redirects",
        Fault::BadTarget => "unusable redirect or link target",
        Fault::Scheme => "unsupported URL scheme",
        Fault::UnknownHost => "host name not in the run's host table",
        Fault::Unauthorized => "credentials refused",
        Fault::Challenge => "unsupported authentication challenge",
        Fault::ConnectionRefused => "connection refused",
        Fault::ConnectionBroken => "connection broken",
        Fault::Tls => "TLS failed",
        Fault::NotThere => NOT_THERE,
        Fault::Silence => "no answer",
        Fault::TooLarge => "file too large",
        Fault::WrongFormat => "not of the expected format",
        Fault::Encrypted => "encrypted, and the phone has no key",
        Fault::ChecksumMismatch => "MD5 differs from the one announced",
        Fault::NotAnImage => "not a firmware image",
        Fault::Incomplete => "DHCP answer without a needed option",
        Fault::ForeignTransaction => "message of another transaction",
        Fault::Local => "generator out of descriptors or addresses",
        Fault::SipStatus(status) => return ("SIP status", Some(status)),
        Fault::BadXml => "XML that is not well-formed",
        Fault::ForeignDocument => "document for another product or phone",
        Fault::VersionMismatch => "version differs from the one announced",
        Fault::BadCertificate => "certificate that cannot be read",
        Fault::NoTime => "time server without valid time",
        Fault::KindRefused => "document of a kind not allowed here",
        Fault::FtpData => "no FTP data connection",
        Fault::WrongKey => "no configuration with the phone's key",
        Fault::BadCiphertext => "encrypted content that is cut",
        Fault::NameRefused => "file of a kind or name that is refused",
        Fault::Abandoned => "the user gave no answer",
        Fault::BadSoap => "no SOAP message that fits here",
        Fault::ForeignId => "RPC without a usable id",
        Fault::EndlessSession => "session that the server does not end",
        Fault::Cycle => "link back to a document of the same run",
    };
    (text, None)
}

/// A fault as one text: `HTTP status 503`.
#[must_use]
pub fn fault_text(cause: Fault) -> String {
    join(fault(cause))
}

/// The text of a fault's parts.
pub(crate) fn join((text, number): (&'static str, Option<u16>)) -> String {
    match number {
        Some(number) => format!("{text} {number}"),
        None => text.to_owned(),
    }
}

/// A limit's name, as in "limit reached: …".
#[must_use]
pub fn limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Candidates => "candidates in one run",
        Limit::Redirects => "redirects for one file",
        Limit::Links => "links in one run",
        Limit::LinkDepth => "depth of linked documents",
        Limit::FileBytes => "bytes of one file",
        Limit::Headers => "header section",
        Limit::UrlBytes => "bytes of a URL",
        Limit::SettingsBytes => "bytes of settings",
        Limit::SettingsTree => "size of the settings tree",
        Limit::TransferSeconds => "seconds of one transfer",
        Limit::Reboots => "reboots within one hour",
        Limit::Strays => "wrong datagrams in one transfer",
        Limit::Prompts => "questions to the user in one run",
        Limit::TypedBytes => "bytes of what a user types",
        Limit::AcsSession => "length of an ACS session",
        Limit::SoapBytes => "bytes of one SOAP message",
        Limit::Parameters => "parameters of one RPC",
        Limit::Attempts => "attempts at one exchange",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_number_that_a_server_sent() {
        assert_eq!(fault_text(Fault::HttpStatus(503)), "HTTP status 503");
        assert_eq!(fault_text(Fault::TftpError(0)), "TFTP error 0");
        assert_eq!(fault_text(Fault::Silence), "no answer");
        assert_eq!(limit(Limit::Reboots), "reboots within one hour");
    }
}
