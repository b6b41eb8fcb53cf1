//! Values of Secrets never leave the few functions that apply them: elsewhere a mask stands for them.

use serde_json::{Map, Value};

/// What stands for a value of a Secret. It tells neither the value nor its length.
pub const MASK: &str = "(masked)";

/// What stands for a value of a Secret that differs from the one before.
pub const CHANGED: &str = "(masked, changed)";

/// The annotation in which kubectl keeps a whole object, values of a Secret included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The fields of a Secret that are shown. Any other could hold a value, also a misspelt `stringData`.
const SHOWN: [&str; 5] = ["apiVersion", "immutable", "kind", "metadata", "type"];

/// What tells which Secret is meant where one is named, as by a certificate's reference: people and rules go by that.
const NAMES: [&str; 6] = ["apiGroup", "group", "key", "name", "namespace", "uid"];

/// `object` with every value of a Secret masked, also of one that stands within another object.
#[must_use]
pub fn mask(object: &Value) -> Value {
    match object {
        Value::Object(fields) if is_secret(fields) => Value::Object(masked(fields)),
        other => mask_within(other),
    }
}

fn mask_within(value: &Value) -> Value {
    match value {
        Value::Object(fields) if is_secret(fields) => {
            let mut masked = masked(fields);
            // What has no metadata is no object, and names one.
            let names =
                fields.iter().filter(|(key, value)| NAMES.contains(&key.as_str()) && value.is_string());
            if !fields.contains_key("metadata") {
                masked.extend(names.map(|(key, value)| (key.clone(), value.clone())));
            }
            Value::Object(masked)
        }
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), mask_within(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(mask_within).collect()),
        scalar => scalar.clone(),
    }
}

/// Whether these are the fields of a Secret.
fn is_secret(fields: &Map<String, Value>) -> bool {
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    // The core group has no slash; whatever its version, or without one, the values are secret.
    text("kind") == Some("Secret") && !text("apiVersion").unwrap_or_default().contains('/')
}

fn masked(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = fields.clone();
    for (key, value) in &mut fields {
        if !SHOWN.contains(&key.as_str()) {
            hide(value);
        }
    }
    let annotations = fields.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(value) = annotations.and_then(|annotations| annotations.get_mut(LAST_APPLIED)) {
        hide(value);
    }
    fields
}

/// Masks every scalar in `value`, so that only the names of the keys are left. Of a list nothing is left:
/// it could be a value, one item a character.
fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| hide(value)),
        _ => *value = Value::from(MASK),
    }
}

#[cfg(test)]
mod tests;
