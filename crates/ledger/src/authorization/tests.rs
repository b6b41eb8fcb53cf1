use countersign_core::authorization::{AuthorizationStatement, ProvenAuthorization};
use countersign_core::decision::Verdict;
use countersign_core::digest::canonical_json;
use countersign_core::facts::Operation;
use countersign_core::leaf::{Disposition, Record};
use countersign_core::ports::signer::Signer as _;
use proptest::prelude::*;

use super::*;
use crate::dsse;
use crate::log::append;
use crate::testing::world::{World, attempt, commit, leaf, manifest, minute, record, target};
use crate::testing::{Memory, Mortal, ORIGIN, TestSigner, leaves, run};

mod history;
mod rotated;
mod witnessed;

impl World {
    fn expected<'a>(&'a self, target: &'a Target) -> Expected<'a> {
        Expected { trust: &self.trust, target, now: minute(1), held: None, kept: None }
    }

    fn verify(&self, bytes: &[u8]) -> Result<Authorization, NotVerified> {
        run(verify(bytes, &self.expected(&target()), &self.store))
    }

    fn good(&self) -> ProvenAuthorization {
        self.issue(1, &record("first"))
    }
}

fn bytes(proven: &ProvenAuthorization) -> Vec<u8> {
    canonical_json(proven).unwrap()
}

/// The check that refused, and why.
fn why(result: Result<Authorization, NotVerified>) -> (Check, String) {
    match result {
        Err(NotVerified::Refused(refused)) => (refused.check, refused.reason),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn check_of(result: Result<Authorization, NotVerified>) -> Check {
    why(result).0
}

#[test]
fn what_was_issued_is_verified() {
    let world = World::new();
    let authorization = world.verify(&bytes(&world.good())).unwrap();
    assert_eq!(*authorization.record(), record("first"));
    assert_eq!(authorization.predicate().namespaces, ["shop"]);
    assert_eq!(authorization.predicate().sequence, Sequence { epoch: 1, index: 1 });
    assert_eq!(authorization.checkpoint(), world.at.text());
    assert_eq!(authorization.manifest(&manifest(1)).unwrap().objects.len(), 1);
}

#[test]
fn only_the_authorized_manifest_is_read() {
    let world = World::new();
    let authorization = world.verify(&bytes(&world.good())).unwrap();
    let other = authorization.manifest(&manifest(2)).unwrap_err();
    assert_eq!(other.check, Check::Manifest);
    assert!(other.reason.contains(&Digest::of(&manifest(1)).to_string()), "{}", other.reason);
}

#[test]
fn a_removal_without_a_manifest_authorizes_the_empty_one() {
    let mut removal = record("removal");
    (removal.operation, removal.manifest) = (Operation::Remove, None);
    let world = World::with(std::slice::from_ref(&removal));
    let authorization = world.verify(&bytes(&world.issue(1, &removal))).unwrap();
    let empty = canonical_json(&Manifest::new(Vec::new())).unwrap();
    assert!(authorization.manifest(&empty).unwrap().objects.is_empty());
    let mut proven = world.issue(1, &removal);
    world.sign_again(&mut proven, |statement| {
        statement.subject[0].digest.sha256 = Digest::of(&manifest(1)).hex()
    });
    assert_eq!(check_of(world.verify(&bytes(&proven))), Check::Leaf);
}

#[test]
fn without_proof_nothing_is_applied() {
    let world = World::new();
    let mut proven = world.good();
    proven.proof = String::new();
    let (check, reason) = why(world.verify(&bytes(&proven)));
    assert_eq!(check, Check::Shape);
    assert!(reason.contains("no proof"), "{reason}");
    let envelope_only = canonical_json(&serde_json::json!({ "envelope": proven.envelope })).unwrap();
    assert_eq!(check_of(world.verify(&envelope_only)), Check::Shape);
    assert_eq!(check_of(world.verify(&vec![b' '; MAX_AUTHORIZATION + 1])), Check::Shape);
}

#[test]
fn another_key_is_refused() {
    let mut world = World::new();
    let good = bytes(&world.good());
    world.authorizer = TestSigner::p256(2);
    assert_eq!(check_of(world.verify(&bytes(&world.good()))), Check::Signature);
    assert!(world.verify(&good).is_ok());
}

#[test]
fn other_types_are_refused() {
    let world = World::new();
    let with = |alter: fn(&mut AuthorizationStatement)| check_of(world.verify(&world.forge(alter)));
    let other = "https://example.com/other";
    assert_eq!(with(|statement| statement.predicate_type = "other".to_owned()), Check::Type);
    assert_eq!(with(|statement| statement.statement_type = "other".to_owned()), Check::Type);
    let mut proven = world.good();
    let payload = dsse::verify(&proven.envelope, world.authorizer.public_key()).unwrap();
    proven.envelope = run(dsse::sign(&world.authorizer, other, &payload)).unwrap();
    let (check, reason) = why(world.verify(&bytes(&proven)));
    assert_eq!(check, Check::Type);
    assert!(reason.contains(other), "{reason}");
}

#[test]
fn a_statement_of_another_shape_is_refused() {
    let world = World::new();
    let with = |alter: fn(&mut AuthorizationStatement)| check_of(world.verify(&world.forge(alter)));
    assert_eq!(with(|statement| statement.subject.clear()), Check::Shape);
    assert_eq!(with(|statement| statement.subject.push(statement.subject[0].clone())), Check::Shape);
    assert_eq!(with(|statement| statement.subject[0].digest.sha256.push('0')), Check::Shape);
}

#[test]
fn another_cluster_is_refused() {
    let world = World::new();
    let elsewhere = world.forge(|statement| statement.predicate.audience = "another".to_owned());
    assert_eq!(check_of(world.verify(&elsewhere)), Check::Audience);
}

#[test]
fn a_window_is_kept_on_both_sides() {
    let world = World::new();
    let good = bytes(&world.good());
    let at = |millis: i64| {
        let now = Timestamp::from_millis(minute(0).as_millis() + millis);
        run(verify(&good, &Expected { now, ..world.expected(&target()) }, &world.store))
    };
    assert!(at(-60_000).is_ok() && at(15 * 60_000).is_ok());
    assert_eq!(check_of(at(-60_001)), Check::Time);
    assert_eq!(check_of(at(15 * 60_000 + 1)), Check::Time);
}

#[test]
fn what_the_inventory_holds_may_be_applied_again_at_any_later_time() {
    let world = World::new();
    let good = bytes(&world.good());
    let with = |index, manifest_number, now| {
        let held =
            Held { sequence: Sequence { epoch: 1, index }, manifest: Digest::of(&manifest(manifest_number)) };
        run(verify(&good, &Expected { now, held: Some(held), ..world.expected(&target()) }, &world.store))
    };
    assert!(with(1, 1, minute(1_000_000)).is_ok());
    assert_eq!(check_of(with(1, 1, minute(-2))), Check::Time, "not before still holds");
    assert_eq!(check_of(with(0, 1, minute(1_000_000))), Check::Time, "an older one is held");
    assert_eq!(check_of(with(1, 2, minute(1_000_000))), Check::Time, "another manifest is held");
    assert_eq!(check_of(with(1, 2, minute(1))), Check::Sequence);
    assert_eq!(check_of(with(2, 1, minute(1))), Check::Sequence);
    assert!(with(0, 2, minute(1)).is_ok());
}

#[test]
fn another_epoch_is_refused() {
    let world = World::new();
    for epoch in [0, 2] {
        let other = world.forge(|statement| statement.predicate.sequence.epoch = epoch);
        assert_eq!(check_of(world.verify(&other)), Check::Sequence);
    }
}

#[test]
fn the_leaf_must_be_of_this_very_change() {
    let world = World::new();
    let changes: [fn(&mut AuthorizationStatement); 8] = [
        |statement| statement.subject[0].digest.sha256 = Digest::of(b"other").hex(),
        |statement| statement.predicate.target = "shop/staging/west".parse().unwrap(),
        |statement| statement.predicate.commit = commit('9'),
        |statement| statement.predicate.tree = "9".repeat(40).parse().unwrap(),
        |statement| statement.predicate.bundle = Digest::of(b"other"),
        |statement| statement.predicate.operation = Operation::Remove,
        |statement| statement.predicate.attempt = attempt("second"),
        |statement| statement.predicate.leaf.push('!'),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_eq!(check_of(world.verify(&world.forge(change))), Check::Leaf, "{number}");
    }
    let west: Target = "shop/staging/west".parse().unwrap();
    let (check, reason) = why(run(verify(&bytes(&world.good()), &world.expected(&west), &world.store)));
    assert_eq!(check, Check::Leaf);
    assert!(reason.contains("shop/staging/west"), "{reason}");
}

#[test]
fn a_denial_authorizes_nothing_even_with_its_proof() {
    let world = World::new();
    let denial = run(world.view().leaf(2)).unwrap();
    let mut proven: ProvenAuthorization = serde_json::from_slice(&world.forge(|statement| {
        statement.predicate.leaf = STANDARD.encode(&denial);
        statement.predicate.sequence.index = 2;
        statement.predicate.attempt = attempt("denied");
    }))
    .unwrap();
    proven.proof = run(world.view().prove(2)).unwrap().to_string();
    let (check, reason) = why(world.verify(&bytes(&proven)));
    assert_eq!(check, Check::Leaf);
    assert!(reason.contains("does not allow"), "{reason}");
}

#[test]
fn a_leaf_that_is_not_in_the_log_is_refused() {
    let world = World::new();
    // A decision that was never recorded, in the place of one that was.
    let mut invented = record("first");
    invented.reason = "because".to_owned();
    let unrecorded = leaf(minute(0), Record::Decision(Box::new(invented)));
    let forged = world.forge(|statement| statement.predicate.leaf = STANDARD.encode(&unrecorded));
    assert_eq!(check_of(world.verify(&forged)), Check::Inclusion);
}

#[test]
fn the_proof_of_another_leaf_is_refused() {
    let world = World::new();
    let mut proven = world.good();
    proven.proof = run(world.view().prove(3)).unwrap().to_string();
    assert_eq!(check_of(world.verify(&bytes(&proven))), Check::Inclusion);
    proven.proof = proven.proof.replace("index 3", "index 1");
    assert_eq!(check_of(world.verify(&bytes(&proven))), Check::Inclusion);
}

#[test]
fn a_checkpoint_that_the_log_did_not_sign_is_refused() {
    let mut world = World::new();
    let good = bytes(&world.good());
    world.trust.log_key = TestSigner::ed25519(2).public_key().clone();
    assert_eq!(check_of(world.verify(&good)), Check::Checkpoint);

    let world = World::new();
    let other = world.forge(|statement| statement.predicate.log = "log.example/two".to_owned());
    assert_eq!(check_of(world.verify(&other)), Check::Checkpoint);
}

#[test]
fn a_verdict_that_was_not_given_effect_authorizes_nothing() {
    for (verdict, disposition) in [
        (Verdict::Allowed, Disposition::Superseded),
        (Verdict::Allowed, Disposition::Preview),
        (Verdict::Pending, Disposition::Authorized),
    ] {
        let world = World::new();
        let mut forged = record("first");
        (forged.verdict, forged.disposition) = (verdict, disposition);
        let unrecorded = leaf(minute(0), Record::Decision(Box::new(forged)));
        let forged = world.forge(|statement| statement.predicate.leaf = STANDARD.encode(&unrecorded));
        assert_eq!(check_of(world.verify(&forged)), Check::Leaf, "{verdict:?} {disposition:?}");
    }
}

#[test]
fn no_byte_can_be_altered() {
    let world = World::new();
    let good = bytes(&world.good());
    for at in 0..good.len() {
        let mut altered = good.clone();
        altered[at] ^= 1 << (at % 7);
        assert!(matches!(world.verify(&altered), Err(NotVerified::Refused(_))), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_byte_can_be_put_in_the_place_of_another(at: usize, to: u8) {
        let world = World::new();
        let mut altered = bytes(&world.good());
        let at = at % altered.len();
        prop_assume!(altered[at] != to);
        altered[at] = to;
        prop_assert!(matches!(world.verify(&altered), Err(NotVerified::Refused(_))), "byte {}", at);
    }

    #[test]
    fn no_part_can_be_cut_away(from: usize, count in 1_usize..40) {
        let world = World::new();
        let mut altered = bytes(&world.good());
        let from = from % altered.len();
        altered.drain(from..(from + count).min(altered.len()));
        prop_assert!(matches!(world.verify(&altered), Err(NotVerified::Refused(_))));
    }
}
