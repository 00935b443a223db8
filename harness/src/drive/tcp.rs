//! One task for each TCP or TLS connection of a phone.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::phone::io::ConnectionFault;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsConnector;

/// Requests of a phone that wait for being written: it has one under way at a time.
pub const WRITES_MAX: usize = 8;
/// How long connecting and the TLS handshake may take; the phone's own timer is shorter.
const CONNECT_MAX: Duration = Duration::from_secs(60);
const READ_BYTES: usize = 16 << 10;

/// What a connection tells its phone.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// It is established.
    Opened,
    /// Bytes arrived.
    Bytes(&'a [u8]),
    /// The peer closed it in good order.
    Closed,
    /// It could not be made, or broke.
    Failed(ConnectionFault),
}

/// A connection to be made.
#[derive(Debug)]
pub struct Call {
    /// The phone's address.
    pub from: Ipv4Addr,
    /// Where to.
    pub to: SocketAddrV4,
    /// With TLS: how, and the name to verify.
    pub tls: Option<(Arc<ClientConfig>, String)>,
}

/// A TLS client that trusts these PEM certificates, or (when the vendor's phones do not verify)
/// any certificate. Sessions are never resumed, so that phones share none.
///
/// # Errors
/// A PEM text without a certificate that can be read.
pub fn tls_client(trusted_pem: &[u8], verify: bool) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let mut config = if verify {
        let mut roots = RootCertStore::empty();
        for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(trusted_pem) {
            roots
                .add(certificate.map_err(io::Error::other)?)
                .map_err(io::Error::other)?;
        }
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        let trusting = Arc::new(trusting::Trusting(provider));
        builder
            .dangerous()
            .with_custom_certificate_verifier(trusting)
            .with_no_client_auth()
    };
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Makes the connection, writes what comes, tells what happens. Ends when the peer closes, when
/// it breaks, or when the sender of `writes` is dropped (then nothing more is told).
pub async fn run(
    call: Call,
    permits: Arc<Semaphore>,
    mut writes: mpsc::Receiver<Vec<u8>>,
    tell: impl Fn(Told<'_>),
) {
    let made = async {
        let permit = permits.acquire().await;
        let connected = tokio::time::timeout(CONNECT_MAX, connect(&call)).await;
        (permit, connected.unwrap_or(Err(ConnectionFault::TimedOut)))
    };
    let (_permit, result) = tokio::select! {
        biased;
        () = hung_up(&mut writes) => return,
        made = made => made,
    };
    match result {
        Ok(Connected::Plain(stream)) => carry(stream, writes, tell).await,
        Ok(Connected::Tls(stream)) => carry(*stream, writes, tell).await,
        Err(fault) => tell(Told::Failed(fault)),
    }
}

enum Connected {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// Resolves when the phone closes a connection that is not made yet.
async fn hung_up(writes: &mut mpsc::Receiver<Vec<u8>>) {
    // A phone writes only after `Opened`, so whatever comes now is the end.
    while writes.recv().await.is_some() {}
}

async fn connect(call: &Call) -> Result<Connected, ConnectionFault> {
    let stream = open(call).await.map_err(|error| fault_of(&error))?;
    let Some((config, name)) = &call.tls else {
        return Ok(Connected::Plain(stream));
    };
    let name = ServerName::try_from(name.clone()).map_err(|_| ConnectionFault::Tls)?;
    let connector = TlsConnector::from(Arc::clone(config));
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => ConnectionFault::Tls,
            _ => fault_of(&error),
        })?;
    Ok(Connected::Tls(Box::new(stream)))
}

async fn open(call: &Call) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // Without this every connection would hold its port for a minute after its end.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddrV4::new(call.from, 0).into())?;
    let stream = socket.connect(call.to.into()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mut writes: mpsc::Receiver<Vec<u8>>,
    tell: impl Fn(Told<'_>),
) {
    tell(Told::Opened);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        tokio::select! {
            write = writes.recv() => {
                let Some(bytes) = write else {
                    // The phone closed it; a peer that does not say goodbye is not waited for.
                    let _ = stream.shutdown().await;
                    return;
                };
                let written = async {
                    stream.write_all(&bytes).await?;
                    stream.flush().await
                };
                if let Err(error) = written.await {
                    return tell(Told::Failed(fault_of(&error)));
                }
            }
            read = stream.read(&mut buffer) => match read {
                Ok(0) => return tell(Told::Closed),
                Ok(length) => tell(Told::Bytes(buffer.get(..length).unwrap_or_default())),
                // A TLS peer that closes without a closing alert: the body's own length tells
                // whether anything is missing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return tell(Told::Closed);
                }
                Err(error) => return tell(Told::Failed(fault_of(&error))),
            }
        }
    }
}

fn fault_of(error: &io::Error) -> ConnectionFault {
    const EMFILE: i32 = nix::libc::EMFILE;
    const ENFILE: i32 = nix::libc::ENFILE;
    const ENOBUFS: i32 = nix::libc::ENOBUFS;
    if matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS)) {
        return ConnectionFault::Local;
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectionFault::Refused,
        io::ErrorKind::TimedOut => ConnectionFault::TimedOut,
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => ConnectionFault::Local,
        _ => ConnectionFault::Reset,
    }
}

/// For vendors whose phones do not look at the server's certificate; reports say so.
mod trusting {
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    pub(super) struct Trusting(pub(super) Arc<CryptoProvider>);

    impl ServerCertVerifier for Trusting {
        fn verify_server_cert(
            &self,
            _end_entity: &CertificateDer<'_>,
            _intermediates: &[CertificateDer<'_>],
            _server_name: &ServerName<'_>,
            _ocsp_response: &[u8],
            _now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let schemes = &self.0.signature_verification_algorithms;
            verify_tls12_signature(message, cert, dss, schemes)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let schemes = &self.0.signature_verification_algorithms;
            verify_tls13_signature(message, cert, dss, schemes)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
