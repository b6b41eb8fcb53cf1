//! The stage on a simulated cluster: from authorizations to objects and outcomes.

use std::sync::Arc;
use std::time::Duration;

use countersign_apply::Applier;
use countersign_cluster::{inventory, keep};
use countersign_core::decision::Decision;
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::ObjectKey;
use countersign_core::keys;
use countersign_core::manifest::Manifest;
use countersign_core::message::{DeployDue, Message, ObservationDue, QueueName};
use countersign_core::names::{AttemptId, ClusterName, Target};
use countersign_core::outcome::{Action, Check, Outcome, OutcomeResult};
use countersign_core::ports::cluster::Cluster as _;
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::ports::store::{self, Store as _};
use countersign_core::stage::{Incoming, StageError};
use countersign_core::time::Timestamp;
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

struct World {
    _folder: tempfile::TempDir,
    store: LocalStore,
    queue: LocalQueue,
    cluster: SimulatedCluster,
    log: KeyFile,
    authorization: KeyFile,
    genesis: Genesis,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

fn target() -> Target {
    "shop/production/east".parse().unwrap()
}

fn east() -> ClusterName {
    "east".parse().unwrap()
}

fn config(namespace: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": namespace}, "data": {"value": value},
    })
}

impl World {
    async fn new() -> Self {
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
    async fn trusting() -> Self {
        let world = Self::new().await;
        world.install(&Trust::new(&world.genesis, "uid-east", Witnesses::default())).await;
        world
    }

    async fn install(&self, trust: &Trust) {
        keep::install_trust(&self.cluster, &serde_json::to_string(trust).unwrap()).await.unwrap();
    }

    /// Logs a decision for these objects, and issues its authorization at second 0.
    async fn authorize(&self, cause: &str, objects: Vec<Value>) -> (DeployDue, Digest) {
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
        let mut view = log::open(&self.store, &key).await.unwrap().unwrap();
        let grant = Grant { decision: &decision, audience: "uid-east", epoch: 1, now: at(0) };
        let proven = issue(&self.authorization, &mut view, appended.first, &grant).await.unwrap();
        store::put_json(&self.store, &keys::authorization(&attempt), &proven).await.unwrap();
        (DeployDue { attempt, target: target() }, manifest)
    }

    async fn apply(&self, due: &DeployDue, seconds: i64) -> Result<(), StageError> {
        let name = east();
        let pause = || std::future::ready(());
        let stage =
            Applier { name: &name, store: &self.store, queue: &self.queue, cluster: &self.cluster, pause };
        let body = serde_json::to_string(&Message::new("trace", due)).unwrap();
        let message = Incoming { id: "1".to_owned(), group: "g".to_owned(), body, receive_count: 1 };
        stage.handle(at(seconds), &[message]).await.pop().unwrap()
    }

    async fn sent<T: serde::de::DeserializeOwned>(&self, queue: QueueName) -> Vec<T> {
        let wait = Duration::from_secs(60);
        let found = self.queue.receive(&queue, 100, wait, Duration::ZERO).await.unwrap();
        let mut bodies = Vec::new();
        for delivery in found {
            bodies.push(delivery.message.parse::<T>().unwrap().body);
            self.queue.acknowledge(&queue, &delivery.receipt).await.unwrap();
        }
        bodies
    }

    async fn outcomes(&self) -> Vec<Outcome> {
        self.sent(QueueName::Outcomes(east())).await
    }

    async fn observations(&self) -> Vec<ObservationDue> {
        self.sent(QueueName::Observations(east())).await
    }

    /// The one outcome of what was refused before anything was written.
    #[track_caller]
    fn refused(outcomes: &[Outcome], check: Check, words: &str) {
        assert_eq!(outcomes.len(), 1);
        assert_eq!(outcomes[0].result, OutcomeResult::Refused { check }, "{}", outcomes[0].summary);
        assert!(outcomes[0].summary.contains(words), "{}", outcomes[0].summary);
    }

    async fn value(&self) -> Option<Value> {
        let key = ObjectKey::of(&config("shop", "")).unwrap();
        self.cluster.get(&key).await.unwrap().map(|object| object["data"]["value"].clone())
    }
}

#[tokio::test]
async fn what_is_authorized_is_applied_recorded_and_observed() {
    let world = World::trusting().await;
    let (due, manifest) = world.authorize("e1", vec![config("shop", "1")]).await;
    world.apply(&due, 5).await.unwrap();
    assert_eq!(world.value().await, Some(json!("1")));
    let outcomes = world.outcomes().await;
    assert_eq!((outcomes.len(), &outcomes[0].result), (1, &OutcomeResult::Applied));
    assert_eq!((outcomes[0].sequence, outcomes[0].objects[0].action), (Some(0), Action::Created));
    let observations = world.observations().await;
    assert_eq!((observations.len(), observations[0].sequence, observations[0].looks), (1, 0, 0));
    assert_eq!(observations[0].since, at(5));
    let held = inventory::read(&world.cluster, &target()).await.unwrap().unwrap();
    assert_eq!((held.sequence.index, held.manifest), (0, manifest));
    assert!(keep::checkpoint(&world.cluster).await.unwrap().is_some());
    // Again, and long after it expired: the cluster holds it, so it may be applied again.
    world.apply(&due, 100_000).await.unwrap();
    assert!(world.outcomes().await.is_empty(), "the same is not told twice");
}

#[tokio::test]
async fn a_cluster_without_keys_refuses_everything() {
    let world = World::new().await;
    let (due, _) = world.authorize("e1", vec![config("shop", "1")]).await;
    world.apply(&due, 5).await.unwrap();
    World::refused(&world.outcomes().await, Check::Signature, "countersign cluster add east");
    assert_eq!((world.value().await, world.observations().await.len()), (None, 0));
}

#[tokio::test]
async fn keys_that_were_installed_for_another_cluster_or_release_refuse() {
    let world = World::new().await;
    let (due, _) = world.authorize("e1", vec![config("shop", "1")]).await;
    world.install(&Trust::new(&world.genesis, "uid-west", Witnesses::default())).await;
    world.apply(&due, 5).await.unwrap();
    World::refused(&world.outcomes().await, Check::Audience, "uid-west");
    let mut trust = Trust::new(&world.genesis, "uid-east", Witnesses::default());
    trust.v = 9;
    world.install(&trust).await;
    world.apply(&due, 5).await.unwrap();
    World::refused(&world.outcomes().await, Check::Signature, "version 9");
    trust = Trust::new(&world.genesis, "uid-east", Witnesses { required: 1, keys: Vec::new() });
    world.install(&trust).await;
    let (again, _) = world.authorize("e2", vec![config("shop", "1")]).await;
    world.apply(&again, 5).await.unwrap();
    World::refused(&world.outcomes().await, Check::Signature, "1 witnesses");
    assert_eq!(world.value().await, None);
}

#[tokio::test]
async fn what_expired_or_was_swapped_or_is_lost_is_refused() {
    let world = World::trusting().await;
    let (due, _) = world.authorize("e1", vec![config("shop", "1")]).await;
    world.apply(&due, 3_600).await.unwrap();
    World::refused(&world.outcomes().await, Check::Time, "expired");
    let (due, manifest) = world.authorize("e2", vec![config("shop", "2")]).await;
    let key = keys::manifest(&manifest);
    world.store.put(&key, b"{\"v\":1,\"objects\":[]}").await.unwrap();
    world.apply(&due, 5).await.unwrap();
    World::refused(&world.outcomes().await, Check::Manifest, "authorized is");
    let (due, manifest) = world.authorize("e3", vec![config("shop", "3")]).await;
    world.store.delete(&keys::manifest(&manifest)).await.unwrap();
    world.apply(&due, 5).await.unwrap();
    World::refused(&world.outcomes().await, Check::Manifest, "not in the store");
    assert_eq!((world.value().await, world.observations().await.len()), (None, 0));
}

#[tokio::test]
async fn an_older_authorization_never_undoes_a_newer_one() {
    let world = World::trusting().await;
    let (older, _) = world.authorize("e1", vec![config("shop", "1")]).await;
    let (newer, _) = world.authorize("e2", vec![config("shop", "2")]).await;
    world.apply(&newer, 5).await.unwrap();
    world.outcomes().await;
    world.apply(&older, 6).await.unwrap();
    World::refused(&world.outcomes().await, Check::Sequence, "newer");
    assert_eq!(world.value().await, Some(json!("2")));
}

#[tokio::test]
async fn objects_out_of_bounds_are_refused_and_what_the_cluster_does_not_take_has_failed() {
    let world = World::trusting().await;
    let (due, _) = world.authorize("e1", vec![config("kube-system", "1")]).await;
    world.apply(&due, 5).await.unwrap();
    World::refused(&world.outcomes().await, Check::Scope, "kube-system");
    let wrong = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": {},
    });
    let (due, _) = world.authorize("e2", vec![config("shop", "1"), wrong]).await;
    world.apply(&due, 5).await.unwrap();
    let outcomes = world.outcomes().await;
    assert_eq!((outcomes.len(), &outcomes[0].result), (1, &OutcomeResult::Failed), "{}", outcomes[0].summary);
    assert_eq!(outcomes[0].objects[0].action, Action::Skipped);
    assert_eq!((world.value().await, world.observations().await.len()), (None, 0));
}

#[tokio::test]
async fn an_authorization_that_is_not_there_yet_is_waited_for() {
    let world = World::trusting().await;
    let due = DeployDue { attempt: AttemptId::new("e9", &target()), target: target() };
    let result = world.apply(&due, 5).await;
    assert!(
        matches!(&result, Err(StageError::Retry(why)) if why.contains("not in the store yet")),
        "{result:?}"
    );
    assert!(world.outcomes().await.is_empty());
}
