//! The root key as a signer of statements: an Ed25519 key behind the [`Signer`] port, so that it can be kept
//! offline, and its signature of a recovery verified like anyone's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::ports::signer::{PublicKey, Signer};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{Algorithm, HashAlg, LineEnding, Signature, SshSig};

use crate::sshsig::{self, Refused, SignError};

/// What precedes the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410, section 4).
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The fingerprint of an Ed25519 public key, as an SSH signature by it shows it.
///
/// # Errors
/// When the PEM holds no Ed25519 key.
pub fn fingerprint(key: &PublicKey) -> Result<String, Refused> {
    Ok(key_data(key)?.fingerprint(HashAlg::Sha256).to_string())
}

/// Signs `message` under `namespace` with the key behind `signer`; the result is armored, and verified.
///
/// # Errors
/// When the key is not Ed25519 or cannot be used.
pub async fn sign(signer: &impl Signer, namespace: &str, message: &[u8]) -> Result<String, SignError> {
    let failed = |error: &dyn std::fmt::Display| SignError::Failed(error.to_string());
    let key = key_data(signer.public_key()).map_err(|error| failed(&error))?;
    let signed = SshSig::signed_data(namespace, HashAlg::Sha512, message).map_err(|error| failed(&error))?;
    let raw = signer.sign(&signed).await.map_err(|error| failed(&error))?;
    let signature = Signature::new(Algorithm::Ed25519, raw).map_err(|error| failed(&error))?;
    let armored = SshSig::new(key, namespace, HashAlg::Sha512, signature)
        .and_then(|signature| signature.to_pem(LineEnding::LF))
        .map_err(|error| failed(&error))?;
    sshsig::verify(namespace, message, &armored).map_err(|error| failed(&error))?;
    Ok(armored)
}

fn key_data(key: &PublicKey) -> Result<KeyData, Refused> {
    let not_ed25519 = || Refused::new("the root key is not an Ed25519 public key in PEM form");
    let base64: String = key.pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).map_err(|_| not_ed25519())?;
    let raw = der.strip_prefix(&ED25519_PREFIX).and_then(|raw| <[u8; 32]>::try_from(raw).ok());
    Ok(KeyData::Ed25519(Ed25519PublicKey(raw.ok_or_else(not_ed25519)?)))
}
