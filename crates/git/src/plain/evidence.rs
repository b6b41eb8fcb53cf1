//! Which statements could speak of a change.

use std::collections::BTreeSet;

use countersign_core::digest::Digest;
use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::statement::{Says, SignedStatement};

use super::known::Known;
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
    known: &mut Known,
) -> Result<Vec<SignedStatement>, GitError> {
    known.follow(found, repository)?;
    let before = match commits.first() {
        Some(first) => found.commit(first)?.parents.into_iter().next(),
        None => None,
    };
    let proposed: BTreeSet<_> =
        known.statements.values().flatten().filter_map(|(_, says)| head_for(says, base)).collect();
    let proposed: Vec<_> = proposed.into_iter().cloned().collect();
    let mut heads: BTreeSet<_> = commits.iter().cloned().collect();
    for head in proposed {
        if known.is_ahead(found, base, &head, before.as_ref())? {
            heads.insert(head);
        }
    }
    let all = || known.statements.iter().filter_map(|(name, says)| Some((name, says.as_ref()?)));
    let speaks_of_head = |says: &Says| match says {
        Says::Propose { base: to, head, .. } => to == base && heads.contains(head),
        Says::Approve { head } => heads.contains(head),
        Says::Dismiss { .. } | Says::Close { .. } | Says::Command { .. } => false,
    };
    let kept: BTreeSet<Digest> =
        all().filter(|(_, (_, says))| speaks_of_head(says)).map(|(_, (id, _))| *id).collect();
    let takes_part = |says: &Says, id: &Digest| match says {
        Says::Dismiss { approval: taken } | Says::Close { proposal: taken } => kept.contains(taken),
        Says::Propose { .. } | Says::Approve { .. } | Says::Command { .. } => kept.contains(id),
    };
    let mut taking_part = Vec::new();
    for (name, _) in all().filter(|(_, (id, says))| takes_part(says, id)) {
        taking_part.extend(found.statement_at(name, repository)?.ok());
    }
    taking_part.sort_by_key(SignedStatement::id);
    Ok(taking_part)
}

/// The head that a statement proposes for `base`, if it does.
fn head_for<'a>(says: &'a Says, base: &Reference) -> Option<&'a CommitId> {
    match says {
        Says::Propose { base: to, head, .. } if to == base => Some(head),
        _ => None,
    }
}
