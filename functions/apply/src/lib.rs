#![doc = include_str!("../README.md")]

mod ending;

use std::future::Future;
use std::time::Duration;

use countersign_cluster::plan::Plan;
use countersign_cluster::{apply, inventory, keep};
use countersign_core::keys;
use countersign_core::message::{DeployDue, Message, ObservationDue, QueueName};
use countersign_core::names::ClusterName;
use countersign_core::outcome::{Check, Outcome, OutcomeResult};
use countersign_core::ports::PortError;
use countersign_core::ports::cluster::Cluster;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::Store;
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::time::Timestamp;
use countersign_ledger::authorization::{self, Authorization, Expected, Held};
use countersign_ledger::trust::Trust;

use crate::ending::Ending;

/// The stage of one cluster, with the ports that it touches the world through.
pub struct Applier<'a, S, Q, C, P> {
    /// The cluster's name: outcomes go to its queue.
    pub name: &'a ClusterName,
    /// Authorizations, manifests, the log.
    pub store: &'a S,
    /// Where outcomes and observations are sent.
    pub queue: &'a Q,
    /// The cluster.
    pub cluster: &'a C,
    /// Waits a moment: while a CRD becomes established.
    pub pause: P,
}

/// How often the kept checkpoint is written again when another writer was faster.
const KEEP_TRIES: usize = 5;

impl<S: Store, Q: Queue, C: Cluster, W, P> Applier<'_, S, Q, C, P>
where
    W: Future<Output = ()> + Send,
    P: Fn() -> W + Sync,
{
    /// Takes a batch of the cluster's `deploys` queue.
    pub async fn handle(&self, now: Timestamp, batch: &[Incoming]) -> BatchResult {
        let mut results = Vec::with_capacity(batch.len());
        for message in batch {
            results.push(self.message(now, message).await);
        }
        results
    }

    async fn message(&self, now: Timestamp, message: &Incoming) -> Result<(), StageError> {
        let parsed = message.parse::<DeployDue>()?;
        let due = parsed.body;
        let mut outcome = Outcome {
            attempt: due.attempt,
            target: due.target.clone(),
            sequence: None,
            time: now,
            result: OutcomeResult::Applied,
            summary: String::new(),
            objects: Vec::new(),
        };
        match self.carry_out(&due, now, &mut outcome).await {
            Ok(()) => {}
            Err(Ending::Again(why)) => return Err(StageError::Retry(why)),
            Err(Ending::Outcome { result, summary, objects }) => {
                outcome.result = result;
                outcome.summary = summary;
                outcome.objects = objects;
            }
        }
        tracing::info!(
            trace = parsed.trace,
            target = %due.target,
            result = ?outcome.result,
            summary = outcome.summary,
            "apply"
        );
        self.tell(&parsed.trace, &outcome).await?;
        // Only then, so that what is observed of it comes after it in the log. A crash in between repeats both.
        match outcome.result {
            OutcomeResult::Applied => self.observe(&parsed.trace, &due, &outcome).await,
            _ => Ok(()),
        }
    }

    /// Verifies, then applies. Nothing is written to the cluster before every check has passed.
    async fn carry_out(&self, due: &DeployDue, now: Timestamp, outcome: &mut Outcome) -> Result<(), Ending> {
        let authorization = self.authorized(due, now).await?;
        let granted = authorization.predicate();
        outcome.sequence = Some(granted.sequence.index);
        let digest = authorization.manifest_digest();
        let key = keys::manifest(&digest);
        let stored = self.store.get(&key).await.map_err(Ending::from)?;
        let stored =
            stored.ok_or_else(|| Ending::refused(Check::Manifest, format!("{key}: not in the store")))?;
        let manifest = authorization.manifest(&stored.bytes).map_err(Ending::from)?;
        let plan = Plan {
            target: &due.target,
            attempt: due.attempt,
            sequence: granted.sequence,
            operation: granted.operation,
            manifest: digest,
            objects: &manifest.objects,
            namespaces: &granted.namespaces,
            cluster_kinds: &granted.cluster_kinds,
            adopt: granted.adopt,
        };
        let report = apply::apply(self.cluster, self.cluster, &plan, &self.pause).await?;
        outcome.summary = format!("{} objects applied", report.objects.len());
        outcome.objects = report.objects;
        Ok(())
    }

    /// The authorization, verified in every respect, with its checkpoint kept on the cluster.
    async fn authorized(&self, due: &DeployDue, now: Timestamp) -> Result<Authorization, Ending> {
        let key = keys::authorization(&due.attempt);
        let stored = self.store.get(&key).await.map_err(Ending::from)?;
        let stored = stored.ok_or_else(|| Ending::Again(format!("{key}: not in the store yet")))?;
        let trust = self.trust().await?;
        let held = inventory::read(self.cluster, &due.target).await?;
        for _ in 0..KEEP_TRIES {
            let kept = keep::checkpoint(self.cluster).await?;
            let expected = Expected {
                trust: &trust,
                target: &due.target,
                now,
                held: held.as_ref().map(|held| Held { sequence: held.sequence, manifest: held.manifest }),
                kept: kept.as_ref().map(|kept| kept.text.as_str()),
            };
            let authorization = authorization::verify(&stored.bytes, &expected, self.store).await?;
            let larger = authorization.checkpoint();
            if kept.as_ref().is_some_and(|kept| kept.text == larger)
                || keep::keep_checkpoint(self.cluster, larger, kept.as_ref()).await?
            {
                return Ok(authorization);
            }
        }
        Err(Ending::Again("the kept checkpoint changed under every try: another apply is running".to_owned()))
    }

    /// What the cluster's owner installed, for the cluster that this really is.
    async fn trust(&self) -> Result<Trust, Ending> {
        let name = self.name;
        let installed = keep::trust(self.cluster).await?;
        let installed = installed.ok_or_else(|| {
            Ending::refused(
                Check::Signature,
                format!("{name}: no keys installed: run countersign cluster add {name}"),
            )
        })?;
        let trust = Trust::parse(installed.as_bytes()).map_err(|error| {
            Ending::refused(
                Check::Signature,
                format!("{name}: {error}: run countersign cluster add {name} again"),
            )
        })?;
        let uid = keep::uid(self.cluster).await?;
        if uid != trust.audience {
            let why = format!(
                "{name}: this cluster's UID is {uid}, its keys were installed for {}",
                trust.audience
            );
            return Err(Ending::refused(Check::Audience, why));
        }
        Ok(trust)
    }

    async fn observe(&self, trace: &str, due: &DeployDue, outcome: &Outcome) -> Result<(), StageError> {
        let observation = ObservationDue {
            attempt: due.attempt,
            target: due.target.clone(),
            sequence: outcome.sequence.unwrap_or_default(),
            since: outcome.time,
            looks: 0,
        };
        let queue = QueueName::Observations(self.name.clone());
        let name = format!("observe-{}-0", due.attempt);
        self.send(queue, &due.target.key(), name, &Message::new(trace, observation)).await
    }

    async fn tell(&self, trace: &str, outcome: &Outcome) -> Result<(), StageError> {
        let queue = QueueName::Outcomes(self.name.clone());
        let group = outcome.target.key();
        self.send(queue, &group, outcome.id().hex(), &Message::new(trace, outcome)).await
    }

    async fn send<T: serde::Serialize>(
        &self,
        queue: QueueName,
        group: &str,
        name: String,
        message: &Message<T>,
    ) -> Result<(), StageError> {
        let body = serde_json::to_string(message)
            .map_err(|error| StageError::Final(format!("a message cannot be written as JSON: {error}")))?;
        let outgoing = Outgoing { group: group.to_owned(), deduplication: name, body, delay: Duration::ZERO };
        self.queue.send(&queue, &[outgoing]).await.map_err(|error: PortError| error.into())
    }
}
