#![doc = include_str!("../README.md")]

use countersign_core::decision::{Decision, Verdict};
use countersign_core::facts::Facts;
use countersign_core::keys;
use countersign_core::message::ReportDue;
use countersign_core::names::Target;
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{ForgeReport, Report, ReportedTarget};
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::target::{CommitReport, TargetReport};

/// So many targets of a commit are told of in full, those that somebody has to do something about first; of the
/// others only how they stand. A commit that changes a thousand is reported again with each of them.
const IN_FULL: usize = 25;

/// The stage, with the ports that it touches the world through.
pub struct Reporter<'a, S, F> {
    /// Reports, decisions, outcome details.
    pub store: &'a S,
    /// Where people are told.
    pub forge: &'a F,
}

impl<S: Store, F: ForgeReport> Reporter<'_, S, F> {
    /// Takes a batch of the `reports` queue. Several messages about one commit and environment are one report.
    pub async fn handle(&self, batch: &[Incoming]) -> BatchResult {
        let mut told: Vec<(ReportDue, Result<(), StageError>)> = Vec::new();
        let mut results = Vec::with_capacity(batch.len());
        for message in batch {
            let parsed = match message.parse::<ReportDue>() {
                Ok(parsed) => parsed,
                Err(error) => {
                    results.push(Err(error));
                    continue;
                }
            };
            let known = told.iter().find(|(due, _)| *due == parsed.body).map(|(_, result)| result.clone());
            let result = match known {
                Some(result) => result,
                None => {
                    let result = self.tell(&parsed.trace, &parsed.body).await;
                    told.push((parsed.body, result.clone()));
                    result
                }
            };
            results.push(result);
        }
        results
    }

    async fn tell(&self, trace: &str, due: &ReportDue) -> Result<(), StageError> {
        let key = keys::commit_report(&due.repository, &due.commit, &due.environment);
        let Some(stored) = store::get_json::<CommitReport>(self.store, &key).await? else { return Ok(()) };
        let mut states = Vec::with_capacity(stored.targets.len());
        for (name, state) in stored.targets {
            let target = name
                .parse::<Target>()
                .map_err(|error| PortError::Refused(format!("a stored report names no target: {error}")))?;
            states.push((target, state));
        }
        if states.len() > IN_FULL {
            states.sort_by_key(|(_, state)| (state.verdict == Verdict::Allowed, !state.has_failed()));
        }
        let others = states.split_off(states.len().min(IN_FULL));
        let mut targets = Vec::with_capacity(states.len());
        for (target, state) in states {
            targets.push(self.target(target, state).await?);
        }
        let report = Report {
            repository: due.repository.clone(),
            commit: due.commit.clone(),
            environment: due.environment.clone(),
            targets,
            others,
        };
        self.forge.report(&report).await?;
        tracing::info!(trace, repository = %due.repository, commit = %due.commit, verdict = ?report.verdict(), "reported");
        Ok(())
    }

    async fn target(&self, target: Target, state: TargetReport) -> Result<ReportedTarget, StageError> {
        let decision: Decision = store::get_blob(self.store, keys::blob, &state.decision).await?;
        let facts: Option<Facts> = store::get_json(self.store, &keys::facts(&decision.attempt)).await?;
        let diff = facts.map(|facts| facts.diff).unwrap_or_default();
        let outcome = match &state.outcome {
            Some(outcome) => Some(store::get_blob(self.store, keys::blob, &outcome.details).await?),
            None => None,
        };
        Ok(ReportedTarget { target, state, decision, diff, outcome })
    }
}
