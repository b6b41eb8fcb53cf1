use std::collections::BTreeMap;

use super::*;

fn arguments(origins: bool, show_secrets: bool) -> RenderArguments {
    RenderArguments {
        path: "a".into(),
        repo: None,
        rev: None,
        namespaces: vec!["shop".into()],
        format: ObjectForm::Yaml,
        origins,
        show_secrets,
    }
}

fn tree(text: &str) -> BTreeMap<String, Vec<u8>> {
    [("a/x.yaml".to_owned(), text.as_bytes().to_vec())].into()
}

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n";

#[test]
fn secrets_are_masked_unless_they_are_asked_for() {
    let printed = rendered(&tree(SECRET), "a", &arguments(false, false)).unwrap();
    assert!(
        !printed.text.contains("hunter2") && printed.text.contains("namespace: shop"),
        "{}",
        printed.text
    );
    assert!(!printed.document.to_string().contains("hunter2"));
    let printed = rendered(&tree(SECRET), "a", &arguments(false, true)).unwrap();
    assert!(printed.text.contains("hunter2"), "{}", printed.text);
}

#[test]
fn an_object_says_where_it_came_from() {
    let printed = rendered(&tree(SECRET), "a", &arguments(true, false)).unwrap();
    assert!(printed.text.starts_with("---\n# a/x.yaml:1\napiVersion"), "{}", printed.text);
}

#[test]
fn what_does_not_render_is_shown_with_its_line() {
    let printed = rendered(&tree("apiVersion: v1\nkind: [\n"), "a", &arguments(false, false)).unwrap();
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
