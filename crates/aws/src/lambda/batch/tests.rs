use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::answering::{Asked, Service, answer};
use crate::lambda::now;
use crate::sqs::QueueUrls;

const MINUTE: u64 = 60_000;

/// The call that hides what is at work.
const HIDES_ALL: &str = "AmazonSQS.ChangeMessageVisibilityBatch";

/// What a function made of a batch.
struct Made {
    /// The messages that its stage got.
    got: Vec<String>,
    /// The messages that come again.
    again: Vec<String>,
    /// What was sent, by the queue's name.
    sent: Vec<(String, Value)>,
    /// For how many seconds what comes again is hidden.
    hidden: Vec<i64>,
}

/// Who a message is, its group, and how often it was received.
type Message<'a> = (&'a str, &'a str, u32);

fn event(arn: &str, messages: &[Message<'_>]) -> SqsEvent {
    let record = |(id, group, count): &Message<'_>| {
        json!({
            "messageId": id, "receiptHandle": id, "body": format!(r#"{{"v":1,"trace":"t-{id}","body":{{}}}}"#),
            "attributes": { "ApproximateReceiveCount": count.to_string(), "MessageGroupId": group },
            "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": arn,
        })
    };
    let records: Vec<_> = messages.iter().map(record).collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

/// SQS, which takes what is sent to it or does not allow it.
fn sqs(takes: bool) -> Service {
    Service::new(move |asked| match asked.headers["x-amz-target"].as_str() {
        "AmazonSQS.SendMessageBatch" if takes => {
            let sent = json!({ "Id": "0", "MessageId": "0", "MD5OfMessageBody": "0" });
            answer(200, &[], &json!({ "Successful": [sent], "Failed": [] }).to_string())
        }
        "AmazonSQS.SendMessageBatch" => answer(403, &[], r#"{"__type":"AccessDenied","message":"no"}"#),
        HIDES_ALL => answer(200, &[], r#"{"Successful":[],"Failed":[]}"#),
        _ => answer(200, &[], "{}"),
    })
}

/// Has a stage give every message this result, in a function that gives up after `most` receives, or never.
async fn work(
    sqs: &Service,
    name: &QueueName,
    most: Option<u32>,
    messages: &[Message<'_>],
    result: Result<(), StageError>,
) -> Made {
    let urls = QueueUrls { prefix: "https://sqs.example/1/shop-".to_owned(), accounts: BTreeMap::new() };
    let queue = SqsQueue::new(&sqs.config().await, urls);
    let batches = most.map_or(Batches::unlimited(&queue), |most| Batches::limited(&queue, most));
    let mut context = Context::default();
    context.deadline = u64::try_from(now().as_millis()).unwrap() + MINUTE;
    let mut got = Vec::new();
    let stage = async |batch: &[Incoming]| {
        got.extend(batch.iter().map(|message| message.id.clone()));
        batch.iter().map(|_| result.clone()).collect()
    };
    let answered = batches.answer(name, &context, event("arn", messages), stage).await;
    let again = answered.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    let of_others = |asked: &Asked| asked.headers["x-amz-target"] != HIDES_ALL;
    let asked = sqs.asked().into_iter().filter(of_others).map(|asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        (body["QueueUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned(), body)
    });
    let (sent, hidden): (Vec<_>, Vec<_>) = asked.partition(|(_, body)| body.get("Entries").is_some());
    let hidden = hidden.into_iter().map(|(_, body)| body["VisibilityTimeout"].as_i64().unwrap()).collect();
    Made { got, again, sent, hidden }
}

fn retry() -> Result<(), StageError> {
    Err(StageError::Retry("later".to_owned()))
}

#[tokio::test]
async fn what_ended_its_function_each_time_is_moved_aside_before_its_stage() {
    let messages = [("1", "a", 289), ("2", "a", 1), ("3", "b", 288)];
    let made = work(&sqs(true), &QueueName::Facts, Some(288), &messages, Ok(())).await;
    assert_eq!(made.got, ["2", "3"]);
    assert!(made.again.is_empty() && made.hidden.is_empty(), "{:?}", made.again);
    let queues: Vec<_> = made.sent.iter().map(|(queue, _)| queue.as_str()).collect();
    assert_eq!(queues, ["shop-dead-letters.fifo", "shop-dead-facts.fifo"]);
    let (told, kept) = (&made.sent[0].1["Entries"][0], &made.sent[1].1["Entries"][0]);
    let told: Value = serde_json::from_str(told["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!((&told["trace"], &told["body"]["queue"]), (&json!("t-1"), &json!("facts")));
    let reason = told["body"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("was received 289 times and never taken"), "{reason}");
    assert_eq!(kept["MessageAttributes"]["reason"]["StringValue"], reason);
}

#[tokio::test]
async fn where_nothing_else_is_left_no_stage_is_asked() {
    let made = work(&sqs(true), &QueueName::Events, Some(5), &[("1", "a", 6)], Ok(())).await;
    assert!(made.got.is_empty() && made.again.is_empty(), "{:?}", made.again);
}

#[tokio::test]
async fn a_retry_is_given_up_at_the_last_receive() {
    let messages = [("1", "a", 5), ("2", "b", 4)];
    let made = work(&sqs(true), &QueueName::Facts, Some(5), &messages, retry()).await;
    assert_eq!(
        (made.got.as_slice(), made.again.as_slice()),
        (&["1", "2"].map(String::from)[..], &["2"].map(String::from)[..])
    );
    assert_eq!(made.sent.len(), 2);
}

#[tokio::test]
async fn what_is_tried_for_ever_is_moved_aside_before_sqs_would() {
    let messages = [("1", "a", MOST_RECEIVES), ("2", "b", MOST_RECEIVES + 1)];
    let made = work(&sqs(true), &QueueName::Decisions, None, &messages, retry()).await;
    assert_eq!((made.got.len(), made.again.len(), made.sent.len()), (1, 1, 2));
    assert_eq!(made.sent[1].0, "shop-dead-decisions.fifo");
    // No function is told a limit that SQS reaches first.
    let made = work(&sqs(true), &QueueName::Facts, Some(2_000), &messages, Ok(())).await;
    assert_eq!(made.got, ["1"]);
}

#[tokio::test]
async fn a_dead_letter_has_no_limit() {
    let made = work(&sqs(true), &QueueName::DeadLetters(None), None, &[("1", "a", 5_000)], Ok(())).await;
    assert_eq!((made.got.len(), made.again.len(), made.sent.len()), (1, 0, 0));
}

#[tokio::test]
async fn what_cannot_be_moved_aside_comes_again_and_nothing_of_its_group_overtakes_it() {
    let messages = [("1", "a", 300), ("2", "b", 1), ("3", "a", 1)];
    let made = work(&sqs(false), &QueueName::Facts, Some(288), &messages, Ok(())).await;
    assert_eq!(made.got, ["2"]);
    assert_eq!(made.again, ["1", "3"]);
    assert_eq!(made.hidden, [600, 0]);
    // Where there is no order, there is nothing to overtake.
    let free = QueueName::Observations("east".parse().unwrap());
    let made = work(&sqs(false), &free, Some(288), &messages, Ok(())).await;
    assert_eq!((made.got, made.again), (vec!["2".to_owned(), "3".to_owned()], vec!["1".to_owned()]));
}

#[tokio::test]
async fn what_is_at_work_is_hidden_at_once_and_for_a_minute() {
    let sqs = sqs(true);
    work(&sqs, &QueueName::Facts, None, &[("1", "a", 1), ("2", "b", 1)], Ok(())).await;
    let asked = sqs.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].headers["x-amz-target"], HIDES_ALL);
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    let entry = |index: usize, handle: &str| json!({ "Id": index.to_string(), "ReceiptHandle": handle, "VisibilityTimeout": 60 });
    assert_eq!(body["Entries"], json!([entry(0, "1"), entry(1, "2")]));
    assert_eq!(body["QueueUrl"], "https://sqs.example/1/shop-facts.fifo");
}

#[test]
fn the_queue_follows_from_where_a_batch_came_from() {
    let of =
        |name: &str| queue_of(&event(&format!("arn:aws:sqs:eu-west-1:1:{name}"), &[("1", "a", 1)]), "shop");
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
