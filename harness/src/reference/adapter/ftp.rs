//! The adapter's FTP connections: one task each, the server's own `Session` behind it.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::World;
use super::listener::{self, Counted};
use crate::reference::counters::Counter;
use crate::reference::ftp::{Act, Door, Manner, Sending, Sent, Session};

/// A control connection without a command for this long is ended.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// No control connection lives longer, whatever its client does.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);
/// How long a data connection may take to be made.
const DATA_MAX: Duration = Duration::from_secs(10);
/// A client that takes no byte of its file for this long is gone.
const WRITE_MAX: Duration = Duration::from_secs(60);
const DRIP: Duration = Duration::from_secs(1);
const READ_BYTES: usize = 2 << 10;
const WRITE_BYTES: usize = 64 << 10;

/// Starts the listener's task.
pub(super) fn begin(
    world: &Rc<World>,
    listener: Option<std::net::TcpListener>,
    connections_max: usize,
) -> io::Result<()> {
    let counted = Counted {
        taken: None,
        dropped: Counter::FtpConnectionDropped,
    };
    listener::begin(
        world,
        listener,
        connections_max,
        counted,
        |world, stream, peer| async move {
            // A connection that broke is its client's business.
            let _ = timeout(CONNECTION_LIFE, serve(&world, stream, peer)).await;
        },
    )
}

/// A control connection.
struct Control<'a> {
    world: &'a World,
    stream: TcpStream,
    peer: SocketAddrV4,
    own: SocketAddrV4,
    session: Session,
    /// The port that was opened for the next data connection.
    door: Option<TcpListener>,
}

async fn serve(world: &World, mut stream: TcpStream, peer: SocketAddrV4) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let SocketAddr::V4(own) = stream.local_addr()? else {
        return Ok(());
    };
    let mut out = Vec::new();
    let (session, act) = {
        let mut reference = world.reference.borrow_mut();
        Session::begin(&mut reference.ftp, *peer.ip(), &mut out)
    };
    stream.write_all(&out).await?;
    let control = Control {
        world,
        stream,
        peer,
        own,
        session,
        door: None,
    };
    match act {
        Act::Close => Ok(()),
        Act::Silence => control.silence().await,
        _ => control.run().await,
    }
}

impl Control<'_> {
    /// Reads and says nothing, for as long as the client bears it.
    async fn silence(mut self) -> io::Result<()> {
        let mut buffer = [0; READ_BYTES];
        while self.stream.read(&mut buffer).await? > 0 {}
        Ok(())
    }

    async fn run(mut self) -> io::Result<()> {
        let mut buffer = [0; READ_BYTES];
        loop {
            let read = timeout(IDLE_MAX, self.stream.read(&mut buffer)).await;
            let mut out = Vec::new();
            let length = match read {
                Ok(read) => read?,
                Err(_) => {
                    self.session
                        .idle(&self.world.reference.borrow().ftp, &mut out);
                    return self.stream.write_all(&out).await;
                }
            };
            if length == 0 {
                return Ok(());
            }
            self.session.take(buffer.get(..length).unwrap_or_default());
            if !self.answer().await? {
                return Ok(());
            }
        }
    }

    /// Answers the commands that are here; false at the end.
    async fn answer(&mut self) -> io::Result<bool> {
        loop {
            let mut out = Vec::new();
            let act = {
                let mut reference = self.world.reference.borrow_mut();
                self.session.next(&mut reference.ftp, &mut out)
            };
            match act {
                Act::Open => {
                    let door = self.open();
                    let at = door.as_ref().and_then(|door| match door.local_addr() {
                        Ok(SocketAddr::V4(at)) => Some(at),
                        _ => None,
                    });
                    let mut reference = self.world.reference.borrow_mut();
                    let told = self.session.door(&mut reference.ftp, at, &mut out);
                    self.door = door.filter(|_| told == Door::Open);
                }
                Act::Send(sending) => {
                    self.stream.write_all(&out).await?;
                    out.clear();
                    let breaks = matches!(sending.manner, Manner::Broken(_));
                    let Some(sent) = self.send(sending).await? else {
                        return Ok(false);
                    };
                    if breaks {
                        return Ok(false);
                    }
                    let mut reference = self.world.reference.borrow_mut();
                    self.session.sent(&mut reference.ftp, sent, &mut out);
                }
                Act::Wait | Act::Close | Act::Silence => {
                    self.stream.write_all(&out).await?;
                    return Ok(matches!(act, Act::Wait));
                }
            }
            self.stream.write_all(&out).await?;
        }
    }

    fn open(&self) -> Option<TcpListener> {
        let listener = std::net::TcpListener::bind((*self.own.ip(), 0)).ok()?;
        listener.set_nonblocking(true).ok()?;
        TcpListener::from_std(listener).ok()
    }

    /// Sends a file; `None` when the client hung up meanwhile.
    async fn send(&mut self, sending: Sending) -> io::Result<Option<Sent>> {
        let door = self.door.take();
        let (peer, own) = (self.peer, self.own);
        let work = async {
            let connected = timeout(DATA_MAX, connect(door, sending.to, peer, own)).await;
            match connected {
                Ok(Ok(stream)) => deliver(stream, &sending).await,
                _ => Sent::Unconnected,
            }
        };
        tokio::pin!(work);
        let mut buffer = [0; READ_BYTES];
        loop {
            tokio::select! {
                sent = &mut work => return Ok(Some(sent)),
                read = self.stream.read(&mut buffer) => match read? {
                    0 => {
                        self.world.counters.count(Counter::FtpAborted);
                        return Ok(None);
                    }
                    length => self.session.take(buffer.get(..length).unwrap_or_default()),
                },
            }
        }
    }
}

/// The data connection: the client's to the port it was told, or ours to the one that it told.
async fn connect(
    door: Option<TcpListener>,
    to: Option<SocketAddrV4>,
    peer: SocketAddrV4,
    own: SocketAddrV4,
) -> io::Result<TcpStream> {
    if let Some(to) = to {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddrV4::new(*own.ip(), 0).into())?;
        return socket.connect(to.into()).await;
    }
    let door = door.ok_or(io::ErrorKind::NotConnected)?;
    loop {
        let (stream, from) = door.accept().await?;
        // Whoever else finds the port gets nothing (RFC 2577 §7).
        if from.ip() == *peer.ip() {
            return Ok(stream);
        }
    }
}

async fn deliver(mut stream: TcpStream, sending: &Sending) -> Sent {
    let bytes = &sending.bytes;
    let sent = match sending.manner {
        Manner::Whole => write(&mut stream, bytes).await,
        Manner::Stalled => std::future::pending().await,
        Manner::Dripping => drip(&mut stream, bytes).await,
        Manner::Cut(length) | Manner::Broken(length) => {
            let part = bytes.get(..length).unwrap_or(bytes);
            let _ = write(&mut stream, part).await;
            return Sent::Broken;
        }
    };
    match sent.and(stream.shutdown().await) {
        Ok(()) => Sent::Whole,
        Err(_) => Sent::Broken,
    }
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for part in bytes.chunks(WRITE_BYTES) {
        timeout(WRITE_MAX, stream.write_all(part)).await??;
    }
    Ok(())
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        tokio::time::sleep(DRIP).await;
    }
    Ok(())
}
