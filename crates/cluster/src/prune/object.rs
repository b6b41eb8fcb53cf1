//! One object that is no longer wanted.

use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{Cluster, ClusterError, Preconditions};
use serde_json::Value;

use crate::failure::Failure;
use crate::inventory::Inventory;
use crate::order::Stage;
use crate::ownership::{self, Owner};

/// The annotation by which an object asks to stay, with the value `disabled`.
const ANNOTATION: &str = "countersign.example/prune";

/// What every object of a prune is judged by.
pub struct Context {
    /// The target's field manager.
    pub manager: String,
    /// The inventories of other targets.
    pub others: Vec<Inventory>,
}

/// What became of an object.
pub enum Pruned {
    /// It was deleted, and is gone.
    Deleted,
    /// It was not there.
    Gone,
    /// It is being deleted, and still there.
    Waiting,
    /// It was left alone, for this reason.
    Skipped(String),
}

/// Deletes the object, if it is still ours to delete.
pub async fn prune(cluster: &impl Cluster, context: &Context, key: &ObjectKey) -> Result<Pruned, Failure> {
    let failed = |error: ClusterError| Failure::from_cluster(key, &error);
    let Some(object) = read(cluster, key).await.map_err(failed)? else { return Ok(Pruned::Gone) };
    if let Some(why) = reason_to_stay(&object, key, context) {
        return Ok(Pruned::Skipped(why));
    }
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Ok(Pruned::Waiting);
    }
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
    let was_there =
        cluster.delete(key, &Preconditions { uid, resource_version: None }).await.map_err(failed)?;
    match read(cluster, key).await.map_err(failed)? {
        Some(_) => Ok(Pruned::Waiting),
        None if was_there => Ok(Pruned::Deleted),
        None => Ok(Pruned::Gone),
    }
}

/// The object; none as well when its kind went with its definition.
async fn read(cluster: &impl Cluster, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
    match cluster.get(key).await {
        Err(ClusterError::NotFound(_)) => Ok(None),
        answer => answer,
    }
}

fn reason_to_stay(object: &Value, key: &ObjectKey, context: &Context) -> Option<String> {
    match ownership::of(object, &context.manager) {
        Owner::Target(owner) => return Some(format!("it belongs to {owner} by now")),
        Owner::Nobody => return Some("it was made by other means, or applied by nobody since".into()),
        Owner::Ours => {}
    }
    let annotations = object.pointer("/metadata/annotations");
    let asked = annotations.and_then(|annotations| annotations.get(ANNOTATION)).and_then(Value::as_str);
    if asked == Some("disabled") {
        return Some(format!("its annotation {ANNOTATION} asks to keep it"));
    }
    let taken_along =
        |other: &&Inventory| other.objects.iter().any(|theirs| takes_along(key, object, theirs));
    context
        .others
        .iter()
        .find(taken_along)
        .map(|other| format!("{} has objects that would go with it", other.target))
}

/// Whether deleting the object deletes another one too: a namespace takes all that lives in it, a
/// definition all objects of its kind.
fn takes_along(key: &ObjectKey, object: &Value, other: &ObjectKey) -> bool {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    match Stage::of(key) {
        Stage::Namespaces => other.namespace.as_deref() == Some(&key.name),
        Stage::Definitions => {
            text("/spec/group") == Some(other.group()) && text("/spec/names/kind") == Some(&other.kind)
        }
        Stage::Classes | Stage::Rest => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
        let namespace = namespace.map(Into::into);
        ObjectKey { api_version: api_version.into(), kind: kind.into(), namespace, name: name.into() }
    }

    #[test]
    fn a_namespace_and_a_definition_take_others_along() {
        let theirs = key("example.com/v1", "Widget", Some("shared"), "a");
        let namespace = |name| takes_along(&key("v1", "Namespace", None, name), &json!({}), &theirs);
        assert!(namespace("shared") && !namespace("other"));
        let definition =
            key("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "widgets.example.com");
        let object = json!({"spec": {"group": "example.com", "names": {"kind": "Widget"}}});
        assert!(takes_along(&definition, &object, &theirs));
        assert!(!takes_along(&definition, &json!({}), &theirs));
    }

    #[test]
    fn only_what_we_applied_and_may_prune_goes() {
        let context = Context { manager: "countersign:shop/staging".into(), others: Vec::new() };
        let reason =
            |object: &Value| reason_to_stay(object, &key("v1", "ConfigMap", Some("shop"), "a"), &context);
        let mut object =
            json!({"metadata": {"managedFields": [{"manager": context.manager, "operation": "Apply"}]}});
        assert_eq!(reason(&object), None);
        object["metadata"]["annotations"] = json!({ANNOTATION: "disabled"});
        assert!(reason(&object).unwrap().contains(ANNOTATION));
        assert!(reason(&json!({})).is_some());
    }
}
