//! A bare repository as the forge writes it. Commits are dated by the run, so that their ids are the same in
//! every replay.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use countersign_core::names::CommitId;
use git2::{Index, MergeOptions, Oid, Repository, Signature, Time};

use super::installation::Person;

/// The files of a commit, by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The branch that is followed.
pub const BRANCH: &str = "refs/heads/main";

/// A bare repository.
pub struct Bare {
    git: Repository,
}

fn oid(commit: &CommitId) -> Oid {
    Oid::from_str(commit.as_str()).expect("a commit's id")
}

fn id(oid: Oid) -> CommitId {
    oid.to_string().parse().expect("a commit's id")
}

impl Bare {
    /// Makes an empty repository, in the place of what was there.
    #[must_use]
    pub fn create(folder: &Path) -> Self {
        let _ = fs::remove_dir_all(folder);
        Self { git: Repository::init_bare(folder).expect("a repository") }
    }

    /// Opens one.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self { git: Repository::open_bare(folder).expect("a repository") }
    }

    /// Writes a tree of exactly these files.
    #[must_use]
    pub fn tree(&self, files: &Files) -> Oid {
        let mut index = Index::new().expect("an index");
        for (path, bytes) in files {
            let blob = self.git.blob(bytes).expect("a blob");
            index.add(&entry(path, blob)).expect("a file");
        }
        index.write_tree_to(&self.git).expect("a tree")
    }

    /// Every file of a commit.
    #[must_use]
    pub fn files(&self, commit: &CommitId) -> Files {
        let mut files = Files::new();
        let tree = self.git.find_commit(oid(commit)).and_then(|commit| commit.tree()).expect("a tree");
        let walked = tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
            if let (Some(git2::ObjectType::Blob), Ok(name)) = (entry.kind(), entry.name()) {
                let blob = self.git.find_blob(entry.id()).expect("a blob");
                files.insert(format!("{folder}{name}"), blob.content().to_vec());
            }
            0
        });
        walked.expect("the tree is walked");
        files
    }

    /// Makes a commit.
    #[must_use]
    pub fn commit(
        &self,
        author: &Person,
        committer: &Person,
        millis: i64,
        message: &str,
        tree: Oid,
        parents: &[&CommitId],
    ) -> CommitId {
        let time = Time::new(millis / 1000, 0);
        let sign =
            |person: &Person| Signature::new(person.name, &person.email(), &time).expect("a signature");
        let tree = self.git.find_tree(tree).expect("a tree");
        let parents: Vec<_> =
            parents.iter().map(|parent| self.git.find_commit(oid(parent)).expect("a commit")).collect();
        let parents: Vec<_> = parents.iter().collect();
        id(self
            .git
            .commit(None, &sign(author), &sign(committer), message, &tree, &parents)
            .expect("a commit"))
    }

    /// Moves the branch.
    pub fn point(&self, commit: &CommitId) {
        self.git.reference(BRANCH, oid(commit), true, "").expect("the branch moves");
    }

    /// Where the branch is.
    #[must_use]
    pub fn tip(&self) -> CommitId {
        id(self.git.refname_to_id(BRANCH).expect("a branch"))
    }

    /// The tree of a commit.
    #[must_use]
    pub fn tree_of(&self, commit: &CommitId) -> Oid {
        self.git.find_commit(oid(commit)).expect("a commit").tree_id()
    }

    /// The tree that merging `head` into `base` gives, unless they conflict.
    #[must_use]
    pub fn merge(&self, base: &CommitId, head: &CommitId) -> Option<Oid> {
        let (base, head) = (self.git.find_commit(oid(base)).ok()?, self.git.find_commit(oid(head)).ok()?);
        let mut merged = self.git.merge_commits(&base, &head, Some(&MergeOptions::new())).ok()?;
        if merged.has_conflicts() {
            return None;
        }
        merged.write_tree_to(&self.git).ok()
    }

    /// Whether `commit` is `from` or descends from it.
    #[must_use]
    pub fn descends(&self, commit: &CommitId, from: &CommitId) -> bool {
        commit == from || self.git.graph_descendant_of(oid(commit), oid(from)).unwrap_or(false)
    }

    /// The commit and its first-parent ancestors, newest first, at most `most`.
    #[must_use]
    pub fn first_parents(&self, commit: &CommitId, most: usize) -> Vec<CommitId> {
        let first = self.git.find_commit(oid(commit)).ok();
        let line = std::iter::successors(first, |commit| commit.parent(0).ok());
        line.take(most).map(|commit| id(commit.id())).collect()
    }
}

fn entry(path: &str, id: Oid) -> git2::IndexEntry {
    let zero = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into(),
    }
}
