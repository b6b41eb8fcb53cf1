//! An event source mapping: takes messages from a queue, invokes a function with them, and takes off the queue what it
//! did, by the rules that AWS documents ("Using Lambda with Amazon SQS", "Handling errors for an SQS event source").
//!
//! - A batch is what one receive returned, of a FIFO queue in the order of each group.
//! - A function that fails leaves all of its batch, which is visible again when the queue's visibility ends.
//! - An answer with `batchItemFailures` leaves those. Without any, the batch is done; an answer that names what is not in
//!   the batch, or is not of this shape, leaves all of it.
//! - A throttled batch is tried again until its visibility ends.

pub mod event;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::lambda::{Failed, Lambda};
use crate::simulation::random::Random;

/// The longest that a receive waits, as Lambda polls.
const LONG_POLL: i32 = 20;

/// The pause before a throttled batch is tried again.
const THROTTLED: Duration = Duration::from_millis(200);

/// One mapping.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The queue's URL at its server.
    pub url: String,
    /// The queue's name, as in its ARN.
    pub queue: String,
    /// Whether it is ordered.
    pub is_ordered: bool,
    /// The function's name in Lambda.
    pub function: String,
    /// The most messages of a batch.
    pub batch: i32,
    /// How many batches are at work at once.
    pub concurrency: usize,
    /// How long a received message is hidden.
    pub visibility: Duration,
}

/// The mappings of an installation, at work until they are dropped.
#[derive(Debug)]
pub struct Mappings {
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
    shared: Arc<Shared>,
}

/// What the platform asked of SQS for the mappings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Receives that returned messages.
    pub receives: u64,
    /// Receives that returned none.
    pub idle: u64,
    /// Batches that were taken off.
    pub deletes: u64,
    /// Batches that were delivered twice.
    pub repeated: u64,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    lambda: Arc<Lambda>,
    repeats: AtomicU64,
    random: Mutex<Random>,
    receives: AtomicU64,
    idle: AtomicU64,
    deletes: AtomicU64,
    repeated: AtomicU64,
}

impl Mappings {
    /// Starts them. The client speaks to the queues as the platform does, past the gateway.
    #[must_use]
    pub fn start(client: Client, lambda: &Arc<Lambda>, mappings: &[Mapping], seed: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            client,
            lambda: Arc::clone(lambda),
            repeats: AtomicU64::new(0),
            random: Mutex::new(Random::new(seed, "mappings")),
            receives: AtomicU64::new(0),
            idle: AtomicU64::new(0),
            deletes: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
        });
        let mut workers = JoinSet::new();
        for mapping in mappings {
            for _ in 0..mapping.concurrency {
                workers.spawn(work(Arc::clone(&shared), mapping.clone(), stopped.clone()));
            }
        }
        Self { stop, workers, shared }
    }

    /// From now on so many of a thousand batches are delivered twice, and those of a standard queue in another order.
    pub fn repeat(&self, in_a_thousand: u64) {
        self.shared.repeats.store(in_a_thousand, Ordering::Relaxed);
    }

    /// What was asked of SQS so far.
    #[must_use]
    pub fn asked(&self) -> Asked {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { receives, idle, deletes, repeated, .. } = &*self.shared;
        Asked { receives: read(receives), idle: read(idle), deletes: read(deletes), repeated: read(repeated) }
    }

    /// Lets every batch that is at work end, and takes no more.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while self.workers.join_next().await.is_some() {}
    }
}

async fn work(shared: Arc<Shared>, mapping: Mapping, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let received = tokio::select! {
            _ = stop.changed() => return,
            received = shared.receive(&mapping) => received,
        };
        match received {
            Ok(batch) if batch.is_empty() => {}
            Ok(batch) => shared.deliver(&mapping, batch).await,
            // The server is gone, or going.
            Err(_) => tokio::time::sleep(THROTTLED).await,
        }
    }
}

impl Shared {
    async fn receive(&self, mapping: &Mapping) -> anyhow::Result<Vec<Message>> {
        let request = self.client.receive_message().queue_url(&mapping.url);
        let received = request
            .max_number_of_messages(mapping.batch)
            .visibility_timeout(i32::try_from(mapping.visibility.as_secs())?)
            .wait_time_seconds(LONG_POLL)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await?;
        let messages = received.messages.unwrap_or_default();
        let counter = if messages.is_empty() { &self.idle } else { &self.receives };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(messages)
    }

    /// Invokes the function, and takes off the queue what it did.
    async fn deliver(&self, mapping: &Mapping, mut batch: Vec<Message>) {
        let taken = Instant::now();
        let again = self.draws_a_repeat();
        if again && !mapping.is_ordered {
            batch.reverse();
        }
        let Some(answer) = self.invoke(mapping, &batch, taken).await else { return };
        let failed = event::failures(&answer, &batch);
        // What is given back to an ordered queue may be somebody else's by now.
        if again && (failed.is_empty() || !mapping.is_ordered) {
            // At least once: what was done may come again before anyone knows that it was.
            let _ = self.invoke(mapping, &batch, taken).await;
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        batch.retain(|message| !failed.contains(message.message_id().unwrap_or_default()));
        self.delete(mapping, &batch).await;
    }

    fn draws_a_repeat(&self) -> bool {
        let in_a_thousand = self.repeats.load(Ordering::Relaxed);
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.below(1000) < in_a_thousand
    }

    /// What the function answered; none where it failed, or was throttled for as long as the batch was hidden.
    async fn invoke(&self, mapping: &Mapping, batch: &[Message], taken: Instant) -> Option<Vec<u8>> {
        let payload = event::event(&mapping.queue, batch);
        loop {
            match self.lambda.invoke(&mapping.function, &payload).await {
                Ok(answer) => return Some(answer),
                Err(Failed::Throttled) if taken.elapsed() + THROTTLED < mapping.visibility => {
                    tokio::time::sleep(THROTTLED).await;
                }
                Err(_) => return None,
            }
        }
    }

    async fn delete(&self, mapping: &Mapping, batch: &[Message]) {
        let entry = |(index, message): (usize, &Message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
            entry.receipt_handle(message.receipt_handle().unwrap_or_default()).build().ok()
        };
        let entries: Vec<_> = batch.iter().enumerate().filter_map(entry).collect();
        if entries.is_empty() {
            return;
        }
        self.deletes.fetch_add(1, Ordering::Relaxed);
        let request = self.client.delete_message_batch().queue_url(&mapping.url);
        // What is not taken off comes again.
        let _ = request.set_entries(Some(entries)).send().await;
    }
}
