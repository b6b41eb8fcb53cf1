//! From a batch of messages to a partial batch response, as `infra/CONTRACT.md` tells.

use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use countersign_core::message::QueueName;
use countersign_core::stage::{BatchResult, Incoming, StageError, left_over};
use lambda_runtime::Context;
use serde::Deserialize;

use super::{Scheduled, machine_clock};
use crate::sqs::{GROUP, SqsQueue};

/// What is left of an invocation's time when a stage is stopped, so that its messages can still be given back.
const MARGIN: Duration = Duration::from_secs(3);

/// The first retry of a message comes after this, later ones after twice the time of the one before.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// Retries of a message are never further apart.
const WIDEST_RETRY: Duration = Duration::from_secs(600);

/// Answers batches of messages.
#[derive(Clone, Copy, Debug)]
pub struct Batches<'a> {
    queue: &'a SqsQueue,
    /// A message that was received this often can never succeed; `None` where SQS alone counts.
    max_receives: Option<u32>,
}

/// What invokes a function that takes messages, and that a schedule invokes as well.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Invocation {
    /// Messages of one queue.
    Batch(SqsEvent),
    /// A schedule.
    Scheduled(Scheduled),
}

/// A message, with what SQS wants to see to hide it.
struct Taken {
    message: Incoming,
    handle: String,
}

impl<'a> Batches<'a> {
    /// For a function that gives a message up once it was received `most` times.
    #[must_use]
    pub fn limited(queue: &'a SqsQueue, most: u32) -> Self {
        Self { queue, max_receives: Some(most) }
    }

    /// For a function that never gives a message up.
    #[must_use]
    pub fn unlimited(queue: &'a SqsQueue) -> Self {
        Self { queue, max_receives: None }
    }

    /// Has the stage work on the messages, gives back what it did not take, and moves aside what it never will.
    /// A stage that is not done when the invocation's time ends is stopped, and all of its messages come again.
    pub async fn answer(
        &self,
        name: &QueueName,
        context: &Context,
        event: SqsEvent,
        stage: impl AsyncFnOnce(&[Incoming]) -> BatchResult,
    ) -> SqsBatchResponse {
        let taken: Vec<_> = event.records.into_iter().map(Taken::of).collect();
        let batch: Vec<_> = taken.iter().map(|taken| taken.message.clone()).collect();
        // In a box, since the compiler does not follow futures within futures to any depth.
        let work = Box::pin(stage(&batch));
        let results = tokio::time::timeout(time_left(context), work).await.unwrap_or_else(|_| {
            let why = StageError::Retry("the invocation's time is over".to_owned());
            batch.iter().map(|_| Err(why.clone())).collect()
        });
        let mut settled = Vec::with_capacity(results.len());
        for (message, result) in batch.iter().zip(results) {
            settled.push(self.settle(name, message, result).await);
        }
        let left = left_over(&batch, &settled, name.is_ordered());
        let mut failures = SqsBatchResponse::default();
        for (index, (taken, result)) in taken.iter().zip(&settled).enumerate() {
            if left.contains(&index) {
                self.give_back(name, taken, result).await;
                failures.batch_item_failures.push(failure(&taken.message.id));
            }
        }
        tracing::info!(
            queue = %name,
            request = context.request_id,
            messages = batch.len(),
            again = left.len(),
            "batch"
        );
        failures
    }

    /// Moves a message aside that can never succeed; it is done then. Where that fails it comes again.
    async fn settle(
        &self,
        name: &QueueName,
        message: &Incoming,
        result: Result<(), StageError>,
    ) -> Result<(), StageError> {
        let why = match result {
            Err(StageError::Final(why)) => why,
            Err(StageError::Retry(why))
                if self.max_receives.is_some_and(|most| message.receive_count >= most) =>
            {
                format!("was received {} times and never taken: {why}", message.receive_count)
            }
            other => return other,
        };
        tracing::error!(queue = %name, message = message.id, why, "became a dead letter");
        self.queue
            .set_aside(name, message, &why)
            .await
            .map_err(|error| StageError::Retry(format!("{why}; and it cannot be moved aside: {error}")))
    }

    async fn give_back(&self, name: &QueueName, taken: &Taken, result: &Result<(), StageError>) {
        let delay = match result {
            Err(why) => {
                let delay = retry_delay(taken.message.receive_count);
                tracing::warn!(queue = %name, message = taken.message.id, %why, ?delay, "comes again");
                delay
            }
            Ok(()) => Duration::ZERO,
        };
        if let Err(error) = self.queue.hide(name, &taken.handle, delay).await {
            // It is visible again when the visibility of its receive ends.
            tracing::warn!(queue = %name, message = taken.message.id, %error, "comes again later than it could");
        }
    }
}

impl Taken {
    fn of(record: SqsMessage) -> Self {
        let named = record.message_attributes.get(GROUP).and_then(|value| value.string_value.clone());
        let group = record.attributes.get("MessageGroupId").cloned().or(named);
        let count = record.attributes.get("ApproximateReceiveCount");
        let message = Incoming {
            id: record.message_id.unwrap_or_default(),
            group: group.unwrap_or_default(),
            body: record.body.unwrap_or_default(),
            receive_count: count.and_then(|count| count.parse().ok()).unwrap_or(1),
        };
        Self { message, handle: record.receipt_handle.unwrap_or_default() }
    }
}

/// The queue that a batch came by, from the ARN that Lambda names; none where it is not one of this installation.
#[must_use]
pub fn queue_of(event: &SqsEvent, installation: &str) -> Option<QueueName> {
    let arn = event.records.first()?.event_source_arn.as_deref()?;
    let name = arn.rsplit(':').next()?.strip_prefix(installation)?.strip_prefix('-')?;
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    let of_cluster = |kind: &str| name.strip_prefix(kind).and_then(|cluster| cluster.parse().ok());
    match name {
        "events" => Some(QueueName::Events),
        "facts" => Some(QueueName::Facts),
        "decisions" => Some(QueueName::Decisions),
        "reports" => Some(QueueName::Reports),
        "dead-letters" => Some(QueueName::DeadLetters(None)),
        _ => of_cluster("dead-letters-")
            .map(|cluster| QueueName::DeadLetters(Some(cluster)))
            .or_else(|| of_cluster("deploys-").map(QueueName::Deploys))
            .or_else(|| of_cluster("observations-").map(QueueName::Observations))
            .or_else(|| of_cluster("outcomes-").map(QueueName::Outcomes)),
    }
}

fn failure(id: &str) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    id.clone_into(&mut failure.item_identifier);
    failure
}

/// How long a stage may work: to the deadline that Lambda names, less what giving back takes.
fn time_left(context: &Context) -> Duration {
    let now = u64::try_from(machine_clock().as_millis()).unwrap_or_default();
    Duration::from_millis(context.deadline.saturating_sub(now)).saturating_sub(MARGIN)
}

fn retry_delay(receive_count: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1_u32 << receive_count.saturating_sub(1).min(12)).min(WIDEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(arn: &str) -> SqsEvent {
        let json = format!(r#"{{"Records":[{{"messageId":"1","eventSourceARN":"{arn}"}}]}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_queue_follows_from_where_a_batch_came_from() {
        let of = |name: &str| queue_of(&event(&format!("arn:aws:sqs:eu-west-1:1:{name}")), "shop");
        let east = || "east".parse().unwrap();
        assert_eq!(of("shop-decisions.fifo"), Some(QueueName::Decisions));
        assert_eq!(of("shop-dead-letters.fifo"), Some(QueueName::DeadLetters(None)));
        assert_eq!(of("shop-dead-letters-east.fifo"), Some(QueueName::DeadLetters(Some(east()))));
        assert_eq!(of("shop-outcomes-east.fifo"), Some(QueueName::Outcomes(east())));
        assert_eq!(of("shop-observations-east"), Some(QueueName::Observations(east())));
        for other in ["shop-dead-facts.fifo", "other-decisions.fifo", "shop", "shop-outcomes-.fifo"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn retries_widen_to_ten_minutes() {
        assert_eq!(retry_delay(1), FIRST_RETRY);
        assert_eq!(retry_delay(3), FIRST_RETRY * 4);
        assert_eq!(retry_delay(u32::MAX), WIDEST_RETRY);
    }
}
