//! `KmsSigner` on a KMS of our own.

mod documented;

use countersign_aws::kms::KmsSigner;
use countersign_core::ports::PortError;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_tests::contract;
use countersign_tests::world::aws::config;
use countersign_tests::world::aws::kms::{ED25519_KEY, Kms, P256_KEY};

async fn open(kms: &Kms, key: &str, algorithm: Algorithm) -> Result<KmsSigner, PortError> {
    KmsSigner::open(&config(&kms.url).await, key, algorithm).await
}

#[tokio::test]
async fn signs_with_p256() {
    let kms = Kms::start().await.expect("a KMS");
    let signer = open(&kms, P256_KEY, Algorithm::EcdsaP256Sha256).await.expect("the key");
    contract::signer::signs_what_it_is_given(&signer, Algorithm::EcdsaP256Sha256).await;
    contract::signer::signs_nothing_at_all(&signer).await;
}

#[tokio::test]
async fn signs_with_ed25519() {
    let kms = Kms::start().await.expect("a KMS");
    let signer = open(&kms, ED25519_KEY, Algorithm::Ed25519).await.expect("the key");
    contract::signer::signs_what_it_is_given(&signer, Algorithm::Ed25519).await;
    for message in [vec![], vec![1; 4097]] {
        let refused = signer.sign(&message).await;
        assert!(matches!(refused, Err(PortError::Refused(_))), "{} bytes: {refused:?}", message.len());
    }
}

#[tokio::test]
async fn refuses_a_key_for_something_else() {
    let kms = Kms::start().await.expect("a KMS");
    for (key, algorithm) in [(ED25519_KEY, Algorithm::EcdsaP256Sha256), (P256_KEY, Algorithm::Ed25519)] {
        let refused = open(&kms, key, algorithm).await;
        assert!(matches!(refused, Err(PortError::Refused(_))), "{refused:?}");
    }
    let refused = open(&kms, "arn:aws:kms:us-east-1:000000000000:key/none", Algorithm::Ed25519).await;
    assert!(matches!(refused, Err(PortError::Refused(_))), "{refused:?}");
}

/// No signature is used that was not verified.
#[tokio::test]
async fn throws_away_a_signature_of_something_else() {
    let kms = Kms::start().await.expect("a KMS");
    let p256 = open(&kms, P256_KEY, Algorithm::EcdsaP256Sha256).await.expect("the key");
    let ed25519 = open(&kms, ED25519_KEY, Algorithm::Ed25519).await.expect("the key");
    kms.lie();
    for signer in [p256, ed25519] {
        let signed = signer.sign(b"message").await;
        assert!(
            matches!(&signed, Err(PortError::Unavailable(why)) if why.contains("thrown away")),
            "{signed:?}"
        );
    }
}
