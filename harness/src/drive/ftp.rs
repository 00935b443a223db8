//! One task for each FTP retrieval of a phone: suppaftp on connections from the phone's address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use bootstorm_emulator::phone::io::{ConnectionFault, FtpMode};
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::link::Flow;
use suppaftp::tokio::AsyncFtpStream;
use suppaftp::types::{FileType, Mode, Response};
use suppaftp::{FtpError, FtpResult};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

use crate::attach::FTP_ROUNDS;

use super::tcp::{CONNECT_MAX, READ_BYTES, Told, fault_of, hung_up, open};

/// How long a server that was told a port may take to connect to it (RFC 959 §3.2). suppaftp does
/// not hear a reply meanwhile, so this is short.
const ACTIVE_MAX: Duration = Duration::from_secs(10);
/// How long an answer to QUIT is waited for; the file is there already.
const GOODBYE_MAX: Duration = Duration::from_millis(500);
/// Descriptors that a retrieval may hold at once: for control and for data.
const DESCRIPTORS: u32 = 2;

/// A file to be retrieved.
#[derive(Clone)]
pub struct Retrieval {
    /// The phone's address: control and data connections leave and arrive there.
    pub from: Ipv4Addr,
    /// Where the server's control port is.
    pub to: SocketAddrV4,
    /// The interface that it leaves by, where that is one.
    pub device: Option<Arc<str>>,
    /// Who opens the data connection.
    pub mode: FtpMode,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// What RETR names.
    pub path: String,
    /// What befalls it, where the phone's link has conditions. The delays of the dialogue are had
    /// before its beginning, added up.
    pub flow: Option<Box<Flow>>,
}

impl std::fmt::Debug for Retrieval {
    /// Without credentials.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Retrieval")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("mode", &self.mode)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Logs in, retrieves, tells what happens: the content in pieces as they come (the next one is read
/// when the phone has taken the one before), then that it is complete, or why it is not. Ends when
/// the sender of `ended` is dropped; then nothing more is told.
pub async fn run(
    mut file: Retrieval,
    permits: Arc<Semaphore>,
    mut ended: mpsc::Receiver<Vec<u8>>,
    tell: impl Fn(Told<'_>),
) {
    let mut flow = file.flow.take();
    let whole = async {
        let permit = permits.acquire_many(DESCRIPTORS).await;
        if let Some(flow) = &flow {
            tokio::time::sleep(flow.delay() * (2 * FTP_ROUNDS + 2)).await;
        }
        let retrieved = retrieve(&file, flow.as_deref_mut(), &tell).await;
        match &retrieved {
            Ok(_) => tell(Told::Closed),
            Err(fault) => tell(Told::Failed(*fault)),
        }
        (retrieved, permit)
    };
    let (retrieved, _permit) = tokio::select! {
        biased;
        () = hung_up(&mut ended) => return,
        retrieved = whole => retrieved,
    };
    if let Ok(mut ftp) = retrieved {
        let _ = tokio::time::timeout(GOODBYE_MAX, ftp.quit()).await;
    }
}

async fn retrieve(
    file: &Retrieval,
    flow: Option<&mut Flow>,
    tell: &impl Fn(Told<'_>),
) -> Result<AsyncFtpStream, ConnectionFault> {
    let connected = tokio::time::timeout(
        CONNECT_MAX,
        open(file.from, file.to, file.device.as_deref()),
    )
    .await;
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(fault_of(&error)),
        Err(_) => return Err(ConnectionFault::TimedOut),
    };
    let data = Arc::new(Data::new(file));
    let mut ftp = AsyncFtpStream::connect_with_stream(stream)
        .await
        .map_err(|error| data.fault_of(&error))?;
    ftp = data.install(ftp);
    if file.mode == FtpMode::Active {
        ftp = ftp.active_mode(ACTIVE_MAX);
    } else {
        ftp.set_mode(Mode::Passive);
    }
    let begun = async {
        ftp.login(file.user.as_str(), file.password.as_str())
            .await?;
        ftp.transfer_type(FileType::Binary).await?;
        ftp.retr_as_stream(&file.path).await
    };
    let mut content = begun.await.map_err(|error| data.fault_of(&error))?;
    let mut buffer = vec![0; READ_BYTES];
    let mut slow = flow.map(|flow| (flow, Instant::now()));
    loop {
        let length = match content.read(&mut buffer).await {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) => return Err(fault_of(&error)),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        match &mut slow {
            Some((flow, began)) => hand_over(flow, *began, bytes, tell).await?,
            None => tell(Told::Bytes(bytes)),
        }
    }
    // The end of the data says nothing (RFC 959 §3.4): the reply does.
    content
        .finish()
        .await
        .map_err(|error| data.fault_of(&error))?;
    Ok(ftp)
}

/// Tells the phone what came, piece by piece as its link lets it through. Its delay was had.
async fn hand_over(
    flow: &mut Flow,
    began: Instant,
    mut rest: &[u8],
    tell: &impl Fn(Told<'_>),
) -> Result<(), ConnectionFault> {
    while !rest.is_empty() {
        let passage = flow.down(Moment::ZERO + began.elapsed(), rest.len());
        let at = began + passage.at.since(Moment::ZERO).saturating_sub(flow.delay());
        tokio::time::sleep_until(at.into()).await;
        let (piece, later) = rest.split_at(passage.bytes);
        rest = later;
        if !piece.is_empty() {
            tell(Told::Bytes(piece));
        }
        if passage.reset {
            return Err(ConnectionFault::Reset);
        }
    }
    Ok(())
}

/// What became of the data connection.
#[derive(Debug)]
struct Data {
    from: Ipv4Addr,
    device: Option<Arc<str>>,
    server: Ipv4Addr,
    active: bool,
    state: AtomicU8,
}

const FINE: u8 = 0;
const FAILED: u8 = 1;
/// Nothing was left on our own side.
const LOCAL: u8 = 2;

impl Data {
    fn new(file: &Retrieval) -> Self {
        Self {
            from: file.from,
            device: file.device.clone(),
            server: *file.to.ip(),
            active: file.mode == FtpMode::Active,
            state: AtomicU8::new(FINE),
        }
    }

    /// Has passive data connections made from the phone's address and to the server's only: what
    /// a server says of another host is no business of a phone's (RFC 2577 §3).
    fn install(self: &Arc<Self>, ftp: AsyncFtpStream) -> AsyncFtpStream {
        let data = Arc::clone(self);
        ftp.passive_stream_builder(move |to| {
            let data = Arc::clone(&data);
            Box::pin(async move { data.connect(to).await })
        })
    }

    async fn connect(&self, to: SocketAddr) -> FtpResult<TcpStream> {
        let made = match to {
            SocketAddr::V4(to) if to.ip() == &self.server => {
                let made =
                    tokio::time::timeout(ACTIVE_MAX, open(self.from, to, self.device.as_deref()))
                        .await;
                made.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
            _ => Err(io::Error::from(io::ErrorKind::PermissionDenied)),
        };
        made.map_err(|error| {
            let state = match fault_of(&error) {
                ConnectionFault::Local => LOCAL,
                _ => FAILED,
            };
            self.state.store(state, Ordering::Relaxed);
            FtpError::ConnectionError(error)
        })
    }

    fn fault_of(&self, error: &FtpError) -> ConnectionFault {
        match self.state.load(Ordering::Relaxed) {
            FAILED => return ConnectionFault::FtpData,
            LOCAL => return ConnectionFault::Local,
            _ => {}
        }
        match error {
            // Nobody connected to the port that the server was told. (On a control connection
            // suppaftp has no timeout.)
            FtpError::ConnectionError(error)
                if self.active && error.kind() == io::ErrorKind::TimedOut =>
            {
                ConnectionFault::FtpData
            }
            FtpError::ConnectionError(error) => fault_of(error),
            FtpError::UnexpectedResponse(response) => refused(response),
            FtpError::InvalidAddress(_) => ConnectionFault::FtpData,
            // A reply that cannot be read: nothing after it could be understood either.
            FtpError::BadResponse | FtpError::DataConnectionAlreadyOpen => ConnectionFault::Reset,
        }
    }
}

/// The reply's own code: suppaftp knows only some of them.
fn refused(response: &Response) -> ConnectionFault {
    let digits = response.body.get(..3).unwrap_or_default();
    let code = std::str::from_utf8(digits)
        .ok()
        .and_then(|it| it.parse().ok());
    match code {
        // "Entering passive mode" without an address.
        Some(227 | 229) => ConnectionFault::FtpData,
        Some(code) => ConnectionFault::Ftp(code),
        None => ConnectionFault::Reset,
    }
}
