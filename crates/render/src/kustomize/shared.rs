//! Values that are one. kustomize writes a label or an annotation as one node into all of its fields, so that whoever
//! changes one of them later, in an overlay's patch, changes all, until a JSON patch writes the object anew. What
//! kustomize makes of an object cannot be had without that.

use std::collections::BTreeMap;

use super::context::{Context, Outcome};
use super::resource::Resource;
use crate::yaml::node::{At, Content, HOLLOW, Kind, Node, Scalar, TAGGED, Text};
use crate::yaml::scalar;

/// How many values a step looks at.
const LOOKED: usize = 4;

/// What the values of one object that are one hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    /// How many numbers were given out.
    numbers: usize,
    /// The values in several fields, by their number.
    known: Vec<(u16, Text)>,
}

impl Shares {
    fn place(&self, number: u16) -> Option<usize> {
        self.known.binary_search_by_key(&number, |(known, _)| *known).ok()
    }

    fn get(&self, number: u16) -> Option<&Text> {
        self.known.get(self.place(number)?).map(|(_, text)| text)
    }

    fn set(&mut self, number: u16, text: Text) {
        let place = self.place(number).and_then(|place| self.known.get_mut(place));
        if let Some((_, known)) = place {
            *known = text;
        }
    }
}

/// New numbers for values that are written to several fields at once.
pub(crate) struct Numbers {
    first: usize,
    /// To how many fields each was written.
    counts: Vec<usize>,
}

impl Numbers {
    /// Numbers for so many values of an object.
    pub(crate) fn new(resource: &Resource, count: usize) -> Self {
        Self { first: resource.shares.numbers, counts: vec![0; count] }
    }

    /// The number of a value, which is written to one more field.
    pub(crate) fn take(&mut self, index: usize) -> u16 {
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        // Beyond the last number values are on their own.
        self.number(index).unwrap_or(0)
    }

    fn number(&self, index: usize) -> Option<u16> {
        u16::try_from(self.first + index + 1).ok().filter(|number| *number < TAGGED)
    }

    /// Lets the object know which values are in several fields.
    pub(crate) fn note<'t>(self, resource: &mut Resource, texts: impl Iterator<Item = &'t Text>) {
        if self.counts.iter().all(|count| *count == 0) {
            return;
        }
        resource.shares.numbers += self.counts.len();
        let in_several = self.counts.iter().enumerate().zip(texts).filter(|((_, count), _)| **count > 1);
        let known = in_several.filter_map(|((index, _), text)| Some((self.number(index)?, text.clone())));
        resource.shares.known.extend(known);
    }
}

/// Lets all values that are one be what one of them was changed to, at last.
pub(crate) fn settle(context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
    if resource.shares.known.is_empty() {
        return Ok(());
    }
    let at = resource.node.at;
    let mut changed: BTreeMap<u16, (At, Scalar)> = BTreeMap::new();
    let shares = &resource.shares;
    let looked = find(&resource.node, &mut |node, scalar| {
        let known = shares.get(scalar.share);
        if known.is_some_and(|known| *known != scalar.text) {
            changed.insert(scalar.share, (node.at, scalar.clone()));
        }
    });
    context.steps(at, looked / LOOKED)?;
    if changed.is_empty() {
        return Ok(());
    }
    each(&mut resource.node, &mut |node| {
        let Content::Scalar(scalar) = &mut node.content else { return };
        let new = changed.get(&scalar.share).filter(|(_, value)| value.text != scalar.text);
        let Some((at, value)) = new else { return };
        *scalar = value.clone();
        node.at = *at;
        let shown = crate::yaml::scalar::shown(&value.text);
        let message = format!("{shown} is also set where the same label or annotation had been set");
        context.warn(*at, &message, "set those fields as well, where they are to stay as they were");
    });
    for (share, (_, value)) in changed {
        resource.shares.set(share, value.text);
    }
    Ok(())
}

/// Lets every value of an object be on its own, as it is when kustomize reads the object anew.
pub(crate) fn part(context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
    resource.shares = Shares::default();
    let at = resource.node.at;
    let mut looked = 0;
    let mut large = None;
    each(&mut resource.node, &mut |node| {
        looked += 1;
        if let Content::Scalar(scalar) = &mut node.content {
            if scalar.is_large_integer() {
                large = Some(node.at);
            }
            match (scalar.kind, scalar.share) {
                (Kind::Null, HOLLOW) => *scalar = Scalar::string(""),
                (Kind::Null, _) => scalar.text = Text::from("null"),
                _ => {}
            }
            scalar.share = 0;
        }
    });
    if let Some(at) = large {
        context.warn(at, scalar::ROUNDED, scalar::QUOTE_IT);
    }
    context.steps(at, looked / LOOKED)
}

/// Lets every value in a node be on its own.
pub(crate) fn separate(node: &mut Node) {
    each(node, &mut |node| {
        if let Content::Scalar(scalar) = &mut node.content
            && scalar.share != HOLLOW
        {
            scalar.share = 0;
        }
    });
}

/// Looks at every scalar that is shared; tells how many values it had to look at.
fn find(node: &Node, act: &mut dyn FnMut(&Node, &Scalar)) -> usize {
    let within: usize = match &node.content {
        Content::Scalar(scalar) => {
            if scalar.share != 0 {
                act(node, scalar);
            }
            0
        }
        Content::List(items) => items.iter().map(|item| find(item, act)).sum(),
        Content::Map(map) => map.iter().map(|field| find(&field.value, act)).sum(),
    };
    within + 1
}

/// A value as it is after kustomize has written it as JSON and read that anew: every text in quotes, and every null spelled
/// out, so that it stays where a patch is merged.
pub(crate) fn through_json(mut node: Node) -> Node {
    each(&mut node, &mut |node| {
        let Content::Scalar(scalar) = &mut node.content else { return };
        match scalar.kind {
            Kind::Null => scalar.text = Text::from("null"),
            Kind::Bool | Kind::Int | Kind::Float => scalar.text = scalar.value().to_string().into(),
            Kind::Time => *scalar = Scalar::string(scalar.value().as_str().unwrap_or_default()),
            Kind::Str | Kind::Unwritable => {}
        }
        scalar.quoted = scalar.kind == Kind::Str;
        scalar.share = 0;
    });
    node
}

/// A value with every null in it spelled out, as JSON has it.
pub(crate) fn nulls_spelled(mut node: Node) -> Node {
    each(&mut node, &mut |node| {
        if node.is_null() {
            *node = Node::null(node.at);
        }
    });
    node
}

fn each(node: &mut Node, act: &mut dyn FnMut(&mut Node)) {
    act(node);
    match &mut node.content {
        Content::Scalar(_) => {}
        Content::List(items) => items.iter_mut().for_each(|item| each(item, act)),
        Content::Map(map) => map.iter_mut().for_each(|field| each(&mut field.value, act)),
    }
}
