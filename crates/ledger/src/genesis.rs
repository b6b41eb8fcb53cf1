//! Genesis: the root-signed beginning of an installation, which becomes the log's first leaf.

use std::collections::BTreeMap;

use countersign_core::configuration::HostKind;
use countersign_core::digest::Digest;
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
    dsse::sign_document(root, GENESIS_TYPE, genesis).await
}

/// Verifies the bytes of `genesis.json` with the root key, which the caller knows from elsewhere.
///
/// # Errors
/// [`LedgerError::Signature`] when the root key did not sign it, [`LedgerError::Malformed`] when it is not
/// genesis of a version that this release understands.
pub fn verify(bytes: &[u8], root: &PublicKey) -> Result<Genesis, LedgerError> {
    let genesis: Genesis = dsse::verify_document(bytes, root, GENESIS_TYPE, "genesis")?;
    if genesis.v != GENESIS_VERSION {
        let why = format!("version {} is not understood, this release reads {GENESIS_VERSION}", genesis.v);
        return Err(LedgerError::malformed("genesis", why));
    }
    if genesis.root_key != *root {
        return Err(LedgerError::malformed("genesis", "it names another root key than it is verified with"));
    }
    check_keys(root, &genesis.log_key, &genesis.authorization_key, "genesis")?;
    Ok(genesis)
}

/// One key for two purposes would let a signature made for one be used for the other.
pub(crate) fn check_keys(
    root: &PublicKey,
    log: &PublicKey,
    authorization: &PublicKey,
    what: &'static str,
) -> Result<(), LedgerError> {
    let algorithms = [root, log, authorization].map(|key| key.algorithm);
    let why = if algorithms != [Algorithm::Ed25519, Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
        "the root and log keys must be Ed25519, the authorization key ECDSA P-256"
    } else if root == log {
        "the root key and the log key must be two keys"
    } else {
        return Ok(());
    };
    Err(LedgerError::malformed(what, why))
}

#[cfg(test)]
mod tests;
