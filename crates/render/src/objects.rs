//! From documents to objects: lists are flattened, and what has no identity is a problem.

use countersign_core::facts::{ObjectKey, Position};

use crate::problems::Problems;
use crate::rendered::RenderedObject;
use crate::yaml::map::Field;
use crate::yaml::node::{Content, Node};

/// Adds the objects of `document` to `objects`: one, or those of a list. An empty document holds none.
pub(crate) fn collect(
    file: &str,
    document: Node,
    objects: &mut Vec<RenderedObject>,
    problems: &mut Problems,
) {
    if document.is_null() {
        return;
    }
    if document.as_map().is_none() {
        let message = format!("this is {}, not an object", document.what());
        let help = "begin the document with apiVersion, kind and metadata";
        problems.add(file, document.at.line, message, help);
        return;
    }
    if is_list(&document) {
        for item in items(file, document, problems) {
            collect(file, item, objects, problems);
        }
        return;
    }
    let origin = Position { file: file.to_owned(), line: document.at.line };
    keep(origin, document, objects, problems);
}

/// Adds one object to `objects`, if it says what names it.
pub(crate) fn keep(origin: Position, node: Node, objects: &mut Vec<RenderedObject>, problems: &mut Problems) {
    if let Some(key) = identity(&origin.file, &node, problems) {
        objects.push(RenderedObject { key, origin, node });
    }
}

fn is_list(document: &Node) -> bool {
    let text = |key: &str| document.get(key).and_then(Node::text);
    let has_items = |document: &Node| document.get("items").is_some_and(|items| items.as_list().is_some());
    match text("kind") {
        Some("List") => text("apiVersion") == Some("v1") || has_items(document),
        Some(kind) => kind.ends_with("List") && has_items(document),
        None => false,
    }
}

fn items(file: &str, list: Node, problems: &mut Problems) -> Vec<Node> {
    let Content::Map(mut fields) = list.content else { return Vec::new() };
    let Some(items) = fields.remove("items") else { return Vec::new() };
    let line = items.at.line;
    let what = items.value.what();
    match items.value.content {
        Content::List(items) => items,
        _ if what == "null" => Vec::new(),
        _ => {
            problems.add(file, line, format!("items is {what}, not a list"), "write a list of objects");
            Vec::new()
        }
    }
}

/// What names the object; `None`, and problems, if something of that is missing.
fn identity(file: &str, document: &Node, problems: &mut Problems) -> Option<ObjectKey> {
    let mut reader = Reader { file, problems };
    let api_version =
        reader.text(document, document.at.line, "apiVersion", "name the API version, as apps/v1");
    let kind = reader.text(document, document.at.line, "kind", "name the kind, as Deployment");
    let Some(metadata) = document.field("metadata") else {
        reader.problem(document.at.line, "metadata.name is missing", "give the object a name");
        return None;
    };
    if metadata.value.as_map().is_none() {
        let message = format!("metadata is {}, not a mapping", metadata.value.what());
        reader.problem(metadata.at.line, &message, "write metadata with a name");
        return None;
    }
    let name = metadata.value.get("name").and_then(Node::text).unwrap_or_default();
    // The API server asks for it only where there is no name.
    if let Some(generated) = metadata.value.field("generateName").filter(|_| name.is_empty()) {
        let message = "metadata.generateName would make another object at every apply";
        reader.problem(generated.at.line, message, "give the object a fixed metadata.name");
        return None;
    }
    let name = reader.text(&metadata.value, metadata.at.line, "name", "give the object a name");
    let namespace = match metadata.value.field("namespace") {
        None => None,
        Some(field) if field.value.is_null() || field.value.text() == Some("") => None,
        Some(field) => Some(reader.string(field)?),
    };
    Some(ObjectKey { api_version: api_version?, kind: kind?, namespace, name: name? })
}

struct Reader<'a> {
    file: &'a str,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn problem(&mut self, line: u32, message: &str, help: &str) {
        self.problems.add(self.file, line, message, help);
    }

    /// The text of a field that must be there.
    fn text(&mut self, node: &Node, line: u32, key: &str, help: &str) -> Option<String> {
        match node.field(key) {
            Some(field) if field.value.text() == Some("") => {
                self.problem(field.at.line, &format!("{key} is empty"), help);
                None
            }
            Some(field) => self.string(field),
            None => {
                let parent = if key == "name" { "metadata." } else { "" };
                self.problem(line, &format!("{parent}{key} is missing"), help);
                None
            }
        }
    }

    fn string(&mut self, field: &Field) -> Option<String> {
        if let Some(text) = field.value.text() {
            return Some(text.to_owned());
        }
        let message = format!("{} is {}, not a string", field.key, field.value.what());
        self.problem(field.at.line, &message, "put the value in quotes");
        None
    }
}
