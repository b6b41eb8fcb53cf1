//! YAML as Kubernetes reads it: bytes to nodes that know their line, and values back to text.

use self::node::Node;
use self::scalar::Dialect;
use crate::budget::{Budget, Exhausted, Meter};

pub(crate) mod compose;
pub(crate) mod encoding;
pub(crate) mod json;
mod layout;
pub(crate) mod map;
pub(crate) mod node;
pub(crate) mod plain;
pub(crate) mod scalar;
pub(crate) mod time;
pub mod write;

#[cfg(test)]
mod tests;

/// Why a file was not read to its end.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) line: u32,
    pub(crate) message: String,
    pub(crate) help: &'static str,
    /// Whether a budget of the whole render is used up, so that no other file is worth reading.
    pub(crate) exhausted: bool,
    /// Whether it is only worth a warning.
    pub(crate) warning: bool,
}

/// Takes a fault that does not end the parse.
pub(crate) type Soft<'a> = &'a mut dyn FnMut(Fault);

/// Where in a document a value stands, as far as the budget asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// How many lists and mappings it is in.
    depth: usize,
    /// The bytes of its JSON pointer.
    path: usize,
}

impl Place {
    /// The place of an item of the list here. No index has more digits.
    pub(crate) fn item(self) -> Self {
        self.field(7)
    }

    /// The place of a value whose key in the mapping here has so many bytes.
    pub(crate) fn field(self, key: usize) -> Self {
        Self { depth: self.depth + 1, path: self.path + 1 + key }
    }

    /// The place that is `inner` seen from here.
    pub(crate) fn then(self, inner: Self) -> Self {
        Self { depth: self.depth + inner.depth, path: self.path + inner.path }
    }

    /// What reaches at least as far as both.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { depth: self.depth.max(other.depth), path: self.path.max(other.path) }
    }

    /// Refuses a place that no budget has room for. `inner` is what the value there needs itself.
    pub(crate) fn check(self, inner: Self, line: u32, budget: &Budget) -> Result<(), Fault> {
        let Budget { depth, path, .. } = budget;
        let Self { depth: deep, path: long } = self.then(inner);
        if deep > *depth {
            let message = format!("nested deeper than {depth} levels");
            return Err(Fault::new(line, message, "nest the values less deeply"));
        }
        if long > *path {
            let message = format!("the keys that lead here have more than {path} bytes");
            return Err(Fault::new(line, message, "use shorter keys"));
        }
        Ok(())
    }
}

impl Fault {
    pub(crate) fn new(line: u32, message: impl Into<String>, help: &'static str) -> Self {
        Self { line, message: message.into(), help, exhausted: false, warning: false }
    }

    pub(crate) fn exhausted(line: u32, why: Exhausted) -> Self {
        Self { line, message: why.message, help: why.help, exhausted: true, warning: false }
    }
}

/// The most faults that are kept of one file. No one is told of so many.
const MOST_FAULTS: usize = 1_000;

/// Keeps faults, of a reading that may be taken back.
fn keep(kept: &mut Vec<Fault>) -> impl FnMut(Fault) {
    |fault| {
        if kept.len() < MOST_FAULTS {
            kept.push(fault);
        }
    }
}

/// Parses a file that says it is JSON. What is no JSON is read as YAML, as kustomize reads all of them: with comments, commas
/// at the end of a list, or several documents. Of several values in JSON kustomize takes the first.
///
/// # Errors
/// When it is neither, or a budget is used up.
pub(crate) fn json_or_yaml(
    text: &str,
    file: u32,
    dialect: Dialect,
    meter: &mut Meter<'_>,
    soft: Soft<'_>,
) -> Result<Vec<Node>, Fault> {
    let mut kept = Vec::new();
    let mark = meter.mark();
    let mut read = json::documents(text, file, meter, &mut keep(&mut kept));
    match read.as_deref() {
        Ok([_, second, ..]) if dialect == Dialect::Kustomize => {
            let message = "a second value follows the first: kustomize leaves it out";
            return Err(Fault::new(
                second.at.line,
                message,
                "put both into one List, or into files of their own",
            ));
        }
        Err(fault) if !fault.exhausted => {
            meter.reset(mark);
            let mut of_yaml = Vec::new();
            let documents = compose::documents(text, file, dialect, meter, &mut keep(&mut of_yaml));
            let looks_like_json = text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']);
            // Of what is neither it is told why it is not what it looks like.
            if documents.is_ok() || !looks_like_json {
                (read, kept) = (documents, of_yaml);
            }
        }
        _ => {}
    }
    kept.into_iter().for_each(soft);
    read
}
