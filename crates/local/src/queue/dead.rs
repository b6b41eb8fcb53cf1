//! Dead letters: messages that can never succeed, kept with the reason.

use countersign_core::message::{Message, QueueName};
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

/// Moves a message to the dead letters, and tells `record` of it, unless it is of a queue that tells of others.
pub(super) fn bury(
    connection: &Connection,
    queue: &QueueName,
    id: i64,
    reason: &str,
    now: i64,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO dead_letters (id, queue, grp, sent_at, died_at, receives, reason, body)
        SELECT messages.id, queue, grp, sent_at, ?2, receives, ?3, body
        FROM messages JOIN lanes ON lanes.id = lane WHERE messages.id = ?1
        RETURNING grp, body";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (group, body): (String, String) =
        connection.prepare_cached(sql)?.query_row((id, now, reason), row)?;
    connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([id])?;
    let Some(told) = queue.dead_letters() else { return Ok(()) };
    let notice = Message::of_dead_letter(queue, &id.to_string(), &body, reason);
    let notice = serde_json::to_string(&notice)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let told = NewMessage {
        queue: &told.to_string(),
        ordered: told.is_ordered(),
        group: &group,
        body: &notice,
        sent_at: now,
        visible_at: now,
    };
    append(connection, &told)
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

/// What redriving a dead letter came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It waits at the end of its group.
    Sent,
    /// There is no such dead letter, or it was redriven before.
    Unknown,
    /// An older one of its group, with this id, would come after it.
    After(String),
}

/// Appends a dead letter to its group again, unless that would turn the order of the group around.
pub(super) fn redrive(
    connection: &Connection,
    queue: &QueueName,
    id: &str,
    now: i64,
) -> rusqlite::Result<Redriven> {
    let older = "SELECT older.id FROM dead_letters AS older JOIN dead_letters AS asked
        ON older.queue = asked.queue AND older.grp = asked.grp AND older.id < asked.id
        WHERE asked.id = ?1 AND asked.queue = ?2 ORDER BY older.id LIMIT 1";
    let name = queue.to_string();
    let older = connection.prepare_cached(older)?.query_row((id, &name), |row| row.get::<_, i64>(0));
    if let Some(older) = older.optional()?.filter(|_| queue.is_ordered()) {
        return Ok(Redriven::After(older.to_string()));
    }
    Ok(if send_again(connection, queue, id, now)? { Redriven::Sent } else { Redriven::Unknown })
}

/// Appends every dead letter of a queue to its group again, in order; returns their ids.
pub(super) fn redrive_all(
    connection: &Connection,
    queue: &QueueName,
    now: i64,
) -> rusqlite::Result<Vec<String>> {
    let ids: Vec<_> = list(connection, &queue.to_string())?.into_iter().map(|letter| letter.id).collect();
    for id in &ids {
        send_again(connection, queue, id, now)?;
    }
    Ok(ids)
}

fn send_again(connection: &Connection, queue: &QueueName, id: &str, now: i64) -> rusqlite::Result<bool> {
    let (name, ordered) = (queue.to_string(), queue.is_ordered());
    let sql = "DELETE FROM dead_letters WHERE id = ?1 AND queue = ?2 RETURNING grp, body";
    let taken = connection.prepare_cached(sql)?.query_row((id, &name), |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((group, body)): Option<(String, String)> = taken.optional()? else { return Ok(false) };
    let (sent_at, visible_at) = (now, now);
    let message = NewMessage { queue: &name, ordered, group: &group, body: &body, sent_at, visible_at };
    append(connection, &message)?;
    Ok(true)
}

/// Drops a dead letter.
pub(super) fn dismiss(connection: &Connection, queue: &str, id: &str) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM dead_letters WHERE id = ?1 AND queue = ?2";
    Ok(connection.prepare_cached(sql)?.execute((id, queue))? > 0)
}
