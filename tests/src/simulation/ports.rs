//! Ports that fail: each call takes a while, may not be done, may be done without an answer, and may find a
//! rival. What is behind them keeps its promises.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::configuration::SecretReference;
use countersign_core::keys;
use countersign_core::message::QueueName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Delivery, Outgoing, Queue};
use countersign_core::ports::secrets::Secrets;
use countersign_core::ports::signer::{PublicKey, Signer};
use countersign_core::ports::store::{Store, Version, Versioned, Written};

use super::executor::Sim;
use super::faults::Fault;
use super::invariants::Watch;
use super::memory::queue::MemoryQueue;
use super::memory::store::MemoryStore;
use super::mutant::{Lies, Mutant};

/// The store, as one role sees it.
#[derive(Clone)]
pub struct FailingStore {
    /// Who uses it.
    pub role: &'static str,
    /// The time, and what goes wrong.
    pub sim: Sim,
    /// What is behind it.
    pub inner: MemoryStore,
    /// Who looks on.
    pub watch: Arc<Watch>,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
    /// What that remembers.
    pub lies: Lies,
}

/// The queues, as one role sees them.
#[derive(Clone)]
pub struct FailingQueue {
    /// Who uses it.
    pub role: &'static str,
    /// The time, and what goes wrong.
    pub sim: Sim,
    /// What is behind it.
    pub inner: MemoryQueue,
    /// Who looks on.
    pub watch: Arc<Watch>,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
}

/// A signer that does not always answer.
pub struct FailingSigner<S> {
    /// The time, and what goes wrong.
    pub sim: Sim,
    /// Signs.
    pub inner: Arc<S>,
}

/// The one secret that there is.
#[derive(Clone)]
pub struct FailingSecrets {
    /// The time, and what goes wrong.
    pub sim: Sim,
}

/// The role of a `record` that works beside the one that should work alone.
pub const RIVAL: &str = "rival";

/// What webhooks are signed with.
pub const SECRET: &[u8] = b"only-for-the-simulation";

fn unavailable(what: &str) -> PortError {
    PortError::Unavailable(format!("{what}: simulated"))
}

/// Does `effect` between two moments in which everything else may happen.
async fn call<T>(
    sim: &Sim,
    what: &[&str],
    effect: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    sim.step().await;
    let place = what.first().copied().unwrap_or_default();
    if sim.fault(Fault::Refused, place) {
        return Err(unavailable("not done"));
    }
    sim.note(what);
    let answer = effect.await;
    sim.step().await;
    if sim.fault(Fault::Lost, place) {
        return Err(unavailable("the answer was lost"));
    }
    answer
}

impl FailingStore {
    /// The second `record` is never heard of again once it would write something that is not the log's.
    async fn survives(&self, key: &str) {
        if self.role == RIVAL && !key.starts_with(keys::LOG) {
            std::future::pending::<()>().await;
        }
    }

    /// What an adapter says that tried twice: the first try was stored, so the second one met it.
    fn rival(&self, written: Written, key: &str) -> Written {
        let stored = matches!(written, Written::Stored(_));
        if stored && self.sim.fault(Fault::Race, key) { Written::Conflict } else { written }
    }

    fn stored(&self, key: &str, bytes: &[u8], written: &Written) {
        if matches!(written, Written::Stored(_)) {
            self.watch.stored(&self.inner, key, bytes);
        }
    }
}

impl Store for FailingStore {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        let found = call(&self.sim, &[self.role, "get", key], self.inner.get(key)).await?;
        Ok(match self.mutant {
            Some(mutant) => mutant.read(&self.lies, self.role, key, found),
            None => found,
        })
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<Version, PortError> {
        self.survives(key).await;
        let seen = if key.starts_with("refs/") { String::from_utf8_lossy(bytes) } else { "".into() };
        call(&self.sim, &[self.role, "put", key, &seen], async {
            let version = self.inner.put(key, bytes).await?;
            self.watch.stored(&self.inner, key, bytes);
            Ok(version)
        })
        .await
    }

    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Written, PortError> {
        self.survives(key).await;
        call(&self.sim, &[self.role, "put-if-absent", key], async {
            let written = self.inner.put_if_absent(key, bytes).await?;
            self.stored(key, bytes, &written);
            Ok(self.rival(written, key))
        })
        .await
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        self.survives(key).await;
        call(&self.sim, &[self.role, "swap", key], async {
            if let Some(version) =
                self.mutant.and_then(|mutant| mutant.swaps_blindly(&self.lies, self.role, key, bytes))
            {
                return Ok(Written::Stored(version));
            }
            let written = self.inner.compare_and_swap(key, expected, bytes).await?;
            self.stored(key, bytes, &written);
            Ok(self.rival(written, key))
        })
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, PortError> {
        call(&self.sim, &[self.role, "list", prefix], self.inner.list(prefix, after, limit)).await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.survives(key).await;
        call(&self.sim, &[self.role, "delete", key], async {
            let held = self.inner.peek(key).is_some();
            self.inner.delete(key).await?;
            // What somebody else took off meanwhile is not dropped.
            if held {
                self.watch.deleted(self.role, key);
            }
            Ok(())
        })
        .await
    }
}

impl Queue for FailingQueue {
    async fn send(&self, queue: &QueueName, messages: &[Outgoing]) -> Result<(), PortError> {
        let mut messages = messages.to_vec();
        for message in &mut messages {
            if self.sim.fault(Fault::Late, &queue.to_string()) {
                let late = self.sim.fault_between(1_000, 20 * 60_000);
                message.delay += Duration::from_millis(u64::try_from(late).unwrap_or(0));
            }
        }
        let name = queue.to_string();
        // So that a fence has something to keep out.
        let again = self.mutant == Some(Mutant::Unfenced) && matches!(queue, QueueName::Deploys(_));
        if queue.is_ordered() && (self.sim.fault(Fault::Again, &name) || again) {
            self.inner.send_again(queue, &messages, self.sim.fault_between(310_000, 1_200_000));
        }
        call(&self.sim, &[self.role, "send", &name, &messages.len().to_string()], async {
            if self.mutant.is_some_and(|mutant| mutant.swallows(self.role)) {
                return Ok(());
            }
            self.inner.send(queue, &messages).await?;
            self.watch.sent(self.role, &messages);
            Ok(())
        })
        .await
    }

    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let name = queue.to_string();
        let taken = self.inner.receive(queue, max, visibility, wait).await?;
        if taken.is_empty() {
            return Ok(taken);
        }
        for delivery in &taken {
            self.sim.note(&[self.role, "receive", &name, &delivery.message.id]);
            if !queue.is_ordered() && self.sim.fault(Fault::Twice, &name) {
                self.inner.repeat(queue, delivery);
            }
        }
        self.sim.step().await;
        if self.sim.fault(Fault::Lost, &name) {
            return Err(unavailable("the answer was lost"));
        }
        Ok(taken)
    }

    async fn acknowledge(&self, queue: &QueueName, receipt: &str) -> Result<(), PortError> {
        let what = [self.role, "acknowledge", &queue.to_string(), receipt];
        call(&self.sim, &what, self.inner.acknowledge(queue, receipt)).await
    }

    async fn extend(&self, queue: &QueueName, receipt: &str, visibility: Duration) -> Result<(), PortError> {
        let what = [self.role, "extend", &queue.to_string(), receipt];
        call(&self.sim, &what, self.inner.extend(queue, receipt, visibility)).await
    }

    async fn bury(&self, queue: &QueueName, receipt: &str, reason: &str) -> Result<(), PortError> {
        let what = [self.role, "bury", &queue.to_string(), reason];
        call(&self.sim, &what, self.inner.bury(queue, receipt, reason)).await
    }
}

impl<S: Signer + Send> Signer for FailingSigner<S> {
    fn public_key(&self) -> &PublicKey {
        self.inner.public_key()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PortError> {
        call(&self.sim, &["sign"], self.inner.sign(message)).await
    }
}

impl Secrets for FailingSecrets {
    async fn read(&self, _: &SecretReference) -> Result<Vec<u8>, PortError> {
        call(&self.sim, &["secret"], async { Ok(SECRET.to_vec()) }).await
    }
}
