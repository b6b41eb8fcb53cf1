//! Which fields each manager owns, as `metadata.managedFields` tells it.
//!
//! Maps are owned field by field; a list or a scalar is owned as a whole. (A real API server merges some
//! lists by key; objects that one manager alone applies cannot tell the difference.)

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The way from the root to a field that is no map, or an empty one.
pub type Path = Vec<String>;

/// What one manager owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Managed {
    /// The manager.
    pub manager: String,
    /// `Apply` or `Update`: the same name owns by each on its own.
    pub operation: String,
    /// When it last changed.
    pub time: Value,
    /// The fields.
    pub fields: BTreeSet<Path>,
}

/// The fields of an object that somebody can own.
pub fn owned(object: &Value) -> BTreeSet<Path> {
    let mut paths = BTreeSet::new();
    collect(object, &mut Vec::new(), &mut paths);
    paths
}

/// What the server keeps itself, and what names the object, is nobody's.
fn is_nobodys(path: &[String]) -> bool {
    match path {
        [root] => matches!(root.as_str(), "apiVersion" | "kind" | "status"),
        [root, field] if root == "metadata" => matches!(
            field.as_str(),
            "name"
                | "namespace"
                | "uid"
                | "resourceVersion"
                | "generation"
                | "creationTimestamp"
                | "deletionTimestamp"
                | "managedFields"
                | "selfLink"
        ),
        _ => false,
    }
}

fn collect(value: &Value, path: &mut Path, paths: &mut BTreeSet<Path>) {
    if is_nobodys(path) || value.is_null() {
        return;
    }
    match value {
        Value::Object(fields) if path.is_empty() || !fields.is_empty() => {
            for (name, value) in fields {
                path.push(name.clone());
                collect(value, path, paths);
                path.pop();
            }
        }
        _ if path.as_slice() == ["metadata"] => {}
        _ => {
            paths.insert(path.clone());
        }
    }
}

/// Whether writing one of the fields touches the other.
pub fn overlap(left: &[String], right: &[String]) -> bool {
    left.starts_with(right) || right.starts_with(left)
}

/// The field's value.
pub fn get<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, name| value.get(name))
}

/// Sets a field; what stands in the way is replaced by maps.
pub fn set(object: &mut Value, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        // An empty map that is wanted where fields of others are changes nothing.
        if !(value.is_object() && object.is_object()) {
            *object = value;
        }
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    set(&mut object[first.as_str()], rest, value);
}

/// Removes a field, and the maps that it leaves empty.
pub fn remove(object: &mut Value, path: &[String]) {
    let (Some((first, rest)), Value::Object(fields)) = (path.split_first(), &mut *object) else { return };
    if let Some(inner) = fields.get_mut(first).filter(|_| !rest.is_empty()) {
        remove(inner, rest);
        if inner.as_object().is_some_and(Map::is_empty) {
            fields.remove(first);
        }
        return;
    }
    fields.remove(first);
}

/// What `metadata.managedFields` says.
pub fn read(object: &Value) -> Vec<Managed> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entry = |entry: &Value| {
        let mut fields = BTreeSet::new();
        unpack(&entry["fieldsV1"], &mut Vec::new(), &mut fields);
        let (manager, operation) = (text(&entry["manager"]), text(&entry["operation"]));
        Managed { manager, operation, time: entry["time"].clone(), fields }
    };
    entries.into_iter().flatten().map(entry).collect()
}

/// Writes `metadata.managedFields`, by manager; who owns nothing is left out.
pub fn write(object: &mut Value, mut managed: Vec<Managed>) {
    let api_version = object["apiVersion"].clone();
    managed.retain(|managed| !managed.fields.is_empty());
    managed.sort_by(|left, right| (&left.manager, &left.operation).cmp(&(&right.manager, &right.operation)));
    let entries: Vec<Value> = managed
        .iter()
        .map(|managed| {
            let mut packed = json!({});
            for path in &managed.fields {
                let names: Path = path.iter().map(|name| format!("f:{name}")).collect();
                set(&mut packed, &names, json!({}));
            }
            json!({
                "manager": managed.manager, "operation": managed.operation, "apiVersion": api_version,
                "time": managed.time, "fieldsType": "FieldsV1", "fieldsV1": packed,
            })
        })
        .collect();
    object["metadata"]["managedFields"] = json!(entries);
}

fn unpack(packed: &Value, path: &mut Path, paths: &mut BTreeSet<Path>) {
    let Some(fields) = packed.as_object().filter(|fields| !fields.is_empty()) else {
        if !path.is_empty() {
            paths.insert(path.clone());
        }
        return;
    };
    for (name, inner) in fields {
        path.push(name.strip_prefix("f:").unwrap_or(name).to_owned());
        unpack(inner, path, paths);
        path.pop();
    }
}
