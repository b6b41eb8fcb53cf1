//! The event that a batch becomes, and what an answer to it says, in the shapes that AWS documents.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use serde_json::{Value, json};

use crate::cloud::lambda::{ACCOUNT, REGION};

/// The event of a batch of this queue.
#[must_use]
pub fn event(queue: &str, batch: &[Message]) -> Vec<u8> {
    let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}");
    let records: Vec<_> = batch.iter().map(|message| record(&arn, message)).collect();
    json!({ "Records": records }).to_string().into_bytes()
}

fn record(arn: &str, message: &Message) -> Value {
    let system = message.attributes.iter().flatten();
    let system: BTreeMap<_, _> = system.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let own = message.message_attributes.iter().flatten();
    let own: BTreeMap<_, _> = own.map(|(name, value)| (name.as_str(), attribute(value))).collect();
    json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": system,
        "messageAttributes": own,
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    })
}

fn attribute(value: &MessageAttributeValue) -> Value {
    json!({
        "stringValue": value.string_value(), "stringListValues": [], "binaryListValues": [],
        "dataType": value.data_type(),
    })
}

/// The ids of the messages that stay on the queue.
#[must_use]
pub fn failures(answer: &[u8], batch: &[Message]) -> BTreeSet<String> {
    let ids: BTreeSet<_> =
        batch.iter().filter_map(|message| message.message_id().map(str::to_owned)).collect();
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return ids };
    match &answer["batchItemFailures"] {
        Value::Null if answer.is_null() || answer.as_object().is_some_and(|object| object.is_empty()) => {
            BTreeSet::new()
        }
        Value::Null if answer.get("batchItemFailures").is_some() => BTreeSet::new(),
        Value::Array(failed) => {
            let named =
                failed.iter().map(|one| one["itemIdentifier"].as_str().filter(|id| ids.contains(*id)));
            // One that is not in the batch, or no name at all, fails all of it.
            named.map(|id| id.map(str::to_owned)).collect::<Option<_>>().unwrap_or(ids)
        }
        _ => ids,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Vec<Message> {
        ["1", "2"].map(|id| Message::builder().message_id(id).body("{}").build()).to_vec()
    }

    fn left(answer: &str) -> Vec<String> {
        failures(answer.as_bytes(), &batch()).into_iter().collect()
    }

    #[test]
    fn an_answer_without_failures_is_success() {
        for answer in ["null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#] {
            assert!(left(answer).is_empty(), "{answer}");
        }
    }

    #[test]
    fn an_answer_that_names_messages_leaves_those() {
        assert_eq!(left(r#"{"batchItemFailures":[{"itemIdentifier":"2"}]}"#), ["2"]);
    }

    #[test]
    fn an_answer_that_cannot_be_followed_leaves_everything() {
        for answer in [
            "",
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"other":"1"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"3"}]}"#,
            r#"{"failures":[]}"#,
        ] {
            assert_eq!(left(answer), ["1", "2"], "{answer}");
        }
    }

    #[test]
    fn a_record_has_the_fields_that_lambda_documents() {
        let event: Value = serde_json::from_slice(&event("shop-facts.fifo", &batch())).unwrap();
        let record = &event["Records"][0];
        assert_eq!(record["eventSourceARN"], "arn:aws:sqs:us-east-1:123456789012:shop-facts.fifo");
        for field in ["messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody"] {
            assert!(record.get(field).is_some(), "{field}");
        }
    }
}
