//! Receiving, and what is done with a receipt. A lane's `ready_at` is kept so that a receive looks at the
//! lanes that it takes from, and at no other.

use std::time::Duration;

use countersign_core::message::QueueName;
use countersign_core::ports::queue::Delivery;
use countersign_core::stage::Incoming;
use rusqlite::{Connection, OptionalExtension};

use super::dead;

/// What is to be received.
pub(super) struct Ask<'a> {
    pub queue: &'a QueueName,
    pub name: &'a str,
    pub max: usize,
    pub now: i64,
    pub visible_at: i64,
    pub max_receives: u32,
}

/// What was received, and how long each has waited that came for the first time; if nothing, in how long the next
/// message is ready, should none be sent before.
#[derive(Default)]
pub(super) struct Taken {
    pub deliveries: Vec<Delivery>,
    pub waited: Vec<Duration>,
    pub buried: bool,
    pub next_in: Option<Duration>,
}

/// What is done to a message that was received.
#[derive(Clone, Copy)]
pub(super) enum Verb<'a> {
    Acknowledge,
    Extend { until: i64 },
    Bury { reason: &'a str },
}

impl Verb<'_> {
    /// As its method is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Extend { .. } => "extend",
            Self::Bury { .. } => "bury",
        }
    }
}

/// What came of a [`Verb`].
pub(super) enum Settled {
    /// The receipt is not valid.
    NotInFlight,
    /// Done, and its lane is gone with it.
    LaneEmpty,
    /// Done, and its lane may be ready at another time than before.
    LaneLeft,
}

struct Lane {
    id: i64,
    group: String,
}

struct Waiting {
    id: i64,
    sent_at: i64,
    visible_at: i64,
    receives: u32,
    body: String,
}

/// Takes what is ready. A queue where nothing is ready is only read.
pub(super) fn receive(connection: &Connection, ask: &Ask<'_>) -> rusqlite::Result<Taken> {
    let mut taken = Taken::default();
    loop {
        let mut buried = 0;
        for lane in ready_lanes(connection, ask)? {
            if taken.deliveries.len() < ask.max {
                buried += take_from(connection, ask, &lane, &mut taken)?;
            }
        }
        taken.buried |= buried > 0;
        // Lanes that gave nothing but dead letters may have more, and so may lanes behind them.
        if !taken.deliveries.is_empty() || buried == 0 {
            break;
        }
    }
    taken.next_in = if taken.deliveries.is_empty() { next_in(connection, ask)? } else { None };
    Ok(taken)
}

fn ready_lanes(connection: &Connection, ask: &Ask<'_>) -> rusqlite::Result<Vec<Lane>> {
    let sql =
        "SELECT id, grp FROM lanes WHERE queue = ?1 AND ready_at <= ?2 ORDER BY ready_at, head LIMIT ?3";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map((ask.name, ask.now, limit(ask.max)), |row| {
        Ok(Lane { id: row.get(0)?, group: row.get(1)? })
    })?;
    rows.collect()
}

/// Takes messages from the head of a lane, up to the first whose delay has not ended; returns how many
/// became dead letters instead.
fn take_from(
    connection: &Connection,
    ask: &Ask<'_>,
    lane: &Lane,
    taken: &mut Taken,
) -> rusqlite::Result<usize> {
    let mut buried = 0;
    for waiting in head(connection, lane.id, ask.max - taken.deliveries.len())? {
        if waiting.visible_at > ask.now {
            break;
        }
        if waiting.receives >= ask.max_receives {
            let reason = format!("was received {} times and never taken", waiting.receives);
            dead::bury(connection, ask.queue, waiting.id, &reason, ask.now)?;
            buried += 1;
            continue;
        }
        let sql = "UPDATE messages SET visible_at = ?2, receives = receives + 1 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute((waiting.id, ask.visible_at))?;
        let receive_count = waiting.receives + 1;
        if waiting.receives == 0 {
            let waited = u64::try_from(ask.now.saturating_sub(waiting.sent_at)).unwrap_or_default();
            taken.waited.push(Duration::from_millis(waited));
        }
        taken.deliveries.push(Delivery {
            receipt: format!("{}.{receive_count}", waiting.id),
            message: Incoming {
                id: waiting.id.to_string(),
                group: lane.group.clone(),
                body: waiting.body,
                receive_count,
            },
        });
    }
    refresh(connection, lane.id, ask.now)?;
    Ok(buried)
}

fn head(connection: &Connection, lane: i64, count: usize) -> rusqlite::Result<Vec<Waiting>> {
    let sql =
        "SELECT id, visible_at, receives, body, sent_at FROM messages WHERE lane = ?1 ORDER BY id LIMIT ?2";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map((lane, limit(count)), |row| {
        Ok(Waiting {
            id: row.get(0)?,
            visible_at: row.get(1)?,
            receives: row.get(2)?,
            body: row.get(3)?,
            sent_at: row.get(4)?,
        })
    })?;
    rows.collect()
}

fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn next_in(connection: &Connection, ask: &Ask<'_>) -> rusqlite::Result<Option<Duration>> {
    let sql = "SELECT min(ready_at) FROM lanes WHERE queue = ?1";
    let next: Option<i64> = connection.prepare_cached(sql)?.query_row([ask.name], |row| row.get(0))?;
    Ok(next.map(|next| Duration::from_millis(u64::try_from(next.saturating_sub(ask.now)).unwrap_or(0))))
}

/// Does `verb` to the message of `receipt`, which is valid while the message is in flight.
pub(super) fn settle(
    connection: &Connection,
    queue: &QueueName,
    receipt: &str,
    now: i64,
    verb: Verb<'_>,
) -> rusqlite::Result<Settled> {
    let Some((id, receives)) = parse(receipt) else { return Ok(Settled::NotInFlight) };
    let sql = "SELECT lane FROM messages JOIN lanes ON lanes.id = lane
        WHERE messages.id = ?1 AND receives = ?2 AND visible_at > ?3 AND queue = ?4";
    let found =
        connection.prepare_cached(sql)?.query_row((id, receives, now, queue.to_string()), |row| row.get(0));
    let Some(lane) = found.optional()? else { return Ok(Settled::NotInFlight) };
    match verb {
        Verb::Acknowledge => {
            connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([id])?;
        }
        Verb::Extend { until } => {
            let sql = "UPDATE messages SET visible_at = ?2 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute((id, until))?;
        }
        Verb::Bury { reason } => dead::bury(connection, queue, id, reason, now)?,
    }
    let settled = refresh(connection, lane, now)?;
    Ok(settled)
}

/// A receipt names its message and the receive that it came from.
fn parse(receipt: &str) -> Option<(i64, u32)> {
    let (id, receives) = receipt.split_once('.')?;
    let receives = receives.parse().ok().filter(|receives| *receives > 0)?;
    Some((id.parse().ok()?, receives))
}

/// Works out anew when a lane is ready: when none of its messages is in flight any more and its first one
/// is not delayed, but not before now, so that lanes take turns. An empty lane is removed.
fn refresh(connection: &Connection, lane: i64, now: i64) -> rusqlite::Result<Settled> {
    let sql = "SELECT id, visible_at FROM messages WHERE lane = ?1 ORDER BY id LIMIT 1";
    let first = connection.prepare_cached(sql)?.query_row([lane], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((head, head_visible)): Option<(i64, i64)> = first.optional()? else {
        connection.prepare_cached("DELETE FROM lanes WHERE id = ?1")?.execute([lane])?;
        return Ok(Settled::LaneEmpty);
    };
    let sql = "SELECT max(visible_at) FROM messages WHERE lane = ?1 AND receives > 0";
    let flight: Option<i64> = connection.prepare_cached(sql)?.query_row([lane], |row| row.get(0))?;
    let ready_at = now.max(head_visible).max(flight.unwrap_or(now));
    let sql = "UPDATE lanes SET ready_at = ?2, head = ?3 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute((lane, ready_at, head))?;
    Ok(Settled::LaneLeft)
}
