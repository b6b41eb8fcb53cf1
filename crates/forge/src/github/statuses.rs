//! What programs said of a commit on GitHub: commit statuses, which an account sets, and check runs, which an App does.

use std::collections::BTreeSet;

use countersign_core::names::CommitId;
use countersign_core::ports::secrets::Secrets;
use countersign_core::review::{Identity, Status, StatusState};
use countersign_core::time::Timestamp;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use super::wire::User;
use super::{Github, PAGE};
use crate::candidates::AT_ONCE;
use crate::client::failure::Failure;
use crate::host::Token;
use crate::place::Place;
use crate::statuses::{MAX_PAGES, latest};

#[derive(Debug, Deserialize)]
struct WireStatus {
    id: u64,
    context: String,
    state: String,
    creator: Option<User>,
    created_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

#[derive(Debug, Deserialize)]
struct CheckRun {
    id: u64,
    name: String,
    status: String,
    conclusion: Option<String>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    app: Option<App>,
}

#[derive(Debug, Deserialize)]
struct App {
    id: u64,
}

impl<S: Secrets + Send + Sync> Github<S> {
    /// The commit's statuses and check runs under one of `contexts`. Nothing where GitHub does not know the commit.
    pub(super) async fn statuses_of(
        &self,
        place: &Place<'_>,
        commit: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, Failure> {
        let token = self.token().await?;
        let call = place.call(&["commits", commit.as_str(), "statuses"]).with("per_page", PAGE);
        let statuses = match self.client.list::<WireStatus>(&token, &call, MAX_PAGES).await {
            Ok(list) => list.items,
            Err(failure) if failure.is(404) || failure.is(422) => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        let asked = statuses.into_iter().filter(|status| contexts.contains(&status.context));
        let mut found = latest(asked.map(|status| status.evidence(commit)));
        let runs: Vec<_> = contexts.iter().map(|name| self.check_runs(&token, place, commit, name)).collect();
        let runs: Vec<_> = stream::iter(runs).buffered(AT_ONCE).try_collect().await?;
        found.extend(runs.into_iter().flatten());
        Ok(found)
    }

    /// The latest check run of this name of each of its suites.
    async fn check_runs(
        &self,
        token: &Token,
        place: &Place<'_>,
        commit: &CommitId,
        name: &str,
    ) -> Result<Vec<Status>, Failure> {
        let call = place.call(&["commits", commit.as_str(), "check-runs"]).with("check_name", name);
        let call = call.with("filter", "latest").with("per_page", PAGE);
        let runs = self.client.list_of(token, &call, MAX_PAGES, |page: CheckRuns| page.check_runs).await?;
        // Names are asked for as they are; whether GitHub tells capitals apart is not left to it.
        let named = runs.items.into_iter().filter(|run| run.name == name);
        Ok(named.map(|run| run.evidence(commit)).collect())
    }
}

impl WireStatus {
    fn evidence(self, commit: &CommitId) -> Status {
        let state = match self.state.as_str() {
            "success" => StatusState::Success,
            "pending" => StatusState::Pending,
            _ => StatusState::Failure,
        };
        Status {
            id: self.id.to_string(),
            context: self.context,
            commit: commit.clone(),
            state,
            said: self.state,
            setter: User::identity(self.creator),
            app: None,
            set: self.created_at,
        }
    }
}

impl CheckRun {
    fn evidence(self, commit: &CommitId) -> Status {
        let conclusion = self.conclusion.filter(|_| self.status == "completed");
        let state = match conclusion.as_deref() {
            None => StatusState::Pending,
            Some("success") => StatusState::Success,
            // What was skipped has looked at nothing.
            Some("neutral" | "skipped") => StatusState::Neutral,
            Some(_) => StatusState::Failure,
        };
        Status {
            id: self.id.to_string(),
            context: self.name,
            commit: commit.clone(),
            state,
            said: conclusion.unwrap_or(self.status),
            setter: Identity::default(),
            app: self.app.map(|app| app.id),
            set: self.completed_at.or(self.started_at).unwrap_or_default(),
        }
    }
}
