//! What an installation keeps in its data folder, and how it is opened.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_core::keys;
use countersign_core::ports::signer::Algorithm;
use countersign_core::time::Timestamp;
use countersign_ledger::epochs::{Epoch, Epochs, FIRST_EPOCH};
use countersign_ledger::genesis::{self, Genesis};
use countersign_local::fault;
use countersign_local::key_file::KeyFile;
use countersign_record::Settings;

/// The files of a data folder.
#[derive(Clone, Debug)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// The folder at `path`; nothing is opened yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The root-signed beginning.
    #[must_use]
    pub fn genesis(&self) -> PathBuf {
        self.0.join("genesis.json")
    }

    /// Says that the log has begun: a database without one is not a first day, but a loss.
    #[must_use]
    pub fn begun(&self) -> PathBuf {
        self.0.join("log-has-begun")
    }

    /// The public half of the root key: the private half is kept elsewhere, offline.
    #[must_use]
    pub fn root_public_key(&self) -> PathBuf {
        self.0.join("keys/root.pub.json")
    }

    /// The root-signed keys of a later epoch.
    #[must_use]
    pub fn rotation(&self, epoch: u32) -> PathBuf {
        self.0.join(keys::rotation(epoch))
    }

    /// The key that signs checkpoints in an epoch.
    #[must_use]
    pub fn log_key(&self, epoch: u32) -> PathBuf {
        self.key("log", epoch)
    }

    /// The key that signs authorizations in an epoch.
    #[must_use]
    pub fn authorization_key(&self, epoch: u32) -> PathBuf {
        self.key("authorization", epoch)
    }

    fn key(&self, name: &str, epoch: u32) -> PathBuf {
        self.0.join(match epoch {
            FIRST_EPOCH => format!("keys/{name}.pem"),
            later => format!("keys/{name}-{later}.pem"),
        })
    }

    /// The secret that makes pseudonyms of names.
    #[must_use]
    pub fn pseudonym_secret(&self) -> PathBuf {
        self.0.join("keys/pseudonyms")
    }

    /// Bare copies of source repositories.
    #[must_use]
    pub fn repositories(&self) -> PathBuf {
        self.0.join("repositories")
    }

    /// Reads and verifies the genesis against the root key that `init` left here.
    ///
    /// # Errors
    /// When this is no data folder, or its genesis is not signed by its root key.
    pub fn read_genesis(&self) -> anyhow::Result<(Vec<u8>, Genesis)> {
        let path = self.genesis();
        let bytes = std::fs::read(&path).with_context(|| {
            format!("{}: no genesis: make an installation with countersign init first", path.display())
        })?;
        let key = self.root_public_key();
        let root = std::fs::read(&key).with_context(|| format!("{}: cannot be read", key.display()))?;
        let root = serde_json::from_slice(&root)
            .with_context(|| format!("{}: not a public key that init wrote", key.display()))?;
        let genesis = genesis::verify(&bytes, &root)
            .with_context(|| format!("{}: not what the root key signed", path.display()))?;
        Ok((bytes, genesis))
    }

    /// The epochs so far: the genesis, and the rotations that lie beside it.
    ///
    /// # Errors
    /// When a rotation is not the root key's, or not the next one.
    pub fn read_epochs(&self, genesis: &Genesis) -> anyhow::Result<Epochs> {
        epochs_in(&self.0, genesis)
    }

    /// The two signing keys of an epoch: of checkpoints, of authorizations. They must be those that it began with.
    ///
    /// # Errors
    /// When one is not there, cannot be read, or is another key.
    pub fn signers(&self, epoch: &Epoch) -> anyhow::Result<(KeyFile, KeyFile)> {
        let (log, authorization) = (self.log_key(epoch.epoch), self.authorization_key(epoch.epoch));
        let signers = (
            KeyFile::load(&log, Algorithm::Ed25519)?,
            KeyFile::load(&authorization, Algorithm::EcdsaP256Sha256)?,
        );
        epoch
            .check(&signers.0, &signers.1)
            .with_context(|| format!("{} or {}", log.display(), authorization.display()))?;
        Ok(signers)
    }

    /// What `record` is told once.
    ///
    /// # Errors
    /// When the pseudonym secret cannot be read.
    pub fn settings(&self, epochs: &Epochs) -> anyhow::Result<Settings> {
        let path = self.pseudonym_secret();
        let secret =
            std::fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        Ok(Settings::new(epochs, secret.trim()))
    }
}

/// The epochs of a log whose genesis and rotations lie in `folder`.
///
/// # Errors
/// When a rotation is not the root key's, or not the next one.
pub fn epochs_in(folder: &Path, genesis: &Genesis) -> anyhow::Result<Epochs> {
    let mut epochs = Epochs::new(genesis);
    loop {
        let file = folder.join(keys::rotation(epochs.current().epoch + 1));
        if !file.exists() {
            return Ok(epochs);
        }
        let bytes = std::fs::read(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
        epochs.rotate(&bytes).with_context(|| file.display().to_string())?;
    }
}

/// The time now. Only the edges of the program read a clock.
#[must_use]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis.saturating_add(fault::clock()))
}
