//! The value that a replacement copies. kustomize copies the field itself each time, so that a replacement which changes
//! its own source goes on with what it made of it.

use super::context::{Context, Outcome, wrong};
use super::fieldspec::{READ, Room};
use super::paths;
use super::replacements::Options;
use super::resource::Resource;
use super::set::ResourceSet;
use super::shared;
use crate::yaml::map::Field;
use crate::yaml::node::{At, Content, Kind, Node, Scalar, Text, UNTAGGED, Weight};
use crate::yaml::scalar;

/// The field that a value is of.
pub(crate) struct Place {
    /// Which object holds it.
    pub(crate) index: usize,
    pub(crate) path: Vec<String>,
    /// Where that is written.
    pub(crate) at: At,
    /// Whether the object was changed since the value was taken.
    pub(crate) changed: bool,
}

/// A value that is copied.
pub(crate) struct Copied {
    pub(crate) value: Node,
    pub(crate) weight: Weight,
    /// The field that it is all of, as long as that is there.
    source: Option<Place>,
}

impl Copied {
    pub(crate) fn new(mut value: Node, source: Option<Place>) -> Self {
        // What is one with it is of another object.
        shared::separate(&mut value);
        Self { weight: value.weight(), value, source }
    }

    /// Warns if a path that the value was copied to, at so many fields, changed the value itself.
    pub(crate) fn warn_if_changed(
        &self,
        context: &mut Context<'_>,
        holder: &Resource,
        (index, path): (usize, &[String]),
        count: usize,
        at: At,
    ) {
        let Some(source) = self.source.as_ref().filter(|source| source.index == index) else { return };
        let is_within = path.len() > source.path.len() && path.starts_with(&source.path);
        if self.value.as_scalar().is_some() || (count < 2 && !is_within) {
            return;
        }
        // This looks at as many values as were copied.
        let found = paths::lookup(context, &holder.node, &source.path, source.at);
        if !found.is_ok_and(|found| found.is_some_and(|found| is_same(found, &self.value))) {
            let message =
                "this path changes what it copies: kustomize goes on with what it has written so far";
            context.warn(at, message, "copy the value to one field in a path");
        }
    }

    /// Notes that the field at `path` of the object at `index` was set.
    pub(crate) fn note(&mut self, index: usize, path: &[String]) {
        let Some(source) = self.source.take_if(|source| source.index == index) else { return };
        // What the field was in may be another value now, and then it stays as it was.
        let is_within = path.len() < source.path.len() && source.path.starts_with(path);
        self.source = Some(Place { changed: true, ..source }).filter(|_| !is_within);
    }

    /// Looks at the field again, if its object was changed.
    pub(crate) fn follow(&mut self, context: &mut Context<'_>, set: &ResourceSet) -> Outcome<()> {
        let Some(source) = self.source.take_if(|source| source.changed) else { return Ok(()) };
        let Some(holder) = set.get(source.index) else { return Ok(()) };
        let Some(value) = paths::lookup(context, &holder.node, &source.path, source.at)? else {
            return Ok(());
        };
        context.steps(source.at, value.weight().values())?;
        *self = Self::new(value.clone(), Some(Place { changed: false, ..source }));
        Ok(())
    }

    /// Sets a field to it. A single value keeps its kind: only its text is another one.
    pub(crate) fn put(&self, room: &mut Room<'_, '_>, field: &mut Node, options: &Options) -> Outcome<()> {
        let Self { value, weight, .. } = self;
        let at = room.at;
        let text = value.raw().cloned().unwrap_or_else(|| Text::from(""));
        let Content::Scalar(old) = &field.content else {
            if options.delimiter.is_empty() {
                room.grow(usize::try_from(weight.bytes).unwrap_or(usize::MAX))?;
                *field = Node { at, ..value.clone() };
                return Ok(());
            }
            return wrong(
                at,
                format!("a delimiter is for a single value, not {}", field.what()),
                "remove the delimiter",
            );
        };
        room.grow(text.len().saturating_sub(if options.delimiter.is_empty() { old.text.len() } else { 0 }))?;
        let text = if options.delimiter.is_empty() {
            text
        } else {
            room.steps(old.text.len() / READ)?;
            joined(&old.text, &text, options)
        };
        let made = old.share == UNTAGGED && !old.quoted;
        let plain = scalar::plain_kind(&text);
        let kind = match (scalar::spelled(old.kind, &old.text), scalar::spelled(plain, &text)) {
            _ if made => plain,
            (Kind::Str, _) => Kind::Str,
            (Kind::Float, Kind::Int) => Kind::Float,
            (old, new) if old == new => plain,
            (_, _) => {
                let what = field.what();
                let message = format!("the field is {what}, and the value that replaces it is not");
                return wrong(at, message, "put the field in quotes where it is written");
            }
        };
        let (quoted, share) = (old.quoted, old.share);
        let scalar = Scalar { text, kind, quoted, share };
        room.context.warn_of_folding(at, &scalar);
        *field = Node { at, content: Content::Scalar(scalar) };
        Ok(())
    }
}

/// The part of a value that its options ask for.
pub(crate) fn refined(value: &Node, options: &Options, at: At) -> Outcome<Node> {
    if options.delimiter.is_empty() {
        return Ok(value.clone());
    }
    let Some(scalar) = value.as_scalar() else {
        return wrong(
            at,
            format!("a delimiter is for a single value, not {}", value.what()),
            "remove the delimiter",
        );
    };
    let index = usize::try_from(options.index).ok();
    match index.and_then(|index| scalar.text.split(&*options.delimiter).nth(index)) {
        Some(part) => {
            let scalar = Scalar { text: part.into(), ..scalar.clone() };
            Ok(Node { at: value.at, content: Content::Scalar(scalar) })
        }
        None => {
            wrong(at, format!("the source has no part with index {}", options.index), "correct the index")
        }
    }
}

/// `old` with one of its parts replaced, or one put before or after it.
fn joined(old: &str, part: &str, options: &Options) -> Text {
    let delimiter = &*options.delimiter;
    let Ok(index) = usize::try_from(options.index) else { return [part, delimiter, old].concat().into() };
    let mut begin = 0;
    for (at, place) in old.split(delimiter).enumerate() {
        let end = begin + place.len();
        if at == index {
            let (before, after) = (old.get(..begin), old.get(end..));
            return [before.unwrap_or_default(), part, after.unwrap_or_default()].concat().into();
        }
        begin = end + delimiter.len();
    }
    [old, delimiter, part].concat().into()
}

/// Whether two values mean the same, wherever they were written.
fn is_same(a: &Node, b: &Node) -> bool {
    match (&a.content, &b.content) {
        (Content::Scalar(a), Content::Scalar(b)) => (a.kind, &a.text) == (b.kind, &b.text),
        (Content::List(a), Content::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Content::Map(a), Content::Map(b)) => {
            let same = |field: &Field| b.get(&field.key).is_some_and(|value| is_same(&field.value, value));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => false,
    }
}
