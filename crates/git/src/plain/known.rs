//! Statements that were read before: what one look costs follows those that are new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::digest::Digest;
use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::statement::Says;

use crate::error::GitError;
use crate::repository::Repository;

/// What was read of the statements of every repository. It may be lost at any time: then all are read again.
#[derive(Clone, Debug, Default)]
pub struct KnownStatements(Arc<Mutex<BTreeMap<RepositoryId, Known>>>);

/// The statements of one repository.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By the reference's name, which is a hash of the content: what each says; none for what is no statement.
    pub(super) statements: BTreeMap<String, Option<(Digest, Says)>>,
    /// By base: proposed heads that a commit contains. Whatever descends from that commit contains them too.
    contained: BTreeMap<Reference, (CommitId, BTreeSet<CommitId>)>,
}

impl KnownStatements {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<RepositoryId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Reads what is new, and forgets what is gone.
    pub(super) fn follow(&mut self, found: &Repository, id: &RepositoryId) -> Result<(), GitError> {
        let names = found.statement_names()?;
        self.statements.retain(|name, _| names.contains(name));
        for name in names {
            if self.statements.contains_key(&name) {
                continue;
            }
            let statement = found.statement_at(&name, id)?.ok();
            let says = statement.and_then(|statement| Some((statement.id(), statement.claims().ok()?.says)));
            self.statements.insert(name, says);
        }
        Ok(())
    }

    /// Whether a proposed head is here, and brings something that `before` does not contain.
    pub(super) fn is_ahead(
        &mut self,
        found: &Repository,
        base: &Reference,
        head: &CommitId,
        before: Option<&CommitId>,
    ) -> Result<bool, GitError> {
        let Some(before) = before else { return found.has(head) };
        let kept = self.contained.get(base).map(|(up_to, _)| up_to);
        let still =
            kept.is_some_and(|up_to| up_to == before || found.descends(before, up_to).unwrap_or(false));
        if !still {
            self.contained.insert(base.clone(), (before.clone(), BTreeSet::new()));
        }
        let Some((up_to, contained)) = self.contained.get_mut(base) else { return found.has(head) };
        up_to.clone_from(before);
        if contained.contains(head) {
            return Ok(false);
        }
        if !found.has(head)? {
            return Ok(false);
        }
        let ahead = !found.descends(before, head)?;
        if !ahead {
            contained.insert(head.clone());
        }
        Ok(ahead)
    }
}
