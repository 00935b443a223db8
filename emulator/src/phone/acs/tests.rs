//! A scripted server by hand: what a phone says to it, and what it does of what it is told.

mod boot;
mod calls;
mod downloads;
mod faults;
mod interplay;
mod requests;

use std::borrow::Cow;

use crate::event::{EventKind, InformEvents, Rpc};
use crate::phone::io::{Connection, Input, Request};
use crate::phone::stand::Stand;
use crate::profile::Param;
use crate::wire::soap::{self, Download, Envelope, Inform, Message, Value, Version};

const LINES: &str = r#"
[index_limits]
accounts = 4
[keys]
keep_unknown = true
[keys.rules.limits]
patterns = ["phone.volume"]
range = [0, 9]
[keys.rules.reboots]
patterns = ["network.vlan"]
meaning = "reboot"
[params.acs_enable]
default = true
[params.acs_url]
default = "http://10.0.0.2:8080/openacs/acs"
keys = ["tr069.url"]
[params.acs_user]
default = "admin"
[params.acs_password]
default = "hush"
[params.acs_period_s]
default = 3600
keys = ["tr069.period"]
[params.acs_connection_user]
default = "knock"
[params.acs_connection_password]
default = "knock"
[params.acs_tls_version]
default = "1.0"
[cwmp]
root = "Device."
manufacturer = "Maker"
product_class = "X6"
serial = "00100400FV0200100000{mac}"
path = "/ask"
[cwmp.tables]
"Line." = { instances = 3, addable = true }
"Port." = { instances = 2 }
[cwmp.parameters]
"DeviceInfo.SoftwareVersion" = { constant = "{firmware}", inform = true }
"DeviceInfo.UpTime" = { live = "up-time", type = "unsignedInt" }
"ManagementServer.URL" = { param = "acs_url", writable = true }
"ManagementServer.Password" = { param = "acs_password", writable = true, hidden = true }
"ManagementServer.ConnectionRequestURL" = { live = "connection-request-url", inform = true }
"ManagementServer.ParameterKey" = { live = "parameter-key", inform = true }
"Phone.Volume" = { setting = "phone.volume", type = "unsignedInt", writable = true }
"Phone.Name" = { setting = "phone.name", writable = true }
"Phone.Vlan" = { setting = "network.vlan", type = "unsignedInt", writable = true }
"Phone.Mode" = { setting = "phone.mode", words = { Loud = "2", Quiet = "0" }, writable = true }
"Line.{n}.Label" = { setting = "line.{n}.label", writable = true }
"Port.{n}.Name" = { constant = "eth" }
[cwmp.parameters."ManagementServer.PeriodicInformInterval"]
param = "acs_period_s"
range = [1, 9999]
writable = true
"#;

/// A phone that runs nothing of its own at boot, and its server.
struct Bench {
    stand: Stand,
    /// The head of the last POST.
    head: String,
    /// Its body.
    body: Vec<u8>,
    connection: Connection,
}

impl Bench {
    fn new(more: &str) -> Self {
        Self::with(more, "0")
    }

    fn with(more: &str, resync: &str) -> Self {
        let stand = Stand::new(&format!("{LINES}{more}"))
            .web(Param::ResyncOnReset, resync)
            .web(Param::ResyncAfterUpgrade, "0");
        let stand = stand.leased(&[], b"");
        Self {
            stand,
            head: String::new(),
            body: Vec::new(),
            connection: Connection(0),
        }
    }

    /// Takes the next POST, opening its connection first if it waits for that.
    fn post(&mut self) -> &mut Self {
        let mut written = self.stand.take_written();
        if written.is_empty() {
            self.stand.open();
            written = self.stand.take_written();
        }
        let (connection, text) = written.pop().expect("a POST");
        assert!(written.is_empty(), "one at a time: {written:?}");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("POST "), "{head}");
        self.head = head.to_owned();
        self.body = body.as_bytes().to_vec();
        self.connection = connection;
        self
    }

    fn envelope(&self) -> Envelope<'_> {
        soap::read(&self.body).unwrap_or_else(|fault| panic!("{fault} in {:?}", self.body))
    }

    fn inform(&mut self) -> Inform<'static> {
        self.post();
        match soap::read(self.body.clone().leak())
            .expect("an envelope")
            .message
        {
            Message::Inform(inform) => *inform,
            other => panic!("{other:?}"),
        }
    }

    fn http(&mut self, status: &str, fields: &str, body: &str) {
        let length = body.len();
        let text = format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
        let connection = self.connection;
        self.stand.input(Input::Bytes(connection, text.as_bytes()));
    }

    fn say_as(&mut self, version: Version, id: Option<&str>, message: Message<'_>) {
        let mut text = String::new();
        let envelope = Envelope {
            version: Some(version),
            id: id.map(Cow::Borrowed),
            hold_requests: false,
            message,
        };
        soap::write(&mut text, &envelope);
        self.http("200", "Content-Type: text/xml\r\n", &text);
    }

    /// Answers the phone's last request.
    fn respond(&mut self, message: Message<'_>) {
        let id = self.envelope().id.map(Cow::into_owned);
        self.say_as(Version::V1_0, id.as_deref(), message);
    }

    /// Answers the Inform, and takes the empty POST that follows.
    fn accept(&mut self) {
        self.respond(Message::InformResponse { max_envelopes: 1 });
        assert!(self.post().body.is_empty(), "{:?}", self.body);
    }

    /// Makes a call and gives the phone's answer.
    fn call(&mut self, message: Message<'_>) -> Message<'static> {
        self.say_as(Version::V1_0, Some("c1"), message);
        self.post();
        let envelope = soap::read(self.body.clone().leak()).expect("an envelope");
        assert_eq!(envelope.id.as_deref(), Some("c1"));
        envelope.message
    }

    /// The server has nothing more to say.
    fn end(&mut self) {
        self.http("204", "", "");
    }

    fn set(&mut self, values: &[(&str, &str)]) -> Message<'static> {
        let values = values.iter().map(|(name, value)| Value {
            name: (*name).into(),
            kind: None,
            value: (*value).into(),
        });
        let (values, key) = (values.collect(), "pk".into());
        self.call(Message::SetParameterValues { values, key })
    }

    fn get(&mut self, name: &str) -> Vec<(String, String)> {
        match self.call(Message::GetParameterValues(vec![name.into()])) {
            Message::GetParameterValuesResponse(values) => values
                .into_iter()
                .map(|held| (held.name.into_owned(), held.value.into_owned()))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    fn download(&mut self, file_type: &str, url: &str) -> Message<'static> {
        self.call(Message::Download(Box::new(Download {
            key: "M Download".into(),
            file_type: file_type.into(),
            url: url.into(),
            ..Download::default()
        })))
    }

    fn has(&self, kind: EventKind) -> bool {
        self.stand.has(kind)
    }
}

fn codes(inform: &Inform<'_>) -> Vec<String> {
    inform
        .events
        .iter()
        .map(|(code, _)| code.to_string())
        .collect()
}

fn fault_of(message: &Message<'_>) -> u16 {
    match message {
        Message::Fault(fault) => fault.code,
        other => panic!("{other:?}"),
    }
}
