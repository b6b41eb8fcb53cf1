//! Where a control repository is read from: a working folder as it is, or a commit of a repository.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use countersign_core::bundle::{CONFIGURATION, MAX_FILE};
use countersign_core::configuration::Configuration;
use countersign_core::names::CommitId;
use countersign_core::tree::{Entry, EntryKind, Identity, Tree, TreeError};
use countersign_git::repository::Repository;
use countersign_git::tree::CommitTree;
use countersign_policy::bundle::Bundle;
use countersign_policy::configuration;

use super::folder::FolderTree;
use super::problems;

/// A control repository on this machine.
pub enum Control {
    /// A working folder, as it is now.
    Folder(FolderTree),
    /// A commit of a repository.
    Commit(Repository, CommitId),
}

impl Control {
    /// The control repository at `path`: the commit `revision`, if one is asked for; else the working folder;
    /// else, in a bare repository, what `HEAD` names.
    ///
    /// # Errors
    /// When neither a control repository's folder nor a Git repository is there, or the revision is not.
    pub fn open(path: &Path, revision: Option<&str>) -> anyhow::Result<Self> {
        let place = path.display();
        let git = git2::Repository::open(path);
        let (git, revision) = match (git, revision) {
            (_, None) if path.join(CONFIGURATION).is_file() => {
                return Ok(Self::Folder(FolderTree::new(path)));
            }
            (Ok(git), None) if !git.is_bare() => {
                bail!(
                    "{place}: there is no {CONFIGURATION} here: give the folder that holds it, or name a commit"
                )
            }
            (Ok(git), revision) => (git, revision.unwrap_or("HEAD")),
            (Err(_), Some(_)) => bail!("{place}: no Git repository: give the one that holds the commit"),
            (Err(_), None) => {
                bail!("{place}: neither a folder with {CONFIGURATION} nor a Git repository: check the path")
            }
        };
        let commit = resolve(&git, revision).with_context(|| format!("{place}"))?;
        let repository = Repository::open(git.path()).map_err(|error| anyhow!("{error}"))?;
        Ok(Self::Commit(repository, commit))
    }

    /// The files.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn tree(&self) -> anyhow::Result<ControlTree<'_>> {
        Ok(match self {
            Self::Folder(tree) => ControlTree::Folder(tree),
            Self::Commit(repository, commit) => {
                ControlTree::Commit(repository.tree(commit).map_err(|error| anyhow!("{error}"))?)
            }
        })
    }

    /// Its `countersign.yaml`, checked; the rules are not looked at.
    ///
    /// # Errors
    /// When it is not there or not valid.
    pub fn configuration(&self) -> anyhow::Result<Configuration> {
        let bytes = self.tree()?.read(CONFIGURATION, MAX_FILE)?;
        let bytes = bytes.ok_or_else(|| anyhow!("the control repository has no {CONFIGURATION}"))?;
        let text = String::from_utf8(bytes).with_context(|| format!("{CONFIGURATION} is not UTF-8 text"))?;
        configuration::parse(CONFIGURATION, &text)
            .map_err(|found| problems::error("the control repository", &found))
    }
}

/// The files of a control repository.
pub enum ControlTree<'a> {
    /// Of a working folder.
    Folder(&'a FolderTree),
    /// Of a commit.
    Commit(CommitTree<'a>),
}

impl Tree for ControlTree<'_> {
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        match self {
            Self::Folder(tree) => tree.kind(path),
            Self::Commit(tree) => tree.kind(path),
        }
    }

    fn entries(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        match self {
            Self::Folder(tree) => tree.entries(path),
            Self::Commit(tree) => tree.entries(path),
        }
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        match self {
            Self::Folder(tree) => tree.read(path, limit),
            Self::Commit(tree) => tree.read(path, limit),
        }
    }

    fn identity(&self, path: &str) -> Result<Identity, TreeError> {
        match self {
            Self::Folder(tree) => tree.identity(path),
            Self::Commit(tree) => tree.identity(path),
        }
    }
}

/// The bundle of one commit of a control repository.
///
/// # Errors
/// When there is no such commit, or its bundle does not compile.
pub fn bundle_at(path: &Path, revision: &str) -> anyhow::Result<(Bundle, CommitId)> {
    let control = Control::open(path, Some(revision))?;
    let Control::Commit(_, commit) = &control else {
        bail!("{}: no Git repository: give a clone of the control repository", path.display());
    };
    let bundle = Bundle::compile(&control.tree()?)
        .map_err(|found| problems::error(&format!("the control repository at {commit}"), &found))?;
    Ok((bundle, commit.clone()))
}

/// The commit that a revision names.
///
/// # Errors
/// When it names none.
pub fn resolve(git: &git2::Repository, revision: &str) -> anyhow::Result<CommitId> {
    let commit = git.revparse_single(revision).and_then(|object| object.peel_to_commit()).map_err(|_| {
        anyhow!("{revision:?} names no commit here: fetch it first, or give another revision")
    })?;
    Ok(commit.id().to_string().parse()?)
}
