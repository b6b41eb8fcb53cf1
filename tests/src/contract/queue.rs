//! The rules of [`Queue`]. Each takes an empty queue, and leaves it empty. Groups and ids are of one rule
//! only, so that all may use one queue, one after the other.

pub mod concurrent;

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_core::message::QueueName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Delivery, MAX_BODY, Outgoing, Queue};
use tokio::time::sleep;

/// The shortest visibility that every queue knows.
const SHORT: Duration = Duration::from_secs(1);

/// A little more than [`SHORT`].
const OVER: Duration = Duration::from_millis(1300);

/// A visibility that does not end during a test.
const LONG: Duration = Duration::from_secs(120);

/// How long is waited for a message that must come.
const SOON: Duration = Duration::from_secs(5);

/// How long is waited for a message that must not come.
const AWHILE: Duration = Duration::from_secs(1);

fn message(group: &str, body: &str) -> Outgoing {
    let deduplication = format!("{group}-{body}");
    Outgoing { group: group.into(), deduplication, body: body.into(), delay: Duration::ZERO }
}

async fn send(queue: &impl Queue, name: &QueueName, messages: &[(&str, &str)]) {
    let messages: Vec<_> = messages.iter().map(|(group, body)| message(group, body)).collect();
    queue.send(name, &messages).await.expect("the messages are sent");
}

async fn one(queue: &impl Queue, name: &QueueName, visibility: Duration) -> Delivery {
    let mut got = queue.receive(name, 1, visibility, SOON).await.expect("the queue is read");
    assert_eq!(got.len(), 1, "one message must come: {got:?}");
    got.remove(0)
}

async fn nothing(queue: &impl Queue, name: &QueueName) {
    let got = queue.receive(name, 10, LONG, AWHILE).await.expect("the queue is read");
    assert!(got.is_empty(), "no message may come: {got:?}");
}

async fn take(queue: &impl Queue, name: &QueueName, delivery: &Delivery) {
    queue.acknowledge(name, &delivery.receipt).await.expect("the receipt is valid");
}

/// Takes all that comes, and returns the bodies.
async fn drain(queue: &impl Queue, name: &QueueName, expected: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    while bodies.len() < expected {
        let got = queue.receive(name, 10, LONG, SOON).await.expect("the queue is read");
        assert!(!got.is_empty(), "{expected} messages must come, and only these did: {bodies:?}");
        for delivery in got {
            take(queue, name, &delivery).await;
            bodies.push(delivery.message.body);
        }
    }
    nothing(queue, name).await;
    bodies
}

/// Messages of a group come in the order in which they were sent, whether in one call or in several.
pub async fn keeps_order(queue: &impl Queue, name: &QueueName) {
    send(queue, name, &[("order", "1"), ("order", "2")]).await;
    send(queue, name, &[("order", "3"), ("order-other", "x")]).await;
    send(queue, name, &[("order", "4")]).await;
    let mut bodies = drain(queue, name, 5).await;
    bodies.retain(|body| body != "x");
    assert_eq!(bodies, ["1", "2", "3", "4"]);
}

/// What was sent is what comes, with its group, and counts its receives.
pub async fn delivers_what_was_sent(queue: &impl Queue, name: &QueueName) {
    let body = "{\"text\":\"\u{e9}\u{1f510}\\n\"}";
    let sent = Outgoing { body: body.into(), ..message("group-1", "id") };
    queue.send(name, &[sent]).await.expect("sent");
    let first = one(queue, name, LONG).await;
    assert_eq!((first.message.group.as_str(), first.message.body.as_str()), ("group-1", body));
    assert_eq!(first.message.receive_count, 1);
    queue.extend(name, &first.receipt, Duration::ZERO).await.expect("given back");
    let second = one(queue, name, LONG).await;
    assert_eq!((&second.message.id, second.message.receive_count), (&first.message.id, 2));
    take(queue, name, &second).await;
    nothing(queue, name).await;
}

/// While a message of a group is in flight no other of it comes, and other groups are not held up.
pub async fn blocks_the_group_in_flight(queue: &impl Queue, name: &QueueName) {
    send(queue, name, &[("blocked", "a1"), ("blocked", "a2")]).await;
    let first = one(queue, name, LONG).await;
    assert_eq!(first.message.body, "a1");
    nothing(queue, name).await;
    send(queue, name, &[("free-beside", "b1")]).await;
    let other = one(queue, name, LONG).await;
    assert_eq!(other.message.body, "b1");
    take(queue, name, &first).await;
    let second = one(queue, name, LONG).await;
    assert_eq!(second.message.body, "a2");
    take(queue, name, &second).await;
    take(queue, name, &other).await;
    nothing(queue, name).await;
}

/// A group is blocked until the last message of a batch is settled, and what was given back comes first.
pub async fn gives_a_rest_of_a_batch_again_in_order(queue: &impl Queue, name: &QueueName) {
    send(queue, name, &[("batch", "1"), ("batch", "2"), ("batch", "3")]).await;
    let batch = queue.receive(name, 3, LONG, SOON).await.expect("the queue is read");
    let bodies: Vec<_> = batch.iter().map(|delivery| delivery.message.body.as_str()).collect();
    assert_eq!(bodies, ["1", "2", "3"][..batch.len()]);
    take(queue, name, &batch[0]).await;
    let rest = &batch[1..];
    for delivery in rest {
        nothing(queue, name).await;
        queue.extend(name, &delivery.receipt, Duration::ZERO).await.expect("given back");
    }
    assert_eq!(drain(queue, name, 2).await, ["2", "3"]);
}

/// A message whose visibility ends comes again, and then its old receipt is refused.
pub async fn makes_receipts_expire(queue: &impl Queue, name: &QueueName) {
    send(queue, name, &[("expiry", "1"), ("expiry", "2")]).await;
    let first = one(queue, name, SHORT).await;
    sleep(OVER).await;
    let second = one(queue, name, LONG).await;
    assert_eq!((&second.message.id, second.message.receive_count), (&first.message.id, 2));
    let old = &first.receipt;
    refused(queue.acknowledge(name, old).await);
    refused(queue.extend(name, old, LONG).await);
    refused(queue.bury(name, old, "late").await);
    nothing(queue, name).await;
    take(queue, name, &second).await;
    assert_eq!(drain(queue, name, 1).await, ["2"]);
}

fn refused(result: Result<(), PortError>) {
    assert!(matches!(result, Err(PortError::Refused(_))), "an expired receipt must be refused: {result:?}");
}

/// A visibility can be made longer while it lasts, and ended.
pub async fn extends_visibility(queue: &impl Queue, name: &QueueName) {
    send(queue, name, &[("extend", "1")]).await;
    let delivery = one(queue, name, SHORT).await;
    queue.extend(name, &delivery.receipt, LONG).await.expect("the receipt is valid");
    sleep(OVER).await;
    nothing(queue, name).await;
    queue.extend(name, &delivery.receipt, Duration::ZERO).await.expect("the receipt is still valid");
    assert_eq!(drain(queue, name, 1).await, ["1"]);
}

/// A second message of an id is dropped: in one call, in the next, and after the first was taken.
pub async fn deduplicates(queue: &impl Queue, name: &QueueName) {
    send(queue, name, &[("twice", "1"), ("twice", "1"), ("twice", "2")]).await;
    let again = Outgoing { body: "another body".into(), ..message("twice", "1") };
    queue.send(name, &[again]).await.expect("a duplicate is no error");
    assert_eq!(drain(queue, name, 2).await, ["1", "2"]);
    send(queue, name, &[("twice", "1"), ("twice", "3")]).await;
    assert_eq!(drain(queue, name, 1).await, ["3"]);
}

/// What counts is the id: content that comes back within five minutes, as A, B and A again, is no duplicate.
pub async fn keeps_content_that_comes_back(queue: &impl Queue, name: &QueueName) {
    for (id, body) in [("1", "A"), ("2", "B"), ("3", "A")] {
        let sent = Outgoing { body: body.into(), ..message("back", id) };
        queue.send(name, &[sent]).await.expect("sent");
    }
    assert_eq!(drain(queue, name, 3).await, ["A", "B", "A"]);
}

/// An id may be used again after five minutes. Takes that long, unless time is paused.
pub async fn forgets_ids_after_five_minutes(queue: &impl Queue, name: &QueueName) {
    send(queue, name, &[("minutes", "1")]).await;
    assert_eq!(drain(queue, name, 1).await, ["1"]);
    sleep(Duration::from_secs(280)).await;
    send(queue, name, &[("minutes", "1")]).await;
    nothing(queue, name).await;
    sleep(Duration::from_secs(25)).await;
    send(queue, name, &[("minutes", "1")]).await;
    assert_eq!(drain(queue, name, 1).await, ["1"]);
}

/// A message that was received `limit` times is not received again, and no longer holds up its group.
pub async fn limits_receives(queue: &impl Queue, name: &QueueName, limit: u32) {
    send(queue, name, &[("limit", "poison"), ("limit", "next")]).await;
    for count in 1..=limit {
        let delivery = one(queue, name, LONG).await;
        let message = &delivery.message;
        assert_eq!((message.body.as_str(), message.receive_count), ("poison", count));
        queue.extend(name, &delivery.receipt, Duration::ZERO).await.expect("given back");
    }
    assert_eq!(drain(queue, name, 1).await, ["next"]);
}

/// A buried message is not received again, its receipt has ended, and its group goes on.
pub async fn buries(queue: &impl Queue, name: &QueueName) {
    send(queue, name, &[("bury", "1"), ("bury", "2")]).await;
    let delivery = one(queue, name, LONG).await;
    queue.bury(name, &delivery.receipt, "can never succeed").await.expect("buried");
    assert_eq!(drain(queue, name, 1).await, ["2"]);
}

/// A body may have [`MAX_BODY`] bytes. With one that has more, nothing of the call is sent.
pub async fn limits_bodies(queue: &impl Queue, name: &QueueName) {
    let of = |size: usize, id: &str| Outgoing { body: "x".repeat(size), ..message("size", id) };
    let sent = queue.send(name, &[message("size", "small"), of(MAX_BODY + 1, "large")]).await;
    assert!(matches!(sent, Err(PortError::Refused(_))), "{sent:?}");
    nothing(queue, name).await;
    queue.send(name, &[of(MAX_BODY, "largest")]).await.expect("sent");
    assert_eq!(drain(queue, name, 1).await[0].len(), MAX_BODY);
}

/// A delayed message comes when its delay is over, also to one who waits. `name` is not ordered.
pub async fn delays(queue: &impl Queue, name: &QueueName) {
    let begun = tokio::time::Instant::now();
    let delay = Duration::from_secs(3);
    queue.send(name, &[Outgoing { delay, ..message("delay", "1") }]).await.expect("sent");
    nothing(queue, name).await;
    let delivery = one(queue, name, LONG).await;
    let waited = begun.elapsed();
    assert!(waited >= delay.saturating_sub(Duration::from_millis(50)), "it came after {waited:?}");
    take(queue, name, &delivery).await;
}

/// A queue that is not ordered holds nothing up: all of a group may be in flight.
pub async fn does_not_block_where_not_ordered(queue: &impl Queue, name: &QueueName) {
    assert!(!name.is_ordered(), "{name} is ordered");
    send(queue, name, &[("free", "1"), ("free", "2"), ("free", "3")]).await;
    let mut deliveries = Vec::new();
    for _ in 0..3 {
        deliveries.push(one(queue, name, LONG).await);
    }
    for delivery in deliveries.iter().rev() {
        take(queue, name, delivery).await;
    }
    let bodies: BTreeSet<_> = deliveries.into_iter().map(|delivery| delivery.message.body).collect();
    assert_eq!(bodies, BTreeSet::from(["1".into(), "2".into(), "3".into()]));
    nothing(queue, name).await;
}
