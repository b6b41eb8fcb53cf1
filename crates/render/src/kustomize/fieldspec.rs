//! Where in an object a transformer works: a path, for the objects of some kinds.

use std::sync::Arc;

use super::context::{Called, Context, Outcome, wrong};
use super::id::{Gvk, Id};
use crate::yaml::Place;
use crate::yaml::map::Map;
use crate::yaml::node::{At, Content, Kind, NODE_BYTES, Node, Scalar, Text};

/// A field of the objects of some kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    pub(crate) gvk: Gvk,
    pub(crate) path: Arc<Path>,
    /// Whether the field is made where it is missing.
    pub(crate) create: bool,
}

/// A path, as `spec/template/spec/containers[]/image`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) text: Text,
    pub(crate) segments: Vec<Segment>,
}

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    name: Text,
    /// Whether the path says that a list is there.
    list: bool,
}

impl Segment {
    /// Whether it could only mean items of a list.
    fn is_of_list(&self) -> bool {
        let name = &*self.name;
        let number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        number || name == "*" || name == "-" || (name.starts_with('[') && name.ends_with(']'))
    }

    /// Refuses what can be no field of a mapping, which is at `at`.
    fn check(&self, at: At) -> Outcome<()> {
        if self.is_of_list() {
            let message = format!("the part {:?} of a path is no field", self.name);
            return wrong(at, message, "name the field in the configuration");
        }
        if self.name.is_empty() {
            let message = "the path of a field has an empty part";
            return wrong(at, message, "correct the path in the configuration");
        }
        Ok(())
    }
}

impl Path {
    pub(crate) fn parse(text: &str) -> Self {
        let segment = |part: String| match part.strip_suffix("[]") {
            Some(name) => Segment { name: Text::from(name), list: true },
            None => Segment { name: Text::from(part), list: false },
        };
        Self { text: Text::from(text), segments: split(text, '/').into_iter().map(segment).collect() }
    }
}

/// The parts of `path`. A delimiter after a backslash belongs to its part; one at the beginning is skipped.
pub(crate) fn split(path: &str, delimiter: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let skipped = path.strip_prefix(delimiter).unwrap_or(path);
    for part in skipped.split(delimiter) {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

impl FieldSpec {
    pub(crate) fn new(path: &str, create: bool) -> Self {
        Self { gvk: Gvk::default(), path: Arc::new(Path::parse(path)), create }
    }

    /// Whether it speaks of `id`.
    pub(crate) fn is_of(&self, id: &Id<'_>) -> bool {
        id.is_selected(&self.gvk)
    }

    /// Whether both speak of the same field: this one may say less of the kinds.
    fn covers(&self, other: &Self) -> bool {
        let part = |mine: &str, other: &str| other.is_empty() || mine == other;
        self.path.text == other.path.text
            && part(&self.gvk.group, &other.gvk.group)
            && part(&self.gvk.version, &other.gvk.version)
            && part(&self.gvk.kind, &other.gvk.kind)
    }
}

/// Adds a field that is not there yet.
///
/// # Errors
/// When it is there, and they disagree on whether to make it.
pub(crate) fn add(specs: &mut Vec<FieldSpec>, spec: FieldSpec, at: At) -> Outcome<()> {
    match specs.iter().find(|known| known.covers(&spec)) {
        None => specs.push(spec),
        Some(known) if known.create == spec.create => {}
        Some(_) => {
            let message =
                format!("the field {:?} is configured twice, with and without create", spec.path.text);
            return wrong(at, message, "let both say the same");
        }
    }
    Ok(())
}

/// What is made where a field is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    Nothing,
    Scalar,
    Map,
}

/// What a field is changed with: it counts what is done, and what is added.
pub(crate) struct Room<'v, 'c> {
    pub(crate) context: &'v mut Context<'c>,
    /// Where the change is written.
    pub(crate) at: At,
    /// The field, as a person reads it.
    pub(crate) field: &'v str,
}

/// How many fields or items a step moves aside for a new one.
pub(crate) const MOVED: usize = 16;

/// How many specifications a step holds against an object, or against another one.
pub(crate) const SPECS: usize = 8;

/// How many bytes of a text a step looks at.
pub(crate) const READ: usize = 16;

impl Room<'_, '_> {
    pub(crate) fn steps(&mut self, count: usize) -> Outcome<()> {
        self.context.steps(self.at, count)
    }

    /// Takes bytes that are added.
    pub(crate) fn grow(&mut self, bytes: usize) -> Outcome<()> {
        self.context.grow(self.at, &Called("the field", self.field), bytes as u64)
    }

    /// Takes a new field of a mapping, without its value's text.
    pub(crate) fn new_field(&mut self, map: &Map, key: &str) -> Outcome<()> {
        self.steps(map.len() / MOVED)?;
        self.grow(NODE_BYTES + key.len())
    }

    /// Refuses a place that is too deep.
    pub(crate) fn fits(&self, place: Place) -> Outcome<()> {
        self.context.fits(self.at, &Called("the field", self.field), place, Place::default())
    }
}

/// A visit to the fields that a path leads to.
pub(crate) struct Visit<'v, 'c, F> {
    pub(crate) context: &'v mut Context<'c>,
    pub(crate) make: Make,
    /// Where a field that is made says it comes from.
    pub(crate) at: At,
    /// What is done to each field.
    pub(crate) act: F,
}

impl<F: FnMut(&mut Room<'_, '_>, &mut Node) -> Outcome<()>> Visit<'_, '_, F> {
    /// Visits the field of `spec` in `node`.
    pub(crate) fn field(&mut self, node: &mut Node, spec: &FieldSpec) -> Outcome<()> {
        let make = if spec.create { self.make } else { Make::Nothing };
        let mut room = Room { context: self.context, at: self.at, field: &spec.path.text };
        room.steps(1)?;
        follow(&mut room, &mut self.act, node, (&spec.path.segments, make), Place::default())
    }
}

type Act<'a> = dyn FnMut(&mut Room<'_, '_>, &mut Node) -> Outcome<()> + 'a;

/// Follows a path from `node`, which is at `place` in its object.
fn follow(
    room: &mut Room<'_, '_>,
    act: &mut Act<'_>,
    node: &mut Node,
    (path, make): (&[Segment], Make),
    place: Place,
) -> Outcome<()> {
    room.steps(1)?;
    let Some((segment, rest)) = path.split_first() else { return act(room, node) };
    let at = node.at;
    match &mut node.content {
        Content::Scalar(Scalar { kind: Kind::Null, .. }) => Ok(()),
        Content::Scalar(_) => wrong(
            at,
            format!("a mapping or a list should be here: {:?} is a field of it", segment.name),
            "correct the object, or the path of the field in the configuration",
        ),
        Content::List(items) => {
            items.iter_mut().try_for_each(|item| follow(room, act, item, (path, make), place.item()))
        }
        Content::Map(map) => {
            segment.check(at)?;
            let place = place.field(segment.name.len());
            let last = rest.is_empty();
            let made = if segment.list { Make::Nothing } else { make };
            if made != Make::Nothing && map.get(&segment.name).is_none_or(Node::is_null) {
                // What is made may be a mapping, which will have a field.
                room.fits(place.field(0))?;
                room.new_field(map, &segment.name)?;
            }
            let child = match made {
                Make::Nothing => map.get_mut(&segment.name),
                made => map.get_or_set(&segment.name, room.at, || new_node(made, last, room.at)),
            };
            let Some(child) = child else { return Ok(()) };
            if child.is_null() {
                if segment.list {
                    child.content = Content::List(Vec::new());
                } else if made != Make::Nothing {
                    *child = new_node(made, last, child.at);
                }
            }
            follow(room, act, child, (rest, make), place)
        }
    }
}

fn new_node(make: Make, last: bool, at: At) -> Node {
    match make {
        Make::Scalar if last => Node::string(at, ""),
        _ => Node::map(at),
    }
}

/// Sets the text of a scalar, which keeps its quotes. Without a kind, the text says what it is.
pub(crate) fn set_text(
    room: &mut Room<'_, '_>,
    node: &mut Node,
    at: At,
    text: Text,
    kind: Option<Kind>,
) -> Outcome<()> {
    let (quoted, share) = match &node.content {
        Content::Scalar(scalar) => {
            room.grow(text.len().saturating_sub(scalar.text.len()))?;
            (scalar.quoted, scalar.share)
        }
        _ => {
            return wrong(
                node.at,
                format!("this is {}, not a single value", node.what()),
                "correct the object",
            );
        }
    };
    let kind = kind.unwrap_or_else(|| crate::yaml::scalar::plain_kind(&text));
    let kind = if quoted { Kind::Str } else { kind };
    *node = Node { at, content: Content::Scalar(Scalar { text, kind, quoted, share }) };
    Ok(())
}

/// Whether a path leads to a value that is not null and fits.
///
/// # Errors
/// With the place where a single value stands in its way.
pub(crate) fn reaches(
    node: &Node,
    spec: &FieldSpec,
    steps: &mut usize,
    fits: &mut dyn FnMut(&Node) -> bool,
) -> Result<bool, At> {
    reach(node, &spec.path.segments, steps, fits)
}

fn reach(
    node: &Node,
    path: &[Segment],
    steps: &mut usize,
    fits: &mut dyn FnMut(&Node) -> bool,
) -> Result<bool, At> {
    *steps += 1;
    let Some((segment, rest)) = path.split_first() else { return Ok(!node.is_null() && fits(node)) };
    match &node.content {
        Content::Scalar(scalar) if scalar.kind == Kind::Null => Ok(false),
        Content::Scalar(_) => Err(node.at),
        Content::List(items) => {
            let mut reached = false;
            for item in items {
                reached |= reach(item, path, steps, fits)?;
            }
            Ok(reached)
        }
        // It is an error, for which it must be looked at.
        Content::Map(_) if segment.is_of_list() => Ok(true),
        Content::Map(map) => match map.get(&segment.name) {
            Some(child) => reach(child, rest, steps, fits),
            None => Ok(false),
        },
    }
}
