//! Signers: one key each, that never leaves its place.

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::PortError;

/// The algorithms that signatures are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Ed25519 (RFC 8032): checkpoints and the root. A signature has 64 bytes.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, ASN.1 DER: authorizations.
    EcdsaP256Sha256,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicKey {
    /// What it verifies.
    pub algorithm: Algorithm,
    /// `SubjectPublicKeyInfo`, PEM (RFC 5480, RFC 8410).
    pub pem: String,
}

/// One private key.
pub trait Signer: Sync {
    /// The public half. It is read once and pinned.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` (not its digest): 1 to 4,096 bytes, which is what every signer takes. The caller verifies
    /// the signature before using it.
    ///
    /// # Errors
    /// When the key cannot be used.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Vec<u8>, PortError>> + Send;
}
