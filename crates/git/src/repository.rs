//! One repository, read only: references, commits, trees.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use countersign_core::facts::FileChange;
use countersign_core::names::{CommitId, Reference, TreeId};
use countersign_core::statement::STATEMENTS;
use git2::{ErrorCode, ObjectType, Oid};

use crate::error::GitError;
use crate::folders::{Entries, Folders};
use crate::history::History;
use crate::tree::CommitTree;

/// The most bytes that a commit may have: headers, message and signature.
const MAX_COMMIT: usize = 1024 * 1024;

/// One repository. Nothing here writes to it, and nothing is ever checked out.
pub struct Repository {
    pub(crate) git: git2::Repository,
    /// Where it is, for messages.
    place: String,
    /// For a mirror: the lock that keeps it from being removed while it is read.
    #[expect(dead_code, reason = "held, not read")]
    in_use: Option<File>,
    folders: Folders,
    /// For a mirror: what of the history is not here.
    pub(crate) history: Option<Box<History>>,
}

/// What lies at a path: the mode and the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) mode: i32,
    pub(crate) id: Oid,
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:o} {}", self.mode, self.id)
    }
}

impl Repository {
    /// Opens the repository at `path`, bare or not. Folders above are not searched.
    ///
    /// # Errors
    /// When no repository that can be read is there.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let none: [&Path; 0] = [];
        let git = git2::Repository::open_ext(path, git2::RepositoryOpenFlags::NO_SEARCH, none)
            .map_err(|error| cannot_open(path, &error))?;
        Ok(Self::around(git, &path.display().to_string()))
    }

    /// The same, with the large folders that others read.
    pub(crate) fn knowing(self, folders: &Folders) -> Self {
        Self { folders: folders.clone(), ..self }
    }

    /// The same, with what of its history is not here.
    pub(crate) fn reaching_into(self, history: History) -> Self {
        Self { history: Some(Box::new(history)), ..self }
    }

    /// The same, with what keeps it from being removed meanwhile.
    pub(crate) fn kept_by(self, in_use: File) -> Self {
        Self { in_use: Some(in_use), ..self }
    }

    /// Where references whose names begin with one of `prefixes` lead, tags peeled. Of statements only the names
    /// are read: they say what is in them.
    pub(crate) fn names(&self, prefixes: &[String]) -> Result<BTreeMap<String, String>, GitError> {
        let failed = |error: git2::Error| self.failed("listing references", &error);
        let mut all = BTreeMap::new();
        for prefix in prefixes {
            let mut found = self.git.references_glob(&format!("{prefix}*")).map_err(failed)?;
            if prefix == STATEMENTS {
                for name in found.names() {
                    let name = name.map_err(failed)?.to_owned();
                    all.insert(name, String::new());
                }
                continue;
            }
            for reference in found {
                let reference = reference.map_err(failed)?;
                let id = reference.peel(ObjectType::Any).map_err(failed)?.id();
                if let Ok(name) = reference.name() {
                    all.insert(name.to_owned(), id.to_string());
                }
            }
        }
        Ok(all)
    }

    /// A repository whose whole history is here, at `place` or in memory beside it.
    pub(crate) fn around(git: git2::Repository, place: &str) -> Self {
        Self { git, place: place.to_owned(), in_use: None, folders: Folders::default(), history: None }
    }

    /// The commit that `reference` leads to, tags peeled; `None` if there is no such reference.
    ///
    /// # Errors
    /// When it leads to something that is no commit, or cannot be read.
    pub fn tip(&self, reference: &Reference) -> Result<Option<CommitId>, GitError> {
        let found = match self.git.find_reference(reference.as_str()) {
            Ok(found) => found,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(&format!("reading {reference}"), &error)),
        };
        let commit = found.peel(ObjectType::Commit).map_err(|error| {
            let what = format!("{reference} does not lead to a commit; point it at one");
            self.failed(&what, &error)
        })?;
        Ok(Some(commit_id(commit.id())))
    }

    /// Every branch and tag that leads to a commit, with that commit, sorted by name.
    ///
    /// # Errors
    /// When the references cannot be read.
    pub fn references(&self) -> Result<Vec<(Reference, CommitId)>, GitError> {
        let failed = |error: git2::Error| self.failed("listing references", &error);
        let mut all = Vec::new();
        for glob in ["refs/heads/*", "refs/tags/*"] {
            for found in self.git.references_glob(glob).map_err(failed)? {
                let found = found.map_err(failed)?;
                let name = found.name().ok().and_then(|name| name.parse::<Reference>().ok());
                if let (Some(name), Ok(commit)) = (name, found.peel(ObjectType::Commit)) {
                    all.push((name, commit_id(commit.id())));
                }
            }
        }
        all.sort();
        Ok(all)
    }

    /// Whether this commit is in the repository. Of a mirror's history, what is not here yet is asked for.
    ///
    /// # Errors
    /// When that cannot be told now.
    pub fn has(&self, commit: &CommitId) -> Result<bool, GitError> {
        Ok(self.found(commit)?.is_some())
    }

    /// Whether this commit is here already, so that nothing has to be fetched for it.
    #[must_use]
    pub fn holds(&self, commit: &CommitId) -> bool {
        let id = Oid::from_str(commit.as_str());
        id.is_ok_and(|id| self.git.find_commit(id).is_ok())
    }

    /// Whether `commit` is `from` or descends from it.
    ///
    /// # Errors
    /// When either is not here.
    pub fn descends(&self, commit: &CommitId, from: &CommitId) -> Result<bool, GitError> {
        self.reaches(self.find(commit)?, self.find(from)?)
    }

    /// Whether `commit` is on a branch or under a tag. What only a pull request brought is not, though anyone may
    /// have sent it.
    ///
    /// # Errors
    /// When the references or the commits cannot be read.
    pub fn is_on_reference(&self, commit: &CommitId) -> Result<bool, GitError> {
        let wanted = self.find(commit)?;
        let mut tips = Vec::new();
        for (_, tip) in self.references()? {
            tips.push(self.find(&tip)?);
        }
        if tips.contains(&wanted) {
            return Ok(true);
        }
        for tip in tips {
            if self.reaches(tip, wanted)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The root tree of a commit.
    ///
    /// # Errors
    /// When the commit is not here.
    pub fn tree_id(&self, commit: &CommitId) -> Result<TreeId, GitError> {
        self.tree_id_of(self.root(self.find(commit)?)?)
    }

    /// The files of a commit.
    ///
    /// # Errors
    /// When the commit is not here.
    pub fn tree(&self, commit: &CommitId) -> Result<CommitTree<'_>, GitError> {
        Ok(CommitTree::new(self, self.root(self.find(commit)?)?))
    }

    /// What lies at `path` in a commit, as mode and object id: two are equal exactly if everything at that
    /// path is. The empty path is the root. `None` if nothing is there.
    ///
    /// # Errors
    /// When the commit is not here, or a tree cannot be read.
    pub fn object_at(&self, commit: &CommitId, path: &str) -> Result<Option<String>, GitError> {
        self.shown_at(self.root(self.find(commit)?)?, path)
    }

    /// Files that differ between two commits at or below `paths`, sorted; all files if there are no paths.
    /// Without `from`, every file is an added one. A name that is not UTF-8 is shown as far as it can be.
    ///
    /// # Errors
    /// When a commit is not here, or more files differ than anyone can read.
    pub fn changed_files(
        &self,
        from: Option<&CommitId>,
        to: &CommitId,
        paths: &[String],
    ) -> Result<Vec<FileChange>, GitError> {
        let before = from.map(|from| self.root(self.find(from)?)).transpose()?;
        self.changed(before, self.root(self.find(to)?)?, paths)
    }

    /// All that a folder has.
    pub(crate) fn entries(&self, folder: Oid) -> Result<Arc<Entries>, GitError> {
        let read = self.folders.entries(&self.git, folder);
        read.map_err(|error| self.failed(&format!("reading the folder {folder}"), &error))
    }

    /// The commit's object, if it is here, is a commit, and not overlong.
    pub(crate) fn find(&self, commit: &CommitId) -> Result<Oid, GitError> {
        let gone = || GitError::Gone(commit.clone());
        let id = Oid::from_str(commit.as_str()).map_err(|_| gone())?;
        let odb = self.git.odb().map_err(|error| self.failed("opening the objects", &error))?;
        let header = match odb.read_header(id) {
            Err(error) if error.code() == ErrorCode::NotFound && self.brings(id)? => odb.read_header(id),
            header => header,
        };
        match header {
            Ok((size, ObjectType::Commit)) if size <= MAX_COMMIT => Ok(id),
            Ok((size, ObjectType::Commit)) => Err(GitError::Final(format!(
                "{}: commit {commit} has {size} bytes, at most {MAX_COMMIT} are read: shorten its message",
                self.place
            ))),
            Ok((_, kind)) => Err(GitError::Final(format!(
                "{}: {commit} is a {kind}, not a commit: give the id of a commit",
                self.place
            ))),
            Err(error) if error.code() == ErrorCode::NotFound => Err(gone()),
            Err(error) => Err(self.failed(&format!("reading commit {commit}"), &error)),
        }
    }

    /// As [`Self::find`]; `None` where it is not here, or is none that is read.
    pub(crate) fn found(&self, commit: &CommitId) -> Result<Option<Oid>, GitError> {
        match self.find(commit) {
            Ok(id) => Ok(Some(id)),
            Err(GitError::Gone(_) | GitError::Final(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The root tree of a commit's object.
    pub(crate) fn root(&self, commit: Oid) -> Result<Oid, GitError> {
        let found = self.git.find_commit(commit);
        Ok(found.map_err(|error| self.failed(&format!("reading commit {commit}"), &error))?.tree_id())
    }

    /// Whether `commit` is `from` or descends from it.
    pub(crate) fn reaches(&self, commit: Oid, from: Oid) -> Result<bool, GitError> {
        let what = || format!("walking from {commit} to {from}");
        Ok(commit == from || self.reaching(what, || self.git.graph_descendant_of(commit, from))?)
    }

    /// A tree's object as a tree's id.
    pub(crate) fn tree_id_of(&self, tree: Oid) -> Result<TreeId, GitError> {
        tree.to_string().parse().map_err(|error| GitError::Final(format!("{}: {error}", self.place)))
    }

    /// What lies at `path` below a tree, as mode and object id.
    pub(crate) fn shown_at(&self, root: Oid, path: &str) -> Result<Option<String>, GitError> {
        Ok(self.item_at(root, path)?.map(|item| item.to_string()))
    }

    /// What lies at `path` below a tree.
    pub(crate) fn item_at(&self, root: Oid, path: &str) -> Result<Option<Item>, GitError> {
        let mut item = Item { mode: FOLDER, id: root };
        for name in path.split('/').filter(|_| !path.is_empty()) {
            if item.mode != FOLDER {
                return Ok(None);
            }
            let found = self
                .folders
                .entry(&self.git, item.id, name.as_bytes())
                .map_err(|error| self.failed(&format!("reading the folder above {path}"), &error))?;
            let Some(found) = found else { return Ok(None) };
            item = found;
        }
        Ok(Some(item))
    }

    /// A failure of the library, with this repository's place.
    pub(crate) fn failed(&self, what: &str, error: &git2::Error) -> GitError {
        GitError::while_doing(format!("{}: {what}", self.place), error)
    }

    /// Where it is, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}

/// The mode of a folder in a tree.
pub(crate) const FOLDER: i32 = 0o040_000;

/// An object's id as a commit's.
pub(crate) fn commit_id(id: Oid) -> CommitId {
    match id.to_string().parse() {
        Ok(id) => id,
        Err(error) => unreachable!("an object id is hexadecimal: {error}"),
    }
}

fn cannot_open(path: &Path, error: &git2::Error) -> GitError {
    let place = path.display();
    match error.code() {
        ErrorCode::NotFound => GitError::Final(format!(
            "{place}: no Git repository is there: check the host's `url` and the repository's path, or create it with git init --bare"
        )),
        ErrorCode::Owner => GitError::Final(format!(
            "{place}: the repository belongs to another user: run as its owner, or allow it with git config --global --add safe.directory {place}"
        )),
        _ => GitError::while_doing(format!("{place}: the repository cannot be opened"), error),
    }
}

#[cfg(test)]
mod tests;
