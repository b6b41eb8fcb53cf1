//! What differs between two versions of an object in the fields that one manager owns, as
//! `metadata.managedFields` tells it (`FieldsV1`: <https://kubernetes.io/docs/reference/using-api/server-side-apply/>).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::escaped;

/// Where two versions differ, and who wrote it.
#[derive(Debug, PartialEq, Eq)]
pub struct Differing {
    /// JSON pointers, with items of lists by their keys.
    pub fields: Vec<String>,
    /// The other managers that own these fields in what was found.
    pub by: Vec<String>,
}

/// The steps to a field, as `FieldsV1` writes them.
type Path<'a> = Vec<&'a str>;

/// What differs between what was `found` and what is `wanted`, in fields that `manager` owns by its applies in
/// one of the two: what it would own is what it asks for, and what it owned may have been added under its name.
pub fn differing(manager: &str, found: &Value, wanted: &Value) -> Differing {
    let mut paths = BTreeSet::new();
    for fields in [wanted, found].into_iter().filter_map(|object| applied(object, manager)) {
        walk(fields, (Some(found), Some(wanted)), &mut Vec::new(), &mut paths);
    }
    let is_theirs = |entry: &&Value| !is_applied_by(entry, manager);
    let others = entries(found).filter(is_theirs).filter_map(|entry| {
        let owns = paths.iter().any(|path| owns(entry.get("fieldsV1"), path));
        entry.get("manager").and_then(Value::as_str).filter(|_| owns).map(str::to_owned)
    });
    let by: BTreeSet<String> = others.collect();
    Differing { fields: paths.iter().map(|path| pointer(path)).collect(), by: by.into_iter().collect() }
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten()
}

fn is_applied_by(entry: &Value, manager: &str) -> bool {
    let is = |name: &str, value: &str| entry.get(name).and_then(Value::as_str) == Some(value);
    is("manager", manager) && is("operation", "Apply") && entry.get("subresource").is_none()
}

/// The fields that `manager` owns by its applies.
fn applied<'a>(object: &'a Value, manager: &str) -> Option<&'a Value> {
    entries(object).find(|entry| is_applied_by(entry, manager))?.get("fieldsV1")
}

/// Collects the paths below `fields` at which the two values differ.
fn walk<'a>(
    fields: &'a Value,
    (found, wanted): (Option<&'a Value>, Option<&'a Value>),
    path: &mut Path<'a>,
    paths: &mut BTreeSet<Path<'a>>,
) {
    if found == wanted {
        return;
    }
    let below = fields.as_object().into_iter().flatten().filter(|(step, _)| *step != ".");
    let below: Vec<_> = below.collect();
    // An entry of itself alone owns that there is such an item, and not what others put into it.
    let exists_only = below.is_empty() && fields.get(".").is_some();
    if found.is_none() || wanted.is_none() || (below.is_empty() && !exists_only) {
        paths.insert(path.clone());
        return;
    }
    for (step, inner) in below {
        path.push(step);
        walk(inner, (descend(found, step), descend(wanted, step)), path, paths);
        path.pop();
    }
}

/// The value that a step leads to: a field of a map, or an item of a list by its keys, its value or its place.
fn descend<'a>(value: Option<&'a Value>, step: &str) -> Option<&'a Value> {
    let value = value?;
    let (kind, name) = step.split_once(':')?;
    match kind {
        "f" => value.get(name),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(name).ok()?;
            let bears = |item: &&Value| keys.iter().all(|(key, wanted)| item.get(key) == Some(wanted));
            value.as_array()?.iter().find(bears)
        }
        "v" => {
            let wanted: Value = serde_json::from_str(name).ok()?;
            value.as_array()?.iter().find(|item| **item == wanted)
        }
        "i" => value.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Whether these fields hold the path, or a field above it as a whole.
fn owns(fields: Option<&Value>, path: &[&str]) -> bool {
    let Some(fields) = fields.and_then(Value::as_object) else { return false };
    match path.split_first() {
        None => true,
        Some(_) if fields.is_empty() => true,
        Some((step, rest)) => owns(fields.get(*step), rest),
    }
}

fn pointer(path: &[&str]) -> String {
    path.iter().map(|step| segment(step)).collect()
}

fn segment(step: &str) -> String {
    let (kind, name) = step.split_once(':').unwrap_or(("f", step));
    match kind {
        "f" => format!("/{}", escaped(name)),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(name).unwrap_or_default();
            let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let keys: Vec<_> = keys.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect();
            format!("[{}]", keys.join(","))
        }
        _ => format!("[{name}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const US: &str = "countersign:shop/staging";

    /// A workload with this image and replicas; `entries` say who manages what.
    fn object(image: &str, replicas: u32, entries: &[Value]) -> Value {
        json!({
            "metadata": {"managedFields": entries, "labels": {"a/b": "1"}},
            "spec": {
                "replicas": replicas,
                "containers": [{"name": "sidecar", "image": "proxy"}, {"name": "web", "image": image}],
            },
        })
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": fields})
    }

    fn ours(spec: Value) -> Value {
        entry(US, "Apply", json!({"f:metadata": {"f:labels": {"f:a/b": {}}}, "f:spec": spec}))
    }

    fn web() -> Value {
        json!({"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}, "f:name": {}}}})
    }

    #[test]
    fn only_fields_that_we_own_or_would_own_count() {
        let same = object("web:1", 2, &[ours(web())]);
        let scaled = object(
            "web:1",
            9,
            &[ours(web()), entry("autoscaler", "Update", json!({"f:spec": {"f:replicas": {}}}))],
        );
        assert_eq!(differing(US, &same, &same).fields, [] as [&str; 0]);
        assert_eq!(differing(US, &scaled, &same).fields, [] as [&str; 0], "replicas are another's");
    }

    #[test]
    fn an_item_of_a_list_is_named_by_its_keys_and_who_wrote_it() {
        let image = json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}}});
        // Of the field that somebody else wrote only they are the manager.
        let left = json!({"f:metadata": {"f:labels": {"f:a/b": {}}}});
        let entries = [entry(US, "Apply", left), entry("kubectl-edit", "Update", image)];
        let found = object("web:evil", 2, &entries);
        let differing = differing(US, &found, &object("web:1", 2, &[ours(web())]));
        assert_eq!(differing.fields, ["/spec/containers[name=web]/image"]);
        assert_eq!(differing.by, ["kubectl-edit"]);
    }

    #[test]
    fn what_was_added_under_our_name_counts() {
        let mut spec = web();
        spec["f:hostNetwork"] = json!({});
        let mut found = object("web:1", 2, &[ours(spec)]);
        found["spec"]["hostNetwork"] = json!(true);
        let differing = differing(US, &found, &object("web:1", 2, &[ours(web())]));
        assert_eq!((differing.fields, differing.by), (vec!["/spec/hostNetwork".to_owned()], Vec::new()));
    }

    #[test]
    fn what_is_gone_counts_whole() {
        let mut found = object("web:1", 2, &[ours(web())]);
        found["metadata"]["labels"] = json!({});
        found["spec"]["containers"] = json!([]);
        let fields = differing(US, &found, &object("web:1", 2, &[ours(web())])).fields;
        assert_eq!(fields, ["/metadata/labels/a~1b", "/spec/containers[name=web]"]);
    }
}
