//! A commit's files as a tree of blobs. Links stay data; submodules are named, never entered.

use std::collections::BTreeMap;

use countersign_core::names::CommitId;
use countersign_core::tree::{Entry, EntryKind, Identity, Tree, TreeError};
use git2::Oid;

use crate::error::GitError;
use crate::repository::{FOLDER, Item, Repository};

/// The most entries of one folder that are listed.
const MAX_ENTRIES: usize = 100_000;

const LINK: i32 = 0o120_000;
const SUBMODULE: i32 = 0o160_000;

/// The files of one commit.
pub struct CommitTree<'r> {
    repository: &'r Repository,
    root: Oid,
}

impl<'r> CommitTree<'r> {
    pub(crate) fn new(repository: &'r Repository, root: Oid) -> Self {
        Self { repository, root }
    }

    fn item(&self, path: &str) -> Result<Option<Item>, TreeError> {
        self.repository.item_at(self.root, path).map_err(|error| unreadable(path, &error))
    }
}

impl Tree for CommitTree<'_> {
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        Ok(self.item(path)?.map(|item| kind_of(item.mode)))
    }

    fn entries(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        let Some(Item { mode: FOLDER, id }) = self.item(path)? else { return Ok(None) };
        let git_failed = |error: git2::Error| unreadable(path, &GitError::Final(error.message().to_owned()));
        let tree = self.repository.git.find_tree(id).map_err(git_failed)?;
        if tree.len() > MAX_ENTRIES {
            let text = format!("{} entries, at most {MAX_ENTRIES} are listed: split the folder", tree.len());
            return Err(unreadable(path, &GitError::Final(text)));
        }
        let mut entries = BTreeMap::new();
        for entry in &tree {
            let name = name_of(path, entry.name_bytes())?;
            if entries.insert(name.clone(), kind_of(entry.filemode())).is_some() {
                let text = format!("the name {name:?} is there twice: make the folder anew");
                return Err(unreadable(path, &GitError::Final(text)));
            }
        }
        Ok(Some(entries.into_iter().map(|(name, kind)| Entry { name, kind }).collect()))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(item) = self.item(path)?.filter(|item| kind_of(item.mode) == EntryKind::File) else {
            return Ok(None);
        };
        let bytes = self
            .repository
            .blob(item.id, limit)
            .map_err(|error| unreadable(path, &error))?
            .map_err(|size| TreeError::TooLarge { path: path.to_owned(), size, limit })?;
        Ok(Some(bytes))
    }

    fn identity(&self, path: &str) -> Result<Identity, TreeError> {
        let found = self.item(path)?;
        Ok(found.map_or(Identity::Nothing, |item| Identity::Is(item.to_string())))
    }
}

/// The files of one commit, with the repository that holds them.
pub struct KeptTree {
    repository: Repository,
    root: Oid,
}

impl KeptTree {
    fn tree(&self) -> CommitTree<'_> {
        CommitTree::new(&self.repository, self.root)
    }
}

impl Tree for KeptTree {
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        self.tree().kind(path)
    }

    fn entries(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        self.tree().entries(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        self.tree().read(path, limit)
    }

    fn identity(&self, path: &str) -> Result<Identity, TreeError> {
        self.tree().identity(path)
    }
}

impl Repository {
    /// The files of a commit, which keep the repository.
    ///
    /// # Errors
    /// When the commit is not here.
    pub fn into_tree(self, commit: &CommitId) -> Result<KeptTree, GitError> {
        let root = self.root(self.find(commit)?)?;
        Ok(KeptTree { repository: self, root })
    }

    /// The bytes of a blob, or its size if that is above `limit`: then it is not read.
    pub(crate) fn blob(&self, id: Oid, limit: u64) -> Result<Result<Vec<u8>, u64>, GitError> {
        let failed = |error: git2::Error| self.failed(&format!("reading blob {id}"), &error);
        let odb = self.git.odb().map_err(failed)?;
        let (size, _) = odb.read_header(id).map_err(failed)?;
        if size as u64 > limit {
            return Ok(Err(size as u64));
        }
        Ok(Ok(odb.read(id).map_err(failed)?.data().to_vec()))
    }
}

fn kind_of(mode: i32) -> EntryKind {
    match mode {
        FOLDER => EntryKind::Folder,
        LINK => EntryKind::Link,
        SUBMODULE => EntryKind::Submodule,
        _ => EntryKind::File,
    }
}

/// A name that a checkout would take. Git's own tools refuse the others, but objects can be made to hold them.
fn name_of(folder: &str, name: &[u8]) -> Result<String, TreeError> {
    let Ok(text) = std::str::from_utf8(name) else {
        let shown = String::from_utf8_lossy(name);
        let path = if folder.is_empty() { shown.into_owned() } else { format!("{folder}/{shown}") };
        return Err(TreeError::NotUtf8 { path });
    };
    if matches!(text, "" | "." | "..") || text.contains(['/', '\0']) {
        let refused =
            GitError::Final(format!("the name {text:?} is not one of a file: make the folder anew"));
        return Err(unreadable(folder, &refused));
    }
    Ok(text.to_owned())
}

fn unreadable(path: &str, error: &GitError) -> TreeError {
    TreeError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests;
