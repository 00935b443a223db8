use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::limits::PARAMETERS_MAX;

/// An envelope as an open ACS writes it, with this body.
fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n\
         <s:Envelope xmlns:s=\"{ENVELOPE}\" xmlns:c=\"urn:dslforum-org:cwmp-1-0\"\n \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n\
         <s:Header><c:ID s:mustUnderstand=\"1\">m1</c:ID><c:NoMoreRequests>0</c:NoMoreRequests>\
         </s:Header>\n<s:Body>\n{body}\n</s:Body></s:Envelope>"
    )
}

fn message(body: &str) -> Message<'static> {
    let bytes = envelope(body).leak().as_bytes();
    read(bytes)
        .unwrap_or_else(|fault| panic!("{fault}"))
        .message
}

fn value<'a>(name: &'a str, kind: Kind, value: &'a str) -> Value<'a> {
    Value {
        name: name.into(),
        kind: Some(kind),
        value: value.into(),
    }
}

// FAN-122: the Download of the trace.
#[test]
fn reads_the_download_of_the_trace() {
    let text = envelope(
        "<c:Download><CommandKey>M Download</CommandKey>\
         <FileType>3 Vendor Configuration File</FileType>\
         <URL>ftp://192.168.2.45/config.txt</URL><Username>1</Username><Password>1</Password>\
         <FileSize>38864</FileSize><TargetFileName>config.txt</TargetFileName>\
         <DelaySeconds>0</DelaySeconds><SuccessURL/><FailureURL></FailureURL></c:Download>",
    );
    let read = read(text.as_bytes()).unwrap();
    assert_eq!(read.version, Some(Version::V1_0));
    assert_eq!(read.id.as_deref(), Some("m1"));
    assert!(!read.hold_requests);
    let Message::Download(download) = read.message else {
        panic!("{:?}", read.message);
    };
    assert_eq!(
        *download,
        Download {
            key: "M Download".into(),
            file_type: "3 Vendor Configuration File".into(),
            url: "ftp://192.168.2.45/config.txt".into(),
            user: "1".into(),
            password: "1".into(),
            file_size: 38_864,
            target: "config.txt".into(),
            ..Download::default()
        }
    );
    let shown = format!("{download:?}");
    assert!(
        !shown.contains("Password") && !shown.contains("ftp:"),
        "{shown}"
    );
}

#[test]
fn reads_lists_types_and_texts_in_pieces() {
    let read = message(
        "<c:SetParameterValues><ParameterList><x><Name>\n Device.A </Name>\
         <Value xsi:type=\"xsd:unsignedInt\">12</Value></x>\
         <x><Name>Device.B</Name><Value> a&amp;b<![CDATA[<c>]]><!-- no --> </Value></x>\
         </ParameterList><ParameterKey>k</ParameterKey></c:SetParameterValues>",
    );
    let Message::SetParameterValues { values, key } = read else {
        panic!("{read:?}");
    };
    assert_eq!(key, "k");
    assert_eq!(values[0], value("Device.A", Kind::UnsignedInt, "12"));
    assert_eq!((&*values[1].value, values[1].kind), (" a&b<c> ", None));
}

#[test]
fn knows_names_by_their_namespace_not_by_their_prefix() {
    let own = "<Envelope xmlns='http://schemas.xmlsoap.org/soap/envelope/'><Body>\
               <q:Reboot xmlns:q='urn:dslforum-org:cwmp-1-2'><CommandKey>k</CommandKey></q:Reboot>\
               </Body></Envelope>";
    let found = read(own.as_bytes()).unwrap();
    assert_eq!(found.version, Some(Version::V1_2));
    assert_eq!(found.message, Message::Reboot { key: "k".into() });
    let foreign = own.replace("cwmp-1-2", "cwmp-9-9");
    let fault = read(foreign.as_bytes()).unwrap_err();
    assert_eq!(fault, SoapFault::NotSoap("method in a foreign namespace"));
    let newer = own.replace("soap/envelope/", "soap/envelope/1.2");
    assert!(matches!(read(newer.as_bytes()), Err(SoapFault::NotSoap(_))));
    // A declaration ends with its element.
    let out_of_scope = "<a:Envelope xmlns:a='http://schemas.xmlsoap.org/soap/envelope/'>\
                        <a:Header><q:ID xmlns:q='urn:dslforum-org:cwmp-1-0'>1</q:ID></a:Header>\
                        <a:Body><q:Reboot/></a:Body></a:Envelope>";
    assert!(matches!(
        read(out_of_scope.as_bytes()),
        Err(SoapFault::NotSoap(_))
    ));
}

#[test]
fn tells_unusable_arguments_from_an_unusable_envelope() {
    for (body, name) in [
        ("<c:GetParameterValues/>", "GetParameterValues"),
        (
            "<c:GetParameterNames><ParameterPath/></c:GetParameterNames>",
            "GetParameterNames",
        ),
        (
            "<c:Download><FileType>3</FileType></c:Download>",
            "Download",
        ),
        (
            "<c:ScheduleInform><DelaySeconds>-1</DelaySeconds></c:ScheduleInform>",
            "ScheduleInform",
        ),
    ] {
        let Message::Invalid { method, over_limit } = message(body) else {
            panic!("{body}");
        };
        assert_eq!((&*method, over_limit), (name, false));
    }
    assert_eq!(
        message("<c:Upload><A>1</A></c:Upload>"),
        Message::Unknown("Upload".into())
    );
    for bad in ["", "<html></html>", "<c:Reboot>"] {
        assert!(read(envelope(bad).as_bytes()).is_err(), "{bad}");
    }
    assert_eq!(
        read(&vec![b' '; SOAP_BYTES_MAX + 1]),
        Err(SoapFault::TooLarge)
    );
}

#[test]
fn stops_at_the_limit_of_parameters() {
    let names = |count: usize| {
        let list = "<s>A</s>".repeat(count);
        message(&format!(
            "<c:GetParameterValues><ParameterNames>{list}</ParameterNames></c:GetParameterValues>"
        ))
    };
    let most = names(PARAMETERS_MAX);
    assert!(matches!(most, Message::GetParameterValues(all) if all.len() == PARAMETERS_MAX));
    let over = names(PARAMETERS_MAX + 1);
    assert!(
        matches!(
            over,
            Message::Invalid {
                over_limit: true,
                ..
            }
        ),
        "{over:?}"
    );
}

#[test]
fn holds_a_bound_on_namespaces() {
    use std::fmt::Write as _;
    let mut text = String::from("<a:Envelope xmlns:a='http://schemas.xmlsoap.org/soap/envelope/'");
    for number in 0..63 {
        write!(text, " xmlns:p{number}='u'").unwrap();
    }
    text.push_str("><a:Body><b:Reboot xmlns:b='urn:dslforum-org:cwmp-1-0'/></a:Body></a:Envelope>");
    let fault = read(text.as_bytes()).unwrap_err();
    assert_eq!(fault, SoapFault::NotSoap("too many namespaces"));
}

#[test]
fn writes_a_fault_as_the_annex_has_it() {
    let fault = Fault {
        code: 9_003,
        text: "Invalid arguments".into(),
        parameters: vec![ParameterFault {
            name: "Device.X".into(),
            code: 9_005,
            text: "Invalid parameter name".into(),
        }],
    };
    let mut text = String::new();
    write(
        &mut text,
        &Envelope {
            version: Some(Version::V1_1),
            id: Some("7".into()),
            hold_requests: false,
            message: Message::Fault(fault.clone()),
        },
    );
    let document = roxmltree::Document::parse(&text).unwrap();
    let inner = |name: &str| {
        let mut all = document.descendants();
        let found = all.find(|node| node.tag_name().name() == name);
        found.unwrap_or_else(|| panic!("{name} in {text}"))
    };
    assert_eq!(inner("Fault").tag_name().namespace(), Some(ENVELOPE));
    assert_eq!(inner("faultcode").text(), Some("Client"));
    assert_eq!(inner("faultstring").text(), Some("CWMP fault"));
    let held = inner("detail").first_element_child().unwrap();
    assert_eq!(
        held.tag_name().namespace(),
        Some("urn:dslforum-org:cwmp-1-1")
    );
    assert_eq!(held.first_element_child().unwrap().text(), Some("9003"));
    assert_eq!(inner("ParameterName").text(), Some("Device.X"));
    assert_eq!(
        read(text.as_bytes()).unwrap().message,
        Message::Fault(fault)
    );
}

/// Characters that XML holds and does not change.
fn text() -> impl Strategy<Value = Cow<'static, str>> {
    "[ -~\u{e4}\u{20ac}\n]{0,12}".prop_map(Cow::Owned)
}

fn path() -> impl Strategy<Value = Cow<'static, str>> {
    "([A-Za-z0-9&<]{1,6}\\.){0,4}[A-Za-z]{0,5}".prop_map(Cow::Owned)
}

fn kind() -> impl Strategy<Value = Option<Kind>> {
    (0..=Kind::NAMED.len()).prop_map(|at| Kind::NAMED.get(at).map(|(kind, _)| *kind))
}

fn values() -> impl Strategy<Value = Vec<Value<'static>>> {
    let one = (path(), kind(), text());
    let one = one.prop_map(|(name, kind, value)| Value { name, kind, value });
    prop::collection::vec(one, 0..4)
}

fn texts() -> impl Strategy<Value = Vec<Cow<'static, str>>> {
    prop::collection::vec(text(), 0..4)
}

fn paths() -> impl Strategy<Value = Vec<Cow<'static, str>>> {
    prop::collection::vec(path(), 0..4)
}

fn calls() -> impl Strategy<Value = Message<'static>> {
    let attributes = (
        path(),
        prop::option::of(0..=9_u8),
        prop::option::of(texts()),
    );
    let attributes = attributes.prop_map(|(name, notification, access)| SetAttributes {
        name,
        notification,
        access,
    });
    let download = (
        text(),
        text(),
        path(),
        text(),
        text(),
        any::<u32>(),
        text(),
        any::<u32>(),
    );
    prop_oneof![
        Just(Message::GetRpcMethods),
        Just(Message::FactoryReset),
        paths().prop_map(Message::GetParameterValues),
        paths().prop_map(Message::GetParameterAttributes),
        (values(), text()).prop_map(|(values, key)| Message::SetParameterValues { values, key }),
        (path(), any::<bool>())
            .prop_map(|(path, next_level)| Message::GetParameterNames { path, next_level }),
        prop::collection::vec(attributes, 0..3).prop_map(Message::SetParameterAttributes),
        (path(), text()).prop_map(|(object, key)| Message::AddObject(ObjectCall { object, key })),
        (path(), text())
            .prop_map(|(object, key)| Message::DeleteObject(ObjectCall { object, key })),
        text().prop_map(|key| Message::Reboot { key }),
        (any::<u32>(), text()).prop_map(|(delay_s, key)| Message::ScheduleInform { delay_s, key }),
        download.prop_map(
            |(key, file_type, url, user, password, file_size, target, delay_s)| {
                Message::Download(Box::new(Download {
                    success_url: url.clone(),
                    failure_url: url.clone(),
                    key,
                    file_type,
                    url,
                    user,
                    password,
                    file_size,
                    target,
                    delay_s,
                }))
            }
        ),
    ]
}

fn answers() -> impl Strategy<Value = Message<'static>> {
    let inform = (
        (text(), text(), text(), text()),
        texts(),
        any::<u32>(),
        values(),
    );
    let fault = (
        any::<u16>(),
        text(),
        prop::collection::vec((path(), text()), 0..3),
    );
    let names = (path(), any::<bool>()).prop_map(|(name, writable)| NameInfo { name, writable });
    let attributes = (path(), 0..=2_u8, texts());
    let attributes = attributes.prop_map(|(name, notification, access)| Attributes {
        name,
        notification,
        access,
    });
    prop_oneof![
        inform.prop_map(
            |((manufacturer, oui, product_class, serial), keys, count, parameters)| {
                Message::Inform(Box::new(Inform {
                    manufacturer,
                    oui,
                    product_class,
                    serial,
                    events: keys.into_iter().map(|key| ("M X".into(), key)).collect(),
                    max_envelopes: 1,
                    current_time: UNKNOWN_TIME.into(),
                    retry_count: count,
                    parameters,
                }))
            }
        ),
        any::<u32>().prop_map(|max_envelopes| Message::InformResponse { max_envelopes }),
        Just(Message::TransferCompleteResponse),
        (text(), any::<u16>(), text()).prop_map(|(key, fault, fault_text)| {
            Message::TransferComplete(TransferComplete {
                key,
                fault,
                fault_text,
                start: UNKNOWN_TIME.into(),
                complete: UNKNOWN_TIME.into(),
            })
        }),
        texts().prop_map(Message::GetRpcMethodsResponse),
        values().prop_map(Message::GetParameterValuesResponse),
        prop::collection::vec(names, 0..3).prop_map(Message::GetParameterNamesResponse),
        prop::collection::vec(attributes, 0..3).prop_map(Message::GetParameterAttributesResponse),
        (0..=1_u8).prop_map(|status| Message::SetParameterValuesResponse { status }),
        (any::<u32>(), 0..=1_u8)
            .prop_map(|(instance, status)| Message::AddObjectResponse { instance, status }),
        (0..=1_u8, text()).prop_map(|(status, start)| Message::DownloadResponse {
            status,
            complete: start.clone(),
            start,
        }),
        fault.prop_map(|(code, text, parameters)| {
            let each = |(name, text)| ParameterFault { name, code, text };
            let parameters = parameters.into_iter().map(each).collect();
            Message::Fault(Fault {
                code,
                text,
                parameters,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn reads_back_what_it_writes(
        message in prop_oneof![calls(), answers()],
        at in 0..3_usize,
        id in prop::option::of(text()),
        hold_requests in any::<bool>(),
    ) {
        let (spoken, _) = Version::NAMED[at];
        let version = Some(spoken);
        let envelope = Envelope { version, id, hold_requests, message };
        let mut text = String::new();
        write(&mut text, &envelope);
        let again = read(text.as_bytes());
        prop_assert_eq!(again.as_ref(), Ok(&envelope));
        // An independent reader sees the same method, in the same namespace, with the same texts.
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        let body = root.children().find(|node| node.tag_name().name() == "Body").unwrap();
        let method = body.first_element_child().unwrap();
        prop_assert_eq!(method.tag_name().name(), envelope.message.name());
        if !matches!(envelope.message, Message::Fault(_)) {
            let namespace = method.tag_name().namespace();
            prop_assert_eq!(namespace, Some(spoken.namespace()));
        }
    }

    #[test]
    fn agrees_with_an_independent_reader_on_damaged_messages(
        message in calls(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut text = String::new();
        let (version, id) = (Some(Version::V1_0), None);
        write(&mut text, &Envelope { version, id, hold_requests: false, message });
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        // The oracle also refuses prefixes that nothing declares, where they do not matter.
        if let (Ok(read), Ok(text)) = (read(&bytes), std::str::from_utf8(&bytes))
            && let Ok(document) = roxmltree::Document::parse(text)
        {
            let root = document.root_element();
            let mut parts = root.children().filter(|node| node.is_element());
            let body = parts.find(|node| {
                node.tag_name().name() == "Body" && node.tag_name().namespace() == Some(ENVELOPE)
            });
            let method = body.and_then(|body| body.first_element_child()).expect("a method");
            prop_assert_eq!(method.tag_name().name(), read.message.name());
        }
    }
}
