//! Public keys that verify, and signing that is verified before it is used.

use countersign_core::digest::Digest;
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer};
use ed25519_dalek::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::LineEnding;

use crate::error::LedgerError;

/// No key that is understood here has a longer PEM.
const MAX_PEM: usize = 1024;

/// A public key, ready to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyingKey {
    /// Ed25519 (RFC 8032).
    Ed25519(ed25519_dalek::VerifyingKey),
    /// ECDSA on P-256 with SHA-256 (FIPS 186-5).
    P256(p256::ecdsa::VerifyingKey),
}

impl VerifyingKey {
    /// Reads a key's PEM.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the PEM does not hold a key of the algorithm that is named.
    pub fn parse(key: &PublicKey) -> Result<Self, LedgerError> {
        if key.pem.len() > MAX_PEM {
            return Err(LedgerError::malformed("public key", format!("longer than {MAX_PEM} bytes")));
        }
        let wrong = |error: &dyn std::fmt::Display| {
            let why = format!("not a SubjectPublicKeyInfo PEM of {:?}: {error}", key.algorithm);
            LedgerError::malformed("public key", why)
        };
        match key.algorithm {
            Algorithm::Ed25519 => ed25519_dalek::VerifyingKey::from_public_key_pem(&key.pem)
                .map(Self::Ed25519)
                .map_err(|error| wrong(&error)),
            Algorithm::EcdsaP256Sha256 => p256::ecdsa::VerifyingKey::from_public_key_pem(&key.pem)
                .map(Self::P256)
                .map_err(|error| wrong(&error)),
        }
    }

    /// The key as everything here writes it: two texts of one key are one text after this.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the key cannot be encoded.
    pub fn to_public(&self) -> Result<PublicKey, LedgerError> {
        let (algorithm, pem) = match self {
            Self::Ed25519(key) => (Algorithm::Ed25519, key.to_public_key_pem(LineEnding::LF)),
            Self::P256(key) => (Algorithm::EcdsaP256Sha256, key.to_public_key_pem(LineEnding::LF)),
        };
        let pem = pem.map_err(|error| LedgerError::malformed("public key", error.to_string()))?;
        Ok(PublicKey { algorithm, pem })
    }

    /// What names the key: the hexadecimal SHA-256 of its DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the key cannot be encoded.
    pub fn id(&self) -> Result<String, LedgerError> {
        let der = match self {
            Self::Ed25519(key) => key.to_public_key_der(),
            Self::P256(key) => key.to_public_key_der(),
        };
        let der = der.map_err(|error| LedgerError::malformed("public key", error.to_string()))?;
        Ok(Digest::of(der.as_bytes()).hex())
    }

    /// Verifies a signature over `message`: 64 bytes for Ed25519, ASN.1 DER for ECDSA.
    ///
    /// # Errors
    /// [`LedgerError::Signature`] when the signature is not this key's over these bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), LedgerError> {
        let good = match self {
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::P256(key) => p256::ecdsa::DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        };
        if good {
            return Ok(());
        }
        Err(LedgerError::Signature("the signature is not of the expected key over these bytes".to_owned()))
    }
}

/// Signs `message`, and verifies the signature before anyone sees it.
///
/// A signer that was swapped for another, or that fails under load, is caught here and not on a cluster.
///
/// # Errors
/// The signer's own error, or [`LedgerError::Signature`] when its signature does not verify.
pub async fn sign(signer: &impl Signer, message: &[u8]) -> Result<Vec<u8>, LedgerError> {
    let signature = signer.sign(message).await?;
    VerifyingKey::parse(signer.public_key())?.verify(message, &signature).map_err(|_| {
        LedgerError::Signature(
            "the signer returned a signature that its own public key refuses: check that the configured \
             public key belongs to the signing key"
                .to_owned(),
        )
    })?;
    Ok(signature)
}
