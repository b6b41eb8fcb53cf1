//! Which files differ between two trees, by reading only the folders that do.

use std::cmp::Ordering;

use countersign_core::facts::{ChangeKind, FileChange};
use git2::Oid;

use crate::error::GitError;
use crate::repository::{FOLDER, Item, Repository};

/// The most files of one change that are listed.
const MAX_FILES: usize = 20_000;

/// The most bytes that a path may have.
const MAX_PATH: usize = 4096;

/// What lies at one path, before and after.
type Pair = (Option<Item>, Option<Item>);

impl Repository {
    /// Files that differ between two trees at or below `paths`, sorted; all files if one of them is the root, or there
    /// are none.
    pub(crate) fn changed(
        &self,
        before: Option<Oid>,
        after: Oid,
        paths: &[String],
    ) -> Result<Vec<FileChange>, GitError> {
        let mut open: Vec<(Vec<u8>, Pair)> = Vec::new();
        if paths.iter().all(|path| !path.is_empty()) && !paths.is_empty() {
            for path in paths {
                let at = |root| self.item_at(root, path);
                let pair = (before.map(at).transpose()?.flatten(), at(after)?);
                open.push((path.trim_matches('/').as_bytes().to_vec(), pair));
            }
        } else {
            let root = |id| Item { mode: FOLDER, id };
            open.push((Vec::new(), (before.map(root), Some(root(after)))));
        }
        let mut changes = Vec::new();
        while let Some((path, pair)) = open.pop() {
            self.compare(path, pair, &mut open, &mut changes)?;
            if changes.len() > MAX_FILES {
                return Err(GitError::Final(format!(
                    "{}: more than {MAX_FILES} files differ, which are the most that are listed: bring the change in \
                     parts",
                    self.place()
                )));
            }
        }
        changes.sort_by(|a: &FileChange, b| a.path.cmp(&b.path));
        changes.dedup();
        Ok(changes)
    }

    /// Adds what differs at one path: a file at once, the content of folders for later.
    fn compare(
        &self,
        path: Vec<u8>,
        (before, after): Pair,
        open: &mut Vec<(Vec<u8>, Pair)>,
        changes: &mut Vec<FileChange>,
    ) -> Result<(), GitError> {
        if before == after {
            return Ok(());
        }
        if path.len() > MAX_PATH {
            let shown = String::from_utf8_lossy(path.get(..80).unwrap_or_default()).into_owned();
            return Err(GitError::Final(format!(
                "{}: a path that begins with {shown} is longer than {MAX_PATH} bytes: make it shorter",
                self.place()
            )));
        }
        let is_folder = |item: &Item| item.mode == FOLDER;
        let file = |item: Option<Item>| item.filter(|item| !is_folder(item));
        let kind = match (file(before), file(after)) {
            (Some(_), Some(_)) => Some(ChangeKind::Changed),
            (None, Some(_)) => Some(ChangeKind::Added),
            (Some(_), None) => Some(ChangeKind::Removed),
            (None, None) => None,
        };
        if let Some(change) = kind {
            changes.push(FileChange { path: String::from_utf8_lossy(&path).into_owned(), change });
        }
        let entries = |item: Option<Item>| match item.filter(is_folder) {
            Some(folder) => self.entries(folder.id).map(Some),
            None => Ok(None),
        };
        let (before, after) = (entries(before)?, entries(after)?);
        let mut before = before.iter().flat_map(|entries| entries.iter()).peekable();
        let mut after = after.iter().flat_map(|entries| entries.iter()).peekable();
        loop {
            let order = match (before.peek(), after.peek()) {
                (Some((one, _)), Some((other, _))) => one.cmp(other),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Ok(()),
            };
            let one = before.next_if(|_| order.is_le());
            let other = after.next_if(|_| order.is_ge());
            let Some((name, _)) = one.or(other) else { return Ok(()) };
            let pair = (one.map(|(_, item)| *item), other.map(|(_, item)| *item));
            if pair.0 != pair.1 {
                let below =
                    if path.is_empty() { name.to_vec() } else { [&path, b"/".as_slice(), name].concat() };
                open.push((below, pair));
            }
        }
    }
}

#[cfg(test)]
mod tests;
