use std::collections::BTreeMap;

use super::*;

/// A tree with a link and a submodule, which a map of bytes cannot hold.
struct Odd;

impl Tree for Odd {
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        Ok(Some(if path == "link.yaml" { EntryKind::Link } else { EntryKind::Folder }))
    }

    fn entries(&self, _: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        let entry = |name: &str, kind| Entry { name: name.to_owned(), kind };
        Ok(Some(vec![
            entry("a.yaml", EntryKind::File),
            entry("link.yaml", EntryKind::Link),
            entry("vendor", EntryKind::Submodule),
        ]))
    }

    fn read(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, TreeError> {
        Ok(None)
    }
}

fn tree(paths: &[&str]) -> BTreeMap<String, Vec<u8>> {
    paths.iter().map(|path| ((*path).to_owned(), Vec::new())).collect()
}

fn found(tree: &impl Tree, path: &str) -> (Vec<String>, Vec<String>) {
    let mut problems = Problems::default();
    let files = match find(tree, path, &mut problems) {
        Some(Found::Manifests(path)) => manifests(tree, &path, &Budget::default(), &mut problems),
        Some(Found::Kustomization(folder)) => vec![format!("kustomization of {folder:?}")],
        None => Vec::new(),
    };
    let told = problems.or(()).err().unwrap_or_default();
    (files, told.into_iter().map(|problem| format!("{}: {}", problem.at, problem.message)).collect())
}

#[test]
fn manifests_are_found_at_every_level_and_sorted_by_path() {
    let tree = tree(&["d/b.yml", "d/a/z.json", "d/a.yaml", "d/README.md", "d/x.yaml.bak", "e/c.yaml"]);
    assert_eq!(found(&tree, "d").0, ["d/a.yaml", "d/a/z.json", "d/b.yml"]);
    assert_eq!(
        found(&tree, "d/README.md").0,
        ["d/README.md"],
        "a file that is named is read whatever its name"
    );
}

#[test]
fn what_cannot_be_rendered_is_named() {
    assert_eq!(found(&tree(&["a.yaml"]), "b").1, ["b:1: nothing is at this path"]);
    let (files, told) = found(&tree(&["d/a.yaml", "d/k/kustomization.yml", "d/k/patch.yaml"]), "d");
    assert_eq!(files, ["d/a.yaml"]);
    assert_eq!(told, ["d/k/kustomization.yml:1: a kustomization is below a folder of plain manifests"]);
    assert_eq!(
        found(&Odd, "").1,
        [
            "link.yaml:1: this is a symbolic link: links are not followed",
            "vendor:1: this is a submodule: its content is not in this repository"
        ]
    );
    assert_eq!(found(&Odd, "link.yaml").1.len(), 1);
}

#[test]
fn a_folder_with_a_kustomization_is_one() {
    let tree = tree(&["k/Kustomization", "k/web.yaml", "kustomization.yml"]);
    assert_eq!(found(&tree, "k").0, ["kustomization of \"k\""]);
    assert_eq!(found(&tree, "k/Kustomization").0, ["kustomization of \"k\""]);
    assert_eq!(found(&tree, ".").0, ["kustomization of \"\""]);
    assert_eq!(found(&tree, "k/web.yaml").0, ["k/web.yaml"]);
}

#[test]
fn too_many_files_are_not_read() {
    let paths: Vec<String> = (0..100_000).map(|n| format!("d/{}/{n}.yaml", n % 7)).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (files, told) = found(&tree(&paths), "d");
    assert!(files.is_empty());
    assert_eq!(told, ["d:1: too many files: at most 2000 manifests among 50000 entries are looked at"]);
}

#[test]
fn a_path_is_normalized_and_never_leads_upwards() {
    assert_eq!(normalized("./deploy//base/"), Some("deploy/base".to_owned()));
    assert_eq!(normalized("."), Some(String::new()));
    assert_eq!(normalized("deploy/../secret"), None);
}
