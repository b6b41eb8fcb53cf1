//! Which of what people said speaks of a commit that takes part. Pure, but for one question of merges.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::digest::Digest;
use countersign_core::facts::Range;
use countersign_core::names::CommitId;
use countersign_core::ports::forge::Evidence;
use countersign_core::review::{CommitFacts, PullRequestState};
use countersign_core::statement::{Says, SignedStatement};
use countersign_git::error::GitError;
use countersign_git::repository::Repository;

/// Every commit that somebody proposed or approved.
pub fn heads(evidence: &Evidence) -> Vec<CommitId> {
    let claimed = evidence.statements.iter().filter_map(|statement| match statement.claims().ok()?.says {
        Says::Propose { head, .. } | Says::Approve { head } => Some(head),
        _ => None,
    });
    let opened = evidence.pull_requests.iter().map(|pull_request| pull_request.head.clone());
    claimed.chain(opened).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Heads that were merged into the range and explain nothing there, with where the range began: a merge that was
/// edited by hand. Whoever approved such a head is told why that does not count.
pub fn merged_otherwise(
    repository: &Repository,
    range: &Range,
    evidence: &Evidence,
) -> Result<Vec<(CommitId, CommitId)>, GitError> {
    let Some(from) = &range.from else { return Ok(Vec::new()) };
    if !repository.has(from)? {
        return Ok(Vec::new());
    }
    let merged: BTreeSet<_> = range.commits.iter().flat_map(|commit| commit.parents.iter().skip(1)).collect();
    let became = evidence
        .pull_requests
        .iter()
        .filter(|request| request.state == PullRequestState::Merged)
        .map(|request| &request.head)
        .collect::<BTreeSet<_>>();
    let heads = heads(evidence).into_iter().filter(|head| merged.contains(head) || became.contains(head));
    let mut found = Vec::new();
    for head in heads {
        if repository.has(&head)? {
            found.push((head, from.clone()));
        }
    }
    Ok(found)
}

/// The evidence that speaks of heads that take part, and what takes such evidence back.
pub fn taking_part(evidence: Evidence, proposed: &BTreeMap<CommitId, Vec<CommitFacts>>) -> Evidence {
    let says = |statement: &SignedStatement| statement.claims().ok().map(|claims| claims.says);
    let about_head = |statement: &SignedStatement| match says(statement) {
        Some(Says::Propose { head, .. } | Says::Approve { head }) => proposed.contains_key(&head),
        _ => false,
    };
    let kept: BTreeSet<Digest> = evidence
        .statements
        .iter()
        .filter(|statement| about_head(statement))
        .map(SignedStatement::id)
        .collect();
    let takes_back = |statement: &SignedStatement| match says(statement) {
        Some(Says::Dismiss { approval: of } | Says::Close { proposal: of }) => kept.contains(&of),
        _ => false,
    };
    Evidence {
        statements: evidence
            .statements
            .into_iter()
            .filter(|statement| about_head(statement) || takes_back(statement))
            .collect(),
        pull_requests: evidence
            .pull_requests
            .into_iter()
            .filter(|pull_request| proposed.contains_key(&pull_request.head))
            .collect(),
    }
}
