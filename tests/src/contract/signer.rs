//! The rules of [`Signer`].

use countersign_core::ports::signer::{Algorithm, PublicKey, Signer};
use ed25519_dalek::pkcs8::DecodePublicKey;
use p256::ecdsa::signature::Verifier;

/// Whether `signature` is one of `message` by `key`, in the form that the algorithm says.
fn verifies(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    match key.algorithm {
        Algorithm::Ed25519 => {
            let key = ed25519_dalek::VerifyingKey::from_public_key_pem(&key.pem).expect("an Ed25519 key");
            let signature = ed25519_dalek::Signature::from_slice(signature);
            signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
        }
        Algorithm::EcdsaP256Sha256 => {
            let key = p256::ecdsa::VerifyingKey::from_public_key_pem(&key.pem).expect("a P-256 key");
            let signature = p256::ecdsa::DerSignature::from_bytes(signature);
            signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
        }
    }
}

/// A signature verifies with the public key, over the very message, a large one included, and over no other.
pub async fn signs_what_it_is_given(signer: &impl Signer, algorithm: Algorithm) {
    let key = signer.public_key();
    assert_eq!(key.algorithm, algorithm);
    assert!(key.pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{}", key.pem);
    let large = vec![0x5a; 4000];
    for message in [&b"one"[..], b"other", &large] {
        signs(signer, message).await;
    }
}

/// An empty message is signed like any other. KMS takes none with Ed25519.
pub async fn signs_nothing_at_all(signer: &impl Signer) {
    signs(signer, b"").await;
}

async fn signs(signer: &impl Signer, message: &[u8]) {
    let key = signer.public_key();
    let signature = signer.sign(message).await.expect("signed");
    assert!(verifies(key, message, &signature), "{} bytes", message.len());
    let mut longer = message.to_vec();
    longer.push(0);
    assert!(!verifies(key, &longer, &signature), "it verifies over another message");
    let mut damaged = signature.clone();
    *damaged.last_mut().expect("a signature has bytes") ^= 1;
    assert!(!verifies(key, message, &damaged), "a damaged signature verifies");
}
