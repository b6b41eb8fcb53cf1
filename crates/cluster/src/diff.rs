//! What applying a plan would change now: a dry run as our own field manager, so that defaults, and
//! fields that others manage, never count.

use std::collections::BTreeSet;

use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{ApplyOptions, Cluster, ClusterError};
use serde_json::Value;

use crate::failure::Failure;
use crate::plan::{Item, Plan, items, manager};
use crate::{ownership, parallel};

/// So many fields of an object are listed at most.
const FIELDS_LIMIT: usize = 50;

/// An object that is not as the plan wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifted {
    /// The object.
    pub key: ObjectKey,
    /// How it differs.
    pub drift: Drift,
}

/// How an object differs from what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// It is not there.
    Missing,
    /// Some fields have other values. Only their JSON pointers are told, since values may be secret.
    Changed {
        /// Where, at most 50 of them.
        fields: Vec<String>,
    },
}

/// The objects of `plan` that are not as it wants them. Changes nothing.
///
/// # Errors
/// When the cluster cannot be asked, or does not take an object.
pub async fn diff(cluster: &impl Cluster, plan: &Plan<'_>) -> Result<Vec<Drifted>, Failure> {
    let manager = manager(plan.target);
    let tasks = items(plan.objects)?.into_iter().map(|item| diff_one(cluster, &manager, item)).collect();
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
    let Some(found) = found else { return Ok(Some(Drifted { key: item.key, drift: Drift::Missing })) };
    let options = ApplyOptions { manager: manager.to_owned(), force: true, dry_run: true };
    let wanted = cluster.apply(&ownership::marked(item.object, manager), &options).await;
    let wanted = wanted.map_err(|error| Failure::from_cluster(&item.key, &error))?;
    let fields = fields(&found, &wanted);
    Ok((!fields.is_empty()).then_some(Drifted { key: item.key, drift: Drift::Changed { fields } }))
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
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let side = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
        walk(&side(before), &side(after), pointer, fields);
        pointer.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_somebody_wrote_counts() {
        let before = json!({
            "metadata": {"resourceVersion": "1", "generation": 1, "managedFields": [], "labels": {"a/b": "1"}},
            "spec": {"replicas": 1, "ports": [1]}, "status": {"replicas": 0},
        });
        let mut after = before.clone();
        after["metadata"]["resourceVersion"] = json!("2");
        after["metadata"]["generation"] = json!(2);
        after["status"]["replicas"] = json!(1);
        assert_eq!(fields(&before, &after), [] as [&str; 0]);
        after["metadata"]["labels"]["a/b"] = json!("2");
        after["spec"]["ports"] = json!([1, 2]);
        after["spec"]["paused"] = json!(true);
        assert_eq!(fields(&before, &after), ["/metadata/labels/a~1b", "/spec/paused", "/spec/ports"]);
    }
}
