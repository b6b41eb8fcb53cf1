//! A working folder as a [`Tree`]: what `validate` reads before anything is committed.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use countersign_core::tree::{Entry, EntryKind, Tree, TreeError};

/// The files below a folder, as they are now. Symbolic links stay data, as in a commit.
#[derive(Clone, Debug)]
pub struct FolderTree(PathBuf);

impl FolderTree {
    /// The tree whose root is `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.0.clone() } else { self.0.join(path) }
    }

    /// Whether a path leads to where it seems to lead: by names only, and through no link.
    fn is_within(&self, path: &str) -> Result<bool, TreeError> {
        let path = Path::new(path);
        if path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Ok(false);
        }
        for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            match fs::symlink_metadata(self.0.join(above)) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Ok(false),
                Err(error) if is_absent(&error) => return Ok(false),
                Err(error) => return Err(unreadable(&above.to_string_lossy(), &error)),
            }
        }
        Ok(true)
    }
}

impl Tree for FolderTree {
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        if !self.is_within(path)? {
            return Ok(None);
        }
        match fs::symlink_metadata(self.at(path)) {
            Ok(metadata) => Ok(kind_of(metadata.file_type())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    fn entries(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        if self.kind(path)? != Some(EntryKind::Folder) {
            return Ok(None);
        }
        let failed = |error: io::Error| unreadable(path, &error);
        let mut entries = Vec::new();
        for found in fs::read_dir(self.at(path)).map_err(failed)? {
            let found = found.map_err(failed)?;
            let Some(kind) = kind_of(found.file_type().map_err(failed)?) else { continue };
            let name = found
                .file_name()
                .into_string()
                .map_err(|name| TreeError::NotUtf8 { path: format!("{path}/{}", name.to_string_lossy()) })?;
            // Git itself keeps no file of this name.
            if name != ".git" {
                entries.push(Entry { name, kind });
            }
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Some(entries))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        if self.kind(path)? != Some(EntryKind::File) {
            return Ok(None);
        }
        let failed = |error: io::Error| unreadable(path, &error);
        let file = fs::File::open(self.at(path)).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit {
            let size = size.max(bytes.len() as u64);
            return Err(TreeError::TooLarge { path: path.to_owned(), size, limit });
        }
        Ok(Some(bytes))
    }
}

/// Sockets, devices and the like are nothing that Git would keep.
fn kind_of(kind: fs::FileType) -> Option<EntryKind> {
    if kind.is_symlink() {
        Some(EntryKind::Link)
    } else if kind.is_dir() {
        Some(EntryKind::Folder)
    } else {
        kind.is_file().then_some(EntryKind::File)
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unreadable(path: &str, error: &io::Error) -> TreeError {
    TreeError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_reads_like_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b/.git")).unwrap();
        fs::write(folder.path().join("b/c"), "12").unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        std::os::unix::fs::symlink("a", folder.path().join("l")).unwrap();
        let tree = FolderTree::new(folder.path());
        let names =
            |path| tree.entries(path).unwrap().map(|all| all.into_iter().map(|e| e.name).collect::<Vec<_>>());
        assert_eq!(names(""), Some(vec!["a".into(), "b".into(), "l".into()]));
        assert_eq!(names("b"), Some(vec!["c".into()]));
        assert_eq!(names("a"), None);
        assert_eq!(tree.kind("l").unwrap(), Some(EntryKind::Link));
        assert_eq!(tree.kind("a/x").unwrap(), None);
        assert_eq!(tree.read("l", 10).unwrap(), None, "a link is not followed");
        assert_eq!(tree.read("b/c", 2).unwrap(), Some(b"12".to_vec()));
        assert!(matches!(tree.read("b/c", 1), Err(TreeError::TooLarge { size: 2, .. })));
    }

    #[test]
    fn nothing_is_read_through_a_link_to_a_folder() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(outside.path().join("d")).unwrap();
        fs::write(outside.path().join("d/s"), "secret").unwrap();
        fs::create_dir(folder.path().join("app")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("app/l")).unwrap();
        let tree = FolderTree::new(folder.path());
        assert_eq!(tree.kind("app/l").unwrap(), Some(EntryKind::Link));
        for path in ["app/l/d/s", "app/l/d", "../d/s", "/etc/passwd"] {
            assert_eq!(tree.kind(path).unwrap(), None, "{path}");
            assert_eq!(tree.read(path, 10).unwrap(), None, "{path}");
            assert_eq!(tree.entries(path).unwrap(), None, "{path}");
        }
        assert_eq!(tree.entries("app/l").unwrap(), None);
    }
}
