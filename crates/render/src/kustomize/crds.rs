//! What `crds` tells of the fields of custom kinds: annotations in an OpenAPI document of ours and others.

use std::sync::Arc;

use super::config::{Config, NameReference, add_reference};
use super::context::{Context, Outcome, Root, wrong};
use super::fields::Said;
use super::fieldspec::{FieldSpec, Path, SPECS, add};
use super::id::Gvk;
use crate::yaml::map::Map;
use crate::yaml::node::{At, Node, Text};
use crate::yaml::scalar::Dialect;

/// Reads the files of `crds`.
pub(crate) fn read(context: &mut Context<'_>, root: &Root, paths: &[Said<Text>]) -> Outcome<Config> {
    let mut config = Config::default();
    for path in paths {
        let read = context.read(root, &path.value, path.at)?;
        let json = read.bytes.first() == Some(&b'{');
        for document in context.parse(read.file, 1, &read.bytes, Dialect::Kubernetes, json)? {
            let Some(types) = document.as_map() else {
                return wrong(
                    document.at,
                    "this is no OpenAPI document of types",
                    "write a mapping of types",
                );
            };
            for field in types.iter() {
                if looks_like_an_object(&field.value) {
                    let kind = field.key.rsplit('.').next().unwrap_or_default();
                    let mut found =
                        Found { kind: kind.into(), types, config: &mut config, at: path.at, left: 10_000 };
                    found.walk(&field.key, &mut Vec::new())?;
                    let looked = 10_000 - found.left;
                    let steps = 4 + config.name_reference.len() + config.name_prefix.len() / SPECS;
                    context.steps(path.at, looked.saturating_mul(steps))?;
                }
            }
        }
    }
    Ok(config)
}

fn properties(node: &Node) -> Option<&Map> {
    let schema = node.get("Schema").or_else(|| node.get("schema"))?;
    schema.get("properties")?.as_map()
}

fn looks_like_an_object(node: &Node) -> bool {
    properties(node).is_some_and(|map| ["kind", "apiVersion", "metadata"].iter().all(|key| map.contains(key)))
}

struct Found<'t> {
    kind: Text,
    types: &'t Map,
    config: &'t mut Config,
    at: At,
    /// How many properties may still be followed.
    left: usize,
}

impl Found<'_> {
    fn spec(&self, path: &[&str]) -> FieldSpec {
        FieldSpec {
            gvk: Gvk { kind: self.kind.clone(), ..Gvk::default() },
            path: Arc::new(Path::parse(&path.join("/"))),
            create: false,
        }
    }

    fn walk<'t>(&mut self, name: &str, path: &mut Vec<&'t str>) -> Outcome<()>
    where
        Self: 't,
    {
        let types = self.types;
        let Some(map) = types.get(name).and_then(properties) else { return Ok(()) };
        for field in map.iter() {
            let Some(left) = self.left.checked_sub(1).filter(|_| path.len() < 50) else {
                return wrong(
                    self.at,
                    "the types of this file refer to each other without end",
                    "remove the cycle",
                );
            };
            self.left = left;
            let mut path: Vec<&str> = path.iter().copied().chain([&*field.key]).collect();
            self.property(&field.value, &path)?;
            let reference = field.value.get("$ref").and_then(Node::text);
            if let Some(reference) = reference.filter(|reference| !reference.is_empty()) {
                self.walk(reference, &mut path)?;
            }
        }
        Ok(())
    }

    fn property(&mut self, node: &Node, path: &[&str]) -> Outcome<()> {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let (spec, at) = (self.spec(path), self.at);
        let lists = [
            ("x-kubernetes-annotation", &mut self.config.common_annotations),
            ("x-kubernetes-label-selector", &mut self.config.common_labels),
            ("x-kubernetes-identity", &mut self.config.name_prefix),
        ];
        for (key, specs) in lists {
            if text(key).is_some() {
                add(Arc::make_mut(specs), spec.clone(), at)?;
            }
        }
        let (Some(version), Some(kind)) =
            (text("x-kubernetes-object-ref-api-version"), text("x-kubernetes-object-ref-kind"))
        else {
            return Ok(());
        };
        let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
        let path: Vec<&str> = path.iter().copied().chain([key]).collect();
        let target = Gvk { group: "".into(), version: version.into(), kind: kind.into() };
        let reference = NameReference { target, referrers: vec![self.spec(&path)] };
        add_reference(Arc::make_mut(&mut self.config.name_reference), reference, at)
    }
}
