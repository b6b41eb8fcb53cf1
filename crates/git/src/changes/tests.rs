use std::path::Path;

use git2::{Delta, DiffOptions};

use super::*;
use crate::testing::Place;

/// What libgit2 says of the same two trees, but that a file which becomes a link or a submodule is a changed one.
fn by_libgit2(git: &git2::Repository, before: Option<Oid>, after: Oid, paths: &[String]) -> Vec<FileChange> {
    let tree = |id| git.find_tree(id).unwrap();
    let (before, after) = (before.map(tree), tree(after));
    let mut options = DiffOptions::new();
    options.disable_pathspec_match(true).ignore_submodules(false).skip_binary_check(true);
    paths.iter().filter(|path| !path.is_empty()).for_each(|path| {
        options.pathspec(path);
    });
    let diff = git.diff_tree_to_tree(before.as_ref(), Some(&after), Some(&mut options)).unwrap();
    let mut changes: Vec<_> = diff
        .deltas()
        .map(|delta| {
            let change = match delta.status() {
                Delta::Added => ChangeKind::Added,
                Delta::Deleted => ChangeKind::Removed,
                _ => ChangeKind::Changed,
            };
            let path = delta.new_file().path().or_else(|| delta.old_file().path()).unwrap_or(Path::new(""));
            FileChange { path: path.to_str().unwrap().to_owned(), change }
        })
        .collect();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes.dedup_by(|next, first| {
        let same = next.path == first.path;
        first.change = if same { ChangeKind::Changed } else { first.change };
        same
    });
    changes
}

/// Trees of which any may follow any other.
fn trees(place: &Place) -> Vec<Oid> {
    let many: Vec<_> =
        (0..200).map(|number| (format!("many/{number}/all.yaml"), number.to_string())).collect();
    let mut many: Vec<_> = many.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let all = place.write_tree(&many);
    many[17].1 = "changed";
    many.remove(40);
    let mut trees = vec![
        all,
        place.write_tree(&many),
        place.write_tree(&[]),
        place.write_tree(&[("a", "1"), ("a.b", "1"), ("a-b/c", "1"), ("d/e/f", "1"), ("d/e/g", "1")]),
        place.write_tree(&[("a/x", "1"), ("a.b", "2"), ("a-b", "1"), ("d/e/f", "2"), ("d/h", "1")]),
        place.write_tree(&[("a*", "1"), ("a.b@", "1"), ("d", "1"), ("a-b/c/d", "1")]),
    ];
    let mut with_submodule = place.git.treebuilder(None).unwrap();
    let commit = place.commit(&[], &[("x", "1")]);
    with_submodule.insert("d", Oid::from_str(commit.as_str()).unwrap(), 0o160_000).unwrap();
    trees.push(with_submodule.write().unwrap());
    trees
}

#[test]
fn what_differs_is_what_libgit2_says() {
    let place = Place::new();
    let trees = trees(&place);
    let repository = place.open();
    let paths = [&[][..], &["d"], &["a", "d/e"], &["a-b/c", "many/17"], &["d/e/f"], &["", "a"], &["nothing"]];
    for before in trees.iter().copied().map(Some).chain([None]) {
        for after in &trees {
            for paths in paths {
                let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
                let by_root = if paths.iter().any(String::is_empty) { Vec::new() } else { paths.clone() };
                let expected = by_libgit2(&place.git, before, *after, &by_root);
                assert_eq!(repository.changed(before, *after, &paths).unwrap(), expected, "{paths:?}");
            }
        }
    }
}

#[test]
fn a_path_without_end_is_refused() {
    let place = Place::new();
    let mut tree = place.write_tree(&[("file", "1")]);
    for _ in 0..2_500 {
        let mut above = place.git.treebuilder(None).unwrap();
        above.insert("a", tree, 0o040_000).unwrap();
        tree = above.write().unwrap();
    }
    let error = place.open().changed(None, tree, &[]).unwrap_err().to_string();
    assert!(error.contains("longer than 4096 bytes"), "{error}");
}
