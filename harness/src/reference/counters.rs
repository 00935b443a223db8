//! What the reference server was asked, what it answered, refused and dropped.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

/// One thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// DISCOVERs that were understood.
    DhcpDiscover,
    /// REQUESTs in any of their four forms.
    DhcpRequest,
    /// RELEASEs.
    DhcpRelease,
    /// DECLINEs.
    DhcpDecline,
    /// INFORMs.
    DhcpInform,
    /// OFFERs sent.
    DhcpOffer,
    /// ACKs sent, those to INFORMs included.
    DhcpAck,
    /// NAKs sent.
    DhcpNak,
    /// DISCOVERs and REQUESTs without answer because every address of the pool is taken.
    DhcpExhausted,
    /// Messages for which no pool is configured.
    DhcpNoPool,
    /// Options left out of a reply because the client's message size has no room for them.
    DhcpOptionLeftOut,
    /// Understood and not for this server: other servers' transactions, replies, plain BOOTP.
    DhcpIgnored,
    /// Unreadable DHCP messages.
    DhcpMalformed,
    /// TFTP read requests, repeats included.
    TftpRead,
    /// TFTP write requests; all are refused.
    TftpWrite,
    /// Read requests that came again while their transfer was going on.
    TftpRepeat,
    /// Transfers begun.
    TftpBegun,
    /// Transfers of which the last block was acknowledged.
    TftpComplete,
    /// ERROR 1 sent.
    TftpNotFound,
    /// Other ERRORs sent in answer to a request.
    TftpRefused,
    /// Blocks and OACKs sent again after silence.
    TftpResent,
    /// Transfers given up after silence.
    TftpSilent,
    /// Transfers ended by the client's ERROR.
    TftpAborted,
    /// Packets that belong to no transfer.
    TftpStray,
    /// Requests dropped because as many transfers as allowed are going on.
    TftpDropped,
    /// Unreadable TFTP packets.
    TftpMalformed,
    /// FTP control connections accepted.
    FtpConnection,
    /// FTP control connections closed at once because as many as allowed are open.
    FtpConnectionDropped,
    /// FTP logins.
    FtpLogin,
    /// FTP logins with a wrong password.
    FtpDenied,
    /// RETRs.
    FtpRetrieve,
    /// Files (and listings) of which all was sent.
    FtpSent,
    /// RETRs of files that are not there.
    FtpNotFound,
    /// FTP commands refused for another reason.
    FtpRefused,
    /// FTP data connections that could not be made.
    FtpDataFailed,
    /// FTP data connections that broke.
    FtpAborted,
    /// FTP control connections ended for want of commands.
    FtpIdle,
    /// FTP lines that are no text, or too long.
    FtpMalformed,
    /// HTTP requests with a readable head.
    HttpRequest,
    /// Answers with status 200.
    HttpOk,
    /// Answers with status 304.
    HttpNotModified,
    /// Answers that redirect.
    HttpRedirect,
    /// Answers with status 401.
    HttpUnauthorized,
    /// Answers with status 404.
    HttpNotFound,
    /// Answers with any other status.
    HttpRefused,
    /// Connections accepted.
    HttpConnection,
    /// Connections closed at once because as many as allowed are open.
    HttpConnectionDropped,
    /// Connections ended by a TLS handshake that failed or took too long.
    HttpsHandshakeFailed,
    /// Handshakes among them that failed for want of a client certificate.
    HttpsNoClientCertificate,
    /// Handshakes among them that failed because of a client certificate of another factory, or one
    /// that has expired.
    HttpsClientCertificateRefused,
    /// Connections ended by an unreadable head.
    HttpMalformed,
    /// SUBSCRIBEs that were understood.
    PnpSubscribe,
    /// 200 OK to SUBSCRIBEs.
    PnpAccepted,
    /// NOTIFYs sent for the first time.
    PnpNotify,
    /// NOTIFYs sent again after silence.
    PnpResent,
    /// NOTIFYs that the phone answered.
    PnpConfirmed,
    /// NOTIFYs that the phone answered with an error.
    PnpRefused,
    /// NOTIFYs given up after silence.
    PnpSilent,
    /// SUBSCRIBEs of phones for which there is no URL.
    PnpUnknownPhone,
    /// NOTIFYs not sent because as many as allowed wait for their answer.
    PnpDropped,
    /// SIP messages that are not for a PnP server.
    PnpIgnored,
    /// Unreadable SIP messages.
    PnpMalformed,
    /// Requests for the time.
    NtpRequest,
    /// Answers with the time.
    NtpAnswer,
    /// Answers that say that the clock is not set.
    NtpUnsynchronised,
    /// Requests left without answer, as the server was told to.
    NtpSilent,
    /// Packets that are no client's request.
    NtpIgnored,
    /// Unreadable NTP packets.
    NtpMalformed,
    /// Check-sync NOTIFYs sent for the first time.
    NotifySent,
    /// Of them, those to a contact that the registrar holds.
    NotifyToContact,
    /// Check-sync NOTIFYs sent again after silence.
    NotifyResent,
    /// Check-sync NOTIFYs answered with a 2xx status.
    NotifyAccepted,
    /// Check-sync NOTIFYs answered with another status.
    NotifyRefused,
    /// Check-sync NOTIFYs given up after silence.
    NotifySilent,
    /// Answers to no check-sync NOTIFY that waits for one.
    NotifyIgnored,
    /// REGISTERs with a readable start.
    SipRegister,
    /// REGISTERs answered 200.
    SipRegistered,
    /// REGISTERs without credentials, answered 401.
    SipChallenged,
    /// REGISTERs with right credentials for a nonce that is too old.
    SipStale,
    /// REGISTERs with wrong credentials.
    SipDenied,
    /// REGISTERs for accounts that nobody has.
    SipUnknownAccount,
    /// REGISTERs that were refused for another reason.
    SipRefused,
    /// Unreadable messages to the registrar.
    SipMalformed,
    /// SIP connections accepted.
    SipConnection,
    /// SIP connections closed at once because as many as allowed are open.
    SipConnectionDropped,
    /// Sessions begun: Informs that were taken.
    AcsSession,
    /// Sessions ended by 204.
    AcsSessionEnded,
    /// Sessions forgotten because their phone was silent or began another.
    AcsSessionExpired,
    /// Informs answered 503 because as many sessions or phones as allowed are known.
    AcsSessionDropped,
    /// Informs with `0 BOOTSTRAP`.
    AcsBootstrap,
    /// Informs with `1 BOOT`.
    AcsBoot,
    /// Informs with `2 PERIODIC`.
    AcsPeriodic,
    /// Informs with `3 SCHEDULED`.
    AcsScheduled,
    /// Informs with `4 VALUE CHANGE`.
    AcsValueChange,
    /// Informs with `6 CONNECTION REQUEST`.
    AcsConnectionRequested,
    /// Informs with `7 TRANSFER COMPLETE`.
    AcsTransferEvent,
    /// Informs with any other event, those of methods (`M …`) included.
    AcsOtherEvent,
    /// Remote procedure calls sent.
    AcsCall,
    /// Calls that were answered.
    AcsCallAnswered,
    /// Calls answered with a fault.
    AcsCallFault,
    /// Downloads ordered: calls of Download that were accepted.
    AcsDownload,
    /// Downloads reported complete without a fault.
    AcsDownloadComplete,
    /// Downloads reported over with a fault.
    AcsDownloadFault,
    /// Reports of downloads that nobody ordered, or that were reported already.
    AcsDownloadStray,
    /// Informs without credentials, answered 401.
    AcsChallenged,
    /// Informs with wrong or old credentials, answered 401.
    AcsDenied,
    /// Informs of phones that the server does not know.
    AcsUnknownPhone,
    /// Answers with another `cwmp:ID` than their call had.
    AcsWrongId,
    /// Messages that the session has no room for: a request while a call waits for its
    /// answer, an answer to no call.
    AcsOutOfTurn,
    /// Messages of no session.
    AcsStray,
    /// Bodies that are no CWMP message.
    AcsMalformed,
    /// Informs answered wrong, as the server was told to.
    AcsFaultPlayed,
    /// Connection requests sent to phones.
    ConnectionRequest,
    /// Connection requests answered 200 or 204.
    ConnectionRequestTaken,
    /// Connection requests answered otherwise.
    ConnectionRequestRefused,
    /// Connection requests that nobody answered.
    ConnectionRequestSilent,
    /// Multicast DNS queries for the service.
    MdnsQuery,
    /// Queries that were answered.
    MdnsAnswer,
    /// Queries of phones for which there is no URL.
    MdnsUnknownPhone,
    /// Understood and not for this responder: other services, answers, queries of whole
    /// responders.
    MdnsIgnored,
    /// Unreadable DNS messages.
    MdnsMalformed,
    /// Datagrams and connections to or from addresses that may not be sent to.
    OutOfReach,
    /// Datagrams that the operating system did not take.
    SendFailed,
}

/// Every counter with its name, in the order of their declaration.
pub const COUNTERS: [(Counter, &str); 123] = [
    (Counter::DhcpDiscover, "dhcp_discover"),
    (Counter::DhcpRequest, "dhcp_request"),
    (Counter::DhcpRelease, "dhcp_release"),
    (Counter::DhcpDecline, "dhcp_decline"),
    (Counter::DhcpInform, "dhcp_inform"),
    (Counter::DhcpOffer, "dhcp_offer"),
    (Counter::DhcpAck, "dhcp_ack"),
    (Counter::DhcpNak, "dhcp_nak"),
    (Counter::DhcpExhausted, "dhcp_exhausted"),
    (Counter::DhcpNoPool, "dhcp_no_pool"),
    (Counter::DhcpOptionLeftOut, "dhcp_option_left_out"),
    (Counter::DhcpIgnored, "dhcp_ignored"),
    (Counter::DhcpMalformed, "dhcp_malformed"),
    (Counter::TftpRead, "tftp_read"),
    (Counter::TftpWrite, "tftp_write"),
    (Counter::TftpRepeat, "tftp_repeat"),
    (Counter::TftpBegun, "tftp_begun"),
    (Counter::TftpComplete, "tftp_complete"),
    (Counter::TftpNotFound, "tftp_not_found"),
    (Counter::TftpRefused, "tftp_refused"),
    (Counter::TftpResent, "tftp_resent"),
    (Counter::TftpSilent, "tftp_silent"),
    (Counter::TftpAborted, "tftp_aborted"),
    (Counter::TftpStray, "tftp_stray"),
    (Counter::TftpDropped, "tftp_dropped"),
    (Counter::TftpMalformed, "tftp_malformed"),
    (Counter::FtpConnection, "ftp_connection"),
    (Counter::FtpConnectionDropped, "ftp_connection_dropped"),
    (Counter::FtpLogin, "ftp_login"),
    (Counter::FtpDenied, "ftp_denied"),
    (Counter::FtpRetrieve, "ftp_retrieve"),
    (Counter::FtpSent, "ftp_sent"),
    (Counter::FtpNotFound, "ftp_not_found"),
    (Counter::FtpRefused, "ftp_refused"),
    (Counter::FtpDataFailed, "ftp_data_failed"),
    (Counter::FtpAborted, "ftp_aborted"),
    (Counter::FtpIdle, "ftp_idle"),
    (Counter::FtpMalformed, "ftp_malformed"),
    (Counter::HttpRequest, "http_request"),
    (Counter::HttpOk, "http_ok"),
    (Counter::HttpNotModified, "http_not_modified"),
    (Counter::HttpRedirect, "http_redirect"),
    (Counter::HttpUnauthorized, "http_unauthorized"),
    (Counter::HttpNotFound, "http_not_found"),
    (Counter::HttpRefused, "http_refused"),
    (Counter::HttpConnection, "http_connection"),
    (Counter::HttpConnectionDropped, "http_connection_dropped"),
    (Counter::HttpsHandshakeFailed, "https_handshake_failed"),
    (
        Counter::HttpsNoClientCertificate,
        "https_no_client_certificate",
    ),
    (
        Counter::HttpsClientCertificateRefused,
        "https_client_certificate_refused",
    ),
    (Counter::HttpMalformed, "http_malformed"),
    (Counter::PnpSubscribe, "pnp_subscribe"),
    (Counter::PnpAccepted, "pnp_accepted"),
    (Counter::PnpNotify, "pnp_notify"),
    (Counter::PnpResent, "pnp_resent"),
    (Counter::PnpConfirmed, "pnp_confirmed"),
    (Counter::PnpRefused, "pnp_refused"),
    (Counter::PnpSilent, "pnp_silent"),
    (Counter::PnpUnknownPhone, "pnp_unknown_phone"),
    (Counter::PnpDropped, "pnp_dropped"),
    (Counter::PnpIgnored, "pnp_ignored"),
    (Counter::PnpMalformed, "pnp_malformed"),
    (Counter::NtpRequest, "ntp_request"),
    (Counter::NtpAnswer, "ntp_answer"),
    (Counter::NtpUnsynchronised, "ntp_unsynchronised"),
    (Counter::NtpSilent, "ntp_silent"),
    (Counter::NtpIgnored, "ntp_ignored"),
    (Counter::NtpMalformed, "ntp_malformed"),
    (Counter::NotifySent, "notify_sent"),
    (Counter::NotifyToContact, "notify_to_contact"),
    (Counter::NotifyResent, "notify_resent"),
    (Counter::NotifyAccepted, "notify_accepted"),
    (Counter::NotifyRefused, "notify_refused"),
    (Counter::NotifySilent, "notify_silent"),
    (Counter::NotifyIgnored, "notify_ignored"),
    (Counter::SipRegister, "sip_register"),
    (Counter::SipRegistered, "sip_registered"),
    (Counter::SipChallenged, "sip_challenged"),
    (Counter::SipStale, "sip_stale"),
    (Counter::SipDenied, "sip_denied"),
    (Counter::SipUnknownAccount, "sip_unknown_account"),
    (Counter::SipRefused, "sip_refused"),
    (Counter::SipMalformed, "sip_malformed"),
    (Counter::SipConnection, "sip_connection"),
    (Counter::SipConnectionDropped, "sip_connection_dropped"),
    (Counter::AcsSession, "acs_session"),
    (Counter::AcsSessionEnded, "acs_session_ended"),
    (Counter::AcsSessionExpired, "acs_session_expired"),
    (Counter::AcsSessionDropped, "acs_session_dropped"),
    (Counter::AcsBootstrap, "acs_bootstrap"),
    (Counter::AcsBoot, "acs_boot"),
    (Counter::AcsPeriodic, "acs_periodic"),
    (Counter::AcsScheduled, "acs_scheduled"),
    (Counter::AcsValueChange, "acs_value_change"),
    (Counter::AcsConnectionRequested, "acs_connection_requested"),
    (Counter::AcsTransferEvent, "acs_transfer_event"),
    (Counter::AcsOtherEvent, "acs_other_event"),
    (Counter::AcsCall, "acs_call"),
    (Counter::AcsCallAnswered, "acs_call_answered"),
    (Counter::AcsCallFault, "acs_call_fault"),
    (Counter::AcsDownload, "acs_download"),
    (Counter::AcsDownloadComplete, "acs_download_complete"),
    (Counter::AcsDownloadFault, "acs_download_fault"),
    (Counter::AcsDownloadStray, "acs_download_stray"),
    (Counter::AcsChallenged, "acs_challenged"),
    (Counter::AcsDenied, "acs_denied"),
    (Counter::AcsUnknownPhone, "acs_unknown_phone"),
    (Counter::AcsWrongId, "acs_wrong_id"),
    (Counter::AcsOutOfTurn, "acs_out_of_turn"),
    (Counter::AcsStray, "acs_stray"),
    (Counter::AcsMalformed, "acs_malformed"),
    (Counter::AcsFaultPlayed, "acs_fault_played"),
    (Counter::ConnectionRequest, "connection_request"),
    (Counter::ConnectionRequestTaken, "connection_request_taken"),
    (
        Counter::ConnectionRequestRefused,
        "connection_request_refused",
    ),
    (
        Counter::ConnectionRequestSilent,
        "connection_request_silent",
    ),
    (Counter::MdnsQuery, "mdns_query"),
    (Counter::MdnsAnswer, "mdns_answer"),
    (Counter::MdnsUnknownPhone, "mdns_unknown_phone"),
    (Counter::MdnsIgnored, "mdns_ignored"),
    (Counter::MdnsMalformed, "mdns_malformed"),
    (Counter::OutOfReach, "out_of_reach"),
    (Counter::SendFailed, "send_failed"),
];

/// The first of the fault codes that are counted one by one (TR-069 §A.5.1).
const FIRST_FAULT: u16 = 9_000;
/// How many there are.
const FAULTS: usize = 20;

/// The counts since the start. Any thread reads; the one thread that owns the server writes, so a
/// count costs a plain load and store.
#[derive(Debug)]
pub struct Counters {
    counts: [AtomicU64; COUNTERS.len()],
    /// Downloads that were over with each fault code.
    faults: [AtomicU64; FAULTS],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            faults: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Counters {
    /// Counts one more. Only the thread that owns the server may call this.
    pub fn count(&self, counter: Counter) {
        if let Some(cell) = self.counts.get(counter as usize) {
            cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// Counts a download that was over with this fault code. Only the thread that owns the server
    /// may call this.
    pub fn count_fault(&self, code: u16) {
        let place = code.checked_sub(FIRST_FAULT).map(usize::from);
        if let Some(cell) = place.and_then(|place| self.faults.get(place)) {
            cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// How often.
    #[must_use]
    pub fn value(&self, counter: Counter) -> u64 {
        self.counts
            .get(counter as usize)
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    /// Name and count of everything that happened at least once.
    pub fn entries(&self) -> impl Iterator<Item = (Cow<'static, str>, u64)> {
        let named = COUNTERS
            .iter()
            .map(|(counter, name)| (Cow::Borrowed(*name), self.value(*counter)));
        let faults = (FIRST_FAULT..).zip(&self.faults).map(|(code, cell)| {
            let name = format!("acs_download_fault_{code}");
            (Cow::Owned(name), cell.load(Ordering::Relaxed))
        });
        named.chain(faults).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_place_and_name() {
        let counters = Counters::default();
        for (place, (counter, _)) in COUNTERS.iter().enumerate() {
            assert_eq!(*counter as usize, place);
            counters.count(*counter);
        }
        assert_eq!(Counter::SendFailed as usize + 1, COUNTERS.len());
        assert!(counters.entries().all(|(_, count)| count == 1));
        let mut names: Vec<_> = counters.entries().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COUNTERS.len());
    }
}
