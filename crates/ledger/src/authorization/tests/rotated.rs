use super::*;
use crate::epochs::Epochs;
use crate::trust::Witnesses;

/// A world in its second epoch, with an authorization of the first.
fn rotated() -> (World, Epochs, ProvenAuthorization) {
    let mut world = World::new();
    let first = world.good();
    let epochs = world.rotate();
    world.trust = Trust::new(&epochs, &world.trust.audience, Witnesses::default());
    (world, epochs, first)
}

/// Adds a leaf that the world's present key signs, and issues the authorization of leaf 1 under it.
fn issued_later(world: &mut World) -> ProvenAuthorization {
    world.grow(1);
    world.issue(1, &record("first"))
}

#[test]
fn what_was_authorized_before_a_rotation_is_still_verified() {
    let (mut world, _, first) = rotated();
    assert!(world.verify(&bytes(&first)).is_ok(), "it was on its way");
    let later = bytes(&issued_later(&mut world));
    let authorization = world.verify(&later).unwrap();
    assert_eq!(authorization.predicate().sequence, Sequence { epoch: 2, index: 1 });
    let held = Held { sequence: Sequence { epoch: 1, index: 1 }, manifest: Digest::of(&manifest(1)) };
    let target = target();
    let drifted = Expected {
        now: minute(1_000_000),
        held: Some(held),
        kept: Some(world.at.text()),
        ..world.expected(&target)
    };
    let mended = run(verify(&bytes(&first), &drifted, &world.store)).unwrap();
    assert_eq!(mended.checkpoint(), world.at.text(), "the larger one stays");
}

#[test]
fn a_cluster_that_was_not_told_of_an_epoch_refuses_it() {
    let mut world = World::new();
    world.rotate();
    let first = bytes(&world.issue(1, &record("first")));
    assert_eq!(check_of(world.verify(&first)), Check::Signature);
}

#[test]
fn the_checkpoint_of_a_rotation_is_believed_by_either_key() {
    let (world, ..) = rotated();
    for keys in [1, 2] {
        assert!(world.at.is_signed_by(&TestSigner::ed25519(keys).note_key()).unwrap(), "{keys}");
    }
}

#[test]
fn an_epoch_is_signed_with_its_own_key() {
    let (mut world, ..) = rotated();
    let mut proven = issued_later(&mut world);
    world.sign_again(&mut proven, |statement| statement.predicate.sequence.epoch = 1);
    assert_eq!(check_of(world.verify(&bytes(&proven))), Check::Sequence);
}

#[test]
fn an_earlier_key_does_not_go_on_with_the_log() {
    let (mut world, ..) = rotated();
    let kept = world.at.text().to_owned();
    // Whoever stole both keys of the first epoch, and may write the log's bucket.
    world.store.edit("log/checkpoint", |checkpoint| {
        let text = String::from_utf8(std::mem::take(checkpoint)).unwrap();
        let (signed_by_both, _) = text.trim_end().rsplit_once('\n').unwrap();
        *checkpoint = format!("{signed_by_both}\n").into_bytes();
    });
    (world.log, world.authorizer) = (TestSigner::ed25519(1), TestSigner::p256(1));
    world.grow(1);
    let mut stolen = world.issue(1, &record("first"));
    world.sign_again(&mut stolen, |statement| statement.predicate.sequence.epoch = 1);
    let target = target();
    let told = Expected { kept: Some(&kept), ..world.expected(&target) };
    let (check, reason) = why(run(verify(&bytes(&stolen), &told, &world.store)));
    assert_eq!(check, Check::Consistency);
    assert!(reason.contains("an earlier epoch"), "{reason}");
}
