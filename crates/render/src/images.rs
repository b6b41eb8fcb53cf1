//! The container images that objects name.

use countersign_core::facts::{ImageFacts, ObjectKey};
use serde_json::Value;

use crate::yaml::node::escaped;

/// The lists of a pod's specification whose items name an image.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// The registry of a reference that names none.
const DEFAULT_REGISTRY: &str = "docker.io";

/// A reference to an image, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry's host, with its port if one is written.
    pub registry: String,
    /// The repository on that registry.
    pub repository: String,
    /// The tag, if one is written.
    pub tag: Option<String>,
    /// The digest, if one is written.
    pub digest: Option<String>,
}

/// Takes a reference apart as container runtimes do (`nginx` is `docker.io/library/nginx`). Every text
/// has parts, also one that no registry would accept: it is policy that refuses.
#[must_use]
pub fn parse(reference: &str) -> Reference {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest.to_owned())),
        None => (reference, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
        _ => (name, None),
    };
    let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost" || has_upper_case(first);
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if is_host(first) => (first, rest.to_owned()),
        Some(_) => (DEFAULT_REGISTRY, name.to_owned()),
        None => (DEFAULT_REGISTRY, format!("library/{name}")),
    };
    let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
    let repository = match repository.split_once('/') {
        None if registry == DEFAULT_REGISTRY => format!("library/{repository}"),
        _ => repository,
    };
    Reference { registry: registry.to_owned(), repository, tag, digest }
}

/// A repository has no upper-case letters, so a first part that has some is a host.
fn has_upper_case(part: &str) -> bool {
    part.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The images of `object`: of every pod specification in it, wherever it stands, so that custom kinds
/// which carry a pod template are covered without knowing them. A pod specification is whatever has a
/// list of containers; images that it mounts as volumes are among them.
#[must_use]
pub fn images(key: &ObjectKey, object: &Value) -> Vec<ImageFacts> {
    let mut found = Vec::new();
    walk(object, &mut String::new(), &mut |reference, field| {
        let Reference { registry, repository, tag, digest } = parse(reference);
        found.push(ImageFacts {
            reference: reference.to_owned(),
            registry,
            repository,
            tag,
            digest,
            object: key.clone(),
            field: field.to_owned(),
        });
    });
    found
}

/// Calls `found` with each image and its JSON pointer. `at` is the pointer of `value`.
fn walk(value: &Value, at: &mut String, found: &mut dyn FnMut(&str, &str)) {
    let length = at.len();
    match value {
        Value::Object(fields) => {
            if CONTAINERS.iter().any(|list| fields.get(*list).is_some_and(Value::is_array)) {
                pod(value, at, found);
            }
            for (key, value) in fields {
                at.push('/');
                at.push_str(&escaped(key));
                walk(value, at, found);
                at.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push_str(&format!("/{index}"));
                walk(item, at, found);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

/// The images of one pod specification.
fn pod(spec: &Value, at: &str, found: &mut dyn FnMut(&str, &str)) {
    let mut each = |list: &str, field: &str| {
        let items = spec.get(list).and_then(Value::as_array).into_iter().flatten();
        for (index, item) in items.enumerate() {
            if let Some(reference) = item.pointer(field).and_then(Value::as_str) {
                found(reference, &format!("{at}/{list}/{index}{field}"));
            }
        }
    };
    CONTAINERS.iter().for_each(|list| each(list, "/image"));
    each("volumes", "/image/reference");
}

#[cfg(test)]
mod tests;
