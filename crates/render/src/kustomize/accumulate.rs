//! From a kustomization and all that it names to objects: read, generated, composed, transformed.

use std::sync::Arc;

use countersign_core::tree::EntryKind;

use super::config::Config;
use super::context::{Context, Outcome, Root, not_a_file, wrong};
use super::crds;
use super::fields::Said;
use super::kustomization::{Kustomization, load};
use super::notes;
use super::origin::Origin;
use super::plugins;
use super::resource::Resource;
use super::schema::Schemas;
use super::set::ResourceSet;
use super::shared;
use super::transform;
use super::variables::Variables;
use super::{generate, patches};
use crate::remote::{RemoteBase, is_remote};
use crate::yaml::node::{At, Content, Node, Text};

/// The objects that were made so far, and what is known about their fields.
#[derive(Default)]
pub(crate) struct Accumulator {
    pub(crate) set: ResourceSet,
    pub(crate) config: Config,
    pub(crate) variables: Variables,
}

impl Accumulator {
    fn merge(&mut self, context: &mut Context<'_>, other: Self, at: At) -> Outcome<()> {
        self.set.append_all(other.set)?;
        self.config.merge(context, other.config, at)?;
        self.variables.merge(other.variables)
    }
}

/// One kustomization while it is built.
pub(crate) struct Target<'r> {
    pub(crate) root: Root,
    pub(crate) kustomization: Kustomization,
    /// The folders that lead here: none of them may be named again.
    pub(crate) above: Vec<&'r Root>,
    /// Where this folder is, seen from where the build began; nothing unless the build tells of origins.
    pub(crate) origin: Option<Origin>,
}

/// What all targets of a build share.
pub(crate) struct Builder<'c, 'a> {
    pub(crate) context: &'c mut Context<'a>,
    pub(crate) schemas: Schemas,
}

impl Builder<'_, '_> {
    /// Builds a kustomization on top of `made`, which is empty unless this is a component.
    pub(crate) fn accumulate(&mut self, target: &Target<'_>, mut made: Accumulator) -> Outcome<Accumulator> {
        let kustomization = &target.kustomization;
        for path in &kustomization.resources {
            self.resource(target, path, &mut made)?;
        }
        let config = Config::read(self.context, &target.root, &kustomization.configurations)?;
        made.config.merge(self.context, config, kustomization.at)?;
        let from_crds = crds::read(self.context, &target.root, &kustomization.crds)?;
        made.config.merge(self.context, from_crds, kustomization.at)?;
        generate::run(self, target, &mut made.set)?;
        plugins::generate(self, target, &mut made.set)?;
        for path in &kustomization.components {
            made = self.component(target, path, made)?;
        }
        transform::run(self, target, &mut made)?;
        plugins::transform(self, target, &kustomization.transformers, &mut made)?;
        plugins::validate(self, target, &mut made)?;
        made.variables.add(self.context, &mut made.set, &kustomization.variables)?;
        self.limits(target, &made.set)?;
        Ok(made)
    }

    fn limits(&self, target: &Target<'_>, set: &ResourceSet) -> Outcome<()> {
        let most = self.context.meter.budget.objects;
        if set.items().len() > most {
            let message = format!("more than {most} objects in all");
            return wrong(target.kustomization.at, message, "render fewer objects from one path");
        }
        Ok(())
    }

    /// Adds the objects of a file, or of a base.
    pub(crate) fn resource(
        &mut self,
        target: &Target<'_>,
        path: &Said<Text>,
        made: &mut Accumulator,
    ) -> Outcome<()> {
        let root = match self.place(target, path)? {
            Place::File => {
                for resource in self.file(target, path)? {
                    made.set.append(resource)?;
                }
                return self.limits(target, &made.set);
            }
            Place::Folder(root) => root,
        };
        let base = self.base(target, path, &root)?;
        if base.kustomization.schema.is_some() {
            // It may say of a kind that was seen before that it lives in no namespace.
            made.set.forget();
        }
        if base.kustomization.is_component {
            let message = format!("the folder {:?} holds a component, not a base", root.folder);
            return wrong(path.at, message, "name it under components");
        }
        let below = self.accumulate(&base, Accumulator::default())?;
        made.merge(self.context, below, path.at)
    }

    fn component(
        &mut self,
        target: &Target<'_>,
        path: &Said<Text>,
        made: Accumulator,
    ) -> Outcome<Accumulator> {
        let root = match self.place(target, path)? {
            Place::Folder(root) => root,
            Place::File => return wrong(path.at, "a component is a folder", "name the folder"),
        };
        let base = self.base(target, path, &root)?;
        if !base.kustomization.is_component {
            let message = format!("the folder {:?} does not hold a component", root.folder);
            return wrong(path.at, message, "name it under resources, or let it have the kind Component");
        }
        let mut made = self.accumulate(&base, made)?;
        made.set.each_once()?;
        Ok(made)
    }

    /// The kustomization of a folder that another one names.
    fn base<'r>(&mut self, target: &'r Target<'_>, path: &Said<Text>, root: &Root) -> Outcome<Target<'r>>
    where
        Self: 'r,
    {
        let mut above: Vec<&'r Root> = target.above.clone();
        above.push(&target.root);
        if above.len() > self.context.meter.budget.bases {
            let message = format!("bases are nested deeper than {} levels", self.context.meter.budget.bases);
            return wrong(path.at, message, "let fewer kustomizations stand between");
        }
        let contains = |outer: &str, inner: &str| {
            outer.is_empty()
                || inner == outer
                || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
        };
        if let Some(visited) =
            above.iter().find(|one| one.tree == root.tree && contains(&root.folder, &one.folder))
        {
            let message = format!(
                "the folder {:?} is, or contains, the folder {:?} that leads here",
                root.folder, visited.folder
            );
            return wrong(path.at, message, "a base may not lead back: remove the cycle");
        }
        let kustomization = load(self.context, root, path.at)?;
        if let Some(schema) = &kustomization.schema {
            self.schemas.read(self.context, root, schema)?;
        }
        let origin = target.origin.as_ref().map(|origin| origin.below(&path.value));
        Ok(Target { root: root.clone(), kustomization, above, origin })
    }

    /// What an entry of `resources` or `components` means.
    fn place(&mut self, target: &Target<'_>, path: &Said<Text>) -> Outcome<Place> {
        if path.value.is_empty() {
            return wrong(path.at, "the path is empty", "name a file or a folder");
        }
        if is_remote(&path.value) {
            return self.remote(path).map(Place::Folder);
        }
        let full = self.context.join(&target.root, &path.value, path.at)?;
        match self.context.kind(&target.root, &full, path.at)? {
            Some(EntryKind::File) => Ok(Place::File),
            Some(EntryKind::Folder) => Ok(Place::Folder(Root { tree: target.root.tree, folder: full })),
            Some(kind) => not_a_file(path.at, &full, kind),
            None => wrong(path.at, format!("nothing is at {full:?}"), "correct the path, or add the file"),
        }
    }

    fn remote(&mut self, path: &Said<Text>) -> Outcome<Root> {
        match RemoteBase::parse(&path.value) {
            Ok(base) => self.context.remote(base, path.at),
            Err(why) => wrong(path.at, why.message, why.help),
        }
    }

    /// The objects of a file.
    fn file(&mut self, target: &Target<'_>, path: &Said<Text>) -> Outcome<Vec<Resource>> {
        let read = self.context.read(&target.root, &path.value, path.at)?;
        let documents = self.context.parse_objects(&read, &path.value)?;
        let origin = target.origin.as_ref().map(|origin| Arc::new(origin.below(&path.value)));
        let mut resources = objects(documents, &self.schemas)?;
        for resource in &mut resources {
            resource.origin.clone_from(&origin);
        }
        Ok(resources)
    }
}

enum Place {
    File,
    Folder(Root),
}

/// The objects of documents. Lists of objects are taken apart, and empty documents left out.
pub(crate) fn objects(documents: Vec<Node>, schemas: &Schemas) -> Outcome<Vec<Resource>> {
    let mut resources = Vec::new();
    // The items of a list that is all there is are taken as they stand; those of others are written as JSON in between.
    let mut stands = documents.len() == 1;
    let mut waiting: std::collections::VecDeque<Node> = documents.into();
    while let Some(document) = waiting.pop_front() {
        if document.is_nothing() {
            continue;
        }
        let at = document.at;
        if document.as_map().is_none() {
            let message = format!("this is {}, not an object", document.what());
            return wrong(at, message, "begin the document with apiVersion, kind and metadata");
        }
        patches::check_metadata(&document)?;
        notes::steers_not(&document, false)?;
        let kind = document.get("kind").and_then(Node::raw);
        let is_list = kind.is_some_and(|kind| kind.ends_with("List"));
        let stand = std::mem::take(&mut stands)
            && kind.is_some_and(|kind| matches!(&**kind, "List" | "ResourceList"));
        match document.get("items").filter(|_| is_list).map(|items| (items.is_null(), items.what())) {
            None => {
                schemas.look(&document);
                let scopes = Some(schemas.scopes.clone());
                resources.push(Resource { scopes, ..Resource::new(document) });
            }
            Some((true, _)) => {}
            Some((false, "a list")) if stand => waiting.extend(items(document)),
            Some((false, "a list")) => waiting.extend(items(document).into_iter().map(shared::through_json)),
            Some((false, what)) => {
                return wrong(at, format!("items is {what}, not a list"), "write a list of objects");
            }
        }
    }
    Ok(resources)
}

fn items(list: Node) -> Vec<Node> {
    let Content::Map(mut fields) = list.content else { return Vec::new() };
    match fields.remove("items").map(|field| field.value.content) {
        Some(Content::List(items)) => items,
        _ => Vec::new(),
    }
}
