//! An exported log: files in a folder, in the layout of c2sp.org/tlog-tiles, read as a store.
//!
//! This is the one module of the crate that touches the file system, so that an auditor needs nothing but
//! a copy of the files and this crate.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{Store, Version, Versioned, Written};

/// No file of a log is larger: 256 leaves of 64 KiB, and their lengths.
const MAX_FILE: u64 = 17 * 1024 * 1024;

/// A folder that holds a log's `checkpoint` and its `tile` folder. It can only be read.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The log in this folder.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn read(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        let Some(path) = key.strip_prefix(keys::LOG) else { return Ok(None) };
        if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(PortError::Refused(format!("{key}: not a file of a log")));
        }
        let path = self.root.join(path);
        let failed = |error: std::io::Error| PortError::Unavailable(format!("{}: {error}", path.display()));
        match std::fs::metadata(&path) {
            Ok(found) if found.len() > MAX_FILE => {
                Err(PortError::Refused(format!("{}: larger than any file of a log", path.display())))
            }
            Ok(_) => {
                let bytes = std::fs::read(&path).map_err(failed)?;
                Ok(Some(Versioned { version: Version(Digest::of(&bytes).hex()), bytes }))
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

fn read_only(key: &str) -> PortError {
    PortError::Refused(format!("{key}: an exported log is only read"))
}

impl Store for Folder {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        self.read(key)
    }

    async fn put(&self, key: &str, _: &[u8]) -> Result<Version, PortError> {
        Err(read_only(key))
    }

    async fn put_if_absent(&self, key: &str, _: &[u8]) -> Result<Written, PortError> {
        Err(read_only(key))
    }

    async fn compare_and_swap(&self, key: &str, _: &Version, _: &[u8]) -> Result<Written, PortError> {
        Err(read_only(key))
    }

    async fn list(&self, prefix: &str, _: Option<&str>, _: usize) -> Result<Vec<String>, PortError> {
        Err(read_only(prefix))
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        Err(read_only(key))
    }
}

#[cfg(test)]
mod tests;
