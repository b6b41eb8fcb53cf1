//! The build of one folder: all kustomizations below it, then names, references, variables and the order.

use super::accumulate::{Accumulator, Builder, Target};
use super::context::{Context, Outcome, Root, wrong};
use super::kustomization::load;
use super::names;
use super::origin::{self, Origin};
use super::resource::Resource;
use super::schema::Schemas;
use super::sort::{self, Order};
use super::{hash, transform};
use crate::yaml::node::{At, Content, Kind, Node};

/// Builds the kustomization of `folder`. `order` is for one that names none.
pub(crate) fn build(context: &mut Context<'_>, folder: &str, order: &Order) -> Outcome<Vec<Resource>> {
    let root = Root { tree: 0, folder: folder.to_owned() };
    let at = At { file: context.number(folder), line: 1 };
    let kustomization = load(context, &root, at)?;
    let mut schemas = Schemas::default();
    if let Some(schema) = &kustomization.schema {
        schemas.read(context, &root, schema, true)?;
    }
    let tells = |option: &str| kustomization.build_metadata.iter().any(|said| &*said.value == option);
    let told = (tells("originAnnotations"), tells("transformerAnnotations"), tells("managedByLabel"));
    let origin = (!kustomization.build_metadata.is_empty()).then(Origin::default);
    let order = kustomization.order.clone().unwrap_or_else(|| order.clone());
    let target = Target { root, kustomization, above: Vec::new(), origin };
    let mut builder = Builder { context, schemas };
    let made = builder.accumulate(&target, Accumulator::default())?;
    let Accumulator { mut set, config, variables } = made;
    hash::rename(set.items_mut());
    // What a JSON patch called the same is told here; kustomize panics over it.
    set.each_once()?;
    names::fix(builder.context, &mut set, &config.name_reference)?;
    variables.resolve(builder.context, &mut set, &config.var_reference)?;
    let mut resources = set.into_items();
    resources.retain(|resource| !is_local(resource));
    sort::sort(&mut resources, &order);
    if told.2 {
        transform::managed_by(&mut resources, target.kustomization.at);
    }
    for resource in &mut resources {
        origin::annotate(resource, told.0, told.1, target.kustomization.at);
        if !told.0 || !told.1 {
            resource.stringify("annotations");
        }
        writable(&resource.node)?;
    }
    Ok(resources)
}

/// Whether an object is only for kustomize itself.
fn is_local(resource: &Resource) -> bool {
    resource.annotation("config.kubernetes.io/local-config").is_some_and(|value| value != "false")
}

/// Refuses numbers that JSON cannot hold.
fn writable(node: &Node) -> Outcome<()> {
    match &node.content {
        Content::Scalar(scalar) if scalar.kind == Kind::Unwritable => {
            let shown = crate::yaml::scalar::shown(&scalar.text);
            wrong(
                node.at,
                format!("the number {shown} cannot be written exactly in JSON"),
                crate::yaml::scalar::QUOTE_IT,
            )
        }
        Content::Scalar(_) => Ok(()),
        Content::List(items) => items.iter().try_for_each(writable),
        Content::Map(map) => map.iter().try_for_each(|field| writable(&field.value)),
    }
}
