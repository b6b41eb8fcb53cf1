//! Variables: `$(NAME)` in known fields stands for a field of an object.

use std::collections::BTreeMap;

use serde_json::Value;

use super::config::Specs;
use super::context::{Context, Outcome, wrong};
use super::fields::Fields;
use super::fieldspec::{Make, Visit};
use super::id::{Id, group_version};
use super::paths;
use super::set::ResourceSet;
use super::shared;
use crate::yaml::node::{At, Content, Kind, Node, Scalar, Text};

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
    pub(crate) fn add(&mut self, set: &mut ResourceSet, variables: &[Variable]) -> Outcome<()> {
        for variable in variables {
            let wanted = variable.id();
            let fits = |id: &Id<'_>| match wanted.namespace {
                "" => wanted.same_without_namespace(id),
                _ => wanted.same(id),
            };
            let found =
                set.items().iter().enumerate().filter(|(_, resource)| {
                    fits(&resource.id()) || resource.previous_ids().any(|id| fits(&id))
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
        let mut values: BTreeMap<Text, Scalar> = BTreeMap::new();
        for (name, variable) in &self.by_name {
            let holder = set.items().iter().find(|resource| resource.variables.contains(name));
            let Some(holder) = holder else {
                let message = format!("the variable {name:?} names an object that is not here");
                return wrong(variable.at, message, "correct its objref");
            };
            match paths::lookup(&holder.node, &paths::indexed(&variable.path), variable.at)?
                .map(|node| &node.content)
            {
                Some(Content::Scalar(scalar)) => {
                    values.insert(name.clone(), scalar.clone());
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
        for resource in set.items_mut() {
            let at = resource.node.at;
            let mut act = |node: &mut Node| replace(node, &values);
            let mut visit = Visit { make: Make::Nothing, at, act: &mut act, steps: 0 };
            let of: Vec<_> = {
                let id = resource.id();
                specs.iter().filter(|spec| spec.is_of(&id)).collect()
            };
            of.into_iter().try_for_each(|spec| visit.field(&mut resource.node, spec))?;
            let steps = visit.steps;
            context.steps(at, steps)?;
            shared::settle(context, resource);
        }
        Ok(())
    }
}

fn replace(node: &mut Node, values: &BTreeMap<Text, Scalar>) -> Outcome<()> {
    match &mut node.content {
        Content::Scalar(scalar) => expand(scalar, values),
        Content::Map(map) => {
            for field in map.iter_mut() {
                if let Content::Scalar(scalar) = &mut field.value.content {
                    expand(scalar, values);
                }
            }
        }
        Content::List(items) => {
            for item in items {
                match &mut item.content {
                    Content::Scalar(scalar) if scalar.kind == Kind::Str => expand(scalar, values),
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
fn spelled(scalar: &Scalar) -> String {
    match scalar.value() {
        Value::String(text) => text,
        Value::Null => scalar.text.to_string(),
        other => other.to_string(),
    }
}

/// Replaces `$(NAME)`; `$$` is a dollar sign.
fn expand(scalar: &mut Scalar, values: &BTreeMap<Text, Scalar>) {
    if scalar.kind != Kind::Str || !scalar.text.contains('$') {
        return;
    }
    let text = scalar.text.clone();
    let whole = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(value) = whole.and_then(|name| values.get(name)) {
        let text = match value.kind {
            Kind::Str | Kind::Null | Kind::Unwritable => value.text.clone(),
            _ => Text::from(spelled(value)),
        };
        let kind = if value.kind == Kind::Null { Kind::Str } else { value.kind };
        *scalar = Scalar { text, kind, quoted: false, share: scalar.share };
        return;
    }
    let mut expanded = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match values.get(name) {
                Some(value) => expanded.push_str(&spelled(value)),
                None => expanded.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    *scalar = Scalar { share: scalar.share, ..Scalar::string(expanded) };
}
