//! Where repositories come from: a local folder is read in place, any other is mirrored and kept.

pub(crate) mod boundary;
pub(crate) mod deepen;
mod fetch;
mod packs;
mod references;
mod room;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::digest::Digest;
use countersign_core::names::{Reference, RepositoryId};
use countersign_core::ports::forge::GitCredential;

use crate::error::GitError;
use crate::folders::Folders;
use crate::history::{History, Origin};
use crate::repository::Repository;
use crate::wire::Trouble;
use crate::wire::deadline::within;
use crate::wire::http::Agents;
use crate::wire::server::{Abilities, References, Server};

use deepen::{Brought, Missing};
use room::Mirror;

/// Where a repository is, and how it may be read.
#[derive(Clone)]
pub struct Source {
    /// A folder, a `file://` URL, or an `https://`, `http://` or `ssh://` URL.
    pub url: String,
    /// What the server asks for.
    pub credential: Option<GitCredential>,
    /// References to mirror beside branches, tags and statements: heads of pull requests, as
    /// `refs/pull/12/head`. Once mirrored they stay, and those that the server no longer has are passed over.
    pub also: Vec<Reference>,
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

/// What mirrors may take of the disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// All of them together: above it, those that were not used for longest are removed. One that is in use
    /// never is, so that what is read at once may go beyond it.
    pub all: u64,
    /// One of them: above it, it is removed and fetched anew, so that what its source no longer has goes too.
    pub one: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { all: 20 * 1024 * 1024 * 1024, one: 4 * 1024 * 1024 * 1024 }
    }
}

/// How much of a history is fetched at a time, in commits. More is brought when an answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depths {
    /// At first, before all references together.
    pub first: u32,
    /// At first before one reference, and with a commit that is asked for by its id.
    pub one: u32,
    /// When what is asked lies beyond what is here; twice as much each further time.
    pub step: u32,
    /// At most by such a step. After that, all is fetched.
    pub most: u32,
}

impl Default for Depths {
    fn default() -> Self {
        Self { first: 512, one: 64, step: 128, most: 4096 }
    }
}

impl Depths {
    /// How many commits are fetched before each of so many references.
    fn each_of(self, references: usize) -> u32 {
        let count = u32::try_from(references).unwrap_or(u32::MAX);
        (self.first / count.max(1)).clamp(1, self.one.max(1))
    }

    /// How many commits are brought by a step, the first one being 0; none for all.
    pub(crate) fn of_step(self, step: u32) -> Option<u32> {
        let depth = u64::from(self.step) << step.min(31);
        u32::try_from(depth).ok().filter(|depth| *depth <= self.most)
    }
}

/// Whether a fetch should stop waiting; asked many times a second, from several threads.
pub type GiveUp = Arc<dyn Fn() -> bool + Send + Sync>;

/// Repositories by their names, with mirrors of those that are elsewhere in one folder. Several processes may
/// share the folder: a lock file for each mirror lets one at a time fetch, and another keeps it while it is read.
#[derive(Clone, Debug)]
pub struct Repositories {
    folder: PathBuf,
    bounds: Bounds,
    depths: Depths,
    agents: Agents,
    /// URLs whose servers speak version 2 of Git's protocol: their greeting is not asked for again.
    second: Arc<Mutex<BTreeMap<String, Abilities>>>,
    /// Large folders of all of them.
    folders: Folders,
}

impl Repositories {
    /// Mirrors are kept in `folder`, which is made when it is first needed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::bounded(folder, Bounds::default())
    }

    /// As [`Self::new`], within other bounds.
    #[must_use]
    pub fn bounded(folder: impl Into<PathBuf>, bounds: Bounds) -> Self {
        Self {
            folder: folder.into(),
            bounds,
            depths: Depths::default(),
            agents: Agents::default(),
            second: Arc::default(),
            folders: Folders::default(),
        }
    }

    /// The same, with another part of histories fetched at a time.
    #[must_use]
    pub fn reaching(self, depths: Depths) -> Self {
        Self { depths, ..self }
    }

    /// How much of a history is fetched at a time.
    pub(crate) fn depths(&self) -> Depths {
        self.depths
    }

    /// The repository as its source has it now. A local folder is opened in place: nothing is copied.
    ///
    /// Of a long history the newest part is fetched. What lies before is fetched when an answer depends on it, for
    /// as long as `give_up` allows, so that answers are those that the whole history gives.
    ///
    /// `give_up` is asked while bytes come in, and while none do.
    ///
    /// # Errors
    /// [`GitError::Retry`] when the source is unreachable, busy or slow; [`GitError::Denied`] when it is not
    /// there, refuses the credential, or sends what is no repository; [`GitError::Final`] when it sends too much,
    /// or leads to another host.
    pub fn fetch(
        &self,
        id: &RepositoryId,
        source: &Source,
        limits: &Limits,
        give_up: &GiveUp,
    ) -> Result<Repository, GitError> {
        if let Some(path) = local_folder(&source.url)? {
            return self.in_place(&path);
        }
        let mirror = self.mirror(id, source);
        let in_use = mirror.use_it(give_up)?;
        let fetching = mirror.begin_fetch(give_up)?;
        let in_use = mirror.within_bound(in_use, self.bounds.one, give_up)?;
        let grown = self.converse(id, source, give_up, |server, stop| {
            fetch::fetch(&mirror.path(), server, source, (*limits, self.depths), stop)
        })?;
        drop(fetching);
        if grown {
            room::make_room(&self.folder, self.bounds.all);
        }
        let origin = Origin {
            repositories: self.clone(),
            id: id.clone(),
            source: source.clone(),
            limits: *limits,
            give_up: Arc::clone(give_up),
        };
        self.opened(&mirror, in_use, Some(origin))
    }

    /// The repository as it was last fetched; a local folder as it is. What of its history was not fetched is not
    /// asked for.
    ///
    /// # Errors
    /// When it was never fetched.
    pub fn open(&self, id: &RepositoryId, source: &Source) -> Result<Repository, GitError> {
        if let Some(path) = local_folder(&source.url)? {
            return self.in_place(&path);
        }
        let mirror = self.mirror(id, source);
        let in_use = mirror.use_it(&(Arc::new(|| true) as GiveUp))?;
        self.opened(&mirror, in_use, None)
    }

    /// A folder on this machine. What a shallow clone lacks would not be missed by anyone.
    fn in_place(&self, path: &Path) -> Result<Repository, GitError> {
        let found = Repository::open(path)?;
        if found.git.is_shallow() {
            return Err(GitError::Denied(format!(
                "{}: the repository is a shallow clone, which lacks a part of the history: complete it with git fetch --unshallow",
                path.display()
            )));
        }
        Ok(found.knowing(&self.folders))
    }

    fn opened(&self, mirror: &Mirror, in_use: File, origin: Option<Origin>) -> Result<Repository, GitError> {
        let history = History::new(mirror.path(), origin);
        Ok(Repository::open(&mirror.path())?.knowing(&self.folders).kept_by(in_use).reaching_into(history))
    }

    /// Brings more of the history of a mirror that is here.
    pub(crate) fn deepen(&self, origin: &Origin, missing: Missing) -> Result<Brought, GitError> {
        let Origin { id, source, limits, give_up, .. } = origin;
        let mirror = self.mirror(id, source);
        let fetching = mirror.begin_fetch(give_up)?;
        let brought = self.converse(id, source, give_up, |server, stop| {
            deepen::deepen(&mirror.path(), server, source, (*limits, stop), missing)
        })?;
        drop(fetching);
        room::make_room(&self.folder, self.bounds.all);
        Ok(brought)
    }

    /// Lets the next fetch make a mirror anew.
    pub(crate) fn give_up(&self, origin: &Origin) -> Result<(), GitError> {
        self.mirror(&origin.id, &origin.source).give_up()
    }

    /// Where the references of a source lead now, by name, of those whose names begin with one of `prefixes`.
    /// Tags are peeled. Costs one request, and nothing is fetched.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub fn tips(
        &self,
        id: &RepositoryId,
        source: &Source,
        prefixes: &[String],
        give_up: &GiveUp,
    ) -> Result<BTreeMap<String, String>, GitError> {
        if let Some(path) = local_folder(&source.url)? {
            return Repository::open(&path)?.names(prefixes);
        }
        // Over SSH the key lies beside the mirror meanwhile: one at a time may put it there.
        let over_ssh = source.url.starts_with("ssh://");
        let _alone = over_ssh.then(|| self.mirror(id, source).begin_fetch(give_up)).transpose()?;
        let found: References =
            self.converse(id, source, give_up, |server, _| server.references(prefixes))?;
        let ids = found.into_iter().map(|(name, tip)| (name, tip.peeled.unwrap_or(tip.id).to_string()));
        Ok(ids.collect())
    }

    /// Speaks with the server of a source until `give_up` says otherwise.
    fn converse<T>(
        &self,
        id: &RepositoryId,
        source: &Source,
        give_up: &GiveUp,
        work: impl FnOnce(&mut Server, &std::sync::atomic::AtomicBool) -> Result<T, Trouble>,
    ) -> Result<T, GitError> {
        let url = without_secret(&source.url);
        let explain = |trouble: Trouble| trouble.explain(&url, source.credential.is_some());
        let agent = self.agents.take();
        let known = self.second.lock().unwrap_or_else(PoisonError::into_inner).get(&source.url).copied();
        let files = self.mirror(id, source).session_folder();
        let mut server = Server::new(source, &agent, known, files).map_err(explain)?;
        let interrupt = server.interrupt(&agent);
        let (result, stopped) =
            within(give_up, move || interrupt.interrupt(), |stop| work(&mut server, stop));
        if stopped && result.is_err() {
            return Err(GitError::Retry(format!(
                "{url}: the server stopped answering, or is too slow: it is asked again later"
            )));
        }
        if !stopped {
            self.agents.keep(agent);
        }
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        // After a failure the greeting is asked for again: it may be another server by now.
        match server.second().filter(|_| result.is_ok()) {
            Some(abilities) => second.insert(source.url.clone(), abilities),
            None => second.remove(&source.url),
        };
        drop(second);
        result.map_err(explain)
    }

    /// The mirror of a source: another URL for the same name is another mirror.
    fn mirror(&self, id: &RepositoryId, source: &Source) -> Mirror {
        let digest = Digest::of_parts(&["mirror", "3", &id.to_string(), &source.url]);
        Mirror::new(self.folder.clone(), &digest.hex())
    }
}

/// The folder that a URL names, if it names one here.
fn local_folder(url: &str) -> Result<Option<PathBuf>, GitError> {
    if let Some(path) = url.strip_prefix("file://") {
        return Ok(Some(PathBuf::from(path)));
    }
    match url.split_once("://") {
        None => Ok(Some(PathBuf::from(url))),
        Some(("http" | "https" | "ssh", _)) => Ok(None),
        Some((scheme, _)) => Err(GitError::Final(format!(
            "{}: {scheme} is not read: give an https or ssh URL, or a folder on this machine",
            without_secret(url)
        ))),
    }
}

/// A URL for messages: without what a person may have written before the `@`.
fn without_secret(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
