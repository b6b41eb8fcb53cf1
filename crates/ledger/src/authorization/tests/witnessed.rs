//! Clusters that demand a witness.

use countersign_core::keys;
use countersign_core::ports::store::Store as _;

use super::*;
use crate::note::NoteKey;
use crate::testing::cosign;
use crate::trust::Witnesses;

const NAME: &str = "witness.example";

/// A world whose cluster trusts the witnesses of these numbers, and demands one of them.
fn world() -> World {
    let mut world = World::new();
    let key = |number| NoteKey::witness(NAME, TestSigner::ed25519(number).public_key()).unwrap();
    world.trust.witnesses = Witnesses { required: 1, keys: vec![key(5), key(6)] };
    world
}

/// Leaves beside the log what a witness of this number saw and cosigned.
fn leave(world: &World, checkpoint: &str, witness: u8) {
    let size = crate::note::Note::parse(checkpoint).unwrap().text().lines().nth(1).unwrap().parse().unwrap();
    let cosigned = cosign(checkpoint, NAME, &TestSigner::ed25519(witness), 7);
    run(world.store.put(keys::WITNESSED, checkpoint.as_bytes())).unwrap();
    run(world.store.put(&keys::cosigned(size), cosigned.as_bytes())).unwrap();
}

fn waits(result: Result<Authorization, NotVerified>) -> String {
    match result {
        Err(NotVerified::Unwitnessed(why)) => why,
        other => panic!("expected to wait, got {other:?}"),
    }
}

#[test]
fn a_cosignature_that_came_along_is_enough() {
    let world = world();
    let mut proven = world.good();
    let mut proof = run(world.view().prove(1)).unwrap();
    proof.checkpoint = cosign(&proof.checkpoint, NAME, &TestSigner::ed25519(6), 7);
    proven.proof = proof.to_string();
    assert!(world.verify(&bytes(&proven)).unwrap().checkpoint().contains(NAME));
}

#[test]
fn a_decision_that_no_witness_saw_is_waited_for() {
    let mut world = world();
    let good = bytes(&world.good());
    assert!(waits(world.verify(&good)).contains("saw 0 leaves, not leaf 1"));
    // It saw the log before the decision.
    let before =
        run(append(&Memory::default(), &world.log, ORIGIN, &run(world.view().leaves(0..1)).unwrap(), None));
    leave(&world, before.unwrap().checkpoint.text(), 5);
    assert!(waits(world.verify(&good)).contains("saw 1 leaves"));
    // It noted what it saw, and has not signed it yet.
    world.grow(3);
    let now = world.at.text().to_owned();
    run(world.store.put(keys::WITNESSED, now.as_bytes())).unwrap();
    assert!(waits(world.verify(&good)).contains("not there yet"));
    leave(&world, &now, 5);
    let authorization = world.verify(&good).unwrap();
    assert!(authorization.checkpoint().starts_with(&now), "what the witness saw is kept on the cluster");
    assert!(authorization.checkpoint().contains(NAME));
}

#[test]
fn what_expired_while_it_waited_says_for_whom() {
    let world = world();
    let (good, target) = (bytes(&world.good()), target());
    let expected = Expected { now: minute(60), ..world.expected(&target) };
    let (check, reason) = why(run(verify(&good, &expected, &world.store)));
    assert_eq!(check, Check::Time);
    assert!(reason.contains("see that the witness runs"), "{reason}");
}

#[test]
fn only_a_trusted_witness_counts() {
    let world = world();
    let good = bytes(&world.good());
    leave(&world, world.at.text(), 7);
    let (check, reason) = why(world.verify(&good));
    assert_eq!(check, Check::Checkpoint);
    assert!(reason.contains(NAME) && reason.contains("cluster add"), "{reason}");
    for witness in [5, 6] {
        leave(&world, world.at.text(), witness);
        assert!(world.verify(&good).is_ok(), "{witness}");
    }
    // A signature under a trusted witness's name that is not its own makes the whole checkpoint unusable.
    let liar = TestSigner::ed25519(7).swapped(TestSigner::ed25519(5));
    let forged = cosign(world.at.text(), NAME, &liar, 7);
    run(world.store.put(&keys::cosigned(4), forged.as_bytes())).unwrap();
    assert_eq!(check_of(world.verify(&good)), Check::Checkpoint);
}

#[test]
fn a_witness_of_another_log_or_history_is_refused() {
    let world = world();
    let good = bytes(&world.good());
    let mut common = run(world.view().leaves(0..2)).unwrap();
    common.extend(leaves(0, 300));
    let forked = run(append(&Memory::default(), &world.log, ORIGIN, &common, None)).unwrap().checkpoint;
    leave(&world, forked.text(), 5);
    assert_eq!(check_of(world.verify(&good)), Check::Consistency, "the witness saw a fork");
    let other =
        run(append(&Memory::default(), &TestSigner::ed25519(2), ORIGIN, &common, None)).unwrap().checkpoint;
    leave(&world, other.text(), 5);
    assert_eq!(check_of(world.verify(&good)), Check::Checkpoint, "another key signed that log");
    // It notes one size, and signs another: the true log before the decision.
    let before = run(append(&Memory::default(), &world.log, ORIGIN, &common[..1], None)).unwrap().checkpoint;
    leave(&world, world.at.text(), 5);
    let cosigned = cosign(before.text(), NAME, &TestSigner::ed25519(5), 7);
    run(world.store.put(&keys::cosigned(4), cosigned.as_bytes())).unwrap();
    assert_eq!(check_of(world.verify(&good)), Check::Checkpoint, "it does not hold the decision");
}

#[test]
fn what_was_witnessed_must_extend_what_the_cluster_keeps() {
    let world = world();
    let good = bytes(&world.good());
    leave(&world, world.at.text(), 5);
    let mut common = run(world.view().leaves(0..3)).unwrap();
    common.extend(leaves(0, 2));
    let kept = run(append(&Memory::default(), &world.log, ORIGIN, &common, None)).unwrap().checkpoint;
    let target = target();
    let expected = Expected { kept: Some(kept.text()), ..world.expected(&target) };
    assert_eq!(check_of(run(verify(&good, &expected, &world.store))), Check::Consistency);
}
