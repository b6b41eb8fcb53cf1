//! SSH signatures (OpenSSH `PROTOCOL.sshsig`): what `ssh-keygen -Y sign` and `git commit -S` make.

mod wire;

use std::collections::BTreeSet;

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

/// Why a signature, or a key, is not believed. In words, for the person whose it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Refused {
    /// A refusal for this reason.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Why a message could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The text is no private key that OpenSSH writes.
    #[error(
        "not a private key in OpenSSH form: {0}: give the file that ssh-keygen wrote, as ~/.ssh/id_ed25519"
    )]
    NotAKey(ssh_key::Error),
    /// The key needs a passphrase.
    #[error(
        "the private key needs a passphrase: sign with ssh-keygen -Y sign, which asks for it or uses the agent"
    )]
    Encrypted,
    /// Another kind of key.
    #[error(
        "{0} keys do not sign here: sign with ssh-keygen -Y sign, or use an Ed25519 key (ssh-keygen -t ed25519)"
    )]
    Unsupported(String),
    /// Signing failed, or what came out does not verify.
    #[error("signing failed: {0}")]
    Failed(String),
}

/// The smallest RSA modulus that is believed, in bits (NIST SP 800-131A).
const MIN_RSA_BITS: usize = 2048;

/// The flag of a security key's signature that says that its owner touched it (FIDO CTAP2, user presence).
const USER_PRESENT: u8 = 1;

/// The bytes of flags and counter that end a security key's signature.
const SECURITY_KEY_TRAILER: usize = 5;

/// Signs `message` under `namespace` with a private key in OpenSSH form; the result is armored.
///
/// The signature is verified before it is returned.
///
/// # Errors
/// When the text is no private key, the key is encrypted or of a kind that does not sign here.
pub fn sign(private_openssh_pem: &str, namespace: &str, message: &[u8]) -> Result<String, SignError> {
    let key = PrivateKey::from_openssh(private_openssh_pem).map_err(SignError::NotAKey)?;
    if key.is_encrypted() {
        return Err(SignError::Encrypted);
    }
    if !matches!(key.algorithm(), Algorithm::Ed25519 | Algorithm::Ecdsa { .. }) {
        return Err(SignError::Unsupported(key.algorithm().as_str().to_owned()));
    }
    let failed = |error: ssh_key::Error| SignError::Failed(error.to_string());
    let signature = key.sign(namespace, HashAlg::Sha512, message).map_err(failed)?;
    let armored = signature.to_pem(LineEnding::LF).map_err(failed)?;
    verify(namespace, message, &armored).map_err(|refused| SignError::Failed(refused.to_string()))?;
    Ok(armored)
}

/// Verifies an armored signature over `message` under `namespace`; gives the fingerprint of the key that
/// made it, as `SHA256:…`. Whose key that is, the caller knows.
///
/// # Errors
/// When the text is not exactly one SSH signature, is made for another namespace, or does not verify.
pub fn verify(namespace: &str, message: &[u8], armored: &str) -> Result<String, Refused> {
    let bytes = wire::unarmor(armored)?;
    wire::check(&bytes, namespace)?;
    let normal = wire::armor(&bytes);
    let malformed = |error: ssh_key::Error| Refused::new(format!("the SSH signature is malformed: {error}"));
    let signature = SshSig::from_pem(&normal).map_err(malformed)?;
    // The parser takes some wrong lengths; only the one right way to write a signature is believed.
    if signature.to_pem(LineEnding::LF).map_err(malformed)? != normal {
        return Err(Refused::new("the SSH signature is malformed: it is not written as OpenSSH writes it"));
    }
    check_strength(&signature)?;
    let key = PublicKey::from(signature.public_key().clone());
    key.verify(namespace, message, &signature).map_err(|_| {
        Refused::new("the SSH signature does not verify: the bytes were changed after they were signed, or it belongs to others")
    })?;
    Ok(key.fingerprint(HashAlg::Sha256).to_string())
}

/// What `PublicKey::verify` does not look at: RSA's hash and size, and a security key's user presence.
fn check_strength(signature: &SshSig) -> Result<(), Refused> {
    match signature.public_key() {
        KeyData::Rsa(key) => {
            if signature.algorithm() == (Algorithm::Rsa { hash: None }) {
                return Err(Refused::new(
                    "signed with RSA over SHA-1 (ssh-rsa): sign with rsa-sha2-512 or an Ed25519 key",
                ));
            }
            let bits = key.n.as_positive_bytes().map_or(0, |modulus| modulus.len() * 8);
            if bits < MIN_RSA_BITS {
                return Err(Refused::new(format!(
                    "an RSA key of {bits} bits: at least {MIN_RSA_BITS} are needed"
                )));
            }
            Ok(())
        }
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
            let bytes = signature.signature_bytes();
            let flags = bytes.len().checked_sub(SECURITY_KEY_TRAILER).and_then(|at| bytes.get(at));
            match flags {
                Some(flags) if flags & USER_PRESENT != 0 => Ok(()),
                _ => Err(Refused::new(
                    "the security key was not touched: make a key without no-touch-required",
                )),
            }
        }
        KeyData::Ecdsa(_) | KeyData::Ed25519(_) => Ok(()),
        other => Err(Refused::new(format!("{} keys are not read: use an Ed25519 key", other.algorithm()))),
    }
}

/// The fingerprint of a public key in OpenSSH form (`ssh-ed25519 AAAA… comment`), as `SHA256:…`.
///
/// # Errors
/// When the line is not one public key.
pub fn fingerprint(openssh_public_line: &str) -> Result<String, Refused> {
    let line = openssh_public_line.trim();
    if line.contains('\n') {
        return Err(Refused::new("more than one line: write each public key on its own"));
    }
    let key = PublicKey::from_openssh(line).map_err(|error| {
        Refused::new(format!("not a public key in OpenSSH form: {error}: write the line of the .pub file, as `ssh-ed25519 AAAA…`"))
    })?;
    Ok(key.fingerprint(HashAlg::Sha256).to_string())
}

/// How many armored blocks of whatever kind a text holds.
pub(crate) fn blocks(armored: &str) -> usize {
    armored.lines().filter(|line| line.trim_start().starts_with("-----BEGIN ")).count()
}

/// The labels of those blocks, for a message.
pub(crate) fn labels(armored: &str) -> BTreeSet<&str> {
    let label = |line: &'_ str| -> Option<(usize, usize)> {
        let start = line.find("-----BEGIN ")? + "-----BEGIN ".len();
        Some((start, start + line.get(start..)?.find("-----")?))
    };
    armored.lines().filter_map(|line| label(line).and_then(|(start, end)| line.get(start..end))).collect()
}

#[cfg(test)]
mod tests;
