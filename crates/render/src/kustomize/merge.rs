//! Strategic merge: a patch that looks like the object, with lists that are merged by a key.

use super::context::{Context, Outcome, wrong};
use super::fieldspec::READ;
use super::merge_list;
use super::schema::Cursor;
use crate::yaml::map::{Field, Map};
use crate::yaml::node::{At, Content, Kind, NODE_BYTES, Node, Scalar, TAGGED, UNTAGGED};
use crate::yaml::plain::is_read_otherwise;

/// The key of a directive.
pub(super) const DIRECTIVE: &str = "$patch";

/// What a patch says about a whole value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

impl Directive {
    /// The directive that a text means.
    pub(super) fn parse(text: &str, at: At) -> Outcome<Self> {
        match text {
            "merge" => Ok(Self::Merge),
            "replace" => Ok(Self::Replace),
            "delete" => Ok(Self::Delete),
            _ => {
                let message =
                    format!("the directive $patch: {} is not known", crate::yaml::scalar::shown(text));
                wrong(at, message, "write merge, replace or delete")
            }
        }
    }

    fn of(map: &Map) -> Outcome<Self> {
        match map.field(DIRECTIVE) {
            Some(field) => Self::parse(field.value.raw().map_or("", |text| text), field.at),
            None => Ok(Self::Merge),
        }
    }
}

/// A merge of one patch into one object.
pub(super) struct Merger<'c, 'a> {
    pub(super) context: &'c mut Context<'a>,
}

/// The three shapes of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Scalar,
    List,
    Map,
}

fn shape(node: &Node) -> Shape {
    match node.content {
        Content::Scalar(_) => Shape::Scalar,
        Content::List(_) => Shape::List,
        Content::Map(_) => Shape::Map,
    }
}

fn present(node: Option<&Node>) -> Option<&Node> {
    node.filter(|node| !node.is_null())
}

impl Merger<'_, '_> {
    /// What `object` becomes under `patch`; nothing if it is deleted. A null that comes back was written in the
    /// object itself, and stays.
    pub(super) fn merge(
        &mut self,
        object: Option<Node>,
        patch: Option<&Node>,
        cursor: Cursor<'_>,
    ) -> Outcome<Option<Node>> {
        let (old, new) = (present(object.as_ref()), present(patch));
        let at = new.or(old).map_or_else(At::default, |node| node.at);
        self.context.steps(at, 2)?;
        let Some(kind) = old.or(new).map(shape) else { return Ok(nothing(object, patch)) };
        if let (Some(old), Some(new)) = (old, new)
            && shape(new) != kind
        {
            let message = format!("the patch has {} where the object has {}", new.what(), old.what());
            return wrong(new.at, message, "let the patch have the shape of the object");
        }
        let cursor = cursor.of_object([old, new]);
        match kind {
            Shape::Scalar => {
                let text = |node: Option<&Node>| node.and_then(Node::raw).map_or(0, |text| text.len());
                self.context.steps(at, text(old) / READ)?;
                let more = text(new).saturating_sub(text(old));
                self.grow(at, if old.is_none() { NODE_BYTES + more } else { more })?;
                let merged = scalar(object, patch);
                if let (Some(_), Some(scalar)) = (patch, merged.as_ref().and_then(Node::as_scalar)) {
                    self.context.warn_of_folding(at, scalar);
                }
                Ok(merged)
            }
            Shape::Map => self.map(object, patch, cursor),
            Shape::List => self.list(object, patch, cursor),
        }
    }

    fn map(
        &mut self,
        object: Option<Node>,
        patch: Option<&Node>,
        cursor: Cursor<'_>,
    ) -> Outcome<Option<Node>> {
        let old = object.filter(|node| !node.is_null());
        let Some(old) = old else {
            return match patch {
                Some(patch) => self.added(patch, cursor),
                None => Ok(None),
            };
        };
        let directive = match patch {
            None => Directive::Merge,
            Some(patch) if patch.is_null() => return Ok(None),
            Some(patch) => patch.as_map().map_or(Ok(Directive::Merge), Directive::of)?,
        };
        match (directive, patch) {
            (Directive::Delete, _) => Ok(None),
            (Directive::Replace, Some(patch)) => self.fields_added(patch, cursor).map(Some),
            _ => self.fields(old, patch, cursor).map(Some),
        }
    }

    /// Merges the fields of two mappings, side by side.
    fn fields(&mut self, object: Node, patch: Option<&Node>, cursor: Cursor<'_>) -> Outcome<Node> {
        let at = object.at;
        let Content::Map(old) = object.content else { return Ok(object) };
        let empty = Map::default();
        let new = patch.and_then(Node::as_map).unwrap_or(&empty);
        let mut merged: Vec<Field> = Vec::with_capacity(old.len() + new.len());
        let mut new = new.iter().filter(|field| &*field.key != DIRECTIVE).peekable();
        for field in old.into_fields() {
            while let Some(added) = new.next_if(|added| added.key < field.key) {
                self.field(None, Some(added), cursor, &mut merged)?;
            }
            let patch = new.next_if(|added| added.key == field.key);
            self.field(Some(field), patch, cursor, &mut merged)?;
        }
        for added in new {
            self.field(None, Some(added), cursor, &mut merged)?;
        }
        Ok(Node { at, content: Content::Map(Map::new(merged).0) })
    }

    fn field(
        &mut self,
        old: Option<Field>,
        new: Option<&Field>,
        cursor: Cursor<'_>,
        merged: &mut Vec<Field>,
    ) -> Outcome<()> {
        let known = old.as_ref().map(|field| (field.key.clone(), field.at));
        let Some((key, mut at)) = known.or_else(|| new.map(|field| (field.key.clone(), field.at))) else {
            return Ok(());
        };
        // The line of a value that the patch sets is the patch's.
        if let Some(new) = new.filter(|new| new.value.as_map().is_none()) {
            at = new.at;
        }
        let cursor = cursor.field(&key);
        let value = self.merge(old.map(|field| field.value), new.map(|field| &field.value), cursor)?;
        if let Some(value) = value {
            merged.push(Field { key, at, value });
        }
        Ok(())
    }

    fn list(
        &mut self,
        object: Option<Node>,
        patch: Option<&Node>,
        cursor: Cursor<'_>,
    ) -> Outcome<Option<Node>> {
        let Some(keys) = cursor.keys() else {
            return match patch {
                Some(patch) if patch.is_null() => Ok(None),
                Some(patch) => self.copied(patch).map(Some),
                None => Ok(object),
            };
        };
        let old = object.filter(|node| !node.is_null());
        match (old, patch) {
            (None, Some(patch)) => self.added(patch, cursor),
            (None, None) => Ok(None),
            (Some(_), Some(patch)) if patch.is_null() => Ok(None),
            (Some(old), patch) => {
                let at = patch.map_or(old.at, |patch| patch.at);
                let Content::List(items) = old.content else { return Ok(None) };
                let patch = patch.and_then(Node::as_list);
                let merged = merge_list::merge(self, items, patch, keys, cursor.item(), at)?;
                Ok(merged.map(|items| Node { at, content: Content::List(items) }))
            }
        }
    }

    /// What a part of a patch becomes where the object has nothing: without nulls and directives.
    pub(super) fn added(&mut self, patch: &Node, cursor: Cursor<'_>) -> Outcome<Option<Node>> {
        self.context.steps(patch.at, 1)?;
        match &patch.content {
            Content::Scalar(scalar) if scalar.kind == Kind::Null => Ok(None),
            Content::Scalar(_) => self.copied(patch).map(rewritten).map(Some),
            Content::Map(map) => match Directive::of(map)? {
                Directive::Delete => Ok(None),
                Directive::Merge | Directive::Replace => {
                    let cursor = cursor.of_object([Some(patch), None]);
                    self.fields_added(patch, cursor).map(Some)
                }
            },
            Content::List(items) => {
                let Some(keys) = cursor.keys() else { return self.copied(patch).map(Some) };
                let merged = merge_list::added(self, items.iter().collect(), keys, cursor.item(), patch.at)?;
                Ok(merged.map(|items| Node { at: patch.at, content: Content::List(items) }))
            }
        }
    }

    /// A part of a patch as it is.
    fn copied(&mut self, patch: &Node) -> Outcome<Node> {
        self.context.grow(patch.at, &"this patch", patch.weight().bytes)?;
        self.context.warn_of_nulls(patch);
        Ok(patch.clone())
    }

    fn grow(&mut self, at: At, bytes: usize) -> Outcome<()> {
        self.context.grow(at, &"this patch", bytes as u64)
    }

    fn fields_added(&mut self, patch: &Node, cursor: Cursor<'_>) -> Outcome<Node> {
        self.grow(patch.at, NODE_BYTES)?;
        let mut fields = Vec::new();
        for field in patch.as_map().into_iter().flat_map(Map::iter) {
            if &*field.key == DIRECTIVE {
                continue;
            }
            self.grow(field.at, field.key.len())?;
            if let Some(value) = self.added(&field.value, cursor.field(&field.key))? {
                fields.push(Field { key: field.key.clone(), at: field.at, value });
            }
        }
        Ok(Node { at: patch.at, content: Content::Map(Map::new(fields).0) })
    }
}

/// Of two values that are nothing, the null that was spelled out in the object stays, and one that a replacement made.
fn nothing(object: Option<Node>, patch: Option<&Node>) -> Option<Node> {
    let stays = |scalar: &Scalar| !scalar.text.is_empty() || scalar.share == UNTAGGED;
    if patch.is_none() { object.filter(|node| node.as_scalar().is_some_and(stays)) } else { None }
}

/// A value that is written again: a text that would not be one without quotes is in quotes from now on.
fn rewritten(mut node: Node) -> Node {
    if let Content::Scalar(scalar) = &mut node.content
        && (scalar.kind == Kind::Str || scalar.share == UNTAGGED)
        && scalar.share != TAGGED
        && !scalar.quoted
        && is_read_otherwise(&scalar.text)
    {
        (scalar.kind, scalar.quoted) = (Kind::Str, true);
    }
    node
}

fn scalar(object: Option<Node>, patch: Option<&Node>) -> Option<Node> {
    let Some(patch) = patch else { return object.map(rewritten) };
    if patch.is_null() {
        return None;
    }
    let mut merged = patch.clone();
    if object.is_none() {
        return Some(rewritten(merged));
    }
    // Whatever replaces a text in quotes is in quotes as well.
    let old = object.as_ref().and_then(Node::as_scalar);
    if let (Some(old), Content::Scalar(now)) = (old, &mut merged.content) {
        now.quoted = old.quoted;
        now.share = if old.share == UNTAGGED { 0 } else { old.share };
        if old.quoted {
            now.kind = Kind::Str;
        }
    }
    Some(merged)
}
