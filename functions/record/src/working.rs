//! The state that a batch works on: read once, folded in memory, written at the end.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::decision::{Decision, RuleOutcome};
use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::leaf::{DecisionRecord, Disposition, OutcomeRecord, Record, RejectedRecord};
use countersign_core::names::{CommitId, FollowedRef, Target};
use countersign_core::outcome::Outcome;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{self, Store};
use countersign_core::statement::{Command, Says, SignedStatement, Statement};
use countersign_core::target::{ActiveBundle, CommitReport, TargetState};
use countersign_core::time::Timestamp;
use countersign_provenance::{root, sshsig};

use crate::Settings;
use crate::disposition::{self, Standing};
use crate::draft::Draft;
use crate::fold;

/// The state that a batch works on.
pub struct Working<'a, S> {
    store: &'a S,
    settings: &'a Settings,
    active: Option<ActiveBundle>,
    active_is_read: bool,
    targets: BTreeMap<Target, (Option<TargetState>, Option<TargetState>)>,
    heads: BTreeMap<(FollowedRef, CommitId), CommitId>,
    reports: BTreeMap<String, CommitReport>,
    names: BTreeSet<String>,
    nonces: BTreeSet<String>,
}

/// The most characters of a reason that a leaf holds; the decision's blob holds all of it.
const MAX_REASON: usize = 500;

impl<'a, S: Store> Working<'a, S> {
    /// Nothing read yet.
    pub fn new(store: &'a S, settings: &'a Settings) -> Self {
        Self {
            store,
            settings,
            active: None,
            active_is_read: false,
            targets: BTreeMap::new(),
            heads: BTreeMap::new(),
            reports: BTreeMap::new(),
            names: BTreeSet::new(),
            nonces: BTreeSet::new(),
        }
    }

    /// The record that a draft becomes at `index`, folded in; none if it is in the log already.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn record(&mut self, draft: Draft, index: u64, now: Timestamp) -> Result<Option<Record>, PortError> {
        let record = match draft {
            Draft::Rejected(record) => Record::Rejected(record),
            Draft::Decision(decision, blob, trace) => self.decision(&decision, blob, trace).await?,
            Draft::Outcome(outcome, queue, _) => self.outcome(&outcome, &queue).await?,
        };
        let name = record.name();
        if !self.names.insert(name.clone()) || self.store.get(&keys::by_name(&name)).await?.is_some() {
            return Ok(None);
        }
        match &record {
            Record::Decision(decision) => self.fold_decision(index, now, decision).await?,
            Record::Outcome(outcome) => self.fold_outcome(index, now, outcome).await?,
            Record::Genesis(_) | Record::Rejected(_) => {}
        }
        Ok(Some(record))
    }

    async fn decision(&mut self, decision: &Decision, blob: Digest, trace: String) -> Result<Record, PortError> {
        let claims = decision.command.as_ref().and_then(|command| command.claims().ok());
        let nonce = claims.as_ref().map(|claims| claims.nonce.clone());
        let active = self.active().await?;
        let target = self.target(&decision.target).await?;
        let elsewhere = self.head_used_elsewhere(decision).await?;
        let standing = Standing {
            active: active.as_ref(),
            target: target.as_ref(),
            head_used_elsewhere: elsewhere.as_deref(),
            nonce_spent: self.is_spent(nonce.as_deref()).await?,
            recovers: self.recovers(decision, claims.as_ref(), active.as_ref()),
        };
        let (verdict, disposition, reason) = disposition::of(decision, &standing);
        Ok(Record::Decision(Box::new(DecisionRecord {
            attempt: decision.attempt,
            trace,
            target: decision.target.clone(),
            follows: decision.follows.clone(),
            began: decision.began,
            verdict,
            disposition,
            reason: reason.chars().take(MAX_REASON).collect(),
            operation: decision.operation,
            commit: decision.commit.clone(),
            tree: decision.tree.clone(),
            closure: decision.closure,
            manifest: decision.manifest,
            bundle: decision.bundle,
            new_bundle: decision.new_bundle,
            hold: decision.hold.clone(),
            facts: decision.facts,
            decision: blob,
            engine: decision.engine.clone(),
            explained: decision.explained.clone(),
            approvers: self.approvers(decision),
            failed: failed_rules(decision),
            nonce,
        })))
    }

    /// An outcome counts only for a decision in the log, and for the sequence that this decision has.
    async fn outcome(&mut self, outcome: &Outcome, queue: &str) -> Result<Record, PortError> {
        let name = format!("decision-{}", outcome.attempt);
        let decided: Option<u64> = store::get_json(self.store, &keys::by_name(&name)).await?;
        let agrees = outcome.sequence.is_none_or(|sequence| Some(sequence) == decided);
        if decided.is_none() || !agrees {
            return Ok(Record::Rejected(RejectedRecord {
                id: outcome.id(),
                queue: queue.to_owned(),
                reason: format!("an outcome of attempt {}, which the log does not hold so", outcome.attempt),
                body: store::put_blob(self.store, keys::blob, outcome).await?,
            }));
        }
        Ok(Record::Outcome(OutcomeRecord {
            id: outcome.id(),
            attempt: outcome.attempt,
            target: outcome.target.clone(),
            sequence: outcome.sequence,
            result: outcome.result.clone(),
            details: store::put_blob(self.store, keys::blob, outcome).await?,
        }))
    }

    /// Whether the root key asks to activate exactly this bundle in place of the active one.
    fn recovers(&self, decision: &Decision, claims: Option<&Statement>, active: Option<&ActiveBundle>) -> bool {
        let (Some(statement), Some(claims), Some(active)) = (&decision.command, claims, active) else {
            return false;
        };
        let Says::Command { command: Command::Recover { commit, bundle, replaces }, expires } = &claims.says
        else {
            return false;
        };
        *commit == decision.commit
            && Some(*bundle) == decision.new_bundle
            && *replaces == active.bundle
            && *expires >= decision.began
            && is_by_root(statement, self.settings)
    }

    fn approvers(&self, decision: &Decision) -> Vec<String> {
        let people: BTreeSet<_> = decision
            .approvals
            .iter()
            .filter(|approval| approval.counts)
            .filter_map(|approval| approval.person.as_ref())
            .map(|person| self.settings.pseudonym(person.as_str()))
            .collect();
        people.into_iter().collect()
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

    async fn head_used_elsewhere(&self, decision: &Decision) -> Result<Option<String>, PortError> {
        for explained in &decision.explained {
            let known = self.heads.get(&(decision.follows.clone(), explained.head.clone())).cloned();
            let used = match known {
                Some(commit) => Some(commit),
                None => {
                    store::get_json(self.store, &keys::used_head(&decision.follows, &explained.head)).await?
                }
            };
            if used.is_some_and(|commit| commit != explained.commit) {
                return Ok(Some(explained.head.to_string()));
            }
        }
        Ok(None)
    }

    async fn is_spent(&mut self, nonce: Option<&str>) -> Result<bool, PortError> {
        let Some(nonce) = nonce else { return Ok(false) };
        let repeated = !self.nonces.insert(nonce.to_owned());
        Ok(repeated || self.store.get(&keys::nonce(nonce)).await?.is_some())
    }

    /// Folds a decision in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn fold_decision(&mut self, index: u64, time: Timestamp, record: &DecisionRecord) -> Result<(), PortError> {
        let state = self.target(&record.target).await?;
        let next = fold::decision(state.as_ref(), index, time, record);
        self.set(&record.target, next);
        let takes_effect = matches!(record.disposition, Disposition::Authorized | Disposition::Unchanged);
        if takes_effect {
            for explained in &record.explained {
                self.heads.insert((record.follows.clone(), explained.head.clone()), explained.commit.clone());
            }
        }
        if let (Disposition::Authorized, Some(bundle)) = (record.disposition, record.new_bundle) {
            self.activate(ActiveBundle { bundle, index, commit: record.commit.clone() }).await?;
        }
        let key = report_key(record, &record.commit);
        let known = self.report(&key).await?;
        let state = self.target(&record.target).await?;
        self.reports.insert(key, fold::report(known, index, record, state.as_ref()));
        Ok(())
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
    pub async fn fold_outcome(&mut self, index: u64, time: Timestamp, record: &OutcomeRecord) -> Result<(), PortError> {
        if let Some(state) = self.target(&record.target).await? {
            self.set(&record.target, Some(fold::outcome(&state, index, time, record)));
        }
        Ok(())
    }

    /// Folds an outcome into the reports of the commits that it speaks for; returns those commits: the one
    /// that was authorized, and a later one that asks for the same.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn fold_reports(
        &mut self,
        index: u64,
        time: Timestamp,
        decided: &DecisionRecord,
        record: &OutcomeRecord,
    ) -> Result<Vec<CommitId>, PortError> {
        let mut commits = vec![decided.commit.clone()];
        let state = self.target(&record.target).await?;
        let wanted = state.and_then(|state| state.wanted).filter(|wanted| wanted.attempt == record.attempt);
        commits.extend(wanted.map(|wanted| wanted.commit).filter(|commit| *commit != decided.commit));
        for commit in &commits {
            let key = report_key(decided, commit);
            if let Some(known) = self.report(&key).await? {
                self.reports.insert(key, fold::report_outcome(known, index, time, record));
            }
        }
        Ok(commits)
    }

    async fn report(&self, key: &str) -> Result<Option<CommitReport>, PortError> {
        match self.reports.get(key) {
            Some(report) => Ok(Some(report.clone())),
            None => store::get_json(self.store, key).await,
        }
    }

    fn set(&mut self, target: &Target, next: Option<TargetState>) {
        if let Some((_, now)) = self.targets.get_mut(target) {
            *now = next;
        }
    }

    /// Writes everything that was folded. Each write may be repeated.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn write(self) -> Result<(), PortError> {
        if let Some(active) = &self.active {
            store::put_json(self.store, keys::ACTIVE_BUNDLE, active).await?;
        }
        for ((follows, head), commit) in &self.heads {
            let key = keys::used_head(follows, head);
            self.store.put_if_absent(&key, &json(commit)).await?;
        }
        for (key, report) in &self.reports {
            store::put_json(self.store, key, report).await?;
        }
        for (before, now) in self.targets.values() {
            if let Some(now) = now {
                write_target(self.store, before.as_ref(), now).await?;
            }
        }
        Ok(())
    }
}

/// Writes a target's state with the two lists that it stands in, in an order that a crash cannot hurt: the
/// lists may name a target that needs nothing, but never miss one that does.
async fn write_target(store: &impl Store, before: Option<&TargetState>, now: &TargetState) -> Result<(), PortError> {
    let name = json(&now.target);
    let unsettled = keys::unsettled(&now.follows, &now.target);
    if !now.is_settled() {
        store.put(&unsettled, &name).await?;
    }
    if let Some(due) = now.due {
        store.put(&keys::due(due, &now.target), &name).await?;
    }
    store::put_json(store, &keys::target(&now.target), now).await?;
    if now.is_settled() {
        store.delete(&unsettled).await?;
    }
    match before {
        Some(before) if before.follows != now.follows => {
            store.delete(&keys::unsettled(&before.follows, &before.target)).await?;
        }
        _ => {}
    }
    match before.and_then(|before| before.due) {
        Some(due) if now.due != Some(due) => store.delete(&keys::due(due, &now.target)).await,
        _ => Ok(()),
    }
}

fn report_key(record: &DecisionRecord, commit: &CommitId) -> String {
    keys::commit_report(&record.follows.repository, commit, &record.target.environment)
}

fn failed_rules(decision: &Decision) -> Vec<String> {
    let failed = |outcome| !matches!(outcome, RuleOutcome::Passed | RuleOutcome::Waived);
    decision.rules.iter().filter(|rule| failed(rule.outcome)).map(|rule| rule.rule.clone()).collect()
}

/// Whether the root key made the statement's signature.
fn is_by_root(statement: &SignedStatement, settings: &Settings) -> bool {
    let signer = sshsig::verify(
        countersign_core::statement::NAMESPACE,
        statement.payload.as_bytes(),
        &statement.signature,
    );
    let root_key = root::fingerprint(&settings.root_key);
    matches!((signer, root_key), (Ok(signer), Ok(root)) if signer == root)
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
