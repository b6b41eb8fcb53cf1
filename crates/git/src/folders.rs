//! Large folders, read once. libgit2 keeps no tree of more than 4 KB, about a hundred entries, and a folder that holds
//! thousands of applications is asked for each of them.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use git2::{Oid, Repository};

use crate::repository::Item;

/// A folder with fewer entries is kept by libgit2.
const LARGE: usize = 64;

/// How many are kept: one for each level that leads to what is asked for.
const KEPT: usize = 4;

/// The entries of one folder, by name.
type Entries = HashMap<Box<[u8]>, Item>;

/// The large folders that were asked for last.
#[derive(Default)]
pub(crate) struct Folders(RefCell<VecDeque<(Oid, Rc<Entries>)>>);

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
            return Ok(known.get(name).copied());
        }
        let tree = git.find_tree(folder)?;
        let item = |entry: &git2::TreeEntry<'_>| Item { mode: entry.filemode(), id: entry.id() };
        if tree.len() < LARGE {
            return Ok(tree.get_name_bytes(name).map(|entry| item(&entry)));
        }
        let entries: Entries = tree.iter().map(|entry| (entry.name_bytes().into(), item(&entry))).collect();
        let found = entries.get(name).copied();
        let mut kept = self.0.borrow_mut();
        kept.truncate(KEPT - 1);
        kept.push_front((folder, Rc::new(entries)));
        Ok(found)
    }

    fn known(&self, folder: Oid) -> Option<Rc<Entries>> {
        let mut kept = self.0.borrow_mut();
        let at = kept.iter().position(|(id, _)| *id == folder)?;
        // What is asked for again stays.
        kept.swap(0, at);
        kept.front().map(|(_, entries)| Rc::clone(entries))
    }
}
