//! HTTP connections whose bytes are the server's own, to the last one: those of mutants.

use std::io;
use std::net::SocketAddrV4;

use tokio::io::{AsyncRead, AsyncWrite};

use super::World;
use super::dialogue::{self, Answer, Manner};
use super::web::HEAD_TIMEOUT;
use crate::reference::http::connection::Connection;

const MANNER: Manner = Manner {
    patience: HEAD_TIMEOUT,
    read_bytes: 16 << 10,
};

/// Serves a connection, inside TLS or not, until one of both ends it or nothing comes for too
/// long.
pub(super) async fn serve(
    world: &World,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddrV4,
    tls: bool,
) -> io::Result<()> {
    let mut connection = match tls {
        true => Connection::secure(),
        false => Connection::default(),
    };
    dialogue::hold(stream, MANNER, |heard| {
        let mut bytes = Vec::new();
        let mut reference = world.reference.borrow_mut();
        let site = &mut reference.site();
        let after = connection.receive(world.now(), peer, site, heard, &mut bytes);
        let wait = connection.wait();
        Answer { bytes, wait, after }
    })
    .await
}
