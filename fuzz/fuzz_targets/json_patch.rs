//! JSON patches: whatever one says, the object stays an object or the render says why not.
#![no_main]

use std::collections::BTreeMap;

use countersign_render::budget::Budget;
use countersign_render::rendered::render;
use libfuzzer_sys::fuzz_target;

const OBJECT: &str = "apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: {a: [1, {b: c}, []], d~e/f: null}\n";
const KUSTOMIZATION: &str = "resources: [x.yaml]\npatches:\n- path: p.yaml\n  target: {kind: X}\n";

fuzz_target!(|bytes: &[u8]| {
    let files = [("x.yaml", OBJECT.as_bytes()), ("kustomization.yaml", KUSTOMIZATION.as_bytes()), ("p.yaml", bytes)];
    let tree: BTreeMap<_, _> = files.map(|(path, bytes)| (format!("a/{path}"), bytes.to_vec())).into();
    if let Ok(rendered) = render(&tree, "a", &[], &Budget::default()) {
        rendered.blob().expect("rendered objects have canonical bytes");
    }
});
