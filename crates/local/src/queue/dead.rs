//! Dead letters: messages that can never succeed, kept with the reason.

use countersign_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::send::{NewMessage, append};

/// A message that can never succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id that it had as a message.
    pub id: String,
    /// The group that it belonged to.
    pub group: String,
    /// The JSON.
    pub body: String,
    /// Why it can never succeed.
    pub reason: String,
    /// How often it was received.
    pub receives: u32,
    /// When it was sent.
    pub sent: Timestamp,
    /// When it became a dead letter.
    pub died: Timestamp,
}

/// Moves a message to the dead letters.
pub(super) fn bury(connection: &Connection, id: i64, reason: &str, now: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO dead_letters (id, queue, grp, sent_at, died_at, receives, reason, body)
        SELECT messages.id, queue, grp, sent_at, ?2, receives, ?3, body
        FROM messages JOIN lanes ON lanes.id = lane WHERE messages.id = ?1";
    connection.prepare_cached(sql)?.execute((id, now, reason))?;
    connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([id]).map(drop)
}

/// The dead letters of a queue, oldest first.
pub(super) fn list(connection: &Connection, queue: &str) -> rusqlite::Result<Vec<DeadLetter>> {
    let sql = "SELECT id, grp, body, reason, receives, sent_at, died_at
        FROM dead_letters WHERE queue = ?1 ORDER BY id";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([queue], |row| {
        let id: i64 = row.get(0)?;
        Ok(DeadLetter {
            id: id.to_string(),
            group: row.get(1)?,
            body: row.get(2)?,
            reason: row.get(3)?,
            receives: row.get(4)?,
            sent: Timestamp::from_millis(row.get(5)?),
            died: Timestamp::from_millis(row.get(6)?),
        })
    })?;
    rows.collect()
}

/// Appends a dead letter to its group again.
pub(super) fn redrive(
    connection: &Connection,
    queue: &str,
    ordered: bool,
    id: &str,
    now: i64,
) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM dead_letters WHERE id = ?1 AND queue = ?2 RETURNING grp, body";
    let taken = connection.prepare_cached(sql)?.query_row((id, queue), |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((group, body)): Option<(String, String)> = taken.optional()? else { return Ok(false) };
    let message = NewMessage { queue, ordered, group: &group, body: &body, sent_at: now, visible_at: now };
    append(connection, &message)?;
    Ok(true)
}

/// Drops a dead letter.
pub(super) fn dismiss(connection: &Connection, queue: &str, id: &str) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM dead_letters WHERE id = ?1 AND queue = ?2";
    Ok(connection.prepare_cached(sql)?.execute((id, queue))? > 0)
}
