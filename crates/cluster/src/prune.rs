//! Deletes what a target no longer wants: last, and only what its inventory holds.

use countersign_core::authorization::Sequence;
use countersign_core::facts::{ObjectKey, Operation};
use countersign_core::names::Target;
use countersign_core::outcome::{Action, ObjectOutcome};
use countersign_core::ports::cluster::{Cluster, ServedKind};

use crate::failure::{Failure, Reason};
use crate::health::Healthy;
use crate::inventory::{self, Inventory, InventoryState};
use crate::order::{Stage, waves};
use crate::parallel;
use crate::plan::manager;

mod object;

use object::Pruned;

/// What is to be pruned.
#[derive(Clone, Copy, Debug)]
pub struct Pruning<'a> {
    /// The target.
    pub target: &'a Target,
    /// The change that made something superfluous.
    pub sequence: Sequence,
    /// Its operation: only a removal may leave nothing.
    pub operation: Operation,
    /// Every object of the change, seen healthy: these are kept, and the rest goes.
    pub healthy: &'a Healthy,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PruneReport {
    /// What was deleted or skipped.
    pub objects: Vec<ObjectOutcome>,
    /// What is being deleted and still there, as for a finalizer: prune again later.
    pub waiting: Vec<ObjectKey>,
}

impl PruneReport {
    /// Whether nothing superfluous is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Deletes what the inventory holds and the change does not, in the reverse order of writes; a stage is
/// begun when the one before is gone. What belongs to somebody else by now, or says that it must not be
/// pruned, is left alone and forgotten.
///
/// # Errors
/// When the change was overtaken or is not wholly applied; when it is empty and no removal; with
/// everything that the cluster refused.
pub async fn prune(
    fence: &impl Cluster,
    cluster: &impl Cluster,
    pruning: &Pruning<'_>,
) -> Result<PruneReport, Failure> {
    let held = inventory::mine(fence, pruning.target, pruning.sequence).await?;
    let kept = kept(pruning, &held.inventory)?;
    let surplus = surplus(cluster, &held.inventory, &kept).await?;
    let context = object::Context {
        manager: manager(pruning.target),
        // Who else would lose objects matters only for what takes others along.
        others: match surplus.iter().any(|key| Stage::of(key) <= Stage::Definitions) {
            true => inventory::others(fence, pruning.target).await?,
            false => Vec::new(),
        },
    };

    let mut report = PruneReport::default();
    let mut left = surplus.clone();
    for stage in Stage::ALL.into_iter().rev() {
        for wave in waves(&surplus, stage, |key| key).into_iter().rev() {
            inventory::still_mine(fence, pruning.target, pruning.sequence).await?;
            delete(cluster, &context, &wave, &mut report, &mut left).await?;
        }
        if !report.waiting.is_empty() {
            break;
        }
    }
    let done = report.is_done();
    let keys: Vec<ObjectKey> = kept.into_iter().chain(left).collect();
    inventory::pruned(fence, held, &keys, done).await?;
    Ok(report)
}

/// The keys that stay, once it is certain that they are those of the change that the inventory holds.
fn kept(pruning: &Pruning<'_>, inventory: &Inventory) -> Result<Vec<ObjectKey>, Failure> {
    let keys = pruning.healthy.keys();
    let wrong = match (pruning.operation, keys.is_empty()) {
        (Operation::Remove, true) | (Operation::Deploy | Operation::Rollback, false) => None,
        (Operation::Remove, false) => Some("a removal keeps no object".to_owned()),
        _ => Some("an empty manifest prunes nothing: ask for a removal if everything should go".to_owned()),
    };
    let foreign = keys.iter().find(|key| !inventory.holds(key));
    let wrong = wrong.or_else(|| foreign.map(|key| format!("{key} is healthy but not in the inventory")));
    if let Some(wrong) = wrong {
        return Err(Failure::new(Reason::Invalid, wrong));
    }
    if inventory.state == InventoryState::Applying {
        let message = format!("{}: the change is not wholly applied yet", pruning.target);
        return Err(Failure::new(Reason::Conflict, message));
    }
    // The version that was applied, where the inventory still names an older one of the same object.
    Ok(keys.to_vec())
}

/// What the inventory holds beside `kept`, each in a version that is served: the one that it was applied in
/// may be served no more while the object is still there in others.
async fn surplus(
    cluster: &impl Cluster,
    inventory: &Inventory,
    kept: &[ObjectKey],
) -> Result<Vec<ObjectKey>, Failure> {
    let mut surplus: Vec<ObjectKey> =
        inventory.objects.iter().filter(|key| !holds(kept, key)).cloned().collect();
    if surplus.is_empty() {
        return Ok(surplus);
    }
    let served = cluster.discover().await?;
    for key in &mut surplus {
        let mut versions = served.iter().filter(|kind| is_kind_of(kind, key)).map(|kind| &kind.api_version);
        if !versions.clone().any(|version| *version == key.api_version)
            && let Some(version) = versions.next()
        {
            key.api_version.clone_from(version);
        }
    }
    Ok(surplus)
}

fn is_kind_of(served: &ServedKind, key: &ObjectKey) -> bool {
    let group = served.api_version.split_once('/').map_or("", |(group, _)| group);
    served.kind == key.kind && group == key.group()
}

fn holds(keys: &[ObjectKey], key: &ObjectKey) -> bool {
    keys.iter().any(|kept| kept.same_object(key))
}

async fn delete(
    cluster: &impl Cluster,
    context: &object::Context,
    wave: &[&ObjectKey],
    report: &mut PruneReport,
    left: &mut Vec<ObjectKey>,
) -> Result<(), Failure> {
    let tasks = wave.iter().map(|key| object::prune(cluster, context, key)).collect();
    let mut failures = Vec::new();
    for (key, pruned) in wave.iter().copied().zip(parallel::run(tasks).await) {
        let (action, message) = match pruned {
            Ok(Pruned::Deleted) => (Action::Deleted, None),
            Ok(Pruned::Gone) => (Action::Deleted, Some("it was gone already".to_owned())),
            Ok(Pruned::Skipped(why)) => (Action::Skipped, Some(why)),
            Ok(Pruned::Waiting) => {
                report.waiting.push(key.clone());
                continue;
            }
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        left.retain(|other| other != key);
        report.objects.push(ObjectOutcome { key: key.clone(), action, message });
    }
    match Failure::all(failures) {
        Some(failure) => Err(Failure { done: std::mem::take(&mut report.objects), ..failure }),
        None => Ok(()),
    }
}
