//! What reviewers saw, for environments that take nothing else.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::configuration::TargetConfiguration;
use countersign_core::digest::Digest;
use countersign_core::facts::Facts;
use countersign_core::names::CommitId;
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::Store;
use countersign_core::stage::StageError;
use countersign_render::rendered::render;

use crate::Gatherer;
use crate::objects::not_json;
use crate::preview::Content;
use crate::reading::{Reading, of_git};

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// The manifest that each head that explains a run of the range renders to; none where it does not.
    pub(crate) fn reviewed(
        &self,
        reading: &Reading<'_>,
        configured: &TargetConfiguration<'_>,
        facts: &Facts,
    ) -> Result<BTreeMap<CommitId, Option<Digest>>, StageError> {
        let heads: BTreeSet<_> = facts.range.explanations.iter().map(|run| &run.head).collect();
        let mut reviewed = BTreeMap::new();
        for head in heads {
            let content = Content::Commit(&reading.repository, head.clone());
            let inputs = reading.inputs(configured, &content, self.budget)?;
            let same = reading.closure(configured, &inputs, &content)? == facts.change.closure;
            let manifest = if same { facts.manifest } else { self.manifest_of(reading, configured, head)? };
            reviewed.insert(head.clone(), manifest);
        }
        Ok(reviewed)
    }

    fn manifest_of(
        &self,
        reading: &Reading<'_>,
        configured: &TargetConfiguration<'_>,
        commit: &CommitId,
    ) -> Result<Option<Digest>, StageError> {
        let tree = reading.repository.tree(commit).map_err(of_git)?;
        let placement = configured.placement;
        match render(&tree, &placement.path, &placement.namespaces, self.budget) {
            Ok(rendered) => Ok(Some(rendered.manifest().map_err(not_json)?.digest)),
            Err(_) => Ok(None),
        }
    }
}
