//! The configuration of transformers: which fields hold labels, names, images and so on.

use std::sync::{Arc, LazyLock};

use super::context::{Context, Outcome, Root, wrong};
use super::defaults;
use super::fields::{Fields, Said};
use super::fieldspec::{FieldSpec, Path, SPECS, add};
use super::id::Gvk;
use super::sort;
use crate::yaml::node::{At, Node, Text};
use crate::yaml::scalar::Dialect;

/// The fields of one transformer. Shared, since nearly everyone has the same.
pub(crate) type Specs = Arc<Vec<FieldSpec>>;

/// The fields that name objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameReference {
    /// The kind that is named.
    pub(crate) target: Gvk,
    pub(crate) referrers: Vec<FieldSpec>,
}

/// Which fields transformers work on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) name_prefix: Specs,
    pub(crate) name_suffix: Specs,
    pub(crate) namespace: Specs,
    pub(crate) common_labels: Specs,
    pub(crate) labels: Specs,
    pub(crate) template_labels: Specs,
    pub(crate) volume_claim_template_labels: Specs,
    pub(crate) common_annotations: Specs,
    pub(crate) name_reference: Arc<Vec<NameReference>>,
    pub(crate) var_reference: Specs,
    pub(crate) images: Specs,
    pub(crate) replicas: Specs,
}

static DEFAULT: LazyLock<Config> = LazyLock::new(|| {
    let common =
        [defaults::SELECTOR_LABELS, defaults::TEMPLATE_LABELS, defaults::VOLUME_CLAIM_TEMPLATE_LABELS];
    Config {
        name_prefix: table(&[defaults::NAME]),
        name_suffix: table(&[defaults::NAME]),
        namespace: table(&[defaults::NAMESPACE]),
        common_labels: table(&common),
        labels: Specs::default(),
        template_labels: table(&[defaults::TEMPLATE_LABELS]),
        volume_claim_template_labels: table(&[defaults::VOLUME_CLAIM_TEMPLATE_LABELS]),
        common_annotations: table(&[defaults::ANNOTATIONS]),
        name_reference: references(defaults::NAME_REFERENCES),
        var_reference: table(&[defaults::VARIABLES]),
        images: table(&[defaults::IMAGES]),
        replicas: table(&[defaults::REPLICAS]),
    }
});

/// The kind that `group:Kind@version` means.
fn gvk(text: &str) -> Gvk {
    let (group, rest) = text.split_once(':').unwrap_or(("", text));
    let (kind, version) = rest.split_once('@').unwrap_or((rest, ""));
    let kind = if kind == "*" { "" } else { kind };
    Gvk { group: group.into(), version: version.into(), kind: kind.into() }
}

fn line_specs(line: &str) -> Vec<FieldSpec> {
    let (path, kinds) = line.split_once(' ').unwrap_or((line, "*"));
    let (create, path) = path.strip_prefix('+').map_or((false, path), |path| (true, path));
    let kinds = if kinds == "PODS" { defaults::PODS } else { kinds };
    let spec = |kind: &str| {
        let gvk = gvk(kind);
        let path = match path.strip_prefix("POD/") {
            Some(rest) => format!("{}/{rest}", defaults::pod(&gvk.kind)),
            None => path.to_owned(),
        };
        FieldSpec { gvk, path: Arc::new(Path::parse(&path)), create }
    };
    kinds.split(' ').map(spec).collect()
}

fn table(texts: &[&str]) -> Specs {
    let mut specs: Vec<_> = texts.iter().flat_map(|text| text.lines()).flat_map(line_specs).collect();
    specs.sort_by(|a, b| sort::configuration_order(&a.gvk, &b.gvk));
    Arc::new(specs)
}

fn references(text: &str) -> Arc<Vec<NameReference>> {
    let mut references: Vec<NameReference> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix('='), references.last_mut()) {
            (Some(kind), _) => references.push(NameReference { target: gvk(kind), referrers: Vec::new() }),
            (None, Some(last)) => last.referrers.extend(line_specs(line)),
            (None, None) => {}
        }
    }
    references.sort_by(|a, b| sort::configuration_order(&a.target, &b.target));
    Arc::new(references)
}

impl Config {
    /// What kustomize knows of itself.
    pub(crate) fn default_fields() -> Self {
        DEFAULT.clone()
    }

    fn specs_mut(&mut self) -> [&mut Specs; 11] {
        [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.volume_claim_template_labels,
            &mut self.common_annotations,
            &mut self.var_reference,
            &mut self.images,
            &mut self.replicas,
        ]
    }

    /// Adds what `other` knows.
    pub(crate) fn merge(&mut self, context: &mut Context<'_>, mut other: Self, at: At) -> Outcome<()> {
        let known = &mut Self::default_fields();
        let all = self.specs_mut().into_iter().zip(other.specs_mut()).zip(known.specs_mut());
        for ((mine, theirs), known) in all {
            if Arc::ptr_eq(mine, theirs) || theirs.is_empty() {
                continue;
            }
            if mine.is_empty() && Arc::ptr_eq(theirs, known) {
                *mine = theirs.clone();
                continue;
            }
            // Added one by one also to nothing: a later one that says less of the kinds is covered then.
            context.steps(at, theirs.len().saturating_mul(mine.len() + theirs.len()) / SPECS)?;
            let specs = Arc::make_mut(mine);
            theirs.iter().try_for_each(|spec| add(specs, spec.clone(), at))?;
            specs.sort_by(|a, b| sort::configuration_order(&a.gvk, &b.gvk));
        }
        let (mine, theirs) = (&mut self.name_reference, other.name_reference);
        if Arc::ptr_eq(mine, &theirs) || theirs.is_empty() {
            return Ok(());
        }
        if mine.is_empty() {
            *mine = theirs;
            return Ok(());
        }
        let longest = mine.iter().map(|one| one.referrers.len()).max().unwrap_or(0);
        let cost = |one: &NameReference| {
            let new = one.referrers.len();
            mine.len() + theirs.len() + new.saturating_mul(longest + new)
        };
        context.steps(at, theirs.iter().map(cost).sum::<usize>() / (2 * SPECS))?;
        let references = Arc::make_mut(mine);
        theirs.iter().try_for_each(|reference| add_reference(references, reference.clone(), at))?;
        references.sort_by(|a, b| sort::configuration_order(&a.target, &b.target));
        Ok(())
    }

    /// Reads the files of `configurations`.
    pub(crate) fn read(context: &mut Context<'_>, root: &Root, paths: &[Said<Text>]) -> Outcome<Self> {
        let mut config = Self::default_fields();
        for path in paths {
            let read = context.read(root, &path.value, path.at)?;
            for document in context.parse(read.file, 1, &read.bytes, Dialect::Kubernetes, false)? {
                if !document.is_null() {
                    let at = document.at;
                    config.merge(context, Self::from_node(document)?, at)?;
                }
            }
        }
        Ok(config)
    }

    fn from_node(document: Node) -> Outcome<Self> {
        let mut fields = Fields::of(document, "a configuration of transformers")?;
        let mut config = Self::default();
        let names = [
            "namePrefix",
            "nameSuffix",
            "namespace",
            "commonLabels",
            "labels",
            "templateLabels",
            "volumeClaimTemplateLabels",
            "commonAnnotations",
            "varReference",
            "images",
            "replicas",
        ];
        for (specs, name) in config.specs_mut().into_iter().zip(names) {
            *specs = Arc::new(field_specs(fields.list(name)?, true)?);
        }
        let mut references = Vec::new();
        for item in fields.list("nameReference")? {
            let mut fields = Fields::of(item, "a name reference")?;
            let at = fields.at;
            let target = read_gvk(&mut fields)?;
            let referrers = field_specs(fields.list("fieldSpecs")?, true)?;
            fields.finish()?;
            add_reference(&mut references, NameReference { target, referrers }, at)?;
        }
        config.name_reference = Arc::new(references);
        fields.finish()?;
        Ok(config)
    }
}

/// Adds the fields that name one kind.
pub(crate) fn add_reference(references: &mut Vec<NameReference>, new: NameReference, at: At) -> Outcome<()> {
    match references.iter_mut().find(|known| known.target == new.target) {
        Some(known) => new.referrers.into_iter().try_for_each(|spec| add(&mut known.referrers, spec, at)),
        None => {
            references.push(new);
            Ok(())
        }
    }
}

fn read_gvk(fields: &mut Fields) -> Outcome<Gvk> {
    Ok(Gvk { group: fields.text("group")?, version: fields.text("version")?, kind: fields.text("kind")? })
}

/// The field specifications of a list. `strict` refuses fields that they do not have.
pub(crate) fn field_specs(items: Vec<Node>, strict: bool) -> Outcome<Vec<FieldSpec>> {
    let spec = |item: Node| {
        let mut fields = Fields::of(item, "a field specification")?;
        let gvk = read_gvk(&mut fields)?;
        let Some(path) = fields.string("path")? else {
            return wrong(fields.at, "the field specification has no path", "write the path of a field");
        };
        let create = fields.boolean("create")?;
        if strict {
            fields.finish()?;
        }
        Ok(FieldSpec { gvk, path: Arc::new(Path::parse(&path.value)), create })
    };
    items.into_iter().map(spec).collect()
}
