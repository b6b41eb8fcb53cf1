//! What is checked: a working folder as it is, or a commit.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use countersign_core::facts::{ChangeKind, FileChange};
use countersign_core::names::CommitId;
use countersign_core::review::{CommitFacts, Signature};
use countersign_core::time::Timestamp;
use countersign_git::repository::Repository;
use git2::{Delta, DiffOptions};

use crate::commands::control::{ControlTree, resolve};
use crate::commands::folder::FolderTree;

/// The id of a commit that does not exist yet.
const NONE: &str = "0000000000000000000000000000000000000000";

/// A source repository, and what of it is checked.
pub struct Source {
    root: PathBuf,
    git: Option<(git2::Repository, Repository)>,
    folder: Option<FolderTree>,
    /// The commit that is checked; none where the files are not committed.
    committed: Option<CommitFacts>,
    /// `HEAD`, or the commit that is checked.
    head: Option<CommitId>,
}

impl Source {
    /// The repository around `path`: the commit `to`, if one is asked for; else its working folder; else, in a
    /// bare repository, what `HEAD` names.
    ///
    /// # Errors
    /// When nothing is there, or the commit is not.
    pub fn open(path: &Path, to: Option<&str>) -> anyhow::Result<Self> {
        let place = path.display();
        if !path.is_dir() {
            bail!("{place}: no such folder: give the source repository");
        }
        let Ok(git) = git2::Repository::discover(path) else {
            if to.is_some() {
                bail!("{place}: no Git repository: --to needs one");
            }
            let folder = Some(FolderTree::new(path));
            return Ok(Self { root: path.to_owned(), git: None, folder, committed: None, head: None });
        };
        let repository = Repository::open(git.path()).map_err(|error| anyhow!("{error}"))?;
        let working = git.workdir().filter(|_| to.is_none()).map(Path::to_owned);
        let head = match (&working, to) {
            (None, to) => Some(resolve(&git, to.unwrap_or("HEAD")).with_context(|| format!("{place}"))?),
            (Some(_), _) => resolve(&git, "HEAD").ok(),
        };
        let mut source = Self {
            root: working.clone().unwrap_or_else(|| path.to_owned()),
            git: Some((git, repository)),
            folder: working.as_deref().map(FolderTree::new),
            committed: None,
            head,
        };
        source.committed = source.find_committed()?;
        Ok(source)
    }

    /// The commit whose files are those that are checked.
    fn find_committed(&self) -> anyhow::Result<Option<CommitFacts>> {
        let (Some((_, repository)), Some(head)) = (&self.git, &self.head) else { return Ok(None) };
        if self.folder.is_some() && !self.changed(head)?.is_empty() {
            return Ok(None);
        }
        Ok(Some(repository.commit(head).map_err(|error| anyhow!("{error}"))?))
    }

    /// The folder that settings are relative to.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn tree(&self) -> anyhow::Result<ControlTree<'_>> {
        match (&self.folder, &self.head) {
            (Some(folder), _) => Ok(ControlTree::Folder(folder)),
            (None, Some(head)) => self.tree_of(head),
            (None, None) => bail!("{}: nothing is committed yet", self.root.display()),
        }
    }

    /// The files of a commit.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn tree_of(&self, commit: &CommitId) -> anyhow::Result<ControlTree<'_>> {
        let repository = self.repository().ok_or_else(|| anyhow!("no Git repository"))?;
        Ok(ControlTree::Commit(repository.tree(commit).map_err(|error| anyhow!("{error}"))?))
    }

    /// The Git repository, if there is one.
    #[must_use]
    pub fn repository(&self) -> Option<&Repository> {
        self.git.as_ref().map(|(_, repository)| repository)
    }

    /// The commit that is checked; none where files differ from what is committed.
    #[must_use]
    pub fn committed(&self) -> Option<&CommitId> {
        self.committed.as_ref().map(|commit| &commit.id)
    }

    /// The commit that is checked, or one that stands for what is not committed yet.
    ///
    /// # Errors
    /// Never: the ids that stand for nothing are valid.
    pub fn commit(&self, now: Timestamp) -> anyhow::Result<CommitFacts> {
        if let Some(commit) = &self.committed {
            return Ok(commit.clone());
        }
        let setting = |name: &str| self.setting(name).unwrap_or_default();
        let me = Signature { name: setting("user.name"), email: setting("user.email"), time: now };
        Ok(CommitFacts {
            id: NONE.parse()?,
            tree: NONE.parse()?,
            parents: self.head.iter().cloned().collect(),
            author: me.clone(),
            committer: me,
            co_authors: Vec::new(),
            subject: "not committed yet".to_owned(),
            signature: None,
            signed_payload: None,
        })
    }

    /// A setting of Git.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<String> {
        let (git, _) = self.git.as_ref()?;
        git.config().ok()?.get_string(name).ok().filter(|value| !value.is_empty())
    }

    /// What the change is measured from: `from`, or where it left `branch`, as far as that is known here.
    ///
    /// # Errors
    /// When `from` names no commit.
    pub fn base(&self, from: Option<&str>, branch: &str) -> anyhow::Result<Option<CommitId>> {
        let Some((git, _)) = &self.git else {
            return if from.is_some() { Err(anyhow!("--from needs a Git repository")) } else { Ok(None) };
        };
        if let Some(from) = from {
            return resolve(git, from).map(Some);
        }
        let Some(head) = &self.head else { return Ok(None) };
        let head = git2::Oid::from_str(head.as_str())?;
        let known = [format!("refs/remotes/origin/{branch}"), format!("refs/heads/{branch}")];
        let tips = known.iter().filter_map(|name| git.find_reference(name).ok()?.peel_to_commit().ok());
        let mut bases = tips.filter_map(|tip| git.merge_base(head, tip.id()).ok());
        Ok(bases.next().map(|base| base.to_string().parse()).transpose()?)
    }

    /// The files that differ from those of `from`.
    ///
    /// # Errors
    /// When they cannot be compared.
    pub fn changed(&self, from: &CommitId) -> anyhow::Result<Vec<FileChange>> {
        let Some((git, repository)) = &self.git else { return Ok(Vec::new()) };
        match (&self.folder, &self.head) {
            (Some(_), _) => changed_on_disk(git, from),
            (None, Some(head)) => {
                repository.changed_files(Some(from), head, &[]).map_err(|error| anyhow!("{error}"))
            }
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// The files of the working folder that differ from those of `from`; ignored ones do not count.
fn changed_on_disk(git: &git2::Repository, from: &CommitId) -> anyhow::Result<Vec<FileChange>> {
    let before = git.find_commit(git2::Oid::from_str(from.as_str())?)?.tree()?;
    let mut options = DiffOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true).include_typechange(true);
    let diff = git.diff_tree_to_workdir_with_index(Some(&before), Some(&mut options))?;
    let change = |delta: git2::DiffDelta<'_>| {
        let change = match delta.status() {
            Delta::Added | Delta::Untracked => ChangeKind::Added,
            Delta::Deleted => ChangeKind::Removed,
            Delta::Modified | Delta::Typechange | Delta::Renamed | Delta::Copied | Delta::Conflicted => {
                ChangeKind::Changed
            }
            Delta::Unmodified | Delta::Ignored | Delta::Unreadable => return None,
        };
        let path = delta.new_file().path().or_else(|| delta.old_file().path())?;
        Some(FileChange { path: path.to_string_lossy().into_owned(), change })
    };
    Ok(diff.deltas().filter_map(change).collect())
}
