//! Which statements could speak of a change.

use std::collections::BTreeSet;

use countersign_core::digest::Digest;
use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::statement::{Says, SignedStatement};

use crate::error::GitError;
use crate::repository::Repository;

/// Statements of `repository` that could speak of bringing `commits` to `base`: proposals for that base whose
/// head is not contained already in what lies before `commits`, approvals of such a head or of one of
/// `commits`, and what takes any of these back. Commands come another way.
pub(super) fn taking_part(
    found: &Repository,
    repository: &RepositoryId,
    base: &Reference,
    commits: &[CommitId],
) -> Result<Vec<SignedStatement>, GitError> {
    let all: Vec<_> = found
        .statements(repository)?
        .found
        .into_iter()
        .filter_map(|statement| Some((statement.claims().ok()?.says, statement)))
        .collect();
    let before = match commits.first() {
        Some(first) => found.commit(first)?.parents.into_iter().next(),
        None => None,
    };
    let mut heads: BTreeSet<_> = commits.iter().cloned().collect();
    let mut asked = BTreeSet::new();
    for (says, _) in &all {
        if let Says::Propose { base: to, head, .. } = says
            && to == base
            && asked.insert(head)
            && is_ahead(found, head, before.as_ref())?
        {
            heads.insert(head.clone());
        }
    }
    let speaks_of_head = |says: &Says| match says {
        Says::Propose { base: to, head, .. } => to == base && heads.contains(head),
        Says::Approve { head } => heads.contains(head),
        Says::Dismiss { .. } | Says::Close { .. } | Says::Command { .. } => false,
    };
    let kept: BTreeSet<Digest> =
        all.iter().filter(|(says, _)| speaks_of_head(says)).map(|(_, statement)| statement.id()).collect();
    let takes_part = |says: &Says, id: Digest| match says {
        Says::Dismiss { approval: taken } | Says::Close { proposal: taken } => kept.contains(taken),
        Says::Propose { .. } | Says::Approve { .. } | Says::Command { .. } => kept.contains(&id),
    };
    Ok(all
        .into_iter()
        .filter(|(says, statement)| takes_part(says, statement.id()))
        .map(|(_, statement)| statement)
        .collect())
}

/// Whether a proposed head is here, and brings something that is not there before.
fn is_ahead(found: &Repository, head: &CommitId, before: Option<&CommitId>) -> Result<bool, GitError> {
    match before {
        _ if !found.has(head) => Ok(false),
        Some(before) => Ok(!found.descends(before, head)?),
        None => Ok(true),
    }
}
