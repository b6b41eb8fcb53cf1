//! The checkpoint that came along, and the one that is kept on the cluster.

use super::*;

fn with_kept(world: &World, proven: &ProvenAuthorization, kept: &str) -> Result<Authorization, NotVerified> {
    let target = target();
    run(verify(&bytes(proven), &Expected { kept: Some(kept), ..world.expected(&target) }, &world.store))
}

/// Another log of the same key and origin that has `same` leaves of the world's before it goes its own way.
fn fork(world: &World, same: u64, other: u64) -> (Memory, String) {
    let store = Memory::default();
    let mut common = run(world.view().leaves(0..same)).unwrap();
    common.extend(leaves(0, other));
    let text = run(append(&store, &world.log, ORIGIN, &common, None)).unwrap().checkpoint.text().to_owned();
    (store, text)
}

#[test]
fn the_larger_checkpoint_of_one_history_is_kept() {
    let mut world = World::new();
    let (old, small) = (world.good(), world.at.text().to_owned());
    world.grow(700);
    let (new, large) = (world.good(), world.at.text().to_owned());
    for (proven, kept) in [(&old, &large), (&new, &small), (&new, &large)] {
        assert_eq!(with_kept(&world, proven, kept).unwrap().checkpoint(), large);
    }
    assert_eq!(with_kept(&world, &old, &small).unwrap().checkpoint(), small);
}

#[test]
fn a_fork_is_refused() {
    let mut world = World::new();
    let proven = world.good();
    for (same, other) in [(2, 2), (2, 1), (2, 9), (4, 0), (3, 300)] {
        let (_, kept) = fork(&world, same, other);
        let result = with_kept(&world, &proven, &kept);
        if (same, other) == (4, 0) {
            assert!(result.is_ok(), "the same leaves are the same history");
        } else {
            assert_eq!(check_of(result), Check::Consistency, "{same} {other}");
        }
    }
    let (_, kept) = fork(&world, 2, 300);
    world.grow(700);
    let (check, reason) = why(with_kept(&world, &world.good(), &kept));
    assert_eq!(check, Check::Consistency);
    assert!(reason.contains("not of one history"), "{reason}");
}

#[test]
fn a_log_that_was_restored_from_an_old_copy_is_refused() {
    let mut world = World::new();
    let (old, proven) = (world.store.copy(), world.good());
    world.grow(700);
    let kept = world.at.text().to_owned();
    world.store = old;
    let (check, reason) = why(with_kept(&world, &proven, &kept));
    assert_eq!(check, Check::Consistency);
    assert!(reason.contains("cannot show"), "{reason}");
}

#[test]
fn a_kept_checkpoint_that_nobody_signed_is_refused() {
    let world = World::new();
    let other = fork(&World { log: TestSigner::ed25519(2), ..World::new() }, 4, 0).1;
    for kept in [other.as_str(), "", "nonsense"] {
        assert_eq!(check_of(with_kept(&world, &world.good(), kept)), Check::Consistency, "{kept:?}");
    }
}

#[test]
fn a_log_that_cannot_be_read_now_is_no_refusal() {
    let mut world = World::new();
    let (proven, target) = (world.good(), target());
    world.grow(1);
    let expected = Expected { kept: Some(world.at.text()), ..world.expected(&target) };
    let result = run(verify(&bytes(&proven), &expected, &Mortal::new(&world.store, 0)));
    assert!(matches!(result, Err(NotVerified::Unavailable(_))), "{result:?}");
}

#[test]
fn tiles_that_were_altered_are_refused() {
    let mut world = World::new();
    let proven = world.good();
    world.grow(1);
    for key in world.store.keys("log/tile/0/") {
        world.store.edit(&key, |bytes| bytes.iter_mut().for_each(|byte| *byte ^= 1));
    }
    let kept = world.at.text().to_owned();
    assert_eq!(check_of(with_kept(&world, &proven, &kept)), Check::Consistency);
}
