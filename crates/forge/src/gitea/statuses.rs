//! What programs said of a commit on Gitea and Forgejo: commit statuses, which accounts set.

use std::collections::BTreeSet;

use countersign_core::names::CommitId;
use countersign_core::ports::secrets::Secrets;
use countersign_core::review::{Status, StatusState};
use countersign_core::time::Timestamp;
use serde::Deserialize;

use super::wire::User;
use super::{Gitea, listed_statuses};
use crate::client::failure::Failure;
use crate::place::Place;
use crate::statuses::{MAX_PAGES, latest};

#[derive(Debug, Deserialize)]
struct WireStatus {
    id: u64,
    #[serde(default)]
    status: String,
    #[serde(default)]
    context: String,
    creator: Option<User>,
    updated_at: Timestamp,
}

impl<S: Secrets + Send + Sync> Gitea<S> {
    /// The commit's statuses under one of `contexts`. Nothing where the server does not know the commit.
    pub(super) async fn statuses_of(
        &self,
        place: &Place<'_>,
        commit: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, Failure> {
        let token = self.token().await?;
        let listed = self.client.list::<WireStatus>(&token, &listed_statuses(place, commit), MAX_PAGES).await;
        let found = match listed {
            Ok(list) => list.items,
            Err(failure) if failure.is(404) => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        let asked = found.into_iter().filter(|status| contexts.contains(&status.context));
        Ok(latest(asked.map(|status| status.evidence(commit))))
    }
}

impl WireStatus {
    fn evidence(self, commit: &CommitId) -> Status {
        let state = match self.status.as_str() {
            "success" => StatusState::Success,
            "pending" => StatusState::Pending,
            "error" | "failure" => StatusState::Failure,
            _ => StatusState::Neutral,
        };
        Status {
            id: self.id.to_string(),
            context: self.context,
            commit: commit.clone(),
            state,
            said: self.status,
            setter: User::identity(self.creator),
            app: None,
            set: self.updated_at,
        }
    }
}
