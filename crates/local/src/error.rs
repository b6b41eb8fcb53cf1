//! Why something on this machine could not be opened.

use std::io;
use std::path::{Path, PathBuf};

/// Why a database or a key could not be opened or made.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Another process holds the database.
    #[error(
        "{} is in use by another countersign process{}: stop it, or give another --data",
        path.display(),
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, where it said so.
        pid: Option<u32>,
    },
    /// There is no database yet.
    #[error("{} holds no Countersign database: start `countersign serve` on it first, or give another --data", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a Countersign database, and was left as it is: restore it from a backup, or give another --data", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file was a database.
    #[error("{} is damaged, and was left as it is: restore it from a backup, or give another --data ({what})", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        what: String,
    },
    /// A later release wrote the file.
    #[error("{} was written by a later release (its schema is version {found}, this release knows {known}): run that release", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The version that this release writes.
        known: i64,
    },
    /// The operating system, or SQLite, does not let us.
    #[error("cannot open {}: {why}: check that this user may read and write it, and that its disk has room", path.display())]
    Inaccessible {
        /// The file or folder.
        path: PathBuf,
        /// What it answered.
        why: String,
    },
    /// A key file that cannot be used as it is.
    #[error("the key file {} {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl LocalError {
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        Self::Inaccessible { path: path.to_owned(), why: error.to_string() }
    }
}
