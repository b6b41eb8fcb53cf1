#![doc = include_str!("../README.md")]

mod ask;
mod hints;
mod look;
mod state;
mod wake;

use std::time::Duration;

use countersign_core::active::ConfigurationCache;
use countersign_core::digest::Digest;
use countersign_core::event::{Event, EventKind};
use countersign_core::message::{Message, QueueName};
use countersign_core::names::RepositoryId;
use countersign_core::ports::PortError;
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::Store;
use countersign_core::time::Timestamp;
use countersign_git::mirror::{GiveUp, Repositories};

/// The stage, with the ports that it touches the world through.
pub struct Poller<'a, S, Q, F> {
    /// What was seen, and what is due.
    pub store: &'a S,
    /// Where hints go.
    pub queue: &'a Q,
    /// Credentials, and open pull requests.
    pub forge: &'a F,
    /// Asks for tips.
    pub repositories: &'a Repositories,
    /// The configuration that was read last.
    pub configurations: &'a ConfigurationCache,
    /// Starts the time of one question to a server, and tells when it is over.
    pub deadline: fn() -> GiveUp,
}

/// What one call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// Looks that were made due.
    pub hints: usize,
    /// When there is something to do again, at the latest.
    pub next: Timestamp,
}

impl<S: Store, Q: Queue, F: ForgeRead> Poller<'_, S, Q, F> {
    /// All that is due at `now`: first what waits, then what no webhook brought.
    ///
    /// # Errors
    /// When the store or the queue fails. A server that fails is asked again later, and is no error.
    pub async fn handle(&self, now: Timestamp) -> Result<Polled, PortError> {
        let woken = self.wake(now).await?;
        let looked = self.look(now).await?;
        Ok(Polled { hints: woken + looked.hints, ..looked })
    }

    /// Makes a look at every target of every followed ref due: whatever was missed is found.
    ///
    /// # Errors
    /// When the store or the queue fails.
    pub async fn everything(&self, now: Timestamp) -> Result<usize, PortError> {
        let Some(active) = self.configurations.active(self.store).await? else { return Ok(0) };
        let mut messages = Vec::new();
        for follows in active.configuration.followed_refs() {
            let id = format!("start/{now}/{}", follows.key());
            let kind = EventKind::RefDue { reference: follows.reference, every_target: true };
            messages.push(message(id, now, follows.repository, kind)?);
        }
        self.queue.send(&QueueName::Events, &messages).await?;
        Ok(messages.len())
    }
}

/// An event as a message. Its id names it for ever: the same cause makes the same event.
fn message(
    id: String,
    received: Timestamp,
    repository: RepositoryId,
    kind: EventKind,
) -> Result<Outgoing, PortError> {
    let trace: String = Digest::of(id.as_bytes()).hex().chars().take(16).collect();
    let event = Event { id: id.clone(), received, repository, actor: None, kind };
    let group = event.group();
    let body = serde_json::to_string(&Message::new(&trace, event))
        .map_err(|error| PortError::Refused(format!("an event cannot be written as JSON: {error}")))?;
    Ok(Outgoing { group, deduplication: id, body, delay: Duration::ZERO })
}
