use std::borrow::Cow;

use bootstorm_emulator::wire::soap::Download;
use proptest::prelude::*;

use super::*;
use crate::reference::content::{Source, Tree};
use crate::reference::http::connection::{After, Connection};
use crate::reference::http::{Http, HttpConfig, Site};

const SERIAL: &str = "00100400FV0200100000000307a9b486";
const MAC: Mac = Mac([0x00, 0x03, 0x07, 0xa9, 0xb4, 0x86]);
const PATH: &str = "/openacs/acs";

/// An envelope as a phone writes it, literally.
fn envelope(id: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<soap-env:Envelope \
         xmlns:soap-env=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:soap-enc=\"http://schemas.xmlsoap.org/soap/encoding/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:cwmp=\"urn:dslforum-org:cwmp-1-0\"><soap-env:Header>\
         <cwmp:ID soap-env:mustUnderstand=\"1\">{id}</cwmp:ID></soap-env:Header>\
         <soap-env:Body>{body}</soap-env:Body></soap-env:Envelope>"
    )
}

fn inform(serial: &str, events: &[&str]) -> String {
    let list: String = events
        .iter()
        .map(|code| {
            format!(
                "<EventStruct><EventCode>{code}</EventCode><CommandKey></CommandKey></EventStruct>"
            )
        })
        .collect();
    let count = events.len();
    let body = format!(
        "<cwmp:Inform><DeviceId><Manufacturer>Maker</Manufacturer><OUI>000307</OUI>\
         <ProductClass>C62</ProductClass><SerialNumber>{serial}</SerialNumber></DeviceId>\
         <Event soap-enc:arrayType=\"cwmp:EventStruct[{count}]\">{list}</Event>\
         <MaxEnvelopes>1</MaxEnvelopes><CurrentTime>2026-01-01T00:00:00Z</CurrentTime>\
         <RetryCount>0</RetryCount><ParameterList \
         soap-enc:arrayType=\"cwmp:ParameterValueStruct[1]\"><ParameterValueStruct>\
         <Name>Device.ManagementServer.ConnectionRequestURL</Name>\
         <Value xsi:type=\"xsd:string\">http://127.0.0.9:7547/x</Value></ParameterValueStruct>\
         </ParameterList></cwmp:Inform>"
    );
    envelope("17", &body)
}

fn transfer_complete(fault: u16) -> String {
    let body = format!(
        "<cwmp:TransferComplete><CommandKey>M Download</CommandKey><FaultStruct>\
         <FaultCode>{fault}</FaultCode><FaultString></FaultString></FaultStruct>\
         <StartTime>2026-01-01T00:00:00Z</StartTime><CompleteTime>2026-01-01T00:00:01Z\
         </CompleteTime></cwmp:TransferComplete>"
    );
    envelope("18", &body)
}

fn answer(id: &str, method: &str, arguments: &str) -> String {
    envelope(id, &format!("<cwmp:{method}>{arguments}</cwmp:{method}>"))
}

fn download_call() -> Call {
    let download = Download {
        key: Cow::Borrowed("M Download"),
        file_type: Cow::Borrowed("3 Vendor Configuration File"),
        url: Cow::Borrowed("ftp://192.168.2.45/config.txt"),
        user: Cow::Borrowed("1"),
        password: Cow::Borrowed("a<&b"),
        file_size: 38_864,
        target: Cow::Borrowed("config.txt"),
        ..Download::default()
    };
    Call {
        message: Message::Download(Box::new(download)),
        awaits: Some(Awaits::Transfer("M Download".to_owned())),
    }
}

fn methods_call() -> Call {
    Call {
        message: Message::GetRpcMethods,
        awaits: None,
    }
}

fn managed() -> Managed {
    let login = |user: &str| Login {
        user: user.to_owned(),
        password: "secret".to_owned(),
    };
    Managed {
        mac: MAC,
        login: None,
        connection: login("dps"),
        calls: vec![methods_call(), download_call()],
        fault: None,
        fault_times: None,
    }
}

fn server(change: impl FnOnce(&mut Managed)) -> Acs {
    let mut known = managed();
    change(&mut known);
    let phones = Arc::new(move |serial: &str| (serial == SERIAL).then(|| known.clone()));
    Acs::new(AcsConfig::new(PATH, phones), Arc::default())
}

/// One phone's end of a conversation.
struct Talk {
    acs: Acs,
    now: Moment,
    cookie: Option<String>,
}

impl Talk {
    fn with(acs: Acs) -> Self {
        Self {
            acs,
            now: Moment::from_millis(5),
            cookie: None,
        }
    }

    fn post(&mut self, body: &str) -> Reply {
        let cookie = self.cookie.clone().unwrap_or_default();
        let headers = [("cookie", cookie.as_bytes())];
        let request = Request {
            method: "POST",
            target: PATH,
            headers: &headers,
            body: body.as_bytes(),
        };
        let reply = self.acs.handle(self.now, &request);
        if let Some(set) = reply.header("set-cookie") {
            let pair = set.split(';').next().unwrap_or_default();
            self.cookie = Some(pair.to_owned());
        }
        reply
    }

    fn count(&self, counter: Counter) -> u64 {
        self.acs.counters.value(counter)
    }
}

/// What is in an answer's body, as an independent reader has it: the method, the id and the texts
/// of the method's arguments by name.
fn read(reply: &Reply) -> (String, String, Vec<(String, String)>) {
    let text = str::from_utf8(&reply.body).expect("UTF-8");
    let tree = roxmltree::Document::parse(text).unwrap_or_else(|why| panic!("{why}: {text}"));
    let root = tree.root_element();
    let name = root.tag_name();
    assert_eq!(name.name(), "Envelope");
    assert_eq!(
        name.namespace(),
        Some("http://schemas.xmlsoap.org/soap/envelope/")
    );
    let find = |name: &str| {
        let mut all = tree.descendants();
        all.find(|node| node.tag_name().name() == name)
            .expect("there")
    };
    let id = find("ID").text().unwrap_or_default().to_owned();
    let method = find("Body").first_element_child().expect("a method");
    let leaves = method.descendants().filter(|node| {
        node.is_element() && node.first_element_child().is_none() && *node != method
    });
    let leaves = leaves.map(|leaf| {
        let text = leaf.text().unwrap_or_default().to_owned();
        (leaf.tag_name().name().to_owned(), text)
    });
    (method.tag_name().name().to_owned(), id, leaves.collect())
}

// FAN-118, FAN-119, FAN-122, FAN-124: the two sessions of the trace, message by message.
#[test]
fn goes_through_the_script_and_takes_the_report() {
    let mut talk = Talk::with(server(|_| {}));
    let (method, id, _) = read(&talk.post(&inform(SERIAL, &["0 BOOTSTRAP", "1 BOOT"])));
    assert_eq!((method.as_str(), id.as_str()), ("InformResponse", "17"));
    let (method, id, _) = read(&talk.post(""));
    assert_eq!(method, "GetRPCMethods");
    let methods = "<MethodList soap-enc:arrayType=\"xsd:string[1]\"><string>Download</string>\
                   </MethodList>";
    let (method, id, arguments) = read(&talk.post(&answer(&id, "GetRPCMethodsResponse", methods)));
    assert_eq!(method, "Download");
    let expected = [
        ("CommandKey", "M Download"),
        ("FileType", "3 Vendor Configuration File"),
        ("URL", "ftp://192.168.2.45/config.txt"),
        ("Username", "1"),
        ("Password", "a<&b"),
        ("FileSize", "38864"),
        ("TargetFileName", "config.txt"),
        ("DelaySeconds", "0"),
    ];
    for (known, (name, value)) in arguments.iter().zip(expected) {
        assert_eq!((known.0.as_str(), known.1.as_str()), (name, value));
    }
    let accepted = "<Status>1</Status><StartTime>0001-01-01T00:00:00Z</StartTime>\
                    <CompleteTime>0001-01-01T00:00:00Z</CompleteTime>";
    let end = talk.post(&answer(&id, "DownloadResponse", accepted));
    assert_eq!((end.status, end.body.len()), (204, 0));
    assert_eq!(talk.acs.sessions(), 0);
    assert!(!talk.acs.is_done(MAC));
    let events = ["7 TRANSFER COMPLETE", "M Download"];
    assert_eq!(
        read(&talk.post(&inform(SERIAL, &events))).0,
        "InformResponse"
    );
    let (method, id, _) = read(&talk.post(&transfer_complete(0)));
    assert_eq!(
        (method.as_str(), id.as_str()),
        ("TransferCompleteResponse", "18")
    );
    assert_eq!(talk.post("").status, 204);
    assert!(talk.acs.is_done(MAC));
    for (counter, count) in [
        (Counter::AcsSession, 2),
        (Counter::AcsSessionEnded, 2),
        (Counter::AcsBootstrap, 1),
        (Counter::AcsBoot, 1),
        (Counter::AcsTransferEvent, 1),
        (Counter::AcsOtherEvent, 1),
        (Counter::AcsCall, 2),
        (Counter::AcsCallAnswered, 2),
        (Counter::AcsDownload, 1),
        (Counter::AcsDownloadComplete, 1),
        (Counter::AcsDownloadFault, 0),
    ] {
        assert_eq!(talk.count(counter), count, "{counter:?}");
    }
}

#[test]
fn counts_a_failed_download_by_its_code() {
    let mut talk = Talk::with(server(|known| known.calls = vec![download_call()]));
    let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
    let (_, id, _) = read(&talk.post(""));
    let _ = talk.post(&answer(&id, "DownloadResponse", "<Status>1</Status>"));
    let _ = talk.post(&inform(SERIAL, &["7 TRANSFER COMPLETE"]));
    let _ = talk.post(&transfer_complete(9_010));
    // The same report again, as after an answer that was lost.
    let _ = talk.post(&transfer_complete(9_010));
    assert_eq!(talk.count(Counter::AcsDownloadFault), 1);
    assert_eq!(talk.count(Counter::AcsDownloadStray), 1);
    let mut entries = talk.acs.counters.entries();
    assert!(entries.any(|(name, count)| name == "acs_download_fault_9010" && count == 1));
}

#[test]
fn goes_on_after_a_reboot_and_past_a_fault() {
    let reboot = Call {
        message: Message::Reboot {
            key: Cow::Borrowed("M Reboot"),
        },
        awaits: Some(Awaits::Boot),
    };
    let mut talk = Talk::with(server(|known| {
        known.calls = vec![methods_call(), reboot, methods_call()]
    }));
    let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
    let (_, id, _) = read(&talk.post(""));
    let fault = "<soap-env:Fault><faultcode>Client</faultcode><faultstring>CWMP fault</faultstring>\
                 <detail><cwmp:Fault><FaultCode>9000</FaultCode><FaultString>no</FaultString>\
                 </cwmp:Fault></detail></soap-env:Fault>";
    let (method, id, _) = read(&talk.post(&envelope(&id, fault)));
    assert_eq!(
        (method.as_str(), talk.count(Counter::AcsCallFault)),
        ("Reboot", 1)
    );
    assert_eq!(talk.post(&answer(&id, "RebootResponse", "")).status, 204);
    // A period between order and boot changes nothing.
    let _ = talk.post(&inform(SERIAL, &["2 PERIODIC"]));
    assert_eq!(talk.post("").status, 204);
    let _ = talk.post(&inform(SERIAL, &["1 BOOT", "M Reboot"]));
    assert_eq!(read(&talk.post("")).0, "GetRPCMethods");
}

// A phone that says BOOTSTRAP has never been here, unless it was cleared by order.
#[test]
fn begins_again_with_a_phone_that_is_new_but_not_with_one_it_cleared() {
    let reset = Call {
        message: Message::FactoryReset,
        awaits: Some(Awaits::Boot),
    };
    let mut talk = Talk::with(server(|known| known.calls = vec![reset]));
    let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
    let (_, id, _) = read(&talk.post(""));
    let _ = talk.post(&answer(&id, "FactoryResetResponse", ""));
    let _ = talk.post(&inform(SERIAL, &["0 BOOTSTRAP", "1 BOOT"]));
    assert_eq!(talk.post("").status, 204);
    assert!(talk.acs.is_done(MAC));
    let _ = talk.post(&inform(SERIAL, &["0 BOOTSTRAP", "1 BOOT"]));
    assert_eq!(read(&talk.post("")).0, "FactoryReset");
}

// FAN-115, FAN-116: user and password.
#[test]
fn wants_credentials_where_it_was_told_to() {
    let login = Login {
        user: "admin".to_owned(),
        password: "admin".to_owned(),
    };
    for (scheme, word) in [(Scheme::DigestMd5, "Digest"), (Scheme::Basic, "Basic")] {
        let acs = server(|known| known.login = Some((scheme, login.clone())));
        let mut talk = Talk::with(acs);
        let reply = talk.post(&inform(SERIAL, &["1 BOOT"]));
        assert_eq!(reply.status, 401);
        assert!(
            reply
                .header("www-authenticate")
                .is_some_and(|it| it.starts_with(word))
        );
        assert_eq!((talk.cookie.as_deref(), talk.acs.sessions()), (None, 0));
    }
    let mut acs = server(|known| known.login = Some((Scheme::Basic, login)));
    for (proof, status) in [("YWRtaW46YWRtaW4=", 200), ("YWRtaW46d3Jvbmc=", 401)] {
        let authorization = format!("Basic {proof}");
        let headers = [("Authorization", authorization.as_bytes())];
        let body = inform(SERIAL, &["1 BOOT"]);
        let request = Request {
            method: "POST",
            target: "http://10.0.0.2/openacs/acs",
            headers: &headers,
            body: body.as_bytes(),
        };
        assert_eq!(acs.handle(Moment::ZERO, &request).status, status);
    }
    assert_eq!(acs.counters.value(Counter::AcsDenied), 1);
}

#[test]
fn refuses_what_is_out_of_turn() {
    let mut talk = Talk::with(server(|_| {}));
    assert_eq!(talk.post("").status, 400);
    assert_eq!(talk.post(&transfer_complete(0)).status, 400);
    assert_eq!(talk.count(Counter::AcsStray), 2);
    assert_eq!(talk.post("<html>").status, 400);
    assert_eq!(talk.count(Counter::AcsMalformed), 1);
    assert_eq!(talk.post(&inform("000000000000", &["1 BOOT"])).status, 403);
    assert_eq!(talk.count(Counter::AcsUnknownPhone), 1);
    // An answer to nothing, a call while one is open, silence while one is open.
    let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
    assert_eq!(talk.post(&answer("1", "RebootResponse", "")).status, 400);
    let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
    let _ = talk.post("");
    assert_eq!(talk.post(&transfer_complete(0)).status, 400);
    let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
    let _ = talk.post("");
    assert_eq!(talk.post("").status, 204);
    assert_eq!(talk.count(Counter::AcsOutOfTurn), 3);
    let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
    let _ = talk.post("");
    assert_eq!(
        talk.post(&answer("no-such", "GetRPCMethodsResponse", ""))
            .status,
        204
    );
    assert_eq!(talk.count(Counter::AcsWrongId), 1);
    // A method of the phone's that this server does not have.
    let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
    let (method, _, arguments) = read(&talk.post(&answer("9", "RequestDownload", "")));
    assert_eq!(method, "Fault");
    assert!(arguments.contains(&("FaultCode".to_owned(), "8000".to_owned())));
}

// FAN-123 and the hostile servers that a phone must survive.
#[test]
fn does_wrong_what_it_was_told_to() {
    let with = |fault| {
        let mut talk = Talk::with(server(|known| {
            known.fault = Some(fault);
            known.calls.clear();
        }));
        let reply = talk.post(&inform(SERIAL, &["1 BOOT"]));
        (talk, reply)
    };
    let (_, reply) = with(AcsFault::Delayed);
    assert_eq!(reply.after, Duration::from_secs(5));
    let (_, reply) = with(AcsFault::WrongId);
    assert_ne!(read(&reply).1, "17");
    let (_, reply) = with(AcsFault::Unavailable);
    assert_eq!(reply.status, 503);
    let (talk, reply) = with(AcsFault::SoapFault);
    assert_eq!((read(&reply).0.as_str(), talk.acs.sessions()), ("Fault", 0));
    let (_, reply) = with(AcsFault::Cut);
    assert!(roxmltree::Document::parse(str::from_utf8(&reply.body).unwrap()).is_err());
    let (mut talk, _) = with(AcsFault::Endless);
    let mut id = read(&talk.post("")).1;
    for _ in 0..300 {
        let (method, next, _) = read(&talk.post(&answer(&id, "GetRPCMethodsResponse", "")));
        assert_eq!(method, "GetRPCMethods");
        id = next;
    }
}

#[test]
fn does_wrong_only_as_often_as_it_was_told_to() {
    let mut talk = Talk::with(server(|known| {
        known.fault = Some(AcsFault::Unavailable);
        known.fault_times = Some(2);
    }));
    let mut statuses = [0; 3];
    for status in &mut statuses {
        *status = talk.post(&inform(SERIAL, &["1 BOOT"])).status;
    }
    assert_eq!(statuses, [503, 503, 200]);
    assert_eq!(talk.count(Counter::AcsFaultPlayed), 2);
}

#[test]
fn forgets_sessions_and_takes_no_more_than_it_may() {
    let phones = Arc::new(|serial: &str| {
        let mac = Mac::parse(serial.get(serial.len().checked_sub(12)?..)?)?;
        Some(Managed { mac, ..managed() })
    });
    let mut config = AcsConfig::new(PATH, phones);
    config.sessions_max = 10;
    config.phones_max = 15;
    let mut talk = Talk::with(Acs::new(config, Arc::default()));
    let begin = |talk: &mut Talk, number: u32| {
        talk.cookie = None;
        talk.post(&inform(&format!("{number:012x}"), &["1 BOOT"]))
            .status
    };
    for number in 0..10 {
        assert_eq!(begin(&mut talk, number), 200);
    }
    assert_eq!(begin(&mut talk, 10), 503);
    talk.now = Moment::from_millis(61_000);
    for number in 10..15 {
        assert_eq!(begin(&mut talk, number), 200);
    }
    assert_eq!(talk.acs.sessions(), 5);
    assert_eq!(talk.count(Counter::AcsSessionExpired), 10);
    // More phones than it keeps in mind; those that it knows are served.
    assert_eq!(begin(&mut talk, 15), 503);
    assert_eq!(begin(&mut talk, 3), 200);
    // A second session of one phone ends its first; nothing is kept of those that ended.
    for _ in 0..100 {
        assert_eq!(begin(&mut talk, 3), 200);
    }
    assert_eq!(talk.acs.sessions(), 6);
    assert!(talk.acs.ages.len() <= 21, "{}", talk.acs.ages.len());
    assert_eq!(talk.acs.sessions(), 6);
    assert!(talk.acs.ages.len() <= 16, "{}", talk.acs.ages.len());
}

#[test]
fn sends_connection_requests_to_the_phone_only() {
    let mut talk = Talk::with(server(|_| {}));
    let at = Ipv4Addr::new(127, 0, 0, 9);
    assert_eq!(talk.acs.visit(MAC, at), None);
    let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
    let caller = talk.acs.visit(MAC, at).expect("known");
    assert_eq!(caller.to().to_string(), "127.0.0.9:7547");
    assert_eq!(talk.acs.visit(MAC, Ipv4Addr::LOCALHOST), None);
}

// The same behind a connection as bytes: a body in pieces is waited for, one too long is refused,
// and the 204 at the end has no length (RFC 9110 §8.6).
#[test]
fn is_reached_through_a_connection() {
    let mut acs = server(|known| known.calls.clear());
    let http = Http::new(
        HttpConfig::default(),
        Source::tree(Tree::default()),
        Arc::default(),
    );
    let mut connection = Connection::default();
    let peer = "127.0.0.9:40000".parse().unwrap();
    let mut said = |connection: &mut Connection, bytes: &[u8]| {
        let mut out = Vec::new();
        let mut site = Site {
            http: &http,
            acs: Some(&mut acs),
            filter: None,
        };
        let after = connection.receive(Moment::ZERO, peer, &mut site, bytes, &mut out);
        (String::from_utf8(out).unwrap(), after)
    };
    let body = inform(SERIAL, &["1 BOOT"]);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let whole = [head.as_bytes(), body.as_bytes()].concat();
    let (first, second) = whole.split_at(whole.len() - 7);
    assert_eq!(said(&mut connection, first), (String::new(), After::Open));
    let (text, after) = said(&mut connection, second);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert_eq!(after, After::Open);
    let cookie = text
        .split("set-cookie: ")
        .nth(1)
        .and_then(|rest| rest.split(';').next());
    let cookie = cookie.expect("a cookie");
    let empty =
        format!("POST {PATH} HTTP/1.1\r\nCookie: a=b; {cookie}\r\nContent-Length: 0\r\n\r\n");
    let (text, _) = said(&mut connection, empty.as_bytes());
    assert_eq!(text, "HTTP/1.1 204 No Content\r\n\r\n");
    let long = format!("POST {PATH} HTTP/1.1\r\nContent-Length: 300000\r\n\r\n");
    let (text, after) = said(&mut connection, long.as_bytes());
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    assert_eq!(after, After::Close);
    let mut other = Connection::default();
    let (text, _) = said(
        &mut other,
        format!("GET {PATH} HTTP/1.1\r\n\r\n").as_bytes(),
    );
    assert!(text.starts_with("HTTP/1.1 405 "), "{text}");
}

proptest! {
    #[test]
    fn takes_anything_without_harm(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
    ) {
        let mut talk = Talk::with(server(|_| {}));
        let _ = talk.post(&inform(SERIAL, &["1 BOOT"]));
        for body in bodies {
            let _ = talk.post(&String::from_utf8_lossy(&body));
        }
        prop_assert!(talk.acs.sessions() <= 1);
    }
}
