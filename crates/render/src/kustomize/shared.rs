//! Values that are one. kustomize writes a label or an annotation as one node into all of its fields, so that whoever
//! changes one of them later, in an overlay's patch, changes all, until a JSON patch writes the object anew. What
//! kustomize makes of an object cannot be had without that.

use std::collections::BTreeMap;

use super::context::Context;
use super::resource::Resource;
use crate::yaml::node::{At, Content, Node, Scalar, Text, UNTAGGED};

/// What the values of one object that are one hold, by their number; nothing for a number that is not shared.
pub(crate) type Shares = Vec<Option<Text>>;

/// New numbers for values that are written to several fields at once.
pub(crate) struct Numbers {
    first: usize,
    /// To how many fields each was written.
    counts: Vec<usize>,
}

impl Numbers {
    /// Numbers for so many values of an object.
    pub(crate) fn new(resource: &Resource, count: usize) -> Self {
        Self { first: resource.shares.len(), counts: vec![0; count] }
    }

    /// The number of a value, which is written to one more field.
    pub(crate) fn take(&mut self, index: usize) -> u16 {
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        // Beyond the last number values are on their own.
        u16::try_from(self.first + index + 1).ok().filter(|number| *number != UNTAGGED).unwrap_or(0)
    }

    /// Lets the object know which values are in several fields.
    pub(crate) fn note<'t>(self, resource: &mut Resource, texts: impl Iterator<Item = &'t Text>) {
        if self.counts.iter().all(|count| *count == 0) {
            return;
        }
        let shared = self.counts.iter().zip(texts).map(|(count, text)| (*count > 1).then(|| text.clone()));
        resource.shares.reserve_exact(self.counts.len());
        resource.shares.extend(shared);
    }
}

/// Lets all values that are one be what one of them was changed to, at last.
pub(crate) fn settle(context: &mut Context<'_>, resource: &mut Resource) {
    if resource.shares.iter().all(Option::is_none) {
        return;
    }
    let mut changed: BTreeMap<u16, (At, Scalar)> = BTreeMap::new();
    let shares = &resource.shares;
    find(&resource.node, &mut |node, scalar| {
        let known = usize::from(scalar.share).checked_sub(1).and_then(|at| shares.get(at)?.as_ref());
        if known.is_some_and(|known| *known != scalar.text) {
            changed.insert(scalar.share, (node.at, scalar.clone()));
        }
    });
    if changed.is_empty() {
        return;
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
        if let Some(known) = usize::from(share).checked_sub(1).and_then(|at| resource.shares.get_mut(at)) {
            *known = Some(value.text);
        }
    }
}

/// Lets every value of an object be on its own.
pub(crate) fn part(resource: &mut Resource) {
    resource.shares.clear();
    separate(&mut resource.node);
}

/// Lets every value in a node be on its own.
pub(crate) fn separate(node: &mut Node) {
    each(node, &mut |node| {
        if let Content::Scalar(scalar) = &mut node.content {
            scalar.share = 0;
        }
    });
}

/// Looks at every scalar that is shared.
fn find(node: &Node, act: &mut dyn FnMut(&Node, &Scalar)) {
    match &node.content {
        Content::Scalar(scalar) if scalar.share == 0 => {}
        Content::Scalar(scalar) => act(node, scalar),
        Content::List(items) => items.iter().for_each(|item| find(item, act)),
        Content::Map(map) => map.iter().for_each(|field| find(&field.value, act)),
    }
}

fn each(node: &mut Node, act: &mut dyn FnMut(&mut Node)) {
    act(node);
    match &mut node.content {
        Content::Scalar(_) => {}
        Content::List(items) => items.iter_mut().for_each(|item| each(item, act)),
        Content::Map(map) => map.iter_mut().for_each(|field| each(&mut field.value, act)),
    }
}
