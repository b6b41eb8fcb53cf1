//! Raw evidence of people: commits, pull requests and reviews as a forge tells of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::{CommitId, Reference, TreeId};
use crate::time::Timestamp;

/// A commit, with everything that a rule about people needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitFacts {
    /// Its id.
    pub id: CommitId,
    /// Its root tree.
    pub tree: TreeId,
    /// Its parents, first parent first.
    pub parents: Vec<CommitId>,
    /// Who wrote it, as the commit says: anyone can write any name here.
    pub author: Signature,
    /// Who committed it, as the commit says.
    pub committer: Signature,
    /// E-mail addresses of `Co-authored-by` trailers.
    pub co_authors: Vec<String>,
    /// The message's first line.
    pub subject: String,
    /// The signature over the commit, as armored text, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Base64 of the bytes that the signature is over; only where there is a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_payload: Option<String>,
}

/// A name and e-mail address with a time, as a commit holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The time.
    pub time: Timestamp,
}

/// A pull request or merge request as a forge tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullRequest {
    /// The forge's number, or, in plain Git, the digest of the proposing statement.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where a person can look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who opened it.
    pub author: Identity,
    /// The branch that it asks to change.
    pub base: Reference,
    /// The head that it asks to bring there.
    pub head: CommitId,
    /// Whether the head lives in another repository.
    pub fork: bool,
    /// Whether it is open, merged or closed.
    pub state: PullRequestState,
    /// Everyone who pushed to it, where the forge tells. An identity without account and key stands for somebody who is
    /// not known: nobody's approval counts then.
    pub pushers: Vec<Identity>,
    /// Accounts that the forge finds behind the authors and committers of its commits, where it tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contributors: Vec<Identity>,
    /// The reviews, oldest first.
    pub reviews: Vec<Review>,
    /// Its labels.
    pub labels: Vec<String>,
}

impl PullRequest {
    /// Names everything that is told of it, but for where it can be looked at, and what programs said of its head:
    /// another whenever any of that is different, and the same after a comment.
    #[must_use]
    pub fn fingerprint(&self, statuses: &[Status]) -> Digest {
        let told = Self { url: None, ..self.clone() };
        let mut said: Vec<_> =
            statuses.iter().map(|status| serde_json::to_vec(status).unwrap_or_default()).collect();
        said.sort_unstable();
        let told = serde_json::to_vec(&told).unwrap_or_default();
        Digest::of(&[vec![told], said].concat().join(&b'\n'))
    }
}

/// The label by which a member lets a fork's pull request be previewed.
pub const FORK_PREVIEW_LABEL: &str = "countersign/preview";

/// Whether a pull request is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PullRequestState {
    /// It can still change.
    Open,
    /// It was merged.
    Merged,
    /// It was closed without merging.
    Closed,
}

/// Someone, as far as the evidence tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The numeric account id on the repository's host. This is what counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<u64>,
    /// The login, for people to read. It can be renamed and taken over, so it never counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The fingerprint of the key that signed, as `SHA256:…`. This is what counts in plain Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A review as given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// The forge's id, or the digest of the signed statement.
    pub id: String,
    /// Who gave it.
    pub reviewer: Identity,
    /// What it says.
    pub verdict: ReviewVerdict,
    /// The commit that it is bound to.
    pub commit: CommitId,
    /// When.
    pub submitted: Timestamp,
    /// Whether it was dismissed or taken back.
    pub dismissed: bool,
    /// Whether the forge counts it for its own branch protection, where it says so. Evidence for a reader:
    /// who counts here is up to the control repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub official: Option<bool>,
    /// Whether it is a statement signed with the reviewer's own key.
    pub signed: bool,
}

/// What a review says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReviewVerdict {
    /// Approved.
    Approved,
    /// Changes were requested.
    ChangesRequested,
    /// Only a comment.
    Commented,
}

/// What a program said of a commit: a commit status or a check run, the latest of its kind by whoever set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The forge's id.
    pub id: String,
    /// The status's context or the check run's name.
    pub context: String,
    /// The commit that it was set on.
    pub commit: CommitId,
    /// What it says.
    pub state: StatusState,
    /// What it says in the forge's own word, as `timed_out`.
    pub said: String,
    /// The account that set it; for a check run, none.
    pub setter: Identity,
    /// The id of the GitHub App that set it, for a check run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<u64>,
    /// When it was set.
    pub set: Timestamp,
}

/// What a status says, whatever the forge calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StatusState {
    /// All is well.
    Success,
    /// It is not known yet.
    Pending,
    /// Something is wrong, or it was not found out: failed, timed out, canceled.
    Failure,
    /// Nothing was looked at, or what was found is left to the reader: skipped, neutral, a warning.
    Neutral,
}
