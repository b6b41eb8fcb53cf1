//! Opening the file: what is ours is set up, and nothing else is touched.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::LocalError;

/// Marks a SQLite file as ours (`PRAGMA application_id`): "CSGN".
pub(super) const APPLICATION_ID: i64 = 0x4353_474E;

/// The version of the tables (`PRAGMA user_version`).
pub(super) const SCHEMA_VERSION: i64 = 1;

/// Makes the file where it is missing, and closes it to others: it may hold Secrets.
pub(super) fn make_private(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// What can go wrong while opening.
pub(super) enum OpenError {
    Sqlite(rusqlite::Error),
    Damaged(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

pub(super) fn open_error(path: &Path, error: OpenError) -> LocalError {
    let path = path.to_owned();
    match error {
        OpenError::Damaged(what) => LocalError::Damaged { path, what },
        OpenError::Sqlite(error) => match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => LocalError::NotADatabase { path },
            Some(ErrorCode::DatabaseCorrupt) => LocalError::Damaged { path, what: error.to_string() },
            _ => LocalError::Inaccessible { path, why: error.to_string() },
        },
    }
}

/// The connection that writes, with the pragmas that make a write durable.
pub(super) fn prepare(path: &Path, clean: bool) -> Result<Connection, OpenError> {
    let writer = writer(path)?;
    if !clean {
        let found: String = writer.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Err(OpenError::Damaged(found));
        }
    }
    Ok(writer)
}

/// A connection that writes.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // There are several of them, and what one has not kept the system has.
    connection.pragma_update(None, "cache_size", -1_024)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Kibibytes, where negative: enough for the inner pages of a database of some gigabytes.
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(connection)
}

pub(super) struct Versions {
    pub application: i64,
    pub schema: i64,
    pub tables: i64,
}

pub(super) fn versions(connection: &Connection) -> rusqlite::Result<Versions> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get(0));
    Ok(Versions {
        application: number("PRAGMA application_id")?,
        schema: number("PRAGMA user_version")?,
        tables: number("SELECT count(*) FROM sqlite_schema")?,
    })
}

pub(super) enum State {
    Ready,
    Newer(i64),
    Foreign,
}

/// Makes the tables in an empty file, and sets up a file of ours for writing; touches no other.
pub(super) fn upgrade(writer: &mut Connection, found: Versions) -> rusqlite::Result<State> {
    match found {
        Versions { application: 0, schema: 0, tables: 0 } => {}
        Versions { application: APPLICATION_ID, schema: SCHEMA_VERSION, .. } => {}
        Versions { application: APPLICATION_ID, schema, .. } => return Ok(State::Newer(schema)),
        Versions { .. } => return Ok(State::Foreign),
    }
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    // A large value leaves a large write-ahead log behind, which is cut back to this many bytes.
    writer.pragma_update(None, "journal_size_limit", 64 << 20)?;
    if found.tables == 0 {
        let transaction = writer.transaction()?;
        transaction.execute_batch(include_str!("../schema.sql"))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
    }
    Ok(State::Ready)
}
