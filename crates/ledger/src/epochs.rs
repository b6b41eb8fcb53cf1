//! Epochs: the keys that sign, from the genesis on, and how the root key changes them.
//!
//! An epoch changes keys, and nothing else: the log goes on, and indexes of leaves with it. Each begins with a leaf that
//! is under a checkpoint of the earlier key and of its own.

use countersign_core::keys;
use countersign_core::ports::signer::{PublicKey, Signer};
use countersign_core::ports::store::Store;
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dsse;
use crate::error::LedgerError;
use crate::genesis::{self, Genesis};
use crate::note::NoteKey;

/// The version of rotations that this release writes.
pub const ROTATION_VERSION: u32 = 1;

/// The DSSE payload type of a rotation.
pub const ROTATION_TYPE: &str = "application/vnd.countersign.rotation.v1+json";

/// The epoch that a genesis begins.
pub const FIRST_EPOCH: u32 = 1;

/// What the root key signs to begin another epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotation {
    /// [`ROTATION_VERSION`].
    pub v: u32,
    /// The log's origin.
    pub origin: String,
    /// The keys, and the epoch that they begin.
    pub keys: Epoch,
    /// When it was made.
    pub created: Timestamp,
}

/// The keys of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Epoch {
    /// Its number, one more than that of the epoch before.
    pub epoch: u32,
    /// Signs checkpoints; Ed25519.
    pub log_key: PublicKey,
    /// Signs authorizations; ECDSA P-256.
    pub authorization_key: PublicKey,
}

/// All epochs of a log so far, each vouched for by the root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epochs {
    origin: String,
    root_key: PublicKey,
    current: Epoch,
    earlier: Vec<Epoch>,
}

/// Signs a rotation with the root key; returns the bytes of its file.
///
/// # Errors
/// The signer's error.
pub async fn sign(root: &impl Signer, rotation: &Rotation) -> Result<Vec<u8>, LedgerError> {
    dsse::sign_document(root, ROTATION_TYPE, rotation).await
}

impl Epoch {
    /// Checks that these signers have the keys of this epoch.
    ///
    /// # Errors
    /// [`LedgerError::Forbidden`] when one has another key.
    pub fn check(&self, log: &impl Signer, authorization: &impl Signer) -> Result<(), LedgerError> {
        let found = [
            ("log", log.public_key() == &self.log_key),
            ("authorization", authorization.public_key() == &self.authorization_key),
        ];
        match found.iter().find(|(_, same)| !same) {
            Some((which, _)) => Err(LedgerError::Forbidden(format!(
                "this is another {which} key than epoch {} began with: give the one that the root key vouched for",
                self.epoch
            ))),
            None => Ok(()),
        }
    }
}

/// The beginning of an installation, as its store holds it.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The bytes of the genesis.
    pub genesis: Vec<u8>,
    /// The keys since then.
    pub epochs: Epochs,
    /// The bytes of the last rotation; none in the first epoch.
    pub rotation: Option<Vec<u8>>,
}

/// Reads the genesis, and the rotations up to `epoch`.
///
/// # Errors
/// When one is not there, or is not what the root key signed, or the store's error.
pub async fn read(store: &impl Store, root: &PublicKey, epoch: u32) -> Result<Begun, LedgerError> {
    let file = async |key: String| match store.get(&key).await? {
        Some(found) => Ok(found.bytes),
        None => Err(LedgerError::Missing { key, size: 0 }),
    };
    let genesis = file(keys::GENESIS.to_owned()).await?;
    let mut epochs = Epochs::new(&genesis::verify(&genesis, root)?);
    let mut rotation = None;
    while epochs.current().epoch < epoch {
        let bytes = file(keys::rotation(epochs.current().epoch + 1)).await?;
        epochs.rotate(&bytes)?;
        rotation = Some(bytes);
    }
    Ok(Begun { genesis, epochs, rotation })
}

impl Epochs {
    /// The first epoch alone.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        let current = Epoch {
            epoch: genesis.epoch,
            log_key: genesis.log_key.clone(),
            authorization_key: genesis.authorization_key.clone(),
        };
        let (origin, root_key) = (genesis.origin.clone(), genesis.root_key.clone());
        Self { origin, root_key, current, earlier: Vec::new() }
    }

    /// Begins the next epoch by the bytes of a rotation.
    ///
    /// # Errors
    /// [`LedgerError::Signature`] when the root key did not sign it, [`LedgerError::Malformed`] when it is not the
    /// rotation to the next epoch of this log.
    pub fn rotate(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        let wrong = |why: String| LedgerError::malformed("rotation", why);
        let rotation: Rotation = dsse::verify_document(bytes, &self.root_key, ROTATION_TYPE, "rotation")?;
        if rotation.v != ROTATION_VERSION {
            let found = rotation.v;
            return Err(wrong(format!(
                "version {found} is not understood, this release reads {ROTATION_VERSION}"
            )));
        }
        if rotation.origin != self.origin {
            return Err(wrong(format!("it is of the log {:?}, not of {:?}", rotation.origin, self.origin)));
        }
        let (next, due) = (rotation.keys, self.current.epoch + 1);
        if next.epoch != due {
            return Err(wrong(format!("it begins epoch {}, and epoch {due} is the next", next.epoch)));
        }
        genesis::check_keys(&self.root_key, &next.log_key, &next.authorization_key, "rotation")?;
        // A key that was given up may have been given up because somebody else has it.
        let used = |earlier: &Epoch| {
            earlier.log_key == next.log_key || earlier.authorization_key == next.authorization_key
        };
        if self.all().any(used) {
            return Err(wrong("one of its keys was used in an earlier epoch: make new ones".to_owned()));
        }
        self.earlier.push(std::mem::replace(&mut self.current, next));
        Ok(())
    }

    /// The log's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key that vouches for all of them.
    #[must_use]
    pub const fn root_key(&self) -> &PublicKey {
        &self.root_key
    }

    /// The newest epoch.
    #[must_use]
    pub const fn current(&self) -> &Epoch {
        &self.current
    }

    /// The epochs before it, the oldest first.
    #[must_use]
    pub fn earlier(&self) -> &[Epoch] {
        &self.earlier
    }

    /// The keys that verify checkpoints of any epoch, the newest first.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when one is not usable.
    pub fn checkpoint_keys(&self) -> Result<Vec<NoteKey>, LedgerError> {
        self.all().map(|epoch| NoteKey::log(&self.origin, &epoch.log_key)).collect()
    }

    /// Every epoch, the newest first.
    fn all(&self) -> impl Iterator<Item = &Epoch> {
        std::iter::once(&self.current).chain(self.earlier.iter().rev())
    }
}

#[cfg(test)]
mod tests;
