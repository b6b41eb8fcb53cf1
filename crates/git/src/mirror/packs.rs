//! Keeps a mirror's packs few: each fetch adds one, and each that is read stays open.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use git2::Odb;

use crate::error::GitError;

/// Packs before the small ones are made one.
const MANY: usize = 50;

/// The most bytes of a pack that is small.
const SMALL: u64 = 16 * 1024 * 1024;

/// Removes what an interrupted fetch left, and unites small packs when there are many. Only the holder of the
/// mirror's lock may call this; readers find the objects again in the new pack.
pub(super) fn tidy(repository: &git2::Repository, mirror: &Path) -> Result<(), GitError> {
    let folder = mirror.join("objects/pack");
    let Ok(files) = fs::read_dir(&folder) else { return Ok(()) };
    let mut small = Vec::new();
    let mut count = 0;
    for file in files.flatten() {
        let path = file.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("pack") => {
                count += 1;
                if file.metadata().is_ok_and(|metadata| metadata.len() <= SMALL) {
                    small.push(path);
                }
            }
            Some("idx" | "keep" | "rev" | "mtimes") => {}
            _ => {
                let _ = fs::remove_file(path);
            }
        }
    }
    if count < MANY || small.len() < 2 {
        return Ok(());
    }
    small.sort();
    unite(repository, mirror, &small)
        .map_err(|error| GitError::while_doing(format!("{}: uniting packs", mirror.display()), &error))
}

/// Writes one pack with the objects of several, then removes these.
fn unite(repository: &git2::Repository, mirror: &Path, packs: &[PathBuf]) -> Result<(), git2::Error> {
    let io = |error: std::io::Error| git2::Error::from_str(&error.to_string());
    let old = mirror.join("uniting");
    let _ = fs::remove_dir_all(&old);
    fs::create_dir_all(old.join("pack")).map_err(io)?;
    for pack in packs {
        for file in [pack.clone(), pack.with_extension("idx")] {
            let name = file.file_name().ok_or_else(|| git2::Error::from_str("a pack without a name"))?;
            fs::hard_link(&file, old.join("pack").join(name)).map_err(io)?;
        }
    }
    let path = old.to_str().ok_or_else(|| git2::Error::from_str("the folder's name is not UTF-8"))?;
    let objects = Odb::new()?;
    objects.add_disk_alternate(path)?;
    let mut ids = Vec::new();
    objects.foreach(|id| {
        ids.push(*id);
        true
    })?;
    let mut builder = repository.packbuilder()?;
    for id in ids {
        builder.insert_object(id, None)?;
    }
    let written = repository.odb()?;
    let mut writer = written.packwriter()?;
    builder.foreach(|bytes| writer.write_all(bytes).is_ok())?;
    writer.commit()?;
    for pack in packs {
        let _ = fs::remove_file(pack);
        let _ = fs::remove_file(pack.with_extension("idx"));
    }
    let _ = fs::remove_dir_all(&old);
    Ok(())
}

#[cfg(test)]
mod tests;
