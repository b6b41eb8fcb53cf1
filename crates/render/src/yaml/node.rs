//! A parsed value with the line of every part of it.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::Place;

/// A value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Where it begins, counted from 1.
    pub(crate) line: u32,
    pub(crate) content: Content,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// A null, boolean, number or string.
    Scalar(Value),
    Sequence(Vec<Node>),
    /// In the order of the file; keys are unique.
    Mapping(Vec<Field>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) key: String,
    /// Where the key begins.
    pub(crate) line: u32,
    pub(crate) value: Node,
}

/// What a copy of a node costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weight {
    /// Bytes of memory, roughly.
    pub(crate) bytes: u64,
    /// Where its innermost value stands, seen from it.
    pub(crate) inner: Place,
}

/// The memory that a node takes beside its text, roughly.
const NODE_BYTES: u64 = 64;

impl Node {
    /// What a copy costs.
    pub(crate) fn weight(&self) -> Weight {
        let mut weight = Weight { bytes: NODE_BYTES, inner: Place::default() };
        let here = Place::default();
        let mut add = |place: Place, text: usize, child: &Self| {
            let Weight { bytes, inner } = child.weight();
            weight.bytes += bytes + text as u64;
            weight.inner.depth = weight.inner.depth.max(place.depth + inner.depth);
            weight.inner.path = weight.inner.path.max(place.path + inner.path);
        };
        match &self.content {
            Content::Scalar(Value::String(text)) => weight.bytes += text.len() as u64,
            Content::Scalar(_) => {}
            Content::Sequence(items) => items.iter().for_each(|item| add(here.item(), 0, item)),
            Content::Mapping(fields) => {
                fields
                    .iter()
                    .for_each(|field| add(here.field(field.key.len()), field.key.len(), &field.value));
            }
        }
        weight
    }

    /// The field named `key`, if this is a mapping that has it.
    pub(crate) fn field(&self, key: &str) -> Option<&Field> {
        match &self.content {
            Content::Mapping(fields) => fields.iter().find(|field| field.key == key),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether this is null, or nothing at all.
    pub(crate) fn is_null(&self) -> bool {
        self.content == Content::Scalar(Value::Null)
    }

    /// What a person calls this kind of value.
    pub(crate) fn what(&self) -> &'static str {
        match &self.content {
            Content::Scalar(Value::Null) => "null",
            Content::Scalar(Value::Bool(_)) => "a boolean",
            Content::Scalar(Value::Number(_)) => "a number",
            Content::Scalar(_) => "a string",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
        }
    }

    /// The value without its lines.
    pub(crate) fn into_value(self) -> Value {
        match self.content {
            Content::Scalar(value) => value,
            Content::Sequence(items) => Value::Array(items.into_iter().map(Self::into_value).collect()),
            Content::Mapping(fields) => {
                Value::Object(fields.into_iter().map(|field| (field.key, field.value.into_value())).collect())
            }
        }
    }

    /// The line of every field and item by its JSON pointer (RFC 6901), as long as `left`, which counts the
    /// bytes of pointers, lasts. Level by level, so that a field whose line is not kept has a parent, or the
    /// object itself, whose line is.
    pub(crate) fn lines(&self, left: &mut usize) -> BTreeMap<String, u32> {
        let mut lines = BTreeMap::new();
        let mut waiting = VecDeque::from([(String::new(), self)]);
        while let Some((pointer, node)) = waiting.pop_front() {
            for (token, line, child) in node.children() {
                let pointer = format!("{pointer}/{token}");
                let Some(rest) = left.checked_sub(pointer.len()) else { return lines };
                *left = rest;
                lines.insert(pointer.clone(), line);
                waiting.push_back((pointer, child));
            }
        }
        lines
    }

    /// What a JSON pointer may step to from here: its token, the line where it begins, and the value.
    fn children(&self) -> Box<dyn Iterator<Item = (String, u32, &Self)> + '_> {
        match &self.content {
            Content::Scalar(_) => Box::new(std::iter::empty()),
            Content::Sequence(items) => {
                Box::new(items.iter().enumerate().map(|(index, item)| (index.to_string(), item.line, item)))
            }
            Content::Mapping(fields) => {
                Box::new(fields.iter().map(|field| (escaped(&field.key), field.line, &field.value)))
            }
        }
    }
}

/// `key` as a token of a JSON pointer (RFC 6901, section 3).
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
