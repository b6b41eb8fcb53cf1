//! State that was lost is folded anew from the log, as it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::authorization::LIFETIME;
use countersign_core::decision::{Decision, ExplainedHead, Verdict};
use countersign_core::facts::Operation;
use countersign_core::message::{DeployDue, QueueName};
use countersign_core::names::AttemptId;
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::store::Store as _;
use countersign_core::time::Timestamp;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_record::Recorder;

use crate::crashes::at_every_call;
use crate::world::{World, at, commit, east, outcome, target};

/// Everything below these prefixes follows from the log.
const FOLDED: [&str; 2] = ["state/", "reports/"];

/// When the state is lost: long after everything that was authorized.
fn lost_at() -> Timestamp {
    at(100).plus(LIFETIME).plus(Duration::from_secs(1))
}

/// The first is deployed and healthy, the second is denied, the third is on its way to the same target as the first.
fn decisions(world: &World) -> [Decision; 3] {
    let explained = vec![ExplainedHead { head: commit('e'), commit: commit('a') }];
    let first = Decision { explained, ..world.decision(&target("shop"), 'a', 1) };
    let denied = Decision { verdict: Verdict::Denied, ..world.decision(&target("cart"), 'a', 1) };
    let later = Decision { based_on: Some(1), ..world.decision(&target("shop"), 'b', 50) };
    [first, denied, later]
}

/// A world in which all of it happened, and what it sent is taken.
async fn lived() -> World {
    let world = World::new().await;
    let [first, denied, later] = decisions(&world);
    world.decide(10, &[&first, &denied]).await;
    for (seconds, result) in [(20, OutcomeResult::Applied), (30, OutcomeResult::Healthy)] {
        let told = world.recorder().outcomes(&east(), at(seconds), &[outcome(&first, Some(1), result)]).await;
        told.into_iter().for_each(|told| told.unwrap());
    }
    world.decide(60, &[&later]).await;
    let mut held = world.decision(&target("cart"), 'c', 70);
    held.operation = Operation::Hold;
    held.hold =
        Some(serde_json::from_value(serde_json::json!({ "reason": "incident", "since": at(70) })).unwrap());
    world.decide(80, &[&held]).await;
    world
}

/// What is to be deployed and reported, of what is in a queue.
async fn taken(queue: &LocalQueue) -> (Vec<DeployDue>, usize) {
    let mut deploys = Vec::new();
    let receive =
        async |name| queue.receive(name, 100, Duration::from_secs(60), Duration::ZERO).await.unwrap();
    let of_east = QueueName::Deploys(east());
    for found in receive(&of_east).await {
        deploys.push(found.message.parse::<DeployDue>().unwrap().body);
    }
    (deploys, receive(&QueueName::Reports).await.len())
}

async fn folded(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for prefix in FOLDED {
        for key in world.store.list(prefix, None, usize::MAX).await.unwrap() {
            let value = world.store.get(&key).await.unwrap().unwrap();
            found.insert(key, value.bytes);
        }
    }
    found
}

async fn lose(world: &World, prefix: &str) {
    for key in world.store.list(prefix, None, usize::MAX).await.unwrap() {
        world.store.delete(&key).await.unwrap();
    }
}

/// As the schedule does, which is what a restored installation hears of first. Returns what that sends: ids of messages
/// are forgotten by then.
async fn settle(world: &World, now: Timestamp) -> (Vec<DeployDue>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let queue = LocalQueue::new(&Database::open(folder.path()).unwrap(), Arc::new(|| at(0)), 1_000);
    let World { store, log, authorization, settings, configurations, .. } = world;
    let recorder = Recorder {
        store,
        queue: &queue,
        log_signer: log,
        authorization_signer: authorization,
        settings,
        configurations,
    };
    recorder.genesis(now, &world.signed_genesis().await).await.unwrap();
    taken(&queue).await
}

async fn issued(world: &World, attempts: &[AttemptId]) -> Vec<Option<Vec<u8>>> {
    let mut found = Vec::new();
    for attempt in attempts {
        found.push(world.authorization(attempt).await);
    }
    found
}

#[tokio::test]
async fn it_is_as_it_was_and_nothing_old_is_deployed() {
    let world = lived().await;
    let attempts = decisions(&world).map(|decision| decision.attempt);
    let (before, leaves, authorized) =
        (folded(&world).await, world.leaves().await, issued(&world, &attempts).await);
    assert!(before.len() > 15, "{:?}", before.keys());
    assert!(world.state(&target("cart")).await.hold.is_some());
    lose(&world, "state/").await;
    let (deploys, reports) = settle(&world, lost_at()).await;
    assert_eq!(folded(&world).await, before);
    assert_eq!(world.leaves().await, leaves, "nothing was appended");
    assert_eq!(issued(&world, &attempts).await, authorized, "nothing was authorized again");
    let [_, _, later] = decisions(&world);
    let due = DeployDue { attempt: later.attempt, target: later.target };
    assert_eq!(deploys, [due], "only what no cluster has told of yet");
    assert!(reports > 0, "the latest state is told again");
}

/// It is folded in parts; what a later one tells of an authorization is known to the part that announces it.
#[tokio::test]
async fn what_is_told_in_a_later_part_of_the_log_is_not_announced_again() {
    let world = World::new().await;
    let [first, _, _] = decisions(&world);
    world.decide(10, &[&first]).await;
    for batch in 0..4 {
        let denied = (0..90).map(|number| Decision {
            verdict: Verdict::Denied,
            ..world.decision(&target("cart"), 'b', 100 * batch + number)
        });
        let denied: Vec<_> = denied.collect();
        world.decide(11, &denied.iter().collect::<Vec<_>>()).await;
    }
    assert!(world.leaves().await.len() > 300, "more than one part");
    lose(&world, "state/").await;
    let due = DeployDue { attempt: first.attempt, target: first.target.clone() };
    assert_eq!(settle(&world, lost_at()).await.0, [due], "no cluster has told of it");
    let told = outcome(&first, Some(1), OutcomeResult::Healthy);
    let told = world.recorder().outcomes(&east(), at(500), &[told]).await;
    told.into_iter().for_each(|told| told.unwrap());
    lose(&world, "state/").await;
    assert_eq!(settle(&world, lost_at()).await.0, []);
}

#[tokio::test]
async fn what_was_deleted_to_erase_somebody_stops_nothing() {
    let world = lived().await;
    let before = folded(&world).await;
    for prefix in ["state/", "blobs/", "people/"] {
        lose(&world, prefix).await;
    }
    settle(&world, lost_at()).await;
    assert_eq!(folded(&world).await, before);
    assert_eq!(world.store.list("people/", None, 1).await.unwrap(), [] as [&str; 0], "nobody is named again");
}

/// Reports are a fold as well, and authorizations are issued as of the leaf's time: the same as they were.
#[tokio::test]
async fn reports_that_were_lost_too_are_as_they_were() {
    let world = lived().await;
    let before = folded(&world).await;
    for prefix in FOLDED {
        lose(&world, prefix).await;
    }
    settle(&world, lost_at()).await;
    assert_eq!(folded(&world).await, before);
}

#[tokio::test]
async fn a_crash_at_every_call_of_it_changes_nothing() {
    let as_it_was = folded(&lived().await).await;
    at_every_call(
        async |recorder, world| recorder.genesis(lost_at(), &world.signed_genesis().await).await.is_ok(),
        async |world| {
            let [_, _, later] = decisions(world);
            let deploys = settle(world, lost_at()).await.0;
            assert!(deploys.iter().all(|due| due.attempt == later.attempt), "{deploys:?}");
            let keys: Vec<_> = folded(world).await.into_keys().collect();
            assert_eq!(keys, as_it_was.keys().cloned().collect::<Vec<_>>());
        },
        async || {
            let world = lived().await;
            lose(&world, "state/").await;
            world
        },
    )
    .await;
}
