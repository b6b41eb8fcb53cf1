//! The build of one folder: all kustomizations below it, then names, references, variables and the order.

use super::accumulate::{Accumulator, Builder, Target};
use super::context::{Context, Outcome, Root, wrong};
use super::kustomization::load;
use super::names;
use super::notes;
use super::origin::{self, Origin};
use super::resource::Resource;
use super::schema::Schemas;
use super::sort::{Key, Order};
use super::{hash, transform};
use crate::yaml::Place;
use crate::yaml::node::{At, Content, Kind, Node};

/// Builds the kustomization of `folder`. `order` is for one that names none.
pub(crate) fn build(context: &mut Context<'_>, folder: &str, order: &Order) -> Outcome<Vec<Node>> {
    let root = Root { tree: 0, folder: folder.to_owned() };
    let at = At { file: context.number(folder), line: 1 };
    let kustomization = load(context, &root, at)?;
    let mut schemas = Schemas::default();
    if let Some(schema) = &kustomization.schema {
        schemas.read(context, &root, schema)?;
    }
    let origin = (!kustomization.build_metadata.is_empty()).then(Origin::default);
    let order = kustomization.order.clone().unwrap_or_else(|| order.clone());
    let target = Target { root, kustomization, above: Vec::new(), origin };
    let mut builder = Builder { context, schemas };
    let made = builder.accumulate(&target, Accumulator::default())?;
    let Accumulator { mut set, config, variables } = made;
    hash::rename(builder.context, set.items_mut());
    names::fix(builder.context, &mut set, &config.name_reference)?;
    variables.resolve(builder.context, &mut set, &config.var_reference)?;
    let mut finish = Finish::of(&target);
    let ranks = order.ranks();
    let mut objects = Vec::with_capacity(set.items().len());
    for mut resource in set.into_items() {
        if !is_local(&resource) {
            finish.one(context, &mut resource)?;
            order.warn_if_unranked(context, &resource);
            objects.push((ranks.as_ref().map(|ranks| Key::of(&resource, ranks)), resource.node));
        }
    }
    objects.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(objects.into_iter().map(|(_, object)| object).collect())
}

/// What is done to each object at the end.
struct Finish {
    origins: bool,
    transformations: bool,
    managed_by: bool,
    /// Whether the build tells of any of them.
    traced: bool,
    /// Where the build begins.
    at: At,
    /// The bytes of the objects that are finished.
    bytes: u64,
}

impl Finish {
    fn of(target: &Target<'_>) -> Self {
        let kustomization = &target.kustomization;
        let tells = |option: &str| kustomization.build_metadata.iter().any(|said| &*said.value == option);
        Self {
            origins: tells("originAnnotations"),
            transformations: tells("transformerAnnotations"),
            managed_by: tells("managedByLabel"),
            traced: target.origin.is_some(),
            at: kustomization.at,
            bytes: 0,
        }
    }

    fn one(&mut self, context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
        if self.managed_by {
            transform::managed_by(resource, self.at);
        }
        notes::take_away(context, resource, self.traced)?;
        origin::annotate(resource, self.origins, self.transformations, self.at);
        // Where nothing is taken away, what is empty stays.
        if !(self.origins && self.transformations) || resource.texts("annotations").next().is_some() {
            resource.stringify("annotations");
        }
        writable(&resource.node)?;
        self.bytes = weighed(context, &resource.node, self.bytes)?;
        Ok(())
    }
}

/// The bytes of an object; an error if those of all objects, with `before` of others, are too many, or if it is too deep.
fn weighed(context: &Context<'_>, object: &Node, before: u64) -> Outcome<u64> {
    let weight = object.weight();
    context.fits(object.at, &"this object", Place::default(), weight.inner)?;
    let (bytes, most) = (before.saturating_add(weight.bytes), context.meter.budget.output);
    if bytes <= most {
        return Ok(bytes);
    }
    let message = format!("with this object all of them have more than {most} bytes");
    wrong(object.at, message, "render fewer or smaller objects from one path")
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
