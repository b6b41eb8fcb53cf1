//! What an installation keeps in its data folder, and how it is opened.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_core::ports::signer::Algorithm;
use countersign_core::time::Timestamp;
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

    /// The key that signs checkpoints.
    #[must_use]
    pub fn log_key(&self) -> PathBuf {
        self.0.join("keys/log.pem")
    }

    /// The key that signs authorizations.
    #[must_use]
    pub fn authorization_key(&self) -> PathBuf {
        self.0.join("keys/authorization.pem")
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

    /// The two signing keys: of checkpoints, of authorizations. They must be those that the genesis names.
    ///
    /// # Errors
    /// When one is not there, cannot be read, or is another than the genesis names.
    pub fn signers(&self, genesis: &Genesis) -> anyhow::Result<(KeyFile, KeyFile)> {
        use countersign_core::ports::signer::Signer as _;
        let log = KeyFile::load(&self.log_key(), Algorithm::Ed25519)?;
        let authorization = KeyFile::load(&self.authorization_key(), Algorithm::EcdsaP256Sha256)?;
        for (file, found, named) in [
            (self.log_key(), log.public_key(), &genesis.log_key),
            (self.authorization_key(), authorization.public_key(), &genesis.authorization_key),
        ] {
            anyhow::ensure!(
                found == named,
                "{}: another key than the genesis names: restore it",
                file.display()
            );
        }
        Ok((log, authorization))
    }

    /// What `record` is told once.
    ///
    /// # Errors
    /// When the pseudonym secret cannot be read.
    pub fn settings(&self, genesis: &Genesis) -> anyhow::Result<Settings> {
        let path = self.pseudonym_secret();
        let secret =
            std::fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        Ok(Settings {
            origin: genesis.origin.clone(),
            epoch: genesis.epoch,
            root_key: genesis.root_key.clone(),
            pseudonym_secret: secret.trim().to_owned(),
        })
    }
}

/// The time now. Only the edges of the program read a clock.
#[must_use]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis.saturating_add(fault::clock()))
}
