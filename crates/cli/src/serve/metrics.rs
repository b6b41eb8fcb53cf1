//! What is counted, in the text format that Prometheus reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_core::keys;
use countersign_core::message::QueueName;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{self, Store as _};
use countersign_core::stage::{BatchResult, StageError};
use countersign_core::target::TargetState;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::node::Node;
use crate::installation::now;

/// A label set of one or two fixed names.
type Labels = Vec<(&'static str, String)>;

/// What is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    messages: Family<Labels, Counter>,
    batches: Family<Labels, Histogram>,
    waits: Family<Labels, Histogram>,
    writes: Counter,
    commits: Counter,
    commit_seconds: Counter<f64, AtomicU64>,
    depth: Family<Labels, Gauge>,
    oldest: Family<Labels, Gauge>,
    leaves: Gauge,
    drifted: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let mut metrics = Self {
            registry: Registry::with_prefix("countersign"),
            requests: Family::default(),
            messages: Family::default(),
            batches: Family::new_with_constructor(seconds),
            waits: Family::new_with_constructor(seconds),
            writes: Counter::default(),
            commits: Counter::default(),
            commit_seconds: Counter::default(),
            depth: Family::default(),
            oldest: Family::default(),
            leaves: Gauge::default(),
            drifted: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "requests",
            "Webhooks and commands, by what was answered",
            metrics.requests.clone(),
        );
        registry.register("messages", "Messages that a stage took, by result", metrics.messages.clone());
        let help = "How long a stage worked on a batch";
        registry.register_with_unit("batch_duration", help, Unit::Seconds, metrics.batches.clone());
        let help = "How long a message waited until a stage took it";
        registry.register_with_unit("queue_wait", help, Unit::Seconds, metrics.waits.clone());
        registry.register("database_writes", "Writes to the database", metrics.writes.clone());
        let help = "Durable commits; writes that come at once share one";
        registry.register("database_commits", help, metrics.commits.clone());
        let help = "How long durable commits took";
        registry.register_with_unit("database_commit", help, Unit::Seconds, metrics.commit_seconds.clone());
        registry.register("queue_messages", "Messages by queue and state", metrics.depth.clone());
        let help = "How long the oldest message of a queue has waited";
        registry.register_with_unit("queue_oldest_age", help, Unit::Seconds, metrics.oldest.clone());
        registry.register(
            "log_leaves_settled",
            "Leaves whose consequences took place",
            metrics.leaves.clone(),
        );
        let help = "Targets that run something else than was authorized";
        registry.register("targets_drifted", help, metrics.drifted.clone());
        metrics
    }
}

impl Metrics {
    /// Counts an answer.
    pub fn answered(&self, counted_as: &'static str) {
        self.requests.get_or_create(&vec![("answer", counted_as.to_owned())]).inc();
    }

    /// Counts a stage's work on a batch.
    pub fn worked(&self, queue: &QueueName, took: Duration, results: &BatchResult) {
        let queue = queue.to_string();
        self.batches.get_or_create(&vec![("queue", queue.clone())]).observe(took.as_secs_f64());
        for result in results {
            let result = match result {
                Ok(()) => "done",
                Err(StageError::Retry(_)) => "retry",
                Err(StageError::Final(_)) => "dead",
            };
            let labels = vec![("queue", queue.clone()), ("result", result.to_owned())];
            self.messages.get_or_create(&labels).inc();
        }
    }

    /// Counts how long a message waited.
    pub fn waited(&self, queue: &str, waited: Duration) {
        self.waits.get_or_create(&vec![("queue", queue.to_owned())]).observe(waited.as_secs_f64());
    }

    /// Everything that is counted, as text.
    ///
    /// # Errors
    /// When the queues cannot be read.
    pub async fn text(&self, node: &Node) -> Result<String, PortError> {
        let active = node.configurations.active(&node.store).await?;
        let clusters = active.iter().flat_map(|active| active.configuration.clusters.keys());
        for queue in QueueName::all(clusters) {
            self.measure(node, &queue)?;
        }
        let written = node.database.written();
        self.writes.inner().store(written.writes, Ordering::Relaxed);
        self.commits.inner().store(written.commits, Ordering::Relaxed);
        self.commit_seconds.inner().store(written.took.as_secs_f64().to_bits(), Ordering::Relaxed);
        let settled: u64 = store::get_json(&node.store, keys::SETTLED).await?.unwrap_or(0);
        self.leaves.set(i64::try_from(settled).unwrap_or(i64::MAX));
        self.drifted.set(drifted(node).await?);
        let mut text = String::new();
        encode(&mut text, &self.registry)
            .map_err(|error| PortError::Unavailable(format!("metrics cannot be written: {error}")))?;
        Ok(text)
    }

    fn measure(&self, node: &Node, queue: &QueueName) -> Result<(), PortError> {
        let depth = node.queue.depth(queue)?;
        let name = queue.to_string();
        let states = [
            ("visible", depth.visible),
            ("in_flight", depth.in_flight),
            ("delayed", depth.delayed),
            ("dead", depth.dead),
        ];
        for (state, count) in states {
            let labels = vec![("queue", name.clone()), ("state", state.to_owned())];
            self.depth.get_or_create(&labels).set(i64::from(count));
        }
        let age = depth.oldest.map_or(Duration::ZERO, |oldest| now().since(oldest));
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        self.oldest.get_or_create(&vec![("queue", name)]).set(age);
        Ok(())
    }
}

/// How many targets run something else than was authorized.
async fn drifted(node: &Node) -> Result<i64, PortError> {
    let mut drifted = 0;
    for key in node.store.list(keys::TARGETS, None, usize::MAX).await? {
        let state: Option<TargetState> = store::get_json(&node.store, &key).await?;
        drifted += i64::from(state.is_some_and(|state| state.drift.is_some()));
    }
    Ok(drifted)
}
