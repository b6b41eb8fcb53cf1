//! Rendering: from a path of a tree to objects that know where each of their fields was written.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::digest::Digest;
use countersign_core::facts::{ImageFacts, ObjectFacts, ObjectKey, Position, Problem};
use countersign_core::manifest::Manifest;
use countersign_core::tree::Tree;
use serde_json::Value;

use crate::budget::{Budget, Work};
use crate::closure::Closure;
use crate::files::{self, Found};
use crate::kustomize::build::build;
use crate::kustomize::context::{Context, LoadRestrictor};
use crate::kustomize::sort::Order;
use crate::problems::{self, Problems};
use crate::remote::Remotes;
use crate::yaml::node::{At, Node};
use crate::{images, mask, objects, plain, scope};

/// What a path of a tree was rendered to.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The objects: of plain manifests by file and by their order in it, of a kustomization in its order. None is
    /// named twice.
    pub objects: Vec<RenderedObject>,
    /// The files that were read, sorted.
    pub files: Vec<String>,
    /// What the result depends on, with the id of everything that was read: as long as that stays the same, so does
    /// the result.
    pub closure: Closure,
    /// The commits of other repositories that were read, as `REPOSITORY@COMMIT`. Each is pinned by a line of a file
    /// that is in the closure.
    pub bases: BTreeSet<String>,
    /// What is allowed, and should be written in another way.
    pub warnings: Vec<Problem>,
    /// The names of the files, by their number.
    names: Vec<String>,
    /// How many bytes of pointers to fields are kept in facts.
    lines: usize,
}

/// An object with where it came from. Secrets are in clear.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedObject {
    /// What names it.
    pub key: ObjectKey,
    /// Where it begins.
    pub origin: Position,
    pub(crate) node: Node,
}

/// In which order the objects of a kustomization come that names none itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By kind, then by name: what `kustomize build` does.
    #[default]
    Legacy,
    /// As they were named.
    Fifo,
}

impl Sort {
    fn order(self) -> Order {
        match self {
            Self::Legacy => Order::Legacy,
            Self::Fifo => Order::Fifo,
        }
    }
}

/// How to render.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The target's namespaces; the first is for objects of a built-in namespaced kind that name none.
    pub namespaces: &'a [String],
    /// How much it may cost.
    pub budget: &'a Budget,
    /// The order of a kustomization's objects.
    pub sort: Sort,
    /// Whether a kustomization may read files outside of its folder.
    pub load_restrictor: LoadRestrictor,
    /// Who supplies bases in other repositories; without anyone they are refused.
    pub remotes: Option<&'a dyn Remotes>,
}

impl<'a> Options<'a> {
    /// The options that targets are rendered with.
    #[must_use]
    pub fn new(namespaces: &'a [String], budget: &'a Budget) -> Self {
        Self {
            namespaces,
            budget,
            sort: Sort::Legacy,
            load_restrictor: LoadRestrictor::RootOnly,
            remotes: None,
        }
    }
}

/// A manifest as it is stored, hashed and applied.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestBlob {
    /// Its canonical JSON.
    pub bytes: Vec<u8>,
    /// The digest of those bytes.
    pub digest: Digest,
}

/// Renders the manifest file at `path`, or the kustomization in that folder, or every `.yaml`, `.yml` and
/// `.json` file below it.
///
/// `path` is counted from the tree's root; the root itself is `""` or `"."`. An object of a built-in
/// namespaced kind that names no namespace takes the first of `namespaces`, if there is one; whether
/// the others lie within them is for policy to say. An empty result is a result.
///
/// # Errors
/// With everything that is wrong, each at its file and line, as far as the budget goes: at most 50.
pub fn render(
    tree: &impl Tree,
    path: &str,
    namespaces: &[String],
    budget: &Budget,
) -> Result<Rendered, Vec<Problem>> {
    render_with(tree, path, &Options::new(namespaces, budget))
}

/// Renders as [`render`] does, with options.
///
/// # Errors
/// With everything that is wrong, each at its file and line, as far as the budget goes: at most 50.
pub fn render_with(tree: &impl Tree, path: &str, options: &Options<'_>) -> Result<Rendered, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut rendered = match files::find(tree, path, &mut problems) {
        Some(Found::Kustomization(folder)) => kustomize(tree, &folder, options, &mut problems),
        Some(Found::Manifests(path)) => {
            let (objects, files) = plain::collect(tree, &path, options.budget, &mut problems);
            let lines = options.budget.lines;
            let closure = closure_of(tree, &path, &mut problems);
            Rendered { objects, names: files.clone(), files, closure, lines, ..Rendered::nothing() }
        }
        None => Rendered::nothing(),
    };
    for (at, kind) in scope::place(&mut rendered.objects, options.namespaces) {
        let message = format!("a {kind} lives in no namespace: metadata.namespace is left out");
        let help = Some("leave it out here, or do not set it for this kind".to_owned());
        let warning = Problem { message, at: rendered.position(at), help };
        if rendered.warnings.len() < problems::MOST_WARNINGS && !rendered.warnings.contains(&warning) {
            rendered.warnings.push(warning);
        }
    }
    scope::each_once(&rendered.objects, &mut problems);
    problems.or(rendered)
}

/// Every path of the tree that rendering `path` depends on, also when it fails: as long as what is at each of them
/// stays the same, so does the result.
#[must_use]
pub fn inputs(tree: &impl Tree, path: &str, options: &Options<'_>) -> BTreeSet<String> {
    match files::find(tree, path, &mut Problems::default()) {
        Some(Found::Kustomization(folder)) => {
            let mut context = Context::new(tree, options.remotes, options.load_restrictor, options.budget);
            // Only what was read counts: a failure depends on that as well.
            let _result = build(&mut context, &folder, &options.sort.order());
            context.closure.paths()
        }
        Some(Found::Manifests(path)) => BTreeSet::from([path]),
        None => BTreeSet::from([path.to_owned()]),
    }
}

/// What building the kustomization of a folder takes of its budget, and why it fails, if it does.
#[must_use]
pub fn work(tree: &impl Tree, folder: &str, options: &Options<'_>) -> (Work, Option<Problem>) {
    let mut context = Context::new(tree, options.remotes, options.load_restrictor, options.budget);
    let failed = build(&mut context, folder, &options.sort.order()).err();
    let problem = failed.map(|wrong| context.problem(*wrong));
    (context.meter.work, problem)
}

/// What `kustomize build` prints of a folder: its objects before they are placed, and before anyone asks whether
/// they could be applied.
///
/// # Errors
/// With what is wrong, at its file and line.
pub fn build_objects(
    tree: &impl Tree,
    folder: &str,
    options: &Options<'_>,
) -> Result<Vec<Value>, Vec<Problem>> {
    let mut context = Context::new(tree, options.remotes, options.load_restrictor, options.budget);
    let Some(folder) = files::normalized(folder) else { return Ok(Vec::new()) };
    match build(&mut context, &folder, &options.sort.order()) {
        Ok(built) => Ok(built.iter().map(Node::value).collect()),
        Err(wrong) => Err(vec![context.problem(*wrong)]),
    }
}

/// The objects of a kustomization.
fn kustomize(tree: &dyn Tree, folder: &str, options: &Options<'_>, problems: &mut Problems) -> Rendered {
    let mut context = Context::new(tree, options.remotes, options.load_restrictor, options.budget);
    let built = match build(&mut context, folder, &options.sort.order()) {
        Ok(built) => built,
        Err(wrong) => {
            problems.push(context.problem(*wrong));
            return Rendered::nothing();
        }
    };
    let mut collected = Vec::with_capacity(built.len());
    for node in built {
        let origin = context.position(node.at);
        objects::keep(origin, node, &mut collected, problems);
    }
    let (closure, warnings) = (std::mem::take(&mut context.closure), std::mem::take(&mut context.warnings));
    let bases = std::mem::take(&mut context.bases);
    let names = context.into_names();
    // The folder itself is numbered, for what is wrong with it.
    let mut files: Vec<String> = names.iter().filter(|name| *name != folder).cloned().collect();
    files.sort_unstable();
    Rendered { objects: collected, files, closure, bases, warnings, names, lines: options.budget.lines }
}

/// The closure of plain manifests: the folder or file that holds them.
fn closure_of(tree: &dyn Tree, path: &str, problems: &mut Problems) -> Closure {
    Closure::of(tree, path).unwrap_or_else(|error| {
        files::unreadable(path, &error, problems);
        Closure::default()
    })
}

impl RenderedObject {
    /// The object.
    #[must_use]
    pub fn object(&self) -> Value {
        self.node.value()
    }
}

impl Rendered {
    fn nothing() -> Self {
        Self {
            objects: Vec::new(),
            files: Vec::new(),
            closure: Closure::default(),
            bases: BTreeSet::new(),
            warnings: Vec::new(),
            names: Vec::new(),
            lines: 0,
        }
    }

    /// The manifest: the objects in their order.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        Manifest::new(self.objects.iter().map(RenderedObject::object).collect())
    }

    /// The manifest in the one spelling that is hashed and applied.
    ///
    /// # Errors
    /// Never for objects that were rendered; only when `serde_json` fails.
    pub fn blob(&self) -> Result<ManifestBlob, serde_json::Error> {
        let bytes = Manifest::canonical(self.objects.iter().map(|object| &object.node))?;
        let digest = Digest::of(&bytes);
        Ok(ManifestBlob { bytes, digest })
    }

    /// The objects as facts hold them: values of Secrets masked.
    #[must_use]
    pub fn facts(&self) -> Vec<ObjectFacts> {
        let mut left = self.lines;
        let mut facts = |object: &RenderedObject| {
            let places = self.places_within(object, &mut left);
            let elsewhere = |(field, at): (&String, &Position)| {
                (at.file != object.origin.file).then(|| (field.clone(), at.file.clone()))
            };
            ObjectFacts {
                key: object.key.clone(),
                origin: object.origin.clone(),
                files: places.iter().filter_map(elsewhere).collect(),
                lines: places.into_iter().map(|(field, at)| (field, at.line)).collect(),
                object: mask::mask(&object.object()),
            }
        };
        self.objects.iter().map(&mut facts).collect()
    }

    /// Where each field of an object was written, by JSON pointer (RFC 6901): in its own file, or in the patch or
    /// the kustomization that set it.
    #[must_use]
    pub fn places(&self, object: &RenderedObject) -> BTreeMap<String, Position> {
        let mut left = usize::MAX;
        self.places_within(object, &mut left)
    }

    /// As [`Self::places`], as long as `left`, which counts the bytes of pointers, lasts: a field that is not here
    /// has a parent that is.
    fn places_within(&self, object: &RenderedObject, left: &mut usize) -> BTreeMap<String, Position> {
        object.node.places(left).into_iter().map(|(field, at)| (field, self.position(at))).collect()
    }

    fn position(&self, at: At) -> Position {
        let file = usize::try_from(at.file).ok().and_then(|file| self.names.get(file));
        Position { file: file.cloned().unwrap_or_default(), line: at.line.max(1) }
    }

    /// Every container image that an object names.
    #[must_use]
    pub fn images(&self) -> Vec<ImageFacts> {
        self.objects.iter().flat_map(|object| images::images(&object.key, &object.object())).collect()
    }
}

#[cfg(test)]
mod tests;
