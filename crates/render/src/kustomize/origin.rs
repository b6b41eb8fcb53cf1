//! What `buildMetadata` says of an object: the file that it came from, and who changed it.

use std::sync::Arc;

use super::context::{Context, Outcome};
use super::each::Each;
use super::fieldspec::READ;
use super::resource::Resource;
use crate::yaml::node::{At, Node, Text};

/// Where an object came from, or what made or changed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// A file or folder, seen from where the build began.
    path: String,
    /// The file of what made or changed it.
    configured_in: String,
    /// What made or changed it: API version, kind, name and namespace.
    configured_by: Option<[String; 4]>,
}

impl Origin {
    /// The origin of something below this folder.
    pub(crate) fn below(&self, path: &str) -> Self {
        Self { path: clean(&self.path, path), ..Self::default() }
    }

    /// The origin of what a field of a kustomization makes, or of its change.
    pub(crate) fn builtin(&self, file: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            configured_in: clean(&self.path, file),
            configured_by: Some(["builtin".to_owned(), kind.to_owned(), String::new(), String::new()]),
        }
    }

    /// The origin of what a plugin makes whose configuration is `resource`.
    pub(crate) fn plugin(resource: &Resource) -> Option<Self> {
        let origin = resource.origin.as_ref()?;
        let texts = [resource.api_version(), resource.kind(), resource.name(), resource.namespace()];
        Some(Self {
            path: String::new(),
            configured_in: origin.path.clone(),
            configured_by: Some(texts.map(str::to_owned)),
        })
    }

    /// The lines that say it, each as a key and a value.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = |indent: &str, key: &str, value: &str| {
            if !value.is_empty() {
                lines.push(format!("{indent}{key}: {value}"));
            }
        };
        line("", "path", &self.path);
        line("", "configuredIn", &self.configured_in);
        if let Some([api_version, kind, name, namespace]) = &self.configured_by {
            line("", "configuredBy", " ");
            line("  ", "apiVersion", api_version);
            line("  ", "kind", kind);
            line("  ", "name", name);
            line("  ", "namespace", namespace);
        }
        lines.iter().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// `path` below `folder`, without `.` and `..` where they can be resolved.
fn clean(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// Writes the annotations that the build asks for.
pub(crate) fn annotate(resource: &mut Resource, origins: bool, transformations: bool, at: At) {
    let mut annotations = Vec::new();
    if let Some(origin) = resource.origin.as_ref().filter(|_| origins) {
        annotations.push(("config.kubernetes.io/origin", origin.lines().join("\n") + "\n"));
    }
    if transformations && !resource.transformations.is_empty() {
        let item = |origin: &Arc<Origin>| format!("- {}\n", origin.lines().join("\n  "));
        let text = resource.transformations.iter().map(item).collect();
        annotations.push(("alpha.config.kubernetes.io/transformations", text));
    }
    if annotations.is_empty() {
        return;
    }
    let Some(metadata) = resource.metadata_mut(at) else { return };
    let node = metadata.get_or_set(&Text::from("annotations"), at, || Node::map(at));
    let Some(map) = node.and_then(Node::as_map_mut) else { return };
    for (key, text) in annotations {
        map.set(&Text::from(key), at, Node::string(at, text));
    }
}

/// The note that a transformer has run over an object. One without an origin was made by it.
pub(crate) struct Note {
    origin: Arc<Origin>,
    at: At,
    bytes: u64,
}

impl Note {
    pub(crate) fn new(origin: Origin, at: At) -> Self {
        let bytes = origin.lines().iter().map(|line| line.len() as u64).sum();
        Self { origin: Arc::new(origin), at, bytes }
    }
}

impl Each for Note {
    fn change(&mut self, context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()> {
        context.grow(self.at, &"buildMetadata", self.bytes)?;
        if resource.origin.is_none() {
            resource.origin = Some(self.origin.clone());
        } else {
            resource.transformations.push(self.origin.clone());
        }
        // kustomize notes it as an annotation, for which it writes all of them anew.
        let bytes = resource.texts("annotations").map(|(_, text)| text.len()).sum::<usize>();
        context.steps(self.at, bytes / READ)?;
        resource.stringify("annotations");
        Ok(())
    }
}
