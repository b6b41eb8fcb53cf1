//! The inventory of a target on its cluster: what it may own there, and the fence between its changes.
//!
//! It is one `ConfigMap` per target. A change claims it before its first write and names there all that
//! it is going to write, so that nothing is ever applied that a later prune does not know of.

use countersign_core::authorization::Sequence;
use countersign_core::digest::Digest;
use countersign_core::facts::ObjectKey;
use countersign_core::names::{AttemptId, Target};
use countersign_core::ports::cluster::{Cluster, ClusterError};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Reason};
use crate::keep::{self, Kept, MANAGED_BY, MANAGED_BY_LABEL, NAMESPACE};
use crate::plan::Plan;

mod packed;

/// The version of the inventories that this release writes.
const INVENTORY_VERSION: u32 = 1;
/// The field of the `ConfigMap` that holds it.
const FIELD: &str = "inventory.json";
/// What the name of the `ConfigMap` begins with.
const NAME_PREFIX: &str = "inventory.";
/// The largest inventory: a `ConfigMap` takes 1 MiB, metadata included.
const SIZE_LIMIT: usize = 1_000_000;
/// How often to read again when somebody else writes at the same moment.
const TRIES: usize = 5;

/// What the cluster holds of a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inventory {
    v: u32,
    /// The target.
    pub target: Target,
    /// The newest change that was let through.
    pub sequence: Sequence,
    /// Its attempt.
    pub attempt: AttemptId,
    /// Its manifest.
    pub manifest: Digest,
    /// How far it came.
    pub state: InventoryState,
    /// Every object that the target may own: until it is pruned, those of earlier changes too.
    #[serde(with = "packed")]
    pub objects: Vec<ObjectKey>,
}

/// How far a change came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InventoryState {
    /// It has been claimed; some objects may be written.
    Applying,
    /// Every object was written.
    Applied,
    /// What is no longer wanted is gone.
    Pruned,
}

/// What the cluster holds of a target; `None` if it never had anything there.
///
/// # Errors
/// When the cluster cannot be read, or the inventory is not one of ours.
pub async fn read(fence: &impl Cluster, target: &Target) -> Result<Option<Inventory>, Failure> {
    Ok(held(fence, target).await?.map(|held| held.inventory))
}

/// Whether the change of this `sequence` still holds the inventory.
///
/// # Errors
/// [`Reason::Overtaken`] when a newer one does; [`Reason::Conflict`] when the inventory is gone or older,
/// as after a restored backup: the change has to be claimed again.
pub async fn still_mine(fence: &impl Cluster, target: &Target, sequence: Sequence) -> Result<(), Failure> {
    mine(fence, target, sequence).await.map(drop)
}

/// Claims the inventory for a change that is going to write `keys`.
///
/// A lower sequence than what is held is refused; the same one may be claimed any number of times. `first` is
/// what was read before, if anything: should it be out of date, it is read again.
pub(crate) async fn claim(
    fence: &impl Cluster,
    plan: &Plan<'_>,
    keys: &[ObjectKey],
    first: Option<Held>,
) -> Result<Held, Failure> {
    let mut found = first;
    for attempt in 0..TRIES {
        if attempt > 0 {
            found = held(fence, plan.target).await?;
        }
        let next = claimed(found.as_ref().map(|held| &held.inventory), plan, keys)?;
        if let Some(held) = found.take_if(|held| held.inventory == next) {
            return Ok(held);
        }
        if let Some(held) = store(fence, next, found.as_ref()).await? {
            return Ok(held);
        }
    }
    Err(contended(plan.target))
}

/// Notes that every object of the change was written. `claimed` is what the claim left.
pub(crate) async fn applied(fence: &impl Cluster, plan: &Plan<'_>, claimed: Held) -> Result<(), Failure> {
    update(fence, plan.target, plan.sequence, claimed, |inventory| {
        if inventory.state == InventoryState::Applying {
            inventory.state = InventoryState::Applied;
        }
    })
    .await
}

/// Notes that of all objects only `keys` are left. `read` is the inventory as it was read.
pub(crate) async fn pruned(
    fence: &impl Cluster,
    read: Held,
    keys: &[ObjectKey],
    done: bool,
) -> Result<(), Failure> {
    let (target, sequence) = (read.inventory.target.clone(), read.inventory.sequence);
    update(fence, &target, sequence, read, |inventory| {
        inventory.objects = packed::sorted(keys.to_vec());
        if done {
            inventory.state = InventoryState::Pruned;
        }
    })
    .await
}

/// The inventory, if the change of this `sequence` still holds it.
pub(crate) async fn mine(fence: &impl Cluster, target: &Target, sequence: Sequence) -> Result<Held, Failure> {
    own(held(fence, target).await?, target, sequence)
}

/// The inventories of all targets: each, or why it is not understood.
///
/// # Errors
/// When the cluster cannot be read.
pub async fn all(fence: &impl Cluster) -> Result<Vec<Result<Inventory, Failure>>, Failure> {
    Ok(list(fence, |_| true).await?)
}

/// The inventories of all other targets.
pub(crate) async fn others(fence: &impl Cluster, target: &Target) -> Result<Vec<Inventory>, Failure> {
    let own = name_of(target);
    list(fence, |name| name != own).await?.into_iter().collect()
}

async fn list(
    fence: &impl Cluster,
    wanted: impl Fn(&str) -> bool + Send,
) -> Result<Vec<Result<Inventory, Failure>>, ClusterError> {
    let selector = format!("{MANAGED_BY_LABEL}={MANAGED_BY}");
    let kept = fence.list("v1", "ConfigMap", Some(NAMESPACE), Some(&selector)).await?;
    let is_wanted = |object: &serde_json::Value| {
        let name = object.pointer("/metadata/name").and_then(serde_json::Value::as_str);
        name.is_some_and(|name| name.starts_with(NAME_PREFIX) && wanted(name))
    };
    Ok(kept.into_iter().filter(is_wanted).map(|object| parse(&keep::kept(object, FIELD))).collect())
}

/// An inventory as it was read or stored; writing over it succeeds only if it is still what is stored.
pub(crate) struct Held {
    /// What it says.
    pub inventory: Inventory,
    kept: Kept,
}

fn claimed(held: Option<&Inventory>, plan: &Plan<'_>, keys: &[ObjectKey]) -> Result<Inventory, Failure> {
    let mut objects = held.map(|held| held.objects.clone()).unwrap_or_default();
    let before = objects.len();
    objects.extend(keys.iter().filter(|key| !held.is_some_and(|held| held.holds(key))).cloned());
    let grown = objects.len() > before;
    let state = match held {
        Some(held) if held.sequence > plan.sequence => return Err(overtaken(plan.target, held.sequence)),
        Some(held) if held.sequence == plan.sequence && held.manifest != plan.manifest => {
            let message = format!(
                "{}: the inventory holds sequence {}/{} with manifest {}, not {}: do not apply it",
                plan.target, held.sequence.epoch, held.sequence.index, held.manifest, plan.manifest
            );
            return Err(Failure::new(Reason::Invalid, message));
        }
        // The same change again, as for drift: it has come as far as it had.
        Some(held) if held.sequence == plan.sequence && !grown => held.state,
        _ => InventoryState::Applying,
    };
    Ok(Inventory {
        v: INVENTORY_VERSION,
        target: plan.target.clone(),
        sequence: plan.sequence,
        attempt: plan.attempt,
        manifest: plan.manifest,
        state,
        objects: packed::sorted(objects),
    })
}

impl Inventory {
    /// Whether the object is among those that the target may own.
    #[must_use]
    pub fn holds(&self, key: &ObjectKey) -> bool {
        self.objects.iter().any(|object| object.same_object(key))
    }
}

async fn update(
    fence: &impl Cluster,
    target: &Target,
    sequence: Sequence,
    first: Held,
    change: impl Fn(&mut Inventory) + Send + Sync,
) -> Result<(), Failure> {
    let mut found = own(Some(first), target, sequence)?;
    for attempt in 0..TRIES {
        if attempt > 0 {
            found = mine(fence, target, sequence).await?;
        }
        let mut next = found.inventory.clone();
        change(&mut next);
        if next == found.inventory || store(fence, next, Some(&found)).await?.is_some() {
            return Ok(());
        }
    }
    Err(contended(target))
}

fn own(held: Option<Held>, target: &Target, sequence: Sequence) -> Result<Held, Failure> {
    match held {
        Some(held) if held.inventory.sequence == sequence => Ok(held),
        Some(held) if held.inventory.sequence > sequence => Err(overtaken(target, held.inventory.sequence)),
        _ => {
            let message =
                format!("{target}: the inventory is gone or older than this change: apply it again");
            Err(Failure::new(Reason::Conflict, message))
        }
    }
}

/// What the cluster holds of a target, to be written over.
pub(crate) async fn held(fence: &impl Cluster, target: &Target) -> Result<Option<Held>, Failure> {
    let Some(kept) = keep::read(fence, &name_of(target), FIELD).await? else { return Ok(None) };
    let inventory = parse(&kept)?;
    if inventory.target.application != target.application
        || inventory.target.environment != target.environment
    {
        let message = format!("the inventory of {target} names {}: it was tampered with", inventory.target);
        return Err(Failure::new(Reason::Invalid, message));
    }
    Ok(Some(Held { inventory, kept }))
}

fn parse(kept: &Kept) -> Result<Inventory, Failure> {
    let wrong = |why: String| {
        let message = format!("an inventory in {NAMESPACE} is not understood: {why}: restore or delete it");
        Failure::new(Reason::Invalid, message)
    };
    let inventory: Inventory = serde_json::from_str(&kept.text).map_err(|error| wrong(error.to_string()))?;
    if inventory.v != INVENTORY_VERSION {
        return Err(wrong(format!("version {}, this release reads {INVENTORY_VERSION}", inventory.v)));
    }
    Ok(inventory)
}

/// Stores an inventory over another; `None` if that is not what is stored any more.
async fn store(
    fence: &impl Cluster,
    inventory: Inventory,
    over: Option<&Held>,
) -> Result<Option<Held>, Failure> {
    let text = serde_json::to_string(&inventory).map_err(|error| {
        Failure::new(Reason::Invalid, format!("the inventory cannot be written: {error}"))
    })?;
    if text.len() > SIZE_LIMIT {
        let message = format!(
            "{}: an inventory of {} objects takes {} bytes and a ConfigMap at most {SIZE_LIMIT}: split the application",
            inventory.target,
            inventory.objects.len(),
            text.len()
        );
        return Err(Failure::new(Reason::Invalid, message));
    }
    let name = name_of(&inventory.target);
    let stored = keep::write(fence, (&name, FIELD), &text, over.map(|held| &held.kept)).await?;
    Ok(stored.map(|kept| Held { inventory, kept }))
}

fn name_of(target: &Target) -> String {
    format!("{NAME_PREFIX}{}.{}", target.application, target.environment)
}

fn overtaken(target: &Target, by: Sequence) -> Failure {
    let message = format!("{target}: the newer change {}/{} holds the inventory", by.epoch, by.index);
    Failure::new(Reason::Overtaken { by }, message)
}

fn contended(target: &Target) -> Failure {
    Failure::new(Reason::Conflict, format!("{target}: others keep writing the inventory: try again"))
}

#[cfg(test)]
mod tests;
