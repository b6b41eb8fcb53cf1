//! The embedded [`Store`]: one table.

use countersign_core::ports::PortError;
use countersign_core::ports::store::{Store, Version, Versioned, Write, Written};
use rusqlite::{Connection, OptionalExtension, Savepoint};

use crate::database::{Database, take_numbers};
use crate::fault;

/// The most bytes of a key, as on S3.
const MAX_KEY: usize = 1024;

/// A [`Store`] in the database; clones share it.
///
/// A version is a number that is never given out again, so a value that was replaced, or deleted and put
/// back, is of another version than before.
#[derive(Clone, Debug)]
pub struct LocalStore {
    database: Database,
}

impl LocalStore {
    /// The store of this database.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone() }
    }

    /// Makes one write; what did not write leaves nothing behind.
    fn write(&self, write: &Write) -> Result<Written, PortError> {
        check(key_of(write))?;
        let work = |savepoint: &mut Savepoint<'_>| {
            let written = make(savepoint, write)?;
            if written == Written::Conflict {
                savepoint.rollback()?;
            }
            Ok(written)
        };
        fault::around(|| format!("store.{}", point(write)), || self.database.with(work))
    }
}

const PUT: &str = "INSERT INTO kv (key, value, version) VALUES (?1, ?2, ?3)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version";
const PUT_IF_ABSENT: &str =
    "INSERT INTO kv (key, value, version) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING";
const SWAP: &str = "UPDATE kv SET value = ?2, version = ?3 WHERE key = ?1 AND version = ?4";
const DELETE: &str = "DELETE FROM kv WHERE key = ?1";

/// Makes one write on a connection. A version that was taken for nothing is a number that is not used.
fn make(connection: &Connection, write: &Write) -> rusqlite::Result<Written> {
    if let Write::Delete { key } = write {
        connection.prepare_cached(DELETE)?.execute([key])?;
        return Ok(Written::Stored(Version(String::new())));
    }
    let version = take_numbers(connection, "version", 1)?;
    let changed = match write {
        Write::Put { key, bytes } => connection.prepare_cached(PUT)?.execute((key, bytes, version))?,
        Write::PutIfAbsent { key, bytes } => {
            connection.prepare_cached(PUT_IF_ABSENT)?.execute((key, bytes, version))?
        }
        Write::CompareAndSwap { key, expected, bytes } => match expected.0.parse::<i64>() {
            Ok(expected) => connection.prepare_cached(SWAP)?.execute((key, bytes, version, expected))?,
            // A version that is no number was not given out by this store, so nothing is of it.
            Err(_) => 0,
        },
        Write::Delete { .. } => 0,
    };
    match changed {
        0 => Ok(Written::Conflict),
        _ => Ok(Written::Stored(Version(version.to_string()))),
    }
}

fn key_of(write: &Write) -> &str {
    match write {
        Write::Put { key, .. }
        | Write::PutIfAbsent { key, .. }
        | Write::CompareAndSwap { key, .. }
        | Write::Delete { key } => key,
    }
}

impl Store for LocalStore {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        check(key)?;
        self.database.read(|connection| {
            let mut query = connection.prepare_cached("SELECT value, version FROM kv WHERE key = ?1")?;
            let found = query.query_row([key], |row| {
                let version: i64 = row.get(1)?;
                Ok(Versioned { bytes: row.get(0)?, version: Version(version.to_string()) })
            });
            found.optional()
        })
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<Version, PortError> {
        match self.write(&Write::Put { key: key.to_owned(), bytes: bytes.to_owned() })? {
            Written::Stored(version) => Ok(version),
            Written::Conflict => Err(PortError::Unavailable(format!("{key}: was not written"))),
        }
    }

    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Written, PortError> {
        self.write(&Write::PutIfAbsent { key: key.to_owned(), bytes: bytes.to_owned() })
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        let (key, bytes) = (key.to_owned(), bytes.to_owned());
        self.write(&Write::CompareAndSwap { key, expected: expected.clone(), bytes })
    }

    /// All of them in one transaction.
    async fn write_all(&self, writes: &[Write]) -> Result<Vec<bool>, PortError> {
        writes.iter().try_for_each(|write| check(key_of(write)))?;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let work = |savepoint: &mut Savepoint<'_>| {
            let mut wrote = Vec::with_capacity(writes.len());
            for write in writes {
                let stored = make(savepoint, write)? != Written::Conflict;
                wrote.push(stored);
                if !stored && matches!(write, Write::CompareAndSwap { .. }) {
                    break;
                }
            }
            wrote.resize(writes.len(), false);
            Ok(wrote)
        };
        let first = || writes.first().map(point).unwrap_or_default();
        fault::around(|| format!("store.all.{}", first()), || self.database.with(work))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, PortError> {
        self.database.read(|connection| list(connection, prefix, after, limit))
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.write(&Write::Delete { key: key.to_owned() }).map(drop)
    }
}

/// What is done to what: the first folder of the key, and the second where the first holds several things.
fn point(write: &Write) -> String {
    let verb = if matches!(write, Write::Delete { .. }) { "delete" } else { "put" };
    let mut parts = key_of(write).split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if matches!(first, "log" | "state") {
        format!("{verb}.{first}.{second}")
    } else {
        format!("{verb}.{first}")
    }
}

/// Keys with a prefix lie side by side in the order of their bytes, so reading stops at the first other.
fn list(
    connection: &Connection,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT key FROM kv WHERE key >= ?1 AND key > ?2 ORDER BY key LIMIT ?3";
    let mut query = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = query.query((prefix, after.unwrap_or_default(), limit))?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        keys.push(key);
    }
    Ok(keys)
}

fn check(key: &str) -> Result<(), PortError> {
    if key.is_empty() || key.len() > MAX_KEY {
        let length = key.len();
        return Err(PortError::Refused(format!("a key has 1 to {MAX_KEY} bytes, this one has {length}")));
    }
    Ok(())
}
