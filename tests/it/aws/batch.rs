//! What a function on Lambda answers to a batch, with the queues on ElasticMQ. Lambda's part, receiving and deleting,
//! is played here.

use std::time::{Duration, Instant};

use aws_lambda_events::event::sqs::SqsEvent;
use countersign_aws::lambda::batch::Batches;
use countersign_aws::lambda::now;
use countersign_aws::sqs::SqsQueue;
use countersign_core::message::QueueName;
use countersign_core::ports::queue::{Delivery, Outgoing, Queue as _};
use countersign_core::stage::{Incoming, StageError};
use countersign_tests::world::aws::elasticmq::ElasticMq;
use lambda_runtime::Context;
use serde_json::{Value, json};

const MINUTE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(5);
const AWHILE: Duration = Duration::from_secs(1);

async fn queues(installation: &str) -> SqsQueue {
    let server = ElasticMq::shared().expect("ElasticMQ");
    let queues = [QueueName::Facts, QueueName::DeadLetters(None)];
    server.queues(installation, &queues, 100).await.expect("queues")
}

async fn send(queue: &SqsQueue, messages: &[(&str, &str)]) {
    let outgoing = |(group, body): &(&str, &str)| Outgoing {
        group: (*group).into(),
        deduplication: (*body).into(),
        body: (*body).into(),
        delay: Duration::ZERO,
    };
    let messages: Vec<_> = messages.iter().map(outgoing).collect();
    queue.send(&QueueName::Facts, &messages).await.expect("sent");
}

/// All messages that can be received, in the order of their bodies.
async fn receive(queue: &SqsQueue, name: &QueueName, wait: Duration) -> Vec<Delivery> {
    let mut all = queue.receive(name, 10, MINUTE, wait).await.expect("received");
    loop {
        let more = queue.receive(name, 10, MINUTE, AWHILE).await.expect("received");
        if more.is_empty() {
            all.sort_by(|one, other| one.message.body.cmp(&other.message.body));
            return all;
        }
        all.extend(more);
    }
}

/// The event that Lambda makes of received messages.
fn event(deliveries: &[Delivery]) -> SqsEvent {
    let record = |delivery: &Delivery| {
        let receipt: Value = serde_json::from_str(&delivery.receipt).expect("a receipt");
        json!({
            "messageId": delivery.message.id, "receiptHandle": receipt["handle"], "body": delivery.message.body,
            "attributes": {
                "ApproximateReceiveCount": delivery.message.receive_count.to_string(),
                "MessageGroupId": delivery.message.group,
            },
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:shop-facts.fifo",
        })
    };
    let records: Vec<_> = deliveries.iter().map(record).collect();
    serde_json::from_value(json!({ "Records": records })).expect("an event")
}

fn context(left: Duration) -> Context {
    let mut context = Context::default();
    context.deadline = u64::try_from(now().plus(left).as_millis()).expect("after 1970");
    context
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.message.body.as_str()).collect()
}

/// Has a stage answer with `results`; deletes what is done, and returns the bodies that are not.
async fn work(
    queue: &SqsQueue,
    deliveries: &[Delivery],
    most: u32,
    results: Vec<Result<(), StageError>>,
) -> Vec<String> {
    let batches = Batches::limited(queue, most);
    let answer = batches
        .answer(&QueueName::Facts, &context(MINUTE), event(deliveries), async |batch: &[_]| {
            assert_eq!(batch.len(), results.len());
            results
        })
        .await;
    let failed: Vec<_> =
        answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    let mut left = Vec::new();
    for delivery in deliveries {
        if failed.contains(&delivery.message.id) {
            left.push(delivery.message.body.clone());
        } else {
            queue.acknowledge(&QueueName::Facts, &delivery.receipt).await.expect("deleted");
        }
    }
    left
}

fn retry() -> Result<(), StageError> {
    Err(StageError::Retry("later".into()))
}

/// A retry holds back the rest of its group, both come again in order, and other groups are done.
#[tokio::test]
async fn what_is_left_over_comes_again_in_order() {
    let queue = queues("batch-left-over").await;
    send(&queue, &[("a", "a1"), ("a", "a2"), ("b", "b1")]).await;
    let got = receive(&queue, &QueueName::Facts, SOON).await;
    assert_eq!(bodies(&got), ["a1", "a2", "b1"]);
    assert_eq!(work(&queue, &got, 9, vec![retry(), Ok(()), Ok(())]).await, ["a1", "a2"]);
    // Long before the visibility of the receive ends: it was ended.
    let got = receive(&queue, &QueueName::Facts, SOON).await;
    assert_eq!(bodies(&got), ["a1", "a2"]);
    assert_eq!(got[0].message.receive_count, 2);
    assert!(work(&queue, &got, 9, vec![Ok(()), Ok(())]).await.is_empty());
}

/// What can never succeed, and what was tried too often, is told of and done with, and holds up nothing.
#[tokio::test]
async fn what_can_never_succeed_becomes_a_dead_letter() {
    let queue = queues("batch-dead").await;
    send(&queue, &[("a", "a1"), ("a", "a2"), ("b", "b1")]).await;
    let got = receive(&queue, &QueueName::Facts, SOON).await;
    let never = Err(StageError::Final("not understood".into()));
    assert!(work(&queue, &got, 1, vec![never, Ok(()), retry()]).await.is_empty());
    assert!(receive(&queue, &QueueName::Facts, AWHILE).await.is_empty());
    let told = receive(&queue, &QueueName::DeadLetters(None), SOON).await;
    let mut reasons: Vec<_> = told
        .iter()
        .map(|told| {
            serde_json::from_str::<Value>(&told.message.body).expect("JSON")["body"]["reason"].to_string()
        })
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["\"not understood\"", "\"was received 1 times and never taken: later\""]);
}

/// What ended its function at every receive is told of without being tried once more.
#[tokio::test]
async fn what_ends_its_function_each_time_becomes_a_dead_letter() {
    let queue = queues("batch-killed").await;
    send(&queue, &[("a", "a1"), ("a", "a2")]).await;
    for _ in 0..2 {
        for delivery in receive(&queue, &QueueName::Facts, SOON).await.iter().rev() {
            // As when the function is gone, and the visibility of the receive ends.
            queue.extend(&QueueName::Facts, &delivery.receipt, Duration::ZERO).await.expect("given back");
        }
    }
    let got = receive(&queue, &QueueName::Facts, SOON).await;
    assert_eq!(got[0].message.receive_count, 3);
    assert!(work(&queue, &got, 2, Vec::new()).await.is_empty());
    assert!(receive(&queue, &QueueName::Facts, AWHILE).await.is_empty());
    let told = receive(&queue, &QueueName::DeadLetters(None), SOON).await;
    assert_eq!(told.len(), got.len());
    assert!(told.iter().all(|told| told.message.body.contains("was received 3 times and never taken")));
    let server = ElasticMq::shared().expect("ElasticMQ");
    let dead = server.dead("batch-killed", &QueueName::Facts).await.expect("the dead letters");
    assert_eq!(dead, bodies(&got));
}

/// A stage that is not done in time is stopped, and its messages come again.
#[tokio::test]
async fn a_stage_ends_before_its_invocation_does() {
    let queue = queues("batch-deadline").await;
    send(&queue, &[("a", "a1")]).await;
    let got = receive(&queue, &QueueName::Facts, SOON).await;
    let batches = Batches::limited(&queue, 9);
    let stage = async |_: &[_]| std::future::pending().await;
    let left = Duration::from_millis(3100);
    let answer = batches.answer(&QueueName::Facts, &context(left), event(&got), stage).await;
    assert_eq!(answer.batch_item_failures.len(), 1);
    assert_eq!(bodies(&receive(&queue, &QueueName::Facts, SOON).await), ["a1"]);
}

/// For how long a batch is hidden at once in these tests. Its receive hides it for a minute.
const SHORT: Duration = Duration::from_secs(3);

/// What a function held that ended without a word comes again when it was last hidden, and with it what waits behind.
#[tokio::test]
async fn what_a_function_held_that_ended_at_work_comes_again_soon() {
    let queue = queues("batch-ended").await;
    send(&queue, &[("a", "a1")]).await;
    let got = receive(&queue, &QueueName::Facts, SOON).await;
    send(&queue, &[("a", "a2")]).await;
    let batches = Batches::limited(&queue, 9).hiding_for(SHORT);
    let (context, event) = (context(MINUTE), event(&got));
    let work =
        batches.answer(&QueueName::Facts, &context, event, async |_: &[_]| std::future::pending().await);
    let begun = Instant::now();
    // As when it is killed: nobody is left to hide, or to give back.
    tokio::time::timeout(AWHILE, work).await.expect_err("it does not end of itself");
    let got = receive(&queue, &QueueName::Facts, MINUTE / 2).await;
    assert_eq!(bodies(&got), ["a1", "a2"]);
    assert!(begun.elapsed() < MINUTE / 2, "{:?}", begun.elapsed());
}

/// A stage may take longer than what it works on is hidden at once, and may hold up its thread meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_at_work_for_long_does_not_come_twice() {
    let queue = queues("batch-long").await;
    send(&queue, &[("a", "a1"), ("b", "b1")]).await;
    let got = receive(&queue, &QueueName::Facts, SOON).await;
    let others = tokio::spawn({
        let queue = queue.clone();
        async move { queue.receive(&QueueName::Facts, 10, SHORT, SHORT * 3).await.expect("received") }
    });
    let batches = Batches::limited(&queue, 9).hiding_for(SHORT);
    let stage = async |batch: &[Incoming]| {
        std::thread::sleep(SHORT * 2);
        batch.iter().map(|_| Ok(())).collect()
    };
    let answer = batches.answer(&QueueName::Facts, &context(MINUTE), event(&got), stage).await;
    assert!(answer.batch_item_failures.is_empty());
    for delivery in &got {
        queue.acknowledge(&QueueName::Facts, &delivery.receipt).await.expect("deleted");
    }
    assert_eq!(others.await.expect("it ended"), []);
}
