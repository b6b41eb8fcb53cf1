//! Plain Git: what the receive hook of a bare repository sends, how it signs, and what that means.
//!
//! The hook stands in the repository, so it reads there what [`receive`] may not: the statements that
//! were pushed, and which branches they speak of.
//!
//! [`receive`]: crate::webhook::parse

use std::collections::BTreeSet;

use countersign_core::digest::{Digest, to_hex};
use countersign_core::event::{EventKind, PullRequestAction, ReviewAction};
use countersign_core::names::{CommitId, Reference, RepositoryPath};
use countersign_core::statement::{Says, SignedStatement};
use hmac::Mac as _;
use serde::{Deserialize, Serialize};

use crate::verify::mac;
use crate::webhook::body::{is_zero, missing};
use crate::webhook::{Delivered, Happened, Meaning, ParseError, due, moved};

/// The header that holds what [`sign`] returns.
pub const SIGNATURE_HEADER: &str = "X-Countersign-Signature";

/// The version of the payload that this release sends and understands.
pub const PUSH_VERSION: u32 = 1;

/// What the receive hook sends: every reference that one push moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlainPush {
    /// [`PUSH_VERSION`].
    pub v: u32,
    /// Names this push for ever; the same when it is sent again.
    pub delivery: String,
    /// The repository's path on its host.
    pub repository: RepositoryPath,
    /// Who pushed, as the server knows them. Evidence for a reader, never for a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<String>,
    /// The references that moved.
    pub updates: Vec<Update>,
}

/// One reference that moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Update {
    /// Which.
    pub reference: Reference,
    /// The object where it was. None, or zeros as Git writes them, if it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<CommitId>,
    /// The object where it is. None, or zeros as Git writes them, if it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<CommitId>,
    /// Whether history was rewritten: the new commit does not descend from the old one.
    #[serde(default)]
    pub forced: bool,
    /// For a reference below `refs/countersign/statements/`: what is there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<PushedStatement>,
}

/// A pushed statement, with what the hook found in the repository that it speaks of. Nothing is
/// verified: this only tells where to look again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushedStatement {
    /// The statement as signed.
    pub statement: SignedStatement,
    /// The proposals that it speaks of. For an approval, or the dismissal of one: those whose head is the
    /// approved commit. For a closing: the proposal that it closes. For others: none.
    #[serde(default)]
    pub proposals: Vec<Proposal>,
    /// For an approval, or the dismissal of one, that speaks of no proposal: the branches whose tip is the
    /// approved commit.
    #[serde(default)]
    pub branches: Vec<Reference>,
}

/// A proposal in the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// The digest of the proposing statement.
    pub id: Digest,
    /// The branch that it asks to change.
    pub base: Reference,
    /// The head that it asks to bring there.
    pub head: CommitId,
}

/// The value of [`SIGNATURE_HEADER`] for `body`; `None` if the secret is empty, which proves nothing.
#[must_use]
pub fn sign(secret: &[u8], body: &[u8]) -> Option<String> {
    let mac = mac(secret, &[body]).filter(|_| !secret.is_empty())?;
    Some(format!("sha256={}", to_hex(&mac.finalize().into_bytes())))
}

pub(crate) fn parse(body: &[u8]) -> Result<Delivered, ParseError> {
    /// The version alone, so that another one is told as such.
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }

    let Version { v } = serde_json::from_slice(body).map_err(|error| ParseError::malformed(&error))?;
    if v != PUSH_VERSION {
        return Err(ParseError::Version(v));
    }
    let push: PlainPush = serde_json::from_slice(body).map_err(|error| ParseError::malformed(&error))?;
    let mut kinds = Vec::new();
    for (index, update) in push.updates.into_iter().enumerate() {
        match update.statement {
            Some(statement) => kinds.extend(stated(index, statement)?),
            None => {
                let commit = |commit: Option<CommitId>| commit.filter(|commit| !is_zero(commit));
                let (before, after) = (commit(update.before), commit(update.after));
                kinds.extend(moved(update.reference, before, after, update.forced));
            }
        }
    }
    let happened = Happened { repository: push.repository, actor: push.pusher, kinds };
    Ok(("push".to_owned(), Some(push.delivery), Meaning::Happened(happened)))
}

/// What the statement of the update at `index` means.
fn stated(index: usize, pushed: PushedStatement) -> Result<Vec<EventKind>, ParseError> {
    let PushedStatement { statement, proposals, branches } = pushed;
    let claims = statement.claims().map_err(|error| {
        missing(&format!("updates[{index}].statement.statement.payload"), &error.to_string())
    })?;
    let about = |kind: fn(Proposal) -> EventKind, branches: Vec<Reference>| {
        let bases = proposals.iter().map(|proposal| proposal.base.clone());
        // A set: several proposals may ask to change the same branch, which is looked at once.
        let branches: BTreeSet<Reference> = bases.chain(branches).collect();
        proposals.iter().cloned().map(kind).chain(branches.into_iter().map(due)).collect()
    };
    Ok(match claims.says {
        Says::Propose { base, head, .. } => {
            let proposal = Proposal { id: statement.id(), base: base.clone(), head };
            vec![pull_request(PullRequestAction::Opened, proposal), due(base)]
        }
        Says::Approve { .. } => about(|proposal| review(ReviewAction::Approved, proposal), branches),
        Says::Dismiss { .. } => about(|proposal| review(ReviewAction::Dismissed, proposal), branches),
        Says::Close { .. } => about(|proposal| pull_request(PullRequestAction::Closed, proposal), Vec::new()),
        Says::Command { .. } => vec![EventKind::Command { statement }],
    })
}

fn pull_request(action: PullRequestAction, proposal: Proposal) -> EventKind {
    let Proposal { id, base, head } = proposal;
    EventKind::PullRequest { action, pull_request: id.to_string(), base, head, fork: false }
}

fn review(action: ReviewAction, proposal: Proposal) -> EventKind {
    let Proposal { id, base, head } = proposal;
    EventKind::Review { action, pull_request: id.to_string(), base, head: Some(head) }
}

#[cfg(test)]
mod tests;
