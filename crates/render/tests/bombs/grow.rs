//! Bombs that are small as long as they are only read: what transformers would make of them.

use std::fmt::Write as _;

use super::{Files, RESOURCES, object, one};

/// An object of a kind that is not built in.
const WIDGET: &str = "apiVersion: e/v1\nkind: F\nmetadata: {name: f}\nspec: {x: y}\n";

fn objects(count: usize) -> String {
    (0..count).map(|number| format!("---\n{}", object(&format!("x{number}")))).collect()
}

fn json_patch(operations: &str) -> String {
    format!("{RESOURCES}patches:\n- target: {{kind: F}}\n  patch: |\n{operations}")
}

pub fn copies() -> Files {
    let operation = |n| format!("    - {{op: copy, from: /spec, path: /spec/a{n}}}\n");
    one(&json_patch(&(0..64).map(operation).collect::<String>()), WIDGET)
}

pub fn deep_copies() -> Files {
    let operations = "    - {op: copy, from: /spec, path: /spec/a}\n".repeat(4_000);
    one(&json_patch(&operations), WIDGET)
}

fn replacement(path: &str) -> String {
    format!(
        "- source: {{kind: F, fieldPath: spec}}\n  targets: [{{select: {{kind: F}}, fieldPaths: [{path}], options: {{create: true}}}}]\n"
    )
}

pub fn replacements() -> Files {
    let all: String = (0..64).map(|n| replacement(&format!("spec.a{n}"))).collect();
    one(&format!("{RESOURCES}replacements:\n{all}"), WIDGET)
}

pub fn deep_replacement() -> Files {
    one(&format!("{RESOURCES}replacements:\n{}", replacement(&format!("spec{}", ".a".repeat(4_000)))), WIDGET)
}

pub fn deep_label() -> Files {
    let path = format!("spec{}", "/a".repeat(4_000));
    let labels = format!("labels: [{{pairs: {{a: b}}, fields: [{{path: {path}, create: true}}]}}]\n");
    one(&format!("{RESOURCES}{labels}"), WIDGET)
}

pub fn variables() -> Files {
    let mut object = object("c");
    writeln!(object, "data: {{a: \"{}\", b: \"{}\"}}", "p".repeat(10_000), "$(V)".repeat(5_000)).unwrap();
    let variable = "vars: [{name: V, objref: {kind: ConfigMap, name: c, apiVersion: v1}, fieldref: {fieldPath: data.a}}]\n";
    let fields = "configurations: [c.yaml]\n";
    let mut files = one(&format!("{RESOURCES}{fields}{variable}"), &object);
    files.insert("c.yaml".to_owned(), b"varReference: [{path: data, kind: ConfigMap}]\n".to_vec());
    files
}

pub fn prefix() -> Files {
    one(&format!("{RESOURCES}namePrefix: \"{}\"\n", "p".repeat(200_000)), &objects(150))
}

pub fn annotation() -> Files {
    one(&format!("{RESOURCES}commonAnnotations: {{a: \"{}\"}}\n", "p".repeat(200_000)), &objects(150))
}

pub fn references() -> Files {
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: a\n    envFrom:\n";
    let all = format!("{}{pod}{}", object("x"), "    - configMapRef: {name: x}\n".repeat(10_000));
    one(&format!("{RESOURCES}namePrefix: \"{}\"\n", "p".repeat(10_000)), &all)
}

pub fn annotations(count: usize, of: usize) -> Files {
    let pairs: String = (0..count).map(|number| format!("  l{number}: x\n")).collect();
    one(&format!("{RESOURCES}commonAnnotations:\n{pairs}"), &objects(of))
}

pub fn patch() -> Files {
    let data: String = (0..5_000).map(|number| format!("      k{number}: x\n")).collect();
    let patch = object("x").replace('\n', "\n    ");
    let entry = format!("patches:\n- target: {{kind: ConfigMap}}\n  patch: |\n    {patch}data:\n{data}");
    one(&format!("{RESOURCES}{entry}"), &objects(2_000))
}

pub fn notes() -> Files {
    let deployments: String = (0..100)
        .map(|number| {
            format!("---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x{number}}}\nspec: {{}}\n")
        })
        .collect();
    let replicas = "- {name: x1, count: 2}\n".repeat(40_000);
    one(&format!("{RESOURCES}buildMetadata: [transformerAnnotations]\nreplicas:\n{replicas}"), &deployments)
}

/// Expressions that are small enough, and slow.
pub fn expressions() -> Files {
    let patch = "- target: {name: '(?:a|x|ax|[a-y]{0,20}){0,90}_'}\n  patch: '[{\"op\": \"remove\", \"path\": \"/a\"}]'\n";
    let long = "x".repeat(200);
    let objects: String = (0..1_000).map(|n| format!("---\n{}", object(&format!("{long}{n}")))).collect();
    one(&format!("{RESOURCES}patches:\n{}", patch.repeat(1_000)), &objects)
}

pub fn merges() -> Files {
    let data: String = (0..20_000).map(|number| format!("  k{number}: v\n")).collect();
    let entry = "- {name: x, behavior: merge, literals: [a=b]}\n".repeat(20_000);
    one(&format!("{RESOURCES}configMapGenerator:\n{entry}"), &format!("{}data:\n{data}", object("x")))
}

pub fn fields() -> Files {
    let spec = |number| format!("  - path: spec/a{number}\n    kind: ConfigMap\n");
    let fields: String = (0..50_000).map(spec).collect();
    let mut files = one(&format!("{RESOURCES}namePrefix: a-\nconfigurations: [c.yaml]\n"), &objects(2_000));
    let text = format!("nameReference:\n- kind: ConfigMap\n  fieldSpecs:\n{fields}");
    files.insert("c.yaml".to_owned(), text.into_bytes());
    files
}

pub fn ports() -> Files {
    let head = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n  ports:\n";
    let ports: String = (0..8_000).map(|number| format!("  - port: {number}\n")).collect();
    let patch = "patches:\n- patch: |\n    apiVersion: v1\n    kind: Service\n    metadata: {name: x}\n    spec:\n      ports: [{port: 1, name: a}]\n";
    one(&format!("{RESOURCES}{patch}"), &format!("{head}{ports}"))
}

pub fn numbers() -> Files {
    let patch = "- target: {kind: F}\n  patch: '- {op: add, path: /a, value: 1}'\n".repeat(1_000);
    let object = format!("{WIDGET}list:\n{}", "- 1234567\n".repeat(100_000));
    one(&format!("{RESOURCES}patches:\n{patch}"), &object)
}

pub fn items() -> Files {
    let object = format!("{WIDGET}list:\n{}", "- a\n".repeat(100_000));
    let operations = "    - {op: add, path: /list/0, value: b}\n".repeat(20_000);
    one(&json_patch(&operations), &object)
}
