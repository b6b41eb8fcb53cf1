//! What applying objects again would change: a dry run as our own field manager, of which only the fields count
//! that this manager owns. So defaults, fields of others and what webhooks add are never drift.

use std::collections::BTreeSet;

use countersign_core::facts::ObjectKey;
use countersign_core::names::Target;
use countersign_core::ports::cluster::{ApplyOptions, Cluster, ClusterError};
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Failure, Reason};
use crate::ownership::{self, Owner};
use crate::parallel;
use crate::plan::{Item, items, manager};

mod owned;

/// So many fields of an object are listed at most.
const FIELDS_LIMIT: usize = 50;

/// An object that is not as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drifted {
    /// The object.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// How it differs.
    #[serde(flatten)]
    pub drift: Drift,
}

/// How an object differs from what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Drift {
    /// It is not there.
    Missing,
    /// It is being deleted, and waits for its finalizers.
    Deleting,
    /// It is there, and somebody else's: it was deleted, and made anew by other means.
    Foreign {
        /// The target that it belongs to, by its field manager; none if it belongs to no target.
        owner: Option<String>,
    },
    /// Some fields have other values. Only where is told, since values may be secret.
    Changed {
        /// JSON pointers, with items of lists by their keys, as `/spec/containers[name=web]/image`. At most 50.
        fields: Vec<String>,
        /// The field managers that wrote them.
        by: Vec<String>,
    },
    /// The cluster would not take it as it is wanted.
    Refused {
        /// What the cluster says.
        why: String,
    },
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not there"),
            Self::Deleting => f.write_str("it is being deleted"),
            Self::Foreign { owner: Some(owner) } => write!(f, "it belongs to {owner} now"),
            Self::Foreign { owner: None } => f.write_str("it was made anew by other means"),
            Self::Changed { fields, by } => {
                write!(f, "{}", fields.join(", "))?;
                if by.is_empty() { Ok(()) } else { write!(f, ", by {}", by.join(", ")) }
            }
            Self::Refused { why } => write!(f, "the cluster would not take it as authorized: {why}"),
        }
    }
}

/// Those of a target's `objects` that are not as they are wanted. Changes nothing.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn diff(
    cluster: &impl Cluster,
    target: &Target,
    objects: &[Value],
) -> Result<Vec<Drifted>, Failure> {
    let manager = manager(target);
    let tasks = items(objects)?.into_iter().map(|item| diff_one(cluster, &manager, item)).collect();
    let (mut drifted, mut failures) = (Vec::new(), Vec::new());
    for compared in parallel::run(tasks).await {
        match compared {
            Ok(drift) => drifted.extend(drift),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures).map_or(Ok(drifted), Err)
}

async fn diff_one(cluster: &impl Cluster, manager: &str, item: Item<'_>) -> Result<Option<Drifted>, Failure> {
    let found = match cluster.get(&item.key).await {
        Err(ClusterError::NotFound(_)) => None,
        answer => answer.map_err(|error| Failure::from_cluster(&item.key, &error))?,
    };
    let drift = match found {
        None => Some(Drift::Missing),
        Some(found) => match whose(&found, manager) {
            Some(drift) => Some(drift),
            None => changed(cluster, manager, &item, &found).await?,
        },
    };
    Ok(drift.map(|drift| Drifted { key: item.key, drift }))
}

/// How an object differs that cannot be compared field by field.
fn whose(found: &Value, manager: &str) -> Option<Drift> {
    if found.pointer("/metadata/deletionTimestamp").is_some() {
        return Some(Drift::Deleting);
    }
    match ownership::of(found, manager) {
        Owner::Ours => None,
        Owner::Target(owner) => Some(Drift::Foreign { owner: Some(owner) }),
        Owner::Nobody => Some(Drift::Foreign { owner: None }),
    }
}

async fn changed(
    cluster: &impl Cluster,
    manager: &str,
    item: &Item<'_>,
    found: &Value,
) -> Result<Option<Drift>, Failure> {
    let options = ApplyOptions { manager: manager.to_owned(), force: true, dry_run: true };
    let wanted = match cluster.apply(&ownership::marked(item.object, manager), &options).await {
        Ok(wanted) => wanted,
        Err(error) => {
            let failure = Failure::from_cluster(&item.key, &error);
            // It was deleted meanwhile, or cannot become what it was, as where a field may not be changed.
            let refused = failure.reason == Reason::Invalid;
            return if refused { Ok(Some(Drift::Refused { why: error.to_string() })) } else { Err(failure) };
        }
    };
    let mut differing = owned::differing(manager, found, &wanted);
    differing.fields.truncate(FIELDS_LIMIT);
    let owned::Differing { fields, by } = differing;
    Ok((!fields.is_empty()).then_some(Drift::Changed { fields, by }))
}

/// The JSON pointers of what differs between two versions of an object, except for its status and what
/// the API server keeps in its metadata.
pub(crate) fn fields(before: &Value, after: &Value) -> Vec<String> {
    let mut fields = Vec::new();
    walk(before, after, &mut String::new(), &mut fields);
    fields
}

fn is_bookkeeping(pointer: &str) -> bool {
    const KEPT_BY_THE_SERVER: [&str; 4] =
        ["/metadata/managedFields", "/metadata/resourceVersion", "/metadata/generation", "/status"];
    KEPT_BY_THE_SERVER.contains(&pointer)
}

fn walk(before: &Value, after: &Value, pointer: &mut String, fields: &mut Vec<String>) {
    if before == after || fields.len() >= FIELDS_LIMIT || is_bookkeeping(pointer) {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        fields.push(pointer.clone());
        return;
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let length = pointer.len();
    for name in names {
        pointer.push('/');
        pointer.push_str(&escaped(name));
        let side = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
        walk(&side(before), &side(after), pointer, fields);
        pointer.truncate(length);
    }
}

/// A name as a JSON pointer writes it (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
