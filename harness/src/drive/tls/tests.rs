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
