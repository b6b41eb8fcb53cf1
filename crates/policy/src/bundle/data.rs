//! What rules see as `data`: a file `data/a/b.yaml` is `data.a.b`.

use std::collections::BTreeSet;

use countersign_core::bundle::{BundleSource, DATA, POLICIES};
use countersign_core::configuration::Configuration;
use countersign_core::facts::Problem;
use serde_json::{Map, Value};

use super::json::Strict;
use crate::yaml::{self, problem};

/// The name under which rules see the configuration.
const CONFIGURATION: &str = "configuration";

/// Compiles the data of a bundle to one object, with the configuration in it.
///
/// # Errors
/// Every file that cannot be read, or whose name is not its own.
pub fn compile(source: &BundleSource, configuration: Option<&Configuration>) -> Result<Value, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut root = Map::new();
    let mut files: BTreeSet<Vec<&str>> = BTreeSet::new();
    let areas: BTreeSet<&str> =
        super::below(source, POLICIES).filter_map(|(path, _)| path.split('/').nth(1)).collect();
    for (path, text) in super::below(source, DATA) {
        let names: Vec<&str> = names(path).collect();
        if let Some(found) = misnamed(path, &names, &areas) {
            problems.push(found);
            continue;
        }
        // `a.yaml` comes before `a/b.yaml` in the order of paths, so that looking back is enough.
        let taken =
            (1..=names.len()).any(|length| names.get(..length).is_some_and(|part| files.contains(part)));
        if taken {
            let message = format!("`data.{}` is already what another file says", names.join("."));
            problems.push(problem(path, 1, message, "a name is one file or one folder: rename or merge"));
            continue;
        }
        match read(path, text) {
            Ok(value) => insert(&mut root, &names, value),
            Err(found) => problems.extend(found),
        }
        files.insert(names);
    }
    let configuration = serde_json::to_value(configuration).map_err(|error| {
        vec![problem(
            super::CONFIGURATION,
            1,
            format!("the configuration cannot be written as JSON: {error}"),
            "",
        )]
    })?;
    root.insert(CONFIGURATION.to_owned(), configuration);
    if problems.is_empty() { Ok(Value::Object(root)) } else { Err(problems) }
}

/// The names that lead to a file's content: its folders, and its own without the ending.
fn names(path: &str) -> impl Iterator<Item = &str> {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    stem.split('/').skip(1)
}

fn misnamed(path: &str, names: &[&str], areas: &BTreeSet<&str>) -> Option<Problem> {
    let is_word = |name: &&str| {
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
    };
    let first = names.first().copied().unwrap_or_default();
    if !names.iter().all(is_word) {
        let help =
            "use lower-case letters, digits and `_` in names of data, so that rules can write `data.NAME`";
        return Some(problem(path, 1, "a rule could not name this file", help));
    }
    if first == CONFIGURATION {
        let message = "`data.configuration` is countersign.yaml itself";
        return Some(problem(path, 1, message, "choose another name"));
    }
    areas.contains(first).then(|| {
        let message = format!("`data.{first}` is also the area `policies/{first}`");
        problem(path, 1, message, "rename one of the two")
    })
}

fn read(path: &str, text: &str) -> Result<Value, Vec<Problem>> {
    if !path.ends_with(".json") {
        return yaml::parse(path, text).map(|node| node.to_json());
    }
    let parsed: Result<Strict, _> = serde_json::from_str(text);
    parsed.map(|Strict(value)| value).map_err(|error| {
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX).max(1);
        vec![problem(
            path,
            line,
            format!("this is not valid JSON: {error}"),
            "look at commas, quotes and brackets here",
        )]
    })
}

/// Puts a file's content in its place. No other file is there: the caller has looked.
fn insert(root: &mut Map<String, Value>, names: &[&str], value: Value) {
    let Some((last, folders)) = names.split_last() else { return };
    let mut object = root;
    for folder in folders {
        let inner = object.entry((*folder).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        let Some(inner) = inner.as_object_mut() else { return };
        object = inner;
    }
    object.insert((*last).to_owned(), value);
}

#[cfg(test)]
mod tests;
