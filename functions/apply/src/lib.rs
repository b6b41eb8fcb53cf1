#![doc = include_str!("../README.md")]

pub mod ending;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use countersign_cluster::apply::ApplyReport;
use countersign_cluster::plan::Plan;
use countersign_cluster::{apply, inventory, keep, parallel};
use countersign_core::authorization::Sequence;
use countersign_core::keys;
use countersign_core::message::{DeployDue, Message, ObservationDue, QueueName};
use countersign_core::names::ClusterName;
use countersign_core::outcome::{Check, Outcome, OutcomeResult};
use countersign_core::ports::cluster::Cluster;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::Store;
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::time::Timestamp;
use countersign_ledger::authorization::{self, Authorization, Expected, Held};
use countersign_ledger::trust::Trust;
use serde::Serialize;

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

/// How many targets are worked on side by side.
const TARGETS: usize = 4;

impl<S: Store, Q: Queue, C: Cluster, W, P> Applier<'_, S, Q, C, P>
where
    W: Future<Output = ()> + Send,
    P: Fn() -> W + Sync,
{
    /// Takes a batch of the cluster's `deploys` queue: several targets side by side, each in its own order.
    pub async fn handle(&self, now: Timestamp, batch: &[Incoming]) -> BatchResult {
        // Where it cannot be read, each message finds out why for itself.
        let trust = self.trust().await.ok();
        let groups: BTreeSet<_> = batch.iter().map(|message| message.group.as_str()).collect();
        let tasks = groups.into_iter().map(async |group| {
            let mut done = Vec::new();
            for (at, message) in batch.iter().enumerate().filter(|(_, message)| message.group == group) {
                done.push((at, self.message(now, message, trust.as_ref()).await));
            }
            done
        });
        let mut done: Vec<_> = parallel::some(TARGETS, tasks.collect()).await.into_iter().flatten().collect();
        done.sort_by_key(|(at, _)| *at);
        self.tell(done.into_iter().map(|(_, told)| told).collect()).await
    }

    /// Asks for what was applied to be observed, and then tells all outcomes. A crash in between repeats all of it, and
    /// what was applied is followed even where the cluster is away by then and the repetition fails.
    async fn tell(&self, told: Vec<Result<Told, StageError>>) -> BatchResult {
        let (mut outcomes, mut observations, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for told in told {
            results.push(told.map(|told| {
                outcomes.push(told.outcome);
                observations.extend(told.observation);
            }));
        }
        let outcomes = (QueueName::Outcomes(self.name.clone()), outcomes);
        let observations = (QueueName::Observations(self.name.clone()), observations);
        let messages: Vec<_> =
            [observations, outcomes].into_iter().filter(|(_, messages)| !messages.is_empty()).collect();
        match self.queue.send_all(&messages).await {
            Ok(()) => results,
            Err(error) => {
                let error = StageError::from(error);
                results.into_iter().map(|result| result.and(Err(error.clone()))).collect()
            }
        }
    }

    async fn message(
        &self,
        now: Timestamp,
        message: &Incoming,
        trust: Option<&Trust>,
    ) -> Result<Told, StageError> {
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
        match self.carry_out(&due, now, trust, &mut outcome).await {
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
        if let OutcomeResult::Refused { check } = &outcome.result {
            tracing::warn!(
                metric = "Refused",
                value = 1_u64,
                trace = parsed.trace,
                ?check,
                "an authorization was refused"
            );
        }
        let group = outcome.target.key();
        let name = outcome.id().hex();
        let told = outgoing(group.clone(), name, &Message::new(&parsed.trace, &outcome))?;
        let observation = match outcome.result {
            OutcomeResult::Applied => Some(observation(&parsed.trace, &due, group, &outcome)?),
            _ => None,
        };
        Ok(Told { outcome: told, observation })
    }

    /// Applies once more what a target's inventory holds, as when somebody changed it. Every check is made again, but
    /// for the end of its time, from which the `sequence` that is held is exempt.
    ///
    /// # Errors
    /// How it ended short of its end.
    pub async fn again(&self, due: &DeployDue, sequence: Sequence, now: Timestamp) -> Result<(), Ending> {
        let authorization = self.authorized(due, now, None).await?;
        let found = authorization.predicate().sequence;
        if found != sequence {
            let why = format!(
                "the store holds an authorization of leaf {}, not of {}",
                found.index, sequence.index
            );
            return Err(Ending::refused(Check::Sequence, why));
        }
        self.apply(due, &authorization).await.map(drop)
    }

    /// Verifies, then applies. Nothing is written to the cluster before every check has passed.
    async fn carry_out(
        &self,
        due: &DeployDue,
        now: Timestamp,
        trust: Option<&Trust>,
        outcome: &mut Outcome,
    ) -> Result<(), Ending> {
        let authorization = self.authorized(due, now, trust).await?;
        outcome.sequence = Some(authorization.predicate().sequence.index);
        let report = self.apply(due, &authorization).await?;
        outcome.summary = format!("{} objects applied", report.objects.len());
        outcome.objects = report.objects;
        Ok(())
    }

    /// Applies the manifest that is authorized, if these are its bytes.
    async fn apply(&self, due: &DeployDue, authorization: &Authorization) -> Result<ApplyReport, Ending> {
        let granted = authorization.predicate();
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
        Ok(apply::apply(self.cluster, self.cluster, &plan, &self.pause).await?)
    }

    /// The authorization, verified in every respect, with its checkpoint kept on the cluster.
    async fn authorized(
        &self,
        due: &DeployDue,
        now: Timestamp,
        trust: Option<&Trust>,
    ) -> Result<Authorization, Ending> {
        let key = keys::authorization(&due.attempt);
        let stored = self.store.get(&key).await.map_err(Ending::from)?;
        let stored = stored.ok_or_else(|| Ending::Again(format!("{key}: not in the store yet")))?;
        let trust = match trust {
            Some(trust) => trust.clone(),
            None => self.trust().await?,
        };
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
}

/// What a message came to.
struct Told {
    outcome: Outgoing,
    observation: Option<Outgoing>,
}

fn observation(
    trace: &str,
    due: &DeployDue,
    group: String,
    outcome: &Outcome,
) -> Result<Outgoing, StageError> {
    let observation = ObservationDue {
        attempt: due.attempt,
        target: due.target.clone(),
        sequence: outcome.sequence.unwrap_or_default(),
        since: outcome.time,
        looks: 0,
        told: false,
    };
    outgoing(group, format!("observe-{}-0", due.attempt), &Message::new(trace, observation))
}

fn outgoing<T: Serialize>(
    group: String,
    deduplication: String,
    message: &Message<T>,
) -> Result<Outgoing, StageError> {
    let body = serde_json::to_string(message)
        .map_err(|error| StageError::Final(format!("a message cannot be written as JSON: {error}")))?;
    Ok(Outgoing { group, deduplication, body, delay: Duration::ZERO })
}
