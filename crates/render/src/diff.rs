//! How one manifest differs from another, field by field, values of Secrets masked.

use std::collections::HashMap;

use countersign_core::facts::{ChangeKind, FieldDiff, ObjectDiff, ObjectKey};
use countersign_core::manifest::Manifest;
use serde_json::{Map, Value};

use crate::mask::{self, CHANGED, MASK};
use crate::yaml::node::escaped;

/// What names an object in whatever version of its API: its group and kind, namespace and name.
type Identity = (String, Option<String>, String);

/// What differs between what runs and what would run; `None` is an empty manifest. Objects that are new
/// or changed come in the order of `after`, then those that are gone in the order of `before`.
#[must_use]
pub fn diff(before: Option<&Manifest>, after: Option<&Manifest>) -> Vec<ObjectDiff> {
    let (before, after) = (keyed(before), keyed(after));
    let old: HashMap<Identity, &Value> =
        before.iter().map(|(key, object)| (identity(key), *object)).collect();
    let new: HashMap<Identity, &Value> = after.iter().map(|(key, object)| (identity(key), *object)).collect();
    let mut diffs = Vec::new();
    for (key, object) in after {
        let Some(before) = old.get(&identity(&key)) else {
            diffs.push(ObjectDiff { key, change: ChangeKind::Added, fields: Vec::new() });
            continue;
        };
        if *before != object {
            let fields = fields(before, object);
            diffs.push(ObjectDiff { key, change: ChangeKind::Changed, fields });
        }
    }
    let gone = before.into_iter().filter(|(key, _)| !new.contains_key(&identity(key)));
    diffs.extend(gone.map(|(key, _)| ObjectDiff { key, change: ChangeKind::Removed, fields: Vec::new() }));
    diffs
}

/// The objects of a manifest that can be named.
fn keyed(manifest: Option<&Manifest>) -> Vec<(ObjectKey, &Value)> {
    let objects = manifest.map_or(&[][..], |manifest| &manifest.objects);
    objects.iter().filter_map(|object| Some((ObjectKey::of(object)?, object))).collect()
}

fn identity(key: &ObjectKey) -> Identity {
    (key.group_kind(), key.namespace.clone(), key.name.clone())
}

/// The fields in which two versions of an object differ.
fn fields(before: &Value, after: &Value) -> Vec<FieldDiff> {
    let masked = (mask::mask(before), mask::mask(after));
    let mut differ = Differ { fields: Vec::new() };
    differ.compare(&mut String::new(), (before, &masked.0), (after, &masked.1));
    differ.fields
}

/// A value in clear, which is compared, and the same value masked, which is shown.
type Sides<'a> = (&'a Value, &'a Value);

struct Differ {
    fields: Vec<FieldDiff>,
}

impl Differ {
    fn compare(&mut self, at: &mut String, before: Sides<'_>, after: Sides<'_>) {
        if before.0 == after.0 {
            return;
        }
        let length = at.len();
        match (before, after) {
            // The masked sides have the shape that may be shown, which for a value of a Secret is none.
            (
                (Value::Object(old), Value::Object(old_shown)),
                (Value::Object(new), Value::Object(new_shown)),
            ) => {
                for key in keys(old, new) {
                    at.push('/');
                    at.push_str(&escaped(key));
                    self.sides(
                        at,
                        old.get(key).zip(old_shown.get(key)),
                        new.get(key).zip(new_shown.get(key)),
                    );
                    at.truncate(length);
                }
            }
            ((Value::Array(old), Value::Array(old_shown)), (Value::Array(new), Value::Array(new_shown))) => {
                for index in 0..old.len().max(new.len()) {
                    at.push_str(&format!("/{index}"));
                    let old = old.get(index).zip(old_shown.get(index));
                    self.sides(at, old, new.get(index).zip(new_shown.get(index)));
                    at.truncate(length);
                }
            }
            _ => self.push(at, Some(before.1.clone()), Some(after.1.clone())),
        }
    }

    fn sides(&mut self, at: &mut String, before: Option<Sides<'_>>, after: Option<Sides<'_>>) {
        match (before, after) {
            (Some(before), Some(after)) => self.compare(at, before, after),
            (before, after) => {
                let shown = |sides: Sides<'_>| sides.1.clone();
                self.push(at, before.map(shown), after.map(shown));
            }
        }
    }

    fn push(&mut self, at: &str, before: Option<Value>, after: Option<Value>) {
        let hidden = |value: &Option<Value>| value.as_ref().is_some_and(|value| value == MASK);
        let after = if hidden(&before) && hidden(&after) { Some(Value::from(CHANGED)) } else { after };
        self.fields.push(FieldDiff { field: at.to_owned(), before, after });
    }
}

/// The keys of both, each once, sorted.
fn keys<'a>(old: &'a Map<String, Value>, new: &'a Map<String, Value>) -> Vec<&'a str> {
    let mut keys: Vec<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests;
