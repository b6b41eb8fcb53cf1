//! The verbs that write.

use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{ApplyOptions, ClusterError, Preconditions, Swapped};
use serde_json::{Value, json};

use super::objects::{self, text};
use super::session::Session;
use super::{Answer, fields, kinds, merge, validate};

/// Server-side apply.
pub fn apply(session: &mut Session<'_>, wanted: &Value, options: &ApplyOptions) -> Answer<Value> {
    let key = checked_key(session, wanted)?;
    if wanted.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ClusterError::Invalid(format!("{key}: metadata.managedFields must be absent")).into());
    }
    let live = session.load(&key)?;
    check_version(&key, wanted, live.as_ref())?;
    let base = live.clone().unwrap_or_else(|| named(wanted, &key));
    let now = json!(objects::seconds(session.now()));
    let mut next = merge::apply(&base, wanted, options, &now)?;
    validate::content(&key, &next)?;
    settle(session, live.as_ref(), &mut next);
    if !options.dry_run && live.as_ref() != Some(&next) {
        store(session, &key, &next)?;
    }
    Ok(next)
}

/// Stores a whole object over the version that it bears, or where there is none.
pub fn compare_and_swap(session: &mut Session<'_>, object: &Value) -> Answer<Swapped> {
    let key = checked_key(session, object)?;
    let live = session.load(&key)?;
    let version = text(object, "/metadata/resourceVersion");
    let base = match &live {
        None if version.is_empty() => named(object, &key),
        Some(live) if text(live, "/metadata/resourceVersion") == version => live.clone(),
        _ => return Ok(Swapped::Conflict),
    };
    let mut next = object.clone();
    for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp"] {
        match base["metadata"].get(field) {
            Some(value) => next["metadata"][field] = value.clone(),
            None => fields::remove(&mut next, &["metadata".into(), field.into()]),
        }
    }
    match base.get("status") {
        Some(status) => next["status"] = status.clone(),
        None => fields::remove(&mut next, &["status".into()]),
    }
    merge::replaced(&base, &mut next, &json!(objects::seconds(session.now())));
    validate::content(&key, &next)?;
    settle(session, live.as_ref(), &mut next);
    store(session, &key, &next)?;
    Ok(Swapped::Stored(next))
}

/// Deletes an object, with what goes with it; one with finalizers only begins to go.
pub fn delete(session: &mut Session<'_>, key: &ObjectKey, preconditions: &Preconditions) -> Answer<bool> {
    validate::place(key, &session.kind(&key.api_version, &key.kind)?)?;
    let Some(object) = session.load(key)? else { return Ok(false) };
    let differs = |wanted: &Option<String>, pointer: &str| {
        wanted.as_ref().is_some_and(|wanted| wanted != text(&object, pointer))
    };
    if differs(&preconditions.uid, "/metadata/uid")
        || differs(&preconditions.resource_version, "/metadata/resourceVersion")
    {
        let message = format!("{key}: a precondition does not hold, it is another object or version");
        return Err(ClusterError::Conflict(message).into());
    }
    let must_wait = !finalizers_are_empty(&object) || takes_along(session, key, &object)?;
    match must_wait {
        true => mark(session, key, object)?,
        false => session.remove(key)?,
    }
    Ok(true)
}

/// Removes namespaces that were deleted and are empty by now.
pub fn finish_namespaces(session: &mut Session<'_>) -> Answer<()> {
    for namespace in session.of_kind("v1", "Namespace")? {
        let name = text(&namespace, "/metadata/name");
        let key = objects::key("v1", "Namespace", None, name);
        if is_terminating(&namespace) && finalizers_are_empty(&namespace) && !empty(session, &key)? {
            session.remove(&key)?;
        }
    }
    Ok(())
}

/// Gives a workload another status.
pub fn status(session: &mut Session<'_>, key: &ObjectKey, mut object: Value, status: Value) -> Answer<()> {
    object["status"] = status;
    object["metadata"]["resourceVersion"] = json!(session.next_version());
    Ok(session.save(key, &object)?)
}

/// The key of an object that may be written: its kind is served, its namespace exists and stays.
fn checked_key(session: &Session<'_>, object: &Value) -> Answer<ObjectKey> {
    let missing = || ClusterError::Invalid("an object lacks apiVersion, kind or metadata.name".into());
    let key = ObjectKey::of(object).ok_or_else(missing)?;
    validate::place(&key, &session.kind(&key.api_version, &key.kind)?)?;
    if let Some(namespace) = &key.namespace {
        let found = session.load(&objects::key("v1", "Namespace", None, namespace))?;
        let found =
            found.ok_or_else(|| ClusterError::NotFound(format!("namespaces {namespace:?} not found")))?;
        if is_terminating(&found) && session.load(&key)?.is_none() {
            let message = format!("{key}: namespace {namespace} is being terminated");
            return Err(ClusterError::Unavailable(message).into());
        }
    }
    Ok(key)
}

/// An apply that bears a version means that version only.
fn check_version(key: &ObjectKey, wanted: &Value, live: Option<&Value>) -> Result<(), ClusterError> {
    let version = text(wanted, "/metadata/resourceVersion");
    let found = live.map_or("", |live| text(live, "/metadata/resourceVersion"));
    match version.is_empty() || version == found {
        true => Ok(()),
        false => Err(ClusterError::Conflict(format!(
            "{key}: the object has been modified, its version is {found}"
        ))),
    }
}

/// An object with nothing but its names.
fn named(object: &Value, key: &ObjectKey) -> Value {
    let mut named = json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": { "name": key.name },
    });
    if let Some(namespace) = &key.namespace {
        named["metadata"]["namespace"] = json!(namespace);
    }
    named
}

/// What the server adds to an object that is going to be stored, if it differs from what is there.
fn settle(session: &mut Session<'_>, live: Option<&Value>, next: &mut Value) {
    let Some(live) = live else {
        session.stamp_new(next);
        defaults(next);
        return;
    };
    next["apiVersion"] = live["apiVersion"].clone();
    if live == next {
        return;
    }
    next["metadata"]["resourceVersion"] = json!(session.next_version());
    let content = |object: &Value| {
        let mut object = object.clone();
        for field in ["metadata", "status"] {
            fields::remove(&mut object, &[field.into()]);
        }
        object
    };
    if content(live) != content(next)
        && let Some(generation) = live["metadata"]["generation"].as_i64()
    {
        next["metadata"]["generation"] = json!(generation + 1);
    }
}

/// What health is read from and no controller gives.
fn defaults(object: &mut Value) {
    match (text(object, "/apiVersion"), text(object, "/kind")) {
        ("v1", "Namespace") => object["status"] = json!({ "phase": "Active" }),
        ("v1", "Service") if needs_address(object) => {
            let version: u32 = text(object, "/metadata/resourceVersion").parse().unwrap_or_default();
            let [_, second, third, fourth] = version.to_be_bytes();
            object["spec"]["clusterIP"] = json!(format!("10.{second}.{third}.{fourth}"));
        }
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition") => {
            object["status"] = json!({ "conditions": [
                { "type": "NamesAccepted", "status": "True", "reason": "NoConflicts" },
                { "type": "Established", "status": "True", "reason": "InitialNamesAccepted" },
            ] });
        }
        _ => {}
    }
}

fn needs_address(service: &Value) -> bool {
    text(service, "/spec/type") != "ExternalName" && text(service, "/spec/clusterIP").is_empty()
}

/// Stores an object, or lets go what only waited for its last finalizer.
fn store(session: &mut Session<'_>, key: &ObjectKey, object: &Value) -> Answer<()> {
    let goes = is_terminating(object) && finalizers_are_empty(object) && key.kind != "Namespace";
    match goes {
        true => session.remove(key)?,
        false => session.save(key, object)?,
    }
    Ok(())
}

fn mark(session: &mut Session<'_>, key: &ObjectKey, mut object: Value) -> Answer<()> {
    if !is_terminating(&object) {
        object["metadata"]["deletionTimestamp"] = json!(objects::seconds(session.now()));
        object["metadata"]["resourceVersion"] = json!(session.next_version());
        if key.kind == "Namespace" {
            object["status"] = json!({ "phase": "Terminating" });
        }
        session.save(key, &object)?;
    }
    Ok(())
}

fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

fn finalizers_are_empty(object: &Value) -> bool {
    object.pointer("/metadata/finalizers").and_then(Value::as_array).is_none_or(Vec::is_empty)
}

/// Deletes what goes with an object: all that is in a namespace, all objects of a defined kind. True if
/// something of it has to be waited for.
fn takes_along(session: &mut Session<'_>, key: &ObjectKey, object: &Value) -> Answer<bool> {
    match (key.group(), key.kind.as_str()) {
        ("", "Namespace") => empty(session, key),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let mut waits = false;
            for kind in kinds::defined(object) {
                for object in session.of_kind(&kind.api_version, &kind.kind)? {
                    waits |= let_go(session, object)?;
                }
            }
            Ok(waits)
        }
        _ => Ok(false),
    }
}

/// Deletes all that is in a namespace; true if something has to be waited for.
fn empty(session: &mut Session<'_>, namespace: &ObjectKey) -> Answer<bool> {
    let mut waits = false;
    for (key, object) in session.all()? {
        if key.namespace.as_ref() == Some(&namespace.name) {
            waits |= let_go(session, object)?;
        }
    }
    Ok(waits)
}

fn let_go(session: &mut Session<'_>, object: Value) -> Answer<bool> {
    let Some(key) = ObjectKey::of(&object) else { return Ok(false) };
    if finalizers_are_empty(&object) {
        session.remove(&key)?;
        return Ok(false);
    }
    mark(session, &key, object)?;
    Ok(true)
}
