//! What GitHub sends, as far as it is read.

use countersign_core::names::{CommitId, Reference};
#[cfg(feature = "read")]
use countersign_core::ports::forge::OpenPullRequest;
use countersign_core::review::Identity;
#[cfg(feature = "read")]
use countersign_core::review::{PullRequest, PullRequestState};
use serde::Deserialize;

/// A user; an empty object where the account behind a commit is not known.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct User {
    pub(super) id: Option<u64>,
    login: Option<String>,
}

impl User {
    pub(super) fn identity(user: Option<Self>) -> Identity {
        let user = user.unwrap_or_default();
        Identity { account: user.id, login: user.login, key: None }
    }
}

/// A pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    title: String,
    html_url: String,
    user: Option<User>,
    state: String,
    merged_at: Option<String>,
    merge_commit_sha: Option<String>,
    base: Side,
    pub(super) head: Side,
    labels: Vec<Label>,
    #[cfg(feature = "read")]
    updated_at: Option<String>,
}

/// A side of a pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Side {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    sha: String,
    /// None where a fork was deleted.
    repo: Option<Repository>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Repository {
    id: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Label {
    name: Option<String>,
}

impl Pull {
    /// The branch that it asks to change.
    pub(super) fn base(&self) -> Option<Reference> {
        format!("refs/heads/{}", self.base.reference).parse().ok()
    }

    /// Whether it can still change.
    #[cfg(feature = "report")]
    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// The commit that it became. An open one has a commit there that was only tried.
    pub(super) fn became(&self) -> Option<CommitId> {
        self.merged_at.as_ref()?;
        self.merge_commit_sha.as_deref()?.parse().ok()
    }

    /// The head that it asks to bring there.
    pub(super) fn head(&self) -> Option<CommitId> {
        self.head.sha.parse().ok()
    }

    /// As one that is open: what tells whether it changed; none where it has no head.
    #[cfg(feature = "read")]
    pub(super) fn open(self) -> Option<OpenPullRequest> {
        let (base, head) = (self.base()?, self.head()?);
        Some(OpenPullRequest {
            id: self.number.to_string(),
            fork: self.head.repo.is_none() || self.head.repo != self.base.repo,
            version: format!("{} {head}", self.updated_at.unwrap_or_default()),
            base,
            head,
        })
    }

    /// As evidence, without people; none where it has no head.
    #[cfg(feature = "read")]
    pub(super) fn evidence(self) -> Option<PullRequest> {
        let state = match self.state.as_str() {
            _ if self.merged_at.is_some() => PullRequestState::Merged,
            "open" => PullRequestState::Open,
            _ => PullRequestState::Closed,
        };
        Some(PullRequest {
            id: self.number.to_string(),
            base: self.base()?,
            head: self.head()?,
            fork: self.head.repo.is_none() || self.head.repo != self.base.repo,
            title: self.title,
            url: Some(self.html_url),
            author: User::identity(self.user),
            state,
            pushers: Vec::new(),
            contributors: Vec::new(),
            reviews: Vec::new(),
            labels: self.labels.into_iter().filter_map(|label| label.name).collect(),
        })
    }
}
