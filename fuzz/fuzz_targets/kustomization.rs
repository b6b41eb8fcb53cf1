//! Kustomizations, and the objects and patches that they name: a render ends, with objects or with reasons.
#![no_main]

use std::collections::BTreeMap;

use countersign_render::budget::Budget;
use countersign_render::rendered::{Options, inputs, render};
use libfuzzer_sys::fuzz_target;

/// The files that the bytes are parted into, at each byte 0xff.
const FILES: [&str; 5] =
    ["a/kustomization.yaml", "a/x.yaml", "a/p.yaml", "b/kustomization.yaml", "b/y.yaml"];

fuzz_target!(|bytes: &[u8]| {
    let parts = bytes.split(|byte| *byte == 0xff);
    let tree: BTreeMap<_, _> = FILES.iter().map(|path| (*path).to_owned()).zip(parts.map(<[u8]>::to_vec)).collect();
    let budget = Budget { steps: 100_000, nodes: 20_000, expansion: 1 << 20, ..Budget::default() };
    let namespaces = ["default".to_owned()];
    let rendered = render(&tree, "a", &namespaces, &budget);
    if let Ok(rendered) = &rendered {
        rendered.blob().expect("rendered objects have canonical bytes");
        let read = inputs(&tree, "a", &Options::new(&namespaces, &budget));
        assert_eq!(rendered.closure.paths(), read, "the closure is that of the render");
    }
    assert_eq!(rendered, render(&tree, "a", &namespaces, &budget), "a repeat ends the same way");
});
