//! Whose an object is, as it tells itself.
//!
//! Every object is applied with one annotation more than was judged, which names its owner. It tells people
//! whose the object is, and makes sure that the owner owns at least one field for as long as it wants the
//! object: who owns none is forgotten by the API server, as with a bare namespace, or after somebody took
//! over every field by hand.

use serde_json::{Value, json};

/// The annotation that names the owner of an object, by its field manager.
const ANNOTATION: &str = "countersign.example/owner";

/// Field managers that begin so are targets of a Countersign installation.
pub const PREFIX: &str = "countersign:";

/// Whose an object is, seen by one manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The manager itself applied it.
    Ours,
    /// Another target applied it; this is its field manager.
    Target(String),
    /// No target did: somebody made it by other means.
    Nobody,
}

/// Whose `object` is. Being named in an inventory proves nothing: objects are named there before they are
/// first applied.
#[must_use]
pub fn of(object: &Value, manager: &str) -> Owner {
    let owners: Vec<&str> = appliers(object).chain(annotated(object)).collect();
    if let Some(other) = owners.iter().find(|name| name.starts_with(PREFIX) && **name != manager) {
        return Owner::Target((*other).to_owned());
    }
    if owners.contains(&manager) { Owner::Ours } else { Owner::Nobody }
}

/// The object as it is applied: as it was judged, with the annotation that names its owner.
#[must_use]
pub fn marked(object: &Value, manager: &str) -> Value {
    let mut object = object.clone();
    let annotations = &mut object["metadata"]["annotations"];
    if !annotations.is_object() {
        *annotations = json!({});
    }
    annotations[ANNOTATION] = json!(manager);
    object
}

fn annotated(object: &Value) -> Option<&str> {
    object.pointer("/metadata/annotations")?.get(ANNOTATION)?.as_str()
}

fn appliers(object: &Value) -> impl Iterator<Item = &str> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter(|entry| entry.get("operation").and_then(Value::as_str) == Some("Apply"))
        .filter_map(|entry| entry.get("manager").and_then(Value::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn managed(entries: &[(&str, &str)]) -> Value {
        let entries: Vec<Value> = entries
            .iter()
            .map(|(manager, operation)| json!({"manager": manager, "operation": operation}))
            .collect();
        json!({"metadata": {"managedFields": entries}})
    }

    #[test]
    fn only_who_applied_owns() {
        let us = "countersign:shop/staging";
        assert_eq!(of(&json!({}), us), Owner::Nobody);
        assert_eq!(of(&managed(&[("kubectl", "Apply")]), us), Owner::Nobody);
        assert_eq!(of(&managed(&[(us, "Update")]), us), Owner::Nobody);
        assert_eq!(of(&managed(&[("kubectl", "Apply"), (us, "Apply")]), us), Owner::Ours);
    }

    #[test]
    fn an_owner_is_known_by_its_annotation_when_its_fields_are_forgotten() {
        let (us, other) = ("countersign:shop/staging", "countersign:bank/staging");
        let bare = marked(&json!({"metadata": {"name": "a", "annotations": null}}), us);
        assert_eq!(of(&bare, us), Owner::Ours);
        assert_eq!(of(&bare, other), Owner::Target(us.into()));
        assert_eq!(marked(&bare, us), bare);
    }

    #[test]
    fn two_targets_never_share_an_object() {
        let (us, other) = ("countersign:shop/staging", "countersign:bank/staging");
        let shared = managed(&[(us, "Apply"), (other, "Apply")]);
        assert_eq!(of(&shared, us), Owner::Target(other.into()));
        assert_eq!(of(&shared, other), Owner::Target(us.into()));
    }
}
