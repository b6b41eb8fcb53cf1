//! What a render depends on: as long as that stays the same, so does its result.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::tree::{Identity, Tree, TreeError};
use serde::{Serialize, Serializer};

/// What lies at every path that a render looked at, also where nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    paths: BTreeMap<String, Identity>,
}

impl Closure {
    /// The closure of one path.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn of(tree: &dyn Tree, path: &str) -> Result<Self, TreeError> {
        let mut closure = Self::default();
        closure.note(path, tree.identity(path)?);
        Ok(closure)
    }

    pub(crate) fn note(&mut self, path: &str, identity: Identity) {
        self.paths.insert(path.to_owned(), identity);
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// The paths.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<String> {
        self.paths.keys().cloned().collect()
    }
}

/// A mapping of paths: to mode and object id, to `null` where nothing is, to `"unknown"` in a working folder.
impl Serialize for Closure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = |identity: &Identity| match identity {
            Identity::Nothing => None,
            Identity::Is(id) => Some(id.clone()),
            Identity::Unknown => Some("unknown".to_owned()),
        };
        serializer.collect_map(self.paths.iter().map(|(path, identity)| (path, shown(identity))))
    }
}
