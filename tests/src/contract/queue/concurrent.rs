//! The rules of [`Queue`] that take several tasks at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign_core::message::QueueName;
use countersign_core::ports::queue::{Delivery, Outgoing, Queue};
use tokio::time::sleep;

use super::{AWHILE, LONG, message, nothing, one, send, take};

/// One who waits is woken by a send, and by what sets a group free, within `latency` of its return.
pub async fn wakes_who_waits<Q>(queue: &Q, name: &QueueName, latency: Duration)
where
    Q: Queue + Clone + Send + 'static,
{
    for round in 0..5 {
        let waiting = wait(queue, name).await;
        let (body, next) = (format!("{round}"), format!("{round}-next"));
        send(queue, name, &[("wake", &body), ("wake", &next)]).await;
        let delivery = woken(waiting, latency).await;
        let waiting = wait(queue, name).await;
        queue.extend(name, &delivery.receipt, Duration::ZERO).await.expect("given back");
        let delivery = woken(waiting, latency).await;
        assert_eq!((&delivery.message.body, delivery.message.receive_count), (&body, 2));
        let waiting = wait(queue, name).await;
        take(queue, name, &delivery).await;
        let delivery = woken(waiting, latency).await;
        assert_eq!(delivery.message.body, next);
        let waiting = wait(queue, name).await;
        send(queue, name, &[("wake", &format!("{round}-last"))]).await;
        queue.bury(name, &delivery.receipt, "buried").await.expect("buried");
        let delivery = woken(waiting, latency).await;
        take(queue, name, &delivery).await;
    }
}

/// When a message came, and which.
type Waiting = tokio::task::JoinHandle<(Instant, Delivery)>;

/// Starts to wait for one message.
async fn wait<Q>(queue: &Q, name: &QueueName) -> Waiting
where
    Q: Queue + Clone + Send + 'static,
{
    let (queue, name) = (queue.clone(), name.clone());
    let waiting = tokio::spawn(async move {
        let delivery = one(&queue, &name, LONG).await;
        (Instant::now(), delivery)
    });
    sleep(Duration::from_millis(100)).await;
    waiting
}

async fn woken(waiting: Waiting, latency: Duration) -> Delivery {
    let freed = Instant::now();
    let (received, delivery) = waiting.await.expect("the receiver ends");
    let took = received.saturating_duration_since(freed);
    assert!(took < latency, "it took {took:?} to wake, and may take {latency:?}");
    delivery
}

/// Of many consumers each message goes to one, and each group stays in order. Takes a runtime of several
/// threads.
pub async fn shares_out<Q>(queue: &Q, name: &QueueName)
where
    Q: Queue + Clone + Send + 'static,
{
    const GROUPS: usize = 6;
    const OF_EACH: usize = 30;
    let seen: Arc<Mutex<BTreeMap<String, Vec<usize>>>> = Arc::default();
    let consumers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(consume(queue.clone(), name.clone(), Arc::clone(&seen), GROUPS * OF_EACH)))
        .collect();
    for number in 0..OF_EACH {
        let messages: Vec<_> = (0..GROUPS)
            .map(|group| {
                let id = format!("{group}-{number}");
                Outgoing { body: number.to_string(), ..message(&format!("shared-{group}"), &id) }
            })
            .collect();
        queue.send(name, &messages).await.expect("sent");
    }
    for consumer in consumers {
        consumer.await.expect("the consumer ends");
    }
    let seen = std::mem::take(&mut *seen.lock().expect("no consumer panicked"));
    assert_eq!(seen.len(), GROUPS);
    for (group, numbers) in &seen {
        assert_eq!(*numbers, (0..OF_EACH).collect::<Vec<_>>(), "{group}");
    }
    nothing(queue, name).await;
}

async fn consume(
    queue: impl Queue,
    name: QueueName,
    seen: Arc<Mutex<BTreeMap<String, Vec<usize>>>>,
    all: usize,
) {
    loop {
        let got = queue.receive(&name, 3, LONG, AWHILE).await.expect("the queue is read");
        for delivery in &got {
            {
                let mut seen = seen.lock().expect("no consumer panicked");
                let number = delivery.message.body.parse().expect("a number");
                seen.entry(delivery.message.group.clone()).or_default().push(number);
            }
            take(&queue, &name, delivery).await;
        }
        let count: usize = seen.lock().expect("no consumer panicked").values().map(Vec::len).sum();
        if got.is_empty() && count >= all {
            return;
        }
    }
}
