use countersign_core::ports::signer::Signer as _;

use super::*;
use crate::testing::{ORIGIN, TestSigner, run, world};

const ROOT: u8 = 9;

fn epochs() -> Epochs {
    Epochs::new(&world::genesis(&TestSigner::ed25519(1), &TestSigner::p256(1)))
}

/// A rotation to `epoch` with the keys of number `keys`.
fn rotation(epoch: u32, keys: u8) -> Rotation {
    Rotation {
        v: ROTATION_VERSION,
        origin: ORIGIN.to_owned(),
        keys: Epoch {
            epoch,
            log_key: TestSigner::ed25519(keys).public_key().clone(),
            authorization_key: TestSigner::p256(keys).public_key().clone(),
        },
        created: world::minute(0),
    }
}

fn signed(rotation: &Rotation) -> Vec<u8> {
    run(sign(&TestSigner::ed25519(ROOT), rotation)).unwrap()
}

#[test]
fn epochs_follow_each_other() {
    let mut epochs = epochs();
    epochs.rotate(&signed(&rotation(2, 2))).unwrap();
    epochs.rotate(&signed(&rotation(3, 3))).unwrap();
    assert_eq!(epochs.current(), &rotation(3, 3).keys);
    let earlier: Vec<_> = epochs.earlier().iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(earlier, [1, 2]);
    let newest_first = [3, 2, 1].map(|keys| TestSigner::ed25519(keys).note_key());
    assert_eq!(epochs.checkpoint_keys().unwrap(), newest_first);
}

#[test]
fn only_the_root_key_begins_an_epoch() {
    let bytes = run(sign(&TestSigner::ed25519(1), &rotation(2, 2))).unwrap();
    assert!(matches!(epochs().rotate(&bytes), Err(LedgerError::Signature(_))));
}

#[test]
fn what_is_not_the_next_epoch_of_this_log_is_refused() {
    type Change = fn(&mut Rotation);
    let changes: [(Change, &str); 7] = [
        (|rotation| rotation.v = 2, "version 2"),
        (|rotation| rotation.origin = "log.example/two".to_owned(), "log.example/two"),
        (|rotation| rotation.keys.epoch = 1, "epoch 2 is the next"),
        (|rotation| rotation.keys.epoch = 3, "epoch 2 is the next"),
        (|rotation| rotation.keys.log_key = TestSigner::ed25519(1).public_key().clone(), "earlier epoch"),
        (
            |rotation| rotation.keys.authorization_key = TestSigner::p256(1).public_key().clone(),
            "earlier epoch",
        ),
        (|rotation| rotation.keys.log_key = TestSigner::ed25519(ROOT).public_key().clone(), "two keys"),
    ];
    for (change, what) in changes {
        let mut rotation = rotation(2, 2);
        change(&mut rotation);
        let mut epochs = epochs();
        let error = epochs.rotate(&signed(&rotation)).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert!(epochs.earlier().is_empty(), "nothing changed");
    }
}
