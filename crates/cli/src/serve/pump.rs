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

/// How long is waited at most before a queue is tried again that cannot be read or written.
const WIDEST_PAUSE: Duration = Duration::from_secs(5);

/// A message that a stage panicked over this often becomes a dead letter.
const PANICS: u32 = 5;

/// Moves messages until told to stop. A batch that is at work is finished first.
pub async fn run(
    node: &Node,
    queue: &QueueName,
    batch_size: usize,
    mut stop: watch::Receiver<bool>,
    stage: impl AsyncFn(&[Incoming]) -> BatchResult,
) {
    let mut pause = FIRST_RETRY;
    while !*stop.borrow() {
        let received = tokio::select! {
            _ = stop.changed() => return,
            received = node.queue.receive(queue, batch_size, VISIBILITY, WAIT) => received,
        };
        match received {
            Ok(deliveries) if deliveries.is_empty() => {}
            Ok(deliveries) => work(node, queue, &deliveries, &mut stop, &stage).await,
            Err(error) => {
                tracing::error!(%queue, %error, ?pause, "cannot receive now");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(WIDEST_PAUSE);
                continue;
            }
        }
        pause = FIRST_RETRY;
    }
}

async fn work(
    node: &Node,
    queue: &QueueName,
    deliveries: &[Delivery],
    stop: &mut watch::Receiver<bool>,
    stage: &impl AsyncFn(&[Incoming]) -> BatchResult,
) {
    let batch: Vec<_> = deliveries.iter().map(|delivery| delivery.message.clone()).collect();
    let started = Instant::now();
    let results = match AssertUnwindSafe(stage(&batch)).catch_unwind().await {
        Ok(results) => results,
        Err(_) => one_by_one(&batch, stage).await,
    };
    node.metrics.worked(queue, started.elapsed(), &results);
    let left = left_over(&batch, &results, queue.is_ordered());
    let mut taken = Vec::new();
    for (index, (delivery, result)) in deliveries.iter().zip(&results).enumerate() {
        log(queue, delivery, result);
        let left = left.contains(&index);
        let concluded = again(queue, stop, async || conclude(node, queue, delivery, result, left).await);
        if concluded.await == Some(true) {
            taken.push(delivery.receipt.clone());
        }
    }
    let told = again(queue, stop, async || node.queue.acknowledge_all(queue, &taken).await).await;
    if told.is_some_and(|valid| !valid.iter().all(|valid| *valid)) {
        tracing::warn!(%queue, "a message was held for too long and comes again");
    }
}

/// Tells the queue something, again and again while it cannot be written: a message that nothing is told of would
/// hold up its group until its visibility ends. Nothing when it refuses, or when told to stop: at the next start
/// what is in flight is given back.
async fn again<T>(
    queue: &QueueName,
    stop: &mut watch::Receiver<bool>,
    tell: impl AsyncFn() -> Result<T, PortError>,
) -> Option<T> {
    let begun = Instant::now();
    let mut pause = FIRST_RETRY;
    loop {
        match tell().await {
            Ok(told) => return Some(told),
            Err(error) if matches!(error, PortError::Refused(_)) || begun.elapsed() > VISIBILITY => {
                tracing::warn!(%queue, %error, "the message comes again");
                return None;
            }
            Err(error) => {
                tracing::warn!(%queue, %error, ?pause, "the queue cannot be told now");
                tokio::select! {
                    _ = stop.changed() => return None,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(WIDEST_PAUSE);
            }
        }
    }
}

fn log(queue: &QueueName, delivery: &Delivery, result: &Result<(), StageError>) {
    match result {
        Err(StageError::Final(why)) => {
            tracing::error!(%queue, message = delivery.message.id, why, "became a dead letter");
        }
        Err(StageError::Retry(why)) => {
            let delay = retry_delay(delivery.message.receive_count);
            tracing::warn!(%queue, message = delivery.message.id, why, ?delay, "comes again");
        }
        Ok(()) => {}
    }
}

/// Finds the message that a stage panics over, so that it holds up no other for long.
async fn one_by_one(batch: &[Incoming], stage: &impl AsyncFn(&[Incoming]) -> BatchResult) -> BatchResult {
    let mut results = BatchResult::with_capacity(batch.len());
    let mut blocked: Vec<&str> = Vec::new();
    for message in batch {
        if blocked.contains(&message.group.as_str()) {
            results.push(Err(StageError::Retry("one before it in its group comes again".to_owned())));
            continue;
        }
        let result = AssertUnwindSafe(stage(std::slice::from_ref(message))).catch_unwind().await;
        let result = match result {
            Ok(results) => results.into_iter().next().unwrap_or(Ok(())),
            Err(_) => Err(panicked(message)),
        };
        if matches!(result, Err(StageError::Retry(_))) {
            blocked.push(&message.group);
        }
        results.push(result);
    }
    results
}

fn panicked(message: &Incoming) -> StageError {
    let why = "the stage panicked: please report this with the log".to_owned();
    if message.receive_count < PANICS { StageError::Retry(why) } else { StageError::Final(why) }
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
        Err(StageError::Final(why)) => node.queue.bury(queue, &delivery.receipt, why).await?,
        Err(StageError::Retry(_)) => {
            let delay = retry_delay(delivery.message.receive_count);
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
