//! The stage on a simulated cluster: from authorizations to objects and outcomes.

mod world;

use std::time::Duration;

use countersign_apply::Applier;
use countersign_cluster::{inventory, keep};
use countersign_core::facts::ObjectKey;
use countersign_core::keys;
use countersign_core::message::{DeployDue, Message, ObservationDue, QueueName};
use countersign_core::names::AttemptId;
use countersign_core::outcome::{Action, Check, Outcome, OutcomeResult};
use countersign_core::ports::PortError;
use countersign_core::ports::cluster::Cluster as _;
use countersign_core::ports::queue::{Delivery, Outgoing, Queue};
use countersign_core::ports::store::Store as _;
use countersign_core::stage::{Incoming, StageError};
use countersign_ledger::epochs::Epochs;
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::queue::LocalQueue;
use serde_json::{Value, json};

use world::{World, at, config, east, target};

/// A queue of a process that dies when it has sent to one queue.
struct Dying<'a>(&'a LocalQueue);

impl Queue for Dying<'_> {
    async fn send(&self, queue: &QueueName, messages: &[Outgoing]) -> Result<(), PortError> {
        self.0.send(queue, messages).await
    }

    async fn send_all(&self, messages: &[(QueueName, Vec<Outgoing>)]) -> Result<(), PortError> {
        self.0.send(&messages[0].0, &messages[0].1).await?;
        Err(PortError::Unavailable("the process died".to_owned()))
    }

    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        self.0.receive(queue, max, visibility, wait).await
    }

    async fn acknowledge(&self, queue: &QueueName, receipt: &str) -> Result<(), PortError> {
        self.0.acknowledge(queue, receipt).await
    }

    async fn extend(&self, queue: &QueueName, receipt: &str, visibility: Duration) -> Result<(), PortError> {
        self.0.extend(queue, receipt, visibility).await
    }

    async fn bury(&self, queue: &QueueName, receipt: &str, reason: &str) -> Result<(), PortError> {
        self.0.bury(queue, receipt, reason).await
    }
}

impl World {
    async fn apply(&self, due: &DeployDue, seconds: i64) -> Result<(), StageError> {
        self.apply_by(&self.queue, due, seconds).await
    }

    async fn apply_by(&self, queue: &impl Queue, due: &DeployDue, seconds: i64) -> Result<(), StageError> {
        let name = east();
        let pause = || std::future::ready(());
        let stage = Applier { name: &name, store: &self.store, queue, cluster: &self.cluster, pause };
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
async fn what_was_applied_is_followed_though_the_process_dies_before_it_is_told() {
    let world = World::trusting().await;
    let (due, _) = world.authorize("e1", vec![config("shop", "1")]).await;
    assert!(world.apply_by(&Dying(&world.queue), &due, 5).await.is_err());
    assert_eq!(world.value().await, Some(json!("1")));
    assert_eq!((world.observations().await.len(), world.outcomes().await.len()), (1, 0));
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
    world.install(&Trust::new(&Epochs::new(&world.genesis), "uid-west", Witnesses::default())).await;
    world.apply(&due, 5).await.unwrap();
    World::refused(&world.outcomes().await, Check::Audience, "uid-west");
    let mut trust = Trust::new(&Epochs::new(&world.genesis), "uid-east", Witnesses::default());
    trust.v = 9;
    world.install(&trust).await;
    world.apply(&due, 5).await.unwrap();
    World::refused(&world.outcomes().await, Check::Signature, "version 9");
    trust = Trust::new(&Epochs::new(&world.genesis), "uid-east", Witnesses { required: 1, keys: Vec::new() });
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
