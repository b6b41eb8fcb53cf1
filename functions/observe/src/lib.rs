#![doc = include_str!("../README.md")]

mod answered;
mod pace;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use countersign_cluster::failure::{Failure, Reason};
use countersign_cluster::health::{self, Overview, Status};
use countersign_cluster::prune::{self, Pruning};
use countersign_cluster::{inventory, parallel, plan};
use countersign_core::digest::Digest;
use countersign_core::facts::{ObjectKey, Operation};
use countersign_core::keys;
use countersign_core::manifest::Manifest;
use countersign_core::message::{Message, ObservationDue, QueueName};
use countersign_core::names::ClusterName;
use countersign_core::outcome::{Action, ObjectOutcome, Outcome, OutcomeResult};
use countersign_core::ports::cluster::{Cluster, ClusterError};
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::time::Timestamp;

pub use answered::Answered;

/// The stage of one cluster, with the ports that it touches the world through.
pub struct Observer<'a, S, Q, C> {
    /// The cluster's name: outcomes go to its queue.
    pub name: &'a ClusterName,
    /// Manifests.
    pub store: &'a S,
    /// Where outcomes, and further observations, are sent.
    pub queue: &'a Q,
    /// The cluster.
    pub cluster: &'a C,
    /// What this process answered already.
    pub answered: &'a Answered,
}

/// How many targets are looked at side by side.
const TARGETS: usize = 4;

/// What one look found.
enum Found {
    /// It came to an end.
    Ended(OutcomeResult, Account),
    /// It may still become healthy; what is recorded of it meanwhile, if anything.
    Open(Option<(OutcomeResult, Account)>),
    /// A newer authorization took over.
    Overtaken,
}

/// What is told of the objects.
struct Account {
    summary: String,
    objects: Vec<ObjectOutcome>,
}

impl Account {
    fn of(overview: &Overview) -> Self {
        Self { summary: overview.summary(), objects: overview.outcomes() }
    }

    /// What was deleted in the end belongs to the account as much as what stays.
    fn with_pruned(overview: &Overview, pruned: Vec<ObjectOutcome>) -> Self {
        let mut account = Self::of(overview);
        let deleted = pruned.iter().filter(|object| object.action == Action::Deleted).count();
        match (overview.objects.is_empty(), deleted) {
            (true, deleted) => account.summary = format!("{deleted} objects deleted"),
            (false, 0) => {}
            (false, deleted) => {
                account.summary += &format!("; {deleted} that are no longer wanted were deleted")
            }
        }
        account.objects.extend(pruned);
        account
    }

    fn waiting(overview: &Overview, waiting: &[ObjectKey]) -> Self {
        let mut account = Self::of(overview);
        let first = waiting.first().map(ToString::to_string).unwrap_or_default();
        let count = waiting.len();
        account.summary +=
            &format!("; {count} are still being deleted, as {first}: look at their finalizers");
        account
    }
}

impl<S: Store, Q: Queue, C: Cluster> Observer<'_, S, Q, C> {
    /// Takes a batch of the cluster's `observations` queue, several targets side by side.
    pub async fn handle(&self, now: Timestamp, batch: &[Incoming]) -> BatchResult {
        let bodies: Vec<_> = batch.iter().map(|message| Digest::of(message.body.as_bytes())).collect();
        let mut copies = BTreeSet::new();
        let mut is_new = |body: &Digest| !self.answered.holds(body) && copies.insert(*body);
        let (new, tasks) = bodies
            .iter()
            .zip(batch)
            .filter(|(body, _)| is_new(body))
            .map(|(body, message)| (*body, self.message(now, message)))
            .collect::<(Vec<_>, Vec<_>)>();
        let (mut told, mut again, mut results) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (body, found) in new.into_iter().zip(parallel::some(TARGETS, tasks).await) {
            let result = found.map(|found| {
                told.extend(found.outcome);
                again.extend(found.again);
            });
            results.insert(body, result);
        }
        let outcomes = (QueueName::Outcomes(self.name.clone()), told);
        let observations = (QueueName::Observations(self.name.clone()), again);
        let messages: Vec<_> =
            [outcomes, observations].into_iter().filter(|(_, messages)| !messages.is_empty()).collect();
        if let Err(error) = self.queue.send_all(&messages).await {
            let error = StageError::from(error);
            results
                .values_mut()
                .filter(|result| result.is_ok())
                .for_each(|result| *result = Err(error.clone()));
        }
        for (body, _) in results.iter().filter(|(_, result)| result.is_ok()) {
            self.answered.add(*body);
        }
        bodies.iter().map(|body| results.get(body).cloned().unwrap_or(Ok(()))).collect()
    }

    async fn message(&self, now: Timestamp, message: &Incoming) -> Result<Told, StageError> {
        let parsed = message.parse::<ObservationDue>()?;
        let (trace, mut due) = (parsed.trace, parsed.body);
        let elapsed = now.since(due.since);
        let (found, next) = match self.look(&due, elapsed).await {
            Ok(Found::Ended(result, account)) => (Some((result, account)), None),
            Ok(Found::Open(found)) => (found.filter(|_| !due.told), pace::next(due.looks, elapsed)),
            Ok(Found::Overtaken) => {
                let summary = "a newer change took over before this one was done".to_owned();
                (Some((OutcomeResult::Overtaken, Account { summary, objects: Vec::new() })), None)
            }
            Err(why) => {
                tracing::warn!(trace, target = %due.target, why, "cannot look now");
                let summary = format!("its health cannot be read: {why}");
                let late = (pace::is_late_unread(elapsed) && !due.told)
                    .then_some((OutcomeResult::Unhealthy, Account { summary, objects: Vec::new() }));
                (late, pace::next_unread(due.looks, elapsed))
            }
        };
        due.told |= found.is_some();
        let outcome = found.map(|(result, account)| told(&trace, &due, now, result, account)).transpose()?;
        let again = next.map(|delay| look_again(&trace, due, delay)).transpose()?;
        Ok(Told { outcome, again })
    }

    async fn look(&self, due: &ObservationDue, elapsed: Duration) -> Result<Found, String> {
        let held = inventory::read(self.cluster, &due.target).await.map_err(|error| error.to_string())?;
        let Some(held) = held.filter(|held| held.sequence.index == due.sequence) else {
            return Ok(Found::Overtaken);
        };
        let manifest: Manifest = store::get_blob(self.store, keys::manifest, &held.manifest)
            .await
            .map_err(|error| error.to_string())?;
        // Only a removal is ever authorized with an empty manifest.
        let operation = if manifest.objects.is_empty() { Operation::Remove } else { Operation::Deploy };
        let wanted = plan::keys(&manifest.objects).map_err(|error| error.to_string())?;
        let overview =
            health::of_all(self.cluster, &wanted).await.map_err(|error: ClusterError| error.to_string())?;
        let late = pace::is_late(due.looks, elapsed);
        let Some(healthy) = overview.healthy() else {
            tracing::debug!(target = %due.target, summary = overview.summary(), "not healthy yet");
            let bad = late || overview.status() == Status::Failed;
            return Ok(Found::Open(bad.then(|| (OutcomeResult::Unhealthy, Account::of(&overview)))));
        };
        let pruning = Pruning { target: &due.target, sequence: held.sequence, operation, healthy: &healthy };
        match prune::prune(self.cluster, self.cluster, &pruning).await {
            Ok(report) if report.is_done() => {
                let removed = operation == Operation::Remove;
                let result = if removed { OutcomeResult::Removed } else { OutcomeResult::Healthy };
                Ok(Found::Ended(result, Account::with_pruned(&overview, report.objects)))
            }
            Ok(report) => Ok(Found::Open(
                late.then(|| (OutcomeResult::Unhealthy, Account::waiting(&overview, &report.waiting))),
            )),
            Err(Failure { reason: Reason::Overtaken { .. }, .. }) => Ok(Found::Overtaken),
            Err(failure) => Err(failure.to_string()),
        }
    }
}

/// What a message came to: what is to be recorded, and another look.
struct Told {
    outcome: Option<Outgoing>,
    again: Option<Outgoing>,
}

fn told(
    trace: &str,
    due: &ObservationDue,
    now: Timestamp,
    result: OutcomeResult,
    account: Account,
) -> Result<Outgoing, StageError> {
    let outcome = Outcome {
        attempt: due.attempt,
        target: due.target.clone(),
        sequence: Some(due.sequence),
        time: now,
        result,
        summary: account.summary,
        objects: account.objects,
    };
    tracing::info!(trace, target = %due.target, result = ?outcome.result, summary = outcome.summary, "observe");
    let name = outcome.id().hex();
    outgoing(&Message::new(trace, &outcome), due, name, Duration::ZERO)
}

fn look_again(trace: &str, mut due: ObservationDue, delay: Duration) -> Result<Outgoing, StageError> {
    due.looks = due.looks.saturating_add(1);
    let name = format!("observe-{}-{}", due.attempt, due.looks);
    outgoing(&Message::new(trace, &due), &due, name, delay)
}

fn outgoing<T: serde::Serialize>(
    message: &Message<T>,
    due: &ObservationDue,
    deduplication: String,
    delay: Duration,
) -> Result<Outgoing, StageError> {
    let body = serde_json::to_string(message)
        .map_err(|error| StageError::Final(format!("a message cannot be written as JSON: {error}")))?;
    Ok(Outgoing { group: due.target.key(), deduplication, body, delay })
}
