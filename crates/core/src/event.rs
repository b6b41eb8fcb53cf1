//! What happened at a forge, as one closed enum. An event is a hint: the ref's tip is what is decided.

use serde::{Deserialize, Serialize};

use crate::names::{CommitId, Reference, RepositoryId, Target};
use crate::statement::SignedStatement;
use crate::time::Timestamp;

/// One thing that happened, or that is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Names this event for ever: the delivery's id with its host, or what made it due. The cause of attempts.
    pub id: String,
    /// When it was received: the time that every fact gathered for it speaks of.
    pub received: Timestamp,
    /// Where it happened.
    pub repository: RepositoryId,
    /// Who the forge says did it, as the forge names them. Evidence for a reader, never for a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventKind {
    /// A branch or tag was created or moved.
    Pushed {
        /// Which.
        reference: Reference,
        /// Where it was, unless it is new.
        before: Option<CommitId>,
        /// Where it is said to be now.
        after: CommitId,
        /// Whether the forge says that history was rewritten.
        forced: bool,
    },
    /// A branch or tag was deleted.
    Deleted {
        /// Which.
        reference: Reference,
        /// Where it was.
        before: Option<CommitId>,
    },
    /// Something about a pull request changed.
    PullRequest {
        /// What was done to it.
        action: PullRequestAction,
        /// The forge's number, or the digest of the proposing statement.
        pull_request: String,
        /// The branch that it asks to change.
        base: Reference,
        /// The head that it asks to bring there.
        head: CommitId,
        /// Whether the head lives in another repository.
        fork: bool,
    },
    /// A review was given or taken back.
    Review {
        /// What was done.
        action: ReviewAction,
        /// The forge's number, or the digest of the proposing statement, where the forge says it.
        pull_request: String,
        /// The branch that the pull request asks to change.
        base: Reference,
        /// The head that the pull request asks to bring there, where the forge says it.
        head: Option<CommitId>,
    },
    /// A program said something of a commit: it set a commit status or a check run.
    Status {
        /// The commit.
        commit: CommitId,
        /// The status's context or the check run's name, where the forge says it.
        context: Option<String>,
    },
    /// A signed command arrived, by `POST /commands` or as a statement.
    Command {
        /// The statement as signed.
        statement: SignedStatement,
    },
    /// Something makes another look at a reference due: a start, a poll, what a pull request changed.
    RefDue {
        /// Which.
        reference: Reference,
        /// Whether every target is looked at, also those that nothing seems to have touched.
        #[serde(default)]
        every_target: bool,
    },
    /// Something makes another look at one target due: a retry, an activation, a superseded decision.
    TargetDue {
        /// Which.
        target: Target,
        /// Whether the tip is looked at in any case: a retry looks at what is wanted where the tip was denied.
        #[serde(default)]
        at_tip: bool,
    },
    /// The forge says hello.
    Ping,
}

/// What was done to a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PullRequestAction {
    /// Opened or opened again.
    Opened,
    /// Its head moved.
    Synchronized,
    /// Its title, base or labels changed.
    Edited,
    /// Closed without merging.
    Closed,
    /// Merged.
    Merged,
}

/// What was done about a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReviewAction {
    /// Approved.
    Approved,
    /// Changes were requested.
    ChangesRequested,
    /// Only a comment.
    Commented,
    /// An earlier review was dismissed or taken back.
    Dismissed,
}

impl Event {
    /// The queue group that keeps the events of one thing in order: a branch, all tags of a repository,
    /// one pull request's previews, or one target.
    #[must_use]
    pub fn group(&self) -> String {
        let repository = self.repository.to_string();
        let parts = match &self.kind {
            EventKind::Pushed { reference, .. }
            | EventKind::Deleted { reference, .. }
            | EventKind::RefDue { reference, .. } => match reference.tag() {
                Some(_) => ["tags", &repository, ""],
                None => ["ref", &repository, reference.as_str()],
            },
            EventKind::PullRequest { pull_request, .. } | EventKind::Review { pull_request, .. } => {
                ["pull-request", &repository, pull_request.as_str()]
            }
            EventKind::Status { commit, .. } => ["status", &repository, commit.as_str()],
            EventKind::TargetDue { target, .. } => return target.key(),
            EventKind::Command { .. } => ["commands", &repository, ""],
            EventKind::Ping => ["ping", &repository, ""],
        };
        crate::digest::Digest::of_parts(&parts).hex()
    }
}
