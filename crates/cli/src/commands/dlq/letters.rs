//! Dead letters as `dlq` and `status` show them.

use countersign_core::message::QueueName;
use countersign_core::time::Timestamp;
use countersign_local::queue::LocalQueue;
use countersign_local::queue::dead::DeadLetter;
use serde_json::{Value, json};

use crate::commands::place::Form;
use crate::commands::shown::{clean, prose};
use crate::output::{Paint, paint};

/// The most dead letters of one queue that are shown to people.
const MAX_SHOWN: usize = 20;

/// A message that could not succeed, of either form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The queue that it lies in.
    pub queue: String,
    /// Its id among the dead letters of that queue.
    pub id: String,
    /// The group that it belonged to.
    pub group: String,
    /// The JSON.
    pub body: String,
    /// Why it could not succeed.
    pub reason: String,
    /// How often it was received; SQS does not keep it.
    pub receives: Option<u32>,
    /// When it was sent first; SQS does not keep it.
    pub sent: Option<Timestamp>,
    /// When it became a dead letter.
    pub died: Timestamp,
}

impl Letter {
    /// A dead letter of the embedded form.
    #[must_use]
    pub fn embedded(queue: &QueueName, letter: DeadLetter) -> Self {
        let DeadLetter { id, group, body, reason, receives, sent, died } = letter;
        let (receives, sent) = (Some(receives), Some(sent));
        Self { queue: queue.to_string(), id, group, body, reason, receives, sent, died }
    }
}

/// Every dead letter of these queues of the embedded form.
///
/// # Errors
/// When the queues cannot be read.
pub fn of(queue: &LocalQueue, names: &[QueueName]) -> anyhow::Result<Vec<Letter>> {
    let mut all = Vec::new();
    for name in names {
        all.extend(queue.dead_letters(name)?.into_iter().map(|letter| Letter::embedded(name, letter)));
    }
    Ok(all)
}

/// A dead letter for programs. Its body may name people, so it is left out.
#[must_use]
pub fn document(letter: &Letter) -> Value {
    json!({
        "queue": letter.queue, "id": letter.id, "group": letter.group, "reason": letter.reason,
        "receives": letter.receives, "sent": letter.sent, "died": letter.died,
    })
}

/// Dead letters for people.
#[must_use]
pub fn text(letters: &[Letter], form: Form<'_>, colored: bool) -> String {
    if letters.is_empty() {
        return String::new();
    }
    let mut lines = vec![paint(Paint::Bad, "dead letters", colored)];
    for letter in letters.iter().take(MAX_SHOWN) {
        lines.push(format!("  {} {}  {}", letter.queue, letter.id, letter.died));
        lines.push(prose(4, "why", &clean(&letter.reason)));
    }
    if let Some(more) = letters.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more"));
    }
    lines.push(format!("  mend what was wrong, then: countersign dlq redrive QUEUE ID {}", form.argument()));
    lines.join("\n")
}
