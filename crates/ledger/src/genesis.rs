//! Genesis: the root-signed beginning of an installation, which becomes the log's first leaf.

use std::collections::BTreeMap;

use countersign_core::authorization::Envelope;
use countersign_core::configuration::HostKind;
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::names::{CommitId, FollowedRef, HostName};
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer};
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dsse;
use crate::error::LedgerError;

/// The version of genesis that this release writes.
pub const GENESIS_VERSION: u32 = 1;

/// The DSSE payload type of genesis.
pub const GENESIS_TYPE: &str = "application/vnd.countersign.genesis.v1+json";

/// What everything begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Genesis {
    /// [`GENESIS_VERSION`].
    pub v: u32,
    /// The log's origin.
    pub origin: String,
    /// The log's first epoch.
    pub epoch: u32,
    /// Signs this; Ed25519, kept offline.
    pub root_key: PublicKey,
    /// Signs checkpoints; Ed25519.
    pub log_key: PublicKey,
    /// Signs authorizations; ECDSA P-256.
    pub authorization_key: PublicKey,
    /// The hosts that are listened to, and what speaks there.
    pub hosts: BTreeMap<HostName, HostKind>,
    /// The control repository and its branch.
    pub control: FollowedRef,
    /// The commit whose files are the first bundle.
    pub commit: CommitId,
    /// The first active bundle.
    pub bundle: Digest,
    /// When it was made.
    pub created: Timestamp,
}

/// Signs genesis with the root key; returns the bytes of `genesis.json`.
///
/// # Errors
/// [`LedgerError::Forbidden`] when the signer is not the root key that it names, or the signer's error.
pub async fn sign(root: &impl Signer, genesis: &Genesis) -> Result<Vec<u8>, LedgerError> {
    if *root.public_key() != genesis.root_key {
        return Err(LedgerError::Forbidden(
            "genesis names another root key than it is signed with".to_owned(),
        ));
    }
    let wrong = |error: serde_json::Error| LedgerError::malformed("genesis", error.to_string());
    let payload = canonical_json(genesis).map_err(wrong)?;
    canonical_json(&dsse::sign(root, GENESIS_TYPE, &payload).await?).map_err(wrong)
}

/// Verifies the bytes of `genesis.json` with the root key, which the caller knows from elsewhere.
///
/// # Errors
/// [`LedgerError::Signature`] when the root key did not sign it, [`LedgerError::Malformed`] when it is not
/// genesis of a version that this release understands.
pub fn verify(bytes: &[u8], root: &PublicKey) -> Result<Genesis, LedgerError> {
    let wrong = |why: String| LedgerError::malformed("genesis", why);
    if bytes.len() > dsse::MAX_PAYLOAD {
        return Err(wrong("longer than 1 MiB".to_owned()));
    }
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let payload = dsse::verify(&envelope, root)?;
    if envelope.payload_type != GENESIS_TYPE {
        return Err(wrong("the root key signed this as something else".to_owned()));
    }
    let genesis: Genesis = serde_json::from_slice(&payload).map_err(|error| wrong(error.to_string()))?;
    if genesis.v != GENESIS_VERSION {
        return Err(wrong(format!(
            "version {} is not understood, this release reads {GENESIS_VERSION}",
            genesis.v
        )));
    }
    check_keys(&genesis, root)?;
    Ok(genesis)
}

/// One key for two purposes would let a signature made for one be used for the other.
fn check_keys(genesis: &Genesis, root: &PublicKey) -> Result<(), LedgerError> {
    let algorithms =
        [&genesis.root_key, &genesis.log_key, &genesis.authorization_key].map(|key| key.algorithm);
    let why = if genesis.root_key != *root {
        "it names another root key than it is verified with"
    } else if algorithms != [Algorithm::Ed25519, Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
        "the root and log keys must be Ed25519, the authorization key ECDSA P-256"
    } else if genesis.root_key == genesis.log_key {
        "the root key and the log key must be two keys"
    } else {
        return Ok(());
    };
    Err(LedgerError::malformed("genesis", why))
}

#[cfg(test)]
mod tests;
