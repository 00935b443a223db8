//! The run's port for connection requests (TR-069 §3.2.2): one wildcard listener for the phones of
//! all shards, served by one thread. The address that a connection was made to tells the phone; its
//! shard hands the request over and the phone's answer back. So an idle phone holds no descriptor.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bootstorm_emulator::limits::HEADER_BYTES_MAX;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};

/// Requests that may wait for one shard; more are dropped and counted.
const QUEUE: usize = 1_024;
/// Connections open at once; more are closed and counted.
const CONNECTIONS_MAX: usize = 512;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;
/// How long a request may take to come, and its phone to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Wait after an accept that failed, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const READ_BYTES: usize = 2 << 10;

/// A request that somebody sent to a phone.
#[derive(Debug, Clone)]
pub struct Knock {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// The phone's address.
    pub to: Ipv4Addr,
    /// Request line and header section, CRLFCRLF included.
    pub bytes: Arc<[u8]>,
    /// Takes the phone's answer. Without one the connection is closed.
    pub answer: mpsc::Sender<Vec<u8>>,
}

/// One shard's end of the port.
#[derive(Debug)]
pub struct Door {
    /// The port number.
    pub port: u16,
    /// What arrived, for any shard's phones.
    pub knocks: mpsc::Receiver<Knock>,
}

/// The port and its thread.
#[derive(Debug)]
pub struct CwmpPort {
    dropped: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl CwmpPort {
    /// Opens the port (0 = any free one) for so many shards.
    ///
    /// # Errors
    /// The operating system's: the port is in use, or no descriptor is left.
    pub fn open(port: u16, shards: usize) -> io::Result<(Self, Vec<Door>)> {
        let listener = listener(port)?;
        let at = listener.local_addr()?.port();
        let (senders, doors) = (0..shards)
            .map(|_| {
                let (sender, knocks) = mpsc::channel(QUEUE);
                (sender, Door { port: at, knocks })
            })
            .unzip();
        let dropped = Arc::<AtomicU64>::default();
        let porter = Arc::new(Porter {
            shards: senders,
            dropped: Arc::clone(&dropped),
            open: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            let serve = async {
                tokio::select! {
                    _ = stopped => {}
                    _ = porter.accept(listener) => {}
                }
            };
            LocalSet::new().block_on(&runtime, serve);
        };
        let thread = std::thread::Builder::new().name("cwmp".to_owned());
        let port = Self {
            dropped,
            stop: Some(stop),
            thread: Some(thread.spawn(work)?),
        };
        Ok((port, doors))
    }

    /// Ends the thread; returns how many requests found no room.
    #[must_use]
    pub fn close(mut self) -> u64 {
        self.end();
        self.dropped.load(Ordering::Relaxed)
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl Drop for CwmpPort {
    fn drop(&mut self) {
        self.end();
    }
}

fn listener(port: u16) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    // Only for connections of an earlier run that are still in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What the thread's tasks share.
struct Porter {
    shards: Vec<mpsc::Sender<Knock>>,
    dropped: Arc<AtomicU64>,
    open: Arc<Semaphore>,
}

impl Porter {
    async fn accept(self: Arc<Self>, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, from) = match listener.accept().await {
                Ok((stream, SocketAddr::V4(from))) => (stream, from),
                Ok(_) => continue,
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&self.open).try_acquire_owned() else {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let this = Arc::clone(&self);
            spawn_local(async move {
                // A caller that breaks off is its own business.
                let _ = tokio::time::timeout(PATIENCE, this.serve(stream, from)).await;
                drop(permit);
            });
        }
    }

    /// Reads one request, has it answered and closes.
    async fn serve(&self, mut stream: TcpStream, from: SocketAddrV4) -> io::Result<()> {
        let SocketAddr::V4(own) = stream.local_addr()? else {
            return Ok(());
        };
        let Some(bytes) = head(&mut stream).await? else {
            return Ok(());
        };
        let (answer, mut answers) = mpsc::channel(1);
        let knock = Knock {
            from,
            to: *own.ip(),
            bytes: bytes.into(),
            answer,
        };
        for shard in &self.shards {
            // A shard that is over listens no more: nothing is lost.
            if let Err(TrySendError::Full(_)) = shard.try_send(knock.clone()) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        drop(knock);
        if let Some(answer) = answers.recv().await {
            stream.write_all(&answer).await?;
            stream.shutdown().await?;
        }
        Ok(())
    }
}

/// The request line and header section; none when the caller closes before or says too much.
async fn head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut held: Vec<u8> = Vec::new();
    let mut buffer = [0; READ_BYTES];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(None);
        }
        // The mark may begin in the bytes before.
        let from = held.len().saturating_sub(3);
        held.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let mut windows = held.get(from..).unwrap_or_default().windows(4);
        let end = windows.position(|four| four == b"\r\n\r\n");
        match end.map(|end| from + end + 4) {
            Some(end) if end <= HEADER_BYTES_MAX => {
                held.truncate(end);
                return Ok(Some(held));
            }
            None if held.len() <= HEADER_BYTES_MAX => {}
            _ => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn connect(port: u16, host: u8) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::new(127, 0, 0, host), port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn rest(mut stream: TcpStream) -> Vec<u8> {
        let mut all = Vec::new();
        // A connection that is reset says as much as one that is closed.
        let _ = stream.read_to_end(&mut all);
        all
    }

    #[test]
    fn hands_a_request_to_every_shard_and_the_answer_back() {
        let (port, mut doors) = CwmpPort::open(0, 2).unwrap();
        let mut stream = connect(doors[0].port, 9);
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: p\r").unwrap();
        stream.write_all(b"\n\r\nmore").unwrap();
        let knocks = doors
            .iter_mut()
            .map(|door| door.knocks.blocking_recv().unwrap());
        let knocks: Vec<_> = knocks.collect();
        for knock in &knocks {
            assert_eq!(knock.to, Ipv4Addr::new(127, 0, 0, 9));
            assert_eq!(knock.from, stream.local_addr().map(v4).unwrap());
            assert_eq!(&*knock.bytes, b"GET /x HTTP/1.1\r\nHost: p\r\n\r\n");
        }
        knocks[1]
            .answer
            .try_send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())
            .unwrap();
        drop(knocks);
        assert_eq!(rest(stream), b"HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(port.close(), 0);
    }

    #[test]
    fn closes_what_nobody_answers_and_what_says_too_much() {
        let (_port, mut doors) = CwmpPort::open(0, 1).unwrap();
        let mut stream = connect(doors[0].port, 1);
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        drop(doors[0].knocks.blocking_recv());
        assert!(rest(stream).is_empty());
        let mut stream = connect(doors[0].port, 1);
        let long = [b'a'; HEADER_BYTES_MAX + READ_BYTES];
        // It may be reset before all of it is written.
        let _ = stream.write_all(&long);
        assert!(rest(stream).is_empty());
        assert!(doors[0].knocks.try_recv().is_err());
    }

    #[test]
    fn counts_what_finds_no_room() {
        let (port, doors) = CwmpPort::open(0, 1).unwrap();
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_MAX + 8 {
            held.push(connect(doors[0].port, 1));
        }
        // Those that were refused are closed.
        let last = held.pop().unwrap();
        assert!(rest(last).is_empty());
        drop(held);
        assert!((1..=8).contains(&port.close()));
    }

    fn v4(at: SocketAddr) -> SocketAddrV4 {
        match at {
            SocketAddr::V4(at) => at,
            SocketAddr::V6(_) => panic!("an IPv6 address"),
        }
    }
}
