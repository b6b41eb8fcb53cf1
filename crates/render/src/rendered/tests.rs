use std::collections::BTreeMap;

use countersign_core::digest::canonical_json;
use serde_json::json;

use super::*;

mod kustomizations;

fn tree(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn namespaces() -> Vec<String> {
    vec!["shop".to_owned(), "shop-data".to_owned()]
}

fn rendered(files: &[(&str, &str)]) -> Rendered {
    render(&tree(files), "", &namespaces(), &Budget::default()).unwrap()
}

/// The line of a field of an object.
fn line(rendered: &Rendered, object: usize, field: &str) -> u32 {
    rendered.facts()[object].lines[field]
}

/// What is wrong, as `file:line: message`.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    told(render(&tree(files), "", &namespaces(), &Budget::default()))
}

fn told(result: Result<Rendered, Vec<Problem>>) -> Vec<String> {
    result.unwrap_err().into_iter().map(|problem| format!("{}: {}", problem.at, problem.message)).collect()
}

fn configmap(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

#[test]
fn objects_know_where_they_come_from() {
    let rendered = rendered(&[
        ("deploy/b.yaml", "# two\n---\nkind: Service\napiVersion: v1\nmetadata: {name: web}\n"),
        ("deploy/a.yaml", &format!("{}---\n{}", configmap("one"), configmap("two"))),
        ("deploy/c.json", "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\n\"metadata\":{\"name\":\"s\"}}"),
        ("README.md", "not: [yaml"),
    ]);
    let origins: Vec<String> =
        rendered.objects.iter().map(|object| format!("{} {}", object.origin, object.key)).collect();
    assert_eq!(
        origins,
        [
            "deploy/a.yaml:1 ConfigMap shop/one",
            "deploy/a.yaml:6 ConfigMap shop/two",
            "deploy/b.yaml:3 Service shop/web",
            "deploy/c.json:1 Secret shop/s",
        ]
    );
    assert_eq!(line(&rendered, 1, "/metadata/name"), 9);
    assert_eq!(line(&rendered, 3, "/metadata"), 2);
    assert_eq!(rendered.files, ["deploy/a.yaml", "deploy/b.yaml", "deploy/c.json"]);
}

#[test]
fn a_namespace_is_given_where_the_kind_is_known_to_need_one() {
    let object = |version: &str, kind: &str, metadata: &str| {
        format!("apiVersion: {version}\nkind: {kind}\nmetadata: {metadata}\n---\n")
    };
    let text = [
        object("apps/v1", "Deployment", "{name: a}"),
        object("apps/v1", "Deployment", "{name: b, namespace: elsewhere}"),
        object("apps/v1", "Deployment", "{name: c, namespace: ''}"),
        object("v1", "Namespace", "{name: d}"),
        object("rbac.authorization.k8s.io/v1", "ClusterRole", "{name: e}"),
        object("example.com/v1", "Thing", "{name: f}"),
    ]
    .concat();
    let rendered = rendered(&[("a.yaml", &text)]);
    let placed: Vec<_> =
        rendered.objects.iter().map(|object| object.key.namespace.as_deref().unwrap_or("-")).collect();
    assert_eq!(placed, ["shop", "elsewhere", "shop", "-", "-", "-"]);
    for object in &rendered.objects {
        assert_eq!(ObjectKey::of(&object.object()).as_ref(), Some(&object.key));
    }
    assert_eq!(line(&rendered, 0, "/metadata/namespace"), 3);
    let free = render(&tree(&[("a.yaml", &text)]), ".", &[], &Budget::default()).unwrap();
    assert_eq!(free.objects[0].key.namespace, None);
    let text = object("v1", "Namespace", "\n  name: d\n  namespace: shop");
    let taken = self::rendered(&[("a.yaml", &text)]);
    assert_eq!(taken.objects[0].object()["metadata"], json!({"name": "d"}), "as the API server does");
    let warned = &taken.warnings[0];
    assert_eq!((warned.at.line, warned.message.contains("Namespace lives in no namespace")), (5, true));
    let free = render(&tree(&[("a.yaml", &text)]), ".", &[], &Budget::default()).unwrap();
    assert_eq!(free.objects[0].key.namespace.as_deref(), Some("shop"), "as kustomize prints it");
}

#[test]
fn lists_are_flattened() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n\
                - apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - apiVersion: v1\n    kind: ConfigMap\n    \
                metadata: {name: b}\n---\napiVersion: v1\nkind: List\n---\n\
                {apiVersion: example.com/v1, kind: AllowList, metadata: {name: c}}\n";
    let lines: Vec<_> =
        rendered(&[("a.yaml", text)]).objects.iter().map(|object| object.origin.line).collect();
    assert_eq!(lines, [4, 10, 17]);
    let text = "apiVersion: v1\nkind: List\nitems: 5\n";
    assert_eq!(problems(&[("a.yaml", text)]), ["a.yaml:3: items is a number, not a list"]);
}

#[test]
fn every_problem_is_told_with_its_line() {
    let text = "kind: A\nmetadata: {name: x}\n---\napiVersion: v1\nkind: 5\nmetadata: {name: x}\n---\n\
                apiVersion: v1\nkind: B\n---\napiVersion: v1\nkind: B\nmetadata:\n  generateName: x-\n---\n\
                apiVersion: v1\nkind: B\nmetadata: {name: ''}\n---\n- a\n---\napiVersion: v1\nkind: B\n\
                metadata: x\n---\napiVersion: v1\nkind: B\nmetadata: {name: x, namespace: 5}\n---\n\
                apiVersion: v1\nkind: B\nmetadata: {}\n";
    assert_eq!(
        problems(&[("a.yaml", text), ("b.yaml", "a: 1\nb: [\n"), ("c.yaml", "a: .inf\nb: 1\nb: 2")]),
        [
            "a.yaml:1: apiVersion is missing",
            "a.yaml:5: kind is a number, not a string",
            "a.yaml:8: metadata.name is missing",
            "a.yaml:14: metadata.generateName would make another object at every apply",
            "a.yaml:18: name is empty",
            "a.yaml:20: this is a list, not an object",
            "a.yaml:24: metadata is a string, not a mapping",
            "a.yaml:28: namespace is a number, not a string",
            "a.yaml:32: metadata.name is missing",
            "b.yaml:3: not valid YAML: while parsing a node, did not find expected node content",
            "c.yaml:1: an infinite number cannot be written in JSON",
            "c.yaml:3: the key \"b\" is written twice: first on line 2",
        ]
    );
}

#[test]
fn an_object_is_written_once_whatever_its_version() {
    let object = |version: &str, namespace: &str| {
        format!("apiVersion: {version}\nkind: Deployment\nmetadata: {{name: web{namespace}}}\n")
    };
    let files = [
        ("a.yaml", object("apps/v1", "")),
        ("b.yaml", object("apps/v1beta1", ", namespace: shop")),
        ("c.yaml", object("apps/v1", ", namespace: shop-data")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    assert_eq!(problems(&files), ["b.yaml:1: apps/Deployment shop/web is written twice: also at a.yaml:1"]);
}

#[test]
fn a_path_that_leads_nowhere_is_a_problem_and_an_empty_folder_is_none() {
    let tree = tree(&[("deploy/README.md", "hello")]);
    let budget = Budget::default();
    assert_eq!(told(render(&tree, "deplyo", &[], &budget)), ["deplyo:1: nothing is at this path"]);
    assert_eq!(told(render(&tree, "a/../b", &[], &budget)), ["a/../b:1: this path leads upwards"]);
    assert_eq!(render(&tree, "./deploy/", &[], &budget).unwrap().objects, []);
}

#[test]
fn bytes_that_are_not_utf8_are_a_problem_at_their_line() {
    let tree: BTreeMap<String, Vec<u8>> =
        BTreeMap::from([("a.yaml".to_owned(), b"a: 1\nb: \xff\n".to_vec())]);
    assert_eq!(told(render(&tree, "", &[], &Budget::default())), ["a.yaml:2: these bytes are not UTF-8"]);
}

#[test]
fn every_budget_of_a_render_ends_in_a_problem() {
    let files: Vec<(String, String)> =
        (0..9).map(|n| (format!("{n}.yaml"), configmap(&format!("c{n}")))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let with = |budget: Budget| told(render(&tree(&files), "", &[], &budget));
    let default = Budget::default;
    assert_eq!(
        with(Budget { files: 8, ..default() }),
        [":1: too many files: at most 8 manifests among 50000 entries are looked at"]
    );
    assert_eq!(with(Budget { entries: 8, ..default() }).len(), 1);
    assert_eq!(with(Budget { objects: 3, ..default() }), ["3.yaml:1: more than 3 objects in all"]);
    assert_eq!(
        with(Budget { total_bytes: 100, ..default() }),
        ["1.yaml:1: the files have more than 100 bytes in all"]
    );
    assert_eq!(
        with(Budget { nodes: 20, ..default() }),
        ["2.yaml:1: the files hold more than 20 values in all"]
    );
    let told = with(Budget { file_bytes: 10, ..default() });
    assert_eq!(told.len(), 9);
    assert_eq!(told[0], "0.yaml:1: the file has 52 bytes: at most 10 are read");
}

#[test]
fn the_manifest_is_canonical_and_its_digest_that_of_its_bytes() {
    let one =
        rendered(&[("a.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata: {b: '1', a: x}")]);
    let other = rendered(&[(
        "z.json",
        r#"{"apiVersion":"v1","data":{"a":"x","b":"1"},"kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"}}"#,
    )]);
    let (one, other) = (one.blob().unwrap(), other.blob().unwrap());
    assert_eq!(one, other);
    assert_eq!(one.digest, Digest::of(&one.bytes));
    let expected = json!({"v": 1, "objects": [{"apiVersion": "v1", "data": {"a": "x", "b": "1"},
        "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}]});
    assert_eq!(serde_json::from_slice::<Value>(&one.bytes).unwrap(), expected);
}

#[test]
fn every_kind_of_value_is_written_as_the_canonical_form_has_it() {
    let object = "kind: W\napiVersion: e/v1\nmetadata: {name: w}\n\
                  spec: {z: 1.50, b: {}, a: [true, null, ~, 0x10, -7, 1e3, 'é\"\\', []], 'a/b': 2001-01-01, aa: '01'}\n";
    let plain = rendered(&[("a.yaml", object)]);
    let built = rendered(&[("a.yaml", object), ("kustomization.yaml", "resources: [a.yaml]\n")]);
    for rendered in [plain, built] {
        assert_eq!(rendered.blob().unwrap().bytes, canonical_json(&rendered.manifest()).unwrap());
    }
}

#[test]
fn facts_hide_secrets_and_images_are_found() {
    let rendered = rendered(&[(
        "a.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n---\n\
         apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: nginx}]}\n",
    )]);
    let facts = serde_json::to_string(&rendered.facts()).unwrap();
    assert!(facts.contains("password") && !facts.contains("hunter2"));
    assert!(serde_json::to_string(&rendered.manifest()).unwrap().contains("hunter2"));
    assert_eq!(rendered.images()[0].field, "/spec/containers/0/image");
}
