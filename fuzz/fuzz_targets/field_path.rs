//! Field paths: of replacements, and of the configuration of transformers.
#![no_main]

use std::collections::BTreeMap;

use countersign_render::budget::Budget;
use countersign_render::rendered::render;
use libfuzzer_sys::fuzz_target;

const OBJECT: &str = "apiVersion: v1\nkind: X\nmetadata: {name: x}\n\
    spec: {a: [1, {b: c}, [d]], e.f: {g: '{\"h\": [1]}'}, i: null}\n";

fuzz_target!(|path: &str| {
    let path = serde_json::to_string(path).expect("a text is JSON");
    let kustomization = format!(
        "resources: [x.yaml]\ncommonLabels: {{a: b}}\nconfigurations: [c.yaml]\nreplacements:\n- source: \
         {{kind: X, fieldPath: {path}}}\n  targets:\n  - select: {{kind: X}}\n    options: {{create: true}}\n    \
         fieldPaths: [{path}]\n"
    );
    let configuration = format!("commonLabels:\n- {{path: {path}, create: true}}\n");
    let files = [("x.yaml", OBJECT.to_owned()), ("kustomization.yaml", kustomization), ("c.yaml", configuration)];
    let tree: BTreeMap<_, _> = files.map(|(path, text)| (format!("a/{path}"), text.into_bytes())).into();
    if let Ok(rendered) = render(&tree, "a", &[], &Budget::default()) {
        rendered.blob().expect("rendered objects have canonical bytes");
    }
});
