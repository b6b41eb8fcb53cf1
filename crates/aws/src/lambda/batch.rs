//! From a batch of messages to a partial batch response, as `infra/CONTRACT.md` tells.

use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use countersign_core::message::QueueName;
use countersign_core::stage::{BatchResult, Incoming, StageError, left_over};
use lambda_runtime::Context;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::Scheduled;
use super::deadline;
use super::hiding::{self, Hiding, Work};
use crate::sqs::{GROUP, SqsQueue};

/// The first retry of a message comes after this, later ones after twice the time of the one before.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// Retries of a message are never further apart.
const WIDEST_RETRY: Duration = Duration::from_secs(600);

/// What was received more often than this is moved aside before its stage, whatever a function is told. It is less than
/// the `maxReceiveCount` of every queue: SQS moves a message without a word, and `record` would never hear of it.
pub const MOST_RECEIVES: u32 = 950;

/// Answers batches of messages.
#[derive(Clone, Copy, Debug)]
pub struct Batches<'a> {
    queue: &'a SqsQueue,
    /// What was received more often ends its function each time: its stage does not get it again.
    most: u32,
    /// Whether a retry is given up at that receive.
    gives_up: bool,
    /// How long messages are hidden at once while they are at work.
    visibility: Duration,
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
    /// For a function that gives a message up once it was received `most` times, and at [`MOST_RECEIVES`] at the latest.
    #[must_use]
    pub fn limited(queue: &'a SqsQueue, most: u32) -> Self {
        Self { most: most.min(MOST_RECEIVES), gives_up: true, ..Self::unlimited(queue) }
    }

    /// For a function that tries a message again for as long as [`MOST_RECEIVES`] lets it.
    #[must_use]
    pub fn unlimited(queue: &'a SqsQueue) -> Self {
        Self { queue, most: MOST_RECEIVES, gives_up: false, visibility: hiding::visibility() }
    }

    /// Hides messages for this long at once while they are at work, and not for a minute.
    #[must_use]
    pub const fn hiding_for(self, visibility: Duration) -> Self {
        Self { visibility, ..self }
    }

    /// Moves aside what was received too often, has the stage work on the other messages, gives back what it did not
    /// take, and moves aside what it never will. A stage that is not done when the invocation's time ends is stopped, and
    /// all of its messages come again. Meanwhile they are hidden for a minute again and again, so that they come again
    /// soon where this program is ended.
    pub async fn answer(
        &self,
        name: &QueueName,
        context: &Context,
        event: SqsEvent,
        stage: impl AsyncFnOnce(&[Incoming]) -> BatchResult,
    ) -> SqsBatchResponse {
        let left = deadline::begin(context);
        let deadline = Instant::now() + left;
        let taken: Vec<_> = event.records.into_iter().map(Taken::of).collect();
        let batch: Vec<_> = taken.iter().map(|taken| taken.message.clone()).collect();
        let handles = taken.iter().map(|taken| taken.handle.clone()).collect();
        let work = Work { name: name.clone(), handles, visibility: self.visibility, left };
        let hiding = Hiding::begin(self.queue, work);
        // In a box, since the compiler does not follow futures within futures to any depth.
        let settled = Box::pin(self.settled(name, &batch, deadline, stage)).await;
        if let Some(hiding) = hiding {
            hiding.end().await;
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

    /// What becomes of each message.
    async fn settled(
        &self,
        name: &QueueName,
        batch: &[Incoming],
        deadline: Instant,
        stage: impl AsyncFnOnce(&[Incoming]) -> BatchResult,
    ) -> BatchResult {
        let spared = self.spare(name, batch, deadline).await;
        let is_work = |(message, spared): (&Incoming, &Option<_>)| spared.is_none().then(|| message.clone());
        let work: Vec<_> = batch.iter().zip(&spared).filter_map(is_work).collect();
        let results = if work.is_empty() {
            Vec::new()
        } else {
            let working = timeout_at(deadline, Box::pin(stage(&work))).await;
            working.unwrap_or_else(|_| work.iter().map(|_| Err(too_late())).collect())
        };
        let mut results = results.into_iter();
        let mut settled = Vec::with_capacity(batch.len());
        for (message, spared) in batch.iter().zip(spared) {
            settled.push(match spared {
                Some(result) => result,
                None => self.settle(name, message, results.next().unwrap_or_else(unanswered)).await,
            });
        }
        settled
    }

    /// What its stage does not get: what was received too often, and what must not overtake it where it cannot be moved
    /// aside. A queue that has no dead letters spares its stage nothing.
    async fn spare(
        &self,
        name: &QueueName,
        batch: &[Incoming],
        deadline: Instant,
    ) -> Vec<Option<Result<(), StageError>>> {
        let mut blocked: Vec<&str> = Vec::new();
        let mut spared = Vec::with_capacity(batch.len());
        for message in batch {
            if name.is_ordered() && blocked.contains(&message.group.as_str()) {
                spared.push(Some(Ok(())));
            } else if message.receive_count <= self.most || name.dead_letters().is_none() {
                spared.push(None);
            } else {
                let why = format!(
                    "was received {} times and never taken: its function ended or failed each time",
                    message.receive_count
                );
                let moved = timeout_at(deadline, self.move_aside(name, message, &why)).await;
                let moved = moved.unwrap_or_else(|_| Err(too_late()));
                if moved.is_err() {
                    blocked.push(&message.group);
                }
                spared.push(Some(moved));
            }
        }
        spared
    }

    /// Moves a message aside that can never succeed.
    async fn settle(
        &self,
        name: &QueueName,
        message: &Incoming,
        result: Result<(), StageError>,
    ) -> Result<(), StageError> {
        let why = match result {
            Err(StageError::Final(why)) => why,
            Err(StageError::Retry(why)) if self.gives_up && message.receive_count >= self.most => {
                format!("was received {} times and never taken: {why}", message.receive_count)
            }
            other => return other,
        };
        self.move_aside(name, message, &why).await
    }

    /// Moves a message aside; it is done then. Where that fails it comes again.
    async fn move_aside(&self, name: &QueueName, message: &Incoming, why: &str) -> Result<(), StageError> {
        tracing::error!(queue = %name, id = message.id, why, "became a dead letter");
        let moved = self.queue.set_aside(name, message, why).await;
        moved.map_err(|error| StageError::Retry(format!("{why}; and it cannot be moved aside: {error}")))
    }

    async fn give_back(&self, name: &QueueName, taken: &Taken, result: &Result<(), StageError>) {
        let delay = match result {
            Err(why) => {
                let delay = retry_delay(taken.message.receive_count);
                tracing::warn!(queue = %name, id = taken.message.id, %why, ?delay, "comes again");
                delay
            }
            Ok(()) => Duration::ZERO,
        };
        if let Err(error) = self.queue.hide(name, &taken.handle, delay).await {
            // It is visible again when the visibility of its receive ends.
            tracing::warn!(queue = %name, id = taken.message.id, %error, "comes again later than it could");
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

fn too_late() -> StageError {
    StageError::Retry("the invocation's time is over".to_owned())
}

fn unanswered() -> Result<(), StageError> {
    Err(StageError::Retry("the stage said nothing of it".to_owned()))
}

fn failure(id: &str) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    id.clone_into(&mut failure.item_identifier);
    failure
}

fn retry_delay(receive_count: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1_u32 << receive_count.saturating_sub(1).min(12)).min(WIDEST_RETRY)
}

#[cfg(test)]
mod tests;
