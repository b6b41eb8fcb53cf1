//! Reading the fields of a kustomization: each must be known, and be what it should be.

use crate::kustomize::context::{Context, Outcome, wrong};
use crate::yaml::map::Field;
use crate::yaml::node::{At, Content, Kind, Node, Text};
use crate::yaml::scalar;

/// A value, and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Said<T> {
    pub(crate) at: At,
    pub(crate) value: T,
}

/// Texts by key, sorted, with where each was written.
pub(crate) type Pairs = Vec<(Text, Said<Text>)>;

/// The fields of a mapping that are not read yet.
pub(crate) struct Fields {
    fields: Vec<Field>,
    what: &'static str,
    pub(crate) at: At,
}

impl Fields {
    /// The fields of `node`, which is `what` to a person.
    pub(crate) fn of(node: Node, what: &'static str) -> Outcome<Self> {
        let at = node.at;
        match node.content {
            Content::Map(map) => Ok(Self { fields: map.into_fields(), what, at }),
            _ => wrong(
                at,
                format!("{what} is {}, not a mapping", node.what()),
                "write it as a mapping of fields",
            ),
        }
    }

    /// Takes a field. Like Go's reader of JSON, it takes another capitalization where the exact one is missing.
    /// Null is as good as nothing.
    pub(crate) fn take(&mut self, name: &str) -> Option<Field> {
        let exact = self.fields.iter().position(|field| &*field.key == name);
        let index =
            exact.or_else(|| self.fields.iter().position(|field| field.key.eq_ignore_ascii_case(name)))?;
        let field = self.fields.remove(index);
        if field.value.is_null() { None } else { Some(field) }
    }

    pub(crate) fn string(&mut self, name: &str) -> Outcome<Option<Said<Text>>> {
        self.take(name).map(|field| string(field.value, name)).transpose()
    }

    /// A text; empty if it is missing.
    pub(crate) fn text(&mut self, name: &str) -> Outcome<Text> {
        Ok(self.string(name)?.map_or_else(|| Text::from(""), |said| said.value))
    }

    /// A text that is not empty.
    pub(crate) fn filled(&mut self, name: &str) -> Outcome<Option<Said<Text>>> {
        Ok(self.string(name)?.filter(|said| !said.value.is_empty()))
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Outcome<bool> {
        let Some(field) = self.take(name) else { return Ok(false) };
        match field.value.as_scalar() {
            Some(scalar) if scalar.kind == Kind::Bool => Ok(scalar::is_true(&scalar.text)),
            _ => wrong(
                field.at,
                format!("{name} is {}, not true or false", field.value.what()),
                "write true or false",
            ),
        }
    }

    pub(crate) fn integer(&mut self, name: &str) -> Outcome<Option<Said<i64>>> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let value = field.value.as_scalar().filter(|scalar| scalar.kind == Kind::Int);
        match value.and_then(|scalar| scalar.value().as_i64()) {
            Some(value) => Ok(Some(Said { at: field.at, value })),
            None => wrong(
                field.at,
                format!("{name} is {}, not an integer", field.value.what()),
                "write an integer",
            ),
        }
    }

    pub(crate) fn list(&mut self, name: &str) -> Outcome<Vec<Node>> {
        let Some(field) = self.take(name) else { return Ok(Vec::new()) };
        let what = field.value.what();
        match field.value.content {
            Content::List(items) => Ok(items),
            _ => wrong(field.at, format!("{name} is {what}, not a list"), "write a list"),
        }
    }

    pub(crate) fn strings(&mut self, name: &str) -> Outcome<Vec<Said<Text>>> {
        self.list(name)?.into_iter().map(|item| string(item, name)).collect()
    }

    pub(crate) fn pairs(&mut self, name: &str) -> Outcome<Option<Pairs>> {
        self.take(name).map(|field| pairs(field.value, name)).transpose()
    }

    /// The fields that are left.
    pub(crate) fn rest(&self) -> &[Field] {
        &self.fields
    }

    /// Warns of what nobody has read: kustomize does not look at it.
    pub(crate) fn ignore(self, context: &mut Context<'_>) {
        for field in &self.fields {
            let message = format!("{} has no field {}", self.what, scalar::shown(&field.key));
            context.warn(field.at, &message, "correct its name, or remove it");
        }
    }

    /// Refuses what nobody has read.
    pub(crate) fn finish(self) -> Outcome<()> {
        match self.fields.first() {
            None => Ok(()),
            Some(field) => {
                let message = format!("{} has no field {}", self.what, scalar::shown(&field.key));
                wrong(field.at, message, "correct its name or its indentation, or remove it")
            }
        }
    }
}

/// The text of a string.
pub(crate) fn string(node: Node, name: &str) -> Outcome<Said<Text>> {
    let at = node.at;
    match (node.raw(), node.text()) {
        (Some(text), Some(_)) => Ok(Said { at, value: text.clone() }),
        _ => wrong(at, format!("{name} holds {}, not a string", node.what()), "put the value in quotes"),
    }
}

/// The texts of a mapping of strings.
pub(crate) fn pairs(node: Node, name: &str) -> Outcome<Pairs> {
    let (at, what) = (node.at, node.what());
    let Content::Map(map) = node.content else {
        return wrong(at, format!("{name} is {what}, not a mapping"), "write keys and values");
    };
    let pair = |field: Field| {
        let value = if field.value.is_null() {
            Said { at: field.at, value: Text::from("") }
        } else {
            Said { at: field.at, value: string(field.value, name)?.value }
        };
        Ok((field.key, value))
    };
    map.into_fields().into_iter().map(pair).collect()
}
