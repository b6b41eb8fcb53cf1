//! The state that a batch works on: read once, folded in memory, written at the end.

pub(crate) mod records;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_core::active::ConfigurationCache;
use countersign_core::configuration::Configuration;
use countersign_core::digest::Digest;
use countersign_core::facts::Operation;
use countersign_core::keys;
use countersign_core::leaf::{DecisionRecord, Disposition, OutcomeRecord, Record};
use countersign_core::message::QueueName;
use countersign_core::names::{AttemptId, CommitId, FollowedRef, Target};
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{self, Store, Write};
use countersign_core::stage::StageError;
use countersign_core::target::{ActiveBundle, CommitReport, TargetState};
use countersign_core::time::Timestamp;

use crate::draft::{self, Draft};
use crate::{Settings, fold, leaf};

/// The state that a batch works on.
pub struct Working<'a, S> {
    store: &'a S,
    settings: &'a Settings,
    configurations: &'a ConfigurationCache,
    active: Option<ActiveBundle>,
    active_is_read: bool,
    targets: BTreeMap<Target, (Option<TargetState>, Option<TargetState>)>,
    heads: BTreeMap<(FollowedRef, CommitId), CommitId>,
    reports: BTreeMap<String, CommitReport>,
    names: BTreeSet<String>,
    nonces: BTreeSet<Digest>,
    indexes: BTreeMap<String, u64>,
    writes: Vec<Write>,
    ended: BTreeSet<AttemptId>,
    /// Attempts of which the log has an outcome: their authorizations were announced.
    pub told: BTreeSet<AttemptId>,
    asking: BTreeMap<AttemptId, BTreeSet<CommitId>>,
}

impl<'a, S: Store> Working<'a, S> {
    /// Nothing read yet.
    pub fn new(store: &'a S, settings: &'a Settings, configurations: &'a ConfigurationCache) -> Self {
        Self {
            store,
            settings,
            configurations,
            active: None,
            active_is_read: false,
            targets: BTreeMap::new(),
            heads: BTreeMap::new(),
            reports: BTreeMap::new(),
            names: BTreeSet::new(),
            nonces: BTreeSet::new(),
            indexes: BTreeMap::new(),
            writes: Vec::new(),
            ended: BTreeSet::new(),
            told: BTreeSet::new(),
            asking: BTreeMap::new(),
        }
    }

    /// The leaf that a draft becomes at `index`, folded in; none if it is in the log already. For an outcome,
    /// `decided` is the decision that the log holds of its attempt, with its index.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn leaf(
        &mut self,
        draft: Draft,
        decided: Option<&(u64, DecisionRecord)>,
        index: u64,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StageError> {
        let draft = match draft {
            // That an authorization was refused is told at any time: somebody may have forged one. So is what
            // became later of what was applied.
            Draft::Outcome(outcome, queue, trace)
                if !matches!(outcome.result, OutcomeResult::Refused { .. })
                    && !outcome.result.is_drift()
                    && self.has_ended(&outcome.attempt).await? =>
            {
                if queue == QueueName::Outcomes(outcome.target.cluster.clone()).to_string() {
                    // A message that came again, after all was said: as when a cluster was away at the repeat.
                    tracing::info!(target = %outcome.target, result = ?outcome.result, "said after its attempt ended");
                    return Ok(None);
                }
                // A dead letter is no failure of an attempt that has ended, and is logged all the same.
                tracing::warn!(trace, target = %outcome.target, queue, "a dead letter of an attempt that has ended");
                Draft::Rejected(draft::of_ended(*outcome, queue))
            }
            draft => draft,
        };
        let record = match draft {
            Draft::Rejected(record) => Record::Rejected(record),
            Draft::Decision(decision, blob, trace) => self.decision(&decision, blob, trace).await?,
            Draft::Outcome(outcome, queue, _) => self.outcome(&outcome, queue, decided).await?,
        };
        let (record, bytes) = leaf::of(now, record)?;
        let name = record.name();
        if !self.names.insert(name.clone()) || self.store.get(&keys::by_name(&name)).await?.is_some() {
            return Ok(None);
        }
        match &record {
            Record::Decision(decision) => {
                self.nonces.extend(decision.nonce);
                self.fold_decision(index, now, decision).await?;
            }
            Record::Outcome(outcome) => {
                if outcome.result.is_end() {
                    self.ended.insert(outcome.attempt);
                }
                self.fold_outcome(index, now, outcome).await?;
            }
            Record::Genesis(_) | Record::Rejected(_) | Record::Rotation(_) => {}
        }
        Ok(Some(bytes))
    }

    /// Writes something when all is written, before the state that was folded.
    pub fn later(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// Notes the index of the record of this name.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn settle(&mut self, name: String, index: u64) -> Result<(), PortError> {
        self.writes.push(Write::put_json(keys::by_name(&name), &index)?);
        self.indexes.insert(name, index);
        Ok(())
    }

    /// The index of the record of this name, if it is settled.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn index_of(&self, name: &str) -> Result<Option<u64>, PortError> {
        match self.indexes.get(name) {
            Some(index) => Ok(Some(*index)),
            None => store::get_json(self.store, &keys::by_name(name)).await,
        }
    }

    async fn has_ended(&self, attempt: &AttemptId) -> Result<bool, PortError> {
        Ok(self.ended.contains(attempt) || self.store.get(&keys::ended(attempt)).await?.is_some())
    }

    /// The configuration of a bundle.
    ///
    /// # Errors
    /// When the store cannot be read, or does not hold it.
    pub async fn configuration(&self, bundle: &Digest) -> Result<Arc<Configuration>, PortError> {
        Ok(self.configurations.of(self.store, bundle).await?.configuration)
    }

    async fn active(&mut self) -> Result<Option<ActiveBundle>, PortError> {
        if !self.active_is_read {
            self.active = store::get_json(self.store, keys::ACTIVE_BUNDLE).await?;
            self.active_is_read = true;
        }
        Ok(self.active.clone())
    }

    /// The target's state as folded so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn target(&mut self, target: &Target) -> Result<Option<TargetState>, PortError> {
        if !self.targets.contains_key(target) {
            let stored: Option<TargetState> = store::get_json(self.store, &keys::target(target)).await?;
            self.targets.insert(target.clone(), (stored.clone(), stored));
        }
        Ok(self.targets.get(target).and_then(|(_, now)| now.clone()))
    }

    /// Folds a decision in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn fold_decision(
        &mut self,
        index: u64,
        time: Timestamp,
        record: &DecisionRecord,
    ) -> Result<(), PortError> {
        let state = self.target(&record.target).await?;
        let next = fold::decision(state.as_ref(), index, time, record);
        self.set(&record.target, next);
        let takes_effect = matches!(record.disposition, Disposition::Authorized | Disposition::Unchanged);
        if takes_effect {
            for explained in &record.explained {
                self.heads.insert((record.follows.clone(), explained.head.clone()), explained.commit.clone());
            }
        }
        let activates =
            (record.disposition, record.operation) == (Disposition::Authorized, Operation::Activate);
        if let Some(bundle) = record.new_bundle.filter(|_| activates) {
            self.activate(ActiveBundle { bundle, index, commit: record.commit.clone() }).await?;
        }
        Ok(())
    }

    /// Folds a decision, which is folded into its target already, into its commit's report.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn report_decision(&mut self, index: u64, record: &DecisionRecord) -> Result<(), PortError> {
        let key = report_key(record, &record.commit);
        let state = self.target(&record.target).await?;
        let wanted = state.as_ref().and_then(|state| state.wanted.as_ref());
        let command = matches!(record.operation, Operation::Hold | Operation::Release);
        if let Some(wanted) = wanted.filter(|_| record.disposition == Disposition::Unchanged && !command) {
            self.asks_for(&wanted.attempt, &record.commit).await?;
        }
        let known = self.report(&key).await?;
        self.reports.insert(key, fold::report(known, index, record, state.as_ref()));
        Ok(())
    }

    /// Notes that a commit asks for what an attempt brings.
    async fn asks_for(&mut self, attempt: &AttemptId, commit: &CommitId) -> Result<(), PortError> {
        let mut commits = self.asking(attempt).await?;
        commits.insert(commit.clone());
        self.asking.insert(*attempt, commits);
        Ok(())
    }

    async fn asking(&self, attempt: &AttemptId) -> Result<BTreeSet<CommitId>, PortError> {
        match self.asking.get(attempt) {
            Some(commits) => Ok(commits.clone()),
            None => Ok(store::get_json(self.store, &keys::asking(attempt)).await?.unwrap_or_default()),
        }
    }

    /// Makes a bundle the active one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn activate(&mut self, bundle: ActiveBundle) -> Result<(), PortError> {
        if self.active().await?.is_none_or(|active| active.index <= bundle.index) {
            self.active = Some(bundle);
        }
        Ok(())
    }

    /// Folds an outcome in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn fold_outcome(
        &mut self,
        index: u64,
        time: Timestamp,
        record: &OutcomeRecord,
    ) -> Result<(), PortError> {
        if let Some(state) = self.target(&record.target).await? {
            self.set(&record.target, Some(fold::outcome(&state, index, time, record)));
        }
        Ok(())
    }

    /// Folds an outcome into the reports of the commits that it speaks for; returns those commits: the one
    /// that was authorized, and all later ones that ask for the same.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn report_outcome(
        &mut self,
        index: u64,
        time: Timestamp,
        decided: &DecisionRecord,
        record: &OutcomeRecord,
    ) -> Result<Vec<CommitId>, PortError> {
        let mut commits = vec![decided.commit.clone()];
        let asking = self.asking(&record.attempt).await?;
        commits.extend(asking.into_iter().filter(|commit| *commit != decided.commit));
        for commit in &commits {
            let key = report_key(decided, commit);
            if let Some(known) = self.report(&key).await? {
                self.reports.insert(key, fold::report_outcome(known, index, time, record));
            }
        }
        Ok(commits)
    }

    /// A report, taken out to be folded on: one that tells of many targets is not copied for each of them.
    async fn report(&mut self, key: &str) -> Result<Option<CommitReport>, PortError> {
        match self.reports.remove(key) {
            Some(report) => Ok(Some(report)),
            None => store::get_json(self.store, key).await,
        }
    }

    fn set(&mut self, target: &Target, next: Option<TargetState>) {
        if let Some((_, now)) = self.targets.get_mut(target) {
            *now = next;
        }
    }
}

fn report_key(record: &DecisionRecord, commit: &CommitId) -> String {
    keys::commit_report(&record.follows.repository, commit, &record.target.environment)
}
