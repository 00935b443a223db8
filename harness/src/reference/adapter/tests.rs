use super::*;
use crate::reference::certificate::Authority;
use crate::reference::content::{Source, Tree};
use crate::reference::dhcp::{DhcpConfig, Match, OptionValue, Rule};
use crate::reference::http::{Realm, Scheme};
use crate::reference::pnp::{GROUP, Phones, PnpConfig, PnpRule, PnpUrl};
use crate::reference::server::ReferenceConfig;
use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

/// What came of running curl.
pub(in crate::reference) enum Curl {
    Ran { status: i32, body: Vec<u8> },
    Missing,
}

/// Runs curl with a limit of ten seconds; without it says so, as the house asks.
pub(in crate::reference) fn curl(arguments: &[&str]) -> Curl {
    let mut command = Command::new("curl");
    command.args(["--silent", "--max-time", "10", "--noproxy", "*"]);
    match command.args(arguments).output() {
        Ok(output) => Curl::Ran {
            status: output.status.code().unwrap_or(-1),
            body: output.stdout,
        },
        Err(_) => {
            use std::io::stderr;
            let _ = writeln!(stderr(), "not run: needs curl");
            Curl::Missing
        }
    }
}

fn image() -> Vec<u8> {
    (0..400_000_u32).map(|at| (at % 251) as u8).collect()
}

fn config() -> ReferenceConfig {
    let mut tree = Tree::default();
    tree.insert("0021f222b01d.cfg", *b"account.1.enable=1\n")
        .unwrap();
    tree.insert("image.z", image()).unwrap();
    tree.insert("closed/x.cfg", *b"closed").unwrap();
    let mut config = ReferenceConfig::files(Source::tree(tree));
    config.http.realms = vec![Realm {
        path: "/closed/".to_owned(),
        name: "phones".to_owned(),
        schemes: vec![Scheme::DigestMd5],
        nonce_lifetime: Duration::from_secs(60),
        users: [("user".to_owned(), "secret".to_owned())]
            .into_iter()
            .collect(),
    }];
    let mut dhcp = DhcpConfig::new(
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::new(127, 1, 0, 1),
        Ipv4Addr::new(127, 1, 0, 99),
        Ipv4Addr::new(255, 0, 0, 0),
    );
    dhcp.rules = vec![Rule {
        when: Match::Any,
        options: vec![OptionValue::text(66, "127.0.0.1")],
    }];
    config.dhcp = Some(dhcp);
    let mut pnp = PnpConfig::new(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
    pnp.rules = vec![PnpRule {
        when: Phones::Any,
        url: PnpUrl::Text("tftp://127.0.0.1/{mac}.cfg".to_owned()),
    }];
    config.pnp = Some(pnp);
    config
}

fn everything() -> Bind {
    Bind {
        dhcp_port: Some(0),
        tftp_port: Some(0),
        http_port: Some(0),
        sip_port: Some(0),
        sip_group: Some(Ipv4Addr::LOCALHOST),
        pnp_port: Some(0),
        ..Bind::loopback()
    }
}

fn started(bind: &Bind) -> Running {
    Adapter::start(Reference::new(config()), bind).unwrap()
}

fn client() -> std::net::UdpSocket {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket
}

/// Whether something becomes true within ten seconds.
fn comes_true(mut holds: impl FnMut() -> bool) -> bool {
    let limit = Instant::now() + Duration::from_secs(10);
    while Instant::now() < limit {
        if holds() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

fn receive(socket: &std::net::UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 2_048];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    buffer.truncate(length);
    (buffer, from)
}

#[test]
fn curl_fetches_by_tftp_with_and_without_options() {
    let running = started(&everything());
    let tftp = running.endpoints().tftp.unwrap();
    for (name, expected) in [
        ("0021f222b01d.cfg", b"account.1.enable=1\n".to_vec()),
        ("image.z", image()),
    ] {
        for options in [&[][..], &["--tftp-no-options"], &["--tftp-blksize", "1400"]] {
            let url = format!("tftp://{tftp}/{name}");
            let arguments: Vec<_> = options.iter().copied().chain([url.as_str()]).collect();
            let Curl::Ran { status, body } = curl(&arguments) else {
                return;
            };
            assert_eq!(status, 0, "{arguments:?}");
            assert!(body == expected, "{arguments:?}");
        }
    }
    let Curl::Ran { status, .. } = curl(&[&format!("tftp://{tftp}/none.cfg")]) else {
        return;
    };
    assert_eq!(status, 68);
    assert_eq!(running.counters().value(Counter::TftpNotFound), 1);
    assert_eq!(running.counters().value(Counter::TftpBegun), 6);
}

#[test]
fn curl_fetches_by_https_what_the_authority_certifies() {
    let authority = Authority::new().unwrap();
    let names = ["prv.example".to_owned(), "127.0.0.1".to_owned()];
    let bind = Bind {
        https: Some((0, authority.server(&names).unwrap())),
        ..everything()
    };
    let running = started(&bind);
    let https = running.endpoints().https.unwrap();
    let mut trusted = tempfile::NamedTempFile::new().unwrap();
    trusted.write_all(authority.pem().as_bytes()).unwrap();
    let trusted = trusted.path().to_str().unwrap();
    let resolve = format!("prv.example:{}:127.0.0.1", https.port());
    let by_name = format!("https://prv.example:{}/0021f222b01d.cfg", https.port());
    let by_address = format!("https://{https}/0021f222b01d.cfg");
    for arguments in [
        vec!["--cacert", trusted, "--resolve", &resolve, &by_name],
        vec!["--cacert", trusted, &by_address],
        vec!["--cacert", trusted, "--tls-max", "1.2", &by_address],
    ] {
        let Curl::Ran { status, body } = curl(&arguments) else {
            return;
        };
        assert_eq!((status, body.as_slice()), (0, &b"account.1.enable=1\n"[..]));
    }
    let Curl::Ran { status, .. } = curl(&[&by_address]) else {
        return;
    };
    assert_eq!(status, 60, "nobody else trusts the authority");
    assert_eq!(running.counters().value(Counter::HttpOk), 3);
    assert_eq!(running.counters().value(Counter::HttpConnection), 4);
}

#[test]
fn curl_answers_the_digest_challenge() {
    let running = started(&everything());
    let url = format!("http://{}/closed/x.cfg", running.endpoints().http.unwrap());
    for (user, status) in [("user:secret", "200"), ("user:wrong", "401")] {
        let shown = [
            "--digest",
            "--user",
            user,
            "--write-out",
            "%{http_code}",
            &url,
        ];
        let Curl::Ran { body, .. } = curl(&shown) else {
            return;
        };
        let text = String::from_utf8(body).unwrap();
        assert!(text.ends_with(status), "{text}");
    }
}

#[test]
fn reqwest_reads_what_http_says() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let running = started(&everything());
    let root = format!("http://{}", running.endpoints().http.unwrap());
    let client = reqwest::blocking::Client::builder()
        .no_proxy()
        .build()
        .unwrap();
    let get = |path: &str| client.get(format!("{root}{path}")).send().unwrap();
    let reply = get("/0021f222b01d.cfg");
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.headers()["content-length"], "19");
    let tag = reply.headers()["etag"].clone();
    assert_eq!(reply.text().unwrap(), "account.1.enable=1\n");
    let again = client
        .get(format!("{root}/0021f222b01d.cfg"))
        .header("if-none-match", tag)
        .send()
        .unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(get("/none.cfg").status(), 404);
    let head = client.head(format!("{root}/image.z")).send().unwrap();
    assert_eq!(head.headers()["content-length"], "400000");
    assert!(get("/image.z").bytes().unwrap() == image());
    let post = client
        .post(format!("{root}/image.z"))
        .body("x")
        .send()
        .unwrap();
    assert_eq!(post.status(), 405);
    assert_eq!(post.headers()["allow"], "GET, HEAD");
}

fn raw_http(address: SocketAddrV4, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn bounds_heads_and_connections() {
    let bind = Bind {
        connections_max: 2,
        ..everything()
    };
    let running = started(&bind);
    let http = running.endpoints().http.unwrap();
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    let long = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(20_000));
    for request in [many, long] {
        let answer = raw_http(http, &request);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let ask = "GET /0021f222b01d.cfg HTTP/1.1\r\nHost: h\r\n\r\n";
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(http).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            // Two requests on one connection: it is kept alive.
            for _ in 0..2 {
                stream.write_all(ask.as_bytes()).unwrap();
                let mut start = [0; 15];
                stream.read_exact(&mut start).unwrap();
                assert_eq!(&start, b"HTTP/1.1 200 OK");
                let mut rest = Vec::new();
                while !rest.ends_with(b"enable=1\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    rest.extend(byte);
                }
            }
            stream
        })
        .collect();
    assert_eq!(raw_http(http, ask), "");
    assert_eq!(running.counters().value(Counter::HttpConnectionDropped), 1);
    drop(held);
    let last = ask.replace("h\r\n", "h\r\nConnection: close\r\n");
    assert!(
        comes_true(|| !raw_http(http, &last).is_empty()),
        "closed ones make room"
    );
}

#[test]
fn dhcp_answers_to_the_source_on_loopback() {
    let running = started(&everything());
    let phone = client();
    let mut message = Message::default();
    let mac = [0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d];
    message
        .set_chaddr(&mac)
        .set_giaddr(Ipv4Addr::new(127, 0, 0, 2))
        .opts_mut()
        .insert(DhcpOption::MessageType(MessageType::Discover));
    let dhcp = running.endpoints().dhcp.unwrap();
    phone.send_to(&message.to_vec().unwrap(), dhcp).unwrap();
    let (bytes, from) = receive(&phone);
    assert_eq!(from, SocketAddr::V4(dhcp));
    let offer = Message::decode(&mut Decoder::new(&bytes)).unwrap();
    assert_eq!(offer.opts().msg_type(), Some(MessageType::Offer));
    let Some(DhcpOption::TFTPServerName(name)) = offer.opts().get(OptionCode::TFTPServerName)
    else {
        panic!("no option 66");
    };
    assert_eq!(name, b"127.0.0.1");
}

#[test]
fn pnp_hears_the_group_and_answers_from_its_own_port() {
    let running = started(&everything());
    let Endpoints { sip, pnp, .. } = *running.endpoints();
    let (sip, pnp) = (sip.unwrap(), pnp.unwrap());
    let phone = client();
    SockRef::from(&phone)
        .set_multicast_if_v4(&Ipv4Addr::LOCALHOST)
        .unwrap();
    let own = phone.local_addr().unwrap();
    for (number, to) in [(1, SocketAddrV4::new(GROUP, sip.port())), (2, sip)] {
        let subscribe = format!(
            "SUBSCRIBE sip:MAC0021f222b01d@224.0.1.75 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {own};branch=z9hG4bK{number}\r\n\
             From: <sip:MAC0021f222b01d@224.0.1.75>;tag=1\r\n\
             To: <sip:MAC0021f222b01d@224.0.1.75>\r\nCall-ID: {number}@x\r\n\
             CSeq: 1 SUBSCRIBE\r\nContact: <sip:{own}>\r\nEvent: ua-profile\r\n\r\n"
        );
        phone.send_to(subscribe.as_bytes(), to).unwrap();
        let (ok, from) = receive(&phone);
        assert_eq!(from, SocketAddr::V4(pnp));
        assert!(ok.starts_with(b"SIP/2.0 200 OK\r\n"));
        let (notify, from) = receive(&phone);
        assert_eq!(from, SocketAddr::V4(pnp));
        let notify = String::from_utf8(notify).unwrap();
        assert!(
            notify.contains(&format!("Via: SIP/2.0/UDP {pnp};")),
            "{notify}"
        );
        assert!(notify.ends_with("tftp://127.0.0.1/0021f222b01d.cfg"));
        // Without an answer it comes again, from the timer.
        let (again, _) = receive(&phone);
        assert_eq!(String::from_utf8(again).unwrap(), notify);
        let via = notify.lines().nth(1).unwrap();
        let answer = format!("SIP/2.0 200 OK\r\n{via}\r\nContent-Length: 0\r\n\r\n");
        phone.send_to(answer.as_bytes(), pnp).unwrap();
    }
    assert!(comes_true(|| running
        .counters()
        .value(Counter::PnpConfirmed)
        == 2));
}

#[test]
fn says_what_to_do_when_a_port_is_taken() {
    let running = started(&everything());
    let taken = running.endpoints();
    let with = |change: &dyn Fn(&mut Bind)| {
        let mut bind = Bind::loopback();
        change(&mut bind);
        Adapter::start(Reference::new(config()), &bind)
            .unwrap_err()
            .to_string()
    };
    let tftp = taken.tftp.unwrap();
    assert_eq!(
        with(&|bind| bind.tftp_port = Some(tftp.port())),
        format!(
            "failed to bind TFTP to {tftp}: the port is in use; stop what uses it, or choose \
             another port (0 takes any free one)"
        )
    );
    let http = taken.http.unwrap();
    let fault = with(&|bind| bind.http_port = Some(http.port()));
    assert!(fault.starts_with(&format!(
        "failed to bind HTTP to {http}: the port is in use"
    )));
    let fault = with(&|bind| bind.address = Ipv4Addr::new(192, 0, 2, 1));
    assert!(fault.contains("not a loopback address"), "{fault}");
    let fault = with(&|bind| {
        bind.address = Ipv4Addr::new(192, 0, 2, 1);
        bind.beyond_loopback = true;
        bind.tftp_port = Some(0);
    });
    assert!(
        fault.contains("this host does not have the address"),
        "{fault}"
    );
    let fault = with(&|bind| {
        bind.sip_port = Some(0);
        bind.sip_group = Some(Ipv4Addr::new(192, 0, 2, 1));
    });
    assert!(fault.starts_with("failed to join 224.0.1.75"), "{fault}");
    let refused = std::io::Error::from(ErrorKind::PermissionDenied);
    let fault = AdapterError::bind("TFTP", tftp, refused).to_string();
    assert!(fault.contains("CAP_NET_BIND_SERVICE"), "{fault}");
    let odd = std::io::Error::from(ErrorKind::OutOfMemory);
    assert!(matches!(
        AdapterError::bind("TFTP", tftp, odd),
        AdapterError::Bind { .. }
    ));
}

#[test]
fn stops_and_frees_its_ports() {
    let running = started(&everything());
    assert!(running.is_alive());
    let tftp = running.endpoints().tftp.unwrap();
    let counters = Arc::clone(running.counters());
    assert!(running.stop().is_ok());
    let bind = Bind {
        tftp_port: Some(tftp.port()),
        ..Bind::loopback()
    };
    let second = started(&bind);
    assert_eq!(second.endpoints().tftp, Some(tftp));
    assert_eq!(counters.value(Counter::SendFailed), 0);
}

#[test]
fn hears_nobody_outside_the_networks_that_it_may_send_to() {
    use bootstorm_scenarios::lab::Network;
    let answers = |network: &str| {
        let bind = Bind {
            networks: vec![Network::parse(network).unwrap()],
            ..everything()
        };
        let running = Adapter::start(Reference::new(config()), &bind).unwrap();
        let at = *running.endpoints();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Some(Duration::from_millis(400));
        client.set_read_timeout(patience).unwrap();
        let request = b"\0\x010021f222b01d.cfg\0octet\0";
        client.send_to(request, at.tftp.unwrap()).unwrap();
        let by_tftp = client.recv(&mut [0; 600]).is_ok();
        let mut stream = TcpStream::connect(at.http.unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let request = b"GET /image.z HTTP/1.0\r\n\r\n";
        // It may be closed before all of it left.
        let _ = stream.write_all(request);
        let by_http = stream.read(&mut [0; 100]).is_ok_and(|length| length > 0);
        let counted = running.counters().value(Counter::OutOfReach);
        (by_tftp, by_http, counted > 1)
    };
    assert_eq!(answers("127.0.0.0/8"), (true, true, false));
    assert_eq!(answers("10.77.0.0/24"), (false, false, true));
}
