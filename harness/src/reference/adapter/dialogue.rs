//! A dialogue over a connection whose bytes are the server's own: what comes is answered, until one
//! of both ends it or nothing comes for too long.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::reference::http::connection::After;

/// How a dialogue is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// How long a peer may be silent.
    pub(super) patience: Duration,
    /// Bytes that are read at once.
    pub(super) read_bytes: usize,
}

/// What the server has to say to what came.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its bytes; none where more must come first.
    pub(super) bytes: Vec<u8>,
    /// How long it waits before it says so.
    pub(super) wait: Duration,
    /// What becomes of the connection then.
    pub(super) after: After,
}

/// Holds a dialogue to its end.
///
/// # Errors
/// What the connection said: it broke.
pub(super) async fn hold(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    manner: Manner,
    mut answer: impl FnMut(&[u8]) -> Answer,
) -> io::Result<()> {
    let mut buffer = vec![0; manner.read_bytes];
    loop {
        let Ok(read) = timeout(manner.patience, stream.read(&mut buffer)).await else {
            return Ok(());
        };
        let length = read?;
        if length == 0 {
            return Ok(());
        }
        let answer = answer(buffer.get(..length).unwrap_or_default());
        if !answer.wait.is_zero() {
            sleep(answer.wait).await;
        }
        if !answer.bytes.is_empty() {
            stream.write_all(&answer.bytes).await?;
            stream.flush().await?;
        }
        if answer.after == After::Close {
            return stream.shutdown().await;
        }
    }
}
