//! A kustomization file, read to its last field.

use super::config::field_specs;
use super::context::{Context, Outcome, Read, Root, wrong};
use super::fields::{Fields, Pairs, Said, pairs, string};
use super::fieldspec::FieldSpec;
use super::generate::Generator;
use super::image_names::ImageChange;
use super::patches::PatchEntry;
use super::replacements::ReplacementEntry;
use super::replicas::Replicas;
use super::sort::Order;
use super::variables::Variable;
use crate::yaml::node::{At, Content, Node, Text};
use crate::yaml::scalar::Dialect;

/// The names of a kustomization file: a folder has one of them.
pub(crate) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// An entry of `labels`.
pub(crate) struct Labels {
    pub(crate) pairs: Pairs,
    pub(crate) selectors: bool,
    pub(crate) templates: bool,
    pub(crate) claim_templates: bool,
    pub(crate) fields: Vec<FieldSpec>,
    pub(crate) at: At,
}

/// What all generators of a kustomization share.
#[derive(Clone, Default)]
pub(crate) struct GeneratorOptions {
    pub(crate) labels: Pairs,
    pub(crate) annotations: Pairs,
    pub(crate) no_hash: bool,
    pub(crate) immutable: bool,
}

/// What is known of the fields of each kind.
#[derive(Debug)]
pub(crate) enum Schema {
    BuiltIn,
    /// What a file says.
    File(Said<Text>),
}

/// A kustomization.
pub(crate) struct Kustomization {
    /// Where it begins.
    pub(crate) at: At,
    pub(crate) file_name: &'static str,
    pub(crate) is_component: bool,
    pub(crate) resources: Vec<Said<Text>>,
    pub(crate) components: Vec<Said<Text>>,
    pub(crate) name_prefix: Option<Said<Text>>,
    pub(crate) name_suffix: Option<Said<Text>>,
    pub(crate) namespace: Option<Said<Text>>,
    pub(crate) common_labels: Pairs,
    pub(crate) labels: Vec<Labels>,
    pub(crate) common_annotations: Pairs,
    pub(crate) merge_patches: Vec<Said<Text>>,
    pub(crate) json_patches: Vec<PatchEntry>,
    pub(crate) patches: Vec<PatchEntry>,
    pub(crate) images: Vec<ImageChange>,
    pub(crate) replacements: Vec<ReplacementEntry>,
    pub(crate) replicas: Vec<Replicas>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) order: Option<Order>,
    pub(crate) crds: Vec<Said<Text>>,
    pub(crate) config_maps: Vec<Generator>,
    pub(crate) secrets: Vec<Generator>,
    pub(crate) generator_options: Option<GeneratorOptions>,
    pub(crate) configurations: Vec<Said<Text>>,
    pub(crate) generators: Vec<Said<Text>>,
    pub(crate) transformers: Vec<Said<Text>>,
    pub(crate) validators: Vec<Said<Text>>,
    pub(crate) build_metadata: Vec<Said<Text>>,
    pub(crate) schema: Option<Schema>,
}

/// What to do instead of having charts rendered.
pub(crate) const RENDER_CHARTS: &str = "render charts in CI for now, and commit the objects";

/// Fields that are refused, with what to do instead.
const REFUSED: [(&str, &str); 6] = [
    ("helmCharts", RENDER_CHARTS),
    ("helmGlobals", RENDER_CHARTS),
    ("helmChartInflationGenerator", RENDER_CHARTS),
    ("inventory", "remove it: kustomize does not read it any more"),
    ("fnRenders", "run functions in CI for now, and commit the objects"),
    ("functions", "run functions in CI for now, and commit the objects"),
];

/// Fields that kustomize still reads, with their successors.
pub(crate) const DEPRECATED: [(&str, &str); 6] = [
    ("bases", "resources"),
    ("commonLabels", "labels"),
    ("imageTags", "images"),
    ("patchesJson6902", "patches"),
    ("patchesStrategicMerge", "patches"),
    ("vars", "replacements"),
];

/// The kustomization of a folder.
///
/// # Errors
/// When there is none, or more than one, or something in it is not understood.
pub(crate) fn load(context: &mut Context<'_>, root: &Root, at: At) -> Outcome<Kustomization> {
    context.meter.kustomization().or_else(|why| context.exhausted(at, why))?;
    let mut found: Option<(&'static str, Read)> = None;
    for name in NAMES {
        let path = context.join(root, name, at)?;
        if context.kind(root, &path, at)?.is_none() {
            continue;
        }
        let here = context.beginning(root, &path);
        if let Some((other, _)) = found {
            let message = format!("the folder {:?} has both {other} and {name}", root.folder);
            return wrong(here, message, "keep one of them");
        }
        found = Some((name, context.read(root, name, here)?));
    }
    let Some((name, read)) = found else {
        let message = format!("the folder {:?} has no kustomization.yaml", root.folder);
        return wrong(at, message, "add one, or name the files of the folder one by one");
    };
    let at = At { file: read.file, line: 1 };
    let mut documents = context.parse(read.file, 1, &read.bytes, Dialect::Configuration, false)?;
    documents.retain(|document| !document.is_null());
    let mut documents = documents.into_iter();
    let Some(document) = documents.next() else {
        return wrong(at, "the kustomization is empty", "add resources to it, or remove the file");
    };
    if let Some(second) = documents.next() {
        return wrong(second.at, "a kustomization is one document", "remove what follows ---");
    }
    Kustomization::from_node(context, document, name)
}

impl Kustomization {
    fn from_node(context: &mut Context<'_>, document: Node, file_name: &'static str) -> Outcome<Self> {
        let mut fields = Fields::of(document, "a kustomization")?;
        for field in fields.rest() {
            if let Some((_, help)) = REFUSED.iter().find(|(name, _)| *name == &*field.key) {
                return wrong(field.at, format!("{} is not supported", field.key), *help);
            }
            if let Some((name, successor)) = DEPRECATED.iter().find(|(name, _)| *name == &*field.key) {
                let message = format!("{name} is deprecated: its successor is {successor}");
                context.warn(field.at, &message, &format!("write {successor} instead"));
            }
        }
        let is_component = kind(&mut fields)?;
        if fields.rest().iter().all(|field| field.value.is_null()) {
            return wrong(fields.at, "the kustomization is empty", "add resources to it, or remove the file");
        }
        let mut resources = fields.strings("resources")?;
        resources.extend(fields.strings("bases")?);
        let mut images = fields.list("images")?;
        images.extend(fields.list("imageTags")?);
        fields.take("metadata");
        let kustomization = Self {
            at: fields.at,
            file_name,
            is_component,
            resources,
            components: fields.strings("components")?,
            name_prefix: fields.filled("namePrefix")?,
            name_suffix: fields.filled("nameSuffix")?,
            namespace: fields.filled("namespace")?,
            common_labels: fields.pairs("commonLabels")?.unwrap_or_default(),
            labels: each(fields.list("labels")?, labels)?,
            common_annotations: fields.pairs("commonAnnotations")?.unwrap_or_default(),
            merge_patches: fields.strings("patchesStrategicMerge")?,
            json_patches: each(fields.list("patchesJson6902")?, PatchEntry::from_node)?,
            patches: each(fields.list("patches")?, PatchEntry::from_node)?,
            images: each(images, ImageChange::from_node)?,
            replacements: each(fields.list("replacements")?, ReplacementEntry::from_node)?,
            replicas: each(fields.list("replicas")?, Replicas::from_node)?,
            variables: each(fields.list("vars")?, Variable::from_node)?,
            order: fields.take("sortOptions").map(|field| sort_options(field.value)).transpose()?,
            crds: fields.strings("crds")?,
            config_maps: each(fields.list("configMapGenerator")?, Generator::config_map)?,
            secrets: each(fields.list("secretGenerator")?, Generator::secret)?,
            generator_options: fields
                .take("generatorOptions")
                .map(|field| generator_options(field.value))
                .transpose()?,
            configurations: fields.strings("configurations")?,
            generators: fields.strings("generators")?,
            transformers: fields.strings("transformers")?,
            validators: fields.strings("validators")?,
            build_metadata: build_metadata(&mut fields)?,
            schema: openapi(&mut fields)?,
        };
        fields.finish()?;
        Ok(kustomization)
    }
}

fn each<T>(items: Vec<Node>, read: impl Fn(Node) -> Outcome<T>) -> Outcome<Vec<T>> {
    items.into_iter().map(read).collect()
}

/// Whether it is a component.
fn kind(fields: &mut Fields) -> Outcome<bool> {
    let kind = fields.filled("kind")?;
    let is_component = match &kind {
        None => false,
        Some(kind) => match &*kind.value {
            "Kustomization" => false,
            "Component" => true,
            _ => {
                return wrong(
                    kind.at,
                    "the kind of this file is not Kustomization or Component",
                    "correct it",
                );
            }
        },
    };
    let version =
        if is_component { "kustomize.config.k8s.io/v1alpha1" } else { "kustomize.config.k8s.io/v1beta1" };
    match fields.filled("apiVersion")? {
        Some(written) if &*written.value != version => {
            wrong(written.at, format!("the API version of this kind is {version}"), "correct it")
        }
        _ => Ok(is_component),
    }
}

fn labels(item: Node) -> Outcome<Labels> {
    let mut fields = Fields::of(item, "an entry of labels")?;
    let labels = Labels {
        at: fields.at,
        pairs: fields.pairs("pairs")?.unwrap_or_default(),
        selectors: fields.boolean("includeSelectors")?,
        templates: fields.boolean("includeTemplates")?,
        claim_templates: fields.boolean("includeVolumeClaimTemplates")?,
        fields: field_specs(fields.list("fields")?, true)?,
    };
    fields.finish()?;
    Ok(labels)
}

/// The options of generators.
pub(crate) fn generator_options(node: Node) -> Outcome<GeneratorOptions> {
    let mut fields = Fields::of(node, "generatorOptions")?;
    let options = GeneratorOptions {
        labels: fields.pairs("labels")?.unwrap_or_default(),
        annotations: fields.pairs("annotations")?.unwrap_or_default(),
        no_hash: fields.boolean("disableNameSuffixHash")?,
        immutable: fields.boolean("immutable")?,
    };
    fields.finish()?;
    Ok(options)
}

fn sort_options(node: Node) -> Outcome<Order> {
    let mut fields = Fields::of(node, "sortOptions")?;
    let at = fields.at;
    let order = fields.string("order")?;
    let legacy = fields.take("legacySortOptions");
    fields.finish()?;
    match (order.as_ref().map(|order| &*order.value), legacy) {
        (Some("fifo"), None) => Ok(Order::Fifo),
        (Some("fifo"), Some(legacy)) => {
            wrong(legacy.at, "legacySortOptions is for the order legacy", "remove it, or write order: legacy")
        }
        (Some("legacy"), None) => Ok(Order::Legacy),
        (Some("legacy"), Some(legacy)) => {
            let mut fields = Fields::of(legacy.value, "legacySortOptions")?;
            let texts = |list: Vec<Said<Text>>| list.into_iter().map(|said| said.value.to_string()).collect();
            let order = Order::Custom {
                first: texts(fields.strings("orderFirst")?),
                last: texts(fields.strings("orderLast")?),
            };
            fields.finish()?;
            Ok(order)
        }
        _ => wrong(at, "the order of sortOptions is not fifo or legacy", "write one of them"),
    }
}

fn build_metadata(fields: &mut Fields) -> Outcome<Vec<Said<Text>>> {
    let options = fields.strings("buildMetadata")?;
    let known = ["originAnnotations", "transformerAnnotations", "managedByLabel"];
    match options.iter().find(|option| !known.contains(&&*option.value)) {
        None => Ok(options),
        Some(option) => {
            let message = format!("{:?} is no option of buildMetadata", option.value);
            wrong(option.at, message, format!("choose from {}", known.join(", ")))
        }
    }
}

fn openapi(fields: &mut Fields) -> Outcome<Option<Schema>> {
    let Some(field) = fields.take("openapi") else { return Ok(None) };
    let mut schema = None;
    for (key, value) in pairs(field.value, "openapi")? {
        let at = value.at;
        let named = match &*key {
            "path" => Schema::File(value),
            "version" if &*value.value == "v1.21.2" => Schema::BuiltIn,
            "version" => {
                let message = format!("the OpenAPI version {:?} is not built in", value.value);
                return wrong(at, message, "remove it: v1.21.2 is the only one");
            }
            _ => return wrong(at, format!("openapi has no field {key:?}"), "write path, and a file"),
        };
        if schema.replace(named).is_some() {
            return wrong(at, "openapi has both path and version", "write one of them");
        }
    }
    Ok(schema)
}

/// The texts of a list that may also be one text.
pub(crate) fn texts(node: Node, name: &str) -> Outcome<Vec<Said<Text>>> {
    match node.content {
        Content::List(items) => items.into_iter().map(|item| string(item, name)).collect(),
        _ => Ok(vec![string(node, name)?]),
    }
}
