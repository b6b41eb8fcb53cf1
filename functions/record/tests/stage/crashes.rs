//! A crash at every call of a port, then the same messages again: nothing is lost, nothing happens twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_core::decision::{Decision, ExplainedHead, Verdict};
use countersign_core::leaf::Record;
use countersign_core::message::{DeployDue, QueueName, ReportDue};
use countersign_core::outcome::OutcomeResult;
use countersign_core::stage::Incoming;

use crate::dying::{Dying, Mortal};
use crate::world::{World, at, commit, east, incoming, outcome, target};

/// Runs `work` against ports that die at one call after the other, each time in a new world, until nothing
/// dies any more. `again` then runs it as a repeat would, and looks.
pub async fn at_every_call(
    first: impl AsyncFn(&Mortal<'_>, &World) -> bool,
    again: impl AsyncFn(&World),
    prepare: impl AsyncFn() -> World,
) {
    for answers_lost in [false, true] {
        for dies_at in 1.. {
            let (world, calls) = (prepare().await, AtomicUsize::new(0));
            let store = Dying::new(&world.store, &calls, dies_at, answers_lost);
            let queue = Dying::new(&world.queue, &calls, dies_at, answers_lost);
            let recorder = Mortal {
                store: &store,
                queue: &queue,
                log_signer: &world.log,
                authorization_signer: &world.authorization,
                settings: &world.settings,
                configurations: &world.configurations,
            };
            let done = first(&recorder, &world).await;
            let survived = calls.load(Ordering::SeqCst) < dies_at;
            assert_eq!(done, survived, "call {dies_at}: success is told exactly when nothing was lost");
            again(&world).await;
            if survived {
                assert!(dies_at > 10, "only {dies_at} calls were tried");
                break;
            }
        }
    }
}

fn decisions(world: &World) -> [Decision; 2] {
    let explained = vec![ExplainedHead { head: commit('e'), commit: commit('a') }];
    let allowed = Decision { explained, ..world.decision(&target("shop"), 'a', 1) };
    let denied = Decision { verdict: Verdict::Denied, ..world.decision(&target("cart"), 'a', 1) };
    [allowed, denied]
}

async fn batch(world: &World) -> Vec<Incoming> {
    let [allowed, denied] = decisions(world);
    let garbage = Incoming { body: "{".to_owned(), ..incoming(&0) };
    vec![world.message(&[&allowed, &denied]).await, garbage]
}

async fn names(world: &World) -> Vec<String> {
    world.leaves().await.iter().map(|leaf| leaf.record.name()).collect()
}

#[tokio::test]
async fn decisions_are_recorded_once_and_everything_follows() {
    at_every_call(
        async |recorder, world| {
            recorder.decisions(at(10), &batch(world).await).await.iter().all(Result::is_ok)
        },
        async |world| {
            let [allowed, _] = decisions(world);
            let early = world.authorization(&allowed.attempt).await;
            for seconds in [20, 30] {
                let results = world.recorder().decisions(at(seconds), &batch(world).await).await;
                assert!(results.iter().all(Result::is_ok), "{results:?}");
            }
            let names = names(world).await;
            assert_eq!((names.len(), names.iter().collect::<BTreeSet<_>>().len()), (4, 4), "{names:?}");
            let issued = world.authorization(&allowed.attempt).await;
            assert!(issued.is_some() && early.is_none_or(|early| Some(early) == issued));
            assert_eq!(world.state(&target("shop")).await.wanted.unwrap().sequence, 1);
            assert_eq!(world.state(&target("cart")).await.wanted, None);
            assert_eq!(world.report('a').await.targets.len(), 2);
            let deploys = world.sent::<DeployDue>(&QueueName::Deploys(east())).await;
            assert_eq!(deploys, [DeployDue { attempt: allowed.attempt, target: allowed.target }]);
            let reports = world.sent::<ReportDue>(&QueueName::Reports).await;
            assert_eq!(reports.len(), 1, "one report tells of both: {reports:?}");
        },
        World::new,
    )
    .await;
}

#[tokio::test]
async fn outcomes_are_recorded_once_and_told() {
    let outcomes = |world: &World| {
        let [allowed, _] = decisions(world);
        [OutcomeResult::Applied, OutcomeResult::Healthy].map(|result| outcome(&allowed, Some(1), result))
    };
    at_every_call(
        async |recorder, world| {
            recorder.outcomes(&east(), at(40), &outcomes(world)).await.iter().all(Result::is_ok)
        },
        async |world| {
            for seconds in [50, 60] {
                let results = world.recorder().outcomes(&east(), at(seconds), &outcomes(world)).await;
                assert!(results.iter().all(Result::is_ok), "{results:?}");
            }
            let leaves = world.leaves().await;
            assert_eq!(leaves.iter().filter(|leaf| matches!(leaf.record, Record::Outcome(_))).count(), 2);
            assert_eq!(leaves.len(), 6);
            let state = world.state(&target("shop")).await;
            assert!(state.is_settled() && state.due.is_none());
            let told = &world.report('a').await.targets["shop/production/east"];
            assert_eq!(told.outcome.as_ref().unwrap().result, OutcomeResult::Healthy);
            let reports = world.sent::<ReportDue>(&QueueName::Reports).await;
            assert_eq!(reports.len(), 1, "one report tells of both: {reports:?}");
        },
        async || {
            let world = World::new().await;
            world.recorder().decisions(at(10), &batch(&world).await).await;
            world.sent::<ReportDue>(&QueueName::Reports).await;
            world
        },
    )
    .await;
}

#[tokio::test]
async fn genesis_is_the_first_leaf_once() {
    at_every_call(
        async |recorder, world| recorder.genesis(at(1), &world.signed_genesis().await).await.is_ok(),
        async |world| {
            for seconds in [2, 3] {
                world.recorder().genesis(at(seconds), &world.signed_genesis().await).await.unwrap();
            }
            assert_eq!(names(world).await, ["genesis"]);
            let events = world.sent::<countersign_core::event::Event>(&QueueName::Events).await;
            assert_eq!(events.len(), 2, "the control repository and the shop's are looked at: {events:?}");
        },
        World::empty,
    )
    .await;
}
