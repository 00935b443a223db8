//! async-tftp over the same content: a TFTP server that is not ours, as a subject and as the
//! oracle of tests.
//!
//! Known differences from `tftp`: it drops a repeated request instead of answering it, ignores
//! ERRORs of clients, and does not answer a client that lost its last ACK and reuses its port. It
//! answers from ports of the address it is bound to, so that has to be a concrete one.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use async_tftp::packet::Error;
use async_tftp::server::{Handler, TftpServerBuilder};
use futures_io::AsyncRead;
use tokio::sync::oneshot;

use super::adapter::AdapterError;
use super::content::{Absent, Source};
use super::counters::{Counter, Counters};

/// Wait before a packet is sent again.
const RETRANSMIT_AFTER: Duration = Duration::from_secs(1);
/// How often a packet is sent again.
const RETRIES: u32 = 5;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Independent {
    address: SocketAddrV4,
    counters: Arc<Counters>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Files {
    source: Source,
    counters: Arc<Counters>,
}

/// A file on its way out.
struct Reader {
    bytes: Arc<[u8]>,
    at: usize,
}

impl Independent {
    /// Serves `source` at `address`, in a thread of its own; port 0 takes any free one.
    ///
    /// # Errors
    /// An unspecified address; a port that is taken or not permitted; no thread.
    pub fn start(source: Source, address: SocketAddrV4) -> Result<Self, AdapterError> {
        if address.ip().is_unspecified() {
            return Err(AdapterError::Unspecified);
        }
        let socket = std::net::UdpSocket::bind(address)
            .map_err(|fault| AdapterError::bind("TFTP", address, fault))?;
        let bound = match socket.local_addr() {
            Ok(SocketAddr::V4(bound)) => bound,
            Ok(SocketAddr::V6(_)) | Err(_) => address,
        };
        let counters = Arc::<Counters>::default();
        let files = Files {
            source,
            counters: Arc::clone(&counters),
        };
        let builder = TftpServerBuilder::with_handler(files)
            .std_socket(socket)
            .map_err(|fault| AdapterError::Thread(io::Error::other(fault)))?
            .timeout(RETRANSMIT_AFTER)
            .max_send_retries(RETRIES);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(AdapterError::Thread)?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            let tasks = tokio::task::LocalSet::new();
            tasks.spawn_local(async move {
                // It ends only with its socket.
                if let Ok(server) = builder.build().await {
                    let _ = server.serve().await;
                }
            });
            let _ = runtime.block_on(tasks.run_until(stopped));
        };
        let thread = std::thread::Builder::new()
            .name("independent-tftp".to_owned())
            .spawn(serve)
            .map_err(AdapterError::Thread)?;
        Ok(Self {
            address: bound,
            counters,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// What it was asked: only requests, files not found and requests refused are counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Drop for Independent {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Handler for Files {
    type Reader = Reader;
    type Writer = Vec<u8>;

    async fn read_req_open(
        &mut self,
        _client: &SocketAddr,
        path: &Path,
    ) -> Result<(Reader, Option<u64>), Error> {
        self.counters.count(Counter::TftpRead);
        match self.source.find(path.as_os_str().as_bytes()) {
            Ok(file) => {
                self.counters.count(Counter::TftpBegun);
                let length = file.bytes.len() as u64;
                let reader = Reader {
                    bytes: file.bytes,
                    at: 0,
                };
                Ok((reader, Some(length)))
            }
            Err(Absent::Missing) => {
                self.counters.count(Counter::TftpNotFound);
                Err(Error::FileNotFound)
            }
            Err(absent) => {
                self.counters.count(Counter::TftpRefused);
                Err(Error::Msg(absent.to_string()))
            }
        }
    }

    async fn write_req_open(
        &mut self,
        _client: &SocketAddr,
        _path: &Path,
        _size: Option<u64>,
    ) -> Result<Vec<u8>, Error> {
        self.counters.count(Counter::TftpWrite);
        Err(Error::PermissionDenied)
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let rest = this.bytes.get(this.at..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        this.at += length;
        Poll::Ready(Ok(length))
    }
}

#[cfg(test)]
mod tests;
