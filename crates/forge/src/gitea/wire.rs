//! What Gitea and Forgejo send, as far as it is read.

use countersign_core::names::{CommitId, Reference};
#[cfg(feature = "read")]
use countersign_core::ports::forge::OpenPullRequest;
use countersign_core::review::Identity;
#[cfg(feature = "read")]
use countersign_core::review::{PullRequest, PullRequestState};
#[cfg(feature = "read")]
use countersign_core::time::Timestamp;
use serde::Deserialize;

/// A user; the id of a deleted one is negative.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct User {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) login: String,
}

impl User {
    pub(super) fn identity(user: Option<Self>) -> Identity {
        let Some(user) = user else { return Identity::default() };
        let account = u64::try_from(user.id).ok().filter(|id| *id > 0);
        let login = (!user.login.is_empty()).then_some(user.login);
        Identity { account, login, key: None }
    }
}

/// A pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    html_url: String,
    user: Option<User>,
    base: Side,
    head: Side,
    #[serde(default)]
    state: String,
    #[serde(default)]
    merged: bool,
    merge_commit_sha: Option<String>,
    labels: Option<Vec<Label>>,
    #[cfg(feature = "read")]
    updated_at: Option<String>,
    #[cfg(feature = "read")]
    created_at: Option<Timestamp>,
    #[cfg(feature = "read")]
    merge_base: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Side {
    /// The name of the branch, also when it is gone.
    #[cfg(feature = "read")]
    label: Option<String>,
    #[serde(rename = "ref", default)]
    reference: String,
    #[serde(default)]
    sha: String,
    #[serde(default)]
    repo_id: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct Label {
    name: String,
}

/// Where the commits of a pull request come from.
#[cfg(feature = "read")]
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The branch; none where they were pushed to the pull request itself, by who opened it.
    pub(super) branch: Option<String>,
    /// The commit that they have in common with the base.
    pub(super) base: Option<CommitId>,
    /// When it was opened.
    pub(super) opened: Option<Timestamp>,
}

impl Pull {
    /// Where its commits come from. One without a branch ("AGit") has the name of its own head and no label.
    #[cfg(feature = "read")]
    pub(super) fn origin(&self) -> Origin {
        let named = &self.head.reference;
        let agit =
            self.head.label.as_deref() == Some("") && *named == format!("refs/pull/{}/head", self.number);
        let label = self.head.label.clone().filter(|label| !label.is_empty());
        Origin {
            branch: (!agit).then(|| label.unwrap_or_else(|| named.clone())),
            base: self.merge_base.as_deref().and_then(|commit| commit.parse().ok()),
            opened: self.created_at,
        }
    }

    /// The branch that it asks to change.
    pub(super) fn base(&self) -> Option<Reference> {
        format!("refs/heads/{}", self.base.reference).parse().ok()
    }

    /// The commit that it became.
    pub(super) fn became(&self) -> Option<CommitId> {
        self.merge_commit_sha.as_deref().filter(|_| self.merged)?.parse().ok()
    }

    /// The head that it asks to bring there.
    pub(super) fn head(&self) -> Option<CommitId> {
        self.head.sha.parse().ok()
    }

    /// Whether it can still change.
    #[cfg(feature = "report")]
    pub(super) fn is_open(&self) -> bool {
        !self.merged && self.state == "open"
    }

    /// As one that is open: what tells whether it changed; none where it has no head.
    #[cfg(feature = "read")]
    pub(super) fn open(self) -> Option<OpenPullRequest> {
        let (base, head) = (self.base()?, self.head()?);
        Some(OpenPullRequest {
            id: self.number.to_string(),
            fork: self.head.repo_id != self.base.repo_id,
            version: format!("{} {head}", self.updated_at.unwrap_or_default()),
            base,
            head,
        })
    }

    /// As evidence, without reviews; none where it has no head.
    #[cfg(feature = "read")]
    pub(super) fn evidence(self) -> Option<PullRequest> {
        let state = match self.state.as_str() {
            _ if self.merged => PullRequestState::Merged,
            "open" => PullRequestState::Open,
            _ => PullRequestState::Closed,
        };
        Some(PullRequest {
            id: self.number.to_string(),
            base: self.base()?,
            head: self.head()?,
            fork: self.head.repo_id != self.base.repo_id,
            title: self.title,
            url: (!self.html_url.is_empty()).then_some(self.html_url),
            author: User::identity(self.user),
            state,
            pushers: Vec::new(),
            contributors: Vec::new(),
            reviews: Vec::new(),
            labels: self.labels.unwrap_or_default().into_iter().map(|label| label.name).collect(),
        })
    }
}
