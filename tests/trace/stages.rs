//! The stages of one installation, driven by hand: one call, one batch of one queue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use countersign_apply::Applier;
use countersign_cluster::keep;
use countersign_core::active::ConfigurationCache;
use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use countersign_core::ports::cluster::Cluster;
use countersign_core::ports::queue::Queue;
use countersign_core::stage::Incoming;
use countersign_core::time::Timestamp;
use countersign_evaluate::{Evaluator, bundles};
use countersign_forge::headers::Headers;
use countersign_gather::Gatherer;
use countersign_git::mirror::{GiveUp, Repositories};
use countersign_git::plain::PlainForge;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::queue::LocalQueue;
use countersign_local::secrets::LocalSecrets;
use countersign_local::simulated::SimulatedCluster;
use countersign_local::store::LocalStore;
use countersign_observe::{Answered, Observer};
use countersign_receive::{Answer, Receiver, Request};
use countersign_record::{Recorder, Settings};
use countersign_render::budget::Budget;
use countersign_report::Reporter;
use serde_json::json;

use crate::installation::{Installation, id};

pub struct Stages<'a> {
    pub store: LocalStore,
    queue: LocalQueue,
    clock: Arc<AtomicI64>,
    installation: &'a Installation,
    settings: Settings,
    configurations: ConfigurationCache,
    bundles: bundles::Bundles,
    repositories: Repositories,
    forge: PlainForge,
    cluster: SimulatedCluster,
    name: ClusterName,
}

fn never() -> GiveUp {
    Arc::new(|| false)
}

impl<'a> Stages<'a> {
    /// The first day: the bundle is stored, leaf 0 is appended, the cluster trusts the installation.
    pub async fn begin(installation: &'a Installation, data: &Path) -> Self {
        let genesis = &installation.genesis.1;
        let database = Database::open(data).unwrap();
        let clock = Arc::new(AtomicI64::new(genesis.created.as_millis()));
        let reads = Arc::clone(&clock);
        let tells = move || Timestamp::from_millis(reads.load(Ordering::Relaxed));
        let name: ClusterName = "local".parse().unwrap();
        let uid = &installation.bundle.configuration().clusters[&name].uid;
        let folder =
            |name: &str| (id(&format!("local/{name}")), PathBuf::from(format!("repositories/{name}")));
        let stages = Self {
            store: LocalStore::new(&database),
            queue: LocalQueue::new(&database, Arc::new(tells), 3),
            clock,
            installation,
            settings: Settings {
                origin: genesis.origin.clone(),
                epoch: genesis.epoch,
                root_key: genesis.root_key.clone(),
                pseudonym_secret: "only for the trace".to_owned(),
            },
            configurations: ConfigurationCache::default(),
            bundles: bundles::Bundles::default(),
            repositories: Repositories::new("mirrors"),
            forge: PlainForge::new(BTreeMap::from([folder("control"), folder("shop")])),
            cluster: SimulatedCluster::open(&database, &name, uid).unwrap(),
            name,
        };
        let trust = Trust::new(&Epochs::new(genesis), uid, Witnesses::default());
        keep::install_trust(&stages.cluster, &serde_json::to_string(&trust).unwrap()).await.unwrap();
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop-staging" } });
        stages.cluster.compare_and_swap(&namespace).await.unwrap();
        bundles::store(&stages.store, &installation.bundle).await.unwrap();
        stages.recorder().genesis(stages.now(), &installation.genesis.0).await.unwrap();
        stages
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::Relaxed))
    }

    pub fn set_time(&self, now: Timestamp) {
        self.clock.store(now.as_millis(), Ordering::Relaxed);
    }

    /// Time goes on a little, as it does between stages, and workloads come up.
    fn tick(&self) {
        self.clock.fetch_add(100, Ordering::Relaxed);
        self.cluster.advance(self.now()).unwrap();
    }

    pub async fn receive(&self, headers: &Headers, body: &[u8]) -> Answer {
        let receiver = Receiver {
            store: &self.store,
            queue: &self.queue,
            secrets: &LocalSecrets,
            configurations: &self.configurations,
            root_key: &self.installation.genesis.1.root_key,
        };
        receiver.webhook(Request { host: "local", headers, body, received: self.now() }).await
    }

    fn recorder(&self) -> Recorder<'_, LocalStore, LocalQueue, KeyFile, KeyFile> {
        Recorder {
            store: &self.store,
            queue: &self.queue,
            log_signer: &self.installation.log_signer,
            authorization_signer: &self.installation.authorization_signer,
            settings: &self.settings,
            configurations: &self.configurations,
        }
    }

    /// Lets the stage behind a queue take the messages that wait there; gives those messages.
    pub async fn step(&self, queue: &QueueName) -> Vec<Incoming> {
        self.tick();
        let waiting = self.queue.receive(queue, 10, Duration::from_secs(60), Duration::ZERO).await.unwrap();
        let batch: Vec<_> = waiting.iter().map(|delivery| delivery.message.clone()).collect();
        if batch.is_empty() {
            return batch;
        }
        let results = self.handle(queue, &batch).await;
        for (delivery, result) in waiting.iter().zip(results) {
            result.unwrap_or_else(|error| panic!("{queue}: {error}: {}", delivery.message.body));
            self.queue.acknowledge(queue, &delivery.receipt).await.unwrap();
        }
        batch
    }

    async fn handle(&self, queue: &QueueName, batch: &[Incoming]) -> countersign_core::stage::BatchResult {
        let (store, sends, cluster, name, now) =
            (&self.store, &self.queue, &self.cluster, &self.name, self.now());
        match queue {
            QueueName::Events => self.gatherer().handle(batch).await,
            QueueName::Facts => Evaluator { store, queue: sends, bundles: &self.bundles }.handle(batch).await,
            QueueName::Decisions => self.recorder().decisions(now, batch).await,
            QueueName::Deploys(_) => {
                let pause = || std::future::ready(());
                Applier { name, store, queue: sends, cluster, pause }.handle(now, batch).await
            }
            QueueName::Observations(_) => {
                Observer { name, store, queue: sends, cluster, answered: &Answered::default() }
                    .handle(now, batch)
                    .await
            }
            QueueName::Outcomes(_) => self.recorder().outcomes(name, now, batch).await,
            QueueName::Reports => Reporter { store, forge: &self.forge }.handle(batch).await,
            QueueName::DeadLetters(of) => self.recorder().dead_letters(of.as_ref(), now, batch).await,
        }
    }

    fn gatherer(&self) -> Gatherer<'_, LocalStore, LocalQueue, PlainForge> {
        static BUDGET: std::sync::LazyLock<Budget> = std::sync::LazyLock::new(Budget::default);
        Gatherer {
            store: &self.store,
            queue: &self.queue,
            forge: &self.forge,
            repositories: &self.repositories,
            configurations: &self.configurations,
            budget: &BUDGET,
            fetch_deadline: never,
        }
    }

    /// Lets every stage work until nothing waits.
    pub async fn settle(&self) {
        let cluster = || self.name.clone();
        let queues = [
            QueueName::Events,
            QueueName::Facts,
            QueueName::Decisions,
            QueueName::Deploys(cluster()),
            QueueName::Observations(cluster()),
            QueueName::Outcomes(cluster()),
            QueueName::Reports,
        ];
        loop {
            let mut taken = 0;
            for queue in &queues {
                taken += self.step(queue).await.len();
            }
            let depth = |queue| self.queue.depth(queue).unwrap();
            if taken == 0 && queues.iter().all(|queue| depth(queue).visible + depth(queue).delayed == 0) {
                return;
            }
        }
    }
}
