//! One task for each TCP or TLS connection of a phone.

mod slow;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::phone::io::ConnectionFault;
use bootstorm_scenarios::link::Flow;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsConnector;

use super::tls::Trust;

/// Requests of a phone that wait for being written: it has one under way at a time.
pub const WRITES_MAX: usize = 8;
/// How long connecting and the TLS handshake may take; the phone's own timer is shorter.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(60);
pub(super) const READ_BYTES: usize = 16 << 10;
/// How long a peer's alert is waited for on a connection that is broken for writing.
const LAST_WORD_MAX: Duration = Duration::from_millis(100);

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
    /// The interface that it leaves by, where that is one.
    pub device: Option<Arc<str>>,
    /// With TLS: how.
    pub tls: Option<Secure>,
    /// What befalls it, where the phone's link has conditions.
    pub flow: Option<Box<Flow>>,
}

/// TLS on a connection.
#[derive(Debug)]
pub struct Secure {
    /// The phone's client.
    pub client: Arc<ClientConfig>,
    /// The server's name, to be verified.
    pub name: String,
    /// Where failures are counted.
    pub trust: Arc<Trust>,
}

/// Makes the connection, writes what comes, tells what happens. Ends when the peer closes, when
/// it breaks, or when the sender of `writes` is dropped (then nothing more is told).
pub async fn run(
    mut call: Call,
    permits: Arc<Semaphore>,
    mut writes: mpsc::Receiver<Vec<u8>>,
    tell: impl Fn(Told<'_>),
) {
    let flow = call.flow.take();
    let tls = call.tls.is_some();
    let half = flow.as_ref().map(|flow| flow.handshake(tls) / 2);
    let made = async {
        let permit = permits.acquire().await;
        pause(half).await;
        let connected = tokio::time::timeout(CONNECT_MAX, connect(&call)).await;
        pause(half).await;
        (permit, connected.unwrap_or(Err(ConnectionFault::TimedOut)))
    };
    let (_permit, result) = tokio::select! {
        biased;
        () = hung_up(&mut writes) => return,
        made = made => made,
    };
    match (result, flow) {
        (Ok(Connected::Plain(stream)), None) => carry(&call, stream, writes, tell).await,
        (Ok(Connected::Tls(stream)), None) => carry(&call, *stream, writes, tell).await,
        (Ok(Connected::Plain(stream)), Some(flow)) => {
            slow::carry(&call, stream, *flow, writes, tell).await;
        }
        (Ok(Connected::Tls(stream)), Some(flow)) => {
            slow::carry(&call, *stream, *flow, writes, tell).await;
        }
        (Err(fault), _) => tell(Told::Failed(fault)),
    }
}

/// Half of the time that making a connection takes on a slow link.
async fn pause(time: Option<Duration>) {
    if let Some(time) = time.filter(|time| !time.is_zero()) {
        tokio::time::sleep(time).await;
    }
}

enum Connected {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// Resolves when the phone closes a connection that is not made yet.
pub(super) async fn hung_up(writes: &mut mpsc::Receiver<Vec<u8>>) {
    // A phone writes only after `Opened`, so whatever comes now is the end.
    while writes.recv().await.is_some() {}
}

async fn connect(call: &Call) -> Result<Connected, ConnectionFault> {
    let stream = open(call.from, call.to, call.device.as_deref())
        .await
        .map_err(|error| fault_of(&error))?;
    let Some(secure) = &call.tls else {
        return Ok(Connected::Plain(stream));
    };
    let name = ServerName::try_from(secure.name.clone()).map_err(|_| ConnectionFault::Tls)?;
    let connector = TlsConnector::from(Arc::clone(&secure.client));
    let stream = connector.connect(name, stream).await;
    let stream = stream.map_err(|error| call.fault_of(&error))?;
    Ok(Connected::Tls(Box::new(stream)))
}

/// A connection from one of this machine's addresses, any port.
pub(super) async fn open(
    from: Ipv4Addr,
    to: SocketAddrV4,
    device: Option<&str>,
) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(device) = device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    // Without this every connection would hold its port for a minute after its end.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddrV4::new(from, 0).into())?;
    let stream = socket.connect(to.into()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    call: &Call,
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
                    let fault = last_word(call, &mut stream, &error).await;
                    return tell(Told::Failed(fault));
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
                Err(error) => return tell(Told::Failed(call.fault_of(&error))),
            }
        }
    }
}

/// What a connection failed of that can no longer be written on. In TLS 1.3 a server judges the
/// client's certificate when the client already sends, and its alert may wait to be read.
async fn last_word<S: AsyncRead + Unpin>(
    call: &Call,
    stream: &mut S,
    error: &io::Error,
) -> ConnectionFault {
    if call.tls.is_some() {
        let mut byte = [0];
        let read = tokio::time::timeout(LAST_WORD_MAX, stream.read(&mut byte)).await;
        if let Ok(Err(last)) = read {
            return call.fault_of(&last);
        }
    }
    call.fault_of(error)
}

impl Call {
    fn fault_of(&self, error: &io::Error) -> ConnectionFault {
        let of_tls = self.tls.as_ref().is_some_and(|tls| tls.trust.note(error));
        if of_tls {
            ConnectionFault::Tls
        } else {
            fault_of(error)
        }
    }
}

pub(super) fn fault_of(error: &io::Error) -> ConnectionFault {
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
