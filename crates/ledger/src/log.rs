//! The log as its one writer sees it: the checkpoint, and appending under it.

use std::collections::BTreeMap;

use countersign_core::keys;
use countersign_core::ports::signer::Signer;
use countersign_core::ports::store::{Store, Version, Write};

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::edge::Edge;
use crate::error::LedgerError;
use crate::note::NoteKey;
use crate::staging;
use crate::view::View;

/// The key of the checkpoint: the only one of the log whose value changes.
#[must_use]
pub fn checkpoint_key() -> String {
    format!("{}checkpoint", keys::LOG)
}

/// What an append did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The index of the first of the leaves.
    pub first: u64,
    /// The log's head after them.
    pub checkpoint: SignedCheckpoint,
}

/// The log's newest checkpoint, signed by one of these keys; none before the first append.
///
/// # Errors
/// [`LedgerError::Signature`] or [`LedgerError::Malformed`] when it is not one of these keys, or the
/// store's own error.
pub async fn read_checkpoint(
    store: &impl Store,
    keys: &[NoteKey],
) -> Result<Option<SignedCheckpoint>, LedgerError> {
    Ok(read_head(store, keys).await?.map(|(checkpoint, _)| checkpoint))
}

/// A view of the log at its newest checkpoint; none before the first append.
///
/// # Errors
/// As [`read_checkpoint`].
pub async fn open<'a, S: Store>(store: &'a S, keys: &[NoteKey]) -> Result<Option<View<'a, S>>, LedgerError> {
    Ok(read_checkpoint(store, keys).await?.map(|checkpoint| View::new(store, checkpoint)))
}

/// Appends leaves, all under one new checkpoint, and returns when every tile of it is in its place.
///
/// With `expected`, nothing is appended unless the log has exactly so many leaves: what the caller has
/// concluded from them still holds. Before anything else, an append that died after it won is completed;
/// there is no other recovery. An error after which the leaves are in the log is possible (the answer of
/// the store was lost, or publication failed): the caller finds its records there when it reads on from
/// where it stood. Appending no leaves completes an earlier append, and makes an empty log if there is none.
///
/// The number of writes is that of the tiles that change and three more, whatever the size of the log.
///
/// # Errors
/// [`LedgerError::Raced`] when another writer was first or the size is not the expected one;
/// [`LedgerError::Forbidden`] for a leaf that is too large; otherwise as [`View::leaf`].
pub async fn append(
    store: &impl Store,
    signer: &impl Signer,
    origin: &str,
    leaves: &[Vec<u8>],
    expected: Option<u64>,
) -> Result<Appended, LedgerError> {
    extend(store, (signer, None), origin, leaves, expected).await
}

/// Appends the leaf that announces the next epoch, to a log of `size` leaves. Its checkpoint is signed by the key that
/// signed so far and by the next one, so that whoever trusts either can go on from it.
///
/// # Errors
/// As [`append`].
pub async fn rotate<K: Signer>(
    store: &impl Store,
    (signer, next): (&K, &K),
    origin: &str,
    leaf: Vec<u8>,
    size: u64,
) -> Result<Appended, LedgerError> {
    extend(store, (signer, Some(next)), origin, &[leaf], Some(size)).await
}

async fn extend<K: Signer>(
    store: &impl Store,
    (signer, next): (&K, Option<&K>),
    origin: &str,
    leaves: &[Vec<u8>],
    expected: Option<u64>,
) -> Result<Appended, LedgerError> {
    let key = NoteKey::log(origin, signer.public_key())?;
    let head = read_head(store, &[key]).await?;
    let first = head.as_ref().map_or(0, |(checkpoint, _)| checkpoint.checkpoint().size);
    if expected.is_some_and(|expected| expected != first) {
        return Err(LedgerError::Raced);
    }
    let mut edge = Edge::empty();
    if let Some((checkpoint, _)) = &head {
        complete(store, checkpoint.checkpoint()).await?;
        if leaves.is_empty() {
            return Ok(Appended { first, checkpoint: checkpoint.clone() });
        }
        // The edge is checked against the checkpoint: nothing is signed on top of a damaged log.
        edge = View::new(store, checkpoint.clone()).edge().await?;
    }
    for leaf in leaves {
        edge.push(leaf)?;
    }
    let files = edge.take_full().into_iter().chain(edge.partial_since(first));
    let files: BTreeMap<_, _> = files.map(|file| (file.path(), file.bytes)).collect();
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: edge.size(), root: edge.root() };
    let staged = staging::stage(&checkpoint, &files)?;
    // A checkpoint that loses the race is never seen by anyone, so the log never shows two histories.
    let mut checkpoint = SignedCheckpoint::sign(checkpoint, signer).await?;
    if let Some(next) = next {
        checkpoint = checkpoint.also_sign(next).await?;
    }
    let published = staging::publish(store, checkpoint.checkpoint(), files).await?;
    write(store, staged, (head.map(|(_, version)| version), &checkpoint), published).await?;
    Ok(Appended { first, checkpoint })
}

async fn read_head(
    store: &impl Store,
    keys: &[NoteKey],
) -> Result<Option<(SignedCheckpoint, Version)>, LedgerError> {
    let Some(found) = store.get(&checkpoint_key()).await? else { return Ok(None) };
    let text = std::str::from_utf8(&found.bytes)
        .map_err(|_| LedgerError::corrupt(checkpoint_key(), "the checkpoint is not UTF-8"))?;
    Ok(Some((SignedCheckpoint::verify_by_any(text, keys)?, found.version)))
}

/// Completes the append that led to this checkpoint, if it died before its tiles were in their places.
async fn complete(store: &impl Store, checkpoint: &Checkpoint) -> Result<(), LedgerError> {
    let staged = staging::read(store, checkpoint).await?;
    if staged.is_empty() {
        return Ok(());
    }
    let writes = staging::publish(store, checkpoint, staged).await?;
    store.write_all(&writes).await?;
    Ok(())
}

/// Stage, swap, publish, in this order: nothing is published of a checkpoint that did not win.
async fn write(
    store: &impl Store,
    staged: Write,
    (expected, checkpoint): (Option<Version>, &SignedCheckpoint),
    published: Vec<Write>,
) -> Result<(), LedgerError> {
    let (key, bytes) = (checkpoint_key(), checkpoint.text().as_bytes().to_vec());
    let won = |wrote: Vec<bool>| if wrote.get(1) == Some(&true) { Ok(()) } else { Err(LedgerError::Raced) };
    let Some(expected) = expected else {
        // What ends a list is a swap, and there is nothing yet that could be swapped.
        won(store.write_all(&[staged, Write::PutIfAbsent { key, bytes }]).await?)?;
        store.write_all(&published).await?;
        return Ok(());
    };
    let swap = Write::CompareAndSwap { key, expected, bytes };
    let writes: Vec<_> = [staged, swap].into_iter().chain(published).collect();
    won(store.write_all(&writes).await?)
}

#[cfg(test)]
mod tests;
