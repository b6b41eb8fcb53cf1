//! The embedded [`Queue`], with the rules that SQS documents for its FIFO and standard queues.

pub mod dead;
mod receive;
mod send;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::message::QueueName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Delivery, MAX_BODY, Outgoing, Queue};
use countersign_core::time::Timestamp;
use rusqlite::Savepoint;
use tokio::time::{Instant, sleep_until};

use crate::database::Database;
use crate::fault;

#[cfg(test)]
mod tests;

/// Is told how long a message of a queue waited until it was first received.
pub type Waited = Arc<dyn Fn(&str, Duration) + Send + Sync>;

/// Tells the time. It never goes back while the process runs: what is delayed would wait for so much longer.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// No message is ever delayed for longer than this, as on SQS.
const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// A [`Queue`] in the database; clones share it.
///
/// - A message that waits for its delay holds back the later ones of its group.
/// - Groups take turns: the one that has been ready for longest is received from first.
/// - A receipt is refused as soon as the message's visibility has ended.
/// - Messages of a queue that is not ordered are not deduplicated, as on SQS.
/// - A send waits for the disk. The rest does not: it outlives the process, but a power failure may undo the
///   last of it, and then a message comes once more.
///
/// A `receive` that waits is woken at once by a send, and exactly when a delay or a visibility ends. It
/// may be dropped at any time: no message is taken unless it returns. One that does not wait needs no
/// runtime.
#[derive(Clone)]
pub struct LocalQueue {
    database: Database,
    clock: Clock,
    max_receives: u32,
    waited: Option<Waited>,
}

impl fmt::Debug for LocalQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalQueue").field("database", &self.database).finish_non_exhaustive()
    }
}

/// How many messages a queue has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Those that wait to be received, those included that their group holds back.
    pub visible: u32,
    /// Those that were received, and are hidden until they are taken or their visibility ends.
    pub in_flight: u32,
    /// Those whose delay has not ended.
    pub delayed: u32,
    /// Its dead letters.
    pub dead: u32,
    /// When the oldest was sent, of all but the dead letters.
    pub oldest: Option<Timestamp>,
}

impl LocalQueue {
    /// The queues of this database. A message that was received `max_receives` times becomes a dead letter
    /// instead of being received again.
    #[must_use]
    pub fn new(database: &Database, clock: Clock, max_receives: u32) -> Self {
        Self { database: database.clone(), clock, max_receives, waited: None }
    }

    /// The same queues; `waited` is told of every message that is received.
    #[must_use]
    pub fn watched(mut self, waited: Waited) -> Self {
        self.waited = Some(waited);
        self
    }

    /// Makes everything visible that was received and not taken, and everything that waits for longer than any
    /// delay lasts, as it does when the clock was put back. For a process that starts: whoever received something
    /// is gone, since only one process has the database open.
    ///
    /// # Errors
    /// When the queues cannot be written.
    pub fn release(&self) -> Result<(), PortError> {
        let now = self.now();
        let latest = Timestamp::from_millis(now).plus(LONGEST_DELAY).as_millis();
        self.database.with(|savepoint| {
            let sql = "UPDATE messages SET visible_at = ?1
                WHERE (receives > 0 AND visible_at > ?1) OR visible_at > ?2";
            savepoint.execute(sql, [now, latest])?;
            let first = "SELECT visible_at FROM messages WHERE lane = lanes.id ORDER BY id LIMIT 1";
            let sql = format!("UPDATE lanes SET ready_at = max(?1, ({first})) WHERE ready_at > ?1");
            savepoint.execute(&sql, [now]).map(drop)
        })
    }

    /// Counts the messages of a queue.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub fn depth(&self, queue: &QueueName) -> Result<Depth, PortError> {
        let (queue, now) = (queue.to_string(), self.now());
        self.database.read(|connection| {
            let sql = "SELECT count(*),
                    coalesce(sum(visible_at > ?2 AND receives > 0), 0),
                    coalesce(sum(visible_at > ?2 AND receives = 0), 0),
                    min(sent_at),
                    (SELECT count(*) FROM dead_letters WHERE queue = ?1)
                FROM lanes JOIN messages ON lane = lanes.id WHERE queue = ?1";
            connection.prepare_cached(sql)?.query_row((queue, now), |row| {
                let (all, in_flight, delayed): (u32, u32, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let oldest: Option<i64> = row.get(3)?;
                Ok(Depth {
                    visible: all - in_flight - delayed,
                    in_flight,
                    delayed,
                    dead: row.get(4)?,
                    oldest: oldest.map(Timestamp::from_millis),
                })
            })
        })
    }

    /// The dead letters of a queue, oldest first.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub fn dead_letters(&self, queue: &QueueName) -> Result<Vec<dead::DeadLetter>, PortError> {
        self.database.read(|connection| dead::list(connection, &queue.to_string()))
    }

    /// Puts a dead letter at the end of its group, as if it were sent now. A repeat changes nothing.
    ///
    /// # Errors
    /// When the queue cannot be written.
    pub fn redrive(&self, queue: &QueueName, id: &str) -> Result<dead::Redriven, PortError> {
        let now = self.now();
        let redriven = self.database.with(|savepoint| dead::redrive(savepoint, queue, id, now))?;
        self.ring(&queue.to_string());
        Ok(redriven)
    }

    /// Puts every dead letter of a queue at the end of its group, in order; returns their ids.
    ///
    /// # Errors
    /// When the queue cannot be written.
    pub fn redrive_all(&self, queue: &QueueName) -> Result<Vec<String>, PortError> {
        let now = self.now();
        let ids = self.database.with(|savepoint| dead::redrive_all(savepoint, queue, now))?;
        self.ring(&queue.to_string());
        Ok(ids)
    }

    /// Wakes all who wait if another process has written since this was last asked: a dead letter that was
    /// redriven beside this process rings no bell of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn notice_others(&self) -> Result<(), PortError> {
        if self.database.was_written_by_others()? {
            self.database.ring_all();
        }
        Ok(())
    }

    /// Drops a dead letter that was dealt with; `false` if there is no such.
    ///
    /// # Errors
    /// When the queue cannot be written.
    pub fn dismiss(&self, queue: &QueueName, id: &str) -> Result<bool, PortError> {
        self.database.with(|connection| dead::dismiss(connection, &queue.to_string(), id))
    }

    fn now(&self) -> i64 {
        (self.clock)().as_millis()
    }

    fn ring(&self, queue: &str) {
        self.database.bell(queue).notify_waiters();
    }

    fn take(
        &self,
        queue: &QueueName,
        name: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<receive::Taken, PortError> {
        let now = (self.clock)();
        // Whoever tells of dead letters is heard in the end, however often that fails.
        let told_of = queue.dead_letters();
        let ask = receive::Ask {
            queue,
            name,
            max,
            now: now.as_millis(),
            visible_at: now.plus(visibility).as_millis(),
            max_receives: if told_of.is_some() { self.max_receives } else { u32::MAX },
        };
        let taken = self.database.with_unsynced(|savepoint| receive::receive(savepoint, &ask))?;
        if let Some(tell) = &self.waited {
            taken.waited.iter().for_each(|waited| tell(name, *waited));
        }
        if let Some(told_of) = told_of.filter(|_| taken.buried) {
            self.ring(&told_of.to_string());
        }
        if !taken.deliveries.is_empty() {
            fault::reach(|| format!("queue.receive.{name}/after"));
        }
        Ok(taken)
    }

    /// Does something to the message of a receipt, and wakes those who wait for what that sets free.
    fn settle(&self, queue: &QueueName, receipt: &str, verb: receive::Verb<'_>) -> Result<(), PortError> {
        let (name, now) = (queue.to_string(), self.now());
        let settle = |savepoint: &mut Savepoint<'_>| receive::settle(savepoint, queue, receipt, now, verb);
        let point = || format!("queue.{}.{name}", verb.name());
        let settled = fault::around(point, || self.database.with_unsynced(settle))?;
        if let (receive::Verb::Bury { .. }, Some(told_of)) = (verb, queue.dead_letters()) {
            self.ring(&told_of.to_string());
        }
        match settled {
            receive::Settled::NotInFlight => Err(PortError::Refused(format!(
                "{name}: the receipt {receipt:?} is no longer valid: the message may come again"
            ))),
            receive::Settled::LaneEmpty => Ok(()),
            receive::Settled::LaneLeft => {
                self.ring(&name);
                Ok(())
            }
        }
    }
}

impl Queue for LocalQueue {
    async fn send(&self, queue: &QueueName, messages: &[Outgoing]) -> Result<(), PortError> {
        let name = queue.to_string();
        check(&name, messages)?;
        let now = (self.clock)();
        let work =
            |savepoint: &mut Savepoint<'_>| send::send(savepoint, &name, queue.is_ordered(), messages, now);
        let sent = fault::around(|| format!("queue.send.{name}"), || self.database.with(work));
        // Also when the answer is lost: what was sent is there.
        self.ring(&name);
        sent
    }

    /// All of them in one transaction.
    async fn send_all(&self, messages: &[(QueueName, Vec<Outgoing>)]) -> Result<(), PortError> {
        for (queue, messages) in messages {
            check(&queue.to_string(), messages)?;
        }
        let now = (self.clock)();
        let work = |savepoint: &mut Savepoint<'_>| {
            messages.iter().try_for_each(|(queue, messages)| {
                send::send(savepoint, &queue.to_string(), queue.is_ordered(), messages, now)
            })
        };
        let names: Vec<_> = messages.iter().map(|(queue, _)| queue.to_string()).collect();
        let sent = fault::around(|| format!("queue.send.{}", names.join("+")), || self.database.with(work));
        names.iter().for_each(|name| self.ring(name));
        sent
    }

    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let name = queue.to_string();
        if wait.is_zero() || max == 0 {
            return Ok(self.take(queue, &name, max, visibility)?.deliveries);
        }
        let bell = self.database.bell(&name);
        let deadline = Instant::now() + wait;
        loop {
            // Made before looking, so that what is sent after the look still wakes us.
            let rung = bell.notified();
            let taken = self.take(queue, &name, max, visibility)?;
            if !taken.deliveries.is_empty() || Instant::now() >= deadline {
                return Ok(taken.deliveries);
            }
            let due = taken.next_in.map_or(deadline, |next| Instant::now() + next);
            tokio::select! {
                () = rung => {}
                () = sleep_until(due.min(deadline)) => {}
            }
        }
    }

    async fn acknowledge(&self, queue: &QueueName, receipt: &str) -> Result<(), PortError> {
        self.settle(queue, receipt, receive::Verb::Acknowledge)
    }

    /// All of them in one transaction.
    async fn acknowledge_all(&self, queue: &QueueName, receipts: &[String]) -> Result<Vec<bool>, PortError> {
        let (name, now) = (queue.to_string(), self.now());
        let work = |savepoint: &mut Savepoint<'_>| {
            let take = |receipt: &String| {
                let settled = receive::settle(savepoint, queue, receipt, now, receive::Verb::Acknowledge)?;
                Ok(!matches!(settled, receive::Settled::NotInFlight))
            };
            receipts.iter().map(take).collect::<rusqlite::Result<Vec<_>>>()
        };
        let point = || format!("queue.acknowledge.{name}");
        let taken = fault::around(point, || self.database.with_unsynced(work))?;
        self.ring(&name);
        Ok(taken)
    }

    async fn extend(&self, queue: &QueueName, receipt: &str, visibility: Duration) -> Result<(), PortError> {
        let until = (self.clock)().plus(visibility).as_millis();
        self.settle(queue, receipt, receive::Verb::Extend { until })
    }

    async fn bury(&self, queue: &QueueName, receipt: &str, reason: &str) -> Result<(), PortError> {
        self.settle(queue, receipt, receive::Verb::Bury { reason })
    }
}

fn check(queue: &str, messages: &[Outgoing]) -> Result<(), PortError> {
    match messages.iter().find(|message| message.body.len() > MAX_BODY) {
        Some(large) => Err(PortError::Refused(format!(
            "{queue}: a message of {} bytes is larger than {MAX_BODY}: send a reference to a blob",
            large.body.len()
        ))),
        None => Ok(()),
    }
}
