//! What programs said of the heads that could carry a change.

use std::collections::BTreeSet;

use countersign_core::active::BundleConfiguration;
use countersign_core::configuration::TargetConfiguration;
use countersign_core::facts::Facts;
use countersign_core::names::{CommitId, FollowedRef, RepositoryId};
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::Store;
use countersign_core::review::Status;
use countersign_core::stage::StageError;

use crate::preview::Proposed;
use crate::reading::Reading;
use crate::{Gatherer, Looks};

/// The most heads whose statuses are read for one look. One that is left out has none, which allows nothing.
const MAX_HEADS: usize = 100;

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// The statuses that the target's environment asks for, of each head that explains a part of the range and of a
    /// tip that stands alone, by whomever they were set.
    pub(crate) async fn statuses(
        &self,
        reading: &Reading<'_>,
        configured: &TargetConfiguration<'_>,
        facts: &Facts,
    ) -> Result<Vec<Status>, StageError> {
        let contexts = reading.active.configuration.status_contexts(configured.environment);
        let mut found = Vec::new();
        if contexts.is_empty() {
            return Ok(found);
        }
        for head in heads(facts).into_iter().take(MAX_HEADS) {
            found.extend(self.statuses_of(reading, head).await?);
        }
        found.retain(|status| contexts.contains(status.context.as_str()));
        Ok(found)
    }

    /// Looks again at the open pull requests whose head is the commit of which a program said something, for the
    /// targets that wait for that. What it changes for a branch is a hint in that branch's own group.
    pub(crate) async fn status_looks<'b>(
        &self,
        active: &'b BundleConfiguration,
        repository: &RepositoryId,
        commit: &CommitId,
        context: Option<&str>,
    ) -> Result<Vec<Looks<'b>>, StageError> {
        let configuration = &active.configuration;
        let asking = configuration.refs_asking_for_status(repository, context);
        if asking.is_empty() {
            return Ok(Vec::new());
        }
        let open = self.forge.open_pull_requests(repository).await?.unwrap_or_default();
        let mut found = Vec::new();
        for one in open.iter().filter(|one| one.head == *commit) {
            let base = FollowedRef { repository: repository.clone(), reference: one.base.clone() };
            if !asking.contains(&base) {
                continue;
            }
            let proposed = Proposed { id: &one.id, head: Some(&one.head), fork: Some(one.fork) };
            let Some(mut looks) = self.preview_looks(active, base, proposed).await? else { continue };
            looks.looks.retain(|look| {
                let target = configuration.target(&look.target);
                target.is_some_and(|target| configuration.asks_for_status(target.environment, context))
            });
            found.push(looks);
        }
        Ok(found)
    }

    /// All statuses of a commit that any environment of the repository asks for, read once for one event.
    pub(crate) async fn statuses_of(
        &self,
        reading: &Reading<'_>,
        head: &CommitId,
    ) -> Result<Vec<Status>, StageError> {
        if let Some(known) = reading.statuses.borrow().get(head) {
            return Ok(known.clone());
        }
        let contexts = reading.active.configuration.status_contexts_of(&reading.id);
        if contexts.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.forge.statuses(&reading.id, head, &contexts).await?;
        reading.statuses.borrow_mut().insert(head.clone(), found.clone());
        Ok(found)
    }
}

fn heads(facts: &Facts) -> BTreeSet<&CommitId> {
    let explaining = facts.range.explanations.iter().map(|run| &run.head);
    explaining.chain(facts.range.stands_alone().then_some(&facts.change.commit)).collect()
}
