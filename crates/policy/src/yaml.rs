//! YAML as people write it, with the line of everything, and all of its mistakes reported at once.
//!
//! The YAML 1.2 core schema is read, without tags and without what only YAML 1.1 had (merge keys,
//! `0777` as octal): where two readers could differ, the text is refused instead.

pub mod parse;
pub mod rules;
pub mod scalar;
pub mod shape;
pub mod suggest;

use std::collections::BTreeMap;

use countersign_core::facts::{Position, Problem};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A value with the line where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The line, counted from 1.
    pub line: u32,
    /// The value.
    pub content: Content,
}

/// What a value holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Null, a boolean, a number or a text.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A mapping, by key.
    Map(BTreeMap<String, Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The line of its key.
    pub line: u32,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// The value below `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(entries) => entries.get(key).map(|entry| &entry.node),
            Content::Scalar(_) | Content::List(_) => None,
        }
    }

    /// The line of what `path` leads to (keys, and positions in lists), or of the nearest thing above it.
    #[must_use]
    pub fn line_of(&self, path: &[&str]) -> u32 {
        let (mut node, mut line) = (self, self.line);
        for part in path {
            let next = match &node.content {
                Content::Map(entries) => entries.get(*part).map(|entry| (&entry.node, entry.line)),
                Content::List(items) => {
                    part.parse().ok().and_then(|index: usize| items.get(index)).map(|item| (item, item.line))
                }
                Content::Scalar(_) => None,
            };
            let Some(found) = next else { return line };
            (node, line) = found;
        }
        line
    }

    /// The value as JSON, without lines.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Content::Map(entries) => Value::Object(
                entries.iter().map(|(key, entry)| (key.clone(), entry.node.to_json())).collect(),
            ),
        }
    }

    /// What a reader would call this value.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Scalar(Value::Null) => "nothing",
            Content::Scalar(Value::Bool(_)) => "true or false",
            Content::Scalar(Value::Number(_)) => "a number",
            Content::Scalar(_) => "text",
            Content::List(_) => "a list",
            Content::Map(_) => "fields",
        }
    }
}

/// What could be read of a document: mistakes, and the value as far as they leave one.
#[derive(Debug)]
pub struct Reading<T> {
    /// The value. Entries and optional fields with mistakes are left out of it.
    pub value: Option<T>,
    /// The whole document; none if it is not YAML.
    pub document: Option<Node>,
    /// Every mistake, in the order of the lines.
    pub problems: Vec<Problem>,
}

/// Reads a document of type `T`. Fields are checked against `T`'s own JSON Schema, so that every unknown,
/// missing or mistyped one is reported, and not only the first.
#[must_use]
pub fn inspect<T: DeserializeOwned + JsonSchema>(file: &str, text: &str) -> Reading<T> {
    let parse::Parsed { node, mut problems } = parse::document(file, text);
    let Some(document) = node else { return Reading { value: None, document: None, problems } };
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
    let (json, found) = shape::check(file, schema.as_value(), &document);
    problems.extend(found);
    let value = json.and_then(|json| match serde_json::from_value(json) {
        Ok(value) => Some(value),
        Err(error) => {
            if problems.is_empty() {
                problems.push(problem(
                    file,
                    1,
                    error.to_string(),
                    "correct the file; `countersign check` shows the result",
                ));
            }
            None
        }
    });
    problems.sort_by_key(|problem| problem.at.line);
    Reading { value, document: Some(document), problems }
}

/// Reads a document of type `T`, with the lines of everything in it.
///
/// # Errors
/// Every mistake in it.
pub fn read<T: DeserializeOwned + JsonSchema>(file: &str, text: &str) -> Result<(T, Node), Vec<Problem>> {
    match inspect(file, text) {
        Reading { value: Some(value), document: Some(document), problems } if problems.is_empty() => {
            Ok((value, document))
        }
        reading => Err(reading.problems),
    }
}

/// Reads a document of no particular type.
///
/// # Errors
/// Every mistake in it.
pub fn parse(file: &str, text: &str) -> Result<Node, Vec<Problem>> {
    match parse::document(file, text) {
        parse::Parsed { node: Some(node), problems } if problems.is_empty() => Ok(node),
        parsed => Err(parsed.problems),
    }
}

/// So many mistakes are told of one file; more would help no one, and cost memory.
pub const MAX_PROBLEMS: usize = 100;

/// The beginning of a text that someone else wrote, for a message.
#[must_use]
pub fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A problem at a line of a file.
#[must_use]
pub fn problem(file: &str, line: u32, message: impl Into<String>, help: impl Into<String>) -> Problem {
    let help: String = help.into();
    Problem {
        message: message.into(),
        at: Position { file: file.to_owned(), line },
        help: (!help.is_empty()).then_some(help),
    }
}

#[cfg(test)]
mod tests;
