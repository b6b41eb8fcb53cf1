//! Server-side apply, and what a replacement means for who owns what.

use std::collections::BTreeSet;

use countersign_core::ports::cluster::{ApplyOptions, ClusterError};
use serde_json::Value;

use super::fields::{self, Managed, Path};

/// The manager of whole objects, as the adapter to real clusters names it.
const WHOLE_OBJECT_MANAGER: &str = "countersign";

/// The object that comes out when `options.manager` applies `wanted` to `live`: its fields are set, those
/// that it owned and wants no more are removed, everybody else's stay.
///
/// A field that another manager owns with another value is a conflict, or taken over by force.
pub fn apply(
    live: &Value,
    wanted: &Value,
    options: &ApplyOptions,
    now: &Value,
) -> Result<Value, ClusterError> {
    let paths = fields::owned(wanted);
    let (mut ours, mut others): (Vec<Managed>, Vec<Managed>) = fields::read(live)
        .into_iter()
        .partition(|managed| managed.manager == options.manager && managed.operation == "Apply");
    let before = ours.pop();

    let conflicts = conflicts(live, wanted, &paths, &others);
    if !conflicts.is_empty() && !options.force {
        let told: Vec<String> =
            conflicts.iter().map(|(manager, path)| format!("{manager:?}: .{}", path.join("."))).collect();
        let message =
            format!("Apply failed with {} conflict(s): conflicts with {}", told.len(), told.join(", "));
        return Err(ClusterError::Conflict(message));
    }
    for managed in &mut others {
        managed
            .fields
            .retain(|path| !conflicts.iter().any(|(name, lost)| *name == managed.manager && lost == path));
    }

    let mut merged = live.clone();
    for path in before.iter().flat_map(|managed| &managed.fields) {
        let mut kept = paths.iter().chain(others.iter().flat_map(|managed| &managed.fields));
        if !kept.any(|kept| kept.starts_with(path)) {
            fields::remove(&mut merged, path);
        }
    }
    for path in &paths {
        fields::set(&mut merged, path, fields::get(wanted, path).cloned().unwrap_or_default());
    }
    let time = match &before {
        Some(before) if before.fields == paths => before.time.clone(),
        _ => now.clone(),
    };
    let us = Managed { manager: options.manager.clone(), operation: "Apply".into(), time, fields: paths };
    others.push(us);
    fields::write(&mut merged, others);
    Ok(merged)
}

/// Fields that others own with other values, with their managers.
fn conflicts(
    live: &Value,
    wanted: &Value,
    paths: &BTreeSet<Path>,
    others: &[Managed],
) -> Vec<(String, Path)> {
    let owned =
        others.iter().flat_map(|managed| managed.fields.iter().map(|path| (managed.manager.clone(), path)));
    owned
        .filter(|(_, theirs)| {
            paths.iter().any(|path| fields::overlap(path, theirs) && !agrees(live, wanted, path))
        })
        .map(|(manager, path)| (manager, path.clone()))
        .collect()
}

fn agrees(live: &Value, wanted: &Value, path: &[String]) -> bool {
    match (fields::get(live, path), fields::get(wanted, path)) {
        // An empty map that is wanted takes nothing away from a full one.
        (Some(Value::Object(_)), Some(Value::Object(wanted))) if wanted.is_empty() => true,
        (live, wanted) => live == wanted,
    }
}

/// Notes who owns what after `live` was replaced by `next`: what changed belongs to who replaced it.
pub fn replaced(live: &Value, next: &mut Value, now: &Value) {
    let changed: BTreeSet<Path> = fields::owned(next)
        .into_iter()
        .filter(|path| fields::get(live, path) != fields::get(next, path))
        .collect();
    let mut managed = fields::read(live);
    for manager in &mut managed {
        manager.fields.retain(|path| {
            let is_left = fields::get(next, path).is_some();
            is_left && !changed.iter().any(|changed| fields::overlap(changed, path))
        });
    }
    let is_own =
        |managed: &&mut Managed| managed.manager == WHOLE_OBJECT_MANAGER && managed.operation == "Update";
    match managed.iter_mut().find(is_own) {
        Some(own) => {
            own.time = if changed.is_empty() { own.time.clone() } else { now.clone() };
            own.fields.extend(changed);
        }
        None => managed.push(Managed {
            manager: WHOLE_OBJECT_MANAGER.into(),
            operation: "Update".into(),
            time: now.clone(),
            fields: changed,
        }),
    }
    fields::write(next, managed);
}
