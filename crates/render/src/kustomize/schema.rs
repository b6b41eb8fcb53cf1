//! Which lists a strategic merge patch merges, and by which keys.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::context::{Context, Outcome, Root, wrong};
use super::id::{Scopes, group_version, is_cluster_scoped, is_namespaced};
use super::kustomization::Schema;
use crate::yaml::map::{Field, Map};
use crate::yaml::node::{Node, Text};
use crate::yaml::scalar::Dialect;

/// The types of an OpenAPI document, as far as merging goes.
#[derive(Debug, Default)]
pub(crate) struct Table {
    types: Vec<Type>,
    /// The type of each kind, by API version and kind.
    roots: HashMap<(Text, Text), TypeId>,
    /// Whether nothing is known of a field that a type does not list; else nothing in it is merged by a key.
    lists_all: bool,
}

/// A type, by its place in a table.
type TypeId = usize;

/// What is known of a value.
#[derive(Clone, Debug, Default)]
struct Type {
    fields: HashMap<Text, TypeId>,
    /// The type of every item of a list, or of every value of a mapping.
    each: Option<TypeId>,
    /// If it is a list that is merged: the keys; none for a list of texts.
    keys: Option<Vec<Text>>,
}

/// The built-in type of what has nothing in it that is merged by a key.
const PLAIN: TypeId = 0;

static BUILT_IN: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("schema.txt")));

impl Table {
    fn parse(text: &str) -> Self {
        let lines = || text.lines().filter(|line| !line.starts_with('#'));
        let named = || lines().filter(|line| !line.starts_with('/'));
        let types: HashMap<&str, TypeId> = named().map(first).zip(PLAIN + 1..).collect();
        let mut table = Self { types: vec![Type::default(); types.len() + 1], ..Self::default() };
        for line in lines() {
            let words = line.split(' ').skip(1);
            if let Some(version) = first(line).strip_prefix('/') {
                for word in words {
                    let (kind, name) = word.split_once('=').unwrap_or((word, word));
                    if let Some(id) = types.get(name) {
                        table.roots.insert((version.into(), kind.into()), *id);
                    }
                }
                continue;
            }
            let fields = words.filter_map(|word| table.field(word, &types)).collect();
            let id = types.get(first(line)).copied();
            if let Some(made) = id.and_then(|id| table.types.get_mut(id)) {
                made.fields = fields;
            }
        }
        table
    }

    /// A field of a built-in type, as `name:**Type=key,key`: a star for each list or mapping around its values.
    fn field(&mut self, word: &str, types: &HashMap<&str, TypeId>) -> Option<(Text, TypeId)> {
        let (name, shape) = word.split_once(':')?;
        let (shape, keys) = match shape.split_once('=') {
            Some((shape, keys)) => (shape, Some(keys)),
            None => (shape, None),
        };
        let inner = shape.trim_start_matches('*');
        let mut id = types.get(inner).copied().unwrap_or(PLAIN);
        for layer in (0..shape.len() - inner.len()).rev() {
            let keys = keys
                .filter(|_| layer == 0)
                .map(|keys| keys.split(',').filter(|key| !key.is_empty()).map(Text::from).collect());
            self.types.push(Type { each: Some(id), keys, ..Type::default() });
            id = self.types.len() - 1;
        }
        Some((name.into(), id))
    }

    /// The type of an object of a kind.
    fn root(&self, api_version: &str, kind: &str) -> Option<TypeId> {
        self.roots.get(&(api_version.into(), kind.into())).copied()
    }
}

fn first(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// A place in the types of a build.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'s> {
    tables: [Option<&'s Table>; 2],
    /// The type of the value here. Of one without, its kind may say more, if it is an object.
    here: Option<(&'s Table, TypeId)>,
}

impl<'s> Cursor<'s> {
    /// To a type of the same table.
    fn to(self, id: Option<TypeId>) -> Self {
        Self { here: self.here.and_then(|(table, _)| Some((table, id?))), ..self }
    }

    fn known(self) -> Option<&'s Type> {
        self.here.and_then(|(table, id)| table.types.get(id))
    }

    /// What is known of these values of one place, which may be objects.
    pub(crate) fn of_object(self, nodes: [Option<&Node>; 2]) -> Self {
        if self.here.is_some() {
            return self;
        }
        let text = |node: &'_ Node, key| node.get(key).and_then(Node::raw).cloned();
        let here = nodes.into_iter().flatten().find_map(|node| {
            let (version, kind) = (text(node, "apiVersion")?, text(node, "kind")?);
            let mut tables = self.tables.into_iter().flatten();
            tables.find_map(|table| Some((table, table.root(&version, &kind)?)))
        });
        Self { here, ..self }
    }

    /// What is known of a field.
    pub(crate) fn field(self, key: &str) -> Self {
        let (Some((table, _)), Some(known)) = (self.here, self.known()) else { return self };
        let unlisted = if table.lists_all { None } else { Some(PLAIN) };
        self.to(known.fields.get(key).copied().or(known.each).or(unlisted))
    }

    /// What is known of the items of a list.
    pub(crate) fn item(self) -> Self {
        self.to(self.known().and_then(|known| known.each))
    }

    /// The keys by which the items of this list are merged, if they are.
    pub(crate) fn keys(self) -> Option<&'s [Text]> {
        self.known()?.keys.as_deref()
    }
}

/// When kustomize reads what is built in. It does so when it first merges, unless there is another schema by then.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Need {
    #[default]
    Never,
    /// With the next schema, and after it: it has looked for the scope of a kind that is not built in.
    Later,
    Now,
}

/// The schemas of a build.
#[derive(Default)]
pub(crate) struct Schemas {
    /// Whether a kustomization has named one.
    named: bool,
    custom: Option<Table>,
    /// How much of what is built in was needed until there was another.
    built_in: Cell<Need>,
    pub(crate) scopes: Scopes,
}

impl Schemas {
    /// Where a merge begins.
    pub(crate) fn cursor(&self) -> Cursor<'_> {
        let tables = match (&self.custom, self.built_in.get()) {
            (None, _) => {
                self.built_in.set(Need::Now);
                [Some(&*BUILT_IN), None]
            }
            (Some(custom), Need::Never) => [Some(custom), None],
            // What is read last wins.
            (Some(custom), Need::Later) => [Some(&*BUILT_IN), Some(custom)],
            (Some(custom), Need::Now) => [Some(custom), Some(&*BUILT_IN)],
        };
        Cursor { tables, here: None }
    }

    /// Notes that an object is read.
    pub(crate) fn look(&self, object: &Node) {
        let text = |key| object.get(key).and_then(Node::raw).map_or("", |text| &**text);
        let (version, kind) = (text("apiVersion"), text("kind"));
        let (group, short) = group_version(version);
        let first = self.custom.is_none() && self.built_in.get() == Need::Never;
        if first && !is_namespaced(version, kind) && !is_cluster_scoped(group, short, kind) {
            self.built_in.set(Need::Later);
        }
    }

    /// Reads the schema that a kustomization names: only the first of a build counts.
    pub(crate) fn read(&mut self, context: &mut Context<'_>, root: &Root, schema: &Schema) -> Outcome<()> {
        if std::mem::replace(&mut self.named, true) {
            return Ok(());
        }
        let Schema::File(path) = schema else { return Ok(()) };
        let read = context.read(root, &path.value, path.at)?;
        let json = read.bytes.first() == Some(&b'{');
        let documents = context.parse(read.file, 1, &read.bytes, Dialect::Kubernetes, json)?;
        let part = |name| documents.first().and_then(|document| document.get(name)).and_then(Node::as_map);
        let (definitions, paths) = (part("definitions"), part("paths"));
        if definitions.is_none() && paths.is_none() {
            return wrong(path.at, "the schema has no definitions", "write an OpenAPI v2 document");
        }
        let none = Map::default();
        let (table, missing) = Definitions::read(definitions.unwrap_or(&none));
        if let Some(pointer) = missing.filter(|_| self.built_in.get() != Need::Never) {
            let message = format!("the schema refers to {pointer}, which is not in it");
            return wrong(path.at, message, "add the definition to the schema");
        }
        self.custom = Some(table);
        // Objects ask for what is known from now on, whenever they were made.
        let _known_already = self.scopes.set(cluster_kinds(paths.unwrap_or(&none)));
        Ok(())
    }
}

/// Types while they are made of definitions.
struct Definitions<'d> {
    definitions: &'d Map,
    table: Table,
    /// The types that references lead to.
    known: HashMap<String, TypeId>,
    /// What is not read yet.
    waiting: Vec<(TypeId, &'d Node)>,
    /// A reference to a type of Kubernetes that leads nowhere.
    missing: Option<&'d str>,
}

/// The most references that lead to each other.
const MOST_REFERENCES: usize = 100;

impl<'d> Definitions<'d> {
    /// Reads definitions; tells of a reference that only what is built in could answer.
    fn read(definitions: &'d Map) -> (Table, Option<&'d str>) {
        let mut reading = Self {
            definitions,
            table: Table { lists_all: true, ..Table::default() },
            known: HashMap::new(),
            waiting: Vec::new(),
            missing: None,
        };
        for Field { key, value, .. } in definitions.iter() {
            let id = reading.referred(format!("#/definitions/{}", crate::yaml::node::escaped(key)), value);
            let kinds = value.get(KIND).and_then(Node::as_list).unwrap_or_default();
            reading.table.roots.extend(kinds.iter().map(|kind| (version_and_kind(kind), id)));
        }
        while let Some((id, node)) = reading.waiting.pop() {
            let made = reading.made(node);
            if let Some(place) = reading.table.types.get_mut(id) {
                *place = made;
            }
        }
        (reading.table, reading.missing)
    }

    /// The type of a schema that stands where it is used, or is referred to; none if the reference leads nowhere.
    fn of(&mut self, schema: &'d Node) -> Option<TypeId> {
        let Some(mut pointer) = reference(schema) else { return Some(self.wait(schema)) };
        for _ in 0..MOST_REFERENCES {
            let Some(node) = self.at(pointer) else {
                self.missing = Some(pointer).filter(|pointer| pointer.contains("/io.k8s.")).or(self.missing);
                return None;
            };
            match reference(node) {
                Some(next) => pointer = next,
                None => return Some(self.referred(pointer.to_owned(), node)),
            }
        }
        None
    }

    fn wait(&mut self, node: &'d Node) -> TypeId {
        self.table.types.push(Type::default());
        let id = self.table.types.len() - 1;
        self.waiting.push((id, node));
        id
    }

    fn referred(&mut self, pointer: String, node: &'d Node) -> TypeId {
        if let Some(id) = self.known.get(&pointer) {
            return *id;
        }
        let id = self.wait(node);
        self.known.insert(pointer, id);
        id
    }

    /// What a JSON pointer leads to.
    fn at(&self, pointer: &str) -> Option<&'d Node> {
        let mut parts = pointer.strip_prefix("#/definitions/")?.split('/');
        let named = |part: &str| part.replace("~1", "/").replace("~0", "~");
        let definition = self.definitions.get(&named(parts.next()?))?;
        parts.try_fold(definition, |node, part| node.get(&named(part)))
    }

    fn made(&mut self, schema: &'d Node) -> Type {
        let properties = schema.get("properties").and_then(Node::as_map);
        let fields = properties.into_iter().flat_map(Map::iter);
        let fields = fields.filter_map(|field| Some((field.key.clone(), self.of(&field.value)?))).collect();
        let each = schema.get(if is_list(schema) { "items" } else { "additionalProperties" });
        let each = each.filter(|each| each.as_map().is_some()).and_then(|each| self.of(each));
        Type { fields, each, keys: merge_keys(schema) }
    }
}

/// What `$ref` holds.
fn reference(schema: &Node) -> Option<&str> {
    schema.get("$ref")?.text().filter(|pointer| !pointer.is_empty())
}

fn is_list(schema: &Node) -> bool {
    match schema.get("type").map(|node| (node.text(), node.as_list())) {
        Some((Some(name), _)) => name == "array",
        Some((_, Some([one]))) => one.text() == Some("array"),
        _ => false,
    }
}

/// The keys by which a list is merged, if its schema says that it is.
fn merge_keys(schema: &Node) -> Option<Vec<Text>> {
    let strategy = schema.get("x-kubernetes-patch-strategy").and_then(Node::text)?;
    strategy.split(',').find(|part| *part == "merge")?;
    let texts =
        |node: &Node| node.as_list().map(|items| items.iter().filter_map(Node::raw).cloned().collect());
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(texts);
    let key = || schema.get("x-kubernetes-patch-merge-key").and_then(Node::raw).cloned();
    Some(keys.unwrap_or_else(|| key().into_iter().collect()))
}

/// The extension that names kinds.
const KIND: &str = "x-kubernetes-group-version-kind";

fn version_and_kind(kind: &Node) -> (Text, Text) {
    let part = |key| kind.get(key).and_then(Node::text).unwrap_or_default();
    let version = match part("group") {
        "" => part("version").to_owned(),
        group => format!("{group}/{}", part("version")),
    };
    (version.into(), part("kind").into())
}

/// The kinds of which no path holds a namespace, by kind and with their API versions.
fn cluster_kinds(paths: &Map) -> HashMap<Text, Vec<Text>> {
    let mut namespaced: HashMap<(Text, Text), bool> = HashMap::new();
    for field in paths.iter().filter(|field| field.key.starts_with('/')) {
        let kind = field.value.get("get").and_then(|get| get.get(KIND));
        if let Some(kind) = kind.filter(|kind| kind.as_map().is_some()) {
            let known = namespaced.entry(version_and_kind(kind)).or_default();
            *known |= field.key.contains("namespaces/{namespace}");
        }
    }
    let mut kinds: HashMap<Text, Vec<Text>> = HashMap::new();
    for ((version, kind), namespaced) in namespaced {
        if !namespaced && !is_namespaced(&version, &kind) {
            kinds.entry(kind).or_default().push(version);
        }
    }
    kinds
}
