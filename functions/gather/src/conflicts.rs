//! Objects that another target owns already. Only targets that could meet are read: same cluster, and a
//! namespace or cluster-scoped kinds in common.

use std::sync::Arc;

use countersign_core::configuration::TargetConfiguration;
use countersign_core::decision::Decision;
use countersign_core::digest::Digest;
use countersign_core::facts::{Conflict, ObjectFacts, ObjectKey, Operation};
use countersign_core::keys;
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::StageError;

use crate::Gatherer;
use crate::reading::Reading;

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// Which of `objects` another target was authorized to own.
    pub(crate) async fn conflicts(
        &self,
        reading: &Reading<'_>,
        ours: &TargetConfiguration<'_>,
        objects: &[ObjectFacts],
    ) -> Result<Vec<Conflict>, StageError> {
        let mut conflicts = Vec::new();
        for other in reading.active.index().neighbors(ours) {
            let state = self.state(other).await?;
            let wanted = state.as_ref().and_then(|state| state.wanted.as_ref());
            let Some(wanted) = wanted.filter(|wanted| wanted.operation != Operation::Remove) else {
                continue;
            };
            let owns = self.owned(reading, &wanted.decision).await?;
            let owned = |object: &&ObjectFacts| owns.iter().any(|key| key.same_object(&object.key));
            conflicts.extend(
                objects
                    .iter()
                    .filter(owned)
                    .map(|object| Conflict { key: object.key.clone(), owner: other.clone() }),
            );
        }
        Ok(conflicts)
    }

    /// The objects of a decision. Neighbors ask for each other's: each is read once for one event.
    async fn owned(
        &self,
        reading: &Reading<'_>,
        decision: &Digest,
    ) -> Result<Arc<Vec<ObjectKey>>, StageError> {
        if let Some(known) = reading.owned.borrow().get(decision) {
            return Ok(Arc::clone(known));
        }
        let read: Decision = store::get_blob(self.store, keys::blob, decision).await?;
        let owned = Arc::new(read.objects);
        reading.owned.borrow_mut().insert(*decision, Arc::clone(&owned));
        Ok(owned)
    }
}
