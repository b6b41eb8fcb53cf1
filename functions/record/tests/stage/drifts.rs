//! Reports of drift, which come long after an attempt has ended.

use countersign_core::digest::Digest;
use countersign_core::event::Event;
use countersign_core::keys;
use countersign_core::message::{QueueName, ReportDue};
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::store::Store as _;

use crate::world::{World, at, east, outcome, target};

#[tokio::test]
async fn drift_is_recorded_after_the_end_and_changes_nothing_else() {
    let world = World::new().await;
    let decision = world.decision(&target("shop"), 'a', 1);
    world.decide(2, &[&decision]).await;
    let recorder = world.recorder();
    let healthy = outcome(&decision, Some(1), OutcomeResult::Healthy);
    recorder.outcomes(&east(), at(3), &[healthy]).await[0].as_ref().unwrap();
    let before = world.state(&target("shop")).await;
    let report = world.report('a').await;
    world.sent::<ReportDue>(&QueueName::Reports).await;
    world.sent::<Event>(&QueueName::Events).await;

    let differs = Digest::of(b"differs");
    let drifted = outcome(&decision, Some(1), OutcomeResult::Drifted { report: 1, differs });
    for _ in 0..2 {
        recorder.outcomes(&east(), at(4), std::slice::from_ref(&drifted)).await[0].as_ref().unwrap();
    }
    assert_eq!(world.leaves().await.len(), 4, "genesis, decision, healthy, drifted: a repeat is no leaf");
    let state = world.state(&target("shop")).await;
    assert_eq!(state.drift.as_ref().unwrap().since, at(4));
    assert_eq!((&state.outcome, &state.running, state.failures), (&before.outcome, &before.running, 0));
    assert!(state.is_settled() && world.store.list(keys::DUE, None, 10).await.unwrap().is_empty());
    assert_eq!(world.report('a').await, report, "the commit was deployed as it was decided");
    assert!(world.sent::<ReportDue>(&QueueName::Reports).await.is_empty());

    let restored = outcome(&decision, Some(1), OutcomeResult::Restored { report: 2 });
    recorder.outcomes(&east(), at(5), &[restored]).await[0].as_ref().unwrap();
    assert_eq!(world.state(&target("shop")).await.drift, None);
    assert_eq!(world.leaves().await.len(), 5);
}
