#![doc = include_str!("../README.md")]

use countersign_core::decision::Decision;
use countersign_core::facts::Facts;
use countersign_core::keys;
use countersign_core::message::ReportDue;
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{ForgeReport, Report, ReportedTarget};
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::target::{CommitReport, TargetReport};

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
        let mut targets = Vec::with_capacity(stored.targets.len());
        for (name, state) in stored.targets {
            targets.push(self.target(&name, state).await?);
        }
        let report = Report {
            repository: due.repository.clone(),
            commit: due.commit.clone(),
            environment: due.environment.clone(),
            targets,
        };
        self.forge.report(&report).await?;
        tracing::info!(trace, repository = %due.repository, commit = %due.commit, verdict = ?report.verdict(), "reported");
        Ok(())
    }

    async fn target(&self, name: &str, state: TargetReport) -> Result<ReportedTarget, StageError> {
        let decision: Decision = store::get_blob(self.store, keys::blob, &state.decision).await?;
        let facts: Option<Facts> = store::get_json(self.store, &keys::facts(&decision.attempt)).await?;
        let diff = facts.map(|facts| facts.diff).unwrap_or_default();
        let outcome = match &state.outcome {
            Some(outcome) => Some(store::get_blob(self.store, keys::blob, &outcome.details).await?),
            None => None,
        };
        let target = name
            .parse()
            .map_err(|error| PortError::Refused(format!("a stored report names no target: {error}")))?;
        Ok(ReportedTarget { target, state, decision, diff, outcome })
    }
}
