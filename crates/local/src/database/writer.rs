//! The connection that writes, and the durable commits that several writers share.
//!
//! Waiting for the disk costs more than writing, so writers that come at the same time wait for it together:
//! each works in a savepoint of its own, on its own thread, and whoever sees nobody behind it commits for all.
//! Nothing of a commit is seen by a reader, nor told to its writer, before the disk has it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_core::ports::PortError;
use rusqlite::{Connection, DropBehavior, Savepoint};

use super::lock;
use crate::fault;

/// How many writers share one commit at most: the first of them waits for all.
const MAX_SHARED: usize = 64;

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    turn: Mutex<Turn>,
    /// How many wait for their turn.
    waiting: AtomicUsize,
    writes: AtomicU64,
    commits: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What was written since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Writes.
    pub writes: u64,
    /// Commits that waited for the disk; several writes may share one.
    pub commits: u64,
    /// How long these took.
    pub took: Duration,
}

/// Held by whoever works on the connection.
#[derive(Debug)]
struct Turn {
    connection: Connection,
    /// Whether commits wait for the disk now (`PRAGMA synchronous`).
    synced: bool,
    open: Option<Open>,
    /// How far the writes of other processes were seen (`PRAGMA data_version`).
    seen: i64,
    /// Whether a test lets the disk be full.
    full: bool,
}

/// A transaction that is open between two turns.
#[derive(Debug)]
struct Open {
    synced: bool,
    members: usize,
    end: Arc<End>,
}

/// How a shared commit ended, once it has.
#[derive(Debug, Default)]
struct End {
    result: Mutex<Option<Result<(), PortError>>>,
    bell: Condvar,
}

impl End {
    fn tell(&self, result: Result<(), PortError>) {
        *lock(&self.result) = Some(result);
        self.bell.notify_all();
    }

    fn wait(&self) -> Result<(), PortError> {
        let result = lock(&self.result);
        let ended = self.bell.wait_while(result, |result| result.is_none());
        let ended = ended.unwrap_or_else(PoisonError::into_inner);
        ended.clone().unwrap_or(Ok(()))
    }
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            turn: Mutex::new(Turn { connection, synced: true, open: None, seen: 0, full: false }),
            waiting: AtomicUsize::new(0),
            writes: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }
    }

    /// What was written so far.
    pub(super) fn written(&self) -> Written {
        Written {
            writes: self.writes.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            took: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
        }
    }

    /// Whether another process has written since this was last asked.
    pub(super) fn others_wrote(&self) -> rusqlite::Result<bool> {
        let mut turn = lock(&self.turn);
        let version = turn.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        Ok(std::mem::replace(&mut turn.seen, version) != version)
    }

    /// How many wait for their turn now.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Runs `work` in a savepoint, and returns when what it wrote is committed. What it fails with undoes what it
    /// wrote, and nothing that others did. `explain` puts an error in words.
    pub(super) fn write<T>(
        &self,
        synced: bool,
        work: impl FnOnce(&mut Savepoint<'_>) -> rusqlite::Result<T>,
        explain: impl Fn(&rusqlite::Error) -> PortError,
    ) -> Result<T, PortError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut turn = lock(&self.turn);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.open(&mut turn, synced, &explain)?;
        // A panic must not leave the others waiting for a commit that never comes.
        let worked = catch_unwind(AssertUnwindSafe(|| in_savepoint(&mut turn.connection, work)));
        let shared = self.conclude(&mut turn, &explain);
        drop(turn);
        let ended = match shared {
            Shared::Ended(result) => result,
            Shared::Waits(end) => end.wait(),
        };
        match worked {
            Ok(Ok(value)) => ended.map(|()| value),
            Ok(Err(error)) => Err(explain(&error)),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Opens a transaction, unless one is open that this write may share.
    fn open(
        &self,
        turn: &mut Turn,
        synced: bool,
        explain: &impl Fn(&rusqlite::Error) -> PortError,
    ) -> Result<(), PortError> {
        if turn.open.is_some() {
            return Ok(());
        }
        let begin = |turn: &mut Turn| {
            if turn.synced != synced {
                let level = if synced { "FULL" } else { "NORMAL" };
                turn.connection.pragma_update(None, "synchronous", level)?;
                turn.synced = synced;
            }
            turn.fill()?;
            turn.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])
        };
        begin(turn).map_err(|error| explain(&error))?;
        turn.open = Some(Open { synced, members: 0, end: Arc::default() });
        Ok(())
    }

    /// Commits, or leaves that to whoever waits for the next turn.
    fn conclude(&self, turn: &mut Turn, explain: &impl Fn(&rusqlite::Error) -> PortError) -> Shared {
        let Some(mut open) = turn.open.take() else { return Shared::Ended(Ok(())) };
        open.members += 1;
        // A full or failing disk makes SQLite undo the whole transaction at once.
        if turn.connection.is_autocommit() {
            let lost = "the database undid a shared transaction: a full or failing disk".to_owned();
            let result = Err(PortError::Unavailable(lost));
            open.end.tell(result.clone());
            return Shared::Ended(result);
        }
        // Who needs the disk cannot share what does not wait for it, and that costs little by itself.
        let others = self.waiting.load(Ordering::SeqCst) > 0;
        if others && open.synced && open.members < MAX_SHARED {
            let end = Arc::clone(&open.end);
            turn.open = Some(open);
            return Shared::Waits(end);
        }
        let begun = Instant::now();
        let result = commit(&turn.connection).map_err(|error| explain(&error));
        if open.synced {
            self.commits.fetch_add(1, Ordering::Relaxed);
            let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.nanoseconds.fetch_add(took, Ordering::Relaxed);
        }
        open.end.tell(result.clone());
        Shared::Ended(result)
    }
}

impl Turn {
    /// Lets the database not grow any more where a test asks for a full disk.
    fn fill(&mut self) -> rusqlite::Result<()> {
        let full = fault::is_full();
        if self.full != full {
            // SQLite takes the pages that there are for a smaller number.
            let pages: i64 = if full { 1 } else { i64::from(u32::MAX) - 1 };
            let sql = format!("PRAGMA max_page_count = {pages}");
            self.connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?;
            self.full = full;
        }
        Ok(())
    }
}

/// How a writer's turn ended.
enum Shared {
    Ended(Result<(), PortError>),
    Waits(Arc<End>),
}

fn in_savepoint<T>(
    connection: &mut Connection,
    work: impl FnOnce(&mut Savepoint<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let mut savepoint = connection.savepoint()?;
    savepoint.set_drop_behavior(DropBehavior::Rollback);
    let value = work(&mut savepoint)?;
    savepoint.commit()?;
    Ok(value)
}

/// A transaction that cannot be committed is undone, so that the next one can begin.
fn commit(connection: &Connection) -> rusqlite::Result<()> {
    let committed = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
    if committed.is_err() && !connection.is_autocommit() {
        // What failed first is what is told.
        let _ = connection.execute_batch("ROLLBACK");
    }
    committed.map(drop)
}
