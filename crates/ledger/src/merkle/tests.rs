use proptest::prelude::*;
use tlog_tiles as oracle;

use super::*;
use crate::testing::leaves;

/// RFC 6962, section 2.1, word for word and slow.
fn root(hashes: &[Digest]) -> Digest {
    match hashes {
        [] => empty_root(),
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(largest_power_below(hashes.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

fn largest_power_below(count: usize) -> usize {
    (0..).map(|bit| 1 << bit).take_while(|power| *power < count).last().unwrap()
}

/// RFC 6962, section 2.1.1.
fn path(index: usize, hashes: &[Digest]) -> Vec<Digest> {
    if hashes.len() <= 1 {
        return Vec::new();
    }
    let middle = largest_power_below(hashes.len());
    let (left, right) = hashes.split_at(middle);
    let (mut inner, sibling) = if index < middle {
        (path(index, left), root(right))
    } else {
        (path(index - middle, right), root(left))
    };
    inner.push(sibling);
    inner
}

/// RFC 6962, section 2.1.2.
fn subproof(old: usize, hashes: &[Digest], complete: bool) -> Vec<Digest> {
    if old == hashes.len() {
        return if complete { Vec::new() } else { vec![root(hashes)] };
    }
    let middle = largest_power_below(hashes.len());
    let (left, right) = hashes.split_at(middle);
    let (mut inner, sibling) = if old <= middle {
        (subproof(old, left, complete), root(right))
    } else {
        (subproof(old - middle, right, false), root(left))
    };
    inner.push(sibling);
    inner
}

fn hashes(count: usize) -> Vec<Digest> {
    leaves(0, count as u64).iter().map(|leaf| leaf_hash(leaf)).collect()
}

fn roots(ranges: &[Range<u64>], hashes: &[Digest]) -> Vec<Digest> {
    let of = |range: &Range<u64>| {
        let parts: Vec<Digest> = nodes(range)
            .iter()
            .map(|node| {
                let first = (node.index << node.height) as usize;
                complete_root(&hashes[first..first + (1 << node.height)]).unwrap()
            })
            .collect();
        fold_right(&parts).unwrap()
    };
    ranges.iter().map(of).collect()
}

fn theirs(hash: &Digest) -> oracle::Hash {
    oracle::Hash(*hash.as_bytes())
}

#[test]
fn every_small_proof_is_that_of_the_definition() {
    for size in 1..=40 {
        let hashes = hashes(size);
        let head = root(&hashes);
        for index in 0..size {
            let proof = roots(&inclusion_ranges(index as u64, size as u64), &hashes);
            assert_eq!(proof, path(index, &hashes), "leaf {index} of {size}");
            assert!(verify_inclusion(&hashes[index], index as u64, size as u64, &proof, &head));
        }
        for old in 1..=size {
            let proof = roots(&consistency_ranges(old as u64, size as u64), &hashes);
            assert_eq!(proof, subproof(old, &hashes, true), "{old} of {size}");
            let old_root = root(&hashes[..old]);
            assert!(verify_consistency((old as u64, &old_root), (size as u64, &head), &proof));
        }
    }
}

#[test]
fn the_empty_tree_is_a_prefix_of_every_tree_and_of_no_other_root() {
    let (empty, head) = (empty_root(), root(&hashes(3)));
    assert!(verify_consistency((0, &empty), (3, &head), &[]));
    assert!(!verify_consistency((0, &head), (3, &head), &[]));
    assert!(!verify_consistency((3, &head), (0, &empty), &[]));
    assert!(!verify_inclusion(&head, 0, 0, &[], &empty));
}

proptest! {
    #[test]
    fn an_established_implementation_accepts_our_proofs(size in 2_usize..700, seed: u64) {
        let hashes = hashes(size);
        let head = root(&hashes);
        let index = seed % size as u64;
        let proof = roots(&inclusion_ranges(index, size as u64), &hashes);
        let translated = proof.iter().map(theirs).collect();
        let leaf = theirs(&hashes[index as usize]);
        prop_assert!(oracle::check_record(&translated, size as u64, theirs(&head), index, leaf).is_ok());

        let old = 1 + seed % (size as u64 - 1);
        let proof = roots(&consistency_ranges(old, size as u64), &hashes);
        let translated = proof.iter().map(theirs).collect();
        let old_root = root(&hashes[..old as usize]);
        prop_assert!(oracle::check_tree(&translated, size as u64, theirs(&head), old, theirs(&old_root)).is_ok());
    }

    #[test]
    fn an_altered_inclusion_proof_proves_nothing(size in 2_usize..300, seed: u64, bit in 0_usize..256) {
        let hashes = hashes(size);
        let head = root(&hashes);
        let (index, size) = (seed % size as u64, size as u64);
        let leaf = hashes[index as usize];
        let proof = roots(&inclusion_ranges(index, size), &hashes);
        let verifies = |leaf: &Digest, index, size, proof: &[Digest]| verify_inclusion(leaf, index, size, proof, &head);
        prop_assert!(verifies(&leaf, index, size, &proof));
        prop_assert!(!verifies(&flip(&leaf, bit), index, size, &proof));
        prop_assert!(!verifies(&leaf, (index + 1) % size, size, &proof));
        prop_assert!(!verifies(&leaf, index, size, &proof[1..]));
        prop_assert!(!verifies(&leaf, index, size, &[proof.as_slice(), &[leaf]].concat()));
        let at = bit % proof.len();
        let mut altered = proof.clone();
        altered[at] = flip(&altered[at], bit);
        prop_assert!(!verifies(&leaf, index, size, &altered));
    }

    #[test]
    fn an_altered_consistency_proof_proves_nothing(size in 2_usize..300, seed: u64, bit in 0_usize..256) {
        let hashes = hashes(size);
        let (old, size) = (1 + seed % (size as u64 - 1), size as u64);
        let (old_root, head) = (root(&hashes[..old as usize]), root(&hashes));
        let proof = roots(&consistency_ranges(old, size), &hashes);
        let verifies = |old_root: &Digest, head: &Digest, proof: &[Digest]| {
            verify_consistency((old, old_root), (size, head), proof)
        };
        prop_assert!(verifies(&old_root, &head, &proof));
        prop_assert!(!verifies(&flip(&old_root, bit), &head, &proof));
        prop_assert!(!verifies(&old_root, &flip(&head, bit), &proof));
        prop_assert!(!verifies(&old_root, &head, &proof[1..]));
        prop_assert!(!verifies(&old_root, &head, &[proof.as_slice(), &[head]].concat()));
        let at = bit % proof.len();
        let mut altered = proof.clone();
        altered[at] = flip(&altered[at], bit);
        prop_assert!(!verifies(&old_root, &head, &altered));
    }

    #[test]
    fn verification_of_nonsense_ends_and_refuses(index: u64, size: u64, old: u64, count in 0_usize..70) {
        let path = hashes(count);
        prop_assert!(!verify_inclusion(&empty_root(), index, size, &path, &leaf_hash(b"head")));
        prop_assume!(old != size);
        prop_assert!(!verify_consistency((old, &leaf_hash(b"old")), (size, &leaf_hash(b"new")), &path));
    }
}

fn flip(hash: &Digest, bit: usize) -> Digest {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Digest::from_bytes(bytes)
}
