//! What generators put into ConfigMaps and Secrets: literals, files, and files of variables.

use super::context::{Context, Outcome, Root, wrong};
use super::fields::Said;
use crate::yaml::node::{At, Text};

/// A key and its bytes.
pub(crate) struct Pair {
    pub(crate) key: Text,
    pub(crate) bytes: Vec<u8>,
    pub(crate) at: At,
}

/// Where pairs come from.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) envs: Vec<Said<Text>>,
    pub(crate) literals: Vec<Said<Text>>,
    pub(crate) files: Vec<Said<Text>>,
}

impl Sources {
    /// Reads all pairs, sorted by key.
    ///
    /// # Errors
    /// When a source cannot be read, or a key is not valid or comes twice.
    pub(crate) fn read(&self, context: &mut Context<'_>, root: &Root) -> Outcome<Vec<Pair>> {
        let mut pairs = Vec::new();
        for source in &self.envs {
            env_file(context, root, source, &mut pairs)?;
        }
        for source in &self.literals {
            pairs.push(literal(source)?);
        }
        for source in &self.files {
            context.steps(source.at, 1)?;
            let (key, path) = file_source(source)?;
            let read = context.read(root, path, source.at)?;
            let at = At { file: read.file, line: 1 };
            pairs.push(Pair { key: Text::from(key), bytes: read.bytes, at });
        }
        pairs.iter().try_for_each(valid_key)?;
        pairs.sort_by(|a, b| a.key.cmp(&b.key));
        let again = pairs.windows(2).find_map(|pair| match pair {
            [a, b] if a.key == b.key => Some(b),
            _ => None,
        });
        match again {
            Some(pair) => wrong(pair.at, format!("the key {:?} comes twice", pair.key), "remove one of them"),
            None => Ok(pairs),
        }
    }
}

fn literal(source: &Said<Text>) -> Outcome<Pair> {
    match source.value.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            let bytes = unquoted(value).as_bytes().to_vec();
            Ok(Pair { key: Text::from(key), bytes, at: source.at })
        }
        // The text is not shown: it may be a secret.
        _ => wrong(source.at, "a literal is not KEY=VALUE", "write a key, an equals sign and a value"),
    }
}

/// `text` without the quotes around it.
fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// The key and the path of `KEY=PATH` or `PATH`.
fn file_source(source: &Said<Text>) -> Outcome<(&str, &str)> {
    let text = &source.value;
    match text.split_once('=') {
        None => {
            let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or(text);
            Ok((name, text))
        }
        Some((key, path)) if !key.is_empty() && !path.is_empty() && !path.contains('=') => Ok((key, path)),
        Some(_) => wrong(source.at, format!("the file {text:?} is not KEY=PATH or PATH"), "correct it"),
    }
}

fn env_file(
    context: &mut Context<'_>,
    root: &Root,
    source: &Said<Text>,
    pairs: &mut Vec<Pair>,
) -> Outcome<()> {
    let read = context.read(root, &source.value, source.at)?;
    let at = |line: usize| At { file: read.file, line: u32::try_from(line + 1).unwrap_or(u32::MAX) };
    for (number, line) in read.bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.len() >= LONGEST_LINE {
            let message = "kustomize leaves out a line of 64 KiB, and what comes after it: here it is read";
            context.warn(at(number), message, "put the value into a file of its own");
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if number == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        let Ok(line) = std::str::from_utf8(line) else {
            return wrong(at(number), "this line is not UTF-8", "save the file as UTF-8");
        };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        context.steps(at(number), 1)?;
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !is_key(key) {
            // The text is not shown: it may be a line of a secret.
            return wrong(at(number), "the name of a variable is not a key of a ConfigMap or Secret", KEYS);
        }
        pairs.push(Pair { key: Text::from(key), bytes: value.as_bytes().to_vec(), at: at(number) });
    }
    Ok(())
}

/// The bytes of a line that kustomize does not read any more.
const LONGEST_LINE: usize = 64 * 1024;

/// The help for what is no key.
const KEYS: &str = "use letters, digits, '-', '_' and '.', at most 253";

/// Whether Kubernetes takes a text as a key of a ConfigMap or Secret.
fn is_key(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=253).contains(&text.len()) && text.bytes().all(fits) && text != "." && !text.starts_with("..")
}

fn valid_key(pair: &Pair) -> Outcome<()> {
    if is_key(&pair.key) {
        return Ok(());
    }
    wrong(pair.at, format!("{:?} is not a key of a ConfigMap or Secret", pair.key), KEYS)
}
