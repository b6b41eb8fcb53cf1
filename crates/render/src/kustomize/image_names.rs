//! The names, tags and digests of container images.

use super::context::{Context, Outcome, wrong};
use super::each::Each;
use super::fields::{Fields, Said};
use super::fieldspec::{FieldSpec, Make, Room, SPECS, Visit, set_text};
use super::resource::Resource;
use super::selector::{self, Expression};
use crate::yaml::node::{At, Content, Node, Text, UNTAGGED};

/// An entry of `images`.
pub(crate) struct ImageChange {
    at: At,
    name: Text,
    new_name: Option<Said<Text>>,
    suffix: Option<Said<Text>>,
    new_tag: Option<Said<Text>>,
    digest: Option<Said<Text>>,
}

impl ImageChange {
    pub(crate) fn from_node(node: Node) -> Outcome<Self> {
        let mut fields = Fields::of(node, "an image")?;
        let at = fields.at;
        let change = Self {
            at,
            name: fields.text("name")?,
            new_name: fields.filled("newName")?,
            suffix: fields.filled("tagSuffix")?,
            new_tag: fields.filled("newTag")?,
            digest: fields.filled("digest")?,
        };
        fields.finish()?;
        Ok(change)
    }

    /// The image that it makes of one that it is for.
    fn changed(&self, image: &str) -> String {
        let (name, mut tag, mut digest) = parts(image);
        let name = self.new_name.as_ref().map_or(name, |said| &said.value);
        let suffixed;
        match (&self.new_tag, &self.digest, &self.suffix) {
            (Some(new), Some(pin), _) => (tag, digest) = (&new.value, &pin.value),
            (Some(new), None, _) => (tag, digest) = (&new.value, ""),
            (None, Some(pin), _) => (tag, digest) = ("", &pin.value),
            (None, None, Some(suffix)) => {
                suffixed = format!("{tag}{}", suffix.value);
                (tag, digest) = (&suffixed, "");
            }
            (None, None, None) => {}
        }
        let mut image = name.to_owned();
        for (sign, part) in [(':', tag), ('@', digest)] {
            if !part.is_empty() {
                image.push(sign);
                image.push_str(part);
            }
        }
        image
    }
}

/// The name, the tag and the digest of an image. A host's port is no tag.
fn parts(image: &str) -> (&str, &str, &str) {
    let slash = image.find('/').filter(|at| *at > 0).unwrap_or(0);
    let (host, rest) = image.split_at_checked(slash).unwrap_or(("", image));
    let (tagged, digest) = rest.split_once('@').unwrap_or((rest, ""));
    let (name, tag) = match tagged.split_once(':') {
        Some((name, tag)) => (name, tag),
        None => (tagged, ""),
    };
    (image.get(..host.len() + name.len()).unwrap_or(image), tag, digest)
}

/// Which images a change is for.
struct Filter<'c> {
    change: &'c ImageChange,
    expression: Option<Expression>,
}

impl Filter<'_> {
    fn apply(&self, room: &mut Room<'_, '_>, node: &mut Node) -> Outcome<()> {
        let Some(scalar) = node.as_scalar() else {
            return wrong(node.at, format!("an image is {}, not a text", node.what()), "write one text");
        };
        room.steps(self.expression.as_ref().map_or(0, |expression| expression.cost(&scalar.text)))?;
        let fits = self.expression.as_ref().is_some_and(|expression| expression.is_match(&scalar.text));
        if !fits {
            return Ok(());
        }
        let image = self.change.changed(&scalar.text);
        set_text(room, node, self.change.at, image.into(), None)?;
        if let Content::Scalar(scalar) = &mut node.content {
            scalar.share = UNTAGGED;
        }
        Ok(())
    }

    /// Follows kustomize to every list of containers, wherever it is.
    fn containers(&self, room: &mut Room<'_, '_>, node: &mut Node) -> Outcome<()> {
        room.steps(1)?;
        match &mut node.content {
            Content::Scalar(_) => Ok(()),
            Content::List(items) => items.iter_mut().try_for_each(|item| self.containers(room, item)),
            Content::Map(map) => map.iter_mut().try_for_each(|field| {
                self.containers(room, &mut field.value)?;
                match (&*field.key, &mut field.value.content) {
                    ("containers" | "initContainers", Content::List(items)) => {
                        items.iter_mut().try_for_each(|item| {
                            match item.get_mut("image").filter(|image| !image.is_null()) {
                                Some(image) => self.apply(room, image),
                                None => Ok(()),
                            }
                        })
                    }
                    _ => Ok(()),
                }
            }),
        }
    }
}

/// A change of images everywhere.
pub(crate) struct Images<'t> {
    filter: Filter<'t>,
    specs: &'t [FieldSpec],
}

/// The change of images that is asked for, in all lists of containers and in the fields of `specs`.
pub(crate) fn images<'t>(
    context: &mut Context<'_>,
    change: &'t ImageChange,
    specs: &'t [FieldSpec],
) -> Outcome<Images<'t>> {
    let tail = "(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?$";
    let pattern = format!("^{}{tail}", change.name);
    // A name that is no expression is for no image.
    let expression = match regex_syntax(&change.name) {
        true => Some(selector::expression(context, &pattern, change.at)?),
        false => {
            let message = format!(
                "the image name {} is no regular expression: no image fits",
                crate::yaml::scalar::shown(&change.name)
            );
            context.warn(change.at, &message, "correct the name");
            None
        }
    };
    Ok(Images { filter: Filter { change, expression }, specs })
}

impl Each for Images<'_> {
    fn change(&mut self, context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
        if resource.kind() == "CustomResourceDefinition" {
            return Ok(());
        }
        let Self { filter, specs } = self;
        let at = filter.change.at;
        let mut room = Room { context, at, field: "image" };
        filter.containers(&mut room, &mut resource.node)?;
        context.steps(at, specs.len() / SPECS)?;
        let specs: Vec<_> = {
            let id = resource.id();
            specs.iter().filter(|spec| spec.is_of(&id)).collect()
        };
        let act = |room: &mut Room<'_, '_>, node: &mut Node| filter.apply(room, node);
        let mut visit = Visit { context, make: Make::Nothing, at, act };
        specs.into_iter().try_for_each(|spec| visit.field(&mut resource.node, spec))
    }
}

/// Whether a text could be a regular expression at all: cheap, and not the last word.
fn regex_syntax(text: &str) -> bool {
    let open = |a: char, b: char| text.matches(a).count() == text.matches(b).count();
    open('[', ']') && open('(', ')') && !text.ends_with('\\') && !text.starts_with(['*', '+', '?'])
}
