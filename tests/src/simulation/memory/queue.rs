//! The queues.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use countersign_core::message::QueueName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Delivery, MAX_BODY, Outgoing, Queue};
use countersign_core::stage::Incoming;

use super::{Clock, millis};

/// How long an id is remembered on an ordered queue.
const REMEMBERED: i64 = 300_000;

/// Queues in memory; clones share them.
#[derive(Clone)]
pub struct MemoryQueue {
    clock: Clock,
    max_receives: u32,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<QueueName, Lines>,
    next: u64,
}

#[derive(Default)]
struct Lines {
    waiting: Vec<Waiting>,
    /// When each id may be used again.
    ids: BTreeMap<String, i64>,
    dead: Vec<DeadLetter>,
    waiters: Vec<Waker>,
    /// How often something changed that may set a message free.
    changes: u64,
}

#[derive(Clone)]
struct Waiting {
    id: u64,
    group: String,
    body: String,
    receives: u32,
    visible_at: i64,
    /// It is not there before that, and then stands behind what was sent before.
    joins_at: i64,
}

/// A message that is not received any more.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// What it held.
    pub body: String,
    /// Why.
    pub reason: String,
}

impl Lines {
    fn changed(&mut self) {
        self.changes += 1;
        self.waiters.drain(..).for_each(Waker::wake);
    }

    /// Puts a message behind all that was sent before it.
    fn join(&mut self, message: Waiting) {
        let place = self.waiting.partition_point(|other| other.joins_at <= message.joins_at);
        self.waiting.insert(place, message);
    }

    /// Takes up to `max` messages; if there are none, says when one may come.
    fn take(&mut self, ask: &Ask) -> (Vec<Delivery>, i64) {
        let limit = ask.max_receives;
        let (worn, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|message: &Waiting| message.visible_at <= ask.now && message.receives >= limit);
        self.waiting = waiting;
        let reason = format!("was received {limit} times and never taken");
        self.dead.extend(worn.into_iter().map(|worn| DeadLetter { body: worn.body, reason: reason.clone() }));
        let in_flight = |message: &&Waiting| message.receives > 0 && message.visible_at > ask.now;
        let mut blocked: BTreeSet<String> = match ask.ordered {
            true => self.waiting.iter().filter(in_flight).map(|message| message.group.clone()).collect(),
            false => BTreeSet::new(),
        };
        let mut next = i64::MAX;
        let mut taken = Vec::new();
        for message in &mut self.waiting {
            if message.joins_at > ask.now {
                next = next.min(message.joins_at);
            } else if message.visible_at > ask.now {
                next = next.min(message.visible_at);
                if ask.ordered {
                    blocked.insert(message.group.clone());
                }
            } else if taken.len() < ask.max && !blocked.contains(&message.group) {
                message.receives += 1;
                message.visible_at = ask.hidden_until;
                taken.push(message.delivery());
            }
        }
        (taken, next)
    }
}

impl Waiting {
    fn receipt(&self) -> String {
        format!("{}.{}", self.id, self.receives)
    }

    fn delivery(&self) -> Delivery {
        let message = Incoming {
            id: self.id.to_string(),
            group: self.group.clone(),
            body: self.body.clone(),
            receive_count: self.receives,
        };
        Delivery { message, receipt: self.receipt() }
    }
}

struct Ask {
    ordered: bool,
    max: usize,
    max_receives: u32,
    now: i64,
    hidden_until: i64,
}

impl MemoryQueue {
    /// Empty queues. A message that was received `max_receives` times becomes a dead letter.
    #[must_use]
    pub fn new(clock: Clock, max_receives: u32) -> Self {
        Self { clock, max_receives, state: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a received message once more, where no order is promised.
    pub fn repeat(&self, queue: &QueueName, delivery: &Delivery) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.next += 1;
        let (id, message) = (state.next, &delivery.message);
        let (group, body) = (message.group.clone(), message.body.clone());
        let lines = state.queues.entry(queue.clone()).or_default();
        lines.join(Waiting { id, group, body, receives: 0, visible_at: now, joins_at: now });
        lines.changed();
    }

    /// Sends messages once more after a while, as one who did not hear for so long that they were sent that the
    /// queue has forgotten their ids.
    pub fn send_again(&self, queue: &QueueName, messages: &[Outgoing], after: i64) {
        let at = self.clock.now().saturating_add(after);
        let mut state = self.lock();
        for message in messages {
            state.next += 1;
            let (id, group, body) = (state.next, message.group.clone(), message.body.clone());
            let lines = state.queues.entry(queue.clone()).or_default();
            lines.join(Waiting { id, group, body, receives: 0, visible_at: at, joins_at: at });
        }
        state.queues.entry(queue.clone()).or_default().changed();
    }

    /// Makes what is in flight visible at once, as when the process that took it is known to be dead.
    pub fn release(&self) {
        let now = self.clock.now();
        for lines in self.lock().queues.values_mut() {
            for message in lines.waiting.iter_mut().filter(|message| message.receives > 0) {
                message.visible_at = message.visible_at.min(now);
            }
            lines.changed();
        }
    }

    /// The bodies of all that waits or is in flight.
    #[must_use]
    pub fn waiting(&self) -> Vec<(QueueName, String)> {
        let state = self.lock();
        let all = state.queues.iter();
        all.flat_map(|(name, lines)| lines.waiting.iter().map(|message| (name.clone(), message.body.clone())))
            .collect()
    }

    /// Every dead letter.
    #[must_use]
    pub fn dead(&self) -> Vec<(QueueName, DeadLetter)> {
        let state = self.lock();
        let all = state.queues.iter();
        all.flat_map(|(name, lines)| lines.dead.iter().map(|letter| (name.clone(), letter.clone()))).collect()
    }

    /// Waits until something changed since `seen`, or until `at`.
    async fn changed(&self, queue: &QueueName, seen: u64, at: i64) {
        let mut sleep = self.clock.sleep_until(at);
        poll_fn(|context| {
            if sleep.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            let mut state = self.lock();
            let lines = state.queues.entry(queue.clone()).or_default();
            if lines.changes != seen {
                return Poll::Ready(());
            }
            lines.waiters.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Finds the message of a receipt, and does something with it.
    fn settle(
        &self,
        queue: &QueueName,
        receipt: &str,
        act: impl FnOnce(&mut Lines, usize),
    ) -> Result<(), PortError> {
        let mut state = self.lock();
        let lines = state.queues.entry(queue.clone()).or_default();
        let found = lines.waiting.iter().position(|message| message.receipt() == receipt);
        let found =
            found.ok_or_else(|| PortError::Refused(format!("{queue}: receipt {receipt} is not valid")))?;
        act(lines, found);
        lines.changed();
        Ok(())
    }
}

impl Queue for MemoryQueue {
    async fn send(&self, queue: &QueueName, messages: &[Outgoing]) -> Result<(), PortError> {
        if let Some(large) = messages.iter().find(|message| message.body.len() > MAX_BODY) {
            return Err(PortError::Refused(format!("a body of {} bytes is too large", large.body.len())));
        }
        let now = self.clock.now();
        let mut state = self.lock();
        for message in messages {
            state.next += 1;
            let id = state.next;
            let lines = state.queues.entry(queue.clone()).or_default();
            if queue.is_ordered() {
                if lines.ids.get(&message.deduplication).is_some_and(|until| *until > now) {
                    continue;
                }
                lines.ids.insert(message.deduplication.clone(), now + REMEMBERED);
            }
            let (group, body) = (message.group.clone(), message.body.clone());
            let visible_at = now.saturating_add(millis(message.delay));
            lines.join(Waiting { id, group, body, receives: 0, visible_at, joins_at: now });
        }
        state.queues.entry(queue.clone()).or_default().changed();
        Ok(())
    }

    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let end = self.clock.now().saturating_add(millis(wait));
        loop {
            let now = self.clock.now();
            let (taken, next, seen) = {
                let mut state = self.lock();
                let lines = state.queues.entry(queue.clone()).or_default();
                let hidden_until = now.saturating_add(millis(visibility));
                let (ordered, max_receives) = (queue.is_ordered(), self.max_receives);
                let (taken, next) = lines.take(&Ask { ordered, max, max_receives, now, hidden_until });
                (taken, next, lines.changes)
            };
            if !taken.is_empty() || now >= end {
                return Ok(taken);
            }
            self.changed(queue, seen, next.min(end)).await;
        }
    }

    async fn acknowledge(&self, queue: &QueueName, receipt: &str) -> Result<(), PortError> {
        self.settle(queue, receipt, |lines, found| drop(lines.waiting.remove(found)))
    }

    async fn extend(&self, queue: &QueueName, receipt: &str, visibility: Duration) -> Result<(), PortError> {
        let until = self.clock.now().saturating_add(millis(visibility));
        self.settle(queue, receipt, |lines, found| lines.waiting[found].visible_at = until)
    }

    async fn bury(&self, queue: &QueueName, receipt: &str, reason: &str) -> Result<(), PortError> {
        self.settle(queue, receipt, |lines, found| {
            let message = lines.waiting.remove(found);
            lines.dead.push(DeadLetter { body: message.body, reason: reason.to_owned() });
        })
    }
}
