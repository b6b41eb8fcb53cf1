//! What kustomize notes in objects while it builds, as annotations that it takes away at the end. A file that holds such an
//! annotation loses it, or steers the build by it.

use super::context::{Context, Outcome, wrong};
use super::resource::Resource;
use crate::yaml::map::{Field, Map};
use crate::yaml::node::{Node, Text};

/// What a note does that is written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It is not in the result.
    Lost,
    /// kustomize does another thing because of it.
    Steers,
}

/// The effect of an annotation that is a note. `traced` says that the build tells of origins.
fn effect(key: &str, traced: bool) -> Option<Effect> {
    match key.strip_prefix("internal.config.kubernetes.io/") {
        Some("annotations-migration-resource-id" | "id" | "index" | "path" | "refBy" | "seqindent") => {
            return Some(Effect::Lost);
        }
        Some(
            "allowKindChange" | "allowNameChange" | "generatorBehavior" | "helm-generated"
            | "needsHashSuffix" | "prefixes" | "previousKinds" | "previousNames" | "previousNamespaces"
            | "suffixes",
        ) => return Some(Effect::Steers),
        Some(_) => return None,
        None => {}
    }
    match key {
        "config.k8s.io/id"
        | "config.kubernetes.io/index"
        | "config.kubernetes.io/origin"
        | "config.kubernetes.io/path" => Some(Effect::Lost),
        // What is noted of the build is added to it.
        "alpha.config.kubernetes.io/transformations" if traced => Some(Effect::Steers),
        "alpha.config.kubernetes.io/transformations" => Some(Effect::Lost),
        _ => None,
    }
}

fn annotations(object: &Node) -> impl Iterator<Item = &Field> {
    let map = object.get("metadata").and_then(|metadata| metadata.get("annotations")).and_then(Node::as_map);
    map.into_iter().flat_map(Map::iter)
}

/// Refuses an object with a note by which it steers.
pub(crate) fn steers_not(object: &Node, traced: bool) -> Outcome<()> {
    match annotations(object).find(|field| effect(&field.key, traced) == Some(Effect::Steers)) {
        None => Ok(()),
        Some(field) => {
            let message = format!("the annotation {} is a note of kustomize to itself", field.key);
            wrong(field.written(), message, "remove it: it would change what is built")
        }
    }
}

/// Takes the notes away that an object still has.
pub(crate) fn take_away(context: &mut Context<'_>, resource: &mut Resource, traced: bool) -> Outcome<()> {
    steers_not(&resource.node, traced)?;
    let lost = annotations(&resource.node).filter(|field| effect(&field.key, traced).is_some());
    let lost: Vec<Text> = lost.map(|field| field.key.clone()).collect();
    let metadata = resource.node.get_mut("metadata");
    let Some(map) = metadata.and_then(|metadata| metadata.get_mut("annotations")?.as_map_mut()) else {
        return Ok(());
    };
    for field in lost.iter().filter_map(|key| map.remove(key)) {
        let message =
            format!("the annotation {} is left out: it is a note of kustomize to itself", field.key);
        context.warn(field.written(), &message, "remove it");
    }
    Ok(())
}
