//! What the tests of verbs work with: a target of its own, plans, and short forms of the verbs.

use std::time::Duration;

use countersign_cluster::apply::{self, ApplyReport};
use countersign_cluster::failure::Failure;
use countersign_cluster::health::{self, Healthy};
use countersign_cluster::plan::{self, Plan};
use countersign_cluster::prune::{self, PruneReport, Pruning};
use countersign_core::authorization::Sequence;
use countersign_core::digest::Digest;
use countersign_core::facts::{ObjectKey, Operation};
use countersign_core::names::{AttemptId, Target};
use countersign_core::outcome::{Action, ObjectOutcome};
use countersign_core::ports::cluster::{ApplyOptions, Cluster};
use serde_json::{Value, json};

use super::eventually;

/// A target on a cluster, and the namespace that it may use.
pub struct Bench<'a, C> {
    pub cluster: &'a C,
    pub target: Target,
    pub namespaces: Vec<String>,
    pub cluster_kinds: Vec<String>,
    pub adopt: bool,
}

/// The place of a change in the order of all.
pub fn at(index: u64) -> Sequence {
    Sequence { epoch: 1, index }
}

impl<'a, C: Cluster> Bench<'a, C> {
    pub fn new(cluster: &'a C, namespace: &str) -> Self {
        Self::named(cluster, namespace, namespace)
    }

    /// A target of this application's name.
    pub fn named(cluster: &'a C, namespace: &str, application: &str) -> Self {
        Self {
            cluster,
            target: format!("{application}/staging/east").parse().expect("a target"),
            namespaces: vec![namespace.to_owned()],
            cluster_kinds: Vec::new(),
            adopt: false,
        }
    }

    pub fn plan<'b>(&'b self, sequence: Sequence, objects: &'b [Value]) -> Plan<'b> {
        Plan {
            target: &self.target,
            attempt: AttemptId::new(&format!("{sequence:?}"), &self.target),
            sequence,
            operation: if objects.is_empty() { Operation::Remove } else { Operation::Deploy },
            manifest: Digest::of(json!(objects).to_string().as_bytes()),
            objects,
            namespaces: &self.namespaces,
            cluster_kinds: &self.cluster_kinds,
            adopt: self.adopt,
        }
    }

    pub async fn apply(&self, index: u64, objects: &[Value]) -> Result<ApplyReport, Failure> {
        self.apply_plan(&self.plan(at(index), objects)).await
    }

    pub async fn apply_plan(&self, plan: &Plan<'_>) -> Result<ApplyReport, Failure> {
        let pause = || tokio::time::sleep(Duration::from_millis(100));
        apply::apply(self.cluster, self.cluster, plan, pause).await
    }

    /// Waits until all objects are healthy.
    pub async fn healthy(&self, objects: &[Value]) -> Healthy {
        let keys = plan::keys(objects).expect("keys");
        let read = async || health::of_all(self.cluster, &keys).await.expect("health").healthy();
        eventually("all are healthy", async || read().await.is_some()).await;
        read().await.expect("they were healthy just now")
    }

    pub async fn prune(&self, index: u64, objects: &[Value]) -> Result<PruneReport, Failure> {
        let healthy = self.healthy(objects).await;
        let operation = if objects.is_empty() { Operation::Remove } else { Operation::Deploy };
        let pruning = Pruning { target: &self.target, sequence: at(index), operation, healthy: &healthy };
        prune::prune(self.cluster, self.cluster, &pruning).await
    }

    /// Applies, waits for health and prunes until nothing is left to do.
    pub async fn release(&self, index: u64, objects: &[Value]) {
        self.apply(index, objects).await.expect("applied");
        eventually("all is pruned", async || self.prune(index, objects).await.expect("pruned").is_done())
            .await;
    }

    pub async fn get(&self, object: &Value) -> Option<Value> {
        self.cluster.get(&ObjectKey::of(object).expect("a key")).await.expect("the cluster is read")
    }
}

/// Does what somebody else would do, by another field manager.
pub async fn by_hand(cluster: &impl Cluster, object: &Value) {
    let options = ApplyOptions { manager: "kubectl".into(), force: true, dry_run: false };
    cluster.apply(object, &options).await.expect("applied by hand");
}

pub fn config(namespace: &str, name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": namespace }, "data": { "value": value },
    })
}

pub fn namespace_object(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

pub fn deployment(namespace: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": namespace },
        "spec": {
            "replicas": 2, "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": image, "ports": [{ "containerPort": 80 }] }] },
            },
        },
    })
}

/// Names and what was done, in the order of the report.
pub fn actions(outcomes: &[ObjectOutcome]) -> Vec<(&str, Action)> {
    outcomes.iter().map(|outcome| (outcome.key.name.as_str(), outcome.action)).collect()
}
