//! A listener for connections that stay: bounded in number, each served by a task of its own.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::World;
use crate::reference::counters::Counter;

/// Pause after the operating system had no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    /// A connection that is served; none where those who serve count it.
    pub(super) taken: Option<Counter>,
    /// A connection beyond the most at once.
    pub(super) dropped: Counter,
}

/// Starts the listener's task, if there is a listener. `serve` has the connection until its future
/// is over; at most `connections_max` are served at once.
pub(super) fn begin<S, F>(
    world: &Rc<World>,
    listener: Option<std::net::TcpListener>,
    connections_max: usize,
    counted: Counted,
    serve: S,
) -> io::Result<()>
where
    S: Fn(Rc<World>, TcpStream, SocketAddrV4) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let Some(listener) = listener else {
        return Ok(());
    };
    let listener = TcpListener::from_std(listener)?;
    let world = Rc::clone(world);
    tokio::task::spawn_local(async move {
        let open = Rc::new(Cell::new(0_usize));
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok((stream, SocketAddr::V4(peer))) => (stream, peer),
                Ok(_) => continue,
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if !world.reach.has(*peer.ip()) {
                world.counters.count(Counter::OutOfReach);
                continue;
            }
            if open.get() >= connections_max {
                world.counters.count(counted.dropped);
                continue;
            }
            if let Some(taken) = counted.taken {
                world.counters.count(taken);
            }
            open.set(open.get() + 1);
            let (served, open) = (serve(Rc::clone(&world), stream, peer), Rc::clone(&open));
            tokio::task::spawn_local(async move {
                served.await;
                open.set(open.get() - 1);
            });
        }
    });
    Ok(())
}
