//! Patches: strategic merges and JSON 6902, in the order of a kustomization's fields.

use countersign_core::tree::EntryKind;

use super::accumulate::{Builder, Target, objects};
use super::context::{Outcome, Root, wrong};
use super::fields::{Fields, Said};
use super::json_patch::{self, Operation};
use super::merge::Merger;
use super::resource::Resource;
use super::schema::Cursor;
use super::selector::{SELECTION, Selector};
use super::set::ResourceSet;
use super::shared;
use crate::yaml::node::{At, Content, Kind, Node, Text};
use crate::yaml::scalar::Dialect;

/// An entry of `patches` or `patchesJson6902`.
pub(crate) struct PatchEntry {
    pub(crate) at: At,
    path: Option<Said<Text>>,
    patch: Option<Said<Text>>,
    pub(crate) target: Option<Selector>,
    rename: bool,
    change_kind: bool,
}

impl PatchEntry {
    pub(crate) fn from_node(node: Node) -> Outcome<Self> {
        let mut fields = Fields::of(node, "a patch")?;
        let entry = Self::from_fields(&mut fields)?;
        fields.finish()?;
        Ok(entry)
    }

    /// The entry that the fields of a plugin's configuration make.
    pub(crate) fn from_fields(fields: &mut Fields) -> Outcome<Self> {
        let (mut rename, mut change_kind) = (false, false);
        if let Some(options) = fields.take("options") {
            let mut options = Fields::of(options.value, "the options of a patch")?;
            rename = options.boolean("allowNameChange")?;
            change_kind = options.boolean("allowKindChange")?;
            options.finish()?;
        }
        let filled = |said: &Said<Text>| !said.value.trim().is_empty();
        Ok(Self {
            at: fields.at,
            path: fields.filled("path")?,
            patch: fields.string("patch")?.or(fields.string("jsonOp")?).filter(filled),
            target: fields.take("target").map(|field| Selector::from_node(field.value)).transpose()?,
            rename,
            change_kind,
        })
    }

    /// The text of the patch, and where it begins.
    fn source(&self, builder: &mut Builder<'_, '_>, root: &Root) -> Outcome<Source> {
        match (&self.path, &self.patch) {
            (None, None) => wrong(self.at, "the patch has neither path nor patch", "write one of them"),
            (Some(_), Some(_)) => wrong(self.at, "the patch has both path and patch", "write one of them"),
            (Some(path), None) => {
                let read = builder.context.read(root, &path.value, path.at)?;
                Ok(Source { file: read.file, first: 1, text: read.bytes, at: path.at })
            }
            (None, Some(patch)) => Ok(Source::inline(patch)),
        }
    }
}

/// A patch before it is parsed.
pub(crate) struct Source {
    file: u32,
    /// The line of the file where the text begins.
    first: u32,
    text: Vec<u8>,
    at: At,
}

impl Source {
    /// A text within another file.
    pub(crate) fn inline(said: &Said<Text>) -> Self {
        // A block is at its first line that holds something: empty lines before it are a part of the text.
        let empty = said.value.bytes().take_while(|byte| *byte == b'\n').count();
        let first = said.at.line.saturating_sub(u32::try_from(empty).unwrap_or(u32::MAX)).max(1);
        Self { file: said.at.file, first, text: said.value.as_bytes().to_vec(), at: said.at }
    }

    /// The objects in it.
    pub(crate) fn objects(&self, builder: &mut Builder<'_, '_>) -> Outcome<Vec<Resource>> {
        let documents =
            builder.context.parse(self.file, self.first, &self.text, Dialect::Kustomize, false)?;
        objects(self.moved(documents), &builder.schemas)
    }

    /// The documents, at their lines in the file.
    fn moved(&self, mut documents: Vec<Node>) -> Vec<Node> {
        if self.first > 1 {
            documents.iter_mut().for_each(|document| shift(document, self.first - 1));
        }
        documents
    }

    /// The JSON patch that it is; none if it is something else.
    fn operations(&self, builder: &mut Builder<'_, '_>) -> Outcome<Option<Vec<Operation>>> {
        let text = self.text.trim_ascii();
        let is_list = text.starts_with(b"[") || text.starts_with(b"-") && !text.starts_with(b"---");
        if !is_list && !self.begins_with_a_list(builder)? {
            return Ok(None);
        }
        let json = text.starts_with(b"[");
        let documents =
            builder.context.parse(self.file, self.first, &self.text, Dialect::Kubernetes, json)?;
        let mut lists = self.moved(documents).into_iter().filter(|document| !document.is_null());
        match (lists.next().map(shared::nulls_spelled), lists.next()) {
            (Some(_), Some(second)) => {
                let message = "a second list follows the first: kustomize leaves it out";
                wrong(second.at, message, "put all operations into one list")
            }
            (Some(list), None) => json_patch::operations(builder.context, list).map(Some),
            (None, _) => Ok(Some(Vec::new())),
        }
    }

    fn begins_with_a_list(&self, builder: &mut Builder<'_, '_>) -> Outcome<bool> {
        let documents =
            builder.context.parse(self.file, self.first, &self.text, Dialect::Kustomize, false)?;
        let first = documents.iter().find(|document| !document.is_null());
        Ok(first.is_some_and(|document| document.as_list().is_some()))
    }
}

fn shift(node: &mut Node, by: u32) {
    node.at.line += by;
    match &mut node.content {
        Content::Scalar(_) => {}
        Content::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Content::Map(map) => {
            for field in map.iter_mut() {
                field.at.line += by;
                shift(&mut field.value, by);
            }
        }
    }
}

/// Refuses an object without a kind or a name.
pub(crate) fn check_metadata(object: &Node) -> Outcome<()> {
    let kind = object.get("kind").filter(|kind| !kind.is_null()).and_then(Node::raw);
    let Some(kind) = kind.filter(|kind| !kind.is_empty()) else {
        return wrong(object.at, "kind is missing", "name the kind, as Deployment");
    };
    let name = object.get("metadata").and_then(|metadata| metadata.get("name"));
    let named = name.filter(|name| !name.is_null()).and_then(Node::raw).is_some_and(|name| !name.is_empty());
    if named || kind.ends_with("List") {
        return Ok(());
    }
    wrong(object.at, "metadata.name is missing", "give the object a name")
}

/// Applies the entries of `patchesStrategicMerge`: each is a file, or the patch itself.
pub(crate) fn strategic(
    builder: &mut Builder<'_, '_>,
    target: &Target<'_>,
    entries: &[Said<Text>],
    set: &mut ResourceSet,
) -> Outcome<()> {
    let mut count = 0;
    for entry in entries {
        let patches = if is_file(builder, &target.root, entry)? {
            let read = builder.context.read(&target.root, &entry.value, entry.at)?;
            Source { file: read.file, first: 1, text: read.bytes, at: entry.at }.objects(builder)?
        } else {
            Source::inline(entry).objects(builder)?
        };
        count += patches.len();
        for mut patch in patches {
            let at = one_target(set, &patch)?;
            patch.stringify("labels");
            patch.stringify("annotations");
            apply(builder, set, at, &patch, false, false)?;
            set.drop_empty();
        }
    }
    match entries.first().filter(|_| count == 0) {
        Some(entry) => wrong(entry.at, "the patches are empty", "write a patch, or remove the entry"),
        None => Ok(()),
    }
}

fn is_file(builder: &mut Builder<'_, '_>, root: &Root, entry: &Said<Text>) -> Outcome<bool> {
    if entry.value.contains('\n') || entry.value.contains('{') {
        return Ok(false);
    }
    let path = builder.context.join(root, &entry.value, entry.at)?;
    match builder.context.kind(root, &path, entry.at)? {
        Some(EntryKind::File | EntryKind::Link) => Ok(true),
        _ => wrong(entry.at, format!("there is no file {path:?}"), "correct the path, or add the file"),
    }
}

/// The only object that a patch without a target is for.
fn one_target(set: &mut ResourceSet, patch: &Resource) -> Outcome<usize> {
    match set.with_any_id(&patch.id()).as_slice() {
        [at] => Ok(*at),
        [] => {
            let message = format!("no object is, or was, {}: the patch has nothing to change", patch.id());
            wrong(patch.node.at, message, "correct apiVersion, kind, name or namespace of the patch")
        }
        _ => {
            let message = format!("more than one object is, or was, {}", patch.id());
            wrong(patch.node.at, message, "give the patch a target that selects one of them")
        }
    }
}

/// Applies a strategic merge to the object at `at`.
fn apply(
    builder: &mut Builder<'_, '_>,
    set: &mut ResourceSet,
    at: usize,
    patch: &Resource,
    rename: bool,
    change_kind: bool,
) -> Outcome<()> {
    let cursor: Cursor<'_> = builder.schemas.cursor();
    let Some(resource) = set.get_mut(at) else { return Ok(()) };
    builder.context.steps(patch.node.at, SELECTION + resource.previous.len())?;
    let (name, namespace, kind) =
        (resource.written_name(), resource.namespace().to_owned(), resource.kind().to_owned());
    if rename || change_kind {
        resource.remember();
    }
    let place = resource.node.at;
    let object = std::mem::replace(&mut resource.node, Node::null(place));
    if replaces(&patch.node) {
        // kustomize replaces the object, and forgets what it was replaced with.
        let message = "$patch: replace of a whole object has no effect";
        builder.context.warn(patch.node.at, message, "name its fields, or remove the object from resources");
        resource.node = object;
    } else {
        let merged = Merger { context: builder.context }.merge(Some(object), Some(&patch.node), cursor)?;
        let Some(node) = merged.filter(|node| !node.is_nothing()) else {
            resource.empty = true;
            return Ok(());
        };
        resource.node = node;
        shared::settle(builder.context, resource)?;
    }
    if !change_kind {
        resource.set_kind(&kind, place);
    }
    if !rename {
        resource.set_written_name(name, place);
    }
    resource.set_namespace(&namespace, place);
    set.renamed(at);
    Ok(())
}

/// Whether a patch asks for the whole object to be replaced.
fn replaces(patch: &Node) -> bool {
    patch.get("$patch").and_then(Node::raw).is_some_and(|directive| &**directive == "replace")
}

/// Applies an entry of `patches`.
pub(crate) fn entry(
    builder: &mut Builder<'_, '_>,
    root: &Root,
    entry: &PatchEntry,
    set: &mut ResourceSet,
) -> Outcome<()> {
    let source = entry.source(builder, root)?;
    if let Some(operations) = source.operations(builder)? {
        let Some(target) = &entry.target else {
            return wrong(
                source.at,
                "a JSON patch has no target",
                "write target, with the kind and the name of the objects",
            );
        };
        return json(builder, target, &operations, set, true);
    }
    let mut patches = source.objects(builder)?;
    let Some(target) = &entry.target else {
        for patch in &mut patches {
            if entry.rename || entry.change_kind {
                // kustomize notes both as annotations of the patch, which makes texts of all of them.
                patch.stringify("annotations");
            }
            let at = one_target(set, patch)?;
            apply(builder, set, at, patch, entry.rename, entry.change_kind)?;
        }
        return Ok(());
    };
    match patches.as_mut_slice() {
        [] => Ok(()),
        [patch] => {
            patch.stringify("labels");
            patch.stringify("annotations");
            for at in selected(builder, target, set, entry.at)? {
                let mut patch = patch.clone();
                let version = set.get(at).map_or("", Resource::api_version);
                set_api_version(&mut patch, version);
                apply(builder, set, at, &patch, entry.rename, entry.change_kind)?;
            }
            set.drop_empty();
            set.each_once()
        }
        _ => wrong(
            entry.at,
            "a patch with a target holds several documents",
            "write one entry for each of them",
        ),
    }
}

fn set_api_version(patch: &mut Resource, version: &str) {
    let at = patch.node.at;
    let same = patch.api_version() == version;
    if let Some(map) = patch.node.as_map_mut().filter(|_| !same) {
        map.set(&Text::from("apiVersion"), at, Node::string(at, version));
    }
}

fn selected(
    builder: &mut Builder<'_, '_>,
    target: &Selector,
    set: &ResourceSet,
    at: At,
) -> Outcome<Vec<usize>> {
    let matcher = target.matcher(builder.context)?;
    builder.context.steps(at, matcher.cost(set))?;
    let found = set.items().iter().enumerate().filter(|(_, resource)| matcher.takes(resource));
    Ok(found.map(|(index, _)| index).collect())
}

/// Applies an entry of `patchesJson6902`.
pub(crate) fn json_entry(
    builder: &mut Builder<'_, '_>,
    root: &Root,
    entry: &PatchEntry,
    set: &mut ResourceSet,
) -> Outcome<()> {
    let source = entry.source(builder, root)?;
    let Some(target) = entry.target.as_ref().filter(|target| target.name.is_some()) else {
        return wrong(entry.at, "the target of a JSON patch has no name", "write target, with kind and name");
    };
    match source.operations(builder)? {
        Some(operations) if !operations.is_empty() => json(builder, target, &operations, set, false),
        _ => wrong(source.at, "this is no JSON patch with operations", "write a list of op, path and value"),
    }
}

fn json(
    builder: &mut Builder<'_, '_>,
    target: &Selector,
    operations: &[Operation],
    set: &mut ResourceSet,
    remembers: bool,
) -> Outcome<()> {
    for index in selected(builder, target, set, target.at)? {
        builder.context.steps(target.at, SELECTION + operations.len())?;
        let Some(resource) = set.get_mut(index) else { continue };
        if remembers {
            resource.remember();
        }
        let noted = !resource.previous.is_empty()
            || !resource.prefixes.is_empty()
            || resource.hashed
            || resource.origin.is_some();
        if noted {
            annotations(resource);
        }
        // kustomize reads the object anew from what a JSON patch makes of it.
        shared::part(builder.context, resource)?;
        json_patch::spell_anew(builder.context, &mut resource.node)?;
        json_patch::apply(builder.context, &mut resource.node, operations)?;
        if operations.iter().any(Operation::forgets_notes) {
            resource.origin = None;
            resource.transformations.clear();
        }
        if resource.node.get("metadata").and_then(|metadata| metadata.get("annotations")).is_some() {
            resource.stringify("annotations");
        }
        set.renamed(index);
    }
    Ok(())
}

/// Makes the mapping of annotations: kustomize keeps its own notes there, so that a patch finds it.
fn annotations(resource: &mut Resource) {
    let at = resource.node.at;
    let Some(metadata) = resource.metadata_mut(at) else { return };
    if let Some(node) = metadata.get_or_set(&Text::from("annotations"), at, || Node::map(at))
        && node.as_scalar().is_some_and(|scalar| scalar.kind == Kind::Null)
    {
        *node = Node::map(at);
    }
}
