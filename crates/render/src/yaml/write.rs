//! Objects as readable YAML, which this crate, like Kubernetes, reads back as the same values.

use serde_json::{Map, Value};

use super::{scalar, time};

/// Keys that come first at the root of an object, as people write them.
const FIRST: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Past this many bytes a key is written with `?`: a parser need not look further for its colon.
const LONG_KEY: usize = 500;

/// Writes `objects` as documents. Nothing is masked: pass what [`mask`](crate::mask::mask) made of them
/// where Secrets must not be seen.
#[must_use]
pub fn to_yaml<'a>(objects: impl IntoIterator<Item = &'a Value>) -> String {
    let mut out = String::new();
    for object in objects {
        out.push_str("---\n");
        match object {
            Value::Object(fields) if !fields.is_empty() => mapping(&mut out, fields, 0, false),
            Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0, false),
            other => leaf(&mut out, other, 0),
        }
    }
    out
}

/// Writes a mapping that is not empty. `inline` says that its first line has its indentation already.
fn mapping(out: &mut String, fields: &Map<String, Value>, indent: usize, inline: bool) {
    let at_root = indent == 0;
    let rank = |key: &str| FIRST.iter().position(|first| at_root && *first == key).unwrap_or(FIRST.len());
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by(|(a, _), (b, _)| (rank(a), a).cmp(&(rank(b), b)));
    for (index, (key, value)) in fields.into_iter().enumerate() {
        if index > 0 || !inline {
            out.push_str(&" ".repeat(indent));
        }
        let key = flow(key);
        if key.len() > LONG_KEY {
            out.push_str(&format!("? {key}\n{}", " ".repeat(indent)));
        } else {
            out.push_str(&key);
        }
        out.push(':');
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                out.push('\n');
                mapping(out, fields, indent + 2, false);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                sequence(out, items, indent, false);
            }
            other => {
                out.push(' ');
                leaf(out, other, indent);
            }
        }
    }
}

/// Writes a list that is not empty.
fn sequence(out: &mut String, items: &[Value], indent: usize, inline: bool) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || !inline {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str("- ");
        match item {
            Value::Object(fields) if !fields.is_empty() => mapping(out, fields, indent + 2, true),
            Value::Array(items) if !items.is_empty() => sequence(out, items, indent + 2, true),
            other => leaf(out, other, indent),
        }
    }
}

/// Writes a scalar or an empty collection, and ends the line.
fn leaf(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::String(text) if is_block(text) => return block(out, text, indent + 2),
        Value::String(text) => out.push_str(&flow(text)),
        other => out.push_str(&other.to_string()),
    }
    out.push('\n');
}

/// Whether `text` reads best as a literal block, and survives it.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.starts_with([' ', '\n', '\t'])
        && !body.ends_with('\n')
        && body.chars().all(|c| c == '\n' || c == '\t' || is_printed(c))
}

fn block(out: &mut String, text: &str, indent: usize) {
    out.push_str(if text.ends_with('\n') { "|\n" } else { "|-\n" });
    for line in text.lines() {
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// `text` on one line: bare where nobody could read it as anything else, in double quotes otherwise.
fn flow(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '.');
    let is_document = text == "..." || text == "---";
    let is_text = scalar::untagged(text) == Ok(Value::from(text)) && time::in_full(text).is_none();
    if begins && text.chars().all(bare) && !is_document && is_text {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_printed(c) => quoted.push(c),
            c => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a character can stand for itself in every version of YAML.
fn is_printed(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}
