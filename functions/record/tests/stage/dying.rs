//! Ports that can die at any call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_core::message::QueueName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Delivery, Outgoing, Queue};
use countersign_core::ports::store::{Store, Version, Versioned, Written};
use countersign_local::key_file::KeyFile;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;
use countersign_record::Recorder;

/// The stage on ports that can die.
pub type Mortal<'a> = Recorder<'a, Dying<'a, LocalStore>, Dying<'a, LocalQueue>, KeyFile, KeyFile>;

/// A port that dies at one of its calls, before or after the call took effect.
pub struct Dying<'a, P> {
    inner: &'a P,
    calls: &'a AtomicUsize,
    dies_at: usize,
    answers_lost: bool,
}

impl<'a, P> Dying<'a, P> {
    pub fn new(inner: &'a P, calls: &'a AtomicUsize, dies_at: usize, answers_lost: bool) -> Self {
        Self { inner, calls, dies_at, answers_lost }
    }

    /// Whether this call takes effect, and whether its answer arrives. Once dead, nothing works any more.
    fn call(&self) -> (bool, bool) {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        (number < self.dies_at || (number == self.dies_at && self.answers_lost), number < self.dies_at)
    }

    async fn with<T>(&self, work: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
        let died = PortError::Unavailable("the process died".to_owned());
        let (acts, answers) = self.call();
        if !acts {
            return Err(died);
        }
        let answer = work.await;
        if answers { answer } else { Err(died) }
    }
}

impl<S: Store> Store for Dying<'_, S> {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        self.with(self.inner.get(key)).await
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<Version, PortError> {
        self.with(self.inner.put(key, bytes)).await
    }

    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Written, PortError> {
        self.with(self.inner.put_if_absent(key, bytes)).await
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        self.with(self.inner.compare_and_swap(key, expected, bytes)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, PortError> {
        self.with(self.inner.list(prefix, after, limit)).await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.with(self.inner.delete(key)).await
    }
}

impl<Q: Queue> Queue for Dying<'_, Q> {
    async fn send(&self, queue: &QueueName, messages: &[Outgoing]) -> Result<(), PortError> {
        self.with(self.inner.send(queue, messages)).await
    }

    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        self.with(self.inner.receive(queue, max, visibility, wait)).await
    }

    async fn acknowledge(&self, queue: &QueueName, receipt: &str) -> Result<(), PortError> {
        self.with(self.inner.acknowledge(queue, receipt)).await
    }

    async fn extend(&self, queue: &QueueName, receipt: &str, visibility: Duration) -> Result<(), PortError> {
        self.with(self.inner.extend(queue, receipt, visibility)).await
    }

    async fn bury(&self, queue: &QueueName, receipt: &str, reason: &str) -> Result<(), PortError> {
        self.with(self.inner.bury(queue, receipt, reason)).await
    }
}
