//! RFC 6962 Merkle trees: hashes, the shape of proofs, and their verification.

use std::ops::Range;

use countersign_core::digest::Digest;
use sha2::{Digest as _, Sha256};

/// More leaves than any log has; sizes above it are refused, so that no arithmetic on them overflows.
pub const MAX_SIZE: u64 = 1 << 62;

/// The hash of a leaf (RFC 6962, section 2.1).
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into())
}

/// The hash of an inner node (RFC 6962, section 2.1).
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let hasher = Sha256::new().chain_update([1]).chain_update(left.as_bytes()).chain_update(right.as_bytes());
    Digest::from_bytes(hasher.finalize().into())
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty_root() -> Digest {
    Digest::of(&[])
}

/// The root over subtrees in order, each complete and smaller than the one before it.
pub(crate) fn fold_right(hashes: &[Digest]) -> Option<Digest> {
    let (last, before) = hashes.split_last()?;
    Some(before.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// The root of a complete subtree over `hashes`, whose number is a power of two.
pub(crate) fn complete_root(hashes: &[Digest]) -> Option<Digest> {
    let mut layer = hashes.to_vec();
    while layer.len() > 1 {
        let (pairs, rest) = layer.as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        layer = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    layer.first().copied()
}

/// A complete subtree: the leaves from `index << height` up to `(index + 1) << height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub height: u32,
    pub index: u64,
}

/// The complete subtrees that make up a range of leaves, from the left.
pub(crate) fn nodes(leaves: &Range<u64>) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut low = leaves.start;
    while low < leaves.end {
        let fits = (leaves.end - low).ilog2();
        let height = low.trailing_zeros().min(fits);
        nodes.push(Node { height, index: low >> height });
        low += 1 << height;
    }
    nodes
}

/// The largest power of two below `count`; `count` is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The ranges whose roots prove a leaf's inclusion, from the leaf's sibling upward (RFC 6962, 2.1.1).
pub(crate) fn inclusion_ranges(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut tree = 0..size;
    while tree.end - tree.start > 1 {
        let middle = tree.start + split(tree.end - tree.start);
        if index < middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges whose roots prove that a tree of `old` leaves is a prefix of one of `new` (RFC 6962, 2.1.2).
pub(crate) fn consistency_ranges(old: u64, new: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    if old == 0 || old >= new {
        return ranges;
    }
    let mut tree = 0..new;
    while old != tree.end {
        let middle = tree.start + split(tree.end - tree.start);
        if old <= middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    if tree.start != 0 {
        ranges.push(tree);
    }
    ranges.reverse();
    ranges
}

/// Whether `path` proves that `leaf` is the hash of leaf `index` of the tree (RFC 9162, 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: &Digest, index: u64, size: u64, path: &[Digest], root: &Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `path` proves that the tree of `old` leaves is a prefix of that of `new` (RFC 9162, 2.1.4.2).
///
/// Each tree is given by its size and root. The empty tree is a prefix of every tree.
#[must_use]
pub fn verify_consistency(old: (u64, &Digest), new: (u64, &Digest), path: &[Digest]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == new_size {
        return path.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return path.is_empty() && *old_root == empty_root();
    }
    if old_size > new_size {
        return false;
    }
    let (seed, rest) = if old_size.is_power_of_two() {
        (old_root, path)
    } else if let Some((first, rest)) = path.split_first() {
        (first, rest)
    } else {
        return false;
    };
    let shift = (old_size - 1).trailing_ones();
    let (mut node, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests;
