//! Three-way merges of trees, in memory: only what both sides changed is looked at, and nothing is written.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use git2::{MergeFileInput, ObjectType, Oid};

use super::renames::Renames;
use crate::error::GitError;
use crate::repository::{FOLDER, Item, Repository};

/// Best common ancestors that two commits may have.
const MAX_BASES: usize = 8;

/// Folders below folders that are merged.
const MAX_DEPTH: usize = 128;

/// The most bytes of a file whose content is merged.
const MAX_CONTENT: u64 = 4 * 1024 * 1024;

/// Bytes that are looked at to tell text from the rest, as Git does.
const TEXT_PROBE: usize = 8000;

/// Merges in one repository.
pub(super) struct Merger<'r> {
    repository: &'r Repository,
    renames: Renames<'r>,
    /// Whether the merge at hand met a file that both sides deleted.
    doubtful: Cell<bool>,
}

/// A conflict-free merge.
pub(super) struct Clean {
    /// Its tree.
    pub(super) tree: Oid,
    /// Both sides deleted the same file. If one of them moved it, that is a conflict: ask
    /// [`Merger::confirms`].
    doubtful: bool,
}

/// What a merge came to.
enum Merged<T> {
    Clean(T),
    /// Both sides changed the same thing in different ways.
    Conflict,
    /// One side deleted or added what the other changed: following renames may still merge it.
    Unsure,
}

/// The entries of a folder by name.
type Folder = BTreeMap<Vec<u8>, Item>;

impl<'r> Merger<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Self { repository, renames: Renames::new(repository), doubtful: Cell::new(false) }
    }

    /// The best common ancestors of two commits; none if they share no history.
    pub(super) fn bases(&self, one: Oid, other: Oid) -> Result<Vec<Oid>, GitError> {
        let what = || format!("finding what {one} and {other} share");
        self.repository.reaching(what, || match self.repository.git.merge_bases(one, other) {
            Ok(bases) => Ok(bases.to_vec()),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        })
    }

    /// The conflict-free merge of two commits with these best common ancestors, if there is one.
    pub(super) fn merge(&self, bases: &[Oid], ours: Oid, theirs: Oid) -> Result<Option<Clean>, GitError> {
        let slowly = || {
            let tree = self.renames.merge(bases, ours, theirs)?;
            Ok(tree.map(|tree| Clean { tree, doubtful: false }))
        };
        let [base] = bases else {
            return if bases.is_empty() || bases.len() > MAX_BASES { Ok(None) } else { slowly() };
        };
        self.doubtful.set(false);
        let root = |commit| {
            let id = self.repository.root(commit)?;
            Ok::<_, GitError>(Some(Item { mode: FOLDER, id }))
        };
        match self.items((root(*base)?, root(ours)?, root(theirs)?), 0)? {
            Merged::Clean(item) => {
                let tree = item.map_or_else(|| hash(ObjectType::Tree, b""), |item| Ok(item.id))?;
                Ok(Some(Clean { tree, doubtful: self.doubtful.get() }))
            }
            Merged::Conflict => Ok(None),
            Merged::Unsure => slowly(),
        }
    }

    /// Whether a merge is conflict-free also when moved files are followed.
    pub(super) fn confirms(
        &self,
        clean: &Clean,
        bases: &[Oid],
        ours: Oid,
        theirs: Oid,
    ) -> Result<bool, GitError> {
        Ok(!clean.doubtful || self.renames.merge(bases, ours, theirs)? == Some(clean.tree))
    }

    /// Merges three folders; `None` stands for a folder that is not there.
    fn folders(
        &self,
        base: Option<Oid>,
        ours: Option<Oid>,
        theirs: Option<Oid>,
        depth: usize,
    ) -> Result<Merged<Option<Oid>>, GitError> {
        if depth > MAX_DEPTH {
            return Ok(Merged::Conflict);
        }
        let (base, ours, theirs) = (self.folder(base)?, self.folder(ours)?, self.folder(theirs)?);
        let names: BTreeSet<_> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
        let (mut merged, mut unsure) = (Folder::new(), false);
        for name in names {
            let sides = (base.get(name).copied(), ours.get(name).copied(), theirs.get(name).copied());
            match self.items(sides, depth)? {
                Merged::Clean(Some(item)) => {
                    merged.insert(name.clone(), item);
                }
                Merged::Clean(None) => {}
                Merged::Unsure => unsure = true,
                Merged::Conflict => return Ok(Merged::Conflict),
            }
        }
        if unsure { Ok(Merged::Unsure) } else { Ok(Merged::Clean(folder_id(&merged)?)) }
    }

    /// Merges what lies at one name.
    fn items(
        &self,
        sides: (Option<Item>, Option<Item>, Option<Item>),
        depth: usize,
    ) -> Result<Merged<Option<Item>>, GitError> {
        let (base, ours, theirs) = sides;
        if ours == theirs {
            self.note_deletions(base, ours, depth)?;
        }
        if let Some(same) = unchanged(base, ours, theirs) {
            return Ok(Merged::Clean(same));
        }
        let folder_or_gone = |item: Option<Item>| item.is_none_or(|item| item.mode == FOLDER);
        let folder = |item: Option<Item>| item.filter(|item| item.mode == FOLDER).map(|item| item.id);
        if folder_or_gone(ours) && folder_or_gone(theirs) {
            return Ok(match self.folders(folder(base), folder(ours), folder(theirs), depth + 1)? {
                Merged::Clean(id) => Merged::Clean(id.map(|id| Item { mode: FOLDER, id })),
                Merged::Conflict => Merged::Conflict,
                Merged::Unsure => Merged::Unsure,
            });
        }
        match (base, ours, theirs) {
            (Some(base), Some(ours), Some(theirs)) if [base, ours, theirs].iter().all(is_file) => {
                self.files(base, ours, theirs)
            }
            (Some(_), Some(ours), Some(theirs)) if !is_file(&ours) && !is_file(&theirs) => {
                Ok(Merged::Conflict)
            }
            _ => Ok(Merged::Unsure),
        }
    }

    /// Notes whether a file of `base` is gone in `now`, which is what both sides have.
    fn note_deletions(&self, base: Option<Item>, now: Option<Item>, depth: usize) -> Result<(), GitError> {
        let Some(base) = base.filter(|base| Some(*base) != now && !self.doubtful.get()) else {
            return Ok(());
        };
        let folder = |item: Item| (item.mode == FOLDER).then_some(item.id);
        match (folder(base), now.map(folder)) {
            (Some(base), now) if depth < MAX_DEPTH => {
                let now = self.folder(now.flatten())?;
                for (name, item) in self.folder(Some(base))? {
                    self.note_deletions(Some(item), now.get(&name).copied(), depth + 1)?;
                }
            }
            (None, Some(None)) => {}
            _ => self.doubtful.set(true),
        }
        Ok(())
    }

    /// Merges modes and contents of three files.
    fn files(&self, base: Item, ours: Item, theirs: Item) -> Result<Merged<Option<Item>>, GitError> {
        let Some(mode) = unchanged(base.mode, ours.mode, theirs.mode) else { return Ok(Merged::Conflict) };
        if let Some(id) = unchanged(base.id, ours.id, theirs.id) {
            return Ok(Merged::Clean(Some(Item { mode, id })));
        }
        let read = |item: Item| -> Result<Option<Vec<u8>>, GitError> {
            let bytes = self.repository.blob(item.id, MAX_CONTENT)?.ok();
            Ok(bytes.filter(|bytes| !bytes.iter().take(TEXT_PROBE).any(|byte| *byte == 0)))
        };
        let (Some(base), Some(ours), Some(theirs)) = (read(base)?, read(ours)?, read(theirs)?) else {
            return Ok(Merged::Conflict);
        };
        let merged = git2::merge_file(&input(&base), &input(&ours), &input(&theirs), None);
        let merged = merged.map_err(|error| self.repository.failed("merging a file", &error))?;
        if !merged.is_automergeable() {
            return Ok(Merged::Conflict);
        }
        Ok(Merged::Clean(Some(Item { mode, id: hash(ObjectType::Blob, merged.content())? })))
    }

    fn folder(&self, id: Option<Oid>) -> Result<Folder, GitError> {
        let Some(id) = id else { return Ok(Folder::new()) };
        let tree = self.repository.git.find_tree(id);
        let tree = tree.map_err(|error| self.repository.failed(&format!("reading tree {id}"), &error))?;
        Ok(tree
            .iter()
            .map(|entry| (entry.name_bytes().to_vec(), Item { mode: entry.filemode_raw(), id: entry.id() }))
            .collect())
    }
}

fn input(content: &[u8]) -> MergeFileInput<'_> {
    let mut input = MergeFileInput::new();
    input.content(content);
    input
}

/// The result where at most one side changed, or both alike.
fn unchanged<T: PartialEq>(base: T, ours: T, theirs: T) -> Option<T> {
    if ours == theirs || base == theirs {
        Some(ours)
    } else if base == ours {
        Some(theirs)
    } else {
        None
    }
}

/// Whether it is a regular file, executable or not.
fn is_file(item: &Item) -> bool {
    item.mode & 0o170_000 == 0o100_000
}

/// The id that a folder of these entries has; `None` if it is empty. Git sorts a folder's name as if it
/// ended in a slash.
fn folder_id(folder: &Folder) -> Result<Option<Oid>, GitError> {
    let mut entries: Vec<_> = folder.iter().collect();
    let key = |(name, item): &(&Vec<u8>, &Item)| {
        let mut key = (*name).clone();
        if item.mode == FOLDER {
            key.push(b'/');
        }
        key
    };
    entries.sort_by_key(key);
    let mut bytes = Vec::new();
    for (name, item) in &entries {
        bytes.extend_from_slice(format!("{:o} ", item.mode).as_bytes());
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(item.id.as_bytes());
    }
    if entries.is_empty() { Ok(None) } else { hash(ObjectType::Tree, &bytes).map(Some) }
}

fn hash(kind: ObjectType, bytes: &[u8]) -> Result<Oid, GitError> {
    Oid::hash_object(kind, bytes).map_err(|error| GitError::while_doing("hashing a merged object", &error))
}

#[cfg(test)]
mod tests;
