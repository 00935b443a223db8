//! The adapter's SIP connections: one task each, the server's own `SipConnection` behind it.

use std::io;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::World;
use super::listener::{self, Counted};
use crate::reference::counters::Counter;
use crate::reference::http::connection::After;
use crate::reference::registrar::SipConnection;

/// A phone keeps its connection alive every two minutes; one that is silent for so long is gone.
const IDLE_MAX: Duration = Duration::from_secs(900);
const READ_BYTES: usize = 2 << 10;

/// Starts the listener's task.
pub(super) fn begin(
    world: &Rc<World>,
    listener: Option<std::net::TcpListener>,
    connections_max: usize,
) -> io::Result<()> {
    let counted = Counted {
        taken: Some(Counter::SipConnection),
        dropped: Counter::SipConnectionDropped,
    };
    listener::begin(
        world,
        listener,
        connections_max,
        counted,
        |world, stream, peer| async move {
            // A connection that broke is a phone's business: it registers again.
            let _ = serve(&world, stream, peer).await;
        },
    )
}

async fn serve(world: &World, mut stream: TcpStream, peer: SocketAddrV4) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = SipConnection::default();
    let mut buffer = [0; READ_BYTES];
    loop {
        let read = tokio::time::timeout(IDLE_MAX, stream.read(&mut buffer)).await;
        let length = match read {
            Ok(read) => read?,
            Err(_) => return Ok(()),
        };
        if length == 0 {
            return Ok(());
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        let mut out = Vec::new();
        let after = {
            let mut reference = world.reference.borrow_mut();
            connection.receive(world.now(), peer, &mut reference.lines(), bytes, &mut out)
        };
        if !connection.wait().is_zero() {
            tokio::time::sleep(connection.wait()).await;
        }
        if !out.is_empty() {
            stream.write_all(&out).await?;
        }
        if after == After::Close {
            return Ok(());
        }
    }
}
