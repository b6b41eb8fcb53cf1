//! The hash of its content that a generated object bears in its name.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::context::Context;
use super::resource::Resource;
use crate::yaml::map::Map;
use crate::yaml::node::{Content, Node};
use crate::yaml::scalar;

/// The kinds that generators make.
const HASHED: [&str; 2] = ["ConfigMap", "Secret"];

/// Gives every object that asks for it a name that ends in the hash of its content.
pub(crate) fn rename(context: &mut Context<'_>, resources: &mut [Resource]) {
    for resource in resources.iter_mut().filter(|resource| resource.hashed) {
        if !HASHED.contains(&resource.kind()) {
            let message = "the hash in this name is of the object: kustomize's is of its own notes as well";
            context.warn(resource.node.at, message, "do not change the kind of what is generated");
        }
        let data = resource.node.get("data").and_then(Node::as_map).into_iter().flat_map(Map::iter);
        let mut scalars = data.filter_map(|field| Some((field.at, field.value.as_scalar()?)));
        if let Some((at, _)) = scalars.find(|(_, scalar)| scalar.is_large_integer()) {
            context.warn(at, scalar::ROUNDED, scalar::QUOTE_IT);
        }
        let name = format!("{}-{}", resource.name(), content_hash(&resource.node));
        resource.remember();
        let at = resource.node.at;
        resource.set_name(&name, at);
    }
}

/// The ten characters that stand for an object's content: of a SHA-256 in hexadecimal, without vowels and
/// without what looks like them.
pub(crate) fn content_hash(node: &Node) -> String {
    let digest = Sha256::digest(go_json(&hashed_value(node)));
    let hexadecimal = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect::<String>();
    let spelled = |c: char| match c {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    hexadecimal.chars().map(spelled).collect()
}

/// What of an object is hashed.
fn hashed_value(node: &Node) -> Value {
    let kind = node.get("kind").and_then(Node::raw).map_or("", |text| text);
    let mut hashed = serde_json::Map::new();
    let mut take = |name: &str, node: Option<&Node>, always: bool| {
        let value = match node.map(|node| &node.content) {
            None => Value::from(""),
            Some(Content::Scalar(scalar)) => Value::from(&*scalar.text),
            Some(Content::List(_)) => Value::Null,
            Some(Content::Map(_)) => node.map_or(Value::Null, Node::value),
        };
        if always || value.is_object() {
            hashed.insert(name.to_owned(), value);
        }
    };
    match kind {
        "ConfigMap" | "Secret" => {
            // kustomize looks for the name where it never is, and hashes an empty one.
            take("name", None, true);
            take("data", node.get("data"), true);
            if kind == "Secret" {
                take("type", node.get("type"), true);
                take("stringData", node.get("stringData"), false);
            } else {
                take("binaryData", node.get("binaryData"), false);
            }
            hashed.insert("kind".to_owned(), Value::from(kind));
            Value::Object(hashed)
        }
        _ => node.value(),
    }
}

/// `value` as Go writes JSON: keys sorted, and `<`, `>`, `&` and line separators escaped.
fn go_json(value: &Value) -> String {
    let text = value.to_string();
    if !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}
