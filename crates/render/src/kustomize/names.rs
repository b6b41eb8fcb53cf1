//! Names that other objects refer to: when an object was renamed, so is what names it.

use std::collections::{HashMap, HashSet};

use super::config::NameReference;
use super::context::{Context, Outcome, wrong};
use super::fieldspec::{FieldSpec, Make, READ, Room, SPECS, Visit, set_text};
use super::id::{DEFAULT_NAMESPACE, Gvk, Id, NO_NAMESPACE};
use super::resource::Resource;
use super::set::{Names, ResourceSet};
use crate::yaml::map::Map;
use crate::yaml::node::{At, Content, Node, Text};

/// The objects that were renamed, by what they were called.
struct Renamed<'r> {
    resources: &'r [Resource],
    /// By an earlier name: the namespace that is [`written`] now, and which object it is.
    places: HashMap<&'r str, Vec<(&'r str, usize)>>,
    /// By the namespace that counted for objects at first: those that are [`written`] now.
    began: HashMap<&'r str, HashSet<&'r str>>,
}

/// A kind that may be named, and the field that may name it.
type Possible<'c> = (&'c Gvk, &'c FieldSpec);

/// What an object is to be called where it is named.
struct Found {
    name: Text,
    namespace: Text,
}

/// Corrects every field that names an object which was renamed.
pub(crate) fn fix(
    context: &mut Context<'_>,
    set: &mut ResourceSet,
    references: &[NameReference],
) -> Outcome<()> {
    let items = set.items_mut();
    // What each object names is looked up in the objects as they were before the first of them is corrected.
    let mut by_kind: HashMap<[&str; 3], Vec<Possible<'_>>> = HashMap::new();
    let mut changed = Vec::new();
    let renamed = Renamed::new(items)?;
    for (index, resource) in items.iter().enumerate() {
        let id = resource.original_id();
        let kind = [id.group, id.version, id.kind];
        if !by_kind.contains_key(&kind) {
            let all: usize = references.iter().map(|reference| reference.referrers.len()).sum();
            context.steps(resource.node.at, all / SPECS)?;
        }
        let specs = by_kind.entry(kind).or_insert_with(|| {
            let all = references
                .iter()
                .flat_map(|reference| reference.referrers.iter().map(move |spec| (&reference.target, spec)));
            all.filter(|(_, spec)| spec.is_of(&id)).collect()
        });
        let at = resource.node.at;
        context.steps(at, 1)?;
        check_subjects(resource)?;
        let mut node: Option<Node> = None;
        for (target, spec) in specs.iter() {
            let mut referrer = Referrer { renamed: &renamed, resource, target, spec, steps: 0 };
            let now = node.as_ref().unwrap_or(&resource.node);
            if !referrer.may_change(now)? {
                context.steps(at, referrer.steps)?;
                continue;
            }
            let node = node.get_or_insert_with(|| resource.node.clone());
            context.steps(at, referrer.steps)?;
            referrer.correct(context, node)?;
        }
        changed.extend(node.map(|node| (index, node)));
    }
    drop((renamed, by_kind));
    for (index, node) in changed {
        if let Some(resource) = items.get_mut(index) {
            resource.node = node;
        }
    }
    Ok(())
}

impl<'r> Renamed<'r> {
    /// Looks at all objects.
    ///
    /// # Errors
    /// When two are called the same now, as a JSON patch may have it; kustomize panics over it.
    fn new(resources: &'r [Resource]) -> Outcome<Self> {
        let mut places: HashMap<&str, Vec<(&str, usize)>> = HashMap::with_capacity(resources.len());
        let mut began: HashMap<&str, HashSet<&str>> = HashMap::new();
        let mut last = None;
        let mut names = Names::of(resources.len());
        for (index, resource) in resources.iter().enumerate() {
            names.add(resource)?;
            let namespace = written(&resource.id());
            let both = (resource.original_id().effective(), namespace);
            if last.replace(both) != Some(both) {
                began.entry(both.0).or_default().insert(namespace);
            }
            for previous in &resource.previous {
                let found = places.entry(&previous.name).or_default();
                if found.last() != Some(&(namespace, index)) {
                    // Nearly always it is one.
                    if found.is_empty() {
                        found.reserve_exact(1);
                    }
                    found.push((namespace, index));
                }
            }
        }
        Ok(Self { resources, places, began })
    }

    /// Whether a value, or an item of it, is or holds a name that an object had.
    fn is_named(&self, node: &Node, steps: &mut usize) -> bool {
        *steps += 1;
        match &node.content {
            Content::Scalar(scalar) => {
                *steps += scalar.text.len() / READ;
                self.places.contains_key(&*scalar.text)
            }
            Content::List(items) => items.iter().any(|item| self.is_named(item, steps)),
            // Without a name it is an error, for which it must be looked at.
            Content::Map(map) => map.get("name").is_none_or(|name| self.is_named(name, steps)),
        }
    }

    /// What it costs to find [`Self::candidates`].
    fn cost(&self, name: &str, referrer: &Resource) -> usize {
        let namespaces = 1 + subjects(referrer).len();
        name.len() / READ + namespaces * (1 + self.places.get(name).map_or(0, Vec::len))
    }

    /// The objects that were called `name` and that `referrer` can reach, in order.
    fn candidates(&self, name: &str, referrer: &Resource) -> Vec<&'r Resource> {
        let Some(places) = self.places.get(name) else { return Vec::new() };
        let namespaces = reached(referrer);
        let is_reached = |namespace| namespaces.as_ref().is_none_or(|reached| reached.contains(namespace));
        let places = places.iter().filter(|(namespace, _)| is_reached(namespace));
        let mut found: Vec<usize> = places.map(|(_, index)| *index).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|index| self.resources.get(index)).collect()
    }

    /// Of these, those that were in a namespace at first; where nothing that `referrer` can reach was, whatever it is
    /// called, those that are in it now.
    fn in_namespace(
        &self,
        mut candidates: Vec<&'r Resource>,
        namespace: &str,
        referrer: &Resource,
    ) -> Vec<&'r Resource> {
        if candidates.is_empty() {
            return candidates;
        }
        let now = self.began.get(namespace);
        let any = now.is_some_and(|now| match reached(referrer) {
            Some(reached) => reached.iter().any(|namespace| now.contains(namespace)),
            None => true,
        });
        candidates.retain(|one| {
            let id = if any { one.original_id() } else { one.id() };
            id.effective() == namespace
        });
        candidates
    }
}

/// The namespace that is written in an object; it is empty where none is.
fn written<'i>(id: &Id<'i>) -> &'i str {
    if id.cluster { NO_NAMESPACE } else { id.namespace }
}

/// The namespaces, as they are [`written`], of what an object can name; none where it can name everything. One without
/// stands in the default one for objects beside it, and not for a role binding of another namespace.
fn reached(referrer: &Resource) -> Option<Vec<&str>> {
    let id = referrer.id();
    if id.cluster {
        return None;
    }
    let mut namespaces = vec![id.effective(), NO_NAMESPACE];
    if id.effective() == DEFAULT_NAMESPACE {
        namespaces.push("");
    }
    namespaces.extend(bound_namespaces(referrer));
    Some(namespaces)
}

/// Refuses a role binding that names a service account of a namespace that is left out.
fn check_subjects(referrer: &Resource) -> Outcome<()> {
    for subject in subjects(referrer) {
        let namespace = subject.field("namespace");
        let is_account = subject.get("kind").and_then(Node::text) == Some("ServiceAccount");
        if let Some(field) = namespace.filter(|field| is_account && field.value.text().is_none()) {
            return wrong(
                field.at,
                "the namespace of this service account is blank",
                "write it, or remove the field",
            );
        }
    }
    Ok(())
}

/// Whom a role binding names.
fn subjects(referrer: &Resource) -> &[Node] {
    if referrer.kind() != "RoleBinding" {
        return &[];
    }
    referrer.node.get("subjects").and_then(Node::as_list).unwrap_or_default()
}

/// The namespaces of the service accounts that a role binding names.
fn bound_namespaces(referrer: &Resource) -> Vec<&str> {
    let is_account = |subject: &&Node| subject.get("kind").and_then(Node::text) == Some("ServiceAccount");
    let accounts = subjects(referrer).iter().filter(is_account);
    accounts.filter_map(|subject| subject.get("namespace")?.text()).collect()
}

/// A field of an object that may name another one.
struct Referrer<'a, 'r> {
    renamed: &'a Renamed<'r>,
    resource: &'a Resource,
    target: &'a Gvk,
    spec: &'a FieldSpec,
    steps: usize,
}

impl Referrer<'_, '_> {
    /// Whether the field is there and may name an object that was renamed.
    fn may_change(&mut self, node: &Node) -> Outcome<bool> {
        let renamed = self.renamed;
        let mut steps = 0;
        let mut named = |node: &Node| renamed.is_named(node, &mut steps);
        let reached = super::fieldspec::reaches(node, self.spec, &mut self.steps, &mut named);
        self.steps += steps;
        match reached {
            Ok(reached) => Ok(reached),
            Err(at) => wrong(
                at,
                format!(
                    "a mapping or a list should be here: the field {:?} is looked for in it",
                    self.spec.path.text
                ),
                "correct the object, or the path of the field in the configuration",
            ),
        }
    }

    fn correct(&self, context: &mut Context<'_>, node: &mut Node) -> Outcome<()> {
        let at = node.at;
        let act = |room: &mut Room<'_, '_>, node: &mut Node| self.set(room, node);
        let mut visit = Visit { context, make: Make::Nothing, at, act };
        visit.field(node, self.spec)
    }

    fn set(&self, room: &mut Room<'_, '_>, node: &mut Node) -> Outcome<()> {
        match &mut node.content {
            Content::List(items) => items.iter_mut().try_for_each(|item| match item.content {
                Content::List(_) => {
                    wrong(item.at, "a list is here, where a name should be", "write the name")
                }
                _ => self.set_one(room, item),
            }),
            _ => self.set_one(room, node),
        }
    }

    fn set_one(&self, room: &mut Room<'_, '_>, node: &mut Node) -> Outcome<()> {
        let at = node.at;
        match &mut node.content {
            Content::Map(map) => self.set_named(room, map, at),
            Content::Scalar(scalar) if scalar.kind != crate::yaml::node::Kind::Null => {
                let name = scalar.text.clone();
                room.steps(self.renamed.cost(&name, self.resource))?;
                match self.select(&name, None, at)? {
                    Some(found) if found.name != name => set_text(room, node, at, found.name, None),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Corrects a mapping with a name and perhaps a namespace.
    fn set_named(&self, room: &mut Room<'_, '_>, map: &mut Map, at: At) -> Outcome<()> {
        let Some(name) = map.get("name").and_then(Node::raw).cloned() else {
            return wrong(at, "the name of what is referred to is missing here", "write name");
        };
        let namespace = map.get("namespace").and_then(Node::raw).cloned();
        room.steps(self.renamed.cost(&name, self.resource))?;
        let Some(found) = self.select(&name, Some(namespace.as_deref()), at)? else { return Ok(()) };
        if found.name == name && found.namespace.is_empty() {
            return Ok(());
        }
        room.new_field(map, "namespace")?;
        room.grow((found.name.len() + found.namespace.len()).saturating_sub(name.len()))?;
        let mut set = |key: &str, text: Text| {
            let old = map.get(key);
            if old.and_then(Node::raw) == Some(&text) {
                return;
            }
            let quoted = old.and_then(Node::as_scalar).is_some_and(|scalar| scalar.quoted);
            let mut node = Node::string(at, text);
            if let Content::Scalar(scalar) = &mut node.content {
                scalar.quoted = quoted;
            }
            let key = Text::from(key);
            let at = map.field(&key).map_or(at, |field| field.at);
            map.set(&key, at, node);
        };
        set("name", found.name);
        if !found.namespace.is_empty() {
            set("namespace", found.namespace);
        }
        Ok(())
    }

    /// The object that a name means. `map` says that the name stands in a mapping, and its namespace.
    fn select(&self, name: &str, map: Option<Option<&str>>, at: At) -> Outcome<Option<Found>> {
        let mut candidates = self.renamed.candidates(name, self.resource);
        if let Some(Some(namespace)) = map {
            candidates = self.renamed.in_namespace(candidates, namespace, self.resource);
        }
        candidates.retain(|candidate| candidate.previous_ids().any(|id| id.is_selected(self.target)));
        if let Some(role) = self.role() {
            candidates.retain(|candidate| candidate.previous_ids().any(|id| id.is_selected(&role)));
        }
        candidates.retain(|candidate| self.is_near(candidate));
        if candidates.len() > 1 {
            candidates.retain(|candidate| same_affixes(candidate, self.resource, true));
        }
        if candidates.len() > 1 {
            candidates.retain(|candidate| same_affixes(candidate, self.resource, false));
        }
        let Some(first) = candidates.first() else { return Ok(None) };
        let differs = |other: &&Resource| {
            other.name() != first.name() || (map.is_some() && other.namespace() != first.namespace())
        };
        if candidates.iter().any(differs) {
            let message = format!("the name {name:?} could mean more than one {}", first.kind());
            return wrong(at, message, "give the objects different names");
        }
        Ok(Some(Found { name: first.name().into(), namespace: first.namespace().into() }))
    }

    /// The kind that a role binding's `roleRef` asks for.
    fn role(&self) -> Option<Gvk> {
        if !self.spec.path.text.ends_with("roleRef/name") {
            return None;
        }
        let reference = self.resource.node.get("roleRef")?;
        let part = |key| reference.get(key).filter(|node| !node.is_null()).and_then(Node::raw).cloned();
        Some(Gvk { group: part("apiGroup")?, version: "".into(), kind: part("kind")? })
    }

    fn is_near(&self, candidate: &Resource) -> bool {
        let (own, other) = (self.resource.id(), candidate.id());
        own.cluster
            || other.cluster
            || candidate.kind() == "ServiceAccount"
            || own.effective() == other.effective()
    }
}

/// Whether two objects were given the same prefixes and suffixes by the kustomizations that both went through.
fn same_affixes(a: &Resource, b: &Resource, or_none: bool) -> bool {
    let same = |a: &[Text], b: &[Text]| {
        let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        if short.is_empty() { or_none || long.is_empty() } else { long.ends_with(short) }
    };
    same(&a.prefixes, &b.prefixes) && same(&a.suffixes, &b.suffixes)
}
