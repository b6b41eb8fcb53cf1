//! What follows from a leaf once it is in the log: state, authorizations, messages. All of it may be repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::decision::{Decision, Verdict};
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::event::{Event, EventKind};
use countersign_core::facts::Operation;
use countersign_core::keys;
use countersign_core::leaf::{DecisionRecord, Disposition, Leaf, OutcomeRecord, Record};
use countersign_core::message::{DeployDue, Message, QueueName, ReportDue};
use countersign_core::names::{CommitId, FollowedRef};
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::signer::Signer;
use countersign_core::ports::store::{self, Store, Write};
use countersign_core::stage::StageError;
use countersign_core::target::{ActiveBundle, TargetState};
use countersign_core::time::Timestamp;
use countersign_ledger::issue;
use countersign_ledger::view::View;
use serde::Serialize;

use crate::Recorder;
use crate::working::Working;
use crate::working::records::spends;

/// Messages to send once state is written.
#[derive(Debug, Default)]
pub struct Outbox(BTreeMap<QueueName, Vec<Outgoing>>);

impl Outbox {
    fn push<T: Serialize>(
        &mut self,
        queue: QueueName,
        group: String,
        name: String,
        message: &Message<T>,
    ) -> Result<(), StageError> {
        let body = serde_json::to_string(message)
            .map_err(|error| StageError::Final(format!("a message cannot be written as JSON: {error}")))?;
        let outgoing = Outgoing { group, deduplication: name, body, delay: Duration::ZERO };
        self.0.entry(queue).or_default().push(outgoing);
        Ok(())
    }

    /// As [`Outbox::push`], in place of what was to be sent to the same group: the last says it all.
    fn replace<T: Serialize>(
        &mut self,
        queue: QueueName,
        group: String,
        name: String,
        message: &Message<T>,
    ) -> Result<(), StageError> {
        if let Some(waiting) = self.0.get_mut(&queue) {
            waiting.retain(|earlier| earlier.group != group);
        }
        self.push(queue, group, name, message)
    }

    /// Sends everything, queue by queue.
    ///
    /// # Errors
    /// When a queue cannot be written.
    pub async fn send(self, queue: &impl Queue) -> Result<(), PortError> {
        if self.0.is_empty() {
            return Ok(());
        }
        queue.send_all(&self.0.into_iter().collect::<Vec<_>>()).await
    }
}

impl<S: Store, Q: Queue, L: Signer, A: Signer> Recorder<'_, S, Q, L, A> {
    pub(crate) async fn consequences(
        &self,
        log: &mut View<'_, S>,
        working: &mut Working<'_, S>,
        outbox: &mut Outbox,
        (index, leaf): (u64, &Leaf),
    ) -> Result<(), StageError> {
        let time = leaf.time;
        match &leaf.record {
            Record::Genesis(genesis) => {
                let (bundle, commit) = (genesis.bundle, genesis.commit.clone());
                working.activate(ActiveBundle { bundle, index, commit }).await?;
                activated(working, outbox, index, time, &genesis.bundle).await?;
            }
            Record::Decision(record) => {
                working.fold_decision(index, time, record).await?;
                working.report_decision(index, record).await?;
                self.follow(log, working, outbox, (index, time), record).await?;
            }
            Record::Outcome(record) => {
                working.fold_outcome(index, time, record).await?;
                if record.result.is_end() {
                    working.later(Write::put_json(keys::ended(&record.attempt), &index)?);
                }
                self.ended(log, working, outbox, (index, time), record).await?;
            }
            Record::Rejected(_) | Record::Rotation(_) => {}
        }
        Ok(working.settle(leaf.record.name(), index)?)
    }

    /// What follows from a decision.
    async fn follow(
        &self,
        log: &mut View<'_, S>,
        working: &mut Working<'_, S>,
        outbox: &mut Outbox,
        (index, time): (u64, Timestamp),
        record: &DecisionRecord,
    ) -> Result<(), StageError> {
        self.name_approvers(working, record).await?;
        match (record.disposition, record.operation) {
            (Disposition::Superseded, _) => {
                // Never before the look that overtook this one: where the clocks of two zones differ, the next
                // look would be overtaken as well, and so on until they agree.
                let state = working.target(&record.target).await?;
                let since = state.as_ref().map_or(time, |state| time.max(state.latest.began));
                // A retry that was overtaken is one again; whatever else was, was a look at the tip.
                let wanted = state.as_ref().and_then(|state| state.wanted.as_ref());
                let at_tip = wanted.is_none_or(|wanted| wanted.commit != record.commit);
                if !state.is_some_and(|state| brings(&state, record)) {
                    self.ask_again(working, outbox, (index, since), record, at_tip).await?;
                }
            }
            (Disposition::Authorized, Operation::Deploy | Operation::Rollback | Operation::Remove) => {
                self.authorize(log, working, (index, time), record).await?;
                // Where state is folded anew, most of it was told of long ago: a cluster would refuse it, and say so.
                if !working.told.contains(&record.attempt) {
                    let due = DeployDue { attempt: record.attempt, target: record.target.clone() };
                    let queue = QueueName::Deploys(record.target.cluster.clone());
                    let name = format!("deploy-{}", record.attempt);
                    outbox.push(queue, record.target.key(), name, &Message::new(&record.trace, due))?;
                }
            }
            (Disposition::Authorized, Operation::Activate) => {
                if let Some(bundle) = record.new_bundle {
                    activated(working, outbox, index, time, &bundle).await?;
                }
            }
            (Disposition::Authorized, Operation::Release) => {
                // At the tip: a look at the target alone may be a retry of what was wanted before it.
                let kind =
                    EventKind::RefDue { reference: record.follows.reference.clone(), every_target: false };
                push_event(outbox, format!("again/{index}"), time, &record.follows, kind)?;
            }
            (_, _) => {}
        }
        if let Some(nonce) = &record.nonce {
            let bytes = index.to_string().into_bytes();
            working.later(Write::PutIfAbsent { key: keys::nonce(nonce), bytes });
        }
        report(outbox, index, record, &record.commit)
    }

    /// Asks again for what was superseded: a command as it was given, anything else by another look.
    async fn ask_again(
        &self,
        working: &mut Working<'_, S>,
        outbox: &mut Outbox,
        (index, time): (u64, Timestamp),
        record: &DecisionRecord,
        at_tip: bool,
    ) -> Result<(), StageError> {
        let decision = self.decision(record).await?;
        let kind = match decision.and_then(|decision| decision.command) {
            Some(statement) => {
                // Where it stands among other commands, whenever its turn comes.
                let nonce = statement.claims().ok().and_then(|claims| spends((&statement, &claims)));
                if let Some(nonce) = nonce.filter(|_| record.first.is_none()) {
                    let bytes = index.to_string().into_bytes();
                    working.later(Write::PutIfAbsent { key: keys::superseded(&nonce), bytes });
                }
                EventKind::Command { statement }
            }
            None => EventKind::TargetDue { target: record.target.clone(), at_tip },
        };
        push_event(outbox, format!("again/{index}"), time, &record.follows, kind)
    }

    /// The decision of a leaf; none where its blob was deleted, as to erase whoever it names.
    async fn decision(&self, record: &DecisionRecord) -> Result<Option<Decision>, StageError> {
        Ok(store::find_blob(self.store, keys::blob, &record.decision).await?)
    }

    /// Keeps the names behind the pseudonyms of a leaf in blobs that can be deleted.
    async fn name_approvers(
        &self,
        working: &mut Working<'_, S>,
        record: &DecisionRecord,
    ) -> Result<(), StageError> {
        if record.approvers.is_empty() {
            return Ok(());
        }
        let Some(decision) = self.decision(record).await? else { return Ok(()) };
        for person in decision.approvals.iter().filter(|a| a.counts).filter_map(|a| a.person.as_ref()) {
            let key = keys::person(&self.settings.pseudonym(person.as_str()));
            working.later(Write::PutIfAbsent { key, bytes: person.as_str().as_bytes().to_vec() });
        }
        Ok(())
    }

    /// Issues the authorization of a decision that is in the log. The first one issued is the one that counts.
    async fn authorize(
        &self,
        log: &mut View<'_, S>,
        working: &mut Working<'_, S>,
        (index, time): (u64, Timestamp),
        record: &DecisionRecord,
    ) -> Result<(), StageError> {
        let key = keys::authorization(&record.attempt);
        if self.store.get(&key).await?.is_some() {
            return Ok(());
        }
        let configuration = working.configuration(&record.bundle).await?;
        let decision: Decision = store::get_blob(self.store, keys::blob, &record.decision).await?;
        let Some(cluster) = configuration.clusters.get(&record.target.cluster) else {
            return Err(StageError::Final(format!("{}: the cluster is not configured", record.target)));
        };
        // As of the leaf's time, so that a repeat issues the same, however late it comes.
        let grant = issue::Grant {
            decision: &decision,
            audience: &cluster.uid,
            epoch: self.settings.epoch,
            now: time,
        };
        let proven = issue::issue(self.authorization_signer, log, index, &grant).await?;
        let bytes = canonical_json(&proven)
            .map_err(|error| StageError::Final(format!("an authorization cannot be written: {error}")))?;
        working.later(Write::PutIfAbsent { key, bytes });
        tracing::info!(trace = record.trace, target = %record.target, sequence = index, "authorized");
        Ok(())
    }

    async fn ended(
        &self,
        log: &mut View<'_, S>,
        working: &mut Working<'_, S>,
        outbox: &mut Outbox,
        (index, time): (u64, Timestamp),
        record: &OutcomeRecord,
    ) -> Result<(), StageError> {
        let Some((_, decision)) = self.decided(log, working, &record.attempt).await? else { return Ok(()) };
        if record.result.is_drift() {
            // It says nothing of the commit, which was deployed as it was decided.
            tracing::info!(target = %record.target, result = ?record.result, "drift");
            return Ok(());
        }
        let commits = working.report_outcome(index, time, &decision, record).await?;
        tracing::info!(trace = decision.trace, target = %record.target, result = ?record.result, "outcome");
        commits.iter().try_for_each(|commit| report(outbox, index, &decision, commit))
    }
}

/// Whether what a look asked for is on its way already, so that another look would find nothing more. Where looks
/// come side by side and a cluster fails at once, each would ask for another otherwise, without end.
fn brings(state: &TargetState, record: &DecisionRecord) -> bool {
    let wanted =
        state.wanted.as_ref().filter(|_| state.outcome.is_none() && state.latest.bundle == record.bundle);
    record.verdict == Verdict::Allowed
        && wanted.is_some_and(|wanted| {
            (&wanted.commit, wanted.manifest, wanted.operation)
                == (&record.commit, record.manifest, record.operation)
        })
}

/// Another bundle is active: everything that it follows is looked at again.
async fn activated<S: Store>(
    working: &Working<'_, S>,
    outbox: &mut Outbox,
    index: u64,
    time: Timestamp,
    bundle: &Digest,
) -> Result<(), StageError> {
    tracing::info!(%bundle, index, "a bundle is active");
    for follows in working.configuration(bundle).await?.followed_refs() {
        let id = format!("activation/{index}/{}", follows.key());
        let kind = EventKind::RefDue { reference: follows.reference.clone(), every_target: true };
        push_event(outbox, id, time, &follows, kind)?;
    }
    Ok(())
}

fn push_event(
    outbox: &mut Outbox,
    id: String,
    time: Timestamp,
    follows: &FollowedRef,
    kind: EventKind,
) -> Result<(), StageError> {
    let event =
        Event { id: id.clone(), received: time, repository: follows.repository.clone(), actor: None, kind };
    let trace = trace_of(&id);
    outbox.push(QueueName::Events, event.group(), id, &Message::new(&trace, event))
}

/// The trace of an event that `record` itself causes.
fn trace_of(id: &str) -> String {
    Digest::of(id.as_bytes()).hex().chars().take(16).collect()
}

fn report(
    outbox: &mut Outbox,
    index: u64,
    record: &DecisionRecord,
    commit: &CommitId,
) -> Result<(), StageError> {
    let due = ReportDue {
        repository: record.follows.repository.clone(),
        commit: commit.clone(),
        environment: record.target.environment.clone(),
    };
    let key = keys::commit_report(&due.repository, &due.commit, &due.environment);
    let name = format!("report-{index}-{commit}");
    let group = Digest::of(key.as_bytes()).hex();
    outbox.replace(QueueName::Reports, group, name, &Message::new(&record.trace, due))
}
