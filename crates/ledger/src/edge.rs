//! The right edge of the tree: all that is needed to append, whatever the size of the log.

use countersign_core::digest::Digest;

use crate::error::LedgerError;
use crate::merkle::{MAX_SIZE, complete_root, empty_root, fold_right, leaf_hash};
use crate::tile::{Content, Tile, WIDTH, hashes_to_bytes, push_entry};

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub tile: Tile,
    pub content: Content,
    pub bytes: Vec<u8>,
}

impl File {
    /// The path below the log's prefix.
    pub fn path(&self) -> String {
        self.tile.path(self.content)
    }

    const fn hashes(tile: Tile, bytes: Vec<u8>) -> Self {
        Self { tile, content: Content::Hashes, bytes }
    }

    const fn leaves(tile: Tile, bytes: Vec<u8>) -> Self {
        Self { tile, content: Content::Leaves, bytes }
    }
}

/// The partial tile of each level, and the partial bundle of leaves.
///
/// Tiles that fill up are handed out as files and forgotten: the edge keeps at most 255 hashes a level.
pub(crate) struct Edge {
    size: u64,
    entries: Vec<u8>,
    levels: Vec<Vec<Digest>>,
    full: Vec<File>,
}

impl Edge {
    /// The edge of a log without leaves.
    pub const fn empty() -> Self {
        Self { size: 0, entries: Vec::new(), levels: Vec::new(), full: Vec::new() }
    }

    /// The edge of a log of `size` leaves from its partial tiles, level 0 first, and its partial bundle.
    pub const fn new(size: u64, entries: Vec<u8>, levels: Vec<Vec<Digest>>) -> Self {
        Self { size, entries, levels, full: Vec::new() }
    }

    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. Tiles that it fills are in [`Edge::take_full`].
    pub fn push(&mut self, leaf: &[u8]) -> Result<(), LedgerError> {
        if self.size >= MAX_SIZE {
            return Err(LedgerError::Forbidden("the log is full".to_owned()));
        }
        push_entry(&mut self.entries, leaf)?;
        self.size += 1;
        let mut carry = Some(leaf_hash(leaf));
        let mut level = 0;
        while let Some(hash) = carry.take() {
            carry = self.push_hash(level, hash);
            level += 1;
        }
        Ok(())
    }

    /// Adds a hash to a level; returns the root of the tile that it fills, which belongs one level up.
    fn push_hash(&mut self, level: usize, hash: Digest) -> Option<Digest> {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        let hashes = self.levels.get_mut(level)?;
        hashes.push(hash);
        if (hashes.len() as u64) < WIDTH {
            return None;
        }
        let hashes = std::mem::take(hashes);
        let level = u8::try_from(level).ok()?;
        let index = (self.size >> (8 * u32::from(level) + 8)) - 1;
        let tile = Tile { level, index, width: WIDTH };
        if level == 0 {
            self.full.push(File::leaves(tile, std::mem::take(&mut self.entries)));
        }
        self.full.push(File::hashes(tile, hashes_to_bytes(&hashes)));
        complete_root(&hashes)
    }

    /// The files that have filled up since this was last asked.
    pub fn take_full(&mut self) -> Vec<File> {
        std::mem::take(&mut self.full)
    }

    /// The files that are not full and that a log of `before` leaves has not: a level whose number of
    /// hashes is still the same has the same tiles.
    pub fn partial_since(&self, before: u64) -> Vec<File> {
        let mut files = Vec::new();
        for (level, hashes) in (0_u8..).zip(&self.levels) {
            let shift = 8 * u32::from(level);
            if hashes.is_empty() || self.size >> shift == before >> shift {
                continue;
            }
            let index = self.size >> shift >> 8;
            let tile = Tile { level, index, width: hashes.len() as u64 };
            if level == 0 {
                files.push(File::leaves(tile, self.entries.clone()));
            }
            files.push(File::hashes(tile, hashes_to_bytes(hashes)));
        }
        files
    }

    /// The root of the tree. The binary digits of each level's length are the complete subtrees in it.
    pub fn root(&self) -> Digest {
        let mut peaks = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while let Some(height) = rest.len().checked_ilog2() {
                let Some((peak, after)) = rest.split_at_checked(1 << height) else { break };
                peaks.extend(complete_root(peak));
                rest = after;
            }
        }
        fold_right(&peaks).unwrap_or_else(empty_root)
    }
}
