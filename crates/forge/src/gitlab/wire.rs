//! What GitLab sends, as far as it is read.

use countersign_core::names::{CommitId, Reference};
#[cfg(feature = "read")]
use countersign_core::ports::forge::OpenPullRequest;
use countersign_core::review::Identity;
#[cfg(feature = "read")]
use countersign_core::review::{PullRequest, PullRequestState};
use countersign_core::time::Timestamp;
use serde::Deserialize;

/// A user.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    username: Option<String>,
}

impl User {
    pub(super) fn identity(user: Option<Self>) -> Identity {
        let (account, login) = user.map_or((None, None), |user| (Some(user.id), user.username));
        Identity { account, login, key: None }
    }
}

/// A merge request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct MergeRequest {
    pub(super) iid: u64,
    title: String,
    web_url: Option<String>,
    author: Option<User>,
    state: String,
    sha: Option<String>,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
    pub(super) target_branch: String,
    pub(super) source_branch: String,
    source_project_id: Option<u64>,
    target_project_id: u64,
    #[serde(default)]
    labels: Vec<String>,
    pub(super) created_at: Timestamp,
    #[cfg(feature = "read")]
    updated_at: Option<String>,
}

impl MergeRequest {
    /// Whether it can still change.
    #[cfg(feature = "report")]
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "opened" | "locked")
    }

    /// The branch that it asks to change.
    pub(super) fn base(&self) -> Option<Reference> {
        format!("refs/heads/{}", self.target_branch).parse().ok()
    }

    /// The commit that it became; none where the branch was only moved to its head.
    pub(super) fn became(&self) -> Option<CommitId> {
        let merged = self.state == "merged";
        let commit = self.merge_commit_sha.as_deref().or(self.squash_commit_sha.as_deref());
        commit.filter(|_| merged)?.parse().ok()
    }

    /// The head that it asks to bring there.
    pub(super) fn head(&self) -> Option<CommitId> {
        self.sha.as_deref()?.parse().ok()
    }

    /// As one that is open: what tells whether it changed; none where it has no head.
    #[cfg(feature = "read")]
    pub(super) fn open(self) -> Option<OpenPullRequest> {
        let (base, head) = (self.base()?, self.head()?);
        Some(OpenPullRequest {
            id: self.iid.to_string(),
            fork: self.source_project_id != Some(self.target_project_id),
            version: format!("{} {head}", self.updated_at.unwrap_or_default()),
            base,
            head,
        })
    }

    /// As evidence, without people; none where it has no head.
    #[cfg(feature = "read")]
    pub(super) fn evidence(&self) -> Option<PullRequest> {
        let state = match self.state.as_str() {
            "merged" => PullRequestState::Merged,
            "closed" => PullRequestState::Closed,
            // One that is being merged is locked.
            _ => PullRequestState::Open,
        };
        Some(PullRequest {
            id: self.iid.to_string(),
            base: self.base()?,
            head: self.head()?,
            fork: self.source_project_id != Some(self.target_project_id),
            title: self.title.clone(),
            url: self.web_url.clone(),
            author: User::identity(self.author.clone()),
            state,
            pushers: Vec::new(),
            contributors: Vec::new(),
            reviews: Vec::new(),
            labels: self.labels.clone(),
        })
    }
}

/// A note on a merge request, by a person or by GitLab about what a person did.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Note {
    pub(super) id: u64,
    pub(super) body: String,
    pub(super) author: Option<User>,
    #[serde(default)]
    pub(super) system: bool,
    pub(super) created_at: Timestamp,
}
