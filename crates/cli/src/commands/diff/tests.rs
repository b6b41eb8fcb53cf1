use git2::{Repository, Signature};

use super::*;

/// Commits `files` on top of `HEAD`, and nothing else.
fn commit(repository: &Repository, files: &[(&str, &str)]) {
    let mut index = repository.index().unwrap();
    index.clear().unwrap();
    for (path, text) in files {
        let full = repository.workdir().unwrap().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
        index.add_path(Path::new(path)).unwrap();
    }
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let who = Signature::now("Ada", "ada@example.com").unwrap();
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(Some("HEAD"), &who, &who, "a step", &tree, &parents).unwrap();
}

fn arguments(folder: &Path, before: &str) -> DiffArguments {
    DiffArguments {
        before: before.into(),
        after: "HEAD".into(),
        path: "app".into(),
        repo: Some(folder.to_owned()),
        namespaces: Vec::new(),
        load_restrictor: Restrictor::RootOnly,
        bases: Vec::new(),
        max_objects: 5_000,
    }
}

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: ";

#[test]
fn two_revisions_of_a_kustomization_are_compared_with_secrets_masked() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::init(folder.path()).unwrap();
    let kustomization = ("app/kustomization.yaml", "resources: [s.yaml]\nnamePrefix: x-\n");
    commit(&repository, &[("app/s.yaml", &format!("{SECRET}hunter2}}\n")), kustomization]);
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    let second = ("app/kustomization.yaml", "resources: [s.yaml, c.yaml]\nnamePrefix: x-\n");
    commit(&repository, &[("app/s.yaml", &format!("{SECRET}swordfish}}\n")), second, ("app/c.yaml", config)]);
    let arguments = arguments(folder.path(), "HEAD~1");
    let printed = run(&arguments).unwrap();
    assert!(printed.text.contains("x-c") && printed.text.contains("x-s"), "{}", printed.text);
    assert!(!printed.text.contains("hunter2") && !printed.text.contains("swordfish"), "{}", printed.text);
    let same = run(&DiffArguments { before: "HEAD".into(), ..arguments }).unwrap();
    assert_eq!(same.text, "no object differs");
}

#[test]
fn the_bounds_of_a_render_can_be_moved_for_a_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::init(folder.path()).unwrap();
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    let outside = ("app/kustomization.yaml", "resources: [../all.yaml]\n");
    let two = format!("{config}---\n{}", config.replace("name: c", "name: d"));
    commit(&repository, &[("all.yaml", config), outside]);
    commit(&repository, &[("all.yaml", &two), outside]);
    let restricted = arguments(folder.path(), "HEAD~1");
    assert!(run(&restricted).unwrap().text.contains("not in or below"));
    let free = DiffArguments { load_restrictor: Restrictor::None, ..restricted };
    assert!(run(&free).unwrap().text.contains('d'));
    let few = DiffArguments { max_objects: 1, ..free };
    assert!(run(&few).unwrap().text.contains("more than 1 objects in all"));
}
