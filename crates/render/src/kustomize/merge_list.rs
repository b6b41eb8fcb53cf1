//! Merging of lists whose items have keys, step by step as kustomize does it, since its order shows.

use std::borrow::Cow;
use std::collections::HashSet;

use super::context::{Outcome, wrong};
use super::merge::{DIRECTIVE, Directive, Merger};
use super::schema::Cursor;
use crate::yaml::node::{At, Content, Kind, Node, Text};

/// An item, by its place in [`Lists::items`].
type ItemId = usize;

/// The items of both lists, and what is merged of them.
struct Lists<'p> {
    items: Vec<Cow<'p, Node>>,
}

/// Merges `patch` into `old`; nothing if the list is deleted.
pub(super) fn merge(
    merger: &mut Merger<'_, '_>,
    old: Vec<Node>,
    patch: Option<&[Node]>,
    keys: &[Text],
    cursor: Cursor<'_>,
    at: At,
) -> Outcome<Option<Vec<Node>>> {
    let mut patch: Option<Vec<&Node>> = patch.map(|items| items.iter().collect());
    if let Some(items) = &mut patch {
        match take_directive(items)? {
            Directive::Delete => return Ok(None),
            Directive::Replace => return added(merger, std::mem::take(items), keys, cursor, at),
            Directive::Merge => {}
        }
    }
    run(merger, old, patch, keys, cursor, at).map(Some)
}

/// What a list of a patch becomes where the object has none.
pub(super) fn added(
    merger: &mut Merger<'_, '_>,
    mut items: Vec<&Node>,
    keys: &[Text],
    cursor: Cursor<'_>,
    at: At,
) -> Outcome<Option<Vec<Node>>> {
    take_directive(&mut items)?;
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        if let Some(item) = merger.added(item, cursor)? {
            kept.push(item);
        }
    }
    run(merger, kept, None, keys, cursor, at).map(Some)
}

/// Takes the item that is only a directive out of a list.
fn take_directive(items: &mut Vec<&Node>) -> Outcome<Directive> {
    let found = items.iter().find_map(|item| {
        let map = item.as_map()?;
        let field = map.field(DIRECTIVE)?;
        Some((map.len(), field.at, field.value.raw().cloned().unwrap_or_else(|| Text::from(""))))
    });
    let Some((1, at, text)) = found else { return Ok(Directive::Merge) };
    let directive = Directive::parse(&text, at)?;
    items.retain(|item| {
        let same = item.get(DIRECTIVE).and_then(Node::raw).is_some_and(|other| *other == text);
        !same && !is_hollow(item)
    });
    Ok(directive)
}

/// Whether an item holds nothing: such items are dropped whenever a list is changed.
fn is_hollow(item: &Node) -> bool {
    item.is_null() || item.as_map().is_some_and(crate::yaml::map::Map::is_empty)
}

/// The values of an item's keys; empty where it has none.
fn values(item: &Node, keys: &[Text]) -> Vec<Text> {
    let value = |key: &Text| {
        let value = if key.is_empty() { Some(item) } else { item.get(key) };
        let text = value.filter(|value| !value.is_null()).and_then(Node::raw);
        text.cloned().unwrap_or_else(|| Text::from(""))
    };
    keys.iter().map(value).collect()
}

fn run(
    merger: &mut Merger<'_, '_>,
    old: Vec<Node>,
    patch: Option<Vec<&Node>>,
    keys: &[Text],
    cursor: Cursor<'_>,
    at: At,
) -> Outcome<Vec<Node>> {
    let items = || patch.iter().flatten().copied().chain(&old);
    if let [key] = keys
        && let Some(null) = items().find_map(|item| item.get(key).filter(|node| node.is_null()))
    {
        let message = format!("{key} is null in an item that is merged by it");
        return wrong(null.at, message, "write it, or remove the item");
    }
    if let ([key], Some(patch)) = (keys, &patch) {
        let empty = |item: &Node| {
            item.get(key).filter(|node| node.raw().is_some_and(|text| text.is_empty())).map(|node| node.at)
        };
        if let (Some(_), Some(at)) = (old.iter().find_map(empty), patch.iter().copied().find_map(empty)) {
            let message = format!("{key} is empty in items that are merged by it");
            return wrong(at, message, "write it, or remove the item");
        }
    }
    let none = [Text::from("")];
    let keys = if keys.is_empty() { &none[..] } else { keys };
    let mut list = distinct(items(), keys);
    if keys.len() > 1 {
        let incomplete = list.iter().filter(|values| lacks(values)).count();
        merger.context.steps(at, list.len().saturating_mul(2 * incomplete))?;
        complete(&mut list);
    }
    let mut lists = Lists { items: Vec::with_capacity(old.len()) };
    let mut old_ids: Vec<ItemId> = (0..old.len()).collect();
    lists.items.extend(old.into_iter().map(Cow::Owned));
    let patch_ids: Vec<ItemId> =
        (old_ids.len()..old_ids.len() + patch.as_ref().map_or(0, Vec::len)).collect();
    lists.items.extend(patch.into_iter().flatten().map(Cow::Borrowed));
    let mut merged: Vec<ItemId> = Vec::new();
    let mut last_keys: Vec<Text> = Vec::new();
    for index in 0..list.len() {
        let Some(values) = list.get(index) else { break };
        merger.context.steps(at, merged.len() + old_ids.len() + list.len())?;
        let (keys, values) = used_keys(&list, values, keys);
        let here = (lists.find(&old_ids, &keys, &values), lists.find(&patch_ids, &keys, &values));
        let item = lists.merge_items(merger, here, cursor)?;
        match item {
            Some(item) => {
                lists.set_keys(item, &keys, &values, at);
                lists.set(&mut merged, Some(item), &keys, &values)?;
            }
            None => lists.set(&mut old_ids, None, &keys, &values)?,
        }
        last_keys = keys;
    }
    if !list.is_empty() {
        lists.append(merger, &mut merged, &old_ids, &last_keys, at)?;
    }
    let mut items: Vec<Option<Cow<'_, Node>>> = lists.items.into_iter().map(Some).collect();
    let merged = merged.into_iter().filter_map(|id| items.get_mut(id).and_then(Option::take));
    Ok(merged.map(Cow::into_owned).collect())
}

/// The distinct values of the keys, in the order in which they come.
fn distinct<'n>(items: impl Iterator<Item = &'n Node>, keys: &[Text]) -> Vec<Vec<Text>> {
    let mut seen: HashSet<Vec<Text>> = HashSet::new();
    let mut list = Vec::new();
    for item in items {
        let values = values(item, keys);
        if seen.insert(values.clone()) {
            list.push(values);
        }
    }
    list
}

/// Whether the value of a key is missing.
fn lacks(values: &[Text]) -> bool {
    values.iter().any(|value| value.is_empty())
}

/// Lets values that differ only in that one of them lacks a key be the same. Since all are different at first, nothing
/// happens where neither lacks one.
fn complete(list: &mut [Vec<Text>]) {
    let lacking: Vec<usize> = (0..list.len()).filter(|at| list.get(*at).is_some_and(|a| lacks(a))).collect();
    let every: Vec<usize> = (0..list.len()).collect();
    for i in 0..list.len() {
        let others = if list.get(i).is_some_and(|a| lacks(a)) { &every } else { &lacking };
        for j in others.iter().copied() {
            let (Some(a), Some(b)) = (list.get(i), list.get(j)) else { continue };
            if let Some(values) = combined(a, b) {
                if let Some(a) = list.get_mut(i) {
                    a.clone_from(&values);
                }
                if let Some(b) = list.get_mut(j) {
                    *b = values;
                }
            }
        }
    }
}

fn combined(a: &[Text], b: &[Text]) -> Option<Vec<Text>> {
    let pairs = || a.iter().zip(b);
    let fits = pairs().all(|(a, b)| a == b || a.is_empty() || b.is_empty());
    if !fits || !pairs().any(|(a, b)| a == b) {
        return None;
    }
    Some(pairs().map(|(a, b)| if a.is_empty() { b.clone() } else { a.clone() }).collect())
}

/// The keys that any item has, with their values; all of them if no item has one.
fn used_keys(list: &[Vec<Text>], values: &[Text], keys: &[Text]) -> (Vec<Text>, Vec<Text>) {
    let used = |at: usize| list.iter().any(|values| values.get(at).is_some_and(|value| !value.is_empty()));
    if !(0..keys.len()).any(used) {
        return (keys.to_vec(), values.to_vec());
    }
    let pairs = keys.iter().zip(values).enumerate().filter(|(at, _)| used(*at));
    pairs.map(|(_, (key, value))| (key.clone(), value.clone())).unzip()
}

impl Lists<'_> {
    fn item(&self, id: ItemId) -> Option<&Node> {
        self.items.get(id).map(|item| &**item)
    }

    /// The first of `ids` whose keys have these values.
    fn find(&self, ids: &[ItemId], keys: &[Text], values: &[Text]) -> Option<ItemId> {
        let only = [values.to_vec()];
        let (keys, values) = used_keys(&only, values, keys);
        let fits = |id: &&ItemId| {
            let Some(item) = self.item(**id) else { return false };
            let mut pairs = keys.iter().zip(&values);
            match keys.first() {
                Some(key) if key.is_empty() => item.raw().is_some_and(|text| values.first() == Some(text)),
                _ => item.as_map().is_some_and(|map| {
                    pairs.all(|(key, value)| {
                        let text = |node: &Node| node.raw().is_some_and(|text| text == value);
                        map.get(key).filter(|node| !node.is_null()).is_some_and(text)
                    })
                }),
            }
        };
        ids.iter().find(fits).copied()
    }

    /// Merges an item of the patch into one of the object, in its place.
    fn merge_items(
        &mut self,
        merger: &mut Merger<'_, '_>,
        (old, new): (Option<ItemId>, Option<ItemId>),
        cursor: Cursor<'_>,
    ) -> Outcome<Option<ItemId>> {
        let patch = new.and_then(|id| self.items.get(id)).cloned();
        let object = old.and_then(|id| self.items.get_mut(id)).map(|item| {
            let at = item.at;
            std::mem::replace(item, Cow::Owned(Node::null(at))).into_owned()
        });
        let merged = merger.merge(object, patch.as_deref(), cursor)?.filter(|item| !is_hollow(item));
        match (merged, old.or(new)) {
            (Some(item), Some(id)) => {
                if let Some(place) = self.items.get_mut(id) {
                    *place = Cow::Owned(item);
                }
                Ok(Some(id))
            }
            _ => Ok(None),
        }
    }

    /// Makes sure that an item has its keys.
    fn set_keys(&mut self, id: ItemId, keys: &[Text], values: &[Text], at: At) {
        let Some(map) = self.items.get_mut(id).and_then(|item| item.to_mut().as_map_mut()) else { return };
        for (key, value) in keys.iter().zip(values) {
            if !map.contains(key) && !value.is_empty() {
                let mut node = Node::string(at, value.clone());
                if let Content::Scalar(scalar) = &mut node.content {
                    scalar.kind = crate::yaml::scalar::plain_kind(value);
                }
                map.set(key, at, node);
            }
        }
    }

    /// Puts an item where those are whose keys have these values, or at the end; without one, removes those.
    fn set(
        &self,
        ids: &mut Vec<ItemId>,
        item: Option<ItemId>,
        keys: &[Text],
        values: &[Text],
    ) -> Outcome<()> {
        let by_field = keys.first().is_some_and(|key| !key.is_empty())
            && values.first().is_some_and(|value| !value.is_empty());
        let mut found = false;
        let mut kept = Vec::with_capacity(ids.len() + 1);
        for id in ids.iter().copied() {
            let Some(node) = self.item(id).filter(|node| !is_hollow(node)) else { continue };
            if node.as_map().is_none() && by_field {
                kept.push(id);
                continue;
            }
            if !has(node, keys, values)? {
                if !values.is_empty() {
                    kept.push(id);
                }
                continue;
            }
            found = true;
            kept.extend(item);
        }
        if let Some(item) = item.filter(|_| !found) {
            kept.push(item);
        }
        *ids = kept;
        Ok(())
    }

    /// Adds the items of the object's list to what was merged: those that were merged find their place.
    fn append(
        &self,
        merger: &mut Merger<'_, '_>,
        merged: &mut Vec<ItemId>,
        old: &[ItemId],
        keys: &[Text],
        at: At,
    ) -> Outcome<()> {
        for id in old.iter().copied() {
            merger.context.steps(at, merged.len() + 1)?;
            let Some(item) = self.item(id) else { continue };
            if keys.first().is_some_and(|key| key.is_empty()) {
                let text = item.raw().cloned().unwrap_or_else(|| Text::from(""));
                self.set(merged, Some(id), &[Text::from("")], &[text])?;
                continue;
            }
            if item.as_map().is_none() && !item.is_null() {
                return wrong(
                    item.at,
                    "an item without keys is in a list that is merged by keys",
                    "write a mapping",
                );
            }
            let mut values = Vec::new();
            for key in keys {
                match item.get(key).filter(|node| !node.is_null()) {
                    Some(value) => values.push(value.raw().cloned().unwrap_or_else(|| Text::from(""))),
                    None => merged.push(id),
                }
            }
            if keys.len() > 1 {
                self.set(merged, None, keys, &values)?;
            }
            self.set(merged, Some(id), keys, &values)?;
        }
        Ok(())
    }
}

/// Whether an item's keys have these values. Beyond the last value a key counts as the one before it did; an
/// empty value only asks for the key.
fn has(item: &Node, keys: &[Text], values: &[Text]) -> Outcome<bool> {
    let mut found = false;
    for (at, key) in keys.iter().enumerate() {
        if let Some(value) = values.get(at) {
            found = if key.is_empty() {
                match &item.content {
                    Content::Scalar(scalar) => scalar.kind != Kind::Null && scalar.text == *value,
                    _ => return wrong(item.at, "a mapping or list is in a list of texts", "write a text"),
                }
            } else {
                match item.as_map() {
                    Some(map) => map
                        .get(key)
                        .is_some_and(|node| value.is_empty() || node.raw().is_some_and(|text| text == value)),
                    None => return wrong(item.at, "a text is in a list of mappings", "write a mapping"),
                }
            };
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(found)
}
