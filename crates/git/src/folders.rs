//! Large folders, read once. libgit2 keeps no tree of more than 4 KB, about a hundred entries, and a folder that holds
//! thousands of applications is asked for each of them, and at every push.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use git2::{Oid, Repository};

use crate::repository::Item;

/// A folder with fewer entries is kept by libgit2.
const LARGE: usize = 64;

/// How many entries are kept, of all large folders together: some five megabytes.
const KEPT: usize = 50_000;

/// The entries of one folder, by name.
pub(crate) type Entries = Vec<(Box<[u8]>, Item)>;

/// The large folders that were asked for last. Clones share them: a folder's id says all that is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folders(Arc<Mutex<Recent>>);

/// Folders by their ids, the one asked for last in front.
type Recent = VecDeque<(Oid, Arc<Entries>)>;

impl Folders {
    /// What a folder has under a name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn entry(
        &self,
        git: &Repository,
        folder: Oid,
        name: &[u8],
    ) -> Result<Option<Item>, git2::Error> {
        if let Some(known) = self.known(folder) {
            return Ok(find(&known, name));
        }
        let tree = git.find_tree(folder)?;
        if tree.len() < LARGE {
            return Ok(tree.get_name_bytes(name).map(|entry| item(&entry)));
        }
        Ok(find(&self.keep(folder, &tree), name))
    }

    /// All that a folder has.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn entries(&self, git: &Repository, folder: Oid) -> Result<Arc<Entries>, git2::Error> {
        if let Some(known) = self.known(folder) {
            return Ok(known);
        }
        let tree = git.find_tree(folder)?;
        if tree.len() < LARGE {
            return Ok(Arc::new(entries(&tree)));
        }
        Ok(self.keep(folder, &tree))
    }

    fn known(&self, folder: Oid) -> Option<Arc<Entries>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(id, _)| *id == folder)?;
        // What is asked for again stays.
        let found = kept.remove(at)?;
        let entries = Arc::clone(&found.1);
        kept.push_front(found);
        Some(entries)
    }

    fn keep(&self, folder: Oid, tree: &git2::Tree<'_>) -> Arc<Entries> {
        let read = Arc::new(entries(tree));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((folder, Arc::clone(&read)));
        let mut room = KEPT;
        kept.retain(|(_, entries)| {
            let fits = entries.len() <= room;
            room = if fits { room - entries.len() } else { 0 };
            fits
        });
        read
    }
}

fn item(entry: &git2::TreeEntry<'_>) -> Item {
    Item { mode: entry.filemode(), id: entry.id() }
}

fn entries(tree: &git2::Tree<'_>) -> Entries {
    let mut entries: Entries = tree.iter().map(|entry| (entry.name_bytes().into(), item(&entry))).collect();
    // Git orders folders as if their names ended in a slash.
    entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    entries
}

fn find(entries: &Entries, name: &[u8]) -> Option<Item> {
    let at = entries.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
    entries.get(at).map(|(_, item)| *item)
}
