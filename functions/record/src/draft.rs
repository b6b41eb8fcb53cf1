//! From messages to drafts of records. A message that cannot be taken becomes a rejection, never silence.

use countersign_core::decision::Decision;
use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::leaf::RejectedRecord;
use countersign_core::message::{DeadLetter, DecisionsMade, QueueName};
use countersign_core::names::ClusterName;
use countersign_core::outcome::{Outcome, OutcomeResult};
use countersign_core::ports::PortError;
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::{Incoming, StageError};
use countersign_core::time::Timestamp;

/// What a message asks to have recorded.
#[derive(Debug)]
pub enum Draft {
    /// A decision, with its blob and the trace that it belongs to.
    Decision(Box<Decision>, Digest, String),
    /// An outcome, with the queue's name and its trace.
    Outcome(Box<Outcome>, String, String),
    /// A message that could not be taken.
    Rejected(RejectedRecord),
}

/// The drafts in a message of the `decisions` queue.
///
/// # Errors
/// When the store fails. Anything wrong with the message itself is a draft of a rejection.
pub async fn decisions(store: &impl Store, message: &Incoming) -> Result<Vec<Draft>, StageError> {
    let queue = QueueName::Decisions.to_string();
    let made = match message.parse::<DecisionsMade>() {
        Ok(made) => made,
        Err(error) => return Ok(vec![rejected(&queue, message, None, &error.to_string())]),
    };
    let mut drafts = Vec::new();
    for made in made.body.decisions {
        match store::get_blob::<Decision>(store, keys::blob, &made.decision).await {
            Ok(decision) => drafts.push(Draft::Decision(Box::new(decision), made.decision, made.trace)),
            Err(PortError::Refused(why)) => {
                drafts.push(rejected(&queue, message, Some(&made.decision), &why))
            }
            Err(error @ PortError::Unavailable(_)) => return Err(error.into()),
        }
    }
    Ok(drafts)
}

/// The draft in a message of the `outcomes` queue of `cluster`.
#[must_use]
pub fn outcome(cluster: &ClusterName, message: &Incoming) -> Draft {
    let queue = QueueName::Outcomes(cluster.clone()).to_string();
    match message.parse::<Outcome>() {
        Ok(parsed) if parsed.body.target.cluster == *cluster => {
            Draft::Outcome(Box::new(parsed.body), queue, parsed.trace)
        }
        Ok(parsed) => {
            let why = format!("an outcome of {} may not come by the queue of {cluster}", parsed.body.target);
            rejected(&queue, message, None, &why)
        }
        Err(error) => rejected(&queue, message, None, &error.to_string()),
    }
}

/// The draft in a message of the `dead-letters` queue of `cluster`, or of what serves none. What should have been
/// done to a cluster failed; anything else is a rejection.
#[must_use]
pub fn dead_letter(cluster: Option<&ClusterName>, now: Timestamp, message: &Incoming) -> Draft {
    let queue = QueueName::DeadLetters(cluster.cloned()).to_string();
    let (letter, trace) = match message.parse::<DeadLetter>() {
        Ok(parsed) => (parsed.body, parsed.trace),
        Err(error) => return rejected(&queue, message, None, &error.to_string()),
    };
    let told_here = QueueName::all(cluster).into_iter().filter(|name| {
        name.dead_letters().is_some_and(|told_of| told_of == QueueName::DeadLetters(cluster.cloned()))
    });
    let Some(from) = told_here.into_iter().find(|name| name.to_string() == letter.queue) else {
        let why = format!("a dead letter of {} may not be told of by {queue}", letter.queue);
        return rejected(&queue, message, None, &why);
    };
    tracing::warn!(trace, queue = letter.queue, id = letter.id, why = letter.reason, "a dead letter");
    let was_for_cluster = matches!(from, QueueName::Deploys(_) | QueueName::Observations(_));
    match (letter.attempt, &letter.target) {
        (Some(attempt), Some(target)) if was_for_cluster && Some(&target.cluster) == cluster => {
            let summary = format!(
                "message {} of {} can never succeed: {}: mend that, then countersign dlq redrive {} {}",
                letter.id, letter.queue, letter.reason, letter.queue, letter.id
            );
            let result = OutcomeResult::Failed;
            let (target, sequence, objects) = (target.clone(), None, Vec::new());
            let outcome = Outcome { attempt, target, sequence, time: now, result, summary, objects };
            Draft::Outcome(Box::new(outcome), letter.queue, trace)
        }
        _ => Draft::Rejected(RejectedRecord {
            id: Digest::of_parts(&["dead-letter", &letter.queue, &letter.id, &letter.body.hex()]),
            queue: letter.queue,
            reason: shortened(&letter.reason),
            body: letter.body,
            attempt: letter.attempt,
            target: letter.target,
        }),
    }
}

/// The rejection of a dead letter of `queue` whose attempt has ended: the failure that it would have been is none.
#[must_use]
pub fn of_ended(outcome: Outcome, queue: String) -> RejectedRecord {
    let Outcome { attempt, target, summary, .. } = outcome;
    let body = Digest::of(summary.as_bytes());
    RejectedRecord {
        id: Digest::of_parts(&["dead-letter", &queue, &attempt.hex(), &body.hex()]),
        queue,
        reason: shortened(&summary),
        body,
        attempt: Some(attempt),
        target: Some(target),
    }
}

/// The most characters of a reason that a leaf holds.
const MAX_REASON: usize = 1_000;

fn shortened(why: &str) -> String {
    why.chars().take(MAX_REASON).collect()
}

/// A rejection of a message, or of one decision that it names.
fn rejected(queue: &str, message: &Incoming, decision: Option<&Digest>, why: &str) -> Draft {
    tracing::warn!(queue, id = message.id, why, "rejected a message");
    let decision = decision.map(Digest::hex).unwrap_or_default();
    Draft::Rejected(RejectedRecord {
        id: Digest::of_parts(&["rejected", queue, &message.body, &decision]),
        queue: queue.to_owned(),
        reason: shortened(why),
        body: Digest::of(message.body.as_bytes()),
        attempt: None,
        target: None,
    })
}
