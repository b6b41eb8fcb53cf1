//! What is told of a pull request that ended: nobody waits any more for what it waited for.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_core::active::BundleConfiguration;
use countersign_core::configuration::index::Followers;
use countersign_core::digest::Digest;
use countersign_core::event::Event;
use countersign_core::keys;
use countersign_core::message::{Message, QueueName, ReportDue};
use countersign_core::names::{CommitId, EnvironmentName, FollowedRef, Target};
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::Store;
use countersign_core::stage::StageError;

use crate::Gatherer;

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// Makes a report on the head of a pull request that was closed or merged due. It holds the state that was
    /// recorded last, which the forge's adapter tells in the light of the pull request's end.
    pub(crate) async fn report_end(
        &self,
        trace: &str,
        event: &Event,
        active: &BundleConfiguration,
        base: &FollowedRef,
        head: &CommitId,
    ) -> Result<(), StageError> {
        let mut reports = Vec::new();
        for environment in environments(active, base) {
            let due = ReportDue { repository: base.repository.clone(), commit: head.clone(), environment };
            let key = keys::commit_report(&due.repository, &due.commit, &due.environment);
            let deduplication = Digest::of_parts(&["ended", &event.id, &key]).hex();
            let body = serde_json::to_string(&Message::new(trace, due)).map_err(|error| {
                StageError::Final(format!("a message cannot be written as JSON: {error}"))
            })?;
            let group = Digest::of(key.as_bytes()).hex();
            reports.push(Outgoing { group, deduplication, body, delay: Duration::ZERO });
        }
        Ok(self.queue.send(&QueueName::Reports, &reports).await?)
    }
}

/// The environments that a change of `base` could reach.
fn environments(active: &BundleConfiguration, base: &FollowedRef) -> BTreeSet<EnvironmentName> {
    let following = active.index().following(base).map(Followers::all).unwrap_or_default();
    let is_control = active.configuration.control_ref().as_ref() == Some(base);
    let control = is_control.then(|| Target::control().environment);
    following.iter().map(|target| target.environment.clone()).chain(control).collect()
}
