//! Connection requests to phones: one task and, for each GET, one connection.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::limits::HEADER_BYTES_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::World;
use crate::reference::Counter;
use crate::reference::acs::{Caller, Said};
use crate::reference::notify::{Batch, Outcome};

/// Connection requests under way at one time; more wait for their turn.
pub(super) const VISITS_MAX: usize = 256;
/// Wait for a phone's answer to one GET.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Sends a connection request to one target of a batch and notes what came of it.
pub(super) async fn visit(world: Rc<World>, batch: Arc<Batch>, target: u32) {
    let Some(whom) = batch.targets().get(target as usize) else {
        return;
    };
    let _turn = world.visits.acquire().await;
    let began = Instant::now();
    let caller = world.reference.borrow().caller(whom);
    let status = match caller {
        Some(caller) if world.reach.has(*caller.to().ip()) => call(caller).await,
        Some(_) => {
            world.counters.count(Counter::OutOfReach);
            None
        }
        None => None,
    };
    world.reference.borrow().called(status);
    batch.note(Outcome {
        target,
        status,
        from: whom.to,
        after: began.elapsed(),
    });
}

/// The status of the last answer.
async fn call(mut caller: Caller) -> Option<u16> {
    let mut request = caller.request();
    loop {
        let said = timeout(ANSWER_WITHIN, ask(&mut caller, &request)).await;
        match said {
            Ok(Ok(Said::Again(next))) => request = next,
            Ok(Ok(Said::Over(status))) => return status,
            // Nobody there, or nobody who answers.
            Ok(Err(_)) | Err(_) => return None,
        }
    }
}

async fn ask(caller: &mut Caller, request: &[u8]) -> io::Result<Said> {
    let mut stream = TcpStream::connect(caller.to()).await?;
    stream.write_all(request).await?;
    let mut held = Vec::new();
    let mut buffer = [0; 2 << 10];
    loop {
        let length = stream.read(&mut buffer).await?;
        held.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if let Some(said) = caller.response(&held) {
            return Ok(said);
        }
        if length == 0 || held.len() > 2 * HEADER_BYTES_MAX {
            return Ok(Said::Over(None));
        }
    }
}
