//! YAML as Kubernetes reads it: bytes to nodes that know their line, and values back to text.

use crate::budget::{Budget, Exhausted, Meter};

pub(crate) mod compose;
pub(crate) mod json;
mod layout;
pub(crate) mod map;
pub(crate) mod node;
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
    fn item(self) -> Self {
        self.field(7)
    }

    /// The place of a value whose key in the mapping here has so many bytes.
    fn field(self, key: usize) -> Self {
        Self { depth: self.depth + 1, path: self.path + 1 + key }
    }

    /// Refuses a place that no budget has room for. `inner` is what the value there needs itself.
    fn check(self, inner: Self, line: u32, budget: &Budget) -> Result<(), Fault> {
        let Budget { depth, path, .. } = budget;
        if self.depth + inner.depth > *depth {
            let message = format!("nested deeper than {depth} levels");
            return Err(Fault::new(line, message, "nest the values less deeply"));
        }
        if self.path + inner.path > *path {
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
