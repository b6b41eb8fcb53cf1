//! A tree of files, as a commit or a working folder holds it: what renders and bundles are read from.

use std::collections::BTreeMap;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link. It stays data: it is never followed.
    Link,
    /// A submodule. Its content is not in this repository.
    Submodule,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in that folder.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What identifies what lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nothing is there.
    Nothing,
    /// An id of all that is there: two are equal exactly if everything at or below that path is.
    Is(String),
    /// Something is there, in a tree that keeps no ids, as a working folder.
    Unknown,
}

/// Why a tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A file is larger than the caller takes.
    #[error("{path}: {size} bytes, at most {limit} are read: make the file smaller, or raise the budget")]
    TooLarge {
        /// Which file.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The caller's limit in bytes.
        limit: u64,
    },
    /// A name that is not UTF-8.
    #[error("{path}: the file name is not UTF-8: rename it")]
    NotUtf8 {
        /// The folder, with the name as far as it can be shown.
        path: String,
    },
    /// The store below failed.
    #[error("{path}: cannot be read: {reason}")]
    Unreadable {
        /// Which path.
        path: String,
        /// What the store below said.
        reason: String,
    },
}

/// A tree of files. Paths are relative, parted by `/`, without `.` or `..`; the root is the empty path.
pub trait Tree {
    /// What `path` leads to; `None` if nothing is there.
    ///
    /// # Errors
    /// When the store below fails.
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError>;

    /// The entries of the folder at `path`, sorted by name; `None` if no folder is there.
    ///
    /// # Errors
    /// When a name is not UTF-8, or the store below fails.
    fn entries(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError>;

    /// The bytes of the file at `path`; `None` if no file is there.
    ///
    /// # Errors
    /// When the file has more than `limit` bytes (it is not read then), or the store below fails.
    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError>;

    /// What identifies what lies at `path`.
    ///
    /// # Errors
    /// When the store below fails.
    fn identity(&self, path: &str) -> Result<Identity, TreeError> {
        Ok(if self.kind(path)?.is_some() { Identity::Unknown } else { Identity::Nothing })
    }
}

/// A tree of files kept in memory, by path.
impl Tree for BTreeMap<String, Vec<u8>> {
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        if self.contains_key(path) {
            return Ok(Some(EntryKind::File));
        }
        Ok(self.entries(path)?.map(|_| EntryKind::Folder))
    }

    fn entries(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = self.range(prefix.clone()..).map_while(|(key, _)| key.strip_prefix(&prefix));
        let mut entries: Vec<Entry> = Vec::new();
        for rest in below {
            let (name, kind) = match rest.split_once('/') {
                Some((folder, _)) => (folder, EntryKind::Folder),
                None => (rest, EntryKind::File),
            };
            if entries.last().is_none_or(|last| last.name != name) {
                entries.push(Entry { name: name.to_owned(), kind });
            }
        }
        Ok((!entries.is_empty() || path.is_empty()).then_some(entries))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(bytes) = self.get(path) else { return Ok(None) };
        let size = bytes.len() as u64;
        if size > limit {
            return Err(TreeError::TooLarge { path: path.to_owned(), size, limit });
        }
        Ok(Some(bytes.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_in_memory_lists_files_and_folders() {
        let tree: BTreeMap<String, Vec<u8>> =
            [("a/b.yaml", "1"), ("a/c/d.yaml", "22"), ("e", "")].map(|(k, v)| (k.into(), v.into())).into();
        let names =
            |path| tree.entries(path).unwrap().map(|e| e.into_iter().map(|e| e.name).collect::<Vec<_>>());
        assert_eq!(names(""), Some(vec!["a".into(), "e".into()]));
        assert_eq!(names("a"), Some(vec!["b.yaml".into(), "c".into()]));
        assert_eq!(names("x"), None);
        assert_eq!(tree.kind("a/c").unwrap(), Some(EntryKind::Folder));
        assert_eq!(tree.read("e", 0).unwrap(), Some(vec![]));
        assert!(matches!(tree.read("a/c/d.yaml", 1), Err(TreeError::TooLarge { size: 2, .. })));
    }
}
