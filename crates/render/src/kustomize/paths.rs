//! Field paths of replacements and variables, as `spec.template.spec.containers.[name=web].image`.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::Value;

use super::context::{Called, Context, Outcome, wrong};
use super::fieldspec::{Room, split};
use super::selector::{self, Expression};
use crate::yaml::Place;
use crate::yaml::node::{At, Content, Kind, NODE_BYTES, Node, Scalar, Text, UNTAGGED, Weight};

/// The parts of a path. What stands in brackets is one part: `[name=a.b]` picks an item, `[a.b]` is a field.
pub(crate) fn parts(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut open: Option<String> = None;
    let finish =
        |text: String| if text.contains('=') { text } else { text.trim_matches(['[', ']']).to_owned() };
    for part in split(path, '.') {
        match &mut open {
            Some(text) => {
                text.push('.');
                text.push_str(&part);
                if part.ends_with(']') {
                    parts.extend(open.take().map(finish));
                }
            }
            None if part.starts_with('[') && !part.ends_with(']') => open = Some(part),
            None => parts.push(part),
        }
    }
    parts.extend(open.map(finish));
    parts
}

/// The parts of a path whose indexes may stand in brackets, as `ports[0]`.
pub(crate) fn indexed(path: &str) -> Vec<String> {
    let mut all = Vec::new();
    for part in parts(path) {
        let index = part.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
        match index {
            Some((name, index)) if !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) => {
                if !name.is_empty() {
                    all.push(name.to_owned());
                }
                all.push(index.to_owned());
            }
            _ => all.push(part),
        }
    }
    all
}

/// How many bytes of a text that is JSON are read in a step.
const PARSED: usize = 3;

/// How many bytes were written. They are not kept.
#[derive(Default)]
struct Written(usize);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn json(to: &mut impl Write, value: &Value, pretty: bool) -> serde_json::Result<()> {
    if pretty { serde_json::to_writer_pretty(to, value) } else { serde_json::to_writer(to, value) }
}

/// What one part of a path asks for.
enum Part<'p> {
    Field(&'p str),
    Index(usize),
    /// Items whose field fits; without a field, items that are such texts.
    Item(&'p str, &'p str),
    Last,
    Every,
}

fn part(text: &str, at: At) -> Outcome<Part<'_>> {
    if let Ok(index) = text.parse::<usize>() {
        return Ok(Part::Index(index));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match inner.split_once('=') {
            Some((field, value)) => Ok(Part::Item(field, value)),
            None => wrong(at, format!("the path part {text:?} has no ="), "write [field=value]"),
        };
    }
    Ok(match text {
        "*" => Part::Every,
        "-" => Part::Last,
        _ => Part::Field(text),
    })
}

/// The value at a path, if it is there.
pub(crate) fn lookup<'n>(
    context: &mut Context<'_>,
    node: &'n Node,
    path: &[String],
    at: At,
) -> Outcome<Option<&'n Node>> {
    let mut node = node;
    for text in path.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        if node.is_null() {
            return Ok(None);
        }
        context.steps(at, 1 + node.as_list().map_or(0, <[Node]>::len))?;
        let next = match (part(text, at)?, &node.content) {
            (Part::Field(name), Content::Map(map)) => map.get(name),
            (Part::Index(index), Content::List(items)) => items.get(index),
            (Part::Last, Content::List(items)) => items.last(),
            (Part::Item("", value), Content::List(items)) => {
                items.iter().find(|item| item.raw().is_some_and(|text| &**text == value))
            }
            (Part::Item(field, value), Content::List(items)) => items
                .iter()
                .find(|item| item.get(field).and_then(Node::raw).is_some_and(|text| &**text == value)),
            (Part::Every, _) => return wrong(at, "this path may not hold *", "name one value"),
            _ => {
                let message = format!("the path part {text:?} is looked for in {}", node.what());
                return wrong(at, message, "correct the path");
            }
        };
        match next {
            Some(next) => node = next,
            None => return Ok(None),
        }
    }
    Ok(if node.is_null() { None } else { Some(node) })
}

/// A change of every value that a path leads to.
pub(crate) struct Change<'c, 'a, F> {
    pub(crate) context: &'c mut Context<'a>,
    /// Where the path is written.
    pub(crate) at: At,
    /// The path, as it is written.
    pub(crate) shown: &'c str,
    /// What is made where the path does not lead to anything.
    pub(crate) create: Option<&'c Node>,
    /// Of the value that is set.
    pub(crate) weight: Weight,
    pub(crate) act: F,
    pub(crate) expressions: HashMap<String, Expression>,
}

impl<'a, F: FnMut(&mut Room<'_, '_>, &mut Node) -> Outcome<()>> Change<'_, 'a, F> {
    /// Changes the values, and tells how many there were.
    pub(crate) fn run(&mut self, node: &mut Node, path: &[String]) -> Outcome<usize> {
        let place = path.iter().fold(Place::default(), |place, part| place.field(part.len()));
        self.context.fits(self.at, &Called("the path", self.shown), place, self.weight.inner)?;
        self.walk(node, path, true)
    }

    fn room(&mut self) -> Room<'_, 'a> {
        Room { context: self.context, at: self.at, field: self.shown }
    }

    fn new_node(&self, next: Option<&String>) -> Outcome<Node> {
        let list = match next {
            None => return Ok(self.create.map_or_else(|| Node::null(self.at), |value| self.hollow(value))),
            Some(next) => matches!(part(next, self.at)?, Part::Index(_) | Part::Item(..)),
        };
        let content = if list { Content::List(Vec::new()) } else { Content::Map(Default::default()) };
        Ok(Node { at: self.at, content })
    }

    /// A value of the same shape with nothing in it.
    fn hollow(&self, value: &Node) -> Node {
        let content = match &value.content {
            Content::Scalar(_) => Content::Scalar(Scalar {
                text: Text::from(""),
                kind: Kind::Unwritable,
                quoted: false,
                share: UNTAGGED,
            }),
            Content::List(_) => Content::List(Vec::new()),
            Content::Map(_) => Content::Map(Default::default()),
        };
        Node { at: self.at, content }
    }

    fn walk(&mut self, node: &mut Node, path: &[String], exact: bool) -> Outcome<usize> {
        self.context.steps(self.at, 1)?;
        let Some((first, rest)) = path.split_first() else {
            let mut room = Room { context: self.context, at: self.at, field: self.shown };
            (self.act)(&mut room, node)?;
            return Ok(1);
        };
        match part(first, self.at)? {
            Part::Field(name) => self.field(node, name, rest, exact),
            Part::Last => self.field(node, "-", rest, exact),
            Part::Index(index) => self.index(node, index, rest, exact),
            Part::Every => {
                let Content::List(items) = &mut node.content else {
                    return self.misplaced(first, node.what());
                };
                let mut count = 0;
                for item in items {
                    count += self.walk(item, rest, false)?;
                }
                Ok(count)
            }
            Part::Item(field, pattern) => self.items(node, (field, pattern), rest),
        }
    }

    fn misplaced(&self, part: &str, what: &str) -> Outcome<usize> {
        wrong(self.at, format!("the path part {part:?} is looked for in {what}"), "correct the path")
    }

    fn field(&mut self, node: &mut Node, name: &str, rest: &[String], exact: bool) -> Outcome<usize> {
        if node.is_null() && self.create.is_none() {
            return Ok(0);
        }
        let what = node.what();
        let Content::Map(map) = &mut node.content else { return self.misplaced(name, what) };
        let child = match self.create {
            None => map.get_mut(name),
            Some(_) => {
                let made = self.new_node(rest.first())?;
                if !map.contains(name) {
                    self.room().new_field(map, name)?;
                }
                map.get_or_set(&Text::from(name), self.at, || made)
            }
        };
        let Some(child) = child else { return Ok(0) };
        if child.as_scalar().is_some() && !rest.is_empty() {
            return self.structured(child, rest, exact);
        }
        self.walk(child, rest, exact)
    }

    fn index(&mut self, node: &mut Node, index: usize, rest: &[String], exact: bool) -> Outcome<usize> {
        let what = node.what();
        let Content::List(items) = &mut node.content else { return self.misplaced(&index.to_string(), what) };
        if items.len() == index && self.create.is_some() {
            let made = self.new_node(rest.first())?;
            self.room().grow(NODE_BYTES)?;
            items.push(made);
        }
        let count = items.len();
        match items.get_mut(index) {
            Some(item) => self.walk(item, rest, exact),
            None => {
                let message = format!("the path asks for item {index} of a list of {count}");
                wrong(self.at, message, "correct the path: items are counted from 0")
            }
        }
    }

    fn items(&mut self, node: &mut Node, (field, pattern): (&str, &str), rest: &[String]) -> Outcome<usize> {
        let what = node.what();
        let Content::List(items) = &mut node.content else { return self.misplaced(field, what) };
        let expression = match self.expressions.get(pattern) {
            Some(known) => known.clone(),
            None => {
                let made = selector::expression(self.context, pattern, self.at)?;
                self.expressions.insert(pattern.to_owned(), made.clone());
                made
            }
        };
        fn text<'n>(item: &'n Node, field: &str) -> Option<&'n Text> {
            if field.is_empty() { item.raw() } else { item.get(field).and_then(Node::raw) }
        }
        let fits = |item: &Node| text(item, field).is_some_and(|text| expression.is_match(text.trim()));
        let cost = |item: &Node| 1 + text(item, field).map_or(0, |text| expression.cost(text));
        self.context.steps(self.at, items.iter().map(cost).sum())?;
        let mut count = 0;
        for item in items.iter_mut().filter(|item| fits(item)) {
            count +=
                if field.is_empty() { self.walk(item, &[], false)? } else { self.walk(item, rest, true)? };
        }
        if count > 0 || self.create.is_none() {
            return Ok(count);
        }
        let mut scalar = Node::string(self.at, pattern);
        if let Content::Scalar(scalar) = &mut scalar.content {
            scalar.kind = crate::yaml::scalar::plain_kind(pattern);
        }
        let mut made = scalar;
        if !field.is_empty() {
            let mut map = crate::yaml::map::Map::default();
            map.set(&Text::from(field), self.at, made);
            made = Node { at: self.at, content: Content::Map(map) };
        }
        if !fits(&made) {
            return Ok(0);
        }
        if pattern.len() > 1 && pattern.starts_with(['"', '\'']) && pattern.ends_with(['"', '\'']) {
            let message = "the quotes are part of the value that is looked for";
            self.context.warn(self.at, message, "write it without quotes");
        }
        self.room().grow(2 * NODE_BYTES + field.len() + pattern.len())?;
        items.push(made);
        match items.last_mut() {
            Some(item) if field.is_empty() => self.walk(item, &[], false),
            Some(item) => self.walk(item, rest, true),
            None => Ok(0),
        }
    }

    /// Changes a value within a text that is JSON.
    fn structured(&mut self, node: &mut Node, rest: &[String], exact: bool) -> Outcome<usize> {
        let Some(scalar) = node.as_scalar().filter(|scalar| scalar.kind == Kind::Str) else { return Ok(0) };
        let text = scalar.text.clone();
        if !exact || !text.trim_start().starts_with(['{', '[']) {
            let message =
                format!("the path leads into a text, at {:?}", rest.first().map_or("", |part| part));
            return wrong(
                self.at,
                message,
                "only a text that is JSON can be changed from inside, by a path without *",
            );
        }
        self.context.steps(self.at, text.len() / PARSED)?;
        let parsed = self.context.parse(
            node.at.file,
            1,
            text.as_bytes(),
            crate::yaml::scalar::Dialect::Kustomize,
            false,
        )?;
        let Some(mut inner) = parsed.into_iter().next() else { return Ok(0) };
        let count = self.walk(&mut inner, rest, exact)?;
        if count > 0 {
            let pretty = text.contains('\n') && text.contains("  ");
            let value = inner.value();
            let mut written = Written::default();
            let _counted = json(&mut written, &value, pretty);
            self.room().grow(written.0.saturating_sub(text.len()))?;
            let mut bytes = Vec::with_capacity(written.0);
            let written = json(&mut bytes, &value, pretty).ok().and_then(|()| String::from_utf8(bytes).ok());
            let written = written.unwrap_or_else(|| text.to_string());
            *node = Node {
                at: self.at,
                content: Content::Scalar(Scalar { quoted: true, ..Scalar::string(written) }),
            };
        }
        Ok(count)
    }
}
