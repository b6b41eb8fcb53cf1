//! Objects that another target owns already. Only targets that could meet are read: same cluster, and a
//! namespace or cluster-scoped kinds in common.

use countersign_core::configuration::{Configuration, TargetConfiguration};
use countersign_core::decision::Decision;
use countersign_core::facts::{Conflict, ObjectFacts, Operation};
use countersign_core::keys;
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::StageError;

use crate::Gatherer;

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// Which of `objects` another target was authorized to own.
    pub(crate) async fn conflicts(
        &self,
        configuration: &Configuration,
        ours: &TargetConfiguration<'_>,
        objects: &[ObjectFacts],
    ) -> Result<Vec<Conflict>, StageError> {
        let mut conflicts = Vec::new();
        for other in configuration.targets().filter(|other| could_meet(ours, other)) {
            let state = self.state(&other.target).await?;
            let wanted = state.as_ref().and_then(|state| state.wanted.as_ref());
            let Some(wanted) = wanted.filter(|wanted| wanted.operation != Operation::Remove) else {
                continue;
            };
            let decision: Decision = store::get_blob(self.store, keys::blob, &wanted.decision).await?;
            let owned =
                |object: &&ObjectFacts| decision.objects.iter().any(|key| key.same_object(&object.key));
            conflicts.extend(
                objects
                    .iter()
                    .filter(owned)
                    .map(|object| Conflict { key: object.key.clone(), owner: other.target.clone() }),
            );
        }
        Ok(conflicts)
    }
}

fn could_meet(ours: &TargetConfiguration<'_>, other: &TargetConfiguration<'_>) -> bool {
    let namespace = ours.placement.namespaces.iter().any(|ns| other.placement.namespaces.contains(ns));
    let kind = !ours.application.cluster_kinds.is_disjoint(&other.application.cluster_kinds);
    ours.target != other.target && ours.target.cluster == other.target.cluster && (namespace || kind)
}
