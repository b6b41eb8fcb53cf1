//! Which files of a tree are manifests: nothing is followed out of the path that was asked for.

use countersign_core::tree::{Entry, EntryKind, Tree, TreeError};

use crate::budget::Budget;
use crate::kustomize::kustomization::NAMES;
use crate::problems::Problems;

/// `path` without empty and `.` segments; `None` if it leads upwards.
pub(crate) fn normalized(path: &str) -> Option<String> {
    let segments = path.split('/').filter(|segment| !segment.is_empty() && *segment != ".");
    let segments: Vec<_> = segments.collect();
    (!segments.contains(&"..")).then(|| segments.join("/"))
}

/// What is to be rendered at a path.
pub(crate) enum Found {
    /// The kustomization of this folder.
    Kustomization(String),
    /// Plain manifests: a file, or a folder.
    Manifests(String),
}

/// What is at `path`; a problem if that cannot be rendered.
pub(crate) fn find(tree: &dyn Tree, path: &str, problems: &mut Problems) -> Option<Found> {
    let Some(path) = normalized(path) else {
        let help = "write a path from the repository's root, without ..";
        problems.add(path, 1, "this path leads upwards", help);
        return None;
    };
    match tree.kind(&path) {
        Err(error) => unreadable(&path, &error, problems),
        Ok(None) => problems.add(&path, 1, "nothing is at this path", "write the path of a file or a folder"),
        Ok(Some(EntryKind::Folder)) => match tree.entries(&path) {
            Err(error) => unreadable(&path, &error, problems),
            Ok(entries) if entries.iter().flatten().any(|entry| is_kustomization(&entry.name)) => {
                return Some(Found::Kustomization(path));
            }
            Ok(_) => return Some(Found::Manifests(path)),
        },
        Ok(Some(EntryKind::File)) if is_kustomization(name_of(&path)) => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            return Some(Found::Kustomization(folder.to_owned()));
        }
        Ok(Some(EntryKind::File)) => return Some(Found::Manifests(path)),
        Ok(Some(kind)) => not_a_file(&path, kind, problems),
    }
    None
}

/// The manifest files at or below `path`, sorted. Whatever cannot be rendered is a problem.
pub(crate) fn manifests(
    tree: &dyn Tree,
    path: &str,
    budget: &Budget,
    problems: &mut Problems,
) -> Vec<String> {
    match tree.kind(path) {
        Ok(Some(EntryKind::Folder)) => {
            Walk { tree, budget, problems, found: Vec::new(), entries: 0 }.below(path)
        }
        _ => vec![path.to_owned()],
    }
}

/// Tells of a tree that could not be read.
pub(crate) fn unreadable(path: &str, error: &TreeError, problems: &mut Problems) {
    match error {
        TreeError::TooLarge { size, limit, .. } => problems.add(
            path,
            1,
            format!("the file has {size} bytes: at most {limit} are read"),
            "split it, or keep generated data elsewhere",
        ),
        TreeError::NotUtf8 { path } => {
            problems.add(path, 1, "the name of this file is not UTF-8", "rename it");
        }
        TreeError::Unreadable { path, reason } => {
            let message = format!("it cannot be read: {reason}");
            problems.add(path, 1, message, "check that the repository is complete");
        }
    }
}

struct Walk<'a> {
    tree: &'a dyn Tree,
    budget: &'a Budget,
    problems: &'a mut Problems,
    found: Vec<String>,
    entries: usize,
}

impl Walk<'_> {
    fn below(mut self, root: &str) -> Vec<String> {
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match self.tree.entries(&folder) {
                Ok(entries) => entries.unwrap_or_default(),
                Err(error) => {
                    unreadable(&folder, &error, self.problems);
                    continue;
                }
            };
            if let Some(entry) = entries.iter().find(|entry| is_kustomization(&entry.name)) {
                kustomize(&joined(&folder, &entry.name), self.problems);
                continue;
            }
            self.entries += entries.len();
            for entry in entries {
                self.take(&folder, &entry, &mut folders);
            }
            if self.found.len() > self.budget.files || self.entries > self.budget.entries {
                self.too_many(root);
                return Vec::new();
            }
        }
        self.found.sort_unstable();
        self.found
    }

    fn take(&mut self, folder: &str, entry: &Entry, folders: &mut Vec<String>) {
        let path = joined(folder, &entry.name);
        match entry.kind {
            EntryKind::Folder => folders.push(path),
            EntryKind::File if is_manifest(&entry.name) => self.found.push(path),
            EntryKind::File => {}
            kind => not_a_file(&path, kind, self.problems),
        }
    }

    fn too_many(&mut self, root: &str) {
        let Budget { files, entries, .. } = self.budget;
        self.problems.add(
            root,
            1,
            format!("too many files: at most {files} manifests among {entries} entries are looked at"),
            "name a folder that holds the manifests only",
        );
    }
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn is_manifest(name: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|suffix| name.ends_with(suffix))
}

fn is_kustomization(name: &str) -> bool {
    NAMES.contains(&name)
}

fn kustomize(path: &str, problems: &mut Problems) {
    let help = "name its folder as the path of a target, or name it from a kustomization";
    problems.add(path, 1, "a kustomization is below a folder of plain manifests", help);
}

fn not_a_file(path: &str, kind: EntryKind, problems: &mut Problems) {
    let (what, help) = match kind {
        EntryKind::Link => ("a symbolic link: links are not followed", "put a copy of the file here"),
        _ => ("a submodule: its content is not in this repository", "put its files into this repository"),
    };
    problems.add(path, 1, format!("this is {what}"), help);
}

#[cfg(test)]
mod tests;
