//! The embedded [`Store`]: one table.

use countersign_core::ports::PortError;
use countersign_core::ports::store::{Store, Version, Versioned, Written};
use rusqlite::{Connection, OptionalExtension};

use crate::database::{Database, take_numbers};

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

    /// Runs one conditional write in a transaction: `sql` takes key, value and version as its first three
    /// parameters, and changes a row if the condition holds.
    fn write(&self, key: &str, bytes: &[u8], sql: &str, expected: Option<i64>) -> Result<Written, PortError> {
        check(key)?;
        self.database.with(|connection| {
            let transaction = connection.transaction()?;
            let version = take_numbers(&transaction, "version", 1)?;
            let changed = match expected {
                None => transaction.prepare_cached(sql)?.execute((key, bytes, version))?,
                Some(expected) => {
                    transaction.prepare_cached(sql)?.execute((key, bytes, version, expected))?
                }
            };
            if changed == 0 {
                return Ok(Written::Conflict);
            }
            transaction.commit()?;
            Ok(Written::Stored(Version(version.to_string())))
        })
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
        let sql = "INSERT INTO kv (key, value, version) VALUES (?1, ?2, ?3)
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version";
        match self.write(key, bytes, sql, None)? {
            Written::Stored(version) => Ok(version),
            Written::Conflict => Err(PortError::Unavailable(format!("{key}: was not written"))),
        }
    }

    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Written, PortError> {
        let sql = "INSERT INTO kv (key, value, version) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING";
        self.write(key, bytes, sql, None)
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        // A version that is no number was not given out by this store, so nothing is of it.
        let Ok(expected) = expected.0.parse() else { return Ok(Written::Conflict) };
        let sql = "UPDATE kv SET value = ?2, version = ?3 WHERE key = ?1 AND version = ?4";
        self.write(key, bytes, sql, Some(expected))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, PortError> {
        self.database.read(|connection| list(connection, prefix, after, limit))
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        check(key)?;
        self.database.with(|connection| {
            connection.prepare_cached("DELETE FROM kv WHERE key = ?1")?.execute([key]).map(drop)
        })
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
