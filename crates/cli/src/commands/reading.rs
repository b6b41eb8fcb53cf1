//! An installation as reading commands open it: beside a running `serve`, and without changing anything.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use countersign_core::configuration::Configuration;
use countersign_core::keys;
use countersign_core::leaf::Leaf;
use countersign_core::ports::store::{self, Store};
use countersign_core::target::ActiveBundle;
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::genesis::Genesis;
use countersign_ledger::log;
use countersign_ledger::note::NoteKey;
use countersign_ledger::view::View;
use countersign_local::database::Database;
use countersign_local::store::LocalStore;

use crate::installation::DataFolder;

/// Leaves are read in parts of this many, as the log keeps them.
const PART: u64 = countersign_ledger::tile::WIDTH;

/// An installation that is only read.
pub struct Installation {
    /// The bytes of `genesis.json`.
    pub genesis_bytes: Vec<u8>,
    /// The root-signed beginning.
    pub genesis: Genesis,
    /// The keys since then.
    pub epochs: Epochs,
    /// The keys that verify the log, the newest first.
    pub keys: Vec<NoteKey>,
    /// The one file.
    pub database: Database,
    /// Everything that is kept.
    pub store: LocalStore,
}

impl Installation {
    /// Opens the installation in the data folder.
    ///
    /// # Errors
    /// When there is none, it is damaged, or nothing was recorded yet.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let folder = DataFolder::new(data);
        let (genesis_bytes, genesis) = folder.read_genesis()?;
        let epochs = folder.read_epochs(&genesis)?;
        let keys = epochs.checkpoint_keys()?;
        let database = Database::open_read_only(data)?;
        let store = LocalStore::new(&database);
        Ok(Self { genesis_bytes, genesis, epochs, keys, database, store })
    }

    /// The log at its newest checkpoint; everything read from it is verified.
    ///
    /// # Errors
    /// When nothing was recorded yet, or the checkpoint is not signed by the log's key.
    pub async fn log(&self) -> anyhow::Result<View<'_, LocalStore>> {
        let view = log::open(&self.store, &self.keys).await?;
        view.ok_or_else(|| {
            anyhow!("nothing is recorded yet: start `countersign serve` once, which writes the first leaf")
        })
    }

    /// The key that signed a checkpoint: that of an earlier epoch until `serve` has announced a new one.
    ///
    /// # Errors
    /// When none of the log's keys signed it.
    pub fn key_of(&self, at: &SignedCheckpoint) -> anyhow::Result<&NoteKey> {
        for key in &self.keys {
            if at.is_signed_by(key)? {
                return Ok(key);
            }
        }
        Err(anyhow!("the checkpoint is signed by no key of this installation"))
    }

    /// The active bundle with its configuration; nothing before the first leaf.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn active(&self) -> anyhow::Result<Option<(ActiveBundle, Configuration)>> {
        let Some(active) = store::get_json::<ActiveBundle>(&self.store, keys::ACTIVE_BUNDLE).await? else {
            return Ok(None);
        };
        let key = keys::bundle_configuration(&active.bundle);
        let configuration = store::get_json(&self.store, &key).await?;
        let configuration = configuration.with_context(|| format!("{key}: not in the store"))?;
        Ok(Some((active, configuration)))
    }
}

/// Hands the leaves below `end` to `each`, the newest first, until it has seen enough.
///
/// # Errors
/// When the log cannot be read, or a leaf is of a release that this one does not know.
pub async fn newest_first<S: Store>(
    view: &mut View<'_, S>,
    end: u64,
    mut each: impl FnMut(u64, Leaf) -> ControlFlow<()>,
) -> anyhow::Result<()> {
    let mut end = end.min(view.size());
    while end > 0 {
        let start = (end - 1) / PART * PART;
        let leaves = view.leaves(start..end).await?;
        for (index, bytes) in (start..end).rev().zip(leaves.into_iter().rev()) {
            if each(index, parsed(index, &bytes)?).is_break() {
                return Ok(());
            }
        }
        end = start;
    }
    Ok(())
}

/// A leaf's bytes as a leaf.
///
/// # Errors
/// When it is of a release that this one does not know.
pub fn parsed(index: u64, bytes: &[u8]) -> anyhow::Result<Leaf> {
    serde_json::from_slice(bytes).with_context(|| {
        format!("leaf {index} is not understood: use the release that wrote it, or a later one")
    })
}
