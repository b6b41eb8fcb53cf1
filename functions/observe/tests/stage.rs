//! The stage on a simulated cluster: follows health to an end, and prunes last.

use std::sync::Arc;
use std::time::Duration;

use countersign_cluster::apply;
use countersign_cluster::plan::Plan;
use countersign_core::authorization::Sequence;
use countersign_core::digest::Digest;
use countersign_core::facts::{ObjectKey, Operation};
use countersign_core::keys;
use countersign_core::manifest::Manifest;
use countersign_core::message::{Message, ObservationDue, QueueName};
use countersign_core::names::{AttemptId, ClusterName, Target};
use countersign_core::outcome::{Action, Outcome, OutcomeResult};
use countersign_core::ports::cluster::{ApplyOptions, Cluster as _};
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::store::{self, Store as _};
use countersign_core::stage::Incoming;
use countersign_core::time::Timestamp;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::simulated::SimulatedCluster;
use countersign_local::store::LocalStore;
use countersign_observe::{Answered, Observer};
use serde_json::{Value, json};

struct World {
    _folder: tempfile::TempDir,
    store: LocalStore,
    queue: LocalQueue,
    cluster: SimulatedCluster,
}

/// As many as a rollout that is not healthy gets before it is late.
const LOOKS_OF_TEN_MINUTES: u32 = 77;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

fn target() -> Target {
    "shop/production/east".parse().unwrap()
}

fn east() -> ClusterName {
    "east".parse().unwrap()
}

fn config(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": {}})
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    })
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let cluster = SimulatedCluster::open(&database, &east(), "uid-east").unwrap();
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        cluster.compare_and_swap(&namespace).await.unwrap();
        let store = LocalStore::new(&database);
        let queue = LocalQueue::new(&database, Arc::new(|| at(0)), 1_000);
        Self { _folder: folder, store, queue, cluster }
    }

    /// Applies objects under leaf `index`; none is a removal. The observation that follows, and the manifest.
    async fn apply(&self, index: u64, objects: Vec<Value>) -> (ObservationDue, Digest) {
        let manifest = Manifest::new(objects);
        let digest = store::put_blob(&self.store, keys::manifest, &manifest).await.unwrap();
        let removes = manifest.objects.is_empty();
        let attempt = AttemptId::new(&index.to_string(), &target());
        let plan = Plan {
            target: &target(),
            attempt,
            sequence: Sequence { epoch: 1, index },
            operation: if removes { Operation::Remove } else { Operation::Deploy },
            manifest: digest,
            objects: &manifest.objects,
            namespaces: &["shop".to_owned()],
            cluster_kinds: &[],
            adopt: false,
        };
        apply::apply(&self.cluster, &self.cluster, &plan, || std::future::ready(())).await.unwrap();
        let due = ObservationDue {
            attempt,
            target: target(),
            sequence: index,
            since: at(0),
            looks: 0,
            told: false,
        };
        (due, digest)
    }

    /// Looks once at `seconds`; the outcomes that were told, and whether another look was sent.
    async fn look(&self, due: &ObservationDue, seconds: i64) -> (Vec<Outcome>, bool) {
        let (outcomes, again) = self.take(&Answered::default(), &[due], seconds).await;
        (outcomes, again > 0)
    }

    /// Takes messages in one batch; the outcomes that were told, and how many looks more were sent.
    async fn take(&self, answered: &Answered, due: &[&ObservationDue], seconds: i64) -> (Vec<Outcome>, u32) {
        let name = east();
        let (store, queue, cluster) = (&self.store, &self.queue, &self.cluster);
        let stage = Observer { name: &name, store, queue, cluster, answered };
        let message = |due: &&ObservationDue| {
            let body = serde_json::to_string(&Message::new("trace", *due)).unwrap();
            Incoming { id: "1".to_owned(), group: "g".to_owned(), body, receive_count: 1 }
        };
        let batch: Vec<_> = due.iter().map(message).collect();
        let waiting = || self.queue.depth(&QueueName::Observations(east())).unwrap().delayed;
        let before = waiting();
        assert_eq!(stage.handle(at(seconds), &batch).await, vec![Ok(()); due.len()]);
        let (queue, wait) = (QueueName::Outcomes(east()), Duration::from_secs(60));
        let found = self.queue.receive(&queue, 10, wait, Duration::ZERO).await.unwrap();
        let mut outcomes = Vec::new();
        for delivery in found {
            outcomes.push(delivery.message.parse::<Outcome>().unwrap().body);
            self.queue.acknowledge(&queue, &delivery.receipt).await.unwrap();
        }
        (outcomes, waiting() - before)
    }

    async fn is_there(&self, object: &Value) -> bool {
        self.cluster.get(&ObjectKey::of(object).unwrap()).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn what_is_healthy_has_come_to_its_end() {
    let world = World::new().await;
    let (due, _) = world.apply(5, vec![config("settings")]).await;
    let (outcomes, again) = world.look(&due, 1).await;
    assert_eq!((outcomes.len(), again), (1, false));
    assert_eq!((&outcomes[0].result, outcomes[0].sequence), (&OutcomeResult::Healthy, Some(5)));
    assert_eq!(outcomes[0].objects[0].action, Action::Observed);
}

#[tokio::test]
async fn a_rollout_is_followed_until_it_is_healthy() {
    let world = World::new().await;
    let (due, _) = world.apply(5, vec![deployment("web:1")]).await;
    assert_eq!(world.look(&due, 1).await, (vec![], true));
    for seconds in 1..60 {
        world.cluster.advance(at(seconds)).unwrap();
    }
    let (outcomes, again) = world.look(&due, 60).await;
    assert_eq!((&outcomes[0].result, again), (&OutcomeResult::Healthy, false));
}

#[tokio::test]
async fn a_rollout_that_hangs_is_told_and_followed_further() {
    let world = World::new().await;
    let (due, _) = world.apply(5, vec![deployment("web:does-not-start")]).await;
    world.cluster.advance(at(1)).unwrap();
    assert_eq!(world.look(&due, 601).await, (vec![], true), "only the clock says that it is late");
    let due = ObservationDue { looks: LOOKS_OF_TEN_MINUTES, ..due };
    assert_eq!(world.look(&due, 599).await, (vec![], true));
    let (outcomes, again) = world.look(&due, 601).await;
    assert_eq!((&outcomes[0].result, again), (&OutcomeResult::Unhealthy, true));
    assert!(outcomes[0].summary.contains("Deployment shop/web"), "{}", outcomes[0].summary);
    let told = ObservationDue { told: true, ..due.clone() };
    assert_eq!(world.look(&told, 611).await, (vec![], true), "it is told once");
    let (_, again) = world.look(&due, 24 * 3_600).await;
    assert!(again, "only the clock says that its time is over");
    let (_, again) = world.look(&ObservationDue { looks: 360, ..due }, 3_601).await;
    assert!(!again, "nobody looks for ever");
}

#[tokio::test]
async fn a_message_that_comes_again_is_answered_by_one_look() {
    let world = World::new().await;
    let (due, _) = world.apply(5, vec![deployment("web:does-not-start")]).await;
    let answered = Answered::default();
    assert_eq!(world.take(&answered, &[&due, &due], 1).await, (vec![], 1), "two copies in one batch");
    assert_eq!(world.take(&answered, &[&due], 2).await, (vec![], 0), "a copy that comes later");
    let next = ObservationDue { looks: 1, ..due.clone() };
    assert_eq!(world.take(&answered, &[&due, &next], 3).await, (vec![], 1));
    assert_eq!(
        world.take(&Answered::default(), &[&due], 4).await,
        (vec![], 1),
        "a process that knows of nothing"
    );
}

#[tokio::test]
async fn what_a_newer_change_took_over_is_told_so_and_left_alone() {
    let world = World::new().await;
    let (older, _) = world.apply(5, vec![config("old")]).await;
    let (newer, _) = world.apply(6, vec![config("new")]).await;
    let (outcomes, again) = world.look(&older, 1).await;
    assert_eq!((&outcomes[0].result, again), (&OutcomeResult::Overtaken, false));
    assert!(world.is_there(&config("old")).await, "only the newer change prunes");
    let (outcomes, _) = world.look(&newer, 2).await;
    assert_eq!(outcomes[0].result, OutcomeResult::Healthy);
    assert!(!world.is_there(&config("old")).await && world.is_there(&config("new")).await);
    assert!(
        outcomes[0].objects.iter().any(|object| object.key.name == "old" && object.action == Action::Deleted)
    );
}

#[tokio::test]
async fn nothing_is_pruned_before_the_new_state_is_healthy() {
    let world = World::new().await;
    let (first, _) = world.apply(5, vec![config("old")]).await;
    world.look(&first, 1).await;
    let (second, _) = world.apply(6, vec![deployment("web:does-not-start")]).await;
    world.cluster.advance(at(1)).unwrap();
    let second = ObservationDue { looks: LOOKS_OF_TEN_MINUTES, ..second };
    let (outcomes, _) = world.look(&second, 601).await;
    assert_eq!(outcomes[0].result, OutcomeResult::Unhealthy);
    assert!(world.is_there(&config("old")).await);
}

#[tokio::test]
async fn a_removal_deletes_everything_and_says_so() {
    let world = World::new().await;
    let (first, _) = world.apply(5, vec![config("old")]).await;
    world.look(&first, 1).await;
    let (removal, _) = world.apply(6, vec![]).await;
    let (outcomes, again) = world.look(&removal, 2).await;
    assert_eq!((&outcomes[0].result, again), (&OutcomeResult::Removed, false));
    assert!(!world.is_there(&config("old")).await);
}

#[tokio::test]
async fn what_cannot_be_deleted_is_told_in_time() {
    let world = World::new().await;
    let (first, _) = world.apply(5, vec![config("old")]).await;
    world.look(&first, 1).await;
    let mut kept = config("old");
    kept["metadata"]["finalizers"] = json!(["example.com/keep"]);
    let options = ApplyOptions { manager: "somebody".to_owned(), force: false, dry_run: false };
    world.cluster.apply(&kept, &options).await.unwrap();
    let (second, _) = world.apply(6, vec![config("new")]).await;
    assert_eq!(world.look(&second, 2).await, (vec![], true));
    let second = ObservationDue { looks: LOOKS_OF_TEN_MINUTES, ..second };
    let (outcomes, again) = world.look(&second, 601).await;
    assert_eq!((&outcomes[0].result, again), (&OutcomeResult::Unhealthy, true));
    assert!(outcomes[0].summary.contains("finalizers"), "{}", outcomes[0].summary);
}

#[tokio::test]
async fn health_that_cannot_be_read_is_told_in_time() {
    let world = World::new().await;
    let (due, manifest) = world.apply(5, vec![config("settings")]).await;
    world.store.delete(&keys::manifest(&manifest)).await.unwrap();
    assert_eq!(world.look(&due, 2).await, (vec![], true));
    let (outcomes, again) = world.look(&due, 601).await;
    assert_eq!((&outcomes[0].result, again), (&OutcomeResult::Unhealthy, true));
    assert!(outcomes[0].summary.contains("cannot be read"), "{}", outcomes[0].summary);
    let told = ObservationDue { told: true, ..due };
    assert_eq!(world.look(&told, 7_200).await, (vec![], true), "it is looked at when it can be read again");
}
