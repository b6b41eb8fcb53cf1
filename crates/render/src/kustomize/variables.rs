//! Variables: `$(NAME)` in known fields stands for a field of an object.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::config::Specs;
use super::context::{Context, Outcome, wrong};
use super::fields::Fields;
use super::fieldspec::{Make, READ, Room, SPECS, Visit};
use super::id::{Id, group_version};
use super::paths;
use super::resource::Resource;
use super::set::ResourceSet;
use super::shared;
use crate::yaml::node::{At, Content, Kind, Node, Scalar, Text, UNTAGGED};
use crate::yaml::scalar::spelled;

/// An entry of `vars`.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    at: At,
    name: Text,
    group: Text,
    version: Text,
    kind: Text,
    object: Text,
    namespace: Text,
    path: Text,
}

impl Variable {
    pub(crate) fn from_node(node: Node) -> Outcome<Self> {
        let mut fields = Fields::of(node, "a variable")?;
        let at = fields.at;
        let name = fields.text("name")?;
        let Some(reference) = fields.take("objref") else {
            return wrong(at, "the variable has no objref", "write kind, name and apiVersion of an object");
        };
        let mut object = Fields::of(reference.value, "an objref")?;
        let api_version = object.filled("apiVersion")?;
        let (mut group, mut version) = (object.text("group")?, object.text("version")?);
        if let Some(api_version) = api_version {
            let (a, b) = group_version(&api_version.value);
            (group, version) = (if a.is_empty() { group } else { a.into() }, b.into());
        }
        let kind = object.text("kind")?;
        let (object_name, namespace) = (object.text("name")?, object.text("namespace")?);
        for unused in ["uid", "resourceVersion", "fieldPath"] {
            object.take(unused);
        }
        object.finish()?;
        let mut path = Text::from("metadata.name");
        if let Some(field) = fields.take("fieldref") {
            let mut field = Fields::of(field.value, "a fieldref")?;
            path = field.filled("fieldPath")?.map_or(path, |said| said.value);
            field.take("apiVersion");
            field.finish()?;
        }
        fields.finish()?;
        Ok(Self { at, name, group, version, kind, object: object_name, namespace, path })
    }

    fn id(&self) -> Id<'_> {
        Id {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
            name: &self.object,
            namespace: &self.namespace,
            cluster: false,
        }
    }
}

/// The variables of a build, by name.
#[derive(Default)]
pub(crate) struct Variables {
    by_name: BTreeMap<Text, Variable>,
}

impl Variables {
    /// Adds variables, and notes on the objects that they are for.
    pub(crate) fn add(
        &mut self,
        context: &mut Context<'_>,
        set: &mut ResourceSet,
        variables: &[Variable],
    ) -> Outcome<()> {
        for variable in variables {
            let names = set.items().iter().map(|resource| 4 + resource.previous.len());
            context.steps(variable.at, names.sum())?;
            let wanted = variable.id();
            let fits = |id: &Id<'_>| match wanted.namespace {
                "" => wanted.same_without_namespace(id),
                _ => wanted.same(id),
            };
            let found = set.items().iter().enumerate().filter(|(_, resource)| {
                (resource.name() == wanted.name && fits(&resource.id()))
                    || resource.previous_ids().any(|id| fits(&id))
            });
            match found.map(|(at, _)| at).collect::<Vec<_>>().as_slice() {
                [] => {}
                [at] => {
                    if let Some(resource) = set.get_mut(*at) {
                        resource.variables.push(variable.name.clone());
                    }
                }
                _ => {
                    let message = format!("the variable {:?} could mean more than one object", variable.name);
                    return wrong(variable.at, message, "name its namespace");
                }
            }
            self.insert(variable.clone())?;
        }
        Ok(())
    }

    fn insert(&mut self, variable: Variable) -> Outcome<()> {
        if let Some(first) = self.by_name.get(&variable.name) {
            let message =
                format!("the variable {:?} is there already, from line {}", variable.name, first.at.line);
            return wrong(variable.at, message, "rename one of them");
        }
        self.by_name.insert(variable.name.clone(), variable);
        Ok(())
    }

    pub(crate) fn merge(&mut self, other: Self) -> Outcome<()> {
        other.by_name.into_values().try_for_each(|variable| self.insert(variable))
    }

    /// Replaces every variable in the fields of `specs`.
    pub(crate) fn resolve(
        &self,
        context: &mut Context<'_>,
        set: &mut ResourceSet,
        specs: &Specs,
    ) -> Outcome<()> {
        if self.by_name.is_empty() {
            return Ok(());
        }
        let values = self.values(context, set)?;
        for resource in set.items_mut() {
            let at = resource.node.at;
            context.steps(at, specs.len() / SPECS)?;
            let act = |room: &mut Room<'_, '_>, node: &mut Node| replace(room, node, &values);
            let mut visit = Visit { context, make: Make::Nothing, at, act };
            let of: Vec<_> = {
                let id = resource.id();
                specs.iter().filter(|spec| spec.is_of(&id)).collect()
            };
            of.into_iter().try_for_each(|spec| visit.field(&mut resource.node, spec))?;
            shared::settle(context, resource)?;
        }
        Ok(())
    }

    /// What each variable stands for.
    fn values(&self, context: &mut Context<'_>, set: &ResourceSet) -> Outcome<BTreeMap<Text, Scalar>> {
        let mut holders: HashMap<&Text, &Resource> = HashMap::new();
        for resource in set.items() {
            resource.variables.iter().for_each(|name| _ = holders.entry(name).or_insert(resource));
        }
        let mut values = BTreeMap::new();
        for (name, variable) in &self.by_name {
            let Some(holder) = holders.get(name) else {
                let message = format!("the variable {name:?} names an object that is not here");
                return wrong(variable.at, message, "correct its objref");
            };
            let found = paths::lookup(context, &holder.node, &paths::indexed(&variable.path), variable.at)?;
            match found.map(|node| &node.content) {
                Some(Content::Scalar(scalar)) => {
                    let mut value = scalar.clone();
                    take_as_text(&mut value);
                    if value.kind == Kind::Time {
                        value.kind = Kind::Str;
                    }
                    if spelled(value.kind, &value.text) == Kind::Int {
                        // kustomize reads decimal digits, also after a zero.
                        let Ok(number) = value.text.parse::<i64>() else {
                            let message =
                                format!("the variable {name:?} is {}, not decimal digits", value.text);
                            return wrong(variable.at, message, "write that number in digits, or in quotes");
                        };
                        value.text = number.to_string().into();
                    }
                    values.insert(name.clone(), value);
                }
                Some(_) => context.warn(
                    variable.at,
                    &format!("the variable {name:?} is no single value, and stays as it is"),
                    "name a field with a single value",
                ),
                None => {
                    let message =
                        format!("the field {:?} of the variable {name:?} is not there", variable.path);
                    return wrong(variable.at, message, "correct its fieldref");
                }
            }
        }
        Ok(values)
    }
}

fn replace(room: &mut Room<'_, '_>, node: &mut Node, values: &BTreeMap<Text, Scalar>) -> Outcome<()> {
    match &mut node.content {
        Content::Scalar(scalar) => expand(room, scalar, values)?,
        Content::Map(map) => {
            for field in map.iter_mut() {
                if let Content::Scalar(scalar) = &mut field.value.content {
                    expand(room, scalar, values)?;
                }
            }
        }
        Content::List(items) => {
            for item in items {
                match &mut item.content {
                    Content::Scalar(scalar) if scalar.kind == Kind::Str => expand(room, scalar, values)?,
                    _ => {
                        return wrong(
                            item.at,
                            format!("this is {}, not a string", item.what()),
                            "put it in quotes",
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

/// How a value is spelled within a text.
fn shown(scalar: &Scalar) -> Text {
    if scalar.kind == Kind::Str {
        return scalar.text.clone();
    }
    match scalar.value() {
        Value::String(text) => text.into(),
        Value::Null => scalar.text.clone(),
        other => other.to_string().into(),
    }
}

/// Takes a value of which kustomize does not say what it is for a text.
fn take_as_text(scalar: &mut Scalar) {
    if scalar.share == UNTAGGED {
        (scalar.kind, scalar.share) = (Kind::Str, 0);
    }
}

/// Replaces `$(NAME)`; `$$` is a dollar sign.
fn expand(room: &mut Room<'_, '_>, scalar: &mut Scalar, values: &BTreeMap<Text, Scalar>) -> Outcome<()> {
    room.steps(1 + scalar.text.len() / READ)?;
    take_as_text(scalar);
    if scalar.kind != Kind::Str || !scalar.text.contains('$') {
        return Ok(());
    }
    let text = scalar.text.clone();
    let whole = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(value) = whole.and_then(|name| values.get(name)) {
        let text = match value.kind {
            Kind::Str | Kind::Null | Kind::Unwritable => value.text.clone(),
            _ => shown(value),
        };
        let kind = if value.kind == Kind::Null { Kind::Str } else { value.kind };
        room.grow(text.len().saturating_sub(scalar.text.len()))?;
        *scalar = Scalar { text, kind, quoted: false, share: scalar.share };
        return Ok(());
    }
    let mut length = 0;
    pieces(&text, values, &mut |piece| length += piece.len());
    room.grow(length.saturating_sub(text.len()))?;
    let mut expanded = String::with_capacity(length);
    pieces(&text, values, &mut |piece| expanded.push_str(piece));
    *scalar = Scalar { share: scalar.share, ..Scalar::string(expanded) };
    Ok(())
}

/// The pieces that a text is made of when its variables are replaced.
fn pieces(text: &str, values: &BTreeMap<Text, Scalar>, act: &mut dyn FnMut(&str)) {
    let (mut rest, mut closes) = (text, true);
    while let Some((before, after)) = rest.split_once('$') {
        act(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            act("$");
            rest = after;
            continue;
        }
        let inner = rest.strip_prefix('(').filter(|_| closes);
        // Where no bracket closes, none has to be looked for again.
        closes &= inner.is_none_or(|inner| inner.contains(')'));
        let Some((name, after)) = inner.and_then(|inner| inner.split_once(')')) else {
            act("$");
            continue;
        };
        match values.get(name) {
            Some(value) => act(&shown(value)),
            None => ["$(", name, ")"].into_iter().for_each(&mut *act),
        }
        rest = after;
    }
    act(rest);
}
