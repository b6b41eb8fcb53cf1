//! Replacements: a field of one object copied into fields of others.

use std::collections::HashMap;

use super::accumulate::Builder;
use super::context::{Context, Outcome, Root, wrong};
use super::copied::{Copied, Place, refined};
use super::fields::{Fields, Said};
use super::fieldspec::{READ, Room};
use super::id::{DEFAULT_NAMESPACE, Gvk, Id};
use super::paths::{self, Change};
use super::resource::Resource;
use super::selector::{Matcher, Selector};
use super::set::ResourceSet;
use super::shared;
use crate::yaml::node::{At, Content, Node, Scalar, Text};
use crate::yaml::scalar::{self, Dialect};

/// An entry of `replacements`: one, or a file with some.
pub(crate) enum ReplacementEntry {
    Here(Replacement),
    File(Said<Text>),
}

/// A replacement.
pub(crate) struct Replacement {
    source: Source,
    targets: Vec<TargetFields>,
}

/// Where a value comes from.
enum Source {
    Text(Said<Text>),
    Field { gvk: Gvk, name: Text, namespace: Text, path: Text, options: Options, at: At },
}

/// Where a value goes.
struct TargetFields {
    at: At,
    select: Selector,
    reject: Vec<Selector>,
    paths: Vec<Said<Text>>,
    options: Options,
}

/// How a part of a value is taken or set.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) delimiter: Text,
    pub(crate) index: i64,
    create: bool,
}

impl ReplacementEntry {
    pub(crate) fn from_node(node: Node) -> Outcome<Self> {
        let has = |key: &str| node.get(key).is_some_and(|node| !node.is_null());
        if !has("path") {
            return Replacement::from_node(node).map(Self::Here);
        }
        if has("source") || has("targets") || has("sourceValue") {
            return wrong(node.at, "a replacement has both path and fields of its own", "keep one of them");
        }
        let mut fields = Fields::of(node, "a replacement")?;
        let at = fields.at;
        let path = fields.filled("path")?;
        fields.finish()?;
        match path {
            Some(path) => Ok(Self::File(path)),
            None => wrong(at, "the path of a replacement is empty", "name a file"),
        }
    }
}

/// The fields that name an object, or hold what does.
const NAMES: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Replacement {
    fn from_node(node: Node) -> Outcome<Self> {
        let mut fields = Fields::of(node, "a replacement")?;
        let at = fields.at;
        let value = fields.string("sourceValue")?;
        let source = match (value, fields.take("source")) {
            (Some(text), None) => Source::Text(text),
            (None, Some(field)) => source(field.value)?,
            (Some(_), Some(_)) => {
                return wrong(at, "a replacement has both source and sourceValue", "keep one");
            }
            (None, None) => return wrong(at, "the replacement has no source", "write source"),
        };
        let targets = fields.list("targets")?.into_iter().map(target).collect::<Outcome<Vec<_>>>()?;
        fields.finish()?;
        if targets.is_empty() {
            return wrong(at, "the replacement has no targets", "write targets");
        }
        Ok(Self { source, targets })
    }
}

fn options(fields: &mut Fields) -> Outcome<Options> {
    let Some(field) = fields.take("options") else { return Ok(Options::default()) };
    let mut fields = Fields::of(field.value, "the options of a replacement")?;
    let options = Options {
        delimiter: fields.text("delimiter")?,
        index: fields.integer("index")?.map_or(0, |said| said.value),
        create: fields.boolean("create")?,
    };
    fields.take("encoding");
    fields.finish()?;
    Ok(options)
}

fn source(node: Node) -> Outcome<Source> {
    let mut fields = Fields::of(node, "the source of a replacement")?;
    let at = fields.at;
    let gvk =
        Gvk { group: fields.text("group")?, version: fields.text("version")?, kind: fields.text("kind")? };
    let (name, namespace, path) =
        (fields.text("name")?, fields.text("namespace")?, fields.text("fieldPath")?);
    let options = options(&mut fields)?;
    fields.finish()?;
    let path = if path.is_empty() { Text::from("metadata.name") } else { path };
    Ok(Source::Field { gvk, name, namespace, path, options, at })
}

fn target(node: Node) -> Outcome<TargetFields> {
    let mut fields = Fields::of(node, "the target of a replacement")?;
    let at = fields.at;
    let Some(select) = fields.take("select") else {
        return wrong(at, "the target of a replacement has no select", "write which objects it is for");
    };
    let select = Selector::from_node(select.value)?;
    let reject = fields.list("reject")?.into_iter().map(Selector::from_node).collect::<Outcome<Vec<_>>>()?;
    let mut paths = fields.strings("fieldPaths")?;
    if paths.is_empty() {
        paths.push(Said { at, value: Text::from("metadata.name") });
    }
    let options = options(&mut fields)?;
    fields.finish()?;
    Ok(TargetFields { at, select, reject, paths, options })
}

/// Runs replacements, in their order.
pub(crate) fn run(
    builder: &mut Builder<'_, '_>,
    root: &Root,
    entries: &[ReplacementEntry],
    set: &mut ResourceSet,
) -> Outcome<()> {
    for entry in entries {
        match entry {
            ReplacementEntry::Here(replacement) => replacement.run(builder.context, set)?,
            ReplacementEntry::File(path) => {
                let read = builder.context.read(root, &path.value, path.at)?;
                let documents =
                    builder.context.parse(read.file, 1, &read.bytes, Dialect::Kubernetes, false)?;
                for document in documents.into_iter().filter(|document| !document.is_null()) {
                    let items = match document.content {
                        Content::List(items) => items,
                        _ => vec![document],
                    };
                    for item in items {
                        Replacement::from_node(item)?.run(builder.context, set)?;
                    }
                }
            }
        }
    }
    Ok(())
}

impl Replacement {
    fn run(&self, context: &mut Context<'_>, set: &mut ResourceSet) -> Outcome<()> {
        let mut copied = self.copied(context, set)?;
        self.targets.iter().try_for_each(|target| target.run(context, set, &mut copied))
    }

    fn copied(&self, context: &mut Context<'_>, set: &ResourceSet) -> Outcome<Copied> {
        match &self.source {
            Source::Text(said) => {
                let kind = scalar::plain_kind(&said.value);
                let scalar = Scalar { text: said.value.clone(), kind, quoted: false, share: 0 };
                let value = Node { at: said.at, content: Content::Scalar(scalar) };
                Ok(Copied::new(value, None))
            }
            Source::Field { gvk, name, namespace, path: written, options, at } => {
                let names = |one: &Resource| 1 + one.previous.len() + name.len() / READ;
                context.steps(*at, set.items().iter().map(names).sum())?;
                let selected = |id: &Id<'_>| {
                    (name.is_empty() || &**name == id.name)
                        && (namespace.is_empty() || or_default(namespace) == or_default(id.namespace))
                        && id.is_selected(gvk)
                };
                let mut found = set
                    .items()
                    .iter()
                    .enumerate()
                    .filter(|(_, one)| selected(&one.id()) || one.previous_ids().any(|id| selected(&id)));
                let (Some((index, holder)), None) = (found.next(), found.next()) else {
                    let message = "the source of the replacement does not select exactly one object";
                    return wrong(*at, message, "correct kind, name and namespace of the source");
                };
                let path = paths::parts(written);
                let value =
                    paths::lookup(context, &holder.node, &path, *at)?.filter(|node| !node.is_nothing());
                let Some(value) = value else {
                    return wrong(
                        *at,
                        format!("the field {written:?} of the source is not there"),
                        "correct its fieldPath",
                    );
                };
                context.steps(*at, value.weight().values())?;
                let source =
                    options.delimiter.is_empty().then_some(Place { index, path, at: *at, changed: false });
                Ok(Copied::new(refined(value, options, *at)?, source))
            }
        }
    }
}

fn or_default(namespace: &str) -> &str {
    if namespace.is_empty() { DEFAULT_NAMESPACE } else { namespace }
}

impl TargetFields {
    fn run(&self, context: &mut Context<'_>, set: &mut ResourceSet, copied: &mut Copied) -> Outcome<()> {
        let select = self.select.matcher(context)?;
        let mut reject: Vec<(bool, bool, Matcher)> = Vec::new();
        for selector in &self.reject {
            reject.push((selector.names_something(), selector.by_text(), selector.matcher(context)?));
        }
        let paths: Vec<Vec<String>> = self.paths.iter().map(|path| paths::parts(&path.value)).collect();
        for matcher in std::iter::once(&select).chain(reject.iter().map(|(_, _, matcher)| matcher)) {
            context.steps(self.at, matcher.cost(set).saturating_mul(2))?;
        }
        let renames = paths.iter().any(|path| path.first().is_some_and(|first| NAMES.contains(&&**first)));
        for index in 0..set.items().len() {
            if !set.get(index).is_some_and(|resource| is_selected(resource, &select, &reject)) {
                continue;
            }
            for (path, said) in paths.iter().zip(&self.paths) {
                copied.follow(context, set)?;
                let Some(resource) = set.get_mut(index) else { break };
                let count = self.copy(context, resource, copied, path, said)?;
                copied.warn_if_changed(context, resource, (index, path), count, said.at);
                shared::settle(context, resource)?;
                copied.note(index, path);
            }
            if renames {
                self.is_named(set.get(index))?;
                set.renamed(index);
            }
        }
        Ok(())
    }

    /// Refuses to take an object's name away.
    fn is_named(&self, resource: Option<&Resource>) -> Outcome<()> {
        let name = resource.and_then(|resource| resource.node.get("metadata")?.get("name"));
        if name.is_some_and(|name| name.raw().is_none_or(|text| text.is_empty())) {
            let message = "the object would have no name";
            return wrong(self.at, message, "correct the source, or the path in the target");
        }
        Ok(())
    }

    /// Copies the value to the path, and tells to how many fields.
    fn copy(
        &self,
        context: &mut Context<'_>,
        resource: &mut Resource,
        copied: &Copied,
        path: &[String],
        said: &Said<Text>,
    ) -> Outcome<usize> {
        let Copied { value, weight, .. } = copied;
        let create = self.options.create.then_some(value);
        let act = |room: &mut Room<'_, '_>, node: &mut Node| copied.put(room, node, &self.options);
        let expressions = HashMap::new();
        let shown = &said.value;
        let mut change = Change { context, at: said.at, shown, create, weight: *weight, act, expressions };
        let count = change.run(&mut resource.node, path)?;
        context.warn_of_nulls(value);
        if count > 0 {
            return Ok(count);
        }
        let message = format!("the field {:?} is not in {}", said.value, resource.id());
        wrong(said.at, message, "correct the path, or let options.create be true")
    }
}

fn is_selected(resource: &Resource, select: &Matcher, reject: &[(bool, bool, Matcher)]) -> bool {
    select.takes_name(resource)
        && select.takes_texts(resource)
        && !reject.iter().any(|(names, by_text, matcher)| {
            (*names && matcher.takes_name(resource)) || (*by_text && matcher.takes_texts(resource))
        })
}
