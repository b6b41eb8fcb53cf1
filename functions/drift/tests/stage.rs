//! The stage on a simulated cluster: from what somebody changed to outcomes, and back.

#[path = "../../apply/tests/stage/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use countersign_apply::Applier;
use countersign_core::active::ConfigurationCache;
use countersign_core::digest::Digest;
use countersign_core::facts::ObjectKey;
use countersign_core::keys;
use countersign_core::message::{DeployDue, Message, QueueName};
use countersign_core::outcome::{Action, Outcome, OutcomeResult};
use countersign_core::ports::cluster::{ApplyOptions, Cluster as _};
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::store::{self, Store as _};
use countersign_core::stage::Incoming;
use countersign_core::target::ActiveBundle;
use countersign_drift::{Drifter, Looked};
use countersign_ledger::epochs::Epochs;
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use serde_json::{Value, json};

use world::{World, at, config, east};

impl World {
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
async fn a_report_that_may_not_have_been_sent_is_sent_again_also_when_it_is_over() {
    let mut world = World::deployed().await;
    world.by_hand("9").await;
    world.look(10).await;
    let first = world.outcomes().await.remove(0);
    // As it is kept before it is sent; and the queue has forgotten what was sent.
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let queue = |folder: usize| {
        LocalQueue::new(&Database::open(folders[folder].path()).unwrap(), Arc::new(|| at(0)), 1_000)
    };
    let interrupt = async |world: &World| {
        let key = ObjectKey {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some("countersign-system".to_owned()),
            name: "drift.shop.production".to_owned(),
        };
        let mut object = world.cluster.get(&key).await.unwrap().unwrap();
        let mut told: Value = serde_json::from_str(object["data"]["drift.json"].as_str().unwrap()).unwrap();
        told["unsent"] = true.into();
        object["data"]["drift.json"] = told.to_string().into();
        world.cluster.compare_and_swap(&object).await.unwrap();
    };
    interrupt(&world).await;
    world.queue = queue(0);
    assert_eq!(world.look(20).await, looked(1, 1, 0));
    let told = world.outcomes().await;
    assert_eq!((told.len(), &told[0].result, &told[0].summary), (1, &first.result, &first.summary));
    assert_eq!(told[0].id(), first.id(), "it counts once");
    interrupt(&world).await;
    world.queue = queue(1);
    world.by_hand("1").await;
    assert_eq!(world.look(30).await, looked(1, 0, 0));
    let told = world.outcomes().await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((told[0].id(), told[0].objects.len()), (first.id(), 0));
    assert!(told[0].summary.contains("interrupted"), "{}", told[0].summary);
    assert_eq!(told[1].result, OutcomeResult::Restored { report: 2 });
    assert_eq!(world.look(40).await, looked(1, 0, 0));
    assert!(world.outcomes().await.is_empty());
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
        ..Trust::new(&Epochs::new(&world.genesis), "uid-east", Witnesses::default())
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
    world.install(&Trust::new(&Epochs::new(&world.genesis), "uid-east", Witnesses::default())).await;
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
