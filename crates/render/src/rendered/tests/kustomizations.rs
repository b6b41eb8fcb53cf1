//! What is said of kustomizations: warnings, and errors at their file and line.

use super::*;
use crate::kustomize::kustomization::DEPRECATED;

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";

/// The result of a kustomization in `app`, beside one in `base` that holds a ConfigMap.
fn built(kustomization: &str, others: &[(&str, &str)]) -> Result<Rendered, Vec<Problem>> {
    let kustomizations =
        [("app/kustomization.yaml", kustomization), ("base/kustomization.yaml", "resources: [c.yaml]\n")];
    let files = [&kustomizations[..], &[("base/c.yaml", CONFIG), ("app/c.yaml", CONFIG)], others].concat();
    render(&tree(&files), "app", &[], &Budget::default())
}

fn warnings(kustomization: &str, others: &[(&str, &str)]) -> Vec<String> {
    told(Err(built(kustomization, others).unwrap().warnings))
}

#[test]
fn every_deprecated_field_is_told_of_with_its_successor() {
    let fields = [
        ("bases", "resources", "bases: [../base]\n"),
        ("commonLabels", "labels", "commonLabels: {a: b}\nresources: [c.yaml]\n"),
        ("imageTags", "images", "imageTags: [{name: nginx, newTag: t}]\nresources: [c.yaml]\n"),
        (
            "patchesJson6902",
            "patches",
            "patchesJson6902:\n- target: {version: v1, kind: ConfigMap, name: c}\n  patch: |-\n    \
             - {op: test, path: /kind, value: ConfigMap}\nresources: [c.yaml]\n",
        ),
        ("patchesStrategicMerge", "patches", "patchesStrategicMerge: [c.yaml]\nresources: [c.yaml]\n"),
        (
            "vars",
            "replacements",
            "vars: [{name: V, objref: {apiVersion: v1, kind: ConfigMap, name: c}}]\nresources: [c.yaml]\n",
        ),
        ("env", "envs", "configMapGenerator: [{name: g, env: e.env}]\n"),
        ("env", "envs", "secretGenerator: [{name: g, env: e.env}]\n"),
    ];
    for (field, successor, text) in fields {
        let expected =
            format!("app/kustomization.yaml:1: {field} is deprecated: its successor is {successor}");
        assert_eq!(warnings(text, &[("app/e.env", "A=1\n")]), [expected], "{text}");
    }
    for (field, successor) in DEPRECATED {
        assert!(fields.iter().any(|(known, next, _)| (*known, *next) == (field, successor)), "{field}");
    }
}

#[test]
fn a_block_that_kustomize_prints_otherwise_is_told_of() {
    let told = |text: &str| {
        let text = format!("{CONFIG}data:\n  a: >\n{text}");
        warnings("resources: [f.yaml]\n", &[("app/f.yaml", &text)])
    };
    let expected =
        "app/f.yaml:6: kustomize prints this text with an empty line more: here it stays as it is written";
    for text in ["    x\n      y\n", "    x\n\n      y\n    x\n", "    x\n      y\n\n    x\n      y\n"] {
        assert_eq!(told(text), [expected], "{text}");
    }
    for text in ["    x\n    y\n", "    x\n\n    y\n", "    x\n\n"] {
        assert!(told(text).is_empty(), "{text}");
    }
    // What takes the place of a folded text is folded as well.
    let folded = format!("{CONFIG}data:\n  a: >\n    x\n    y\n");
    let patched = |body: &str| {
        let patch = format!("{CONFIG}data:\n  a: {body}\n");
        let files = [("app/f.yaml", &*folded), ("app/p.yaml", &*patch)];
        warnings("resources: [f.yaml]\npatches: [{path: p.yaml}]\n", &files)
    };
    assert_eq!(patched("|\n    x\n      y"), [expected.replace("f.yaml:6", "p.yaml:6")]);
    assert!(patched("|\n    x\n    y").is_empty());
    // A literal text is one line longer only before comments that end the document.
    let kept = |rest: &str| {
        let text = format!("{CONFIG}data:\n  a: |+\n    x\n{rest}");
        warnings("resources: [f.yaml]\n", &[("app/f.yaml", &text)])
    };
    let other = CONFIG.replace("name: c", "name: other");
    for rest in ["\n# end\n", "\n\n  # end\n\n# more", &format!("\n# end\n---\n{other}")] {
        assert_eq!(kept(rest), [expected], "{rest}");
    }
    for rest in ["# end\n", "\n", "\n# no end\n  b: c\n", &format!("\n---\n# end\n{other}")] {
        assert!(kept(rest).is_empty(), "{rest}");
    }
}

#[test]
fn a_line_that_kustomize_does_not_read_to_its_end_is_told_of() {
    let read = |length: usize| {
        let lines = format!("A=1\nB={}\nC=2\n", "x".repeat(length - 2));
        let generator = "configMapGenerator: [{name: g, envs: [e.env]}]\n";
        let built = built(generator, &[("app/e.env", &lines)]).unwrap();
        assert_eq!(built.objects[0].object()["data"]["C"], "2");
        told(Err(built.warnings))
    };
    assert!(read(64 * 1024 - 1).is_empty());
    let expected = "kustomize leaves out a line of 64 KiB, and what comes after it: here it is read";
    assert_eq!(read(64 * 1024), [format!("app/e.env:2: {expected}")]);
}

#[test]
fn what_is_wrong_with_the_file_itself_is_told_at_that_file() {
    let both = told(built("resources: [c.yaml]\n", &[("app/Kustomization", "")]));
    let expected = "app/Kustomization:1: the folder \"app\" has both kustomization.yaml and Kustomization";
    assert_eq!(both, [expected]);
    let folder = [("app/kustomization.yaml/x", "")];
    let told = self::told(render(&tree(&folder), "app", &[], &Budget::default()));
    assert_eq!(told, ["app/kustomization.yaml:1: \"app/kustomization.yaml\" is a folder, not a file"]);
}

#[test]
fn notes_of_kustomize_to_itself_are_left_out_or_refused() {
    let noted = |key: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: n\n  annotations:\n    {key}: enabled\n")
    };
    let lost = noted("config.kubernetes.io/path");
    let expected = "app/n.yaml:6: the annotation config.kubernetes.io/path is left out: it is a note of kustomize to itself";
    assert_eq!(warnings("resources: [n.yaml]\n", &[("app/n.yaml", &lost)]), [expected]);
    let key = "internal.config.kubernetes.io/needsHashSuffix";
    let steers = noted(key);
    let message = format!("the annotation {key} is a note of kustomize to itself");
    let of_file = told(built("resources: [n.yaml]\n", &[("app/n.yaml", &steers)]));
    assert_eq!(of_file, [format!("app/n.yaml:6: {message}")]);
    let added = format!("resources: [c.yaml]\ncommonAnnotations: {{{key}: enabled}}\n");
    assert_eq!(told(built(&added, &[])), [format!("app/kustomization.yaml:2: {message}")]);
    let traced = "resources: [n.yaml]\nbuildMetadata: [transformerAnnotations]\n";
    let noted = noted("alpha.config.kubernetes.io/transformations");
    assert_eq!(told(built(traced, &[("app/n.yaml", &noted)])).len(), 1);
}

#[test]
fn a_member_that_an_operation_does_not_have_is_a_warning() {
    let text = "resources: [c.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: |-\n    - op: add\n      \
                path: /data\n      value: {a: b}\n      vlaue: {}\n";
    let expected = "app/kustomization.yaml:8: an operation of a JSON patch has no field \"vlaue\"";
    assert_eq!(warnings(text, &[]), [expected]);
}

#[test]
fn what_other_readers_leave_out_is_refused() {
    let second = CONFIG.replace("name: c", "name: d");
    let json = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j"}}"#;
    let patch = "- {op: test, path: /kind, value: ConfigMap}\n";
    let patches = format!("{patch}---\n{patch}");
    for (text, path, file, line) in [
        ("resources: [x.yaml]\n", "app/x.yaml", format!("{CONFIG}...\n{second}"), 5),
        ("resources: [x.json]\n", "app/x.json", format!("{json}\n{json}\n"), 2),
        (
            "resources: [c.yaml]\npatches: [{path: p.yaml, target: {kind: ConfigMap}}]\n",
            "app/p.yaml",
            patches,
            3,
        ),
    ] {
        let told = told(built(text, &[(path, &file)]));
        assert!(told[0].starts_with(&format!("{path}:{line}: ")) && told[0].contains("out"), "{told:?}");
    }
    let merged = "resources: [c.yaml]\ncommonLabels: &a {q: r}\ncommonAnnotations:\n  q: first\n  <<: *a\n";
    assert!(told(built(merged, &[]))[0].contains("<< brings the key \"q\""));
}

#[test]
fn a_file_named_json_that_is_neither_says_why_it_is_not_what_it_looks_like() {
    let told = |text: &str| told(built("resources: [x.json]\n", &[("app/x.json", text)])).remove(0);
    assert!(told("{\"a\": 1,, }").contains("not valid JSON"));
    assert!(told("a: b: c\n").contains("not valid YAML"));
}

#[test]
fn references_of_a_schema_may_lead_anywhere_and_in_a_circle() {
    let object = "apiVersion: e/v1\nkind: F\nmetadata: {name: f}\nspec:\n  l: [{id: a, v: 1}]\n  r: {s: {l: [{id: b}]}}\n";
    let schema = r##"{"definitions": {
        "F": {"x-kubernetes-group-version-kind": [{"group": "e", "version": "v1", "kind": "F"}],
            "properties": {"spec": {"$ref": "#/definitions/a~1b/properties/s"}}},
        "a/b": {"properties": {"s": {"properties": {"l": {"$ref": "#/definitions/L"},
            "r": {"$ref": "#/definitions/a~1b"}, "round": {"$ref": "#/definitions/Round"}}}}},
        "L": {"type": ["array"], "x-kubernetes-patch-strategy": "retainKeys,merge", "x-kubernetes-patch-merge-key": "id"},
        "Round": {"$ref": "#/definitions/Again"}, "Again": {"$ref": "#/definitions/Round"}}}"##;
    let text = "resources: [f.yaml]\nopenapi: {path: s.json}\npatches:\n- patch: |-\n    apiVersion: e/v1\n    kind: F\n    \
                metadata: {name: f}\n    spec: {l: [{id: c}], r: {s: {l: [{id: d}]}}, round: {x: [1]}}\n";
    let rendered = built(text, &[("app/f.yaml", object), ("app/s.json", schema)]).unwrap();
    let spec = json!({"l": [{"id": "c"}, {"id": "a", "v": 1}], "r": {"s": {"l": [{"id": "d"}, {"id": "b"}]}}, "round": {"x": [1]}});
    assert_eq!(rendered.objects[0].object()["spec"], spec);
}

#[test]
fn a_schema_below_that_only_what_is_built_in_could_complete_is_refused() {
    let schema = r##"{"definitions": {"F": {"x-kubernetes-group-version-kind": [{"group": "e", "version": "v1", "kind": "F"}],
        "properties": {"spec": {"$ref": "#/definitions/io.k8s.api.core.v1.PodSpec"}}}}}"##;
    let component =
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nopenapi: {path: s.json}\n";
    let told = |object: &str| {
        let files = [("app/f.yaml", object), ("part/kustomization.yaml", component), ("part/s.json", schema)];
        built("resources: [f.yaml]\ncomponents: [../part]\n", &files)
            .map_err(|problems| self::told(Err(problems)))
    };
    // kustomize knows what is built in beside that schema, once it has looked for the scope of another kind.
    let expected = "part/kustomization.yaml:3: the schema refers to #/definitions/io.k8s.api.core.v1.PodSpec, which is not in it";
    assert_eq!(told("apiVersion: e/v1\nkind: F\nmetadata: {name: f}\n").unwrap_err(), [expected]);
    assert!(told("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n").is_ok());
}

#[test]
fn an_item_without_the_name_by_which_it_is_merged_does_not_vanish() {
    let pod = |containers: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {name}\nspec:\n  containers:\n{containers}",
            name = "{name: p}"
        )
    };
    let (object, patch) = (pod("  - name:\n    image: a\n"), pod("  - name: z\n    tty: true\n"));
    let files = [("app/p.yaml", &*object), ("app/q.yaml", &*patch)];
    let told = told(built("resources: [p.yaml]\npatches: [{path: q.yaml}]\n", &files));
    assert_eq!(told, ["app/p.yaml:6: name is null in an item that is merged by it"]);
}
