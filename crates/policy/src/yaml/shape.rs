//! The shape of a document against a JSON Schema, every mistake with its line.
//!
//! What `schemars` writes for the types of this project is understood, and no more: what is not
//! understood passes here, and is left to the deserializer that has the last word.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::facts::Problem;
use serde_json::{Map, Value};

use super::rules::{self, Rule};
use super::{Content, Entry, MAX_PROBLEMS, Node, problem, shorten, suggest};

/// References that lead to references may do so this often.
const MAX_REFERENCES: usize = 8;

/// Checks a document against a schema. Returns what is left of it without the entries and optional fields
/// that have mistakes (`None` if something required has one), and the mistakes.
#[must_use]
pub fn check(file: &str, schema: &Value, document: &Node) -> (Option<Value>, Vec<Problem>) {
    let mut shape = Shape { file, root: schema, rules: rules::all(), problems: Vec::new() };
    let value = shape.value(schema, document, &At { path: String::new(), line: document.line });
    (value, shape.problems)
}

/// Where the check is: the keys that lead there, and the line to show.
struct At {
    path: String,
    line: u32,
}

impl At {
    fn below(&self, key: &str, line: u32) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { path, line }
    }

    /// The place as a message names it.
    fn name(&self) -> String {
        if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.path) }
    }
}

struct Shape<'a> {
    file: &'a str,
    root: &'a Value,
    rules: Vec<Rule>,
    problems: Vec<Problem>,
}

impl<'a> Shape<'a> {
    fn report(&mut self, line: u32, message: String, help: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem(self.file, line, message, help));
        }
    }

    /// Follows `$ref`, and the `anyOf` of an optional value.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..MAX_REFERENCES {
            let options = schema.get("anyOf").and_then(Value::as_array);
            let some = options.and_then(|options| options.iter().find(|option| !is_null_schema(option)));
            let reference = schema.get("$ref").and_then(Value::as_str);
            let referred = reference.and_then(|path| self.root.pointer(path.trim_start_matches('#')));
            let Some(next) = some.or(referred) else { break };
            schema = next;
        }
        schema
    }

    fn value(&mut self, schema: &'a Value, node: &Node, at: &At) -> Option<Value> {
        if matches!(node.content, Content::Scalar(Value::Null)) && accepts_null(schema) {
            return Some(Value::Null);
        }
        let schema = self.resolve(schema);
        if let Some(words) = words(schema) {
            return self.word(&words, node, at);
        }
        match type_of(schema) {
            Some("object") => self.object(schema, node, at),
            Some("array") => self.list(schema, node, at),
            Some("string") => self.text(schema, node, at),
            Some("boolean") => self.scalar(node, at, "true or false", Value::is_boolean),
            Some("number") => self.scalar(node, at, "a number", Value::is_number),
            Some("integer") if schema.get("minimum").and_then(Value::as_i64) == Some(0) => {
                self.scalar(node, at, "a whole number from 0", Value::is_u64)
            }
            Some("integer") => {
                self.scalar(node, at, "a whole number", |value| value.is_i64() || value.is_u64())
            }
            _ => Some(node.to_json()),
        }
    }

    fn mistyped(&mut self, node: &Node, at: &At, expected: &str) -> Option<Value> {
        let help = match (&node.content, expected) {
            (Content::Scalar(Value::Null), _) => "give it a value, or remove the line",
            (Content::Scalar(Value::Bool(_) | Value::Number(_)), "text") => "put it in quotes",
            (Content::Scalar(_), "a list") => "write `- ` before each item, or `[` and `]` around them",
            _ => "",
        };
        self.report(at.line, format!("{} must be {expected}, but is {}", at.name(), node.kind()), help);
        None
    }

    fn scalar(&mut self, node: &Node, at: &At, expected: &str, fits: fn(&Value) -> bool) -> Option<Value> {
        match &node.content {
            Content::Scalar(value) if fits(value) => Some(value.clone()),
            _ => self.mistyped(node, at, expected),
        }
    }

    fn word(&mut self, words: &[&str], node: &Node, at: &At) -> Option<Value> {
        let Content::Scalar(Value::String(text)) = &node.content else {
            return self.mistyped(node, at, &format!("one of {}", quoted(words)));
        };
        if words.contains(&text.as_str()) {
            return Some(Value::String(text.clone()));
        }
        let text = shorten(text);
        let message = format!("{} must be one of {}, but is {text:?}", at.name(), quoted(words));
        let help = suggest::nearest(&text, words.iter().copied());
        self.report(at.line, message, help.map(|word| format!("did you mean `{word}`?")).unwrap_or_default());
        None
    }

    fn text(&mut self, schema: &Value, node: &Node, at: &At) -> Option<Value> {
        let Content::Scalar(Value::String(text)) = &node.content else {
            return self.mistyped(node, at, "text");
        };
        let mark = schema.get("pattern").or_else(|| schema.get("format")).and_then(Value::as_str);
        let keeps = mark.is_none_or(|mark| self.keeps(mark, text, at));
        keeps.then(|| Value::String(text.clone()))
    }

    /// Whether a text keeps the rule that a pattern stands for; reports it if not.
    fn keeps(&mut self, mark: &str, text: &str, at: &At) -> bool {
        let Some(rule) = self.rules.iter().find(|rule| rule.mark == mark && !(rule.keeps)(text)) else {
            return true;
        };
        let message = if rule.shown {
            format!("{}: {:?} {}", at.name(), shorten(text), rule.wrong)
        } else {
            format!("{}: {}", at.name(), rule.wrong)
        };
        let help = rule.help;
        self.report(at.line, message, help);
        false
    }

    fn list(&mut self, schema: &'a Value, node: &Node, at: &At) -> Option<Value> {
        let Content::List(items) = &node.content else { return self.mistyped(node, at, "a list") };
        let item_schema = schema.get("items").unwrap_or(&Value::Null);
        let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let (mut values, mut seen) = (Vec::new(), BTreeSet::new());
        for (index, item) in items.iter().enumerate() {
            let Some(value) = self.value(item_schema, item, &at.below(&index.to_string(), item.line)) else {
                continue;
            };
            if unique && !seen.insert(value.to_string()) {
                self.report(item.line, format!("{} lists {value} twice", at.name()), "remove one of the two");
            }
            values.push(value);
        }
        Some(Value::Array(values))
    }

    fn object(&mut self, schema: &'a Value, node: &Node, at: &At) -> Option<Value> {
        let Content::Map(entries) = &node.content else { return self.mistyped(node, at, "fields") };
        let required = strings(schema.get("required"));
        let mut object = Map::new();
        let mut whole = self.has_all(&required, schema, entries, at);
        for (key, entry) in entries {
            let Some(field) = self.field(schema, key, entry, at) else { continue };
            match self.value(field, &entry.node, &at.below(key, entry.line)) {
                Some(value) => {
                    object.insert(key.clone(), value);
                }
                None => whole &= !required.contains(&key.as_str()),
            }
        }
        whole.then_some(Value::Object(object))
    }

    fn has_all(
        &mut self,
        required: &[&str],
        schema: &Value,
        entries: &BTreeMap<String, Entry>,
        at: &At,
    ) -> bool {
        let missing: Vec<_> = required.iter().filter(|name| !entries.contains_key(**name)).collect();
        for name in &missing {
            let description =
                schema.get("properties").and_then(|all| all.get(**name)?.get("description")?.as_str());
            let help = description.map(|text| format!("add `{name}:`. {}", text.replace('\n', " ")));
            self.report(at.line, format!("{} lacks the field `{name}`", at.name()), help.unwrap_or_default());
        }
        missing.is_empty()
    }

    /// The schema of one field; reports a field that may not be there.
    fn field(&mut self, schema: &'a Value, key: &str, entry: &Entry, at: &At) -> Option<&'a Value> {
        let properties = schema.get("properties").and_then(Value::as_object);
        if let Some(field) = properties.and_then(|all| all.get(key)) {
            return Some(field);
        }
        let pattern =
            schema.get("patternProperties").and_then(Value::as_object).and_then(|all| all.iter().next());
        if let Some((mark, field)) = pattern {
            let at = At { path: at.path.clone(), line: entry.line };
            return self.keeps(mark, key, &at).then_some(field);
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => {}
            Some(field) => return Some(field),
            None => return Some(&Value::Null),
        }
        let known: Vec<&str> =
            properties.map(|all| all.keys().map(String::as_str).collect()).unwrap_or_default();
        let help = match suggest::nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", quoted(&known)),
        };
        self.report(entry.line, format!("{} has no field `{}`", at.name(), shorten(key)), help);
        None
    }
}

fn is_null_schema(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn accepts_null(schema: &Value) -> bool {
    let any = schema.get("anyOf").and_then(Value::as_array);
    any.is_some_and(|options| options.iter().any(is_null_schema))
        || strings(schema.get("type")).contains(&"null")
}

/// The type that a schema asks for, besides null.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => Some(name),
        Some(names) => strings(Some(names)).into_iter().find(|name| *name != "null"),
        None => None,
    }
}

/// The words of an enumeration, if the schema is one.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema.get("enum") {
        return Some(strings(Some(words)));
    }
    let options = schema.get("oneOf").and_then(Value::as_array)?;
    let mut words = Vec::new();
    for option in options {
        match option.get("const").and_then(Value::as_str) {
            Some(word) => words.push(word),
            None => words.extend(strings(Some(option.get("enum")?))),
        }
    }
    Some(words)
}

fn strings(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
