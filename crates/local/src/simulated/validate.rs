//! What a simulated cluster refuses: what is in the wrong place, and workloads that could never run.

use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{ClusterError, ServedKind};
use serde_json::Value;

use super::objects::text;

/// The longest name, in bytes.
const NAME_LIMIT: usize = 253;

fn invalid(key: &ObjectKey, why: &str) -> ClusterError {
    ClusterError::Invalid(format!("{key} is invalid: {why}"))
}

/// Whether the key may name an object of this kind.
pub fn place(key: &ObjectKey, kind: &ServedKind) -> Result<(), ClusterError> {
    match (&key.namespace, kind.namespaced) {
        (None, true) => return Err(invalid(key, "its kind lives in namespaces and it has none")),
        (Some(_), false) => return Err(invalid(key, "its kind lives in no namespace")),
        _ => {}
    }
    // Names of roles are looser, as `system:discovery`.
    let is_role = key.group() == "rbac.authorization.k8s.io";
    let fits = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || b"-.".contains(&byte)
            || (is_role && byte.is_ascii_graphic() && !b"/%".contains(&byte))
    };
    match !key.name.is_empty() && key.name.len() <= NAME_LIMIT && key.name.bytes().all(fits) {
        true => Ok(()),
        false => Err(invalid(key, "metadata.name: use lower-case letters, digits, '-' and '.', at most 253")),
    }
}

/// Whether the object could do what its kind is for.
pub fn content(key: &ObjectKey, object: &Value) -> Result<(), ClusterError> {
    match (key.group(), key.kind.as_str()) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => {
            selector(key, object)?;
            containers(key, object, "/spec/template/spec/containers")
        }
        ("batch", "Job") => containers(key, object, "/spec/template/spec/containers"),
        ("batch", "CronJob") => containers(key, object, "/spec/jobTemplate/spec/template/spec/containers"),
        ("", "Pod") => containers(key, object, "/spec/containers"),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(key, object),
        _ => Ok(()),
    }
}

fn selector(key: &ObjectKey, object: &Value) -> Result<(), ClusterError> {
    let Some(wanted) = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object) else {
        return match object.pointer("/spec/selector/matchExpressions") {
            Some(_) => Ok(()),
            None => Err(invalid(key, "spec.selector: required")),
        };
    };
    let labels = object.pointer("/spec/template/metadata/labels").unwrap_or(&Value::Null);
    match wanted.iter().all(|(name, value)| labels.get(name) == Some(value)) {
        true => Ok(()),
        false => Err(invalid(key, "spec.template.metadata.labels: does not match spec.selector")),
    }
}

fn containers(key: &ObjectKey, object: &Value, pointer: &str) -> Result<(), ClusterError> {
    let containers = object.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let complete =
        |container: &Value| !text(container, "/name").is_empty() && !text(container, "/image").is_empty();
    match !containers.is_empty() && containers.iter().all(complete) {
        true => Ok(()),
        false => Err(invalid(key, "its pods need containers, each with a name and an image")),
    }
}

fn definition(key: &ObjectKey, object: &Value) -> Result<(), ClusterError> {
    let expected = format!("{}.{}", text(object, "/spec/names/plural"), text(object, "/spec/group"));
    if key.name != expected {
        return Err(invalid(key, "metadata.name: must be spec.names.plural, a dot, and spec.group"));
    }
    let has_kind = !text(object, "/spec/names/kind").is_empty();
    let has_scope = matches!(text(object, "/spec/scope"), "Namespaced" | "Cluster");
    match has_kind && has_scope && object.pointer("/spec/versions/0/name").is_some() {
        true => Ok(()),
        false => Err(invalid(key, "spec.names.kind, spec.scope and spec.versions are required")),
    }
}
