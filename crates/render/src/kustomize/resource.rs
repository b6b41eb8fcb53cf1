//! An object while it is built: what it holds, what it was called, and what still happens to it.

use std::sync::Arc;

use super::id::{DEFAULT_NAMESPACE_TEXT, Id, NO_NAMESPACE_TEXT, Scopes};
use super::origin::Origin;
use super::shared::Shares;
use crate::yaml::map::Map;
use crate::yaml::node::{At, Content, Kind, Node, Scalar, Text, UNTAGGED};
use crate::yaml::plain;
use crate::yaml::scalar::plain_kind;

/// A name that an object had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) kind: Text,
    pub(crate) name: Text,
    /// The namespace that counted.
    pub(crate) namespace: Text,
}

/// What becomes of a generated object where one of that name exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// It is an error.
    #[default]
    Create,
    Replace,
    Merge,
}

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) node: Node,
    /// What it was called, the oldest first.
    pub(crate) previous: Vec<Previous>,
    pub(crate) prefixes: Vec<Text>,
    pub(crate) suffixes: Vec<Text>,
    pub(crate) behavior: Behavior,
    /// Whether its name ends in a hash of its content.
    pub(crate) hashed: bool,
    /// The variables that take their value from it.
    pub(crate) variables: Vec<Text>,
    pub(crate) origin: Option<Arc<Origin>>,
    pub(crate) transformations: Vec<Arc<Origin>>,
    /// Values of it that are one.
    pub(crate) shares: Shares,
    /// Whether a patch has deleted it.
    pub(crate) empty: bool,
    /// What a schema says of custom kinds, for an object that was read.
    pub(crate) scopes: Option<Scopes>,
}

impl Resource {
    pub(crate) fn new(node: Node) -> Self {
        Self {
            node,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            behavior: Behavior::Create,
            hashed: false,
            variables: Vec::new(),
            origin: None,
            transformations: Vec::new(),
            shares: Shares::default(),
            empty: false,
            scopes: None,
        }
    }

    /// The text of a field of the object itself.
    pub(crate) fn text(&self, key: &str) -> Option<&Text> {
        self.node.get(key).and_then(Node::raw)
    }

    fn part(&self, key: &str) -> &str {
        self.text(key).map_or("", |text| text)
    }

    pub(crate) fn api_version(&self) -> &str {
        self.part("apiVersion")
    }

    pub(crate) fn kind(&self) -> &str {
        self.part("kind")
    }

    /// The text of a field of its metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<&Text> {
        let node = self.node.get("metadata")?.get(key)?;
        node.as_scalar().filter(|scalar| scalar.kind != Kind::Null).map(|scalar| &scalar.text)
    }

    pub(crate) fn name(&self) -> &str {
        self.metadata("name").map_or("", |text| text)
    }

    pub(crate) fn namespace(&self) -> &str {
        self.metadata("namespace").map_or("", |text| text)
    }

    /// What it is called now.
    pub(crate) fn id(&self) -> Id<'_> {
        let mut id = Id::new(self.api_version(), self.kind(), self.name(), self.namespace());
        let known = self.scopes.as_ref().and_then(|scopes| scopes.get()?.get(id.kind));
        id.cluster |= known.is_some_and(|versions| versions.iter().any(|one| **one == *self.api_version()));
        id
    }

    /// What it was called before.
    pub(crate) fn previous_ids(&self) -> impl Iterator<Item = Id<'_>> {
        let (group, version) = super::id::group_version(self.api_version());
        self.previous.iter().map(move |previous| Id {
            group,
            version,
            kind: &previous.kind,
            name: &previous.name,
            namespace: &previous.namespace,
            cluster: false,
        })
    }

    /// What it was called at first.
    pub(crate) fn original_id(&self) -> Id<'_> {
        self.previous_ids().next().unwrap_or_else(|| self.id())
    }

    /// The namespace that counts, as a text that is shared.
    pub(crate) fn effective_namespace(&self, cluster: bool) -> Text {
        match self.metadata("namespace") {
            _ if cluster => NO_NAMESPACE_TEXT.clone(),
            Some(namespace) if !namespace.is_empty() => namespace.clone(),
            _ => DEFAULT_NAMESPACE_TEXT.clone(),
        }
    }

    /// Remembers what it is called now.
    pub(crate) fn remember(&mut self) {
        let id = self.id();
        let previous = Previous {
            kind: self.text("kind").cloned().unwrap_or_else(|| Text::from(id.kind)),
            name: self.metadata("name").cloned().unwrap_or_else(|| Text::from("")),
            namespace: self.effective_namespace(id.cluster),
        };
        // Hardly any object is called more than two names in a row.
        if self.previous.last() != Some(&previous) {
            self.previous.reserve_exact(1);
            self.previous.push(previous);
        }
    }

    /// The labels or the annotations, as far as they are there.
    pub(crate) fn texts(&self, field: &str) -> impl Iterator<Item = (&str, &str)> {
        let map = self.node.get("metadata").and_then(|metadata| metadata.get(field)).and_then(Node::as_map);
        map.into_iter()
            .flat_map(Map::iter)
            .map(|field| (&*field.key, field.value.raw().map_or("", |text| &**text)))
    }

    /// A label, or an annotation, if it is there.
    pub(crate) fn metadata_text(&self, field: &str, key: &str) -> Option<&str> {
        let texts = self.node.get("metadata")?.get(field)?;
        Some(texts.get(key)?.raw().map_or("", |text| text))
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata_text("annotations", key)
    }

    /// The mapping at `metadata`, which is made if it is not there.
    pub(crate) fn metadata_mut(&mut self, at: At) -> Option<&mut Map> {
        let root = self.node.as_map_mut()?;
        let metadata = root.get_or_set(&Text::from("metadata"), at, || Node::map(at))?;
        if metadata.is_null() {
            *metadata = Node::map(at);
        }
        metadata.as_map_mut()
    }

    pub(crate) fn set_name(&mut self, name: &str, at: At) {
        set_string(self.metadata_mut(at), "name", name, at);
    }

    /// The name as it is written: it may be a number.
    pub(crate) fn written_name(&self) -> Option<Node> {
        self.node.get("metadata")?.get("name").cloned()
    }

    /// Sets a name as it was written: one that is a number stays one, whatever is there.
    pub(crate) fn set_written_name(&mut self, name: Option<Node>, at: At) {
        let Some(name) = name else { return };
        let text = name.raw().cloned().unwrap_or_else(|| Text::from(""));
        if let Some(metadata) = self.metadata_mut(at) {
            metadata.set(&Text::from("name"), name.at, name);
        }
        self.set_name(&text, at);
    }

    /// Sets the namespace; none if it is empty.
    pub(crate) fn set_namespace(&mut self, namespace: &str, at: At) {
        let metadata = self.metadata_mut(at);
        if namespace.is_empty() {
            metadata.and_then(|metadata| metadata.remove("namespace"));
        } else {
            set_string(metadata, "namespace", namespace, at);
        }
    }

    pub(crate) fn set_kind(&mut self, kind: &str, at: At) {
        set_string(self.node.as_map_mut(), "kind", kind, at);
    }

    /// Makes texts of all values of `metadata.FIELD`, each on its own, and drops the field if it is empty: what kustomize
    /// does to annotations wherever it notes something in them and at the end of a build, and to labels that it merges.
    pub(crate) fn stringify(&mut self, field: &str) {
        let Some(metadata) = self.node.get_mut("metadata").and_then(Node::as_map_mut) else { return };
        let Some(node) = metadata.get_mut(field) else { return };
        let Some(map) = node.as_map_mut().filter(|map| !map.is_empty()) else {
            metadata.remove(field);
            return;
        };
        for field in map.iter_mut() {
            let text = field.value.raw().cloned().unwrap_or_else(|| Text::from(""));
            field.value.content = Content::Scalar(plain::made(text));
        }
    }
}

/// Sets a field to a text. What stands without quotes then says itself what it is.
fn set_string(map: Option<&mut Map>, key: &str, text: &str, at: At) {
    let Some(map) = map else { return };
    let Some(node) = map.get_mut(key) else {
        let scalar = Scalar { share: UNTAGGED, ..plain::made(text) };
        return map.set(&Text::from(key), at, Node { at, content: Content::Scalar(scalar) });
    };
    if node.raw().is_none_or(|raw| **raw != *text) {
        node.at = at;
    }
    let quoted = node.as_scalar().is_some_and(|scalar| scalar.quoted);
    let kind = if quoted { Kind::Str } else { plain_kind(text) };
    node.content = Content::Scalar(Scalar { text: text.into(), kind, quoted, share: UNTAGGED });
}
