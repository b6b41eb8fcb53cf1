//! Objects of a plan with what the cluster has in their place.

use countersign_core::ports::cluster::{ApplyOptions, Cluster, ClusterError};
use serde_json::Value;

use crate::failure::{Failure, Reason};
use crate::ownership::{self, Owner};
use crate::parallel;
use crate::plan::Item;

/// An object of a plan that may be written.
pub struct Subject<'a> {
    pub item: Item<'a>,
    /// What is there now.
    pub before: Option<Value>,
}

impl Subject<'_> {
    /// How to apply it. Only what exists already, and is ours or to be adopted, is taken from other
    /// managers: should somebody create the object in this very moment, it is a conflict.
    pub fn options(&self, manager: &str, dry_run: bool) -> ApplyOptions {
        ApplyOptions { manager: manager.to_owned(), force: self.before.is_some(), dry_run }
    }
}

/// Reads what is in the place of each item, and refuses what belongs to somebody else.
pub async fn examine<'a>(
    cluster: &impl Cluster,
    manager: &str,
    adopt: bool,
    items: Vec<Item<'a>>,
) -> Result<Vec<Subject<'a>>, Failure> {
    let tasks = items.into_iter().map(|item| examine_one(cluster, manager, adopt, item)).collect();
    let (mut subjects, mut failures) = (Vec::new(), Vec::new());
    for examined in parallel::run(tasks).await {
        match examined {
            Ok(subject) => subjects.push(subject),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures).map_or(Ok(subjects), Err)
}

async fn examine_one<'a>(
    cluster: &impl Cluster,
    manager: &str,
    adopt: bool,
    item: Item<'a>,
) -> Result<Subject<'a>, Failure> {
    let before = match cluster.get(&item.key).await {
        Ok(before) => before,
        // Its kind is defined by the plan itself, and not yet there.
        Err(ClusterError::NotFound(_)) => None,
        Err(error) => return Err(Failure::from_cluster(&item.key, &error)),
    };
    if let Some(before) = &before {
        check_owner(&item, before, manager, adopt)?;
    }
    Ok(Subject { item, before })
}

fn check_owner(item: &Item<'_>, before: &Value, manager: &str, adopt: bool) -> Result<(), Failure> {
    let (reason, message) = match ownership::of(before, manager) {
        Owner::Target(owner) => {
            let message = format!("it belongs to {owner}: remove it there first, or give it another name");
            (Reason::Ownership, message)
        }
        Owner::Nobody if !adopt => {
            let message =
                "it exists already and no target owns it: set adopt: true to take it over, or delete it";
            (Reason::Ownership, message.to_owned())
        }
        _ if before.pointer("/metadata/deletionTimestamp").is_some() => {
            (Reason::Conflict, "it is still being deleted: it is applied again once it is gone".to_owned())
        }
        _ => return Ok(()),
    };
    Err(Failure::of(reason, &item.key, message))
}
