//! Staging: how an append reaches many files at once, on a store that writes one key at a time.
//!
//! Everything that an append writes is put into one object first, under a key that names the size and the
//! root of the tree that it leads to. The compare-and-swap of the checkpoint then makes one staged object
//! the truth: the one that the checkpoint's own size and root name. Only after that are its tiles written
//! to their places. So no tile is ever written of a tree that did not win, and whoever finds a checkpoint
//! whose staged object is still there completes the writing, with the same bytes.
//!
//! Why each key is safe with several writers:
//! - A tile's key names a level, a place and a width. Among trees that extend each other, which is what
//!   checkpoints that won the compare-and-swap are, these determine its bytes. So writers that are late, or
//!   that repeat each other, write what is there already.
//! - Two writers that stage under the same key lead to the same tree. Each staged at least the files that
//!   the tree has and the checkpoint that it started from has not, and all files before that are in place:
//!   a staged object is enough for every base that its key's tree can still win from.
//! - A writer that lost the compare-and-swap deletes nothing: its key might be that of a winner. A staged
//!   object is deleted only when a published checkpoint of its size or a larger one exists, because
//!   whoever staged it either won and is published, or can no longer win.

use std::collections::BTreeMap;

use countersign_core::keys;
use countersign_core::ports::store::{Store, Write};

use crate::checkpoint::Checkpoint;
use crate::error::LedgerError;

/// Below the log's prefix: what was staged and is not yet published.
const FOLDER: &str = "staging/";

/// The most keys that one sweep or one pruning looks at; what is left over is met by a later one.
const SWEEP: usize = 1000;

/// The key of what leads to this checkpoint. Sizes have a fixed width, so that keys are in their order.
pub(crate) fn key(checkpoint: &Checkpoint) -> String {
    format!("{}{FOLDER}{:020}-{}", keys::LOG, checkpoint.size, checkpoint.root.hex())
}

/// Puts what leads to this checkpoint where it can be recovered.
pub(crate) fn stage(
    checkpoint: &Checkpoint,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<Write, LedgerError> {
    Ok(Write::Put { key: key(checkpoint), bytes: encode(files)? })
}

/// What leads to this checkpoint, by path; nothing if it was published.
pub(crate) async fn read(
    store: &impl Store,
    checkpoint: &Checkpoint,
) -> Result<BTreeMap<String, Vec<u8>>, LedgerError> {
    let key = key(checkpoint);
    let Some(found) = store.get(&key).await? else { return Ok(BTreeMap::new()) };
    decode(&found.bytes).ok_or_else(|| LedgerError::corrupt(key, "not a staged append"))
}

/// Puts the files of a checkpoint that is the log's in their places, and forgets that they were staged.
pub(crate) async fn publish(
    store: &impl Store,
    checkpoint: &Checkpoint,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<Vec<Write>, LedgerError> {
    let filled: Vec<String> = files.keys().filter(|path| !path.contains(".p/")).cloned().collect();
    let place = |(path, bytes): (String, _)| Write::Put { key: format!("{}{path}", keys::LOG), bytes };
    let mut writes: Vec<_> = files.into_iter().map(place).collect();
    if !filled.is_empty() {
        prune(store, &filled, &mut writes).await?;
        sweep(store, checkpoint, &mut writes).await?;
    }
    writes.push(Write::Delete { key: key(checkpoint) });
    Ok(writes)
}

/// Deletes the partial tiles whose full tile is in place: without this, a log of small appends would hold
/// every leaf a hundred times. Readers of an older checkpoint take the full tile instead.
async fn prune(store: &impl Store, filled: &[String], writes: &mut Vec<Write>) -> Result<(), LedgerError> {
    for path in filled {
        let partial = store.list(&format!("{}{path}.p/", keys::LOG), None, SWEEP).await?;
        writes.extend(partial.into_iter().map(|key| Write::Delete { key }));
    }
    Ok(())
}

/// Deletes what writers staged that lost or died. Once for each full tile is often enough.
async fn sweep(
    store: &impl Store,
    published: &Checkpoint,
    writes: &mut Vec<Write>,
) -> Result<(), LedgerError> {
    let own = key(published);
    let prefix = format!("{}{FOLDER}", keys::LOG);
    let last = format!("{prefix}{:020}~", published.size);
    let staged = store.list(&prefix, None, SWEEP).await?;
    let lost = staged.into_iter().filter(|staged| *staged != own && *staged < last);
    writes.extend(lost.map(|key| Write::Delete { key }));
    Ok(())
}

/// Each file as the length of its path (16 bits), its path, the length of its bytes (32 bits), its bytes.
fn encode(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, LedgerError> {
    let too_long = |_| LedgerError::Forbidden("an append is too large: append fewer leaves".to_owned());
    let mut bytes = Vec::new();
    for (path, content) in files {
        bytes.extend_from_slice(&u16::try_from(path.len()).map_err(too_long)?.to_be_bytes());
        bytes.extend_from_slice(path.as_bytes());
        bytes.extend_from_slice(&u32::try_from(content.len()).map_err(too_long)?.to_be_bytes());
        bytes.extend_from_slice(content);
    }
    Ok(bytes)
}

/// Reads what [`encode`] wrote. Only tiles are ever staged, so that nothing else can be overwritten.
fn decode(mut bytes: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (path, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (content, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let path = std::str::from_utf8(path).ok().filter(|path| path.starts_with("tile/"))?;
        files.insert(path.to_owned(), content.to_vec());
        bytes = rest;
    }
    Some(files)
}

#[cfg(test)]
mod tests;
