//! What a merge of two commits would hold. Its new objects stay in memory: the repository is never written to.

use countersign_core::facts::FileChange;
use countersign_core::names::{CommitId, TreeId};
use git2::{MergeOptions, Odb, Oid};

use crate::error::GitError;
use crate::repository::Repository;
use crate::tree::CommitTree;

/// Paths that are named when two commits do not merge.
const MAX_NAMED: usize = 10;

/// What a merge of two commits comes to.
pub enum Merge {
    /// It has no conflicts.
    Clean(Merged),
    /// These paths were changed on both sides, in different ways; not all of them where there are many.
    Conflict(Vec<String>),
}

/// The files of a merge that nobody made.
pub struct Merged {
    objects: Repository,
    root: Oid,
}

impl Merged {
    /// Its root tree.
    ///
    /// # Errors
    /// When the tree's id cannot be written.
    pub fn tree_id(&self) -> Result<TreeId, GitError> {
        self.objects.tree_id_of(self.root)
    }

    /// Its files.
    #[must_use]
    pub fn tree(&self) -> CommitTree<'_> {
        CommitTree::new(&self.objects, self.root)
    }

    /// As [`Repository::object_at`].
    ///
    /// # Errors
    /// When a tree cannot be read.
    pub fn object_at(&self, path: &str) -> Result<Option<String>, GitError> {
        self.objects.shown_at(self.root, path)
    }

    /// As [`Repository::changed_files`], from a commit to this merge.
    ///
    /// # Errors
    /// When the commit is not here, or more files differ than anyone can read.
    pub fn changed_files(&self, from: &CommitId, paths: &[String]) -> Result<Vec<FileChange>, GitError> {
        let before = self.objects.root(self.objects.find(from)?)?;
        self.objects.changed(Some(before), self.root, paths)
    }
}

impl Repository {
    /// What merging `theirs` into `ours` comes to, with moved files followed as Git does.
    ///
    /// # Errors
    /// When a commit is not here, or cannot be read.
    pub fn merged(&self, ours: &CommitId, theirs: &CommitId) -> Result<Merge, GitError> {
        let failed = |error: git2::Error| self.failed("merging in memory", &error);
        let (ours, theirs) = (self.find(ours)?, self.find(theirs)?);
        let scratch = self.scratch()?;
        let mut options = MergeOptions::new();
        options.find_renames(true).fail_on_conflict(false).recursion_limit(4);
        let merge = || {
            let (ours, theirs) = (scratch.find_commit(ours)?, scratch.find_commit(theirs)?);
            scratch.merge_commits(&ours, &theirs, Some(&options))
        };
        let mut index = self.reaching(|| "merging in memory".to_owned(), merge)?;
        if index.has_conflicts() {
            let conflicts = index.conflicts().map_err(failed)?.filter_map(Result::ok);
            let path = |conflict: git2::IndexConflict| {
                let entry = conflict.our.or(conflict.their).or(conflict.ancestor)?;
                Some(String::from_utf8_lossy(&entry.path).into_owned())
            };
            return Ok(Merge::Conflict(conflicts.filter_map(path).take(MAX_NAMED).collect()));
        }
        let root = index.write_tree_to(&scratch).map_err(failed)?;
        drop(index);
        Ok(Merge::Clean(Merged { objects: Self::around(scratch, self.place()), root }))
    }

    /// The repository's objects to read, and memory to write to.
    pub(crate) fn scratch(&self) -> Result<git2::Repository, GitError> {
        let failed = |error: git2::Error| self.failed("preparing a merge in memory", &error);
        let objects = self.git.commondir().join("objects");
        let objects = objects.to_str().ok_or_else(|| {
            GitError::Final(format!("{}: the folder's name is not UTF-8: rename it", self.place()))
        })?;
        let odb = Odb::new().map_err(failed)?;
        odb.add_disk_alternate(objects).map_err(failed)?;
        odb.add_new_mempack_backend(1000).map_err(failed)?;
        git2::Repository::from_odb(odb).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::tree::Tree as _;

    use super::*;
    use crate::testing::Place;

    #[test]
    fn a_merge_holds_both_sides_and_writes_nothing() {
        let place = Place::new();
        let base = place.commit(&[], &[("a/one", "1\n"), ("b", "1\n")]);
        let ours = place.commit(&[&base], &[("a/one", "1\n"), ("b", "2\n")]);
        let theirs = place.commit(&[&base], &[("a/one", "2\n"), ("b", "1\n"), ("a/two", "1\n")]);
        let before = place.snapshot();
        let repository = place.open();
        let Merge::Clean(merged) = repository.merged(&ours, &theirs).unwrap() else { panic!("a conflict") };
        assert_eq!(merged.tree().read("a/one", 9).unwrap().as_deref(), Some(b"2\n".as_slice()));
        assert_eq!(merged.tree().read("b", 9).unwrap().as_deref(), Some(b"2\n".as_slice()));
        assert_eq!(merged.object_at("b").unwrap(), repository.object_at(&ours, "b").unwrap());
        let paths = |from| {
            let files = merged.changed_files(from, &[]).unwrap();
            files.into_iter().map(|file| file.path).collect::<Vec<_>>()
        };
        assert_eq!(paths(&ours), ["a/one", "a/two"], "what the base changed meanwhile is not theirs");
        assert_eq!(paths(&base), ["a/one", "a/two", "b"]);
        let expected = place.write_tree(&[("a/one", "2\n"), ("a/two", "1\n"), ("b", "2\n")]);
        assert_eq!(merged.tree_id().unwrap().as_str(), expected.to_string());
        let after = place.snapshot();
        let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
        assert!(new.len() <= 2, "only the expected tree's two folders were written, by this test: {new:?}");
    }

    #[test]
    fn a_conflict_names_its_paths() {
        let place = Place::new();
        let base = place.commit(&[], &[("a/one", "1\n")]);
        let (ours, theirs) =
            (place.commit(&[&base], &[("a/one", "2\n")]), place.commit(&[&base], &[("a/one", "3\n")]));
        let merge = place.open().merged(&ours, &theirs).unwrap();
        assert!(matches!(merge, Merge::Conflict(paths) if paths == ["a/one"]));
    }
}
