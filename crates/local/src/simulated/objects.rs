//! Small readings of objects.

use countersign_core::facts::ObjectKey;
use countersign_core::time::Timestamp;
use serde_json::Value;

/// A key.
pub fn key(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: namespace.map(Into::into),
        name: name.into(),
    }
}

/// A text in the object, or the empty one.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the object bears the label of `selector`, which is `name=value`.
pub fn bears(object: &Value, selector: &str) -> bool {
    let (name, value) = selector.split_once('=').unwrap_or((selector, ""));
    object["metadata"]["labels"].get(name).and_then(Value::as_str) == Some(value)
}

/// A time as Kubernetes writes it: in whole seconds.
pub fn seconds(time: Timestamp) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}
