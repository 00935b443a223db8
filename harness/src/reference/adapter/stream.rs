//! The adapter's SIP connections: one task each, the server's own `SipConnection` behind it.

use std::io;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::World;
use super::dialogue::{self, Answer, Manner};
use super::listener::{self, Counted};
use crate::reference::counters::Counter;
use crate::reference::registrar::SipConnection;

const MANNER: Manner = Manner {
    // A phone keeps its connection alive every two minutes.
    patience: Duration::from_secs(900),
    read_bytes: 2 << 10,
};

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

async fn serve(world: &World, stream: TcpStream, peer: SocketAddrV4) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = SipConnection::default();
    dialogue::hold(stream, MANNER, |heard| {
        let mut bytes = Vec::new();
        let mut reference = world.reference.borrow_mut();
        let lines = &mut reference.lines();
        let after = connection.receive(world.now(), peer, lines, heard, &mut bytes);
        let wait = connection.wait();
        Answer { bytes, wait, after }
    })
    .await
}
