use countersign_core::digest::canonical_json;
use countersign_core::ports::signer::Signer as _;

use super::*;
use crate::testing::{TestSigner, run, world};

fn good() -> Genesis {
    world::genesis(&TestSigner::ed25519(1), &TestSigner::p256(1))
}

#[test]
fn genesis_is_what_the_root_key_signed() {
    let root = TestSigner::ed25519(9);
    let bytes = run(sign(&root, &good())).unwrap();
    assert_eq!(verify(&bytes, root.public_key()).unwrap(), good());
    let stranger = TestSigner::ed25519(8);
    assert!(matches!(verify(&bytes, stranger.public_key()), Err(LedgerError::Signature(_))));
    assert!(matches!(run(sign(&stranger, &good())), Err(LedgerError::Forbidden(_))));
}

#[test]
fn what_the_root_key_signed_as_something_else_is_not_genesis() {
    let root = TestSigner::ed25519(9);
    let payload = canonical_json(&good()).unwrap();
    let envelope = run(dsse::sign(&root, "application/json", &payload)).unwrap();
    let error = verify(&canonical_json(&envelope).unwrap(), root.public_key()).unwrap_err();
    assert!(error.to_string().contains("as something else"), "{error}");
}

#[test]
fn genesis_with_unfit_keys_or_of_another_version_is_refused() {
    let root = TestSigner::ed25519(9);
    let changes: [fn(&mut Genesis); 4] = [
        |genesis| genesis.v = 2,
        |genesis| genesis.log_key = genesis.root_key.clone(),
        |genesis| genesis.authorization_key = TestSigner::ed25519(3).public_key().clone(),
        |genesis| genesis.log_key = TestSigner::p256(3).public_key().clone(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut genesis = good();
        change(&mut genesis);
        let bytes = run(sign(&root, &genesis)).unwrap();
        assert!(matches!(verify(&bytes, root.public_key()), Err(LedgerError::Malformed { .. })), "{number}");
    }
}
