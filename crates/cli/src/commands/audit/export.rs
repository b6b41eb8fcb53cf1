//! `audit export`: the log as files in the layout of C2SP tlog-tiles, with its genesis and its key beside it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::ports::store::Store as _;
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::folder::Folder;
use countersign_ledger::merkle::verify_consistency;
use countersign_ledger::note::NoteKey;
use countersign_ledger::tile::{Content, Tile};
use countersign_ledger::view::View;
use countersign_local::store::LocalStore;
use serde_json::json;

use super::ExportArguments;
use super::key::Trusted;
use super::verify::{Verified, verify};
use crate::commands::block_on;
use crate::commands::reading::Installation;
use crate::commands::shown::counted;
use crate::output::Printed;

/// The name of the checkpoint's file, by the specification.
const CHECKPOINT: &str = "checkpoint";

/// Writes the log, and audits what was written.
///
/// # Errors
/// When the folder holds something else, the log does not extend what it holds, or a file cannot be written.
pub fn run(arguments: &ExportArguments) -> anyhow::Result<Printed> {
    let installation = Installation::open(&arguments.data)?;
    let folder = &arguments.folder;
    block_on(async {
        let mut view = installation.log().await?;
        extends(folder, &installation.keys, &mut view).await?;
        let size = view.size();
        let mut files = 0_usize;
        for (tile, content) in tiles(size) {
            let (path, bytes) = published(&installation.store, tile, content).await?;
            write(folder, &path, &bytes)?;
            files += 1;
        }
        write(folder, "genesis.json", &installation.genesis_bytes)?;
        for earlier in installation.epochs.earlier() {
            let rotation = keys::rotation(earlier.epoch + 1);
            let file = arguments.data.join(&rotation);
            let bytes = fs::read(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
            write(folder, &rotation, &bytes)?;
        }
        let key = installation.key_of(view.at())?.to_string();
        write(folder, "vkey", format!("{key}\n").as_bytes())?;
        // Last, so that a reader never meets a checkpoint whose tiles are not there.
        write(folder, CHECKPOINT, view.at().text().as_bytes())?;
        audited(folder, &installation).await?;
        let root = view.at().checkpoint().root;
        let document = json!({ "folder": folder, "size": size, "root": root, "files": files, "key": key });
        let files = counted(files, "file");
        let text = format!("{}: {size} leaves in {files}\nroot {}\nkey  {key}", folder.display(), root.hex());
        Printed::done(text, &document)
    })
}

/// What is in the folder already must be a prefix of the log.
async fn extends(folder: &Path, keys: &[NoteKey], view: &mut View<'_, LocalStore>) -> anyhow::Result<()> {
    let place = folder.display();
    // Made first: a path through folders that are not there yet would look absent, and then lead elsewhere.
    fs::create_dir_all(folder).with_context(|| format!("{place}: the folder cannot be made"))?;
    let mut entries = fs::read_dir(folder).with_context(|| format!("{place}: cannot be read"))?;
    let old = match fs::read_to_string(folder.join(CHECKPOINT)) {
        Ok(old) => old,
        Err(_) if entries.next().is_none() => return Ok(()),
        Err(_) => bail!("{place}: holds other files and no earlier export: give a new or an empty folder"),
    };
    let old = SignedCheckpoint::verify_by_any(&old, keys)
        .with_context(|| format!("{place}: holds the export of another log"))?;
    let (old, new) = (old.checkpoint(), view.at().checkpoint().clone());
    ensure!(
        old.size <= new.size,
        "{place}: holds an export of {} leaves, and the log has {}: the log was turned back, keep that export as evidence",
        old.size,
        new.size
    );
    let path = view.consistency_proof(old.size).await?;
    ensure!(
        verify_consistency((old.size, &old.root), (new.size, &new.root), &path),
        "{place}: holds an export that the log does not extend: its history was changed, keep that export as evidence"
    );
    Ok(())
}

/// Every tile of a tree of `size` leaves, and every bundle of leaves.
fn tiles(size: u64) -> impl Iterator<Item = (Tile, Content)> {
    let level_tiles = move |level| (0..).map_while(move |index| Tile::in_tree(level, index, size));
    let levels = (0..8_u8).flat_map(level_tiles);
    levels.flat_map(|tile| {
        let leaves = (tile.level == 0).then_some((tile, Content::Leaves));
        std::iter::once((tile, Content::Hashes)).chain(leaves)
    })
}

/// A tile's path and bytes; where the log has grown meanwhile, the full tile stands in for the partial one.
async fn published(store: &LocalStore, tile: Tile, content: Content) -> anyhow::Result<(String, Vec<u8>)> {
    for path in [tile.path(content), tile.full().path(content)] {
        if let Some(found) = store.get(&format!("{}{path}", keys::LOG)).await? {
            return Ok((path, found.bytes));
        }
    }
    bail!(
        "{}: not published yet: start `countersign serve`, which completes an interrupted append",
        tile.path(content)
    )
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let file = folder.join(path);
    let failed = || format!("{}: cannot be written", file.display());
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(failed)?;
    }
    // A reader sees the old file or the new one, never a part.
    let part = file.with_extension("part");
    fs::write(&part, bytes).with_context(failed)?;
    fs::rename(&part, &file).with_context(failed)
}

/// What was written must verify like any copy of the log.
async fn audited(folder: &Path, installation: &Installation) -> anyhow::Result<()> {
    let genesis = Some(Digest::of(&installation.genesis_bytes));
    let trusted = Trusted { keys: installation.keys.clone(), genesis, root: None };
    match verify(&Folder::new(folder), &trusted).await? {
        Verified::Audited(report) if report.is_clean() => Ok(()),
        Verified::Audited(report) => {
            let first = report.problems.first().map(|problem| problem.what.as_str()).unwrap_or_default();
            bail!("the exported log is not clean: {first}: look closer with countersign audit verify")
        }
        Verified::Unbelievable(why) => bail!("the exported log is not clean: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::ports::signer::{Algorithm, Signer as _};
    use countersign_ledger::log;
    use countersign_local::database::Database;
    use countersign_local::key_file::KeyFile;
    use rand_core::OsRng;

    use super::*;

    /// Appends a leaf to a log, and asks whether the log extends what is in `folder`.
    async fn appended(
        store: &LocalStore,
        signer: &KeyFile,
        folder: &Path,
        leaf: &[u8],
    ) -> (String, anyhow::Result<()>) {
        let appended = log::append(store, signer, "log.example", &[leaf.to_vec()], None).await.unwrap();
        let text = appended.checkpoint.text().to_owned();
        let key = NoteKey::log("log.example", signer.public_key()).unwrap();
        (text, extends(folder, &[key], &mut View::new(store, appended.checkpoint)).await)
    }

    #[test]
    fn an_export_is_only_brought_forward() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let export = folder.path().join("missing/../export");
        let signer =
            KeyFile::generate(&folder.path().join("log.pem"), Algorithm::Ed25519, &mut OsRng).unwrap();
        let store = LocalStore::new(&Database::open(folder.path()).unwrap());
        let another = LocalStore::new(&Database::open(other.path()).unwrap());
        block_on(async {
            let (first, absent) = appended(&store, &signer, &export, b"a").await;
            absent?;
            fs::write(export.join("x"), "").unwrap();
            let (_, foreign) = appended(&store, &signer, &export, b"b").await;
            assert!(foreign.unwrap_err().to_string().contains("holds other files"));
            write(&export, CHECKPOINT, first.as_bytes())?;
            let (third, older) = appended(&store, &signer, &export, b"c").await;
            older?;
            let (_, changed) = appended(&another, &signer, &export, b"x").await;
            assert!(changed.unwrap_err().to_string().contains("history was changed"));
            write(&export, CHECKPOINT, third.as_bytes())?;
            let (_, turned_back) = appended(&another, &signer, &export, b"y").await;
            assert!(turned_back.unwrap_err().to_string().contains("turned back"));
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn every_tile_of_a_tree_is_listed_once() {
        let paths: Vec<_> = tiles(257).map(|(tile, content)| tile.path(content)).collect();
        let wanted =
            ["tile/0/000", "tile/entries/000", "tile/0/001.p/1", "tile/entries/001.p/1", "tile/1/000.p/1"];
        assert_eq!(paths, wanted);
        assert_eq!(tiles(0).count(), 0);
    }
}
