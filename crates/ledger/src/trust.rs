//! Trust: what `cluster add` installs on a cluster, and all that `apply` believes without proof.

use countersign_core::ports::signer::PublicKey;
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::genesis::Genesis;
use crate::note::NoteKey;

/// The version of trust that this release writes.
pub const TRUST_VERSION: u32 = 1;

/// The keys, the log and the identity that authorizations are verified with on one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trust {
    /// [`TRUST_VERSION`].
    pub v: u32,
    /// The log's origin.
    pub origin: String,
    /// The log's epoch: one more after each rotation of its key.
    pub epoch: u32,
    /// Verifies checkpoints; Ed25519.
    pub log_key: PublicKey,
    /// Verifies authorizations; ECDSA P-256.
    pub authorization_key: PublicKey,
    /// The root key, which announces everything else; Ed25519.
    pub root_key: PublicKey,
    /// The UID of the cluster's `kube-system` namespace.
    pub audience: String,
    /// Those whose cosignatures a checkpoint must have.
    pub witnesses: Witnesses,
}

/// Those whose cosignatures a checkpoint must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Witnesses {
    /// How many of them; 0 demands none.
    pub required: usize,
    /// Their verifier keys, as C2SP tools write them.
    pub keys: Vec<NoteKey>,
}

impl Trust {
    /// What a cluster trusts of an installation that began with `genesis`.
    #[must_use]
    pub fn new(genesis: &Genesis, audience: &str, witnesses: Witnesses) -> Self {
        Self {
            v: TRUST_VERSION,
            origin: genesis.origin.clone(),
            epoch: genesis.epoch,
            log_key: genesis.log_key.clone(),
            authorization_key: genesis.authorization_key.clone(),
            root_key: genesis.root_key.clone(),
            audience: audience.to_owned(),
            witnesses,
        }
    }

    /// Reads the JSON that was installed.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when it is not trust of a version that this release understands, or its
    /// witnesses can never be enough.
    pub fn parse(json: &[u8]) -> Result<Self, LedgerError> {
        let wrong = |why: String| LedgerError::malformed("trust", why);
        let trust: Self = serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))?;
        if trust.v != TRUST_VERSION {
            return Err(wrong(format!(
                "version {} is not understood, this release reads {TRUST_VERSION}",
                trust.v
            )));
        }
        let Witnesses { required, keys } = &trust.witnesses;
        if *required > keys.len() || !keys.iter().all(NoteKey::is_witness) {
            return Err(wrong(format!(
                "{required} witnesses are required of {} keys of witnesses",
                keys.len()
            )));
        }
        Ok(trust)
    }

    /// The key that verifies checkpoints, under the log's origin.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the key is not usable.
    pub fn checkpoint_key(&self) -> Result<NoteKey, LedgerError> {
        NoteKey::log(&self.origin, &self.log_key)
    }
}

#[cfg(test)]
mod tests;
