//! The folder of mirrors: who may touch which, and how much they take.
//!
//! Two lock files stand beside each mirror. Whoever fetches holds `lock` alone; whoever reads shares `use`;
//! whoever removes holds both alone. Locks end with their process, so that one which was killed is in nobody's
//! way.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::GiveUp;
use crate::error::GitError;

/// How long is waited for a lock before it is tried again.
const PAUSE: Duration = Duration::from_millis(5);

/// Stands in a mirror that is to be made anew.
const GIVEN_UP: &str = "given-up";

/// One mirror.
pub(super) struct Mirror {
    folder: PathBuf,
    name: String,
}

impl Mirror {
    pub(super) fn new(folder: PathBuf, name: &str) -> Self {
        Self { folder, name: name.to_owned() }
    }

    /// The repository.
    pub(super) fn path(&self) -> PathBuf {
        self.beside("git")
    }

    /// Where a session keeps its key while it lasts.
    pub(super) fn session_folder(&self) -> PathBuf {
        self.beside("ssh")
    }

    fn beside(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }

    /// Keeps the mirror from being removed while the result lives, and notes that it was used now.
    pub(super) fn use_it(&self, give_up: &GiveUp) -> Result<File, GitError> {
        let path = self.beside("use");
        let mut file = lock_file(&path)?;
        wait(&path, give_up, || file.try_lock_shared())?;
        // Writing is what notes the time; that it fails on a full disk must not keep anyone from reading.
        let _ = file.set_len(0).and_then(|()| file.write_all(b"1"));
        Ok(file)
    }

    /// Lets the next fetch begin anew.
    pub(super) fn give_up(&self) -> Result<(), GitError> {
        let note = self.path().join(GIVEN_UP);
        File::create(&note).map(drop).map_err(|error| cannot_keep(&note, &error))
    }

    /// Lets nobody else fetch while the result lives.
    pub(super) fn begin_fetch(&self, give_up: &GiveUp) -> Result<File, GitError> {
        let path = self.beside("lock");
        let file = lock_file(&path)?;
        wait(&path, give_up, || file.try_lock())?;
        Ok(file)
    }

    /// Removes the mirror if it is larger than `bound`, or was given up, and nobody else reads it: it is then
    /// fetched anew. Takes the caller's use of it, and gives that back.
    pub(super) fn within_bound(&self, in_use: File, bound: u64, give_up: &GiveUp) -> Result<File, GitError> {
        if size(&self.path()) <= bound && !self.path().join(GIVEN_UP).exists() {
            return Ok(in_use);
        }
        drop(in_use);
        let file = lock_file(&self.beside("use"))?;
        if file.try_lock().is_ok() {
            remove(&self.path());
        }
        drop(file);
        self.use_it(give_up)
    }
}

/// Removes mirrors that were not used for longest until all take at most `bound`. One that is in use stays.
pub(super) fn make_room(folder: &Path, bound: u64) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut found: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("git") => {
                let used = fs::metadata(path.with_extension("use")).and_then(|file| file.modified());
                found.push((used.unwrap_or(SystemTime::UNIX_EPOCH), size(&path), path));
            }
            // What a removal that was killed left.
            Some("removed") => {
                let _ = fs::remove_dir_all(path);
            }
            _ => {}
        }
    }
    found.sort();
    let mut all: u64 = found.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in found {
        if all <= bound {
            return;
        }
        let alone = |extension: &str| {
            let file = lock_file(&path.with_extension(extension)).ok()?;
            file.try_lock().ok().map(|()| file)
        };
        if let Some(_fetching) = alone("lock")
            && let Some(_reading) = alone("use")
        {
            remove(&path);
            all = all.saturating_sub(size);
        }
    }
}

/// Removes a mirror at once, so that one which is killed meanwhile leaves none that is half there.
pub(super) fn remove(mirror: &Path) {
    let gone = mirror.with_extension("removed");
    let _ = fs::remove_dir_all(&gone);
    if fs::rename(mirror, &gone).is_ok() {
        let _ = fs::remove_dir_all(&gone);
    }
}

/// The bytes of a mirror's packs, which are all but a little of it.
fn size(mirror: &Path) -> u64 {
    let Ok(files) = fs::read_dir(mirror.join("objects/pack")) else { return 0 };
    files.flatten().filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}

/// A lock file. It is never removed: another process may hold the one that is removed, and a third make a new one.
fn lock_file(path: &Path) -> Result<File, GitError> {
    let failed = |error: std::io::Error| cannot_keep(path, &error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)
}

fn wait(
    path: &Path,
    give_up: &GiveUp,
    mut lock: impl FnMut() -> Result<(), TryLockError>,
) -> Result<(), GitError> {
    loop {
        match lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(cannot_keep(path, &error)),
            Err(TryLockError::WouldBlock) if give_up() => {
                return Err(GitError::Retry(format!(
                    "{}: another fetch of the same repository is still running: it is tried again later",
                    path.display()
                )));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
        }
    }
}

/// Writes a file of a mirror, all of it or nothing.
pub(super) fn replace(place: &Path, text: &str) -> Result<(), GitError> {
    let mut new = place.as_os_str().to_owned();
    new.push(".new");
    let written = File::create(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, place));
    written.map_err(|error| cannot_keep(place, &error))
}

pub(super) fn cannot_keep(path: &Path, error: &std::io::Error) -> GitError {
    GitError::Retry(format!(
        "{}: mirrors cannot be kept here: {error}: free space, or give another folder",
        path.display()
    ))
}
