//! Publish-subscribe: STOMP 1.2 over WebSocket (`com.cisco.ise.pubsub`).
//!
//! A request to `/pxgrid/ise/pubsub` that is accepted leaves HTTP; its
//! connection stays where it is, in the server's task, and goes on as a
//! [`Session`]. Frames for it wait in a bounded queue, which the [`Broker`]
//! fills without waiting.

mod broker;
mod conversation;
mod ending;
mod handshake;
mod metrics;
mod outlet;
mod relay;
mod session;
pub(crate) mod stomp;
mod subscribe;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use prometheus::Registry;

use crate::pxgrid::NodeName;
pub(crate) use broker::Broker;
pub(crate) use conversation::Permissions;
use metrics::PubsubMetrics;
pub(crate) use relay::relay;
pub(crate) use session::{Session, Until};
pub(crate) use subscribe::Upgrade;
pub(super) use subscribe::routes;

/// Reads any bytes as a message of a client.
pub(crate) fn fuzz_message(bytes: &[u8]) {
    if let Ok(Some(frame)) = stomp::read(bytes) {
        let _ = stomp::one_line(frame.body);
    }
}

/// Connections of one node; what Cisco ISE takes.
const MOST_OF_NODE: usize = 100;

/// All connections for publish-subscribe.
#[derive(Debug)]
pub(crate) struct Pubsub {
    /// Takes messages to their subscribers.
    pub(crate) broker: Arc<Broker>,
    metrics: PubsubMetrics,
    most: usize,
    next: AtomicU64,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    taken: usize,
    by_node: HashMap<NodeName, usize>,
}

/// There is no room for one more connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSeat {
    /// The node has enough.
    #[error("the node `{0}` has {MOST_OF_NODE} connections already")]
    OfNode(NodeName),
    /// All nodes together have enough.
    #[error("there are {0} connections for publish-subscribe already")]
    InAll(usize),
}

impl Pubsub {
    /// `most` connections at a time.
    pub(crate) fn new(most: usize, registry: &Registry) -> Result<Arc<Self>, prometheus::Error> {
        let metrics = PubsubMetrics::register(registry)?;
        Ok(Arc::new(Self {
            broker: Broker::new(metrics.clone()),
            metrics,
            most,
            next: AtomicU64::new(1),
            seats: Mutex::default(),
        }))
    }

    /// Lets an authenticated node in.
    pub(crate) fn enter(
        self: &Arc<Self>,
        node: NodeName,
        permissions: Arc<dyn Permissions>,
    ) -> Result<Session, NoSeat> {
        {
            let mut seats = self.seats.lock();
            if seats.taken >= self.most {
                return Err(NoSeat::InAll(self.most));
            }
            let of_node = seats.by_node.entry(node.clone()).or_default();
            if *of_node >= MOST_OF_NODE {
                return Err(NoSeat::OfNode(node));
            }
            *of_node += 1;
            seats.taken += 1;
        }
        Ok(Session {
            node,
            number: self.next.fetch_add(1, Ordering::Relaxed),
            permissions,
            pubsub: Arc::clone(self),
        })
    }

    fn leave(&self, node: &NodeName) {
        let mut seats = self.seats.lock();
        seats.taken = seats.taken.saturating_sub(1);
        if let Some(of_node) = seats.by_node.get_mut(node) {
            *of_node = of_node.saturating_sub(1);
            if *of_node == 0 {
                seats.by_node.remove(node);
            }
        }
    }
}
