//! Pushes to a project, as GitLab's events tell of them.
//!
//! The parameter `after` is not used: the dates that could be named are those of commits, which whoever writes a commit
//! chooses. The events are read from the newest on until all pushes are told of.

use countersign_core::names::{CommitId, RepositoryId};
use serde::Deserialize;

use super::wire::User;
use super::{list, path};
use crate::client::failure::Failure;
use crate::client::{Call, Client};
use crate::host::Token;
use crate::pushes::{Feed, Push, Told};

/// The most pages of pushes to a project that are read for all merge requests together.
const MAX_PAGES: usize = 50;

/// A push. One of more references than GitLab tells of singly has no commits, and is not known to be of any branch.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    author: Option<User>,
    push_data: Option<PushData>,
}

#[derive(Debug, Deserialize)]
struct PushData {
    ref_type: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    commit_from: Option<String>,
    commit_to: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Commit {
    id: CommitId,
}

impl Event {
    /// As a push to `branch`; none where it was none.
    fn push(&self, branch: &str) -> Option<Push> {
        let data = self.push_data.as_ref()?;
        if data.ref_type.as_deref() != Some("branch") || data.reference.as_deref() != Some(branch) {
            return None;
        }
        let by = User::identity(self.author.clone());
        Push::of(by, data.commit_from.as_deref(), data.commit_to.as_deref(), false)
    }
}

/// The pushes to a project, newest first.
pub(super) fn events<'a>(
    client: &'a Client,
    token: &'a Token,
    repository: &'a RepositoryId,
) -> Feed<'a, Event> {
    let call = list(repository, &["events"]).with("action", "pushed");
    Feed::new(client.pages(token, call), MAX_PAGES)
}

/// What GitLab tells of the pushes to one merge request's branch.
pub(super) struct Pushes<'a, 'f> {
    pub(super) client: &'a Client,
    pub(super) token: &'a Token,
    pub(super) repository: &'a RepositoryId,
    pub(super) branch: String,
    /// The commit that the merge request's latest version is compared with.
    pub(super) base: Option<CommitId>,
    pub(super) events: &'f mut Feed<'a, Event>,
}

impl Told for Pushes<'_, '_> {
    fn pushes(&self) -> Vec<Push> {
        self.events.told.iter().filter_map(|event| event.push(&self.branch)).collect()
    }

    async fn read_on(&mut self) -> Result<bool, Failure> {
        self.events.read_on().await
    }

    async fn base_has(&self, commit: &CommitId) -> Result<bool, Failure> {
        let Some(base) = &self.base else { return Ok(false) };
        let call = Call::get(&path(self.repository, &["repository", "merge_base"]));
        let call = call.with("refs[]", base.as_str()).with("refs[]", commit.as_str());
        match self.client.read::<Commit>(self.token, &call).await {
            Ok(common) => Ok(common.id == *commit),
            // They have nothing in common, or what was taken away is gone.
            Err(failure) if failure.is(400) || failure.is(404) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
