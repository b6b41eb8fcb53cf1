//! Which lists a strategic merge patch merges, and by which keys.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::context::{Context, Outcome, Root, wrong};
use super::fields::Said;
use crate::yaml::node::{Node, Text};
use crate::yaml::scalar::Dialect;

/// The types of an OpenAPI document, as far as merging goes.
#[derive(Debug, Default)]
pub(crate) struct Table {
    types: Vec<HashMap<Text, FieldShape>>,
    /// The type of each kind, by API version and kind.
    roots: HashMap<(Text, Text), usize>,
}

/// What is known of a field.
#[derive(Debug, Default)]
pub(crate) struct FieldShape {
    /// How many lists or mappings are around its values.
    layers: usize,
    /// The type of its values.
    of: Option<usize>,
    /// If it is a list that is merged: the keys; none for a list of texts.
    keys: Option<Vec<Text>>,
}

static BUILT_IN: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("schema.txt")));

impl Table {
    fn parse(text: &str) -> Self {
        let lines = || text.lines().filter(|line| !line.starts_with('#'));
        let types: HashMap<&str, usize> = lines()
            .filter(|line| !line.starts_with('/'))
            .zip(0..)
            .map(|(line, at)| (first(line), at))
            .collect();
        let mut table = Self::default();
        for line in lines() {
            let words = line.split(' ').skip(1);
            if let Some(version) = first(line).strip_prefix('/') {
                for word in words {
                    let (kind, name) = word.split_once('=').unwrap_or((word, word));
                    if let Some(at) = types.get(name) {
                        table.roots.insert((version.into(), kind.into()), *at);
                    }
                }
                continue;
            }
            table.types.push(words.filter_map(|word| field_shape(word, &types)).collect());
        }
        table
    }

    /// What is known of an object of a kind.
    fn root(&self, api_version: &str, kind: &str) -> Option<Spot<'_>> {
        self.roots.get(&(api_version.into(), kind.into())).map(|at| Spot::Type(*at))
    }
}

fn first(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

fn field_shape(word: &str, types: &HashMap<&str, usize>) -> Option<(Text, FieldShape)> {
    let (name, shape) = word.split_once(':')?;
    let (shape, keys) = match shape.split_once('=') {
        Some((shape, keys)) => {
            (shape, Some(keys.split(',').filter(|key| !key.is_empty()).map(Text::from).collect()))
        }
        None => (shape, None),
    };
    let of = shape.trim_start_matches('*');
    let layers = shape.len() - of.len();
    Some((name.into(), FieldShape { layers, of: types.get(of).copied(), keys }))
}

/// What is known of a value.
#[derive(Clone, Copy)]
pub(crate) enum Spot<'s> {
    /// Nothing: if it is an object, its kind may say more.
    Unknown,
    /// That nothing in it is merged by a key.
    Plain,
    Type(usize),
    /// A list or mapping of a field, in this many others.
    In(&'s FieldShape, usize),
}

/// A place in a document's types.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'s> {
    table: &'s Table,
    spot: Spot<'s>,
    /// Whether a field that is not listed is a value nothing is known of.
    custom: bool,
}

impl<'s> Cursor<'s> {
    fn to(self, spot: Spot<'s>) -> Self {
        Self { spot, ..self }
    }

    fn within(self, shape: &'s FieldShape, layer: usize) -> Self {
        match (layer < shape.layers, shape.of) {
            (true, _) => self.to(Spot::In(shape, layer)),
            (false, Some(of)) => self.to(Spot::Type(of)),
            (false, None) => self.to(Spot::Plain),
        }
    }

    /// What is known of these values of one place, which may be objects.
    pub(crate) fn of_object(self, nodes: [Option<&Node>; 2]) -> Self {
        if !matches!(self.spot, Spot::Unknown) {
            return self;
        }
        let text = |node: &'_ Node, key| node.get(key).and_then(Node::raw).cloned();
        let known = nodes.into_iter().flatten().find_map(|node| {
            let (version, kind) = (text(node, "apiVersion")?, text(node, "kind")?);
            self.table.root(&version, &kind)
        });
        known.map_or(self, |spot| self.to(spot))
    }

    /// What is known of a field.
    pub(crate) fn field(self, key: &str) -> Self {
        match self.spot {
            Spot::Type(at) => match self.table.types.get(at).and_then(|fields| fields.get(key)) {
                Some(shape) => self.within(shape, 0),
                None if self.custom => self.to(Spot::Unknown),
                None => self.to(Spot::Plain),
            },
            Spot::In(shape, layer) => self.within(shape, layer + 1),
            other => self.to(other),
        }
    }

    /// What is known of the items of a list.
    pub(crate) fn item(self) -> Self {
        match self.spot {
            Spot::In(shape, layer) => self.within(shape, layer + 1),
            _ => self.to(Spot::Unknown),
        }
    }

    /// The keys by which the items of this list are merged, if they are.
    pub(crate) fn keys(self) -> Option<&'s [Text]> {
        match self.spot {
            Spot::In(shape, 0) => shape.keys.as_deref(),
            _ => None,
        }
    }
}

/// The schemas of a build.
#[derive(Default)]
pub(crate) struct Schemas {
    custom: Option<Table>,
}

impl Schemas {
    pub(crate) fn cursor(&self) -> Cursor<'_> {
        let custom = self.custom.is_some();
        Cursor { table: self.custom.as_ref().unwrap_or(&BUILT_IN), spot: Spot::Unknown, custom }
    }

    /// Reads a schema. Only the first of a build counts, unless `always`.
    pub(crate) fn read(
        &mut self,
        context: &mut Context<'_>,
        root: &Root,
        path: &Said<Text>,
        always: bool,
    ) -> Outcome<()> {
        if self.custom.is_some() && !always {
            return Ok(());
        }
        let read = context.read(root, &path.value, path.at)?;
        let json = read.bytes.first() == Some(&b'{');
        let documents = context.parse(read.file, 1, &read.bytes, Dialect::Kubernetes, json)?;
        match documents.first().and_then(|document| document.get("definitions")) {
            Some(definitions) => self.custom = Some(Table::custom(definitions)),
            None => return wrong(path.at, "the schema has no definitions", "write an OpenAPI v2 document"),
        }
        Ok(())
    }
}

/// The name of the type that `$ref` leads to.
fn reference(node: &Node) -> Option<&str> {
    node.get("$ref")?.text()?.rsplit('/').next()
}

impl Table {
    fn custom(definitions: &Node) -> Self {
        let named = || definitions.as_map().into_iter().flat_map(|map| map.iter());
        let types: HashMap<&str, usize> = named().zip(0..).map(|(field, at)| (&*field.key, at)).collect();
        let mut table = Self::default();
        for (at, definition) in named().enumerate() {
            let properties = definition.value.get("properties").and_then(Node::as_map);
            let fields = properties.into_iter().flat_map(|map| map.iter());
            table
                .types
                .push(fields.map(|field| (field.key.clone(), property(&field.value, &types))).collect());
            let kinds = definition.value.get("x-kubernetes-group-version-kind").and_then(Node::as_list);
            for kind in kinds.unwrap_or_default() {
                let part = |key| kind.get(key).and_then(Node::text).unwrap_or_default();
                let version = match part("group") {
                    "" => part("version").to_owned(),
                    group => format!("{group}/{}", part("version")),
                };
                table.roots.insert((version.into(), part("kind").into()), at);
            }
        }
        table
    }
}

fn property(node: &Node, types: &HashMap<&str, usize>) -> FieldShape {
    let mut shape = FieldShape::default();
    let strategy = node.get("x-kubernetes-patch-strategy").and_then(Node::text).unwrap_or_default();
    if strategy.split(',').any(|part| part == "merge") {
        let texts =
            |node: &Node| node.as_list().map(|items| items.iter().filter_map(Node::raw).cloned().collect());
        let keys = node.get("x-kubernetes-list-map-keys").and_then(texts);
        let key = || node.get("x-kubernetes-patch-merge-key").and_then(Node::raw).cloned();
        shape.keys = Some(keys.unwrap_or_else(|| key().into_iter().collect()));
    }
    let mut inner = node;
    while let Some(next) = inner.get("items").or_else(|| inner.get("additionalProperties")) {
        shape.layers += 1;
        inner = next;
    }
    shape.of = reference(inner).and_then(|name| types.get(name).copied());
    shape
}
