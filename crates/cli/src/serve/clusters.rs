//! The workers of one cluster: `apply`, `observe` and `drift`, on a simulated cluster or any Kubernetes API.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use countersign_apply::Applier;
use countersign_cluster::keep;
use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_core::configuration::{Cluster as ClusterConfiguration, ClusterKind, SecretReference};
use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use countersign_core::ports::cluster::Cluster;
use countersign_drift::Drifter;
use countersign_ledger::trust::Trust;
use countersign_local::simulated::SimulatedCluster;
use countersign_observe::{Answered, Observer};
use tokio::sync::watch;

use super::node::Node;
use super::{pump, timer};
use crate::installation::now;

/// How many messages a cluster's stages take at once.
const BATCH: usize = 16;
/// How long to wait before a cluster is tried again that could not be connected.
const RECONNECT: Duration = Duration::from_secs(5);
/// How long to wait while a CRD becomes established.
const PAUSE: Duration = Duration::from_millis(250);

/// What a worker does for its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Applies what is authorized.
    Apply,
    /// Follows health, and prunes.
    Observe,
    /// Compares what runs with what was authorized.
    Drift,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apply => "apply",
            Self::Observe => "observe",
            Self::Drift => "drift",
        })
    }
}

/// Works for one cluster until told to stop.
pub async fn run(
    node: &Node,
    name: &ClusterName,
    cluster: &ClusterConfiguration,
    work: Work,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        let connected = match cluster.kind {
            ClusterKind::Simulated => simulated(node, name, cluster, work, &stop).await,
            ClusterKind::Kubernetes => kubernetes(node, name, cluster, work, &stop).await,
        };
        let Err(error) = connected else { return };
        tracing::error!(cluster = %name, error = format!("{error:#}"), "cannot connect, what is due for it waits");
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(RECONNECT) => {}
        }
    }
}

async fn kubernetes(
    node: &Node,
    name: &ClusterName,
    cluster: &ClusterConfiguration,
    work: Work,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let kubeconfig = match &cluster.kubeconfig {
        Some(SecretReference::File(path)) => Some(PathBuf::from(path)),
        Some(SecretReference::Environment(variable)) => {
            let path = std::env::var_os(variable).with_context(|| format!("{variable} is not set"))?;
            Some(PathBuf::from(path))
        }
        Some(SecretReference::Managed(secret)) => {
            anyhow::bail!("secret:{secret} is read by cloud functions only: name the kubeconfig by file:PATH")
        }
        None => None,
    };
    let connected = KubeCluster::connect(&Connection { kubeconfig, context: None }).await?;
    pump_for(node, name, &connected, work, stop, || ()).await;
    Ok(())
}

async fn simulated(
    node: &Node,
    name: &ClusterName,
    cluster: &ClusterConfiguration,
    work: Work,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let simulated = SimulatedCluster::open(&node.database, name, &cluster.uid)?;
    // It has no owner but this installation, so nobody else could install keys or make namespaces.
    for namespace in namespaces(node, name).await? {
        let object = serde_json::json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace }
        });
        simulated.compare_and_swap(&object).await?;
    }
    let known = keep::trust(&simulated).await?.and_then(|text| Trust::parse(text.as_bytes()).ok());
    let witnesses = known.as_ref().map(|known| known.witnesses.clone()).unwrap_or_default();
    let trust = Trust::new(&node.epochs, &cluster.uid, witnesses);
    if known.is_none_or(|known| known.epoch < trust.epoch) {
        keep::install_trust(&simulated, &serde_json::to_string(&trust)?).await?;
    }
    let advance = || {
        if let Err(error) = simulated.advance(now()) {
            tracing::error!(cluster = %name, %error, "the simulated cluster does not move");
        }
    };
    pump_for(node, name, &simulated, work, stop, advance).await;
    Ok(())
}

/// The namespaces that the active configuration names on a cluster.
async fn namespaces(node: &Node, name: &ClusterName) -> anyhow::Result<BTreeSet<String>> {
    let active = node.configurations.active(&node.store).await?;
    let configuration = active.map(|active| active.configuration);
    let targets = configuration.iter().flat_map(|configuration| configuration.targets());
    let here = targets.filter(|target| target.target.cluster == *name);
    Ok(here.flat_map(|target| target.placement.namespaces.clone()).collect())
}

async fn pump_for<C: Cluster>(
    node: &Node,
    name: &ClusterName,
    cluster: &C,
    work: Work,
    stop: &watch::Receiver<bool>,
    advance: impl Fn(),
) {
    let (store, queue) = (&node.store, &node.queue);
    let pause = || tokio::time::sleep(PAUSE);
    match work {
        Work::Apply => {
            let stage = Applier { name, store, queue, cluster, pause };
            let deploys = QueueName::Deploys(name.clone());
            pump::run(node, &deploys, BATCH, stop.clone(), async |batch| {
                advance();
                stage.handle(now(), batch).await
            })
            .await;
        }
        Work::Observe => {
            let stage = Observer { name, store, queue, cluster, answered: &Answered::default() };
            let observations = QueueName::Observations(name.clone());
            pump::run(node, &observations, BATCH, stop.clone(), async |batch| {
                advance();
                stage.handle(now(), batch).await
            })
            .await;
        }
        Work::Drift => {
            let configurations = &node.configurations;
            let stage = Drifter { name, store, queue, cluster, configurations, pause };
            let mut stop = stop.clone();
            while !*stop.borrow() {
                timer::rest(&mut stop, node.drift_every).await;
                advance();
                match stage.handle(now()).await {
                    Ok(looked) => tracing::debug!(cluster = %name, ?looked, "drift"),
                    Err(error) => tracing::warn!(cluster = %name, %error, "cannot look for drift now"),
                }
            }
        }
    }
}
