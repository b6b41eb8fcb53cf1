//! Whether a path exists in a JSON Schema, and whether one exists in a document.

use serde_json::Value;

use super::uses::Step;
use crate::yaml::suggest;

/// Follows `steps` through `schema`.
///
/// # Errors
/// The name that leads nowhere, and the nearest that would.
pub fn follow(root: &Value, steps: &[Step]) -> Result<(), Missing> {
    let mut places = vec![root];
    for step in steps {
        let Some(next) = advance(root, &places, step) else { return Ok(()) };
        if next.is_empty() {
            let Step::Named(name) = step else { return Ok(()) };
            return Err(Missing::new(name, places.iter().flat_map(|place| names(root, place))));
        }
        places = next;
    }
    Ok(())
}

/// A name that leads nowhere.
#[derive(Debug)]
pub struct Missing {
    /// The name.
    pub name: String,
    /// The nearest that would have been right.
    pub nearest: Option<String>,
}

impl Missing {
    /// `name`, which is none of `known`.
    pub fn new<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let nearest = suggest::nearest(name, known.collect::<Vec<_>>()).map(str::to_owned);
        Self { name: name.to_owned(), nearest }
    }

    /// What to do.
    #[must_use]
    pub fn help(&self, otherwise: &str) -> String {
        match &self.nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => otherwise.to_owned(),
        }
    }
}

/// Where `step` leads from `places`; `None` where anything may be.
fn advance<'a>(root: &'a Value, places: &[&'a Value], step: &Step) -> Option<Vec<&'a Value>> {
    let mut next = Vec::new();
    for place in places.iter().flat_map(|place| alternatives(root, place, 0)) {
        let properties = place.get("properties").and_then(Value::as_object);
        let additional = place.get("additionalProperties").filter(|schema| schema.as_bool() != Some(false));
        let patterns = place
            .get("patternProperties")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|map| map.values());
        let others: Vec<_> = additional.into_iter().chain(patterns).collect();
        match step {
            Step::Named(name) => match properties.and_then(|properties| properties.get(name)) {
                Some(property) => next.push(property),
                None if others.iter().any(|schema| !schema.is_object()) => return None,
                None if others.is_empty() && properties.is_none() && place.get("type").is_none() => {
                    return None;
                }
                None => next.extend(others),
            },
            Step::Dynamic => {
                next.extend(place.get("items"));
                next.extend(others);
                if properties.is_some() || next.is_empty() {
                    return None;
                }
            }
        }
    }
    Some(next)
}

/// The schemas that `place` stands for: what it refers to, and each alternative.
fn alternatives<'a>(root: &'a Value, place: &'a Value, depth: usize) -> Vec<&'a Value> {
    if depth > 16 {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Some(pointer) = place.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#')) {
        found.extend(
            root.pointer(pointer).into_iter().flat_map(|target| alternatives(root, target, depth + 1)),
        );
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        let members = place.get(list).and_then(Value::as_array).into_iter().flatten();
        found.extend(members.flat_map(|member| alternatives(root, member, depth + 1)));
    }
    if found.is_empty() || place.get("properties").is_some() {
        found.push(place);
    }
    found
}

/// The names that `place` has.
fn names<'a>(root: &'a Value, place: &'a Value) -> Vec<&'a str> {
    let properties = |schema: &'a Value| schema.get("properties").and_then(Value::as_object);
    alternatives(root, place, 0)
        .into_iter()
        .filter_map(properties)
        .flat_map(|map| map.keys().map(String::as_str))
        .collect()
}

/// Follows `steps` through a document, as far as they are names.
///
/// # Errors
/// The name that leads nowhere, and the nearest that would.
pub fn find(document: &Value, steps: &[Step]) -> Result<(), Missing> {
    let mut place = document;
    for step in steps {
        let Step::Named(name) = step else { return Ok(()) };
        place = match place {
            Value::Object(map) => match map.get(name) {
                Some(next) => next,
                None => return Err(Missing::new(name, map.keys().map(String::as_str))),
            },
            Value::Array(_) if name.bytes().all(|byte| byte.is_ascii_digit()) => return Ok(()),
            _ => return Err(Missing::new(name, std::iter::empty())),
        };
    }
    Ok(())
}
