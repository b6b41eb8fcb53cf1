//! Calls `poll`: what waits every second, and what no webhook brought as often as each host's period says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_git::mirror::GiveUp;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;
use countersign_poll::Poller;
use tokio::sync::watch;

use super::forges::HostForges;
use super::node::Node;
use super::unheard::Unheard;
use crate::installation::now;

/// How often is looked whether something is due. Nothing else waits for this.
const TICK: Duration = Duration::from_secs(1);

/// The longest rest between two looks for what no webhook brought: another configuration may name a shorter period.
const REST: Duration = Duration::from_secs(5);

/// How long one question to a server may take.
const QUESTION: Duration = Duration::from_secs(20);

/// The `poll` stage on this node's ports.
#[must_use]
pub fn poller(node: &Node) -> Poller<'_, LocalStore, LocalQueue, HostForges> {
    Poller {
        store: &node.store,
        queue: &node.queue,
        forge: &node.forges,
        repositories: &node.repositories,
        configurations: &node.configurations,
        deadline,
    }
}

fn deadline() -> GiveUp {
    let started = Instant::now();
    Arc::new(move || started.elapsed() > QUESTION)
}

/// Wakes what waits, until told to stop.
pub async fn wake(node: &Node, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = node.queue.notice_others() {
            tracing::error!(%error, "what others wrote cannot be noticed now");
        }
        if let Err(error) = poller(node).wake(now()).await {
            tracing::error!(%error, "the timer cannot work now");
        }
        rest(&mut stop, TICK).await;
    }
}

/// Looks for what no webhook brought, until told to stop. It waits for servers, so that it has a worker of its own.
pub async fn look(node: &Node, mut stop: watch::Receiver<bool>) {
    let (mut unheard, mut is_due) = (Unheard::default(), true);
    while !*stop.borrow() {
        let wait = match poller(node).look(now()).await {
            Ok(polled) => {
                is_due |= polled.hints > 0;
                polled.next.since(now())
            }
            Err(error) => {
                tracing::error!(%error, "cannot poll now");
                REST
            }
        };
        if is_due {
            match unheard.take(node).await {
                Ok(()) => is_due = false,
                Err(error) => {
                    tracing::error!(%error, "commands that nobody told of cannot be looked for now")
                }
            }
        }
        rest(&mut stop, wait.clamp(TICK, REST)).await;
    }
}

/// Waits for so long, or until told to stop.
pub async fn rest(stop: &mut watch::Receiver<bool>, time: Duration) {
    tokio::select! {
        _ = stop.changed() => {}
        () = tokio::time::sleep(time) => {}
    }
}
