//! Orders to a running server, from other threads.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{World, caller};
use crate::reference::notify::{Batch, Message};

/// Orders that may wait; more are refused.
const ORDERS_MAX: usize = 1_024;

/// Takes orders to a running server. Clones lead to the same one.
#[derive(Debug, Clone)]
pub struct Courier(mpsc::Sender<Arc<Batch>>);

/// The server's end.
pub(super) type Orders = mpsc::Receiver<Arc<Batch>>;

/// The two ends.
pub(super) fn pair() -> (Courier, Orders) {
    let (sender, orders) = mpsc::channel(ORDERS_MAX);
    (Courier(sender), orders)
}

impl Courier {
    /// Orders what a batch says. False when the server has ended or is swamped.
    #[must_use]
    pub fn order(&self, batch: Arc<Batch>) -> bool {
        self.0.try_send(batch).is_ok()
    }
}

impl World {
    /// Carries out what is ordered, for as long as somebody may order.
    pub(super) async fn obey(self: Rc<Self>, mut orders: Orders) {
        while let Some(batch) = orders.recv().await {
            if batch.message() == Message::ConnectionRequest {
                for target in (0_u32..).take(batch.targets().len()) {
                    let visit = caller::visit(Rc::clone(&self), Arc::clone(&batch), target);
                    tokio::task::spawn_local(visit);
                }
                continue;
            }
            let now = self.now();
            let mut replies = self.replies.borrow_mut();
            replies.clear();
            let mut reference = self.reference.borrow_mut();
            reference.order(now, &batch);
            reference.tick(now, &mut replies);
            self.send(&replies);
        }
    }
}
