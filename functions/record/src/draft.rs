//! From messages to drafts of records. A message that cannot be taken becomes a rejection, never silence.

use countersign_core::decision::Decision;
use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::leaf::RejectedRecord;
use countersign_core::message::{DecisionsMade, QueueName};
use countersign_core::names::ClusterName;
use countersign_core::outcome::Outcome;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::{Incoming, StageError};

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

/// A rejection of a message, or of one decision that it names.
fn rejected(queue: &str, message: &Incoming, decision: Option<&Digest>, why: &str) -> Draft {
    tracing::warn!(queue, message = message.id, why, "rejected a message");
    let decision = decision.map(Digest::hex).unwrap_or_default();
    Draft::Rejected(RejectedRecord {
        id: Digest::of_parts(&["rejected", queue, &message.body, &decision]),
        queue: queue.to_owned(),
        reason: why.chars().take(1_000).collect(),
        body: Digest::of(message.body.as_bytes()),
    })
}
