//! Turns looks that `record` stored as due into events.

use std::time::Duration;

use countersign_core::event::EventKind;
use countersign_core::keys;
use countersign_core::message::QueueName;
use countersign_core::names::Target;
use countersign_core::ports::PortError;
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store};
use countersign_core::time::Timestamp;

use crate::{Poller, message};

/// How many looks one call makes due.
const PAGE: usize = 500;

/// A look is due when an authorization has ended, or so long after a failure, at the latest.
const LATEST: Duration = Duration::from_mins(20);

impl<S: Store, Q: Queue, F: ForgeRead> Poller<'_, S, Q, F> {
    /// Makes every look due whose time has come. How many.
    ///
    /// # Errors
    /// When the store or the queue fails.
    pub async fn wake(&self, now: Timestamp) -> Result<usize, PortError> {
        let soonest = self.store.list(keys::DUE, None, PAGE).await?;
        let due = soonest.into_iter().take_while(|key| is_due(key, now));
        // Nothing is ever due so late: the clock was put back since.
        let late = format!("{}{:020}", keys::DUE, now.plus(LATEST).as_millis().max(0));
        let late = self.store.list(keys::DUE, Some(&late), PAGE).await?;
        let mut woken = 0;
        for key in due.chain(late) {
            if let Some(target) = store::get_json::<Target>(self.store, &key).await? {
                woken += usize::from(self.make_due(&key, target, now).await?);
            }
            // Deleted once the event is sent: a crash in between sends it twice, and it is dropped as a repeat.
            self.store.delete(&key).await?;
        }
        Ok(woken)
    }

    async fn make_due(&self, key: &str, target: Target, now: Timestamp) -> Result<bool, PortError> {
        let Some(active) = self.configurations.active(self.store).await? else { return Ok(false) };
        let follows = active.configuration.target(&target).and_then(|configured| configured.follows());
        let Some(follows) = follows else { return Ok(false) };
        tracing::info!(%target, "another look is due");
        let due =
            message(key.to_owned(), now, follows.repository, EventKind::TargetDue { target, at_tip: false })?;
        self.queue.send(&QueueName::Events, &[due]).await?;
        Ok(true)
    }
}

fn is_due(key: &str, now: Timestamp) -> bool {
    let rest = key.strip_prefix(keys::DUE).unwrap_or_default();
    let at = rest.split('-').next().and_then(|millis| millis.parse().ok());
    at.is_none_or(|at: i64| at <= now.as_millis())
}
