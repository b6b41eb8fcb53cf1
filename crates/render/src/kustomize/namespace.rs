//! The namespace of objects, and of what names a namespace in them.

use std::collections::HashSet;

use super::config::Specs;
use super::context::{Context, Outcome, wrong};
use super::each::Each;
use super::fields::Said;
use super::fieldspec::{FieldSpec, Make, Room, SPECS, Visit, set_text};
use super::resource::Resource;
use crate::yaml::node::{Content, Kind, Node, Text};

/// Which subjects of a role binding are given the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// Those that are named `default`.
    #[default]
    Default,
    ServiceAccounts,
    None,
}

/// A namespace transformer.
pub(crate) struct Namespace {
    namespace: Said<Text>,
    specs: Specs,
    pub(crate) unset_only: bool,
    pub(crate) subjects: Subjects,
    /// Whether objects are still found by the namespace that they had, and two of one name are refused at once.
    pub(crate) remembers: bool,
    /// The namespace of an object itself.
    own: FieldSpec,
    /// What the objects that were changed are called.
    seen: HashSet<Name>,
}

impl Namespace {
    pub(crate) fn new(namespace: Said<Text>, specs: Specs) -> Self {
        Self {
            namespace,
            specs,
            unset_only: false,
            subjects: Subjects::Default,
            remembers: true,
            own: FieldSpec::new("metadata/namespace", true),
            seen: HashSet::new(),
        }
    }

    /// Sets it in an object, and in what of it names a namespace.
    fn set_all(&self, context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
        let at = self.namespace.at;
        let is_core = resource.api_version() == "v1";
        let is_binding = matches!(resource.kind(), "RoleBinding" | "ClusterRoleBinding");
        let act = |room: &mut Room<'_, '_>, node: &mut Node| self.set(room, node);
        let mut visit = Visit { context, make: Make::Scalar, at, act };
        if !resource.id().cluster {
            visit.field(&mut resource.node, &self.own)?;
        }
        let wanted = |spec: &&FieldSpec| match &*spec.path.text {
            "metadata/namespace" => false,
            "metadata/name" => is_core,
            "subjects/namespace" => {
                !(is_binding && matches!(&*spec.gvk.kind, "RoleBinding" | "ClusterRoleBinding"))
            }
            _ => true,
        };
        let specs: Vec<_> = {
            let id = resource.id();
            self.specs.iter().filter(wanted).filter(|spec| spec.is_of(&id)).collect()
        };
        specs.into_iter().try_for_each(|spec| visit.field(&mut resource.node, spec))?;
        let subjects = resource.node.get_mut("subjects").filter(|_| is_binding);
        let Some(Content::List(subjects)) = subjects.map(|node| &mut node.content) else { return Ok(()) };
        let mut room = Room { context, at, field: "subjects/namespace" };
        subjects.iter_mut().try_for_each(|subject| self.subject(&mut room, subject))
    }

    fn set(&self, room: &mut Room<'_, '_>, node: &mut Node) -> Outcome<()> {
        let has_text =
            node.as_scalar().is_some_and(|scalar| scalar.kind != Kind::Null && !scalar.text.is_empty());
        if self.unset_only && has_text {
            return Ok(());
        }
        set_text(room, node, self.namespace.at, self.namespace.value.clone(), Some(Kind::Str))
    }

    fn subject(&self, room: &mut Room<'_, '_>, subject: &mut Node) -> Outcome<()> {
        room.steps(1)?;
        let is = |key: &str, value: &str| {
            subject.get(key).and_then(Node::raw).is_some_and(|text| &**text == value)
        };
        let wanted = match self.subjects {
            Subjects::Default => is("name", "default"),
            Subjects::ServiceAccounts => is("kind", "ServiceAccount"),
            Subjects::None => false,
        };
        let at = self.namespace.at;
        match (wanted, subject.as_map_mut()) {
            (true, Some(map)) => {
                room.new_field(map, "namespace")?;
                let node = map.get_or_set(&Text::from("namespace"), at, || Node::string(at, ""));
                node.map_or(Ok(()), |node| self.set(room, node))
            }
            _ => Ok(()),
        }
    }
}

impl Each for Namespace {
    fn begin(&mut self, objects: usize) {
        self.seen.reserve(objects);
    }

    fn change(&mut self, context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
        if self.namespace.value.is_empty() {
            return Ok(());
        }
        let at = self.namespace.at;
        context.steps(at, 12 + self.specs.len() / SPECS)?;
        if self.remembers {
            resource.remember();
        }
        self.set_all(context, resource)?;
        // What only adds a value leaves two of one name to a later step, which may tell them apart by their hashes.
        if !self.remembers || self.seen.insert(Name::of(resource)) {
            return Ok(());
        }
        let message = format!("in this namespace {} is there twice", resource.id());
        wrong(at, message, "rename one of them")
    }

    fn renames(&self) -> bool {
        true
    }
}

/// What an object is called, in texts that it shares.
#[derive(PartialEq, Eq, Hash)]
struct Name([Text; 4]);

impl Name {
    fn of(resource: &Resource) -> Self {
        let text = |text: Option<&Text>| text.cloned().unwrap_or_else(|| Text::from(""));
        let namespace = resource.effective_namespace(resource.id().cluster);
        let api_version = match resource.api_version().strip_prefix('/') {
            Some(version) => Text::from(version),
            None => text(resource.text("apiVersion")),
        };
        Self([api_version, text(resource.text("kind")), text(resource.metadata("name")), namespace])
    }
}
