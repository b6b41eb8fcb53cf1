//! Where repositories come from: a local folder is read in place, any other is mirrored and kept.

mod fetch;
mod packs;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use countersign_core::digest::Digest;
use countersign_core::names::{Reference, RepositoryId};

use crate::error::GitError;
use crate::repository::Repository;

/// How often a fetch, or the wait for another's, is asked whether to give up.
const PULSE: Duration = Duration::from_millis(50);

/// Pulses that a fetch which is told to give up has to do so, before it is left behind.
const GRACE: u32 = 40;

/// Where a repository is, and how it may be read.
#[derive(Clone)]
pub struct Source {
    /// A folder, a `file://` URL, or an `http://` or `https://` URL.
    pub url: String,
    /// What the server asks for.
    pub credential: Option<Credential>,
    /// References to mirror beside branches, tags and statements: heads of pull requests, as
    /// `refs/pull/12/head`. Once mirrored they stay, and those that the server no longer has are passed over.
    pub also: Vec<Reference>,
}

/// What a server asks for. Its `Debug` form shows no secret.
#[derive(Clone)]
pub struct Credential {
    /// The user; forges that take tokens take any, or `oauth2` (GitLab), `x-access-token` (GitHub).
    pub user: String,
    /// The token or password.
    pub secret: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What one fetch may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes received.
    pub bytes: u64,
    /// Objects received.
    pub objects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1024 * 1024 * 1024, objects: 5_000_000 }
    }
}

/// Whether a fetch should stop waiting; asked many times a second, from several threads.
pub type GiveUp = Arc<dyn Fn() -> bool + Send + Sync>;

/// Repositories by their names, with mirrors of those that are elsewhere in one folder. Several processes may
/// share the folder: a lock file for each mirror lets one at a time fetch.
#[derive(Clone, Debug)]
pub struct Repositories {
    folder: PathBuf,
}

impl Repositories {
    /// Mirrors are kept in `folder`, which is made when it is first needed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The repository as its source has it now. A local folder is opened in place: nothing is copied.
    ///
    /// `give_up` is asked while bytes come in, and while none do.
    ///
    /// # Errors
    /// [`GitError::Retry`] when the source is unreachable, busy or slow; [`GitError::Final`] when it is not
    /// there, refuses the credential, sends too much, or sends what is no repository.
    pub fn fetch(
        &self,
        id: &RepositoryId,
        source: &Source,
        limits: &Limits,
        give_up: &GiveUp,
    ) -> Result<Repository, GitError> {
        if let Some(path) = local_folder(&source.url)? {
            return Repository::open(&path);
        }
        let mirror = self.mirror(id, source);
        fs::create_dir_all(&self.folder).map_err(|error| cannot_keep(&self.folder, &error))?;
        let lock = lock(&mirror.with_extension("lock"), give_up)?;
        in_time(mirror.clone(), source.clone(), *limits, lock, give_up)?;
        Repository::open(&mirror)
    }

    /// The repository as it was last fetched; a local folder as it is.
    ///
    /// # Errors
    /// When it was never fetched.
    pub fn open(&self, id: &RepositoryId, source: &Source) -> Result<Repository, GitError> {
        match local_folder(&source.url)? {
            Some(path) => Repository::open(&path),
            None => Repository::open(&self.mirror(id, source)),
        }
    }

    /// The folder of a mirror: another URL for the same name is another mirror.
    fn mirror(&self, id: &RepositoryId, source: &Source) -> PathBuf {
        let digest = Digest::of_parts(&["mirror", &id.to_string(), &source.url]);
        self.folder.join(format!("{}.git", digest.hex()))
    }
}

/// The folder that a URL names, if it names one here.
fn local_folder(url: &str) -> Result<Option<PathBuf>, GitError> {
    if let Some(path) = url.strip_prefix("file://") {
        return Ok(Some(PathBuf::from(path)));
    }
    match url.split_once("://") {
        None => Ok(Some(PathBuf::from(url))),
        Some(("http" | "https", _)) => Ok(None),
        Some((scheme, _)) => Err(GitError::Final(format!(
            "{}: {scheme} is not read: give an https URL, or a folder on this machine",
            without_secret(url)
        ))),
    }
}

/// A URL for messages: without what a person may have written before the `@`.
fn without_secret(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => url.to_owned(),
    }
}

fn cannot_keep(path: &Path, error: &std::io::Error) -> GitError {
    GitError::Retry(format!(
        "{}: mirrors cannot be kept here: {error}: free space, or give another folder",
        path.display()
    ))
}

/// Waits for the lock of a mirror.
fn lock(path: &Path, give_up: &GiveUp) -> Result<File, GitError> {
    let file = File::create(path).map_err(|error| cannot_keep(path, &error))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(cannot_keep(path, &error)),
            Err(TryLockError::WouldBlock) if give_up() => {
                return Err(GitError::Retry(format!(
                    "{}: another fetch of the same repository is still running",
                    path.display()
                )));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PULSE),
        }
    }
}

/// Fetches on a thread of its own, since the library below has no way to stop waiting for a silent server.
/// One that does not stop is left behind with its lock and its mirror, and the next fetch begins a new one.
fn in_time(
    mirror: PathBuf,
    source: Source,
    limits: Limits,
    lock: File,
    give_up: &GiveUp,
) -> Result<(), GitError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (done, result) = mpsc::channel();
    let (place, url, stopped) = (mirror.clone(), without_secret(&source.url), Arc::clone(&stop));
    std::thread::spawn(move || {
        let fetched = fetch::fetch(&mirror, &source, limits, &stopped);
        drop(lock);
        // Nobody listens any more when the fetch was given up.
        let _ = done.send(fetched);
    });
    let mut grace = GRACE;
    loop {
        match result.recv_timeout(PULSE) {
            Ok(fetched) => return fetched,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(GitError::Retry(format!("{url}: the fetch ended without a result")));
            }
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => grace = grace.saturating_sub(1),
            Err(RecvTimeoutError::Timeout) => stop.store(give_up(), Ordering::Relaxed),
        }
        if grace == 0 {
            abandon(&place);
            return Err(GitError::Retry(format!(
                "{url}: the server stopped answering: it is asked again later"
            )));
        }
    }
}

/// Leaves a mirror to the thread that hangs in it. What cannot be removed now is in nobody's way later.
fn abandon(mirror: &Path) {
    let _ = fs::remove_file(mirror.with_extension("lock"));
    let _ = fs::remove_dir_all(mirror);
}

#[cfg(test)]
mod tests;
