//! HTTP connections whose bytes are the server's own, to the last one: those of mutants.

use std::io;
use std::net::SocketAddrV4;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::World;
use super::web::HEAD_TIMEOUT;
use crate::reference::http::connection::{After, Connection};

const READ_BYTES: usize = 16 << 10;

/// Serves a connection, inside TLS or not, until one of both ends it or nothing comes for too
/// long.
pub(super) async fn serve(
    world: &World,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddrV4,
    tls: bool,
) -> io::Result<()> {
    let mut connection = match tls {
        true => Connection::secure(),
        false => Connection::default(),
    };
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let Ok(read) = timeout(HEAD_TIMEOUT, stream.read(&mut buffer)).await else {
            return Ok(());
        };
        let length = read?;
        if length == 0 {
            return Ok(());
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        let mut out = Vec::new();
        let after = {
            let mut reference = world.reference.borrow_mut();
            connection.receive(world.now(), peer, &mut reference.site(), bytes, &mut out)
        };
        if !connection.wait().is_zero() {
            tokio::time::sleep(connection.wait()).await;
        }
        stream.write_all(&out).await?;
        stream.flush().await?;
        if after == After::Close {
            return stream.shutdown().await;
        }
    }
}
