//! Object keys packed by kind and namespace, since a `ConfigMap` takes 1 MiB and thousands of keys:
//! `{"apps/v1 Deployment": {"shop": ["web", "worker"]}}`, with the empty namespace for cluster scope.

use std::collections::BTreeMap;

use countersign_core::facts::ObjectKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

type Packed = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Keys in the order in which they are read back.
pub fn sorted(mut keys: Vec<ObjectKey>) -> Vec<ObjectKey> {
    keys.sort();
    keys.dedup();
    keys
}

/// Writes keys.
pub fn serialize<S: Serializer>(keys: &[ObjectKey], serializer: S) -> Result<S::Ok, S::Error> {
    let mut packed = Packed::new();
    for key in keys {
        let kind = packed.entry(format!("{} {}", key.api_version, key.kind)).or_default();
        kind.entry(key.namespace.clone().unwrap_or_default()).or_default().push(key.name.clone());
    }
    packed.serialize(serializer)
}

/// Reads keys.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ObjectKey>, D::Error> {
    let mut keys = Vec::new();
    for (versioned_kind, namespaces) in Packed::deserialize(deserializer)? {
        let (api_version, kind) = versioned_kind.split_once(' ').ok_or_else(|| {
            de::Error::custom(format!("{versioned_kind:?} is not an API version and a kind"))
        })?;
        for (namespace, names) in namespaces {
            keys.extend(names.into_iter().map(|name| ObjectKey {
                api_version: api_version.into(),
                kind: kind.into(),
                namespace: Some(namespace.clone()).filter(|namespace| !namespace.is_empty()),
                name,
            }));
        }
    }
    Ok(sorted(keys))
}
