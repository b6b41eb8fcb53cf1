//! From messages to leaves, state, authorizations and messages.

use countersign_core::decision::{Decision, ExplainedHead, Verdict};
use countersign_core::event::{Event, EventKind};
use countersign_core::keys;
use countersign_core::leaf::{Disposition, Record};
use countersign_core::message::{DecisionMade, DecisionsMade, DeployDue, Message, QueueName, ReportDue};
use countersign_core::names::Target;
use countersign_core::outcome::{Check, OutcomeResult};
use countersign_core::ports::store::{self, Store as _};
use countersign_core::stage::{Incoming, StageError};
use countersign_ledger::authorization::{Expected, verify};
use countersign_ledger::genesis;

use crate::world::{World, at, commit, east, incoming, outcome, target};

/// What the log holds of a decision.
async fn logged(world: &World, decision: &Decision) -> countersign_core::leaf::DecisionRecord {
    let found = world.leaves().await.into_iter().find_map(|leaf| match leaf.record {
        Record::Decision(record) if record.attempt == decision.attempt => Some(*record),
        _ => None,
    });
    found.expect("the decision is in the log")
}

#[tokio::test]
async fn an_allowed_decision_becomes_an_authorization_that_verifies() {
    let world = World::new().await;
    let decision = world.decision(&target("shop"), 'a', 1);
    world.decide(2, &[&decision]).await;
    let bytes = world.authorization(&decision.attempt).await.unwrap();
    let trust = world.trust();
    let expected = Expected { trust: &trust, target: &target("shop"), now: at(3), held: None, kept: None };
    let authorization = verify(&bytes, &expected, &world.store).await.unwrap();
    assert_eq!(Some(authorization.manifest_digest()), decision.manifest);
    assert_eq!(authorization.predicate().sequence.index, 1);
    let record = logged(&world, &decision).await;
    assert_eq!(authorization.record(), &record);
    // The leaf names nobody; who may read the blobs of people finds the name.
    let person = world.store.get(&keys::person(&record.approvers[0])).await.unwrap().unwrap();
    assert_eq!(person.bytes, b"grace");
    assert_eq!(world.sent::<DeployDue>(&QueueName::Deploys(east())).await.len(), 1);
    let told = world.sent::<ReportDue>(&QueueName::Reports).await;
    assert_eq!((told.len(), &told[0].commit), (1, &commit('a')));
    let due = world.store.list(keys::DUE, None, 10).await.unwrap();
    assert_eq!(due, [keys::due(world.state(&target("shop")).await.due.unwrap(), &target("shop"))]);
}

#[tokio::test]
async fn what_a_newer_release_sent_waits_and_holds_up_nothing_else() {
    let world = World::new().await;
    let decision = world.decision(&target("shop"), 'a', 1);
    let known = world.message(&[&decision]).await;
    let newer = Incoming { body: r#"{"v":2,"more":[]}"#.to_owned(), ..known.clone() };
    let batch = [newer, known];
    let results = world.recorder().handle(&QueueName::Decisions, at(2), &batch).await;
    assert!(matches!(&results[0], Err(StageError::Retry(why)) if why.contains("update")), "{results:?}");
    assert_eq!(results[1], Ok(()));
    assert!(world.authorization(&decision.attempt).await.is_some());
    assert_eq!(world.leaves().await.len(), 2, "nothing was rejected");
}

#[tokio::test]
async fn of_two_looks_in_one_batch_the_second_is_superseded_and_asks_again() {
    let world = World::new().await;
    let (first, second) = (world.decision(&target("shop"), 'a', 1), world.decision(&target("shop"), 'b', 2));
    world.decide(3, &[&first, &second]).await;
    assert_eq!(logged(&world, &second).await.disposition, Disposition::Superseded);
    assert_eq!(world.authorization(&second.attempt).await, None);
    let events = world.sent::<Event>(&QueueName::Events).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::TargetDue { target: target("shop"), at_tip: true });
    assert!(events[0].received >= second.began, "the next look is a later one");
}

#[tokio::test]
async fn a_look_after_one_that_was_overtaken_is_not_overtaken_by_a_clock_that_is_ahead() {
    let world = World::new().await;
    let ahead = Decision { verdict: Verdict::Denied, ..world.decision(&target("shop"), 'a', 600) };
    let right = world.decision(&target("shop"), 'b', 5);
    world.decide(6, &[&ahead, &right]).await;
    assert_eq!(logged(&world, &right).await.disposition, Disposition::Superseded);
    let events = world.sent::<Event>(&QueueName::Events).await;
    assert!(events[0].received >= ahead.began, "the next look is later by every clock");
}

#[tokio::test]
async fn every_commit_that_asks_for_the_same_is_told_what_becomes_of_it() {
    let world = World::new().await;
    let first = world.decision(&target("shop"), 'a', 1);
    let same = |digit, seconds| Decision {
        manifest: first.manifest,
        based_on: Some(1),
        ..world.decision(&target("shop"), digit, seconds)
    };
    world.decide(2, &[&first]).await;
    world.decide(3, &[&same('b', 3), &same('c', 4)]).await;
    // Another change takes over before it is known what became of this one.
    let other = Decision { based_on: Some(1), ..world.decision(&target("shop"), 'd', 5) };
    world.decide(5, &[&other]).await;
    let overtaken = outcome(&first, Some(1), OutcomeResult::Overtaken);
    world.recorder().outcomes(&east(), at(6), &[overtaken]).await[0].as_ref().unwrap();
    for digit in ['a', 'b', 'c'] {
        let told = world.report(digit).await.targets["shop/production/east"].outcome.clone();
        assert_eq!(told.map(|outcome| outcome.result), Some(OutcomeResult::Overtaken), "{digit}");
    }
}

#[tokio::test]
async fn nothing_is_said_of_an_attempt_after_it_has_ended() {
    let world = World::new().await;
    let decision = world.decision(&target("shop"), 'a', 1);
    world.decide(2, &[&decision]).await;
    let healthy = outcome(&decision, Some(1), OutcomeResult::Healthy);
    let failed = outcome(&decision, Some(1), OutcomeResult::Failed);
    let recorder = world.recorder();
    // In one batch, and in the next one: the message that led to it came again while the cluster was away.
    assert_eq!(recorder.outcomes(&east(), at(3), &[healthy, failed.clone()]).await, [Ok(()), Ok(())]);
    assert_eq!(recorder.outcomes(&east(), at(4), &[failed]).await, [Ok(())]);
    assert_eq!(world.leaves().await.len(), 3);
    // Somebody who presents a false authorization of it is told of in the log, and changes nothing.
    let refused = outcome(&decision, Some(1), OutcomeResult::Refused { check: Check::Signature });
    assert_eq!(recorder.outcomes(&east(), at(5), &[refused]).await, [Ok(())]);
    assert_eq!(world.leaves().await.len(), 4);
    let told = world.report('a').await.targets["shop/production/east"].outcome.clone();
    assert_eq!(told.unwrap().result, OutcomeResult::Healthy);
    assert_eq!(world.state(&target("shop")).await.failures, 0);
    assert_eq!(world.state(&target("shop")).await.outcome.unwrap().result, OutcomeResult::Healthy);
}

#[tokio::test]
async fn a_head_explains_one_commit_only() {
    let world = World::new().await;
    let explains = |digit, decision| Decision {
        explained: vec![ExplainedHead { head: commit('e'), commit: commit(digit) }],
        ..decision
    };
    let first = explains('a', world.decision(&target("shop"), 'a', 1));
    let second = explains('b', world.decision(&target("cart"), 'b', 1));
    world.decide(2, &[&first]).await;
    world.decide(3, &[&second]).await;
    assert_eq!(logged(&world, &second).await.disposition, Disposition::Superseded);
    let again = explains('a', world.decision(&target("cart"), 'a', 4));
    world.decide(5, &[&again]).await;
    assert_eq!(logged(&world, &again).await.disposition, Disposition::Authorized);
}

#[tokio::test]
async fn denials_and_previews_are_recorded_told_and_authorize_nothing() {
    let world = World::new().await;
    let denied = Decision { verdict: Verdict::Denied, ..world.decision(&target("shop"), 'a', 1) };
    let preview = Decision { preview: true, ..world.decision(&target("cart"), 'b', 1) };
    world.decide(2, &[&denied, &preview]).await;
    assert_eq!(logged(&world, &denied).await.disposition, Disposition::Refused);
    assert_eq!(logged(&world, &preview).await.disposition, Disposition::Preview);
    assert!(world.sent::<DeployDue>(&QueueName::Deploys(east())).await.is_empty());
    assert_eq!(world.sent::<ReportDue>(&QueueName::Reports).await.len(), 2);
    assert!(world.report('b').await.targets["cart/production/east"].preview);
    assert_eq!(world.store.get(&keys::target(&target("cart"))).await.unwrap(), None);
}

#[tokio::test]
async fn what_nothing_can_follow_from_is_refused_and_holds_up_nothing() {
    let world = World::new().await;
    let bare = Decision { manifest: None, ..world.decision(&target("shop"), 'a', 1) };
    let nowhere = world.decision(&"shop/production/north".parse().unwrap(), 'a', 1);
    let good = world.decision(&target("cart"), 'a', 1);
    world.decide(2, &[&bare, &nowhere, &good]).await;
    assert_eq!(logged(&world, &bare).await.disposition, Disposition::Refused);
    let reason = logged(&world, &nowhere).await.reason;
    assert!(reason.contains("not in countersign.yaml"), "{reason}");
    assert!(world.authorization(&good.attempt).await.is_some());
}

#[tokio::test]
async fn every_decision_that_cannot_be_read_is_a_leaf_of_its_own() {
    let world = World::new().await;
    let missing = [&b"x"[..], b"y"].map(|bytes| DecisionMade {
        decision: countersign_core::digest::Digest::of(bytes),
        trace: "t".to_owned(),
    });
    let message = incoming(&Message::new("t", DecisionsMade { decisions: missing.to_vec() }));
    for _ in 0..2 {
        assert_eq!(world.recorder().decisions(at(1), std::slice::from_ref(&message)).await, [Ok(())]);
    }
    let rejected = world.leaves().await.into_iter().filter_map(|leaf| match leaf.record {
        Record::Rejected(record) => Some(record.reason),
        _ => None,
    });
    let rejected: Vec<_> = rejected.collect();
    assert_eq!(rejected.len(), 2, "{rejected:?}");
    assert!(rejected[0].contains("not in the store"), "{rejected:?}");
}

#[tokio::test]
async fn an_outcome_counts_only_for_what_its_own_cluster_was_told_to_do() {
    let world = World::new().await;
    let (shop, cart) = (world.decision(&target("shop"), 'a', 1), world.decision(&target("cart"), 'a', 1));
    world.decide(2, &[&shop, &cart]).await;
    let before = world.state(&target("shop")).await;
    let west = "west".parse().unwrap();
    let applied = OutcomeResult::Applied;
    let by_the_wrong_queue = outcome(&shop, Some(1), applied.clone());
    let of_another_sequence = outcome(&shop, Some(7), applied.clone());
    let of_another_target =
        outcome(&Decision { target: cart.target.clone(), ..shop.clone() }, None, applied.clone());
    let of_nothing = outcome(&world.decision(&target("shop"), 'b', 9), None, applied);
    let garbage = incoming(&"no outcome");
    world.recorder().outcomes(&west, at(3), &[by_the_wrong_queue]).await[0].as_ref().unwrap();
    let batch = [of_another_sequence, of_another_target, of_nothing, garbage];
    for result in world.recorder().outcomes(&east(), at(4), &batch).await {
        result.unwrap();
    }
    let leaves = world.leaves().await;
    let rejected = leaves.iter().filter(|leaf| matches!(leaf.record, Record::Rejected(_))).count();
    assert_eq!((rejected, leaves.len()), (5, 8));
    assert_eq!(world.state(&target("shop")).await, before);
}

#[tokio::test]
async fn a_failure_makes_another_look_due_and_success_ends_it() {
    let world = World::new().await;
    let decision = world.decision(&target("shop"), 'a', 1);
    world.decide(2, &[&decision]).await;
    let failed = outcome(&decision, Some(1), OutcomeResult::Failed);
    world.recorder().outcomes(&east(), at(3), &[failed]).await[0].as_ref().unwrap();
    let due = world.store.list(keys::DUE, None, 10).await.unwrap();
    assert_eq!(due, [keys::due(at(13), &target("shop"))]);
    let unsettled = keys::unsettled_prefix(&decision.follows);
    assert_eq!(world.store.list(&unsettled, None, 10).await.unwrap().len(), 1);
    let healthy = outcome(&decision, Some(1), OutcomeResult::Healthy);
    world.recorder().outcomes(&east(), at(4), &[healthy]).await[0].as_ref().unwrap();
    assert!(world.store.list(keys::DUE, None, 10).await.unwrap().is_empty());
    assert!(world.store.list(&unsettled, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_the_root_key_begins_a_log() {
    let world = World::empty().await;
    let forged = World::empty().await.signed_genesis().await;
    let refused = world.recorder().genesis(at(1), &forged).await;
    assert!(matches!(refused, Err(StageError::Final(_))), "{refused:?}");
    assert!(world.leaves().await.is_empty());
    let of_another_log = countersign_ledger::genesis::Genesis {
        origin: "log.example/two".to_owned(),
        ..world.genesis.clone()
    };
    let signed = genesis::sign(&world.root, &of_another_log).await.unwrap();
    let refused = world.recorder().genesis(at(1), &signed).await;
    assert!(
        matches!(&refused, Err(StageError::Final(why)) if why.contains("log.example/two")),
        "{refused:?}"
    );
    assert!(world.leaves().await.is_empty());
}

#[tokio::test]
async fn an_activation_makes_everything_due_under_the_new_bundle() {
    let world = World::new().await;
    let new = countersign_core::digest::Digest::of(b"new");
    let activation = Decision {
        target: countersign_core::names::Target::control(),
        operation: countersign_core::facts::Operation::Activate,
        manifest: None,
        new_bundle: Some(new),
        ..world.decision(&target("shop"), 'b', 1)
    };
    world.store_bundle(&new).await;
    world.decide(2, &[&activation]).await;
    let active: countersign_core::target::ActiveBundle =
        store::get_json(&world.store, keys::ACTIVE_BUNDLE).await.unwrap().unwrap();
    assert_eq!((active.bundle, active.index, active.commit), (new, 1, commit('b')));
    let events = world.sent::<Event>(&QueueName::Events).await;
    assert!(events.iter().all(|event| matches!(event.kind, EventKind::RefDue { every_target: true, .. })));
    assert_eq!(events.len(), 2);
    let old = world.decision(&target("shop"), 'c', 3);
    world.decide(4, &[&old]).await;
    assert_eq!(logged(&world, &old).await.disposition, Disposition::Superseded);
}

/// What `record` is told when a message of `queue` can never succeed.
fn dead(queue: &QueueName, id: &str, body: &str) -> Incoming {
    incoming(&Message::of_dead_letter(queue, id, body, "it cannot be"))
}

#[tokio::test]
async fn a_dead_letter_is_a_leaf_and_what_was_to_be_deployed_failed() {
    let world = World::new().await;
    let shop = world.decision(&target("shop"), 'a', 1);
    world.decide(2, &[&shop]).await;
    let about = |target: &Target| {
        let due = DeployDue { attempt: shop.attempt, target: target.clone() };
        serde_json::to_string(&Message::new("t", due)).unwrap()
    };
    let batch = [
        dead(&QueueName::Deploys(east()), "1", &about(&shop.target)),
        dead(&QueueName::Observations(east()), "2", "garbage"),
        // It was told by the queue of another cluster than it speaks of.
        dead(&QueueName::Deploys("west".parse().unwrap()), "3", &about(&shop.target)),
        dead(&QueueName::Events, "4", "{}"),
    ];
    for _ in 0..2 {
        let results = world.recorder().dead_letters(Some(&east()), at(3), &batch).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }
    let facts = dead(&QueueName::Facts, "5", &about(&shop.target));
    world.recorder().dead_letters(None, at(4), &[facts]).await[0].as_ref().unwrap();
    let leaves = world.leaves().await;
    let rejected = leaves.iter().filter_map(|leaf| match &leaf.record {
        Record::Rejected(record) => Some((record.queue.as_str(), record.target.clone())),
        _ => None,
    });
    let shop = Some(shop.target);
    let (own, rejected) = ("dead-letters-east", rejected.collect::<Vec<_>>());
    assert_eq!(rejected, [("observations-east", None), (own, None), (own, None), ("facts", shop)]);
    let state = world.state(&target("shop")).await;
    assert_eq!(state.outcome.unwrap().result, OutcomeResult::Failed);
    assert!(state.due.is_some(), "another look is due");
}
