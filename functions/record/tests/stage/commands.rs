//! Commands: nonces, holds, and the recovery by the root key.

use countersign_core::decision::{Decision, Verdict};
use countersign_core::digest::Digest;
use countersign_core::event::{Event, EventKind};
use countersign_core::facts::{Hold, Operation};
use countersign_core::keys;
use countersign_core::leaf::{DecisionRecord, Disposition, Record};
use countersign_core::message::QueueName;
use countersign_core::names::Target;
use countersign_core::ports::signer::Signer;
use countersign_core::ports::store;
use countersign_core::statement::{Command, NAMESPACE, Says, SignedStatement, Statement};
use countersign_core::target::ActiveBundle;
use countersign_provenance::root;

use crate::world::{World, at, commit, target};

async fn signed(by: &impl Signer, nonce: &str, command: Command) -> SignedStatement {
    let says = Says::Command { command, expires: at(1_000) };
    let repository = "local/control".parse().unwrap();
    let statement = Statement { v: 1, repository, time: at(0), nonce: nonce.to_owned(), says };
    let payload = serde_json::to_string(&statement).unwrap();
    let signature = root::sign(by, NAMESPACE, payload.as_bytes()).await.unwrap();
    SignedStatement { payload, signature }
}

/// An allowed hold of the shop.
async fn hold(world: &World, nonce: &str, seconds: i64) -> Decision {
    let reason = "incident".to_owned();
    let command = Command::Hold { target: target("shop"), reason: reason.clone() };
    Decision {
        operation: Operation::Hold,
        manifest: None,
        hold: Some(Hold { reason, since: at(seconds) }),
        command: Some(signed(&world.log, nonce, command).await),
        ..world.decision(&target("shop"), 'a', seconds)
    }
}

/// A denied activation of `bundle` that a recovery asks for.
async fn recovery(world: &World, by: &impl Signer, bundle: Digest, seconds: i64) -> Decision {
    let command = Command::Recover { commit: commit('b'), bundle, replaces: world.genesis.bundle };
    Decision {
        target: Target::control(),
        operation: Operation::Activate,
        manifest: None,
        new_bundle: Some(bundle),
        verdict: Verdict::Denied,
        command: Some(signed(by, &format!("recovery {seconds}"), command).await),
        ..world.decision(&target("shop"), 'b', seconds)
    }
}

async fn logged(world: &World) -> Vec<DecisionRecord> {
    let leaves = world.leaves().await.into_iter();
    let decision = |record| if let Record::Decision(record) = record { Some(*record) } else { None };
    leaves.filter_map(|leaf| decision(leaf.record)).collect()
}

#[tokio::test]
async fn a_command_is_carried_out_once() {
    let world = World::new().await;
    let (first, replayed) = (hold(&world, "n1", 1).await, hold(&world, "n1", 2).await);
    world.decide(3, &[&first, &replayed]).await;
    world.decide(4, &[&hold(&world, "n1", 4).await]).await;
    let dispositions: Vec<_> = logged(&world).await.iter().map(|record| record.disposition).collect();
    assert_eq!(dispositions, [Disposition::Authorized, Disposition::Refused, Disposition::Refused]);
    assert_eq!(world.state(&target("shop")).await.hold.unwrap().reason, "incident");
}

#[tokio::test]
async fn a_copy_under_another_key_spends_nothing_of_its_owner() {
    let world = World::new().await;
    let own = hold(&world, "n1", 3).await;
    let command = Command::Hold { target: target("shop"), reason: "incident".to_owned() };
    let copy = signed(&world.root, "n1", command).await;
    let unsigned = SignedStatement { signature: String::new(), ..own.command.clone().unwrap() };
    let denied = |command, seconds| Decision {
        verdict: Verdict::Denied,
        command: Some(command),
        ..world.decision(&target("shop"), 'a', seconds)
    };
    world.decide(4, &[&denied(copy, 1), &denied(unsigned, 2), &own]).await;
    let logged = logged(&world).await;
    let dispositions: Vec<_> = logged.iter().map(|record| record.disposition).collect();
    assert_eq!(dispositions, [Disposition::Refused, Disposition::Refused, Disposition::Authorized]);
    assert!(logged[0].nonce.is_some() && logged[1].nonce.is_none() && logged[0].nonce != logged[2].nonce);
}

#[tokio::test]
async fn a_command_that_another_bundle_overtook_comes_again_and_has_spent_nothing() {
    let world = World::new().await;
    let late = Decision { bundle: Digest::of(b"old"), ..hold(&world, "n1", 1).await };
    world.decide(2, &[&late]).await;
    let events = world.sent::<Event>(&QueueName::Events).await;
    let statement = late.command.clone().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::Command { statement });
    let again = Decision { bundle: world.genesis.bundle, ..hold(&world, "n1", 3).await };
    world.decide(4, &[&again]).await;
    assert!(world.state(&target("shop")).await.hold.is_some());
}

#[tokio::test]
async fn nothing_slips_through_between_a_hold_and_those_who_see_it() {
    let world = World::new().await;
    world.decide(2, &[&hold(&world, "n1", 1).await, &world.decision(&target("shop"), 'b', 2)]).await;
    assert_eq!(logged(&world).await[1].disposition, Disposition::Superseded);
    let release = Decision { operation: Operation::Release, ..world.decision(&target("shop"), 'a', 3) };
    world.sent::<Event>(&QueueName::Events).await;
    world.decide(4, &[&release]).await;
    assert_eq!(world.state(&target("shop")).await.hold, None);
    let events = world.sent::<Event>(&QueueName::Events).await;
    let tip = EventKind::RefDue { reference: "refs/heads/main".parse().unwrap(), every_target: false };
    assert_eq!(events[0].kind, tip);
}

#[tokio::test]
async fn the_root_key_recovers_what_policy_denies_and_no_other_key_does() {
    let world = World::new().await;
    let repair = Digest::of(b"repair");
    world.store_bundle(&repair).await;
    world.decide(2, &[&recovery(&world, &world.log, repair, 1).await]).await;
    assert_eq!(logged(&world).await[0].disposition, Disposition::Refused);
    world.decide(4, &[&recovery(&world, &world.root, repair, 3).await]).await;
    let record = &logged(&world).await[1];
    assert_eq!((record.disposition, record.verdict), (Disposition::Authorized, Verdict::Allowed));
    let active: ActiveBundle = store::get_json(&world.store, keys::ACTIVE_BUNDLE).await.unwrap().unwrap();
    assert_eq!(active.bundle, repair);
}

#[tokio::test]
async fn a_recovery_to_a_bundle_that_does_not_compile_is_refused_and_the_log_goes_on() {
    let world = World::new().await;
    let broken = Digest::of(b"broken");
    world.decide(2, &[&recovery(&world, &world.root, broken, 1).await]).await;
    let record = &logged(&world).await[0];
    assert_eq!(record.disposition, Disposition::Refused);
    assert!(record.reason.contains("does not compile"), "{}", record.reason);
    let deployment = world.decision(&target("shop"), 'a', 3);
    world.decide(4, &[&deployment]).await;
    assert!(world.authorization(&deployment.attempt).await.is_some());
}
