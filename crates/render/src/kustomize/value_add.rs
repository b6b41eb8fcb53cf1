//! `ValueAddTransformer`: one value in fields, or as a folder in paths.

use super::accumulate::{Builder, Target};
use super::config::Specs;
use super::context::{Outcome, wrong};
use super::each;
use super::fields::{Fields, Said};
use super::fieldspec::{Room, set_text, split};
use super::namespace::Namespace;
use super::selector::{Matcher, Selector};
use super::set::ResourceSet;
use crate::yaml::Place;
use crate::yaml::node::{At, Content, Kind, Node, Text};
use crate::yaml::scalar::Dialect;

/// Where the value goes.
struct Destination {
    at: At,
    selector: Option<Selector>,
    path: Text,
    position: usize,
}

fn destination(node: Node) -> Outcome<Destination> {
    let mut fields = Fields::of(node, "a target of ValueAddTransformer")?;
    let at = fields.at;
    let Some(path) = fields.filled("fieldPath")? else {
        return wrong(at, "fieldPath is missing", "write it");
    };
    let position = fields.integer("filePathPosition")?.map_or(0, |said| said.value);
    let Ok(position) = usize::try_from(position) else {
        return wrong(at, "filePathPosition is negative", "count from 1");
    };
    let selector = fields.take("selector").map(|field| Selector::from_node(field.value)).transpose()?;
    fields.finish()?;
    Ok(Destination { at, selector, path: path.value, position })
}

/// Runs the transformer that `fields` configure.
pub(crate) fn run(
    builder: &mut Builder<'_, '_>,
    target: &Target<'_>,
    fields: &mut Fields,
    set: &mut ResourceSet,
) -> Outcome<()> {
    let at = fields.at;
    let folder = target.root.folder.rsplit('/').next().unwrap_or_default();
    let value = match fields.filled("value")? {
        Some(said) => Text::from(said.value.trim()),
        None => Text::from(folder),
    };
    let mut nodes = fields.list("targets")?;
    if let Some(path) = fields.filled("targetFilePath")? {
        let read = builder.context.read(&target.root, &path.value, path.at)?;
        for document in builder.context.parse(read.file, 1, &read.bytes, Dialect::Kubernetes, false)? {
            nodes.extend(Fields::of(document, "a file of targets")?.list("targets")?);
        }
    }
    if nodes.is_empty() {
        return wrong(at, "the transformer has no targets", "write targets");
    }
    for node in nodes {
        let place = destination(node)?;
        let matcher = match &place.selector {
            Some(selector) => Some(selector.matcher(builder.context)?),
            None => None,
        };
        let cost = matcher.as_ref().map_or(set.items().len(), |matcher| matcher.cost(set));
        builder.context.steps(place.at, cost)?;
        add(builder, &place, matcher.as_ref(), &value, set)?;
    }
    Ok(())
}

fn add(
    builder: &mut Builder<'_, '_>,
    place: &Destination,
    matcher: Option<&Matcher>,
    value: &Text,
    set: &mut ResourceSet,
) -> Outcome<()> {
    let parts: Vec<Text> = split(&place.path, '/').into_iter().map(Text::from).collect();
    if &*place.path == "metadata/namespace" && matcher.is_none() {
        let said = Said { at: place.at, value: value.clone() };
        let mut transformer = Namespace::new(said, Specs::default());
        transformer.remembers = false;
        return each::run(builder.context, set, transformer);
    }
    for resource in set.items_mut() {
        if matcher.is_some_and(|matcher| !matcher.takes(resource)) {
            continue;
        }
        if &*place.path == "metadata/namespace" && resource.id().cluster {
            continue;
        }
        let mut room = Room { context: builder.context, at: place.at, field: &place.path };
        room.fits(parts.iter().fold(Place::default(), |place, part| place.field(part.len())))?;
        let mut node = &mut resource.node;
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            let what = node.what();
            let Content::Map(map) = &mut node.content else {
                return wrong(
                    place.at,
                    format!("the field {part:?} is looked for in {what}"),
                    "correct fieldPath",
                );
            };
            room.steps(1)?;
            if !map.contains(part) {
                room.new_field(map, part)?;
            }
            let made = || if last { Node::string(place.at, "") } else { Node::map(place.at) };
            match map.get_or_set(part, place.at, made) {
                Some(next) => node = next,
                None => return Ok(()),
            }
        }
        let old = node.raw().cloned().unwrap_or_else(|| Text::from(""));
        let text =
            if place.position > 0 { inserted(&old, place.position - 1, value).into() } else { value.clone() };
        let kind = if place.position > 0 { None } else { Some(Kind::Str) };
        set_text(&mut room, node, place.at, text, kind)?;
    }
    Ok(())
}

/// `path` with a part put in at a position. An absolute path stays absolute.
fn inserted(path: &str, position: usize, part: &str) -> String {
    let (root, rest) = path.strip_prefix('/').map_or(("", path), |rest| ("/", rest));
    let mut parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    format!("{root}{}", parts.join("/"))
}
