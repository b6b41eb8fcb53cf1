//! What programs said of a commit on GitLab: commit statuses, and the jobs of its own pipelines, which GitLab tells in
//! one list. A job's is the account that started its pipeline.

use std::collections::BTreeSet;

use countersign_core::names::{CommitId, RepositoryId};
use countersign_core::ports::secrets::Secrets;
use countersign_core::review::{Status, StatusState};
use countersign_core::time::Timestamp;
use serde::Deserialize;

use super::wire::User;
use super::{Gitlab, list};
use crate::client::failure::Failure;
use crate::statuses::{MAX_PAGES, latest};

#[derive(Debug, Deserialize)]
struct WireStatus {
    id: u64,
    name: String,
    status: String,
    author: Option<User>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl<S: Secrets + Send + Sync> Gitlab<S> {
    /// The commit's statuses under one of `contexts`. Nothing where GitLab does not know the commit.
    pub(super) async fn statuses_of(
        &self,
        repository: &RepositoryId,
        commit: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, Failure> {
        let token = self.token().await?;
        let mut found = Vec::new();
        for name in contexts {
            let below = ["repository", "commits", commit.as_str(), "statuses"];
            // Without `all`, another account's status of the same name would take the place of the expected one.
            let call = list(repository, &below).with("name", name).with("all", true);
            match self.client.all::<WireStatus>(&token, &call, MAX_PAGES).await {
                Ok(statuses) => found.extend(statuses),
                Err(failure) if failure.is(404) => {}
                Err(failure) => return Err(failure),
            }
        }
        found.retain(|status| contexts.contains(&status.name));
        Ok(latest(found.into_iter().map(|status| status.evidence(commit))))
    }
}

impl WireStatus {
    fn evidence(self, commit: &CommitId) -> Status {
        let state = match self.status.as_str() {
            "success" => StatusState::Success,
            "failed" | "canceled" | "canceling" => StatusState::Failure,
            "skipped" | "manual" => StatusState::Neutral,
            _ => StatusState::Pending,
        };
        Status {
            id: self.id.to_string(),
            context: self.name,
            commit: commit.clone(),
            state,
            said: self.status,
            setter: User::identity(self.author),
            app: None,
            set: self.finished_at.unwrap_or(self.created_at),
        }
    }
}
