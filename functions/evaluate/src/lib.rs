#![doc = include_str!("../README.md")]

pub mod bundles;

use std::time::Duration;

use countersign_core::bundle::BundleSource;
use countersign_core::decision::Decision;
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::{Facts, Operation, Problem, Render};
use countersign_core::keys;
use countersign_core::message::{DecisionMade, DecisionsMade, FactsGathered, Message, QueueName};
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::{Store, Write};
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_policy::bundle::Bundle;
use countersign_policy::decide::{Mode, decide};
use countersign_provenance::signatures::verify_signatures;

/// The stage, with the ports that it touches the world through.
pub struct Evaluator<'a, S, Q> {
    /// Facts, bundles, decisions.
    pub store: &'a S,
    /// Where decisions are announced.
    pub queue: &'a Q,
    /// Bundles with their engines, kept between messages.
    pub bundles: &'a bundles::Bundles,
}

/// The group of all messages to `record`: there is one log.
const GROUP: &str = "log";

impl<S: Store, Q: Queue> Evaluator<'_, S, Q> {
    /// Takes a batch of the `facts` queue; its decisions travel in one message.
    pub async fn handle(&self, batch: &[Incoming]) -> BatchResult {
        let mut results = Vec::with_capacity(batch.len());
        let (mut blobs, mut made) = (Vec::new(), Vec::new());
        for message in batch {
            let result = self.message(message, &mut blobs).await;
            results.push(result.map(|decision| made.push(decision)));
        }
        match self.announce(&blobs, made).await {
            Ok(()) => results,
            Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// The decision that a message asks for, whose blob is added to those to be stored.
    async fn message(&self, message: &Incoming, blobs: &mut Vec<Write>) -> Result<DecisionMade, StageError> {
        let parsed = message.parse::<FactsGathered>()?;
        let key = keys::facts(&parsed.body.attempt);
        let stored = self.store.get(&key).await?;
        let stored = stored.ok_or_else(|| StageError::Retry(format!("{key}: not in the store yet")))?;
        let facts: Facts = serde_json::from_slice(&stored.bytes)
            .map_err(|error| StageError::Final(format!("{key}: not understood: {error}")))?;
        let decision = self.decide(facts, Digest::of(&stored.bytes)).await?;
        tracing::info!(
            trace = parsed.trace,
            target = %decision.target,
            verdict = ?decision.verdict,
            reason = decision.reason,
            "decided"
        );
        let bytes = canonical_json(&decision)
            .map_err(|error| StageError::Final(format!("a decision cannot be written as JSON: {error}")))?;
        let digest = Digest::of(&bytes);
        blobs.push(Write::PutIfAbsent { key: keys::blob(&digest), bytes });
        Ok(DecisionMade { decision: digest, trace: parsed.trace })
    }

    /// The decision on these facts, under the bundle that they name. The same facts give the same decision.
    ///
    /// # Errors
    /// When the store fails. Anything wrong with the change is a denial.
    pub async fn decide(&self, mut facts: Facts, digest: Digest) -> Result<Decision, StageError> {
        let bundle = self.bundles.get(self.store, &facts.bundle).await?;
        if facts.change.operation == Operation::Activate
            && let Err(problems) = self.compile(&facts).await?
        {
            facts.render = Render::Failed { problems };
        }
        let signatures = verify_signatures(&facts, bundle.configuration());
        Ok(decide(&bundle, &facts, digest, &signatures, Mode::Enforce))
    }

    /// Compiles the bundle that the control repository asks to make active, and stores it where `record` and
    /// every other function will look for it.
    async fn compile(&self, facts: &Facts) -> Result<Result<(), Vec<Problem>>, StageError> {
        let Some(digest) = facts.change.new_bundle else { return Ok(Ok(())) };
        let key = keys::bundle_source(&digest);
        let source = self.store.get(&key).await?;
        let source = source.ok_or_else(|| StageError::Retry(format!("{key}: not in the store yet")))?;
        let source = BundleSource::from_bytes(&source.bytes)
            .map_err(|error| StageError::Final(format!("{key}: {error}")))?;
        if source.digest() != digest {
            return Err(StageError::Final(format!(
                "{key}: the store holds other files than the digest names"
            )));
        }
        match Bundle::from_source(&source) {
            Ok(bundle) => {
                bundles::store(self.store, &bundle).await?;
                Ok(Ok(()))
            }
            Err(problems) => Ok(Err(problems)),
        }
    }

    /// Stores all decisions, then tells of them.
    async fn announce(&self, blobs: &[Write], decisions: Vec<DecisionMade>) -> Result<(), StageError> {
        let Some(first) = decisions.first() else { return Ok(()) };
        self.store.write_all(blobs).await?;
        let trace = first.trace.clone();
        let names: Vec<_> = decisions.iter().map(|made| made.decision.hex()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let deduplication = Digest::of_parts(&names).hex();
        let body = serde_json::to_string(&Message::new(&trace, DecisionsMade { decisions }))
            .map_err(|error| StageError::Final(format!("a message cannot be written as JSON: {error}")))?;
        let message = Outgoing { group: GROUP.to_owned(), deduplication, body, delay: Duration::ZERO };
        Ok(self.queue.send(&QueueName::Decisions, &[message]).await?)
    }
}
