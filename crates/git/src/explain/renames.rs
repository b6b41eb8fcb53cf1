//! Merges that need more than comparing trees: files that moved, and histories that crossed. Slower, so few.

use std::cell::{Cell, OnceCell};

use git2::{MergeOptions, Oid};

use crate::error::GitError;
use crate::repository::Repository;

/// Merges of this kind for one question.
const MAX_MERGES: usize = 400;

/// Files that may differ on each side.
const MAX_FILES: usize = 2000;

/// The most bytes of a file whose content may be compared.
const MAX_CONTENT: u64 = 4 * 1024 * 1024;

/// Merges with renames followed. New objects stay in memory: the repository is never written to.
pub(super) struct Renames<'r> {
    repository: &'r Repository,
    scratch: OnceCell<git2::Repository>,
    done: Cell<usize>,
}

impl<'r> Renames<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Self { repository, scratch: OnceCell::new(), done: Cell::new(0) }
    }

    /// The tree of the conflict-free merge, if there is one and it is of a size that anyone reviews.
    pub(super) fn merge(&self, bases: &[Oid], ours: Oid, theirs: Oid) -> Result<Option<Oid>, GitError> {
        for base in bases {
            if self.is_large(*base, ours)? || self.is_large(*base, theirs)? {
                return Ok(None);
            }
        }
        self.done.set(self.done.get() + 1);
        if self.done.get() > MAX_MERGES {
            return Err(GitError::Final(format!(
                "{}: more than {MAX_MERGES} merges with moved files lie between what was last authorized and this commit: set `baseline` in countersign.yaml to a newer commit, or deploy in steps",
                self.repository.place()
            )));
        }
        let failed = |error: git2::Error| self.repository.failed("merging in memory", &error);
        let scratch = self.scratch()?;
        let mut options = MergeOptions::new();
        options.find_renames(true).fail_on_conflict(false).recursion_limit(4);
        let merge = || {
            let (ours, theirs) = (scratch.find_commit(ours)?, scratch.find_commit(theirs)?);
            scratch.merge_commits(&ours, &theirs, Some(&options))
        };
        let mut index = self.repository.reaching(|| "merging in memory".to_owned(), merge)?;
        if index.has_conflicts() {
            return Ok(None);
        }
        index.write_tree_to(scratch).map_err(failed).map(Some)
    }

    /// Whether more differs than is worth following, told without reading any content.
    fn is_large(&self, base: Oid, side: Oid) -> Result<bool, GitError> {
        let failed = |error: git2::Error| self.repository.failed("comparing trees", &error);
        let git = &self.repository.git;
        let tree = |commit| git.find_tree(self.repository.root(commit)?).map_err(failed);
        let diff = git.diff_tree_to_tree(Some(&tree(base)?), Some(&tree(side)?), None).map_err(failed)?;
        if diff.deltas().len() > MAX_FILES {
            return Ok(true);
        }
        let odb = git.odb().map_err(failed)?;
        let large = |id: Oid| odb.read_header(id).is_ok_and(|(size, _)| size as u64 > MAX_CONTENT);
        Ok(diff.deltas().any(|delta| large(delta.old_file().id()) || large(delta.new_file().id())))
    }

    /// The repository's objects to read, and memory to write to.
    fn scratch(&self) -> Result<&git2::Repository, GitError> {
        if let Some(scratch) = self.scratch.get() {
            return Ok(scratch);
        }
        let scratch = self.repository.scratch()?;
        Ok(self.scratch.get_or_init(|| scratch))
    }
}
