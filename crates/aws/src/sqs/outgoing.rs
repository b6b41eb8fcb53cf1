//! Messages as SQS takes them: in batches of ten, with ids of 128 plain characters.

use std::time::Duration;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use aws_sdk_sqs::types::builders::SendMessageBatchRequestEntryBuilder;
use countersign_core::digest::Digest;
use countersign_core::message::QueueName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{MAX_BODY, Outgoing};
use serde::Deserialize;

use super::{GROUP, seconds, text_attribute};

/// The most messages of one batch.
const MOST_SENT: usize = 10;

/// The most bytes of one batch, attributes included.
const MAX_BATCH: usize = 1024 * 1024;

/// What a message may take beside its body.
const ATTRIBUTES: usize = 2 * 1024;

/// The longest that SQS holds a message back.
const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);

/// The most characters of an id.
const MAX_ID: usize = 128;

/// All that is read of a body.
#[derive(Deserialize)]
struct Traced {
    trace: String,
}

/// The batches to send, one after the other. On an ordered queue no batch has two messages of a group: of a batch any
/// may fail alone, and what follows it must not be there before it.
///
/// # Errors
/// [`PortError::Refused`] when any of the messages can never be sent.
pub(super) fn batches(
    queue: &QueueName,
    messages: &[Outgoing],
) -> Result<Vec<Vec<SendMessageBatchRequestEntry>>, PortError> {
    let mut batches: Vec<Vec<SendMessageBatchRequestEntry>> = Vec::new();
    let mut groups: Vec<&str> = Vec::new();
    let mut size = 0;
    for (index, message) in messages.iter().enumerate() {
        let entry = built(entry(queue, index, message)?)?;
        let adds = message.body.len() + ATTRIBUTES;
        let follows = queue.is_ordered() && groups.contains(&message.group.as_str());
        match batches.last_mut() {
            Some(batch) if batch.len() < MOST_SENT && size + adds <= MAX_BATCH && !follows => {
                batch.push(entry)
            }
            _ => {
                batches.push(vec![entry]);
                groups.clear();
                size = 0;
            }
        }
        groups.push(&message.group);
        size += adds;
    }
    Ok(batches)
}

/// One message; `index` tells it from the others of its batch.
pub(super) fn entry(
    queue: &QueueName,
    index: usize,
    message: &Outgoing,
) -> Result<SendMessageBatchRequestEntryBuilder, PortError> {
    if message.body.len() > MAX_BODY {
        let length = message.body.len();
        return Err(PortError::Refused(format!(
            "{queue}: a message of {length} bytes is larger than {MAX_BODY}: send a reference to a blob"
        )));
    }
    let mut entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(&message.body);
    if let Ok(Traced { trace }) = serde_json::from_str(&message.body)
        && !trace.is_empty()
    {
        entry = entry.message_attributes("trace", text_attribute(&trace)?);
    }
    if queue.is_ordered() {
        if !message.delay.is_zero() {
            let why = format!("{queue}: on an ordered queue of SQS no message has a delay of its own");
            return Err(PortError::Refused(why));
        }
        let deduplication = plain_id(&message.deduplication);
        return Ok(entry.message_group_id(plain_id(&message.group)).message_deduplication_id(deduplication));
    }
    if message.delay > LONGEST_DELAY {
        let why = format!("{queue}: a delay of {:?} is longer than SQS holds a message back", message.delay);
        return Err(PortError::Refused(why));
    }
    let entry = entry.delay_seconds(seconds(message.delay, LONGEST_DELAY));
    if message.group.is_empty() {
        return Ok(entry);
    }
    Ok(entry.message_attributes(GROUP, text_attribute(&message.group)?))
}

/// An entry with all that it must have.
pub(super) fn built(
    entry: SendMessageBatchRequestEntryBuilder,
) -> Result<SendMessageBatchRequestEntry, PortError> {
    entry.build().map_err(|error| PortError::Refused(format!("a message cannot be written: {error}")))
}

/// The id itself where SQS takes it, and its digest otherwise: it takes 1 to 128 letters, digits and punctuation.
fn plain_id(id: &str) -> String {
    let takes = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if takes { id.to_owned() } else { Digest::of(id.as_bytes()).hex() }
}
