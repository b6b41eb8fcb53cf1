//! The timer: turns looks that `record` stored as due into events.

use std::time::Duration;

use countersign_core::event::{Event, EventKind};
use countersign_core::keys;
use countersign_core::message::{Message, QueueName};
use countersign_core::names::Target;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Outgoing, Queue as _};
use countersign_core::ports::store::{self, Store as _};
use countersign_core::time::Timestamp;
use tokio::sync::watch;

use super::node::Node;
use crate::installation::now;

/// How often is looked whether something is due. Nothing else waits for this.
const TICK: Duration = Duration::from_secs(1);

/// How many looks one tick makes due.
const PAGE: usize = 500;

/// Runs until told to stop.
pub async fn run(node: &Node, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = tick(node, now()).await {
            tracing::error!(%error, "the timer cannot work now");
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

async fn tick(node: &Node, now: Timestamp) -> Result<(), PortError> {
    for key in node.store.list(keys::DUE, None, PAGE).await? {
        if !is_due(&key, now) {
            return Ok(());
        }
        if let Some(target) = store::get_json::<Target>(&node.store, &key).await? {
            make_due(node, &key, target, now).await?;
        }
        // Deleted once the event is sent: a crash in between sends it twice, and it is dropped as a repeat.
        node.store.delete(&key).await?;
    }
    Ok(())
}

fn is_due(key: &str, now: Timestamp) -> bool {
    let rest = key.strip_prefix(keys::DUE).unwrap_or_default();
    let at = rest.split('-').next().and_then(|millis| millis.parse().ok());
    at.is_none_or(|at: i64| at <= now.as_millis())
}

async fn make_due(node: &Node, key: &str, target: Target, now: Timestamp) -> Result<(), PortError> {
    let Some(active) = node.configurations.active(&node.store).await? else { return Ok(()) };
    let follows = active.configuration.target(&target).and_then(|configured| configured.follows());
    let Some(follows) = follows else { return Ok(()) };
    tracing::info!(%target, "another look is due");
    let kind = EventKind::TargetDue { target };
    let event =
        Event { id: key.to_owned(), received: now, repository: follows.repository, actor: None, kind };
    let trace: String = countersign_core::digest::Digest::of(key.as_bytes()).hex().chars().take(16).collect();
    let group = event.group();
    let body = serde_json::to_string(&Message::new(&trace, event))
        .map_err(|error| PortError::Refused(format!("an event cannot be written as JSON: {error}")))?;
    let message = Outgoing { group, deduplication: key.to_owned(), body, delay: Duration::ZERO };
    node.queue.send(&QueueName::Events, &[message]).await
}
