//! A parsed value with the file and line of every part of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::map::{Field, Map};
use super::{Place, scalar, time};

/// A text that is cheap to copy: keys and values are shared by everything that a patch or a label touches.
pub(crate) type Text = Arc<str>;

/// Where something was written: a file, by its number in the render's list of files, and a line from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) file: u32,
    pub(crate) line: u32,
}

/// A value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Where it begins.
    pub(crate) at: At,
    pub(crate) content: Content,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// A null, boolean, number or string.
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Map),
}

/// What an unquoted text was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Str,
    /// A time without quotes, which kustomize writes in full.
    Time,
    /// A number that JSON cannot hold: it may be used as text, and is refused where it is still a number
    /// when everything is done.
    Unwritable,
}

/// A scalar, as it was written: what replaces it may keep its text and change its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) text: Text,
    pub(crate) kind: Kind,
    /// Whether it stands in quotes or as a block, so that whatever replaces its text is a string as well.
    pub(crate) quoted: bool,
    /// Which values of its object are one with it, as `kustomize::shared` numbers them; 0 for none,
    /// [`UNTAGGED`] where kustomize does not say what the value is, [`HOLLOW`], [`FOLDED`] and [`TAGGED`].
    pub(crate) share: u16,
}

/// The mark of a value that a transformer made without saying what it is: a text that replaces it decides that
/// anew, and a strategic merge of its object puts it in quotes if it would not be a text without.
pub(crate) const UNTAGGED: u16 = u16::MAX;

/// The mark of a null of which nothing is written within brackets, as in `{a: }`. It is a null as long as kustomize builds;
/// when kustomize writes it, it puts quotes there, so that it comes out as an empty text.
pub(crate) const HOLLOW: u16 = u16::MAX - 1;

/// The mark of a text that is folded: whatever replaces it is folded as well when kustomize writes it.
pub(crate) const FOLDED: u16 = u16::MAX - 2;

/// The mark of a text that says by a tag that it is one: it never needs quotes.
pub(crate) const TAGGED: u16 = u16::MAX - 3;

impl Scalar {
    /// A string.
    pub(crate) fn string(text: impl Into<Text>) -> Self {
        Self { text: text.into(), kind: Kind::Str, quoted: false, share: 0 }
    }

    /// Whether it is an integer that a floating-point number does not hold exactly.
    pub(crate) fn is_large_integer(&self) -> bool {
        const MOST: u64 = 1 << 53;
        let is_large = |value: Value| {
            value.as_i64().map(i64::unsigned_abs).or(value.as_u64()).is_some_and(|value| value > MOST)
        };
        self.kind == Kind::Int && self.text.len() > 12 && is_large(scalar::integer_value(&self.text))
    }

    /// The value that JSON has for it.
    pub(crate) fn value(&self) -> Value {
        match self.kind {
            Kind::Null if self.share == HOLLOW => Value::from(""),
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(scalar::is_true(&self.text)),
            Kind::Int => scalar::integer_value(&self.text),
            Kind::Float => scalar::number_value(&self.text),
            Kind::Time => time::in_full(&self.text).map_or_else(|| Value::from(&*self.text), Value::from),
            Kind::Str | Kind::Unwritable => Value::from(&*self.text),
        }
    }
}

/// What a copy of a node costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weight {
    /// Bytes of memory, roughly.
    pub(crate) bytes: u64,
    /// Where its innermost value stands, seen from it.
    pub(crate) inner: Place,
}

impl Weight {
    /// How many values there are at most.
    pub(crate) fn values(self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX) / NODE_BYTES
    }

    /// Adds a part that is at `place` in the whole.
    fn add(&mut self, place: Place, part: &Node) {
        let Self { bytes, inner } = part.weight();
        self.bytes += bytes;
        self.inner = self.inner.max(place.then(inner));
    }
}

/// The memory that a node takes beside its text, roughly.
pub(crate) const NODE_BYTES: usize = 64;

impl Node {
    pub(crate) fn string(at: At, text: impl Into<Text>) -> Self {
        Self { at, content: Content::Scalar(Scalar::string(text)) }
    }

    pub(crate) fn map(at: At) -> Self {
        Self { at, content: Content::Map(Map::default()) }
    }

    pub(crate) fn null(at: At) -> Self {
        Self {
            at,
            content: Content::Scalar(Scalar {
                text: Text::from("null"),
                kind: Kind::Null,
                quoted: false,
                share: 0,
            }),
        }
    }

    /// What a copy costs.
    pub(crate) fn weight(&self) -> Weight {
        let here = Place::default();
        let mut weight = Weight { bytes: NODE_BYTES as u64, inner: here };
        match &self.content {
            Content::Scalar(scalar) => weight.bytes += scalar.text.len() as u64,
            Content::List(items) => items.iter().for_each(|item| weight.add(here.item(), item)),
            Content::Map(fields) => {
                for field in fields.iter() {
                    weight.bytes += field.key.len() as u64;
                    weight.add(here.field(field.key.len()), &field.value);
                }
            }
        }
        weight
    }

    /// The field named `key`, if this is a mapping that has it.
    pub(crate) fn field(&self, key: &str) -> Option<&Field> {
        self.as_map()?.field(key)
    }

    /// The value of the field named `key`, if this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        Some(&self.field(key)?.value)
    }

    /// The value of the field named `key`, if this is a mapping that has it.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.as_map_mut()?.get_mut(key)
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        match &self.content {
            Content::Map(fields) => Some(fields),
            _ => None,
        }
    }

    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.content {
            Content::Map(fields) => Some(fields),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_scalar(&self) -> Option<&Scalar> {
        match &self.content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar of whatever kind.
    pub(crate) fn raw(&self) -> Option<&Text> {
        self.as_scalar().map(|scalar| &scalar.text)
    }

    /// The text, if this is a string.
    pub(crate) fn text(&self) -> Option<&str> {
        let is_text = |scalar: &&Scalar| matches!(scalar.kind, Kind::Str | Kind::Time);
        self.as_scalar().filter(is_text).map(|scalar| &*scalar.text)
    }

    /// Whether this is null, or nothing at all.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(Scalar { kind: Kind::Null, .. }))
    }

    /// Whether this is null, or a list or mapping with nothing in it.
    pub(crate) fn is_nothing(&self) -> bool {
        match &self.content {
            Content::Scalar(scalar) => scalar.kind == Kind::Null,
            Content::List(items) => items.is_empty(),
            Content::Map(fields) => fields.is_empty(),
        }
    }

    /// What a person calls this kind of value.
    pub(crate) fn what(&self) -> &'static str {
        match &self.content {
            Content::Scalar(scalar) => match scalar.kind {
                Kind::Null => "null",
                Kind::Bool => "a boolean",
                Kind::Int | Kind::Float | Kind::Unwritable => "a number",
                Kind::Str => "a string",
                Kind::Time => "a time",
            },
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    /// The value without its lines.
    pub(crate) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(scalar) => scalar.value(),
            Content::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Content::Map(fields) => Value::Object(
                fields.iter().map(|field| (field.key.to_string(), field.value.value())).collect(),
            ),
        }
    }

    /// Where every field and item begins, by its JSON pointer (RFC 6901), as long as `left`, which counts the
    /// bytes of pointers, lasts. Level by level, so that a field whose line is not kept has a parent, or the
    /// object itself, whose line is.
    pub(crate) fn places(&self, left: &mut usize) -> BTreeMap<String, At> {
        let mut places = BTreeMap::new();
        let mut waiting = VecDeque::from([(String::new(), self)]);
        while let Some((pointer, node)) = waiting.pop_front() {
            for (token, at, child) in node.children() {
                let pointer = format!("{pointer}/{token}");
                let Some(rest) = left.checked_sub(pointer.len()) else { return places };
                *left = rest;
                places.insert(pointer.clone(), at);
                waiting.push_back((pointer, child));
            }
        }
        places
    }

    /// What a JSON pointer may step to from here: its token, where it begins, and the value.
    fn children(&self) -> Box<dyn Iterator<Item = (String, At, &Self)> + '_> {
        match &self.content {
            Content::Scalar(_) => Box::new(std::iter::empty()),
            Content::List(items) => {
                Box::new(items.iter().enumerate().map(|(index, item)| (index.to_string(), item.at, item)))
            }
            Content::Map(fields) => {
                Box::new(fields.iter().map(|field| (escaped(&field.key), field.written(), &field.value)))
            }
        }
    }
}

/// The value without its lines, its keys sorted by their bytes.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.content {
            Content::Scalar(Scalar { kind: Kind::Str, text, .. }) => serializer.serialize_str(text),
            Content::Scalar(scalar) => scalar.value().serialize(serializer),
            Content::List(items) => serializer.collect_seq(items),
            Content::Map(map) => serializer.collect_map(map.iter().map(|field| (&*field.key, &field.value))),
        }
    }
}

/// `key` as a token of a JSON pointer (RFC 6901, section 3).
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
