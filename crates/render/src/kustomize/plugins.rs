//! The built-in generators, transformers and validators that files configure.

use std::sync::Arc;

use super::accumulate::{Accumulator, Builder, Target};
use super::config::{Specs, field_specs};
use super::context::{Outcome, wrong};
use super::each;
use super::fields::{Fields, Said};
use super::generate::{self, Generator};
use super::hash;
use super::image_names::{self, ImageChange};
use super::kustomization::texts;
use super::namespace::{Namespace, Subjects};
use super::origin::{Note, Origin};
use super::patches::{self, PatchEntry};
use super::replacements::{self, ReplacementEntry};
use super::replicas::{ReplicaCount, plugin_replicas};
use super::resource::{Behavior, Resource};
use super::set::ResourceSet;
use super::transform::{Affix, Texts};
use super::value_add;
use crate::yaml::map::Map;
use crate::yaml::node::{At, Content, Node, Text};

/// The objects that configure plugins: written in the list itself, or in files and folders that it names.
fn configurations(
    builder: &mut Builder<'_, '_>,
    target: &Target<'_>,
    entries: &[Said<Text>],
) -> Outcome<Vec<Resource>> {
    let mut made = Accumulator::default();
    let mut paths = Vec::new();
    for entry in entries {
        if !entry.value.contains('\n') && !entry.value.contains('{') {
            paths.push(entry);
            continue;
        }
        let file = target.kustomization.file_name;
        let origin = target.origin.as_ref().map(|origin| Arc::new(origin.below(file)));
        for mut resource in patches::Source::inline(entry).objects(builder)? {
            resource.origin.clone_from(&origin);
            made.set.append(resource)?;
        }
    }
    for path in paths {
        builder.resource(target, path, &mut made)?;
    }
    Ok(made.set.into_items())
}

/// The fields of a configuration, without what names it.
fn fields(resource: &Resource, what: &'static str) -> Outcome<Fields> {
    let mut fields = Fields::of(resource.node.clone(), what)?;
    for name in ["apiVersion", "kind", "metadata"] {
        fields.take(name);
    }
    Ok(fields)
}

fn is_built_in(resource: &Resource) -> Outcome<()> {
    let at = resource.node.at;
    let runs = ["config.kubernetes.io/function", "config.k8s.io/function"];
    if runs.iter().any(|key| resource.annotation(key).is_some()) {
        let message = "functions are not supported: neither containers nor programs are run";
        return wrong(at, message, "run functions in CI for now, and commit the objects");
    }
    if resource.api_version() == "builtin" {
        return Ok(());
    }
    let message = format!("the plugin {} of {} is not supported", resource.kind(), resource.api_version());
    wrong(
        at,
        message,
        "use a built-in kind, with apiVersion: builtin, or run it in CI and commit the objects",
    )
}

/// Runs the generators that files configure.
pub(crate) fn generate(
    builder: &mut Builder<'_, '_>,
    target: &Target<'_>,
    set: &mut ResourceSet,
) -> Outcome<()> {
    for resource in configurations(builder, target, &target.kustomization.generators)? {
        is_built_in(&resource)?;
        let origin = Origin::plugin(&resource).map(Arc::new);
        let made = match resource.kind() {
            kind @ ("ConfigMapGenerator" | "SecretGenerator") => {
                let mut fields = fields(&resource, "the configuration of a generator")?;
                let generator = Generator::plugin(&mut fields, kind == "SecretGenerator", &resource)?;
                fields.ignore(builder.context);
                generator.make(builder, &target.root, None)?
            }
            "IAMPolicyGenerator" => service_account(&resource)?,
            kind @ ("HelmChartInflationGenerator" | "HelmChart") => {
                let message = format!("{kind} is not supported");
                return wrong(resource.node.at, message, super::kustomization::RENDER_CHARTS);
            }
            kind => {
                let message = format!("{kind} is no built-in generator that is supported");
                return wrong(resource.node.at, message, "use ConfigMapGenerator or SecretGenerator");
            }
        };
        generate::absorb(builder, set, made, origin.as_ref())?;
    }
    Ok(())
}

/// The service account that `IAMPolicyGenerator` makes.
fn service_account(resource: &Resource) -> Outcome<Resource> {
    let mut fields = fields(resource, "the configuration of IAMPolicyGenerator")?;
    let at = fields.at;
    let cloud = fields.filled("cloud")?;
    if cloud.is_none_or(|cloud| &*cloud.value != "gke") {
        return wrong(at, "the cloud is not gke", "write cloud: gke");
    }
    let mut part = |name: &'static str, inner: [&str; 2]| -> Outcome<[Text; 2]> {
        let Some(field) = fields.take(name) else { return Ok([Text::from(""), Text::from("")]) };
        let mut fields = Fields::of(field.value, "a part of the configuration")?;
        let [first, second] = inner;
        let texts = [fields.text(first)?, fields.text(second)?];
        fields.finish()?;
        Ok(texts)
    };
    let [name, namespace] = part("kubernetesService", ["name", "namespace"])?;
    let [account, project] = part("serviceAccount", ["name", "projectId"])?;
    fields.finish()?;
    let mut annotations = Map::default();
    let email = format!("{account}@{project}.iam.gserviceaccount.com");
    annotations.set(&Text::from("iam.gke.io/gcp-service-account"), at, Node::string(at, email));
    let mut metadata = Map::default();
    metadata.set(&Text::from("annotations"), at, Node { at, content: Content::Map(annotations) });
    metadata.set(&Text::from("name"), at, Node::string(at, name));
    if !namespace.is_empty() {
        metadata.set(&Text::from("namespace"), at, Node::string(at, namespace));
    }
    let mut object = Map::default();
    object.set(&Text::from("apiVersion"), at, Node::string(at, "v1"));
    object.set(&Text::from("kind"), at, Node::string(at, "ServiceAccount"));
    object.set(&Text::from("metadata"), at, Node { at, content: Content::Map(metadata) });
    let mut made = Resource::new(Node { at, content: Content::Map(object) });
    made.behavior = Behavior::Create;
    Ok(made)
}

/// Runs the transformers that files configure.
pub(crate) fn transform(
    builder: &mut Builder<'_, '_>,
    target: &Target<'_>,
    entries: &[Said<Text>],
    made: &mut Accumulator,
) -> Outcome<()> {
    for resource in configurations(builder, target, entries)? {
        transform_by(builder, target, &resource, made)?;
        if let Some(origin) = Origin::plugin(&resource) {
            let at = resource.node.at;
            each::run(builder.context, &mut made.set, Note::new(origin, at))?;
        }
    }
    Ok(())
}

fn transform_by(
    builder: &mut Builder<'_, '_>,
    target: &Target<'_>,
    resource: &Resource,
    made: &mut Accumulator,
) -> Outcome<()> {
    is_built_in(resource)?;
    run(builder, target, resource, &mut made.set)?;
    made.set.drop_empty();
    Ok(())
}

/// Runs validators: transformers that may change nothing.
pub(crate) fn validate(
    builder: &mut Builder<'_, '_>,
    target: &Target<'_>,
    made: &mut Accumulator,
) -> Outcome<()> {
    let Some(first) = target.kustomization.validators.first() else { return Ok(()) };
    // kustomize compares by name.
    made.set.each_once()?;
    let before: Vec<_> = made.set.items().iter().map(|resource| resource.node.value()).collect();
    for resource in configurations(builder, target, &target.kustomization.validators)? {
        transform_by(builder, target, &resource, made)?;
    }
    let after = made.set.items().iter().map(|resource| resource.node.value());
    if before.into_iter().eq(after) {
        return Ok(());
    }
    wrong(first.at, "a validator has changed the objects", "name what changes objects under transformers")
}

fn specs(fields: &mut Fields) -> Outcome<Specs> {
    Ok(Specs::new(field_specs(fields.list("fieldSpecs")?, false)?))
}

fn run(
    builder: &mut Builder<'_, '_>,
    target: &Target<'_>,
    resource: &Resource,
    set: &mut ResourceSet,
) -> Outcome<()> {
    let mut fields = fields(resource, "the configuration of a transformer")?;
    let at = fields.at;
    match resource.kind() {
        kind @ ("LabelTransformer" | "AnnotationsTransformer") => {
            let name = if kind == "LabelTransformer" { "labels" } else { "annotations" };
            let pairs = fields.pairs(name)?.unwrap_or_default();
            let specs = specs(&mut fields)?;
            let texts = Texts { pairs: &pairs, specs: specs.as_slice().into() };
            each::run(builder.context, set, texts)?;
        }
        "NamespaceTransformer" => {
            let transformer = namespace_transformer(&mut fields, resource)?;
            each::run(builder.context, set, transformer)?;
        }
        "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer" => {
            affixes(builder, &mut fields, resource.kind(), set)?;
        }
        "ImageTagTransformer" => {
            let Some(image) = fields.take("imageTag") else {
                return wrong(at, "imageTag is missing", "write it");
            };
            let (change, specs) = (ImageChange::from_node(image.value)?, specs(&mut fields)?);
            let images = image_names::images(builder.context, &change, &specs)?;
            each::run(builder.context, set, images)?;
        }
        "ReplicaCountTransformer" => {
            let (replicas, specs) = (plugin_replicas(&mut fields)?, specs(&mut fields)?);
            let count = ReplicaCount::new(&replicas, &specs);
            each::run(builder.context, set, count)?;
        }
        "PatchTransformer" => {
            let entry = PatchEntry::from_fields(&mut fields)?;
            patches::entry(builder, &target.root, &entry, set)?;
        }
        "PatchJson6902Transformer" => {
            let entry = PatchEntry::from_fields(&mut fields)?;
            patches::json_entry(builder, &target.root, &entry, set)?;
        }
        "PatchStrategicMergeTransformer" => {
            let mut entries = match fields.take("paths") {
                Some(field) => texts(field.value, "paths")?,
                None => Vec::new(),
            };
            entries.extend(fields.filled("patches")?);
            patches::strategic(builder, target, &entries, set)?;
        }
        "ReplacementTransformer" => {
            let entries: Outcome<Vec<_>> =
                fields.list("replacements")?.into_iter().map(ReplacementEntry::from_node).collect();
            replacements::run(builder, &target.root, &entries?, set)?;
        }
        "ValueAddTransformer" => value_add::run(builder, target, &mut fields, set)?,
        "HashTransformer" => hash::rename(builder.context, set.items_mut()),
        kind => return wrong(at, format!("{kind} is no built-in transformer"), "correct its kind"),
    }
    fields.ignore(builder.context);
    Ok(())
}

fn namespace_transformer(fields: &mut Fields, resource: &Resource) -> Outcome<Namespace> {
    let at = fields.at;
    let value = Text::from(resource.namespace());
    let mut transformer = Namespace::new(Said { at, value }, specs(fields)?);
    transformer.unset_only = fields.boolean("unsetOnly")?;
    transformer.subjects = match fields.filled("setRoleBindingSubjects")? {
        None => Subjects::Default,
        Some(said) => match &*said.value {
            "defaultOnly" => Subjects::Default,
            "allServiceAccounts" => Subjects::ServiceAccounts,
            "none" => Subjects::None,
            _ => {
                let help = "write defaultOnly, allServiceAccounts or none";
                return wrong(said.at, "setRoleBindingSubjects has no such value", help);
            }
        },
    };
    Ok(transformer)
}

fn affixes(
    builder: &mut Builder<'_, '_>,
    fields: &mut Fields,
    kind: &str,
    set: &mut ResourceSet,
) -> Outcome<()> {
    let at: At = fields.at;
    let (prefix, suffix) = (fields.string("prefix")?, fields.string("suffix")?);
    let specs = specs(fields)?;
    if specs.is_empty() {
        return wrong(at, "the configuration has no fieldSpecs", "write them, as path: metadata/name");
    }
    if let Some(said) = prefix.as_ref().filter(|_| kind != "SuffixTransformer") {
        each::run(builder.context, set, Affix { said, specs: &specs, before: true })?;
    }
    if let Some(said) = suffix.as_ref().filter(|_| kind != "PrefixTransformer") {
        each::run(builder.context, set, Affix { said, specs: &specs, before: false })?;
    }
    Ok(())
}
