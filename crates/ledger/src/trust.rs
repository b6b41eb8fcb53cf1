//! Trust: what `cluster add` installs on a cluster, and all that `apply` believes without proof.

use countersign_core::ports::signer::PublicKey;
use serde::{Deserialize, Serialize};

use crate::epochs::{Epoch, Epochs};
use crate::error::LedgerError;
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
    /// The epochs before, the oldest first: what is held since then is mended when it drifts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Epoch>,
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
    /// What a cluster trusts of an installation.
    #[must_use]
    pub fn new(epochs: &Epochs, audience: &str, witnesses: Witnesses) -> Self {
        let Epoch { epoch, log_key, authorization_key } = epochs.current().clone();
        Self {
            v: TRUST_VERSION,
            origin: epochs.origin().to_owned(),
            epoch,
            log_key,
            authorization_key,
            earlier: epochs.earlier().to_vec(),
            root_key: epochs.root_key().clone(),
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

    /// The keys that verify checkpoints, under the log's origin: that of the current epoch first.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when a key is not usable.
    pub fn checkpoint_keys(&self) -> Result<Vec<NoteKey>, LedgerError> {
        let earlier = self.earlier.iter().rev().map(|epoch| &epoch.log_key);
        std::iter::once(&self.log_key).chain(earlier).map(|key| NoteKey::log(&self.origin, key)).collect()
    }

    /// The key that signed authorizations in an epoch; none if that epoch is not trusted here.
    #[must_use]
    pub fn authorization_key_of(&self, epoch: u32) -> Option<&PublicKey> {
        if epoch == self.epoch {
            return Some(&self.authorization_key);
        }
        self.earlier.iter().find(|earlier| earlier.epoch == epoch).map(|earlier| &earlier.authorization_key)
    }

    /// The keys that sign authorizations, that of the current epoch first.
    pub fn authorization_keys(&self) -> impl Iterator<Item = &PublicKey> {
        std::iter::once(&self.authorization_key)
            .chain(self.earlier.iter().rev().map(|epoch| &epoch.authorization_key))
    }
}

#[cfg(test)]
mod tests;
