//! What a repository's author could do to a renderer, each stopped by a budget or a rule, with a reason.

#[path = "bombs/trees.rs"]
mod trees;

use countersign_core::tree::Tree;
use countersign_render::budget::{Budget, Work};
use countersign_render::rendered::{Options, render, work};
use trees::{Bomb, files, object};

/// The first thing that is wrong, as `file:line: message`.
fn refused(tree: &impl Tree, path: &str) -> String {
    match render(tree, path, &[], &Budget::default()) {
        Ok(rendered) => panic!("{} objects were rendered", rendered.objects.len()),
        Err(problems) => {
            let problem = &problems[0];
            assert!(problem.help.as_ref().is_some_and(|help| !help.is_empty()), "{problem:?}");
            format!("{}: {}", problem.at, problem.message)
        }
    }
}

/// What it took to refuse a tree.
struct Cost {
    said: String,
    work: Work,
    /// The most bytes that were held at one time.
    bytes: u64,
}

/// Runs on a thread with the stack that threads usually have.
fn on_a_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

fn cost(bomb: Bomb) -> Cost {
    on_a_small_stack(move || {
        let budget = Budget::for_objects(2_000);
        let mut result = None;
        let counted = allocation_counter::measure(|| {
            result = Some(work(&bomb.files, bomb.run, &Options::new(&[], &budget)));
        });
        let Some((work, Some(problem))) = result else { panic!("{} was built", bomb.name) };
        Cost { said: problem.message, work, bytes: counted.bytes_max }
    })
}

#[test]
fn every_bomb_is_stopped_with_its_reason_before_it_costs_much() {
    for bomb in trees::all() {
        let (name, says, (mib, thousands)) = (bomb.name, bomb.says, bomb.most);
        let Cost { said, work, bytes } = cost(bomb);
        let counted = work.nodes + work.steps;
        println!("{name}: {} KiB, {counted} values and steps", bytes >> 10);
        assert!(said.contains(says), "{name}: {said}");
        assert!(bytes <= mib << 20 && bytes <= 64_000_000, "{name}: {bytes} bytes were held at one time");
        assert!(counted <= thousands * 1_000, "{name}: {work:?}");
    }
}

#[test]
fn what_is_as_deep_as_it_may_be_is_rendered_on_a_small_stack() {
    on_a_small_stack(|| {
        let nested = |levels: usize| format!("{}x{}", "{a: [".repeat(levels / 2), "]}".repeat(levels / 2));
        let object = format!("apiVersion: e/v1\nkind: F\nmetadata: {{name: f}}\nspec: {}\n", nested(98));
        let path = format!("spec{}", "/b".repeat(97));
        let text = format!(
            "resources: [x.yaml]\nnamePrefix: p-\nnamespace: shop\n\
             labels: [{{pairs: {{a: b}}, fields: [{{path: {path}, create: true}}]}}]\n\
             patches:\n- patch: '{{apiVersion: e/v1, kind: F, metadata: {{name: f}}, other: {}}}'\n\
             - target: {{kind: F}}\n  patch: |\n    - {{op: copy, from: /spec, path: /copy}}\n    - {{op: test, path: /copy, value: {}}}\n\
             replacements:\n- source: {{kind: F, fieldPath: spec}}\n\
             \x20 targets: [{{select: {{kind: F}}, fieldPaths: [again], options: {{create: true}}}}]\n",
            nested(98),
            nested(98)
        );
        let tree = files(&[("kustomization.yaml", &text), ("x.yaml", &object)]);
        let rendered = render(&tree, "", &[], &Budget::default());
        let rendered = rendered.unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(rendered.objects.len(), rendered.facts().len());
        assert!(rendered.blob().unwrap().bytes.len() > 4 * 98 * 4);
    });
}

#[test]
fn cycles() {
    let tree = files(&[
        ("a/kustomization.yaml", "resources:\n- ../b\n"),
        ("b/kustomization.yaml", "resources:\n- ../a\n"),
        ("c/kustomization.yaml", "namePrefix: x-\nresources:\n- ../c\n"),
        ("d/e/kustomization.yaml", "resources:\n- ..\n"),
        ("d/kustomization.yaml", "resources:\n- e\n"),
    ]);
    assert!(refused(&tree, "a").starts_with("b/kustomization.yaml:2: the folder \"a\" is, or contains"));
    assert!(refused(&tree, "c").starts_with("c/kustomization.yaml:3: the folder \"c\" is, or contains"));
    assert!(refused(&tree, "d").contains("is, or contains"));
}

#[test]
fn a_regular_expression_bomb() {
    for name in [
        "((a{100}){100}){100}",
        "(((((((((a+)+)+)+)+)+)+)+)+){1000}",
        &"(".repeat(5_000),
        "\\p{Any}{500}{500}",
    ] {
        let said = refused(&trees::expression(name), "");
        assert!(said.starts_with("kustomization.yaml:4: the regular expression is not accepted"), "{said}");
    }
    let long = format!("resources: [x.yaml]\nimages:\n- name: '{}'\n  newTag: x\n", "(a|b)".repeat(100_000));
    let tree = files(&[("kustomization.yaml", &long), ("x.yaml", &object("x"))]);
    assert!(refused(&tree, "").contains("it is too long"));
}

#[test]
fn image_names_made_of_brackets() {
    let web =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers: [{name: a, image: nginx}]\n";
    for name in ["[".repeat(100_000), "(".repeat(100_000)] {
        let text = format!("resources: [x.yaml]\nimages:\n- {{name: '{name}', newTag: x}}\n");
        let tree = files(&[("kustomization.yaml", &text), ("x.yaml", web)]);
        let rendered = render(&tree, "", &[], &Budget::default()).unwrap();
        assert_eq!(rendered.objects[0].object()["spec"]["containers"][0]["image"], "nginx");
        assert!(rendered.warnings[0].message.contains("no regular expression"));
    }
}

#[test]
fn paths_that_lead_out() {
    for (path, reason) in [
        ("../../x.yaml", "leads out of the repository"),
        ("/etc/passwd", "is absolute"),
        ("\"a\\0b\"", "holds a NUL"),
        ("'%2e%2e/secret.yaml'", "nothing is at"),
        ("../secret.yaml", "is not in or below the kustomization's folder"),
        ("nothing.yaml", "nothing is at"),
        ("http://example.com/x.yaml", "files are not read over HTTP"),
        ("https://example.com/x?ref=main", "must be pinned to a full commit id"),
        ("https://example.com/x?ref=0123456789012345678901234567890123456789", "is not allowed here"),
    ] {
        let text = format!("resources:\n- {path}\n");
        let tree = files(&[("app/kustomization.yaml", &text), ("secret.yaml", &object("secret"))]);
        let said = refused(&tree, "app");
        assert!(said.starts_with("app/kustomization.yaml:2: ") && said.contains(reason), "{path}: {said}");
    }
    for field in
        ["configMapGenerator:\n- name: x\n  files: [../s]\n", "patches:\n- path: ../s\n", "crds: [../s]\n"]
    {
        let tree = files(&[("app/kustomization.yaml", field), ("s", "x")]);
        assert!(refused(&tree, "app").contains("is not in or below the kustomization's folder"));
    }
}

#[test]
fn duplicate_keys_and_duplicate_objects() {
    let twice = format!("{}  name: y\n", object("x"));
    let tree = files(&[("kustomization.yaml", "resources: [x.yaml]\n"), ("x.yaml", &twice)]);
    assert_eq!(refused(&tree, ""), "x.yaml:5: the key \"name\" is written twice: first on line 4");
    let tree = files(&[
        ("a/kustomization.yaml", "resources: [x.yaml]\n"),
        ("a/x.yaml", &object("x")),
        ("b/kustomization.yaml", "resources: [x.yaml]\n"),
        ("b/x.yaml", &object("x")),
        ("c/kustomization.yaml", "resources: [../a, ../b]\n"),
    ]);
    let said = refused(&tree, "c");
    assert!(said.starts_with("b/x.yaml:1: ConfigMap x is here twice"), "{said}");
}

#[test]
fn what_is_not_supported_is_named_with_its_line() {
    for (field, reason) in [
        ("helmCharts: []", "helmCharts is not supported"),
        ("helmGlobals: {chartHome: x}", "helmGlobals is not supported"),
        ("unknown: 1", "a kustomization has no field \"unknown\""),
        ("images: [{name: x, tag: y}]", "an image has no field \"tag\""),
        ("patches: [{patch: x, target: {nme: x}}]", "a selector has no field \"nme\""),
        (
            "generators: ['{apiVersion: example.com/v1, kind: X, metadata: {name: x}}']",
            "the plugin X of example.com/v1",
        ),
        ("openapi: {version: v1.30.0}", "is not built in"),
        ("openapi: {version: v1.21.2, path: s.json}", "both path and version"),
        ("buildMetadata: [x]", "is no option of buildMetadata"),
        ("kind: Other", "is not Kustomization or Component"),
        ("apiVersion: v9", "the API version of this kind is"),
        ("namePrefix: [x]", "namePrefix holds a list, not a string"),
        ("commonLabels: {a: 1}", "commonLabels holds a number, not a string"),
    ] {
        let text = format!("resources: [x.yaml]\n{field}\n");
        let tree = files(&[("kustomization.yaml", &text), ("x.yaml", &object("x"))]);
        let said = refused(&tree, "");
        assert!(said.starts_with("kustomization.yaml:2: ") && said.contains(reason), "{field}: {said}");
    }
}
