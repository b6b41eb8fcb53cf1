//! A view of the log at one checkpoint: leaves and proofs, read from tiles and checked before they are returned.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::ports::store::Store;

use crate::checkpoint::SignedCheckpoint;
use crate::edge::Edge;
use crate::error::LedgerError;
use crate::merkle::{
    Node, complete_root, consistency_ranges, fold_right, inclusion_ranges, leaf_hash, nodes, verify_inclusion,
};
use crate::proof::LogProof;
use crate::staging;
use crate::tile::{Content, Tile, WIDTH, bytes_to_entries, bytes_to_hashes, place};

/// A view of the log at one verified checkpoint.
///
/// The store is not trusted: what is read from it is returned only if the checkpoint vouches for it.
/// Tiles that were read are kept, so that many proofs under one checkpoint cost little more than one.
pub struct View<'a, S> {
    store: &'a S,
    at: SignedCheckpoint,
    tiles: BTreeMap<(u8, u64), Vec<Digest>>,
    staged: Option<BTreeMap<String, Vec<u8>>>,
    /// The bundles of leaves that were read last, verified.
    bundles: BTreeMap<u64, Arc<Vec<Vec<u8>>>>,
}

/// How many bundles of leaves are kept: those of what is recorded now and of what it follows from.
const BUNDLES: usize = 4;

impl<'a, S: Store> View<'a, S> {
    /// A view at this checkpoint. Nothing is read yet.
    #[must_use]
    pub const fn new(store: &'a S, at: SignedCheckpoint) -> Self {
        Self { store, at, tiles: BTreeMap::new(), staged: None, bundles: BTreeMap::new() }
    }

    /// The checkpoint.
    #[must_use]
    pub const fn at(&self) -> &SignedCheckpoint {
        &self.at
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.at.checkpoint().size
    }

    /// The bytes of one leaf.
    ///
    /// # Errors
    /// [`LedgerError::Forbidden`] beyond the end, [`LedgerError::Missing`] or [`LedgerError::Corrupt`]
    /// when the store does not hold what the checkpoint vouches for, or the store's own error.
    pub async fn leaf(&mut self, index: u64) -> Result<Vec<u8>, LedgerError> {
        let end = index.checked_add(1).ok_or_else(|| self.beyond(index))?;
        let mut leaves = self.leaves(index..end).await?;
        leaves.pop().ok_or_else(|| self.beyond(index))
    }

    /// The bytes of the leaves in `range`, in order. All of them are held in memory: ask for bundles.
    ///
    /// # Errors
    /// As [`View::leaf`].
    pub async fn leaves(&mut self, range: Range<u64>) -> Result<Vec<Vec<u8>>, LedgerError> {
        if range.end > self.size() {
            return Err(self.beyond(range.end - 1));
        }
        let mut leaves = Vec::new();
        let mut next = range.start;
        while next < range.end {
            let bundle = self.bundle(next / WIDTH).await?;
            let first = next - next % WIDTH;
            let wanted = (first..).zip(bundle.iter()).filter(|(index, _)| range.contains(index));
            leaves.extend(wanted.map(|(_, leaf)| leaf.clone()));
            next = first + WIDTH;
        }
        Ok(leaves)
    }

    /// The hashes that prove that leaf `index` is under the checkpoint, from the leaf's sibling upward.
    ///
    /// # Errors
    /// As [`View::leaf`].
    pub async fn inclusion_proof(&mut self, index: u64) -> Result<Vec<Digest>, LedgerError> {
        if index >= self.size() {
            return Err(self.beyond(index));
        }
        let leaf = self.node(Node { height: 0, index }).await?;
        self.inclusion_of(&leaf, index).await
    }

    /// The proof, as a text that others can verify, that leaf `index` is under the checkpoint.
    ///
    /// # Errors
    /// As [`View::leaf`].
    pub async fn prove(&mut self, index: u64) -> Result<LogProof, LedgerError> {
        let path = self.inclusion_proof(index).await?;
        Ok(LogProof { index, path, checkpoint: self.at.text().to_owned() })
    }

    /// The hashes that prove that the log's first `old` leaves are a prefix of those under the checkpoint.
    /// Who knows the root of that prefix verifies them; here they are only read.
    ///
    /// # Errors
    /// As [`View::leaf`].
    pub async fn consistency_proof(&mut self, old: u64) -> Result<Vec<Digest>, LedgerError> {
        if old > self.size() {
            return Err(self.beyond(old - 1));
        }
        self.roots(consistency_ranges(old, self.size())).await
    }

    /// All that an append needs: the partial tiles and the partial bundle, checked against the root.
    pub(crate) async fn edge(&mut self) -> Result<Edge, LedgerError> {
        let size = self.size();
        let mut levels = Vec::new();
        while let Some(hashes) = size.checked_shr(8 * levels.len() as u32).filter(|hashes| *hashes > 0) {
            let (level, partial) = (levels.len() as u8, hashes % WIDTH);
            levels.push(if partial == 0 {
                Vec::new()
            } else {
                self.tile(level, hashes / WIDTH).await?.to_vec()
            });
        }
        let mut entries = Vec::new();
        if !size.is_multiple_of(WIDTH) {
            for leaf in self.bundle(size / WIDTH).await?.iter() {
                crate::tile::push_entry(&mut entries, leaf)?;
            }
        }
        let edge = Edge::new(size, entries, levels);
        if edge.root() == self.at.checkpoint().root {
            return Ok(edge);
        }
        Err(LedgerError::corrupt(
            format!("{}tile/", keys::LOG),
            format!(
                "the last tiles of a log of {size} leaves do not have the root that its checkpoint signs"
            ),
        ))
    }

    /// The bytes of a tile or a bundle of this tree, unchecked; a full one may stand in for a partial one.
    pub(crate) async fn file(&mut self, tile: Tile, content: Content) -> Result<Vec<u8>, LedgerError> {
        let wanted = format!("{}{}", keys::LOG, tile.path(content));
        if let Some(bytes) = self.published(tile, content).await? {
            return Ok(bytes);
        }
        let checkpoint = self.at.checkpoint();
        if self.staged.is_none() {
            self.staged = Some(staging::read(self.store, checkpoint).await?);
        }
        if let Some(bytes) = self.staged.as_ref().and_then(|staged| staged.get(&tile.path(content))) {
            return Ok(bytes.clone());
        }
        // A writer may have published between the two reads, and taken the staged object away.
        let published = self.published(tile, content).await?;
        published.ok_or(LedgerError::Missing { key: wanted, size: self.size() })
    }

    async fn published(&self, tile: Tile, content: Content) -> Result<Option<Vec<u8>>, LedgerError> {
        let found = self.store.get(&format!("{}{}", keys::LOG, tile.path(content))).await?;
        if found.is_some() || tile.is_full() {
            return Ok(found.map(|found| found.bytes));
        }
        let full = self.store.get(&format!("{}{}", keys::LOG, tile.full().path(content))).await?;
        Ok(full.map(|found| found.bytes))
    }

    async fn tile(&mut self, level: u8, index: u64) -> Result<&[Digest], LedgerError> {
        if !self.tiles.contains_key(&(level, index)) {
            let tile = Tile::in_tree(level, index, self.size()).ok_or_else(|| self.beyond(index))?;
            let bytes = self.file(tile, Content::Hashes).await?;
            let hashes = bytes_to_hashes(&bytes, tile.width).ok_or_else(|| {
                LedgerError::corrupt(tile.path(Content::Hashes), "not a tile of this width")
            })?;
            self.tiles.insert((level, index), hashes);
        }
        Ok(self.tiles.get(&(level, index)).map(Vec::as_slice).unwrap_or_default())
    }

    /// The leaves of one bundle.
    ///
    /// The proof of the first leaf is made from the hashes of all leaves in the bundle, so it vouches for
    /// each of them: the hashes of leaves that the store claims are not even read.
    async fn bundle(&mut self, index: u64) -> Result<Arc<Vec<Vec<u8>>>, LedgerError> {
        if let Some(known) = self.bundles.get(&index) {
            return Ok(Arc::clone(known));
        }
        let first = index * WIDTH;
        let tile = Tile::in_tree(0, index, self.size()).ok_or_else(|| self.beyond(first))?;
        let bytes = self.file(tile, Content::Leaves).await?;
        let entries = bytes_to_entries(&bytes, tile.width).ok_or_else(|| {
            LedgerError::corrupt(tile.path(Content::Leaves), "not a bundle of this many leaves")
        })?;
        let hashes: Vec<Digest> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let leaf = hashes.first().copied().ok_or_else(|| self.beyond(first))?;
        self.tiles.insert((0, index), hashes);
        let verified = self.inclusion_of(&leaf, first).await;
        self.tiles.remove(&(0, index));
        verified?;
        let leaves: Arc<Vec<_>> = Arc::new(entries.into_iter().map(<[u8]>::to_vec).collect());
        while self.bundles.len() >= BUNDLES {
            self.bundles.pop_first();
        }
        self.bundles.insert(index, Arc::clone(&leaves));
        Ok(leaves)
    }

    async fn inclusion_of(&mut self, leaf: &Digest, index: u64) -> Result<Vec<Digest>, LedgerError> {
        let path = self.roots(inclusion_ranges(index, self.size())).await?;
        let checkpoint = self.at.checkpoint();
        if verify_inclusion(leaf, index, checkpoint.size, &path, &checkpoint.root) {
            return Ok(path);
        }
        Err(LedgerError::corrupt(
            format!("leaf {index}"),
            format!(
                "it or the tiles above it are not those that the checkpoint of size {} signs",
                checkpoint.size
            ),
        ))
    }

    async fn roots(&mut self, ranges: Vec<Range<u64>>) -> Result<Vec<Digest>, LedgerError> {
        let mut roots = Vec::new();
        for range in ranges {
            let mut hashes = Vec::new();
            for node in nodes(&range) {
                hashes.push(self.node(node).await?);
            }
            roots.extend(fold_right(&hashes));
        }
        Ok(roots)
    }

    async fn node(&mut self, node: Node) -> Result<Digest, LedgerError> {
        let (level, index, range) = place(node);
        let root = self.tile(level, index).await?.get(range).and_then(complete_root);
        root.ok_or_else(|| LedgerError::corrupt(format!("tile of level {level}"), "too few hashes"))
    }

    fn beyond(&self, index: u64) -> LedgerError {
        LedgerError::Forbidden(format!("leaf {index} was asked for, the log has {} leaves", self.size()))
    }
}

#[cfg(test)]
mod tests;
