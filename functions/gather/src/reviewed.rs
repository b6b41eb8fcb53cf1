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

use crate::Gatherer;
use crate::objects::not_json;
use crate::preview::Content;
use crate::reading::Reading;

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// The manifest that each head that explains a run of the range renders to; none where it does not. `inputs` are
    /// the paths that the change itself was rendered from.
    pub(crate) async fn reviewed(
        &self,
        reading: &Reading<'_>,
        configured: &TargetConfiguration<'_>,
        facts: &Facts,
        inputs: &BTreeSet<String>,
    ) -> Result<BTreeMap<CommitId, Option<Digest>>, StageError> {
        let heads: BTreeSet<_> = facts.range.explanations.iter().map(|run| &run.head).collect();
        let mut reviewed = BTreeMap::new();
        for head in heads {
            let content = Content::Commit(&reading.repository, head.clone());
            // The same at all that was read: the same objects.
            if reading.closure(configured, inputs, &content)? == facts.change.closure {
                reviewed.insert(head.clone(), facts.manifest);
                continue;
            }
            let manifest = match self.rendered(reading, configured, &content).await?.result {
                Ok(rendered) => Some(rendered.blob().map_err(not_json)?.digest),
                Err(_) => None,
            };
            reviewed.insert(head.clone(), manifest);
        }
        Ok(reviewed)
    }
}
