//! Repositories for tests, made without the `git` command.

use std::cell::Cell;
use std::collections::BTreeMap;

use countersign_core::names::CommitId;
use git2::{Oid, Signature, Time};

use crate::repository::{Repository, commit_id};

pub(crate) mod server;
pub(crate) mod world;

/// A bare repository in a temporary folder.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) git: git2::Repository,
    clock: Cell<i64>,
}

/// The files of a commit, by path.
pub(crate) type Files<'a> = &'a [(&'a str, &'a str)];

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = git2::Repository::init_bare(folder.path()).unwrap();
        Self { folder, git, clock: Cell::new(1_700_000_000) }
    }

    pub(crate) fn open(&self) -> Repository {
        Repository::open(self.folder.path()).unwrap()
    }

    /// A commit that holds exactly these files.
    pub(crate) fn commit(&self, parents: &[&CommitId], files: Files<'_>) -> CommitId {
        let tree = self.write_tree(files);
        self.commit_tree(parents, tree, "a change\n")
    }

    pub(crate) fn commit_tree(&self, parents: &[&CommitId], tree: Oid, message: &str) -> CommitId {
        self.clock.set(self.clock.get() + 60);
        let who = Signature::new("Ann", "ann@example.com", &Time::new(self.clock.get(), 0)).unwrap();
        let parents: Vec<_> = parents
            .iter()
            .map(|id| self.git.find_commit(Oid::from_str(id.as_str()).unwrap()).unwrap())
            .collect();
        let parents: Vec<_> = parents.iter().collect();
        let tree = self.git.find_tree(tree).unwrap();
        commit_id(self.git.commit(None, &who, &who, message, &tree, &parents).unwrap())
    }

    /// A tree of files; a path that ends in `@` is a symbolic link, one in `*` is executable.
    pub(crate) fn write_tree(&self, files: Files<'_>) -> Oid {
        let mut builder = self.git.treebuilder(None).unwrap();
        let mut folders: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for (path, content) in files {
            match path.split_once('/') {
                Some((folder, rest)) => folders.entry(folder).or_default().push((rest, content)),
                None => {
                    let (name, mode) = match (path.strip_suffix('@'), path.strip_suffix('*')) {
                        (Some(link), _) => (link, 0o120_000),
                        (_, Some(executable)) => (executable, 0o100_755),
                        _ => (*path, 0o100_644),
                    };
                    builder.insert(name, self.git.blob(content.as_bytes()).unwrap(), mode).unwrap();
                }
            }
        }
        for (folder, files) in folders {
            builder.insert(folder, self.write_tree(&files), 0o040_000).unwrap();
        }
        builder.write().unwrap()
    }

    pub(crate) fn point(&self, reference: &str, commit: &CommitId) {
        let id = Oid::from_str(commit.as_str()).unwrap();
        self.git.reference(reference, id, true, "test").unwrap();
    }

    /// Every file of the repository with its content, to see whether anything was written.
    pub(crate) fn snapshot(&self) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
        fn walk(folder: &std::path::Path, into: &mut BTreeMap<std::path::PathBuf, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, into);
                } else {
                    into.insert(path.clone(), std::fs::read(&path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(self.folder.path(), &mut files);
        files
    }
}

/// What a future that never waits comes to.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the future waits"),
    }
}

/// Whether the `git` command is here; says so in one line if not, and fails in CI.
pub(crate) fn has_git() -> bool {
    let found = std::process::Command::new("git").arg("--version").output().is_ok();
    assert!(found || std::env::var("CI").is_err(), "the git command is not installed");
    if !found {
        println!("the git command is not installed: this test had nothing to talk to");
    }
    found
}
