//! The manifest: the objects of a target as they are judged, hashed and applied, byte for byte.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::facts::ObjectKey;

/// The version of the manifests that this release writes.
pub const MANIFEST_VERSION: u32 = 1;

/// A manifest. Its canonical JSON is the blob that a digest in an authorization names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub v: u32,
    /// The objects, in the order in which they were rendered.
    pub objects: Vec<Value>,
}

impl Manifest {
    /// A manifest of these objects.
    #[must_use]
    pub fn new(objects: Vec<Value>) -> Self {
        Self { v: MANIFEST_VERSION, objects }
    }

    /// What [`canonical_json`](crate::digest::canonical_json) makes of a manifest of these objects, each of which serializes
    /// with its keys sorted by their bytes.
    ///
    /// # Errors
    /// Only when `serde_json` fails.
    pub fn canonical(
        objects: impl IntoIterator<Item = impl Serialize>,
    ) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = br#"{"objects":["#.to_vec();
        for (index, object) in objects.into_iter().enumerate() {
            if index > 0 {
                bytes.push(b',');
            }
            serde_json::to_writer(&mut bytes, &object)?;
        }
        bytes.extend(format!("],\"v\":{MANIFEST_VERSION}}}").bytes());
        Ok(bytes)
    }
}

impl ObjectKey {
    /// What names `object`; `None` if it lacks an API version, a kind or a name.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let metadata = object.get("metadata")?;
        Some(Self {
            api_version: text(object.get("apiVersion")?)?,
            kind: text(object.get("kind")?)?,
            namespace: metadata.get("namespace").and_then(text),
            name: text(metadata.get("name")?)?,
        })
    }

    /// The API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// `group/Kind`, or `Kind` in the core group: a kind's name without its version.
    #[must_use]
    pub fn group_kind(&self) -> String {
        match self.group() {
            "" => self.kind.clone(),
            group => format!("{group}/{}", self.kind),
        }
    }

    /// Whether both name the same object, in whatever version.
    #[must_use]
    pub fn same_object(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.group_kind(), self.name),
            None => write!(f, "{} {}", self.group_kind(), self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::digest::canonical_json;

    #[test]
    fn the_canonical_form_is_the_one_of_every_document() {
        for objects in [vec![], vec![json!({"a": [{"c": null, "d": "é\""}], "b": 1}), json!({"kind": "X"})]]
        {
            let whole = canonical_json(&Manifest::new(objects.clone())).unwrap();
            assert_eq!(Manifest::canonical(objects).unwrap(), whole);
        }
    }
}
