use countersign_core::ports::signer::Signer as _;

use super::*;
use crate::testing::{TestSigner, run};

#[test]
fn the_encoding_is_that_of_the_specification() {
    let bytes = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn an_envelope_is_verified_with_either_kind_of_key() {
    for signer in [TestSigner::ed25519(1), TestSigner::p256(1)] {
        let envelope = run(sign(&signer, "text/plain", b"payload")).unwrap();
        assert_eq!(verify(&envelope, signer.public_key()).unwrap(), b"payload");
    }
}

#[test]
fn nothing_of_an_envelope_can_be_changed() {
    let (signer, other) = (TestSigner::p256(1), TestSigner::p256(2));
    let good = run(sign(&signer, "text/plain", b"payload")).unwrap();
    let stranger = run(sign(&other, "text/plain", b"payload")).unwrap().signatures;
    type Change = (&'static str, fn(&mut Envelope, Vec<EnvelopeSignature>));
    let changes: [Change; 8] = [
        ("type", |envelope, _| envelope.payload_type = "text/html".to_owned()),
        ("payload", |envelope, _| envelope.payload = STANDARD.encode("payloae")),
        ("padding", |envelope, _| envelope.payload.push('=')),
        ("no signature", |envelope, _| envelope.signatures.clear()),
        ("two signatures", |envelope, stranger| envelope.signatures.extend(stranger)),
        ("another's", |envelope, stranger| envelope.signatures = stranger),
        ("another's, with our hint", |envelope, mut stranger| {
            stranger[0].keyid = envelope.signatures[0].keyid.clone();
            envelope.signatures = stranger;
        }),
        ("hint", |envelope, _| envelope.signatures[0].keyid.push('0')),
    ];
    for (what, change) in changes {
        let mut envelope = good.clone();
        change(&mut envelope, stranger.clone());
        assert!(verify(&envelope, signer.public_key()).is_err(), "{what}");
    }
    assert!(matches!(verify(&good, other.public_key()), Err(LedgerError::Signature(_))));
}

#[test]
fn a_payload_that_is_too_long_is_not_decoded() {
    let signer = TestSigner::p256(1);
    let mut envelope = run(sign(&signer, "text/plain", b"payload")).unwrap();
    envelope.payload = "A".repeat(MAX_PAYLOAD * 4 / 3 + 8);
    assert!(matches!(verify(&envelope, signer.public_key()), Err(LedgerError::Malformed { .. })));
}

#[test]
fn a_signer_with_another_private_key_signs_nothing() {
    let swapped = TestSigner::p256(1).swapped(TestSigner::p256(2));
    assert!(matches!(run(sign(&swapped, "text/plain", b"payload")), Err(LedgerError::Signature(_))));
}
