//! Where the stages of a cluster are tested: keys, a log with authorizations, and a simulated cluster that trusts them.

use std::sync::Arc;

use countersign_cluster::keep;
use countersign_core::decision::Decision;
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::keys;
use countersign_core::manifest::Manifest;
use countersign_core::message::DeployDue;
use countersign_core::names::{AttemptId, ClusterName, Target};
use countersign_core::ports::cluster::Cluster as _;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::ports::store;
use countersign_core::time::Timestamp;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::genesis::{GENESIS_VERSION, Genesis};
use countersign_ledger::issue::{Grant, issue};
use countersign_ledger::log;
use countersign_ledger::note::NoteKey;
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::queue::LocalQueue;
use countersign_local::simulated::SimulatedCluster;
use countersign_local::store::LocalStore;
use serde_json::{Value, json};

/// An installation's stores and keys, and a simulated cluster.
pub struct World {
    _folder: tempfile::TempDir,
    pub store: LocalStore,
    pub queue: LocalQueue,
    pub cluster: SimulatedCluster,
    pub log: KeyFile,
    pub authorization: KeyFile,
    pub genesis: Genesis,
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

pub fn target() -> Target {
    "shop/production/east".parse().unwrap()
}

pub fn east() -> ClusterName {
    "east".parse().unwrap()
}

pub fn config(namespace: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": namespace}, "data": {"value": value},
    })
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = |name: &str, algorithm| {
            KeyFile::generate(&folder.path().join(name), algorithm, &mut rand_core::OsRng).unwrap()
        };
        let (root, log) = (key("root", Algorithm::Ed25519), key("log", Algorithm::Ed25519));
        let authorization = key("authorization", Algorithm::EcdsaP256Sha256);
        let database = Database::open(&folder.path().join("data")).unwrap();
        let cluster = SimulatedCluster::open(&database, &east(), "uid-east").unwrap();
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        cluster.compare_and_swap(&namespace).await.unwrap();
        let genesis = Genesis {
            v: GENESIS_VERSION,
            origin: "log.example/one".to_owned(),
            epoch: 1,
            root_key: root.public_key().clone(),
            log_key: log.public_key().clone(),
            authorization_key: authorization.public_key().clone(),
            hosts: std::collections::BTreeMap::new(),
            control: serde_json::from_value(
                json!({"repository": "local/control", "reference": "refs/heads/main"}),
            )
            .unwrap(),
            commit: "0".repeat(40).parse().unwrap(),
            bundle: Digest::of(b"bundle"),
            created: at(0),
        };
        let store = LocalStore::new(&database);
        let queue = LocalQueue::new(&database, Arc::new(|| at(0)), 1_000);
        Self { _folder: folder, store, queue, cluster, log, authorization, genesis }
    }

    /// As [`Self::new`], with the keys installed.
    pub async fn trusting() -> Self {
        let world = Self::new().await;
        world.install(&Trust::new(&Epochs::new(&world.genesis), "uid-east", Witnesses::default())).await;
        world
    }

    pub async fn install(&self, trust: &Trust) {
        keep::install_trust(&self.cluster, &serde_json::to_string(trust).unwrap()).await.unwrap();
    }

    /// Logs a decision for these objects, and issues its authorization at second 0.
    pub async fn authorize(&self, cause: &str, objects: Vec<Value>) -> (DeployDue, Digest) {
        let manifest = store::put_blob(&self.store, keys::manifest, &Manifest::new(objects)).await.unwrap();
        let (attempt, zeros) = (AttemptId::new(cause, &target()), "0".repeat(40));
        let common = json!({
            "attempt": attempt, "target": target(), "began": at(0), "verdict": "allowed", "reason": "ok",
            "follows": {"repository": "local/shop", "reference": "refs/heads/main"}, "operation": "deploy",
            "commit": zeros, "tree": zeros, "closure": Digest::of(b"c"), "manifest": manifest,
            "bundle": Digest::of(b"bundle"), "facts": Digest::of(b"f"), "engine": "regorus", "explained": [],
        });
        let with = |more: Value| {
            let mut value = common.clone();
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            value
        };
        let decision: Decision = serde_json::from_value(with(json!({
            "v": 1, "preview": false, "objects": [], "namespaces": ["shop"], "clusterKinds": [], "adopt": false,
            "rules": [], "approvals": [],
        })))
        .unwrap();
        let record = with(json!({
            "kind": "decision", "trace": "trace", "disposition": "authorized", "approvers": [], "failed": [],
            "decision": Digest::of(b"d"),
        }));
        // Read and written again, so that the leaf has exactly the fields that `record` gives it.
        let leaf = json!({"v": 1, "time": at(0), "record": record});
        let leaf: countersign_core::leaf::Leaf = serde_json::from_value(leaf).unwrap();
        let leaf = canonical_json(&leaf).unwrap();
        let appended =
            log::append(&self.store, &self.log, &self.genesis.origin, &[leaf], None).await.unwrap();
        let key = NoteKey::log(&self.genesis.origin, self.log.public_key()).unwrap();
        let mut view = log::open(&self.store, &[key]).await.unwrap().unwrap();
        let grant = Grant { decision: &decision, audience: "uid-east", epoch: 1, now: at(0) };
        let proven = issue(&self.authorization, &mut view, appended.first, &grant).await.unwrap();
        store::put_json(&self.store, &keys::authorization(&attempt), &proven).await.unwrap();
        (DeployDue { attempt, target: target() }, manifest)
    }
}
