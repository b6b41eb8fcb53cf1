//! From what a draft asks for to the record that is logged, given what the log holds.

use std::collections::BTreeSet;

use countersign_core::decision::{Decision, RuleOutcome};
use countersign_core::digest::Digest;
use countersign_core::facts::Operation;
use countersign_core::keys;
use countersign_core::leaf::{DecisionRecord, Disposition, OutcomeRecord, Record, RejectedRecord};
use countersign_core::outcome::Outcome;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{self, Store};
use countersign_core::statement::{Command, Says, SignedStatement, Statement};
use countersign_core::target::ActiveBundle;
use countersign_provenance::root;
use countersign_provenance::signatures::verify_statement;

use super::Working;
use crate::Settings;
use crate::disposition::{self, Standing};

/// The most characters of a reason that a leaf holds; the decision's blob holds all of it.
const MAX_REASON: usize = 500;

impl<S: Store> Working<'_, S> {
    pub(super) async fn decision(
        &mut self,
        decision: &Decision,
        blob: Digest,
        trace: String,
    ) -> Result<Record, PortError> {
        let claims = decision.command.as_ref().and_then(|command| command.claims().ok());
        let nonce = decision.command.as_ref().zip(claims.as_ref()).and_then(spends);
        let active = self.active().await?;
        let target = self.target(&decision.target).await?;
        let elsewhere = self.head_used_elsewhere(decision).await?;
        let first = self.first_leaf(nonce.as_ref()).await?;
        let standing = Standing {
            active: active.as_ref(),
            target: target.as_ref(),
            head_used_elsewhere: elsewhere.as_deref(),
            nonce_spent: self.is_spent(nonce.as_ref()).await?,
            first,
            recovers: recovers(decision, claims.as_ref(), active.as_ref(), self.settings),
            impossible: self.impossible(decision, active.as_ref()).await?,
        };
        let (verdict, disposition, reason) = disposition::of(decision, &standing);
        // A command that was overtaken comes again, so it has spent nothing.
        let ends = !matches!(disposition, Disposition::Superseded | Disposition::Preview);
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
            approvers: approvers(decision, self.settings),
            failed: failed_rules(decision),
            nonce: nonce.filter(|_| ends),
            first,
        })))
    }

    /// An outcome counts only for a decision in the log: of that target, and of that sequence. `decided` is
    /// the decision that the log holds of the attempt, with its index.
    pub(super) async fn outcome(
        &self,
        outcome: &Outcome,
        queue: String,
        decided: Option<&(u64, DecisionRecord)>,
    ) -> Result<Record, PortError> {
        let details = store::put_blob(self.store, keys::blob, outcome).await?;
        let agrees = decided.is_some_and(|(index, decision)| {
            decision.target == outcome.target && outcome.sequence.is_none_or(|sequence| sequence == *index)
        });
        if !agrees {
            return Ok(Record::Rejected(RejectedRecord {
                id: outcome.id(),
                queue,
                reason: format!(
                    "an outcome of attempt {} at {}, which the log does not hold so: {}",
                    outcome.attempt,
                    outcome.target,
                    outcome.summary.chars().take(MAX_REASON).collect::<String>()
                ),
                body: details,
                attempt: Some(outcome.attempt),
                target: Some(outcome.target.clone()),
            }));
        }
        Ok(Record::Outcome(OutcomeRecord {
            id: outcome.id(),
            attempt: outcome.attempt,
            target: outcome.target.clone(),
            sequence: outcome.sequence,
            result: outcome.result.clone(),
            details,
        }))
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

    /// The first leaf of a command, if it was superseded before.
    async fn first_leaf(&self, nonce: Option<&Digest>) -> Result<Option<u64>, PortError> {
        let Some(nonce) = nonce else { return Ok(None) };
        store::get_json(self.store, &keys::superseded(nonce)).await
    }

    /// Whether a command was carried out before.
    async fn is_spent(&self, nonce: Option<&Digest>) -> Result<bool, PortError> {
        let Some(nonce) = nonce else { return Ok(false) };
        Ok(self.nonces.contains(nonce) || self.store.get(&keys::nonce(nonce)).await?.is_some())
    }

    /// Why nothing could follow from a decision under the active bundle. What is in the log must come about,
    /// so what never could is not let in: one such leaf would hold up all that follow.
    async fn impossible(
        &self,
        decision: &Decision,
        active: Option<&ActiveBundle>,
    ) -> Result<Option<String>, PortError> {
        if decision.preview || active.is_none_or(|active| active.bundle != decision.bundle) {
            return Ok(None);
        }
        match decision.operation {
            Operation::Hold | Operation::Release => Ok(None),
            Operation::Activate => self.cannot_activate(decision).await,
            Operation::Deploy | Operation::Rollback if decision.manifest.is_none() => {
                Ok(Some("there is no manifest to deploy".to_owned()))
            }
            Operation::Deploy | Operation::Rollback | Operation::Remove => {
                let configuration = self.configuration(&decision.bundle).await?;
                let known = configuration.clusters.contains_key(&decision.target.cluster);
                Ok((!known).then(|| format!("{}: the cluster is not in countersign.yaml", decision.target)))
            }
        }
    }

    async fn cannot_activate(&self, decision: &Decision) -> Result<Option<String>, PortError> {
        let Some(bundle) = decision.new_bundle.filter(|_| decision.target.is_control()) else {
            return Ok(Some(
                "only the control repository's own target activates, and names a bundle".to_owned(),
            ));
        };
        // `evaluate` stores a bundle's configuration when, and only when, the bundle compiles.
        let compiled = self.store.get(&keys::bundle_configuration(&bundle)).await?.is_some();
        Ok((!compiled).then(|| format!("bundle {bundle} does not compile: correct the control repository")))
    }
}

/// Whether the root key asks to activate exactly this bundle in place of the active one.
fn recovers(
    decision: &Decision,
    claims: Option<&Statement>,
    active: Option<&ActiveBundle>,
    settings: &Settings,
) -> bool {
    let (Some(statement), Some(claims), Some(active)) = (&decision.command, claims, active) else {
        return false;
    };
    let Says::Command { command: Command::Recover { commit, bundle, replaces }, expires } = &claims.says
    else {
        return false;
    };
    decision.operation == Operation::Activate
        && *commit == decision.commit
        && Some(*bundle) == decision.new_bundle
        && *replaces == active.bundle
        && *expires > decision.began
        && is_by_root(statement, settings)
}

/// What a command spends: its nonce under the key that signed it, so that nobody can spend another's by a
/// copy. What nobody signed spends nothing.
pub(crate) fn spends((statement, claims): (&SignedStatement, &Statement)) -> Option<Digest> {
    let signer = verify_statement(statement).ok()?;
    Some(Digest::of_parts(&["nonce", &signer, &claims.nonce]))
}

/// Whether the root key made the statement's signature.
fn is_by_root(statement: &SignedStatement, settings: &Settings) -> bool {
    let signer = verify_statement(statement);
    let root_key = root::fingerprint(&settings.root_key);
    matches!((signer, root_key), (Ok(signer), Ok(root)) if signer == root)
}

fn approvers(decision: &Decision, settings: &Settings) -> Vec<String> {
    let people: BTreeSet<_> = decision
        .approvals
        .iter()
        .filter(|approval| approval.counts)
        .filter_map(|approval| approval.person.as_ref())
        .map(|person| settings.pseudonym(person.as_str()))
        .collect();
    people.into_iter().collect()
}

fn failed_rules(decision: &Decision) -> Vec<String> {
    let failed = |outcome| !matches!(outcome, RuleOutcome::Passed | RuleOutcome::Waived);
    decision.rules.iter().filter(|rule| failed(rule.outcome)).map(|rule| rule.rule.clone()).collect()
}
