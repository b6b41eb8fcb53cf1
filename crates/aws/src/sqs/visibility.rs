//! How long messages are hidden of which only SQS's own handles are known, as those that Lambda hands over.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use countersign_core::message::QueueName;
use countersign_core::ports::PortError;

use super::{EXPIRED, LONGEST_VISIBILITY, MOST_RECEIVED, SqsQueue, seconds};
use crate::failure::Failure;

/// How long hiding may take: whoever is done with its messages waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The client of [`SqsQueue::hide_all`].
pub(super) fn hider(config: &SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(PATIENCE).operation_timeout(PATIENCE).build();
    let config = aws_sdk_sqs::config::Builder::from(config)
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts)
        .build();
    Client::from_conf(config)
}

impl SqsQueue {
    /// Hides a message.
    ///
    /// # Errors
    /// As [`Queue::extend`](countersign_core::ports::queue::Queue::extend).
    pub async fn hide(&self, queue: &QueueName, handle: &str, visibility: Duration) -> Result<(), PortError> {
        let request = self.client.change_message_visibility().queue_url(self.urls.of(queue));
        let request =
            request.receipt_handle(handle).visibility_timeout(seconds(visibility, LONGEST_VISIBILITY));
        let changed = request.send().await.map(drop);
        changed.map_err(|error| Failure::new(&format!("sqs: extend {queue}"), &error).refused_if(&EXPIRED))
    }

    /// Hides messages, within seconds, and from any thread.
    ///
    /// # Errors
    /// When one of them is not hidden.
    pub async fn hide_all(
        &self,
        queue: &QueueName,
        handles: &[String],
        visibility: Duration,
    ) -> Result<(), PortError> {
        let what = format!("sqs: hide {queue}");
        for handles in handles.chunks(MOST_RECEIVED) {
            let entries = handles.iter().enumerate().map(|(index, handle)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(handle)
                    .visibility_timeout(seconds(visibility, LONGEST_VISIBILITY))
                    .build()
            });
            let entries = entries.collect::<Result<_, _>>();
            let entries = entries.map_err(|error| PortError::Refused(format!("{what}: {error}")))?;
            let request = self.hider.change_message_visibility_batch().queue_url(self.urls.of(queue));
            let hidden = request.set_entries(Some(entries)).send().await;
            let hidden = hidden.map_err(|error| Failure::new(&what, &error).refused_if(&EXPIRED))?;
            if let Some(failed) = hidden.failed().first() {
                let why = format!("{what}: {}: {}", failed.code(), failed.message().unwrap_or_default());
                return Err(PortError::Unavailable(why));
            }
        }
        Ok(())
    }
}
