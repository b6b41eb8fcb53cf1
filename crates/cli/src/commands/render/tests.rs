use std::collections::BTreeMap;

use super::*;

fn arguments(origins: bool, mask_secrets: bool) -> RenderArguments {
    RenderArguments {
        path: "a".into(),
        repo: None,
        rev: None,
        namespaces: vec!["shop".into()],
        format: ObjectForm::Yaml,
        sort: Order::Legacy,
        load_restrictor: Restrictor::RootOnly,
        bases: Vec::new(),
        max_objects: 100,
        origins,
        mask_secrets,
    }
}

fn tree(text: &str) -> BTreeMap<String, Vec<u8>> {
    [("a/x.yaml".to_owned(), text.as_bytes().to_vec())].into()
}

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n";

#[test]
fn secrets_are_printed_unless_they_are_to_be_masked() {
    let printed = rendered(&tree(SECRET), "a", &arguments(false, false), false).unwrap();
    assert!(printed.text.contains("hunter2") && printed.text.contains("namespace: shop"), "{}", printed.text);
    let printed = rendered(&tree(SECRET), "a", &arguments(false, true), false).unwrap();
    assert!(!printed.text.contains("hunter2"), "{}", printed.text);
    let for_program = rendered(&tree(SECRET), "a", &arguments(false, true), true).unwrap();
    assert!(!for_program.document.to_string().contains("hunter2"));
}

#[test]
fn an_object_says_where_it_came_from() {
    let printed = rendered(&tree(SECRET), "a", &arguments(true, false), false).unwrap();
    assert!(printed.text.starts_with("---\n# a/x.yaml:1\napiVersion"), "{}", printed.text);
}

#[test]
fn what_does_not_render_is_shown_with_its_line() {
    let printed = rendered(&tree("apiVersion: v1\nkind: [\n"), "a", &arguments(false, false), false).unwrap();
    assert_eq!(printed.conclusion, Conclusion::Denied);
    assert_eq!(printed.document["rendered"], false);
    assert!(printed.text.contains("a/x.yaml:"), "{}", printed.text);
}

#[test]
fn a_path_is_taken_from_the_root_around_it() {
    assert_eq!(normal(Path::new("/a/./b/../c")), Path::new("/a/c"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("d")).unwrap();
    assert_eq!(split(&folder.path().join("d")).unwrap(), (folder.path().join("d"), String::new()));
    assert_eq!(split(&folder.path().join("f")).unwrap(), (folder.path().to_owned(), "f".to_owned()));
}

#[test]
fn a_field_that_a_patch_set_says_where_it_came_from() {
    let files = [
        (
            "base/web.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n",
        ),
        ("base/kustomization.yaml", "resources: [web.yaml]\n"),
        ("a/kustomization.yaml", "resources: [../base]\npatches:\n- path: p.yaml\nnamePrefix: x-\n"),
        ("a/p.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 3\n"),
    ];
    let tree: BTreeMap<String, Vec<u8>> = files.map(|(path, text)| (path.into(), text.into())).into();
    let printed = rendered(&tree, "a", &arguments(true, false), false).unwrap();
    assert!(printed.text.contains("# base/web.yaml:1\n"), "{}", printed.text);
    assert!(printed.text.contains("#   /spec/replicas: a/p.yaml:5\n"), "{}", printed.text);
    assert!(printed.text.contains("replicas: 3") && printed.text.contains("name: x-web"), "{}", printed.text);
}

#[test]
fn a_remote_base_is_read_from_the_clone_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let git = git2::Repository::init(folder.path()).unwrap();
    let mut root = git.treebuilder(None).unwrap();
    for (name, text) in [("kustomization.yaml", "resources:\n- x.yaml\n"), ("x.yaml", SECRET)] {
        root.insert(name, git.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
    }
    let tree = git.find_tree(root.write().unwrap()).unwrap();
    let who = git2::Signature::new("Ann", "ann@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
    let commit = git.commit(Some("HEAD"), &who, &who, "a base", &tree, &[]).unwrap();
    let text = format!("resources:\n- https://git.example.com/team/base?ref={commit}\n");
    let files = BTreeMap::from([("a/kustomization.yaml".to_owned(), text.into_bytes())]);
    let mut arguments = arguments(true, false);
    let printed = rendered(&files, "a", &arguments, false).unwrap();
    assert_eq!(printed.conclusion, Conclusion::Denied);
    assert!(printed.text.contains("a/kustomization.yaml:2: no clone of the repository"), "{}", printed.text);
    let clone = format!("git@git.example.com:team/base.git={}", folder.path().display());
    arguments.bases = vec![clone.parse().unwrap()];
    let printed = rendered(&files, "a", &arguments, false).unwrap();
    assert!(printed.text.contains(&format!("@{commit}:x.yaml:1\n")), "{}", printed.text);
}
