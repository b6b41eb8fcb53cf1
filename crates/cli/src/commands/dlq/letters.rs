//! Dead letters as `dlq` and `status` show them.

use countersign_core::message::QueueName;
use countersign_local::queue::LocalQueue;
use countersign_local::queue::dead::DeadLetter;
use serde_json::{Value, json};

use crate::commands::shown::{clean, prose};
use crate::output::{Paint, paint};

/// The most dead letters of one queue that are shown to people.
const MAX_SHOWN: usize = 20;

/// Every dead letter of these queues, with the queue that it lies in.
///
/// # Errors
/// When the queues cannot be read.
pub fn of(queue: &LocalQueue, names: &[QueueName]) -> anyhow::Result<Vec<(String, DeadLetter)>> {
    let mut all = Vec::new();
    for name in names {
        all.extend(queue.dead_letters(name)?.into_iter().map(|letter| (name.to_string(), letter)));
    }
    Ok(all)
}

/// A dead letter for programs. Its body may name people, so it is left out.
#[must_use]
pub fn document((queue, letter): &(String, DeadLetter)) -> Value {
    json!({
        "queue": queue, "id": letter.id, "group": letter.group, "reason": letter.reason, "receives": letter.receives,
        "sent": letter.sent, "died": letter.died,
    })
}

/// Dead letters for people.
#[must_use]
pub fn text(letters: &[(String, DeadLetter)], colored: bool) -> String {
    if letters.is_empty() {
        return String::new();
    }
    let mut lines = vec![paint(Paint::Bad, "dead letters", colored)];
    for (queue, letter) in letters.iter().take(MAX_SHOWN) {
        lines.push(format!("  {queue} {}  {}", letter.id, letter.died));
        lines.push(prose(4, "why", &clean(&letter.reason)));
    }
    if let Some(more) = letters.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more"));
    }
    lines.push("  mend what was wrong, then: countersign dlq redrive QUEUE ID --data DIR".to_owned());
    lines.join("\n")
}
