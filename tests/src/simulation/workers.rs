//! The workers of an installation: each stage behind its queue, as `serve` and the cloud run them.

mod recording;

use std::sync::Arc;
use std::time::Duration;

use countersign_apply::Applier;
use countersign_core::active::ConfigurationCache;
use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Delivery, Queue as _};
use countersign_core::stage::{BatchResult, Incoming, StageError, left_over};
use countersign_drift::Drifter;
use countersign_evaluate::{Evaluator, bundles};
use countersign_gather::Gatherer;
use countersign_git::mirror::{GiveUp, Repositories};
use countersign_observe::{Answered, Observer};
use countersign_poll::Poller;
use countersign_render::budget::Budget;
use countersign_report::Reporter;
use countersign_witness::{Found, Witness};
use tokio::sync::Mutex;

use super::cluster::FailingCluster;
use super::executor::{Sim, Spawner, Work};
use super::forge::Forge;
use super::installation::{CLUSTERS, Prepared, WITNESS};
use super::invariants::Watch;
use super::memory::queue::MemoryQueue;
use super::memory::store::MemoryStore;
use super::mutant::{Lies, Mutant};
use super::ports::{FailingQueue, FailingSigner, FailingStore};

/// How long a received message is hidden from others.
const VISIBILITY: Duration = Duration::from_mins(10);
/// How long a receive waits. What comes meanwhile ends it.
const WAIT: Duration = Duration::from_hours(1);
/// Retries of a message widen from the first to the second.
const RETRIES: (i64, i64) = (250, 600_000);
/// How often what waits is woken.
const TICK: i64 = 30_000;
/// How often what runs is compared with what was authorized.
const DRIFT: i64 = 300_000;
/// The longest rest between two looks for what no webhook brought.
const REST: i64 = 300_000;

/// An installation; clones share it.
#[derive(Clone)]
pub struct World {
    /// The time, and what goes wrong.
    pub sim: Sim,
    /// Starts workers.
    pub spawner: Spawner,
    /// What everything begins with.
    pub prepared: Arc<Prepared>,
    /// What is behind every store.
    pub store: MemoryStore,
    /// What is behind every queue.
    pub queue: MemoryQueue,
    /// The forge.
    pub forge: Forge,
    /// Who looks on.
    pub watch: Arc<Watch>,
    /// The clusters, by name.
    pub clusters: Vec<FailingCluster>,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
    /// What that remembers.
    pub lies: Lies,
    /// `record` works alone.
    pub alone: Arc<Mutex<()>>,
    /// Bundles with their engines. They are named by what they hold, so that a crash loses nothing of them but time.
    pub bundles: Arc<bundles::Bundles>,
}

impl World {
    /// The store, as a role sees it.
    #[must_use]
    pub fn store_of(&self, role: &'static str) -> FailingStore {
        let (sim, inner, watch) = (self.sim.clone(), self.store.clone(), Arc::clone(&self.watch));
        FailingStore { role, sim, inner, watch, mutant: self.mutant, lies: self.lies.clone() }
    }

    /// The queues, as a role sees them.
    #[must_use]
    pub fn queue_of(&self, role: &'static str) -> FailingQueue {
        let (sim, inner, watch) = (self.sim.clone(), self.queue.clone(), Arc::clone(&self.watch));
        FailingQueue { role, sim, inner, watch, mutant: self.mutant }
    }

    /// Starts every worker.
    pub fn start(&self) {
        self.worker("genesis", |world| Box::pin(world.genesis()));
        self.worker("gather-0", |world| Box::pin(world.gather()));
        self.worker("gather-1", |world| Box::pin(world.gather()));
        self.worker("evaluate", |world| Box::pin(world.evaluate()));
        self.worker("record", |world| Box::pin(world.record(QueueName::Decisions)));
        self.worker("report", |world| Box::pin(world.report()));
        self.worker("timer", |world| Box::pin(world.timer()));
        self.worker("poll", |world| Box::pin(world.poll()));
        for (index, (name, _)) in CLUSTERS.iter().enumerate() {
            self.worker(&format!("outcomes-{name}"), move |world| {
                Box::pin(world.record(QueueName::Outcomes(name_of(index))))
            });
            self.worker(&format!("apply-{name}"), move |world| Box::pin(world.apply(index)));
            self.worker(&format!("observe-{name}"), move |world| Box::pin(world.observe(index)));
            if self.mutant != Some(Mutant::Undrifted) {
                self.worker(&format!("drift-{name}"), move |world| Box::pin(world.drift(index)));
            }
        }
        self.worker(WITNESS, |world| Box::pin(world.witness()));
    }

    fn worker(&self, name: &str, work: impl Fn(Self) -> Work + 'static) {
        let world = self.clone();
        self.spawner.worker(name, move || work(world.clone()));
    }

    /// Moves messages from a queue to a stage.
    async fn pump(
        &self,
        role: &'static str,
        name: QueueName,
        batch_size: usize,
        stage: impl AsyncFn(&[Incoming]) -> BatchResult,
    ) {
        let queue = self.queue_of(role);
        loop {
            let Ok(deliveries) = queue.receive(&name, batch_size, VISIBILITY, WAIT).await else {
                self.sim.sleep(1_000).await;
                continue;
            };
            if self.mutant == Some(Mutant::EarlyAcknowledgement) {
                for delivery in &deliveries {
                    let _ = queue.acknowledge(&name, &delivery.receipt).await;
                }
            }
            let batch: Vec<_> = deliveries.iter().map(|delivery| delivery.message.clone()).collect();
            if batch.is_empty() {
                continue;
            }
            let results = stage(&batch).await;
            let left = left_over(&batch, &results, name.is_ordered());
            for (index, (delivery, result)) in deliveries.iter().zip(&results).enumerate() {
                // A receipt that is no longer valid means that the message comes again, or was taken.
                let _ = conclude(&queue, &name, delivery, result, left.contains(&index)).await;
            }
        }
    }

    async fn gather(self) {
        let (store, queue) = (self.store_of("gather"), self.queue_of("gather"));
        let (repositories, configurations) = (Repositories::new("mirrors"), ConfigurationCache::default());
        let budget = Budget::default();
        let stage = Gatherer {
            store: &store,
            queue: &queue,
            forge: &self.forge,
            repositories: &repositories,
            configurations: &configurations,
            budget: &budget,
            fetch_deadline: || -> GiveUp { Arc::new(|| false) },
        };
        self.pump("gather", QueueName::Events, 1, async |batch| stage.handle(batch).await).await;
    }

    async fn evaluate(self) {
        let (store, queue) = (self.store_of("evaluate"), self.queue_of("evaluate"));
        let stage = Evaluator { store: &store, queue: &queue, bundles: &self.bundles };
        self.pump("evaluate", QueueName::Facts, 10, async |batch| stage.handle(batch).await).await;
    }

    async fn report(self) {
        let store = self.store_of("report");
        let stage = Reporter { store: &store, forge: &self.forge };
        self.pump("report", QueueName::Reports, 10, async |batch| stage.handle(batch).await).await;
    }

    async fn apply(self, cluster: usize) {
        let (name, zone) = (name_of(cluster), CLUSTERS[cluster].0);
        let (store, queue) = (self.store_of("apply"), self.queue_of("apply"));
        let pause = || self.sim.sleep(250);
        let cluster = &self.clusters[cluster];
        let stage = Applier { name: &name, store: &store, queue: &queue, cluster, pause };
        self.pump("apply", QueueName::Deploys(name.clone()), 10, async |batch| {
            let _ = cluster.inner.advance(self.sim.true_time());
            stage.handle(self.sim.clock(zone), batch).await
        })
        .await;
    }

    async fn observe(self, cluster: usize) {
        let (name, zone) = (name_of(cluster), CLUSTERS[cluster].0);
        let (store, queue) = (self.store_of("observe"), self.queue_of("observe"));
        let cluster = &self.clusters[cluster];
        let answered = Answered::default();
        let stage = Observer { name: &name, store: &store, queue: &queue, cluster, answered: &answered };
        self.pump("observe", QueueName::Observations(name.clone()), 10, async |batch| {
            let _ = cluster.inner.advance(self.sim.true_time());
            stage.handle(self.sim.clock(zone), batch).await
        })
        .await;
    }

    /// Compares what runs with what was authorized.
    async fn drift(self, cluster: usize) {
        let (name, zone) = (name_of(cluster), CLUSTERS[cluster].0);
        let (store, queue) = (self.store_of("drift"), self.queue_of("drift"));
        let pause = || self.sim.sleep(250);
        let (cluster, configurations) = (&self.clusters[cluster], &ConfigurationCache::default());
        let stage = Drifter { name: &name, store: &store, queue: &queue, cluster, configurations, pause };
        loop {
            // What cannot be compared now is compared at the next look.
            let _ = stage.handle(self.sim.clock(zone)).await;
            self.sim.sleep(DRIFT).await;
        }
    }

    /// Cosigns what extends what it saw.
    async fn witness(self) {
        let (store, keys) = (self.store_of(WITNESS), [self.prepared.log_key()]);
        let signer =
            FailingSigner { sim: self.sim.clone(), inner: Arc::clone(&self.prepared.witness_signer) };
        let stage = Witness { log: &store, own: &store, keys: &keys, name: WITNESS, signer: &signer };
        loop {
            if !self.sim.is_away(WITNESS) {
                match stage.handle(self.sim.clock("countersign")).await {
                    Ok(Found::Inconsistent(why)) => {
                        self.sim.violate(format!("the witness finds another log: {why}"));
                    }
                    // What failed is looked at again.
                    Ok(Found::Nothing | Found::Extended(_)) | Err(_) => {}
                }
            }
            self.sim.sleep(TICK).await;
        }
    }

    /// Wakes what waits.
    async fn timer(self) {
        let (store, queue) = (self.store_of("timer"), self.queue_of("timer"));
        let (repositories, configurations) = (Repositories::new("mirrors"), ConfigurationCache::default());
        let stage = self.poller(&store, &queue, &repositories, &configurations);
        loop {
            // What fails is tried again at the next tick.
            let _ = stage.wake(self.sim.clock("forge")).await;
            self.sim.sleep(TICK).await;
        }
    }

    /// Looks for what no webhook brought.
    async fn poll(self) {
        let (store, queue) = (self.store_of("poll"), self.queue_of("poll"));
        let (repositories, configurations) = (Repositories::new("mirrors"), ConfigurationCache::default());
        let stage = self.poller(&store, &queue, &repositories, &configurations);
        loop {
            let looked = stage.look(self.sim.clock("forge")).await;
            let wait =
                looked.map_or(0, |polled| polled.next.as_millis() - self.sim.clock("forge").as_millis());
            self.sim.sleep(wait.clamp(TICK, REST)).await;
        }
    }

    fn poller<'a>(
        &'a self,
        store: &'a FailingStore,
        queue: &'a FailingQueue,
        repositories: &'a Repositories,
        configurations: &'a ConfigurationCache,
    ) -> Poller<'a, FailingStore, FailingQueue, Forge> {
        let deadline = || -> GiveUp { Arc::new(|| false) };
        Poller { store, queue, forge: &self.forge, repositories, configurations, deadline }
    }
}

fn name_of(cluster: usize) -> ClusterName {
    CLUSTERS[cluster].0.parse().expect("a cluster's name")
}

async fn conclude(
    queue: &FailingQueue,
    name: &QueueName,
    delivery: &Delivery,
    result: &Result<(), StageError>,
    left: bool,
) -> Result<(), PortError> {
    let (first, widest) = RETRIES;
    match result {
        Err(StageError::Final(why)) => queue.bury(name, &delivery.receipt, why).await,
        Err(StageError::Retry(why)) => {
            queue.sim.note(&[queue.role, "retries", why]);
            let doubled = first << delivery.message.receive_count.saturating_sub(1).min(12);
            let delay = u64::try_from(doubled.min(widest)).unwrap_or(0);
            queue.extend(name, &delivery.receipt, Duration::from_millis(delay)).await
        }
        Ok(()) if left => queue.extend(name, &delivery.receipt, Duration::ZERO).await,
        Ok(()) => queue.acknowledge(name, &delivery.receipt).await,
    }
}
