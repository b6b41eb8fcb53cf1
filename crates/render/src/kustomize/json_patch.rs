//! JSON patches (RFC 6902), as the reader that kustomize uses takes them: an index may count from the end, and
//! `replace` sets a field that is missing.

use serde_json::Value;

use super::context::{Called, Context, Outcome, wrong};
use super::fields::{Fields, Said};
use super::fieldspec::{MOVED, READ};
use crate::yaml::Place;
use crate::yaml::node::{At, Content, Kind, Node, Scalar, Text, Weight};
use crate::yaml::plain::is_written_plain;
use crate::yaml::scalar::shown;

/// What an operation does.
#[derive(Clone, Debug)]
enum Act {
    Add(Node),
    Remove,
    Replace(Node),
    Move(Vec<String>),
    Copy(Vec<String>),
    Test(Node),
}

/// An operation of a patch.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    at: At,
    path: Vec<String>,
    shown: Text,
    act: Act,
    /// Of the value that it brings.
    weight: Weight,
}

impl Operation {
    /// Whether it writes all annotations anew, or removes them: kustomize keeps its own notes among them.
    pub(crate) fn forgets_notes(&self) -> bool {
        let all =
            matches!(self.path.as_slice(), [first, second] if first == "metadata" && second == "annotations");
        all && !matches!(self.act, Act::Test(_))
    }
}

/// The operations of a patch.
pub(crate) fn operations(context: &mut Context<'_>, node: Node) -> Outcome<Vec<Operation>> {
    match node.content {
        Content::List(items) => items.into_iter().map(|item| operation(context, item)).collect(),
        _ => wrong(
            node.at,
            format!("a JSON patch is a list, not {}", node.what()),
            "write a list of op, path and value",
        ),
    }
}

/// Spells values as Go does: kustomize reads an object anew from the JSON that a patch makes of it, where every number is a
/// `float64`, and what takes one of them for a text later takes that. Of texts only those are in quotes that have to be.
pub(crate) fn spell_anew(context: &mut Context<'_>, node: &mut Node) -> Outcome<()> {
    let at = node.at;
    match &mut node.content {
        Content::Scalar(scalar) if scalar.kind == Kind::Bool => {
            scalar.text = scalar.value().to_string().into();
        }
        Content::Scalar(scalar) if matches!(scalar.kind, Kind::Int | Kind::Float) => {
            if !is_short(&scalar.text) {
                context.steps(at, SPELLED)?;
                spell_number(scalar);
            }
        }
        Content::Scalar(scalar) if scalar.kind == Kind::Str => {
            context.steps(at, scalar.text.len() / READ)?;
            scalar.quoted = !is_written_plain(&scalar.text);
        }
        Content::Scalar(scalar) if scalar.kind == Kind::Time => {
            *scalar = Scalar::string(scalar.value().as_str().unwrap_or_default());
            scalar.quoted = true;
        }
        Content::Scalar(_) => {}
        Content::List(items) => items.iter_mut().try_for_each(|item| spell_anew(context, item))?,
        Content::Map(map) => map.iter_mut().try_for_each(|field| spell_anew(context, &mut field.value))?,
    }
    Ok(())
}

/// How many steps it takes to spell a number.
const SPELLED: usize = 16;

/// Whether a number is spelled as Go spells it, as nearly all are that are read.
fn is_short(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (1..=6).contains(&text.len()) && (text == "0" || !text.starts_with('0'))
}

fn spell_number(scalar: &mut Scalar) {
    let Value::Number(value) = scalar.value() else { return };
    let float = value.as_f64().filter(|float| scalar.kind == Kind::Float || float.abs() < EXACT);
    scalar.text = match float {
        Some(float) => go_float(float).into(),
        // An integer that a `float64` may not hold stays as it is.
        None => value.to_string().into(),
    };
    if float.is_some_and(|float| float.fract() == 0.0 && float.abs() < EXACT) {
        scalar.kind = Kind::Int;
    }
}

/// Every integer that is less than this is a `float64` of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number as Go's `strconv.FormatFloat` writes it with the format `g` and as few digits as tell it from others.
fn go_float(number: f64) -> String {
    let text = format!("{number:e}");
    let parts =
        text.split_once('e').and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?)));
    match parts {
        Some((digits, exponent)) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => number.to_string(),
    }
}

fn operation(context: &mut Context<'_>, node: Node) -> Outcome<Operation> {
    let at = node.at;
    let null = node.get("value").filter(|value| value.is_null()).cloned();
    let mut fields = Fields::of(node, "an operation of a JSON patch")?;
    let Some(op) = fields.string("op")? else {
        return wrong(at, "an operation has no op", "write add, replace or remove");
    };
    let Some(path) = fields.string("path")? else {
        return wrong(at, "an operation has no path", "write a JSON pointer");
    };
    let mut value = fields.take("value").map(|field| field.value).or(null);
    value.iter_mut().try_for_each(|value| spell_anew(context, value))?;
    let from = fields.string("from")?;
    // RFC 6902, section 4: members that are not defined are ignored.
    fields.ignore(context);
    let value = || value.clone().unwrap_or_else(|| Node::null(at));
    let from = || match &from {
        Some(from) => pointer(from),
        None => wrong(at, "the operation has no from", "write a JSON pointer"),
    };
    let act = match &*op.value {
        "add" => Act::Add(value()),
        "remove" => Act::Remove,
        "replace" => Act::Replace(value()),
        "move" => Act::Move(from()?),
        "copy" => Act::Copy(from()?),
        "test" => Act::Test(value()),
        _ => {
            let message = format!("the operation {:?} is not known", op.value);
            return wrong(op.at, message, "write add, remove, replace, move, copy or test");
        }
    };
    let weight = match &act {
        Act::Add(value) | Act::Replace(value) | Act::Test(value) => value.weight(),
        Act::Remove | Act::Move(_) | Act::Copy(_) => Weight::default(),
    };
    Ok(Operation { at, path: pointer(&path)?, shown: path.value, act, weight })
}

/// The steps of a JSON pointer (RFC 6901).
fn pointer(said: &Said<Text>) -> Outcome<Vec<String>> {
    if said.value.is_empty() {
        return Ok(Vec::new());
    }
    match said.value.strip_prefix('/') {
        Some(rest) => Ok(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()),
        None => wrong(
            said.at,
            format!("the path {:?} does not begin with a slash", said.value),
            "write a JSON pointer",
        ),
    }
}

/// Applies a patch.
pub(crate) fn apply(context: &mut Context<'_>, node: &mut Node, operations: &[Operation]) -> Outcome<()> {
    operations.iter().try_for_each(|operation| {
        operation.afford(context, node)?;
        operation.apply(node)
    })
}

/// The value at a path, if it is there.
fn found<'n>(node: &'n Node, path: &[String]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, key| match &node.content {
        Content::Map(map) => map.get(key),
        Content::List(items) => items.get(place(key, items.len()).ok()?),
        Content::Scalar(_) => None,
    })
}

/// How many fields or items stand beside what is at a path.
fn beside(node: &Node, path: &[String]) -> usize {
    let parent = path.split_last().and_then(|(_, above)| found(node, above));
    match parent.map(|parent| &parent.content) {
        Some(Content::Map(map)) => map.len(),
        Some(Content::List(items)) => items.len(),
        Some(Content::Scalar(_)) | None => 0,
    }
}

/// Whether two values are one to JSON.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.content, &b.content) {
        (Content::Scalar(a), Content::Scalar(b)) => a.value() == b.value(),
        (Content::List(a), Content::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Content::Map(a), Content::Map(b)) => {
            let mut pairs = a.iter().zip(b.iter());
            a.len() == b.len() && pairs.all(|(a, b)| a.key == b.key && same(&a.value, &b.value))
        }
        _ => false,
    }
}

/// Why a step cannot be taken.
type Missing = String;

/// The place of an index in a list of `length` items.
fn place(key: &str, length: usize) -> Result<usize, Missing> {
    let Ok(index) = key.parse::<i64>() else { return Err(format!("{key:?} is not the index of a list")) };
    let count = i64::try_from(length).unwrap_or(i64::MAX);
    let place = if index < 0 { index + count } else { index };
    usize::try_from(place)
        .ok()
        .filter(|place| *place < length)
        .ok_or_else(|| format!("there is no index {index}"))
}

fn step<'n>(node: &'n mut Node, key: &str) -> Result<&'n mut Node, Missing> {
    match &mut node.content {
        Content::Map(map) => map.get_mut(key).ok_or_else(|| format!("there is no field {key:?}")),
        Content::List(items) => {
            let place = place(key, items.len())?;
            items.get_mut(place).ok_or_else(|| format!("there is no index {place}"))
        }
        Content::Scalar(_) => Err(format!("{key:?} is looked for in a single value")),
    }
}

fn parent<'n, 'p>(node: &'n mut Node, path: &'p [String]) -> Result<(&'n mut Node, &'p str), Missing> {
    let Some((last, above)) = path.split_last() else { return Err("the path is empty".to_owned()) };
    let parent = above.iter().try_fold(node, |node, key| step(node, key))?;
    if parent.as_scalar().is_some() {
        return Err(format!("{last:?} is looked for in a single value"));
    }
    Ok((parent, last))
}

fn add(node: &mut Node, path: &[String], at: At, value: Node) -> Result<(), Missing> {
    let (parent, key) = parent(node, path)?;
    match &mut parent.content {
        Content::Map(map) => map.set(&Text::from(key), at, value),
        Content::List(items) if key == "-" => items.push(value),
        Content::List(items) => {
            let place = place(key, items.len() + 1)?;
            items.insert(place, value);
        }
        Content::Scalar(_) => {}
    }
    Ok(())
}

fn remove(node: &mut Node, path: &[String]) -> Result<Node, Missing> {
    let (parent, key) = parent(node, path)?;
    match &mut parent.content {
        Content::Map(map) => {
            map.remove(key).map(|field| field.value).ok_or_else(|| format!("there is no field {key:?}"))
        }
        Content::List(items) => {
            let place = place(key, items.len())?;
            Ok(items.remove(place))
        }
        Content::Scalar(_) => Err("a single value has no parts".to_owned()),
    }
}

impl Operation {
    /// Takes what the operation costs.
    fn afford(&self, context: &mut Context<'_>, node: &Node) -> Outcome<()> {
        let from = match &self.act {
            Act::Move(from) | Act::Copy(from) => from.as_slice(),
            _ => &[],
        };
        context.steps(self.at, (beside(node, &self.path) + beside(node, from)) / MOVED)?;
        let weight = match &self.act {
            Act::Move(from) | Act::Copy(from) => found(node, from).map(Node::weight).unwrap_or_default(),
            _ => self.weight,
        };
        let what = Called("the operation on", &self.shown);
        match &self.act {
            Act::Remove => return Ok(()),
            Act::Move(_) | Act::Test(_) => context.steps(self.at, weight.values())?,
            Act::Add(_) | Act::Replace(_) | Act::Copy(_) => context.grow(self.at, &what, weight.bytes)?,
        }
        let place = self.path.iter().fold(Place::default(), |place, key| place.field(key.len()));
        context.fits(self.at, &what, place, weight.inner)
    }

    fn apply(&self, node: &mut Node) -> Outcome<()> {
        self.change(node).or_else(|why| {
            let message = format!("the operation on {} does not apply: {why}", shown(&self.shown));
            wrong(self.at, message, "correct the path, or the target of the patch")
        })
    }

    fn change(&self, node: &mut Node) -> Result<(), Missing> {
        match &self.act {
            Act::Add(value) => add(node, &self.path, self.at, value.clone()),
            Act::Remove => remove(node, &self.path).map(drop),
            Act::Replace(value) if self.path.is_empty() => {
                *node = value.clone();
                Ok(())
            }
            Act::Replace(value) => self.replace(node, value),
            Act::Move(from) => {
                let value = remove(node, from)?;
                add(node, &self.path, self.at, value)
            }
            Act::Copy(from) => {
                let (parent, key) = parent(node, from)?;
                let is_map = parent.as_map().is_some();
                let value = match step(parent, key) {
                    Ok(value) => value.clone(),
                    Err(_) if is_map => Node::null(self.at),
                    Err(why) => return Err(why),
                };
                add(node, &self.path, self.at, value)
            }
            Act::Test(value) => self.test(node, value),
        }
    }

    fn replace(&self, node: &mut Node, value: &Node) -> Result<(), Missing> {
        let (parent, key) = parent(node, &self.path)?;
        match &mut parent.content {
            Content::Map(map) => map.set(&Text::from(key), self.at, value.clone()),
            _ => *step(parent, key)? = value.clone(),
        }
        Ok(())
    }

    fn test(&self, node: &mut Node, value: &Node) -> Result<(), Missing> {
        let is_same = if self.path.is_empty() {
            same(node, value)
        } else {
            let (parent, key) = parent(node, &self.path)?;
            let is_map = parent.as_map().is_some();
            match step(parent, key) {
                Ok(found) => same(found, value),
                Err(_) if is_map => same(&Node::null(self.at), value),
                Err(why) => return Err(why),
            }
        };
        if is_same { Ok(()) } else { Err("the value is another one".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_as_go_spells_them() {
        let spelled = |text: &str, kind| {
            let mut scalar = Scalar { text: text.into(), kind, quoted: false, share: 0 };
            spell_number(&mut scalar);
            (scalar.text.to_string(), scalar.value())
        };
        for (text, wanted) in [("999999", "999999"), ("1000000", "1e+06"), ("-1234567", "-1.234567e+06")] {
            let value = Value::from(text.parse::<i64>().unwrap());
            assert_eq!(spelled(text, Kind::Int), (wanted.to_owned(), value));
        }
        for (text, wanted, value) in [
            ("1.50", "1.5", Value::from(1.5)),
            ("0.0001", "0.0001", Value::from(0.0001)),
            ("0.00001", "1e-05", Value::from(0.00001)),
            ("1e3", "1000", Value::from(1000)),
            ("1e21", "1e+21", Value::from(1e21)),
            ("2097153.5", "2.0971535e+06", Value::from(2_097_153.5)),
        ] {
            assert_eq!(spelled(text, Kind::Float), (wanted.to_owned(), value), "{text}");
        }
        let large = "9007199254740993";
        let value = Value::from(9_007_199_254_740_993_u64);
        assert_eq!(spelled(large, Kind::Int), (large.to_owned(), value), "it stays exact");
    }
}
