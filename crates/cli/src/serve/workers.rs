//! The workers of the process: one pump per queue, each on a thread of its own, so that no stage waits for
//! another's disk or Git.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use countersign_core::configuration::{Cluster as ClusterConfiguration, ClusterState};
use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use countersign_evaluate::Evaluator;
use countersign_gather::Gatherer;
use countersign_git::mirror::GiveUp;
use countersign_report::Reporter;
use tokio::sync::{mpsc, watch};

use super::node::Node;
use super::{clusters, pump, timer, witness};
use crate::installation::now;

/// How many messages a stage takes at once.
const BATCH: usize = 32;
/// How many `record` takes at once: all of them go under one checkpoint; `report`: those of one commit are one.
const RECORD_BATCH: usize = 100;
/// How many events are gathered side by side.
const GATHERERS: usize = 2;
/// How often is looked whether the configuration names another cluster.
const CLUSTERS_TICK: Duration = Duration::from_secs(1);
/// How long one fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(120);

/// Lives as long as a worker does: when all are dropped, all workers have ended.
type Alive = mpsc::Sender<()>;

/// Starts every worker; the returned future ends when all have stopped.
pub fn start(node: &Arc<Node>, stop: &watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
    let (alive, mut ended) = mpsc::channel::<()>(1);
    for number in 0..GATHERERS {
        spawn(&format!("gather-{number}"), node, stop, &alive, gather);
    }
    spawn("evaluate", node, stop, &alive, evaluate);
    spawn("record", node, stop, &alive, record);
    spawn("dead-letters", node, stop, &alive, async |node, stop| dead_letters(node, stop, None).await);
    spawn("report", node, stop, &alive, report);
    spawn("timer", node, stop, &alive, async |node, stop| timer::wake(&node, stop).await);
    spawn("poll", node, stop, &alive, async |node, stop| timer::look(&node, stop).await);
    if node.witness.is_some() {
        spawn("witness", node, stop, &alive, async |node, stop| {
            if let Some(witness) = &node.witness {
                witness::follow(&node, witness, stop).await;
            }
        });
    }
    let keep = alive.clone();
    spawn("clusters", node, stop, &alive, async move |node, stop| follow_clusters(&node, stop, &keep).await);
    drop(alive);
    async move { while ended.recv().await.is_some() {} }
}

/// Runs `work` on a thread with a runtime of its own: a stage may use the disk and Git without hindering others.
fn spawn<W>(name: &str, node: &Arc<Node>, stop: &watch::Receiver<bool>, alive: &Alive, work: W)
where
    W: AsyncFnOnce(Arc<Node>, watch::Receiver<bool>) + Send + 'static,
{
    let (node, stop, alive) = (Arc::clone(node), stop.clone(), alive.clone());
    let body = move || {
        let _alive = alive;
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(work(node, stop)),
            Err(error) => tracing::error!(%error, "a worker cannot be started"),
        }
    };
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(body) {
        tracing::error!(name, %error, "a worker cannot be started");
    }
}

async fn gather(node: Arc<Node>, stop: watch::Receiver<bool>) {
    let stage = Gatherer {
        store: &node.store,
        queue: &node.queue,
        forge: &node.forges,
        repositories: &node.repositories,
        configurations: &node.configurations,
        budget: &node.budget,
        fetch_deadline,
    };
    pump::run(&node, &QueueName::Events, 1, stop, async |batch| stage.handle(batch).await).await;
}

/// Starts the time of one fetch, and tells when it is over.
pub fn fetch_deadline() -> GiveUp {
    let started = Instant::now();
    Arc::new(move || started.elapsed() > FETCH_TIME)
}

async fn evaluate(node: Arc<Node>, stop: watch::Receiver<bool>) {
    let stage = Evaluator { store: &node.store, queue: &node.queue, bundles: &node.bundles };
    pump::run(&node, &QueueName::Facts, BATCH, stop, async |batch| stage.handle(batch).await).await;
}

async fn record(node: Arc<Node>, stop: watch::Receiver<bool>) {
    let recorder = node.recorder();
    pump::run(&node, &QueueName::Decisions, RECORD_BATCH, stop, async |batch| {
        let _alone = node.recording.lock().await;
        recorder.handle(&QueueName::Decisions, now(), batch).await
    })
    .await;
}

/// Records what became a dead letter: of one cluster's queues, or of those that serve none.
async fn dead_letters(node: Arc<Node>, stop: watch::Receiver<bool>, cluster: Option<ClusterName>) {
    let recorder = node.recorder();
    let queue = QueueName::DeadLetters(cluster);
    pump::run(&node, &queue, RECORD_BATCH, stop, async |batch| {
        let _alone = node.recording.lock().await;
        recorder.handle(&queue, now(), batch).await
    })
    .await;
}

async fn report(node: Arc<Node>, stop: watch::Receiver<bool>) {
    let stage = Reporter { store: &node.store, forge: &node.forges };
    pump::run(&node, &QueueName::Reports, RECORD_BATCH, stop, async |batch| stage.handle(batch).await).await;
}

/// Starts the workers of every cluster that the active configuration names, also of those added later.
async fn follow_clusters(node: &Arc<Node>, mut stop: watch::Receiver<bool>, alive: &Alive) {
    let mut known: BTreeMap<ClusterName, ClusterConfiguration> = BTreeMap::new();
    while !*stop.borrow() {
        match node.configurations.active(&node.store).await {
            Ok(Some(active)) => {
                for (name, cluster) in &active.configuration.clusters {
                    if cluster.state == ClusterState::Active && !known.contains_key(name) {
                        known.insert(name.clone(), cluster.clone());
                        start_cluster(node, &stop, alive, name, cluster);
                    }
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the configuration cannot be read now"),
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(CLUSTERS_TICK) => {}
        }
    }
}

fn start_cluster(
    node: &Arc<Node>,
    stop: &watch::Receiver<bool>,
    alive: &Alive,
    name: &ClusterName,
    cluster: &ClusterConfiguration,
) {
    let (outcomes, letters, of) = (name.clone(), name.clone(), name.clone());
    spawn(&format!("dead-letters-{name}"), node, stop, alive, async move |node, stop| {
        dead_letters(node, stop, Some(letters)).await;
    });
    spawn(&format!("outcomes-{name}"), node, stop, alive, async move |node, stop| {
        let recorder = node.recorder();
        let queue = QueueName::Outcomes(outcomes);
        pump::run(&node, &queue, RECORD_BATCH, stop, async |batch| {
            let _alone = node.recording.lock().await;
            recorder.handle(&queue, now(), batch).await
        })
        .await;
    });
    for work in [clusters::Work::Apply, clusters::Work::Observe, clusters::Work::Drift] {
        let (of, cluster) = (of.clone(), cluster.clone());
        spawn(&format!("{work}-{name}"), node, stop, alive, async move |node, stop| {
            clusters::run(&node, &of, &cluster, work, stop).await;
        });
    }
}
