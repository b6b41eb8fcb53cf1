//! ConfigMaps and Secrets made from files, literals and variables.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;

use super::accumulate::{Builder, Target};
use super::context::{Outcome, Root, wrong};
use super::fields::{Fields, Pairs, Said};
use super::kustomization::{GeneratorOptions, generator_options};
use super::origin::Origin;
use super::pairs::{Pair, Sources};
use super::resource::{Behavior, Resource};
use super::set::ResourceSet;
use crate::yaml::map::Map;
use crate::yaml::node::{At, Content, Kind, NODE_BYTES, Node, Scalar, Text};
use crate::yaml::plain;

/// What a generator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    ConfigMap,
    Secret,
}

/// An entry of `configMapGenerator` or `secretGenerator`.
pub(crate) struct Generator {
    made: Made,
    at: At,
    name: Option<Said<Text>>,
    namespace: Option<Said<Text>>,
    behavior: Behavior,
    /// Where a behavior is written that there is not: kustomize takes it for `create`.
    unknown_behavior: Option<At>,
    /// Where the file of variables is named by the older field.
    env: Option<At>,
    sources: Sources,
    options: GeneratorOptions,
    kind: Option<Said<Text>>,
}

impl Generator {
    pub(crate) fn config_map(node: Node) -> Outcome<Self> {
        let mut fields = Fields::of(node, "a ConfigMap generator")?;
        let generator = Self::from_fields(&mut fields, Made::ConfigMap)?;
        fields.finish()?;
        Ok(generator)
    }

    pub(crate) fn secret(node: Node) -> Outcome<Self> {
        let mut fields = Fields::of(node, "a Secret generator")?;
        let generator = Self::from_fields(&mut fields, Made::Secret)?;
        fields.finish()?;
        Ok(generator)
    }

    /// The generator that a plugin's configuration describes. `metadata` names it where it does not itself.
    pub(crate) fn plugin(fields: &mut Fields, secret: bool, metadata: &Resource) -> Outcome<Self> {
        let mut generator = Self::from_fields(fields, if secret { Made::Secret } else { Made::ConfigMap })?;
        let at = generator.at;
        let or = |own: Option<Said<Text>>, other: &str| {
            own.or_else(|| (!other.is_empty()).then(|| Said { at, value: Text::from(other) }))
        };
        generator.name = or(generator.name, metadata.name());
        generator.namespace = or(generator.namespace, metadata.namespace());
        Ok(generator)
    }

    fn from_fields(fields: &mut Fields, made: Made) -> Outcome<Self> {
        let at = fields.at;
        let mut unknown_behavior = None;
        let behavior = match fields.filled("behavior")? {
            None => Behavior::Create,
            Some(said) => match &*said.value {
                "create" | "unspecified" => Behavior::Create,
                "replace" => Behavior::Replace,
                "merge" => Behavior::Merge,
                _ => {
                    unknown_behavior = Some(said.at);
                    Behavior::Create
                }
            },
        };
        let mut envs = fields.strings("envs")?;
        let env = fields.filled("env")?;
        let env_at = env.as_ref().map(|said| said.at);
        envs.extend(env);
        let sources =
            Sources { envs, literals: fields.strings("literals")?, files: fields.strings("files")? };
        let options = fields.take("options").map(|field| generator_options(field.value)).transpose()?;
        Ok(Self {
            made,
            at,
            name: fields.filled("name")?,
            namespace: fields.filled("namespace")?,
            behavior,
            unknown_behavior,
            env: env_at,
            sources,
            options: options.unwrap_or_default(),
            kind: if made == Made::Secret { fields.filled("type")? } else { None },
        })
    }

    /// The object that it makes.
    pub(crate) fn make(
        &self,
        builder: &mut Builder<'_, '_>,
        root: &Root,
        shared: Option<&GeneratorOptions>,
    ) -> Outcome<Resource> {
        let at = self.at;
        let Some(name) = &self.name else { return wrong(at, "the generator has no name", "give it one") };
        if let Some(at) = self.unknown_behavior {
            let message = "the behavior is not create, replace or merge: it is taken for create";
            builder.context.warn(at, message, "write one of them");
        }
        if let Some(at) = self.env {
            let message = "env is deprecated: its successor is envs";
            builder.context.warn(at, message, "write envs, with a list, instead");
        }
        let mut object = Map::default();
        let mut set = |key: &str, node: Node| object.set(&builder.context.meter.text(key), at, node);
        set("apiVersion", Node::string(at, "v1"));
        set("kind", Node::string(at, if self.made == Made::Secret { "Secret" } else { "ConfigMap" }));
        let options = merged(&self.options, shared);
        let pairs = options.labels.iter().chain(&options.annotations);
        let bytes = pairs.map(|(key, said)| NODE_BYTES + key.len() + said.value.len()).sum::<usize>();
        set("metadata", self.metadata(name, &options));
        if options.immutable {
            let scalar = Scalar { text: Text::from("true"), kind: Kind::Bool, quoted: false, share: 0 };
            set("immutable", Node { at, content: Content::Scalar(scalar) });
        }
        if self.made == Made::Secret {
            let kind = self.kind.clone().unwrap_or(Said { at, value: Text::from("Opaque") });
            set("type", Node::string(kind.at, kind.value));
        }
        builder.context.grow(at, &"the labels and annotations", bytes as u64)?;
        let pairs = self.sources.read(builder.context, root)?;
        self.data(&mut object, pairs);
        let mut resource = Resource::new(Node { at, content: Content::Map(object) });
        resource.behavior = self.behavior;
        resource.hashed = !options.no_hash;
        Ok(resource)
    }

    fn metadata(&self, name: &Said<Text>, options: &GeneratorOptions) -> Node {
        let mut metadata = Map::default();
        metadata.set(&Text::from("name"), name.at, Node::string(name.at, name.value.clone()));
        if let Some(namespace) = &self.namespace {
            metadata.set(
                &Text::from("namespace"),
                namespace.at,
                Node::string(namespace.at, namespace.value.clone()),
            );
        }
        for (field, pairs) in [("labels", &options.labels), ("annotations", &options.annotations)] {
            if !pairs.is_empty() {
                metadata.set(&Text::from(field), self.at, texts(pairs, self.at));
            }
        }
        Node { at: self.at, content: Content::Map(metadata) }
    }

    fn data(&self, object: &mut Map, pairs: Vec<Pair>) {
        let (mut data, mut binary) = (Map::default(), Map::default());
        for Pair { key, bytes, at } in pairs {
            let (map, text) = match (self.made, String::from_utf8(bytes)) {
                (Made::ConfigMap, Ok(text)) => (&mut data, text),
                (Made::ConfigMap, Err(error)) => (&mut binary, wrapped_base64(error.as_bytes())),
                (Made::Secret, Ok(text)) => (&mut data, wrapped_base64(text.as_bytes())),
                (Made::Secret, Err(error)) => (&mut data, wrapped_base64(error.as_bytes())),
            };
            map.set(&key, at, Node { at, content: Content::Scalar(plain::made(text)) });
        }
        for (field, map) in [("data", data), ("binaryData", binary)] {
            if !map.is_empty() || (self.made == Made::Secret && field == "data") {
                object.set(&Text::from(field), self.at, Node { at: self.at, content: Content::Map(map) });
            }
        }
    }
}

/// A mapping of texts.
pub(crate) fn texts(pairs: &Pairs, at: At) -> Node {
    let mut map = Map::default();
    for (key, said) in pairs {
        map.set(key, said.at, Node::string(said.at, said.value.clone()));
    }
    Node { at, content: Content::Map(map) }
}

/// What a generator says itself, and what all of them share: where one of the two switches something on, it is.
fn merged(own: &GeneratorOptions, shared: Option<&GeneratorOptions>) -> GeneratorOptions {
    let mut options = own.clone();
    let Some(shared) = shared else { return options };
    for (own, shared) in
        [(&mut options.labels, &shared.labels), (&mut options.annotations, &shared.annotations)]
    {
        let known: HashSet<Text> = own.iter().map(|(key, _)| key.clone()).collect();
        own.extend(shared.iter().filter(|(key, _)| !known.contains(key)).cloned());
    }
    options.no_hash |= shared.no_hash;
    options.immutable |= shared.immutable;
    options
}

/// Base64 in lines of 70 characters, each with its end; on one line without one if it fits.
fn wrapped_base64(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    if encoded.len() < LINE {
        return encoded;
    }
    let lines = encoded.as_bytes().chunks(LINE).map(String::from_utf8_lossy);
    lines.fold(String::with_capacity(encoded.len() + encoded.len() / LINE + 1), |text, line| {
        text + &line + "\n"
    })
}

/// Runs the generators of a kustomization's own fields.
pub(crate) fn run(builder: &mut Builder<'_, '_>, target: &Target<'_>, set: &mut ResourceSet) -> Outcome<()> {
    let kustomization = &target.kustomization;
    let origin = |kind: &str| {
        target.origin.as_ref().map(|origin| Arc::new(origin.builtin(kustomization.file_name, kind)))
    };
    for (generators, kind) in
        [(&kustomization.config_maps, "ConfigMapGenerator"), (&kustomization.secrets, "SecretGenerator")]
    {
        let origin = origin(kind);
        for generator in generators {
            let resource = generator.make(builder, &target.root, kustomization.generator_options.as_ref())?;
            absorb(builder, set, resource, origin.as_ref())?;
        }
    }
    Ok(())
}

/// Adds a generated object, or merges it with the one of its name.
pub(crate) fn absorb(
    builder: &mut Builder<'_, '_>,
    set: &mut ResourceSet,
    mut resource: Resource,
    origin: Option<&Arc<Origin>>,
) -> Outcome<()> {
    builder.context.steps(resource.node.at, 1)?;
    resource.origin = origin.cloned();
    let at = resource.node.at;
    let same = set.with_any_id(&resource.id());
    let old = match (same.as_slice(), resource.behavior) {
        ([], Behavior::Create) => return set.append(resource),
        ([], _) => {
            let message = format!("{} is not there: it cannot be merged or replaced", resource.id());
            return wrong(at, message, "correct the name, or let the behavior be create");
        }
        ([_], Behavior::Create) => {
            let message = format!("{} is there already", resource.id());
            return wrong(at, message, "let the behavior be merge or replace");
        }
        ([old], _) => *old,
        _ => {
            let message = format!("more than one object is or was called {}", resource.id());
            return wrong(at, message, "rename one of them");
        }
    };
    let Some(before) = set.get(old) else { return Ok(()) };
    builder.context.steps(at, before.node.weight().values().saturating_mul(COMBINED))?;
    let merged = combine(before, resource);
    set.replace(old, merged);
    Ok(())
}

/// How many steps it takes to merge a value.
const COMBINED: usize = 24;

/// What a generated object becomes where `old` has its name.
fn combine(old: &Resource, mut new: Resource) -> Resource {
    let at = new.node.at;
    let merges = new.behavior == Behavior::Merge;
    for field in ["labels", "annotations"] {
        merge_texts(&mut new, old, &["metadata", field]);
    }
    if merges {
        let mut old_data = old.clone();
        if old.kind() == "Secret" && old.api_version() == "v1" {
            encode_string_data(&mut old_data);
        }
        merge_texts(&mut new, &old_data, &["data"]);
        merge_texts(&mut new, old, &["binaryData"]);
        if old.origin.is_some() {
            new.origin.clone_from(&old.origin);
        }
    }
    new.set_written_name(old.written_name(), at);
    new.set_namespace(old.namespace(), at);
    new.previous.clone_from(&old.previous);
    new.prefixes.clone_from(&old.prefixes);
    new.suffixes.clone_from(&old.suffixes);
    new.variables.clone_from(&old.variables);
    new.transformations.clone_from(&old.transformations);
    new.hashed &= old.hashed;
    new.behavior = old.behavior;
    new
}

fn at_path<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Map> {
    path.iter().try_fold(node, |node, key| node.get(key))?.as_map()
}

/// Gives `new` the texts of `old` at a path that it does not have itself.
fn merge_texts(new: &mut Resource, old: &Resource, path: &[&str]) {
    let mut merged = Map::default();
    for map in [at_path(&old.node, path), at_path(&new.node, path)].into_iter().flatten() {
        for field in map.iter() {
            let text = match &field.value.content {
                // Of data, kustomize takes a null for an empty text.
                Content::Scalar(scalar) if scalar.kind == Kind::Null && path.len() == 1 => Text::from(""),
                Content::Scalar(scalar) => scalar.text.clone(),
                _ => Text::from(""),
            };
            let content = Content::Scalar(plain::made(text));
            merged.set(&field.key, field.at, Node { at: field.value.at, content });
        }
    }
    let Some((last, parents)) = path.split_last() else { return };
    let at = new.node.at;
    let parent = parents.iter().try_fold(&mut new.node, |node, key| node.get_mut(key));
    let Some(parent) = parent.and_then(Node::as_map_mut) else { return };
    if merged.is_empty() {
        parent.remove(last);
    } else {
        parent.set(&Text::from(*last), at, Node { at, content: Content::Map(merged) });
    }
}

/// Moves the texts of `stringData` to `data`, encoded, as the API server does.
fn encode_string_data(secret: &mut Resource) {
    let Some(root) = secret.node.as_map_mut() else { return };
    let Some(field) = root.remove("stringData") else { return };
    let Content::Map(texts) = field.value.content else { return };
    let data = root.get_or_set(&Text::from("data"), field.at, || Node::map(field.at));
    let Some(data) = data.and_then(Node::as_map_mut) else { return };
    for text in texts.into_fields() {
        let encoded = wrapped_base64(text.value.raw().map_or("", |text| text).as_bytes());
        data.set(&text.key, text.at, Node::string(text.value.at, encoded));
    }
}
