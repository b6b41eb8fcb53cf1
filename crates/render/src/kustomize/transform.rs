//! The transformers of a kustomization's own fields, in kustomize's order.

use std::sync::Arc;

use super::accumulate::{Accumulator, Builder, Target};
use super::config::{Config, Specs};
use super::context::{Context, Outcome, wrong};
use super::fields::{Fields, Pairs, Said};
use super::fieldspec::{self, FieldSpec, Make, Room, SPECS, Visit, set_text};
use super::id::Id;
use super::image_names;
use super::kustomization::Labels;
use super::namespace::{self, Namespace};
use super::origin::{self, Origin};
use super::resource::Resource;
use super::set::ResourceSet;
use super::shared::{self, Numbers};
use super::{patches, replacements};
use crate::yaml::node::{At, Content, Kind, NODE_BYTES, Node, Scalar, Text, UNTAGGED};

/// An entry of `replicas`.
pub(crate) struct Replicas {
    at: At,
    name: Text,
    count: i64,
}

impl Replicas {
    pub(crate) fn from_node(node: Node) -> Outcome<Self> {
        let mut fields = Fields::of(node, "an entry of replicas")?;
        let at = fields.at;
        let name = fields.text("name")?;
        let count = fields.integer("count")?.map_or(0, |said| said.value);
        fields.finish()?;
        Ok(Self { at, name, count })
    }
}

/// What is noted about each transformer that has run.
struct Notes<'t> {
    origin: Option<&'t Origin>,
    file: &'static str,
    at: At,
}

impl Notes<'_> {
    fn ran(&self, context: &mut Context<'_>, set: &mut ResourceSet, kind: &str) -> Outcome<()> {
        if let Some(origin) = self.origin {
            origin::note(context, self.at, set.items_mut(), &Arc::new(origin.builtin(self.file, kind)))?;
        }
        set.drop_empty();
        Ok(())
    }
}

/// Runs all transformers.
pub(crate) fn run(builder: &mut Builder<'_, '_>, target: &Target<'_>, made: &mut Accumulator) -> Outcome<()> {
    let kustomization = &target.kustomization;
    let notes = Notes { origin: target.origin.as_ref(), file: kustomization.file_name, at: kustomization.at };
    let Accumulator { set, config, .. } = made;
    if !kustomization.merge_patches.is_empty() {
        patches::strategic(builder, target, &kustomization.merge_patches, set)?;
        notes.ran(builder.context, set, "PatchStrategicMergeTransformer")?;
    }
    for patch in &kustomization.patches {
        patches::entry(builder, &target.root, patch, set)?;
        notes.ran(builder.context, set, "PatchTransformer")?;
    }
    if let Some(namespace) = &kustomization.namespace {
        namespace::run(builder.context, &Namespace::new(namespace.clone(), config.namespace.clone()), set)?;
        notes.ran(builder.context, set, "NamespaceTransformer")?;
    }
    if let Some(prefix) = &kustomization.name_prefix {
        affix(builder.context, prefix, &config.name_prefix, true, set)?;
        notes.ran(builder.context, set, "PrefixTransformer")?;
    }
    if let Some(suffix) = &kustomization.name_suffix {
        affix(builder.context, suffix, &config.name_suffix, false, set)?;
        notes.ran(builder.context, set, "SuffixTransformer")?;
    }
    run_labels(builder, target, config, set, &notes)?;
    if !kustomization.common_annotations.is_empty() {
        texts(builder.context, &kustomization.common_annotations, &config.common_annotations, set)?;
        notes.ran(builder.context, set, "AnnotationsTransformer")?;
    }
    for patch in &kustomization.json_patches {
        patches::json_entry(builder, &target.root, patch, set)?;
        notes.ran(builder.context, set, "PatchJson6902Transformer")?;
    }
    for replicas in &kustomization.replicas {
        run_replicas(builder.context, replicas, &config.replicas, set)?;
        notes.ran(builder.context, set, "ReplicaCountTransformer")?;
    }
    for image in &kustomization.images {
        image_names::run(builder.context, image, &config.images, set)?;
        notes.ran(builder.context, set, "ImageTagTransformer")?;
    }
    if !kustomization.replacements.is_empty() {
        replacements::run(builder, &target.root, &kustomization.replacements, set)?;
        notes.ran(builder.context, set, "ReplacementTransformer")?;
    }
    Ok(())
}

fn run_labels(
    builder: &mut Builder<'_, '_>,
    target: &Target<'_>,
    config: &Config,
    set: &mut ResourceSet,
    notes: &Notes<'_>,
) -> Outcome<()> {
    let kustomization = &target.kustomization;
    if kustomization.labels.is_empty() && kustomization.common_labels.is_empty() {
        return Ok(());
    }
    for labels in &kustomization.labels {
        texts(builder.context, &labels.pairs, &label_specs(labels, config)?, set)?;
        notes.ran(builder.context, set, "LabelTransformer")?;
    }
    texts(builder.context, &kustomization.common_labels, &config.common_labels, set)?;
    notes.ran(builder.context, set, "LabelTransformer")?;
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

/// Sets labels or annotations.
pub(crate) fn texts(
    context: &mut Context<'_>,
    pairs: &Pairs,
    specs: &[FieldSpec],
    set: &mut ResourceSet,
) -> Outcome<()> {
    for index in 0..set.items().len() {
        let Some(resource) = set.get_mut(index) else { break };
        set_texts(context, pairs, specs, resource)?;
    }
    Ok(())
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
    let act = |room: &mut Room<'_, '_>, node: &mut Node| {
        let what = node.what();
        let Content::Map(map) = &mut node.content else {
            return wrong(node.at, format!("this is {what}, not a mapping of texts"), "correct the object");
        };
        room.steps(pairs.len())?;
        for (index, (key, said)) in pairs.iter().enumerate() {
            let (share, before) = match map.get(key).map(Node::as_scalar) {
                Some(old) => old.map_or((0, 0), |scalar| (scalar.share, scalar.text.len())),
                None => {
                    room.new_field(map, key)?;
                    (numbers.take(index), 0)
                }
            };
            room.grow(said.value.len().saturating_sub(before))?;
            let scalar = Scalar { share, ..Scalar::string(said.value.clone()) };
            map.set(key, said.at, Node { at: said.at, content: Content::Scalar(scalar) });
        }
        Ok(())
    };
    let mut visit = Visit { context, make: Make::Map, at, act };
    specs.into_iter().try_for_each(|spec| visit.field(&mut resource.node, spec))?;
    numbers.note(resource, pairs.iter().map(|(_, said)| &said.value));
    shared::settle(context, resource)
}

/// Says of every object that it was built by kustomize.
pub(crate) fn managed_by(resources: &mut [Resource], at: At) {
    for resource in resources {
        let Some(metadata) = resource.metadata_mut(at) else { continue };
        let labels = metadata.get_or_set(&Text::from("labels"), at, || Node::map(at));
        if let Some(map) = labels.and_then(Node::as_map_mut) {
            map.set(&Text::from("app.kubernetes.io/managed-by"), at, Node::string(at, "kustomize-v5.8.2"));
        }
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

/// Puts a prefix before names, or a suffix after them.
pub(crate) fn affix(
    context: &mut Context<'_>,
    said: &Said<Text>,
    specs: &Specs,
    before: bool,
    set: &mut ResourceSet,
) -> Outcome<()> {
    for resource in set.items_mut() {
        context.steps(said.at, 4 + specs.len() / SPECS)?;
        let original = resource.original_id();
        if keeps_name(&original) {
            continue;
        }
        for spec in of(specs, &original) {
            if &*spec.path.text == "metadata/name" && !said.value.is_empty() {
                let affixes = if before { &mut resource.prefixes } else { &mut resource.suffixes };
                affixes.reserve_exact(1);
                affixes.push(said.value.clone());
                resource.remember();
            }
            if !spec.is_of(&resource.id()) {
                continue;
            }
            let act = |room: &mut Room<'_, '_>, node: &mut Node| {
                let old = node.raw().cloned().unwrap_or_else(|| Text::from(""));
                // The old name stays as well: it is remembered.
                room.grow(NODE_BYTES + old.len())?;
                let text =
                    if before { format!("{}{old}", said.value) } else { format!("{old}{}", said.value) };
                set_text(room, node, said.at, text.into(), None)?;
                if let Content::Scalar(scalar) = &mut node.content
                    && scalar.share == 0
                {
                    scalar.share = UNTAGGED;
                }
                Ok(())
            };
            let mut visit = Visit { context, make: Make::Scalar, at: said.at, act };
            visit.field(&mut resource.node, spec)?;
        }
    }
    Ok(())
}

/// Sets the number of replicas.
pub(crate) fn run_replicas(
    context: &mut Context<'_>,
    replicas: &Replicas,
    specs: &[FieldSpec],
    set: &mut ResourceSet,
) -> Outcome<()> {
    let mut found = false;
    for index in 0..set.items().len() {
        let Some(resource) = set.get_mut(index) else { break };
        let named = |id: &Id<'_>, spec: &FieldSpec| id.name == &*replicas.name && spec.is_of(id);
        let is = |name: &str| name == &*replicas.name;
        context.steps(replicas.at, 2 + resource.previous.len())?;
        if !is(resource.name()) && !resource.previous.iter().any(|previous| is(&previous.name)) {
            continue;
        }
        context.steps(replicas.at, specs.len())?;
        for spec in specs {
            if !named(&resource.id(), spec) && !resource.previous_ids().any(|id| named(&id, spec)) {
                continue;
            }
            found = true;
            if !spec.is_of(&resource.id()) {
                continue;
            }
            let count = Text::from(replicas.count.to_string());
            let act = |room: &mut Room<'_, '_>, node: &mut Node| {
                set_text(room, node, replicas.at, count.clone(), Some(Kind::Int))?;
                if let Content::Scalar(scalar) = &mut node.content
                    && scalar.share == UNTAGGED
                {
                    scalar.share = 0;
                }
                Ok(())
            };
            let mut visit = Visit { context, make: Make::Scalar, at: replicas.at, act };
            visit.field(&mut resource.node, spec)?;
        }
    }
    if found {
        return Ok(());
    }
    let message = format!("no object with replicas is called {:?}", replicas.name);
    wrong(replicas.at, message, "correct the name: it is that of a Deployment, StatefulSet or ReplicaSet")
}

/// The replicas that the fields of a plugin's configuration ask for.
pub(crate) fn plugin_replicas(fields: &mut Fields) -> Outcome<Replicas> {
    match fields.take("replica") {
        Some(field) => Replicas::from_node(field.value),
        None => wrong(fields.at, "the configuration has no replica", "write replica, with name and count"),
    }
}
