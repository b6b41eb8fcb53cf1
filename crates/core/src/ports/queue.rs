//! Queues: at least once, in order within a group.

use std::future::Future;
use std::time::Duration;

use super::PortError;
use crate::message::QueueName;
use crate::stage::Incoming;

/// A message to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Messages of one group are received in the order in which they were sent.
    pub group: String,
    /// On an ordered queue a second message of this id within five minutes is dropped, also after the first
    /// was taken.
    pub deduplication: String,
    /// The JSON, at most [`MAX_BODY`] bytes.
    pub body: String,
    /// Not to be received earlier than this. On an ordered queue it holds back its group.
    pub delay: Duration,
}

/// The most bytes that a body may have.
pub const MAX_BODY: usize = 256 * 1024;

/// A received message with the receipt that acknowledges it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The message.
    pub message: Incoming,
    /// Valid until the message's visibility ends.
    pub receipt: String,
}

/// A set of queues.
///
/// - `send` is durable when it returns. Of one call, all or none are sent.
/// - While a message of a group is in flight, no other `receive` gets a message of that group (ordered
///   queues). One `receive` may return several of a group, in order.
/// - A message that is neither acknowledged nor extended is visible again when its visibility ends, and its
///   old receipt is refused from the next receive on.
/// - A message received more often than the queue's limit goes to the dead letters.
/// - Of what goes to the dead letters, `record` is told in the same step, by [`QueueName::dead_letters`]. The
///   messages of those queues are received without a limit.
pub trait Queue: Sync {
    /// Sends messages to one queue.
    ///
    /// # Errors
    /// [`PortError::Refused`] when a body is too large.
    fn send(
        &self,
        queue: &QueueName,
        messages: &[Outgoing],
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Sends messages to several queues: to one after the other, so that when it fails, or the process dies, the
    /// first so many queues got theirs.
    ///
    /// # Errors
    /// As [`Queue::send`].
    fn send_all(
        &self,
        messages: &[(QueueName, Vec<Outgoing>)],
    ) -> impl Future<Output = Result<(), PortError>> + Send {
        async move {
            for (queue, messages) in messages {
                self.send(queue, messages).await?;
            }
            Ok(())
        }
    }

    /// Receives up to `max` messages, hidden from others for `visibility`; waits up to `wait` for the first.
    ///
    /// # Errors
    /// When the queue cannot be read.
    fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<Delivery>, PortError>> + Send;

    /// Takes a message off its queue.
    ///
    /// # Errors
    /// [`PortError::Refused`] when the receipt is no longer valid: the message may come again.
    fn acknowledge(
        &self,
        queue: &QueueName,
        receipt: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Takes several messages off their queue, and says of each whether its receipt was valid: what was taken
    /// with one that is not may come again.
    ///
    /// # Errors
    /// When the queue cannot be written.
    fn acknowledge_all(
        &self,
        queue: &QueueName,
        receipts: &[String],
    ) -> impl Future<Output = Result<Vec<bool>, PortError>> + Send {
        async move {
            let mut taken = Vec::with_capacity(receipts.len());
            for receipt in receipts {
                match self.acknowledge(queue, receipt).await {
                    Ok(()) => taken.push(true),
                    Err(PortError::Refused(_)) => taken.push(false),
                    Err(error) => return Err(error),
                }
            }
            Ok(taken)
        }
    }

    /// Hides a message for `visibility` from now on; zero gives it back at once.
    ///
    /// # Errors
    /// [`PortError::Refused`] when the receipt is no longer valid.
    fn extend(
        &self,
        queue: &QueueName,
        receipt: &str,
        visibility: Duration,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Moves a message to the dead letters, with the reason why it can never succeed.
    ///
    /// # Errors
    /// [`PortError::Refused`] when the receipt is no longer valid.
    fn bury(
        &self,
        queue: &QueueName,
        receipt: &str,
        reason: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
