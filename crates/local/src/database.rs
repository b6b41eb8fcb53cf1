//! The one SQLite file that queue, store and simulated cluster are kept in.

mod open;
pub mod writer;

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::ports::PortError;
use rusqlite::{Connection, ErrorCode, Savepoint};
use tokio::sync::Notify;

use crate::error::LocalError;
use crate::lock::Lock;

use open::{APPLICATION_ID, SCHEMA_VERSION, State, Versions};
use open::{make_private, open_error, prepare, reader, upgrade, versions};
use writer::{Writer, Written};

#[cfg(test)]
mod tests;

/// The database's file in its folder.
pub const FILE: &str = "countersign.sqlite";

/// How many connections for reading are kept when they are idle.
const IDLE_READERS: usize = 8;

/// A handle of the database; clones share it.
///
/// There is one connection that writes, and as many that read as are used at once: reading never waits
/// for writing. Every call works on the calling thread.
#[derive(Clone, Debug)]
pub struct Database(Arc<Shared>);

/// Fields are dropped in this order: the connection that writes is closed after those that only read, since
/// the last one moves the write-ahead log into the file; the lock is let go last.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    writer: Option<Writer>,
    bells: Mutex<HashMap<String, Arc<Notify>>>,
    _lock: Option<Lock>,
}

impl Database {
    /// Opens the database in the folder `dir`, for this process alone; makes both where they are missing.
    ///
    /// A database whose last process was killed is checked first.
    ///
    /// # Errors
    /// When another process has it, when the file is damaged or no database of ours, or when the folder
    /// cannot be read and written. Nothing is overwritten.
    pub fn open(dir: &Path) -> Result<Self, LocalError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| LocalError::io(dir, &error))?;
        let lock = Lock::take(dir)?;
        let path = dir.join(FILE);
        make_private(&path).map_err(|error| LocalError::io(&path, &error))?;
        let mut writer = prepare(&path, lock.was_clean()).map_err(|error| open_error(&path, error))?;
        match versions(&writer).and_then(|found| upgrade(&mut writer, found)) {
            Ok(State::Ready) => {}
            Ok(State::Newer(found)) => return Err(LocalError::Newer { path, found, known: SCHEMA_VERSION }),
            Ok(State::Foreign) => return Err(LocalError::NotADatabase { path }),
            Err(error) => return Err(open_error(&path, error.into())),
        }
        Ok(Self::shared(path, Some(writer), Some(lock)))
    }

    /// Opens the database in the folder `dir` for reading only, also while another process has it open.
    ///
    /// # Errors
    /// As [`Database::open`], and when there is no database yet.
    pub fn open_read_only(dir: &Path) -> Result<Self, LocalError> {
        let path = dir.join(FILE);
        match fs::metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LocalError::Missing { path: dir.to_owned() });
            }
            Err(error) => return Err(LocalError::io(&path, &error)),
        }
        let found = reader(&path).and_then(|reader| Ok((versions(&reader)?, reader)));
        match found.map_err(|error| open_error(&path, error.into()))? {
            (Versions { application: APPLICATION_ID, schema: SCHEMA_VERSION, .. }, reader) => {
                let database = Self::shared(path, None, None);
                database.give_back(reader);
                Ok(database)
            }
            (Versions { application: APPLICATION_ID, schema: found, .. }, _) => {
                Err(LocalError::Newer { path, found, known: SCHEMA_VERSION })
            }
            (Versions { application: 0, tables: 0, .. }, _) => {
                Err(LocalError::Missing { path: dir.to_owned() })
            }
            _ => Err(LocalError::NotADatabase { path }),
        }
    }

    /// Opens the database in the folder `dir` for a short write, also while another process serves it: the
    /// operating system keeps the two apart. For what a person does to one row or a few.
    ///
    /// # Errors
    /// As [`Database::open_read_only`], and when it cannot be written.
    pub fn open_beside(dir: &Path) -> Result<Self, LocalError> {
        let path = Self::open_read_only(dir)?.0.path.clone();
        let writer = open::writer(&path).map_err(|error| open_error(&path, error.into()))?;
        Ok(Self::shared(path, Some(writer), None))
    }

    fn shared(path: PathBuf, writer: Option<Connection>, lock: Option<Lock>) -> Self {
        Self(Arc::new(Shared {
            path,
            writer: writer.map(Writer::new),
            readers: Mutex::default(),
            bells: Mutex::default(),
            _lock: lock,
        }))
    }

    /// Runs `work` on the connection that writes, alone, in a savepoint: all of what it wrote is kept, or
    /// nothing if it fails or takes it back itself. It has reached the disk when this returns.
    ///
    /// # Errors
    /// What `work` fails with, in words; [`PortError::Refused`] when the database is open for reading only.
    pub fn with<T>(
        &self,
        work: impl FnOnce(&mut Savepoint<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, PortError> {
        self.write(true, work)
    }

    /// As [`Database::with`], but does not wait for the disk: what it wrote outlives this process, and may
    /// be undone when the power fails before the next write of [`Database::with`]. For what may happen
    /// twice; it is many times faster.
    ///
    /// # Errors
    /// As [`Database::with`].
    pub(crate) fn with_unsynced<T>(
        &self,
        work: impl FnOnce(&mut Savepoint<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, PortError> {
        self.write(false, work)
    }

    fn write<T>(
        &self,
        synced: bool,
        work: impl FnOnce(&mut Savepoint<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, PortError> {
        let Some(writer) = &self.0.writer else {
            return Err(PortError::Refused(format!(
                "{} is open for reading only: writing takes the process that serves it",
                self.0.path.display()
            )));
        };
        writer.write(synced, work, |error| self.port_error(error))
    }

    /// What was written since the database was opened.
    #[must_use]
    pub fn written(&self) -> Written {
        self.0.writer.as_ref().map(Writer::written).unwrap_or_default()
    }

    /// Runs `work` on a connection that reads. It sees everything that was written before, and no write
    /// waits for it.
    ///
    /// # Errors
    /// What `work` fails with, in words.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, PortError> {
        let idle = lock(&self.0.readers).pop();
        let connection = match idle {
            Some(connection) => Ok(connection),
            None => reader(&self.0.path),
        };
        let result = connection.and_then(|connection| {
            let result = work(&connection);
            self.give_back(connection);
            result
        });
        result.map_err(|error| self.port_error(&error))
    }

    /// What rings when the queue of this name changes.
    pub(crate) fn bell(&self, queue: &str) -> Arc<Notify> {
        let mut bells = lock(&self.0.bells);
        if let Some(bell) = bells.get(queue) {
            return Arc::clone(bell);
        }
        Arc::clone(bells.entry(queue.to_owned()).or_default())
    }

    /// Whether another process has written since this was last asked.
    pub(crate) fn was_written_by_others(&self) -> Result<bool, PortError> {
        let Some(writer) = &self.0.writer else { return Ok(false) };
        writer.others_wrote().map_err(|error| self.port_error(&error))
    }

    /// Rings every bell.
    pub(crate) fn ring_all(&self) {
        lock(&self.0.bells).values().for_each(|bell| bell.notify_waiters());
    }

    fn give_back(&self, reader: Connection) {
        let mut readers = lock(&self.0.readers);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
    }

    /// Only what no later try can mend is final: a full or failing disk must not turn work into dead letters.
    fn port_error(&self, error: &rusqlite::Error) -> PortError {
        let path = self.0.path.display();
        match error.sqlite_error_code() {
            Some(ErrorCode::TooBig) => PortError::Refused("a value is larger than SQLite holds".into()),
            Some(ErrorCode::DiskFull) => {
                PortError::Unavailable(format!("the disk that holds {path} is full: make room on it"))
            }
            Some(ErrorCode::SystemIoFailure) => PortError::Unavailable(format!(
                "{path} cannot be read or written: look at its disk, and at its limits ({error})"
            )),
            Some(ErrorCode::ReadOnly) => {
                PortError::Unavailable(format!("{path} cannot be written: make its file and disk writable"))
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => PortError::Unavailable(format!(
                "{path} is damaged: stop this process and restore the file from a backup ({error})"
            )),
            _ => PortError::Unavailable(format!("{path}: {error}")),
        }
    }
}

/// A panic while the lock was held has rolled its transaction back, so what is behind it is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives out `count` numbers that were never given out before; returns the first.
pub(crate) fn take_numbers(connection: &Connection, counter: &str, count: i64) -> rusqlite::Result<i64> {
    let sql = "UPDATE counters SET value = value + ?2 WHERE name = ?1 RETURNING value - ?2 + 1";
    connection.prepare_cached(sql)?.query_row((counter, count), |row| row.get(0))
}
