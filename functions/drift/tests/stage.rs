//! The stage on a simulated cluster: from what somebody changed to outcomes, and back.

use std::sync::Arc;
use std::time::Duration;

use countersign_apply::Applier;
use countersign_cluster::keep;
use countersign_core::active::ConfigurationCache;
use countersign_core::decision::Decision;
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::ObjectKey;
use countersign_core::keys;
use countersign_core::manifest::Manifest;
use countersign_core::message::{DeployDue, Message, QueueName};
use countersign_core::names::{AttemptId, ClusterName, Target};
use countersign_core::outcome::{Action, Outcome, OutcomeResult};
use countersign_core::ports::cluster::{ApplyOptions, Cluster as _};
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::ports::store::{self, Store as _};
use countersign_core::stage::Incoming;
use countersign_core::target::ActiveBundle;
use countersign_core::time::Timestamp;
use countersign_drift::{Drifter, Looked};
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

    /// Applies, and leaves no outcome to read.
    async fn apply(&self, due: &DeployDue) {
        let (name, pause) = (east(), || std::future::ready(()));
        let stage =
            Applier { name: &name, store: &self.store, queue: &self.queue, cluster: &self.cluster, pause };
        let body = serde_json::to_string(&Message::new("trace", due)).unwrap();
        let message = Incoming { id: "1".to_owned(), group: "g".to_owned(), body, receive_count: 1 };
        stage.handle(at(5), &[message]).await.pop().unwrap().unwrap();
        assert_eq!(self.outcomes().await[0].result, OutcomeResult::Applied);
    }

    /// A deployment of two settings, applied.
    async fn deployed() -> Self {
        let world = Self::trusting().await;
        let (due, _) = world.authorize("e1", vec![config("shop", "1")]).await;
        world.apply(&due).await;
        world
    }

    /// The active configuration says whether production is put back.
    async fn heals(&self, heals: bool) {
        let configuration = json!({
            "version": 1, "hosts": {},
            "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
            "environments": {"production": {"approvals": {"count": 1}, "selfHeal": heals}},
        });
        let bundle = Digest::of(configuration.to_string().as_bytes());
        let key = keys::bundle_configuration(&bundle);
        store::put_json(&self.store, &key, &configuration).await.unwrap();
        let active = ActiveBundle { bundle, index: 0, commit: "0".repeat(40).parse().unwrap() };
        store::put_json(&self.store, keys::ACTIVE_BUNDLE, &active).await.unwrap();
    }

    async fn look(&self, seconds: i64) -> Looked {
        let (name, configurations) = (east(), ConfigurationCache::default());
        let stage = Drifter {
            name: &name,
            store: &self.store,
            queue: &self.queue,
            cluster: &self.cluster,
            configurations: &configurations,
            pause: || std::future::ready(()),
        };
        stage.handle(at(seconds)).await.unwrap()
    }

    async fn outcomes(&self) -> Vec<Outcome> {
        let queue = QueueName::Outcomes(east());
        let found = self.queue.receive(&queue, 100, Duration::from_secs(60), Duration::ZERO).await.unwrap();
        let mut bodies = Vec::new();
        for delivery in found {
            bodies.push(delivery.message.parse::<Outcome>().unwrap().body);
            self.queue.acknowledge(&queue, &delivery.receipt).await.unwrap();
        }
        bodies
    }

    /// Does what somebody else would do, by another field manager.
    async fn by_hand(&self, value: &str) {
        let options = ApplyOptions { manager: "kubectl-edit".into(), force: true, dry_run: false };
        self.cluster.apply(&config("shop", value), &options).await.unwrap();
    }

    async fn value(&self) -> Option<Value> {
        let key = ObjectKey::of(&config("shop", "")).unwrap();
        self.cluster.get(&key).await.unwrap().map(|object| object["data"]["value"].clone())
    }
}

fn looked(compared: u32, drifted: u32, unread: u32) -> Looked {
    Looked { compared, drifted, unread }
}

#[tokio::test]
async fn what_is_as_it_was_authorized_is_not_told() {
    let world = World::deployed().await;
    assert_eq!(world.look(10).await, looked(1, 0, 0));
    assert!(world.outcomes().await.is_empty());
    assert_eq!(World::trusting().await.look(10).await, looked(0, 0, 0), "a cluster that holds nothing");
}

#[tokio::test]
async fn a_change_by_hand_is_told_once_and_once_that_it_is_over() {
    let world = World::deployed().await;
    for round in 0..2 {
        world.by_hand("9").await;
        for _ in 0..3 {
            assert_eq!(world.look(10).await, looked(1, 1, 0));
        }
        let told = world.outcomes().await;
        assert_eq!(told.len(), 1, "{told:?}");
        let report = 2 * round + 1;
        assert!(matches!(told[0].result, OutcomeResult::Drifted { report: found, .. } if found == report));
        assert_eq!((told[0].sequence, told[0].summary.as_str()), (Some(0), "1 object is not as authorized"));
        assert_eq!(told[0].objects[0].action, Action::Observed);
        assert_eq!(told[0].objects[0].message.as_deref(), Some("/data/value, by kubectl-edit"));
        assert_eq!(world.value().await, Some(json!("9")), "it is not put back unless that was asked for");
        world.by_hand("1").await;
        for _ in 0..2 {
            assert_eq!(world.look(20).await, looked(1, 0, 0));
        }
        let told = world.outcomes().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].result, OutcomeResult::Restored { report: report + 1 });
    }
}

#[tokio::test]
async fn another_change_is_told_anew_and_what_is_gone_is_told() {
    let world = World::deployed().await;
    world.by_hand("9").await;
    world.look(10).await;
    let key = ObjectKey::of(&config("shop", "")).unwrap();
    world.cluster.delete(&key, &Default::default()).await.unwrap();
    world.look(20).await;
    let told = world.outcomes().await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].objects[0].message.as_deref(), Some("it is not there"));
    assert_ne!(told[0].id(), told[1].id());
}

#[tokio::test]
async fn where_it_is_told_to_it_applies_the_same_authorization_again_at_any_time() {
    let world = World::deployed().await;
    world.heals(true).await;
    world.by_hand("9").await;
    // Days after the authorization has ended.
    assert_eq!(world.look(500_000).await, looked(1, 0, 0));
    assert_eq!(world.value().await, Some(json!("1")));
    let told = world.outcomes().await;
    assert_eq!(told.len(), 2, "what was changed, and that it was put back");
    assert!(matches!(told[0].result, OutcomeResult::Drifted { report: 1, .. }));
    assert_eq!(told[1].result, OutcomeResult::Restored { report: 2 });
    assert_eq!(told[1].summary, "1 object put back as authorized");
    assert_eq!(told[1].objects[0].action, Action::Configured);
    world.look(500_001).await;
    assert!(world.outcomes().await.is_empty());
    world.heals(false).await;
    world.by_hand("9").await;
    assert_eq!(world.look(500_002).await, looked(1, 1, 0));
    assert_eq!(world.value().await, Some(json!("9")));
}

#[tokio::test]
async fn nothing_is_put_back_that_the_cluster_does_not_believe() {
    let world = World::deployed().await;
    world.heals(true).await;
    world.by_hand("9").await;
    // Another log, as after a restored backup: every check of `apply` is made here too.
    let other = Trust {
        origin: "log.example/two".to_owned(),
        ..Trust::new(&world.genesis, "uid-east", Witnesses::default())
    };
    world.install(&other).await;
    for _ in 0..2 {
        assert_eq!(world.look(10).await, looked(1, 1, 0));
    }
    assert_eq!(world.value().await, Some(json!("9")));
    let told = world.outcomes().await;
    assert_eq!(told.len(), 2, "what was changed, and that it is stuck, each once: {told:?}");
    assert!(told[1].summary.contains("could not be put back: it is of log"), "{}", told[1].summary);
    // Once that is mended it is put back.
    world.install(&Trust::new(&world.genesis, "uid-east", Witnesses::default())).await;
    assert_eq!(world.look(20).await, looked(1, 0, 0));
    assert_eq!(world.outcomes().await.pop().unwrap().result, OutcomeResult::Restored { report: 3 });
}

#[tokio::test]
async fn what_somebody_else_owns_now_is_told_and_never_taken() {
    let world = World::deployed().await;
    world.heals(true).await;
    let key = ObjectKey::of(&config("shop", "")).unwrap();
    world.cluster.delete(&key, &Default::default()).await.unwrap();
    world.by_hand("theirs").await;
    assert_eq!(world.look(10).await, looked(1, 1, 0));
    assert_eq!(world.value().await, Some(json!("theirs")));
    let told = world.outcomes().await;
    assert_eq!(told[0].objects[0].message.as_deref(), Some("it was made anew by other means"));
    assert!(told[1].summary.contains("no target owns it"), "{}", told[1].summary);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_now_says_nothing() {
    let world = World::trusting().await;
    let (due, manifest) = world.authorize("e1", vec![config("shop", "1")]).await;
    world.apply(&due).await;
    world.by_hand("9").await;
    let key = keys::manifest(&manifest);
    let bytes = world.store.get(&key).await.unwrap().unwrap().bytes;
    world.store.delete(&key).await.unwrap();
    assert_eq!(world.look(10).await, looked(0, 0, 1));
    assert!(world.outcomes().await.is_empty());
    world.store.put(&key, &bytes).await.unwrap();
    assert_eq!(world.look(20).await, looked(1, 1, 0));
}

#[tokio::test]
async fn a_newer_change_begins_a_story_of_its_own() {
    let world = World::deployed().await;
    world.by_hand("9").await;
    world.look(10).await;
    let (due, _) = world.authorize("e2", vec![config("shop", "2")]).await;
    world.outcomes().await;
    world.apply(&due).await;
    assert_eq!(world.look(20).await, looked(1, 0, 0));
    assert!(world.outcomes().await.is_empty(), "what was applied since is no restoration");
    world.by_hand("9").await;
    world.look(30).await;
    let told = world.outcomes().await;
    assert!(matches!(told[0].result, OutcomeResult::Drifted { report: 1, .. }));
    assert_eq!(told[0].sequence, Some(1));
}
