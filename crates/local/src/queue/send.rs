//! Sending: deduplicate, find the lane, append.

use std::time::Duration;

use countersign_core::ports::queue::Outgoing;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::database::take_numbers;

/// How long the id of a message keeps a second one of it away.
const DEDUPLICATION: Duration = Duration::from_secs(5 * 60);

/// How many ended deduplications one message clears away: more than it adds, so that they end, and few
/// enough that none waits for them.
const CLEARED: i64 = 4;

/// A message to append.
pub(super) struct NewMessage<'a> {
    pub queue: &'a str,
    pub ordered: bool,
    pub group: &'a str,
    pub body: &'a str,
    pub sent_at: i64,
    pub visible_at: i64,
}

/// Appends messages in one connection.
pub(super) fn send(
    connection: &Connection,
    queue: &str,
    ordered: bool,
    messages: &[Outgoing],
    now: Timestamp,
) -> rusqlite::Result<()> {
    for message in messages {
        if ordered && !is_first(connection, queue, &message.deduplication, now)? {
            continue;
        }
        let message = NewMessage {
            queue,
            ordered,
            group: &message.group,
            body: &message.body,
            sent_at: now.as_millis(),
            visible_at: now.plus(message.delay).as_millis(),
        };
        append(connection, &message)?;
    }
    Ok(())
}

/// Whether no message of this id was sent in the last five minutes; remembers it if so. A duplicate does
/// not make the five minutes longer.
fn is_first(connection: &Connection, queue: &str, id: &str, now: Timestamp) -> rusqlite::Result<bool> {
    let (ends_at, now) = (now.plus(DEDUPLICATION).as_millis(), now.as_millis());
    let clear = "DELETE FROM deduplication WHERE rowid IN
        (SELECT rowid FROM deduplication WHERE ends_at <= ?1 LIMIT ?2)";
    connection.prepare_cached(clear)?.execute((now, CLEARED))?;
    let remember = "INSERT INTO deduplication (queue, id, ends_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (queue, id) DO UPDATE SET ends_at = excluded.ends_at WHERE ends_at <= ?4";
    Ok(connection.prepare_cached(remember)?.execute((queue, id, ends_at, now))? == 1)
}

/// Appends one message to its lane, and makes the lane where there is none.
pub(super) fn append(connection: &Connection, message: &NewMessage<'_>) -> rusqlite::Result<()> {
    let id = take_numbers(connection, "message", 1)?;
    let existing = if message.ordered { lane_of(connection, message)? } else { None };
    let lane = match existing {
        Some(lane) => lane,
        None => {
            // The number of its first message names a lane as well as any other.
            let sql = "INSERT INTO lanes (id, queue, grp, ready_at, head) VALUES (?1, ?2, ?3, ?4, ?1)";
            let values = (id, message.queue, message.group, message.visible_at);
            connection.prepare_cached(sql)?.execute(values)?;
            id
        }
    };
    let sql =
        "INSERT INTO messages (id, lane, sent_at, visible_at, receives, body) VALUES (?1, ?2, ?3, ?4, 0, ?5)";
    let values = (id, lane, message.sent_at, message.visible_at, message.body);
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

fn lane_of(connection: &Connection, message: &NewMessage<'_>) -> rusqlite::Result<Option<i64>> {
    let mut query = connection.prepare_cached("SELECT id FROM lanes WHERE queue = ?1 AND grp = ?2")?;
    query.query_row((message.queue, message.group), |row| row.get(0)).optional()
}
