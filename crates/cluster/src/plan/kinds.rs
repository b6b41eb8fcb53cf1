//! Which kinds there are: those that the cluster serves, and those that the plan itself defines.

use std::collections::HashMap;

use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::ServedKind;
use serde_json::Value;

use super::Item;
use crate::order::Stage;

/// Kinds by API version and name, with whether their objects live in namespaces.
pub struct Kinds(HashMap<(String, String), bool>);

impl Kinds {
    /// What `served` lists and the definitions among `items` add. A kind that is served already keeps
    /// the scope that it is served with.
    pub fn new(served: &[ServedKind], items: &[Item<'_>]) -> Self {
        let mut kinds: HashMap<_, _> = defined(items).collect();
        kinds.extend(
            served.iter().map(|kind| ((kind.api_version.clone(), kind.kind.clone()), kind.namespaced)),
        );
        Self(kinds)
    }

    /// Whether objects of this kind live in namespaces; `None` if there is no such kind.
    pub fn namespaced(&self, key: &ObjectKey) -> Option<bool> {
        self.0.get(&(key.api_version.clone(), key.kind.clone())).copied()
    }
}

fn defined<'a>(items: &'a [Item<'_>]) -> impl Iterator<Item = ((String, String), bool)> + 'a {
    items.iter().filter(|item| Stage::of(&item.key) == Stage::Definitions).flat_map(|item| {
        let text = |pointer: &str| item.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
        let namespaced = text("/spec/scope") == "Namespaced";
        served_versions(item.object)
            .map(move |version| ((format!("{group}/{version}"), kind.to_owned()), namespaced))
    })
}

/// The versions that a definition serves.
pub fn served_versions(definition: &Value) -> impl Iterator<Item = &str> {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    versions
        .into_iter()
        .flatten()
        .filter(|version| version.get("served").and_then(Value::as_bool) == Some(true))
        .filter_map(|version| version.get("name").and_then(Value::as_str))
}
