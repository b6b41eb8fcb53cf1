//! Moves messages from a queue to a stage: the part that an event source mapping plays in the cloud.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use countersign_core::message::QueueName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Delivery, Queue as _};
use countersign_core::stage::{BatchResult, Incoming, StageError, left_over};
use futures_util::FutureExt as _;
use tokio::sync::watch;

use super::node::Node;

/// How long a received message is hidden from others. What a crash interrupted is released at the next start.
const VISIBILITY: Duration = Duration::from_mins(10);

/// How long a receive waits. A message that comes meanwhile ends the wait at once.
const WAIT: Duration = Duration::from_secs(20);

/// The first retry of a message comes after this, later ones after twice the time of the one before.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// Retries of a message are never further apart.
const WIDEST_RETRY: Duration = Duration::from_mins(10);

/// Moves messages until told to stop. A batch that is at work is finished first.
pub async fn run(
    node: &Node,
    queue: &QueueName,
    batch_size: usize,
    mut stop: watch::Receiver<bool>,
    stage: impl AsyncFn(&[Incoming]) -> BatchResult,
) {
    while !*stop.borrow() {
        let received = tokio::select! {
            _ = stop.changed() => return,
            received = node.queue.receive(queue, batch_size, VISIBILITY, WAIT) => received,
        };
        match received {
            Ok(deliveries) if deliveries.is_empty() => {}
            Ok(deliveries) => work(node, queue, &deliveries, &stage).await,
            Err(error) => {
                tracing::error!(%queue, %error, "cannot receive now");
                tokio::time::sleep(FIRST_RETRY).await;
            }
        }
    }
}

async fn work(
    node: &Node,
    queue: &QueueName,
    deliveries: &[Delivery],
    stage: &impl AsyncFn(&[Incoming]) -> BatchResult,
) {
    let batch: Vec<_> = deliveries.iter().map(|delivery| delivery.message.clone()).collect();
    let started = Instant::now();
    let results = AssertUnwindSafe(stage(&batch)).catch_unwind().await.unwrap_or_else(|_| {
        let why = StageError::Retry("the stage panicked: please report this with the log above".to_owned());
        batch.iter().map(|_| Err(why.clone())).collect()
    });
    node.metrics.worked(queue, started.elapsed(), &results);
    let left = left_over(&batch, &results, queue.is_ordered());
    let mut taken = Vec::new();
    for (index, (delivery, result)) in deliveries.iter().zip(&results).enumerate() {
        match conclude(node, queue, delivery, result, left.contains(&index)).await {
            Ok(true) => taken.push(delivery.receipt.clone()),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%queue, message = delivery.message.id, %error, "the message comes again");
            }
        }
    }
    match node.queue.acknowledge_all(queue, &taken).await {
        Ok(valid) if valid.iter().all(|valid| *valid) => {}
        Ok(_) => tracing::warn!(%queue, "a message was held for too long and comes again"),
        Err(error) => tracing::warn!(%queue, %error, "the messages of a batch come again"),
    }
}

/// Does to a message what follows from a result; whether it is to be taken off its queue.
async fn conclude(
    node: &Node,
    queue: &QueueName,
    delivery: &Delivery,
    result: &Result<(), StageError>,
    left: bool,
) -> Result<bool, PortError> {
    match result {
        Err(StageError::Final(why)) => {
            tracing::error!(%queue, message = delivery.message.id, why, "became a dead letter");
            node.queue.bury(queue, &delivery.receipt, why).await?;
        }
        Err(StageError::Retry(why)) => {
            let delay = retry_delay(delivery.message.receive_count);
            tracing::warn!(%queue, message = delivery.message.id, why, ?delay, "comes again");
            node.queue.extend(queue, &delivery.receipt, delay).await?;
        }
        Ok(()) if left => node.queue.extend(queue, &delivery.receipt, Duration::ZERO).await?,
        Ok(()) => return Ok(true),
    }
    Ok(false)
}

fn retry_delay(receive_count: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1_u32 << receive_count.saturating_sub(1).min(12)).min(WIDEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_widen_to_ten_minutes() {
        assert_eq!(retry_delay(1), FIRST_RETRY);
        assert_eq!(retry_delay(3), FIRST_RETRY * 4);
        assert_eq!(retry_delay(u32::MAX), WIDEST_RETRY);
    }
}
