//! An installation as reading commands open it: beside a running `serve`, and without changing anything.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use countersign_core::configuration::Configuration;
use countersign_core::keys;
use countersign_core::leaf::Leaf;
use countersign_core::ports::store::{self, Store};
use countersign_core::target::ActiveBundle;
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
    /// The key that verifies the log.
    pub key: NoteKey,
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
        let (genesis_bytes, genesis) = DataFolder::new(data).read_genesis()?;
        let key = NoteKey::log(&genesis.origin, &genesis.log_key)?;
        let database = Database::open_read_only(data)?;
        let store = LocalStore::new(&database);
        Ok(Self { genesis_bytes, genesis, key, database, store })
    }

    /// The log at its newest checkpoint; everything read from it is verified.
    ///
    /// # Errors
    /// When nothing was recorded yet, or the checkpoint is not signed by the log's key.
    pub async fn log(&self) -> anyhow::Result<View<'_, LocalStore>> {
        let view = log::open(&self.store, &self.key).await?;
        view.ok_or_else(|| {
            anyhow!("nothing is recorded yet: start `countersign serve` once, which writes the first leaf")
        })
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
