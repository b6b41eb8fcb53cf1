use countersign_core::ports::signer::Signer as _;

use super::*;
use crate::merkle::leaf_hash;
use crate::testing::{ORIGIN, TestSigner, cosign, run};

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: 42, root: leaf_hash(b"root") }
}

fn signed(signer: &TestSigner) -> SignedCheckpoint {
    run(SignedCheckpoint::sign(checkpoint(), signer)).unwrap()
}

#[test]
fn a_checkpoint_reads_back_what_it_writes() {
    let signer = TestSigner::ed25519(1);
    let signed = signed(&signer);
    let read = SignedCheckpoint::verify(signed.text(), &signer.note_key()).unwrap();
    assert_eq!(read, signed);
    assert_eq!(*read.checkpoint(), checkpoint());
    let theirs = tlog_tiles::Checkpoint::from_bytes(checkpoint().text().as_bytes()).unwrap();
    assert_eq!(
        (theirs.origin(), theirs.size(), theirs.hash().0),
        (ORIGIN, 42, *leaf_hash(b"root").as_bytes())
    );
}

#[test]
fn what_is_not_a_checkpoint_is_refused() {
    let good = checkpoint().text();
    assert!(Checkpoint::parse(&format!("{good}an extension\n")).is_ok());
    for wrong in [
        "",
        "\n",
        &good.replace("42", "042"),
        &good.replace("42", "+42"),
        &good.replace("42", "-1"),
        &good.replace("42", "18446744073709551615"),
        &good.replace("42", "99999999999999999999"),
        &good.replace('=', ""),
        &good.replace(ORIGIN, ""),
        good.trim_end(),
        &format!("{good}\nempty line\n"),
    ] {
        assert!(Checkpoint::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_checkpoint_of_another_log_under_the_same_key_is_refused() {
    let signer = TestSigner::ed25519(1);
    let body = Checkpoint { origin: "log.example/two".to_owned(), ..checkpoint() }.text();
    let line = signature_line(&signer.note_key(), &signer.sign_now(body.as_bytes()));
    let error = SignedCheckpoint::verify(&format!("{body}\n{line}"), &signer.note_key()).unwrap_err();
    assert!(error.to_string().contains("log.example/two"), "{error}");
}

#[test]
fn each_witness_counts_once() {
    let (log, one, two) = (TestSigner::ed25519(1), TestSigner::ed25519(2), TestSigner::ed25519(3));
    let key = |name, signer: &TestSigner| NoteKey::witness(name, signer.public_key()).unwrap();
    let keys = [key("one", &one), key("two", &two), key("one", &one)];
    let text = cosign(&cosign(signed(&log).text(), "one", &one, 7), "one", &one, 8);
    let count = |text: &str| SignedCheckpoint::verify(text, &log.note_key()).unwrap().count_witnesses(&keys);
    assert_eq!(count(signed(&log).text()), Ok(0));
    assert_eq!(count(&text), Ok(1));
    assert_eq!(count(&cosign(&text, "two", &two, 7)), Ok(2));
    // A witness's name over another's signature makes the whole checkpoint unusable.
    let line = signature_line(&key("two", &two), &[0; 72]);
    assert!(matches!(count(&format!("{text}{line}")), Err(LedgerError::Signature(_))));
}

#[test]
fn a_witness_cannot_stand_in_for_the_log() {
    let log = TestSigner::ed25519(1);
    let witness = NoteKey::witness(ORIGIN, log.public_key()).unwrap();
    let text = cosign(signed(&log).text(), ORIGIN, &log, 7);
    assert!(matches!(SignedCheckpoint::verify(&text, &witness), Err(LedgerError::Signature(_))));
}

#[test]
fn a_signer_with_another_private_key_signs_nothing() {
    let swapped = TestSigner::ed25519(1).swapped(TestSigner::ed25519(2));
    let error = run(SignedCheckpoint::sign(checkpoint(), &swapped)).unwrap_err();
    assert!(error.to_string().contains("its own public key refuses"), "{error}");
}
