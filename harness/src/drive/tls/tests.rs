use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use bootstorm_scenarios::scenario::ClientCertificate;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, HandshakeKind, ServerConnection, StreamOwned};

use super::*;

fn trust(authority: &Authority) -> Trust {
    Trust::new(authority.pem().as_bytes(), Authority::factory().unwrap()).unwrap()
}

/// One exchange; what kind of handshake the server saw, and the certificate that it was shown.
fn exchange(
    server: Arc<rustls::ServerConfig>,
    client: Arc<ClientConfig>,
) -> (HandshakeKind, Option<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(server).unwrap(), stream);
        let mut asked = [0; 3];
        stream.read_exact(&mut asked).unwrap();
        stream.write_all(b"answer").unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        let shown = stream.conn.peer_certificates();
        let shown = shown.map(|chain| chain[0].to_vec());
        (stream.conn.handshake_kind().unwrap(), shown)
    });
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TcpStream::connect(at).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(client, name).unwrap(), stream);
    stream.write_all(b"ask").unwrap();
    let mut answer = Vec::new();
    // With the answer come the tickets that a client could resume with.
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"answer");
    serving.join().unwrap()
}

#[test]
fn no_session_is_ever_resumed() {
    let authority = Authority::new().unwrap();
    let server = authority.server(&["127.0.0.1".to_owned()]).unwrap();
    let trust = trust(&authority);
    for verify in [true, false] {
        for certificate in [None, Some("0021F2000001")] {
            for _ in 0..2 {
                let client = trust.client(verify, certificate).unwrap();
                let (kind, _) = exchange(server.config(), client);
                assert_eq!(kind, HandshakeKind::Full);
            }
        }
    }
}

#[test]
fn each_phone_shows_its_own_certificate_and_the_same_one_each_time() {
    let authority = Authority::new().unwrap();
    let trust = trust(&authority);
    let server = authority.server(&["127.0.0.1".to_owned()]).unwrap();
    let server = server.wanting(ClientCertificate::Require, &trust.factory);
    let server = server.unwrap().config();
    let shown = |name| {
        let client = trust.client(true, Some(name)).unwrap();
        exchange(Arc::clone(&server), client).1.unwrap()
    };
    let first = shown("0021F2000001");
    assert_eq!(first, shown("0021F2000001"));
    assert_ne!(first, shown("0021F2000002"));
    let holds = |name: &[u8]| first.windows(name.len()).any(|window| window == name);
    assert!(holds(b"0021F2000001"), "its MAC is its common name");
}

#[test]
fn counts_failures_by_their_reason_and_leaves_other_errors_alone() {
    let trust = trust(&Authority::new().unwrap());
    let fault = |error: Error| io::Error::new(io::ErrorKind::InvalidData, error);
    assert!(!trust.note(&io::Error::from(io::ErrorKind::ConnectionReset)));
    assert!(trust.notes().is_empty());
    let expired = || fault(Error::InvalidCertificate(CertificateError::Expired));
    assert!(trust.note(&expired()));
    assert!(trust.note(&expired()));
    let wanted = Error::AlertReceived(AlertDescription::CertificateRequired);
    assert!(trust.note(&fault(wanted)));
    let notes = trust.notes();
    assert_eq!(
        notes,
        [
            "1 TLS connection failed: the server wants a client certificate and the phone has none",
            "2 TLS connections failed: the server's certificate has expired",
        ]
    );
}

#[test]
fn refuses_a_text_that_holds_no_certificate_that_can_be_read() {
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(Trust::new(broken, Authority::factory().unwrap()).is_err());
}

/// What phones that trust `authority` say of a server.
fn refused(authority: &[u8], server: Arc<rustls::ServerConfig>) -> &'static str {
    let trust = Trust::new(authority, Authority::factory().unwrap()).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let client = trust.client(true, None).unwrap();
    let mut client = ClientConnection::new(client, name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    let mut flight = Vec::new();
    client.write_tls(&mut flight).unwrap();
    server.read_tls(&mut flight.as_slice()).unwrap();
    server.process_new_packets().unwrap();
    flight.clear();
    server.write_tls(&mut flight).unwrap();
    client.read_tls(&mut flight.as_slice()).unwrap();
    reason(&client.process_new_packets().unwrap_err())
}

#[test]
fn an_authority_of_the_same_name_is_no_authority_of_the_phones() {
    let (authority, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let server = other.server(&["127.0.0.1".to_owned()]).unwrap().config();
    assert_eq!(
        refused(authority.pem().as_bytes(), server),
        "the server's certificate is by an authority that the phones do not trust"
    );
}

// What `openssl req -x509` makes, if it is not told otherwise.
#[test]
fn an_authority_that_serves_with_its_own_certificate_is_told_so() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let held = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], held.into())
        .unwrap();
    assert_eq!(
        refused(certificate.pem().as_bytes(), Arc::new(server)),
        "the server's certificate is an authority's (CA:TRUE), not a server's"
    );
}

#[test]
fn a_text_without_a_certificate_is_told_from_one_with() {
    assert!(has_certificate(Authority::new().unwrap().pem().as_bytes()));
    assert!(!has_certificate(b"") && !has_certificate(b"no certificate"));
}
