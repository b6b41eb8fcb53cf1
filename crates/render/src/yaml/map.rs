//! A mapping, kept sorted by key: found by bisection, merged side by side, and written as it is.

use super::node::{At, Node, Text};

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) key: Text,
    /// Where the key begins.
    pub(crate) at: At,
    pub(crate) value: Node,
}

impl Field {
    /// Where a person reads what it holds: at its key, or where another file set the value.
    pub(crate) fn written(&self) -> At {
        let set_elsewhere = self.value.as_scalar().is_some() && self.value.at.file != self.at.file;
        if set_elsewhere { self.value.at } else { self.at }
    }
}

/// A mapping with fewer fields has no room to grow.
const SMALL: usize = 16;

/// The fields of a mapping. Keys are unique.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Map {
    fields: Vec<Field>,
}

impl Map {
    /// Sorts `fields`; of those with one key the first stays, and the others are given back.
    pub(crate) fn new(mut fields: Vec<Field>) -> (Self, Vec<Field>) {
        let sorted = fields.windows(2).all(|pair| match pair {
            [a, b] => a.key < b.key,
            _ => true,
        });
        if sorted {
            return (Self { fields }, Vec::new());
        }
        // Stable: of equal keys the first in the file comes first.
        fields.sort_by(|a, b| a.key.cmp(&b.key));
        let mut again = Vec::new();
        let mut kept: Vec<Field> = Vec::with_capacity(fields.len());
        for field in fields {
            match kept.last() {
                Some(last) if last.key == field.key => again.push(field),
                _ => kept.push(field),
            }
        }
        (Self { fields: kept }, again)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.fields.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Field> {
        self.fields.iter_mut()
    }

    pub(crate) fn into_fields(self) -> Vec<Field> {
        self.fields
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.fields.binary_search_by(|field| (*field.key).cmp(key))
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.find(key).is_ok()
    }

    pub(crate) fn field(&self, key: &str) -> Option<&Field> {
        self.find(key).ok().and_then(|index| self.fields.get(index))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.field(key).map(|field| &field.value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match self.find(key) {
            Ok(index) => self.fields.get_mut(index).map(|field| &mut field.value),
            Err(_) => None,
        }
    }

    /// Sets a field, and where it was written.
    pub(crate) fn set(&mut self, key: &Text, at: At, value: Node) {
        match self.find(key) {
            Ok(index) => {
                if let Some(field) = self.fields.get_mut(index) {
                    *field = Field { key: field.key.clone(), at, value };
                }
            }
            Err(index) => self.insert(index, Field { key: key.clone(), at, value }),
        }
    }

    /// The value of a field, which is made with `missing` if it is not there.
    pub(crate) fn get_or_set(
        &mut self,
        key: &Text,
        at: At,
        missing: impl FnOnce() -> Node,
    ) -> Option<&mut Node> {
        let index = match self.find(key) {
            Ok(index) => index,
            Err(index) => {
                self.insert(index, Field { key: key.clone(), at, value: missing() });
                index
            }
        };
        self.fields.get_mut(index).map(|field| &mut field.value)
    }

    fn insert(&mut self, index: usize, field: Field) {
        // Most mappings stay small, and there are many of them.
        if self.fields.len() < SMALL {
            self.fields.reserve_exact(1);
        }
        self.fields.insert(index, field);
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Field> {
        self.find(key).ok().map(|index| self.fields.remove(index))
    }
}
