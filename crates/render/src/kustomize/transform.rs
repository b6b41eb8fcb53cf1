//! The transformers of a kustomization's own fields, in kustomize's order.

use std::borrow::Cow;

use super::accumulate::{Accumulator, Builder, Target};
use super::config::Config;
use super::context::{Context, Outcome, wrong};
use super::each::{self, Changes, Each};
use super::fields::{Pairs, Said};
use super::fieldspec::{self, FieldSpec, Make, Room, SPECS, Visit, set_text};
use super::id::Id;
use super::image_names;
use super::kustomization::{Kustomization, Labels};
use super::namespace::Namespace;
use super::origin::{Note, Origin};
use super::replicas::ReplicaCount;
use super::resource::Resource;
use super::set::ResourceSet;
use super::shared::{self, Numbers};
use super::{patches, replacements};
use crate::yaml::node::{At, Content, NODE_BYTES, Node, Scalar, Text, UNTAGGED};
use crate::yaml::plain::is_read_otherwise;

/// What is noted about each transformer that has run.
struct Notes<'t> {
    origin: Option<&'t Origin>,
    file: &'static str,
    at: At,
}

impl Notes<'_> {
    fn note(&self, kind: &str) -> Option<Note> {
        self.origin.map(|origin| Note::new(origin.builtin(self.file, kind), self.at))
    }

    /// Notes that a transformer has run over all objects.
    fn ran(&self, context: &mut Context<'_>, set: &mut ResourceSet, kind: &str) -> Outcome<()> {
        set.drop_empty();
        self.note(kind).map_or(Ok(()), |note| each::run(context, set, note))
    }
}

/// The transformers of one kustomization that change each object on its own.
struct Steps<'t, 'c, 'a> {
    context: &'c mut Context<'a>,
    set: &'c mut ResourceSet,
    changes: &'c mut Changes<'t>,
    notes: &'c Notes<'t>,
}

impl<'t> Steps<'t, '_, '_> {
    fn add(&mut self, kind: &str, change: impl Each + 't) -> Outcome<()> {
        self.changes.add(self.context, self.set, change)?;
        match self.notes.note(kind) {
            Some(note) => self.changes.add(self.context, self.set, note),
            None => Ok(()),
        }
    }

    /// The namespace, names, labels and annotations.
    fn add_names_and_labels(&mut self, kustomization: &'t Kustomization, config: &'t Config) -> Outcome<()> {
        if let Some(namespace) = &kustomization.namespace {
            let namespace = Namespace::new(namespace.clone(), config.namespace.clone());
            self.add("NamespaceTransformer", namespace)?;
        }
        if let Some(said) = &kustomization.name_prefix {
            self.add("PrefixTransformer", Affix { said, specs: &config.name_prefix, before: true })?;
        }
        if let Some(said) = &kustomization.name_suffix {
            self.add("SuffixTransformer", Affix { said, specs: &config.name_suffix, before: false })?;
        }
        for labels in &kustomization.labels {
            let specs = label_specs(labels, config)?.into();
            self.add("LabelTransformer", Texts { pairs: &labels.pairs, specs })?;
        }
        if !(kustomization.labels.is_empty() && kustomization.common_labels.is_empty()) {
            let (pairs, specs) = (&kustomization.common_labels, config.common_labels.as_slice().into());
            self.add("LabelTransformer", Texts { pairs, specs })?;
        }
        if !kustomization.common_annotations.is_empty() {
            let specs = config.common_annotations.as_slice().into();
            self.add("AnnotationsTransformer", Texts { pairs: &kustomization.common_annotations, specs })?;
        }
        Ok(())
    }

    fn add_replicas_and_images(
        &mut self,
        kustomization: &'t Kustomization,
        config: &'t Config,
    ) -> Outcome<()> {
        for replicas in &kustomization.replicas {
            self.add("ReplicaCountTransformer", ReplicaCount::new(replicas, &config.replicas))?;
        }
        for image in &kustomization.images {
            let images = image_names::images(self.context, image, &config.images)?;
            self.add("ImageTagTransformer", images)?;
        }
        Ok(())
    }
}

/// Runs all transformers.
pub(crate) fn run(builder: &mut Builder<'_, '_>, target: &Target<'_>, made: &mut Accumulator) -> Outcome<()> {
    let kustomization = &target.kustomization;
    let notes =
        &Notes { origin: target.origin.as_ref(), file: kustomization.file_name, at: kustomization.at };
    let Accumulator { set, config, .. } = made;
    if !kustomization.merge_patches.is_empty() {
        patches::strategic(builder, target, &kustomization.merge_patches, set)?;
        notes.ran(builder.context, set, "PatchStrategicMergeTransformer")?;
    }
    for patch in &kustomization.patches {
        patches::entry(builder, &target.root, patch, set)?;
        notes.ran(builder.context, set, "PatchTransformer")?;
    }
    let mut changes = Changes::default();
    Steps { context: builder.context, set, changes: &mut changes, notes }
        .add_names_and_labels(kustomization, config)?;
    if !kustomization.json_patches.is_empty() {
        changes.make(builder.context, set)?;
    }
    for patch in &kustomization.json_patches {
        patches::json_entry(builder, &target.root, patch, set)?;
        notes.ran(builder.context, set, "PatchJson6902Transformer")?;
    }
    Steps { context: builder.context, set, changes: &mut changes, notes }
        .add_replicas_and_images(kustomization, config)?;
    changes.make(builder.context, set)?;
    if !kustomization.replacements.is_empty() {
        replacements::run(builder, &target.root, &kustomization.replacements, set)?;
        notes.ran(builder.context, set, "ReplacementTransformer")?;
    }
    Ok(())
}

/// The fields that an entry of `labels` is for.
fn label_specs(labels: &Labels, config: &Config) -> Outcome<Vec<FieldSpec>> {
    let mut specs = labels.fields.clone();
    let mut add_all = |more: &[FieldSpec]| {
        more.iter().try_for_each(|spec| fieldspec::add(&mut specs, spec.clone(), labels.at))
    };
    add_all(&config.labels)?;
    if labels.selectors {
        add_all(&config.common_labels)?;
        return Ok(specs);
    }
    if labels.templates {
        add_all(&config.template_labels)?;
    }
    if labels.claim_templates {
        add_all(&config.volume_claim_template_labels)?;
    }
    add_all(&[FieldSpec::new("metadata/labels", true)])?;
    Ok(specs)
}

/// The specifications that speak of an object.
fn of<'s>(specs: &'s [FieldSpec], id: &Id<'_>) -> Vec<&'s FieldSpec> {
    specs.iter().filter(|spec| spec.is_of(id)).collect()
}

/// Labels or annotations that are set.
pub(crate) struct Texts<'t> {
    pub(crate) pairs: &'t Pairs,
    pub(crate) specs: Cow<'t, [FieldSpec]>,
}

impl Each for Texts<'_> {
    fn change(&mut self, context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
        set_texts(context, self.pairs, &self.specs, resource)
    }
}

fn set_texts(
    context: &mut Context<'_>,
    pairs: &Pairs,
    specs: &[FieldSpec],
    resource: &mut Resource,
) -> Outcome<()> {
    let at = pairs.first().map_or_else(At::default, |(_, said)| said.at);
    if pairs.is_empty() {
        return Ok(());
    }
    context.steps(at, 4 + specs.len() / SPECS)?;
    let specs = of(specs, &resource.id());
    let mut numbers = Numbers::new(resource, pairs.len());
    // Whatever is in quotes once stays so where the value is written next.
    let mut quoted = vec![false; pairs.len()];
    let act = |room: &mut Room<'_, '_>, node: &mut Node| {
        let what = node.what();
        let Content::Map(map) = &mut node.content else {
            return wrong(node.at, format!("this is {what}, not a mapping of texts"), "correct the object");
        };
        room.steps(pairs.len())?;
        for (index, ((key, said), quoted)) in pairs.iter().zip(&mut quoted).enumerate() {
            let (share, before) = match map.get(key).map(Node::as_scalar) {
                Some(old) => {
                    *quoted = old.is_some_and(|scalar| scalar.quoted);
                    old.map_or((0, 0), |scalar| (scalar.share, scalar.text.len()))
                }
                None => {
                    room.new_field(map, key)?;
                    *quoted |= is_read_otherwise(&said.value);
                    (numbers.take(index), 0)
                }
            };
            room.grow(said.value.len().saturating_sub(before))?;
            let scalar = Scalar { share, quoted: *quoted, ..Scalar::string(said.value.clone()) };
            map.set(key, said.at, Node { at: said.at, content: Content::Scalar(scalar) });
        }
        Ok(())
    };
    let mut visit = Visit { context, make: Make::Map, at, act };
    specs.into_iter().try_for_each(|spec| visit.field(&mut resource.node, spec))?;
    numbers.note(resource, pairs.iter().map(|(_, said)| &said.value));
    shared::settle(context, resource)
}

/// Says of an object that it was built by kustomize.
pub(crate) fn managed_by(resource: &mut Resource, at: At) {
    let Some(metadata) = resource.metadata_mut(at) else { return };
    let labels = metadata.get_or_set(&Text::from("labels"), at, || Node::map(at));
    if let Some(map) = labels.and_then(Node::as_map_mut) {
        map.set(&Text::from("app.kubernetes.io/managed-by"), at, Node::string(at, "kustomize-v5.8.2"));
    }
}

/// Whether an object keeps its name: other objects depend on it in ways that nobody can follow.
fn keeps_name(id: &Id<'_>) -> bool {
    match id.kind {
        "CustomResourceDefinition" | "Namespace" => true,
        "APIService" => id.group == "apiregistration.k8s.io",
        _ => false,
    }
}

/// A prefix that is put before names, or a suffix after them.
pub(crate) struct Affix<'t> {
    pub(crate) said: &'t Said<Text>,
    pub(crate) specs: &'t [FieldSpec],
    pub(crate) before: bool,
}

impl Affix<'_> {
    fn put(&self, room: &mut Room<'_, '_>, node: &mut Node) -> Outcome<()> {
        let Said { at, value } = self.said;
        let old = node.raw().cloned().unwrap_or_else(|| Text::from(""));
        // The old name stays as well: it is remembered.
        room.grow(NODE_BYTES + old.len())?;
        let text = if self.before { format!("{value}{old}") } else { format!("{old}{value}") };
        set_text(room, node, *at, text.into(), None)?;
        if let Content::Scalar(scalar) = &mut node.content
            && scalar.share == 0
        {
            scalar.share = UNTAGGED;
        }
        Ok(())
    }
}

impl Each for Affix<'_> {
    fn change(&mut self, context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
        let Said { at, value } = self.said;
        context.steps(*at, 4 + self.specs.len() / SPECS)?;
        let original = resource.original_id();
        if keeps_name(&original) {
            return Ok(());
        }
        for spec in of(self.specs, &original) {
            if &*spec.path.text == "metadata/name" && !value.is_empty() {
                let affixes = if self.before { &mut resource.prefixes } else { &mut resource.suffixes };
                affixes.reserve_exact(1);
                affixes.push(value.clone());
                resource.remember();
            }
            if spec.is_of(&resource.id()) {
                let act = |room: &mut Room<'_, '_>, node: &mut Node| self.put(room, node);
                let mut visit = Visit { context, make: Make::Scalar, at: *at, act };
                visit.field(&mut resource.node, spec)?;
            }
        }
        Ok(())
    }

    fn renames(&self) -> bool {
        true
    }
}
