//! The [`Queue`] on SQS: FIFO queues where the order counts, standard ones elsewhere.

mod outgoing;
mod visibility;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message as Received, MessageAttributeValue, MessageSystemAttributeName};
use countersign_core::message::{Message, QueueName};
use countersign_core::names::ClusterName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Delivery, Outgoing, Queue};
use countersign_core::stage::Incoming;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::failure::Failure;

/// The longest that SQS waits for a message.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The longest that SQS hides a message.
const LONGEST_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// The most messages of one receive.
const MOST_RECEIVED: usize = 10;

/// How long a message is held while it is moved aside.
const MOVING: Duration = Duration::from_secs(60);

/// The attribute that says why a message was moved aside.
const REASON: &str = "reason";

/// The most characters of a reason: SQS counts attributes as part of the message.
const MAX_REASON: usize = 1_000;

/// The attribute that holds the group where the queue itself has none.
pub const GROUP: &str = "group";

/// What SQS calls a receipt that is valid no more.
const EXPIRED: [&str; 4] = [
    "InvalidParameterValue",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "ReceiptHandleIsInvalid",
];

/// What no later try can mend.
const REFUSALS: [&str; 3] = ["BatchRequestTooLong", "InvalidMessageContents", "InvalidParameterValue"];

/// Where the queues of an installation are.
#[derive(Clone, Debug)]
pub struct QueueUrls {
    /// A queue's URL is this, its name, and `.fifo` where it is ordered.
    pub prefix: String,
    /// The accounts of clusters whose queues are in another one than the prefix says.
    pub accounts: BTreeMap<ClusterName, String>,
}

impl QueueUrls {
    /// The accounts of clusters elsewhere: of `ACCOUNT/CLUSTER`, separated by commas.
    ///
    /// # Errors
    /// When one is not of that form.
    pub fn accounts(elsewhere: &str) -> Result<BTreeMap<ClusterName, String>, PortError> {
        let each = elsewhere.split(',').map(str::trim).filter(|one| !one.is_empty());
        let parts = |one: &str| {
            let (account, cluster) = one.split_once('/')?;
            let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
            let cluster = cluster.parse().ok().filter(|_| is_account)?;
            Some((cluster, account.to_owned()))
        };
        let wrong = |one| {
            PortError::Refused(format!(
                "{one:?} is no ACCOUNT/CLUSTER, as 123456789012/east: deploy the core again"
            ))
        };
        each.map(|one| parts(one).ok_or_else(|| wrong(one))).collect()
    }

    /// The URL of a queue.
    fn of(&self, queue: &QueueName) -> String {
        let name = file_name(queue);
        let account = match queue {
            QueueName::Deploys(cluster) => self.accounts.get(cluster),
            _ => None,
        };
        // A prefix is an address, an account and what names begin with.
        let mut parts = self.prefix.rsplitn(3, '/');
        match (account, parts.next(), parts.nth(1)) {
            (Some(account), Some(begin), Some(address)) => format!("{address}/{account}/{begin}{name}"),
            _ => format!("{}{name}", self.prefix),
        }
    }

    /// The URL of the queue of its dead letters.
    fn dead(&self, queue: &QueueName) -> String {
        format!("{}dead-{}", self.prefix, file_name(queue))
    }
}

/// A queue's name, as its URL ends.
fn file_name(queue: &QueueName) -> String {
    format!("{queue}{}", if queue.is_ordered() { ".fifo" } else { "" })
}

/// A [`Queue`] on SQS; clones share its connections.
///
/// - Of one call, a failure leaves the first so many messages sent. Another try within five minutes sends only the
///   rest, where the queue is ordered.
/// - Times are rounded up to whole seconds.
/// - No body needs a store: the port's limit is a quarter of what SQS takes.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    /// Hides what is at work, over connections of its own: those of the other may be held up with their thread.
    hider: Client,
    urls: QueueUrls,
}

/// A receipt: what SQS wants to see, and the message, which SQS shows only once and which moving it aside takes.
#[derive(Serialize, Deserialize)]
struct Receipt {
    handle: String,
    id: String,
    group: String,
    body: String,
}

impl Receipt {
    fn read(queue: &QueueName, receipt: &str) -> Result<Self, PortError> {
        let wrong = |error| PortError::Refused(format!("{queue}: this is no receipt of a message: {error}"));
        serde_json::from_str(receipt).map_err(wrong)
    }
}

impl SqsQueue {
    /// The queues at these URLs.
    #[must_use]
    pub fn new(config: &SdkConfig, urls: QueueUrls) -> Self {
        // A receive is silent for as long as it waits.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .read_timeout(LONGEST_WAIT + Duration::from_secs(5))
            .operation_attempt_timeout(LONGEST_WAIT + Duration::from_secs(10))
            .operation_timeout(LONGEST_WAIT + Duration::from_secs(35))
            .build();
        let hider = visibility::hider(config);
        let config = aws_sdk_sqs::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(4))
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config), hider, urls }
    }

    /// Puts a message among the dead letters of its queue and has `record` told. It stays in its queue as well, from
    /// which the caller takes it. Doing it twice within five minutes is doing it once, where the queue is ordered.
    ///
    /// # Errors
    /// When a queue cannot be written; [`PortError::Refused`] for a queue that has no dead letters.
    pub async fn set_aside(
        &self,
        queue: &QueueName,
        message: &Incoming,
        reason: &str,
    ) -> Result<(), PortError> {
        let Some(told_by) = queue.dead_letters() else {
            let why = format!("{queue}: its messages are tried for ever, it has no dead letters");
            return Err(PortError::Refused(why));
        };
        let told = Message::of_dead_letter(queue, &message.id, &message.body, reason);
        let body = serde_json::to_string(&told)
            .map_err(|error| PortError::Refused(format!("a message cannot be written as JSON: {error}")))?;
        let again = |body: String| Outgoing {
            group: message.group.clone(),
            deduplication: format!("dead-{}", message.id),
            body,
            delay: Duration::ZERO,
        };
        self.send(&told_by, &[again(body)]).await?;
        let reason: String = reason.chars().take(MAX_REASON).collect();
        let attribute = text_attribute(if reason.is_empty() { "none was given" } else { &reason })?;
        let kept = outgoing::entry(queue, 0, &again(message.body.clone()))?;
        let kept = kept.message_attributes(REASON, attribute);
        self.send_entries(queue, &self.urls.dead(queue), vec![outgoing::built(kept)?]).await
    }

    async fn delete(&self, queue: &QueueName, handle: &str) -> Result<(), PortError> {
        let request = self.client.delete_message().queue_url(self.urls.of(queue)).receipt_handle(handle);
        let deleted = request.send().await.map(drop);
        deleted.map_err(|error| Failure::new(&format!("sqs: delete {queue}"), &error).refused_if(&EXPIRED))
    }

    async fn send_entries(
        &self,
        queue: &QueueName,
        url: &str,
        entries: Vec<aws_sdk_sqs::types::SendMessageBatchRequestEntry>,
    ) -> Result<(), PortError> {
        let what = format!("sqs: send {queue}");
        let request = self.client.send_message_batch().queue_url(url).set_entries(Some(entries));
        let sent = request.send().await;
        let sent = sent.map_err(|error| Failure::new(&what, &error).refused_if(&REFUSALS))?;
        match sent.failed().first() {
            None => Ok(()),
            Some(failed) => {
                let why = format!("{what}: {}: {}", failed.code(), failed.message().unwrap_or_default());
                let refused = REFUSALS.contains(&failed.code());
                Err(if refused { PortError::Refused(why) } else { PortError::Unavailable(why) })
            }
        }
    }

    async fn receive_once(
        &self,
        queue: &QueueName,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let what = format!("sqs: receive {queue}");
        let request = self.client.receive_message().queue_url(self.urls.of(queue));
        let request = request
            .max_number_of_messages(i32::try_from(max.clamp(1, MOST_RECEIVED)).unwrap_or(1))
            .visibility_timeout(seconds(visibility, LONGEST_VISIBILITY))
            .wait_time_seconds(seconds(wait, LONGEST_WAIT))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_attribute_names(GROUP);
        let received = request.send().await;
        let received = received.map_err(|error| Failure::new(&what, &error).refused_if(&REFUSALS))?;
        received.messages.unwrap_or_default().into_iter().map(|message| delivery(&what, message)).collect()
    }
}

impl Queue for SqsQueue {
    async fn send(&self, queue: &QueueName, messages: &[Outgoing]) -> Result<(), PortError> {
        let url = self.urls.of(queue);
        for batch in outgoing::batches(queue, messages)? {
            self.send_entries(queue, &url, batch).await?;
        }
        Ok(())
    }

    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let received = self.receive_once(queue, max, visibility, left).await?;
            if !received.is_empty() || Instant::now() >= deadline {
                return Ok(received);
            }
        }
    }

    async fn acknowledge(&self, queue: &QueueName, receipt: &str) -> Result<(), PortError> {
        self.delete(queue, &Receipt::read(queue, receipt)?.handle).await
    }

    async fn extend(&self, queue: &QueueName, receipt: &str, visibility: Duration) -> Result<(), PortError> {
        self.hide(queue, &Receipt::read(queue, receipt)?.handle, visibility).await
    }

    async fn bury(&self, queue: &QueueName, receipt: &str, reason: &str) -> Result<(), PortError> {
        let Receipt { handle, id, group, body } = Receipt::read(queue, receipt)?;
        // An expired receipt is told before anything is written.
        self.hide(queue, &handle, MOVING).await?;
        let message = Incoming { id, group, body, receive_count: 0 };
        self.set_aside(queue, &message, reason).await?;
        self.delete(queue, &handle).await
    }
}

fn delivery(what: &str, received: Received) -> Result<Delivery, PortError> {
    let missing = |part: &str| PortError::Unavailable(format!("{what}: a message came without its {part}"));
    let system = |name| received.attributes.as_ref().and_then(|all| all.get(&name)).cloned();
    let named = received.message_attributes.as_ref().and_then(|all| all.get(GROUP));
    let group = system(MessageSystemAttributeName::MessageGroupId)
        .or_else(|| named.and_then(|value| value.string_value.clone()));
    let count = system(MessageSystemAttributeName::ApproximateReceiveCount);
    let receipt = Receipt {
        handle: received.receipt_handle.ok_or_else(|| missing("receipt"))?,
        id: received.message_id.ok_or_else(|| missing("id"))?,
        group: group.unwrap_or_default(),
        body: received.body.ok_or_else(|| missing("body"))?,
    };
    let text = serde_json::to_string(&receipt)
        .map_err(|error| PortError::Refused(format!("{what}: a receipt cannot be written: {error}")))?;
    let message = Incoming {
        id: receipt.id,
        group: receipt.group,
        body: receipt.body,
        receive_count: count.and_then(|count| count.parse().ok()).unwrap_or(1),
    };
    Ok(Delivery { message, receipt: text })
}

fn text_attribute(text: &str) -> Result<MessageAttributeValue, PortError> {
    let value = MessageAttributeValue::builder().data_type("String").string_value(text).build();
    value.map_err(|error| PortError::Refused(format!("an attribute cannot be written: {error}")))
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration, most: Duration) -> i32 {
    let whole = duration.min(most);
    i32::try_from(whole.as_secs() + u64::from(whole.subsec_nanos() > 0)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
