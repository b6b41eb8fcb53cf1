//! Tiles: how the tree and its leaves are laid out in files (c2sp.org/tlog-tiles).

use std::fmt::Write as _;
use std::ops::Range;

use countersign_core::digest::Digest;
use countersign_core::leaf::MAX_LEAF;

use crate::error::LedgerError;
use crate::merkle::Node;

/// The number of hashes in a full tile.
pub const WIDTH: u64 = 256;

/// The tree levels that one level of tiles spans.
const HEIGHT: u32 = 8;

/// The number of bytes in a hash.
const HASH: usize = 32;

/// What a file of the log holds of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Its hashes.
    Hashes,
    /// The leaves that a tile of level 0 hashes: an entry bundle.
    Leaves,
}

/// A tile: up to [`WIDTH`] hashes next to each other at one level. Level 0 holds the hashes of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// The level.
    pub level: u8,
    /// The place within the level.
    pub index: u64,
    /// The number of hashes.
    pub width: u64,
}

impl Tile {
    /// The tile at this place in a tree of `size` leaves; none if the tree does not reach it.
    #[must_use]
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(u32::from(level) * HEIGHT)?;
        let width = hashes.checked_sub(index.checked_mul(WIDTH)?)?.min(WIDTH);
        (width > 0).then_some(Self { level, index, width })
    }

    /// Whether it has all its hashes.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The same place with all its hashes.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: WIDTH, ..self }
    }

    /// The path of the file with this content, below the log's prefix.
    #[must_use]
    pub fn path(&self, content: Content) -> String {
        let mut path = match content {
            Content::Hashes => format!("tile/{}/", self.level),
            Content::Leaves => "tile/entries/".to_owned(),
        };
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (left, group) in groups.iter().enumerate().rev() {
            // A `String` takes every write.
            let _ = if left > 0 { write!(path, "x{group:03}/") } else { write!(path, "{group:03}") };
        }
        if !self.is_full() {
            let _ = write!(path, ".p/{}", self.width);
        }
        path
    }
}

/// The place of the tile that a subtree's root is computed from, and which of its hashes to take.
pub(crate) fn place(node: Node) -> (u8, u64, Range<usize>) {
    let level = u8::try_from(node.height / HEIGHT).unwrap_or(u8::MAX);
    let inside = node.height % HEIGHT;
    let first = node.index << inside;
    let start = usize::try_from(first % WIDTH).unwrap_or_default();
    (level, first / WIDTH, start..start + (1 << inside))
}

/// The bytes of a tile.
pub(crate) fn hashes_to_bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// The first `width` hashes of a tile's bytes; none if there are fewer.
pub(crate) fn bytes_to_hashes(bytes: &[u8], width: u64) -> Option<Vec<Digest>> {
    let (hashes, rest) = bytes.as_chunks::<HASH>();
    let wanted = hashes.get(..usize::try_from(width).ok()?)?;
    rest.is_empty().then(|| wanted.iter().map(|hash| Digest::from_bytes(*hash)).collect())
}

/// Adds a leaf to the bytes of its bundle.
pub(crate) fn push_entry(bundle: &mut Vec<u8>, leaf: &[u8]) -> Result<(), LedgerError> {
    let length = u16::try_from(leaf.len()).map_err(|_| {
        let why = format!("a leaf has {} bytes, at most {MAX_LEAF} fit: cite a blob instead", leaf.len());
        LedgerError::Forbidden(why)
    })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(leaf);
    Ok(())
}

/// The first `width` leaves of a bundle's bytes; none if there are fewer.
pub(crate) fn bytes_to_entries(bytes: &[u8], width: u64) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    for _ in 0..width {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        rest = after;
    }
    Some(entries)
}

#[cfg(test)]
mod tests;
