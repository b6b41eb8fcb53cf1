//! Kustomizations in a folder that somebody points at, as an audit leaves them.

use std::path::{Path, PathBuf};

use crate::compare;
use crate::files::Tree;
use crate::oracle::Oracle;

const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Compares every kustomization of each folder in `root`, and returns the differences.
pub fn differences(root: &Path) -> Vec<String> {
    let oracle = Oracle::start();
    let mut different = Vec::new();
    for case in entries(root).into_iter().filter(|path| path.is_dir()) {
        let mut tree = Tree::new();
        read(&case, &case, &mut tree);
        for folder in kustomizations(&tree) {
            let expected = oracle.build_at(&case.join(&folder));
            if let Err(why) = compare::compare_tree(&tree, &folder, &expected) {
                different.push(format!("{}: {why}", case.join(folder).display()));
            }
        }
    }
    different
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The files below a folder. Links are left out: they are an error here, as `docs/KUSTOMIZE.md` says.
fn read(root: &Path, folder: &Path, tree: &mut Tree) {
    for path in entries(folder).into_iter().filter(|path| !path.is_symlink()) {
        if path.is_dir() {
            read(root, &path, tree);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            tree.insert(name, std::fs::read(path).unwrap());
        }
    }
}

fn kustomizations(tree: &Tree) -> Vec<String> {
    let parts = tree.keys().map(|path| path.rsplit_once('/').unwrap_or(("", path)));
    let mut folders: Vec<_> =
        parts.filter(|(_, name)| NAMES.contains(name)).map(|(folder, _)| folder.to_owned()).collect();
    folders.dedup();
    folders
}
