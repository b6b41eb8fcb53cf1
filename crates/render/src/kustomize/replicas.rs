//! The number of replicas of the objects that have one.

use super::context::{Context, Outcome, wrong};
use super::each::Each;
use super::fields::Fields;
use super::fieldspec::{FieldSpec, Make, Room, Visit, set_text};
use super::id::Id;
use super::resource::Resource;
use crate::yaml::node::{At, Content, Kind, Node, Text, UNTAGGED};

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

/// A number of replicas that is set.
pub(crate) struct ReplicaCount<'t> {
    replicas: &'t Replicas,
    specs: &'t [FieldSpec],
    found: bool,
}

impl<'t> ReplicaCount<'t> {
    pub(crate) fn new(replicas: &'t Replicas, specs: &'t [FieldSpec]) -> Self {
        Self { replicas, specs, found: false }
    }
}

impl Each for ReplicaCount<'_> {
    fn change(&mut self, context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
        let Replicas { at, name, count } = self.replicas;
        let named = |id: &Id<'_>, spec: &FieldSpec| id.name == &**name && spec.is_of(id);
        let is = |other: &str| other == &**name;
        context.steps(*at, 2 + resource.previous.len())?;
        if !is(resource.name()) && !resource.previous.iter().any(|previous| is(&previous.name)) {
            return Ok(());
        }
        context.steps(*at, self.specs.len())?;
        for spec in self.specs {
            if !named(&resource.id(), spec) && !resource.previous_ids().any(|id| named(&id, spec)) {
                continue;
            }
            self.found = true;
            if !spec.is_of(&resource.id()) {
                continue;
            }
            let count = Text::from(count.to_string());
            let act = |room: &mut Room<'_, '_>, node: &mut Node| {
                set_text(room, node, *at, count.clone(), Some(Kind::Int))?;
                if let Content::Scalar(scalar) = &mut node.content
                    && scalar.share == UNTAGGED
                {
                    scalar.share = 0;
                }
                Ok(())
            };
            let mut visit = Visit { context, make: Make::Scalar, at: *at, act };
            visit.field(&mut resource.node, spec)?;
        }
        Ok(())
    }

    fn end(&self) -> Outcome<()> {
        if self.found {
            return Ok(());
        }
        let Replicas { at, name, .. } = self.replicas;
        let message = format!("no object with replicas is called {name:?}");
        wrong(*at, message, "correct the name: it is that of a Deployment, StatefulSet or ReplicaSet")
    }
}

/// The replicas that the fields of a plugin's configuration ask for.
pub(crate) fn plugin_replicas(fields: &mut Fields) -> Outcome<Replicas> {
    match fields.take("replica") {
        Some(field) => Replicas::from_node(field.value),
        None => wrong(fields.at, "the configuration has no replica", "write replica, with name and count"),
    }
}
