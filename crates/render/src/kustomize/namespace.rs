//! The namespace of objects, and of what names a namespace in them.

use std::collections::HashSet;

use super::config::Specs;
use super::context::{Context, Outcome, wrong};
use super::fields::Said;
use super::fieldspec::{FieldSpec, Make, Room, SPECS, Visit, set_text};
use super::set::ResourceSet;
use crate::yaml::node::{At, Content, Kind, Node, Text};

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
    /// Whether objects are still found by the namespace that they had.
    pub(crate) remembers: bool,
}

impl Namespace {
    pub(crate) fn new(namespace: Said<Text>, specs: Specs) -> Self {
        Self { namespace, specs, unset_only: false, subjects: Subjects::Default, remembers: true }
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

/// Sets the namespace of all objects.
pub(crate) fn run(context: &mut Context<'_>, transformer: &Namespace, set: &mut ResourceSet) -> Outcome<()> {
    let at = transformer.namespace.at;
    if transformer.namespace.value.is_empty() {
        return Ok(());
    }
    let own = FieldSpec::new("metadata/namespace", true);
    for resource in set.items_mut() {
        context.steps(at, 12 + transformer.specs.len() / SPECS)?;
        let (api_version, kind) = (resource.api_version().to_owned(), resource.kind().to_owned());
        if transformer.remembers {
            resource.remember();
        }
        let cluster = resource.id().cluster;
        let is_binding = matches!(&*kind, "RoleBinding" | "ClusterRoleBinding");
        let act = |room: &mut Room<'_, '_>, node: &mut Node| transformer.set(room, node);
        let mut visit = Visit { context, make: Make::Scalar, at, act };
        if !cluster {
            visit.field(&mut resource.node, &own)?;
        }
        let wanted = |spec: &&FieldSpec| match &*spec.path.text {
            "metadata/namespace" => false,
            "metadata/name" => api_version == "v1",
            "subjects/namespace" => {
                !(is_binding && matches!(&*spec.gvk.kind, "RoleBinding" | "ClusterRoleBinding"))
            }
            _ => true,
        };
        let specs: Vec<_> = {
            let id = resource.id();
            transformer.specs.iter().filter(wanted).filter(|spec| spec.is_of(&id)).collect()
        };
        specs.into_iter().try_for_each(|spec| visit.field(&mut resource.node, spec))?;
        if let Some(Content::List(subjects)) =
            resource.node.get_mut("subjects").filter(|_| is_binding).map(|node| &mut node.content)
        {
            let mut room = Room { context, at, field: "subjects/namespace" };
            subjects.iter_mut().try_for_each(|subject| transformer.subject(&mut room, subject))?;
        }
    }
    check(set, at)
}

/// Refuses two objects that became one.
fn check(set: &ResourceSet, at: At) -> Outcome<()> {
    let mut seen = HashSet::with_capacity(set.items().len());
    for resource in set.items() {
        let id = resource.id();
        if !seen.insert((id.group, id.version, id.kind, id.name, id.effective())) {
            return wrong(at, format!("in this namespace {id} is there twice"), "rename one of them");
        }
    }
    Ok(())
}
